/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - operations that may block. Each consumer has one queue; its operations run on
 * the thread pool one after another in the order they were asked for, and none is refused
 * for another being under way. An operation's callback runs before the next operation
 * starts, so it finds the handle free.
 */
#include "addon.h"

#include <stdlib.h>

static void operation_execute(napi_env env, void *data)
{
	(void)env; /* belongs to the other thread */
	da_operation_run(data);
}

/* An exception of the callback is left pending: it becomes an uncaught one. */
static void operation_report(napi_env env, da_operation_t *op)
{
	napi_value callback, receiver, arguments[2];

	if (napi_get_reference_value(env, op->callback, &callback) != napi_ok || !callback)
		return;
	napi_get_undefined(env, &receiver);
	arguments[0] = da_failure_take(env, &op->failure);
	arguments[1] = da_operation_result(env, op);
	if (arguments[0] && arguments[1])
		napi_call_function(env, receiver, callback, 2, arguments, NULL);
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
	da_operation_fini(env, op);
	free(op);
	da_queue_pump(c);
	napi_reference_unref(env, c->self, NULL);
}

void da_queue_pump(da_consumer_t *c)
{
	if (!c->head || c->is_running || c->is_calling)
		return;
	if (c->head->kind == DA_OP_CLOSE)
		da_watch_stop(c); /* its descriptor is about to go */
	c->is_running = true;
	napi_queue_async_work(c->env, c->head->work);
}

bool da_queue_submit(da_consumer_t *c, const da_operation_t *asked, napi_value callback)
{
	da_operation_t copy = *asked, *op = malloc(sizeof(*op));
	napi_value name;

	copy.consumer = c;
	if (!op) {
		da_operation_fini(c->env, &copy);
		da_throw(c->env, "out of memory");
		return false;
	}
	*op = copy;
	if (napi_create_string_latin1(c->env, "dtrace-async", NAPI_AUTO_LENGTH, &name) ||
	    napi_create_reference(c->env, callback, 1, &op->callback) ||
	    napi_create_async_work(c->env, NULL, name, operation_execute,
				   operation_complete, op, &op->work)) {
		da_operation_fini(c->env, op);
		free(op);
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
