/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clause.c - the clauses of a program: predicate, record, statements, and what happens when
 * one faults.
 *
 * A program whose code becomes too large is divided into functions, of which each does a
 * part of the clauses: jumps reach 32,767 instructions, and the verifier follows no more
 * than 8,192 branches of one function. The kernel checks each by itself and knows nothing
 * of what the others have found out, so every part finds this CPU's words and its scratch
 * area again, and a clause that goes on in another part leaves what it must know in scratch:
 *
 *	carry	u64	1: the clause has ended (predicate, fault, no room)
 *		u64	the address of its record
 */
#include <string.h>

#include "codegen/cg.h"

static bool clause_records(const dt_ecb_t *ecb)
{
	return ecb->plan->nfields || !ecb->clause->stmts || ecb->clause->speculates;
}

static void begin_clause(dt_cg_t *cg, dt_ecb_t *ecb)
{
	cg->ecb = ecb;
	cg->action = 0;
	cg->field = 0;
	cg->may_fault = false;
	cg->scratch = cg->scratch_keep = cg->scratch_base;
	cg->clause_start = cg->e->ninsns;
	cg->fault_label = dt_label_new(cg->e);
	cg->next_label = dt_label_new(cg->e);
}

/* ---- Parts ------------------------------------------------------------------------ */

/* A part is closed at the first statement or clause after so much code. */
#define PART_INSNS 4000
#define PART_JUMPS 1200
#define CARRY_SIZE 16

static bool is_part_full(const dt_cg_t *cg)
{
	/* ERROR's clauses stand inside the one that has faulted, which is not left for them. */
	return cg->is_divided && !cg->error_of && (cg->e->ninsns - cg->part_insns > PART_INSNS ||
				  cg->e->nfixups - cg->part_jumps > PART_JUMPS);
}

/* A function of this: context, key, CPU, scratch area, user slot. It returns 1 when no
 * clause is to run any more. */
static void begin_part(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int gone = dt_label_new(e), there = dt_label_new(e);

	cg->part_insns = e->ninsns;
	cg->part_jumps = e->nfixups;
	dt_function_new(e, DT_FUNCTION_PART, 0);
	dt_store(e, 8, FP, DT_FRAME_CTX, R1);
	dt_store(e, 8, FP, DT_FRAME_KEY, R2);
	dt_store(e, 4, FP, DT_FRAME_CPU, R3);
	dt_store(e, 4, FP, DT_FRAME_SLOT, R5);
	dt_mov(e, R6, R4);
	dt_gen_cpu_words(cg, R3, gone);
	dt_store(e, 8, FP, DT_FRAME_CPUS, R0);
	dt_gen_array_lookup(cg, DT_MAP_SCRATCH, R6, gone);
	dt_store(e, 8, FP, DT_FRAME_SCRATCH, R0);
	dt_store_imm(e, 8, FP, DT_FRAME_RECORD, 0);
	cg->uses_loans = cg->uses_refuge = true; /* they may be, by the end */
	dt_gen_initialize(cg);
	dt_jump(e, there);
	dt_label_here(e, gone);
	dt_alu_imm(e, BPF_MOV, R0, 1);
	dt_exit(e);
	dt_label_here(e, there);
}

static void end_part(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	dt_gen_later(cg);
}

/* The record that an earlier part of the clause began: in which buffer is its address? */
static void gen_resume_record(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	uint32_t total = dt_record_total(cg->env, cg->ecb->plan->kernel_size);
	int found = dt_label_new(e);

	for (uint32_t buffer = 0; buffer < cg->env->nbuffers; buffer++) {
		int other = dt_label_new(e);

		dt_load(e, 4, R1, FP, DT_FRAME_CPU);
		if (cg->env->nbuffers == 2) {
			dt_alu_imm(e, BPF_LSH, R1, 1);
			dt_alu_imm(e, BPF_ADD, R1, (int32_t)buffer);
		}
		dt_gen_array_lookup(cg, DT_MAP_PRINCIPAL, R1, cg->next_label);
		dt_mov(e, R1, R0);
		dt_gen_forget(cg, R1, R2);
		dt_load(e, 8, R2, FP, DT_FRAME_SCRATCH);
		dt_load(e, 8, R3, R2, (int)cg->carry + 8);
		dt_alu_reg(e, BPF_SUB, R3, R1);
		dt_jump_imm(e, BPF_JGT, R3, (int32_t)(cg->env->bufsize - total), other);
		dt_alu_reg(e, BPF_ADD, R0, R3);
		dt_store(e, 8, FP, DT_FRAME_RECORD, R0);
		dt_jump(e, found);
		dt_label_here(e, other);
	}
	dt_jump(e, cg->next_label);
	dt_label_here(e, found);
}

static void gen_faults(dt_cg_t *cg, int next);

/* Ends the part in the middle of a clause, which goes on in the next. */
static void divide_clause(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	dt_cg_t clause = *cg;
	int end = dt_label_new(e);

	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_store_imm(e, 8, R1, (int)cg->carry, 0);
	if (clause_records(cg->ecb)) {
		dt_load(e, 8, R2, FP, DT_FRAME_RECORD);
		dt_store(e, 8, R1, (int)cg->carry + 8, R2);
	}
	if (cg->cold || dt_label_is_used(e, clause.next_label)) {
		dt_jump(e, end);
		if (cg->cold)
			gen_faults(cg, clause.next_label);
		dt_label_here(e, clause.next_label);
		dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
		dt_store_imm(e, 8, R1, (int)cg->carry, 1);
		dt_label_here(e, end);
	}
	end_part(cg);

	begin_part(cg);
	cg->ecb = clause.ecb;
	cg->action = clause.action;
	cg->field = clause.field;
	cg->may_fault = false;
	cg->clause_start = clause.clause_start;
	cg->scratch = clause.scratch;
	cg->scratch_keep = clause.scratch_keep;
	cg->fault_label = dt_label_new(e);
	cg->next_label = dt_label_new(e);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_load(e, 8, R1, R1, (int)cg->carry);
	dt_jump_imm(e, BPF_JNE, R1, 0, cg->next_label);
	if (clause_records(cg->ecb))
		gen_resume_record(cg);
}

/* ---- Clauses ---------------------------------------------------------------------- */

static void gen_clause(dt_cg_t *cg, dt_ecb_t *ecb)
{
	const dt_clause_t *clause = ecb->clause;

	if (clause_records(ecb))
		dt_store_imm(cg->e, 8, FP, DT_FRAME_RECORD, 0);
	if (cg->heap)
		dt_gen_scratch_clear(cg, cg->heap, 8);
	if (clause->predicate) {
		dt_gen_branch(cg, clause->predicate, cg->next_label, false);
		dt_scratch_release(cg, cg->scratch_base);
	}
	if (clause_records(ecb) && !clause->speculates) /* speculate() claims its own */
		dt_gen_record(cg, ecb->plan->kernel_size, ecb->number, cg->next_label);
	for (const dt_stmt_t *s = clause->stmts; s && !cg->failed; s = s->next) {
		if (is_part_full(cg) && !clause->speculates)
			divide_clause(cg);
		cg->action++;
		if (s->kind == DT_S_AGG)
			dt_gen_agg(cg, s);
		else if (s->kind == DT_S_ACTION)
			dt_gen_action(cg, s);
		else
			dt_gen_effect(cg, s->expr);
		dt_scratch_release(cg, cg->scratch_base);
	}
}

/* ---- Faults ----------------------------------------------------------------------- */

/* The ways out of the clause's run-time checks: what, where and the value, then the
 * clause's fault exit. */
static void gen_cold(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	for (dt_cold_t *c = cg->cold; c; c = c->below) {
		dt_label_here(e, c->label);
		if (c->is_drop) {
			dt_gen_drop(cg, c->drop);
			dt_jump(e, c->next);
			continue;
		}
		if (c->value_slot)
			dt_load(e, 8, R1, FP, c->value_slot);
		else if (c->value_reg >= 0)
			dt_mov(e, R1, c->value_reg);
		else
			dt_alu_imm(e, BPF_MOV, R1, 0);
		dt_store(e, 8, FP, DT_FRAME_FAULTVALUE, R1);
		dt_store_imm(e, 4, FP, DT_FRAME_FAULT, c->fault);
		dt_store_imm(e, 4, FP, DT_FRAME_FAULT + 4, (int32_t)c->action);
		dt_store_imm(e, 4, FP, DT_FRAME_FAULTPC, (int32_t)(c->pc * 8));
		dt_jump(e, cg->fault_label);
	}
	cg->cold = NULL;
}

/* The fault's own record, by which the consumer reports it. */
static void gen_fault_record(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int full = dt_label_new(e);
	int at = (int)dt_record_header(cg->env);

	dt_gen_record(cg, sizeof(dt_faultrec_t), DT_RECORD_FAULT, full);
	dt_load(e, 8, R1, FP, DT_FRAME_RECORD);
	dt_store_imm(e, 4, R1, at + (int)offsetof(dt_faultrec_t, clause),
		     (int32_t)cg->ecb->number);
	dt_load(e, 4, R2, R1, 4);
	dt_store(e, 4, R1, at + (int)offsetof(dt_faultrec_t, key), R2);
	dt_load(e, 4, R2, FP, DT_FRAME_FAULT + 4);
	dt_store(e, 4, R1, at + (int)offsetof(dt_faultrec_t, action), R2);
	dt_load(e, 4, R2, FP, DT_FRAME_FAULTPC);
	dt_store(e, 4, R1, at + (int)offsetof(dt_faultrec_t, offset), R2);
	dt_load(e, 4, R2, FP, DT_FRAME_FAULT);
	dt_store(e, 8, R1, at + (int)offsetof(dt_faultrec_t, fault), R2);
	dt_load(e, 8, R2, FP, DT_FRAME_FAULTVALUE);
	dt_store(e, 8, R1, at + (int)offsetof(dt_faultrec_t, value), R2);
	dt_label_here(e, full);
}

/* Takes the clause's record back, if it was reserved by then: a fault in the predicate
 * comes before. */
static void gen_discard(dt_cg_t *cg, const dt_ecb_t *ecb)
{
	dt_emit_t *e = cg->e;
	int not_reserved = dt_label_new(e);

	if (!clause_records(ecb))
		return;
	dt_load(e, 8, R1, FP, DT_FRAME_RECORD);
	dt_jump_imm(e, BPF_JEQ, R1, 0, not_reserved);
	dt_store_imm(e, 4, R1, 0, (int32_t)(ecb->number | DT_RECORD_DISCARDED));
	dt_label_here(e, not_reserved);
}

/* ERROR's clauses, as part of the clause that faulted. A fault in one is only counted. */
static void gen_error_clauses(dt_cg_t *cg)
{
	for (uint32_t i = 0; i < cg->env->nerror_ecbs && !cg->failed; i++) {
		begin_clause(cg, cg->env->error_ecbs[i]);
		gen_clause(cg, cg->ecb);
		if (cg->cold) {
			dt_jump(cg->e, cg->next_label);
			gen_cold(cg);
		}
		if (cg->may_fault) {
			dt_label_here(cg->e, cg->fault_label);
			gen_discard(cg, cg->ecb);
			dt_gen_drop(cg, DT_KDROP_ERROR);
		}
		dt_label_here(cg->e, cg->next_label);
	}
}

/* Where the clause's faults go: its record is taken back, the fault is recorded, ERROR
 * fires; then on to next. */
static void gen_faults(dt_cg_t *cg, int next)
{
	dt_ecb_t *ecb = cg->ecb;

	gen_cold(cg);
	if (!cg->may_fault)
		return;
	dt_label_here(cg->e, cg->fault_label);
	gen_discard(cg, ecb);
	gen_fault_record(cg);
	cg->error_of = ecb;
	gen_error_clauses(cg);
	cg->error_of = NULL;
	dt_jump(cg->e, next);
}

static void end_clause(dt_cg_t *cg)
{
	dt_later_t *later;

	dt_label_here(cg->e, cg->next_label);
	if (!cg->cold)
		return;
	later = dt_arena_alloc(cg->env->arena, sizeof(*later));
	if (!later) {
		dt_cg_fail(cg, EDT_NOMEM, cg->ecb->clause->line, "out of memory");
		return;
	}
	*later = (dt_later_t){cg->later, cg->ecb, cg->cold, cg->fault_label, cg->next_label,
			      cg->may_fault};
	cg->later = later;
	cg->cold = NULL;
}

void dt_gen_later(dt_cg_t *cg)
{
	for (dt_later_t *l = cg->later; l && !cg->failed; l = l->previous) {
		cg->ecb = l->ecb;
		cg->cold = l->cold;
		cg->fault_label = l->fault_label;
		cg->may_fault = l->may_fault;
		gen_faults(cg, l->next_label);
	}
	cg->later = NULL;
}

/* ---- All of them ------------------------------------------------------------------ */

static bool clause_exits(const dt_clause_t *clause)
{
	for (const dt_stmt_t *s = clause->stmts; s; s = s->next)
		if (s->kind == DT_S_ACTION && s->expr->ident->id == DT_ACTION_EXIT)
			return true;
	return false;
}

static bool is_end(const dt_ecb_t *ecb)
{
	return ecb->probes[0]->attach->kind == DT_ATTACH_SELF && ecb->name &&
	       strcmp(ecb->name, "END") == 0;
}

/* Once a clause has called exit(), the clauses after it do not run: only END's do. */
static void gen_exited_check(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int go_on = dt_label_new(e);

	dt_map_value(e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, exited));
	dt_load(e, 4, R1, R1, 0);
	if (!cg->is_divided) {
		dt_jump_imm(e, BPF_JNE, R1, 0, cg->leave_label);
		return;
	}
	dt_jump_imm(e, BPF_JEQ, R1, 0, go_on);
	dt_alu_imm(e, BPF_MOV, R0, 1);
	dt_exit(e);
	dt_label_here(e, go_on);
}

static void gen_key_guard(dt_cg_t *cg)
{
	dt_load(cg->e, 8, R1, FP, DT_FRAME_KEY);
	dt_gen_key_guard(cg->e, R1, cg->ecb->keys, cg->ecb->nkeys, cg->next_label);
}

void dt_gen_clauses(dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys)
{
	const dt_program_t *p = cg->program;

	if (cg->is_divided) {
		cg->carry = dt_scratch_alloc(cg, CARRY_SIZE);
		cg->scratch_base = cg->scratch;
		begin_part(cg);
	}
	for (uint32_t i = 0; i < p->necbs && !cg->failed; i++) {
		dt_ecb_t *ecb = p->ecbs[i];

		if (is_part_full(cg)) {
			end_part(cg);
			begin_part(cg);
		}
		begin_clause(cg, ecb);
		if (i > 0 && clause_exits(p->ecbs[i - 1]->clause) && !is_end(ecb))
			gen_exited_check(cg);
		if (p->attach->nkeys && !dt_ecb_has_keys(ecb, keys, nkeys))
			gen_key_guard(cg);
		gen_clause(cg, ecb);
		end_clause(cg);
	}
	if (cg->is_divided)
		end_part(cg);
}
