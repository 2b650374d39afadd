/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - what is neither record nor aggregation: run-time faults, drops, exit(), ends
 * of processes. The library reports them wherever it notices, also on the thread pool,
 * where no JavaScript value can be made: they are copied into a list, which JavaScript
 * takes when the call or the operation is over.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

typedef enum da_eventkind {
	DA_EVENT_FAULT,
	DA_EVENT_DROP,
	DA_EVENT_EXIT,
	DA_EVENT_PROCESS,
	DA_EVENT_NKINDS
} da_eventkind_t;

struct da_event {
	da_event_t *next;
	da_eventkind_t kind;
	char *message; /* of a fault and a drop */
	char *reason;  /* of a fault */
	processorid_t cpu;
	dtrace_probedesc_t probe; /* of a fault */
	int action, offset;
	uint64_t address;
	dtrace_dropkind_t drop;
	uint64_t drops, total;
	int status; /* of an exit; as from waitpid(2) of a process */
	bool is_status_known;
	pid_t pid;
};

static void event_destroy(da_event_t *event)
{
	free(event->message);
	free(event->reason);
	free(event);
}

/* The library's message without its newline; NULL when out of memory. */
static char *copy_message(const char *message)
{
	size_t length = message ? strlen(message) : 0;

	if (length > 0 && message[length - 1] == '\n')
		length--;
	return strndup(message ? message : "", length);
}

/* Out of memory loses the event, which is all that can be done about it. */
static da_event_t *event_new(da_eventkind_t kind)
{
	da_event_t *event = calloc(1, sizeof(*event));

	if (event)
		event->kind = kind;
	return event;
}

static void event_add(da_consumer_t *c, da_event_t *event)
{
	*c->events_tail = event;
	c->events_tail = &event->next;
}

int da_events_fault(const dtrace_errdata_t *data, void *consumer)
{
	da_consumer_t *c = consumer;
	da_event_t *event;

	if (!c->wants_faults)
		return DTRACE_HANDLE_OK;
	event = event_new(DA_EVENT_FAULT);
	if (!event)
		return DTRACE_HANDLE_OK;
	event->message = copy_message(data->dteda_msg);
	event->reason = strdup(dtrace_faultstr(data->dteda_handle, data->dteda_fault));
	event->cpu = data->dteda_cpu;
	event->action = data->dteda_action;
	event->offset = data->dteda_offset;
	event->address = data->dteda_addr;
	if (data->dteda_pdesc)
		event->probe = *data->dteda_pdesc;
	event_add(c, event);
	return DTRACE_HANDLE_OK;
}

int da_events_drop(const dtrace_dropdata_t *data, void *consumer)
{
	da_event_t *event = event_new(DA_EVENT_DROP);

	if (!event)
		return DTRACE_HANDLE_OK;
	event->message = copy_message(data->dtdda_msg);
	event->cpu = data->dtdda_cpu;
	event->drop = data->dtdda_kind;
	event->drops = data->dtdda_drops;
	event->total = data->dtdda_total;
	event_add(consumer, event);
	return DTRACE_HANDLE_OK;
}

void da_events_exit(da_consumer_t *c, int status)
{
	da_event_t *event = event_new(DA_EVENT_EXIT);

	if (!event)
		return;
	event->status = status;
	event_add(c, event);
}

void da_events_process(struct ps_prochandle *process, const char *message, void *consumer)
{
	da_consumer_t *c = consumer;
	da_event_t *event;

	if (message) /* something about it, but it lives on */
		return;
	event = event_new(DA_EVENT_PROCESS);
	if (!event)
		return;
#ifdef DTRACE_EXTENSIONS
	event->pid = ((const dtrace_proc_t *)(const void *)process)->dtpr_pid;
	event->status = ((const dtrace_proc_t *)(const void *)process)->dtpr_status;
	event->is_status_known = process == c->target && c->is_target_child;
#else
	(void)process;
#endif
	event_add(c, event);
}

static const char *drop_name(dtrace_dropkind_t kind)
{
	switch (kind) {
	case DTRACEDROP_PRINCIPAL:
		return "principal";
	case DTRACEDROP_AGGREGATION:
		return "aggregation";
	case DTRACEDROP_DYNAMIC:
		return "dynamic";
	case DTRACEDROP_DYNRINSE:
		return "dynamic-rinsing";
	case DTRACEDROP_DYNDIRTY:
		return "dynamic-dirty";
	case DTRACEDROP_SPEC:
		return "speculation";
	case DTRACEDROP_SPECBUSY:
		return "speculation-busy";
	case DTRACEDROP_SPECUNAVAIL:
		return "speculation-unavailable";
	case DTRACEDROP_STKSTROVERFLOW:
		return "stack-string";
	case DTRACEDROP_DBLERROR:
		return "error";
	default:
		return "unknown";
	}
}

static void describe_fault(napi_env env, const da_event_t *event, napi_value object)
{
	napi_value address = NULL;

	napi_create_bigint_uint64(env, event->address, &address);
	da_set_text(env, object, "message", event->message);
	da_set(env, object, "cpu", da_number(env, event->cpu));
	da_set_text(env, object, "fault", event->reason);
	da_set(env, object, "probe", da_probe_create(env, &event->probe));
	da_set(env, object, "action", da_number(env, event->action));
	da_set(env, object, "offset", da_number(env, event->offset));
	da_set(env, object, "address", address);
}

static void describe_drop(napi_env env, const da_event_t *event, napi_value object)
{
	da_set_text(env, object, "message", event->message);
	da_set(env, object, "cpu", da_number(env, event->cpu));
	da_set_text(env, object, "kind", drop_name(event->drop));
	da_set(env, object, "drops", da_number(env, (double)event->drops));
	da_set(env, object, "total", da_number(env, (double)event->total));
}

static void describe_exit(napi_env env, const da_event_t *event, napi_value object)
{
	da_set(env, object, "status", da_number(env, event->status));
}

/* A status, or the number of a signal, the other being null; of a process that is not our
 * child both are. */
static void describe_process(napi_env env, const da_event_t *event, napi_value object)
{
	bool has_status = event->is_status_known && WIFEXITED(event->status);
	bool has_signal = event->is_status_known && WIFSIGNALED(event->status);
	napi_value none = NULL;

	napi_get_null(env, &none);
	da_set(env, object, "pid", da_number(env, event->pid));
	da_set(env, object, "status",
	       has_status ? da_number(env, WEXITSTATUS(event->status)) : none);
	da_set(env, object, "signal",
	       has_signal ? da_number(env, WTERMSIG(event->status)) : none);
}

static napi_value event_create(napi_env env, const da_event_t *event)
{
	static const struct {
		const char *type;
		void (*describe)(napi_env, const da_event_t *, napi_value);
	} kinds[DA_EVENT_NKINDS] = {
	    [DA_EVENT_FAULT] = {"fault", describe_fault},
	    [DA_EVENT_DROP] = {"drop", describe_drop},
	    [DA_EVENT_EXIT] = {"exit", describe_exit},
	    [DA_EVENT_PROCESS] = {"procexit", describe_process},
	};
	napi_value object = NULL;

	if (napi_create_object(env, &object) != napi_ok)
		return NULL;
	da_set_text(env, object, "type", kinds[event->kind].type);
	kinds[event->kind].describe(env, event, object);
	return object;
}

napi_value da_events_take(da_consumer_t *c)
{
	napi_value array;
	uint32_t count = 0;

	if (!c->events || napi_create_array(c->env, &array) != napi_ok)
		return NULL;
	for (da_event_t *event = c->events, *next; event; event = next) {
		next = event->next;
		napi_set_element(c->env, array, count++, event_create(c->env, event));
		event_destroy(event);
	}
	c->events = NULL;
	c->events_tail = &c->events;
	return array;
}

void da_events_fini(da_consumer_t *c)
{
	for (da_event_t *event = c->events, *next; event; event = next) {
		next = event->next;
		event_destroy(event);
	}
	c->events = NULL;
	c->events_tail = &c->events;
}
