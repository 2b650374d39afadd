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

/* ---- #pragma D --------------------------------------------------------- */

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

/* attributes Name/Data/Class kind name: checked for its form; the stability of what a
 * program declares itself is not followed. */
static void pragma_attributes(const directive_t *d, char **words, int n)
{
	dtrace_attribute_t attributes;

	if (n < 2)
		directive_error(d, D_PRAGMA_MALFORM,
				"expected #pragma D attributes Name/Data/Class kind name");
	if (!dt_attr_parse(words[0], &attributes))
		dt_compile_error(d->lexer->cc, D_PRAGMA_MALFORM, d->lexer->line, d->column,
				 "'%s' is not of the form Name/Data/Class", words[0]);
}

/* binding "1.0" name: the version of D that a name came with; there is but one here. */
static void pragma_binding(const directive_t *d, char **words, int n)
{
	if (n != 2 || strspn(words[0], "0123456789.") != strlen(words[0]))
		directive_error(d, D_PRAGMA_MALFORM,
				"expected #pragma D binding \"version\" name");
}

/* depends_on kind name: only libraries are ordered by it. */
static void pragma_depends_on(const directive_t *d, char **words, int n)
{
	if (n != 2 ||
	    (strcmp(words[0], "library") != 0 && strcmp(words[0], "module") != 0 &&
	     strcmp(words[0], "provider") != 0))
		directive_error(d, D_PRAGMA_MALFORM,
				"expected #pragma D depends_on library, module or "
				"provider, and its name");
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
	directive_error(d, D_PRAGMA_ERROR, message);
}

static void pragma_nothing(const directive_t *d, char **words, int n)
{
	(void)d;
	(void)words;
	(void)n;
}

static const struct {
	const char *name;
	void (*obey)(const directive_t *, char **words, int n);
} pragmas[] = {
    {"attributes", pragma_attributes}, {"binding", pragma_binding},
    {"depends_on", pragma_depends_on}, {"error", pragma_error},
    {"ident", pragma_nothing},	       {"line", pragma_nothing},
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

/* #line 12 "file", or # 12 "file" as cpp writes it. Returns the next line's number. */
static int line_obey(const directive_t *d, const char *number)
{
	char *end;
	long line;

	errno = 0;
	line = strtol(number, &end, 10);
	if (*end != '\0' || end == number || line < 1 || line > INT32_MAX || errno != 0)
		directive_error(d, D_PRAGMA_MALFORM, "expected a line number from 1");
	return (int)line;
}

int dt_pragma_line(dt_lexer_t *lexer, const char *text, const char *end)
{
	directive_t d = {.lexer = lexer,
			 .column = (int)(lexer->at - lexer->line_start) + 1};
	int next = lexer->line + 1;

	if (lexer->line == 1 && text < end && *text == '!')
		return next;
	split_words(&d, text, end);
	if (d.nwords == 0)
		return next;
	if (isdigit((unsigned char)*d.words[0]))
		return line_obey(&d, d.words[0]);
	if (strcmp(d.words[0], "line") == 0)
		return line_obey(&d, d.nwords > 1 ? d.words[1] : "");
	if (strcmp(d.words[0], "error") == 0)
		pragma_error(&d, d.words + 1, d.nwords - 1);
	if (strcmp(d.words[0], "pragma") == 0)
		pragma_obey(&d);
	else if (strcmp(d.words[0], "ident") != 0)
		dt_compile_error(lexer->cc, D_PRAGMA_INVAL, lexer->line, d.column,
				 "unknown directive #%.64s", d.words[0]);
	return next;
}
