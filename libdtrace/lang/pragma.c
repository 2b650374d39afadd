/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pragma.c - directives: lines that begin with '#'. #pragma D is D's own, #line and its
 * short form come from cpp, a first line with #! names the interpreter of a script. Other
 * pragmas are somebody else's and are passed over, as in C.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "lang/lex.h"
#include "lang/library.h"
#include "lang/provdecl.h"
#include "lang/source.h"
#include "names.h"

#define NWORDS 16
#define WORD_MAX 256

/* The words of a directive; a string in quotes is one word, without them. */
typedef struct directive {
	dt_lexer_t *lexer;
	int column;
	int nwords;
	char *words[NWORDS];
} directive_t;

_Noreturn static void directive_error(const directive_t *d, dt_errtag_t tag,
				      const char *message)
{
	dt_compile_error(d->lexer->cc, tag, d->lexer->line, d->column, "%s", message);
}

static void split_words(directive_t *d, const char *at, const char *end)
{
	while (d->nwords < NWORDS) {
		const char *start;
		bool is_quoted;

		while (at < end && isspace((unsigned char)*at))
			at++;
		if (at == end)
			return;
		is_quoted = *at == '"';
		start = is_quoted ? ++at : at;
		while (at < end && (is_quoted ? *at != '"' : !isspace((unsigned char)*at)))
			at++;
		if (is_quoted && at == end)
			directive_error(d, D_PRAGMA_MALFORM,
					"string without its closing \"");
		d->words[d->nwords++] =
		    dt_compile_strdup(d->lexer->cc, start, (size_t)(at - start));
		at += is_quoted;
	}
}

/* ---- Options ----------------------------------------------------------- */

/* option name[=value] */
static void pragma_option(const directive_t *d, char **words, int n)
{
	dt_compile_t *cc = d->lexer->cc;
	char *value;

	if (n != 1)
		directive_error(d, D_PRAGMA_MALFORM,
				"expected #pragma D option name[=value]");
	value = strchr(words[0], '=');
	if (value != NULL)
		*value++ = '\0';
	if (dtrace_setopt(cc->hdl, words[0], value) != 0) {
		const char *why = dtrace_errmsg(cc->hdl, dtrace_errno(cc->hdl));

		dt_compile_error(cc, D_PRAGMA_OPTSET, d->lexer->line, d->column,
				 "failed to set option '%s'%s%s%s: %s", words[0],
				 value == NULL ? "" : " to '", value == NULL ? "" : value,
				 value == NULL ? "" : "'", why);
	}
	cc->cflags |= cc->hdl->cflags;
}

/* ---- Pragmas about names ------------------------------------------------ */

/* attributes and binding may come before what they are about. */
typedef struct dt_namepragma {
	struct dt_namepragma *next; /* in cc->name_pragmas */
	const char *name;
	dtrace_attribute_t attributes;
	bool has_attributes;
	bool is_used;
	int line, column;
} dt_namepragma_t;

static dt_namepragma_t *name_pragma(const directive_t *d, const char *name)
{
	dt_compile_t *cc = d->lexer->cc;
	dt_namepragma_t *pragma = dt_compile_alloc(cc, sizeof(*pragma));
	dt_ident_t *ident = dt_ident_lookup(cc->hdl, DT_SCOPE_GLOBAL, name);

	pragma->name = name;
	pragma->line = d->lexer->line;
	pragma->column = d->column;
	pragma->is_used = ident != NULL || dt_builtin_lookup(name) != NULL;
	pragma->next = cc->name_pragmas;
	cc->name_pragmas = pragma;
	return pragma;
}

void dt_pragma_apply(dt_compile_t *cc, dt_ident_t *ident)
{
	for (dt_namepragma_t *pragma = cc->name_pragmas; pragma != NULL;
	     pragma = pragma->next) {
		if (ident->scope != DT_SCOPE_GLOBAL || ident->kind == DT_I_AGG ||
		    strcmp(pragma->name, ident->name) != 0)
			continue;
		pragma->is_used = true;
		if (pragma->has_attributes)
			ident->attributes = pragma->attributes;
	}
}

void dt_pragma_check_unused(dt_compile_t *cc)
{
	for (const dt_namepragma_t *pragma = cc->name_pragmas; pragma != NULL;
	     pragma = pragma->next) {
		if (!pragma->is_used)
			dt_compile_error(cc, D_PRAGMA_UNUSED, pragma->line, pragma->column,
					 "unused #pragma: nothing is called %s",
					 pragma->name);
	}
}

static const char *const provider_parts[DT_NPROVPARTS] = {
    [DT_PROVPART_PROVIDER] = "provider", [DT_PROVPART_MODULE] = "module",
    [DT_PROVPART_FUNCTION] = "function", [DT_PROVPART_NAME] = "name",
    [DT_PROVPART_ARGS] = "args",
};

/* attributes Name/Data/Class provider name part */
static void provider_attributes(const directive_t *d, char **words,
				dtrace_attribute_t attributes)
{
	dt_compile_t *cc = d->lexer->cc;
	dt_provdecl_t *provider = dt_provdecl_find(cc->hdl, words[0]);

	if (provider == NULL)
		dt_compile_error(cc, D_PRAGMA_SCOPE, d->lexer->line, d->column,
				 "provider %s is not declared before this", words[0]);
	for (int part = 0; part < DT_NPROVPARTS; part++) {
		if (strcmp(provider_parts[part], words[1]) == 0) {
			provider->attributes[part] = attributes;
			return;
		}
	}
	dt_compile_error(cc, D_PRAGMA_MALFORM, d->lexer->line, d->column,
			 "'%s' is not a part of a provider: expected provider, module, "
			 "function, name or args",
			 words[1]);
}

/* attributes Name/Data/Class name | attributes Name/Data/Class provider name part */
static void pragma_attributes(const directive_t *d, char **words, int n)
{
	dt_compile_t *cc = d->lexer->cc;
	dtrace_attribute_t attributes;
	dt_namepragma_t *pragma;
	dt_ident_t *ident;

	if (n != 2 && (n != 4 || strcmp(words[1], "provider") != 0))
		directive_error(d, D_PRAGMA_MALFORM,
				"expected #pragma D attributes Name/Data/Class and a name, "
				"or provider, its name and a part of it");
	if (!dt_attr_parse(words[0], &attributes))
		dt_compile_error(cc, D_PRAGMA_MALFORM, d->lexer->line, d->column,
				 "'%s' is not of the form Name/Data/Class", words[0]);
	if (n == 4) {
		provider_attributes(d, words + 2, attributes);
		return;
	}
	pragma = name_pragma(d, words[1]);
	pragma->attributes = attributes;
	pragma->has_attributes = true;
	ident = dt_ident_lookup(cc->hdl, DT_SCOPE_GLOBAL, words[1]);
	if (ident != NULL) {
		dt_ident_modify(cc, ident);
		ident->attributes = attributes;
	}
}

/* binding "1.0" name: the version of D that a name came with. All that there are, are
 * there: it is only checked. */
static void pragma_binding(const directive_t *d, char **words, int n)
{
	if (n != 2 || words[0][0] == '\0' ||
	    strspn(words[0], "0123456789.") != strlen(words[0]))
		directive_error(d, D_PRAGMA_MALFORM,
				"expected #pragma D binding \"version\" name");
	name_pragma(d, words[1]);
}

/* ---- The other pragmas of D -------------------------------------------- */

/* depends_on kind name: of a library, it has been seen to when the library was read. */
static void pragma_depends_on(const directive_t *d, char **words, int n)
{
	dt_compile_t *cc = d->lexer->cc;
	bool is_kind =
	    n > 0 && (strcmp(words[0], "library") == 0 || strcmp(words[0], "module") == 0 ||
		      strcmp(words[0], "provider") == 0);

	if (n != 2 || !is_kind)
		directive_error(d, n == 2 ? D_PRAGMA_INVAL : D_PRAGMA_MALFORM,
				"expected #pragma D depends_on library, module or "
				"provider, and its name");
	if (!cc->is_library && !dt_library_has(cc->hdl, words[0], words[1]))
		dt_compile_error(cc, D_PRAGMA_DEPEND, d->lexer->line, d->column,
				 "program requires %s %s, which is not there", words[0],
				 words[1]);
}

static void pragma_error(const directive_t *d, char **words, int n)
{
	char message[WORD_MAX] = "#error";
	size_t used = strlen(message);

	for (int i = 0; i < n; i++) {
		size_t length = strlen(words[i]);

		if (used + length + 3 > sizeof(message))
			break;
		memcpy(message + used, i == 0 ? ": " : " ", i == 0 ? 2 : 1);
		used += i == 0 ? 2 : 1;
		memcpy(message + used, words[i], length + 1);
		used += length;
	}
	directive_error(d, D_PRAGERR, message);
}

static void pragma_nothing(const directive_t *d, char **words, int n)
{
	(void)d;
	(void)words;
	(void)n;
}

/* line 12 "file": the number of the line after this one, and whose line it is. */
static void pragma_line(const directive_t *d, char **words, int n)
{
	dt_lexer_t *lexer = d->lexer;
	int file = lexer->line & ~DT_LINE_NUMBER(~0);
	const char *name = n > 1 ? words[1] : NULL;
	char *end;
	long line;

	errno = 0;
	/* cpp begins with lines that are nobody's, numbered 0. */
	line = n > 0 ? strtol(words[0], &end, 10) : -1;
	if (line < 0 || *end != '\0' || line > DT_LINE_NUMBER(~0) || errno != 0)
		directive_error(d, D_PRAGMA_MALFORM, "expected a line number");
	/* cpp reads the program from its standard input. */
	if (name != NULL)
		file = name[0] == '<' || name[0] == '\0'
			   ? lexer->cc->first_line & ~DT_LINE_NUMBER(~0)
			   : dt_source_add(lexer->cc->hdl, name);
	lexer->next_line = file | (int)line;
}

static const struct {
	const char *name;
	void (*obey)(const directive_t *, char **words, int n);
} pragmas[] = {
    {"attributes", pragma_attributes}, {"binding", pragma_binding},
    {"depends_on", pragma_depends_on}, {"error", pragma_error},
    {"ident", pragma_nothing},	       {"line", pragma_line},
    {"option", pragma_option},
};

static void pragma_obey(const directive_t *d)
{
	if (d->nwords < 2 || strcmp(d->words[1], "D") != 0)
		return;
	if (d->nwords < 3)
		directive_error(d, D_PRAGMA_MALFORM, "expected a word after #pragma D");
	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
		if (strcmp(pragmas[i].name, d->words[2]) == 0) {
			pragmas[i].obey(d, (char **)d->words + 3, d->nwords - 3);
			return;
		}
	}
	dt_compile_error(d->lexer->cc, D_PRAGMA_INVAL, d->lexer->line, d->column,
			 "unknown directive #pragma D %.64s", d->words[2]);
}

/* ---- The others -------------------------------------------------------- */

int dt_pragma_line(dt_lexer_t *lexer, const char *text, const char *end)
{
	directive_t d = {.lexer = lexer,
			 .column = (int)(lexer->at - lexer->line_start) + 1};

	lexer->next_line = lexer->line + 1;
	if (DT_LINE_NUMBER(lexer->line) == 1 && text < end && *text == '!')
		return lexer->next_line;
	split_words(&d, text, end);
	if (d.nwords == 0)
		return lexer->next_line;
	if (isdigit((unsigned char)*d.words[0]))
		pragma_line(&d, d.words, d.nwords);
	else if (strcmp(d.words[0], "line") == 0)
		pragma_line(&d, d.words + 1, d.nwords - 1);
	else if (strcmp(d.words[0], "error") == 0)
		pragma_error(&d, d.words + 1, d.nwords - 1);
	else if (strcmp(d.words[0], "pragma") == 0)
		pragma_obey(&d);
	else if (strcmp(d.words[0], "ident") != 0)
		dt_compile_error(lexer->cc, D_PRAGCTL_INVAL, lexer->line, d.column,
				 "unknown directive #%.64s", d.words[0]);
	return lexer->next_line;
}
