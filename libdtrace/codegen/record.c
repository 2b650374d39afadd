/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - room for a clause's record in the CPU's active principal buffer.
 *
 * Bytes are claimed with one atomic addition to the buffer's length, so a program that
 * interrupts gets other bytes; what does not fit is given back. What happens then is a
 * matter of the option bufpolicy:
 *
 *	switch	the record is dropped, and counted
 *	fill	tracing ends: nothing but END fires any more, and END's room is kept free
 *	ring	the CPU's other buffer becomes the active one, and the older data there is
 *		forgotten. Only a program that interrupts no other may do that: a record
 *		that is not complete yet must not be overwritten.
 *
 * A buffer's first record rings the bell, for consumers that wait by dtrace_ctlfd(). So does
 * the first drop, of whatever kind, since the consumer has last looked for drops: there may
 * be no record at all. The bell cannot be rung where a drop is counted, with registers in
 * use, so that only leaves word, and the program's epilogue rings.
 */
#include "codegen/cg.h"

uint32_t dt_record_header(const dt_cgenv_t *env)
{
	return env->header.size;
}

uint32_t dt_record_total(const dt_cgenv_t *env, uint32_t size)
{
	return (dt_record_header(env) + size + 7) & ~7u;
}

void dt_gen_bell(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8);

	dt_store_imm(e, 8, FP, slot, 0);
	dt_map_fd(e, R1, DT_MAP_BELL);
	dt_frame_address(e, R2, slot);
	dt_alu_imm(e, BPF_MOV, R3, 8);
	dt_alu_imm(e, BPF_MOV, R4, BPF_RB_FORCE_WAKEUP);
	dt_call(e, BPF_FUNC_ringbuf_output);
	cg->stack = mark;
}

void dt_gen_drain(dt_cg_t *cg, int reason)
{
	dt_emit_t *e = cg->e;

	dt_map_value(e, R1, DT_MAP_STATE, 0);
	dt_alu_imm(e, BPF_MOV, R2, 1);
	dt_store(e, 4, R1, reason, R2);
	dt_alu_imm(e, BPF_MOV, R2, DT_ACTIVITY_DRAINING);
	dt_store(e, 4, R1, offsetof(dt_kstate_t, activity), R2);
	dt_gen_bell(cg);
}

void dt_gen_drop_bell(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int silent = dt_label_new(e);

	/* A function may drop, too. */
	if (!cg->may_drop && e->nfunctions == 0)
		return;
	dt_map_value(e, R1, DT_MAP_STATE, 0);
	dt_load(e, 4, R2, R1, offsetof(dt_kstate_t, dropped));
	dt_jump_imm(e, BPF_JNE, R2, DT_DROPPED_SILENT, silent);
	dt_load(e, 4, R2, R1, offsetof(dt_kstate_t, bell_wanted));
	dt_jump_imm(e, BPF_JEQ, R2, 0, silent);
	dt_store_imm(e, 4, R1, offsetof(dt_kstate_t, dropped), DT_DROPPED_TOLD);
	dt_gen_bell(cg);
	dt_label_here(e, silent);
}

void dt_gen_alone(dt_cg_t *cg, int other)
{
	dt_emit_t *e = cg->e;
	bool is_user = cg->program->attach->context == DT_CONTEXT_USER;

	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_load(e, 4, R2, R1, offsetof(dt_kcpu_t, depth));
	dt_jump_imm(e, BPF_JNE, R2, is_user ? 0 : 1, other);
	dt_load(e, 4, R1, R1, offsetof(dt_kcpu_t, user_slots));
	if (!is_user) {
		dt_jump_imm(e, BPF_JNE, R1, 0, other);
		return;
	}
	dt_load(e, 4, R3, FP, DT_FRAME_SLOT);
	dt_alu_imm(e, BPF_MOV, R2, 1);
	dt_alu_reg(e, BPF_LSH, R2, R3);
	dt_jump_reg(e, BPF_JNE, R1, R2, other);
}

void dt_gen_header(dt_cg_t *cg, uint32_t number)
{
	const dt_header_t *header = &cg->env->header;
	dt_emit_t *e = cg->e;

	dt_store(e, 8, FP, DT_FRAME_RECORD, R0);
	dt_store_imm(e, 4, R0, 0, (int32_t)number);
	if (dt_ecb_one_key(cg->ecb)) {
		dt_store_imm(e, 4, R0, 4, (int32_t)cg->ecb->keys[0].low);
	} else {
		dt_load(e, 8, R1, FP, DT_FRAME_KEY);
		dt_store(e, 4, R0, 4, R1);
	}
	if (header->time || header->who)
		dt_mov(e, R6, R0);
	if (header->time) {
		dt_call(e, BPF_FUNC_ktime_get_ns);
		dt_store(e, 8, R6, (int)header->time, R0);
	}
	if (header->who) {
		dt_gen_pid_tgid(cg);
		dt_store(e, 8, R6, (int)header->who, R0);
	}
}

/* R0 = the buffer's entry, R6 = dt_kcpu_t + 4 x R7, R7 = which buffer: 0 or 1. */
static void gen_buffer(dt_cg_t *cg, int null_label)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 4, R1, FP, DT_FRAME_CPU);
	if (cg->env->nbuffers == 2) {
		dt_alu_imm(e, BPF_LSH, R1, 1);
		dt_alu_reg(e, BPF_ADD, R1, R7);
	}
	dt_gen_array_lookup(cg, DT_MAP_PRINCIPAL, R1, null_label);
	dt_alu_imm(e, BPF_LSH, R7, 2);
	dt_alu_reg(e, BPF_ADD, R6, R7);
}

/* R1 = the claim's size, or its negative. */
static void gen_size(dt_cg_t *cg, const dt_claim_t *c, bool negative)
{
	if (c->total) {
		dt_const(cg->e, R1, negative ? (uint64_t)-(int64_t)c->total : c->total);
		return;
	}
	dt_mov(cg->e, R1, R8);
	if (negative)
		dt_alu_imm(cg->e, BPF_NEG, R1, 0);
}

/* Ring: makes the other buffer active, emptied but for the claim; R0 = it, R1 = 0. */
static void gen_wrap(dt_cg_t *cg, const dt_claim_t *c)
{
	dt_emit_t *e = cg->e;

	dt_gen_alone(cg, c->drop);
	dt_load(e, 8, R6, FP, DT_FRAME_CPUS);
	dt_load(e, 4, R7, R6, offsetof(dt_kcpu_t, principal_active));
	dt_alu_imm(e, BPF_XOR, R7, 1);
	dt_alu_imm(e, BPF_AND, R7, 1);
	gen_buffer(cg, c->drop);
	gen_size(cg, c, false);
	/* The length first: who interrupts in between finds a buffer that is in use. */
	dt_store(e, 4, R6, offsetof(dt_kcpu_t, principal_used), R1);
	dt_alu_imm(e, BPF_RSH, R7, 2);
	dt_load(e, 8, R6, FP, DT_FRAME_CPUS);
	dt_store(e, 4, R6, offsetof(dt_kcpu_t, principal_active), R7);
	dt_alu_imm(e, BPF_MOV, R1, 1);
	dt_atomic_add(e, 4, R6, offsetof(dt_kcpu_t, wraps), R1, false);
	dt_alu_imm(e, BPF_MOV, R1, 0);
	dt_jump(e, c->placed);
}

/* Fill: the end of tracing, unless it is END's record that has no room. */
static void gen_filled(dt_cg_t *cg, int full)
{
	dt_gen_drain(cg, offsetof(dt_kstate_t, filled));
	dt_jump(cg->e, full);
}

/* The buffer was empty: rings the bell if somebody listens. */
static void gen_first(dt_cg_t *cg, const dt_claim_t *c)
{
	dt_emit_t *e = cg->e;
	int unwanted = dt_label_new(e);

	dt_map_value(e, R2, DT_MAP_STATE, offsetof(dt_kstate_t, bell_wanted));
	dt_load(e, 4, R2, R2, 0);
	dt_jump_imm(e, BPF_JEQ, R2, 0, unwanted);
	dt_mov(e, R7, R0);
	dt_gen_bell(cg);
	dt_mov(e, R0, R7);
	dt_label_here(e, unwanted);
	dt_alu_imm(e, BPF_MOV, R1, 0);
	dt_jump(e, c->placed);
}

/* What may be written: END's room is its own where the buffer can fill. */
static uint32_t limit_of(const dt_cg_t *cg)
{
	return cg->program->is_end ? cg->env->bufsize : cg->env->bufsize - cg->env->end_size;
}

/* Goes to give_back if the claim at R1 ends beyond the limit. */
static void gen_limit(dt_cg_t *cg, const dt_claim_t *c)
{
	dt_emit_t *e = cg->e;

	if (c->total) {
		dt_jump_imm(e, BPF_JGT, R1, (int32_t)(limit_of(cg) - c->total), c->give_back);
		return;
	}
	if (cg->env->specsize > limit_of(cg))
		dt_jump_imm(e, BPF_JGT, R8, (int32_t)limit_of(cg), c->give_back);
	/* Verifiers before Linux 6.8 learn nothing from what R1 is compared with below. */
	dt_jump_imm(e, BPF_JGT, R1, (int32_t)limit_of(cg), c->give_back);
	dt_const(e, R2, limit_of(cg));
	dt_alu_reg(e, BPF_SUB, R2, R8);
	dt_jump_reg(e, BPF_JGT, R1, R2, c->give_back);
}

void dt_gen_claim(dt_cg_t *cg, dt_claim_t *c)
{
	dt_emit_t *e = cg->e;

	c->give_back = dt_label_new(e);
	c->placed = dt_label_new(e);
	c->first = dt_label_new(e);
	cg->needs_cpu = cg->env->needs_principal = true;
	dt_load(e, 8, R6, FP, DT_FRAME_CPUS);
	dt_load(e, 4, R7, R6, offsetof(dt_kcpu_t, principal_active));
	dt_alu_imm(e, BPF_AND, R7, 1);
	gen_buffer(cg, c->drop);
	/* Atomic: a program that interrupts here must not get the same bytes. */
	gen_size(cg, c, false);
	dt_atomic_add(e, 4, R6, offsetof(dt_kcpu_t, principal_used), R1, true);
	gen_limit(cg, c);
	if (cg->env->bufpolicy == DT_BUFPOLICY_SWITCH)
		dt_jump_imm(e, BPF_JEQ, R1, 0, c->first);
	dt_label_here(e, c->placed);
	dt_alu_reg(e, BPF_ADD, R0, R1);
}

void dt_gen_claim_cold(dt_cg_t *cg, const dt_claim_t *c)
{
	dt_emit_t *e = cg->e;

	if (cg->env->bufpolicy == DT_BUFPOLICY_SWITCH) {
		dt_label_here(e, c->first);
		gen_first(cg, c);
	}
	dt_label_here(e, c->give_back); /* so that a smaller record may still fit */
	gen_size(cg, c, true);
	dt_atomic_add(e, 4, R6, offsetof(dt_kcpu_t, principal_used), R1, false);
	if (cg->env->bufpolicy == DT_BUFPOLICY_FILL && !cg->program->is_end)
		gen_filled(cg, c->full);
	else if (cg->env->bufpolicy == DT_BUFPOLICY_RING)
		gen_wrap(cg, c);
	else
		dt_jump(e, c->drop);
}

void dt_gen_record(dt_cg_t *cg, uint32_t size, uint32_t number, int full)
{
	dt_emit_t *e = cg->e;
	dt_claim_t c = {.total = dt_record_total(cg->env, size), .drop = dt_label_new(e),
			.full = full};
	int done = dt_label_new(e);

	if (c.total > limit_of(cg)) {
		dt_cg_fail(cg, EDT_TOOLARGE, cg->ecb->clause->line,
			   "the clause records %u bytes, more than bufsize (%u)", c.total,
			   cg->env->bufsize);
		return;
	}
	dt_gen_claim(cg, &c);
	dt_gen_header(cg, number);
	dt_jump(e, done);
	dt_gen_claim_cold(cg, &c);
	dt_label_here(e, c.drop);
	dt_gen_drop(cg, DT_KDROP_PRINCIPAL);
	dt_jump(e, full);
	dt_label_here(e, done);
}
