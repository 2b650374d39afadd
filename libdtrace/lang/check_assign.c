/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_assign.c - assignment, op=, ++ and --: what may be assigned to, and what a variable
 * that is declared by its first assignment becomes.
 */
#include "lang/check.h"

#include "lang/translate.h"

static void need_writable(dt_compile_t *c, const dt_node_t *n, const dt_node_t *target,
			  const char *opname)
{
	const dt_node_t *root = dt_check_lvalue_root(target), *part;
	const dt_type_t *type =
	    root == target && root->ident != NULL ? root->ident->type : target->type;
	char name[DT_TYPESTR];

	for (part = target; part != root && !part->is_translated;)
		part = part->left;
	if (part->is_translated || (root->kind != DT_N_DEREF && root->kind != DT_N_VAR &&
				    root->kind != DT_N_INDEX))
		dt_compile_error(c, D_OP_LVAL, n->line, n->column,
				 "operator %s can only be applied to an lvalue", opname);
	if (root->ident != NULL &&
	    (root->ident->kind == DT_I_BUILTIN || root->ident->kind == DT_I_KSYM))
		dt_compile_error(
		    c, D_OP_WRITE, n->line, n->column,
		    "operator %s can only be applied to a writable variable: %s", opname,
		    dt_ident_display(root->ident, name, sizeof(name)));
	if (dt_type_qualifiers(type) & DT_TQ_CONST)
		dt_compile_error(c, D_OP_WRITE, n->line, n->column,
				 "operator %s cannot be applied to \"%s\": it is const",
				 opname, dt_type_name(type, name, sizeof(name)));
}

static void need_whole(dt_compile_t *c, const dt_node_t *n, const dt_node_t *target,
		       const char *opname)
{
	dt_kind_t kind = dt_check_type(c, target)->kind;
	char name[DT_TYPESTR];

	if (kind == DT_K_ARRAY || kind == DT_K_FUNC)
		dt_compile_error(c, D_OP_ARRFUN, n->line, n->column,
				 "operator %s may not be applied to operand of type \"%s\"",
				 opname, dt_type_name(target->type, name, sizeof(name)));
}

/* What op= asks of its operands, which are not two integers. */
static _Noreturn void bad_operation(dt_compile_t *c, const dt_node_t *n, const char *opname)
{
	bool left_is_int = dt_check_is_int(c, n->left);

	if (n->op == DT_OP_MUL || n->op == DT_OP_DIV)
		dt_check_badoperand(c, n, D_OP_ARITH, opname, "arithmetic",
				    left_is_int ? n->right : n->left);
	if (n->op != DT_OP_ADD && n->op != DT_OP_SUB)
		dt_check_badoperand(c, n, D_OP_INT, opname, "integer",
				    left_is_int ? n->right : n->left);
	if (!dt_check_is_string(c, n->left) && !dt_check_is_string(c, n->right) &&
	    !dt_check_is_sized_pointer(c, n->left))
		dt_check_badoperand(c, n, D_OP_VFPTR, opname, "sized pointer", n->left);
	dt_check_badpair(c, n, opname, n->left, n->right);
}

/* op=: the right side takes the type that the operation is done in (tree.h). */
static dt_node_t *assign_operation(dt_compile_t *c, dt_node_t *n, const char *opname)
{
	dt_node_t *probe;

	if (dt_check_is_sized_pointer(c, n->left) &&
	    (n->op == DT_OP_ADD || n->op == DT_OP_SUB) && dt_check_is_int(c, n->right)) {
		probe = dt_check_offset(c, n->op, n->left, n->right);
		return probe->right;
	}
	if (!dt_check_is_int(c, n->left) || !dt_check_is_int(c, n->right))
		bad_operation(c, n, opname);
	if ((n->op == DT_OP_DIV || n->op == DT_OP_MOD) && dt_check_is_zero(c, n->right))
		dt_compile_error(c, D_DIV_ZERO, n->line, n->column,
				 "expression contains division by zero");
	if (n->op == DT_OP_SHL || n->op == DT_OP_SHR)
		return dt_check_promote(c, n->right);
	return dt_check_convert(c, n->right, dt_check_common_type(c, n->left, n->right));
}

/* What a variable takes its type from; its declaration when this assignment is the first.
 */
static dt_type_t *declared_type(dt_compile_t *c, const dt_node_t *n, dt_node_t *right)
{
	const dt_type_t *type = dt_check_type(c, right);
	/* An empty struct is nothing to declare a variable by. */
	bool is_nothing = type->size == 0 && type->kind != DT_K_STRING &&
			  n->left->kind != DT_N_MEMBER && n->left->kind != DT_N_DEREF;
	dt_type_t *declared = right->type;
	char name[DT_TYPESTR];

	switch (is_nothing || dt_check_is_incomplete(type) ? DT_K_FORWARD : type->kind) {
	case DT_K_INT:
	case DT_K_ENUM:
	case DT_K_PTR:
	case DT_K_STRING:
	case DT_K_STRUCT:
	case DT_K_UNION:
		/* A variable is not const because its first value was. */
		while (declared->kind == DT_K_TYPEDEF && declared->name == NULL)
			declared = declared->ref;
		/* But what it points to stays where it is. */
		return type->kind == DT_K_PTR && right->is_userland
			   ? dt_type_qualified(c->hdl, declared, DT_TQ_USERLAND)
			   : declared;
	default:
		dt_compile_error(c, D_OP_INCOMPAT, n->line, n->column,
				 "a value of type \"%s\" cannot be assigned to a variable",
				 dt_check_typename(right, name, sizeof(name)));
	}
}

/*
 * variable = xlate<T>(value): the variable keeps the value, and is from then on translated
 * wherever it is read.
 */
static dt_node_t *assign_translation(dt_compile_t *c, dt_node_t *n, dt_node_t *right)
{
	dt_node_t *value = right->left, *target;
	dt_ident_t *ident;

	if (n->left->kind != DT_N_NAME)
		dt_check_leftover(c, right);
	target = dt_check_target(c, n->left, declared_type(c, n, value), "=");
	if (target->kind == DT_N_XLATE) {
		if (!dt_check_is_same_type(c, target->type, right->type) ||
		    target->translator != right->translator)
			dt_check_badpair(c, n, "=", target, right);
		target = target->left;
	} else {
		/* Only its first assignment makes a variable a translated one. */
		ident = target->kind == DT_N_VAR ? target->ident : NULL;
		if (ident == NULL || ident->kind != DT_I_VAR ||
		    ident->order + 1 != c->hdl->nidents)
			dt_check_badpair(c, n, "=", target, right);
		ident->xlate_type = right->type;
	}
	n->left = target;
	n->right = dt_check_assignable(c, value, target->type);
	n->type = target->type;
	if (n->right == NULL)
		dt_check_badpair(c, n, "=", target, right);
	return n;
}

/* The name that an assignment declares, if it does; NULL: it cannot declare any. */
static const char *target_name(const dt_node_t *n)
{
	if (n->kind == DT_N_INDEX)
		n = n->left;
	return n->kind == DT_N_NAME && n->value == DT_SCOPE_GLOBAL ? n->string : NULL;
}

dt_node_t *dt_check_assign(dt_compile_t *c, dt_node_t *n)
{
	const char *opname = dt_check_opname(n->op, true), *outer = c->assigning;
	dt_node_t *right, *converted;

	c->assigning = target_name(n->left);
	right = dt_check_expr(c, n->right);
	c->assigning = outer;

	if (n->op == DT_OP_NONE && right->kind == DT_N_XLATE)
		return assign_translation(c, n, right);

	if (n->op != DT_OP_NONE) {
		n->right = dt_check_decay(c, right);
		n->left = dt_check_target(c, n->left, c->hdl->types.int64, opname);
		n->type = n->left->type;
		n->right = assign_operation(c, n, opname);
		need_writable(c, n, n->left, opname);
		return n;
	}

	if (dt_check_is_actcall(right))
		dt_check_leftover(c, right);
	if (dt_check_type(c, right)->kind != DT_K_ARRAY || !dt_check_is_strlike(c, right))
		right = dt_check_decay(c, right);
	n->left = dt_check_target(c, n->left,
				  dt_check_type(c, right)->kind == DT_K_ARRAY
				      ? c->hdl->types.string
				      : declared_type(c, n, right),
				  opname);
	need_whole(c, n, n->left, opname);
	n->type = n->left->type;
	converted = dt_check_assignable(c, right, n->type);
	/* Assigning 0 to what is no scalar lets go of its value. */
	if (converted == NULL && dt_check_is_zero(c, right) &&
	    !dt_check_is_scalar(c, n->left))
		converted = right;
	if (converted == NULL)
		dt_check_badpair(c, n, opname, n->left, right);
	need_writable(c, n, n->left, opname);
	n->right = converted;
	return n;
}

dt_node_t *dt_check_incdec(dt_compile_t *c, dt_node_t *n)
{
	const char *opname = dt_check_opname(n->op, false);

	n->left = dt_check_target(c, n->left, c->hdl->types.int64, opname);
	dt_check_need_scalar(c, n, n->left);
	if (dt_check_is_vfptr(c, n->left))
		dt_check_badoperand(c, n, D_OP_VFPTR, opname, "sized pointer", n->left);
	need_writable(c, n, n->left, opname);
	n->type = n->left->type;
	n->value = dt_check_is_int(c, n) ? 1 : dt_check_pointee_size(c, n->left, opname);
	return n;
}
