/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex.h - D text to tokens. What a character means in D depends on where one stands: at
 * the top level a word can be a probe description with colons and globs or the beginning
 * of a declaration, and within a predicate a slash may end it. So the parser asks for what
 * it expects there, and no token is taken before it is asked for.
 */
#ifndef DT_LEX_H
#define DT_LEX_H

#include "lang/compile.h"

typedef enum dt_tok {
	DT_TOK_EOF,
	DT_TOK_IDENT,  /* string */
	DT_TOK_KSYM,   /* string: `name or module`name, from its first character but ` */
	DT_TOK_AGG,    /* string, without '@' */
	DT_TOK_INT,    /* value, type; character constants too */
	DT_TOK_STRING, /* string, string_length */
	DT_TOK_EPRED,  /* the slash that ends a predicate */

	/* Operators: the characters themselves where there is but one. */
	DT_TOK_ARROW = 256, /* -> */
	DT_TOK_INC, DT_TOK_DEC,
	DT_TOK_SHL, DT_TOK_SHR,
	DT_TOK_LE, DT_TOK_GE, DT_TOK_EQ, DT_TOK_NE,
	DT_TOK_LAND, DT_TOK_LOR, DT_TOK_LXOR,
	DT_TOK_ADD_EQ, DT_TOK_SUB_EQ, DT_TOK_MUL_EQ, DT_TOK_DIV_EQ, DT_TOK_MOD_EQ,
	DT_TOK_AND_EQ, DT_TOK_OR_EQ, DT_TOK_XOR_EQ, DT_TOK_SHL_EQ, DT_TOK_SHR_EQ,
	DT_TOK_ELLIPSIS,

	/* Keywords; string is the word. Those up to DT_TOK_LASTTYPE begin a type. */
	DT_TOK_CHAR, DT_TOK_CONST, DT_TOK_DOUBLE, DT_TOK_ENUM, DT_TOK_FLOAT, DT_TOK_INTTYPE,
	DT_TOK_LONG, DT_TOK_RESTRICT, DT_TOK_SHORT, DT_TOK_SIGNED, DT_TOK_STRINGTYPE,
	DT_TOK_STRUCT, DT_TOK_UNION, DT_TOK_UNSIGNED, DT_TOK_USERLAND, DT_TOK_VOID,
	DT_TOK_VOLATILE,
	DT_TOK_LASTTYPE = DT_TOK_VOLATILE,
	/* Those up to DT_TOK_LASTDECL begin a declaration. */
	DT_TOK_AUTO, DT_TOK_EXTERN, DT_TOK_INLINE, DT_TOK_PROVIDER, DT_TOK_REGISTER,
	DT_TOK_SELF, DT_TOK_STATIC, DT_TOK_THIS, DT_TOK_TRANSLATOR, DT_TOK_TYPEDEF,
	DT_TOK_LASTDECL = DT_TOK_TYPEDEF,
	DT_TOK_ELSE, DT_TOK_IF, DT_TOK_OFFSETOF, DT_TOK_PROBE, DT_TOK_SIZEOF, DT_TOK_STRINGOF, DT_TOK_XLATE,
	DT_TOK_RESERVED /* a word of C that D keeps for itself */
} dt_tok_t;

#define DT_TOK_IS_WORD(kind) ((kind) == DT_TOK_IDENT || (kind) >= DT_TOK_CHAR)
#define DT_TOK_IS_TYPE(kind) ((kind) >= DT_TOK_CHAR && (kind) <= DT_TOK_LASTTYPE)

typedef struct dt_token {
	int kind; /* dt_tok_t, or a character */
	int line, column;
	const char *text; /* as written, for messages: length bytes */
	size_t length;
	uint64_t value;
	dt_type_t *type;
	const char *string;
	size_t string_length;
} dt_token_t;

/* A copy is a place to come back to. */
typedef struct dt_lexer {
	dt_compile_t *cc;
	const char *at, *end; /* *end is NUL */
	const char *line_start;
	int line;
	int parens;	   /* ( and [ that are open */
	bool in_predicate; /* a slash outside parentheses may end it */
	bool is_trial;	   /* looking ahead: #pragma has no effect */
	int next_line;	   /* pragma.c: the number of the line after a directive */
	bool has_next;
	dt_token_t next;
	struct {
		const char *at, *line_start;
		int line, parens;
	} before_next;
} dt_lexer_t;

void dt_lex_init(dt_lexer_t *, dt_compile_t *, const char *text, size_t length);
/* The next token, left there or taken. Raises an error for what is no token. */
const dt_token_t *dt_lex_peek(dt_lexer_t *);
dt_token_t dt_lex_take(dt_lexer_t *);

/* ---- At the top level, where the text is not seen as tokens ------------ */

/* Moves to the next text, past blanks, comments and directives. False: the end. */
bool dt_lex_toplevel(dt_lexer_t *);
/* Then, whether a declaration begins here, rather than a probe description. */
bool dt_lex_at_declaration(const dt_lexer_t *);
/* Takes a probe description, with macros expanded; a syntax error when there is none. */
dt_pdesc_t *dt_lex_pdesc(dt_lexer_t *);

/* Raises: syntax error near "token". */
_Noreturn void dt_lex_syntax_error(dt_lexer_t *, const dt_token_t *);

/* ---- macro.c ----------------------------------------------------------- */

/* Makes a token of $name, $1 or $$1, which stands at token->text. */
void dt_macro_token(dt_lexer_t *, dt_token_t *);
/* The same as text, for a probe description; at: after the '$'. Returns where it ends. */
const char *dt_macro_text(dt_lexer_t *, const char *at, const char *end, char *buf,
			  size_t size);
/* After parsing: raises an error for an argument that the program does not use. */
void dt_macro_check_unused(dt_compile_t *);

/* ---- literal.c --------------------------------------------------------- */

/* The type of an integer without a suffix, by C's rules. */
dt_type_t *dt_literal_type(const dt_compile_t *, uint64_t value, bool is_decimal);

/* Each reads the literal at token->text and returns where it ends. */
const char *dt_literal_number(dt_lexer_t *, dt_token_t *);
const char *dt_literal_string(dt_lexer_t *, dt_token_t *);
const char *dt_literal_char(dt_lexer_t *, dt_token_t *);

/* ---- pragma.c ---------------------------------------------------------- */

/* Obeys the directive from text (after '#') to end, the end of its line. Returns the
 * number that the next line gets. */
int dt_pragma_line(dt_lexer_t *, const char *text, const char *end);
/* What pragmas have said of a name before it was declared. */
void dt_pragma_apply(dt_compile_t *, dt_ident_t *);
/* After all: raises D_PRAGMA_UNUSED for a pragma about a name that nothing has. */
void dt_pragma_check_unused(dt_compile_t *);

#endif
