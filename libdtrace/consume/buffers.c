/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffers.c - the consumer's end of the per-CPU buffers (enable/kernel.h has the kernel's).
 *
 * A CPU's buffers are switched only when they hold something: how much is read straight
 * from shared memory, so an idle system costs no system call. What the switch has made
 * inactive belongs to the consumer until it is given back: read, zeroed (programs rely on
 * that), its length set to nothing.
 *
 * With the buffer policies fill and ring nothing is switched, and nothing is read before
 * tracing has ended. A ring's older half is the buffer that is not active; what is shown of
 * both together is no more than bufsize, the latest.
 */
#include <stdlib.h>
#include <string.h>

#include "consume/buffers.h"
#include "consume/jstack.h"
#include "consume/output.h"

/* Bytes of the record at a header; 0: there is none. */
static uint32_t record_size(const dt_enabling_t *en, uint32_t clause)
{
	uint32_t data;

	clause &= ~DT_RECORD_DISCARDED;
	if (clause == 0)
		return 0;
	if (clause == DT_RECORD_FAULT)
		data = sizeof(dt_faultrec_t);
	else if (clause <= en->necbs)
		data = en->ecbs[clause - 1]->plan->kernel_size;
	else
		return 0;
	return (en->env.header.size + data + 7) & ~7u;
}

static bool read_header(const dt_enabling_t *en, const dt_drain_t *d, uint32_t at,
			dt_krecord_t *r)
{
	const dt_header_t *header = &en->env.header;

	if (at + header->size > d->end)
		return false;
	memcpy(&r->clause, d->data + at, 4);
	memcpy(&r->key, d->data + at + 4, 4);
	r->time = 0;
	if (header->time)
		memcpy(&r->time, d->data + at + header->time, 8);
	r->pid = -1;
	if (header->who)
		memcpy(&r->pid, d->data + at + header->who + 4, 4);
	r->data = d->data + at + header->size;
	r->size = record_size(en, r->clause);
	return r->size != 0 && at + r->size <= d->end;
}

/* What a buffer that the kernel does not write any more holds. 0, or -1. */
static int take(dtrace_hdl_t *hdl, uint32_t cpu, dt_drain_t *d, uint32_t buffer)
{
	dt_enabling_t *en = hdl->enabling;
	uint32_t used = dt_cpu_words(en, cpu)->principal_used[buffer];

	if (used > en->env.bufsize)
		used = en->env.bufsize;
	d->data = dt_buffer_window(en, DT_MAP_PRINCIPAL, cpu, buffer, used);
	if (!d->data)
		return dt_set_error(hdl, EDT_NOMEM, "cannot map the buffer of CPU %u", cpu);
	d->at = 0;
	d->end = used;
	d->buffer = buffer;
	return 0;
}

/* The older buffer of a ring, less as many of its records as the newer one takes room. */
static int take_older(dtrace_hdl_t *hdl, uint32_t cpu, dt_drain_t *d, uint32_t buffer)
{
	dt_enabling_t *en = hdl->enabling;
	uint32_t newer = dt_cpu_words(en, cpu)->principal_used[buffer ^ 1];
	dt_krecord_t r;

	if (take(hdl, cpu, d, buffer) != 0)
		return -1;
	while (d->end - d->at + newer > en->env.bufsize && read_header(en, d, d->at, &r))
		d->at += r.size;
	return 0;
}

int dt_drain_refill(dtrace_hdl_t *hdl, uint32_t cpu, dt_drain_t *d)
{
	dt_enabling_t *en = hdl->enabling;
	uint32_t active;
	int busy;

	if (d->data)
		return 0;
	active = dt_cpu_words(en, cpu)->principal_active & 1;
	if (en->env.bufpolicy != DT_BUFPOLICY_SWITCH) {
		if (en->phase != DT_PHASE_STOPPED)
			return 0;
		if (dt_cpu_words(en, cpu)->wraps && dt_cpu_words(en, cpu)->principal_used[active ^ 1])
			return take_older(hdl, cpu, d, active ^ 1);
		return dt_cpu_words(en, cpu)->principal_used[active] ? take(hdl, cpu, d, active) : 0;
	}
	if (dt_cpu_words(en, cpu)->principal_used[active] == 0)
		return 0;
	busy = dt_cpu_switch(hdl, en, cpu, DT_SWITCH_PRINCIPAL);
	return busy ? busy : take(hdl, cpu, d, active);
}

bool dt_drain_peek(dtrace_hdl_t *hdl, const dt_drain_t *d, dt_krecord_t *r)
{
	uint32_t at = d->at;

	if (!d->data)
		return false;
	while (read_header(hdl->enabling, d, at, r)) {
		if (!(r->clause & DT_RECORD_DISCARDED)) {
			r->at = at;
			r->size += at - d->at;
			return true;
		}
		at += r->size;
	}
	return false;
}

void dt_drain_settle(dtrace_hdl_t *hdl, uint32_t cpu, dt_drain_t *d)
{
	dt_krecord_t next;

	if (!d->data || dt_drain_peek(hdl, d, &next))
		return;
	memset(d->data, 0, d->end);
	dt_cpu_words(hdl->enabling, cpu)->principal_used[d->buffer] = 0;
	d->data = NULL;
}

/* ---- Aggregations --------------------------------------------------------------- */

/* Keys from the kernel's layout into the one that is shown. */
static void show_keys(dtrace_hdl_t *hdl, const dt_agglayout_t *layout, const char *keys,
		      char *shown)
{
	const dt_enabling_t *en = hdl->enabling;
	uint32_t id = (uint32_t)layout->varid;

	memcpy(shown, &id, sizeof(id));
	for (uint32_t i = 0; i < layout->nkeys; i++) {
		const dt_field_t *f = &layout->keys[i];
		char *to = shown + f->rec.dtrd_offset;
		const char *from = keys + f->kernel_offset;
		uint64_t string;

		memset(to, 0, f->rec.dtrd_size);
		if (f->encoding == DT_ENC_STRID) {
			memcpy(&string, from, sizeof(string));
			if (string < en->env.strings_size)
				strncpy(to, en->env.strings + string, f->rec.dtrd_size - 1);
		} else if (f->encoding == DT_ENC_STRING) {
			memcpy(to, from, strnlen(from, f->kernel_size));
		} else if (f->encoding == DT_ENC_STACK) {
			dt_show_stack(hdl, from, to, f->rec.dtrd_size);
		} else if (f->encoding == DT_ENC_JSTACK) {
			dt_show_jstack(hdl, from, to, DTRACE_USTACK_NFRAMES(f->rec.dtrd_arg),
				       DTRACE_USTACK_STRSIZE(f->rec.dtrd_arg));
		} else {
			memcpy(to, from, f->rec.dtrd_size);
		}
	}
}

static int merge_entry(dtrace_hdl_t *hdl, const dt_agglayout_t *layout, uint32_t cpu,
		       const char *entry, char *shown)
{
	const char *keys = entry + sizeof(dt_kaggent_t);

	show_keys(hdl, layout, keys, shown);
	return dt_aggs_merge(hdl, layout, (processorid_t)cpu, shown, keys + layout->key_size);
}

static uint32_t entry_size(const dt_agglayout_t *layout)
{
	return (uint32_t)sizeof(dt_kaggent_t) + layout->key_size + layout->value_size;
}

static uint32_t varid_of(const char *entry)
{
	uint32_t varid;

	memcpy(&varid, entry, sizeof(varid));
	return varid;
}

/* The entry of an aggregation without keys, when it has been used. */
static const char *fixed_entry(const dt_agglayout_t *layout, const char *entries)
{
	const char *entry = entries + layout->fixed_offset;

	return layout->varid && !layout->nkeys && varid_of(entry) ? entry : NULL;
}

/* Merges the entries of aggregations without keys that are not in use any more, and forgets
 * where those with keys were. */
static int merge_fixed(dtrace_hdl_t *hdl, uint32_t cpu, char *entries, char *shown)
{
	const dt_cgenv_t *env = &hdl->enabling->env;
	const char *entry;

	for (uint32_t i = 0; i < env->naggs; i++) {
		entry = fixed_entry(&env->aggs[i], entries);
		if (entry && merge_entry(hdl, &env->aggs[i], cpu, entry, shown) != 0)
			return -1;
	}
	memset(entries, 0, env->fixed_size + env->near_size);
	return 0;
}

/* Everything in an inactive buffer of used bytes. */
static int merge_buffer(dtrace_hdl_t *hdl, uint32_t cpu, const char *buffer, uint32_t used,
			char *shown)
{
	const dt_cgenv_t *env = &hdl->enabling->env;

	for (uint32_t at = env->entries_offset; at < used;) {
		uint32_t varid = varid_of(buffer + at);
		const dt_agglayout_t *layout;

		if (varid == 0 || varid > env->naggs)
			break;
		layout = &env->aggs[varid - 1];
		if (merge_entry(hdl, layout, cpu, buffer + at, shown) != 0)
			return -1;
		at += entry_size(layout);
	}
	return 0;
}

/* Whether anything has been aggregated since the last switch. */
static bool holds_something(const dt_enabling_t *en, uint32_t cpu, uint32_t active)
{
	const dt_cgenv_t *env = &en->env;
	const char *entries = dt_cpu_entries(en, cpu, active);

	if (dt_cpu_words(en, cpu)->aggregation_used[active] > env->entries_offset)
		return true;
	for (uint32_t i = 0; i < env->naggs; i++)
		if (fixed_entry(&env->aggs[i], entries))
			return true;
	return false;
}

/* Takes the entries with keys that a CPU has made in the buffer. */
static int take_keyed(dtrace_hdl_t *hdl, uint32_t cpu, uint32_t which, char *shown)
{
	dt_enabling_t *en = hdl->enabling;
	uint32_t used = dt_cpu_words(en, cpu)->aggregation_used[which];
	char *buffer;
	int err;

	if (used > en->env.aggsize)
		used = en->env.aggsize;
	if (used <= en->env.entries_offset)
		return 0;
	buffer = dt_buffer_window(en, DT_MAP_AGGREGATION, cpu, which, used);
	if (!buffer)
		return dt_set_error(hdl, EDT_NOMEM, "cannot map the buffer of CPU %u", cpu);
	err = merge_buffer(hdl, cpu, buffer, used, shown);
	memset(buffer, 0, used);
	dt_cpu_words(en, cpu)->aggregation_used[which] = en->env.entries_offset;
	return err;
}

static int snap_cpu(dtrace_hdl_t *hdl, uint32_t cpu, char *shown)
{
	dt_enabling_t *en = hdl->enabling;
	uint32_t active = dt_cpu_words(en, cpu)->aggregation_active & 1;
	int err;

	if (!holds_something(en, cpu, active))
		return 0;
	err = dt_cpu_switch(hdl, en, cpu, DT_SWITCH_AGGREGATION);
	if (err != 0) /* a busy CPU has another turn */
		return err < 0 ? -1 : 0;
	if (merge_fixed(hdl, cpu, dt_cpu_entries(en, cpu, active), shown) != 0)
		return -1;
	return take_keyed(hdl, cpu, active, shown);
}

int dtrace_aggregate_snap(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	uint32_t largest = 0;
	char *shown;
	int err = 0;

	if (!en || en->phase == DT_PHASE_COMPILE)
		return dt_set_errno(hdl, EDT_NOTACTIVE);
	if (!dt_aggregates(en))
		return 0;
	for (uint32_t i = 0; i < en->env.naggs; i++)
		if (en->env.aggs[i].shown_size > largest)
			largest = en->env.aggs[i].shown_size;
	shown = calloc(1, largest + 8);
	if (!shown)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t cpu = 0; cpu < en->env.ncpus && err == 0; cpu++)
		err = snap_cpu(hdl, cpu, shown);
	free(shown);
	return err;
}
