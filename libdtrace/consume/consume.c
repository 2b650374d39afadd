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

#include "consume/buffers.h"
#include "consume/status.h"
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
	for (uint32_t i = 0; i < c->neprobes; i++)
		free(c->eprobes[i].desc);
	free(c->eprobes);
	free(c->drains);
	free(c->shown);
	free(c->reported);
	dt_aggs_destroy(c->aggs);
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
	c->eprobes = calloc(en->nepids + 1, sizeof(*c->eprobes));
	c->shown = calloc(1, largest + 8);
	c->drains = calloc(en->env.ncpus, sizeof(*c->drains));
	if (!c->eprobes || !c->shown || !c->drains)
		return dt_set_errno(hdl, EDT_NOMEM);
	c->neprobes = en->nepids;
	return 0;
}

/* ---- Enabled probes --------------------------------------------------------------- */

static int compare_key(const void *key, const void *probe)
{
	uint32_t a = *(const uint32_t *)key, b = (*(dt_probe_t *const *)probe)->key;

	return a < b ? -1 : a > b;
}

static dt_eprobe_t *make_eprobe(dtrace_hdl_t *hdl, dt_ecb_t *ecb, uint32_t index)
{
	dt_eprobe_t *ep = &hdl->consumer->eprobes[ecb->epid + index - 1];
	const dt_recplan_t *plan = ecb->plan;

	if (ep->desc)
		return ep;
	ep->desc = calloc(1, sizeof(*ep->desc) + plan->nfields * sizeof(dtrace_recdesc_t));
	if (!ep->desc) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
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

static int64_t integer_at(const char *p, uint32_t size)
{
	int64_t v = 0;

	if (size == 8)
		memcpy(&v, p, 8);
	else if (size == 4)
		v = *(const int32_t *)(const void *)p;
	else if (size == 2)
		v = *(const int16_t *)(const void *)p;
	else if (size == 1)
		v = *(const int8_t *)p;
	return v;
}

/* clear(), trunc() and their like act when they are met among the records. */
static int library_action(dtrace_hdl_t *hdl, const dtrace_recdesc_t *rec, const char *data)
{
	dtrace_aggvarid_t varid = (dtrace_aggvarid_t)(rec->dtrd_uarg & ~DT_RECORD_STRING);
	int64_t value = integer_at(data, rec->dtrd_size);

	switch (rec->dtrd_arg) {
	case DT_ACT_CLEAR:
		return dt_aggs_clear(hdl, varid);
	case DT_ACT_TRUNC:
		return dt_aggs_trunc(hdl, varid, value);
	case DT_ACT_NORMALIZE:
		if (value == 0)
			return 0; /* by nothing: left as it is */
		return dt_aggs_normalize(hdl, varid, (uint64_t)value);
	case DT_ACT_DENORMALIZE:
		return dt_aggs_normalize(hdl, varid, 1);
	default:
		return dt_set_errno(hdl, EDT_BADRECORD);
	}
}

static int print_printa(dtrace_hdl_t *hdl, FILE *fp, void *format, dtrace_probedata_t *pd,
			const dtrace_recdesc_t *rec)
{
	uint32_t n = (uint32_t)rec->dtrd_uarg;
	dtrace_aggvarid_t varids[64];

	if (n > sizeof(varids) / sizeof(varids[0]))
		n = sizeof(varids) / sizeof(varids[0]);
	for (uint32_t i = 0; i < n; i++)
		varids[i] = (dtrace_aggvarid_t)rec[i].dtrd_arg;
	return dt_printa(hdl, fp, format, pd, rec, varids, (int)n) < 0 ? -1 : (int)n;
}

/* Prints one record; returns how many it took, or -1. */
static int print_record(dtrace_hdl_t *hdl, FILE *fp, const dt_eprobe_t *ep,
			dtrace_probedata_t *pd, const dtrace_recdesc_t *rec, uint_t left,
			char *data)
{
	const dt_recplan_t *plan = ep->ecb->plan;
	void *format = rec->dtrd_format ? plan->formats[rec->dtrd_format - 1] : NULL;
	int n = 1;

	if (rec->dtrd_action == DTRACEACT_PRINTF)
		n = dtrace_fprintf(hdl, fp, format, pd, rec, left, data, plan->size);
	else if (rec->dtrd_action == DTRACEACT_PRINTA)
		n = print_printa(hdl, fp, format, pd, rec);
	else if (dt_print_value(hdl, fp, rec, data + rec->dtrd_offset, DT_WIDTH_TRACE, 1) < 0)
		return -1;
	if (n < 0 || dt_buffered_flush(hdl, pd, rec, NULL, 0) != 0)
		return -1;
	if (rec->dtrd_action == DTRACEACT_PRINTF && rec->dtrd_arg > 1 && n < (int)rec->dtrd_arg)
		n = (int)rec->dtrd_arg;
	return n ? n : 1;
}

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

static int consume_records(dtrace_hdl_t *hdl, FILE *fp, const dt_eprobe_t *ep,
			   dtrace_probedata_t *pd, char *shown, dtrace_consume_rec_f *rec_f,
			   void *arg)
{
	const dtrace_recdesc_t *recs = ep->desc->dtepd_rec;
	uint32_t n = (uint32_t)ep->desc->dtepd_nrecs;
	int took, said;

	for (uint32_t i = 0; i < n; i += (uint32_t)took) {
		const dtrace_recdesc_t *rec = &recs[i];

		pd->dtpda_data = shown + rec->dtrd_offset;
		took = 1;
		if (rec->dtrd_action == DTRACEACT_LIBACT) {
			if (library_action(hdl, rec, pd->dtpda_data) != 0)
				return -1;
			continue;
		}
		said = rec_f ? answer(hdl, rec_f(pd, rec, arg)) : 0;
		if (said < 0)
			return -1;
		if (said == 0) {
			took = print_record(hdl, fp, ep, pd, rec, n - i, shown);
			if (took < 0)
				return -1;
		}
	}
	pd->dtpda_data = shown;
	return rec_f && answer(hdl, rec_f(pd, NULL, arg)) < 0 ? -1 : 0;
}

static int consume_fault(dtrace_hdl_t *hdl, uint32_t cpu, const dt_krecord_t *r)
{
	dt_faultrec_t fault;
	dt_eprobe_t *ep;

	memcpy(&fault, r->data, sizeof(fault));
	ep = eprobe_of(hdl, fault.clause, fault.key);
	return ep ? dt_report_fault(hdl, cpu, ep, &fault) : -1;
}

/* The direction of a probe by its name, and the indentation that it makes. */
static void set_flow(dtrace_hdl_t *hdl, uint32_t cpu, dtrace_probedata_t *pd)
{
	const char *name = pd->dtpda_pdesc->dtpd_name;
	bool syscall = strcmp(pd->dtpda_pdesc->dtpd_provider, "syscall") == 0;
	int *indent = &hdl->consumer->indents[cpu % DT_MAXINDENTS];

	pd->dtpda_flow = DTRACEFLOW_NONE;
	pd->dtpda_prefix = "| ";
	if (strcmp(name, "entry") == 0) {
		pd->dtpda_flow = DTRACEFLOW_ENTRY;
		pd->dtpda_prefix = syscall ? "=> " : "-> ";
	} else if (strcmp(name, "return") == 0) {
		pd->dtpda_flow = DTRACEFLOW_RETURN;
		pd->dtpda_prefix = syscall ? "<= " : "<- ";
		*indent = *indent >= 2 ? *indent - 2 : 0;
	}
	pd->dtpda_indent = *indent;
	if (pd->dtpda_flow == DTRACEFLOW_ENTRY)
		*indent += 2;
}

static int consume_record(dtrace_hdl_t *hdl, FILE *fp, uint32_t cpu, const dt_krecord_t *r,
			  dtrace_consume_probe_f *probe_f, dtrace_consume_rec_f *rec_f,
			  void *arg)
{
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
	pd.dtpda_prefix = "";
	pd.dtpda_flow = DTRACEFLOW_NONE;
	if (hdl->options[DT_OPT_FLOWINDENT] != DTRACEOPT_UNSET)
		set_flow(hdl, cpu, &pd);
	said = probe_f ? answer(hdl, probe_f(&pd, arg)) : 0;
	if (said != 0)
		return said < 0 ? -1 : 0;
	return consume_records(hdl, fp, ep, &pd, shown, rec_f, arg);
}

/* ---- Order ---------------------------------------------------------------------------- */

typedef struct turn {
	dtrace_hdl_t *hdl;
	FILE *fp;
	dtrace_consume_probe_f *probe_f;
	dtrace_consume_rec_f *rec_f;
	void *arg;
} turn_t;

/* Takes the record before handing it out: a consumer that aborts does not see it again. */
static int hand_out(const turn_t *t, uint32_t cpu, const dt_krecord_t *r)
{
	dt_consumer_t *c = t->hdl->consumer;
	dt_drain_t *d = &c->drains[cpu];
	int err;

	d->at += r->size;
	err = consume_record(t->hdl, t->fp, cpu, r, t->probe_f, t->rec_f, t->arg);
	dt_drain_settle(t->hdl, cpu, d);
	return err;
}

static bool is_of(const dt_krecord_t *r, const dt_program_t *p)
{
	if (!p)
		return false;
	for (uint32_t i = 0; i < p->necbs; i++)
		if (p->ecbs[i]->number == r->clause)
			return true;
	return false;
}

/* Records of BEGIN, wherever it ran, come before all others. */
static int consume_begin(const turn_t *t)
{
	dt_enabling_t *en = t->hdl->enabling;
	dt_consumer_t *c = t->hdl->consumer;
	dt_krecord_t r;

	if (c->begun)
		return 0;
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
		while (dt_drain_peek(t->hdl, &c->drains[cpu], &r) && is_of(&r, en->begin))
			if (hand_out(t, cpu, &r) != 0)
				return -1;
	}
	c->begun = true;
	return 0;
}

/* One CPU's records up to END's. */
static int consume_cpu(const turn_t *t, uint32_t cpu, bool with_end)
{
	const dt_enabling_t *en = t->hdl->enabling;
	dt_drain_t *d = &t->hdl->consumer->drains[cpu];
	dt_krecord_t r;

	while (dt_drain_peek(t->hdl, d, &r) && (with_end || !is_of(&r, en->end)))
		if (hand_out(t, cpu, &r) != 0)
			return -1;
	return 0;
}

/* The oldest record of all CPUs first. */
static int consume_temporal(const turn_t *t)
{
	const dt_enabling_t *en = t->hdl->enabling;
	dt_consumer_t *c = t->hdl->consumer;

	for (;;) {
		dt_krecord_t oldest = {0}, r;
		uint32_t from = en->env.ncpus;

		for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
			if (!dt_drain_peek(t->hdl, &c->drains[cpu], &r))
				continue;
			if (from == en->env.ncpus || r.time < oldest.time) {
				oldest = r;
				from = cpu;
			}
		}
		if (from == en->env.ncpus)
			return 0;
		if (hand_out(t, from, &oldest) != 0)
			return -1;
	}
}

static int consume_all(const turn_t *t)
{
	const dt_enabling_t *en = t->hdl->enabling;

	if (consume_begin(t) != 0)
		return -1;
	if (en->env.temporal)
		return consume_temporal(t);
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++)
		if (consume_cpu(t, cpu, false) != 0)
			return -1;
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++)
		if (consume_cpu(t, cpu, true) != 0)
			return -1;
	return 0;
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

int dtrace_consume(dtrace_hdl_t *hdl, FILE *fp, dtrace_consume_probe_f *probe_f,
		   dtrace_consume_rec_f *rec_f, void *arg)
{
	dt_enabling_t *en = hdl->enabling;
	const turn_t t = {hdl, fp, probe_f, rec_f, arg};
	bool any = false;

	if (!en || en->phase == DT_PHASE_COMPILE)
		return dt_set_errno(hdl, EDT_NOTACTIVE);
	if (en->nmaps == 0) /* dtrace_go() has failed */
		return 0;
	if (prepare(hdl) != 0 || dt_report_drops(hdl) != 0)
		return -1;
	if (en->maps[DT_MAP_PRINCIPAL] < 0)
		return 0;
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
		if (dt_drain_refill(hdl, cpu, &hdl->consumer->drains[cpu]) != 0)
			return -1;
		/* All that is there may have been discarded. */
		dt_drain_settle(hdl, cpu, &hdl->consumer->drains[cpu]);
		any |= hdl->consumer->drains[cpu].data != NULL;
	}
	if (any && uses_aggregations(en) && dtrace_aggregate_snap(hdl) != 0)
		return -1;
	return consume_all(&t);
}
