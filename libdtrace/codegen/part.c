/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part.c - a program whose code becomes too large is divided into functions, of which each
 * does a part of the clauses: jumps reach 32,767 instructions, and the verifier follows no
 * more than 8,192 branches of one function. The kernel checks each by itself and knows
 * nothing of what the others have found out, so every part finds this CPU's words and its
 * scratch area again.
 *
 *	int part(context *, u64 key, u64 cpu, u64 area, u64 slot | clause << 8)
 *
 * It returns 0, or 1 when no clause is to run any more, or the number of a clause that has
 * faulted, plus 2. Then the main function calls the parts that are ERROR's, and after that
 * the same part again, to go on after that clause.
 *
 * What parts hand to each other lies in scratch:
 *
 *	u64		1: the clause that goes on in the next part has ended
 *	u64		the address of its record
 *	u64 [5]		the words of the frame that describe a fault
 */
#include "codegen/cg.h"

/* A part is closed at the first statement or clause after so much code. */
#define PART_INSNS 4000
#define PART_JUMPS 1200

enum { CARRY_OVER = 0, CARRY_RECORD = 8, CARRY_FAULT = 16, CARRY_SIZE = 56 };

static const int fault_words[] = {DT_FRAME_FAULT, DT_FRAME_FAULTPC, DT_FRAME_FAULTVALUE,
				  DT_FRAME_FAULTEPID, DT_FRAME_FAULTCLAUSE};
#define NFAULT_WORDS ((int)(sizeof(fault_words) / sizeof(fault_words[0])))

bool dt_part_is_full(const dt_cg_t *cg)
{
	uint32_t divisor = 1 + cg->env->attempt;

	return cg->is_divided && (cg->e->ninsns - cg->part_insns > PART_INSNS / divisor ||
				  cg->e->nfixups - cg->part_jumps > PART_JUMPS / divisor);
}

void dt_part_begin(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int gone = dt_label_new(e), there = dt_label_new(e);

	cg->part_insns = e->ninsns;
	cg->part_jumps = e->nfixups;
	cg->resume_label = dt_label_new(e);
	dt_function_new(e, DT_FUNCTION_PART, 0);
	dt_store(e, 8, FP, DT_FRAME_CTX, R1);
	dt_store(e, 8, FP, DT_FRAME_KEY, R2);
	dt_store(e, 4, FP, DT_FRAME_CPU, R3);
	dt_mov(e, R6, R4);
	dt_mov(e, R7, R5);
	dt_gen_cpu_words(cg, R3, gone);
	dt_store(e, 8, FP, DT_FRAME_CPUS, R0);
	dt_gen_array_lookup(cg, DT_MAP_SCRATCH, R6, gone);
	dt_store(e, 8, FP, DT_FRAME_SCRATCH, R0);
	dt_store_imm(e, 8, FP, DT_FRAME_RECORD, 0);
	dt_store_imm(e, 8, FP, DT_FRAME_FAULTEPID, 0);
	for (int i = 0; i < NFAULT_WORDS && cg->in_error; i++) {
		dt_load(e, 8, R1, R0, (int)cg->carry + CARRY_FAULT + 8 * i);
		dt_store(e, 8, FP, fault_words[i], R1);
	}
	dt_mov(e, R1, R7);
	dt_alu_imm(e, BPF_AND, R1, 0xff);
	dt_store(e, 4, FP, DT_FRAME_SLOT, R1);
	dt_mov(e, R0, R7);
	dt_alu_imm(e, BPF_RSH, R0, 8);
	cg->uses_loans = cg->uses_refuge = true; /* they may be, by the end */
	dt_gen_initialize(cg);
	if (!cg->in_error)
		dt_jump_imm(e, BPF_JNE, R0, 0, cg->resume_label);
	dt_jump(e, there);
	dt_label_here(e, gone);
	dt_alu_imm(e, BPF_MOV, R0, 1);
	dt_exit(e);
	dt_label_here(e, there);
}

void dt_part_end(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	uint32_t faults;

	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	faults = dt_gen_later(cg);
	if (!e->failed)
		e->functions[e->nfunctions - 1].size = cg->in_error ? 0 : faults;
	cg->faults += cg->in_error ? 0 : faults;
}

void dt_part_fault(dt_cg_t *cg, int label)
{
	dt_emit_t *e = cg->e;

	dt_label_here(e, label);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	for (int i = 0; i < NFAULT_WORDS; i++) {
		dt_load(e, 8, R0, FP, fault_words[i]);
		dt_store(e, 8, R1, (int)cg->carry + CARRY_FAULT + 8 * i, R0);
	}
	dt_load(e, 8, R0, FP, DT_FRAME_FAULTCLAUSE);
	dt_alu_imm(e, BPF_ADD, R0, 2);
	dt_exit(e);
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
		dt_load(e, 8, R3, R2, (int)cg->carry + CARRY_RECORD);
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

/* Ends the part in the middle of a clause, which goes on in the next. */
void dt_part_divide(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	dt_cg_t clause = *cg;
	int end = dt_label_new(e);

	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_store_imm(e, 8, R1, (int)cg->carry + CARRY_OVER, 0);
	if (dt_clause_records(cg->ecb)) {
		dt_load(e, 8, R2, FP, DT_FRAME_RECORD);
		dt_store(e, 8, R1, (int)cg->carry + CARRY_RECORD, R2);
	}
	dt_leave_for_later(cg);
	if (cg->may_fault || dt_label_is_used(e, cg->next_label)) {
		dt_jump(e, end);
		dt_label_here(e, cg->next_label);
		dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
		dt_store_imm(e, 8, R1, (int)cg->carry + CARRY_OVER, 1);
		dt_label_here(e, end);
	}
	dt_part_end(cg);

	dt_part_begin(cg);
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
	dt_load(e, 8, R1, R1, (int)cg->carry + CARRY_OVER);
	dt_jump_imm(e, BPF_JNE, R1, 0, cg->next_label);
	if (dt_clause_records(cg->ecb))
		gen_resume_record(cg);
}

uint32_t dt_gen_parts(dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys)
{
	uint32_t nparts;

	cg->carry = dt_scratch_alloc(cg, CARRY_SIZE);
	cg->scratch_base = cg->scratch;
	dt_part_begin(cg);
	dt_gen_clauses(cg, keys, nkeys);
	dt_part_end(cg);
	nparts = cg->e->nfunctions;
	if (cg->faults)
		dt_gen_error_clauses(cg);
	return nparts;
}

/* ---- The main function --------------------------------------------------------------- */

/* A call of a part; to go on after the clause in R6, if that is asked for. */
static void gen_part_call(dt_cg_t *cg, uint32_t part, bool resumes)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, R1, FP, DT_FRAME_CTX);
	if (cg->program->attach->nkeys)
		dt_load(e, 8, R2, FP, DT_FRAME_KEY);
	else
		dt_alu_imm(e, BPF_MOV, R2, 0);
	dt_load(e, 4, R3, FP, DT_FRAME_CPU);
	dt_load(e, 4, R4, FP, DT_FRAME_INDEX); /* the last look-up: scratch */
	if (cg->program->attach->context == DT_CONTEXT_USER)
		dt_load(e, 4, R5, FP, DT_FRAME_SLOT);
	else
		dt_alu_imm(e, BPF_MOV, R5, 0);
	if (resumes) {
		dt_mov(e, R0, R6);
		dt_alu_imm(e, BPF_LSH, R0, 8);
		dt_alu_reg(e, BPF_OR, R5, R0);
	}
	dt_function_call(e, part);
}

/* A part in which clauses may fault: at most all of them do. */
static void gen_faulting_part(dt_cg_t *cg, uint32_t part, uint32_t faults, uint32_t nparts,
			      uint32_t nfunctions)
{
	dt_emit_t *e = cg->e;
	int again = dt_label_new(e), next = dt_label_new(e);

	dt_alu_imm(e, BPF_MOV, R6, 0);
	dt_alu_imm(e, BPF_MOV, R7, (int32_t)faults + 1);
	dt_label_here(e, again);
	gen_part_call(cg, part, true);
	dt_jump_imm(e, BPF_JEQ, R0, 0, next);
	dt_jump_imm(e, BPF_JEQ, R0, 1, cg->leave_label);
	dt_mov(e, R6, R0);
	dt_alu_imm(e, BPF_SUB, R6, 2);
	for (uint32_t i = nparts; i < nfunctions; i++)
		gen_part_call(cg, i, false);
	dt_alu_imm(e, BPF_SUB, R7, 1);
	dt_jump_imm(e, BPF_JNE, R7, 0, again);
	dt_label_here(e, next);
}

void dt_gen_part_calls(dt_cg_t *cg, const dt_emit_t *functions, uint32_t nparts)
{
	for (uint32_t i = 0; i < nparts && !functions->failed; i++) {
		uint32_t faults = functions->functions[i].size;

		if (faults) {
			gen_faulting_part(cg, i, faults, nparts, functions->nfunctions);
		} else {
			gen_part_call(cg, i, false);
			dt_jump_imm(cg->e, BPF_JNE, R0, 0, cg->leave_label);
		}
	}
}
