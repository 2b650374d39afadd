/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer.c - the object that JavaScript holds. It is a libdtrace handle and the queue of
 * operations on it; which call is allowed when is decided in lib/consumer.js, here stands
 * only what keeps the handle whole: it is open, and no two threads use it.
 *
 * A consumer that is no longer reachable, or whose environment ends, closes its handle and
 * with it everything that stands in the kernel.
 */
#include "addon.h"

#include <stdlib.h>

/*
 * Told to the garbage collector, which sees a small object where there are also buffers:
 * without it thousands of forgotten consumers would pile up before it looks.
 */
#define HANDLE_BYTES (1 << 20)

static const napi_type_tag consumer_tag = {0x6474726163656173u, 0x796e63636f6e7375u};

/* ---- Life ------------------------------------------------------------------ */

/* No operation is left: each keeps the object alive. */
static void consumer_finalize(napi_env env, void *data, void *hint)
{
	da_consumer_t *c = data;
	int64_t bytes;

	(void)hint;
	napi_adjust_external_memory(env, -HANDLE_BYTES, &bytes);
	da_watch_stop(c);
	napi_delete_reference(env, c->self);
	da_records_fini(c);
	da_batch_fini(c);
	da_queue_close(c);
}

static da_consumer_t *consumer_create(napi_env env)
{
	da_consumer_t *c = calloc(1, sizeof(*c));
	void *instance;

	if (!c || napi_get_instance_data(env, &instance) != napi_ok) {
		free(c);
		return NULL;
	}
	c->env = env;
	c->tail = &c->head;
	c->events_tail = &c->events;
	c->instance = instance;
	c->instance->users++;
	return c;
}

static napi_value consumer_new(napi_env env, napi_callback_info info)
{
	napi_value self, target;
	da_consumer_t *c;
	int64_t bytes;

	if (napi_get_new_target(env, info, &target) != napi_ok || !target)
		return da_throw(env, "a Handle is made with new");
	napi_get_cb_info(env, info, NULL, NULL, &self, NULL);
	c = consumer_create(env);
	if (!c)
		return da_throw(env, "out of memory");
	if (napi_wrap(env, self, c, consumer_finalize, NULL, NULL) != napi_ok) {
		da_instance_release(c->instance);
		free(c);
		return da_throw(env, "couldn't make a handle");
	}
	napi_adjust_external_memory(env, HANDLE_BYTES, &bytes);
	if (napi_type_tag_object(env, self, &consumer_tag) != napi_ok ||
	    napi_create_reference(env, self, 0, &c->self) != napi_ok)
		return da_throw(env, "couldn't make a handle");
	return da_batch_init(c, self) && da_records_init(c, self) ? self : NULL;
}

/* ---- Receivers -------------------------------------------------------------- */

/* The receiver and up to n arguments; NULL with an exception pending. */
static da_consumer_t *consumer_enter(napi_env env, napi_callback_info info, size_t n,
				     napi_value *arguments)
{
	napi_value self;
	void *c = NULL;
	bool is_ours = false;

	napi_get_cb_info(env, info, &n, arguments, &self, NULL);
	napi_check_object_type_tag(env, self, &consumer_tag, &is_ours);
	if (!is_ours || napi_unwrap(env, self, &c) != napi_ok) {
		napi_throw_type_error(env, NULL, "the receiver is not a Handle");
		return NULL;
	}
	return c;
}

/* As consumer_enter(), for a call that uses the handle on this thread. */
static da_consumer_t *consumer_enter_call(napi_env env, napi_callback_info info, size_t n,
					  napi_value *arguments)
{
	da_consumer_t *c = consumer_enter(env, info, n, arguments);

	if (!c)
		return NULL;
	if (c->is_running || c->is_calling) {
		da_throw(env, "consumer is busy");
		return NULL;
	}
	if (!c->dtp) {
		da_throw(env, "consumer is not open");
		return NULL;
	}
	return c;
}

/* ---- Operations --------------------------------------------------------------- */

/*
 * Queues the operation for the callback, or, where that is undefined, carries it out and
 * returns its failure or null. Takes what belongs to the operation.
 */
static napi_value consumer_operate(da_consumer_t *c, da_operation_t *op,
				   napi_value callback)
{
	napi_valuetype type = napi_undefined;
	napi_value result;

	op->consumer = c;
	napi_typeof(c->env, callback, &type);
	if (type == napi_function) {
		da_queue_submit(c, op, callback);
		return NULL;
	}
	if (c->head || c->is_calling) {
		da_operation_fini(c->env, op);
		return da_throw(c->env, "consumer is busy");
	}
	da_operation_run(op);
	result = da_failure_take(c->env, &op->failure);
	da_operation_fini(c->env, op);
	return result;
}

static napi_value operate_plain(napi_env env, napi_callback_info info, da_opkind_t kind)
{
	napi_value callback;
	da_consumer_t *c = consumer_enter(env, info, 1, &callback);
	da_operation_t op = {.kind = kind};

	if (!c)
		return NULL;
	if ((kind == DA_OP_OPEN) == (c->dtp != NULL))
		return da_throw(env, c->dtp ? "consumer is open" : "consumer is not open");
	return consumer_operate(c, &op, callback);
}

static napi_value consumer_open(napi_env env, napi_callback_info info)
{
	return operate_plain(env, info, DA_OP_OPEN);
}

static napi_value consumer_go(napi_env env, napi_callback_info info)
{
	return operate_plain(env, info, DA_OP_GO);
}

static napi_value consumer_stop(napi_env env, napi_callback_info info)
{
	return operate_plain(env, info, DA_OP_STOP);
}

static napi_value consumer_turn(napi_env env, napi_callback_info info)
{
	return operate_plain(env, info, DA_OP_TURN);
}

static napi_value consumer_close(napi_env env, napi_callback_info info)
{
	return operate_plain(env, info, DA_OP_CLOSE);
}

static bool is_undefined(napi_env env, napi_value value)
{
	napi_valuetype type = napi_undefined;

	napi_typeof(env, value, &type);
	return type == napi_undefined;
}

static napi_value consumer_strcompile(napi_env env, napi_callback_info info)
{
	napi_value arguments[4];
	da_consumer_t *c = consumer_enter(env, info, 4, arguments);
	da_operation_t op = {.kind = DA_OP_COMPILE};

	if (!c)
		return NULL;
	if (!c->dtp)
		return da_throw(env, "consumer is not open");
	if (!(op.text = da_string(env, arguments[0])))
		return NULL;
	if ((!is_undefined(env, arguments[1]) &&
	     !(op.arguments = da_strings(env, arguments[1]))) ||
	    (!is_undefined(env, arguments[2]) &&
	     !(op.preamble = da_string(env, arguments[2])))) {
		da_operation_fini(env, &op);
		return NULL;
	}
	return consumer_operate(c, &op, arguments[3]);
}

static napi_value consumer_target(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	da_consumer_t *c = consumer_enter(env, info, 2, arguments);
	da_operation_t op = {.kind = DA_OP_TARGET};
	napi_valuetype type;

	if (!c)
		return NULL;
	if (!c->dtp)
		return da_throw(env, "consumer is not open");
	napi_typeof(env, arguments[0], &type);
	if (type == napi_number)
		napi_get_value_int32(env, arguments[0], &op.pid);
	else if (!(op.arguments = da_strings(env, arguments[0])))
		return NULL;
	return consumer_operate(c, &op, arguments[1]);
}

static napi_value consumer_probes(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	da_consumer_t *c = consumer_enter(env, info, 2, arguments);
	da_operation_t op = {.kind = DA_OP_PROBES};

	if (!c)
		return NULL;
	if (!c->dtp)
		return da_throw(env, "consumer is not open");
	if (!(op.text = da_string(env, arguments[0])))
		return NULL;
	return consumer_operate(c, &op, arguments[1]);
}

/* ---- Synchronous calls ---------------------------------------------------------- */

/* Both arguments are strings; value undefined: on. */
static napi_value consumer_setopt(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	da_consumer_t *c = consumer_enter_call(env, info, 2, arguments);
	char *name, *value = NULL;
	da_failure_t failure = {0};

	if (!c)
		return NULL;
	name = da_string(env, arguments[0]);
	if (!name)
		return NULL;
	if (!is_undefined(env, arguments[1]) && !(value = da_string(env, arguments[1]))) {
		free(name);
		return NULL;
	}
	if (dtrace_setopt(c->dtp, name, value) < 0)
		da_failure_set(&failure, c->dtp, "couldn't set option '%s'%s%s%s", name,
			       value ? " to '" : "", value ? value : "", value ? "'" : "");
	free(name);
	free(value);
	return da_failure_take(env, &failure);
}

/* An option's value as a number: sizes in bytes, rates in nanoseconds; NULL: none. */
static napi_value consumer_getopt(napi_env env, napi_callback_info info)
{
	napi_value argument, result = NULL;
	da_consumer_t *c = consumer_enter_call(env, info, 1, &argument);
	dtrace_optval_t value;
	char *name;

	if (!c || !(name = da_string(env, argument)))
		return NULL;
	if (dtrace_getopt(c->dtp, name, &value) == 0 && value != DTRACEOPT_UNSET)
		result = da_number(env, (double)value);
	free(name);
	return result;
}

/* The same bits in lib/consumer.js. */
#define CALL_WHOLE 1  /* values as the modern interface has them */
#define CALL_EXACT 2  /* integers beyond 2^53 as BigInt */
#define CALL_FAULTS 4 /* somebody listens to them */
#define CALL_REMOVE 8 /* aggregations, once they have been given */

static void consumer_begin_call(da_consumer_t *c, napi_value flags_value)
{
	uint32_t flags = 0;

	napi_get_value_uint32(c->env, flags_value, &flags);
	c->is_whole = flags & CALL_WHOLE;
	c->is_exact = flags & CALL_EXACT;
	c->wants_faults = flags & CALL_FAULTS;
	c->is_calling = true;
}

/* Ends a synchronous call: operations that were asked for meanwhile may start. */
static napi_value consumer_end_call(da_consumer_t *c, da_failure_t *failure)
{
	napi_value result;

	c->is_calling = false;
	da_queue_pump(c);
	result = da_failure_take(c->env, failure);
	return result;
}

static napi_value consumer_consume(napi_env env, napi_callback_info info)
{
	napi_value arguments[3];
	da_consumer_t *c = consumer_enter_call(env, info, 3, arguments);
	da_failure_t failure = {0};
	uint32_t outcome = 0;

	if (!c)
		return NULL;
	c->limit = 0;
	napi_get_value_uint32(env, arguments[2], &c->limit);
	consumer_begin_call(c, arguments[1]);
	if (!da_records_consume(c, arguments[0], &outcome, &failure))
		return consumer_end_call(c, &failure);
	consumer_end_call(c, &failure);
	return da_number(env, outcome);
}

static napi_value consumer_aggwalk(napi_env env, napi_callback_info info)
{
	static dtrace_aggregate_walk_f *const walks[] = {
	    dtrace_aggregate_walk,
	    dtrace_aggregate_walk_keysorted,
	    dtrace_aggregate_walk_valsorted,
	    dtrace_aggregate_walk_keyrevsorted,
	    dtrace_aggregate_walk_valrevsorted,
	};
	napi_value arguments[4];
	da_consumer_t *c = consumer_enter_call(env, info, 4, arguments);
	da_failure_t failure = {0};
	uint32_t flags = 0, order = 0;
	da_walkspec_t spec = {.describe = arguments[0], .deliver = arguments[1]};

	if (!c)
		return NULL;
	napi_get_value_uint32(env, arguments[2], &flags);
	napi_get_value_uint32(env, arguments[3], &order);
	spec.walk = walks[order < sizeof(walks) / sizeof(walks[0]) ? order : 0];
	spec.removes = flags & CALL_REMOVE;
	consumer_begin_call(c, arguments[2]);
	da_aggregations_walk(c, &spec, &failure);
	return consumer_end_call(c, &failure);
}

/* DTRACE_STATUS_*, or NULL when it cannot be told now. */
static napi_value consumer_status(napi_env env, napi_callback_info info)
{
	da_consumer_t *c = consumer_enter_call(env, info, 0, NULL);

	return c ? da_number(env, dtrace_status(c->dtp)) : NULL;
}

/* An array, or undefined when nothing has happened. */
static napi_value consumer_events(napi_env env, napi_callback_info info)
{
	da_consumer_t *c = consumer_enter(env, info, 0, NULL);

	if (!c || c->is_running || c->is_calling)
		return NULL;
	return da_events_take(c);
}

/* ---- Waking ---------------------------------------------------------------------- */

static napi_value consumer_watch(napi_env env, napi_callback_info info)
{
	napi_value callback, result = NULL;
	da_consumer_t *c = consumer_enter_call(env, info, 1, &callback);

	if (c)
		napi_get_boolean(env, da_watch_start(c, callback), &result);
	return result;
}

static napi_value consumer_unwatch(napi_env env, napi_callback_info info)
{
	da_consumer_t *c = consumer_enter(env, info, 0, NULL);

	if (c)
		da_watch_stop(c);
	return NULL;
}

static napi_value watch_set(napi_env env, napi_callback_info info,
			    void (*set)(da_consumer_t *, bool))
{
	napi_value argument;
	da_consumer_t *c = consumer_enter(env, info, 1, &argument);
	bool is_on = false;

	if (!c)
		return NULL;
	napi_get_value_bool(env, argument, &is_on);
	set(c, is_on);
	return NULL;
}

static napi_value consumer_pause(napi_env env, napi_callback_info info)
{
	return watch_set(env, info, da_watch_pause);
}

static napi_value consumer_hold(napi_env env, napi_callback_info info)
{
	return watch_set(env, info, da_watch_hold);
}

/* ---- The class ------------------------------------------------------------------- */

static const struct {
	const char *name;
	napi_callback function;
} methods[] = {
    /* Without a callback these are done at once, and return a failure or null. */
    {"open", consumer_open},		 /* (callback) */
    {"strcompile", consumer_strcompile}, /* (program, arguments, preamble, callback) */
    {"target", consumer_target},	 /* (pid or command, callback) */
    {"go", consumer_go},		 /* (callback) */
    {"stop", consumer_stop},		 /* (callback) */
    {"list", consumer_probes},		 /* (pattern, callback) */
    {"turn", consumer_turn},		 /* (callback) */
    {"close", consumer_close},		 /* (callback) */
    /* These return a failure or null; consume its outcome where there is no failure. */
    {"setopt", consumer_setopt},   /* (name, value) */
    {"getopt", consumer_getopt},   /* (name): a number */
    {"consume", consumer_consume}, /* (deliver, flags, limit) */
    {"aggwalk", consumer_aggwalk}, /* (describe, deliver, flags, order) */
    {"status", consumer_status},   /* () */
    {"events", consumer_events},   /* () */
    {"watch", consumer_watch},	   /* (callback): whether it will be called */
    {"unwatch", consumer_unwatch}, /* () */
    {"pause", consumer_pause},	   /* (pauses) */
    {"hold", consumer_hold},	   /* (holds) */
};
#define NMETHODS (sizeof(methods) / sizeof(methods[0]))

napi_value da_consumer_class(napi_env env)
{
	napi_property_descriptor properties[NMETHODS] = {0};
	napi_value class = NULL;

	for (size_t i = 0; i < NMETHODS; i++) {
		properties[i].utf8name = methods[i].name;
		properties[i].method = methods[i].function;
		properties[i].attributes = napi_default_method;
	}
	napi_define_class(env, "Handle", NAPI_AUTO_LENGTH, consumer_new, NULL, NMETHODS,
			  properties, &class);
	return class;
}
