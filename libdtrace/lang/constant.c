/* SPDX-License-Identifier: Apache-2.0 */
/*
 * constant.c - integer constants that the parser must know at once: the sizes of arrays,
 * the widths of bit-fields, the values of enumerators, and inline constants. What is
 * folded of a program's own expressions is the checker's affair (fold.c).
 *
 * Values are computed in 64 bits, unsigned where an operand is an unsigned 64-bit integer.
 */
#include <string.h>

#include "handle.h"
#include "lang/parse.h"

static bool evaluate_unary(dt_parser_t *p, const dt_node_t *node, dt_constant_t *result)
{
	if (!dt_parse_evaluate(p, node->left, result))
		return false;
	switch (node->op) {
	case DT_OP_NEG:
		result->value = -result->value;
		return true;
	case DT_OP_BNOT:
		result->value = ~result->value;
		return true;
	case DT_OP_LNOT:
		*result = (dt_constant_t){result->value == 0, true};
		return true;
	default:
		return node->op == DT_OP_PLUS;
	}
}

static bool less(const dt_constant_t *a, const dt_constant_t *b, bool is_signed)
{
	return is_signed ? (int64_t)a->value < (int64_t)b->value : a->value < b->value;
}

/* Division; false by zero. The one quotient that does not fit wraps around. */
static bool divide(dt_op_t op, uint64_t a, uint64_t b, bool is_signed, uint64_t *result)
{
	if (b == 0)
		return false;
	if (!is_signed)
		*result = op == DT_OP_DIV ? a / b : a % b;
	else if (b == UINT64_MAX)
		*result = op == DT_OP_DIV ? -a : 0;
	else
		*result = (uint64_t)(op == DT_OP_DIV ? (int64_t)a / (int64_t)b
						     : (int64_t)a % (int64_t)b);
	return true;
}

static bool evaluate_binary(dt_parser_t *p, const dt_node_t *node, dt_constant_t *result)
{
	dt_constant_t a, b;
	bool is_signed, truth;

	if (!dt_parse_evaluate(p, node->left, &a) || !dt_parse_evaluate(p, node->right, &b))
		return false;
	is_signed = a.is_signed && b.is_signed;
	result->is_signed = is_signed;

	switch (node->op) {
	case DT_OP_ADD:
		result->value = a.value + b.value;
		return true;
	case DT_OP_SUB:
		result->value = a.value - b.value;
		return true;
	case DT_OP_MUL:
		result->value = a.value * b.value;
		return true;
	case DT_OP_DIV:
	case DT_OP_MOD:
		return divide(node->op, a.value, b.value, is_signed, &result->value);
	case DT_OP_SHL:
		result->is_signed = a.is_signed;
		result->value = a.value << (b.value & 63);
		return true;
	case DT_OP_SHR:
		result->is_signed = a.is_signed;
		result->value = a.is_signed ? (uint64_t)((int64_t)a.value >> (b.value & 63))
					    : a.value >> (b.value & 63);
		return true;
	case DT_OP_AND:
		result->value = a.value & b.value;
		return true;
	case DT_OP_OR:
		result->value = a.value | b.value;
		return true;
	case DT_OP_XOR:
		result->value = a.value ^ b.value;
		return true;
	case DT_OP_EQ:
		truth = a.value == b.value;
		break;
	case DT_OP_NE:
		truth = a.value != b.value;
		break;
	case DT_OP_LT:
		truth = less(&a, &b, is_signed);
		break;
	case DT_OP_LE:
		truth = !less(&b, &a, is_signed);
		break;
	case DT_OP_GT:
		truth = less(&b, &a, is_signed);
		break;
	case DT_OP_GE:
		truth = !less(&a, &b, is_signed);
		break;
	case DT_OP_LAND:
		truth = a.value != 0 && b.value != 0;
		break;
	case DT_OP_LOR:
		truth = a.value != 0 || b.value != 0;
		break;
	case DT_OP_LXOR:
		truth = (a.value != 0) != (b.value != 0);
		break;
	default:
		return false;
	}
	*result = (dt_constant_t){truth, true};
	return true;
}

/* A cast to an integer type: the value as such a variable would hold it. */
static bool evaluate_cast(dt_parser_t *p, const dt_node_t *node, dt_constant_t *result)
{
	const dt_type_t *type = dt_type_resolve(p->cc->hdl, node->type);
	unsigned unused;

	if ((type->kind != DT_K_INT && type->kind != DT_K_ENUM) || type->size > 8 ||
	    type->size == 0 || !dt_parse_evaluate(p, node->left, result))
		return false;
	if (type->is_bool) {
		result->value = result->value != 0;
	} else {
		unused = 64 - (unsigned)type->size * 8;
		result->value =
		    type->is_signed
			? (uint64_t)((int64_t)(result->value << unused) >> unused)
			: result->value << unused >> unused;
	}
	/* Narrower unsigned integers are promoted to a signed type that holds them. */
	result->is_signed = type->is_signed || type->size < 8;
	return true;
}

/* The value of an inline that was found to be constant when it was declared. What it names
 * is not looked into: it may be itself. */
static bool evaluate_inline(dt_parser_t *p, const dt_ident_t *ident, dt_constant_t *result)
{
	const dt_node_t *body = ident->inline_body;

	if (ident->kind != DT_I_INLINE || body == NULL)
		return false;
	if (body->kind != DT_N_INT &&
	    (body->kind != DT_N_CAST || body->left->kind != DT_N_INT))
		return false;
	return dt_parse_evaluate(p, body, result);
}

/* An enumerator, of the enum that is being read or of another, or an inline constant. */
static bool evaluate_name(dt_parser_t *p, const dt_node_t *node, dt_constant_t *result)
{
	const dt_enumerator_t *enumerator;
	const dt_ident_t *ident;

	if (node->value != DT_SCOPE_GLOBAL)
		return false;
	for (uint32_t i = 0; p->enumparse != NULL && i < p->enumparse->count; i++) {
		enumerator = &p->enumparse->enumerators[i];
		if (strcmp(enumerator->name, node->string) == 0) {
			*result = (dt_constant_t){(uint64_t)enumerator->value, true};
			return true;
		}
	}
	ident = dt_ident_lookup(p->cc->hdl, DT_SCOPE_GLOBAL, node->string);
	if (ident != NULL)
		return evaluate_inline(p, ident, result);
	enumerator = dt_enumerator_lookup(p->cc->hdl, node->string, NULL);
	if (enumerator == NULL)
		return false;
	*result = (dt_constant_t){(uint64_t)enumerator->value, true};
	return true;
}

static bool evaluate_offsetof(dt_parser_t *p, const dt_node_t *node, dt_constant_t *result)
{
	uint32_t bits;

	if (dt_type_member(p->cc->hdl, node->type, node->string, &bits) == NULL)
		return false;
	*result = (dt_constant_t){bits / 8, false};
	return true;
}

bool dt_parse_evaluate(dt_parser_t *p, const dt_node_t *node, dt_constant_t *result)
{
	dt_constant_t condition;

	switch (node->kind) {
	case DT_N_INT:
		*result = (dt_constant_t){node->value,
					  node->type->is_signed || node->type->size < 8};
		return true;
	case DT_N_UNARY:
		return evaluate_unary(p, node, result);
	case DT_N_BINARY:
		return evaluate_binary(p, node, result);
	case DT_N_CAST:
		return evaluate_cast(p, node, result);
	case DT_N_NAME:
		return evaluate_name(p, node, result);
	case DT_N_COND:
		return dt_parse_evaluate(p, node->left, &condition) &&
		       dt_parse_evaluate(p, condition.value ? node->right : node->third,
					 result);
	case DT_N_SIZEOF:
		if (node->type == NULL)
			return false;
		*result =
		    (dt_constant_t){dt_type_resolve(p->cc->hdl, node->type)->size, false};
		return true;
	case DT_N_OFFSETOF:
		return evaluate_offsetof(p, node, result);
	default:
		return false;
	}
}

/* constant: conditional */
int64_t dt_parse_constant(dt_parser_t *p, dt_errtag_t tag, const char *what)
{
	dt_node_t *node = dt_parse_assignment(p);
	dt_constant_t constant;

	if (!dt_parse_evaluate(p, node, &constant))
		dt_compile_error(p->cc, tag, node->line, node->column,
				 "%s must be an integer constant", what);
	return (int64_t)constant.value;
}
