/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declare.c - declarations at the top level: variables of all three scopes, associative
 * arrays, typedefs, inlines, and types alone.
 */
#include <string.h>

#include "handle.h"
#include "lang/parse.h"
#include "lang/source.h"

#define TYPESTR 160

/* ---- Variables --------------------------------------------------------- */

static bool is_same_type(const dt_type_t *a, const dt_type_t *b)
{
	char left[TYPESTR], right[TYPESTR];

	return a == b || (a != NULL && b != NULL &&
			  strcmp(dt_type_name(a, left, sizeof(left)),
				 dt_type_name(b, right, sizeof(right))) == 0);
}

/* Whether an identifier is just what is being declared again. */
static bool is_same_ident(const dt_ident_t *ident, const dt_type_t *type,
			  const dt_declmod_t *keys)
{
	if (ident->kind != (keys == NULL ? DT_I_VAR : DT_I_ASSOC) ||
	    !is_same_type(ident->type, type))
		return false;
	if (keys == NULL)
		return true;
	if (ident->nkeys != (int)keys->count)
		return false;
	for (uint32_t i = 0; i < keys->count; i++) {
		if (!is_same_type(ident->keys[i], keys->types[i]))
			return false;
	}
	return true;
}

/* Raises an error when nothing of that type can be kept in a variable. */
static void check_variable_type(dt_parser_t *p, const dt_declarator_t *d, dt_type_t *type)
{
	const dt_type_t *resolved = dt_type_resolve(p->cc->hdl, type);

	switch (resolved->kind) {
	case DT_K_VOID:
		dt_compile_error(p->cc, D_DECL_VOIDOBJ, d->line, d->column,
				 "variable %s cannot be of type void", d->name);
	case DT_K_FUNC:
		dt_compile_error(p->cc, D_DECL_FUNC, d->line, d->column,
				 "%s: a function cannot be kept in a variable", d->name);
	case DT_K_ARRAY:
		if (resolved->count == 0)
			dt_compile_error(p->cc, D_DECL_ARRNULL, d->line, d->column,
					 "array %s must have a size", d->name);
		break;
	case DT_K_STRUCT:
	case DT_K_UNION:
	case DT_K_ENUM:
	case DT_K_FORWARD:
		if (resolved->size == 0)
			dt_compile_error(p->cc, D_DECL_INCOMPLETE, d->line, d->column,
					 "variable %s is of an incomplete type", d->name);
		break;
	default:
		break;
	}
}

/* Takes the keys of an associative array off the declarator: the last that is applied. */
static dt_declmod_t *take_keys(dt_declarator_t *d)
{
	dt_declmod_t **link = &d->mods, *keys;

	if (*link == NULL)
		return NULL;
	while ((*link)->next != NULL)
		link = &(*link)->next;
	if ((*link)->kind != DT_MOD_ASSOC)
		return NULL;
	keys = *link;
	*link = NULL;
	return keys;
}

static dt_scope_t class_scope(int class)
{
	return class == DT_TOK_SELF   ? DT_SCOPE_SELF
	       : class == DT_TOK_THIS ? DT_SCOPE_THIS
				      : DT_SCOPE_GLOBAL;
}

/*
 * C's headers declare what lies elsewhere: functions, and variables as extern. Nothing comes
 * of the former here, nor of the latter where D has such a name of its own.
 */
static bool is_elsewhere(dt_parser_t *p, const dt_declspec_t *spec, const dt_declarator_t *d,
			 dt_type_t *type)
{
	bool is_plain = spec->class == 0 || spec->class == DT_TOK_STATIC;

	if (dt_type_resolve(p->cc->hdl, type)->kind == DT_K_FUNC)
		return is_plain || spec->class == DT_TOK_EXTERN;
	return spec->class == DT_TOK_EXTERN && dt_builtin_lookup(d->name) != NULL;
}

/* An enumerator that a program has declared has its name like a variable. */
static bool is_own_enumerator(dt_parser_t *p, const char *name)
{
	dt_type_t *type;

	return dt_enumerator_lookup(p->cc->hdl, name, &type) != NULL && type->btf_id == 0;
}

static void declare_variable(dt_parser_t *p, const dt_declspec_t *spec, dt_declarator_t *d)
{
	dt_scope_t scope = class_scope(spec->class);
	dt_declmod_t *keys = take_keys(d);
	dt_type_t *type = dt_parse_wrap(p, spec, d);
	dt_ident_t *ident = dt_ident_lookup(p->cc->hdl, scope, d->name);

	if (is_elsewhere(p, spec, d, type))
		return;
	if (spec->class == DT_TOK_AUTO || spec->class == DT_TOK_REGISTER ||
	    spec->class == DT_TOK_STATIC)
		dt_compile_error(p->cc, D_DECL_BADCLASS, spec->line, spec->column,
				 "%s: the storage class means nothing in D", d->name);
	check_variable_type(p, d, type);
	if (keys != NULL && scope == DT_SCOPE_THIS)
		dt_compile_error(p->cc, D_DECL_LOCASSC, d->line, d->column,
				 "this->%s cannot be an associative array", d->name);
	if (ident != NULL) {
		if (!is_same_ident(ident, type, keys))
			dt_compile_error(p->cc, D_DECL_IDRED, d->line, d->column,
					 "%s is declared already, as something else",
					 d->name);
		return;
	}
	if (scope == DT_SCOPE_GLOBAL && dt_builtin_lookup(d->name) != NULL)
		dt_compile_error(p->cc, D_DECL_IDRED, d->line, d->column,
				 "%s is a name of D itself", d->name);
	if (scope == DT_SCOPE_GLOBAL && is_own_enumerator(p, d->name))
		dt_compile_error(p->cc, D_DECL_IDRED, d->line, d->column,
				 "%s is declared already, as an enumerator", d->name);

	ident = dt_ident_add(p->cc, scope, keys == NULL ? DT_I_VAR : DT_I_ASSOC, d->name);
	ident->type = type;
	if (keys != NULL) {
		ident->keys = keys->types;
		ident->nkeys = (int)keys->count;
		ident->is_signature_known = true;
	}
}

/* ---- Typedefs ---------------------------------------------------------- */

static void declare_typedef(dt_parser_t *p, const dt_declspec_t *spec,
			    const dt_declarator_t *d)
{
	dtrace_hdl_t *hdl = p->cc->hdl;
	dt_type_t *target = dt_parse_wrap(p, spec, d);
	dt_type_t *known = dt_type_lookup_local(hdl, DT_K_TYPEDEF, d->name), *type;

	if (dt_ident_lookup(hdl, DT_SCOPE_GLOBAL, d->name) != NULL)
		dt_compile_error(p->cc, D_DECL_IDRED, d->line, d->column,
				 "%s is declared already, as a variable", d->name);
	if (known != NULL && known->btf_id == 0) {
		const dt_type_t *old = dt_type_resolve(hdl, known);
		const dt_type_t *new = dt_type_resolve(hdl, target);

		/* C11 allows the same again, as headers need it; D does not. Where a
		 * header differs on an integer that D has, such as id_t, D keeps its own. */
		if (DT_LINE_NUMBER(d->line) == d->line)
			dt_compile_error(p->cc, D_DECL_IDRED, d->line, d->column,
					 "type %s is defined already", d->name);
		if (old == new || (old->kind == DT_K_INT && new->kind == DT_K_INT) ||
		    (old->name == NULL && is_same_type(old, new) &&
				   old->kind != DT_K_STRUCT && old->kind != DT_K_UNION &&
				   old->kind != DT_K_ENUM))
			return;
		dt_compile_error(p->cc, D_DECL_IDRED, d->line, d->column,
				 "type %s is defined already, as something else", d->name);
	}
	type = dt_type_new(hdl, DT_K_TYPEDEF);
	type->name = dt_arena_strndup(hdl->arena, d->name, strlen(d->name));
	if (type->name == NULL)
		dt_compile_error(p->cc, D_NOMEM, 0, 0, "out of memory");
	/* A typedef of a typedef is one of what that stands for: chains stay short. */
	while (target->kind == DT_K_TYPEDEF && target->name != NULL)
		target = target->ref;
	type->ref = target;
	type->size = target->size;
	type->align = target->align;
	type->complete = true;
	dt_type_add(hdl, DT_K_TYPEDEF, type->name, type);
}

/* ---- Inlines ----------------------------------------------------------- */

/* The body as an integer of the declared type where that is what it amounts to, so that a
 * chain of inlines stays flat. */
static dt_node_t *inline_fold(dt_parser_t *p, dt_type_t *type, dt_node_t *body)
{
	const dt_type_t *resolved = dt_type_resolve(p->cc->hdl, type);
	dt_constant_t constant;
	dt_node_t *node;

	if (resolved->kind != DT_K_INT && resolved->kind != DT_K_ENUM &&
	    resolved->kind != DT_K_PTR)
		return body;
	if (!dt_parse_evaluate(p, body, &constant))
		return body;
	node = dt_node_new(p->cc, DT_N_INT, body->line, body->column);
	node->value = constant.value;
	node->type = constant.is_signed ? p->cc->hdl->types.long_ : p->cc->hdl->types.ulong;
	node->height = 1;
	body = node;
	node = dt_node_new(p->cc, DT_N_CAST, body->line, body->column);
	node->type = type;
	node->left = body;
	node->height = body->height + 1;
	return node;
}

/* Parameters need names: there is nothing else in the body to call them by. */
static void check_params(dt_parser_t *p, const dt_declarator_t *d,
			 const dt_declmod_t *params)
{
	for (uint32_t i = 0; i < params->count; i++) {
		if (params->names[i] == NULL)
			dt_compile_error(p->cc, D_DECL_PROTO_NAME, d->line, d->column,
					 "inline %s: parameter #%u must have a name",
					 d->name, i + 1);
	}
}

/* inline: "inline" specifiers declarator "=" assignment ";" */
static void declare_inline(dt_parser_t *p, const dt_declspec_t *spec)
{
	dt_declarator_t d = dt_parse_declarator(p, DT_NAME_ALWAYS);
	dt_declmod_t *params = take_keys(&d);
	dt_ident_t *ident;
	dt_type_t *type;
	dt_node_t *body;

	dt_parse_expect(p, '=');
	body = dt_parse_assignment(p);
	dt_parse_expect(p, ';');

	type = dt_parse_wrap(p, spec, &d);
	check_variable_type(p, &d, type);
	if (dt_builtin_lookup(d.name) != NULL ||
	    dt_ident_lookup(p->cc->hdl, DT_SCOPE_GLOBAL, d.name) != NULL)
		dt_compile_error(p->cc, D_DECL_IDRED, d.line, d.column,
				 "%s is declared already", d.name);
	if (params != NULL)
		check_params(p, &d, params);
	else
		body = inline_fold(p, type, body);
	ident = dt_ident_add(p->cc, DT_SCOPE_GLOBAL, DT_I_INLINE, d.name);
	ident->type = type;
	ident->inline_body = body;
	if (params != NULL) {
		ident->keys = params->types;
		ident->key_names = params->names;
		ident->nkeys = (int)params->count;
	}
}

/* ---- Declarations ------------------------------------------------------ */

/*
 * "static inline" and "extern inline" begin a function, such as C's headers define: whatever
 * there is of it is passed over. False: the declaration begins otherwise.
 */
static bool skip_function(dt_parser_t *p)
{
	dt_lexer_t ahead = p->lexer;
	int kind = dt_parse_peek(p), depth = 0;

	if ((kind != DT_TOK_STATIC && kind != DT_TOK_EXTERN) ||
	    DT_LINE_NUMBER(dt_lex_peek(&p->lexer)->line) == dt_lex_peek(&p->lexer)->line)
		return false;
	ahead.is_trial = true;
	dt_lex_take(&ahead);
	if (dt_lex_peek(&ahead)->kind != DT_TOK_INLINE)
		return false;
	do {
		kind = dt_parse_take(p).kind;
		depth += (kind == '{') - (kind == '}');
	} while (kind != DT_TOK_EOF && (depth > 0 || (kind != '}' && kind != ';')));
	return true;
}

/* declaration: translator | provider | inline |
 *	specifiers [declarator {"," declarator}] ";" */
void dt_parse_declaration(dt_parser_t *p)
{
	dt_declspec_t spec;

	if (dt_parse_peek(p) == DT_TOK_TRANSLATOR) {
		dt_parse_translator(p);
		return;
	}
	if (dt_parse_peek(p) == DT_TOK_PROVIDER) {
		dt_parse_provider(p);
		return;
	}

	if (skip_function(p))
		return;
	spec = dt_parse_declspec(p, dt_parse_peek(p) == DT_TOK_TYPEDEF);
	if (spec.class == DT_TOK_INLINE) {
		declare_inline(p, &spec);
		return;
	}
	if (dt_parse_accept(p, ';')) {
		dt_kind_t kind = spec.type->kind;

		if (spec.class != 0 ||
		    (kind != DT_K_STRUCT && kind != DT_K_UNION && kind != DT_K_ENUM))
			dt_compile_error(p->cc, D_DECL_USELESS, spec.line, spec.column,
					 "the declaration declares nothing");
		return;
	}
	do {
		dt_declarator_t d = dt_parse_declarator(p, DT_NAME_ALWAYS);

		if (spec.class == DT_TOK_TYPEDEF)
			declare_typedef(p, &spec, &d);
		else
			declare_variable(p, &spec, &d);
	} while (dt_parse_accept(p, ','));
	dt_parse_expect(p, ';');
}
