/* SPDX-License-Identifier: Apache-2.0 */
/*
 * macro.c - macro variables. $pid and its kind are integers that the library knows; $0, $1
 * and so on are the consumer's arguments, each of which becomes the token that it looks
 * like: an integer, an identifier, or a string in quotes. $$1 is the argument as a string,
 * whatever it looks like. Within a probe description each is so much text.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "lang/lex.h"
#include "names.h"

/* $name, $1 or $$1, taken apart. */
typedef struct macro {
	int line, column;
	const char *name; /* what follows the dollars */
	size_t length;
	bool is_string; /* two dollars */
	bool is_in_description; /* of probes: what is wrong there is wrong with it */
} macro_t;

static dt_errtag_t undefined_tag(const macro_t *macro)
{
	return macro->is_in_description ? D_PDESC_INVAL : D_MACRO_UNDEF;
}

static int name_shown(const macro_t *macro)
{
	return macro->length > 64 ? 64 : (int)macro->length;
}

/* An argument by its number. NULL: it is missing, and that is allowed. */
static const char *argument_value(dt_compile_t *cc, const macro_t *macro)
{
	long index = 0;

	for (size_t i = 0; i < macro->length; i++) {
		if (!isdigit((unsigned char)macro->name[i]))
			dt_compile_error(cc, D_SYNTAX, macro->line, macro->column,
					 "syntax error near \"$%.*s\"", name_shown(macro),
					 macro->name);
		index = index * 10 + (macro->name[i] - '0');
		if (index > INT32_MAX)
			dt_compile_error(cc, D_MACRO_OFLOW, macro->line, macro->column,
					 "macro argument $%.*s has too large a number",
					 name_shown(macro), macro->name);
	}
	if (index < cc->argc) {
		cc->arg_used[index] = true;
		return cc->argv[index];
	}
	if (!(cc->cflags & DTRACE_C_DEFARG))
		dt_compile_error(cc, undefined_tag(macro), macro->line, macro->column,
				 "macro argument $%ld is not defined", index);
	return NULL;
}

static int64_t variable_value(dt_compile_t *cc, const macro_t *macro)
{
	int64_t value;

	if ((macro->length == 6 && memcmp(macro->name, "projid", 6) == 0) ||
	    (macro->length == 6 && memcmp(macro->name, "taskid", 6) == 0))
		dt_compile_error(
		    cc, undefined_tag(macro), macro->line, macro->column,
		    "macro variable $%.*s is not available: Linux has no projects",
		    name_shown(macro), macro->name);
	if (!dt_macro_value(cc->hdl, macro->name, macro->length, &value))
		dt_compile_error(cc, undefined_tag(macro), macro->line, macro->column,
				 "macro variable $%.*s is not defined", name_shown(macro),
				 macro->name);
	return value;
}

static void set_string(dt_compile_t *cc, dt_token_t *token, const char *text, size_t length)
{
	token->kind = DT_TOK_STRING;
	token->string = dt_compile_strdup(cc, text, length);
	token->string_length = length;
}

static void set_integer(dt_compile_t *cc, dt_token_t *token, int64_t value)
{
	token->kind = DT_TOK_INT;
	token->value = (uint64_t)value;
	token->type = value >= INT32_MIN && value <= INT32_MAX ? cc->hdl->types.int_
							       : cc->hdl->types.long_;
}

/* The integer that the whole of an argument is, signed or not. False: it is none. */
static bool argument_integer(dt_compile_t *cc, const char *text, dt_token_t *token)
{
	bool is_negative = *text == '-';
	const char *digits = text + (*text == '-' || *text == '+');
	char *end;

	if (!isdigit((unsigned char)*digits))
		return false;
	errno = 0;
	token->value = strtoull(digits, &end, 0);
	if (*end != '\0')
		return false;
	if (errno == ERANGE)
		dt_compile_error(cc, D_INT_OFLOW, token->line, token->column,
				 "macro argument %s is too large for 64 bits", text);
	token->kind = DT_TOK_INT;
	token->type = dt_literal_type(cc, token->value, true);
	if (is_negative) {
		token->value = -token->value;
		if ((int64_t)token->value < INT32_MIN)
			token->type = cc->hdl->types.long_;
	}
	return true;
}

/* The word that the whole of an argument is. False: it is none. */
static bool argument_word(dt_lexer_t *lexer, const char *text, dt_token_t *token)
{
	dt_lexer_t inner;
	const char *at = text;

	while (isalnum((unsigned char)*at) || *at == '_' || *at == '`')
		at++;
	if (at == text || *at != '\0' || isdigit((unsigned char)*text))
		return false;
	dt_lex_init(&inner, lexer->cc, text, strlen(text));
	inner.line = token->line;
	token->kind = dt_lex_peek(&inner)->kind;
	token->string = inner.next.string;
	token->string_length = inner.next.string_length;
	return inner.at == inner.end;
}

static void argument_token(dt_lexer_t *lexer, const macro_t *macro, dt_token_t *token)
{
	dt_compile_t *cc = lexer->cc;
	const char *text = argument_value(cc, macro);
	size_t length = text == NULL ? 0 : strlen(text);

	if (text == NULL && macro->is_string) {
		set_string(cc, token, "", 0);
	} else if (text == NULL) {
		set_integer(cc, token, 0);
	} else if (macro->is_string) {
		set_string(cc, token, text, length);
	} else if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
		set_string(cc, token, text + 1, length - 2);
	} else if (!argument_integer(cc, text, token) &&
		   !argument_word(lexer, text, token)) {
		dt_compile_error(cc, D_SYNTAX, macro->line, macro->column,
				 "macro argument $%.*s is neither an integer nor an "
				 "identifier: \"%s\" ($$%.*s is its value as a string)",
				 name_shown(macro), macro->name, text, name_shown(macro),
				 macro->name);
	}
}

void dt_macro_token(dt_lexer_t *lexer, dt_token_t *token)
{
	macro_t macro = {.line = token->line,
			 .column = token->column,
			 .name = token->text + 1,
			 .length = token->length - 1};

	if (macro.length > 0 && *macro.name == '$') {
		macro.is_string = true;
		macro.name++;
		macro.length--;
	}
	if (macro.length == 0 || *macro.name == '$')
		dt_lex_syntax_error(lexer, token);

	if (isdigit((unsigned char)*macro.name)) {
		argument_token(lexer, &macro, token);
	} else if (macro.is_string) {
		char number[24];

		snprintf(number, sizeof(number), "%" PRId64,
			 variable_value(lexer->cc, &macro));
		set_string(lexer->cc, token, number, strlen(number));
	} else {
		set_integer(lexer->cc, token, variable_value(lexer->cc, &macro));
	}
}

const char *dt_macro_text(dt_lexer_t *lexer, const char *at, const char *end, char *buf,
			  size_t size)
{
	macro_t macro = {.line = lexer->line,
			 .column = (int)(at - lexer->line_start),
			 .name = at + (at < end && *at == '$'),
			 .is_in_description = true};
	const char *text;

	while (macro.name + macro.length < end &&
	       (isalnum((unsigned char)macro.name[macro.length]) ||
		macro.name[macro.length] == '_'))
		macro.length++;
	if (isdigit((unsigned char)*macro.name)) {
		/* Only the digits: $1foo is the argument, then foo. */
		macro.length = strspn(macro.name, "0123456789");
		text = argument_value(lexer->cc, &macro);
		snprintf(buf, size, "%s", text != NULL ? text : "0");
	} else {
		snprintf(buf, size, "%" PRId64, variable_value(lexer->cc, &macro));
	}
	return macro.name + macro.length;
}

void dt_macro_check_unused(dt_compile_t *cc)
{
	if (cc->cflags & DTRACE_C_ARGREF)
		return;
	for (int i = 1; i < cc->argc; i++) {
		if (!cc->arg_used[i])
			dt_compile_error(cc, D_MACRO_UNUSED, 0, 0,
					 "extraneous argument '%s' ($%d is not referenced)",
					 cc->argv[i], i);
	}
}
