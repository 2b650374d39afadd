/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clause.c - the clauses of a program: predicate, record, statements, and what happens when
 * one faults. A clause's run-time checks and drops leave by cold code, which is written
 * where it is in nobody's way: after all clauses (dt_gen_later). There its faults meet:
 *
 *	its record is taken back
 *	ERROR's clauses
 *	the fault is recorded
 *	on to the clause after the one that has faulted
 *
 * In a divided program (part.c) the last three are done by the main function.
 */
#include <string.h>

#include "codegen/cg.h"

bool dt_clause_records(const dt_ecb_t *ecb)
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

static void gen_clause(dt_cg_t *cg, dt_ecb_t *ecb)
{
	const dt_clause_t *clause = ecb->clause;

	if (dt_clause_records(ecb))
		dt_store_imm(cg->e, 8, FP, DT_FRAME_RECORD, 0);
	if (cg->heap)
		dt_gen_scratch_clear(cg, cg->heap, 8);
	if (clause->predicate) {
		dt_gen_branch(cg, clause->predicate, cg->next_label, false);
		dt_scratch_release(cg, cg->scratch_base);
	}
	if (dt_clause_records(ecb) && !clause->speculates) /* speculate() claims its own */
		dt_gen_record(cg, ecb->plan->kernel_size, ecb->number, cg->next_label);
	for (const dt_stmt_t *s = clause->stmts; s && !cg->failed; s = s->next) {
		if (dt_part_is_full(cg) && !clause->speculates)
			dt_part_divide(cg);
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

void dt_leave_for_later(dt_cg_t *cg)
{
	dt_later_t *later;

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

static void end_clause(dt_cg_t *cg)
{
	dt_label_here(cg->e, cg->next_label);
	dt_leave_for_later(cg);
}

/* ---- Faults ----------------------------------------------------------------------- */

/* What has happened, where, and the value that was to blame. */
static void gen_fault_words(dt_cg_t *cg, const dt_cold_t *c)
{
	dt_emit_t *e = cg->e;

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
}

/* The ways out of the clause's run-time checks: drops, and faults, which go to its fault exit. */
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
		if (!cg->in_error) /* whose arguments stay those of the fault it was fired for */
			gen_fault_words(cg, c);
		dt_jump(e, cg->fault_label);
	}
	cg->cold = NULL;
}

/* The fault's own record, by which the consumer reports it. */
static void gen_fault_record(dt_cg_t *cg)
{
	static const struct {
		int from, to;
	} words[] = {
	    {DT_FRAME_FAULTCLAUSE, offsetof(dt_faultrec_t, clause)},
	    {DT_FRAME_FAULT + 4, offsetof(dt_faultrec_t, action)},
	    {DT_FRAME_FAULTPC, offsetof(dt_faultrec_t, offset)},
	    {DT_FRAME_FAULT, offsetof(dt_faultrec_t, fault)},
	};
	dt_emit_t *e = cg->e;
	int full = dt_label_new(e);
	int at = (int)dt_record_header(cg->env);

	dt_gen_record(cg, sizeof(dt_faultrec_t), DT_RECORD_FAULT, full);
	dt_load(e, 8, R1, FP, DT_FRAME_RECORD);
	dt_load(e, 4, R2, R1, 4);
	dt_store(e, 4, R1, at + (int)offsetof(dt_faultrec_t, key), R2);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		dt_load(e, 4, R2, FP, words[i].from);
		dt_store(e, 4, R1, at + words[i].to, R2);
	}
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

	if (!dt_clause_records(ecb))
		return;
	dt_load(e, 8, R1, FP, DT_FRAME_RECORD);
	dt_jump_imm(e, BPF_JEQ, R1, 0, not_reserved);
	dt_store_imm(e, 4, R1, 0, (int32_t)(ecb->number | DT_RECORD_DISCARDED));
	dt_label_here(e, not_reserved);
}

/* Of a clause's fault what is its own: its record is taken back, and it says who it is. */
static void gen_clause_fault(dt_cg_t *cg, const dt_later_t *l, int faults)
{
	dt_emit_t *e = cg->e;

	dt_label_here(e, l->fault_label);
	gen_discard(cg, l->ecb);
	if (cg->in_error) { /* a fault in ERROR is only counted */
		dt_gen_drop(cg, DT_KDROP_ERROR);
		dt_jump(e, l->next_label);
		return;
	}
	dt_store_imm(e, 8, FP, DT_FRAME_RECORD, 0);
	if (cg->env->nerror_ecbs) {
		dt_gen_epid(cg, l->ecb, R6);
		dt_store(e, 4, FP, DT_FRAME_FAULTEPID, R6);
	}
	dt_alu_imm(e, BPF_MOV, R1, (int32_t)l->ecb->number);
	dt_store(e, 8, FP, DT_FRAME_FAULTCLAUSE, R1);
	dt_jump(e, faults);
}

/* The cold code of the clauses in the list; returns how many of them may fault. */
static uint32_t gen_cold_clauses(dt_cg_t *cg, const dt_later_t *later, int faults)
{
	uint32_t n = 0;

	for (const dt_later_t *l = later; l && !cg->failed; l = l->previous) {
		cg->ecb = l->ecb;
		cg->cold = l->cold;
		cg->fault_label = l->fault_label;
		gen_cold(cg);
		if (l->may_fault) {
			gen_clause_fault(cg, l, faults);
			n++;
		}
	}
	return n;
}

void dt_gen_error_clauses(dt_cg_t *cg)
{
	dt_ecb_t any_key = *cg->program->ecbs[0];

	if (cg->program->attach->nkeys)
		any_key.nkeys = 0; /* the header's is that in the frame */
	cg->in_error = true;
	if (cg->is_divided)
		dt_part_begin(cg);
	for (uint32_t i = 0; i < cg->env->nerror_ecbs && !cg->failed; i++) {
		if (dt_part_is_full(cg)) {
			dt_part_end(cg);
			dt_part_begin(cg);
		}
		begin_clause(cg, cg->env->error_ecbs[i]);
		gen_clause(cg, cg->ecb);
		end_clause(cg);
	}
	if (dt_part_is_full(cg)) {
		dt_part_end(cg);
		dt_part_begin(cg);
	}
	/* Last, as DTrace's own enabling of ERROR comes after those of programs. */
	cg->ecb = &any_key;
	gen_fault_record(cg);
	if (cg->is_divided)
		dt_part_end(cg);
	cg->in_error = false;
	cg->ecb = cg->program->ecbs[0];
}

/* On from the clause whose number is in the register, if it is one of these. */
static void gen_next_clause(dt_cg_t *cg, const dt_later_t *later, int reg)
{
	for (const dt_later_t *l = later; l; l = l->previous)
		if (l->may_fault)
			dt_jump_imm(cg->e, BPF_JEQ, reg, (int32_t)l->ecb->number,
				    l->next_label);
}

/*
 * Where all faults meet. The verifier knows which clause each comes from: otherwise it would
 * see endless loops here.
 */
static void gen_faults(dt_cg_t *cg, const dt_later_t *later, int faults, uint32_t n)
{
	dt_emit_t *e = cg->e;
	uint32_t from = e->ninsns;

	dt_label_here(e, faults);
	dt_gen_error_clauses(cg);
	dt_load(e, 8, R1, FP, DT_FRAME_FAULTCLAUSE);
	gen_next_clause(cg, later, R1);
	dt_jump(e, cg->leave_label);
	cg->fault_cost = n * (e->ninsns - from);
	later = cg->later;
	cg->later = NULL;
	cg->in_error = true;
	gen_cold_clauses(cg, later, 0);
	cg->in_error = false;
}

uint32_t dt_gen_later(dt_cg_t *cg)
{
	const dt_later_t *later = cg->later;
	int faults = dt_label_new(cg->e);
	uint32_t n;

	cg->later = NULL;
	n = gen_cold_clauses(cg, later, faults);
	if (cg->is_divided && !cg->in_error) {
		if (n)
			dt_part_fault(cg, faults);
		dt_label_here(cg->e, cg->resume_label);
		gen_next_clause(cg, later, R0);
		dt_alu_imm(cg->e, BPF_MOV, R0, 0);
		dt_exit(cg->e);
	} else if (n && !cg->in_error) {
		gen_faults(cg, later, faults, n);
	}
	return n;
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

void dt_gen_clauses(dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys)
{
	const dt_program_t *p = cg->program;

	for (uint32_t i = 0; i < p->necbs && !cg->failed; i++) {
		dt_ecb_t *ecb = p->ecbs[i];

		if (dt_part_is_full(cg)) {
			dt_part_end(cg);
			dt_part_begin(cg);
		}
		begin_clause(cg, ecb);
		if (i > 0 && clause_exits(p->ecbs[i - 1]->clause) && !is_end(ecb))
			gen_exited_check(cg);
		if (p->attach->nkeys && !dt_ecb_has_keys(ecb, keys, nkeys)) {
			dt_load(cg->e, 8, R1, FP, DT_FRAME_KEY);
			dt_gen_key_guard(cg->e, R1, ecb->keys, ecb->nkeys, cg->next_label);
		}
		gen_clause(cg, ecb);
		end_clause(cg);
	}
}
