/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decl.c - how D writes types: specifiers on the left, and a declarator that wraps the type
 * around the name. A declarator is read from its middle outwards, so it is first gathered
 * as a list of what to apply to the base type, in order: for "int *(*f[4])(char)" the
 * pointer next to int, the function, the pointer to it, the array.
 */
#include <stdio.h>
#include <string.h>

#include "handle.h"
#include "error.h"
#include "lang/parse.h"

#define ARRAY_MAX INT32_MAX /* bytes */

/* ---- Type specifiers --------------------------------------------------- */

/* The words of a base type, counted: their order does not matter. */
typedef struct typewords {
	int longs, shorts, signs, unsigns;
	int base; /* DT_TOK_CHAR, _INTTYPE, _FLOAT, _DOUBLE, _VOID, _STRINGTYPE; 0: none */
	dt_type_t *type; /* struct, union, enum or typedef */
	uint8_t qualifiers;
} typewords_t;

_Noreturn static void combination_error(dt_parser_t *p, dt_errtag_t tag,
					const dt_token_t *token)
{
	dt_compile_error(p->cc, tag, token->line, token->column,
			 "invalid combination of type specifiers at \"%.*s\"",
			 (int)(token->length > 32 ? 32 : token->length), token->text);
}

/* The tag of words that make no type. */
static dt_errtag_t combination_tag(const typewords_t *words)
{
	bool is_float = words->base == DT_TOK_FLOAT || words->base == DT_TOK_DOUBLE;
	bool is_int = words->base == DT_TOK_INTTYPE || words->base == DT_TOK_CHAR ||
		      (words->base == 0 && words->type == NULL);

	if (words->base == DT_TOK_CHAR && words->shorts + words->longs > 0)
		return D_DECL_CHARATTR;
	if (words->base == DT_TOK_VOID)
		return D_DECL_VOIDATTR;
	if (words->signs + words->unsigns > 0 && !is_int)
		return D_DECL_SIGNINT;
	if (words->longs > 0 && !is_int && !is_float)
		return D_DECL_LONGINT;
	return D_DECL_COMBO;
}

static dt_type_t *integer_type(const dt_basetypes_t *types, const typewords_t *words)
{
	if (words->shorts)
		return words->unsigns ? types->ushort : types->short_;
	if (words->longs == 2)
		return words->unsigns ? types->ulonglong : types->longlong;
	if (words->longs == 1)
		return words->unsigns ? types->ulong : types->long_;
	return words->unsigns ? types->uint : types->int_;
}

/* The type that the words make; NULL: none. */
static dt_type_t *words_type(const dt_basetypes_t *types, const typewords_t *words)
{
	int sizes = words->longs + words->shorts, signs = words->signs + words->unsigns;

	if (signs > 1 || words->shorts > 1 || words->longs > 2 ||
	    (words->shorts && words->longs))
		return NULL;
	if (words->type != NULL)
		return sizes + signs + words->base == 0 ? words->type : NULL;

	switch (words->base) {
	case 0:
		return sizes + signs == 0 ? NULL : integer_type(types, words);
	case DT_TOK_INTTYPE:
		return integer_type(types, words);
	case DT_TOK_CHAR:
		if (sizes > 0)
			return NULL;
		return words->unsigns ? types->uchar
		       : words->signs ? types->schar
				      : types->char_;
	case DT_TOK_DOUBLE:
		if (signs > 0 || words->shorts || words->longs > 1)
			return NULL;
		return words->longs ? types->longdouble : types->double_;
	case DT_TOK_FLOAT:
		return sizes + signs == 0 ? types->float_ : NULL;
	case DT_TOK_STRINGTYPE:
		return sizes + signs == 0 ? types->string : NULL;
	default:
		return sizes + signs == 0 ? types->void_ : NULL;
	}
}

/* Takes one word of a type that is one. False: the next token is none. */
static bool take_typeword(dt_parser_t *p, typewords_t *words, dt_declspec_t *spec)
{
	int kind = dt_parse_peek(p);

	switch (kind) {
	case DT_TOK_CONST:
		words->qualifiers |= DT_TQ_CONST;
		break;
	case DT_TOK_VOLATILE:
		words->qualifiers |= DT_TQ_VOLATILE;
		break;
	case DT_TOK_RESTRICT:
		break;
	case DT_TOK_USERLAND:
		spec->is_userland = true;
		break;
	case DT_TOK_LONG:
		words->longs++;
		break;
	case DT_TOK_SHORT:
		words->shorts++;
		break;
	case DT_TOK_SIGNED:
		words->signs++;
		break;
	case DT_TOK_UNSIGNED:
		words->unsigns++;
		break;
	case DT_TOK_CHAR:
	case DT_TOK_INTTYPE:
	case DT_TOK_FLOAT:
	case DT_TOK_DOUBLE:
	case DT_TOK_VOID:
	case DT_TOK_STRINGTYPE:
		if (words->base != 0)
			combination_error(p, D_DECL_COMBO, dt_lex_peek(&p->lexer));
		words->base = kind;
		break;
	default:
		return false;
	}
	dt_parse_take(p);
	return true;
}

/* Whether a kind of token is a storage class. */
static bool is_class(int kind)
{
	switch (kind) {
	case DT_TOK_AUTO:
	case DT_TOK_EXTERN:
	case DT_TOK_INLINE:
	case DT_TOK_REGISTER:
	case DT_TOK_SELF:
	case DT_TOK_STATIC:
	case DT_TOK_THIS:
	case DT_TOK_TYPEDEF:
		return true;
	default:
		return false;
	}
}

static void take_class(dt_parser_t *p, dt_declspec_t *spec)
{
	dt_token_t token = dt_parse_take(p);

	if (spec->class != 0)
		dt_compile_error(p->cc, D_DECL_CLASS, token.line, token.column,
				 "\"%s\" after another storage class", token.string);
	spec->class = token.kind;
}

void dt_parse_no_type(dt_parser_t *p, const dt_token_t *name, const char *tag)
{
	dtrace_hdl_t *hdl = p->cc->hdl;
	bool is_nobtf = dtrace_errno(hdl) == EDT_NOBTF;
	char why[DTRACE_FULLNAMELEN] = "";

	if (dt_dwarf_is_name(name->string))
		snprintf(why, sizeof(why), " (%s)", dtrace_errmsg(hdl, dtrace_errno(hdl)));
	else if (is_nobtf)
		snprintf(why, sizeof(why), " (the kernel gives no BTF type information)");
	dt_compile_error(p->cc, is_nobtf ? D_SYM_NOTYPES : D_TYPE_ERR, name->line, name->column,
			 "no such type: %s%s%s", tag, name->string, why);
}

/*
 * A word that should be a type and is none. At the top level it may as well be a probe
 * description with something wrong behind it: only what looks like a declaration counts as
 * one.
 */
_Noreturn static void unknown_type(dt_parser_t *p, const dt_token_t *token)
{
	int kind = dt_parse_peek(p);

	if (kind == DT_TOK_IDENT) {
		dt_lexer_t ahead = p->lexer;

		ahead.is_trial = true;
		dt_lex_take(&ahead);
		kind = dt_lex_peek(&ahead)->kind;
		if (kind != ';' && kind != ',' && kind != '[' && kind != '=')
			dt_parse_fail(p);
	} else if (kind == '(') {
		dt_parse_fail(p);
	}
	dt_parse_no_type(p, token, "");
}

static dt_type_t *typedef_name(dt_parser_t *p)
{
	dt_token_t token = dt_parse_take(p);
	dt_type_t *type = dt_type_lookup(p->cc->hdl, DT_K_TYPEDEF, token.string);

	if (type == NULL)
		unknown_type(p, &token);
	return type;
}

/* specifiers: {class | qualifier | type-word | struct | union | enum | typedef-name} */
dt_declspec_t dt_parse_declspec(dt_parser_t *p, bool may_forward)
{
	const dt_token_t first = *dt_lex_peek(&p->lexer);
	dt_declspec_t spec = {.line = first.line, .column = first.column};
	typewords_t words = {0};

	for (;;) {
		int kind = dt_parse_peek(p);

		if (take_typeword(p, &words, &spec))
			continue;
		if (is_class(kind)) {
			take_class(p, &spec);
			continue;
		}
		if (kind != DT_TOK_STRUCT && kind != DT_TOK_UNION && kind != DT_TOK_ENUM &&
		    kind != DT_TOK_IDENT)
			break;
		/* After a type, a name is what is declared. */
		if (kind == DT_TOK_IDENT &&
		    (words.type != NULL || words.base != 0 ||
		     words.longs + words.shorts + words.signs + words.unsigns > 0))
			break;
		if (words.type != NULL)
			combination_error(p, D_DECL_COMBO, dt_lex_peek(&p->lexer));
		if (kind == DT_TOK_IDENT)
			words.type = typedef_name(p);
		else if (kind == DT_TOK_ENUM)
			words.type = dt_parse_enum(p);
		else
			words.type = dt_parse_aggregate(
			    p, kind == DT_TOK_STRUCT ? DT_K_STRUCT : DT_K_UNION,
			    may_forward);
	}

	spec.type = words_type(&p->cc->hdl->types, &words);
	if (spec.type == NULL) {
		if (words.base == 0 && words.type == NULL &&
		    words.longs + words.shorts + words.signs + words.unsigns == 0)
			dt_parse_fail(p);
		combination_error(p, combination_tag(&words), &first);
	}
	if (words.qualifiers != 0)
		spec.type = dt_type_qualified(p->cc->hdl, spec.type, words.qualifiers);
	return spec;
}

/* Whether the next token begins a type, rather than an expression. */
static bool at_type(dt_parser_t *p)
{
	const dt_token_t *token = dt_lex_peek(&p->lexer);
	dtrace_hdl_t *hdl = p->cc->hdl;

	if (DT_TOK_IS_TYPE(token->kind))
		return true;
	return token->kind == DT_TOK_IDENT &&
	       dt_ident_lookup(hdl, DT_SCOPE_GLOBAL, token->string) == NULL &&
	       dt_enumerator_lookup(hdl, token->string, NULL) == NULL &&
	       dt_type_lookup(hdl, DT_K_TYPEDEF, token->string) != NULL;
}

/* ---- Declarators ------------------------------------------------------- */

static dt_declmod_t *mod_new(dt_parser_t *p, int kind)
{
	dt_declmod_t *mod = dt_compile_alloc(p->cc, sizeof(*mod));
	const dt_token_t *token = dt_lex_peek(&p->lexer);

	mod->kind = kind;
	mod->line = token->line;
	mod->column = token->column;
	return mod;
}

static uint8_t pointer_qualifiers(dt_parser_t *p)
{
	uint8_t qualifiers = 0;

	for (;; dt_parse_take(p)) {
		switch (dt_parse_peek(p)) {
		case DT_TOK_CONST:
			qualifiers |= DT_TQ_CONST;
			break;
		case DT_TOK_VOLATILE:
			qualifiers |= DT_TQ_VOLATILE;
			break;
		case DT_TOK_USERLAND:
			qualifiers |= DT_TQ_USERLAND;
			break;
		case DT_TOK_RESTRICT:
			break;
		default:
			return qualifiers;
		}
	}
}

/* A list of types that grows, as the arena cannot. */
typedef struct typelist {
	struct typelist *next;
	dt_type_t *type;
	const char *name;
} typelist_t;

static void set_types(dt_parser_t *p, dt_declmod_t *mod, const typelist_t *list)
{
	uint32_t i = 0;

	/* Types outlive the program when it fails: they belong to the handle. */
	mod->types =
	    dt_arena_alloc(p->cc->hdl->arena, (mod->count + 1) * sizeof(*mod->types));
	if (mod->types == NULL)
		dt_compile_error(p->cc, D_NOMEM, 0, 0, "out of memory");
	mod->names = dt_compile_alloc(p->cc, (mod->count + 1) * sizeof(*mod->names));
	for (; list != NULL; list = list->next, i++) {
		mod->types[i] = list->type;
		mod->names[i] = list->name;
		if (list->name != NULL)
			dt_parse_note_name(p, list->name);
	}
}

/* A parameter's type, which cannot be that of an associative array. */
static dt_type_t *parameter_type(dt_parser_t *p, const dt_declspec_t *spec,
				 const dt_declarator_t *d)
{
	if (spec->class != 0)
		dt_compile_error(p->cc, D_DECL_PARMCLASS, spec->line, spec->column,
				 "a parameter has no storage class");
	for (const dt_declmod_t *mod = d->mods; mod != NULL; mod = mod->next) {
		if (mod->kind == DT_MOD_ASSOC)
			dt_compile_error(p->cc, D_DECL_PROTO_TYPE, mod->line, mod->column,
					 "a parameter cannot be an associative array");
	}
	return dt_parse_wrap(p, spec, d);
}

void dt_parse_check_names(dt_parser_t *p, const dt_declmod_t *mod)
{
	for (uint32_t i = 0; i < mod->count; i++) {
		for (uint32_t j = 0; j < i && mod->names[i] != NULL; j++) {
			if (mod->names[j] != NULL &&
			    strcmp(mod->names[i], mod->names[j]) == 0)
				dt_compile_error(p->cc, D_DECL_PROTO_FORM, mod->line,
						 mod->column,
						 "parameter %s is declared already",
						 mod->names[i]);
		}
	}
}

/* keys: key {"," key} "]", key: specifiers [declarator]: of an associative array */
static void array_keys(dt_parser_t *p, dt_declmod_t *mod)
{
	typelist_t *first = NULL, **tail = &first;

	mod->kind = DT_MOD_ASSOC;
	do {
		dt_declspec_t spec;
		dt_declarator_t d;
		dt_type_t *type;

		if (dt_parse_peek(p) == DT_TOK_ELLIPSIS)
			dt_compile_error(p->cc, D_DECL_PROTO_VARARGS, mod->line, mod->column,
					 "the keys of an array cannot be variable");
		spec = dt_parse_declspec(p, false);
		d = dt_parse_declarator(p, DT_NAME_OPTIONAL);
		type = parameter_type(p, &spec, &d);
		if (dt_type_resolve(p->cc->hdl, type)->kind == DT_K_VOID)
			dt_compile_error(p->cc, D_DECL_PROTO_TYPE, spec.line, spec.column,
					 "a key cannot be of type void");
		*tail = dt_compile_alloc(p->cc, sizeof(**tail));
		(*tail)->type = type;
		(*tail)->name = d.name;
		tail = &(*tail)->next;
		mod->count++;
	} while (dt_parse_accept(p, ','));
	dt_parse_expect(p, ']');
	set_types(p, mod, first);
	dt_parse_check_names(p, mod);
}

/* array: "[" [constant] "]" | "[" keys */
static void array_suffix(dt_parser_t *p, dt_declmod_t *mod)
{
	int64_t count;

	dt_parse_expect(p, '[');
	if (dt_parse_accept(p, ']'))
		return;
	if (at_type(p) || is_class(dt_parse_peek(p))) {
		array_keys(p, mod);
		return;
	}
	count = dt_parse_constant(p, D_DECL_ARRSUB, "the size of an array");
	if (count < 0 || count > ARRAY_MAX)
		dt_compile_error(p->cc, count < 0 ? D_DECL_ARRSUB : D_DECL_ARRBIG,
				 mod->line, mod->column,
				 "an array cannot have %lld elements", (long long)count);
	if (count == 0)
		dt_compile_error(p->cc, D_DECL_ARRNULL, mod->line, mod->column,
				 "an array must have at least one element");
	mod->count = (uint32_t)count;
	dt_parse_expect(p, ']');
}

static bool is_void(dt_parser_t *p, const dt_declspec_t *spec, const dt_declarator_t *d)
{
	return d->name == NULL && d->mods == NULL &&
	       dt_type_resolve(p->cc->hdl, spec->type)->kind == DT_K_VOID;
}

/* void stands alone and without a name, and says that there are no parameters. */
_Noreturn static void bad_void(dt_parser_t *p, const dt_declspec_t *spec,
			       const dt_declarator_t *d)
{
	if (d->name != NULL)
		dt_compile_error(p->cc, D_DECL_PROTO_NAME, d->line, d->column,
				 "parameter %s cannot be of type void", d->name);
	dt_compile_error(p->cc, D_DECL_PROTO_VOID, spec->line, spec->column,
			 "void must be the only parameter");
}

/* params: ")" | "void" ")" | parameter {"," parameter} ["," "..."] ")" */
void dt_parse_params(dt_parser_t *p, dt_declmod_t *mod)
{
	typelist_t *first = NULL, **tail = &first;

	mod->kind = DT_MOD_FUNC;
	while (!dt_parse_accept(p, ')')) {
		dt_declspec_t spec;
		dt_declarator_t declarator;
		dt_type_t *type;

		if (mod->varargs || (mod->count > 0 && !dt_parse_accept(p, ',')))
			dt_parse_fail(p);
		if (dt_parse_accept(p, DT_TOK_ELLIPSIS)) {
			mod->varargs = true;
			continue;
		}
		spec = dt_parse_declspec(p, true);
		declarator = dt_parse_declarator(p, DT_NAME_OPTIONAL);
		if (mod->count == 0 && is_void(p, &spec, &declarator) && dt_parse_accept(p, ')'))
			break;
		type = parameter_type(p, &spec, &declarator);
		switch (dt_type_resolve(p->cc->hdl, type)->kind) {
		case DT_K_VOID:
			bad_void(p, &spec, &declarator);
		case DT_K_ARRAY:
			type = dt_type_pointer(p->cc->hdl,
					       dt_type_resolve(p->cc->hdl, type)->ref);
			break;
		case DT_K_FUNC:
			type = dt_type_pointer(p->cc->hdl, type);
			break;
		default:
			break;
		}
		*tail = dt_compile_alloc(p->cc, sizeof(**tail));
		(*tail)->type = type;
		(*tail)->name = declarator.name;
		tail = &(*tail)->next;
		mod->count++;
	}
	set_types(p, mod, first);
}

/* Whether "(" opens a declarator within the declarator, rather than parameters. */
static bool is_nested_declarator(dt_parser_t *p, dt_declname_t name)
{
	dt_lexer_t ahead = p->lexer;
	dt_token_t token;

	ahead.is_trial = true;
	dt_lex_take(&ahead);
	token = dt_lex_take(&ahead);
	if (token.kind == '*' || token.kind == '(' || token.kind == '[')
		return true;
	if (name == DT_NAME_ALWAYS)
		return true;
	return name == DT_NAME_OPTIONAL && token.kind == DT_TOK_IDENT &&
	       dt_type_lookup(p->cc->hdl, DT_K_TYPEDEF, token.string) == NULL;
}

/* declarator: {"*" {qualifier}} (name | "(" declarator ")" | nothing) {array | params} */
static dt_declmod_t **declarator(dt_parser_t *p, dt_declarator_t *d, dt_declname_t name,
				 dt_declmod_t **tail)
{
	dt_declmod_t *inner = NULL, **inner_tail = &inner, *suffixes = NULL, *mod;
	uint32_t nmods = 0;

	dt_parse_enter(p);
	while (dt_parse_peek(p) == '*') {
		*tail = mod_new(p, DT_MOD_PTR);
		dt_parse_take(p);
		(*tail)->qualifiers = pointer_qualifiers(p);
		tail = &(*tail)->next;
		if (++nmods > DT_NEST_MAX)
			dt_parse_fail(p);
	}

	if (name != DT_NAME_NEVER && dt_parse_peek(p) == DT_TOK_KSYM)
		dt_compile_error(p->cc, D_DECL_SCOPE, dt_lex_peek(&p->lexer)->line,
				 dt_lex_peek(&p->lexer)->column,
				 "what is declared cannot be the kernel's: `%s",
				 dt_lex_peek(&p->lexer)->string);
	if (name != DT_NAME_NEVER && dt_parse_peek(p) == DT_TOK_IDENT) {
		dt_token_t token = dt_parse_take(p);

		d->name = token.string;
		d->line = token.line;
		d->column = token.column;
	} else if (dt_parse_peek(p) == '(' && is_nested_declarator(p, name)) {
		dt_parse_take(p);
		inner_tail = declarator(p, d, name, &inner);
		dt_parse_expect(p, ')');
	} else if (name == DT_NAME_ALWAYS) {
		dt_parse_fail(p);
	}

	/* The suffix next to the name is applied last. */
	while (dt_parse_peek(p) == '[' || dt_parse_peek(p) == '(') {
		mod = mod_new(p, DT_MOD_ARRAY);
		if (dt_parse_peek(p) == '[') {
			array_suffix(p, mod);
		} else {
			dt_parse_take(p);
			dt_parse_params(p, mod);
		}
		mod->next = suffixes;
		suffixes = mod;
		if (++nmods > DT_NEST_MAX)
			dt_parse_fail(p);
	}
	dt_parse_leave(p);

	*tail = suffixes;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = inner;
	return inner != NULL ? inner_tail : tail;
}

dt_declarator_t dt_parse_declarator(dt_parser_t *p, dt_declname_t name)
{
	dt_declarator_t d = {0};

	declarator(p, &d, name, &d.mods);
	return d;
}

/* ---- From declarators to types ----------------------------------------- */

static dt_type_t *wrap_array(dt_parser_t *p, const dt_declmod_t *mod, dt_type_t *type)
{
	const dt_type_t *element = dt_type_resolve(p->cc->hdl, type);

	if (element->kind == DT_K_VOID || element->kind == DT_K_FUNC)
		dt_compile_error(p->cc, D_DECL_VOIDOBJ, mod->line, mod->column,
				 "an array cannot be of %s",
				 element->kind == DT_K_VOID ? "void" : "functions");
	if (element->size == 0)
		dt_compile_error(p->cc, D_DECL_INCOMPLETE, mod->line, mod->column,
				 "an array cannot be of an incomplete type");
	if (mod->count > 0 && element->size > ARRAY_MAX / mod->count)
		dt_compile_error(p->cc, D_DECL_ARRBIG, mod->line, mod->column,
				 "the array is too large: %u elements of %llu bytes",
				 mod->count, (unsigned long long)element->size);
	return dt_type_array(p->cc->hdl, type, mod->count);
}

static dt_type_t *wrap_function(dt_parser_t *p, const dt_declmod_t *mod, dt_type_t *type)
{
	dt_kind_t kind = dt_type_resolve(p->cc->hdl, type)->kind;
	dt_type_t *function;

	if (kind == DT_K_ARRAY || kind == DT_K_FUNC)
		dt_compile_error(p->cc, D_DECL_FUNC, mod->line, mod->column,
				 "a function cannot return %s",
				 kind == DT_K_ARRAY ? "an array" : "a function");
	dt_parse_check_names(p, mod);
	function = dt_type_new(p->cc->hdl, DT_K_FUNC);
	function->ref = type;
	function->align = 1;
	function->count = mod->count;
	function->params = mod->types;
	function->varargs = mod->varargs;
	function->complete = true;
	return function;
}

dt_type_t *dt_parse_wrap(dt_parser_t *p, const dt_declspec_t *spec,
			 const dt_declarator_t *d)
{
	dt_type_t *type = spec->type;
	dtrace_hdl_t *hdl = p->cc->hdl;

	for (const dt_declmod_t *mod = d->mods; mod != NULL; mod = mod->next) {
		switch (mod->kind) {
		case DT_MOD_PTR:
			type = dt_type_pointer(hdl, type);
			if (mod->qualifiers != 0)
				type = dt_type_qualified(hdl, type, mod->qualifiers);
			break;
		case DT_MOD_ARRAY:
			type = wrap_array(p, mod, type);
			break;
		case DT_MOD_FUNC:
			type = wrap_function(p, mod, type);
			break;
		case DT_MOD_ASSOC:
			dt_compile_error(p->cc, D_DECL_DYNOBJ, mod->line, mod->column,
					 "only a variable can be an associative array");
		}
	}
	if (spec->is_userland && dt_type_resolve(hdl, type)->kind == DT_K_PTR)
		type = dt_type_qualified(hdl, type, DT_TQ_USERLAND);
	return type;
}

/* type-name: specifiers declarator-without-name */
dt_type_t *dt_parse_typename(dt_parser_t *p)
{
	dt_declspec_t spec = dt_parse_declspec(p, false);
	dt_declarator_t d;

	if (spec.class != 0)
		dt_compile_error(p->cc, D_SYNTAX, spec.line, spec.column,
				 "a type alone has no storage class");
	d = dt_parse_declarator(p, DT_NAME_NEVER);
	return dt_parse_wrap(p, &spec, &d);
}
