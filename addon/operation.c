/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation.c - what may block: opening a handle, compiling, starting, stopping, listing
 * probes. Each is a function that uses the handle alone, no JavaScript, so that it can run
 * on the thread pool (queue.c) or at once.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Opening ----------------------------------------------------------------- */

static int set_if_unset(dtrace_hdl_t *dtp, const char *option, const char *value)
{
	dtrace_optval_t current;

	if (dtrace_getopt(dtp, option, &current) == 0 && current != DTRACEOPT_UNSET)
		return 0;
	return dtrace_setopt(dtp, option, value);
}

/* Handlers and options that every handle of ours has. */
static int prepare(da_consumer_t *c)
{
	if (dtrace_handle_buffered(c->dtp, da_records_buffered, c) < 0 ||
	    dtrace_handle_err(c->dtp, da_events_fault, c) < 0 ||
	    dtrace_handle_drop(c->dtp, da_events_drop, c) < 0 ||
	    dtrace_handle_proc(c->dtp, da_events_process, c) < 0)
		return -1;
	/* Other systems' libraries have no default for these. */
	if (set_if_unset(c->dtp, "bufsize", "4m") < 0 ||
	    set_if_unset(c->dtp, "aggsize", "4m") < 0)
		return -1;
	return 0;
}

static void run_open(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;
	int error = 0;

	c->dtp = dtrace_open(DTRACE_VERSION, 0, &error);
	if (!c->dtp) {
		da_failure_set_errno(&op->failure, error, "couldn't initialize DTrace");
		return;
	}
	if (prepare(c) < 0) {
		da_failure_set(&op->failure, c->dtp, "couldn't initialize DTrace");
		dtrace_close(c->dtp);
		c->dtp = NULL;
	}
}

static void run_close(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;

	dtrace_close(c->dtp);
	c->dtp = NULL;
	c->target = NULL;
	c->is_enabled = false;
}

/* ---- Tracing ------------------------------------------------------------------- */

/* The program with its definitions before it, without which its lines are counted. */
static char *with_preamble(const da_operation_t *op)
{
	char *text;

	return asprintf(&text, "%s#line 1\n%s", op->preamble, op->text) < 0 ? NULL : text;
}

static void run_compile(da_operation_t *op)
{
	dtrace_hdl_t *dtp = op->consumer->dtp;
	char *preprocessed = op->preamble ? with_preamble(op) : NULL;
	int argc = 0;
	dtrace_prog_t *prog;

	while (op->arguments && op->arguments[argc])
		argc++;
	prog = dtrace_program_strcompile(
	    dtp, preprocessed ? preprocessed : op->text, DTRACE_PROBESPEC_NAME,
	    preprocessed ? DTRACE_C_CPP : 0, argc, op->arguments);
	free(preprocessed);
	if (!prog)
		da_failure_set(&op->failure, dtp, "couldn't compile '%s'", op->text);
	else if (dtrace_program_exec(dtp, prog, NULL) < 0)
		da_failure_set(&op->failure, dtp, "couldn't execute '%s'", op->text);
}

static void run_target(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;

	c->is_target_child = op->arguments != NULL;
	if (op->arguments) {
		c->target = dtrace_proc_create(c->dtp, op->arguments[0], op->arguments);
		if (!c->target)
			da_failure_set(&op->failure, c->dtp, "couldn't run '%s'",
				       op->arguments[0]);
	} else {
		c->target = dtrace_proc_grab(c->dtp, op->pid, 0);
		if (!c->target)
			da_failure_set(&op->failure, c->dtp, "couldn't grab process %d",
				       (int)op->pid);
	}
#ifdef DTRACE_EXTENSIONS
	if (c->target)
		op->pid = dtrace_proc_getpid(c->dtp, c->target);
#endif
}

static void run_go(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;

	if (dtrace_go(c->dtp) < 0) {
		da_failure_set(&op->failure, c->dtp, "couldn't enable tracing");
		return;
	}
	c->is_enabled = true;
	if (c->target)
		dtrace_proc_continue(c->dtp, c->target);
}

/* There is nothing to stop where go failed or was never asked for. */
static void run_stop(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;

	if (!c->is_enabled)
		return;
	c->is_enabled = false;
	if (dtrace_stop(c->dtp) < 0)
		da_failure_set(&op->failure, c->dtp, "couldn't disable tracing");
}

/* ---- Others --------------------------------------------------------------------- */

static void run_probes(da_operation_t *op)
{
	op->probes = da_probelist_create(op->consumer->dtp, op->text, &op->failure);
}

static void run_turn(da_operation_t *op)
{
	(void)op;
}

void da_operation_run(da_operation_t *op)
{
	static void (*const run[])(da_operation_t *) = {
	    [DA_OP_OPEN] = run_open,	 [DA_OP_COMPILE] = run_compile,
	    [DA_OP_TARGET] = run_target, [DA_OP_GO] = run_go,
	    [DA_OP_STOP] = run_stop,	 [DA_OP_PROBES] = run_probes,
	    [DA_OP_TURN] = run_turn,	 [DA_OP_CLOSE] = run_close,
	};

	/* An operation that was asked for before closing, and comes after it. */
	if (!op->consumer->dtp && op->kind != DA_OP_OPEN)
		return;
	run[op->kind](op);
}

napi_value da_operation_result(napi_env env, da_operation_t *op)
{
	napi_value result = NULL;

	if (op->kind == DA_OP_TARGET)
		return da_number(env, op->pid);
	if (op->kind == DA_OP_PROBES && op->probes) {
		result = da_probelist_wrap(env, op->probes);
		if (result)
			op->probes = NULL;
		return result;
	}
	napi_get_undefined(env, &result);
	return result;
}

void da_operation_fini(napi_env env, da_operation_t *op)
{
	if (op->callback)
		napi_delete_reference(env, op->callback);
	if (op->work)
		napi_delete_async_work(env, op->work);
	da_probelist_destroy(op->probes);
	free(op->text);
	free(op->preamble);
	free(op->arguments);
	free(op->failure.message);
}
