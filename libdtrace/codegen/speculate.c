/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speculate.c - speculation(), speculate(), commit(), discard().
 *
 * A speculation has a word of state that all CPUs share and, on each CPU, a buffer of
 * specsize bytes (enable/kernel.h). All changes of the word are by compare and exchange:
 *
 *	inactive -> active	speculation()
 *	active			speculate(): the CPU is noted, once it differs "several"
 *	active -> inactive	discard(): what the buffers hold is of a generation past
 *	active -> committing	commit(): this CPU's part is copied to its principal buffer
 *	committing -> inactive	by the same program if no other CPU has speculated, else by
 *				the consumer, when it has taken the other CPUs' parts
 *
 * So a speculation that has stayed on one CPU is committed and free again at once, as is
 * one that is discarded.
 *
 * Where a program has interrupted another, the other's record may be half written: then
 * a buffer is not emptied for a new generation (the record is a speculative drop), and a
 * commit leaves even this CPU's part to the consumer.
 */
#include "codegen/cg.h"

/*
 * An exchange fails when the word has changed in between. It can, twice by CPUs that are
 * noted, before it leaves the state that was found.
 */
#define EXCHANGE_TRIES 4

/* if (*R9 == R7) *R9 = reg, and goes to done; R0 is used. */
static void gen_exchange(dt_emit_t *e, int reg, int done)
{
	dt_mov(e, R0, R7);
	dt_compare_exchange(e, R9, 0, reg);
	dt_jump_reg(e, BPF_JEQ, R0, R7, done);
}

/* R7 = the word at R9; goes to other unless it is active. */
static void gen_active(dt_emit_t *e, int other)
{
	dt_load(e, 8, R7, R9, 0);
	dt_mov(e, R2, R7);
	dt_alu_imm(e, BPF_AND, R2, 0xff);
	dt_jump_imm(e, BPF_JNE, R2, DT_SPEC_ACTIVE, other);
}

/* R6 = index of the speculation whose number the call has, R9 = its word. */
static void gen_find(dt_cg_t *cg, const dt_node_t *call, int none)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_gen_to_slot(cg, call->list);

	cg->needs_cpu = true;
	dt_load(e, 8, R6, FP, slot);
	cg->stack = mark;
	dt_alu_imm(e, BPF_SUB, R6, 1);
	dt_jump_imm(e, BPF_JGE, R6, (int32_t)cg->env->nspec, none);
	dt_map_value(e, R9, DT_MAP_SPECS, 0);
	dt_mov(e, R2, R6);
	dt_alu_imm(e, BPF_LSH, R2, 3);
	dt_alu_reg(e, BPF_ADD, R9, R2);
}

/* R0 = this CPU's buffer of the speculation R6. */
static void gen_buffer(dt_cg_t *cg, int null_label)
{
	dt_emit_t *e = cg->e;

	dt_mov(e, R1, R6);
	dt_alu_imm(e, BPF_MUL, R1, (int32_t)cg->env->ncpus);
	dt_load(e, 4, R2, FP, DT_FRAME_CPU);
	dt_alu_reg(e, BPF_ADD, R1, R2);
	dt_gen_array_lookup(cg, DT_MAP_SPECDATA, R1, null_label);
}

/* ---- speculation() ----------------------------------------------------------------- */

/*
 * R1 word's address, R2 index, R3 word, R5 whether one is being committed. No call is made,
 * so the caller's registers stay as they are.
 */
void dt_gen_speculation(dt_cg_t *cg, int dst)
{
	dt_emit_t *e = cg->e;
	int loop = dt_label_new(e), next = dt_label_new(e), busy = dt_label_new(e),
	    none = dt_label_new(e), got = dt_label_new(e), done = dt_label_new(e),
	    unavailable = dt_label_new(e);

	dt_alu_imm(e, BPF_MOV, R2, 0);
	dt_alu_imm(e, BPF_MOV, R5, 0);
	dt_label_here(e, loop);
	dt_jump_imm(e, BPF_JGE, R2, (int32_t)cg->env->nspec, none);
	dt_map_value(e, R1, DT_MAP_SPECS, 0);
	dt_mov(e, R3, R2);
	dt_alu_imm(e, BPF_LSH, R3, 3);
	dt_alu_reg(e, BPF_ADD, R1, R3);
	dt_load(e, 8, R3, R1, 0);
	dt_mov(e, R4, R3);
	dt_alu_imm(e, BPF_AND, R4, 0xff);
	dt_jump_imm(e, BPF_JEQ, R4, DT_SPEC_COMMITTING, busy);
	dt_jump_imm(e, BPF_JNE, R4, DT_SPEC_INACTIVE, next);
	/* An inactive word is its generation alone. */
	dt_mov(e, R4, R3);
	dt_alu_imm(e, BPF_OR, R4, DT_SPEC_ACTIVE);
	dt_mov(e, R0, R3);
	dt_compare_exchange(e, R1, 0, R4);
	dt_jump_reg(e, BPF_JEQ, R0, R3, got);
	dt_jump(e, next);
	dt_label_here(e, busy);
	dt_alu_imm(e, BPF_MOV, R5, 1);
	dt_label_here(e, next);
	dt_alu_imm(e, BPF_ADD, R2, 1);
	dt_jump(e, loop);

	dt_label_here(e, got);
	dt_mov(e, dst, R2);
	dt_alu_imm(e, BPF_ADD, dst, 1);
	dt_jump(e, done);
	dt_label_here(e, none);
	dt_jump_imm(e, BPF_JEQ, R5, 0, unavailable);
	dt_gen_drop(cg, DT_KDROP_SPECBUSY);
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_jump(e, done);
	dt_label_here(e, unavailable);
	dt_gen_drop(cg, DT_KDROP_SPECUNAVAIL);
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_label_here(e, done);
}

/* ---- speculate() ------------------------------------------------------------------- */

/* Notes this CPU in the word at R9 that is R7. */
static void gen_note_cpu(dt_cg_t *cg, int noted, int inactive)
{
	dt_emit_t *e = cg->e;

	for (int i = 0; i < EXCHANGE_TRIES; i++) {
		int first = dt_label_new(e);

		gen_active(e, inactive);
		dt_mov(e, R2, R7);
		dt_alu_imm(e, BPF_RSH, R2, DT_SPEC_CPU_SHIFT);
		dt_alu_imm(e, BPF_AND, R2, DT_SPEC_MANY);
		dt_jump_imm(e, BPF_JEQ, R2, DT_SPEC_MANY, noted);
		dt_load(e, 4, R3, FP, DT_FRAME_CPU);
		dt_alu_imm(e, BPF_ADD, R3, 1);
		dt_jump_reg(e, BPF_JEQ, R2, R3, noted);
		dt_jump_imm(e, BPF_JEQ, R2, 0, first);
		dt_const(e, R3, DT_SPEC_MANY);
		dt_label_here(e, first);
		dt_alu_imm(e, BPF_LSH, R3, DT_SPEC_CPU_SHIFT);
		dt_mov(e, R1, R7);
		dt_alu_reg(e, BPF_OR, R1, R3);
		gen_exchange(e, R1, noted);
	}
	dt_jump(e, inactive);
}

/* Empties the buffer at R0 if it is of another generation than the word in R7. */
static void gen_renew(dt_cg_t *cg, int drop)
{
	dt_emit_t *e = cg->e;
	int current = dt_label_new(e);

	dt_alu_imm(e, BPF_RSH, R7, DT_SPEC_GENERATION_SHIFT);
	dt_load(e, 4, R1, R0, offsetof(dt_kspec_t, generation));
	dt_jump_reg(e, BPF_JEQ, R1, R7, current);
	dt_gen_alone(cg, drop);
	/* The generation last: until then whoever interrupts has to do without. */
	dt_store_imm(e, 4, R0, offsetof(dt_kspec_t, used), 0);
	dt_store_imm(e, 8, R0, offsetof(dt_kspec_t, nrecords), 0);
	dt_store(e, 4, R0, offsetof(dt_kspec_t, generation), R7);
	dt_label_here(e, current);
}

/* Where the records of a clause go whose speculation is not active: nowhere. */
static void gen_bucket(dt_cg_t *cg, uint32_t total)
{
	dt_str_t bucket = {DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, total), total};

	/* The clause's statements that follow must not have it for something else. */
	dt_scratch_keep(cg);
	dt_str_address(cg, &bucket, R0);
}

void dt_gen_speculate(dt_cg_t *cg, const dt_node_t *call)
{
	dt_emit_t *e = cg->e;
	uint32_t total = dt_record_total(cg->env, cg->ecb->plan->kernel_size);
	int noted = dt_label_new(e), drop = dt_label_new(e), full = dt_label_new(e),
	    inactive = dt_label_new(e), header = dt_label_new(e);

	if (total > cg->env->specsize) {
		dt_cg_fail(cg, EDT_TOOLARGE, call->line,
			   "the clause records %u bytes, more than specsize (%u)", total,
			   cg->env->specsize);
		return;
	}
	gen_find(cg, call, inactive);
	gen_note_cpu(cg, noted, inactive);
	dt_label_here(e, noted);
	gen_buffer(cg, inactive);
	gen_renew(cg, drop);
	dt_const(e, R1, total);
	dt_atomic_add(e, 4, R0, offsetof(dt_kspec_t, used), R1, true);
	dt_jump_imm(e, BPF_JGT, R1, (int32_t)(cg->env->specsize - total), full);
	dt_alu_imm(e, BPF_MOV, R2, 1);
	dt_atomic_add(e, 8, R0, offsetof(dt_kspec_t, nrecords), R2, false);
	dt_alu_reg(e, BPF_ADD, R0, R1);
	dt_alu_imm(e, BPF_ADD, R0, sizeof(dt_kspec_t));
	dt_jump(e, header);

	dt_label_here(e, full);
	dt_const(e, R1, (uint64_t)-(int64_t)total);
	dt_atomic_add(e, 4, R0, offsetof(dt_kspec_t, used), R1, false);
	dt_label_here(e, drop);
	dt_gen_drop(cg, DT_KDROP_SPEC);
	dt_label_here(e, inactive);
	gen_bucket(cg, total);
	dt_label_here(e, header);
	dt_gen_header(cg, cg->ecb->number);
}

/* ---- commit(), discard() ------------------------------------------------------------- */

/*
 * This CPU's part to its principal buffer. R8 bytes of it, from frame word `buffer` on.
 * Without room for all, all of its records are dropped.
 */
static void gen_copy(dt_cg_t *cg, int buffer, int done)
{
	dt_emit_t *e = cg->e;
	dt_claim_t c = {.drop = dt_label_new(e), .full = done};

	dt_gen_claim(cg, &c);
	dt_mov(e, R1, R0);
	dt_mov(e, R2, R8);
	dt_load(e, 8, R3, FP, buffer);
	dt_alu_imm(e, BPF_ADD, R3, sizeof(dt_kspec_t));
	dt_call(e, BPF_FUNC_probe_read_kernel);
	dt_jump(e, done);
	dt_gen_claim_cold(cg, &c);
	dt_label_here(e, c.drop);
	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_load(e, 8, R3, FP, buffer);
	dt_load(e, 8, R2, R3, offsetof(dt_kspec_t, nrecords));
	dt_atomic_add(e, 8, R1, offsetof(dt_kcpu_t, drops[DT_KDROP_PRINCIPAL]), R2, false);
	dt_gen_dropped(cg);
	dt_jump(e, done);
}

/* R8 = bytes that this CPU has in the buffer at frame word `buffer`, none: goes there. */
static void gen_used(dt_cg_t *cg, int word, int buffer, int none)
{
	dt_emit_t *e = cg->e;

	gen_buffer(cg, none);
	dt_store(e, 8, FP, buffer, R0);
	dt_load(e, 8, R2, FP, word);
	dt_alu_imm(e, BPF_RSH, R2, DT_SPEC_GENERATION_SHIFT);
	dt_load(e, 4, R1, R0, offsetof(dt_kspec_t, generation));
	dt_jump_reg(e, BPF_JNE, R1, R2, none);
	dt_load(e, 4, R8, R0, offsetof(dt_kspec_t, used));
	dt_jump_imm(e, BPF_JEQ, R8, 0, none);
	dt_jump_imm(e, BPF_JGT, R8, (int32_t)cg->env->specsize, none);
	/* Not to be taken by the consumer too. */
	dt_store_imm(e, 4, R0, offsetof(dt_kspec_t, used), 0);
}

/* The word in reg, of the next generation and inactive. */
static void gen_inactive(dt_emit_t *e, int reg)
{
	dt_alu_imm(e, BPF_RSH, reg, DT_SPEC_GENERATION_SHIFT);
	dt_alu_imm(e, BPF_ADD, reg, 1);
	dt_alu_imm(e, BPF_LSH, reg, DT_SPEC_GENERATION_SHIFT);
}

void dt_gen_commit(dt_cg_t *cg, const dt_node_t *call)
{
	dt_emit_t *e = cg->e;
	int won = dt_label_new(e), done = dt_label_new(e), copied = dt_label_new(e),
	    later = dt_label_new(e), release = dt_label_new(e);
	int mark, word, buffer;

	gen_find(cg, call, done);
	mark = cg->stack;
	word = dt_stack_alloc(cg, 8);
	buffer = dt_stack_alloc(cg, 8);
	for (int i = 0; i < EXCHANGE_TRIES; i++) {
		gen_active(e, done);
		dt_mov(e, R1, R7);
		dt_alu_imm(e, BPF_ADD, R1, DT_SPEC_COMMITTING - DT_SPEC_ACTIVE);
		gen_exchange(e, R1, won);
	}
	dt_jump(e, done);

	dt_label_here(e, won);
	dt_store(e, 8, FP, word, R7);
	dt_gen_alone(cg, later);
	gen_used(cg, word, buffer, copied);
	gen_copy(cg, buffer, copied);
	dt_label_here(e, copied);
	dt_load(e, 8, R7, FP, word);
	dt_mov(e, R2, R7);
	dt_alu_imm(e, BPF_RSH, R2, DT_SPEC_CPU_SHIFT);
	dt_alu_imm(e, BPF_AND, R2, DT_SPEC_MANY);
	dt_jump_imm(e, BPF_JEQ, R2, 0, release);
	dt_load(e, 4, R1, FP, DT_FRAME_CPU);
	dt_alu_imm(e, BPF_ADD, R1, 1);
	dt_jump_reg(e, BPF_JNE, R1, R2, later);
	dt_label_here(e, release);
	gen_inactive(e, R7);
	dt_store(e, 8, R9, 0, R7);
	dt_jump(e, done);

	dt_label_here(e, later);
	dt_gen_bell(cg);
	dt_label_here(e, done);
	cg->stack = mark;
}

void dt_gen_discard(dt_cg_t *cg, const dt_node_t *call)
{
	dt_emit_t *e = cg->e;
	int done = dt_label_new(e);

	gen_find(cg, call, done);
	for (int i = 0; i < EXCHANGE_TRIES; i++) {
		gen_active(e, done);
		dt_mov(e, R1, R7);
		gen_inactive(e, R1);
		gen_exchange(e, R1, done);
	}
	dt_label_here(e, done);
}
