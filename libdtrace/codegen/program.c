/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - one eBPF program from the clauses of one attach point.
 *
 *		activity? which probe? any clause's?	 (cheap, before anything else)
 *		find this CPU's words, take a level	 (when some clause needs them)
 *	clause:	is the probe one of this clause's?
 *		predicate
 *		reserve the record; actions
 *		...
 *	leave:	give the level back
 *	out:	return 0
 *	faults:	for each clause: discard the record, record the fault, ERROR's clauses
 *
 * What comes first is generated last, for what it must set up is known only when the clauses
 * have been generated.
 */
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "codegen/cg.h"
#include "codegen/support.h"

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

void dt_gen_key_guard(dt_emit_t *e, int reg, const dt_range_t *ranges, uint32_t n, int miss)
{
	int hit = dt_label_new(e);

	gen_key_test(e, reg, ranges, 0, n, hit, miss);
	dt_label_here(e, hit);
}

static int compare_ranges(const void *a, const void *b)
{
	const dt_range_t *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

/* All keys that any clause wants. NULL: out of memory. */
static dt_range_t *union_of_keys(const dt_cgenv_t *env, const dt_program_t *p, uint32_t *n)
{
	uint32_t total = 0, out = 0;
	dt_range_t *all;

	for (uint32_t i = 0; i < p->necbs; i++)
		total += p->ecbs[i]->nkeys;
	all = dt_arena_alloc(env->arena, (total + 1) * sizeof(*all));
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

bool dt_ecb_has_keys(const dt_ecb_t *ecb, const dt_range_t *keys, uint32_t n)
{
	return ecb->nkeys == n && memcmp(ecb->keys, keys, n * sizeof(*keys)) == 0;
}

/* ---- The program --------------------------------------------------------- */

/* Takes a free one of the CPU's user slots; R1 = the scratch area that goes with it. */
static void gen_take_slot(dt_cg_t *cg, int nested)
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
	dt_jump(e, nested);
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

/* Finds this CPU's words and takes a level, or goes to nested; R1 = the scratch area that
 * goes with the level. */
static void gen_enter_cpu(dt_cg_t *cg, int out, int nested)
{
	dt_emit_t *e = cg->e;
	int level;

	dt_call(e, BPF_FUNC_get_smp_processor_id);
	if (cg->env->only_cpu >= 0 && cg->program->attach->kind != DT_ATTACH_SELF)
		dt_jump_imm(e, BPF_JNE, R0, cg->env->only_cpu, out);
	if (cg->scratch_max || dt_emit_reads_frame(e, DT_FRAME_CPU))
		dt_store(e, 4, FP, DT_FRAME_CPU, R0);
	dt_gen_cpu_words(cg, R0, out);
	dt_store(e, 8, FP, DT_FRAME_CPUS, R0);
	if (cg->program->attach->context == DT_CONTEXT_USER) {
		gen_take_slot(cg, nested);
		return;
	}
	dt_load(e, 4, R1, R0, offsetof(dt_kcpu_t, depth));
	if (cg->program->attach->is_alone) {
		dt_load(e, 4, R2, R0, offsetof(dt_kcpu_t, user_slots));
		dt_alu_reg(e, BPF_OR, R2, R1);
		dt_jump_imm(e, BPF_JNE, R2, 0, nested);
	}
	level = R1;
	if (cg->scratch_max) {
		dt_mov(e, R2, R1);
		level = R2;
	}
	dt_alu_imm(e, BPF_ADD, level, 1);
	dt_jump_imm(e, BPF_JGT, level, DT_NLEVELS, nested);
	dt_store(e, 4, R0, offsetof(dt_kcpu_t, depth), level);
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
			dt_gen_scratch_clear(cg, cg->this_scratch[i] - 1, cg->this_sizes[i]);
	}
	if (cg->strtok)
		dt_gen_scratch_clear(cg, cg->strtok, 16);
	if (cg->timestamp.place != DT_STR_NONE)
		dt_gen_clear(cg, &cg->timestamp);
}

/* Leaves unless the place is one that the program's probes are meant by. */
static void gen_conditions(dt_cg_t *cg, const dt_condition_t *c, int out)
{
	dt_emit_t *e = cg->e;

	for (; c; c = c->next) {
		int holds = dt_label_new(e), is_so = c->is_refused ? out : holds;

		dt_gen_argument(cg, &c->left, R6);
		for (uint32_t i = 0; i < c->nvalues; i++)
			dt_jump_imm(e, c->op, R6, c->values[i], is_so);
		if (c->nvalues == 0) {
			dt_gen_argument(cg, &c->right, R7);
			dt_jump_reg(e, c->op, R6, R7, is_so);
		}
		if (!c->is_refused)
			dt_jump(e, out);
		dt_label_here(e, holds);
	}
}

/* A word of the context, as it is. */
static bool is_word_of_context(const dt_argsource_t *s)
{
	return s->kind == DT_ARG_CTX && (s->size == 0 || s->size == 8) && s->value == 0;
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

/* Goes to out unless some clause wants the probe whose key is in R6. */
static void gen_wanted(dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys, int out)
{
	if (dt_emit_reads_frame(cg->e, DT_FRAME_KEY))
		dt_store(cg->e, 8, FP, DT_FRAME_KEY, R6);
	dt_gen_key_guard(cg->e, R6, keys, nkeys, out);
}

/* Whether some clause is not for all of the attach point's probes, or tells them apart. */
static bool matters_which(const dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < nkeys; i++)
		n += keys[i].high - keys[i].low + 1;
	return n < cg->program->attach->nprobes || dt_emit_reads_frame(cg->e, DT_FRAME_KEY);
}

/* Which probe it is, if the attach point has several. R1 is the context. */
static void gen_key(dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys, int out)
{
	const dt_argsource_t *key = &cg->program->attach->key;

	if (is_word_of_context(key))
		dt_load(cg->e, 8, R6, R1, (int)key->offset);
	else
		dt_gen_argument(cg, key, R6);
	gen_wanted(cg, keys, nkeys, out);
	if (matters_which(cg, keys, nkeys))
		gen_conditions(cg, cg->program->attach->key_condition, out);
}

/* What must be set up before the clauses, now that their needs are known. */
static void gen_entry(dt_cg_t *cg, const dt_range_t *keys, uint32_t nkeys, int leave, int out,
		      int nested)
{
	dt_emit_t *e = cg->e;
	const dt_attachpoint_t *attach = cg->program->attach;

	if (attach->conditions || (attach->nkeys && !is_word_of_context(&attach->key)) ||
	    dt_emit_reads_frame(e, DT_FRAME_CTX))
		dt_store(e, 8, FP, DT_FRAME_CTX, R1);
	if (!cg->needs_cpu)
		gen_activity_check(cg, out);
	/* The key first: it is in R1's context, which the conditions do not leave there. */
	if (attach->ends_wait)
		dt_gen_wait_ends(cg, out);
	else if (attach->nkeys)
		gen_key(cg, keys, nkeys, out);
	gen_conditions(cg, attach->conditions, out);
	if (cg->needs_cpu) {
		/* Whoever finds that no program is at work on this CPU may rely on it that
		 * none goes on under an activity of before: see dtrace_stop(). */
		gen_enter_cpu(cg, out, nested);
		gen_activity_check(cg, leave);
	}
	if (attach->ends_wait) {
		dt_gen_wait_told(cg);
		gen_wanted(cg, keys, nkeys, leave);
	}
	if (cg->scratch_max) { /* R1 is the area */
		dt_load(e, 4, R2, FP, DT_FRAME_CPU);
		dt_alu_imm(e, BPF_MUL, R2, DT_NAREAS);
		dt_alu_reg(e, BPF_ADD, R1, R2);
		dt_gen_array_lookup(cg, DT_MAP_SCRATCH, R1, leave);
		dt_store(e, 8, FP, DT_FRAME_SCRATCH, R0);
	}
	gen_clear_locals(cg);
	/* The main function of a divided program has no expressions, and little of the frame. */
	if (!cg->is_divided)
		dt_gen_initialize(cg);
}

static void set_limits(dt_cg_t *cg)
{
	for (const dt_limit_t *l = cg->limits; l && !cg->e->failed; l = l->next)
		cg->e->insns[l->insn].imm =
		    (int32_t)(cg->scratch_max - DT_SCRATCH_WORK - l->size);
	cg->limits = NULL;
}

/* The code into cg->e; a divided program's functions are in the listing, the first nparts
 * for its clauses. */
static void gen_program(dt_cg_t *cg, const dt_emit_t *functions, uint32_t nparts,
			const dt_range_t *keys, uint32_t nkeys)
{
	dt_emit_t *e = cg->e;
	int leave = dt_label_new(e), out = dt_label_new(e), nested = dt_label_new(e);
	uint32_t entry;

	cg->leave_label = leave;
	if (cg->is_divided)
		dt_gen_part_calls(cg, functions, nparts);
	else
		dt_gen_clauses(cg, keys, nkeys);
	dt_label_here(e, leave);
	if (cg->is_divided)
		cg->may_drop = true;
	dt_gen_drop_bell(cg);
	if (cg->needs_cpu)
		gen_leave_cpu(cg);
	dt_label_here(e, out);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	if (!cg->is_divided)
		dt_gen_later(cg);
	if (cg->needs_cpu) {
		dt_label_here(e, nested);
		dt_gen_drop(cg, DT_KDROP_NESTED);
		dt_jump(e, out);
	}
	set_limits(cg);
	entry = e->ninsns;
	gen_entry(cg, keys, nkeys, leave, out, nested);
	dt_emit_to_front(e, entry);
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

/* Words of the frame for this-> variables; further ones live in scratch. */
#define THIS_WORDS 8

/* Whether a word that all the program's clauses share may be one of the frame. */
static bool fits_frame(const dt_cg_t *cg)
{
	return !cg->is_divided && cg->stack > DT_FRAME_VARS - THIS_WORDS * 8;
}

static void place_timestamp(dt_cg_t *cg)
{
	if (++cg->ntimestamps != 2)
		return;
	if (fits_frame(cg))
		cg->timestamp = (dt_str_t){DT_STR_FRAME, dt_stack_alloc(cg, 8), 8};
	else
		cg->timestamp = (dt_str_t){DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, 8), 8};
}

/* Places for the this-> variables that the program's clauses use, and what else outlives an
 * expression. */
static void place_local(dt_node_t *n, void *arg)
{
	dt_cg_t *cg = arg;
	dt_ident_t *ident = n->ident;
	uint32_t size;

	if (n->kind == DT_N_CALL)
		place_of_call(cg, n);
	if (n->kind == DT_N_VAR && ident->kind == DT_I_BUILTIN && ident->id == DT_VAR_TIMESTAMP)
		place_timestamp(cg);
	if (n->kind != DT_N_VAR || ident->kind != DT_I_VAR || ident->scope != DT_SCOPE_THIS)
		return;
	if (cg->this_slots[ident->order] || cg->this_scratch[ident->order])
		return;
	if (!dt_is_string(n) && !dt_is_aggregate(cg, n->type) && fits_frame(cg)) {
		cg->this_slots[ident->order] = dt_stack_alloc(cg, 8);
		return;
	}
	size = dt_variable_size(cg->env, n->type);
	cg->this_scratch[ident->order] = dt_scratch_alloc(cg, size) + 1;
	/* Of a string its first byte tells that it is empty. */
	cg->this_sizes[ident->order] = dt_is_string(n) ? 8 : (size + 7) & ~7u;
}

static void place_locals(dt_cg_t *cg, dt_ecb_t **ecbs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		cg->ecb = ecbs[i];
		dt_clause_walk(cg->ecb->clause, place_local, cg);
	}
}

/* Everything that code generation needs to know before its first instruction. */
static bool begin_program(dt_cg_t *cg, dt_cgenv_t *env, dt_program_t *program, bool is_divided)
{
	size_t n = env->hdl->nidents + 1;

	*cg = (dt_cg_t){.env = env,
			.program = program,
			.e = &program->code,
			.stack = DT_FRAME_VARS,
			.frame_end = is_divided ? DT_FRAME_END_DIVIDED : DT_FRAME_END,
			.scratch = DT_SCRATCH_WORK,
			.is_divided = is_divided,
			.needs_cpu = is_divided || env->only_cpu >= 0 ||
				     program->attach->is_alone};
	dt_emit_free(&program->code);
	cg->this_slots = dt_arena_alloc(env->arena, n * sizeof(*cg->this_slots));
	cg->this_scratch = dt_arena_alloc(env->arena, n * sizeof(*cg->this_scratch));
	cg->this_sizes = dt_arena_alloc(env->arena, n * sizeof(*cg->this_sizes));
	if (!cg->this_slots || !cg->this_scratch || !cg->this_sizes) {
		dt_cg_fail(cg, EDT_NOMEM, 0, "out of memory");
		return false;
	}
	place_locals(cg, program->ecbs, program->necbs);
	place_locals(cg, env->error_ecbs, env->nerror_ecbs);
	cg->frame_base = cg->stack;
	cg->scratch_base = cg->scratch;
	return !cg->failed;
}

/* 0, or -1 with the handle's error set. */
static int end_program(dt_cg_t *cg)
{
	dt_cgenv_t *env = cg->env;

	if (cg->scratch_max > env->scratch_size)
		env->scratch_size = cg->scratch_max;
	if (dt_scratch_bytes(env) > DT_SCRATCH_MAX)
		dt_cg_fail(cg, EDT_TOOLARGE, cg->program->ecbs[0]->clause->line,
			   "the clauses need more than %u bytes of scratch space: make their "
			   "expressions simpler, or strsize (%u) smaller",
			   DT_SCRATCH_MAX, env->strsize);
	if (cg->failed)
		return -1;
	if (dt_emit_finish(cg->e))
		return 0;
	if (!cg->e->too_large)
		return dt_set_errno(env->hdl, EDT_NOMEM);
	dt_cg_fail(cg, EDT_TOOLARGE, cg->program->ecbs[0]->clause->line,
		   "the clauses of one probe are too large together");
	return -1;
}

/*
 * What the kernel calls the context of such programs; NULL: it has no name (before 6.8,
 * nothing says which argument of a function is the context of a tracing program).
 */
static const char *context_name(enum bpf_prog_type type)
{
	switch (type) {
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		return "bpf_raw_tracepoint_args";
	case BPF_PROG_TYPE_PERF_EVENT:
		return "bpf_perf_event_data";
	case BPF_PROG_TYPE_KPROBE:
		return DT_ARCH_PTREGS;
	default:
		return NULL;
	}
}

/*
 * Generates the program, in one piece or divided: the functions first, into a listing of
 * their own, which follows the main program's code. 0, or -1 with the handle's error set.
 * fault_cost: what the verifier has to follow for faults alone.
 */
static int generate(dt_cgenv_t *env, dt_program_t *program, const dt_range_t *keys,
		    uint32_t nkeys, bool is_divided, uint32_t *fault_cost)
{
	uint32_t nparts = 0;
	dt_emit_t functions;
	dt_cg_t cg;

	dt_emit_init(&functions);
	if (begin_program(&cg, env, program, is_divided)) {
		program->code.context = context_name(program->attach->prog_type);
		if (is_divided) {
			cg.e = &functions;
			nparts = dt_gen_parts(&cg, keys, nkeys);
			set_limits(&cg);
			cg.stack = DT_FRAME_MAIN;
			cg.e = &program->code;
		}
		gen_program(&cg, &functions, nparts, keys, nkeys);
		dt_gen_finders(&cg, &functions);
		dt_support_append(&program->code, &functions);
		dt_emit_append(&program->code, &functions);
	}
	dt_emit_free(&functions);
	*fault_cost = cg.fault_cost;
	return end_program(&cg);
}

/* Above this a program is divided: long before jumps do not reach, and while the verifier
 * is at ease. */
#define UNDIVIDED_INSNS 8000
#define UNDIVIDED_JUMPS 3000
#define UNDIVIDED_FAULTS 6000

int dt_codegen_program(dt_cgenv_t *env, dt_program_t *program)
{
	const dt_emit_t *code = &program->code;
	uint32_t nkeys = 0, fault_cost;
	dt_range_t *keys = union_of_keys(env, program, &nkeys);
	int err;

	if (!keys)
		return dt_set_errno(env->hdl, EDT_NOMEM);
	err = generate(env, program, keys, nkeys, false, &fault_cost);
	if (code->too_large || env->attempt > 0 || code->ninsns > UNDIVIDED_INSNS ||
	    code->nfixups > UNDIVIDED_JUMPS || fault_cost > UNDIVIDED_FAULTS)
		err = generate(env, program, keys, nkeys, true, &fault_cost);
	return err;
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
	dt_gen_cpu_words(&cg, R0, busy);
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
	dt_load(e, 4, R1, R0, offsetof(dt_kcpu_t, aggregation_index));
	dt_alu_imm(e, BPF_XOR, R1, 1);
	dt_store(e, 4, R0, offsetof(dt_kcpu_t, aggregation_index), R1);
	dt_label_here(e, done);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	dt_label_here(e, busy);
	dt_alu_imm(e, BPF_MOV, R0, 1);
	dt_exit(e);
	return dt_emit_finish(e) ? 0 : dt_set_errno(env->hdl, EDT_NOMEM);
}
