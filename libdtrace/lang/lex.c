/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex.c - the lexer: blanks, comments, directives, words, operators, and probe
 * descriptions. Literals are read in literal.c, macro variables in macro.c.
 */
#include "lang/lex.h"

#include <ctype.h>
#include <string.h>

#include "handle.h"

static bool is_ident_start(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

static bool is_ident(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static int column_of(const dt_lexer_t *lexer, const char *at)
{
	return (int)(at - lexer->line_start) + 1;
}

void dt_lex_init(dt_lexer_t *lexer, dt_compile_t *cc, const char *text, size_t length)
{
	*lexer = (dt_lexer_t){
	    .cc = cc, .at = text, .end = text + length, .line_start = text, .line = 1};
}

/* ---- Errors ------------------------------------------------------------ */

#define QUOTE_MAX 48 /* bytes of the source that a message repeats */

/* Source text for a message: cut to a reasonable length, one printable line. */
static const char *quote(const char *text, size_t length, char *buf, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;

	for (size_t i = 0; i < length && used + 8 < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (i == QUOTE_MAX) {
			memcpy(buf + used, "...", 3);
			used += 3;
			break;
		}
		if (c >= ' ' && c != 0x7f) {
			buf[used++] = (char)c;
		} else {
			buf[used++] = '\\';
			buf[used++] = 'x';
			buf[used++] = digits[c >> 4];
			buf[used++] = digits[c & 15];
		}
	}
	buf[used] = '\0';
	return buf;
}

void dt_lex_syntax_error(dt_lexer_t *lexer, const dt_token_t *token)
{
	char buf[QUOTE_MAX * 4 + 16];

	if (token->kind == DT_TOK_EOF)
		dt_compile_error(lexer->cc, D_SYNTAX, token->line, token->column,
				 "syntax error near end of input");
	dt_compile_error(lexer->cc, D_SYNTAX, token->line, token->column,
			 "syntax error near \"%s\"",
			 quote(token->text, token->length, buf, sizeof(buf)));
}

/* ---- Between tokens ---------------------------------------------------- */

static void new_line(dt_lexer_t *lexer, int line)
{
	lexer->line = line;
	lexer->line_start = lexer->at;
}

static void skip_comment(dt_lexer_t *lexer)
{
	int line = lexer->line, column = column_of(lexer, lexer->at);

	for (lexer->at += 2; lexer->at < lexer->end; lexer->at++) {
		if (lexer->at[0] == '*' && lexer->at[1] == '/') {
			lexer->at += 2;
			return;
		}
		if (lexer->at[0] == '/' && lexer->at[1] == '*')
			dt_compile_error(
			    lexer->cc, D_SYNTAX, lexer->line, column_of(lexer, lexer->at),
			    "/* within a comment, which begins in line %d", line);
		if (lexer->at[0] == '\n') {
			lexer->at++;
			new_line(lexer, lexer->line + 1);
			lexer->at--;
		}
	}
	dt_compile_error(lexer->cc, D_SYNTAX, line, column, "comment without its end, */");
}

static bool is_first_of_line(const dt_lexer_t *lexer)
{
	for (const char *at = lexer->line_start; at < lexer->at; at++) {
		if (!is_blank(*at))
			return false;
	}
	return true;
}

static void skip_directive(dt_lexer_t *lexer)
{
	const char *text = lexer->at + 1;
	const char *end = memchr(text, '\n', (size_t)(lexer->end - text));
	int next = lexer->line + 1;

	if (end == NULL)
		end = lexer->end;
	if (!lexer->is_trial)
		next = dt_pragma_line(lexer, text, end);
	lexer->at = end;
	if (end < lexer->end) {
		lexer->at++;
		new_line(lexer, next);
	}
}

static bool skip_blanks(dt_lexer_t *lexer)
{
	for (; lexer->at < lexer->end;) {
		char c = *lexer->at;

		if (c == '\n') {
			lexer->at++;
			new_line(lexer, lexer->line + 1);
		} else if (is_blank(c)) {
			lexer->at++;
		} else if (c == '/' && lexer->at[1] == '*') {
			skip_comment(lexer);
		} else if (c == '#' && is_first_of_line(lexer)) {
			skip_directive(lexer);
		} else {
			return true;
		}
	}
	return false;
}

/* ---- Words ------------------------------------------------------------- */

static const struct keyword {
	const char *word;
	int kind;
} keywords[] = {
    {"auto", DT_TOK_AUTO},	   {"break", DT_TOK_RESERVED},
    {"case", DT_TOK_RESERVED},	   {"char", DT_TOK_CHAR},
    {"const", DT_TOK_CONST},	   {"continue", DT_TOK_RESERVED},
    {"counter", DT_TOK_RESERVED},  {"default", DT_TOK_RESERVED},
    {"do", DT_TOK_RESERVED},	   {"double", DT_TOK_DOUBLE},
    {"else", DT_TOK_ELSE},	   {"enum", DT_TOK_ENUM},
    {"extern", DT_TOK_EXTERN},	   {"float", DT_TOK_FLOAT},
    {"for", DT_TOK_RESERVED},	   {"goto", DT_TOK_RESERVED},
    {"if", DT_TOK_IF},	   {"import", DT_TOK_RESERVED},
    {"inline", DT_TOK_INLINE},	   {"int", DT_TOK_INTTYPE},
    {"long", DT_TOK_LONG},	   {"offsetof", DT_TOK_OFFSETOF},
    {"probe", DT_TOK_PROBE},	   {"provider", DT_TOK_PROVIDER},
    {"register", DT_TOK_REGISTER}, {"restrict", DT_TOK_RESTRICT},
    {"return", DT_TOK_RESERVED},   {"self", DT_TOK_SELF},
    {"short", DT_TOK_SHORT},	   {"signed", DT_TOK_SIGNED},
    {"sizeof", DT_TOK_SIZEOF},	   {"static", DT_TOK_STATIC},
    {"string", DT_TOK_STRINGTYPE}, {"stringof", DT_TOK_STRINGOF},
    {"struct", DT_TOK_STRUCT},	   {"switch", DT_TOK_RESERVED},
    {"this", DT_TOK_THIS},	   {"translator", DT_TOK_TRANSLATOR},
    {"typedef", DT_TOK_TYPEDEF},   {"union", DT_TOK_UNION},
    {"unsigned", DT_TOK_UNSIGNED}, {"userland", DT_TOK_USERLAND},
    {"void", DT_TOK_VOID},	   {"volatile", DT_TOK_VOLATILE},
    {"while", DT_TOK_RESERVED},	   {"xlate", DT_TOK_XLATE},
};

static int word_kind(const char *word, size_t length)
{
	size_t low = 0, high = sizeof(keywords) / sizeof(keywords[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strncmp(word, keywords[middle].word, length);

		if (order == 0)
			order = keywords[middle].word[length] == '\0' ? 0 : -1;
		if (order == 0)
			return keywords[middle].kind;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return DT_TOK_IDENT;
}

/* The name of a user program's object may go on here: in a.out`node, libstdc++.so.6`string,
 * where a dot comes after all the rest. Nothing else in D looks like that. */
static bool is_in_object(const char *at)
{
	char last = *at;

	if (last != '.' && last != '-' && last != '+')
		return false;
	for (; is_ident(*at) || *at == '.' || *at == '-' || *at == '+'; at++)
		last = is_ident(*at) ? last : *at;
	return last == '.' && *at == '`' && is_ident_start(at[1]);
}

/* In the name of a type of a user program: what follows is in the namespace before. */
static bool is_in_namespace(const char *at)
{
	return at[0] == ':' && at[1] == ':' && is_ident_start(at[2]);
}

#define TARGET_PREFIX "pid$target`"

/* A word, or with a backquote in it a name of the kernel or of a type of a user program.
 * Returns where it ends. */
static const char *lex_word(dt_lexer_t *lexer, dt_token_t *token)
{
	const char *at = token->text, *first = token->text;
	bool is_kernel = false;

	if (strncmp(at, TARGET_PREFIX, strlen(TARGET_PREFIX)) == 0)
		at += strlen(TARGET_PREFIX);
	for (; is_ident(*at) || (*at == '`' && is_ident_start(at[1])) || is_in_object(at); at++)
		is_kernel |= *at == '`';
	while (is_kernel && is_in_namespace(at))
		for (at += 2; is_ident(*at);)
			at++;
	token->kind = is_kernel ? DT_TOK_KSYM : word_kind(first, (size_t)(at - first));
	if (*first == '`')
		first++;
	token->string_length = (size_t)(at - first);
	token->string = dt_compile_strdup(lexer->cc, first, token->string_length);
	if (is_kernel && dt_dwarf_is_name(token->string))
		token->kind = DT_TOK_IDENT;
	return at;
}

static const char *lex_aggregation(dt_lexer_t *lexer, dt_token_t *token)
{
	const char *first = token->text + 1, *at = first;

	if (is_ident_start(*at)) {
		while (is_ident(*at))
			at++;
	}
	token->kind = DT_TOK_AGG;
	token->string_length = (size_t)(at - first);
	token->string = dt_compile_strdup(lexer->cc, first, token->string_length);
	return at;
}

/* ---- Operators --------------------------------------------------------- */

/* Longer ones before their beginnings. */
static const struct optext {
	char text[4];
	int kind;
} operators[] = {
    {"<<=", DT_TOK_SHL_EQ}, {">>=", DT_TOK_SHR_EQ}, {"...", DT_TOK_ELLIPSIS},
    {"->", DT_TOK_ARROW},   {"++", DT_TOK_INC},	    {"--", DT_TOK_DEC},
    {"<<", DT_TOK_SHL},	    {">>", DT_TOK_SHR},	    {"<=", DT_TOK_LE},
    {">=", DT_TOK_GE},	    {"==", DT_TOK_EQ},	    {"!=", DT_TOK_NE},
    {"&&", DT_TOK_LAND},    {"||", DT_TOK_LOR},	    {"^^", DT_TOK_LXOR},
    {"+=", DT_TOK_ADD_EQ},  {"-=", DT_TOK_SUB_EQ},  {"*=", DT_TOK_MUL_EQ},
    {"/=", DT_TOK_DIV_EQ},  {"%=", DT_TOK_MOD_EQ},  {"&=", DT_TOK_AND_EQ},
    {"|=", DT_TOK_OR_EQ},   {"^=", DT_TOK_XOR_EQ},
};

/*
 * A slash outside parentheses ends the predicate when nothing that can be divided by
 * follows: the end, a body, a semicolon, or another slash.
 */
static bool is_predicate_end(const dt_lexer_t *lexer)
{
	dt_lexer_t ahead = *lexer;

	if (!lexer->in_predicate || lexer->parens > 0)
		return false;
	ahead.is_trial = true;
	ahead.at++;
	return !skip_blanks(&ahead) || *ahead.at == '{' || *ahead.at == ';' ||
	       *ahead.at == '/';
}

static const char *lex_operator(dt_lexer_t *lexer, dt_token_t *token)
{
	const char *at = token->text;

	if (*at == '/' && is_predicate_end(lexer)) {
		token->kind = DT_TOK_EPRED;
		return at + 1;
	}
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		size_t length = strlen(operators[i].text);

		if (strncmp(at, operators[i].text, length) == 0) {
			token->kind = operators[i].kind;
			return at + length;
		}
	}
	if (*at == '\0' || strchr("(){}[];,.:?~!+-*/%<>=&|^", *at) == NULL) {
		token->kind = '?';
		token->length = 1;
		dt_lex_syntax_error(lexer, token);
	}
	if (*at == '(' || *at == '[')
		lexer->parens++;
	else if ((*at == ')' || *at == ']') && lexer->parens > 0)
		lexer->parens--;
	token->kind = *at;
	return at + 1;
}

/* ---- Tokens ------------------------------------------------------------ */

static const char *lex_token(dt_lexer_t *lexer, dt_token_t *token)
{
	char c = *token->text, after = c == '\0' ? '\0' : token->text[1];

	if (is_ident_start(c) || (c == '`' && is_ident_start(after)))
		return lex_word(lexer, token);
	if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)after)))
		return dt_literal_number(lexer, token);
	switch (c) {
	case '"':
		return dt_literal_string(lexer, token);
	case '\'':
		return dt_literal_char(lexer, token);
	case '@':
		return lex_aggregation(lexer, token);
	case '$':
		for (token->length = 1; token->text[token->length] == '$';)
			token->length++;
		while (is_ident(token->text[token->length]))
			token->length++;
		dt_macro_token(lexer, token);
		return token->text + token->length;
	default:
		return lex_operator(lexer, token);
	}
}

const dt_token_t *dt_lex_peek(dt_lexer_t *lexer)
{
	dt_token_t *token = &lexer->next;

	if (lexer->has_next)
		return token;

	lexer->before_next.at = lexer->at;
	lexer->before_next.line_start = lexer->line_start;
	lexer->before_next.line = lexer->line;
	lexer->before_next.parens = lexer->parens;

	memset(token, 0, sizeof(*token));
	skip_blanks(lexer);
	token->text = lexer->at;
	token->line = lexer->line;
	token->column = column_of(lexer, lexer->at);
	if (lexer->at < lexer->end)
		lexer->at = lex_token(lexer, token);
	token->length = (size_t)(lexer->at - token->text);
	lexer->has_next = true;
	return token;
}

dt_token_t dt_lex_take(dt_lexer_t *lexer)
{
	dt_token_t token = *dt_lex_peek(lexer);

	lexer->has_next = false;
	return token;
}

/* ---- The top level ----------------------------------------------------- */

/* Gives back a token that was looked at, as the top level reads characters. */
static void unpeek(dt_lexer_t *lexer)
{
	if (!lexer->has_next)
		return;
	lexer->at = lexer->before_next.at;
	lexer->line_start = lexer->before_next.line_start;
	lexer->line = lexer->before_next.line;
	lexer->parens = lexer->before_next.parens;
	lexer->has_next = false;
}

bool dt_lex_toplevel(dt_lexer_t *lexer)
{
	unpeek(lexer);
	return skip_blanks(lexer);
}

static bool is_pdesc_char(char c)
{
	return is_ident(c) || (c != '\0' && strchr("-$:.`?*\\[]!^+@~%", c) != NULL);
}

/* Where the description ends that begins here; a few characters only stand within one. */
static const char *pdesc_end(const char *at)
{
	if (*at != '\0' && strchr("+@~%", *at) != NULL)
		return at;
	while (is_pdesc_char(*at))
		at++;
	return at;
}

/*
 * "int x" and "foo_t *x" are declarations, "foo" and "foo:bar" descriptions: a keyword
 * tells, and for other words, what comes next, as nothing but a list's comma, a predicate,
 * a body or the clause's end may follow a description.
 */
bool dt_lex_at_declaration(const dt_lexer_t *lexer)
{
	const char *word = lexer->at, *end;
	dt_lexer_t ahead;

	if (!is_ident_start(*word))
		return false;
	for (end = word; is_ident(*end);)
		end++;
	ahead = *lexer;
	ahead.is_trial = true;
	for (ahead.at = end; *ahead.at == '*';)
		ahead.at++;
	if (ahead.at != pdesc_end(word))
		return false;

	int kind = word_kind(word, (size_t)(end - word));

	if (kind >= DT_TOK_CHAR && kind <= DT_TOK_LASTDECL)
		return true;
	if (kind != DT_TOK_IDENT || lexer->cc->cflags & DTRACE_C_PSPEC)
		return false;
	return skip_blanks(&ahead) &&
	       (is_ident_start(*ahead.at) || *ahead.at == '*' || *ahead.at == '(');
}

static void pdesc_error(dt_lexer_t *lexer, const char *text, size_t length, const char *why)
{
	char buf[QUOTE_MAX * 4 + 16];

	dt_compile_error(lexer->cc, D_PDESC_INVAL, lexer->line, column_of(lexer, text),
			 "invalid probe description \"%s\": %s",
			 quote(text, length, buf, sizeof(buf)), why);
}

/* The description's text with macros replaced by their values. */
static void pdesc_expand(dt_lexer_t *lexer, const char *end, char *buf, size_t size)
{
	const char *at = lexer->at;
	size_t used = 0;

	while (at < end) {
		if (*at == '$') {
			at = dt_macro_text(lexer, at + 1, end, buf + used, size - used);
			used += strlen(buf + used);
		} else if (used + 1 < size) {
			buf[used++] = *at++;
			buf[used] = '\0';
		} else {
			at = end;
			used = size;
		}
		if (used + 1 >= size)
			pdesc_error(lexer, lexer->at, (size_t)(end - lexer->at),
				    "it is too long");
	}
}

/* "1234": a probe by its number. */
static void pdesc_by_id(dt_lexer_t *lexer, const char *text, dtrace_probedesc_t *desc)
{
	uint64_t id = 0;

	for (const char *digit = text; *digit != '\0'; digit++) {
		id = id * 10 + (uint64_t)(*digit - '0');
		if (id > UINT32_MAX)
			pdesc_error(lexer, lexer->at, strlen(text),
				    "no probe has such a number");
	}
	if (id == 0)
		dt_compile_error(lexer->cc, D_PDESC_ZERO, lexer->line,
				 column_of(lexer, lexer->at), "probes are numbered from 1");
	desc->dtpd_id = (dtrace_id_t)id;
}

dt_pdesc_t *dt_lex_pdesc(dt_lexer_t *lexer)
{
	dt_compile_t *cc = lexer->cc;
	dt_pdesc_t *pdesc = dt_compile_alloc(cc, sizeof(*pdesc));
	dtrace_probespec_t spec =
	    cc->spec == DTRACE_PROBESPEC_NONE ? DTRACE_PROBESPEC_NAME : cc->spec;
	char text[DTRACE_FULLNAMELEN * 2];
	const char *end;

	dt_lex_toplevel(lexer);
	end = pdesc_end(lexer->at);
	if (end == lexer->at)
		dt_lex_syntax_error(lexer, dt_lex_peek(lexer));
	text[0] = '\0';
	pdesc_expand(lexer, end, text, sizeof(text));

	pdesc->line = lexer->line;
	if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text))
		pdesc_by_id(lexer, text, &pdesc->desc);
	else if (dtrace_str2desc(cc->hdl, spec, text, &pdesc->desc) != 0)
		dt_compile_error(cc, D_PDESC_INVAL, lexer->line,
				 column_of(lexer, lexer->at), "%s",
				 dtrace_errmsg(cc->hdl, dtrace_errno(cc->hdl)));
	lexer->at = end;
	return pdesc;
}
