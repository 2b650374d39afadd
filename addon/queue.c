/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - operations that may block. Each consumer has one queue; its operations run on
 * the thread pool one after another in the order they were asked for, and none is refused
 * for another being under way. An operation's callback runs before the next operation
 * starts, so it finds the handle free.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

struct da_operation {
	da_operation_t *next;
	da_consumer_t *consumer;
	da_opkind_t kind;
	char *program;
	napi_ref callback;
	napi_async_work work;
	bool has_failed;
	char *message; /* of a failure; NULL then: out of memory */
};

/* ---- On the thread pool ---------------------------------------------------- */

static void operation_fail(da_operation_t *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void operation_fail(da_operation_t *op, const char *format, ...)
{
	va_list args;

	op->has_failed = true;
	va_start(args, format);
	if (vasprintf(&op->message, format, args) < 0)
		op->message = NULL;
	va_end(args);
}

static const char *handle_message(dtrace_hdl_t *dtp)
{
	return dtrace_errmsg(dtp, dtrace_errno(dtp));
}

static void run_open(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;
	int error = 0;
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, &error);

	if (!dtp) {
		operation_fail(op, "couldn't initialize DTrace: %s",
			       dtrace_errmsg(NULL, error));
		return;
	}
	c->dtp = dtp;
	if (da_consumer_prepare(c) < 0) {
		operation_fail(op, "couldn't initialize DTrace: %s", handle_message(dtp));
		dtrace_close(dtp);
		c->dtp = NULL;
	}
}

static void run_compile(da_operation_t *op)
{
	dtrace_hdl_t *dtp = op->consumer->dtp;
	dtrace_prog_t *prog =
	    dtrace_program_strcompile(dtp, op->program, DTRACE_PROBESPEC_NAME, 0, 0, NULL);

	if (!prog)
		operation_fail(op, "couldn't compile '%s': %s", op->program,
			       handle_message(dtp));
	else if (dtrace_program_exec(dtp, prog, NULL) < 0)
		operation_fail(op, "couldn't execute '%s': %s", op->program,
			       handle_message(dtp));
}

static void run_go(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;

	if (dtrace_go(c->dtp) < 0)
		operation_fail(op, "couldn't enable tracing: %s", handle_message(c->dtp));
	else
		c->is_enabled = true;
}

/* There is nothing to stop where go failed or was never asked for. */
static void run_stop(da_operation_t *op)
{
	da_consumer_t *c = op->consumer;

	if (!c->is_enabled)
		return;
	c->is_enabled = false;
	if (dtrace_stop(c->dtp) < 0)
		operation_fail(op, "couldn't disable tracing: %s", handle_message(c->dtp));
}

static void operation_execute(napi_env env, void *data)
{
	static void (*const run[])(da_operation_t *) = {
	    [DA_OP_OPEN] = run_open,
	    [DA_OP_COMPILE] = run_compile,
	    [DA_OP_GO] = run_go,
	    [DA_OP_STOP] = run_stop,
	};
	da_operation_t *op = data;

	(void)env; /* belongs to the other thread */
	run[op->kind](op);
}

/* ---- On the environment's thread ------------------------------------------- */

static void operation_destroy(napi_env env, da_operation_t *op)
{
	if (op->callback)
		napi_delete_reference(env, op->callback);
	if (op->work)
		napi_delete_async_work(env, op->work);
	free(op->program);
	free(op->message);
	free(op);
}

/* An exception of the callback is left pending: it becomes an uncaught one. */
static void operation_report(napi_env env, da_operation_t *op)
{
	const char *message = op->message ? op->message : "out of memory";
	napi_value callback, receiver, result;

	if (napi_get_reference_value(env, op->callback, &callback) != napi_ok || !callback)
		return;
	napi_get_undefined(env, &receiver);
	if (op->has_failed)
		result = da_text_create(env, message, strlen(message));
	else
		napi_get_null(env, &result);
	if (result)
		napi_call_function(env, receiver, callback, 1, &result, NULL);
}

static void operation_complete(napi_env env, napi_status status, void *data)
{
	da_operation_t *op = data;
	da_consumer_t *c = op->consumer;

	(void)status; /* nothing cancels */
	c->is_running = false;
	c->head = op->next;
	if (!c->head)
		c->tail = &c->head;
	operation_report(env, op);
	operation_destroy(env, op);
	da_queue_pump(c);
	napi_reference_unref(env, c->self, NULL);
}

void da_queue_pump(da_consumer_t *c)
{
	if (!c->head || c->is_running || c->is_calling)
		return;
	c->is_running = true;
	napi_queue_async_work(c->env, c->head->work);
}

bool da_queue_submit(da_consumer_t *c, da_opkind_t kind, char *text, napi_value callback)
{
	da_operation_t *op = calloc(1, sizeof(*op));
	napi_value name;

	if (!op) {
		free(text);
		da_throw(c->env, "out of memory");
		return false;
	}
	op->consumer = c;
	op->kind = kind;
	op->program = text;
	if (napi_create_string_latin1(c->env, "dtrace-async", NAPI_AUTO_LENGTH, &name) ||
	    napi_create_reference(c->env, callback, 1, &op->callback) ||
	    napi_create_async_work(c->env, NULL, name, operation_execute,
				   operation_complete, op, &op->work)) {
		operation_destroy(c->env, op);
		da_throw(c->env, "couldn't queue the operation");
		return false;
	}
	*c->tail = op;
	c->tail = &op->next;
	napi_reference_ref(c->env, c->self, NULL);
	da_queue_pump(c);
	return true;
}

/* ---- Closing ---------------------------------------------------------------- */

typedef struct closing {
	da_consumer_t *consumer;
	napi_async_work work;
} closing_t;

static void consumer_free(da_consumer_t *c)
{
	da_events_fini(c);
	free(c->probes.table);
	free(c->text.bytes);
	da_instance_release(c->instance);
	free(c);
}

static void close_execute(napi_env env, void *data)
{
	(void)env;
	dtrace_close(((closing_t *)data)->consumer->dtp);
}

static void close_complete(napi_env env, napi_status status, void *data)
{
	closing_t *closing = data;

	(void)status;
	consumer_free(closing->consumer);
	napi_delete_async_work(env, closing->work);
	free(closing);
}

/* Undoing an instrumentation takes long enough to keep it off the event loop. */
static bool close_later(da_consumer_t *c)
{
	closing_t *closing = calloc(1, sizeof(*closing));
	napi_value name;

	if (!closing)
		return false;
	closing->consumer = c;
	if (napi_create_string_latin1(c->env, "dtrace-async", NAPI_AUTO_LENGTH, &name) ||
	    napi_create_async_work(c->env, NULL, name, close_execute, close_complete,
				   closing, &closing->work)) {
		free(closing);
		return false;
	}
	napi_queue_async_work(c->env, closing->work);
	return true;
}

void da_queue_close(da_consumer_t *c)
{
	if (c->dtp && !c->instance->is_closing && close_later(c))
		return;
	if (c->dtp)
		dtrace_close(c->dtp);
	consumer_free(c);
}
