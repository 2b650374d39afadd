/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_name.c - names and what is reached from them: variables, built-ins, enumerators,
 * inlines, kernel variables, members, array elements.
 *
 * D declares a variable by its first assignment, which gives it its type; until then it
 * may not be read. First means first in the text, whichever clause it stands in. What
 * only counts (x++, x += 1) declares a 64-bit integer.
 */
#include "lang/check.h"

#include <stdio.h>
#include <string.h>

#include "consume/consume.h"
#include "lang/library.h"
#include "lang/translate.h"
#include "types/typetab.h"

/* Nodes that one inline may expand to: inlines of inlines must not explode. */
#define INLINE_MAX 4096

static dt_node_t *to_var(dt_compile_t *c, dt_node_t *n, dt_ident_t *ident)
{
	dt_attr_join_ident(c, n->line, n->column, ident);
	n->kind = DT_N_VAR;
	n->ident = ident;
	n->type = ident->type;
	n->is_checked = true;
	n->is_userland = dt_check_is_userland(c, n);
	return ident->xlate_type == NULL ? n : dt_check_xlate(c, n, ident->xlate_type, n);
}

static dt_node_t *to_int(dt_node_t *n, dt_type_t *type, uint64_t value)
{
	n->kind = DT_N_INT;
	n->type = type;
	n->value = value;
	return n;
}

/* ---- Inlines ------------------------------------------------------------------ */

/* Nodes below n, counting stops at the limit. */
static uint32_t count_nodes(const dt_node_t *n, uint32_t limit)
{
	const dt_node_t *parts[] = {n->left, n->right, n->third};
	const dt_node_t *item;
	uint32_t count = 1;
	int i;

	for (i = 0; i < 3; i++) {
		if (parts[i] != NULL && count < limit)
			count += count_nodes(parts[i], limit - count);
	}
	for (item = n->list; item != NULL && count < limit; item = item->next)
		count += count_nodes(item, limit - count);
	return count;
}

void dt_check_inline(dt_compile_t *c, dt_ident_t *ident, const dt_node_t *at)
{
	char a[DT_TYPESTR], b[DT_TYPESTR];
	dt_node_t *body = ident->inline_body, *value;

	if (ident->is_signature_known)
		return;
	if (body == NULL)
		dt_compile_error(c, D_IDENT_UNDEF, at->line, at->column,
				 "inline %s is defined by itself", ident->name);
	dt_ident_modify(c, ident);
	ident->inline_body = NULL; /* while it is being looked at */
	body = dt_check_datum(c, body);
	value = dt_check_assignable(c, body, ident->type);
	if (value == NULL)
		dt_compile_error(c, D_OP_INCOMPAT, at->line, at->column,
				 "inline %s has incompatible types: \"%s\" = \"%s\"",
				 ident->name, dt_type_name(ident->type, a, sizeof(a)),
				 dt_type_name(body->type, b, sizeof(b)));
	if (count_nodes(value, INLINE_MAX) >= INLINE_MAX)
		dt_compile_error(c, D_ID_OFLOW, at->line, at->column,
				 "inline %s expands to too large an expression",
				 ident->name);
	ident->inline_body = value;
	ident->is_signature_known = true;
}

/* The body itself is shared by all uses, but for its top node. */
static dt_node_t *to_inline(dt_compile_t *c, dt_node_t *n, dt_ident_t *ident)
{
	int line = n->line, column = n->column;

	dt_check_inline(c, ident, n);
	dt_attr_join_ident(c, line, column, ident);
	*n = *ident->inline_body;
	n->line = line;
	n->column = column;
	n->next = NULL;
	n->type = ident->type;
	return n;
}

/* ---- Names -------------------------------------------------------------------- */

/* An array without its index. */
static _Noreturn void bare_array(dt_compile_t *c, const dt_node_t *n,
				 const dt_ident_t *ident)
{
	char bare[DT_IDENTSTR], name[DT_IDENTSTR + 4];

	if (ident->scope == DT_SCOPE_GLOBAL)
		dt_compile_error(c, D_IDENT_BADREF, n->line, n->column,
				 "array %s may not be referenced without an index",
				 n->string);
	snprintf(name, sizeof(name), "%s[ ]", dt_ident_display(ident, bare, sizeof(bare)));
	dt_check_badlength(c, n, D_PROTO_LEN, name, 0, ident->nkeys, ident->nkeys);
}

/* The address of a kernel symbol, which must be one that a program can use. */
static uint64_t symbol_address(dt_compile_t *c, const dt_node_t *n, const char *symbol)
{
	uint64_t address = dt_kernel_address(c->hdl, symbol);

	if (dt_btf_is_percpu(c->hdl, symbol))
		dt_compile_error(
		    c, D_SYM_PERCPU, n->line, n->column,
		    "`%s is a per-CPU variable, of which there is one on each CPU: "
		    "it may not be referenced",
		    n->string);
	if (address != 0)
		return address;
	if (dt_type_kernel_var(c->hdl, symbol) == NULL)
		dt_compile_error(c, D_IDENT_UNDEF, n->line, n->column,
				 "failed to resolve `%s: Unknown symbol name", n->string);
	dt_compile_error(
	    c, D_IDENT_UNDEF, n->line, n->column,
	    "failed to resolve `%s: the running kernel does not tell the address "
	    "of its variables (CONFIG_KALLSYMS_ALL)",
	    n->string);
}

/* The symbol itself: "module`name" and "name" mean the same. */
static const char *symbol_name(const dt_node_t *n)
{
	const char *quote = strrchr(n->string, '`');

	return quote == NULL ? n->string : quote + 1;
}

/* What lies in memory at the symbol's address. */
static dt_node_t *to_symbol(dt_compile_t *c, dt_node_t *n, dt_ident_t *ident)
{
	dt_type_t *pointer = dt_check_pointer_to(c, ident->type);

	dt_attr_join_ident(c, n->line, n->column, ident);
	n->left = dt_check_new_int(c, n, pointer, ident->address);
	n->left->is_checked = true;
	n->kind = DT_N_DEREF;
	n->ident = ident; /* it may not be written */
	n->type = ident->type;
	return n;
}

static dt_node_t *kernel_symbol(dt_compile_t *c, dt_node_t *n)
{
	const char *symbol = symbol_name(n);
	size_t length = strlen(symbol);
	char *key = dt_compile_alloc(c, length + 2);
	dt_ident_t *ident;
	dt_type_t *type;
	uint64_t address;

	key[0] = '`';
	memcpy(key + 1, symbol, length + 1);
	ident = dt_ident_lookup(c->hdl, DT_SCOPE_GLOBAL, key);
	if (ident != NULL)
		return to_symbol(c, n, ident);

	address = symbol_address(c, n, symbol);
	type = dt_type_kernel_var(c->hdl, symbol);
	if (type == NULL)
		dt_compile_error(
		    c, D_SYM_NOTYPES, n->line, n->column,
		    "no type information is available for kernel symbol `%s: only "
		    "its address, &`%s, may be used",
		    n->string, n->string);
	ident = dt_ident_add(c, DT_SCOPE_GLOBAL, DT_I_KSYM, key);
	ident->address = address;
	ident->type = type;
	return to_symbol(c, n, ident);
}

dt_node_t *dt_check_symbol_address(dt_compile_t *c, const dt_node_t *at, dt_node_t *n)
{
	const char *symbol = symbol_name(n);
	dt_type_t *type = dt_type_kernel_var(c->hdl, symbol);
	uint64_t address = symbol_address(c, n, symbol);

	type = type == NULL ? c->hdl->types.void_ptr : dt_check_pointer_to(c, type);
	dt_attr_join(c, n->line, n->column, n->string, dt_attr_initial(DT_I_KSYM, 0));
	return dt_check_new_int(c, at, type, address);
}

static dt_node_t *builtin_name(dt_compile_t *c, dt_node_t *n, const dt_builtin_t *builtin)
{
	if (builtin->ident.kind != DT_I_BUILTIN)
		dt_compile_error(
		    c, D_IDENT_BADREF, n->line, n->column,
		    "%s( ) is a function: it may not be referenced as a variable",
		    n->string);
	if (builtin->ident.nkeys > 0)
		bare_array(c, n, &builtin->ident);
	return to_var(c, n, dt_builtin_ident(c, builtin, n));
}

/* Variables of DTrace that mean nothing here. */
static const struct {
	const char *name, *why;
} refused[] = {
    {"ipl", "Linux has no interrupt priority levels"},
    {"projid", "Linux has no projects"},
    {"taskid", "Linux has no tasks in the sense of projects"},
    {"vcycles", "there is no count of a thread's cycles"},
    {"zonename", "Linux has no zones"},
};

static void check_refused(dt_compile_t *c, const dt_node_t *n)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(refused[i].name, n->string) == 0)
			dt_compile_error(c, D_IDENT_UNDEF, n->line, n->column,
					 "variable %s is not available: %s", n->string,
					 refused[i].why);
	}
}

static _Noreturn void undefined_name(dt_compile_t *c, const dt_node_t *n)
{
	bool is_declaring = c->assigning != NULL && strcmp(c->assigning, n->string) == 0;

	if (n->value == DT_SCOPE_GLOBAL)
		check_refused(c, n);
	if (n->value == DT_SCOPE_GLOBAL && is_declaring)
		dt_compile_error(c, D_VAR_UNDEF, n->line, n->column,
				 "%s has not yet been declared or assigned", n->string);
	if (n->value == DT_SCOPE_GLOBAL)
		dt_compile_error(c, D_IDENT_UNDEF, n->line, n->column,
				 "failed to resolve %s: Unknown variable name", n->string);
	dt_compile_error(c, D_VAR_UNDEF, n->line, n->column,
			 "%s%s has not yet been declared or assigned",
			 n->value == DT_SCOPE_SELF ? "self->" : "this->", n->string);
}

static dt_node_t *to_enumerator(dt_compile_t *c, dt_node_t *n,
				const dt_enumerator_t *enumerator)
{
	bool is_small = enumerator->value == (int32_t)enumerator->value;

	return to_int(n, is_small ? c->hdl->types.int_ : c->hdl->types.long_,
		      (uint64_t)enumerator->value);
}

/* A name that no program declared: D's own constants and built-ins. NULL: unknown. */
static dt_node_t *predefined_name(dt_compile_t *c, dt_node_t *n)
{
	const dt_builtin_t *builtin = dt_builtin_find(n->string);
	const dt_enumerator_t *enumerator;

	if (builtin != NULL)
		return builtin_name(c, n, builtin);
	enumerator = dt_enumerator_lookup(c->hdl, n->string, NULL);
	if (enumerator != NULL)
		return to_enumerator(c, n, enumerator);
	if (strcmp(n->string, "NULL") == 0)
		return to_int(n, c->hdl->types.void_ptr, 0);
	return NULL;
}

dt_node_t *dt_check_name(dt_compile_t *c, dt_node_t *n)
{
	const dt_enumerator_t *enumerator;
	dt_ident_t *ident;
	dt_node_t *known;

	if (n->value == DT_NAME_KERNEL)
		return kernel_symbol(c, n);
	ident = dt_ident_lookup(c->hdl, (dt_scope_t)n->value, n->string);
	if (ident == NULL && n->value == DT_SCOPE_GLOBAL) {
		known = predefined_name(c, n);
		if (known != NULL)
			return known;
		if (dt_library_name(c, n->string))
			ident = dt_ident_lookup(c->hdl, DT_SCOPE_GLOBAL, n->string);
		else if ((enumerator = dt_kernel_enumerator(c->hdl, n->string)) != NULL)
			return to_enumerator(c, n, enumerator);
	}
	if (ident == NULL)
		undefined_name(c, n);
	if (ident->kind == DT_I_ASSOC || ident->nkeys > 0)
		bare_array(c, n, ident);
	if (ident->kind == DT_I_INLINE)
		return to_inline(c, n, ident);
	if (ident->type->kind == DT_K_DYN)
		undefined_name(c, n);
	return to_var(c, n, ident);
}

/* ---- Keys --------------------------------------------------------------------- */

/* An array is a key by its elements: where they lie says nothing of them. */
static dt_node_t *check_key(dt_compile_t *c, dt_node_t *n)
{
	n = dt_check_expr(c, n);
	if (!dt_check_is_bytes(c, n))
		n = dt_check_datum(c, n);
	return dt_check_type(c, n)->kind == DT_K_FUNC ? dt_check_decay(c, n) : n;
}

static dt_node_t *check_aggkey(dt_compile_t *c, dt_node_t *n)
{
	return dt_check_is_keycall(c, n) ? dt_check_keycall(c, n) : check_key(c, n);
}

static bool is_key_type(const dt_type_t *type)
{
	if (dt_check_is_incomplete(type))
		return false;
	switch (type->kind) {
	case DT_K_VOID:
	case DT_K_FLOAT:
	case DT_K_DYN:
		return false;
	case DT_K_STRUCT:
	case DT_K_UNION:
	case DT_K_ARRAY:
		return type->size > 0;
	default:
		return true;
	}
}

/*
 * The type that holds every integer of both types: a key keeps its whole value, whatever
 * the width of the first one.
 */
static dt_type_t *wider_key(dt_compile_t *c, dt_type_t *a, dt_type_t *b)
{
	const dt_type_t *ra = dt_type_resolve(c->hdl, a), *rb = dt_type_resolve(c->hdl, b);

	if (ra->is_signed == rb->is_signed || ra->size == 8 || rb->size == 8)
		return rb->size > ra->size ? b : a;
	if (ra->size != rb->size)
		return ra->size > rb->size ? (ra->is_signed ? a : c->hdl->types.int64)
					   : (rb->is_signed ? b : c->hdl->types.int64);
	return c->hdl->types.int64;
}

/* The key in the form the signature asks for; NULL: incompatible. May widen *type. */
static dt_node_t *match_key(dt_compile_t *c, dt_node_t *n, dt_type_t **type)
{
	const dt_type_t *want = dt_type_resolve(c->hdl, *type), *have = dt_check_type(c, n);

	if ((want->kind == DT_K_INT || want->kind == DT_K_ENUM) && dt_check_is_int(c, n)) {
		*type = wider_key(c, *type, n->type);
		return n;
	}
	switch (want->kind) {
	case DT_K_STACK:
	case DT_K_USTACK:
	case DT_K_SYMADDR:
	case DT_K_USYMADDR:
		return want->kind == have->kind ? n : NULL;
	case DT_K_ARRAY:
		return dt_check_is_same_type(c, n->type, *type) ? n : NULL;
	default:
		return dt_check_assignable(c, n, *type);
	}
}

static void match_keys(dt_compile_t *c, dt_ident_t *ident, dt_node_t **list,
		       const char *name)
{
	dt_type_t **types =
	    dt_compile_alloc(c, (size_t)(ident->nkeys + 1) * sizeof(*types));
	dt_node_t **link, *next, *key;
	char expected[DT_TYPESTR];
	bool is_changed = false;
	int i = 0;

	for (link = list; *link != NULL; link = &(*link)->next, i++) {
		types[i] = ident->keys[i];
		next = (*link)->next;
		key = match_key(c, *link, &types[i]);
		if (key == NULL)
			dt_check_badarg(
			    c, *link, D_PROTO_ARG, name, i + 1,
			    dt_type_name(ident->keys[i], expected, sizeof(expected)));
		*link = key;
		key->next = next;
		is_changed |= types[i] != ident->keys[i];
	}
	if (is_changed) {
		dt_ident_modify(c, ident);
		ident->keys = types;
	}
}

void dt_check_keys(dt_compile_t *c, dt_ident_t *ident, dt_node_t *at, dt_node_t **list)
{
	bool is_agg = ident->kind == DT_I_AGG;
	char bare[DT_IDENTSTR], name[DT_IDENTSTR + 4], type[DT_TYPESTR];
	const dt_node_t *key;
	dt_type_t **types;
	int n = 0;

	*list = dt_check_list(c, *list, is_agg ? check_aggkey : check_key);
	snprintf(name, sizeof(name), "%s[ ]", dt_ident_display(ident, bare, sizeof(bare)));
	for (key = *list; key != NULL; key = key->next) {
		n++;
		if (!is_key_type(dt_check_type(c, key)))
			dt_compile_error(c, D_KEY_TYPE, key->line, key->column,
					 "%s key #%d: \"%s\" may not be used as a key",
					 name, n,
					 dt_check_typename(key, type, sizeof(type)));
	}

	if (ident->nkeys < 0) {
		types = dt_compile_alloc(c, (size_t)(n + 1) * sizeof(*types));
		n = 0;
		for (key = *list; key != NULL; key = key->next)
			types[n++] = key->type;
		dt_ident_modify(c, ident);
		ident->keys = types;
		ident->nkeys = n;
	} else if (ident->nkeys != n) {
		dt_check_badlength(c, at, D_PROTO_LEN, name, n, ident->nkeys, ident->nkeys);
	} else {
		match_keys(c, ident, list, name);
	}
}

/* ---- Indexing ----------------------------------------------------------------- */

static dt_node_t *assoc_element(dt_compile_t *c, dt_node_t *n, dt_ident_t *ident)
{
	dt_check_keys(c, ident, n, &n->list);
	n->left = NULL;
	n->ident = ident;
	n->type = ident->type;
	return n;
}

static dt_node_t *builtin_element(dt_compile_t *c, dt_node_t *n,
				  const dt_builtin_t *builtin)
{
	dt_ident_t *ident = dt_builtin_ident(c, builtin, n->left);
	const char *name = ident->id == DT_VAR_ARGS ? "args[ ]" : "uregs[ ]";
	const dt_node_t *item;
	int count = 0;

	for (item = n->list; item != NULL; item = item->next)
		count++;
	if (count != 1)
		dt_check_badlength(c, n, D_PROTO_LEN, name, count, 1, 1);
	if (ident->id == DT_VAR_ARGS)
		return dt_check_args(c, n, n->list);
	n->list = dt_check_value(c, n->list);
	if (!dt_check_is_int(c, n->list))
		dt_check_badarg(c, n->list, D_PROTO_ARG, name, 1, "integer");
	if (n->list->kind == DT_N_INT && (int64_t)n->list->value < 0)
		dt_compile_error(c, D_REGS_IDX, n->line, n->column,
				 "index %lld is out of range for %s",
				 (long long)n->list->value, name);
	n->left = NULL;
	n->ident = ident;
	n->type = ident->type;
	return n;
}

/* C's a[i], for a pointer, an array or a string: *(a + i), with the errors of that. */
static dt_node_t *pointer_element(dt_compile_t *c, dt_node_t *n)
{
	dt_node_t *base = dt_check_as_chars(c, dt_check_value(c, n->left)), *index;
	bool is_list = n->list->next != NULL, is_pointer;
	char name[DT_TYPESTR];

	index = dt_check_value(c, n->list);
	is_pointer =
	    dt_check_type(c, base)->kind == DT_K_PTR && !dt_check_is_vfptr(c, base);
	if (!dt_check_is_int(c, index) || (!is_pointer && !dt_check_is_int(c, base)))
		dt_check_badpair(c, n, "[ ]", base, index);
	if (is_list)
		dt_compile_error(
		    c, D_ARR_BADREF, n->line, n->column,
		    "a value of type \"%s\" has one index: it is no associative array",
		    dt_check_typename(base, name, sizeof(name)));
	if (!is_pointer)
		dt_compile_error(
		    c, D_DEREF_NONPTR, n->line, n->column,
		    "operator [ ] cannot be applied to \"%s\": neither an array "
		    "nor a pointer",
		    dt_check_typename(base, name, sizeof(name)));
	n->kind = DT_N_DEREF;
	n->left = dt_check_offset(c, DT_OP_ADD, base, index);
	n->list = NULL;
	n->type = dt_check_type(c, base)->ref;
	return n;
}

/* The built-in array that the name before [ is, if it is one. */
static const dt_builtin_t *builtin_array(const dt_node_t *name)
{
	const dt_builtin_t *builtin = NULL;

	if (name->value == DT_SCOPE_GLOBAL)
		builtin = dt_builtin_find(name->string);
	return builtin != NULL && builtin->ident.nkeys > 0 ? builtin : NULL;
}

static bool is_variable_name(const dt_node_t *n)
{
	return n->kind == DT_N_NAME && n->value != DT_NAME_KERNEL;
}

dt_node_t *dt_check_index(dt_compile_t *c, dt_node_t *n)
{
	const dt_builtin_t *builtin;
	dt_ident_t *ident;

	if (!is_variable_name(n->left))
		return pointer_element(c, n);
	ident = dt_ident_lookup(c->hdl, (dt_scope_t)n->left->value, n->left->string);
	if (ident == NULL && n->left->value == DT_SCOPE_GLOBAL &&
	    dt_library_name(c, n->left->string))
		ident = dt_ident_lookup(c->hdl, DT_SCOPE_GLOBAL, n->left->string);
	if (ident != NULL && ident->kind == DT_I_INLINE && ident->nkeys > 0)
		return dt_check_inline_call(c, n, ident);
	if (ident != NULL && ident->kind == DT_I_ASSOC) {
		if (ident->type->kind == DT_K_DYN)
			undefined_name(c, n->left);
		return assoc_element(c, n, ident);
	}
	builtin = builtin_array(n->left);
	return builtin != NULL ? builtin_element(c, n, builtin) : pointer_element(c, n);
}

/* ---- Members ------------------------------------------------------------------ */

dt_node_t *dt_check_member(dt_compile_t *c, dt_node_t *n)
{
	bool by_pointer = n->left->kind == DT_N_DEREF && !n->left->is_checked;
	const dt_member_t *member;
	const dt_type_t *type;
	char name[DT_TYPESTR];
	dt_node_t *owner;

	if (by_pointer) {
		owner = dt_check_value(c, n->left->left);
		type = dt_check_type(c, owner);
		if (type->kind != DT_K_PTR)
			dt_compile_error(
			    c, D_OP_PTR, n->line, n->column,
			    "operator -> requires a pointer to a struct or union, "
			    "not \"%s\"",
			    dt_type_name(owner->type, name, sizeof(name)));
		if (owner->kind == DT_N_XLATE)
			return dt_check_xlmember(c, n, owner);
		n->left->left = owner;
		n->left->type = type->ref;
		n->left->is_checked = true;
	} else {
		n->left = dt_check_expr(c, n->left);
	}

	type = dt_check_type(c, n->left);
	if (n->left->kind == DT_N_XLATE && type->kind != DT_K_PTR)
		return dt_check_xlmember(c, n, n->left);
	if (dt_check_is_incomplete(type))
		dt_compile_error(
		    c, D_OP_INCOMPLETE, n->line, n->column,
		    "operator %s cannot be applied to a forward declaration: no "
		    "definition of %s is available",
		    by_pointer ? "->" : ".",
		    dt_type_name(n->left->type, name, sizeof(name)));
	if (type->kind != DT_K_STRUCT && type->kind != DT_K_UNION)
		dt_compile_error(
		    c, D_OP_SOU, n->line, n->column,
		    "operator %s cannot be applied to \"%s\": it is not a struct "
		    "or union",
		    by_pointer ? "->" : ".",
		    dt_type_name(n->left->type, name, sizeof(name)));
	member = dt_type_member(c->hdl, n->left->type, n->string, &n->bit_offset);
	if (member == NULL)
		dt_compile_error(c, D_TYPE_MEMBER, n->line, n->column,
				 "%s is not a member of %s", n->string,
				 dt_type_name(n->left->type, name, sizeof(name)));
	n->bit_size = member->bit_size;
	n->type = member->type;
	return n;
}

/* ---- Targets of assignment ----------------------------------------------------- */

static _Noreturn void not_lvalue(dt_compile_t *c, const dt_node_t *n, const char *opname)
{
	dt_compile_error(c, D_OP_LVAL, n->line, n->column,
			 "operator %s can only be applied to an lvalue", opname);
}

/* Whether the name means something that no assignment can declare. */
static bool is_predefined(dt_compile_t *c, const dt_node_t *n)
{
	return n->value == DT_SCOPE_GLOBAL &&
	       (dt_builtin_find(n->string) != NULL ||
		dt_enumerator_lookup(c->hdl, n->string, NULL) != NULL ||
		strcmp(n->string, "NULL") == 0);
}

static dt_node_t *target_name(dt_compile_t *c, dt_node_t *n, dt_type_t *type,
			      const char *opname)
{
	dt_ident_t *ident = dt_ident_lookup(c->hdl, (dt_scope_t)n->value, n->string);

	if (ident == NULL && n->value == DT_SCOPE_GLOBAL && dt_library_name(c, n->string))
		ident = dt_ident_lookup(c->hdl, DT_SCOPE_GLOBAL, n->string);
	if (ident == NULL) {
		if (is_predefined(c, n))
			return dt_check_expr(c, n);
		ident = dt_ident_add(c, (dt_scope_t)n->value, DT_I_VAR, n->string);
		ident->type = type;
	} else if (ident->kind == DT_I_INLINE) {
		not_lvalue(c, n, opname);
	} else if (ident->kind == DT_I_VAR && ident->type->kind == DT_K_DYN) {
		dt_ident_modify(c, ident);
		ident->type = type;
	}
	return dt_check_expr(c, n);
}

static dt_node_t *target_index(dt_compile_t *c, dt_node_t *n, dt_type_t *type)
{
	const dt_node_t *name = n->left;
	dt_ident_t *ident;

	if (!is_variable_name(name))
		return dt_check_expr(c, n);
	ident = dt_ident_lookup(c->hdl, (dt_scope_t)name->value, name->string);
	if (ident == NULL && !is_predefined(c, name)) {
		if (name->value == DT_SCOPE_THIS)
			dt_compile_error(
			    c, D_ARR_LOCAL, n->line, n->column,
			    "cannot declare clause-local associative array this->%s",
			    name->string);
		ident = dt_ident_add(c, (dt_scope_t)name->value, DT_I_ASSOC, name->string);
		ident->type = type;
	} else if (ident != NULL && ident->kind == DT_I_ASSOC &&
		   ident->type->kind == DT_K_DYN) {
		dt_ident_modify(c, ident);
		ident->type = type;
	}
	return dt_check_expr(c, n);
}

dt_node_t *dt_check_target(dt_compile_t *c, dt_node_t *n, dt_type_t *type,
			   const char *opname)
{
	switch (n->kind) {
	case DT_N_NAME:
		if (n->value == DT_NAME_KERNEL)
			return dt_check_expr(c, n);
		return target_name(c, n, type, opname);
	case DT_N_INDEX:
		return target_index(c, n, type);
	case DT_N_DEREF:
	case DT_N_MEMBER:
		return dt_check_expr(c, n);
	default:
		not_lvalue(c, n, opname);
	}
}
