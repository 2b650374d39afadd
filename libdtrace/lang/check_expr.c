/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_expr.c - operators: what their operands may be, and the type of the result. After
 * it pointer arithmetic is scaled, indexing is arithmetic, and both sides of an operator
 * have one type (check_convert.c); constants are folded.
 */
#include "lang/check.h"

#include "lang/translate.h"

const char *dt_check_opname(dt_op_t op, bool assigning)
{
	static const char *const names[][2] = {
	    [DT_OP_NONE] = {"=", "="},	    [DT_OP_ADD] = {"+", "+="},
	    [DT_OP_SUB] = {"-", "-="},	    [DT_OP_MUL] = {"*", "*="},
	    [DT_OP_DIV] = {"/", "/="},	    [DT_OP_MOD] = {"%", "%="},
	    [DT_OP_SHL] = {"<<", "<<="},    [DT_OP_SHR] = {">>", ">>="},
	    [DT_OP_AND] = {"&", "&="},	    [DT_OP_OR] = {"|", "|="},
	    [DT_OP_XOR] = {"^", "^="},	    [DT_OP_EQ] = {"==", "=="},
	    [DT_OP_NE] = {"!=", "!="},	    [DT_OP_LT] = {"<", "<"},
	    [DT_OP_LE] = {"<=", "<="},	    [DT_OP_GT] = {">", ">"},
	    [DT_OP_GE] = {">=", ">="},	    [DT_OP_LAND] = {"&&", "&&"},
	    [DT_OP_LOR] = {"||", "||"},	    [DT_OP_LXOR] = {"^^", "^^"},
	    [DT_OP_NEG] = {"-", "-"},	    [DT_OP_BNOT] = {"~", "~"},
	    [DT_OP_LNOT] = {"!", "!"},	    [DT_OP_PLUS] = {"+", "+"},
	    [DT_OP_PREINC] = {"++", "++"},  [DT_OP_PREDEC] = {"--", "--"},
	    [DT_OP_POSTINC] = {"++", "++"}, [DT_OP_POSTDEC] = {"--", "--"},
	};

	return names[op][assigning];
}

/* ---- Errors ------------------------------------------------------------------ */

_Noreturn void dt_check_badoperand(dt_compile_t *c, const dt_node_t *n, dt_errtag_t tag,
				   const char *opname, const char *needed,
				   const dt_node_t *operand)
{
	char type[DT_TYPESTR];

	dt_compile_error(c, tag, n->line, n->column,
			 "operator %s requires an operand of %s type, not \"%s\"", opname,
			 needed, dt_check_typename(operand, type, sizeof(type)));
}

/* ?: and , need values on both sides. */
static void need_values(dt_compile_t *c, const dt_node_t *n, const char *opname,
			const dt_node_t *left, const dt_node_t *right)
{
	if (dt_check_is_dynamic(left) || dt_check_is_dynamic(right))
		dt_compile_error(c, D_OP_DYN, n->line, n->column,
				 "operator %s needs values: an aggregation or a whole "
				 "translation is none",
				 opname);
	if (dt_check_is_actcall(left) || dt_check_is_actcall(right))
		dt_compile_error(c, D_OP_ACT, n->line, n->column,
				 "operator %s needs values: an action has none", opname);
}

void dt_check_badpair(dt_compile_t *c, const dt_node_t *n, const char *opname,
		      const dt_node_t *left, const dt_node_t *right)
{
	char a[DT_TYPESTR], b[DT_TYPESTR];

	dt_compile_error(c, D_OP_INCOMPAT, n->line, n->column,
			 "operands have incompatible types: \"%s\" %s \"%s\"",
			 dt_check_typename(left, a, sizeof(a)), opname,
			 dt_check_typename(right, b, sizeof(b)));
}

static void need_int(dt_compile_t *c, const dt_node_t *n, const dt_node_t *operand)
{
	bool is_arithmetic = n->op == DT_OP_MUL || n->op == DT_OP_DIV;

	if (!dt_check_is_int(c, operand))
		dt_check_badoperand(c, n, is_arithmetic ? D_OP_ARITH : D_OP_INT,
				    dt_check_opname(n->op, false),
				    is_arithmetic ? "arithmetic" : "integer", operand);
}

void dt_check_need_scalar(dt_compile_t *c, const dt_node_t *n, const dt_node_t *operand)
{
	if (!dt_check_is_scalar(c, operand))
		dt_check_badoperand(c, n, D_OP_SCALAR, dt_check_opname(n->op, false),
				    "scalar", operand);
}

/* ---- Pointer arithmetic -------------------------------------------------------- */

/* (left - right) / size, in long. */
static dt_node_t *pointer_difference(dt_compile_t *c, dt_node_t *n)
{
	uint64_t size = dt_check_pointee_size(c, n->left, "-");
	dt_node_t *quotient;

	if (!dt_type_compatible(c->hdl, n->left->type, n->right->type))
		dt_check_badpair(c, n, "-", n->left, n->right);
	n->type = c->hdl->types.long_;
	n = dt_fold(c, n);
	if (size <= 1)
		return n;
	quotient = dt_check_node(c, n, DT_N_BINARY, n->type, n);
	quotient->op = DT_OP_DIV;
	quotient->right = dt_check_new_int(c, n, n->type, size);
	return dt_fold(c, quotient);
}

/* ---- Binary operators ----------------------------------------------------------- */

static dt_node_t *arithmetic(dt_compile_t *c, dt_node_t *n)
{
	need_int(c, n, n->left);
	need_int(c, n, n->right);
	n->type = dt_check_common_type(c, n->left, n->right);
	n->left = dt_check_convert(c, n->left, n->type);
	n->right = dt_check_convert(c, n->right, n->type);
	return dt_fold(c, n);
}

static dt_node_t *shift(dt_compile_t *c, dt_node_t *n)
{
	need_int(c, n, n->left);
	need_int(c, n, n->right);
	n->type = dt_check_promoted(c, n->left);
	n->left = dt_check_promote(c, n->left);
	n->right = dt_check_promote(c, n->right);
	return dt_fold(c, n);
}

bool dt_check_is_sized_pointer(dt_compile_t *c, const dt_node_t *n)
{
	return dt_check_type(c, n)->kind == DT_K_PTR && !dt_check_is_vfptr(c, n);
}

/* string + n: what is left of the string without its first n characters. */
static dt_node_t *string_offset(dt_compile_t *c, dt_node_t *n)
{
	bool is_left = dt_check_is_string(c, n->left);
	dt_node_t *text = is_left ? n->left : n->right,
		  *index = is_left ? n->right : n->left;

	if (!dt_check_is_int(c, index) || (n->op == DT_OP_SUB && !is_left))
		dt_check_badpair(c, n, dt_check_opname(n->op, false), n->left, n->right);
	text = dt_check_offset(c, n->op, dt_check_as_chars(c, text), index);
	return dt_check_convert(c, text, c->hdl->types.string);
}

static dt_node_t *additive(dt_compile_t *c, dt_node_t *n)
{
	bool left_is_ptr = dt_check_is_sized_pointer(c, n->left),
	     right_is_ptr = dt_check_is_sized_pointer(c, n->right);

	if (dt_check_is_string(c, n->left) || dt_check_is_string(c, n->right))
		return string_offset(c, n);
	if (left_is_ptr && right_is_ptr && n->op == DT_OP_SUB)
		return pointer_difference(c, n);
	if (left_is_ptr && dt_check_is_int(c, n->right))
		return dt_check_offset(c, n->op, n->left, n->right);
	if (right_is_ptr && n->op == DT_OP_ADD && dt_check_is_int(c, n->left))
		return dt_check_offset(c, n->op, n->right, n->left);
	if (!dt_check_is_int(c, n->left) || !dt_check_is_int(c, n->right))
		dt_check_badpair(c, n, dt_check_opname(n->op, false), n->left, n->right);
	return arithmetic(c, n);
}

/* From a string, char * or char []. An array is cast as a whole: its size bounds it. */
static dt_node_t *as_string(dt_compile_t *c, dt_node_t *n)
{
	return dt_check_convert(c, n, c->hdl->types.string);
}

/* A string compared with 0 or NULL is compared with "": that is what an unset one is. */
static dt_node_t *comparand(dt_compile_t *c, dt_node_t *n)
{
	if (dt_check_is_zero(c, n)) {
		n->kind = DT_N_STR;
		n->string = "";
		n->length = 0;
		n->type = c->hdl->types.string;
	}
	return as_string(c, n);
}

static bool can_be_comparand(dt_compile_t *c, const dt_node_t *n)
{
	return dt_check_is_strlike(c, n) || dt_check_is_zero(c, n);
}

static dt_node_t *comparison(dt_compile_t *c, dt_node_t *n)
{
	const char *opname = dt_check_opname(n->op, false);
	dt_type_t *left, *right;

	if (dt_check_is_string(c, n->left) || dt_check_is_string(c, n->right)) {
		if (!can_be_comparand(c, n->left) || !can_be_comparand(c, n->right))
			dt_check_badpair(c, n, opname, n->left, n->right);
		n->left = comparand(c, n->left);
		n->right = comparand(c, n->right);
		n->type = c->hdl->types.int_;
		return n;
	}

	n->left = dt_check_decay(c, n->left);
	n->right = dt_check_decay(c, n->right);
	if (!dt_check_is_scalar(c, n->left) || !dt_check_is_scalar(c, n->right))
		dt_check_badpair(c, n, opname, n->left, n->right);
	left = n->left->type;
	right = n->right->type;
	if (dt_check_is_int(c, n->left) && dt_check_is_int(c, n->right)) {
		n = arithmetic(c, n);
		if (n->kind == DT_N_INT) {
			n->type = c->hdl->types.int_;
			return n;
		}
	} else if (dt_check_is_int(c, n->left) && dt_check_is_zero(c, n->left)) {
		n->left = dt_check_convert(c, n->left, right);
	} else if (dt_check_is_int(c, n->right) && dt_check_is_zero(c, n->right)) {
		n->right = dt_check_convert(c, n->right, left);
	} else if (dt_check_is_int(c, n->left) || dt_check_is_int(c, n->right)) {
		dt_check_badpair(c, n, opname, n->left, n->right);
	} else if (!dt_type_compatible(c->hdl, left, right)) {
		dt_check_badpair(c, n, opname, n->left, n->right);
	}
	n->type = c->hdl->types.int_;
	return dt_fold(c, n);
}

static dt_node_t *logical(dt_compile_t *c, dt_node_t *n)
{
	dt_check_need_scalar(c, n, n->left);
	dt_check_need_scalar(c, n, n->right);
	n->type = c->hdl->types.int_;
	return dt_fold(c, n);
}

static dt_node_t *binary(dt_compile_t *c, dt_node_t *n)
{
	n->left = dt_check_expr(c, n->left);
	n->right = dt_check_expr(c, n->right);
	switch (n->op) {
	case DT_OP_EQ:
	case DT_OP_NE:
	case DT_OP_LT:
	case DT_OP_LE:
	case DT_OP_GT:
	case DT_OP_GE:
		return comparison(c, n);
	default:
		break;
	}

	n->left = dt_check_decay(c, n->left);
	n->right = dt_check_decay(c, n->right);
	switch (n->op) {
	case DT_OP_LAND:
	case DT_OP_LOR:
	case DT_OP_LXOR:
		return logical(c, n);
	case DT_OP_ADD:
	case DT_OP_SUB:
		return additive(c, n);
	case DT_OP_SHL:
	case DT_OP_SHR:
		return shift(c, n);
	default:
		return arithmetic(c, n);
	}
}

/* ---- Unary operators ------------------------------------------------------------ */

static dt_node_t *unary(dt_compile_t *c, dt_node_t *n)
{
	n->left = dt_check_value(c, n->left);
	if (n->op == DT_OP_LNOT) {
		dt_check_need_scalar(c, n, n->left);
		n->type = c->hdl->types.int_;
		return dt_fold(c, n);
	}
	if (!dt_check_is_int(c, n->left))
		dt_check_badoperand(c, n, n->op == DT_OP_BNOT ? D_OP_INT : D_OP_ARITH,
				    dt_check_opname(n->op, false),
				    n->op == DT_OP_BNOT ? "integer" : "arithmetic",
				    n->left);
	n->type = dt_check_promoted(c, n->left);
	n->left = dt_check_promote(c, n->left);
	return dt_fold(c, n);
}

static dt_node_t *deref(dt_compile_t *c, dt_node_t *n)
{
	dt_type_t *type, *target;

	n->left = dt_check_value(c, n->left);
	n->left = dt_check_as_chars(c, n->left);
	type = dt_check_type(c, n->left);
	if (type->kind != DT_K_PTR)
		dt_check_badoperand(c, n, D_DEREF_NONPTR, "*", "pointer", n->left);
	target = dt_type_resolve(c->hdl, type->ref);
	if (target->kind == DT_K_VOID)
		dt_compile_error(c, D_DEREF_VOID, n->line, n->column,
				 "cannot dereference pointer to void");
	if (target->kind == DT_K_FUNC)
		dt_compile_error(c, D_DEREF_FUNC, n->line, n->column,
				 "cannot dereference pointer to function");
	n->type = type->ref;
	return n;
}

static dt_node_t *address(dt_compile_t *c, dt_node_t *n)
{
	const dt_node_t *root;

	if (n->left->kind == DT_N_NAME && n->left->value == DT_NAME_KERNEL)
		return dt_check_symbol_address(c, n, n->left);
	n->left = dt_check_expr(c, n->left);
	/* DTrace may move a variable; the Guide, "Pointers to DTrace Objects". */
	if (n->left->kind == DT_N_VAR || n->left->kind == DT_N_INDEX ||
	    dt_check_is_dynamic(n->left))
		dt_compile_error(c, D_ADDROF_VAR, n->line, n->column,
				 "cannot take the address of a variable of D");
	root = dt_check_lvalue_root(n->left);
	if ((root->kind != DT_N_VAR && root->kind != DT_N_INDEX &&
	     root->kind != DT_N_DEREF) ||
	    dt_check_type(c, n->left)->kind == DT_K_ARRAY)
		dt_compile_error(c, D_ADDROF_LVAL, n->line, n->column,
				 "operator & requires an lvalue as its operand");
	if (n->left->kind == DT_N_MEMBER && n->left->bit_size != 0)
		dt_compile_error(c, D_ADDROF_BITFIELD, n->line, n->column,
				 "cannot take the address of a bit-field");
	n->type = dt_check_pointer_to(c, n->left->type);
	n->is_userland = dt_check_lies_in_userland(n->left);
	/* &*p is p. */
	if (n->left->kind == DT_N_DEREF) {
		n->left->left->type = n->type;
		return n->left->left;
	}
	return n;
}

/* ---- ?: , casts and the operators that are folded --------------------------------- */

/* NULL stands in for an empty string beside one. */
static bool is_string_pair(dt_compile_t *c, const dt_node_t *n)
{
	return (dt_check_is_string(c, n->right) || dt_check_is_string(c, n->third)) &&
	       can_be_comparand(c, n->right) && can_be_comparand(c, n->third);
}

/* Two pointers, or a pointer and an integer: the type that says more. */
static void choose_pointer(dt_compile_t *c, dt_node_t *n)
{
	const dt_type_t *a = dt_check_type(c, n->right), *b = dt_check_type(c, n->third);
	bool both = a->kind == DT_K_PTR && b->kind == DT_K_PTR;

	if (!dt_check_is_scalar(c, n->right) || !dt_check_is_scalar(c, n->third) ||
	    (both && !dt_type_compatible(c->hdl, n->right->type, n->third->type)) ||
	    (!both && !dt_check_is_zero(c, a->kind == DT_K_PTR ? n->third : n->right)))
		dt_check_badpair(c, n, ":", n->right, n->third);
	if (both)
		n->type = dt_type_resolve(c->hdl, a->ref)->kind == DT_K_VOID
			      ? n->third->type
			      : n->right->type;
	else
		n->type = a->kind == DT_K_PTR ? n->right->type : n->third->type;
	if (!both && a->kind == DT_K_PTR)
		n->third = dt_check_convert(c, n->third, n->type);
	else if (!both)
		n->right = dt_check_convert(c, n->right, n->type);
	n->is_userland = n->right->is_userland || n->third->is_userland;
}

static void need_condition(dt_compile_t *c, const dt_node_t *n)
{
	char type[DT_TYPESTR];

	if (dt_check_is_scalar(c, n->left))
		return;
	if (!n->is_if)
		dt_check_badoperand(c, n, D_OP_SCALAR, "?:", "scalar", n->left);
	dt_compile_error(c, D_OP_SCALAR, n->line, n->column,
			 "the condition of if must be of scalar type, not \"%s\"",
			 dt_check_typename(n->left, type, sizeof(type)));
}

static dt_node_t *conditional(dt_compile_t *c, dt_node_t *n)
{
	n->left = dt_check_value(c, n->left);
	need_condition(c, n);
	n->right = dt_check_expr(c, n->right);
	n->third = dt_check_expr(c, n->third);
	need_values(c, n, "?:", n->right, n->third);
	if (is_string_pair(c, n)) {
		n->right = comparand(c, n->right);
		n->third = comparand(c, n->third);
		n->type = c->hdl->types.string;
		return dt_fold(c, n);
	}

	n->right = dt_check_decay(c, n->right);
	n->third = dt_check_decay(c, n->third);
	if (dt_check_is_int(c, n->right) && dt_check_is_int(c, n->third)) {
		n->type = dt_check_common_type(c, n->right, n->third);
		n->right = dt_check_convert(c, n->right, n->type);
		n->third = dt_check_convert(c, n->third, n->type);
	} else if (dt_check_type(c, n->right)->kind == DT_K_VOID &&
		   dt_check_type(c, n->third)->kind == DT_K_VOID) {
		n->type = n->right->type;
	} else {
		choose_pointer(c, n);
	}
	return dt_fold(c, n);
}

static dt_node_t *cast(dt_compile_t *c, dt_node_t *n)
{
	const dt_type_t *to = dt_check_type(c, n);
	char a[DT_TYPESTR], b[DT_TYPESTR];
	dt_node_t *left = dt_check_expr(c, n->left);
	bool is_allowed;

	if (to->kind == DT_K_STRING) {
		is_allowed = dt_check_is_strlike(c, left) || dt_check_is_scalar(c, left);
	} else {
		left = dt_check_decay(c, left);
		/* A string lies in memory: it has an address. */
		is_allowed = to->kind == DT_K_VOID ||
			     (dt_check_is_scalar(c, n) && dt_check_is_scalar(c, left)) ||
			     (to->kind == DT_K_PTR && dt_check_is_string(c, left));
	}
	if (!is_allowed)
		dt_compile_error(c, n->is_stringof ? D_STRINGOF_TYPE : D_CAST_INVAL,
				 n->line, n->column,
				 "invalid cast expression: \"%s\" to \"%s\"",
				 dt_check_typename(left, a, sizeof(a)),
				 dt_type_name(n->type, b, sizeof(b)));
	if (to->kind == DT_K_STRING && dt_check_is_string(c, left))
		return left;
	if (left->kind == DT_N_XLATE && dt_check_is_same_type(c, left->type, n->type))
		return left;
	n->left = left;
	n->is_userland = left->is_userland && to->kind == DT_K_PTR;
	return dt_fold(c, n);
}

static dt_node_t *comma(dt_compile_t *c, dt_node_t *n)
{
	n->left = dt_check_expr(c, n->left);
	n->right = dt_check_value(c, n->right);
	need_values(c, n, ",", n->left, n->right);
	n->type = n->right->type;
	return dt_fold(c, n);
}

static dt_node_t *size_of(dt_compile_t *c, dt_node_t *n)
{
	const dt_type_t *type;
	char name[DT_TYPESTR];
	uint64_t size;

	if (n->left != NULL) {
		n->left = dt_check_expr(c, n->left);
		if (n->left->kind == DT_N_MEMBER && n->left->bit_size != 0)
			dt_compile_error(c, D_SIZEOF_BITFIELD, n->line, n->column,
					 "cannot apply sizeof to a bit-field");
		n->type = n->left->type;
	}
	type = dt_check_type(c, n);
	size = type->size;
	if (type->kind == DT_K_STRING && c->hdl->options[DT_OPT_STRSIZE] > 0)
		size = (uint64_t)c->hdl->options[DT_OPT_STRSIZE];
	if (type->kind == DT_K_VOID || type->kind == DT_K_FUNC || type->kind == DT_K_DYN ||
	    dt_check_is_incomplete(type))
		dt_compile_error(c, D_SIZEOF_TYPE, n->line, n->column,
				 "cannot apply sizeof to \"%s\", whose size is not known",
				 n->left != NULL
				     ? dt_check_typename(n->left, name, sizeof(name))
				     : dt_type_name(n->type, name, sizeof(name)));
	return dt_check_new_int(c, n, c->hdl->types.size, size);
}

static dt_node_t *offset_of(dt_compile_t *c, dt_node_t *n)
{
	const dt_type_t *type = dt_check_type(c, n);
	const dt_member_t *member;
	char name[DT_TYPESTR];
	uint32_t bits = 0;

	if (type->kind != DT_K_STRUCT && type->kind != DT_K_UNION)
		dt_compile_error(c, D_OFFSETOF_TYPE, n->line, n->column,
				 "offsetof requires a struct or union type, not \"%s\"",
				 dt_type_name(n->type, name, sizeof(name)));
	member = dt_type_member(c->hdl, n->type, n->string, &bits);
	if (member == NULL)
		dt_compile_error(c, D_TYPE_MEMBER, n->line, n->column,
				 "%s is not a member of %s", n->string,
				 dt_type_name(n->type, name, sizeof(name)));
	if (member->bit_size != 0)
		dt_compile_error(c, D_OFFSETOF_BITFIELD, n->line, n->column,
				 "cannot take the offset of bit-field %s", n->string);
	return dt_check_new_int(c, n, c->hdl->types.size, bits / 8);
}

/* ---- The entries -------------------------------------------------------------------- */

/* Nothing takes an aggregation as a value: whoever finds it here raises an error. */
static dt_node_t *aggregation(dt_compile_t *c, dt_node_t *n)
{
	const dt_ident_t *ident = dt_agg_lookup(c->hdl, n->string);

	if (ident == NULL || ident->aggfunc == 0)
		dt_compile_error(c, D_IDENT_UNDEF, n->line, n->column,
				 "failed to resolve @%s: Unknown aggregation name",
				 n->string);
	n->type = c->hdl->types.dyn;
	c->has_leftover = true;
	return n;
}

static dt_node_t *check_kind(dt_compile_t *c, dt_node_t *n)
{
	dt_node_t *value;

	switch (n->kind) {
	case DT_N_INT:
		if (n->type == NULL)
			n->type = c->hdl->types.int_;
		return n;
	case DT_N_STR:
		n->type = c->hdl->types.string;
		return n;
	case DT_N_NAME:
		return dt_check_name(c, n);
	case DT_N_INDEX:
		return dt_check_index(c, n);
	case DT_N_MEMBER:
		return dt_check_member(c, n);
	case DT_N_CALL:
		return dt_check_call(c, n);
	case DT_N_UNARY:
		return unary(c, n);
	case DT_N_DEREF:
		return deref(c, n);
	case DT_N_ADDR:
		return address(c, n);
	case DT_N_BINARY:
		return binary(c, n);
	case DT_N_COND:
		return conditional(c, n);
	case DT_N_ASSIGN:
		return dt_check_assign(c, n);
	case DT_N_INCDEC:
		return dt_check_incdec(c, n);
	case DT_N_CAST:
		return cast(c, n);
	case DT_N_COMMA:
		return comma(c, n);
	case DT_N_SIZEOF:
		return size_of(c, n);
	case DT_N_OFFSETOF:
		return offset_of(c, n);
	case DT_N_AGG:
		return aggregation(c, n);
	case DT_N_XLATE:
		value = dt_check_expr(c, n->left);
		return dt_check_xlate(c, n, n->type, dt_check_decay(c, value));
	default:
		return n;
	}
}

dt_node_t *dt_check_expr(dt_compile_t *c, dt_node_t *n)
{
	n->next = NULL;
	if (n->is_checked)
		return n;
	n = check_kind(c, n);
	if (dt_check_is_string(c, n))
		n->type = c->hdl->types.string; /* without typedefs and qualifiers */
	n->is_userland = n->is_userland || dt_check_is_userland(c, n) ||
			 (dt_check_type(c, n)->kind == DT_K_PTR && dt_check_lies_in_userland(n));
	n->is_checked = true;
	return n;
}

dt_node_t *dt_check_datum(dt_compile_t *c, dt_node_t *n)
{
	n = dt_check_expr(c, n);
	switch (dt_check_type(c, n)->kind) {
	case DT_K_ARRAY:
		return dt_check_is_strlike(c, n)
			   ? dt_check_convert(c, n, c->hdl->types.string)
			   : n;
	case DT_K_FUNC:
		return dt_check_decay(c, n);
	default:
		return n;
	}
}

dt_node_t *dt_check_value(dt_compile_t *c, dt_node_t *n)
{
	return dt_check_decay(c, dt_check_expr(c, n));
}

dt_node_t *dt_check_const(dt_compile_t *c, dt_node_t *n, dt_errtag_t tag, const char *what)
{
	n = dt_check_value(c, n);
	if (n->kind != DT_N_INT || !dt_check_is_int(c, n))
		dt_compile_error(c, tag, n->line, n->column,
				 "%s must be an integer constant", what);
	return n;
}

dt_node_t *dt_check_list(dt_compile_t *c, dt_node_t *list,
			 dt_node_t *(*check)(dt_compile_t *, dt_node_t *))
{
	dt_node_t *head = NULL, **tail = &head, *next;

	for (; list != NULL; list = next) {
		next = list->next;
		*tail = check(c, list);
		tail = &(*tail)->next;
		*tail = NULL;
	}
	return head;
}
