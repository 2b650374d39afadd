/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - one eBPF program from the clauses of one attach point.
 *
 *		ja enter
 *	start:	activity? which probe? any clause's?	 (cheap, before anything else)
 *		find this CPU's words, take a level	 (when some clause needs them)
 *	clause:	is the probe one of this clause's?
 *		predicate
 *		reserve the record; actions
 *		...
 *	leave:	give the level back
 *	out:	return 0
 *	faults:	for each clause: discard the record, record the fault, ERROR's clauses
 *
 * What the entry must set up is known only when the clauses are generated, so it is
 * generated last and the program begins with a jump to it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/cg.h"
#include "codegen/support.h"
#include "lang/source.h"

void dt_cg_fail(dt_cg_t *cg, int error, int line, const char *format, ...)
{
	char words[512], place[300];
	va_list ap;

	if (cg->failed)
		return;
	cg->failed = true;
	va_start(ap, format);
	vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	dt_source_place(cg->env->hdl, line, place, sizeof(place));
	dt_set_error(cg->env->hdl, error, "%s%s", place, words);
}

void dt_cg_unsupported(dt_cg_t *cg, const dt_node_t *n, const char *what)
{
	dt_cg_fail(cg, EDT_NOTHERE, n->line, "%s is not supported", what);
}

int dt_reg_alloc(dt_cg_t *cg)
{
	for (int reg = R6; reg <= R9; reg++) {
		if (cg->regs_used & 1 << (reg - R6))
			continue;
		cg->regs_used |= 1 << (reg - R6);
		return reg;
	}
	return -1;
}

void dt_reg_free(dt_cg_t *cg, int reg)
{
	cg->regs_used &= ~(1 << (reg - R6));
}

int dt_stack_alloc(dt_cg_t *cg, uint32_t size)
{
	int offset = cg->stack - (int)((size + 7) & ~7u);

	if (offset < DT_FRAME_END) {
		dt_cg_fail(cg, EDT_TOOLARGE, cg->ecb->clause->line,
			   "expression is too complex: it needs more than 512 bytes of stack");
		return cg->stack;
	}
	cg->stack = offset;
	if (offset < cg->stack_low)
		cg->stack_low = offset;
	return offset;
}

/* The kernel may limit a map's value to what kmalloc() gives (KMALLOC_MAX_SIZE). */
#define DT_SCRATCH_MAX (4u << 20)

uint32_t dt_scratch_alloc(dt_cg_t *cg, uint32_t size)
{
	uint32_t offset = cg->scratch;

	if (size > DT_SCRATCH_MAX - dt_scratch_pad(cg->env) ||
	    offset > DT_SCRATCH_MAX - dt_scratch_pad(cg->env) - size) {
		dt_cg_fail(cg, EDT_TOOLARGE, cg->ecb->clause->line,
			   "the clause needs more than %u bytes of scratch space: make its "
			   "expressions simpler, or strsize (%u) smaller",
			   DT_SCRATCH_MAX, cg->env->strsize);
		return offset;
	}
	cg->scratch += (size + 7) & ~7u;
	if (cg->scratch > cg->scratch_max)
		cg->scratch_max = cg->scratch;
	cg->needs_cpu = true;
	return offset;
}

void dt_scratch_release(dt_cg_t *cg, uint32_t mark)
{
	cg->scratch = mark > cg->scratch_keep ? mark : cg->scratch_keep;
}

void dt_scratch_keep(dt_cg_t *cg)
{
	cg->scratch_keep = cg->scratch;
}

int dt_fault_label(dt_cg_t *cg, int fault, int value_reg, int value_slot)
{
	dt_cold_t *cold = dt_arena_alloc(cg->env->arena, sizeof(*cold));

	if (!cold) {
		dt_cg_fail(cg, EDT_NOMEM, cg->ecb->clause->line, "out of memory");
		return 0;
	}
	cold->label = dt_label_new(cg->e);
	cold->fault = fault;
	cold->value_reg = value_reg;
	cold->value_slot = value_slot;
	cold->action = cg->action;
	cold->pc = cg->e->ninsns - cg->clause_start;
	cold->next = cg->cold;
	cg->cold = cold;
	cg->needs_cpu = true;
	return cold->label;
}

void dt_fault_if_negative(dt_cg_t *cg, int fault, int value_reg, int value_slot)
{
	dt_jump_imm(cg->e, BPF_JSLT, R0, 0, dt_fault_label(cg, fault, value_reg, value_slot));
}

void dt_gen_drop(dt_cg_t *cg, dt_kdrop_t kind)
{
	dt_emit_t *e = cg->e;

	cg->needs_cpu = true;
	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_alu_imm(e, BPF_MOV, R2, 1);
	dt_atomic_add(e, 8, R1, (int)(offsetof(dt_kcpu_t, drops) + kind * 8), R2, false);
}

void dt_gen_array_lookup(dt_cg_t *cg, uint32_t map, int index_reg, int null_label)
{
	dt_emit_t *e = cg->e;

	dt_store(e, 4, FP, DT_FRAME_INDEX, index_reg);
	dt_map_fd(e, R1, map);
	dt_mov(e, R2, FP);
	dt_alu_imm(e, BPF_ADD, R2, DT_FRAME_INDEX);
	dt_call(e, BPF_FUNC_map_lookup_elem);
	dt_jump_imm(e, BPF_JEQ, R0, 0, null_label);
}

/* ---- Which probe fired --------------------------------------------------- */

/* Goes to miss unless the key in reg is in the ranges [from, to). */
static void gen_key_test(dt_emit_t *e, int reg, const dt_range_t *ranges, uint32_t from,
			 uint32_t to, int hit, int miss)
{
	const dt_range_t *r = &ranges[from];
	uint32_t middle = (from + to) / 2;
	int upper;

	if (to - from > 1) {
		upper = dt_label_new(e);
		dt_jump_imm(e, BPF_JGE, reg, (int32_t)ranges[middle].low, upper);
		gen_key_test(e, reg, ranges, from, middle, hit, miss);
		dt_label_here(e, upper);
		gen_key_test(e, reg, ranges, middle, to, hit, miss);
		return;
	}
	if (r->low == r->high) {
		dt_jump_imm(e, BPF_JNE, reg, (int32_t)r->low, miss);
	} else {
		if (r->low > 0)
			dt_jump_imm(e, BPF_JLT, reg, (int32_t)r->low, miss);
		dt_jump_imm(e, BPF_JGT, reg, (int32_t)r->high, miss);
	}
	dt_jump(e, hit);
}

static void gen_key_guard(dt_emit_t *e, const dt_range_t *ranges, uint32_t n, int miss)
{
	int hit = dt_label_new(e);

	dt_load(e, 8, R1, FP, DT_FRAME_KEY);
	gen_key_test(e, R1, ranges, 0, n, hit, miss);
	dt_label_here(e, hit);
}

static int compare_ranges(const void *a, const void *b)
{
	const dt_range_t *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

/* All keys that any clause wants. NULL: out of memory. */
static dt_range_t *union_of_keys(const dt_cg_t *cg, uint32_t *n)
{
	const dt_program_t *p = cg->program;
	uint32_t total = 0, out = 0;
	dt_range_t *all;

	for (uint32_t i = 0; i < p->necbs; i++)
		total += p->ecbs[i]->nkeys;
	all = dt_arena_alloc(cg->env->arena, (total + 1) * sizeof(*all));
	if (!all)
		return NULL;
	total = 0;
	for (uint32_t i = 0; i < p->necbs; i++) {
		memcpy(all + total, p->ecbs[i]->keys, p->ecbs[i]->nkeys * sizeof(*all));
		total += p->ecbs[i]->nkeys;
	}
	qsort(all, total, sizeof(*all), compare_ranges);
	for (uint32_t i = 0; i < total; i++) {
		if (out && all[i].low <= all[out - 1].high + 1) {
			if (all[i].high > all[out - 1].high)
				all[out - 1].high = all[i].high;
		} else {
			all[out++] = all[i];
		}
	}
	*n = out;
	return all;
}

static bool same_keys(const dt_ecb_t *ecb, const dt_range_t *keys, uint32_t n)
{
	return ecb->nkeys == n && memcmp(ecb->keys, keys, n * sizeof(*keys)) == 0;
}

/* ---- Clauses ------------------------------------------------------------- */

static bool clause_records(const dt_ecb_t *ecb)
{
	return ecb->plan->nfields || !ecb->clause->stmts || ecb->clause->speculates;
}

static void begin_clause(dt_cg_t *cg, dt_ecb_t *ecb)
{
	cg->ecb = ecb;
	cg->action = 0;
	cg->field = 0;
	cg->scratch = cg->scratch_keep = cg->scratch_base;
	cg->clause_start = cg->e->ninsns;
	cg->fault_label = dt_label_new(cg->e);
	cg->next_label = dt_label_new(cg->e);
}

/* Clears a word of scratch. */
static void gen_clear_word(dt_cg_t *cg, uint32_t offset)
{
	dt_load(cg->e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(cg->e, BPF_ADD, R1, (int32_t)offset);
	dt_store_imm(cg->e, 8, R1, 0, 0);
}

static void gen_clause(dt_cg_t *cg, dt_ecb_t *ecb)
{
	const dt_clause_t *clause = ecb->clause;

	if (clause_records(ecb))
		dt_store_imm(cg->e, 8, FP, DT_FRAME_RECORD, 0);
	if (cg->heap)
		gen_clear_word(cg, cg->heap);
	if (clause->predicate) {
		dt_gen_branch(cg, clause->predicate, cg->next_label, false);
		dt_scratch_release(cg, cg->scratch_base);
	}
	if (clause_records(ecb) && !clause->speculates) /* speculate() claims its own */
		dt_gen_record(cg, ecb->plan->kernel_size, ecb->number, cg->next_label);
	for (const dt_stmt_t *s = clause->stmts; s && !cg->failed; s = s->next) {
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

/* The ways out of the clause's run-time checks: what, where and the value, then the
 * clause's fault exit. */
static void gen_cold(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	for (dt_cold_t *c = cg->cold; c; c = c->next) {
		dt_label_here(e, c->label);
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
		int may_fault;

		begin_clause(cg, cg->env->error_ecbs[i]);
		gen_clause(cg, cg->ecb);
		may_fault = cg->cold != NULL;
		if (may_fault) {
			dt_jump(cg->e, cg->next_label);
			gen_cold(cg);
			dt_label_here(cg->e, cg->fault_label);
			gen_discard(cg, cg->ecb);
			dt_gen_drop(cg, DT_KDROP_ERROR);
		}
		dt_label_here(cg->e, cg->next_label);
	}
}

/* Where the clause's faults go: its record is taken back, the fault is recorded, ERROR
 * fires; then the next clause. */
static void gen_fault_exit(dt_cg_t *cg, int next)
{
	dt_ecb_t *ecb = cg->ecb;

	dt_jump(cg->e, next);
	gen_cold(cg);
	dt_label_here(cg->e, cg->fault_label);
	gen_discard(cg, ecb);
	gen_fault_record(cg);
	cg->error_of = ecb;
	gen_error_clauses(cg);
	cg->error_of = NULL;
}

/* ---- The program --------------------------------------------------------- */

/* Takes a free one of the CPU's user slots; R1 = the scratch area that goes with it. */
static void gen_take_slot(dt_cg_t *cg, int out)
{
	dt_emit_t *e = cg->e;
	int taken = dt_label_new(e);

	for (int slot = 0; slot < DT_NUSERSLOTS; slot++) {
		int next = dt_label_new(e);

		dt_alu_imm(e, BPF_MOV, R1, 1 << slot);
		dt_emit_insn(e, BPF_STX | BPF_ATOMIC | BPF_W, R0, R1,
			     offsetof(dt_kcpu_t, user_slots), BPF_OR | BPF_FETCH);
		dt_alu_imm(e, BPF_AND, R1, 1 << slot);
		dt_jump_imm(e, BPF_JNE, R1, 0, next);
		dt_store_imm(e, 4, FP, DT_FRAME_SLOT, slot);
		dt_alu_imm(e, BPF_MOV, R1, DT_NLEVELS + slot);
		dt_jump(e, taken);
		dt_label_here(e, next);
	}
	dt_gen_drop(cg, DT_KDROP_NESTED);
	dt_jump(e, out);
	dt_label_here(e, taken);
}

static void gen_give_slot(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_load(e, 4, R2, FP, DT_FRAME_SLOT);
	dt_alu_imm(e, BPF_MOV, R3, 1);
	dt_alu_reg(e, BPF_LSH, R3, R2);
	dt_alu_imm(e, BPF_XOR, R3, -1);
	dt_emit_insn(e, BPF_STX | BPF_ATOMIC | BPF_W, R1, R3, offsetof(dt_kcpu_t, user_slots),
		     BPF_AND);
}

/* Finds this CPU's words and takes a level; R1 = the scratch area that goes with it. */
static void gen_enter_cpu(dt_cg_t *cg, int out)
{
	dt_emit_t *e = cg->e;
	int go_on = dt_label_new(e);

	dt_call(e, BPF_FUNC_get_smp_processor_id);
	if (cg->env->only_cpu >= 0 && cg->program->attach->kind != DT_ATTACH_SELF)
		dt_jump_imm(e, BPF_JNE, R0, cg->env->only_cpu, out);
	dt_store(e, 4, FP, DT_FRAME_CPU, R0);
	dt_gen_array_lookup(cg, DT_MAP_CPUS, R0, out);
	dt_store(e, 8, FP, DT_FRAME_CPUS, R0);
	if (cg->program->attach->context == DT_CONTEXT_USER) {
		gen_take_slot(cg, out);
		return;
	}
	dt_load(e, 4, R1, R0, offsetof(dt_kcpu_t, depth));
	dt_jump_imm(e, BPF_JLT, R1, DT_NLEVELS, go_on);
	dt_gen_drop(cg, DT_KDROP_NESTED);
	dt_jump(e, out);
	dt_label_here(e, go_on);
	dt_mov(e, R2, R1);
	dt_alu_imm(e, BPF_ADD, R2, 1);
	dt_store(e, 4, R0, offsetof(dt_kcpu_t, depth), R2);
}

static void gen_leave_cpu(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	if (cg->program->attach->context == DT_CONTEXT_USER) {
		gen_give_slot(cg);
		return;
	}
	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_load(e, 4, R2, R1, offsetof(dt_kcpu_t, depth));
	dt_alu_imm(e, BPF_SUB, R2, 1);
	dt_store(e, 4, R1, offsetof(dt_kcpu_t, depth), R2);
}

/* this-> variables hold nothing (0, "") until the firing assigns them; nor is there a
 * string for strtok() to go on with. */
static void gen_clear_locals(dt_cg_t *cg)
{
	for (uint32_t i = 0; i < cg->env->hdl->nidents; i++) {
		if (cg->this_slots[i])
			dt_store_imm(cg->e, 8, FP, cg->this_slots[i], 0);
		else if (cg->this_scratch[i])
			gen_clear_word(cg, cg->this_scratch[i] - 1);
	}
	if (cg->strtok) {
		gen_clear_word(cg, cg->strtok);
		gen_clear_word(cg, cg->strtok + 8);
	}
}

/* Leaves unless the place is one that the program's probes are meant by. */
static void gen_conditions(dt_cg_t *cg, const dt_attachpoint_t *attach, int out)
{
	dt_emit_t *e = cg->e;

	for (const dt_condition_t *c = attach->conditions; c; c = c->next) {
		int holds = dt_label_new(e);

		dt_gen_argument(cg, &c->left, R6);
		for (uint32_t i = 0; i < c->nvalues; i++)
			dt_jump_imm(e, c->op, R6, c->values[i], holds);
		if (c->nvalues == 0) {
			dt_gen_argument(cg, &c->right, R7);
			dt_jump_reg(e, c->op, R6, R7, holds);
		}
		dt_jump(e, out);
		dt_label_here(e, holds);
	}
}

static void gen_activity_check(dt_cg_t *cg, int inactive)
{
	dt_emit_t *e = cg->e;

	if (cg->program->attach->kind == DT_ATTACH_SELF)
		return;
	dt_map_value(e, R2, DT_MAP_STATE, offsetof(dt_kstate_t, activity));
	dt_load(e, 4, R2, R2, 0);
	dt_jump_imm(e, BPF_JNE, R2, DT_ACTIVITY_ACTIVE, inactive);
}

/* What must be set up before the clauses, now that their needs are known. */
static void gen_entry(dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys, int start,
		      int leave, int out)
{
	dt_emit_t *e = cg->e;
	const dt_attachpoint_t *attach = cg->program->attach;

	dt_store(e, 8, FP, DT_FRAME_CTX, R1);
	if (!cg->needs_cpu)
		gen_activity_check(cg, out);
	gen_conditions(cg, attach, out);
	if (attach->nkeys) {
		dt_gen_argument(cg, &attach->key, R6);
		dt_store(e, 8, FP, DT_FRAME_KEY, R6);
		gen_key_guard(e, keys, nkeys, out);
	}
	if (cg->needs_cpu) {
		/* Whoever finds that no program is at work on this CPU may rely on it that
		 * none goes on under an activity of before: see dtrace_stop(). */
		gen_enter_cpu(cg, out);
		gen_activity_check(cg, leave);
	}
	if (cg->scratch_max) { /* R1 is the area */
		dt_load(e, 4, R2, FP, DT_FRAME_CPU);
		dt_alu_imm(e, BPF_MUL, R2, DT_NAREAS);
		dt_alu_reg(e, BPF_ADD, R1, R2);
		dt_gen_array_lookup(cg, DT_MAP_SCRATCH, R1, leave);
		dt_store(e, 8, FP, DT_FRAME_SCRATCH, R0);
	}
	gen_clear_locals(cg);
	dt_jump(e, start);
}

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
static void gen_exited_check(dt_cg_t *cg, int leave)
{
	dt_map_value(cg->e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, exited));
	dt_load(cg->e, 4, R1, R1, 0);
	dt_jump_imm(cg->e, BPF_JNE, R1, 0, leave);
}

static void gen_program(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	dt_program_t *p = cg->program;
	int enter = dt_label_new(e), start = dt_label_new(e), leave = dt_label_new(e),
	    out = dt_label_new(e);
	uint32_t nkeys = 0;
	dt_range_t *keys = union_of_keys(cg, &nkeys);

	if (!keys) {
		dt_cg_fail(cg, EDT_NOMEM, 0, "out of memory");
		return;
	}
	dt_jump(e, enter);
	dt_label_here(e, start);
	for (uint32_t i = 0; i < p->necbs && !cg->failed; i++) {
		int next;

		begin_clause(cg, p->ecbs[i]);
		next = cg->next_label;
		if (i > 0 && clause_exits(p->ecbs[i - 1]->clause) && !is_end(p->ecbs[i]))
			gen_exited_check(cg, leave);
		if (p->attach->nkeys && !same_keys(cg->ecb, keys, nkeys))
			gen_key_guard(e, cg->ecb->keys, cg->ecb->nkeys, next);
		gen_clause(cg, cg->ecb);
		if (cg->cold)
			gen_fault_exit(cg, next);
		dt_label_here(e, next);
	}
	dt_label_here(e, leave);
	if (cg->needs_cpu)
		gen_leave_cpu(cg);
	dt_label_here(e, out);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	dt_label_here(e, enter);
	gen_entry(cg, keys, nkeys, start, leave, out);
}

/* Places for what subroutines keep from call to call. */
static void place_of_call(dt_cg_t *cg, const dt_node_t *call)
{
	if (call->ident->kind != DT_I_SUBR)
		return;
	if (call->ident->id == DT_SUBR_STRTOK && !cg->strtok)
		cg->strtok = dt_scratch_alloc(cg, cg->env->strsize + 8);
	if (dt_subr_takes_heap(call) && !cg->heap)
		cg->heap = dt_scratch_alloc(cg, dt_heap_size(cg->env) + 8);
}

/* Places for the this-> variables that the program's clauses use. */
static void place_local(dt_node_t *n, void *arg)
{
	dt_cg_t *cg = arg;
	dt_ident_t *ident = n->ident;

	if (n->kind == DT_N_CALL)
		place_of_call(cg, n);
	if (n->kind != DT_N_VAR || ident->kind != DT_I_VAR || ident->scope != DT_SCOPE_THIS)
		return;
	if (cg->this_slots[ident->order] || cg->this_scratch[ident->order])
		return;
	if (dt_is_string(n))
		cg->this_scratch[ident->order] = dt_scratch_alloc(cg, cg->env->strsize) + 1;
	else
		cg->this_slots[ident->order] = dt_stack_alloc(cg, 8);
}

/* What is known only at the end; nothing that is accepted here may fail to load. */
static void check_limits(dt_cg_t *cg)
{
	int line = cg->program->ecbs[0]->clause->line;

	if (dt_scratch_bytes(cg->env) > DT_SCRATCH_MAX)
		dt_cg_fail(cg, EDT_TOOLARGE, line,
			   "the clauses need more than %u bytes of scratch space: make their "
			   "expressions simpler, or strsize (%u) smaller",
			   DT_SCRATCH_MAX, cg->env->strsize);
	if (cg->e->ncalls && cg->stack_low < DT_FRAME_END + DT_SUPPORT_STACK)
		dt_cg_fail(cg, EDT_TOOLARGE, line,
			   "expression is too complex: it needs more than %d bytes of stack",
			   -DT_FRAME_END - DT_SUPPORT_STACK);
}

int dt_codegen_program(dt_cgenv_t *env, dt_program_t *program)
{
	dt_cg_t cg = {.env = env, .program = program, .e = &program->code,
		      .stack = DT_FRAME_VARS, .scratch = DT_SCRATCH_WORK,
		      .needs_cpu = env->only_cpu >= 0};
	size_t n = env->hdl->nidents + 1;

	dt_emit_free(&program->code);
	cg.this_slots = dt_arena_alloc(env->arena, n * sizeof(*cg.this_slots));
	cg.this_scratch = dt_arena_alloc(env->arena, n * sizeof(*cg.this_scratch));
	if (!cg.this_slots || !cg.this_scratch)
		return dt_set_errno(env->hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < program->necbs; i++) {
		cg.ecb = program->ecbs[i];
		dt_clause_walk(cg.ecb->clause, place_local, &cg);
	}
	for (uint32_t i = 0; i < env->nerror_ecbs; i++) {
		cg.ecb = env->error_ecbs[i];
		dt_clause_walk(cg.ecb->clause, place_local, &cg);
	}
	cg.scratch_base = cg.scratch;
	gen_program(&cg);
	if (cg.scratch_max > env->scratch_size)
		env->scratch_size = cg.scratch_max;
	check_limits(&cg);
	if (cg.failed)
		return -1;
	if (dt_emit_finish(&program->code))
		return 0;
	if (program->code.too_large)
		return dt_set_error(env->hdl, EDT_TOOLARGE,
				    "line %d: the clauses of one probe are too large together",
				    DT_LINE_NUMBER(program->ecbs[0]->clause->line));
	return dt_set_errno(env->hdl, EDT_NOMEM);
}

/* ---- Programs of our own ------------------------------------------------- */

/*
 * Run on a CPU by the consumer: makes the other buffer active and returns 0, or returns 1
 * when a program is at work there. The context's first word says which: 0 the principal
 * buffer, 1 the aggregation buffer, 2 neither.
 */
int dt_codegen_switch(dt_cgenv_t *env, dt_emit_t *e)
{
	int busy = dt_label_new(e), second = dt_label_new(e), done = dt_label_new(e);
	dt_cg_t cg = {.env = env, .e = e};

	dt_mov(e, R6, R1);
	dt_call(e, BPF_FUNC_get_smp_processor_id);
	dt_gen_array_lookup(&cg, DT_MAP_CPUS, R0, busy);
	dt_load(e, 4, R1, R0, offsetof(dt_kcpu_t, depth));
	dt_jump_imm(e, BPF_JNE, R1, 0, busy);
	dt_load(e, 4, R1, R0, offsetof(dt_kcpu_t, user_slots));
	dt_jump_imm(e, BPF_JNE, R1, 0, busy);
	dt_load(e, 8, R2, R6, 0);
	dt_jump_imm(e, BPF_JGT, R2, 1, done);
	dt_jump_imm(e, BPF_JEQ, R2, 1, second);
	dt_load(e, 4, R1, R0, offsetof(dt_kcpu_t, principal_active));
	dt_alu_imm(e, BPF_XOR, R1, 1);
	dt_store(e, 4, R0, offsetof(dt_kcpu_t, principal_active), R1);
	dt_jump(e, done);
	dt_label_here(e, second);
	dt_load(e, 4, R1, R0, offsetof(dt_kcpu_t, aggregation_active));
	dt_alu_imm(e, BPF_XOR, R1, 1);
	dt_store(e, 4, R0, offsetof(dt_kcpu_t, aggregation_active), R1);
	dt_label_here(e, done);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	dt_label_here(e, busy);
	dt_alu_imm(e, BPF_MOV, R0, 1);
	dt_exit(e);
	return dt_emit_finish(e) ? 0 : dt_set_errno(env->hdl, EDT_NOMEM);
}
