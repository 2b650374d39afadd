/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_probe.c - a clause's probes: that there are any, and the types of their arguments.
 *
 * Whether a description matches costs the making of the probes that it names, and of no
 * others; all matches are gathered only for a clause that reads args[].
 *
 * args[n] is the probe's argument n as what the provider says it is. It becomes a cast of
 * arg0, arg1 ... so code generation knows nothing of it; where the provider, or a provider
 * declaration of D, gives readers another type than the probe passes, a translation as
 * well.
 */
#include "lang/check.h"

#include <stdio.h>
#include <string.h>

#include "lang/provdecl.h"
#include "lang/translate.h"
#include "names.h"
#include "provider/provider.h"

/* ---- Existence ---------------------------------------------------------------- */

static int stop_at_first(dtrace_hdl_t *hdl, dt_probe_t *probe, void *found)
{
	(void)hdl;
	*(dt_probe_t **)found = probe;
	return 1;
}

static bool is_no_match(int error)
{
	return error == EDT_NOPROBE || error == EDT_NOPROV || error == EDT_BADID;
}

/* Raises an error when the description can match nothing. */
static void check_description(dt_compile_t *c, const dt_pdesc_t *pdesc)
{
	char name[DTRACE_FULLNAMELEN];
	dt_probe_t *probe = NULL;
	const char *reason, *tag;
	int error;

	if (dt_probe_match(c->hdl, &pdesc->desc, stop_at_first, &probe, NULL) < 0) {
		error = dtrace_errno(c->hdl);
		if (is_no_match(error) && c->cflags & DTRACE_C_ZDEFS)
			return;
		if (!is_no_match(error))
			c->error = error;
		dt_compile_error(c, is_no_match(error) ? D_PDESC_ZERO : D_PDESC_INVAL,
				 pdesc->line, 0, "%s", dtrace_errmsg(c->hdl, error));
	}
	if (probe != NULL) {
		dt_attr_join_probe(c, pdesc, probe);
		return;
	}
	if (c->cflags & DTRACE_C_ZDEFS)
		return;
	reason = dt_probe_missing(c->hdl, &pdesc->desc, &tag);
	dt_compile_error(c, dt_errtag_find(tag), pdesc->line, 0,
			 "probe description %s does not match any probes%s%s",
			 dtrace_desc2str(&pdesc->desc, name, sizeof(name)),
			 reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

void dt_check_descriptions(dt_compile_t *c, const dt_clause_t *clause)
{
	for (const dt_pdesc_t *pdesc = clause->pdescs; pdesc != NULL; pdesc = pdesc->next)
		check_description(c, pdesc);
}

/* ---- All of a clause's probes ---------------------------------------------------- */

typedef struct dt_clauseprobes {
	const dt_clause_t *clause;
	dt_compile_t *compile;
	dt_probe_t **probes;
	uint32_t count, room;
} dt_clauseprobes_t;

static int gather_probe(dtrace_hdl_t *hdl, dt_probe_t *probe, void *argument)
{
	dt_clauseprobes_t *all = argument;

	if (dt_probe_type(hdl, probe) != 0)
		return -1;
	if (dt_arena_grow(all->compile->prog->arena, &all->probes, sizeof(*all->probes),
			  all->count, &all->room) != 0)
		return dt_set_errno(hdl, EDT_NOMEM);
	all->probes[all->count++] = probe;
	return 0;
}

/* Those of the clause being checked, gathered once. */
static const dt_clauseprobes_t *clause_probes(dt_compile_t *c, const dt_node_t *at)
{
	dt_clauseprobes_t *all = c->clause_probes;

	if (c->clause == NULL)
		dt_compile_error(c, D_ARGS_NONE, at->line, at->column,
				 "args[ ] may not be referenced outside a probe clause");
	if (all != NULL && all->clause == c->clause)
		return all;
	all = c->clause_probes = dt_compile_alloc(c, sizeof(*all));
	all->compile = c;
	for (const dt_pdesc_t *pdesc = c->clause->pdescs; pdesc != NULL;
	     pdesc = pdesc->next) {
		if (dt_probe_match(c->hdl, &pdesc->desc, gather_probe, all, NULL) < 0 &&
		    !is_no_match(dtrace_errno(c->hdl)))
			dt_compile_error(c, D_PDESC_INVAL, pdesc->line, 0, "%s",
					 dtrace_errmsg(c->hdl, dtrace_errno(c->hdl)));
	}
	all->clause = c->clause;
	return all;
}

/* ---- args[] ------------------------------------------------------------------------ */

/* What is known of one argument of one probe. */
typedef struct dt_argument {
	const dt_probedecl_t *decl; /* by a provider declaration, or */
	const char *type;	    /* by the provider, and */
	const char *xlate;	    /* what it is translated to; NULL: nothing */
	int place;		    /* which of arg0 ... it is; -1: none */
} dt_argument_t;

/* False: the probe has no such argument. */
static bool find_argument(dt_compile_t *c, const dt_probe_t *probe, uint64_t index,
			  dt_argument_t *argument)
{
	*argument = (dt_argument_t){
	    .decl = dt_probedecl_find(c, probe->desc.dtpd_provider, probe->desc.dtpd_name)};
	if (argument->decl != NULL)
		return index < argument->decl->args.count;
	if (index >= (uint64_t)probe->nargs)
		return false;
	argument->type = probe->argtypes[index];
	argument->place = probe->argplaces != NULL ? probe->argplaces[index] : (int)index;
	argument->xlate = probe->argxlates != NULL ? probe->argxlates[index] : NULL;
	return true;
}

static bool is_same_name(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same_argument(const dt_argument_t *a, const dt_argument_t *b, uint64_t index)
{
	if (a->decl != NULL || b->decl != NULL)
		return a->decl != NULL && b->decl != NULL &&
		       a->decl->args.types[index] == b->decl->args.types[index] &&
		       a->decl->sources[index] == b->decl->sources[index];
	return is_same_name(a->type, b->type) && is_same_name(a->xlate, b->xlate) &&
	       a->place == b->place;
}

/* "syscall:vmlinux:read:entry". */
static const char *probe_name(const dt_probe_t *probe, char *buf, size_t size)
{
	dtrace_probedesc_t desc = probe->desc;

	desc.dtpd_id = DTRACE_IDNONE;
	return dtrace_desc2str(&desc, buf, size);
}

/* The argument of that index of all the clause's probes, which must agree on it. */
static dt_argument_t common_argument(dt_compile_t *c, const dt_node_t *at, uint64_t index)
{
	const dt_clauseprobes_t *all = clause_probes(c, at);
	char name[DTRACE_FULLNAMELEN], other[DTRACE_FULLNAMELEN];
	dt_argument_t first = {NULL, NULL, NULL, 0}, next;

	if (all->count == 0)
		dt_compile_error(
		    c, D_ARGS_NONE, at->line, at->column,
		    "args[ ] may not be referenced: no probe matches, so there "
		    "are no types of arguments");
	for (uint32_t i = 0; i < all->count; i++) {
		if (!find_argument(c, all->probes[i], index, &next))
			dt_compile_error(c, D_ARGS_IDX, at->line, at->column,
					 "index %lld is out of range for %s args[ ]",
					 (long long)index,
					 probe_name(all->probes[i], name, sizeof(name)));
		if (i == 0)
			first = next;
		else if (!is_same_argument(&first, &next, index))
			dt_compile_error(
			    c, D_ARGS_MULTI, at->line, at->column,
			    "args[%llu] may not be referenced because the clause's probes "
			    "do not agree on its type: %s and %s differ",
			    (unsigned long long)index,
			    probe_name(all->probes[0], name, sizeof(name)),
			    probe_name(all->probes[i], other, sizeof(other)));
	}
	return first;
}

/* argN, cast to the type. */
static dt_node_t *native_argument(dt_compile_t *c, dt_node_t *at, uint32_t number,
				  dt_type_t *type)
{
	dt_node_t *n = dt_node_new(c, DT_N_NAME, at->line, at->column), *value;
	char name[8];

	if (number >= DT_MAXARGS)
		dt_compile_error(
		    c, D_ARGS_IDX, at->line, at->column,
		    "argument %u of the probe is not available: only the first "
		    "%d are",
		    number, DT_MAXARGS);
	snprintf(name, sizeof(name), "arg%u", number);
	n->string = dt_compile_strdup(c, name, strlen(name));
	n->kind = DT_N_VAR;
	n->ident = dt_builtin_ident(c, dt_builtin_find(name), n);
	n->type = n->ident->type;
	n->is_checked = true;
	value = dt_check_node(c, n, DT_N_CAST, type, n);
	value->is_checked = true;
	value->is_userland = dt_check_is_userland(c, value);
	return value;
}

/* The argument's value as the type that readers of args[] see. */
static dt_node_t *translated_argument(dt_compile_t *c, dt_node_t *at, uint64_t index,
				      dt_node_t *value, dt_type_t *type)
{
	char a[DT_TYPESTR], b[DT_TYPESTR];
	dt_node_t *same;

	if (dt_check_is_same_type(c, value->type, type))
		return value;
	if (dt_translator_find(c, value->type, type) != NULL)
		return dt_check_xlate(c, at, type, value);
	same = dt_check_assignable(c, value, type);
	if (same == NULL)
		dt_compile_error(c, D_ARGS_XLATOR, at->line, at->column,
				 "translator for args[%llu] from \"%s\" to \"%s\" is not "
				 "defined",
				 (unsigned long long)index,
				 dt_type_name(value->type, a, sizeof(a)),
				 dt_type_name(type, b, sizeof(b)));
	return same;
}

static dt_type_t *argument_type(dt_compile_t *c, const dt_node_t *at, uint64_t index,
				const char *name)
{
	dt_type_t *type = dt_parse_type_try(c, name);

	if (type == NULL)
		dt_compile_error(c, D_ARGS_TYPE, at->line, at->column,
				 "args[%llu] is of type \"%s\", which is not known here",
				 (unsigned long long)index, name);
	return type;
}

dt_node_t *dt_check_args(dt_compile_t *c, dt_node_t *at, dt_node_t *index)
{
	dt_argument_t argument;
	dt_node_t *value;
	uint64_t n;

	n = dt_check_const(c, index, D_ARGS_TYPE, "args[ ] index")->value;
	argument = common_argument(c, at, n);
	dt_attr_join(c, at->line, at->column, "args[ ]",
		     c->clause_probes->probes[0]->provider->arguments);
	if (argument.decl != NULL) {
		uint32_t source = argument.decl->sources[n];

		value = native_argument(c, at, source, argument.decl->native.types[source]);
		return translated_argument(c, at, n, value, argument.decl->args.types[n]);
	}
	if (argument.place < 0)
		dt_compile_error(c, D_ARGS_TYPE, at->line, at->column,
				 "args[%llu] is of type \"%s\": only numbers and pointers are "
				 "passed where they can be read",
				 (unsigned long long)n, argument.type);
	value = native_argument(c, at, (uint32_t)argument.place,
				argument_type(c, at, n, argument.type));
	if (argument.xlate == NULL)
		return value;
	return translated_argument(c, at, n, value,
				   argument_type(c, at, n, argument.xlate));
}

/* ---- For those who list probes ------------------------------------------------------ */

typedef struct dt_argnames {
	dt_probe_t *probe;
	const char **names;
	int count;
} dt_argnames_t;

static void name_arguments(dt_compile_t *c, void *argument)
{
	dt_argnames_t *list = argument;
	const dt_probe_t *probe = list->probe;
	const dt_probedecl_t *decl =
	    dt_probedecl_find(c, probe->desc.dtpd_provider, probe->desc.dtpd_name);
	char name[DT_TYPESTR];
	const char *text;

	list->count = decl != NULL ? (int)decl->args.count : probe->nargs;
	list->names =
	    dt_arena_alloc(c->hdl->arena, ((size_t)list->count + 1) * sizeof(*list->names));
	for (int i = 0; i < list->count && list->names != NULL; i++) {
		if (decl != NULL)
			text = dt_type_name(decl->args.types[i], name, sizeof(name));
		else if (probe->argxlates != NULL && probe->argxlates[i] != NULL)
			text = probe->argxlates[i];
		else
			text = probe->argtypes[i];
		list->names[i] = dt_arena_strndup(c->hdl->arena, text, strlen(text));
		if (list->names[i] == NULL)
			list->names = NULL;
	}
	if (list->names == NULL)
		dt_compile_error(c, D_NOMEM, 0, 0, "out of memory");
}

int dt_args_names(dtrace_hdl_t *hdl, dt_probe_t *probe, const char ***names, int *count)
{
	dt_argnames_t list = {.probe = probe};

	if (dt_probe_type(hdl, probe) != 0 ||
	    dt_compile_run(hdl, name_arguments, &list) != 0)
		return -1;
	*names = list.names;
	*count = list.count;
	return 0;
}
