/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declprov.c - declarations of translators and providers, from text to what the handle
 * keeps of them.
 *
 * A provider's declaration names its probes, and for each what it passes and, behind a
 * colon, what args[] is made of: parameters of the second list take, by name, parameters
 * of the first, translated to their own type.
 *
 *	provider io {
 *		probe start(struct bio *b) : (bufinfo_t *b, devinfo_t *b);
 *	};
 */
#include <string.h>

#include "handle.h"
#include "lang/check.h"
#include "lang/library.h"
#include "lang/parse.h"
#include "lang/provdecl.h"
#include "lang/translate.h"

/* ---- Translators ---------------------------------------------------------- */

/* member: name "=" assignment ";" */
static dt_xlmember_t *translator_member(dt_parser_t *p)
{
	dt_xlmember_t *member = dt_compile_alloc(p->cc, sizeof(*member));
	dt_token_t name;

	if (!DT_TOK_IS_WORD(dt_parse_peek(p)))
		dt_parse_fail(p);
	name = dt_parse_take(p);
	member->name = name.string;
	member->line = name.line;
	member->column = name.column;
	dt_parse_expect(p, '=');
	member->expr = dt_parse_assignment(p);
	dt_parse_expect(p, ';');
	return member;
}

/* translator: "translator" type "<" specifiers declarator ">" "{" {member} "}" ";" */
void dt_parse_translator(dt_parser_t *p)
{
	dt_translator_t *translator = dt_compile_alloc(p->cc, sizeof(*translator));
	dt_xlmember_t **tail = &translator->members;
	dt_token_t first = dt_parse_take(p);
	dt_declarator_t param;
	dt_declspec_t spec;
	char name[DT_TYPESTR];

	translator->line = first.line;
	translator->column = first.column;
	translator->attributes = dt_attr_stable;
	translator->is_library = p->cc->is_library;
	translator->to = dt_type_resolve(p->cc->hdl, dt_parse_typename(p));
	if ((translator->to->kind != DT_K_STRUCT && translator->to->kind != DT_K_UNION) ||
	    dt_check_is_incomplete(translator->to))
		dt_compile_error(
		    p->cc, D_XLATE_SOU, first.line, first.column,
		    "cannot define a translator to \"%s\": it is not a struct or "
		    "union whose members are known",
		    dt_type_name(translator->to, name, sizeof(name)));
	dt_parse_expect(p, '<');
	spec = dt_parse_declspec(p, true);
	param = dt_parse_declarator(p, DT_NAME_ALWAYS);
	translator->from = dt_parse_wrap(p, &spec, &param);
	translator->param = param.name;
	dt_parse_note_name(p, param.name);
	if (dt_type_resolve(p->cc->hdl, translator->from)->kind == DT_K_VOID)
		dt_compile_error(p->cc, D_DECL_VOIDOBJ, param.line, param.column,
				 "the input of a translator cannot be of type void");
	dt_parse_expect(p, '>');
	dt_parse_expect(p, '{');
	while (!dt_parse_accept(p, '}')) {
		*tail = translator_member(p);
		tail = &(*tail)->next;
	}
	dt_parse_expect(p, ';');
	dt_translator_add(p->cc, translator);
}

/* ---- Providers -------------------------------------------------------------- */

/* params: "(" parameters ")"; of args[], several may be made of one, and have its name. */
static dt_paramlist_t param_list(dt_parser_t *p, bool is_native)
{
	dt_token_t token = dt_parse_expect(p, '(');
	dt_declmod_t mod = {.line = token.line, .column = token.column};

	dt_parse_params(p, &mod);
	if (is_native)
		dt_parse_check_names(p, &mod);
	if (mod.varargs)
		dt_compile_error(p->cc, D_DECL_PROTO_VARARGS, token.line, token.column,
				 "a probe's arguments cannot be variable");
	return (dt_paramlist_t){mod.count, mod.types, mod.names};
}

static bool is_same_name(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* For each parameter of args[], the native one that it is made of. */
static void match_params(dt_parser_t *p, dt_probedecl_t *probe)
{
	const dt_paramlist_t *native = &probe->native, *args = &probe->args;
	uint32_t n;

	probe->sources = dt_compile_alloc(p->cc, (args->count + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < args->count; i++) {
		if (args->names[i] == NULL)
			dt_compile_error(p->cc, D_DECL_PROTO_NAME, probe->line, 0,
					 "probe %s: parameter #%u of args[ ] must have a name",
					 probe->name, i + 1);
		for (n = 0; n < native->count; n++) {
			if (is_same_name(native->names[n], args->names[i]))
				break;
		}
		if (n == native->count)
			dt_compile_error(
			    p->cc, D_DECL_PROTO_FORM, probe->line, 0,
			    "probe %s: parameter #%u of args[ ] has the name of "
			    "none of the probe's own",
			    probe->name, i + 1);
		probe->sources[i] = n;
	}
}

/* Names of probes are written with "-" in descriptions, and as "__" where that cannot be.
 */
static const char *probe_name(dt_parser_t *p, const dt_token_t *token)
{
	char *name = dt_compile_strdup(p->cc, token->string, token->string_length);
	char *from = name, *to = name;

	while (*from != '\0') {
		bool is_dash = from[0] == '_' && from[1] == '_';

		*to++ = is_dash ? '-' : *from;
		from += is_dash ? 2 : 1;
	}
	*to = '\0';
	return name;
}

static dt_probedecl_t *find_probe(const dt_provdecl_t *provider, const char *name)
{
	dt_probedecl_t *probe;

	for (probe = provider->probes; probe != NULL; probe = probe->next) {
		if (strcmp(probe->name, name) == 0)
			return probe;
	}
	return NULL;
}

/* probe: "probe" name params [":" params] ";" */
static void provider_probe(dt_parser_t *p, dt_provdecl_t *provider)
{
	dt_probedecl_t *probe = dt_compile_alloc(p->cc, sizeof(*probe));
	dt_token_t name;

	dt_parse_expect(p, DT_TOK_PROBE);
	if (!DT_TOK_IS_WORD(dt_parse_peek(p)))
		dt_parse_fail(p);
	name = dt_parse_take(p);
	probe->name = probe_name(p, &name);
	probe->line = name.line;
	if (strlen(probe->name) >= DTRACE_NAMELEN)
		dt_compile_error(p->cc, D_PROV_BADNAME, name.line, name.column,
				 "probe name is longer than %d characters: %s",
				 DTRACE_NAMELEN - 1, probe->name);
	if (find_probe(provider, probe->name) != NULL)
		dt_compile_error(p->cc, D_PROV_PRDUP, name.line, name.column,
				 "probe %s is declared already", probe->name);
	probe->native = probe->args = param_list(p, true);
	if (dt_parse_accept(p, ':')) {
		probe->args = param_list(p, false);
		match_params(p, probe);
	} else {
		probe->sources =
		    dt_compile_alloc(p->cc, (probe->args.count + 1) * sizeof(uint32_t));
		for (uint32_t i = 0; i < probe->args.count; i++)
			probe->sources[i] = i;
	}
	dt_parse_expect(p, ';');
	*provider->tail = probe;
	provider->tail = &probe->next;
}

/* Where the declaration is linked; NULL stands there when it is not. */
static dt_provdecl_t **provider_link(dtrace_hdl_t *hdl, const dt_provdecl_t *provider)
{
	dt_provdecl_t **link = &hdl->provdecls;

	while (*link != NULL && *link != provider)
		link = &(*link)->next;
	return link;
}

static void provider_undo(dtrace_hdl_t *hdl, void *argument)
{
	dt_provdecl_t *provider = argument, **link = provider_link(hdl, provider);

	if (*link == NULL)
		return;
	*link = provider->next;
	if (provider->replaced != NULL) {
		provider->replaced->next = provider->next;
		*link = provider->replaced;
	}
}

static bool is_same_list(dt_compile_t *c, const dt_paramlist_t *a, const dt_paramlist_t *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (!dt_check_is_same_type(c, a->types[i], b->types[i]))
			return false;
	}
	return true;
}

/* A provider may be declared again, with the same probes or others: it then has all. */
static void provider_merge(dt_parser_t *p, dt_provdecl_t *provider)
{
	dt_provdecl_t *old = dt_provdecl_find(p->cc->hdl, provider->name);
	dt_probedecl_t *probe;

	if (old == NULL)
		return;
	for (const dt_probedecl_t *had = old->probes; had != NULL; had = had->next) {
		probe = find_probe(provider, had->name);
		if (probe != NULL && !(is_same_list(p->cc, &probe->native, &had->native) &&
				       is_same_list(p->cc, &probe->args, &had->args)))
			dt_compile_error(p->cc, D_PROV_INCOMPAT, probe->line, 0,
					 "probe %s of provider %s is declared already, with "
					 "other arguments",
					 probe->name, provider->name);
		if (probe != NULL)
			continue;
		probe = dt_compile_alloc(p->cc, sizeof(*probe));
		*probe = *had;
		probe->next = NULL;
		*provider->tail = probe;
		provider->tail = &probe->next;
	}
	memcpy(provider->attributes, old->attributes, sizeof(provider->attributes));
	*provider_link(p->cc->hdl, old) = old->next;
	provider->replaced = old;
}

/* provider: "provider" name "{" {probe} "}" ";" */
void dt_parse_provider(dt_parser_t *p)
{
	dt_provdecl_t *provider = dt_compile_alloc(p->cc, sizeof(*provider));
	dt_token_t name;

	dt_parse_take(p);
	name = dt_parse_expect(p, DT_TOK_IDENT);
	provider->name = name.string;
	provider->line = name.line;
	provider->is_library = p->cc->is_library;
	provider->tail = &provider->probes;
	for (int part = 0; part < DT_NPROVPARTS; part++)
		provider->attributes[part] = dt_attr_stable;
	if (name.string_length >= DTRACE_PROVNAMELEN - 10)
		dt_compile_error(p->cc, D_PROV_BADNAME, name.line, name.column,
				 "provider name is longer than %d characters: %s",
				 DTRACE_PROVNAMELEN - 11, name.string);
	if (strchr("0123456789", name.string[name.string_length - 1]) != NULL)
		dt_compile_error(p->cc, D_PROV_BADNAME, name.line, name.column,
				 "provider name may not end in a digit: %s", name.string);
	dt_parse_expect(p, '{');
	while (!dt_parse_accept(p, '}'))
		provider_probe(p, provider);
	dt_parse_expect(p, ';');

	provider_merge(p, provider);
	provider->next = p->cc->hdl->provdecls;
	p->cc->hdl->provdecls = provider;
	dt_compile_on_error(p->cc, provider_undo, provider);
}

/* ---- Looking up --------------------------------------------------------------- */

dt_provdecl_t *dt_provdecl_find(const dtrace_hdl_t *hdl, const char *name)
{
	dt_provdecl_t *provider;

	for (provider = hdl->provdecls; provider != NULL; provider = provider->next) {
		if (strcmp(provider->name, name) == 0)
			return provider;
	}
	return NULL;
}

const dt_probedecl_t *dt_probedecl_find(dt_compile_t *c, const char *name,
					const char *probe)
{
	const dt_provdecl_t *provider = dt_provdecl_find(c->hdl, name);
	char bare[DTRACE_PROVNAMELEN];
	size_t length;

	if (provider == NULL && dt_library_provider(c, name))
		provider = dt_provdecl_find(c->hdl, name);
	if (provider != NULL)
		return find_probe(provider, probe);
	/* A process's probes: the provider's name, then the process's number. */
	for (length = strlen(name); length > 1 && strchr("0123456789", name[length - 1]);)
		length--;
	if (name[length] == '\0' || length >= sizeof(bare))
		return NULL;
	memcpy(bare, name, length);
	bare[length] = '\0';
	provider = dt_provdecl_find(c->hdl, bare);
	return provider == NULL ? NULL : find_probe(provider, probe);
}
