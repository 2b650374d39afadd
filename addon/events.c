/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - run-time faults and drops. The library reports them wherever it notices, also
 * on the thread pool, where no JavaScript value can be made: they are copied into a list,
 * which JavaScript takes when the call or the operation is over.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

struct da_event {
	da_event_t *next;
	bool is_fault;
	char *message;
	char *reason; /* of a fault */
	processorid_t cpu;
	/* a fault */
	dtrace_probedesc_t probe;
	int action, offset;
	uint64_t address;
	/* a drop */
	dtrace_dropkind_t kind;
	uint64_t drops, total;
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
	event = calloc(1, sizeof(*event));
	if (!event)
		return DTRACE_HANDLE_OK;
	event->is_fault = true;
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
	da_event_t *event = calloc(1, sizeof(*event));

	if (!event)
		return DTRACE_HANDLE_OK;
	event->message = copy_message(data->dtdda_msg);
	event->cpu = data->dtdda_cpu;
	event->kind = data->dtdda_kind;
	event->drops = data->dtdda_drops;
	event->total = data->dtdda_total;
	event_add(consumer, event);
	return DTRACE_HANDLE_OK;
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

static napi_value number(napi_env env, double value)
{
	napi_value result = NULL;

	napi_create_double(env, value, &result);
	return result;
}

static napi_value text(napi_env env, const char *value)
{
	return da_text_create(env, value ? value : "", value ? strlen(value) : 0);
}

static napi_value event_create(napi_env env, const da_event_t *event)
{
	napi_value object, address = NULL;

	napi_create_object(env, &object);
	da_set(env, object, "type", text(env, event->is_fault ? "fault" : "drop"));
	da_set(env, object, "message", text(env, event->message));
	da_set(env, object, "cpu", number(env, event->cpu));
	if (!event->is_fault) {
		da_set(env, object, "kind", text(env, drop_name(event->kind)));
		da_set(env, object, "drops", number(env, (double)event->drops));
		da_set(env, object, "total", number(env, (double)event->total));
		return object;
	}
	napi_create_bigint_uint64(env, event->address, &address);
	da_set(env, object, "fault", text(env, event->reason));
	da_set(env, object, "probe", da_probe_create(env, &event->probe));
	da_set(env, object, "action", number(env, event->action));
	da_set(env, object, "offset", number(env, event->offset));
	da_set(env, object, "address", address);
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
