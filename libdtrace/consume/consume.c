/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consume.c - dtrace_consume(): records in order, each handed to the consumer's functions
 * and then, unless those took it, printed.
 *
 * Order: BEGIN's records first and END's last, whatever CPUs they ran on; between them
 * CPU by CPU, or, with the option temporal, by the time at which each was recorded.
 */
#include <stdlib.h>
#include <string.h>

#include "consume/actions.h"
#include "consume/bell.h"
#include "consume/buffers.h"
#include "consume/json.h"
#include "consume/jstack.h"
#include "consume/status.h"
#include "consume/turn.h"
#include "provider/provider.h"

/* ---- State ---------------------------------------------------------------------- */

int dt_consumer_init(dtrace_hdl_t *hdl)
{
	hdl->consumer = calloc(1, sizeof(*hdl->consumer));
	if (!hdl->consumer)
		return dt_set_errno(hdl, EDT_NOMEM);
	hdl->consumer->aggs = dt_aggs_create();
	return hdl->consumer->aggs ? 0 : dt_set_errno(hdl, EDT_NOMEM);
}

void dt_consumer_fini(dtrace_hdl_t *hdl)
{
	dt_consumer_t *c = hdl->consumer;

	if (!c)
		return;
	for (uint32_t i = 0; i < c->neprobes; i++) {
		if (c->eprobes[i])
			free(c->eprobes[i]->desc);
		free(c->eprobes[i]);
	}
	free(c->eprobes);
	free(c->drains);
	free(c->shown);
	free(c->reported);
	dt_aggs_destroy(c->aggs);
	dt_output_restore(hdl);
	dt_bell_fini(hdl);
	dt_json_fini(hdl);
	dt_output_fini(hdl);
	free(c);
	hdl->consumer = NULL;
}

dt_aggs_t *dt_consumer_aggs(dtrace_hdl_t *hdl)
{
	return hdl->consumer->aggs;
}

int dt_consumer_ncpus(dtrace_hdl_t *hdl)
{
	return hdl->enabling ? (int)hdl->enabling->env.ncpus : 0;
}

const dt_agglayout_t *dt_consumer_agglayout(dtrace_hdl_t *hdl, dtrace_aggvarid_t varid)
{
	const dt_enabling_t *en = hdl->enabling;

	if (!en || varid < 1 || varid > (dtrace_aggvarid_t)en->env.naggs ||
	    !en->env.aggs[varid - 1].varid)
		return NULL;
	return &en->env.aggs[varid - 1];
}

/* What consume() needs once tracing has begun. */
static int prepare(dtrace_hdl_t *hdl)
{
	dt_consumer_t *c = hdl->consumer;
	const dt_enabling_t *en = hdl->enabling;
	uint32_t largest = 0;

	if (c->drains)
		return 0;
	for (uint32_t i = 0; i < en->necbs; i++)
		if (en->ecbs[i]->plan->size > largest)
			largest = en->ecbs[i]->plan->size;
	c->shown = calloc(1, largest + 8);
	c->drains = calloc(en->env.ncpus, sizeof(*c->drains));
	return c->shown && c->drains ? 0 : dt_set_errno(hdl, EDT_NOMEM);
}

/* ---- Enabled probes --------------------------------------------------------------- */

static int compare_key(const void *key, const void *probe)
{
	uint32_t a = *(const uint32_t *)key, b = (*(dt_probe_t *const *)probe)->key;

	return a < b ? -1 : a > b;
}

/* Room for as many as there are: probes may have come while tracing. 0, or -1. */
static int reserve_eprobes(dtrace_hdl_t *hdl)
{
	dt_consumer_t *c = hdl->consumer;
	uint32_t n = hdl->enabling->nepids;
	dt_eprobe_t **grown;

	if (c->neprobes >= n)
		return 0;
	grown = realloc(c->eprobes, n * sizeof(*grown));
	if (!grown)
		return dt_set_errno(hdl, EDT_NOMEM);
	memset(grown + c->neprobes, 0, (n - c->neprobes) * sizeof(*grown));
	c->eprobes = grown;
	c->neprobes = n;
	return 0;
}

static dt_eprobe_t *make_eprobe(dtrace_hdl_t *hdl, dt_ecb_t *ecb, uint32_t index)
{
	const dt_recplan_t *plan = ecb->plan;
	dt_eprobe_t *ep;

	if (reserve_eprobes(hdl) != 0)
		return NULL;
	ep = hdl->consumer->eprobes[ecb->epid + index - 1];
	if (ep)
		return ep;
	ep = calloc(1, sizeof(*ep));
	if (ep)
		ep->desc =
		    calloc(1, sizeof(*ep->desc) + plan->nfields * sizeof(dtrace_recdesc_t));
	if (!ep || !ep->desc) {
		free(ep);
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	hdl->consumer->eprobes[ecb->epid + index - 1] = ep;
	ep->ecb = ecb;
	ep->probe = ecb->probes[index];
	ep->desc->dtepd_epid = ecb->epid + index;
	ep->desc->dtepd_probeid = ep->probe->desc.dtpd_id;
	ep->desc->dtepd_size = plan->size;
	ep->desc->dtepd_nrecs = (int)plan->nfields;
	for (uint32_t i = 0; i < plan->nfields; i++)
		ep->desc->dtepd_rec[i] = plan->fields[i].rec;
	return ep;
}

/* The enabled probe of a record's clause and key; NULL with the error set. */
static dt_eprobe_t *eprobe_of(dtrace_hdl_t *hdl, uint32_t clause, uint32_t key)
{
	dt_enabling_t *en = hdl->enabling;
	dt_ecb_t *ecb;
	dt_probe_t **found;

	if (clause == 0 || clause > en->necbs) {
		dt_set_errno(hdl, EDT_BADRECORD);
		return NULL;
	}
	ecb = en->ecbs[clause - 1];
	found = ecb->nprobes == 1 ? ecb->probes
				  : bsearch(&key, ecb->probes, ecb->nprobes,
					    sizeof(*ecb->probes), compare_key);
	if (!found) {
		dt_set_errno(hdl, EDT_BADRECORD);
		return NULL;
	}
	return make_eprobe(hdl, ecb, (uint32_t)(found - ecb->probes));
}

dtrace_eprobedesc_t *dt_consumer_eprobe(dtrace_hdl_t *hdl, dtrace_epid_t epid,
					dtrace_probedesc_t **pdesc)
{
	dt_enabling_t *en = hdl->enabling;

	if (prepare(hdl) != 0)
		return NULL;
	for (uint32_t i = 0; i < en->necbs; i++) {
		dt_ecb_t *ecb = en->ecbs[i];
		dt_eprobe_t *ep;

		if (epid < ecb->epid || epid >= ecb->epid + ecb->nprobes)
			continue;
		ep = make_eprobe(hdl, ecb, epid - ecb->epid);
		if (!ep)
			return NULL;
		if (pdesc)
			*pdesc = &ep->probe->desc;
		return ep->desc;
	}
	dt_set_errno(hdl, EDT_BADID);
	return NULL;
}

/* ---- Decoding ----------------------------------------------------------------------- */

static const char *constant_text(const dt_field_t *f, const dtrace_probedesc_t *d)
{
	switch (f->encoding) {
	case DT_ENC_CONST:
		return f->text;
	case DT_ENC_PROVIDER:
		return d->dtpd_provider;
	case DT_ENC_MODULE:
		return d->dtpd_mod;
	case DT_ENC_FUNCTION:
		return d->dtpd_func;
	default:
		return d->dtpd_name;
	}
}

/* The record as shown: in place when nothing has to be decoded. */
static char *decode(dtrace_hdl_t *hdl, const dt_eprobe_t *ep, char *data)
{
	const dt_recplan_t *plan = ep->ecb->plan;
	char *shown = hdl->consumer->shown;

	if (plan->is_raw)
		return data;
	for (uint32_t i = 0; i < plan->nfields; i++) {
		const dt_field_t *f = &plan->fields[i];
		char *to = shown + f->rec.dtrd_offset;
		const char *from = data + f->kernel_offset;
		size_t n = f->rec.dtrd_size;

		if (n == 0)
			continue;
		if (f->encoding == DT_ENC_RAW) {
			memcpy(to, from, n);
			continue;
		}
		if (f->encoding == DT_ENC_STACK) {
			dt_show_stack(hdl, from, to, n);
			continue;
		}
		if (f->encoding == DT_ENC_JSTACK) {
			dt_show_jstack(hdl, from, to, DTRACE_USTACK_NFRAMES(f->rec.dtrd_arg),
				       DTRACE_USTACK_STRSIZE(f->rec.dtrd_arg));
			continue;
		}
		memset(to, 0, n);
		if (f->encoding != DT_ENC_STRING) {
			from = constant_text(f, &ep->probe->desc);
			memcpy(to, from, strnlen(from, n - 1));
		} else {
			memcpy(to, from, strnlen(from, f->kernel_size));
		}
	}
	return shown;
}

/* ---- Records ------------------------------------------------------------------------- */

/* 0: go on; 1: the consumer takes no more of this firing; -1: error. */
static int answer(dtrace_hdl_t *hdl, int rval)
{
	switch (rval) {
	case DTRACE_CONSUME_THIS:
		return 0;
	case DTRACE_CONSUME_NEXT:
		return 1;
	case DTRACE_CONSUME_ABORT:
		return dt_set_errno(hdl, EDT_DIRABORT);
	default:
		return dt_set_errno(hdl, EDT_BADRVAL);
	}
}

/* The size of a tracemem() is part of the record that follows it. */
static bool is_shown(const dtrace_recdesc_t *rec, uint32_t left)
{
	return rec->dtrd_action != DTRACEACT_TRACEMEM_DYNSIZE || left < 2;
}

static int consume_records(const dt_turn_t *t, const dt_eprobe_t *ep, dtrace_probedata_t *pd,
			   char *shown)
{
	dtrace_hdl_t *hdl = t->hdl;
	const dtrace_recdesc_t *recs = ep->desc->dtepd_rec;
	uint32_t n = (uint32_t)ep->desc->dtepd_nrecs;
	int took, said;

	if (dt_is_json(hdl) && dt_json_begin(hdl, pd) != 0)
		return -1;
	for (uint32_t i = 0; i < n; i += (uint32_t)took) {
		const dtrace_recdesc_t *rec = &recs[i];
		const dtrace_recdesc_t *seen = is_shown(rec, n - i) ? rec : rec + 1;

		pd->dtpda_data = shown + seen->dtrd_offset;
		if (rec->dtrd_action == DTRACEACT_LIBACT) {
			took = dt_library_action(hdl, t->fp, pd, rec, n - i, shown);
			if (took < 0)
				return -1;
			continue;
		}
		said = t->rec_f ? answer(hdl, t->rec_f(pd, seen, t->arg)) : 0;
		if (said < 0)
			return -1;
		took = (int)(seen - rec) + 1;
		if (said == 0)
			took = (dt_is_json(hdl) ? dt_json_record : dt_run_record)(
			    hdl, t->fp, ep, pd, rec, n - i, shown);
		if (took < 0)
			return -1;
	}
	pd->dtpda_data = shown;
	if (dt_is_json(hdl) && dt_json_end(hdl, t->fp, pd) != 0)
		return -1;
	return t->rec_f && answer(hdl, t->rec_f(pd, NULL, t->arg)) < 0 ? -1 : 0;
}

static int consume_fault(dtrace_hdl_t *hdl, uint32_t cpu, const dt_krecord_t *r)
{
	dt_faultrec_t fault;
	dt_eprobe_t *ep;

	memcpy(&fault, r->data, sizeof(fault));
	ep = eprobe_of(hdl, fault.clause, fault.key);
	return ep ? dt_report_fault(hdl, cpu, ep, &fault) : -1;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0 && (n == m || name[n - m - 1] == '-');
}

/* Whether the CPU's next record is of the same probe, by another clause. */
static bool next_is_same_probe(dtrace_hdl_t *hdl, uint32_t cpu, const dt_eprobe_t *ep)
{
	dt_krecord_t next;
	const dt_eprobe_t *other;

	if (!dt_drain_peek(hdl, &hdl->consumer->drains[cpu], &next) ||
	    next.clause == DT_RECORD_FAULT)
		return false;
	other = eprobe_of(hdl, next.clause, next.key);
	return other && other != ep && other->probe == ep->probe;
}

/*
 * The direction of a probe by its name, and the indentation that it makes. When several
 * clauses record one firing, only the first of an entry and the last of a return turn.
 */
static void set_flow(dtrace_hdl_t *hdl, uint32_t cpu, const dt_eprobe_t *ep,
		     dtrace_probedata_t *pd)
{
	const char *name = pd->dtpda_pdesc->dtpd_name;
	bool syscall = strcmp(pd->dtpda_pdesc->dtpd_provider, "syscall") == 0;
	dt_flow_t *flow = &hdl->consumer->flows[cpu % DT_MAXFLOWS];
	const dt_eprobe_t *last = flow->last;

	flow->last = ep;
	pd->dtpda_flow = DTRACEFLOW_NONE;
	pd->dtpda_prefix = "| ";
	if (ends_with(name, "entry") && !(last && last != ep && last->probe == ep->probe)) {
		pd->dtpda_flow = DTRACEFLOW_ENTRY;
		pd->dtpda_prefix = syscall ? " => " : " -> ";
	} else if (ends_with(name, "return") && !next_is_same_probe(hdl, cpu, ep)) {
		pd->dtpda_flow = DTRACEFLOW_RETURN;
		pd->dtpda_prefix = syscall ? " <= " : " <- ";
		flow->indent = flow->indent >= 2 ? flow->indent - 2 : 0;
	}
	pd->dtpda_indent = flow->indent;
	if (pd->dtpda_flow == DTRACEFLOW_ENTRY)
		flow->indent += 2;
}

int dt_consume_record(const dt_turn_t *t, uint32_t cpu, const dt_krecord_t *r)
{
	dtrace_hdl_t *hdl = t->hdl;
	dtrace_probedata_t pd = {.dtpda_handle = hdl, .dtpda_cpu = (processorid_t)cpu};
	dt_eprobe_t *ep;
	char *shown;
	int said;

	if (r->clause == DT_RECORD_FAULT)
		return consume_fault(hdl, cpu, r);
	ep = eprobe_of(hdl, r->clause, r->key);
	if (!ep)
		return -1;
	shown = decode(hdl, ep, r->data);
	pd.dtpda_edesc = ep->desc;
	pd.dtpda_pdesc = &ep->probe->desc;
	pd.dtpda_data = shown;
	pd.dtpda_timestamp = r->time;
	pd.dtpda_pid = r->pid;
	pd.dtpda_prefix = "";
	pd.dtpda_flow = DTRACEFLOW_NONE;
	if (hdl->options[DT_OPT_FLOWINDENT] != DTRACEOPT_UNSET)
		set_flow(hdl, cpu, ep, &pd);
	said = t->probe_f ? answer(hdl, t->probe_f(&pd, t->arg)) : 0;
	if (said != 0)
		return said < 0 ? -1 : 0;
	return consume_records(t, ep, &pd, shown);
}

/* ---- Order ---------------------------------------------------------------------------- */

/*
 * A buffer that is used up is followed by what else there is: by then it is all that there
 * will be, or, of a ring, the newer half.
 */
static int follow_up(dtrace_hdl_t *hdl, uint32_t cpu, dt_drain_t *d)
{
	if (d->data || hdl->enabling->phase != DT_PHASE_STOPPED)
		return 0;
	return dt_drain_refill(hdl, cpu, d) < 0 ? -1 : 0;
}

/* Takes the record before handing it out: a consumer that aborts does not see it again. */
static int hand_out(const dt_turn_t *t, uint32_t cpu, const dt_krecord_t *r)
{
	dt_drain_t *d = &t->hdl->consumer->drains[cpu];
	int err;

	d->at += r->size;
	err = dt_consume_record(t, cpu, r);
	dt_drain_settle(t->hdl, cpu, d);
	return follow_up(t->hdl, cpu, d) != 0 ? -1 : err;
}

/* Records of BEGIN, wherever it ran, come before all others. */
static int consume_begin(const dt_turn_t *t)
{
	const dt_span_t *begin = &t->hdl->enabling->begin_span;
	dt_consumer_t *c = t->hdl->consumer;
	dt_drain_t *d = &c->drains[begin->cpu];
	dt_krecord_t r;

	if (c->begun)
		return 0;
	while (begin->is_set && d->buffer == begin->buffer &&
	       dt_drain_peek(t->hdl, d, &r) && r.at < begin->to)
		if (hand_out(t, begin->cpu, &r) != 0)
			return -1;
	c->begun = true;
	return 0;
}

/* One CPU's records, up to END's or with them. */
static int consume_cpu(const dt_turn_t *t, uint32_t cpu, bool with_end)
{
	const dt_span_t *end = &t->hdl->enabling->end_span;
	dt_drain_t *d = &t->hdl->consumer->drains[cpu];
	bool has_end = !with_end && end->is_set && end->cpu == cpu;
	dt_krecord_t r;

	while (dt_drain_peek(t->hdl, d, &r)) {
		if (has_end && d->buffer == end->buffer && r.at >= end->from)
			return 0;
		if (hand_out(t, cpu, &r) != 0)
			return -1;
	}
	return 0;
}

static int consume_untimed(const dt_turn_t *t)
{
	uint32_t ncpus = t->hdl->enabling->env.ncpus;

	if (consume_begin(t) != 0)
		return -1;
	for (uint32_t cpu = 0; cpu < ncpus; cpu++)
		if (consume_cpu(t, cpu, false) != 0)
			return -1;
	for (uint32_t cpu = 0; cpu < ncpus; cpu++)
		if (consume_cpu(t, cpu, true) != 0)
			return -1;
	return 0;
}

/* ---- By time ----------------------------------------------------------------------------- */

/*
 * The oldest record of all CPUs is next, unless a CPU of which nothing is left may have got
 * an older one since it was looked at: then it waits for the next turn. A record counts no
 * earlier than one before it in its buffer: speculations are of the time they were
 * committed.
 */
static bool peek_clock(dtrace_hdl_t *hdl, const dt_drain_t *d, dt_krecord_t *r, uint64_t *clock)
{
	if (!dt_drain_peek(hdl, d, r))
		return false;
	*clock = r->time > d->clock ? r->time : d->clock;
	return true;
}

/* The CPU whose record is next; DT_NOCPU: none can be told to be. */
#define DT_NOCPU UINT32_MAX
static uint32_t next_by_time(const dt_turn_t *t, dt_krecord_t *next, uint64_t *time)
{
	const dt_enabling_t *en = t->hdl->enabling;
	const dt_drain_t *drains = t->hdl->consumer->drains;
	uint64_t until = UINT64_MAX, clock;
	uint32_t from = DT_NOCPU;
	dt_krecord_t r;

	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
		if (!peek_clock(t->hdl, &drains[cpu], &r, &clock)) {
			if (en->phase != DT_PHASE_STOPPED && drains[cpu].known < until)
				until = drains[cpu].known;
		} else if (from == DT_NOCPU || clock < *time) {
			from = cpu;
			*next = r;
			*time = clock;
		}
	}
	return from != DT_NOCPU && *time < until ? from : DT_NOCPU;
}

static int consume_timed(const dt_turn_t *t)
{
	dt_krecord_t next;
	uint64_t time = 0;
	uint32_t cpu;

	while ((cpu = next_by_time(t, &next, &time)) != DT_NOCPU) {
		t->hdl->consumer->drains[cpu].clock = time;
		if (hand_out(t, cpu, &next) != 0)
			return -1;
	}
	return 0;
}

/* ---- A turn ------------------------------------------------------------------------------ */

/*
 * Looks into every CPU's buffer. 0; 1: some CPU was too busy for it; -1.
 */
static int refill(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_drain_t *drains = hdl->consumer->drains;
	int busy = 0;

	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
		dt_drain_t *d = &drains[cpu];
		uint64_t before = (uint64_t)dt_now();
		int err;

		if (d->data)
			continue;
		err = dt_drain_refill(hdl, cpu, d);
		if (err < 0)
			return -1;
		busy |= err;
		if (err == 0)
			d->known = before;
		/* All that is there may have been discarded. */
		dt_drain_settle(hdl, cpu, d);
	}
	return busy;
}

/* What has been left over keeps its CPU from being looked at: once more after it. */
static int consume_by_time(const dt_turn_t *t)
{
	int busy;

	if (consume_timed(t) != 0)
		return -1;
	busy = refill(t->hdl);
	if (busy < 0)
		return -1;
	return consume_timed(t) != 0 ? -1 : busy;
}

/* Whether some clause prints or changes aggregations: then they are to be fresh. */
static bool uses_aggregations(const dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->necbs; i++) {
		const dt_recplan_t *plan = en->ecbs[i]->plan;

		for (uint32_t k = 0; k < plan->nfields; k++)
			if (plan->fields[k].rec.dtrd_action == DTRACEACT_LIBACT ||
			    plan->fields[k].rec.dtrd_action == DTRACEACT_PRINTA)
				return true;
	}
	return false;
}

static bool has_data(const dtrace_hdl_t *hdl)
{
	for (uint32_t cpu = 0; cpu < hdl->enabling->env.ncpus; cpu++)
		if (hdl->consumer->drains[cpu].data)
			return true;
	return false;
}

/* BEGIN's CPU is not to be passed over on the first turn. */
static bool misses_begin(const dtrace_hdl_t *hdl)
{
	const dt_span_t *begin = &hdl->enabling->begin_span;

	return !hdl->consumer->begun && begin->is_set &&
	       !hdl->consumer->drains[begin->cpu].data;
}

/* 0; 1: there is more that could not be had; -1. */
static int consume_buffers(const dt_turn_t *t)
{
	dtrace_hdl_t *hdl = t->hdl;
	dt_enabling_t *en = hdl->enabling;
	int busy = refill(hdl);

	if (busy < 0 || (busy && misses_begin(hdl)))
		return busy;
	if (has_data(hdl) && uses_aggregations(en) && dtrace_aggregate_snap(hdl) != 0)
		return -1;
	if (en->env.header.time)
		busy = consume_by_time(t);
	else if (consume_untimed(t) != 0)
		busy = -1;
	return busy < 0 || dt_specs_consume(t) != 0 ? -1 : busy;
}

int dtrace_consume(dtrace_hdl_t *hdl, FILE *fp, dtrace_consume_probe_f *probe_f,
		   dtrace_consume_rec_f *rec_f, void *arg)
{
	dt_enabling_t *en = hdl->enabling;
	const dt_turn_t t = {hdl, fp, probe_f, rec_f, arg};
	int more;

	if (!en || en->phase == DT_PHASE_COMPILE)
		return dt_set_errno(hdl, EDT_NOTACTIVE);
	if (en->nmaps == 0) /* dtrace_go() has failed */
		return 0;
	dt_bell_answer(hdl);
	if (prepare(hdl) != 0 || dt_report_drops(hdl) != 0)
		return -1;
	if (en->maps[DT_MAP_PRINCIPAL] < 0)
		return 0;
	more = consume_buffers(&t);
	if (more != 0 || has_data(hdl))
		dt_bell_ring(hdl);
	return more < 0 ? -1 : 0;
}

int dt_consume_specs(dtrace_hdl_t *hdl, FILE *fp, dtrace_consume_probe_f *probe_f,
		     dtrace_consume_rec_f *rec_f, void *arg)
{
	const dt_turn_t t = {hdl, fp, probe_f, rec_f, arg};

	if (!hdl->enabling->specs)
		return 0;
	dt_bell_answer(hdl);
	return prepare(hdl) != 0 ? -1 : dt_specs_consume(&t);
}
