/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - consume(): what the library hands out, put into batches (batch.c).
 *
 * JavaScript keeps an object for every probe, by slot. What the library prints itself
 * (printf and the like) arrives piece by piece in da_records_buffered() and becomes one
 * text when the next record, or the end of the firing, shows that it is complete.
 *
 * A limit ends the turn after so many firings; what is left in the buffers waits there for
 * the next call.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool da_records_init(da_consumer_t *c, napi_value object)
{
	napi_value probes;

	if (napi_create_array(c->env, &probes) ||
	    napi_create_reference(c->env, probes, 1, &c->probes.objects)) {
		da_throw(c->env, "couldn't make the array of probes");
		return false;
	}
	da_set(c->env, object, "probes", probes);
	return true;
}

void da_records_fini(da_consumer_t *c)
{
	if (c->probes.objects)
		napi_delete_reference(c->env, c->probes.objects);
}

/* ---- Probes ------------------------------------------------------------------- */

static bool probes_grow(da_probes_t *probes)
{
	uint32_t capacity = probes->capacity ? probes->capacity * 2 : 16;
	da_probes_t grown = *probes;

	grown.table = calloc(capacity, sizeof(*grown.table));
	if (!grown.table)
		return false;
	for (uint32_t i = 0; i < probes->capacity; i++) {
		uint32_t at = probes->table[i].id & (capacity - 1);

		if (probes->table[i].slot == 0)
			continue;
		while (grown.table[at].slot != 0)
			at = (at + 1) & (capacity - 1);
		grown.table[at] = probes->table[i];
	}
	free(probes->table);
	grown.capacity = capacity;
	*probes = grown;
	return true;
}

/* Puts a new probe's object where JavaScript looks for it. */
static bool probe_announce(da_consumer_t *c, const dtrace_probedesc_t *desc, uint32_t slot)
{
	napi_value objects, probe = da_probe_create(c->env, desc);

	return probe && !napi_get_reference_value(c->env, c->probes.objects, &objects) &&
	       !napi_set_element(c->env, objects, slot, probe);
}

/* The probe's slot + 1; 0 when it cannot be had. */
static uint32_t probe_slot(da_consumer_t *c, const dtrace_probedesc_t *desc)
{
	da_probes_t *probes = &c->probes;
	uint32_t at;

	if (probes->last_slot != 0 && probes->last_id == desc->dtpd_id)
		return probes->last_slot;
	if (probes->count * 2 >= probes->capacity && !probes_grow(probes))
		return 0;
	at = desc->dtpd_id & (probes->capacity - 1);
	while (probes->table[at].slot != 0 && probes->table[at].id != desc->dtpd_id)
		at = (at + 1) & (probes->capacity - 1);
	if (probes->table[at].slot == 0) {
		if (!probe_announce(c, desc, probes->count))
			return 0;
		probes->table[at].id = desc->dtpd_id;
		probes->table[at].slot = ++probes->count;
	}
	probes->last_id = desc->dtpd_id;
	probes->last_slot = probes->table[at].slot;
	return probes->last_slot;
}

/* ---- What the library calls ---------------------------------------------------- */

/* A text that the library has finished printing is a record. */
static void finish_text(da_consumer_t *c)
{
	da_value_t value;

	if (!c->is_text_awaited)
		return;
	c->is_text_awaited = false;
	da_value_set_text(&value, c->text.bytes ? c->text.bytes : "", c->text.length);
	da_batch_push(c, c->slot, &value);
}

int da_records_buffered(const dtrace_bufdata_t *data, void *consumer)
{
	da_consumer_t *c = consumer;

	if (!c->is_text_awaited || !data->dtbda_buffered)
		return DTRACE_HANDLE_OK;
	if (!da_buffer_append(&c->text, data->dtbda_buffered, strlen(data->dtbda_buffered)))
		return DTRACE_HANDLE_ABORT;
	return DTRACE_HANDLE_OK;
}

static int await_text(da_consumer_t *c)
{
	c->text.length = 0;
	c->is_text_awaited = true;
	return DTRACE_CONSUME_THIS;
}

static int take_probe(const dtrace_probedata_t *data, void *consumer)
{
	da_consumer_t *c = consumer;
	uint32_t slot;

	finish_text(c);
	slot = probe_slot(c, data->dtpda_pdesc);
	if (slot == 0)
		c->batch.is_broken = true;
	if (c->batch.is_broken)
		return DTRACE_CONSUME_ABORT;
	c->slot = slot - 1;
	return DTRACE_CONSUME_THIS;
}

static void refuse_record(da_consumer_t *c, const dtrace_probedata_t *data,
			  const dtrace_recdesc_t *rec)
{
	const dtrace_probedesc_t *desc = data->dtpda_pdesc;

	if (c->refusal[0])
		return;
	snprintf(c->refusal, sizeof(c->refusal),
		 "unsupported action %s in record for %s:%s:%s:%s",
		 da_action_name(rec->dtrd_action), desc->dtpd_provider, desc->dtpd_mod,
		 desc->dtpd_func, desc->dtpd_name);
}

static int take_value(da_consumer_t *c, const dtrace_probedata_t *data,
		      const dtrace_recdesc_t *rec)
{
	da_value_t value;

	if (da_value_read(c, rec, data->dtpda_data, &value))
		da_batch_push(c, c->slot, &value);
	else
		refuse_record(c, data, rec);
	return DTRACE_CONSUME_NEXT;
}

/* How many bytes tracemem() was asked for, where that was known only when it fired: it
 * stands before the memory. */
static size_t asked_size(const dtrace_probedata_t *data, const dtrace_recdesc_t *rec)
{
	uint64_t size = SIZE_MAX;
#ifdef DTRACEACT_TRACEMEM_DYNSIZE
	const dtrace_recdesc_t *before = rec - 1;

	if (rec > data->dtpda_edesc->dtepd_rec && before->dtrd_size <= sizeof(size) &&
	    before->dtrd_action == DTRACEACT_TRACEMEM_DYNSIZE) {
		size = 0;
		memcpy(&size, data->dtpda_data - rec->dtrd_offset + before->dtrd_offset,
		       before->dtrd_size);
	}
#else
	(void)data;
	(void)rec;
#endif
	return (size_t)size;
}

static int take_memory(da_consumer_t *c, const dtrace_probedata_t *data,
		       const dtrace_recdesc_t *rec)
{
	dtrace_recdesc_t asked = *rec;
	size_t size = asked_size(data, rec);

	if (size < asked.dtrd_size)
		asked.dtrd_size = (uint32_t)size;
	return take_value(c, data, &asked);
}

#if defined(DTRACEACT_PCAP) && defined(DTRACE_EXTENSIONS)
/* pcap(): the packet, without what is told of it. */
static int take_packet(da_consumer_t *c, const dtrace_probedata_t *data,
		       const dtrace_recdesc_t *rec)
{
	dtrace_recdesc_t bytes = *rec;
	dtrace_probedata_t at = *data;
	dtrace_packet_t packet;

	memcpy(&packet, data->dtpda_data, sizeof(packet));
	bytes.dtrd_action = DTRACEACT_TRACEMEM;
	bytes.dtrd_size = packet.dtpk_captured;
	at.dtpda_data += sizeof(packet);
	return take_value(c, &at, &bytes);
}
#endif

#ifdef DTRACEACT_PRINT
static int take_print(da_consumer_t *c, const dtrace_probedata_t *data,
		      const dtrace_recdesc_t *rec)
{
#ifdef DTRACE_EXTENSIONS
	const char *json = dtrace_print_json(c->dtp, data, rec);
	da_value_t value;

	if (json) {
		da_value_set_text(&value, json, strlen(json));
		value.kind = DA_VALUE_JSON;
		da_batch_push(c, c->slot, &value);
		return DTRACE_CONSUME_NEXT;
	}
#else
	(void)data;
	(void)rec;
#endif
	return await_text(c);
}
#endif

static int take_exit(da_consumer_t *c, const dtrace_probedata_t *data,
		     const dtrace_recdesc_t *rec)
{
	int32_t status = 0;

	if (rec->dtrd_size >= sizeof(status))
		memcpy(&status, data->dtpda_data, sizeof(status));
	da_events_exit(c, status);
	return DTRACE_CONSUME_NEXT;
}

/* Whether the turn goes on after this firing. */
static int end_firing(da_consumer_t *c, const dtrace_probedata_t *data)
{
	da_batch_push_end(c, c->slot, data);
	if (c->limit > 0 && --c->limit == 0)
		c->batch.is_enough = true;
	return c->batch.is_enough ? DTRACE_CONSUME_ABORT : DTRACE_CONSUME_NEXT;
}

/* Actions that do something and record nothing: stop(), chill(), commit() and the like. */
static bool has_no_data(dtrace_actkind_t action)
{
	return DTRACEACT_CLASS(action) == DTRACEACT_PROC_DESTRUCTIVE ||
	       DTRACEACT_CLASS(action) == DTRACEACT_KERNEL_DESTRUCTIVE ||
	       DTRACEACT_CLASS(action) == DTRACEACT_SPECULATIVE;
}

static int take_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *rec,
		       void *consumer)
{
	da_consumer_t *c = consumer;

	finish_text(c);
	if (c->batch.is_broken)
		return DTRACE_CONSUME_ABORT;
	if (!rec)
		return end_firing(c, data);
	switch (rec->dtrd_action) {
	case DTRACEACT_TRACEMEM:
		return c->is_whole ? take_memory(c, data, rec) : await_text(c);
#if defined(DTRACEACT_PCAP) && defined(DTRACE_EXTENSIONS)
	case DTRACEACT_PCAP:
		return c->is_whole ? take_packet(c, data, rec) : await_text(c);
#endif
#ifdef DTRACEACT_PRINT
	case DTRACEACT_PRINT:
		return c->is_whole ? take_print(c, data, rec) : await_text(c);
#endif
	case DTRACEACT_PRINTF:
	case DTRACEACT_PRINTA:
		return await_text(c);
	case DTRACEACT_LIBACT:
	case DTRACEACT_SYSTEM:
	case DTRACEACT_FREOPEN:
		return DTRACE_CONSUME_THIS;
	case DTRACEACT_EXIT:
		return take_exit(c, data, rec);
	default:
		return has_no_data(rec->dtrd_action) ? DTRACE_CONSUME_NEXT
						     : take_value(c, data, rec);
	}
}

/* ---- A turn ------------------------------------------------------------------------ */

/* False with an exception pending or the failure set. */
static bool report_turn(da_consumer_t *c, dtrace_workstatus_t status, da_failure_t *failure)
{
	bool is_pending = false;

	napi_is_exception_pending(c->env, &is_pending);
	if (is_pending)
		return false;
	if (c->refusal[0])
		da_throw(c->env, "%s", c->refusal);
	else if (c->batch.is_broken)
		da_throw(c->env,
			 "couldn't consume tracing data: JavaScript cannot be called");
	else if (status == DTRACE_WORKSTATUS_ERROR && !c->batch.is_enough)
		da_failure_set(failure, c->dtp, "couldn't consume tracing data");
	else
		return true;
	return false;
}

/* As dtrace_work(), but whether it is time for it is for the caller to say. */
static dtrace_workstatus_t work(da_consumer_t *c)
{
	int status = dtrace_status(c->dtp);

	if (status == -1 || dtrace_consume(c->dtp, NULL, take_probe, take_record, c) == -1)
		return DTRACE_WORKSTATUS_ERROR;
	if (status == DTRACE_STATUS_EXITED || status == DTRACE_STATUS_FILLED ||
	    status == DTRACE_STATUS_STOPPED)
		return DTRACE_WORKSTATUS_DONE;
	return DTRACE_WORKSTATUS_OKAY;
}

bool da_records_consume(da_consumer_t *c, napi_value deliver, uint32_t *outcome,
			da_failure_t *failure)
{
	dtrace_workstatus_t status;

	c->is_text_awaited = false;
	c->refusal[0] = '\0';
	da_batch_begin(c, deliver);
	status = work(c);
	/* What an earlier turn has left was not all that there is. */
	if (c->has_rest && !c->batch.is_enough && !c->batch.is_broken &&
	    status != DTRACE_WORKSTATUS_ERROR)
		status = work(c);
	c->has_rest = c->batch.is_enough || c->batch.is_broken;
	finish_text(c);
	da_batch_end(c);
	*outcome = (c->batch.is_enough ? DA_TURN_MORE : 0) |
		   (status == DTRACE_WORKSTATUS_DONE ? DA_TURN_DONE : 0);
	return report_turn(c, status, failure);
}
