/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addon.h - the add-on's parts and what each may ask of the other.
 *
 *	module.c	registration and the state of one environment
 *	consumer.c	the object that JavaScript holds: its life and its methods
 *	queue.c		operations that may block, run on the thread pool in order
 *	records.c	consume(): records gathered into batches
 *	aggregations.c	aggwalk(): one call for each record of an aggregation
 *	values.c	bytes of a record as numbers and text
 *	events.c	faults and drops, kept until JavaScript asks for them
 *
 * The add-on holds no tracing logic and uses dtrace.h alone. Nothing is static: what an
 * environment (the main thread, or a worker) needs hangs from its instance data.
 *
 * A libdtrace handle belongs to one thread at a time. Here that is so by construction: an
 * operation runs on the pool only while no synchronous call is in progress, and a
 * synchronous call is refused while an operation runs.
 */
#ifndef DA_ADDON_H
#define DA_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>

#include <dtrace.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One environment. It outlives its consumers, whichever order they are released in. */
typedef struct da_instance {
	uint32_t users;	 /* the environment itself and every consumer */
	bool is_closing; /* the environment is being torn down: no more pool work */
} da_instance_t;

/* Text that grows; freed with its consumer. */
typedef struct da_buffer {
	char *bytes;
	size_t length, capacity;
} da_buffer_t;

/*
 * What is on its way to JavaScript. Each item is a probe's slot and what it is about; the
 * numbers lie beside, in memory that JavaScript reads too, and texts are arguments of the
 * call that delivers the batch. So a record costs at most one call of Node-API.
 */
#define DA_BATCH_ITEMS 256

typedef enum da_item {
	DA_ITEM_NUMBER,
	DA_ITEM_TEXT,
	DA_ITEM_END /* all records of this firing have been given */
} da_item_t;
#define DA_ITEM_BITS 2

typedef struct da_batch {
	int32_t *items;	 /* slot << DA_ITEM_BITS | kind; shared with JavaScript */
	double *numbers; /* by item; shared with JavaScript */
	napi_ref memory; /* holds both */
	uint32_t nitems, ntexts;
	napi_value arguments[1 + DA_BATCH_ITEMS]; /* number of items, then texts */
	napi_value deliver;
	napi_handle_scope scope;
	bool is_broken; /* JavaScript cannot be called any more */
} da_batch_t;

/* Probes that JavaScript knows: an open hash from probe identifier to slot. */
typedef struct da_slot {
	dtrace_id_t id;
	uint32_t slot; /* + 1; 0: free */
} da_slot_t;

typedef struct da_probes {
	napi_ref objects; /* the array of probe objects, by slot */
	da_slot_t *table;
	uint32_t count, capacity; /* capacity is a power of two, or 0 */
	dtrace_id_t last_id;
	uint32_t last_slot; /* + 1 */
} da_probes_t;

typedef struct da_event da_event_t;
typedef struct da_operation da_operation_t;

typedef struct da_consumer {
	da_instance_t *instance;
	napi_env env;
	napi_ref self; /* strong as often as there are operations in the queue */
	dtrace_hdl_t *dtp;
	bool is_enabled; /* dtrace_go() has succeeded, dtrace_stop() has not been called */
	bool is_calling; /* a synchronous call is using the handle */
	bool is_running; /* an operation is on the thread pool */
	da_operation_t *head, **tail;

	da_batch_t batch;
	da_probes_t probes;
	uint32_t slot; /* of the firing being consumed */
	da_buffer_t text;
	bool is_text_awaited; /* the library is printing a record into text */
	bool wants_faults;    /* somebody listens to them */
	char failure[512];    /* why a record could not be given, or "" */

	da_event_t *events, **events_tail;
} da_consumer_t;

/* ---- module.c ------------------------------------------------------------ */

/* Throws an Error with this message; returns NULL for a caller's return statement. */
napi_value da_throw(napi_env, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The string's text in UTF-8, malloc'd; NULL with an exception pending. */
char *da_string(napi_env, napi_value);
void da_instance_release(da_instance_t *);

/* ---- consumer.c ---------------------------------------------------------- */

/* Defines the class that lib/consumer.js wraps; NULL with an exception pending. */
napi_value da_consumer_class(napi_env);
/* Handlers and options that every handle of ours has; called once it is open. */
int da_consumer_prepare(da_consumer_t *);

/* ---- queue.c ------------------------------------------------------------- */

typedef enum da_opkind { DA_OP_OPEN, DA_OP_COMPILE, DA_OP_GO, DA_OP_STOP } da_opkind_t;

/*
 * Adds an operation to the consumer's queue; callback gets null or a message. text: the
 * program for DA_OP_COMPILE, malloc'd and owned by the operation from here on, or NULL.
 * False with an exception pending.
 */
bool da_queue_submit(da_consumer_t *, da_opkind_t, char *text, napi_value callback);
/* Starts the next operation unless the handle is in use. */
void da_queue_pump(da_consumer_t *);
/* Closes the handle and frees the consumer, on the thread pool when there is one. */
void da_queue_close(da_consumer_t *);

/* ---- records.c ----------------------------------------------------------- */

/* Gives the object what JavaScript needs to read batches. */
bool da_records_init(da_consumer_t *, napi_value object);
void da_records_fini(da_consumer_t *);
/* deliver(count, ...texts) is called for each batch. False with an exception pending. */
bool da_records_consume(da_consumer_t *, napi_value deliver);
/* The handler for dtrace_handle_buffered(); its argument is the consumer. */
int da_records_buffered(const dtrace_bufdata_t *, void *consumer);

/* ---- aggregations.c ------------------------------------------------------ */

/* callback(varid, key, value) is called for each. False with an exception pending. */
bool da_aggregations_walk(da_consumer_t *, napi_value callback);

/* ---- values.c ------------------------------------------------------------ */

typedef struct da_value {
	bool is_text;
	double number;
	const char *text; /* in the record or in the consumer's text buffer */
	size_t length;
} da_value_t;

/* Reads a traced value or a key. False: the action is not one that has such a value. */
bool da_value_read(da_consumer_t *, const dtrace_recdesc_t *, const char *data,
		   da_value_t *);
/* The value as JavaScript has it, or NULL with an exception pending. */
napi_value da_value_create(napi_env, const da_value_t *);
/* A string of this text, which need not be valid UTF-8. */
napi_value da_text_create(napi_env, const char *text, size_t length);
/* "printf", "stack" and so on, for messages. */
const char *da_action_name(dtrace_actkind_t);
/* False when out of memory. */
bool da_buffer_append(da_buffer_t *, const char *, size_t);
/* Sets a property of that name; value NULL: nothing is set. */
void da_set(napi_env, napi_value object, const char *name, napi_value value);
/* {provider, module, function, name}, and func as the first interface had it. */
napi_value da_probe_create(napi_env, const dtrace_probedesc_t *);

/* ---- events.c ------------------------------------------------------------ */

/* Handlers for dtrace_handle_err() and dtrace_handle_drop(), callable on any thread. */
int da_events_fault(const dtrace_errdata_t *, void *consumer);
int da_events_drop(const dtrace_dropdata_t *, void *consumer);
/* An array of what has happened since the last call; undefined: nothing. */
napi_value da_events_take(da_consumer_t *);
void da_events_fini(da_consumer_t *);

#endif
