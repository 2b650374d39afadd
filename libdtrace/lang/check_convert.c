/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_convert.c - conversions. Integers follow C on LP64: what is narrower than int
 * becomes int, then both sides take the wider type, unsigned where C says so. A
 * conversion becomes a DT_N_CAST node, so that code generation never has to think of it;
 * where a register holds the same bits in both types (pid_t and int) there is no node.
 *
 * Pointers and integers are converted to each other by casts alone, but for the constant 0.
 */
#include "lang/check.h"

#include <string.h>

/* ---- What a type is --------------------------------------------------------- */

dt_type_t *dt_check_type(dt_compile_t *c, const dt_node_t *n)
{
	return dt_type_resolve(c->hdl, n->type);
}

dt_type_t *dt_check_pointer_to(dt_compile_t *c, dt_type_t *type)
{
	dt_type_t *pointer = dt_type_pointer(c->hdl, type);

	if (pointer == NULL)
		dt_compile_error(c, D_NOMEM, 0, 0, "out of memory");
	return pointer;
}

static bool is_int(const dt_type_t *type)
{
	return type->kind == DT_K_INT || type->kind == DT_K_ENUM;
}

bool dt_check_is_int(dt_compile_t *c, const dt_node_t *n)
{
	return is_int(dt_check_type(c, n));
}

bool dt_check_is_scalar(dt_compile_t *c, const dt_node_t *n)
{
	const dt_type_t *type = dt_check_type(c, n);

	return is_int(type) || type->kind == DT_K_PTR;
}

bool dt_check_is_string(dt_compile_t *c, const dt_node_t *n)
{
	return dt_check_type(c, n)->kind == DT_K_STRING;
}

bool dt_check_is_strlike(dt_compile_t *c, const dt_node_t *n)
{
	const dt_type_t *type = dt_check_type(c, n);

	if (type->kind == DT_K_STRING)
		return true;
	return (type->kind == DT_K_PTR || type->kind == DT_K_ARRAY) &&
	       dt_type_resolve(c->hdl, type->ref)->is_char;
}

bool dt_check_is_bytes(dt_compile_t *c, const dt_node_t *n)
{
	const dt_type_t *type = dt_check_type(c, n), *element;

	if (type->kind != DT_K_ARRAY)
		return false;
	element = dt_type_resolve(c->hdl, type->ref);
	return element->is_char && element->is_signed != c->hdl->types.char_->is_signed;
}

bool dt_check_is_incomplete(const dt_type_t *type)
{
	switch (type->kind) {
	case DT_K_FORWARD:
		return true;
	case DT_K_STRUCT:
	case DT_K_UNION:
	case DT_K_ENUM:
		return !type->complete;
	default:
		return false;
	}
}

bool dt_check_is_zero(dt_compile_t *c, const dt_node_t *n)
{
	return n->kind == DT_N_INT && n->value == 0 && dt_check_is_scalar(c, n);
}

bool dt_check_is_vfptr(dt_compile_t *c, const dt_node_t *n)
{
	const dt_type_t *type = dt_check_type(c, n);
	dt_kind_t kind;

	if (type->kind != DT_K_PTR)
		return false;
	kind = dt_type_resolve(c->hdl, type->ref)->kind;
	return kind == DT_K_VOID || kind == DT_K_FUNC;
}

bool dt_check_is_dynamic(const dt_node_t *n)
{
	return n->kind == DT_N_AGG || n->kind == DT_N_XLATE;
}

bool dt_check_is_actcall(const dt_node_t *n)
{
	return n->kind == DT_N_CALL && n->ident == NULL;
}

bool dt_check_is_same_type(dt_compile_t *c, dt_type_t *a, dt_type_t *b)
{
	a = dt_type_resolve(c->hdl, a);
	b = dt_type_resolve(c->hdl, b);
	if (a == b)
		return true;
	if (is_int(a) && is_int(b))
		return a->size == b->size && a->is_signed == b->is_signed;
	if (a->kind != b->kind)
		return false;
	if (a->kind == DT_K_PTR || a->kind == DT_K_ARRAY)
		return a->count == b->count && dt_check_is_same_type(c, a->ref, b->ref);
	return a->name != NULL && b->name != NULL && strcmp(a->name, b->name) == 0;
}

bool dt_check_is_userland(dt_compile_t *c, const dt_node_t *n)
{
	const dt_type_t *type = dt_check_type(c, n);

	return type->kind == DT_K_PTR &&
	       (dt_type_qualifiers(n->type) | dt_type_qualifiers(type->ref)) &
		   DT_TQ_USERLAND;
}

/* ---- Conversions -------------------------------------------------------------- */

dt_node_t *dt_check_node(dt_compile_t *c, const dt_node_t *at, dt_nodekind_t kind,
			 dt_type_t *type, dt_node_t *left)
{
	dt_node_t *n = dt_node_new(c, kind, at->line, at->column);

	n->type = type;
	n->left = left;
	return n;
}

dt_node_t *dt_check_new_int(dt_compile_t *c, const dt_node_t *at, dt_type_t *type,
			    uint64_t value)
{
	dt_node_t *n = dt_check_node(c, at, DT_N_INT, type, NULL);

	n->value = value;
	return n;
}

/* A register holds the same bits for a value of either type. */
static bool is_same_register(const dt_type_t *a, const dt_type_t *b)
{
	return is_int(a) && is_int(b) && a->size == b->size &&
	       a->is_signed == b->is_signed && a->is_bool == b->is_bool;
}

dt_node_t *dt_check_convert(dt_compile_t *c, dt_node_t *n, dt_type_t *type)
{
	const dt_type_t *from = dt_check_type(c, n), *to = dt_type_resolve(c->hdl, type);

	if (from == to)
		return n;
	if (n->kind == DT_N_INT && to->kind != DT_K_STRING) {
		n->value = dt_fold_convert(to, n->value);
		n->type = type;
		return n;
	}
	if (is_same_register(from, to))
		return n;
	return dt_check_node(c, n, DT_N_CAST, type, n);
}

const dt_node_t *dt_check_lvalue_root(const dt_node_t *n)
{
	while (n->kind == DT_N_MEMBER)
		n = n->left;
	return n;
}

bool dt_check_lies_in_userland(const dt_node_t *n)
{
	const dt_node_t *root = dt_check_lvalue_root(n);

	return root->kind == DT_N_DEREF && root->left->is_userland;
}

dt_node_t *dt_check_decay(dt_compile_t *c, dt_node_t *n)
{
	dt_type_t *type = dt_check_type(c, n);
	dt_node_t *pointer;

	if (type->kind != DT_K_ARRAY && type->kind != DT_K_FUNC)
		return n;
	pointer = dt_check_node(
	    c, n, DT_N_ADDR,
	    dt_check_pointer_to(c, type->kind == DT_K_ARRAY ? type->ref : type), n);
	pointer->is_userland = dt_check_lies_in_userland(n);
	return pointer;
}

dt_node_t *dt_check_as_chars(dt_compile_t *c, dt_node_t *n)
{
	if (!dt_check_is_string(c, n))
		return n;
	return dt_check_convert(c, n, dt_check_pointer_to(c, c->hdl->types.char_));
}

dt_type_t *dt_check_promoted(dt_compile_t *c, const dt_node_t *n)
{
	dt_type_t *type = dt_check_type(c, n);
	uint64_t bits = 8 * type->size;

	if (n->kind == DT_N_MEMBER && n->bit_size != 0)
		bits = n->bit_size;
	if (bits < 32)
		return c->hdl->types.int_;
	if (type->kind == DT_K_ENUM || bits < 8 * type->size) {
		if (type->size > 4)
			return type->is_signed ? c->hdl->types.long_ : c->hdl->types.ulong;
		return type->is_signed ? c->hdl->types.int_ : c->hdl->types.uint;
	}
	return n->type;
}

dt_node_t *dt_check_promote(dt_compile_t *c, dt_node_t *n)
{
	return dt_check_convert(c, n, dt_check_promoted(c, n));
}

dt_type_t *dt_check_common_type(dt_compile_t *c, const dt_node_t *left,
				const dt_node_t *right)
{
	dt_type_t *a = dt_check_promoted(c, left), *b = dt_check_promoted(c, right);
	const dt_type_t *ra = dt_type_resolve(c->hdl, a), *rb = dt_type_resolve(c->hdl, b);

	if (ra->size != rb->size)
		return ra->size > rb->size ? a : b;
	return rb->is_signed ? a : b;
}

dt_node_t *dt_check_assignable(dt_compile_t *c, dt_node_t *n, dt_type_t *type)
{
	const dt_type_t *to = dt_type_resolve(c->hdl, type), *from;

	if (to->kind == DT_K_STRING && !dt_check_is_strlike(c, n))
		return NULL;
	if (to->kind == DT_K_STRING)
		return dt_check_convert(c, n, c->hdl->types.string);
	n = dt_check_decay(c, n);
	from = dt_check_type(c, n);
	if (is_int(to) || to->kind == DT_K_PTR) {
		if (!is_int(from) && from->kind != DT_K_PTR)
			return NULL;
		if (is_int(to) != is_int(from) && (is_int(to) || !dt_check_is_zero(c, n)))
			return NULL;
		if (to->kind == DT_K_PTR && from->kind == DT_K_PTR &&
		    !dt_type_compatible(c->hdl, n->type, type))
			return NULL;
		return dt_check_convert(c, n, type);
	}
	if (to->kind != DT_K_STRUCT && to->kind != DT_K_UNION)
		return NULL;
	return from->kind == to->kind && dt_type_compatible(c->hdl, n->type, type) ? n
										   : NULL;
}

/* ---- Pointers ------------------------------------------------------------------- */

uint64_t dt_check_pointee_size(dt_compile_t *c, const dt_node_t *n, const char *opname)
{
	const dt_type_t *target = dt_type_resolve(c->hdl, dt_check_type(c, n)->ref);
	char name[DT_TYPESTR];

	if (target->kind == DT_K_VOID || target->kind == DT_K_FUNC)
		return 1;
	if (dt_check_is_incomplete(target))
		dt_compile_error(
		    c, D_OP_INCOMPLETE, n->line, n->column,
		    "operator %s cannot be applied to a pointer to \"%s\", whose "
		    "size is not known",
		    opname, dt_type_name(target, name, sizeof(name)));
	return target->size;
}

dt_node_t *dt_check_offset(dt_compile_t *c, dt_op_t op, dt_node_t *pointer,
			   dt_node_t *index)
{
	uint64_t size = dt_check_pointee_size(c, pointer, op == DT_OP_ADD ? "+" : "-");
	dt_type_t *long_ = c->hdl->types.long_;
	dt_node_t *n;

	index = dt_check_convert(c, index, long_);
	if (size != 1) {
		n = dt_check_node(c, index, DT_N_BINARY, long_, index);
		n->op = DT_OP_MUL;
		n->right = dt_check_new_int(c, index, long_, size);
		index = dt_fold(c, n);
	}
	n = dt_check_node(c, pointer, DT_N_BINARY, pointer->type, pointer);
	n->op = op;
	n->right = index;
	n->is_userland = pointer->is_userland;
	return dt_fold(c, n);
}
