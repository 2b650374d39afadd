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

static int set_if_unset(dtrace_hdl_t *dtp, const char *option, const char *value)
{
	dtrace_optval_t current;

	if (dtrace_getopt(dtp, option, &current) == 0 && current != DTRACEOPT_UNSET)
		return 0;
	return dtrace_setopt(dtp, option, value);
}

int da_consumer_prepare(da_consumer_t *c)
{
	if (dtrace_handle_buffered(c->dtp, da_records_buffered, c) < 0 ||
	    dtrace_handle_err(c->dtp, da_events_fault, c) < 0 ||
	    dtrace_handle_drop(c->dtp, da_events_drop, c) < 0)
		return -1;
	/* Other systems' libraries have no default for these. */
	if (set_if_unset(c->dtp, "bufsize", "4m") < 0 ||
	    set_if_unset(c->dtp, "aggsize", "4m") < 0)
		return -1;
	return 0;
}

/* No operation is left: each keeps the object alive. */
static void consumer_finalize(napi_env env, void *data, void *hint)
{
	da_consumer_t *c = data;
	int64_t bytes;

	(void)hint;
	napi_adjust_external_memory(env, -HANDLE_BYTES, &bytes);
	napi_delete_reference(env, c->self);
	da_records_fini(c);
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
	return da_records_init(c, self) ? self : NULL;
}

/* ---- Methods ---------------------------------------------------------------- */

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

static napi_value consumer_submit(da_consumer_t *c, da_opkind_t kind, char *text,
				  napi_value callback)
{
	napi_valuetype type = napi_undefined;

	napi_typeof(c->env, callback, &type);
	if (type != napi_function) {
		free(text);
		napi_throw_type_error(c->env, NULL, "a callback is expected");
		return NULL;
	}
	da_queue_submit(c, kind, text, callback);
	return NULL;
}

static napi_value consumer_open(napi_env env, napi_callback_info info)
{
	napi_value callback;
	da_consumer_t *c = consumer_enter(env, info, 1, &callback);

	if (!c)
		return NULL;
	if (c->dtp || c->head)
		return da_throw(env, "consumer is open");
	return consumer_submit(c, DA_OP_OPEN, NULL, callback);
}

static napi_value consumer_strcompile(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	da_consumer_t *c = consumer_enter(env, info, 2, arguments);
	char *program;

	if (!c)
		return NULL;
	if (!c->dtp)
		return da_throw(env, "consumer is not open");
	program = da_string(env, arguments[0]);
	if (!program)
		return NULL;
	return consumer_submit(c, DA_OP_COMPILE, program, arguments[1]);
}

static napi_value submit_plain(napi_env env, napi_callback_info info, da_opkind_t kind)
{
	napi_value callback;
	da_consumer_t *c = consumer_enter(env, info, 1, &callback);

	if (!c)
		return NULL;
	if (!c->dtp)
		return da_throw(env, "consumer is not open");
	return consumer_submit(c, kind, NULL, callback);
}

static napi_value consumer_go(napi_env env, napi_callback_info info)
{
	return submit_plain(env, info, DA_OP_GO);
}

static napi_value consumer_stop(napi_env env, napi_callback_info info)
{
	return submit_plain(env, info, DA_OP_STOP);
}

/* Both arguments are strings; value undefined: on. */
static napi_value consumer_setopt(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	da_consumer_t *c = consumer_enter_call(env, info, 2, arguments);
	napi_valuetype type;
	char *name, *value = NULL;

	if (!c)
		return NULL;
	name = da_string(env, arguments[0]);
	if (!name)
		return NULL;
	napi_typeof(env, arguments[1], &type);
	if (type != napi_undefined && !(value = da_string(env, arguments[1]))) {
		free(name);
		return NULL;
	}
	if (dtrace_setopt(c->dtp, name, value) < 0)
		da_throw(env, "couldn't set option '%s'%s%s%s: %s", name,
			 value ? " to '" : "", value ? value : "", value ? "'" : "",
			 dtrace_errmsg(c->dtp, dtrace_errno(c->dtp)));
	free(name);
	free(value);
	return NULL;
}

/* Ends a synchronous call: operations that were asked for meanwhile may start. */
static void consumer_leave_call(da_consumer_t *c)
{
	c->is_calling = false;
	da_queue_pump(c);
}

static napi_value consumer_consume(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	da_consumer_t *c = consumer_enter_call(env, info, 2, arguments);

	if (!c)
		return NULL;
	napi_get_value_bool(env, arguments[1], &c->wants_faults);
	c->is_calling = true;
	da_records_consume(c, arguments[0]);
	consumer_leave_call(c);
	return NULL;
}

static napi_value consumer_aggwalk(napi_env env, napi_callback_info info)
{
	napi_value callback;
	da_consumer_t *c = consumer_enter_call(env, info, 1, &callback);

	if (!c)
		return NULL;
	c->is_calling = true;
	da_aggregations_walk(c, callback);
	consumer_leave_call(c);
	return NULL;
}

/* An array, or undefined when nothing has happened. */
static napi_value consumer_events(napi_env env, napi_callback_info info)
{
	da_consumer_t *c = consumer_enter(env, info, 0, NULL);

	if (!c || c->is_running || c->is_calling)
		return NULL;
	return da_events_take(c);
}

static const struct {
	const char *name;
	napi_callback function;
} methods[] = {
    {"open", consumer_open},		 /* (callback) */
    {"strcompile", consumer_strcompile}, /* (program, callback) */
    {"go", consumer_go},		 /* (callback) */
    {"stop", consumer_stop},		 /* (callback) */
    {"setopt", consumer_setopt},	 /* (name, value) */
    {"consume", consumer_consume},	 /* (deliver, wantsFaults) */
    {"aggwalk", consumer_aggwalk},	 /* (callback) */
    {"events", consumer_events},	 /* () */
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
