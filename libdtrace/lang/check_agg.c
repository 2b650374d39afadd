/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_agg.c - @a[keys] = function(value, ...). The first use of an aggregation gives it
 * its number, its function and its keys; later ones must agree.
 *
 * The parameters of lquantize() and llquantize() are constants and become one encoded
 * word (dtrace.h); of the call's arguments the value and the increment remain.
 */
#include "lang/check.h"

#include <stdio.h>

#define NARGS_MAX 6

/* An aggregating function's call, taken apart. */
typedef struct dt_aggcall {
	const dt_builtin_t *function;
	dt_node_t *call;
	dt_node_t *args[NARGS_MAX];
	int nargs;
	dt_node_t *increment;
	uint64_t arg; /* encoded parameters */
} dt_aggcall_t;

/* ---- Constant parameters --------------------------------------------------------- */

/* The tags of one parameter's errors, and the values it may have. */
typedef struct dt_aggparam {
	const char *name;
	dt_errtag_t type, value, match;
	int64_t least, most;
} dt_aggparam_t;

static const dt_aggparam_t lquantize_params[] = {
    {"base", D_LQUANT_BASETYPE, D_LQUANT_BASEVAL, D_LQUANT_MATCHBASE, INT32_MIN, INT32_MAX},
    {"limit", D_LQUANT_LIMTYPE, D_LQUANT_LIMVAL, D_LQUANT_MATCHLIM, INT32_MIN, INT32_MAX},
    {"step", D_LQUANT_STEPTYPE, D_LQUANT_STEPVAL, D_LQUANT_MATCHSTEP, 1, UINT16_MAX},
};

static const dt_aggparam_t llquantize_params[] = {
    {"factor", D_LLQUANT_FACTORTYPE, D_LLQUANT_FACTORVAL, D_LLQUANT_FACTORMATCH, 0,
     UINT16_MAX},
    {"low magnitude", D_LLQUANT_LOWTYPE, D_LLQUANT_LOWVAL, D_LLQUANT_LOWMATCH, 0,
     UINT16_MAX},
    {"high magnitude", D_LLQUANT_HIGHTYPE, D_LLQUANT_HIGHVAL, D_LLQUANT_HIGHMATCH, 0,
     UINT16_MAX},
    {"number of steps", D_LLQUANT_NSTEPTYPE, D_LLQUANT_NSTEPVAL, D_LLQUANT_NSTEPMATCH, 0,
     UINT16_MAX},
};

/* Argument number (from 1 for the call) as the constant parameter. */
static int64_t parameter(dt_compile_t *c, dt_aggcall_t *a, int number,
			 const dt_aggparam_t *param)
{
	dt_node_t *n = a->args[number - 1];
	char name[DT_IDENTSTR], what[DT_IDENTSTR + 96];
	int64_t value;

	snprintf(name, sizeof(name), "%s( )", a->function->ident.name);
	snprintf(what, sizeof(what), "%s argument #%d (%s)", name, number, param->name);
	n = dt_check_value(c, n);
	/* The step of lquantize() is not in its prototype. */
	if (!dt_check_is_int(c, n) && param->type != D_LQUANT_STEPTYPE)
		dt_check_badarg(c, n, D_PROTO_ARG, name, number, "int32_t");
	n = dt_check_const(c, n, param->type, what);
	value = (int64_t)n->value;
	if (value < param->least || value > param->most ||
	    (value < 0 && !dt_check_type(c, n)->is_signed))
		dt_compile_error(c, param->value, n->line, n->column,
				 "%s must be from %lld to %lld", what,
				 (long long)param->least, (long long)param->most);
	return value;
}

static void lquantize(dt_compile_t *c, dt_aggcall_t *a)
{
	const dt_node_t *at = a->call;
	int64_t base = parameter(c, a, 2, &lquantize_params[0]);
	int64_t limit = parameter(c, a, 3, &lquantize_params[1]);
	int64_t step = a->nargs > 3 ? parameter(c, a, 4, &lquantize_params[2]) : 1, levels;

	if (base >= limit)
		dt_compile_error(c, D_LQUANT_MISMATCH, at->line, at->column,
				 "lquantize( ) base (argument #2) must be less than limit "
				 "(argument #3)");
	levels = (limit - base) / step;
	if (levels == 0)
		dt_compile_error(c, D_LQUANT_STEPLARGE, at->line, at->column,
				 "lquantize( ) step (argument #4) too large: must have at "
				 "least one quantization level");
	if (levels > UINT16_MAX)
		dt_compile_error(c, D_LQUANT_STEPSMALL, at->line, at->column,
				 "lquantize( ) step (argument #4) too small: number of "
				 "quantization levels must be less than %d",
				 UINT16_MAX + 1);
	a->arg = (uint64_t)step << DTRACE_LQUANTIZE_STEPSHIFT |
		 (uint64_t)levels << DTRACE_LQUANTIZE_LEVELSHIFT |
		 (uint64_t)(uint32_t)base << DTRACE_LQUANTIZE_BASESHIFT;
	a->increment = a->args[4];
}

/* Whether factor^power still fits in a signed 64-bit value. */
static bool is_power_in_range(int64_t factor, int64_t power)
{
	int64_t value = 1;

	for (; power > 0; power--) {
		if (value > INT64_MAX / factor)
			return false;
		value *= factor;
	}
	return true;
}

static void llquantize(dt_compile_t *c, dt_aggcall_t *a)
{
	const dt_node_t *at = a->call;
	int64_t factor = parameter(c, a, 2, &llquantize_params[0]);
	int64_t low = parameter(c, a, 3, &llquantize_params[1]);
	int64_t high = parameter(c, a, 4, &llquantize_params[2]);
	int64_t steps = parameter(c, a, 5, &llquantize_params[3]);
	int64_t power;

	if (factor < 2)
		dt_compile_error(c, D_LLQUANT_FACTORSMALL, at->line, at->column,
				 "llquantize( ) factor (argument #2) must be two or more");
	if (low >= high)
		dt_compile_error(c, D_LLQUANT_MAGRANGE, at->line, at->column,
				 "llquantize( ) low magnitude (argument #3) must be less "
				 "than high magnitude (argument #4)");
	if (steps < factor)
		dt_compile_error(c, D_LLQUANT_FACTORNSTEPS, at->line, at->column,
				 "llquantize( ) factor (argument #2) must be less than or "
				 "equal to the number of steps (argument #5)");
	for (power = factor; power < steps;)
		power *= factor;
	if (power % steps != 0)
		dt_compile_error(c, D_LLQUANT_FACTOREVEN, at->line, at->column,
				 "llquantize( ) number of steps (argument #5) must evenly "
				 "divide a power of the factor (argument #2)");
	if (!is_power_in_range(factor, high))
		dt_compile_error(c, D_LLQUANT_MAGTOOBIG, at->line, at->column,
				 "llquantize( ) factor (argument #2) raised to the high "
				 "magnitude (argument #4) overflows 64 bits");
	a->arg = (uint64_t)factor << DTRACE_LLQUANTIZE_FACTORSHIFT |
		 (uint64_t)low << DTRACE_LLQUANTIZE_LOWSHIFT |
		 (uint64_t)high << DTRACE_LLQUANTIZE_HIGHSHIFT |
		 (uint64_t)steps << DTRACE_LLQUANTIZE_NSTEPSHIFT;
	a->increment = a->args[5];
}

/* ---- Redefinition ---------------------------------------------------------------- */

static const char *function_name(uint16_t function)
{
	switch (function) {
	case DTRACEAGG_COUNT:
		return "count";
	case DTRACEAGG_MIN:
		return "min";
	case DTRACEAGG_MAX:
		return "max";
	case DTRACEAGG_AVG:
		return "avg";
	case DTRACEAGG_SUM:
		return "sum";
	case DTRACEAGG_STDDEV:
		return "stddev";
	case DTRACEAGG_QUANTIZE:
		return "quantize";
	case DTRACEAGG_LQUANTIZE:
		return "lquantize";
	default:
		return "llquantize";
	}
}

static _Noreturn void bad_match(dt_compile_t *c, const dt_aggcall_t *a, int number,
				const dt_aggparam_t *param, long long now, long long before)
{
	dt_compile_error(c, param->match, a->call->line, a->call->column,
			 "%s( ) %s (argument #%d) doesn't match previous use: %lld, "
			 "previously %lld",
			 a->function->ident.name, param->name, number, now, before);
}

static void match_lquantize(dt_compile_t *c, const dt_aggcall_t *a, uint64_t before)
{
	uint64_t now = a->arg;
	int64_t base = DTRACE_LQUANTIZE_BASE(now), old_base = DTRACE_LQUANTIZE_BASE(before);
	int64_t step = DTRACE_LQUANTIZE_STEP(now), old_step = DTRACE_LQUANTIZE_STEP(before);

	if (base != old_base)
		bad_match(c, a, 2, &lquantize_params[0], base, old_base);
	if (step != old_step)
		bad_match(c, a, 4, &lquantize_params[2], step, old_step);
	if (now != before)
		bad_match(c, a, 3, &lquantize_params[1],
			  base + step * DTRACE_LQUANTIZE_LEVELS(now),
			  old_base + step * DTRACE_LQUANTIZE_LEVELS(before));
}

static void match_llquantize(dt_compile_t *c, const dt_aggcall_t *a, uint64_t before)
{
	int i;

	for (i = 0; i < 4; i++) { /* 16 bits each, the first one highest */
		uint16_t now = (uint16_t)(a->arg >> (48 - 16 * i));
		uint16_t old = (uint16_t)(before >> (48 - 16 * i));

		if (now != old)
			bad_match(c, a, i + 2, &llquantize_params[i], now, old);
	}
}

static void match_function(dt_compile_t *c, const dt_aggcall_t *a, const dt_ident_t *ident)
{
	if (ident->aggfunc != a->function->ident.id)
		dt_compile_error(c, D_AGG_REDEF, a->call->line, a->call->column,
				 "aggregation redefined: @%s\n\t current: @%s = %s( )\n"
				 "\tprevious: @%s = %s( )",
				 ident->name, ident->name, a->function->ident.name,
				 ident->name, function_name(ident->aggfunc));
	if (ident->aggfunc == DTRACEAGG_LQUANTIZE)
		match_lquantize(c, a, ident->aggarg);
	else if (ident->aggfunc == DTRACEAGG_LLQUANTIZE)
		match_llquantize(c, a, ident->aggarg);
}

/* ---- The statement ---------------------------------------------------------------- */

static void find_function(dt_compile_t *c, dt_aggcall_t *a, const dt_node_t *agg)
{
	const dt_node_t *call = a->call;

	if (call == NULL || call->kind != DT_N_CALL)
		dt_compile_error(
		    c, D_AGG_FUNC, agg->line, agg->column,
		    "aggregation @%s may only be assigned an aggregating function",
		    agg->string);
	a->function = dt_builtin_find(call->string);
	if (a->function == NULL)
		dt_compile_error(c, D_FUNC_UNDEF, call->line, call->column,
				 "undefined function name: %s( )", call->string);
	if (a->function->ident.kind != DT_I_AGGFUNC)
		dt_compile_error(c, D_AGG_FUNC, call->line, call->column,
				 "%s( ) is not an aggregating function", call->string);
}

static void take_args(dt_compile_t *c, dt_aggcall_t *a, int least, int most)
{
	dt_node_t *n, *next;
	char name[64];
	int passed = 0;

	for (n = a->call->list; n != NULL; n = next) {
		next = n->next;
		if (passed < NARGS_MAX)
			a->args[passed] = n;
		passed++;
	}
	snprintf(name, sizeof(name), "%s( )", a->function->ident.name);
	if (passed < least || passed > most)
		dt_check_badlength(c, a->call, D_PROTO_LEN, name, passed, least, most);
	a->nargs = passed;
}

static dt_node_t *scalar_arg(dt_compile_t *c, const dt_aggcall_t *a, dt_node_t *n,
			     int number, dt_errtag_t tag)
{
	char type[DT_TYPESTR];

	n = dt_check_value(c, n);
	if (!dt_check_is_scalar(c, n))
		dt_compile_error(c, tag, n->line, n->column,
				 "%s( ) argument #%d must be of scalar type, not \"%s\"",
				 a->function->ident.name, number,
				 dt_check_typename(n, type, sizeof(type)));
	return n;
}

/* Parameters by function; leaves the value and the increment in the call's list. */
static void check_call(dt_compile_t *c, dt_aggcall_t *a)
{
	dt_node_t *call = a->call;
	int increment_number = 2;

	switch (a->function->ident.id) {
	case DTRACEAGG_COUNT:
		take_args(c, a, 0, 0);
		break;
	case DTRACEAGG_QUANTIZE:
		take_args(c, a, 1, 2);
		a->increment = a->args[1];
		break;
	case DTRACEAGG_LQUANTIZE:
		take_args(c, a, 3, 5);
		lquantize(c, a);
		increment_number = 5;
		break;
	case DTRACEAGG_LLQUANTIZE:
		take_args(c, a, 5, 6);
		llquantize(c, a);
		increment_number = 6;
		break;
	default:
		take_args(c, a, 1, 1);
		break;
	}

	call->ident = dt_builtin_ident(c, a->function, call);
	call->type = c->hdl->types.void_;
	call->list = NULL;
	if (a->nargs == 0)
		return;
	call->list = scalar_arg(c, a, a->args[0], 1, D_AGG_SCALAR);
	call->list->next = NULL;
	if (a->increment != NULL) {
		call->list->next =
		    scalar_arg(c, a, a->increment, increment_number, D_PROTO_ARG);
		call->list->next->next = NULL;
	}
}

void dt_check_aggregation(dt_compile_t *c, dt_clause_t *clause, dt_stmt_t *stmt)
{
	dt_aggcall_t a = {.call = stmt->expr};
	dt_node_t *agg = stmt->agg;
	dt_ident_t *ident = dt_agg_lookup(c->hdl, agg->string);

	find_function(c, &a, agg);
	if (ident == NULL)
		ident = dt_ident_add(c, DT_SCOPE_GLOBAL, DT_I_AGG, agg->string);
	/* Keys are evaluated first: the value may use what they assign. */
	dt_check_keys(c, ident, agg, &agg->list);
	check_call(c, &a);
	if (ident->aggfunc == 0) {
		dt_ident_modify(c, ident);
		ident->aggfunc = (uint16_t)a.function->ident.id;
		ident->aggarg = a.arg;
		ident->type = c->hdl->types.void_;
	} else {
		match_function(c, &a, ident);
	}
	ident->is_signature_known = true;
	agg->ident = ident;
	agg->type = c->hdl->types.void_;
	clause->naggs++;
}
