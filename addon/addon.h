/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addon.h - the add-on's parts and what each may ask of the other.
 *
 *	module.c	registration and the state of one environment
 *	consumer.c	the object that JavaScript holds: its life and its methods
 *	operation.c	what may block: opening, compiling, starting, stopping
 *	queue.c		operations run on the thread pool in order, or at once
 *	watch.c		the event loop woken when there is something to consume
 *	batch.c		values gathered into batches
 *	records.c	consume(): the records of probes
 *	aggregations.c	aggwalk(): the records of aggregations
 *	values.c	bytes of a record as values of JavaScript
 *	frames.c	stacks and symbols
 *	probes.c	the list of probes
 *	usdt.c		probes of the program's own: usdt.h
 *	events.c	what is neither: faults, drops, exits, kept until JavaScript asks
 *	failure.c	why something failed, from the library to JavaScript
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
	struct da_usdtobject *objects; /* files of probes: usdt.h */
} da_instance_t;

/* Text that grows; freed with its consumer. */
typedef struct da_buffer {
	char *bytes;
	size_t length, capacity;
} da_buffer_t;

/* Why something failed, as the library told it; copied, for it may be told on the pool. */
typedef struct da_failure {
	bool is_set;
	char *message; /* NULL: out of memory */
	int line, column;
	char code[32], tag[32];
} da_failure_t;

/* What is on its way to JavaScript: batch.c draws it. */
#define DA_BATCH_ITEMS 256

typedef enum da_item {
	DA_ITEM_NUMBER,
	DA_ITEM_VALUE, /* the next argument: a text, and with whole records anything */
	DA_ITEM_JSON,  /* the next argument is JSON of the value */
	DA_ITEM_END, /* all that belongs together has been given; its time is the number */
	DA_ITEM_EXACTEND /* the same; its time is the next argument */
} da_item_t;
#define DA_ITEM_BITS 3

typedef struct da_batch {
	int32_t *items;	 /* slot << DA_ITEM_BITS | kind; shared with JavaScript */
	int32_t *cpus;	 /* by item, of DA_ITEM_END; shared with JavaScript */
	int32_t *pids;	 /* the same */
	double *numbers; /* by item; shared with JavaScript */
	napi_ref memory; /* holds all four */
	uint32_t nitems, nvalues;
	napi_value arguments[1 + DA_BATCH_ITEMS]; /* number of items, then values */
	napi_value deliver;
	napi_handle_scope scope;
	bool is_broken; /* JavaScript cannot be called any more */
	bool is_enough; /* nothing more is wanted than what has begun */
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
typedef struct da_watch da_watch_t;

typedef struct da_consumer {
	da_instance_t *instance;
	napi_env env;
	napi_ref self; /* strong as often as there are operations in the queue */
	dtrace_hdl_t *dtp;
	struct ps_prochandle *target;
	bool is_target_child; /* created, not grabbed: how it ends is known */
	bool is_enabled; /* dtrace_go() has succeeded, dtrace_stop() has not been called */
	bool is_calling; /* a synchronous call is using the handle */
	bool is_running; /* an operation is on the thread pool */
	da_operation_t *head, **tail;
	da_watch_t *watch;

	bool is_whole;	   /* values as the modern interface has them */
	bool is_exact;	   /* integers beyond 2^53 as BigInt */
	bool wants_faults; /* somebody listens to them */

	da_batch_t batch;
	da_probes_t probes;
	uint32_t slot;	/* of the firing being consumed */
	uint32_t limit; /* firings to give at most; 0: all */
	bool has_rest;	/* the last turn ended before the data did */
	da_buffer_t text;
	bool is_text_awaited; /* the library is printing a record into text */
	char refusal[512];    /* why a record could not be given, or "" */

	da_event_t *events, **events_tail;
} da_consumer_t;

/* ---- module.c ------------------------------------------------------------ */

/* Throws an Error with this message; returns NULL for a caller's return statement. */
napi_value da_throw(napi_env, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The string's text in UTF-8, malloc'd; NULL with an exception pending. */
char *da_string(napi_env, napi_value);
/* An array of strings: a NULL-terminated array in one block to be freed. NULL with an
 * exception pending. */
char **da_strings(napi_env, napi_value);
void da_instance_release(da_instance_t *);

/* ---- failure.c ----------------------------------------------------------- */

/* The handle's last error, after words of ours: "couldn't compile '...': ...". */
void da_failure_set(da_failure_t *, dtrace_hdl_t *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an error that has no handle. */
void da_failure_set_errno(da_failure_t *, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* {message, code, tag, line, column}, of which lib/error.js makes an Error; null when
 * nothing has failed. Forgets the failure. */
napi_value da_failure_take(napi_env, da_failure_t *);

/* ---- consumer.c ---------------------------------------------------------- */

/* Defines the class that lib/consumer.js wraps; NULL with an exception pending. */
napi_value da_consumer_class(napi_env);

/* ---- operation.c --------------------------------------------------------- */

typedef enum da_opkind {
	DA_OP_OPEN,
	DA_OP_COMPILE,
	DA_OP_TARGET, /* a process to be traced: grabbed, or created */
	DA_OP_GO,
	DA_OP_STOP,
	DA_OP_PROBES, /* lists them */
	DA_OP_TURN,   /* nothing: its callback has the handle for itself */
	DA_OP_CLOSE
} da_opkind_t;

typedef struct da_probelist da_probelist_t;

struct da_operation {
	da_operation_t *next;
	da_consumer_t *consumer;
	da_opkind_t kind;
	char *text;	  /* a program, a pattern */
	char *preamble;	  /* C definitions that the program is preprocessed with, or NULL */
	char **arguments; /* of a program, or a command; NULL-terminated, one block */
	pid_t pid;	  /* of TARGET, in and out */
	da_probelist_t *probes;
	da_failure_t failure;
	napi_ref callback;
	napi_async_work work;
};

/* Carries it out, on any thread. */
void da_operation_run(da_operation_t *);
/* What it has brought forth besides a failure; undefined: nothing. */
napi_value da_operation_result(napi_env, da_operation_t *);
/* Frees what the operation owns, not the operation itself. */
void da_operation_fini(napi_env, da_operation_t *);

/* ---- queue.c ------------------------------------------------------------- */

/*
 * Adds a copy of the operation to the consumer's queue, which owns from here on what
 * belongs to it; callback gets what da_failure_take() makes and the result. False with an
 * exception pending.
 */
bool da_queue_submit(da_consumer_t *, const da_operation_t *, napi_value callback);
/* Starts the next operation unless the handle is in use. */
void da_queue_pump(da_consumer_t *);
/* Closes the handle and frees the consumer, on the thread pool when there is one. */
void da_queue_close(da_consumer_t *);

/* ---- watch.c ------------------------------------------------------------- */

/* Has the event loop call callback whenever the handle's descriptor is readable. False:
 * there is none to wait for, or an exception is pending. */
bool da_watch_start(da_consumer_t *, napi_value callback);
void da_watch_stop(da_consumer_t *);
/* Between two turns of a consumer that has enough for now. */
void da_watch_pause(da_consumer_t *, bool pauses);
/* Whether a watch keeps the event loop alive. */
void da_watch_hold(da_consumer_t *, bool);

/* ---- records.c ----------------------------------------------------------- */

/* Gives the object the array of probes. False with an exception pending. */
bool da_records_init(da_consumer_t *, napi_value object);
void da_records_fini(da_consumer_t *);
/* deliver as for da_batch_begin(). False with an exception pending or the failure set;
 * otherwise *outcome has DA_TURN_*. */
#define DA_TURN_MORE 1 /* the turn ended before the data did */
#define DA_TURN_DONE 2 /* exit() was called, or tracing has been stopped */
bool da_records_consume(da_consumer_t *, napi_value deliver, uint32_t *outcome,
			da_failure_t *);
/* The handler for dtrace_handle_buffered(); its argument is the consumer. */
int da_records_buffered(const dtrace_bufdata_t *, void *consumer);

/* ---- aggregations.c ------------------------------------------------------ */

typedef struct da_walkspec {
	dtrace_aggregate_walk_f *walk;
	bool removes; /* what has been given */
	napi_value describe, deliver;
} da_walkspec_t;

/*
 * describe(varid, name, action) is called for each aggregation before its first record.
 * deliver as for da_batch_begin(), with the varid as slot; a record is its keys and its
 * value. False with an exception pending or the failure set.
 */
bool da_aggregations_walk(da_consumer_t *, const da_walkspec_t *, da_failure_t *);

/* ---- values.c ------------------------------------------------------------ */

typedef enum da_valuekind {
	DA_VALUE_NUMBER,
	DA_VALUE_TEXT,
	DA_VALUE_JSON, /* text, too */
	DA_VALUE_OBJECT
} da_valuekind_t;

typedef struct da_value {
	da_valuekind_t kind;
	double number;
	const char *text; /* in the record or in the consumer's text buffer */
	size_t length;
	napi_value object;
} da_value_t;

/* Reads a traced value or a key. False: the action is not one that has such a value. */
bool da_value_read(da_consumer_t *, const dtrace_recdesc_t *, const char *data,
		   da_value_t *);
/* The value as JavaScript has it, or NULL with an exception pending. */
napi_value da_value_create(napi_env, const da_value_t *);
/* Of 64 bits, signed: a BigInt where a number would not be exact and exactness is asked. */
void da_value_set_int64(const da_consumer_t *, int64_t, da_value_t *);
void da_value_set_uint64(const da_consumer_t *, uint64_t, da_value_t *);
void da_value_set_text(da_value_t *, const char *text, size_t length);
/* A number. */
napi_value da_number(napi_env, double);
/* A string of this text, which need not be valid UTF-8. */
napi_value da_text_create(napi_env, const char *text, size_t length);
/* "printf", "stack", "count" and so on. */
const char *da_action_name(dtrace_actkind_t);
/* False when out of memory. */
bool da_buffer_append(da_buffer_t *, const char *, size_t);
/* Sets a property of that name; value NULL: nothing is set. */
void da_set(napi_env, napi_value object, const char *name, napi_value value);
/* The same for text that ends with a NUL; NULL is the empty text. */
void da_set_text(napi_env, napi_value object, const char *name, const char *text);
/* {provider, module, function, name}, and func as the first interface had it. */
napi_value da_probe_create(napi_env, const dtrace_probedesc_t *);
/* 64 bits of a record. */
uint64_t da_word(const char *data, uint32_t index);

/* ---- batch.c ------------------------------------------------------------- */

/* Gives the object what JavaScript needs to read batches. */
bool da_batch_init(da_consumer_t *, napi_value object);
void da_batch_fini(da_consumer_t *);
/* deliver(count, ...values) is called for each batch, and returns true when it wants no
 * more than what has begun. */
void da_batch_begin(da_consumer_t *, napi_value deliver);
void da_batch_push(da_consumer_t *, uint32_t slot, const da_value_t *);
/* Of a firing; data NULL: of a record of an aggregation. */
void da_batch_push_end(da_consumer_t *, uint32_t slot, const dtrace_probedata_t *data);
void da_batch_flush(da_consumer_t *);
/* Delivers the last one. */
void da_batch_end(da_consumer_t *);

/* ---- frames.c ------------------------------------------------------------ */

/* What sym(), mod(), usym(), umod() and uaddr() record, as text. False: out of memory. */
bool da_symbol_read(da_consumer_t *, dtrace_actkind_t, const char *data, da_value_t *);
/* What stack(), ustack() and jstack() record: text, a frame a line, or with whole records
 * an array of {symbol, module, offset, address}. False: it cannot be had. */
bool da_stack_read(da_consumer_t *, const dtrace_recdesc_t *, const char *data,
		   da_value_t *);

/* ---- probes.c ------------------------------------------------------------ */

/* Every probe that the pattern matches, with its arguments; on any thread. NULL with the
 * failure set. */
da_probelist_t *da_probelist_create(dtrace_hdl_t *, const char *pattern, da_failure_t *);
void da_probelist_destroy(da_probelist_t *);
/* A value that JavaScript holds and gives back; it owns the list. */
napi_value da_probelist_wrap(napi_env, da_probelist_t *);
/* An array of the next probes, at most count; empty at the end. */
napi_value da_probelist_next(napi_env, napi_value wrapped, uint32_t count);

/* ---- usdt.c -------------------------------------------------------------- */

/* Sets what lib/provider.js needs. */
void da_usdt_init(napi_env, napi_value exports);
/* Takes away all that the environment has declared. */
void da_usdt_close(da_instance_t *);

/* ---- events.c ------------------------------------------------------------ */

/* Handlers for dtrace_handle_err(), _drop() and _proc(), callable on any thread. */
int da_events_fault(const dtrace_errdata_t *, void *consumer);
int da_events_drop(const dtrace_dropdata_t *, void *consumer);
void da_events_process(struct ps_prochandle *, const char *message, void *consumer);
/* The program has called exit(). */
void da_events_exit(da_consumer_t *, int status);
/* An array of what has happened since the last call; undefined: nothing. */
napi_value da_events_take(da_consumer_t *);
void da_events_fini(da_consumer_t *);

#endif
