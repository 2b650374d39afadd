/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - the event loop woken when there is something to consume.
 *
 * libdtrace gives a descriptor that becomes readable; libuv polls it with all others of
 * the loop, so that a consumer to which nothing happens costs nothing. Of libuv only the
 * few functions below are needed, all of them part of its stable interface since version
 * 1.0; node-api-headers does not carry libuv's header, so they are declared here.
 *
 * A watch keeps the event loop alive, also while it is paused, but not its consumer: one
 * that nobody can reach any more is collected and ends its watch. libuv needs one turn of
 * the loop to let go of a handle; an environment that ends waits for that.
 */
#include "addon.h"

#include <stdlib.h>

#ifdef DTRACE_EXTENSIONS

#define UV_HANDLE_POLL 8 /* UV_POLL in uv_handle_type */
#define UV_EVENT_READABLE 1
#define UV_EVENT_DISCONNECT 4 /* never comes: keeps a paused watch active */

extern size_t uv_handle_size(int type);
extern void *uv_handle_get_data(const void *handle);
extern void uv_handle_set_data(void *handle, void *data);
extern int uv_poll_init(struct uv_loop_s *, void *poll, int fd);
extern int uv_poll_start(void *poll, int events,
			 void (*)(void *poll, int status, int events));
extern void uv_ref(void *handle);
extern void uv_unref(void *handle);
extern void uv_close(void *handle, void (*)(void *handle));

struct da_watch {
	da_consumer_t *consumer; /* NULL: being closed */
	napi_env env;
	void *poll;
	napi_ref callback;
	napi_async_context context;
	napi_async_cleanup_hook_handle hook;
};

static void watch_free(da_watch_t *watch)
{
	free(watch->poll);
	free(watch);
}

static void watch_closed(void *poll)
{
	da_watch_t *watch = uv_handle_get_data(poll);

	if (watch->hook)
		napi_remove_async_cleanup_hook(watch->hook);
	watch_free(watch);
}

void da_watch_stop(da_consumer_t *c)
{
	da_watch_t *watch = c->watch;

	if (!watch)
		return;
	c->watch = NULL;
	watch->consumer = NULL;
	napi_delete_reference(watch->env, watch->callback);
	napi_async_destroy(watch->env, watch->context);
	uv_close(watch->poll, watch_closed);
}

/* The environment ends. */
static void watch_abandon(napi_async_cleanup_hook_handle hook, void *data)
{
	da_watch_t *watch = data;

	(void)hook;
	if (watch->consumer)
		da_watch_stop(watch->consumer);
}

static void watch_wake(void *poll, int status, int events)
{
	da_watch_t *watch = uv_handle_get_data(poll);
	napi_env env = watch->env;
	napi_handle_scope scope;
	napi_value callback, receiver, error;
	bool is_pending = false;

	(void)status; /* an error too is found by consuming */
	(void)events;
	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	if (napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
	    napi_get_global(env, &receiver) == napi_ok)
		napi_make_callback(env, watch->context, receiver, callback, 0, NULL, NULL);
	napi_is_exception_pending(env, &is_pending);
	if (is_pending && napi_get_and_clear_last_exception(env, &error) == napi_ok)
		napi_fatal_exception(env, error);
	napi_close_handle_scope(env, scope);
}

static da_watch_t *watch_create(da_consumer_t *c, int fd, struct uv_loop_s *loop)
{
	da_watch_t *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->env = c->env;
	watch->consumer = c;
	watch->poll = calloc(1, uv_handle_size(UV_HANDLE_POLL));
	if (!watch->poll || uv_poll_init(loop, watch->poll, fd) != 0) {
		watch_free(watch);
		return NULL;
	}
	uv_handle_set_data(watch->poll, watch);
	return watch;
}

bool da_watch_start(da_consumer_t *c, napi_value callback)
{
	int fd = dtrace_ctlfd(c->dtp);
	struct uv_loop_s *loop;
	da_watch_t *watch;
	napi_value name;

	if (c->watch)
		return true;
	if (fd < 0)
		return false;
	if (napi_get_uv_event_loop(c->env, &loop) != napi_ok ||
	    !(watch = watch_create(c, fd, loop))) {
		da_throw(c->env, "couldn't watch the consumer");
		return false;
	}
	c->watch = watch;
	if (napi_create_string_latin1(c->env, "dtrace-async", NAPI_AUTO_LENGTH, &name) ||
	    napi_async_init(c->env, NULL, name, &watch->context) ||
	    napi_create_reference(c->env, callback, 1, &watch->callback) ||
	    napi_add_async_cleanup_hook(c->env, watch_abandon, watch, &watch->hook) ||
	    uv_poll_start(watch->poll, UV_EVENT_READABLE, watch_wake) != 0) {
		da_watch_stop(c);
		da_throw(c->env, "couldn't watch the consumer");
		return false;
	}
	return true;
}

void da_watch_pause(da_consumer_t *c, bool pauses)
{
	if (!c->watch)
		return;
	uv_poll_start(c->watch->poll, pauses ? UV_EVENT_DISCONNECT : UV_EVENT_READABLE,
		      watch_wake);
}

void da_watch_hold(da_consumer_t *c, bool holds)
{
	if (!c->watch)
		return;
	if (holds)
		uv_ref(c->watch->poll);
	else
		uv_unref(c->watch->poll);
}

#else /* Other systems' libraries have no descriptor to wait for. */

bool da_watch_start(da_consumer_t *c, napi_value callback)
{
	(void)c;
	(void)callback;
	return false;
}

void da_watch_stop(da_consumer_t *c)
{
	(void)c;
}

void da_watch_pause(da_consumer_t *c, bool pauses)
{
	(void)c;
	(void)pauses;
}

void da_watch_hold(da_consumer_t *c, bool holds)
{
	(void)c;
	(void)holds;
}

#endif
