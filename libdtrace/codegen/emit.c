/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit.c - BPF instructions into a growing array. Running out of memory is remembered
 * and told once, at the end, so that code generation reads as a listing.
 */
#include "codegen/emit.h"

#include <stdlib.h>
#include <string.h>

/* The kernel's own limit for privileged programs (BPF_COMPLEXITY_LIMIT_INSNS). */
#define DT_MAXINSNS 1000000

void dt_emit_init(dt_emit_t *e)
{
	memset(e, 0, sizeof(*e));
}

void dt_emit_free(dt_emit_t *e)
{
	free(e->insns);
	free(e->labels);
	free(e->fixups);
	free(e->maprefs);
	free(e->calls);
	free(e->functions);
	free(e->function_calls);
	memset(e, 0, sizeof(*e));
}

bool dt_emit_grow(dt_emit_t *e, void *array, uint32_t n, uint32_t *capacity, size_t size)
{
	void **p = array;
	uint32_t want = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (n < *capacity)
		return true;
	if (e->failed)
		return false;
	grown = realloc(*p, want * size);
	if (!grown) {
		e->failed = true;
		return false;
	}
	*p = grown;
	*capacity = want;
	return true;
}

void dt_emit_insn(dt_emit_t *e, uint8_t code, int dst, int src, int16_t off, int32_t imm)
{
	if (e->ninsns >= DT_MAXINSNS) {
		e->failed = e->too_large = true;
		return;
	}
	if (!dt_emit_grow(e, &e->insns, e->ninsns, &e->capacity, sizeof(*e->insns)))
		return;
	e->insns[e->ninsns++] = (struct bpf_insn){
	    .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

int dt_label_new(dt_emit_t *e)
{
	if (!dt_emit_grow(e, &e->labels, e->nlabels, &e->label_capacity, sizeof(*e->labels)))
		return 0;
	e->labels[e->nlabels] = -1;
	return (int)e->nlabels++;
}

void dt_label_here(dt_emit_t *e, int label)
{
	if (!e->failed)
		e->labels[label] = (int32_t)e->ninsns;
}

bool dt_label_is_used(const dt_emit_t *e, int label)
{
	for (uint32_t i = e->nfixups; i > 0; i--)
		if (e->fixups[i - 1].label == label)
			return true;
	return false;
}

static void jump_to(dt_emit_t *e, uint8_t code, int dst, int src, int32_t imm, int label)
{
	if (!dt_emit_grow(e, &e->fixups, e->nfixups, &e->fixup_capacity, sizeof(*e->fixups)))
		return;
	e->fixups[e->nfixups++] = (dt_fixup_t){e->ninsns, label};
	dt_emit_insn(e, code, dst, src, 0, imm);
}

static void resolve_function_calls(dt_emit_t *e)
{
	uint32_t nparts = 0, target;

	while (nparts < e->nfunctions && e->functions[nparts].kind == DT_FUNCTION_PART)
		nparts++;
	for (uint32_t i = 0; i < e->nfunction_calls && !e->failed; i++) {
		const dt_fixup_t *f = &e->function_calls[i];

		target = f->label >= DT_FUNCTION_FINDER
			     ? nparts + (uint32_t)(f->label - DT_FUNCTION_FINDER)
			     : (uint32_t)f->label;
		e->insns[f->insn].imm = (int32_t)(e->functions[target].insn - f->insn - 1);
	}
}

static bool resolve_jumps(dt_emit_t *e)
{
	for (uint32_t i = 0; i < e->nfixups && !e->failed; i++) {
		const dt_fixup_t *f = &e->fixups[i];
		int64_t distance = (int64_t)e->labels[f->label] - f->insn - 1;

		if (distance < INT16_MIN || distance > INT16_MAX)
			e->failed = e->too_large = true;
		else
			e->insns[f->insn].off = (int16_t)distance;
	}
	return !e->failed;
}

bool dt_emit_finish(dt_emit_t *e)
{
	resolve_function_calls(e);
	return resolve_jumps(e);
}

void dt_alu_reg(dt_emit_t *e, uint8_t op, int dst, int src)
{
	dt_emit_insn(e, BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

void dt_alu_imm(dt_emit_t *e, uint8_t op, int dst, int32_t imm)
{
	dt_emit_insn(e, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

void dt_mov(dt_emit_t *e, int dst, int src)
{
	if (dst != src)
		dt_alu_reg(e, BPF_MOV, dst, src);
}

void dt_const(dt_emit_t *e, int dst, uint64_t value)
{
	if ((uint64_t)(int64_t)(int32_t)value == value) {
		dt_alu_imm(e, BPF_MOV, dst, (int32_t)value);
		return;
	}
	if (value >> 32 == 0) {
		dt_emit_insn(e, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)value);
		return;
	}
	dt_emit_insn(e, BPF_LD | BPF_DW | BPF_IMM, dst, 0, 0, (int32_t)value);
	dt_emit_insn(e, 0, 0, 0, 0, (int32_t)(value >> 32));
}

void dt_add_const(dt_emit_t *e, int dst, int64_t value)
{
	if (value == (int32_t)value) {
		if (value)
			dt_alu_imm(e, BPF_ADD, dst, (int32_t)value);
		return;
	}
	dt_const(e, R5, (uint64_t)value);
	dt_alu_reg(e, BPF_ADD, dst, R5);
}

static uint8_t size_code(int size)
{
	return size == 8 ? BPF_DW : size == 4 ? BPF_W : size == 2 ? BPF_H : BPF_B;
}

/* An instruction's offset has 16 bits: beyond them the base register goes there and back. */
static int near(dt_emit_t *e, int base, int off)
{
	if (off == (int16_t)off)
		return off;
	dt_alu_imm(e, BPF_ADD, base, off);
	return 0;
}

static void come_back(dt_emit_t *e, int base, int off)
{
	if (off != (int16_t)off)
		dt_alu_imm(e, BPF_SUB, base, off);
}

void dt_load(dt_emit_t *e, int size, int dst, int src, int off)
{
	int at = near(e, src, off);

	dt_emit_insn(e, BPF_LDX | BPF_MEM | size_code(size), dst, src, (int16_t)at, 0);
	if (dst != src)
		come_back(e, src, off);
}

void dt_store(dt_emit_t *e, int size, int dst, int off, int src)
{
	int at = near(e, dst, off);

	dt_emit_insn(e, BPF_STX | BPF_MEM | size_code(size), dst, src, (int16_t)at, 0);
	come_back(e, dst, off);
}

void dt_store_imm(dt_emit_t *e, int size, int dst, int off, int32_t imm)
{
	int at = near(e, dst, off);

	dt_emit_insn(e, BPF_ST | BPF_MEM | size_code(size), dst, 0, (int16_t)at, imm);
	come_back(e, dst, off);
}

void dt_atomic_add(dt_emit_t *e, int size, int dst, int off, int src, bool fetch)
{
	int at = near(e, dst, off);

	dt_emit_insn(e, BPF_STX | BPF_ATOMIC | size_code(size), dst, src, (int16_t)at,
		     BPF_ADD | (fetch ? BPF_FETCH : 0));
	come_back(e, dst, off);
}

void dt_compare_exchange(dt_emit_t *e, int dst, int off, int src)
{
	int at = near(e, dst, off);

	dt_emit_insn(e, BPF_STX | BPF_ATOMIC | BPF_DW, dst, src, (int16_t)at, BPF_CMPXCHG);
	come_back(e, dst, off);
}

void dt_call(dt_emit_t *e, int helper)
{
	dt_emit_insn(e, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void dt_exit(dt_emit_t *e)
{
	dt_emit_insn(e, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

void dt_jump(dt_emit_t *e, int label)
{
	jump_to(e, BPF_JMP | BPF_JA, 0, 0, 0, label);
}

void dt_jump_reg(dt_emit_t *e, uint8_t op, int dst, int src, int label)
{
	jump_to(e, BPF_JMP | op | BPF_X, dst, src, 0, label);
}

void dt_jump_imm(dt_emit_t *e, uint8_t op, int dst, int32_t imm, int label)
{
	jump_to(e, BPF_JMP | op | BPF_K, dst, 0, imm, label);
}

static void map_reference(dt_emit_t *e, int dst, uint32_t map, uint8_t pseudo, uint32_t off)
{
	if (!dt_emit_grow(e, &e->maprefs, e->nmaprefs, &e->mapref_capacity, sizeof(*e->maprefs)))
		return;
	e->maprefs[e->nmaprefs++] = (dt_mapref_t){e->ninsns, map};
	dt_emit_insn(e, BPF_LD | BPF_DW | BPF_IMM, dst, pseudo, 0, 0);
	dt_emit_insn(e, 0, 0, 0, 0, (int32_t)off);
}

void dt_map_fd(dt_emit_t *e, int dst, uint32_t map)
{
	map_reference(e, dst, map, BPF_PSEUDO_MAP_FD, 0);
}

void dt_map_value(dt_emit_t *e, int dst, uint32_t map, uint32_t off)
{
	map_reference(e, dst, map, BPF_PSEUDO_MAP_VALUE, off);
}

void dt_map_lookup(dt_emit_t *e, uint32_t map, int key, int none)
{
	dt_map_fd(e, R1, map);
	dt_frame_address(e, R2, key);
	dt_call(e, BPF_FUNC_map_lookup_elem);
	dt_jump_imm(e, BPF_JEQ, R0, 0, none);
}

void dt_frame_address(dt_emit_t *e, int dst, int offset)
{
	dt_mov(e, dst, FP);
	dt_alu_imm(e, BPF_ADD, dst, offset);
}

void dt_extend(dt_emit_t *e, int reg, int size, bool is_signed)
{
	int shift = 64 - size * 8;

	if (shift <= 0)
		return;
	dt_alu_imm(e, BPF_LSH, reg, shift);
	dt_alu_imm(e, is_signed ? BPF_ARSH : BPF_RSH, reg, shift);
}

/* ---- Functions --------------------------------------------------------------------- */

static void add_function(dt_emit_t *e, dt_function_t function)
{
	if (dt_emit_grow(e, &e->functions, e->nfunctions, &e->function_capacity,
			 sizeof(*e->functions)))
		e->functions[e->nfunctions++] = function;
}

void dt_function_new(dt_emit_t *e, dt_functionkind_t kind, uint32_t size)
{
	add_function(e, (dt_function_t){e->ninsns, kind, size});
}

static void add_function_call(dt_emit_t *e, uint32_t insn, int function)
{
	if (dt_emit_grow(e, &e->function_calls, e->nfunction_calls, &e->function_call_capacity,
			 sizeof(*e->function_calls)))
		e->function_calls[e->nfunction_calls++] = (dt_fixup_t){insn, function};
}

void dt_function_call(dt_emit_t *e, uint32_t function)
{
	add_function_call(e, e->ninsns, (int)function);
	dt_emit_insn(e, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
}

void dt_emit_append(dt_emit_t *e, dt_emit_t *functions)
{
	uint32_t base = e->ninsns;

	if (!resolve_jumps(functions)) {
		e->failed = true;
		e->too_large = functions->too_large;
		return;
	}
	for (uint32_t i = 0; i < functions->ninsns; i++) {
		const struct bpf_insn *insn = &functions->insns[i];

		dt_emit_insn(e, insn->code, insn->dst_reg, insn->src_reg, insn->off, insn->imm);
	}
	for (uint32_t i = 0; i < functions->nfunctions; i++) {
		dt_function_t f = functions->functions[i];

		f.insn += base;
		add_function(e, f);
	}
	for (uint32_t i = 0; i < functions->nfunction_calls; i++)
		add_function_call(e, base + functions->function_calls[i].insn,
				  functions->function_calls[i].label);
	for (uint32_t i = 0; i < functions->nmaprefs; i++) {
		const dt_mapref_t *m = &functions->maprefs[i];

		if (dt_emit_grow(e, &e->maprefs, e->nmaprefs, &e->mapref_capacity, sizeof(*m)))
			e->maprefs[e->nmaprefs++] = (dt_mapref_t){base + m->insn, m->map};
	}
}

/* ---- Order ---------------------------------------------------------------------------- */

static void move_fixups(dt_fixup_t *f, uint32_t n, uint32_t from, uint32_t moved)
{
	for (uint32_t i = 0; i < n; i++)
		f[i].insn = f[i].insn >= from ? f[i].insn - from : f[i].insn + moved;
}

void dt_emit_to_front(dt_emit_t *e, uint32_t from)
{
	uint32_t moved = e->ninsns - from;
	struct bpf_insn *front;

	if (e->failed)
		return;
	front = malloc(moved * sizeof(*front) + 1);
	if (!front) {
		e->failed = true;
		return;
	}
	memcpy(front, e->insns + from, moved * sizeof(*front));
	memmove(e->insns + moved, e->insns, from * sizeof(*front));
	memcpy(e->insns, front, moved * sizeof(*front));
	free(front);
	move_fixups(e->fixups, e->nfixups, from, moved);
	move_fixups(e->calls, e->ncalls, from, moved);
	move_fixups(e->function_calls, e->nfunction_calls, from, moved);
	for (uint32_t i = 0; i < e->nmaprefs; i++) {
		uint32_t *insn = &e->maprefs[i].insn;

		*insn = *insn >= from ? *insn - from : *insn + moved;
	}
	for (uint32_t i = 0; i < e->nlabels; i++) {
		int32_t *label = &e->labels[i];

		if (*label >= 0)
			*label = *label >= (int32_t)from ? *label - (int32_t)from
							 : *label + (int32_t)moved;
	}
}

bool dt_emit_reads_frame(const dt_emit_t *e, int offset)
{
	for (uint32_t i = 0; i < e->ninsns; i++)
		if (BPF_CLASS(e->insns[i].code) == BPF_LDX && e->insns[i].src_reg == FP &&
		    e->insns[i].off == offset)
			return true;
	return false;
}
