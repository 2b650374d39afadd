/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translate.c - translators, and inlines with parameters. Both are expressions with a name
 * and parameters; a use of one is checked as a copy of the expression as it was parsed, in
 * which each parameter's name is replaced by the (already checked) value given for it. So
 * xlate<psinfo_t *>(p)->pr_pid costs what reading that one member from p costs, members
 * that nobody reads are never looked at, and code generation knows of neither.
 *
 * The value is evaluated as often as the expression names it. Copies share it as a tree.
 */
#include "lang/translate.h"

#include <stdio.h>
#include <string.h>

#include "lang/check.h"
#include "lang/library.h"
#include "lang/parse.h"

/* Bounds on what one use may become: nodes, and levels of the tree. */
#define EXPANSION_NODES 8192

/* A definition that is being put in the place of a use. */
typedef struct dt_expansion {
	struct dt_expansion *next; /* the one around it */
	const void *definition;
	const dt_node_t *at; /* the use that it is for */
	uint32_t height;     /* of all trees it stands in */
} dt_expansion_t;

/* What names stand for in a copy. */
typedef struct dt_binding {
	uint32_t count;
	const char *const *names;
	dt_node_t *const *values;
} dt_binding_t;

/* ---- Copies -------------------------------------------------------------------- */

static dt_node_t *bound_value(const dt_binding_t *binding, const dt_node_t *n)
{
	if (n->kind != DT_N_NAME || n->value != DT_SCOPE_GLOBAL)
		return NULL;
	for (uint32_t i = 0; i < binding->count; i++) {
		if (binding->names[i] != NULL && strcmp(binding->names[i], n->string) == 0)
			return binding->values[i];
	}
	return NULL;
}

/* A copy of an expression as parsed. Its height is bounded by the parser. */
static dt_node_t *copy_tree(dt_compile_t *c, const dt_node_t *n,
			    const dt_binding_t *binding)
{
	const dt_node_t *value, *item;
	dt_node_t *copy, **tail;

	if (n == NULL)
		return NULL;
	value = bound_value(binding, n);
	copy = dt_node_new(c, n->kind, n->line, n->column);
	*copy = value != NULL ? *value : *n;
	copy->next = NULL;
	if (value != NULL || n->is_checked)
		return copy;
	copy->left = copy_tree(c, n->left, binding);
	copy->right = copy_tree(c, n->right, binding);
	copy->third = copy_tree(c, n->third, binding);
	tail = &copy->list;
	for (item = n->list; item != NULL; item = item->next) {
		*tail = copy_tree(c, item, binding);
		tail = &(*tail)->next;
	}
	return copy;
}

/* Counts nodes and measures height; both stop mattering beyond their bounds. */
static void measure(const dt_node_t *n, uint32_t level, uint32_t *nodes, uint32_t *height)
{
	if (n == NULL || *nodes > EXPANSION_NODES || *height > DT_HEIGHT_MAX)
		return;
	++*nodes;
	if (level > *height)
		*height = level;
	measure(n->left, level + 1, nodes, height);
	measure(n->right, level + 1, nodes, height);
	measure(n->third, level + 1, nodes, height);
	for (const dt_node_t *item = n->list; item != NULL; item = item->next)
		measure(item, level + 1, nodes, height);
}

/* Raised at the outermost use: what is in between may be a library's, and all right. */
static _Noreturn void too_large(dt_compile_t *c, const dt_expansion_t *expansion,
				const char *words)
{
	while (expansion->next != NULL)
		expansion = expansion->next;
	dt_compile_error(c, D_ID_OFLOW, expansion->at->line, expansion->at->column,
			 "%s expands to too large an expression", words);
}

/* Checks a definition's expression with its parameters bound. Words such as "inline f". */
static dt_node_t *expand(dt_compile_t *c, const dt_node_t *at, const char *words,
			 const void *definition, const dt_node_t *body,
			 const dt_binding_t *binding)
{
	dt_expansion_t expansion = {c->expanding, definition, at, body->height};
	uint32_t nodes = 0, height = 0;
	dt_node_t *result;

	for (const dt_expansion_t *outer = c->expanding; outer != NULL;
	     outer = outer->next) {
		if (outer->definition == definition)
			dt_compile_error(c, D_IDENT_UNDEF, at->line, at->column,
					 "%s is defined by itself", words);
	}
	if (c->expanding != NULL)
		expansion.height += c->expanding->height;
	if (expansion.height > DT_HEIGHT_MAX)
		too_large(c, &expansion, words);
	c->expanding = &expansion;
	result = dt_check_expr(c, copy_tree(c, body, binding));
	c->expanding = expansion.next;
	measure(result, 1, &nodes, &height);
	if (nodes > EXPANSION_NODES || height > DT_HEIGHT_MAX)
		too_large(c, &expansion, words);
	return result;
}

/* The value of an expansion at the place of its use: nothing that could be assigned to. */
static dt_node_t *as_value(const dt_node_t *at, dt_node_t *value)
{
	value->line = at->line;
	value->column = at->column;
	value->next = NULL;
	value->is_checked = true;
	value->is_translated = true;
	return value;
}

/* A value of the type that is not there: for checking a definition by itself. */
static dt_node_t *placeholder(dt_compile_t *c, const dt_node_t *at, const char *name,
			      dt_type_t *type)
{
	dt_ident_t *ident = dt_compile_alloc(c, sizeof(*ident));
	dt_node_t *n;

	ident->kind = DT_I_VAR;
	ident->scope = DT_SCOPE_THIS;
	ident->name = name != NULL ? name : "";
	ident->type = type;
	n = dt_check_node(c, at, DT_N_VAR, type, NULL);
	n->ident = ident;
	n->is_checked = true;
	n->is_userland = dt_check_is_userland(c, n);
	return n;
}

/* ---- Finding translators ----------------------------------------------------------- */

static void translator_undo(dtrace_hdl_t *hdl, void *argument)
{
	dt_translator_t **link = &hdl->translators;

	while (*link != NULL && *link != argument)
		link = &(*link)->next;
	if (*link != NULL)
		*link = (*link)->next;
}

static dt_translator_t *find_exact(dt_compile_t *c, dt_type_t *from, dt_type_t *to)
{
	dt_translator_t *t;

	for (t = c->hdl->translators; t != NULL; t = t->next) {
		if (dt_check_is_same_type(c, t->to, to) &&
		    dt_check_is_same_type(c, t->from, from))
			return t;
	}
	return NULL;
}

/* Integers stand for each other, and so do pointers to types of one size (and sign). */
static dt_translator_t *find_compatible(dt_compile_t *c, dt_type_t *from, dt_type_t *to)
{
	const dt_type_t *have = dt_type_resolve(c->hdl, from), *want;
	dt_translator_t *t;

	for (t = c->hdl->translators; t != NULL; t = t->next) {
		want = dt_type_resolve(c->hdl, t->from);
		if (want->kind == have->kind && dt_check_is_same_type(c, t->to, to) &&
		    dt_type_compatible(c->hdl, from, t->from))
			return t;
	}
	return NULL;
}

void dt_translator_add(dt_compile_t *c, dt_translator_t *translator)
{
	char from[DT_TYPESTR], to[DT_TYPESTR];

	if (find_exact(c, translator->from, translator->to) != NULL)
		dt_compile_error(
		    c, D_XLATE_REDECL, translator->line, translator->column,
		    "translator from \"%s\" to \"%s\" has been declared already",
		    dt_type_name(translator->from, from, sizeof(from)),
		    dt_type_name(translator->to, to, sizeof(to)));
	translator->next = c->hdl->translators;
	c->hdl->translators = translator;
	dt_compile_on_error(c, translator_undo, translator);
}

/* What a translation makes: the struct or union itself; NULL: it can be none. */
static dt_type_t *target_of(dt_compile_t *c, dt_type_t *type)
{
	type = dt_type_resolve(c->hdl, type);
	if (type->kind == DT_K_PTR)
		type = dt_type_resolve(c->hdl, type->ref);
	return type->kind == DT_K_STRUCT || type->kind == DT_K_UNION ? type : NULL;
}

dt_translator_t *dt_translator_find(dt_compile_t *c, dt_type_t *from, dt_type_t *to)
{
	dt_type_t *target = target_of(c, to);
	dt_translator_t *found;

	if (target == NULL)
		return NULL;
	found = find_exact(c, from, target);
	if (found == NULL && target->name != NULL &&
	    dt_library_translators(c, target->name))
		found = find_exact(c, from, target);
	return found != NULL ? found : find_compatible(c, from, target);
}

/* ---- Translations ----------------------------------------------------------------- */

dt_node_t *dt_check_xlate(dt_compile_t *c, const dt_node_t *at, dt_type_t *type,
			  dt_node_t *value)
{
	char from[DT_TYPESTR], to[DT_TYPESTR];
	dt_translator_t *translator;
	dt_node_t *n;

	dt_type_name(type, to, sizeof(to));
	if (target_of(c, type) == NULL)
		dt_compile_error(
		    c, D_XLATE_SOU, at->line, at->column,
		    "cannot translate to \"%s\": it is neither a struct or union "
		    "nor a pointer to one",
		    to);
	translator = dt_translator_find(c, value->type, type);
	if (translator == NULL)
		dt_compile_error(c, D_XLATE_NONE, at->line, at->column,
				 "cannot translate from \"%s\" to \"%s\"",
				 dt_type_name(value->type, from, sizeof(from)), to);
	n = dt_check_node(c, at, DT_N_XLATE, type, value);
	n->translator = translator;
	n->is_checked = true;
	c->has_leftover = true;
	return n;
}

static const dt_xlmember_t *find_member(const dt_translator_t *translator, const char *name)
{
	const dt_xlmember_t *m;

	for (m = translator->members; m != NULL; m = m->next) {
		if (strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

/* The member's expression as the member's type; NULL: it cannot be converted. */
static dt_node_t *convert_member(dt_compile_t *c, dt_node_t *value, dt_type_t *type)
{
	const dt_type_t *want = dt_type_resolve(c->hdl, type);

	if (want->kind == DT_K_ARRAY)
		return dt_check_type(c, value)->kind == DT_K_ARRAY &&
			       dt_type_compatible(c->hdl, value->type, type)
			   ? value
			   : NULL;
	return dt_check_assignable(c, value, type);
}

static dt_node_t *expand_member(dt_compile_t *c, const dt_node_t *at,
				const dt_translator_t *translator,
				const dt_xlmember_t *member, dt_node_t *value,
				dt_type_t *type)
{
	char words[160], a[DT_TYPESTR], b[DT_TYPESTR];
	dt_binding_t binding = {1, &translator->param, &value};
	dt_node_t *result, *converted;

	snprintf(words, sizeof(words), "translator member %s", member->name);
	result = expand(c, at, words, member, member->expr, &binding);
	converted = convert_member(c, result, type);
	if (converted == NULL)
		dt_compile_error(c, D_XLATE_INCOMPAT, member->line, member->column,
				 "%s definition uses incompatible types: \"%s\" = \"%s\"",
				 words, dt_type_name(type, a, sizeof(a)),
				 dt_type_name(result->type, b, sizeof(b)));
	/* A cast without a node is a cast all the same. */
	if (converted == result && dt_check_is_scalar(c, result))
		converted->type = type;
	return as_value(at, converted);
}

dt_node_t *dt_check_xlmember(dt_compile_t *c, dt_node_t *n, dt_node_t *owner)
{
	const dt_translator_t *translator = owner->translator;
	const dt_xlmember_t *member = find_member(translator, n->string);
	const dt_member_t *declared;
	char name[DT_TYPESTR];
	uint32_t unused;

	declared = dt_type_member(c->hdl, translator->to, n->string, &unused);
	dt_type_name(translator->to, name, sizeof(name));
	if (declared == NULL || member == NULL)
		dt_compile_error(
		    c, D_XLATE_NOCONV, n->line, n->column,
		    "translator for %s does not define conversion for member: %s", name,
		    n->string);
	dt_attr_join(c, n->line, n->column, n->string, translator->attributes);
	return expand_member(c, n, translator, member, owner->left, declared->type);
}

/* ---- Whole definitions --------------------------------------------------------------- */

static void check_translator(dt_compile_t *c, dt_translator_t *translator)
{
	dt_node_t at = {.line = translator->line, .column = translator->column};
	dt_node_t *value = placeholder(c, &at, translator->param, translator->from);
	const dt_member_t *declared;
	char name[DT_TYPESTR];
	uint32_t unused;

	for (const dt_xlmember_t *m = translator->members; m != NULL; m = m->next) {
		at.line = m->line;
		at.column = m->column;
		declared = dt_type_member(c->hdl, translator->to, m->name, &unused);
		if (declared == NULL)
			dt_compile_error(c, D_XLATE_MEMB, m->line, m->column,
					 "translator member %s is not a member of %s",
					 m->name,
					 dt_type_name(translator->to, name, sizeof(name)));
		if (find_member(translator, m->name) != m)
			dt_compile_error(c, D_XLATE_MEMB, m->line, m->column,
					 "translator member %s is defined already",
					 m->name);
		expand_member(c, &at, translator, m, value, declared->type);
	}
}

void dt_check_translators(dt_compile_t *c)
{
	dt_translator_t *translator;

	/* Checking one may bring in translators of libraries, at the head of the list. */
	for (translator = c->hdl->translators; translator != NULL;
	     translator = translator->next) {
		if (translator->is_library || translator->is_checked)
			continue;
		translator->is_checked = true;
		check_translator(c, translator);
	}
}

/* ---- Inlines with parameters -----------------------------------------------------------
 */

static dt_node_t *expand_inline(dt_compile_t *c, const dt_node_t *at, dt_ident_t *ident,
				dt_node_t *const *values)
{
	dt_binding_t binding = {(uint32_t)ident->nkeys, ident->key_names, values};
	char words[DT_IDENTSTR], a[DT_TYPESTR], b[DT_TYPESTR];
	dt_node_t *result, *converted;

	snprintf(words, sizeof(words), "inline %s", ident->name);
	result = expand(c, at, words, ident, ident->inline_body, &binding);
	converted = dt_check_assignable(c, result, ident->type);
	if (converted == NULL)
		dt_compile_error(c, D_OP_INCOMPAT, at->line, at->column,
				 "%s has incompatible types: \"%s\" = \"%s\"", words,
				 dt_type_name(ident->type, a, sizeof(a)),
				 dt_type_name(result->type, b, sizeof(b)));
	if (converted == result && dt_check_is_scalar(c, result))
		converted->type = ident->type;
	return as_value(at, converted);
}

dt_node_t *dt_check_inline_call(dt_compile_t *c, dt_node_t *n, dt_ident_t *ident)
{
	size_t count = (size_t)ident->nkeys;
	dt_node_t **values = dt_compile_alloc(c, (count + 1) * sizeof(dt_node_t *));
	char name[DT_IDENTSTR], expected[DT_TYPESTR];
	dt_node_t *list = dt_check_list(c, n->list, dt_check_expr), *next;
	int passed = 0, i = 0;

	snprintf(name, sizeof(name), "%s[ ]", ident->name);
	for (const dt_node_t *item = list; item != NULL; item = item->next)
		passed++;
	if (passed != ident->nkeys)
		dt_check_badlength(c, n, D_PROTO_LEN, name, passed, ident->nkeys,
				   ident->nkeys);
	for (; list != NULL; list = next, i++) {
		next = list->next;
		values[i] = dt_check_assignable(c, list, ident->keys[i]);
		if (values[i] == NULL)
			dt_check_badarg(
			    c, list, D_PROTO_ARG, name, i + 1,
			    dt_type_name(ident->keys[i], expected, sizeof(expected)));
		values[i]->is_checked = true;
	}
	dt_attr_join(c, n->line, n->column, ident->name, ident->attributes);
	return expand_inline(c, n, ident, values);
}

void dt_check_inline_params(dt_compile_t *c, dt_ident_t *ident)
{
	dt_node_t at = {.line = ident->inline_body->line};
	dt_node_t **values;

	if (ident->is_signature_known)
		return;
	values = dt_compile_alloc(c, (size_t)(ident->nkeys + 1) * sizeof(dt_node_t *));
	for (int i = 0; i < ident->nkeys; i++)
		values[i] = placeholder(c, &at, ident->key_names[i], ident->keys[i]);
	expand_inline(c, &at, ident, values);
	dt_ident_modify(c, ident);
	ident->is_signature_known = true;
}

/* ---- What is left over ------------------------------------------------------------------
 */

void dt_check_leftover(dt_compile_t *c, const dt_node_t *n)
{
	char name[DT_TYPESTR];

	if (n == NULL || !c->has_leftover)
		return;
	if (n->kind == DT_N_XLATE)
		dt_compile_error(
		    c, D_OP_DYN, n->line, n->column,
		    "a translation to \"%s\" may not be used as a whole: only its "
		    "members are values",
		    dt_type_name(n->type, name, sizeof(name)));
	if (n->kind == DT_N_AGG && n->ident == NULL)
		dt_compile_error(c, D_OP_DYN, n->line, n->column,
				 "aggregation @%s may not be used as a value", n->string);
	if (dt_check_is_actcall(n))
		dt_compile_error(c, D_CG_EXPR, n->line, n->column,
				 "%s( ) may not be called from a D expression: %s", n->string,
				 dt_builtin_lookup(n->string)->kind == DT_I_AGGFUNC
				     ? "it must be assigned to an aggregation"
				     : "it must be a statement of its own");
	dt_check_leftover(c, n->left);
	dt_check_leftover(c, n->right);
	dt_check_leftover(c, n->third);
	for (const dt_node_t *item = n->list; item != NULL; item = item->next)
		dt_check_leftover(c, item);
}
