/* SPDX-License-Identifier: Apache-2.0 */
/*
 * literal.c - integer, character and string literals. They are C's, but for three things:
 * a character constant may hold up to eight characters, an unknown escape sequence
 * stands for itself, and there are no floating-point numbers in D.
 */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "handle.h"
#include "lang/lex.h"

/* ---- Numbers ----------------------------------------------------------- */

/* The type of a value with the suffixes given: the first of C's list that holds it. */
static dt_type_t *number_type(const dt_basetypes_t *types, uint64_t value, bool is_decimal,
			      bool is_unsigned, int longs)
{
	if (longs == 0) {
		if (!is_unsigned && value <= INT_MAX)
			return types->int_;
		if ((is_unsigned || !is_decimal) && value <= UINT_MAX)
			return types->uint;
	}
	if (!is_unsigned && value <= INT64_MAX)
		return longs == 2 ? types->longlong : types->long_;
	return longs == 2 ? types->ulonglong : types->ulong;
}

dt_type_t *dt_literal_type(const dt_compile_t *cc, uint64_t value, bool is_decimal)
{
	return number_type(&cc->hdl->types, value, is_decimal, false, 0);
}

static bool is_float(const char *text)
{
	const char *at = text;
	bool is_hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');

	if (is_hex)
		return false;
	while (isdigit((unsigned char)*at))
		at++;
	if (*at == '.')
		return at[1] != '.'; /* "1..." is no number either, but not a float */
	if (*at != 'e' && *at != 'E')
		return false;
	at++;
	if (*at == '+' || *at == '-')
		at++;
	return isdigit((unsigned char)*at);
}

/* u, l, ll in any order and case, up to the end of the word; false: something else. */
static bool read_suffix(const char *at, bool *is_unsigned, int *longs)
{
	for (; isalnum((unsigned char)*at) || *at == '_'; at++) {
		if ((*at == 'u' || *at == 'U') && !*is_unsigned) {
			*is_unsigned = true;
		} else if ((*at == 'l' || *at == 'L') && *longs == 0) {
			*longs = 1;
			if (at[1] == *at) {
				*longs = 2;
				at++;
			}
		} else {
			return false;
		}
	}
	return true;
}

static unsigned digit_value(char c)
{
	if (isdigit((unsigned char)c))
		return (unsigned)(c - '0');
	if (isxdigit((unsigned char)c))
		return (unsigned)(tolower((unsigned char)c) - 'a') + 10;
	return UINT_MAX;
}

const char *dt_literal_number(dt_lexer_t *lexer, dt_token_t *token)
{
	dt_compile_t *cc = lexer->cc;
	const char *at = token->text, *end = at, *digits;
	unsigned base = 10;
	bool is_unsigned = false, has_overflow = false;
	int longs = 0;

	if (is_float(at))
		dt_compile_error(cc, D_SYNTAX, token->line, token->column,
				 "floating-point constants are not permitted");
	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		base = 16;
		at += 2;
	} else if (at[0] == '0') {
		base = 8;
	}

	for (digits = at; digit_value(*at) < base; at++) {
		has_overflow |= token->value > UINT64_MAX / base ||
				token->value * base > UINT64_MAX - digit_value(*at);
		token->value = token->value * base + digit_value(*at);
	}
	if (at == digits || !read_suffix(at, &is_unsigned, &longs))
		dt_compile_error(
		    cc, D_INT_DIGIT, token->line, token->column + (int)(at - token->text),
		    "integer constant %.*s has an invalid digit or suffix",
		    (int)(end - token->text > 64 ? 64 : end - token->text), token->text);
	if (has_overflow)
		dt_compile_error(cc, D_INT_OFLOW, token->line, token->column,
				 "integer constant %.*s is too large for 64 bits",
				 (int)(end - token->text > 64 ? 64 : end - token->text),
				 token->text);
	token->kind = DT_TOK_INT;
	token->type =
	    number_type(&cc->hdl->types, token->value, base == 10, is_unsigned, longs);
	return end;
}

/* ---- Characters -------------------------------------------------------- */

static const char *read_octal(const char *at, unsigned *value)
{
	*value = 0;
	for (int i = 0; i < 3 && *at >= '0' && *at <= '7'; i++)
		*value = *value * 8 + (unsigned)(*at++ - '0');
	return at;
}

static const char *read_hex(const char *at, unsigned *value)
{
	*value = 0;
	while (digit_value(*at) < 16)
		*value = (*value & 0xf) * 16 + digit_value(*at++);
	return at;
}

/*
 * Reads what follows a backslash, at, into out[0], or out[0] and out[1] when it is no
 * escape sequence. Returns where it ends, with the number of characters in *n.
 */
static const char *read_escape(const char *at, char out[2], size_t *n)
{
	static const char letters[] = "abfnrtv\\'\"?";
	static const char values[] = "\a\b\f\n\r\t\v\\'\"?";
	const char *letter;
	unsigned value;

	*n = 1;
	if (*at >= '0' && *at <= '7') {
		at = read_octal(at, &value);
		out[0] = (char)value;
		return at;
	}
	if (*at == 'x' && digit_value(at[1]) < 16) {
		at = read_hex(at + 1, &value);
		out[0] = (char)value;
		return at;
	}
	letter = *at == '\0' ? NULL : strchr(letters, *at);
	if (letter != NULL) {
		out[0] = values[letter - letters];
		return at + 1;
	}
	*n = 2;
	out[0] = '\\';
	out[1] = *at;
	return at + 1;
}

/*
 * Reads characters up to the closing quote into buf, which has room for as many as there
 * are in the source. tag and what name the literal in errors. Returns what follows the
 * quote.
 */
static const char *read_quoted(dt_lexer_t *lexer, const dt_token_t *token, dt_errtag_t tag,
			       const char *what, char *buf, size_t size, size_t *length)
{
	char quote = *token->text;
	const char *at = token->text + 1;

	for (*length = 0; *at != quote;) {
		char out[2];
		size_t n = 1;

		if (at >= lexer->end || *at == '\n' ||
		    (*at == '\\' && (at + 1 >= lexer->end || at[1] == '\n')))
			dt_compile_error(lexer->cc, tag, token->line, token->column,
					 "%s without its closing %c", what, quote);
		if (*at == '\\') {
			at = read_escape(at + 1, out, &n);
		} else {
			out[0] = *at++;
		}
		for (size_t i = 0; i < n; i++, ++*length) {
			if (*length < size)
				buf[*length] = out[i];
		}
	}
	return at + 1;
}

const char *dt_literal_string(dt_lexer_t *lexer, dt_token_t *token)
{
	const char *end;
	char *string;
	size_t length;

	/* Measured first, then read. A NUL ends a string, written in the source or not. */
	read_quoted(lexer, token, D_STR_NL, "string", NULL, 0, &length);
	string = dt_compile_alloc(lexer->cc, length + 1);
	end = read_quoted(lexer, token, D_STR_NL, "string", string, length, &length);
	token->kind = DT_TOK_STRING;
	token->string = string;
	token->string_length = strlen(string);
	return end;
}

const char *dt_literal_char(dt_lexer_t *lexer, dt_token_t *token)
{
	dt_compile_t *cc = lexer->cc;
	char chars[sizeof(uint64_t)];
	size_t length;
	const char *end = read_quoted(lexer, token, D_CHR_NL, "character constant", chars,
				      sizeof(chars), &length);

	if (length == 0)
		dt_compile_error(cc, D_CHR_NULL, token->line, token->column,
				 "empty character constant");
	if (length > sizeof(chars))
		dt_compile_error(cc, D_CHR_OFLOW, token->line, token->column,
				 "character constant has more than %zu characters",
				 sizeof(chars));
	token->kind = DT_TOK_INT;
	token->type = length <= sizeof(int) ? cc->hdl->types.int_ : cc->hdl->types.long_;
	if (length == 1) {
		token->value = (uint64_t)(int64_t)chars[0];
		return end;
	}
	for (size_t i = 0; i < length; i++)
		token->value = token->value << 8 | (unsigned char)chars[i];
	if (length == sizeof(int))
		token->value = (uint64_t)(int64_t)(int32_t)token->value;
	return end;
}
