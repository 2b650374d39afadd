/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - constant folding, with exactly the arithmetic that the generated code has.
 *
 * A value is held in 64 bits. Each operation is done on 64 bits and its result brought
 * back to its type: truncated to the type's width, then extended by the type's sign.
 * Overflow wraps; shift counts are taken modulo 64; signed division truncates toward
 * zero, and the most negative number divided by -1 is itself, remainder 0.
 */
#include "lang/check.h"

uint64_t dt_fold_convert(const dt_type_t *type, uint64_t value)
{
	unsigned spare;

	if (type->is_bool)
		return value != 0;
	if ((type->kind != DT_K_INT && type->kind != DT_K_ENUM) || type->size == 0 ||
	    type->size >= sizeof(value))
		return value;
	spare = 64 - 8 * (unsigned)type->size;
	if (type->is_signed)
		return (uint64_t)((int64_t)(value << spare) >> spare);
	return value << spare >> spare;
}

static uint64_t fold_divide(uint64_t a, uint64_t b, bool is_signed)
{
	if (!is_signed)
		return a / b;
	if ((int64_t)b == -1) /* INT64_MIN / -1 traps in C */
		return -a;
	return (uint64_t)((int64_t)a / (int64_t)b);
}

/* a op b in 64 bits; is_signed is that of the operands' type. */
static uint64_t fold_binary(dt_op_t op, uint64_t a, uint64_t b, bool is_signed)
{
	int order = is_signed ? ((int64_t)a > (int64_t)b) - ((int64_t)a < (int64_t)b)
			      : (a > b) - (a < b);

	switch (op) {
	case DT_OP_ADD:
		return a + b;
	case DT_OP_SUB:
		return a - b;
	case DT_OP_MUL:
		return a * b;
	case DT_OP_DIV:
		return fold_divide(a, b, is_signed);
	case DT_OP_MOD:
		return a - fold_divide(a, b, is_signed) * b;
	case DT_OP_SHL:
		return a << (b & 63);
	case DT_OP_SHR:
		return is_signed ? (uint64_t)((int64_t)a >> (b & 63)) : a >> (b & 63);
	case DT_OP_AND:
		return a & b;
	case DT_OP_OR:
		return a | b;
	case DT_OP_XOR:
		return a ^ b;
	case DT_OP_EQ:
		return a == b;
	case DT_OP_NE:
		return a != b;
	case DT_OP_LT:
		return order < 0;
	case DT_OP_LE:
		return order <= 0;
	case DT_OP_GT:
		return order > 0;
	case DT_OP_GE:
		return order >= 0;
	case DT_OP_LXOR:
		return !a != !b;
	default:
		return 0;
	}
}

/* Turns the node into a constant of its own type. */
static dt_node_t *fold_to(dt_compile_t *c, dt_node_t *n, uint64_t value)
{
	n->value = dt_fold_convert(dt_check_type(c, n), value);
	n->kind = DT_N_INT;
	n->op = DT_OP_NONE;
	n->left = n->right = n->third = NULL;
	return n;
}

static bool is_const(const dt_node_t *n)
{
	return n->kind == DT_N_INT;
}

static dt_node_t *fold_unary(dt_compile_t *c, dt_node_t *n)
{
	uint64_t value = n->left->value;

	if (!is_const(n->left))
		return n;
	switch (n->op) {
	case DT_OP_NEG:
		return fold_to(c, n, -value);
	case DT_OP_BNOT:
		return fold_to(c, n, ~value);
	case DT_OP_LNOT:
		return fold_to(c, n, !value);
	default:
		return fold_to(c, n, value);
	}
}

/* && and || look at the right side only when the left one leaves it open. */
static dt_node_t *fold_logical(dt_compile_t *c, dt_node_t *n)
{
	bool is_or = n->op == DT_OP_LOR;

	if (!is_const(n->left))
		return n;
	if ((n->left->value != 0) == is_or)
		return fold_to(c, n, is_or);
	if (is_const(n->right))
		return fold_to(c, n, n->right->value != 0);
	return n;
}

static dt_node_t *fold_operation(dt_compile_t *c, dt_node_t *n)
{
	const dt_type_t *type;

	if (n->op == DT_OP_LAND || n->op == DT_OP_LOR)
		return fold_logical(c, n);
	if (!is_const(n->right))
		return n;
	if ((n->op == DT_OP_DIV || n->op == DT_OP_MOD) && n->right->value == 0)
		dt_compile_error(c, D_DIV_ZERO, n->line, n->column,
				 "expression contains division by zero");
	if (!is_const(n->left))
		return n;
	type = dt_check_type(c, n->left);
	return fold_to(c, n,
		       fold_binary(n->op, n->left->value, n->right->value,
				   type->kind != DT_K_PTR && type->is_signed));
}

dt_node_t *dt_fold(dt_compile_t *c, dt_node_t *n)
{
	switch (n->kind) {
	case DT_N_UNARY:
		return fold_unary(c, n);
	case DT_N_BINARY:
		return fold_operation(c, n);
	case DT_N_CAST:
		if (is_const(n->left) && dt_check_is_scalar(c, n))
			return fold_to(c, n, n->left->value);
		return n;
	case DT_N_COND:
		if (is_const(n->left))
			return n->left->value != 0 ? n->right : n->third;
		return n;
	case DT_N_COMMA:
		return is_const(n->left) ? n->right : n;
	default:
		return n;
	}
}
