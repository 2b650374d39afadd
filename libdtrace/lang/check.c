/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - the type checker's entry: clauses in the order of the text, for a variable's
 * first assignment declares it, and in each the predicate and then the statements, unless
 * they declare what the predicate reads. What a clause does (records, aggregates, destroys)
 * is gathered on the way.
 */
#include "lang/check.h"

#include <string.h>

#include "lang/translate.h"

static void check_predicate(dt_compile_t *c, dt_clause_t *clause)
{
	char type[DT_TYPESTR];
	dt_node_t *n;

	c->region = "predicate";
	n = dt_check_value(c, clause->predicate);
	if (!dt_check_is_scalar(c, n))
		dt_compile_error(c, D_PRED_SCALAR, n->line, n->column,
				 "predicate result must be of scalar type, not \"%s\"",
				 dt_type_name(n->type, type, sizeof(type)));
	dt_check_leftover(c, n);
	clause->predicate = n;
	c->region = NULL;
}

/* Whether something in the tree assigns to the name. */
static bool assigns(const dt_node_t *n, const dt_node_t *name)
{
	const dt_node_t *item;

	if (n == NULL)
		return false;
	if ((n->kind == DT_N_ASSIGN || n->kind == DT_N_INCDEC) &&
	    n->left->kind == DT_N_NAME && n->left->value == name->value &&
	    strcmp(n->left->string, name->string) == 0)
		return true;
	for (item = n->list; item != NULL; item = item->next) {
		if (assigns(item, name))
			return true;
	}
	return assigns(n->left, name) || assigns(n->right, name) || assigns(n->third, name);
}

/* Whether a name in (a part of) the predicate is declared by the clause's statements. */
static bool needs_statements(dt_compile_t *c, const dt_clause_t *clause, const dt_node_t *n)
{
	const dt_node_t *item;
	const dt_stmt_t *stmt;

	if (n == NULL)
		return false;
	if (n->kind == DT_N_NAME && n->value != DT_NAME_KERNEL &&
	    dt_ident_lookup(c->hdl, (dt_scope_t)n->value, n->string) == NULL &&
	    !assigns(clause->predicate, n)) {
		for (stmt = clause->stmts; stmt != NULL; stmt = stmt->next) {
			if (assigns(stmt->expr, n))
				return true;
		}
	}
	for (item = n->list; item != NULL; item = item->next) {
		if (needs_statements(c, clause, item))
			return true;
	}
	return needs_statements(c, clause, n->left) ||
	       needs_statements(c, clause, n->right) ||
	       needs_statements(c, clause, n->third);
}

/* The built-in that a statement calls, if it is no subroutine. */
static const dt_builtin_t *called_action(const dt_node_t *n)
{
	const dt_builtin_t *builtin = NULL;

	if (n->kind == DT_N_CALL)
		builtin = dt_builtin_find(n->string);
	if (builtin == NULL || builtin->ident.kind == DT_I_SUBR)
		return NULL;
	return builtin;
}

static void check_statement(dt_compile_t *c, dt_clause_t *clause, dt_stmt_t *stmt)
{
	const dt_builtin_t *action;
	dt_node_t *n = stmt->expr;

	if (stmt->kind == DT_S_AGG) {
		dt_check_agg_order(c, clause, stmt->agg);
		dt_check_aggregation(c, clause, stmt);
		return;
	}
	if (n->kind == DT_N_AGG)
		dt_compile_error(
		    c, D_AGG_NULL, n->line, n->column,
		    "expression has null effect: aggregation @%s is assigned no "
		    "aggregating function",
		    n->string);
	action = called_action(n);
	if (action != NULL && action->ident.kind == DT_I_ACTION) {
		dt_check_action(c, clause, stmt, action);
		return;
	}
	stmt->kind = DT_S_EXPR;
	stmt->expr = dt_check_expr(c, n);
	if (stmt->expr->kind == DT_N_XLATE)
		dt_compile_error(c, D_CG_DYN, n->line, n->column,
				 "a whole translation has no value to evaluate");
}

static void check_clause(dt_compile_t *c, dt_clause_t *clause)
{
	bool predicate_last = needs_statements(c, clause, clause->predicate);
	dt_stmt_t *stmt;

	clause->naggs = 0;
	clause->destructive = clause->speculates = clause->commits = false;
	clause->records = clause->stmts == NULL;
	c->clause = clause;
	c->attributes = dt_attr_stable;
	dt_check_descriptions(c, clause);
	clause->descattr = c->attributes;

	c->attributes = dt_attr_stable;
	if (clause->predicate != NULL && !predicate_last)
		check_predicate(c, clause);
	c->region = "action list";
	for (stmt = clause->stmts; stmt != NULL; stmt = stmt->next) {
		check_statement(c, clause, stmt);
		dt_check_leftover(c, stmt->expr);
		dt_check_leftover(c, stmt->agg);
	}
	c->region = NULL;
	if (predicate_last)
		check_predicate(c, clause);
	clause->stmtattr = c->attributes;
	c->clause = NULL;
}

/* The inlines that are still to be checked, NULL after the last. */
static dt_ident_t **unchecked_inlines(dt_compile_t *c)
{
	const dtrace_hdl_t *hdl = c->hdl;
	dt_ident_t **list = dt_compile_alloc(c, (hdl->nidents + 1) * sizeof(*list)), *ident;
	uint32_t n = 0;

	for (uint32_t i = 0; i < hdl->ident_buckets; i++) {
		for (ident = hdl->idents[i]; ident != NULL; ident = ident->next) {
			if (ident->kind == DT_I_INLINE && !ident->is_signature_known)
				list[n++] = ident;
		}
	}
	return list;
}

/* Inlines that no clause has named so far must be right all the same. Checking one can add
 * names, and so make the hash anew. */
static void check_inlines(dt_compile_t *c)
{
	dt_ident_t **ident = unchecked_inlines(c);

	for (; *ident != NULL; ident++) {
		if ((*ident)->nkeys > 0)
			dt_check_inline_params(c, *ident);
		else
			dt_check_inline(c, *ident, (*ident)->inline_body);
	}
}

void dt_check(dt_compile_t *c)
{
	dtrace_proginfo_t *info = &c->prog->info;
	dt_clause_t *clause;

	info->dpi_descattr = info->dpi_stmtattr = dt_attr_stable;
	for (clause = c->prog->clauses; clause != NULL; clause = clause->next) {
		check_clause(c, clause);
		info->dpi_descattr = dt_attr_min(info->dpi_descattr, clause->descattr);
		info->dpi_stmtattr = dt_attr_min(info->dpi_stmtattr, clause->stmtattr);
	}
	dt_check_translators(c);
	check_inlines(c);
	dt_ident_forget_this(c->hdl);
}
