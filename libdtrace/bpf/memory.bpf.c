/* SPDX-License-Identifier: Apache-2.0 */
/* memory.bpf.c - copies into scratch by address, and the process tree. */
#include "bpf/support.bpf.h"

/* ---- Copies --------------------------------------------------------------------- */

/*
 * A D pointer is a number; it is one into scratch if its distance from where scratch lies
 * says so. Going through memory is what makes the verifier take scratch's address for one.
 */
static __always_inline u64 scratch_offset(struct dt_scratch *s, u64 address)
{
	volatile u64 *base = &s->work[0];

	*base = (u64)s;
	return address - *base;
}

/* Whether [offset, offset + size) is in the part of scratch that belongs to D. */
static __always_inline u32 is_writable(u64 offset, u64 size)
{
	u64 limit = dt_value(dt_scratch_bytes);

	return offset >= sizeof(struct dt_scratch) && offset < limit &&
	       size <= dt_value(dt_scratch_pad) && offset + size <= limit;
}

/* 0; -1: the source cannot be read; -2: the destination is not scratch. */
int dt_bcopy(struct dt_scratch *s, u64 dst, u64 src, u64 size)
{
	u64 offset;

	if (!s)
		return -2;
	offset = scratch_offset(s, dst);
	if (!is_writable(offset, size))
		return -2;
	return bpf_probe_read_kernel(&s->bytes[offset], (u32)size, (void *)src) ? -1 : 0;
}

int dt_copyinto(struct dt_scratch *s, u64 dst, u64 src, u64 size)
{
	u64 offset;

	if (!s)
		return -2;
	offset = scratch_offset(s, dst);
	if (!is_writable(offset, size))
		return -2;
	return bpf_probe_read_user(&s->bytes[offset], (u32)size, (void *)src) ? -1 : 0;
}

/* ---- Processes ------------------------------------------------------------------ */

DT_MEMBER(task_struct, tgid);
DT_MEMBER(task_struct, real_parent);
DT_MEMBER(task_struct, group_leader);
DT_MEMBER(task_struct, thread_pid);
DT_MEMBER(pid, level);
DT_MEMBER(pid, numbers);
DT_MEMBER(upid, nr);
DT_MEMBER(upid, ns);
DT_MEMBER(pid_namespace, ns);
DT_MEMBER(ns_common, inum);

#define GENERATIONS 4096
#define FIRST_PIDNS 0xEFFFFFFC /* PROC_PID_INIT_INO of the kernel's proc_ns.h */
#define LEVELS 33 /* MAX_PID_NS_LEVEL of linux/pid_namespace.h, and the first */

enum { TREE_TASK, TREE_WANTED, TREE_VALUE, TREE_FOUND };

/* So many bytes of the kernel's; 0 where they cannot be read. */
static __always_inline u64 tree_read(struct dt_scratch *s, u64 address, u32 size)
{
	s->work[TREE_VALUE] = 0;
	bpf_probe_read_kernel(&s->work[TREE_VALUE], size, (void *)address);
	return s->work[TREE_VALUE];
}

/* The number of the task's process in the PID namespace of the tracing one; 0: none. */
static __always_inline u32 number_of(struct dt_scratch *s, u64 task)
{
	u64 pid, level, upid, ns;

	if (dt_value(dt_pidns) == FIRST_PIDNS)
		return (u32)tree_read(s, task + dt_offset(task_struct, tgid), 4);
	task = tree_read(s, task + dt_offset(task_struct, group_leader), 8);
	pid = tree_read(s, task + dt_offset(task_struct, thread_pid), 8);
	level = tree_read(s, pid + dt_offset(pid, level), 4);
	for (u64 i = 0; i < LEVELS && i <= level; i++) {
		upid = pid + dt_offset(pid, numbers) + i * (dt_offset(upid, ns) + 8);
		ns = tree_read(s, upid + dt_offset(upid, ns), 8) + dt_offset(pid_namespace, ns);
		if (tree_read(s, ns + dt_offset(ns_common, inum), 4) == dt_value(dt_pidns))
			return (u32)tree_read(s, upid + dt_offset(upid, nr), 4);
	}
	return 0;
}

static long parent_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 task = s->work[TREE_TASK];

	if (number_of(s, task) == (u32)s->work[TREE_WANTED]) {
		s->work[TREE_FOUND] = 1;
		return 1;
	}
	s->work[TREE_TASK] = tree_read(s, task + dt_offset(task_struct, real_parent), 8);
	return s->work[TREE_TASK] == 0 || s->work[TREE_TASK] == task;
}

/* The number of the current process's parent. */
int dt_ppid(struct dt_scratch *s)
{
	u64 task = (u64)bpf_get_current_task();

	if (!s)
		return 0;
	return (int)number_of(s, tree_read(s, task + dt_offset(task_struct, real_parent), 8));
}

/* Whether the process, or one of those that it descends from, has the number. */
int dt_progenyof(struct dt_scratch *s, u64 pid)
{
	if (!s)
		return 0;
	s->work[TREE_TASK] = (u64)bpf_get_current_task();
	s->work[TREE_WANTED] = pid;
	s->work[TREE_FOUND] = 0;
	dt_loop(s, GENERATIONS, parent_step);
	return (int)s->work[TREE_FOUND];
}

/* ---- What a process was called as -------------------------------------------------- */

DT_MEMBER(task_struct, comm);
DT_MEMBER(task_struct, mm);
DT_MEMBER(mm_struct, arg_start);
DT_MEMBER(mm_struct, arg_end);

#define PSARGS_SIZE 80 /* PRARGSZ, with the NUL */
#define COMM_SIZE 16

enum { ARGS_DST, ARGS_LENGTH, ARGS_VALUE };

/* 0 where it cannot be read. */
static __always_inline u64 word_of(struct dt_scratch *s, u64 address)
{
	s->work[ARGS_VALUE] = 0;
	bpf_probe_read_kernel(&s->work[ARGS_VALUE], 8, (void *)address);
	return s->work[ARGS_VALUE];
}

/* Words end with NUL. */
static long blank_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;

	if (i >= s->work[ARGS_LENGTH]) {
		put(s, s->work[ARGS_DST] + i, 0);
		return 1;
	}
	if (at(s, s->work[ARGS_DST] + i) == 0)
		put(s, s->work[ARGS_DST] + i, ' ');
	return 0;
}

/*
 * The words of the process's command, a blank between them. They are in its own memory: of
 * another process than the current one, and of a thread of the kernel, it is the name. -1:
 * there is no such process.
 */
int dt_psargs(struct dt_scratch *s, u64 dst, u64 task)
{
	u64 mm, start, size;

	if (!s || dst >= dt_value(dt_scratch_bytes))
		return -1;
	mm = word_of(s, task + dt_offset(task_struct, mm));
	if (!mm || mm != word_of(s, (u64)bpf_get_current_task() + dt_offset(task_struct, mm)))
		goto name;
	start = word_of(s, mm + dt_offset(mm_struct, arg_start));
	size = word_of(s, mm + dt_offset(mm_struct, arg_end)) - start;
	if (size == 0)
		goto name;
	if (size > PSARGS_SIZE)
		size = PSARGS_SIZE;
	s->work[ARGS_DST] = dst;
	s->work[ARGS_LENGTH] = size - 1;
	if (dst + PSARGS_SIZE > dt_value(dt_scratch_bytes) ||
	    bpf_probe_read_user(&s->bytes[dst], (u32)size, (void *)start))
		goto name;
	dt_loop(s, PSARGS_SIZE, blank_step);
	return 0;
name:
	return bpf_probe_read_kernel_str(&s->bytes[dst], COMM_SIZE,
					 (void *)(task + dt_offset(task_struct, comm))) < 0
		   ? -1
		   : 0;
}
