/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ident.c - identifiers, and the built-in names of D.
 *
 * Identifiers live as long as the handle, in one hash. A name can stand in it several
 * times: once for each scope of variables, once as an aggregation, once as a function;
 * these name spaces do not see each other. Built-ins are constant, in the order of
 * builtins.def; a handle gets its own identifier for one when a program first names it,
 * for that is where the built-in's type is kept once it has been read.
 *
 * A failed compile takes back what it added or changed.
 */
#include "lang/check.h"
#include "lang/lex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The hash -------------------------------------------------------------- */

typedef enum dt_namespace {
	SPACE_VARIABLE,
	SPACE_AGGREGATION,
	SPACE_FUNCTION
} dt_namespace_t;

static dt_namespace_t ident_space(dt_identkind_t kind)
{
	switch (kind) {
	case DT_I_AGG:
		return SPACE_AGGREGATION;
	case DT_I_SUBR:
	case DT_I_ACTION:
	case DT_I_AGGFUNC:
		return SPACE_FUNCTION;
	default:
		return SPACE_VARIABLE;
	}
}

#define BUCKETS_MIN 64

/* The chain of a name; there must be one. */
static dt_ident_t **ident_chain(const dtrace_hdl_t *hdl, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return &hdl->idents[hash & (hdl->ident_buckets - 1)];
}

/* Makes room for one more: there are at least half as many chains as names. The old chains
 * stay in the arena, where all of them together are no more than the new ones. */
static bool ident_reserve(dtrace_hdl_t *hdl)
{
	uint32_t old_buckets = hdl->ident_buckets;
	uint32_t buckets = old_buckets == 0 ? BUCKETS_MIN : old_buckets * 2;
	dt_ident_t **old = hdl->idents, **idents;

	if (old_buckets > 0 && hdl->nidents < 2 * old_buckets)
		return true;
	idents = dt_arena_alloc(hdl->arena, buckets * sizeof(dt_ident_t *));
	if (idents == NULL)
		return false;
	hdl->idents = idents;
	hdl->ident_buckets = buckets;
	for (uint32_t i = 0; i < old_buckets; i++) {
		dt_ident_t *ident = old[i], *next;

		for (; ident != NULL; ident = next) {
			dt_ident_t **chain = ident_chain(hdl, ident->name);

			next = ident->next;
			ident->next = *chain;
			*chain = ident;
		}
	}
	return true;
}

static dt_ident_t *ident_find(dtrace_hdl_t *hdl, dt_namespace_t space, dt_scope_t scope,
			      const char *name)
{
	dt_ident_t *ident;

	if (hdl->ident_buckets == 0)
		return NULL;
	for (ident = *ident_chain(hdl, name); ident != NULL; ident = ident->next) {
		if (ident->scope == scope && ident_space(ident->kind) == space &&
		    strcmp(ident->name, name) == 0)
			return ident;
	}
	return NULL;
}

static void ident_unlink(dtrace_hdl_t *hdl, const dt_ident_t *ident)
{
	dt_ident_t **link = ident_chain(hdl, ident->name);

	while (*link != NULL && *link != ident)
		link = &(*link)->next;
	if (*link != NULL)
		*link = ident->next;
}

dt_ident_t *dt_ident_lookup(dtrace_hdl_t *hdl, dt_scope_t scope, const char *name)
{
	return ident_find(hdl, SPACE_VARIABLE, scope, name);
}

dt_ident_t *dt_agg_lookup(dtrace_hdl_t *hdl, const char *name)
{
	return ident_find(hdl, SPACE_AGGREGATION, DT_SCOPE_GLOBAL, name);
}

/* ---- Adding, changing, taking back ------------------------------------------ */

typedef struct dt_identsave {
	dt_ident_t *ident;
	dt_ident_t before;
} dt_identsave_t;

static void ident_undo_add(dtrace_hdl_t *hdl, void *argument)
{
	const dt_ident_t *ident = argument;

	ident_unlink(hdl, ident);
	hdl->nidents--;
	if (ident->kind == DT_I_AGG)
		hdl->naggs--;
}

static void ident_undo_modify(dtrace_hdl_t *hdl, void *argument)
{
	const dt_identsave_t *save = argument;
	dt_ident_t *next = save->ident->next; /* others may have come and gone */

	(void)hdl;
	*save->ident = save->before;
	save->ident->next = next; /* chains may have been made anew */
}

dt_ident_t *dt_ident_add(dt_compile_t *c, dt_scope_t scope, dt_identkind_t kind,
			 const char *name)
{
	dtrace_hdl_t *hdl = c->hdl;
	dt_ident_t *ident = dt_arena_alloc(hdl->arena, sizeof(*ident)), **chain;

	if (ident != NULL)
		ident->name = dt_arena_strndup(hdl->arena, name, strlen(name));
	if (ident == NULL || ident->name == NULL || !ident_reserve(hdl))
		dt_compile_error(c, D_NOMEM, 0, 0, "out of memory");
	ident->kind = kind;
	ident->scope = scope;
	ident->nkeys = kind == DT_I_ASSOC || kind == DT_I_AGG ? -1 : 0;
	ident->type = hdl->types.dyn;
	ident->order = hdl->nidents;
	ident->attributes = dt_attr_initial(kind, 0);
	dt_pragma_apply(c, ident);

	hdl->nidents++;
	if (kind == DT_I_AGG)
		ident->id = ++hdl->naggs;
	chain = ident_chain(hdl, name);
	ident->next = *chain;
	*chain = ident;
	dt_compile_on_error(c, ident_undo_add, ident);
	return ident;
}

void dt_ident_modify(dt_compile_t *c, dt_ident_t *ident)
{
	dt_identsave_t *save = dt_compile_alloc(c, sizeof(*save));

	save->ident = ident;
	save->before = *ident;
	dt_compile_on_error(c, ident_undo_modify, save);
}

void dt_ident_forget_this(dtrace_hdl_t *hdl)
{
	dt_ident_t **link;
	for (uint32_t i = 0; i < hdl->ident_buckets; i++) {
		for (link = &hdl->idents[i]; *link != NULL;) {
			if ((*link)->scope == DT_SCOPE_THIS)
				*link = (*link)->next;
			else
				link = &(*link)->next;
		}
	}
}

const char *dt_ident_display(const dt_ident_t *ident, char *buf, size_t size)
{
	const char *before = "";

	if (ident->kind == DT_I_AGG)
		before = "@";
	else if (ident->kind == DT_I_KSYM)
		before = "`";
	else if (ident->scope == DT_SCOPE_SELF)
		before = "self->";
	else if (ident->scope == DT_SCOPE_THIS)
		before = "this->";
	/* A kernel variable is filed under its name with the backquote. */
	snprintf(buf, size, "%s%s", before, ident->name + (ident->kind == DT_I_KSYM));
	return buf;
}

/* ---- Built-ins -------------------------------------------------------------- */

#define BUILTIN(name_, kind_, id_, nkeys_)                                                 \
	.ident = {.name = name_, .kind = kind_, .id = id_, .nkeys = nkeys_}

static const dt_builtin_t builtins[] = {
#define DT_VAR(id, name, type)                                                             \
	{BUILTIN(name, DT_I_BUILTIN, DT_VAR_##id, 0), .result = type},
#define DT_VARARRAY(id, name, type)                                                        \
	{BUILTIN(name, DT_I_BUILTIN, DT_VAR_##id, 1), .result = type},
#define DT_SUBR(id, name, result_, arguments)                                              \
	{BUILTIN(name, DT_I_SUBR, DT_SUBR_##id, 0), .result = result_, .args = arguments},
#define DT_ACTION(id, name, flags_, arguments)                                             \
	{BUILTIN(name, DT_I_ACTION, DT_ACTION_##id, 0), .args = arguments, .flags = flags_},
#define DT_AGGFUNC(id, name, arguments)                                                    \
	{BUILTIN(name, DT_I_AGGFUNC, DTRACEAGG_##id, 0), .args = arguments},
#include "lang/builtins.def"
};

#define NBUILTINS (sizeof(builtins) / sizeof(builtins[0]))

static int builtin_compare(const void *key, const void *entry)
{
	return strcmp(key, ((const dt_builtin_t *)entry)->ident.name);
}

const dt_builtin_t *dt_builtin_find(const char *name)
{
	/* builtins.def is four lists, each sorted. */
	const size_t ends[] = {DT_NVARS, DT_NVARS + DT_NSUBRS,
			       DT_NVARS + DT_NSUBRS + DT_NACTIONS, NBUILTINS};
	const dt_builtin_t *found = NULL;
	size_t i, start = 0;

	for (i = 0; found == NULL && i < sizeof(ends) / sizeof(ends[0]); i++) {
		found = bsearch(name, builtins + start, ends[i] - start,
				sizeof(builtins[0]), builtin_compare);
		start = ends[i];
	}
	return found;
}

const dt_ident_t *dt_builtin_lookup(const char *name)
{
	const dt_builtin_t *builtin = dt_builtin_find(name);

	return builtin == NULL ? NULL : &builtin->ident;
}

dt_type_t *dt_builtin_type(dt_compile_t *c, const char *text, const dt_node_t *at)
{
	dt_type_t *type = dt_type_lookup_local(c->hdl, DT_K_TYPEDEF, text);
	char tag[64];

	if (type != NULL)
		return type;
	if (sscanf(text, "struct %63s", tag) == 1 &&
	    dt_type_lookup(c->hdl, DT_K_STRUCT, tag) == NULL)
		dt_compile_error(
		    c, D_TYPE_ERR, at->line, at->column,
		    "%s is not available: the type struct %s is not known here", at->string,
		    tag);
	return dt_parse_type(c, text);
}

dt_ident_t *dt_builtin_ident(dt_compile_t *c, const dt_builtin_t *builtin,
			     const dt_node_t *at)
{
	const dt_ident_t *constant = &builtin->ident;
	dt_ident_t *ident = ident_find(c->hdl, ident_space(constant->kind), DT_SCOPE_GLOBAL,
				       constant->name);
	dt_type_t *type = c->hdl->types.void_;

	if (ident != NULL && ident->kind == constant->kind) {
		dt_attr_join_ident(c, at->line, at->column, ident);
		return ident;
	}
	if (builtin->result != NULL)
		type = dt_builtin_type(c, builtin->result, at);
	ident = dt_ident_add(c, DT_SCOPE_GLOBAL, constant->kind, constant->name);
	ident->id = constant->id;
	ident->nkeys = constant->nkeys;
	ident->type = type;
	ident->attributes = dt_attr_initial(constant->kind, constant->id);
	dt_pragma_apply(c, ident);
	dt_attr_join_ident(c, at->line, at->column, ident);
	return ident;
}
