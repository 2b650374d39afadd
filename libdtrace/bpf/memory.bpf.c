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

#define GENERATIONS 4096

enum { TREE_TASK, TREE_WANTED, TREE_VALUE, TREE_FOUND };

static long parent_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 task = s->work[TREE_TASK];

	s->work[TREE_VALUE] = 0;
	bpf_probe_read_kernel(&s->work[TREE_VALUE], 4,
			      (void *)(task + dt_offset(task_struct, tgid)));
	if ((u32)s->work[TREE_VALUE] == (u32)s->work[TREE_WANTED]) {
		s->work[TREE_FOUND] = 1;
		return 1;
	}
	s->work[TREE_VALUE] = 0;
	bpf_probe_read_kernel(&s->work[TREE_VALUE], 8,
			      (void *)(task + dt_offset(task_struct, real_parent)));
	s->work[TREE_TASK] = s->work[TREE_VALUE];
	return s->work[TREE_VALUE] == 0 || s->work[TREE_VALUE] == task;
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
