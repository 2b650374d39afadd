/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - the programs that watch for processes which may bring probes. What they tell is
 * news, dt_news_t, in a ring buffer that wakes the consumer; enable/follow.c does the rest.
 */
#include <string.h>

#include "arch.h"
#include "codegen/cg.h"

/* The frame: the news, and a word. */
#define SLOT_NEWS (-(int)sizeof(dt_news_t))
#define SLOT_PID (SLOT_NEWS + (int)offsetof(dt_news_t, pid))
#define SLOT_TICKET (SLOT_NEWS + (int)offsetof(dt_news_t, ticket))
#define SLOT_WORD (SLOT_NEWS - 8)
#define SLOT_CODE (SLOT_NEWS - 16) /* where the process is */

/* The current process's number into the news and R6. */
static void gen_process(const dt_cgenv_t *env, dt_emit_t *e)
{
	dt_emit_pid_tgid(env, e, SLOT_WORD);
	dt_alu_imm(e, BPF_RSH, R0, 32);
	dt_mov(e, R6, R0);
	dt_store(e, 8, FP, SLOT_PID, R6);
	dt_store_imm(e, 8, FP, SLOT_TICKET, 0);
}

/* Goes to out unless the current process is watched. */
static void gen_only_watched(dt_emit_t *e, int out)
{
	dt_map_lookup(e, DT_MAP_WATCHED, SLOT_PID, out);
}

static void gen_tell(dt_emit_t *e)
{
	dt_map_fd(e, R1, DT_MAP_NEWS);
	dt_frame_address(e, R2, SLOT_NEWS);
	dt_alu_imm(e, BPF_MOV, R3, sizeof(dt_news_t));
	dt_alu_imm(e, BPF_MOV, R4, BPF_RB_FORCE_WAKEUP);
	dt_call(e, BPF_FUNC_ringbuf_output);
}

static int finish(dt_cgenv_t *env, dt_emit_t *e, int out)
{
	dt_label_here(e, out);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	return dt_emit_finish(e) ? 0 : dt_set_errno(env->hdl, EDT_NOMEM);
}

int dt_codegen_watch_exec(dt_cgenv_t *env, dt_emit_t *e, bool any)
{
	int out = dt_label_new(e);

	gen_process(env, e);
	if (!any)
		gen_only_watched(e, out);
	gen_tell(e);
	return finish(env, e, out);
}

/* A member of the structure at R7 into the slot, as 8 bytes. -1 with the error set. */
static int gen_read_member(const dt_cgenv_t *env, dt_emit_t *e, const char *structure,
			   const char *member, int size, int slot)
{
	uint32_t offset, whole;

	if (dt_kernel_member(env->hdl, structure, member, &offset, &whole) != 0)
		return -1;
	dt_store_imm(e, 8, FP, slot, 0);
	dt_frame_address(e, R1, slot);
	dt_alu_imm(e, BPF_MOV, R2, size);
	dt_mov(e, R3, R7);
	dt_alu_imm(e, BPF_ADD, R3, (int32_t)offset);
	dt_call(e, BPF_FUNC_probe_read_kernel);
	return 0;
}

/*
 * The number of the task at R7 in its own PID namespace, which is ours as well, into the news:
 * the last of struct pid's numbers, each of two words.
 */
static int gen_own_number(const dt_cgenv_t *env, dt_emit_t *e)
{
	if (env->pidns.inode == DT_PIDNS_FIRST)
		return 0; /* it is there */
	if (gen_read_member(env, e, "task_struct", "thread_pid", 8, SLOT_WORD) != 0)
		return -1;
	dt_load(e, 8, R7, FP, SLOT_WORD);
	if (gen_read_member(env, e, "pid", "level", 4, SLOT_WORD) != 0)
		return -1;
	dt_load(e, 8, R8, FP, SLOT_WORD);
	dt_alu_imm(e, BPF_LSH, R8, 4);
	dt_alu_reg(e, BPF_ADD, R7, R8);
	return gen_read_member(env, e, "pid", "numbers", 4, SLOT_PID);
}

/* The tracepoint sched_process_fork: parent, child. */
int dt_codegen_watch_fork(dt_cgenv_t *env, dt_emit_t *e)
{
	int out = dt_label_new(e);

	dt_load(e, 8, R7, R1, 8);
	gen_process(env, e);
	gen_only_watched(e, out);
	if (gen_read_member(env, e, "task_struct", "tgid", 4, SLOT_PID) != 0 ||
	    gen_read_member(env, e, "task_struct", "pid", 4, SLOT_WORD) != 0)
		return -1;
	dt_load(e, 8, R1, FP, SLOT_PID);
	dt_load(e, 8, R2, FP, SLOT_WORD);
	dt_jump_reg(e, BPF_JNE, R1, R2, out); /* a thread */
	if (gen_own_number(env, e) != 0)
		return -1;
	gen_tell(e);
	return finish(env, e, out);
}

int dt_codegen_watch_place(dt_cgenv_t *env, dt_emit_t *e, uint32_t ns, pid_t spared)
{
	int out = dt_label_new(e);

	dt_load(e, 8, R2, R1, (int)DT_ARCH_PC);
	dt_store(e, 8, FP, SLOT_CODE, R2);
	dt_map_value(e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, activity));
	dt_load(e, 4, R1, R1, 0);
	dt_jump_imm(e, BPF_JNE, R1, DT_ACTIVITY_ACTIVE, out);
	gen_process(env, e);
	dt_map_value(e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, tickets));
	dt_alu_imm(e, BPF_MOV, R7, 1);
	dt_atomic_add(e, 8, R1, 0, R7, true);
	dt_alu_imm(e, BPF_ADD, R7, 1);
	dt_store(e, 8, FP, SLOT_TICKET, R7);
	gen_tell(e);
	dt_jump_imm(e, BPF_JEQ, R6, spared, out);
	dt_store_imm(e, 4, FP, SLOT_WORD, 0);
	dt_map_lookup(e, DT_MAP_HOLD, SLOT_WORD, out);
	dt_mov(e, R8, R0);
	/* Its answer's address. A pointer that has been through a map is a number to the
	 * verifier. */
	dt_map_value(e, R1, DT_MAP_ANSWERS, 0);
	dt_store(e, 8, R8, 0, R1);
	dt_load(e, 8, R9, R8, 0);
	dt_alu_imm(e, BPF_AND, R7, DT_NANSWERS - 1);
	dt_alu_imm(e, BPF_LSH, R7, 3);
	dt_alu_reg(e, BPF_ADD, R9, R7);
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_mov(e, R4, R0);
	dt_alu_imm(e, BPF_ADD, R4, (int32_t)ns);
	dt_mov(e, R1, R8);
	dt_mov(e, R2, R9);
	dt_load(e, 8, R3, FP, SLOT_TICKET);
	dt_load(e, 8, R5, FP, SLOT_CODE);
	dt_support_call(e, DT_SUPPORT_HOLD);
	return finish(env, e, out);
}
