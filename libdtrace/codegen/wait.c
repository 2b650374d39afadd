/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c - waits for locks, from the tracepoints contention_begin(lock, flags) and
 * contention_end(lock, result). The end tells neither what kind of lock it was nor how long
 * the wait has taken: a program of ours at the beginning notes it, and the program that has
 * the clauses, at the end, begins with taking the note back.
 *
 * Who spins stays on the CPU, which can have only as many such waits at once as there are
 * levels of interruption: their notes are the CPU's, dt_kspin_t. A thread that waits for a
 * mutex or a semaphore waits for no other of these: its note is the thread's, dt_kwait_t. For
 * a mutex it may begin several times before it ends: it spins while the owner runs, sleeps
 * when it does not, and spins again (kernel: __mutex_lock_common() of kernel/locking/mutex.c).
 *
 * A note whose end nobody saw is written over: at the same lock, or, of a CPU's, when there
 * is no free one.
 */
#include "codegen/cg.h"

/* What is waited for, and how: macros of the kernel's include/trace/events/lock.h. */
#define LCB_F_SPIN 1
#define LCB_F_READ 2
#define LCB_F_WRITE 4
#define LCB_F_MUTEX 32
#define KINDS (LCB_F_SPIN | LCB_F_READ | LCB_F_WRITE | LCB_F_MUTEX)

/* Of a rw_semaphore's count: bit 0 is a writer; from bit 8 on, below a guard, readers are
 * counted (kernel/locking/rwsem.c). */
#define RWSEM_WRITER 1
#define RWSEM_READERS 8

#define SPIN(member) ((int)offsetof(dt_kspin_t, member))
#define WAIT(member) ((int)offsetof(dt_kwait_t, member))

static void gen_note(dt_emit_t *e, int dst, int notes, int n)
{
	dt_mov(e, dst, notes);
	dt_alu_imm(e, BPF_ADD, dst, n * (int)sizeof(dt_kspin_t));
}

/* R6 = the notes of this CPU. */
static void gen_notes(dt_cg_t *cg, int none)
{
	dt_call(cg->e, BPF_FUNC_get_smp_processor_id);
	dt_gen_cpu_words(cg, R0, none);
	dt_mov(cg->e, R6, R0);
	dt_alu_imm(cg->e, BPF_ADD, R6, (int32_t)cg->env->waits_offset);
}

/* R6 = the note of this thread. */
static void gen_thread_note(dt_cg_t *cg, bool create, int none)
{
	dt_gen_self_pointer(cg, create);
	dt_jump_imm(cg->e, BPF_JEQ, R0, 0, none);
	dt_mov(cg->e, R6, R0);
	dt_alu_imm(cg->e, BPF_ADD, R6, (int32_t)cg->env->wait_offset);
}

/* ---- The beginning ------------------------------------------------------------------- */

/* R9 = the CPU's note for the lock in R7: its own, a free one, or the oldest. */
static void gen_choose_note(dt_emit_t *e)
{
	int chosen = dt_label_new(e);

	for (int i = 0; i < DT_NLEVELS; i++) {
		gen_note(e, R9, R6, i);
		dt_load(e, 8, R1, R9, SPIN(lock));
		dt_jump_imm(e, BPF_JEQ, R1, 0, chosen);
		dt_jump_reg(e, BPF_JEQ, R1, R7, chosen);
	}
	for (int i = 0; i < DT_NLEVELS - 1; i++) {
		int younger = dt_label_new(e);

		gen_note(e, R3, R6, i);
		dt_load(e, 8, R1, R3, SPIN(since));
		dt_load(e, 8, R2, R9, SPIN(since));
		dt_jump_reg(e, BPF_JGE, R1, R2, younger);
		dt_mov(e, R9, R3);
		dt_label_here(e, younger);
	}
	dt_label_here(e, chosen);
}

/* R7 is the lock, R8 the flags. */
static void gen_spin_begins(dt_cg_t *cg, int out)
{
	dt_emit_t *e = cg->e;

	gen_notes(cg, out);
	gen_choose_note(e);
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_store(e, 8, R9, SPIN(since), R0);
	dt_store(e, 8, R9, SPIN(flags), R8);
	dt_store(e, 8, R9, SPIN(lock), R7);
}

/* Adds the time from when the thread, whose note is at R6, has gone to sleep until R0. */
static void gen_awake(dt_emit_t *e)
{
	int awake = dt_label_new(e);

	dt_load(e, 8, R1, R6, WAIT(asleep));
	dt_jump_imm(e, BPF_JEQ, R1, 0, awake);
	dt_load(e, 8, R2, R6, WAIT(slept));
	dt_alu_reg(e, BPF_ADD, R2, R0);
	dt_alu_reg(e, BPF_SUB, R2, R1);
	dt_store(e, 8, R6, WAIT(slept), R2);
	dt_label_here(e, awake);
}

/* count: where a semaphore has its count; -1: nowhere. */
static void gen_wait_begins(dt_cg_t *cg, int32_t count, int out)
{
	dt_emit_t *e = cg->e;
	int again = dt_label_new(e), noted = dt_label_new(e), sleeps = dt_label_new(e);

	gen_thread_note(cg, true, out);
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_load(e, 8, R1, R6, WAIT(lock));
	dt_jump_reg(e, BPF_JEQ, R1, R7, again);
	dt_store(e, 8, R6, WAIT(lock), R7);
	dt_store(e, 8, R6, WAIT(since), R0);
	dt_store(e, 8, R6, WAIT(flags), R8);
	dt_store_imm(e, 8, R6, WAIT(slept), 0);
	dt_jump(e, noted);
	dt_label_here(e, again);
	gen_awake(e);
	dt_label_here(e, noted);
	dt_mov(e, R1, R8);
	dt_alu_imm(e, BPF_AND, R1, LCB_F_SPIN);
	dt_jump_imm(e, BPF_JEQ, R1, 0, sleeps);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_label_here(e, sleeps);
	dt_store(e, 8, R6, WAIT(asleep), R0);
	if (count < 0)
		return;
	dt_alu_imm(e, BPF_AND, R8, LCB_F_MUTEX);
	dt_jump_imm(e, BPF_JNE, R8, 0, out);
	/* Who holds the semaphore. */
	dt_mov(e, R1, R6);
	dt_alu_imm(e, BPF_ADD, R1, WAIT(holders));
	dt_alu_imm(e, BPF_MOV, R2, 8);
	dt_mov(e, R3, R7);
	dt_alu_imm(e, BPF_ADD, R3, count);
	dt_call(e, BPF_FUNC_probe_read_kernel);
}

int dt_codegen_wait(dt_cgenv_t *env, dt_emit_t *e)
{
	dt_cg_t cg = {.env = env, .e = e};
	int out = dt_label_new(e), waits = dt_label_new(e);
	uint32_t offset, size;
	int32_t count = -1; /* real-time kernels have semaphores of another kind */

	if (dt_kernel_member(env->hdl, "rw_semaphore", "count", &offset, &size) == 0)
		count = (int32_t)offset;
	dt_load(e, 8, R7, R1, 0);
	dt_load(e, 8, R8, R1, 8);
	dt_map_value(e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, activity));
	dt_load(e, 4, R1, R1, 0);
	dt_jump_imm(e, BPF_JNE, R1, DT_ACTIVITY_ACTIVE, out);
	/* Locks of other kinds have no name in DTrace. */
	dt_jump_imm(e, BPF_JEQ, R8, 0, out);
	dt_mov(e, R1, R8);
	dt_alu_imm(e, BPF_AND, R1, ~KINDS);
	dt_jump_imm(e, BPF_JNE, R1, 0, out);
	dt_mov(e, R1, R8);
	dt_alu_imm(e, BPF_AND, R1, LCB_F_SPIN | LCB_F_MUTEX);
	dt_jump_imm(e, BPF_JNE, R1, LCB_F_SPIN, waits);
	gen_spin_begins(&cg, out);
	dt_jump(e, out);
	dt_label_here(e, waits);
	gen_wait_begins(&cg, count, out);
	dt_label_here(e, out);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	return dt_emit_finish(e) ? 0 : dt_set_errno(env->hdl, EDT_NOMEM);
}

/* ---- The end ---------------------------------------------------------------------------- */

/*
 * What the wait was: R6 its kind, R7 how long it took (or the error), R8 whether a reader
 * waited, R9 who held the semaphore. All of it is taken from the note at once, which an
 * interrupt may need for another wait.
 */

/* R8 = 1 for a reader, from the flags in R8. */
static void gen_reader(dt_emit_t *e)
{
	dt_alu_imm(e, BPF_AND, R8, LCB_F_READ);
	dt_alu_imm(e, BPF_RSH, R8, 1);
}

/* From the CPU's note in R9. */
static void gen_spin_ends(dt_emit_t *e, int told)
{
	dt_load(e, 8, R7, R9, SPIN(since));
	dt_load(e, 8, R8, R9, SPIN(flags));
	dt_store_imm(e, 8, R9, SPIN(lock), 0);
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_alu_reg(e, BPF_SUB, R0, R7);
	dt_mov(e, R7, R0);
	dt_alu_imm(e, BPF_MOV, R9, 0);
	dt_alu_imm(e, BPF_MOV, R6, DT_WAIT_SPIN);
	dt_alu_imm(e, BPF_AND, R8, LCB_F_READ | LCB_F_WRITE);
	dt_jump_imm(e, BPF_JEQ, R8, 0, told);
	dt_alu_imm(e, BPF_MOV, R6, DT_WAIT_RW_SPIN);
	gen_reader(e);
	dt_jump(e, told);
}

/* From the note of the thread in R6, with the time in R0. */
static void gen_semaphore_ends(dt_emit_t *e, int told, int none)
{
	dt_jump_imm(e, BPF_JNE, R7, 0, none); /* it has given up */
	dt_load(e, 8, R7, R6, WAIT(since));
	dt_alu_reg(e, BPF_SUB, R0, R7);
	dt_mov(e, R7, R0);
	dt_load(e, 8, R9, R6, WAIT(holders));
	gen_reader(e);
	dt_alu_imm(e, BPF_MOV, R6, DT_WAIT_RW_BLOCK);
	dt_jump(e, told);
}

static void gen_mutex_ends(dt_emit_t *e, int told)
{
	dt_alu_imm(e, BPF_MOV, R8, 0);
	dt_alu_imm(e, BPF_MOV, R9, 0);
	gen_awake(e);
	dt_load(e, 8, R1, R6, WAIT(since));
	dt_load(e, 8, R2, R6, WAIT(slept));
	dt_alu_imm(e, BPF_MOV, R6, DT_WAIT_ADAPTIVE_ERROR);
	dt_jump_imm(e, BPF_JNE, R7, 0, told);
	dt_mov(e, R7, R2);
	dt_alu_imm(e, BPF_MOV, R6, DT_WAIT_ADAPTIVE_BLOCK);
	dt_jump_imm(e, BPF_JNE, R2, 0, told);
	dt_alu_reg(e, BPF_SUB, R0, R1);
	dt_mov(e, R7, R0);
	dt_alu_imm(e, BPF_MOV, R6, DT_WAIT_ADAPTIVE_SPIN);
}

void dt_gen_wait_ends(dt_cg_t *cg, int none)
{
	dt_emit_t *e = cg->e;
	int spun = dt_label_new(e), mutex = dt_label_new(e), told = dt_label_new(e);

	dt_load(e, 8, R7, R1, 0);
	dt_load(e, 8, R8, R1, 8);
	gen_notes(cg, none);
	for (int i = 0; i < DT_NLEVELS; i++) {
		gen_note(e, R9, R6, i);
		dt_load(e, 8, R1, R9, SPIN(lock));
		dt_jump_reg(e, BPF_JEQ, R1, R7, spun);
	}
	gen_thread_note(cg, false, none);
	dt_load(e, 8, R1, R6, WAIT(lock));
	dt_jump_reg(e, BPF_JNE, R1, R7, none);
	dt_store_imm(e, 8, R6, WAIT(lock), 0);
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_mov(e, R7, R8);
	dt_extend(e, R7, 4, true);
	dt_load(e, 8, R8, R6, WAIT(flags));
	dt_mov(e, R1, R8);
	dt_alu_imm(e, BPF_AND, R1, LCB_F_MUTEX);
	dt_jump_imm(e, BPF_JNE, R1, 0, mutex);
	gen_semaphore_ends(e, told, none);
	dt_label_here(e, spun);
	gen_spin_ends(e, told);
	dt_label_here(e, mutex);
	gen_mutex_ends(e, told);
	dt_label_here(e, told);
}

void dt_gen_wait_told(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	const int over = (int)(offsetof(dt_kwaits_t, over));

	dt_load(e, 8, R2, FP, DT_FRAME_CPUS);
	dt_alu_imm(e, BPF_ADD, R2, (int32_t)cg->env->waits_offset);
	dt_store(e, 8, R2, over, R7);
	dt_store(e, 8, R2, over + 8, R8);
	dt_mov(e, R3, R9);
	dt_alu_imm(e, BPF_AND, R3, RWSEM_WRITER);
	dt_store(e, 8, R2, over + 16, R3);
	dt_alu_imm(e, BPF_LSH, R9, 1);
	dt_alu_imm(e, BPF_RSH, R9, RWSEM_READERS + 1);
	dt_store(e, 8, R2, over + 24, R9);
}

/* dst = what the program was told, word n from 1. */
void dt_gen_wait_word(dt_cg_t *cg, uint32_t n, int dst)
{
	dt_emit_t *e = cg->e;

	cg->needs_cpu = true;
	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)cg->env->waits_offset);
	dt_load(e, 8, dst, R1, (int)(offsetof(dt_kwaits_t, over) + 8 * (n - 1)));
}
