/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lvalue.c - what is read of memory and variables, and everything that assigns.
 *
 * The value of a struct, a union or an array is its address, as a plain number: whoever
 * wants the bytes copies them from there.
 */
#include "codegen/cg.h"

/* ---- Reading ------------------------------------------------------------------------ */

void dt_gen_read(dt_cg_t *cg, int slot, uint32_t size, int address_reg, bool is_userland)
{
	dt_emit_t *e = cg->e;

	dt_frame_address(e, R1, slot);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)size);
	dt_mov(e, R3, address_reg);
	dt_gen_read_call(cg,
			 is_userland ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, address_reg, 0);
}

void dt_gen_read_kernel(dt_cg_t *cg, int slot, uint32_t size, int address_reg)
{
	dt_gen_read(cg, slot, size, address_reg, false);
}

static uint32_t aggregate_size(dt_cg_t *cg, const dt_node_t *n)
{
	return (uint32_t)dt_type_resolve(cg->env->hdl, n->type)->size;
}

void dt_gen_address(dt_cg_t *cg, const dt_node_t *n, bool create, int dst)
{
	int mark = cg->stack;
	dt_place_t p;

	if (n->kind == DT_N_DEREF && !dt_is_in_variable(cg, n)) {
		dt_gen_expr(cg, n->left, dst);
	} else if (n->kind == DT_N_MEMBER && !dt_is_in_variable(cg, n)) {
		dt_gen_address(cg, n->left, create, dst);
		dt_add_const(cg->e, dst, n->bit_offset / 8);
	} else if (n->kind == DT_N_VAR && n->ident->kind == DT_I_KSYM) {
		dt_const(cg->e, dst, n->ident->address);
	} else if (dt_is_in_variable(cg, n)) {
		p = dt_gen_place(cg, n);
		dt_gen_place_address(cg, &p, aggregate_size(cg, n), create, dst);
		cg->stack = mark;
	} else {
		dt_gen_expr(cg, n, dst); /* a struct that is no lvalue */
	}
}

/* Whether the bytes of an aggregate are in the traced process. */
static bool is_userland(const dt_node_t *n)
{
	while (n->kind == DT_N_MEMBER)
		n = n->left;
	return n->kind == DT_N_DEREF && n->left->is_userland;
}

bool dt_lies_in_userland(const dt_node_t *n)
{
	switch (n->kind) {
	case DT_N_COMMA:
	case DT_N_ASSIGN:
		return dt_lies_in_userland(n->right);
	case DT_N_COND:
		return dt_lies_in_userland(n->right) || dt_lies_in_userland(n->third);
	default:
		return is_userland(n);
	}
}

void dt_gen_lvalue(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	int mark = cg->stack, slot;
	dt_place_t p;

	if (dt_is_aggregate(cg, n->type)) {
		dt_gen_address(cg, n, false, dst);
	} else if (dt_is_in_variable(cg, n) || (n->kind == DT_N_MEMBER && n->bit_size)) {
		p = dt_gen_place(cg, n);
		dt_gen_place_load(cg, &p, n, dst);
	} else {
		uint32_t size = dt_value_size(cg, n->type);

		dt_gen_address(cg, n, false, dst);
		slot = dt_stack_alloc(cg, 8);
		dt_gen_read(cg, slot, size, dst, is_userland(n));
		dt_load(cg->e, (int)size, dst, FP, slot);
		dt_extend(cg->e, dst, (int)size, dt_value_signed(cg, n->type));
	}
	cg->stack = mark;
}

/* ---- Assignment ----------------------------------------------------------------------- */

/* What the lvalue holds after reg was stored to it. */
static void narrow(dt_cg_t *cg, int reg, const dt_node_t *n)
{
	if (n->kind != DT_N_MEMBER || !n->bit_size) {
		dt_extend_to(cg, reg, n->type);
		return;
	}
	dt_extend_to(cg, reg, n->type);
	dt_alu_imm(cg->e, BPF_LSH, reg, (int32_t)(64 - n->bit_size));
	dt_alu_imm(cg->e, dt_value_signed(cg, n->type) ? BPF_ARSH : BPF_RSH, reg,
		   (int32_t)(64 - n->bit_size));
}

/* The type in which a compound assignment computes: the checker has given the right side
 * that type; a shift is done in the left side's promoted one. */
static dt_type_t *compound_type(dt_cg_t *cg, const dt_node_t *n)
{
	if (n->op != DT_OP_SHL && n->op != DT_OP_SHR)
		return n->right->type;
	return dt_value_size(cg, n->left->type) < 4 ? cg->env->hdl->types.int32 : n->left->type;
}

static void gen_compound(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_type_t *type = compound_type(cg, n);
	dt_place_t p = dt_gen_place(cg, n->left);
	int slot = dt_gen_to_slot(cg, n->right);

	dt_gen_place_load(cg, &p, n->left, dst);
	dt_extend_to(cg, dst, type);
	dt_load(cg->e, 8, R1, FP, slot);
	dt_gen_arith(cg, n->op, dst, R1, type, n);
	narrow(cg, dst, n->left);
	dt_gen_place_store(cg, &p, n->left, dst);
}

/* Structs and unions by value; 0 lets go of what they hold. */
static void gen_aggregate_assign(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	uint32_t size = aggregate_size(cg, n->left);
	dt_place_t p;
	int slot;

	if (n->right->kind == DT_N_INT) {
		p = dt_gen_place(cg, n->left);
		dt_gen_place_clear(cg, &p, size);
		dt_gen_place_address(cg, &p, size, false, dst);
		return;
	}
	slot = dt_gen_to_slot(cg, n->right);
	p = dt_gen_place(cg, n->left);
	dt_gen_place_copy(cg, &p, size, slot, dt_lies_in_userland(n->right));
	dt_load(cg->e, 8, dst, FP, slot);
}

void dt_gen_assign(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	int mark = cg->stack;
	dt_place_t p;

	if (dt_is_aggregate(cg, n->left->type)) {
		gen_aggregate_assign(cg, n, dst);
	} else if (n->op != DT_OP_NONE) {
		gen_compound(cg, n, dst);
	} else {
		dt_gen_expr(cg, n->right, dst);
		narrow(cg, dst, n->left);
		p = dt_gen_place(cg, n->left);
		dt_gen_place_store(cg, &p, n->left, dst);
	}
	cg->stack = mark;
}

void dt_gen_incdec(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	bool post = n->op == DT_OP_POSTINC || n->op == DT_OP_POSTDEC;
	bool add = n->op == DT_OP_PREINC || n->op == DT_OP_POSTINC;
	int64_t step = (int64_t)(n->value ? n->value : 1);
	int mark = cg->stack, slot;
	dt_place_t p = dt_gen_place(cg, n->left);

	dt_gen_place_load(cg, &p, n->left, dst);
	slot = dt_stack_alloc(cg, 8);
	if (post)
		dt_store(cg->e, 8, FP, slot, dst);
	dt_add_const(cg->e, dst, add ? step : -step);
	narrow(cg, dst, n->left);
	dt_gen_place_store(cg, &p, n->left, dst);
	if (post)
		dt_load(cg->e, 8, dst, FP, slot);
	cg->stack = mark;
}
