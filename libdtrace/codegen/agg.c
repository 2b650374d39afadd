/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agg.c - aggregating statements, straight into the CPU's active entries. Without keys an
 * entry's place is known at compile time; with keys see aggfind.c. No helper is called but
 * for the look-up of the buffer, which the kernel inlines.
 */
#include "codegen/cg.h"

/* Keys up to this many bytes are built in the frame, larger ones in scratch. */
#define FRAME_KEY_MAX 96

static const dt_agglayout_t *layout_of(const dt_cg_t *cg, const dt_ident_t *ident)
{
	return &cg->env->aggs[ident->id - 1];
}

/* ---- Keys ------------------------------------------------------------------ */

static void gen_key(dt_cg_t *cg, const dt_node_t *k, const dt_field_t *f, const dt_str_t *part)
{
	dt_emit_t *e = cg->e;
	dt_type_t *t = dt_type_resolve(cg->env->hdl, f->type);
	dt_loan_t r;
	int slot, base, at;

	if (f->encoding == DT_ENC_STRID) {
		r = dt_reg_borrow(cg);
		dt_gen_str_id(cg, k, r.reg);
		base = dt_str_base(cg, part, R1, &at);
		dt_store(e, 8, base, at, r.reg);
		dt_reg_return(cg, &r);
	} else if (f->encoding == DT_ENC_STRING) {
		dt_gen_str_into(cg, k, part);
	} else if (t->kind == DT_K_STACK || t->kind == DT_K_USTACK) {
		dt_gen_stack(cg, f, part);
	} else if (t->kind == DT_K_SYMADDR || t->kind == DT_K_USYMADDR) {
		dt_gen_symbol(cg, k, part, t->kind == DT_K_USYMADDR);
	} else if (t->kind == DT_K_STRUCT || t->kind == DT_K_UNION || t->kind == DT_K_ARRAY) {
		slot = dt_gen_to_slot(cg, k);
		dt_str_address(cg, part, R1);
		dt_alu_imm(e, BPF_MOV, R2, (int32_t)f->kernel_size);
		dt_load(e, 8, R3, FP, slot);
		dt_gen_read_value(cg, k);
		dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	} else {
		slot = dt_gen_to_slot(cg, k);
		dt_load(e, 8, R2, FP, slot);
		base = dt_str_base(cg, part, R1, &at);
		dt_store(e, (int)f->kernel_size, base, at, R2);
	}
}

/* Whether the key writes all of its words, so that they need not be zeroed before. */
static bool is_covering(dt_cg_t *cg, const dt_node_t *k, const dt_field_t *f)
{
	if (f->kernel_size % 8)
		return false;
	if (f->encoding == DT_ENC_STRING)
		return dt_is_execname(k) && dt_str_bound(cg->env, k) == f->kernel_size;
	return true;
}

static dt_str_t gen_keys(dt_cg_t *cg, const dt_node_t *agg, const dt_agglayout_t *layout)
{
	dt_str_t key = dt_key_alloc(cg, layout->key_size, FRAME_KEY_MAX);
	uint32_t i = 0;

	/* The first action is the aggregation itself. */
	for (const dt_node_t *k = agg->list; k; k = k->next, i++) {
		const dt_field_t *f = &layout->keys[i];
		dt_str_t part = {.place = key.place,
				 .offset = key.offset + (int)f->kernel_offset,
				 .size = (f->kernel_size + 7) & ~7u};
		int mark = cg->stack;

		cg->action++;
		if (!is_covering(cg, k, f))
			dt_gen_clear(cg, &part);
		part.size = f->kernel_size;
		gen_key(cg, k, f, &part);
		cg->stack = mark;
	}
	return key;
}

/* ---- The entry -------------------------------------------------------------- */

/* R6 = the active aggregation buffer. */
static void gen_buffer(dt_cg_t *cg, int drop)
{
	dt_emit_t *e = cg->e;

	cg->needs_cpu = true;
	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_load(e, 4, R1, R1, offsetof(dt_kcpu_t, aggregation_index));
	dt_gen_array_lookup(cg, DT_MAP_AGGREGATION, R1, drop);
	dt_mov(e, R6, R0);
}

void dt_gen_active_entries(dt_cg_t *cg, int reg, int other)
{
	dt_emit_t *e = cg->e;

	cg->needs_cpu = true;
	dt_load(e, 8, reg, FP, DT_FRAME_CPUS);
	dt_load(e, 4, other, reg, offsetof(dt_kcpu_t, aggregation_active));
	dt_alu_imm(e, BPF_AND, other, 1);
	dt_alu_imm(e, BPF_MUL, other, (int32_t)(cg->env->fixed_size + cg->env->near_size));
	dt_alu_reg(e, BPF_ADD, reg, other);
	dt_alu_imm(e, BPF_ADD, reg, sizeof(dt_kcpu_t));
}

/* R0 = the only entry, of those in use. Its varid is set once it has been used. */
static void gen_fixed(dt_cg_t *cg, const dt_agglayout_t *layout)
{
	dt_emit_t *e = cg->e;
	int used = dt_label_new(e);

	dt_gen_active_entries(cg, R0, R1);
	dt_alu_imm(e, BPF_ADD, R0, (int32_t)layout->fixed_offset);
	if (layout->func == DTRACEAGG_MIN || layout->func == DTRACEAGG_MAX) {
		dt_load(e, 4, R1, R0, 0);
		dt_jump_imm(e, BPF_JNE, R1, 0, used);
		dt_const(e, R2, layout->func == DTRACEAGG_MIN ? INT64_MAX : (uint64_t)INT64_MIN);
		dt_store(e, 8, R0, sizeof(dt_kaggent_t), R2);
		dt_label_here(e, used);
	}
	dt_store_imm(e, 4, R0, 0, (int32_t)layout->varid);
}

/* ---- Updating the value ------------------------------------------------------ */

/* *(R0 + at) += reg; exact even if a program interrupts that adds to it too. */
static void gen_add(dt_cg_t *cg, const dt_agglayout_t *layout, int at, int reg)
{
	dt_emit_t *e = cg->e;

	if (layout->is_shared) {
		dt_atomic_add(e, 8, R0, at, reg, false);
	} else {
		dt_load(e, 8, R2, R0, at);
		dt_alu_reg(e, BPF_ADD, R2, reg);
		dt_store(e, 8, R0, at, R2);
	}
}

static void gen_add_imm(dt_cg_t *cg, const dt_agglayout_t *layout, int at, int32_t n)
{
	dt_emit_t *e = cg->e;

	if (layout->is_shared) {
		dt_alu_imm(e, BPF_MOV, R3, n);
		dt_atomic_add(e, 8, R0, at, R3, false);
		return;
	}
	dt_load(e, 8, R2, R0, at);
	dt_alu_imm(e, BPF_ADD, R2, n);
	dt_store(e, 8, R0, at, R2);
}

/*
 * *(R0 + at) = R1 if that is smaller (larger). If it is shared by compare and exchange,
 * once a level: no more programs than that can come in between.
 */
static void gen_extreme(dt_cg_t *cg, const dt_agglayout_t *layout, int at, uint8_t keep)
{
	dt_emit_t *e = cg->e;
	int done = dt_label_new(e), tries = layout->is_shared ? DT_NLEVELS : 1;

	for (int i = 0; i < tries; i++) {
		if (layout->is_shared) {
			/* R0 is cmpxchg's register: the entry moves to R6. */
			if (i == 0)
				dt_mov(e, R6, R0);
			dt_load(e, 8, R0, R6, at);
			dt_jump_reg(e, keep, R0, R1, done);
			dt_mov(e, R3, R0);
			dt_compare_exchange(e, R6, at, R1);
			dt_jump_reg(e, BPF_JEQ, R0, R3, done);
		} else {
			dt_load(e, 8, R2, R0, at);
			dt_jump_reg(e, keep, R2, R1, done);
			dt_store(e, 8, R0, at, R1);
		}
	}
	dt_label_here(e, done);
}

/*
 * count, sum, and the 128-bit sum of squares of R1. The square of the magnitude
 * (h x 2^32 + l) is h^2 x 2^64 + 2hl x 2^32 + l^2.
 */
static void gen_stddev(dt_cg_t *cg, const dt_agglayout_t *layout, int at)
{
	dt_emit_t *e = cg->e;
	int positive = dt_label_new(e), carry1 = dt_label_new(e), carry2 = dt_label_new(e);

	gen_add_imm(cg, layout, at, 1);
	gen_add(cg, layout, at + 8, R1);
	dt_jump_imm(e, BPF_JSGE, R1, 0, positive);
	dt_alu_imm(e, BPF_NEG, R1, 0);
	dt_label_here(e, positive);
	dt_mov(e, R2, R1);
	dt_alu_imm(e, BPF_RSH, R2, 32); /* h */
	dt_alu_imm(e, BPF_LSH, R1, 32);
	dt_alu_imm(e, BPF_RSH, R1, 32); /* l */
	dt_mov(e, R3, R2);
	dt_alu_reg(e, BPF_MUL, R3, R1); /* hl */
	dt_alu_reg(e, BPF_MUL, R2, R2); /* high half */
	dt_alu_reg(e, BPF_MUL, R1, R1); /* low half */
	dt_mov(e, R4, R3);
	dt_alu_imm(e, BPF_RSH, R4, 31);
	dt_alu_reg(e, BPF_ADD, R2, R4);
	dt_alu_imm(e, BPF_LSH, R3, 33);
	dt_alu_reg(e, BPF_ADD, R1, R3);
	dt_jump_reg(e, BPF_JGE, R1, R3, carry1);
	dt_alu_imm(e, BPF_ADD, R2, 1);
	dt_label_here(e, carry1);
	/* Adding to the low word tells, by its old value, whether it carried. */
	dt_mov(e, R3, R1);
	dt_atomic_add(e, 8, R0, at + 16, R3, true);
	dt_alu_reg(e, BPF_ADD, R3, R1);
	dt_jump_reg(e, BPF_JGE, R3, R1, carry2);
	dt_alu_imm(e, BPF_ADD, R2, 1);
	dt_label_here(e, carry2);
	dt_atomic_add(e, 8, R0, at + 24, R2, false);
}

/* R1 = bucket of the power of two below R1's magnitude; R2, R3 are used. */
static void gen_quantize_bucket(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;
	int negative = dt_label_new(e), zero = dt_label_new(e), done = dt_label_new(e),
	    magnitude = dt_label_new(e), mark = cg->stack, slot;

	dt_jump_imm(e, BPF_JEQ, R1, 0, zero);
	dt_mov(e, R3, R1);
	dt_jump_imm(e, BPF_JSGE, R1, 0, magnitude);
	dt_alu_imm(e, BPF_NEG, R3, 0);
	dt_label_here(e, magnitude);
	dt_alu_imm(e, BPF_MOV, R2, 0); /* log2 */
	for (int shift = 32; shift; shift /= 2) {
		int below = dt_label_new(e);

		dt_mov(e, R4, R3);
		dt_alu_imm(e, BPF_RSH, R4, shift);
		dt_jump_imm(e, BPF_JEQ, R4, 0, below);
		dt_mov(e, R3, R4);
		dt_alu_imm(e, BPF_ADD, R2, shift);
		dt_label_here(e, below);
	}
	dt_jump_imm(e, BPF_JSLT, R1, 0, negative);
	dt_mov(e, R1, R2);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)DTRACE_QUANTIZE_ZEROBUCKET + 1);
	dt_jump(e, done);
	dt_label_here(e, negative);
	dt_alu_imm(e, BPF_MOV, R1, (int32_t)DTRACE_QUANTIZE_ZEROBUCKET - 1);
	dt_alu_reg(e, BPF_SUB, R1, R2);
	dt_jump_imm(e, BPF_JSGE, R1, 0, done);
	dt_alu_imm(e, BPF_MOV, R1, 0); /* INT64_MIN belongs to the lowest */
	dt_jump(e, done);
	dt_label_here(e, zero);
	dt_alu_imm(e, BPF_MOV, R1, (int32_t)DTRACE_QUANTIZE_ZEROBUCKET);
	dt_label_here(e, done);
	/* The verifier knows which bucket each of the ways here leads to, and would follow all
	 * of them on. A word of which a byte is written alone is just a number to it. */
	slot = dt_stack_alloc(cg, 8);
	dt_store(e, 8, FP, slot, R1);
	dt_store_imm(e, 1, FP, slot + 7, 0);
	dt_load(e, 4, R1, FP, slot);
	cg->stack = mark;
}

/* R1 = 0 below base, 1 + (R1 - base) / step, levels + 1 from the limit on. */
static void gen_lquantize_bucket(dt_cg_t *cg, uint64_t arg)
{
	dt_emit_t *e = cg->e;
	uint32_t levels = DTRACE_LQUANTIZE_LEVELS(arg);
	int below = dt_label_new(e), above = dt_label_new(e), done = dt_label_new(e);

	dt_const(e, R2, (uint64_t)(int64_t)DTRACE_LQUANTIZE_BASE(arg));
	dt_jump_reg(e, BPF_JSLT, R1, R2, below);
	dt_alu_reg(e, BPF_SUB, R1, R2);
	dt_alu_imm(e, BPF_DIV, R1, (int32_t)DTRACE_LQUANTIZE_STEP(arg));
	dt_jump_imm(e, BPF_JGE, R1, (int32_t)levels, above);
	dt_alu_imm(e, BPF_ADD, R1, 1);
	dt_jump(e, done);
	dt_label_here(e, above);
	dt_alu_imm(e, BPF_MOV, R1, (int32_t)levels + 1);
	dt_jump(e, done);
	dt_label_here(e, below);
	dt_alu_imm(e, BPF_MOV, R1, 0);
	dt_label_here(e, done);
}

/*
 * R1 = log/linear bucket. Each magnitude from factor^low to factor^(high + 1) is divided
 * into nsteps (or, where it is smaller, as many as it has); the ones below the magnitude
 * before it are not repeated.
 */
static void gen_llquantize_bucket(dt_cg_t *cg, uint64_t arg)
{
	dt_emit_t *e = cg->e;
	uint64_t factor = DTRACE_LLQUANTIZE_FACTOR(arg), nsteps = DTRACE_LLQUANTIZE_NSTEP(arg);
	uint32_t low = DTRACE_LLQUANTIZE_LOW(arg), high = DTRACE_LLQUANTIZE_HIGH(arg);
	uint64_t last = 1, bucket = 1, upper;
	int below = dt_label_new(e), done = dt_label_new(e);

	for (uint32_t i = 0; i < low; i++)
		last *= factor;
	dt_const(e, R2, last);
	dt_jump_reg(e, BPF_JSLT, R1, R2, below);
	for (uint32_t order = low; order <= high; order++) {
		int beyond = dt_label_new(e);
		uint64_t n;

		upper = last > (uint64_t)INT64_MAX / factor ? (uint64_t)INT64_MAX : last * factor;
		n = upper > nsteps ? nsteps : upper;
		dt_const(e, R2, upper);
		dt_jump_reg(e, BPF_JSGE, R1, R2, beyond);
		dt_const(e, R2, last);
		dt_alu_reg(e, BPF_SUB, R1, R2);
		dt_const(e, R2, upper / n);
		dt_alu_reg(e, BPF_DIV, R1, R2);
		dt_alu_imm(e, BPF_ADD, R1, (int32_t)bucket);
		dt_jump(e, done);
		dt_label_here(e, beyond);
		bucket += n - n / factor;
		last = upper;
	}
	dt_const(e, R1, bucket);
	dt_jump(e, done);
	dt_label_here(e, below);
	dt_alu_imm(e, BPF_MOV, R1, 0);
	dt_label_here(e, done);
}

/* buckets[R1] += R5; R0 + at is the first. */
static void gen_count_bucket(dt_cg_t *cg, const dt_agglayout_t *layout, int at)
{
	dt_emit_t *e = cg->e;
	int out = dt_label_new(e);

	/* Always true; it is what the verifier needs to hear. */
	dt_jump_imm(e, BPF_JGE, R1, (int32_t)dt_agg_nbuckets(layout->func, layout->arg), out);
	dt_alu_imm(e, BPF_LSH, R1, 3);
	dt_alu_reg(e, BPF_ADD, R0, R1);
	gen_add(cg, layout, at, R5);
	dt_label_here(e, out);
}

static void gen_buckets(dt_cg_t *cg, const dt_agglayout_t *layout, int at, int increment)
{
	if (layout->func == DTRACEAGG_QUANTIZE)
		gen_quantize_bucket(cg);
	else if (layout->func == DTRACEAGG_LQUANTIZE)
		gen_lquantize_bucket(cg, layout->arg);
	else
		gen_llquantize_bucket(cg, layout->arg);
	if (increment)
		dt_load(cg->e, 8, R5, FP, increment);
	else
		dt_alu_imm(cg->e, BPF_MOV, R5, 1);
	gen_count_bucket(cg, layout, at);
}

/* Updates the entry at R0 with the value and increment in frame words. */
static void gen_update(dt_cg_t *cg, const dt_agglayout_t *layout, int value, int increment)
{
	int at = (int)(sizeof(dt_kaggent_t) + layout->key_size);

	if (value)
		dt_load(cg->e, 8, R1, FP, value);
	switch (layout->func) {
	case DTRACEAGG_COUNT:
		gen_add_imm(cg, layout, at, 1);
		break;
	case DTRACEAGG_SUM:
		gen_add(cg, layout, at, R1);
		break;
	case DTRACEAGG_AVG:
		gen_add_imm(cg, layout, at, 1);
		gen_add(cg, layout, at + 8, R1);
		break;
	case DTRACEAGG_MIN:
		gen_extreme(cg, layout, at, BPF_JSLE);
		break;
	case DTRACEAGG_MAX:
		gen_extreme(cg, layout, at, BPF_JSGE);
		break;
	case DTRACEAGG_STDDEV:
		gen_stddev(cg, layout, at);
		break;
	default:
		gen_buckets(cg, layout, at, increment);
	}
}

void dt_gen_agg(dt_cg_t *cg, const dt_stmt_t *s)
{
	dt_emit_t *e = cg->e;
	const dt_agglayout_t *layout = layout_of(cg, s->agg->ident);
	const dt_node_t *call = s->expr;
	const dt_node_t *by = call->list ? call->list->next : NULL; /* the increment */
	int mark = cg->stack, value = 0, increment = 0;
	int done = dt_label_new(e), drop;
	dt_str_t key = {DT_STR_NONE, 0, 0};

	if (layout->nkeys)
		key = gen_keys(cg, s->agg, layout);
	if (by) {
		cg->action++;
		increment = dt_gen_to_slot(cg, by);
	}
	cg->action++;
	if (layout->func != DTRACEAGG_COUNT)
		value = dt_gen_to_slot(cg, call->list);
	if (layout->nkeys) {
		drop = dt_drop_label(cg, DT_KDROP_AGGREGATION, done);
		gen_buffer(cg, drop);
		dt_gen_agg_find(cg, layout, &key, drop);
	} else {
		gen_fixed(cg, layout);
	}
	gen_update(cg, layout, value, increment);
	dt_label_here(e, done);
	cg->stack = mark;
}
