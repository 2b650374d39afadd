/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body.c - what a clause does: its statements, and "if".
 *
 * There are no branches in D's virtual machine, and none are made of "if" here either: it
 * divides its clause, as in DTrace. What comes before, each branch, and what comes after
 * become clauses of their own, with a record each, and a number in a clause-local variable
 * says which of them run:
 *
 *	name /p/ { a; if (c) { b; } else { d; } e; }
 *
 * is read as
 *
 *	name { this->%1 = 0; this->%2 = 0; }
 *	name /p/ { this->%1 = 1; a; this->%2 = c ? 1 : 2; }
 *	name /this->%2 == 1/ { b; }
 *	name /this->%2 == 2/ { d; }
 *	name /this->%1 == 1/ { e; }
 *
 * Clause-local variables outlive a firing: hence the first line. No program can write a name
 * like these. A clause without "if" stays as it is.
 */
#include <stdio.h>
#include <string.h>

#include "handle.h"
#include "lang/parse.h"

/* Under what condition statements run. */
typedef struct guard {
	uint32_t number; /* of its variable; 0: always */
	int value;
} guard_t;

/* A clause while its body is read. */
typedef struct bodyparse {
	dt_clause_t *first, *reset; /* reset: NULL before the first "if" */
	dt_clause_t *current;	    /* the last of the clauses that it becomes */
	dt_stmt_t **tail;	    /* of its statements */
	guard_t guard;		    /* that of the current clause */
	guard_t outer;		    /* of what stands outside of every "if" */
} bodyparse_t;

/* ---- Statements -------------------------------------------------------- */

/* aggregation-statement: aggregation "=" name "(" [arguments] ")" */
static void aggregation_statement(dt_parser_t *p, dt_stmt_t *stmt)
{
	dt_node_t *agg = stmt->expr->left, *call = stmt->expr->right;

	if (call->kind != DT_N_CALL)
		dt_compile_error(p->cc, D_AGG_FUNC, call->line, call->column,
				 "@%s must be assigned the result of an aggregating "
				 "function, as in @%s = count()",
				 agg->string, agg->string);
	stmt->kind = DT_S_AGG;
	stmt->agg = agg;
	stmt->expr = call;
}

/* statement: aggregation-statement | action "(" [arguments] ")" | expression */
static dt_stmt_t *statement(dt_parser_t *p)
{
	dt_stmt_t *stmt = dt_compile_alloc(p->cc, sizeof(*stmt));
	const dt_ident_t *builtin;

	stmt->line = dt_lex_peek(&p->lexer)->line;
	stmt->kind = DT_S_EXPR;
	stmt->expr = dt_parse_expression(p);
	if (stmt->expr->kind == DT_N_ASSIGN && stmt->expr->op == DT_OP_NONE &&
	    stmt->expr->left->kind == DT_N_AGG) {
		aggregation_statement(p, stmt);
	} else if (stmt->expr->kind == DT_N_CALL) {
		builtin = dt_builtin_lookup(stmt->expr->string);
		if (builtin != NULL && builtin->kind == DT_I_ACTION)
			stmt->kind = DT_S_ACTION;
	}
	return stmt;
}

static void add_statement(bodyparse_t *b, dt_stmt_t *stmt)
{
	*b->tail = stmt;
	b->tail = &stmt->next;
	b->current->nstmts++;
}

/* ---- Conditions -------------------------------------------------------- */

static dt_node_t *integer(dt_parser_t *p, const dt_token_t *at, uint64_t value)
{
	dt_node_t *node = dt_node_new(p->cc, DT_N_INT, at->line, at->column);

	node->value = value;
	node->type = p->cc->hdl->types.int_;
	node->height = 1;
	return node;
}

/* this->%number */
static dt_node_t *condition_name(dt_parser_t *p, const dt_token_t *at, uint32_t number)
{
	dt_node_t *node = dt_node_new(p->cc, DT_N_NAME, at->line, at->column);
	char name[16];

	snprintf(name, sizeof(name), "%%%u", number);
	node->string = dt_compile_strdup(p->cc, name, strlen(name));
	node->value = DT_SCOPE_THIS;
	node->height = 1;
	return node;
}

static dt_stmt_t *set_condition(dt_parser_t *p, const dt_token_t *at, uint32_t number,
				dt_node_t *value)
{
	dt_stmt_t *stmt = dt_compile_alloc(p->cc, sizeof(*stmt));

	stmt->line = at->line;
	stmt->kind = DT_S_EXPR;
	stmt->expr = dt_node_new(p->cc, DT_N_ASSIGN, at->line, at->column);
	stmt->expr->op = DT_OP_NONE;
	stmt->expr->left = condition_name(p, at, number);
	stmt->expr->right = value;
	stmt->expr->height = value->height + 1;
	return stmt;
}

/* A further clause of the same probes. */
static dt_clause_t *clause_like(dt_parser_t *p, const dt_clause_t *clause, int line)
{
	dt_clause_t *new = dt_compile_alloc(p->cc, sizeof(*new));

	new->line = line;
	new->pdescs = clause->pdescs;
	new->is_part = true;
	return new;
}

/* A new condition, which does not hold until something sets it. */
static uint32_t new_condition(dt_parser_t *p, bodyparse_t *b, const dt_token_t *at)
{
	uint32_t number = ++p->nconditions;
	dt_stmt_t *stmt = set_condition(p, at, number, integer(p, at, 0));

	stmt->next = b->reset->stmts;
	b->reset->stmts = stmt;
	b->reset->nstmts++;
	return number;
}

/* At the first "if": the clause that takes back what an earlier firing has left, and the
 * predicate's value for what stands behind the "if". */
static void begin_parts(dt_parser_t *p, bodyparse_t *b, const dt_token_t *at)
{
	dt_stmt_t *stmt;

	if (b->reset != NULL)
		return;
	b->reset = clause_like(p, b->first, b->first->line);
	b->reset->next = b->first;
	if (b->first->predicate == NULL)
		return;
	b->outer = (guard_t){new_condition(p, b, at), 1};
	stmt = set_condition(p, at, b->outer.number, integer(p, at, 1));
	stmt->next = b->first->stmts;
	b->first->stmts = stmt;
	b->first->nstmts++;
	if (stmt->next == NULL)
		b->tail = &stmt->next;
	b->guard = b->outer;
}

/* What follows runs under the guard: in the current clause when that has it. */
static void use_guard(dt_parser_t *p, bodyparse_t *b, guard_t guard)
{
	const dt_token_t *at = dt_lex_peek(&p->lexer);
	dt_node_t *equal;

	if (b->reset == NULL ||
	    (guard.number == b->guard.number && guard.value == b->guard.value))
		return;
	b->current->next = clause_like(p, b->first, at->line);
	b->current = b->current->next;
	b->tail = &b->current->stmts;
	b->guard = guard;
	if (guard.number == 0)
		return;
	equal = dt_node_new(p->cc, DT_N_BINARY, at->line, at->column);
	equal->op = DT_OP_EQ;
	equal->left = condition_name(p, at, guard.number);
	equal->right = integer(p, at, (uint64_t)guard.value);
	equal->height = 2;
	b->current->predicate = equal;
}

/* ---- if ---------------------------------------------------------------- */

static void item(dt_parser_t *p, bodyparse_t *b, guard_t guard);

/* branch: "{" {item} "}" | item */
static void branch(dt_parser_t *p, bodyparse_t *b, uint32_t number, int value)
{
	guard_t guard = {number, value};

	if (!dt_parse_accept(p, '{')) {
		item(p, b, guard);
		return;
	}
	while (!dt_parse_accept(p, '}'))
		item(p, b, guard);
}

/* condition ? 1 : 2 */
static dt_node_t *choice(dt_parser_t *p, const dt_token_t *at, dt_node_t *condition)
{
	dt_node_t *node = dt_node_new(p->cc, DT_N_COND, at->line, at->column);

	node->is_if = true;
	node->left = condition;
	node->right = integer(p, at, 1);
	node->third = integer(p, at, 2);
	node->height = condition->height + 1;
	return node;
}

/* if: "if" "(" expression ")" branch ["else" branch] */
static void if_statement(dt_parser_t *p, bodyparse_t *b, guard_t guard)
{
	dt_token_t at = dt_parse_take(p);
	dt_node_t *condition;
	uint32_t number;

	dt_parse_enter(p);
	dt_parse_expect(p, '(');
	condition = dt_parse_expression(p);
	dt_parse_expect(p, ')');
	begin_parts(p, b, &at);
	if (guard.number == 0)
		guard = b->outer;
	use_guard(p, b, guard);
	number = new_condition(p, b, &at);
	add_statement(b, set_condition(p, &at, number, choice(p, &at, condition)));
	branch(p, b, number, 1);
	if (dt_parse_accept(p, DT_TOK_ELSE))
		branch(p, b, number, 2);
	dt_parse_leave(p);
}

/* item: ";" | if | statement (";" | before "}") */
static void item(dt_parser_t *p, bodyparse_t *b, guard_t guard)
{
	if (dt_parse_accept(p, ';'))
		return;
	if (dt_parse_peek(p) == DT_TOK_IF) {
		if_statement(p, b, guard);
		return;
	}
	use_guard(p, b, guard.number == 0 ? b->outer : guard);
	add_statement(b, statement(p));
	if (dt_parse_peek(p) != '}')
		dt_parse_expect(p, ';');
}

/* body: "{" {item} "}" */
dt_clause_t *dt_parse_body(dt_parser_t *p, dt_clause_t *clause)
{
	bodyparse_t b = {.first = clause, .current = clause, .tail = &clause->stmts};

	dt_parse_expect(p, '{');
	while (!dt_parse_accept(p, '}'))
		item(p, &b, (guard_t){0});
	return b.reset != NULL ? b.reset : clause;
}
