/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c - a recursive-descent parser for D. Above each function stands the rule it
 * parses. The top level and clauses are here; what stands in their braces is in body.c,
 * expressions are in express.c, types in decl.c and struct.c, declarations in declare.c.
 *
 * No rule recurses without dt_parse_enter(), and no expression's tree grows higher than
 * DT_HEIGHT_MAX, so that neither this nor any later pass can run out of stack.
 */
#include "lang/parse.h"

#include <string.h>

#include "handle.h"

/* ---- Tokens ------------------------------------------------------------ */

int dt_parse_peek(dt_parser_t *p)
{
	return dt_lex_peek(&p->lexer)->kind;
}

dt_token_t dt_parse_take(dt_parser_t *p)
{
	return dt_lex_take(&p->lexer);
}

bool dt_parse_accept(dt_parser_t *p, int kind)
{
	if (dt_parse_peek(p) != kind)
		return false;
	dt_lex_take(&p->lexer);
	return true;
}

dt_token_t dt_parse_expect(dt_parser_t *p, int kind)
{
	if (dt_parse_peek(p) != kind)
		dt_parse_fail(p);
	return dt_lex_take(&p->lexer);
}

void dt_parse_fail(dt_parser_t *p)
{
	dt_lex_syntax_error(&p->lexer, dt_lex_peek(&p->lexer));
}

void dt_parse_enter(dt_parser_t *p)
{
	const dt_token_t *token;

	if (++p->nest <= DT_NEST_MAX)
		return;
	token = dt_lex_peek(&p->lexer);
	dt_compile_error(p->cc, D_NEST, token->line, token->column,
			 "the program is nested too deeply here");
}

void dt_parse_leave(dt_parser_t *p)
{
	p->nest--;
}

/* ---- Clauses ----------------------------------------------------------- */

/* predicate: "/" expression "/" */
static dt_node_t *predicate(dt_parser_t *p)
{
	dt_node_t *expr;

	dt_parse_expect(p, '/');
	p->lexer.in_predicate = true;
	p->lexer.parens = 0;
	expr = dt_parse_expression(p);
	dt_parse_expect(p, DT_TOK_EPRED);
	p->lexer.in_predicate = false;
	return expr;
}

/* clause: description {"," description} [predicate] [body] [";"] */
static dt_clause_t *clause(dt_parser_t *p)
{
	dt_clause_t *new = dt_compile_alloc(p->cc, sizeof(*new));
	dt_pdesc_t **tail = &new->pdescs;

	new->line = p->lexer.line;
	do {
		*tail = dt_lex_pdesc(&p->lexer);
		tail = &(*tail)->next;
	} while (dt_parse_accept(p, ','));

	if (dt_parse_peek(p) == '/')
		new->predicate = predicate(p);
	if (dt_parse_peek(p) == '{')
		return dt_parse_body(p, new);
	if (dt_parse_peek(p) != ';' && dt_parse_peek(p) != DT_TOK_EOF)
		dt_parse_fail(p);
	/* In a file, this is a slip; on a command line, how probes are listed and counted.
	 */
	if (new->predicate == NULL && p->cc->spec == DTRACE_PROBESPEC_NONE)
		dt_compile_error(p->cc, D_SYNTAX, new->line, 0,
				 "expected predicate and/or actions following probe "
				 "description");
	return new;
}

static dt_parser_t *parser_create(dt_compile_t *cc, const char *text, size_t length)
{
	dt_parser_t *p = dt_compile_alloc(cc, sizeof(*p));

	p->cc = cc;
	dt_lex_init(&p->lexer, cc, text, length);
	return p;
}

/* program: {clause | declaration | ";"} */
void dt_parse(dt_compile_t *cc)
{
	dt_parser_t *p = parser_create(cc, cc->text, cc->length);
	dt_clause_t **tail = &cc->prog->clauses;
	bool is_empty = true;

	p->lexer.line = cc->first_line;
	while (dt_lex_toplevel(&p->lexer)) {
		if (*p->lexer.at == ';') {
			dt_parse_take(p);
			continue;
		}
		is_empty = false;
		if (dt_lex_at_declaration(&p->lexer)) {
			dt_parse_declaration(p);
		} else if (cc->is_library) {
			dt_compile_error(cc, D_SYNTAX, p->lexer.line, 0,
					 "a D library may only have declarations");
		} else {
			*tail = clause(p);
			while (*tail != NULL)
				tail = &(*tail)->next;
		}
	}
	if (is_empty && !(cc->cflags & DTRACE_C_EMPTY))
		dt_compile_error(cc, D_EMPTY, 0, 0, "the program is empty");
}

void dt_parse_text(dt_compile_t *cc, const char *text, int line)
{
	dt_parser_t *p = parser_create(cc, text, strlen(text));

	p->lexer.line = line;
	while (dt_lex_toplevel(&p->lexer))
		dt_parse_declaration(p);
}

dt_type_t *dt_parse_type(dt_compile_t *cc, const char *text)
{
	dt_parser_t *p = parser_create(cc, text, strlen(text));
	dt_type_t *type = dt_parse_typename(p);

	dt_parse_expect(p, DT_TOK_EOF);
	return type;
}

dt_type_t *dt_parse_type_try(dt_compile_t *cc, const char *text)
{
	jmp_buf *outer = cc->unwind, here;
	dt_type_t *volatile type = NULL;

	if (setjmp(here) == 0) {
		cc->unwind = &here;
		type = dt_parse_type(cc, text);
	}
	cc->unwind = outer;
	return type;
}
