/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c - what all of code generation hands out: registers, words of the frame, bytes of
 * scratch; and the ways out of a run-time check.
 *
 * The frame is small: the kernel gives 512 bytes to a whole chain of calls. Expressions are
 * as deep as their author likes. So where one nears the end of the frame, what is in it is
 * put into scratch, and fetched when the value is there (dt_frame_put_away): the refuge.
 */
#include <stdarg.h>
#include <stdio.h>

#include "codegen/cg.h"
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

/* ---- Registers ------------------------------------------------------------------ */

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

dt_loan_t dt_reg_borrow(dt_cg_t *cg)
{
	dt_loan_t loan = {dt_reg_alloc(cg), 0};

	if (loan.reg < 0) {
		/* All are taken, but not all need have been written: see uses_loans. */
		cg->uses_loans = true;
		loan.reg = R9;
		loan.saved = dt_stack_alloc(cg, 8);
		dt_store(cg->e, 8, FP, loan.saved, R9);
	}
	return loan;
}

void dt_reg_return(dt_cg_t *cg, const dt_loan_t *loan)
{
	if (loan->saved)
		dt_load(cg->e, 8, loan->reg, FP, loan->saved);
	else
		dt_reg_free(cg, loan->reg);
}

/* ---- Scratch -------------------------------------------------------------------- */

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

void dt_gen_scratch_clear(dt_cg_t *cg, uint32_t offset, uint32_t size)
{
	dt_load(cg->e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(cg->e, BPF_ADD, R1, (int32_t)offset);
	dt_gen_zero(cg, size);
}

void dt_scratch_need(dt_cg_t *cg, uint32_t size)
{
	cg->needs_cpu = true;
	if (cg->scratch_max < DT_SCRATCH_WORK + size)
		cg->scratch_max = DT_SCRATCH_WORK + size;
}

void dt_scratch_limit(dt_cg_t *cg, uint32_t insn, uint32_t size)
{
	dt_limit_t *limit = dt_arena_alloc(cg->env->arena, sizeof(*limit));

	if (!limit) {
		dt_cg_fail(cg, EDT_NOMEM, cg->ecb->clause->line, "out of memory");
		return;
	}
	*limit = (dt_limit_t){cg->limits, insn, size};
	cg->limits = limit;
}

/* ---- The frame ------------------------------------------------------------------ */

/* The most that is taken between two chances to put away: a key, and words around it. */
#define OPERAND_ROOM 96

/* Whether the frame has room for so many bytes, and for an operand after them. */
static bool has_room(const dt_cg_t *cg, uint32_t size)
{
	return cg->stack - (int)size - OPERAND_ROOM >= cg->frame_end;
}

int dt_stack_alloc(dt_cg_t *cg, uint32_t size)
{
	int offset = cg->stack - (int)((size + 7) & ~7u);

	if (offset < cg->frame_end) {
		dt_cg_fail(cg, EDT_TOOLARGE, cg->ecb->clause->line,
			   "expression is too complex for the kernel's %d bytes of stack",
			   -DT_FRAME_END);
		return cg->stack;
	}
	cg->stack = offset;
	return offset;
}

dt_str_t dt_key_alloc(dt_cg_t *cg, uint32_t size, uint32_t frame_max)
{
	if (size <= frame_max && has_room(cg, size))
		return (dt_str_t){DT_STR_FRAME, dt_stack_alloc(cg, size), size};
	return (dt_str_t){DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, size), size};
}

/* Moves the frame's bytes [from, to) to scratch or back, by R0 and R1. */
static void move_words(dt_cg_t *cg, int from, int to, uint32_t scratch, bool away)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)scratch);
	for (int at = from; at < to; at += 8) {
		if (away) {
			dt_load(e, 8, R0, FP, at);
			dt_store(e, 8, R1, at - from, R0);
		} else {
			dt_load(e, 8, R0, R1, at - from);
			dt_store(e, 8, FP, at, R0);
		}
	}
}

dt_refuge_t dt_frame_put_away(dt_cg_t *cg)
{
	dt_refuge_t r = {0, 0};

	if (cg->stack == cg->frame_base || has_room(cg, 0))
		return r;
	cg->uses_refuge = true;
	r.stack = cg->stack;
	r.scratch = dt_scratch_alloc(cg, (uint32_t)(cg->frame_base - cg->stack));
	move_words(cg, cg->stack, cg->frame_base, r.scratch, true);
	cg->stack = cg->frame_base;
	return r;
}

void dt_frame_put_back(dt_cg_t *cg, const dt_refuge_t *r)
{
	if (!r->stack)
		return;
	move_words(cg, r->stack, cg->frame_base, r->scratch, false);
	cg->stack = r->stack;
}

void dt_gen_initialize(dt_cg_t *cg)
{
	for (int reg = R6; reg <= R9 && cg->uses_loans; reg++)
		dt_alu_imm(cg->e, BPF_MOV, reg, 0);
	for (int at = cg->frame_end; at < cg->frame_base && cg->uses_refuge; at += 8)
		dt_store_imm(cg->e, 8, FP, at, 0);
}

/* ---- Faults and drops ------------------------------------------------------------- */

static dt_cold_t *new_cold(dt_cg_t *cg)
{
	dt_cold_t *cold = dt_arena_alloc(cg->env->arena, sizeof(*cold));

	cg->needs_cpu = true;
	if (!cold) {
		dt_cg_fail(cg, EDT_NOMEM, cg->ecb->clause->line, "out of memory");
		return NULL;
	}
	cold->label = dt_label_new(cg->e);
	cold->below = cg->cold;
	cg->cold = cold;
	return cold;
}

int dt_fault_label(dt_cg_t *cg, int fault, int value_reg, int value_slot)
{
	dt_cold_t *cold = new_cold(cg);

	if (!cold)
		return 0;
	cg->may_fault = true;
	cold->fault = fault;
	cold->value_reg = value_reg;
	cold->value_slot = value_slot;
	cold->action = cg->action;
	cold->pc = cg->e->ninsns - cg->clause_start;
	return cold->label;
}

int dt_drop_label(dt_cg_t *cg, dt_kdrop_t kind, int next)
{
	dt_cold_t *cold = new_cold(cg);

	if (!cold)
		return 0;
	cg->may_drop = true;
	cold->is_drop = true;
	cold->drop = kind;
	cold->next = next;
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
	dt_gen_dropped(cg);
}

/* After the drop was counted: a consumer that takes the word back then sees the count. */
void dt_gen_dropped(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int is_known = dt_label_new(e);

	cg->may_drop = true;
	dt_map_value(e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, dropped));
	dt_load(e, 4, R2, R1, 0);
	dt_jump_imm(e, BPF_JNE, R2, 0, is_known);
	dt_store_imm(e, 4, R1, 0, DT_DROPPED_SILENT);
	dt_label_here(e, is_known);
}

void dt_gen_cpu_words(dt_cg_t *cg, int cpu_reg, int none)
{
	dt_emit_t *e = cg->e;

	dt_jump_imm(e, BPF_JGE, cpu_reg, (int32_t)cg->env->npossible, none);
	dt_mov(e, R1, cpu_reg);
	dt_alu_imm(e, BPF_MUL, R1, (int32_t)cg->env->cpu_size);
	dt_map_value(e, R0, DT_MAP_STATE, DT_CPUS_OFFSET);
	dt_alu_reg(e, BPF_ADD, R0, R1);
}

void dt_gen_array_lookup(dt_cg_t *cg, uint32_t map, int index_reg, int null_label)
{
	dt_emit_t *e = cg->e;

	dt_store(e, 4, FP, DT_FRAME_INDEX, index_reg);
	dt_map_lookup(e, map, DT_FRAME_INDEX, null_label);
}
