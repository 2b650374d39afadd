/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - what there is to know besides records: faults, drops, whether tracing has
 * ended; and the waiting between two turns.
 */
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "consume/bell.h"
#include "consume/output.h"
#include "consume/status.h"
#include "consume/turn.h"
#include "proc.h"

/* ---- Faults --------------------------------------------------------------------- */

/* Gives the fault to the consumer, told by what has happened. */
static int hand_fault(dtrace_hdl_t *hdl, dtrace_errdata_t *data, const char *what)
{
	char name[DTRACE_FULLNAMELEN], message[DTRACE_FULLNAMELEN + PATH_MAX];
	dtrace_probedesc_t desc = *data->dteda_pdesc;

	desc.dtpd_id = 0; /* the name, not the number */
	dtrace_desc2str(&desc, name, sizeof(name));
	snprintf(message, sizeof(message), "error on enabled probe ID %u (ID %u: %s): %s\n",
		 data->dteda_edesc->dtepd_epid, data->dteda_edesc->dtepd_probeid, name, what);
	data->dteda_msg = message;
	if (!hdl->errhdlr)
		return dt_set_error(hdl, EDT_ERRABORT, "%s", message);
	if (hdl->errhdlr(data, hdl->errarg) == DTRACE_HANDLE_ABORT)
		return dt_set_errno(hdl, EDT_ERRABORT);
	return 0;
}

static void fault_text(dtrace_hdl_t *hdl, const dt_faultrec_t *f, char *buf, size_t size)
{
	char where[64], address[40] = "";

	if (f->action == 0)
		snprintf(where, sizeof(where), "predicate");
	else
		snprintf(where, sizeof(where), "action #%u", f->action);
	if (f->fault == DTRACEFLT_BADADDR || f->fault == DTRACEFLT_BADALIGN ||
	    f->fault == DTRACEFLT_BADSTACK)
		snprintf(address, sizeof(address), " (0x%llx)", (unsigned long long)f->value);
	snprintf(buf, size, "%s%s in %s at DIF offset %u", dtrace_faultstr(hdl, (int)f->fault),
		 address, where, f->offset);
}

int dt_report_fault(dtrace_hdl_t *hdl, uint32_t cpu, const dt_eprobe_t *ep,
		    const dt_faultrec_t *f)
{
	char text[160];
	dtrace_errdata_t data = {
	    .dteda_handle = hdl,
	    .dteda_edesc = ep->desc,
	    .dteda_pdesc = &ep->probe->desc,
	    .dteda_cpu = (processorid_t)cpu,
	    .dteda_action = (int)f->action,
	    .dteda_offset = (int)f->offset,
	    .dteda_fault = (int)f->fault,
	    .dteda_addr = f->value,
	};

	fault_text(hdl, f, text, sizeof(text));
	return hand_fault(hdl, &data, text);
}

int dt_report_library_fault(dtrace_hdl_t *hdl, const dtrace_probedata_t *probe,
			    const char *what)
{
	dtrace_errdata_t data = {
	    .dteda_handle = hdl,
	    .dteda_edesc = probe->dtpda_edesc,
	    .dteda_pdesc = probe->dtpda_pdesc,
	    .dteda_cpu = probe->dtpda_cpu,
	    .dteda_action = -1,
	    .dteda_offset = -1,
	    .dteda_fault = DTRACEFLT_LIBRARY,
	};

	return hand_fault(hdl, &data, what);
}

/* ---- Drops ---------------------------------------------------------------------- */

/* What a count of drops is called: one, several. */
typedef struct dt_dropwords {
	dtrace_dropkind_t kind;
	const char *tag, *one, *more;
	bool per_cpu;
} dt_dropwords_t;

#define DT_DROP(kind, one, more, per_cpu) {DTRACEDROP_##kind, "DTRACEDROP_" #kind, one, more, per_cpu}

static const dt_dropwords_t dropwords[DT_NKDROPS] = {
    [DT_KDROP_PRINCIPAL] = DT_DROP(PRINCIPAL, "drop", "drops", true),
    [DT_KDROP_AGGREGATION] =
	DT_DROP(AGGREGATION, "aggregation drop", "aggregation drops", true),
    [DT_KDROP_DYNAMIC] =
	DT_DROP(DYNAMIC, "dynamic variable drop", "dynamic variable drops", false),
    [DT_KDROP_NESTED] = DT_DROP(PRINCIPAL, "drop", "drops", true),
    [DT_KDROP_ERROR] = DT_DROP(DBLERROR, "error in ERROR probe enabling",
			       "errors in ERROR probe enabling", false),
    [DT_KDROP_SPEC] = DT_DROP(SPEC, "speculative drop", "speculative drops", false),
    [DT_KDROP_SPECBUSY] =
	DT_DROP(SPECBUSY, "failed speculation (available buffer(s) still busy)",
		"failed speculations (available buffer(s) still busy)", false),
    [DT_KDROP_SPECUNAVAIL] =
	DT_DROP(SPECUNAVAIL, "failed speculation (no speculative buffer available)",
		"failed speculations (no speculative buffer available)", false),
};

static const dt_dropwords_t missed_words =
    DT_DROP(PRINCIPAL, "drop of a probe that fired within itself",
	    "drops of probes that fired within themselves", false);

static int report(dtrace_hdl_t *hdl, int cpu, const dt_dropwords_t *words, uint64_t n,
		  uint64_t total)
{
	char message[160], tag[40] = "", where[24] = "";
	dtrace_dropdata_t data = {
	    .dtdda_handle = hdl,
	    .dtdda_cpu = words->per_cpu ? cpu : -1,
	    .dtdda_kind = words->kind,
	    .dtdda_drops = n,
	    .dtdda_total = total,
	    .dtdda_msg = message,
	};

	if (n == 0)
		return 0;
	if (dt_option_is_on(hdl, DT_OPT_DROPTAGS))
		snprintf(tag, sizeof(tag), "[%s] ", words->tag);
	if (words->per_cpu)
		snprintf(where, sizeof(where), " on CPU %d", cpu);
	snprintf(message, sizeof(message), "%s%llu %s%s\n", tag, (unsigned long long)n,
		 n == 1 ? words->one : words->more, where);
	if (!hdl->drophdlr)
		return dt_set_error(hdl, EDT_DROPABORT, "%s", message);
	if (hdl->drophdlr(&data, hdl->droparg) == DTRACE_HANDLE_ABORT)
		return dt_set_errno(hdl, EDT_DROPABORT);
	return 0;
}

/* Those of one CPU, or, of a kind that is not counted by CPU, of all together. */
static int report_kind(dtrace_hdl_t *hdl, int kdrop)
{
	const dt_enabling_t *en = hdl->enabling;
	const dt_dropwords_t *words = &dropwords[kdrop];
	uint64_t all = 0, all_new = 0;

	for (uint32_t cpu = 0; cpu < en->env.npossible; cpu++) {
		uint64_t total = dt_cpu_words(en, cpu)->drops[kdrop];
		uint64_t *before = &hdl->consumer->reported[cpu * DT_NKDROPS + (uint32_t)kdrop];
		uint64_t n = total - *before;

		*before = total;
		all += total;
		all_new += n;
		if (words->per_cpu && report(hdl, (int)cpu, words, n, total) != 0)
			return -1;
	}
	return words->per_cpu ? 0 : report(hdl, -1, words, all_new, all);
}

static int report_missed(dtrace_hdl_t *hdl)
{
	uint64_t n = hdl->enabling->missed - hdl->consumer->missed;

	hdl->consumer->missed = hdl->enabling->missed;
	return report(hdl, -1, &missed_words, n, hdl->enabling->missed);
}

int dt_report_drops(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_consumer_t *c = hdl->consumer;

	if (!en->state)
		return 0;
	if (!c->reported)
		c->reported = calloc((size_t)en->env.npossible * DT_NKDROPS,
				     sizeof(*c->reported));
	if (!c->reported)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (int k = 0; k < DT_NKDROPS; k++)
		if (report_kind(hdl, k) != 0)
			return -1;
	return report_missed(hdl);
}

/* ---- Status ---------------------------------------------------------------------- */

int64_t dt_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int dtrace_status(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_consumer_t *c = hdl->consumer;
	int64_t now;

	if (!en || en->phase == DT_PHASE_COMPILE)
		return DTRACE_STATUS_NONE;
	if (en->nmaps == 0)
		return DTRACE_STATUS_STOPPED;
	dt_procs_poll(hdl);
	if (dt_follow(hdl) != 0)
		return -1;
	now = dt_now();
	if (en->phase == DT_PHASE_ACTIVE &&
	    now - c->last_missed >= hdl->options[DT_OPT_STATUSRATE]) {
		c->last_missed = now;
		dt_programs_count_missed(en);
	}
	c->last_status = now;
	if (en->phase == DT_PHASE_STOPPED ||
	    c->last_status - c->last_snap >= hdl->options[DT_OPT_AGGRATE]) {
		c->last_snap = c->last_status;
		if (dtrace_aggregate_snap(hdl) != 0)
			return -1;
	}
	if (dt_report_drops(hdl) != 0)
		return -1;
	if (en->phase == DT_PHASE_STOPPED)
		return DTRACE_STATUS_STOPPED;
	if (en->state->exited)
		return DTRACE_STATUS_EXITED;
	return en->state->filled ? DTRACE_STATUS_FILLED : DTRACE_STATUS_OKAY;
}

/* Processes whose end is waited for at the same time; more are noticed at statusrate. */
#define DT_MAXWAITS 32

/* When the first of the rates asks for another turn. */
static int64_t next_turn(const dtrace_hdl_t *hdl)
{
	const dt_consumer_t *c = hdl->consumer;
	const dtrace_optval_t *options = hdl->options;
	int64_t turn = c->last_switch + options[DT_OPT_SWITCHRATE],
		status = c->last_status + options[DT_OPT_STATUSRATE],
		aggregate = c->last_snap + options[DT_OPT_AGGRATE];

	if (status < turn)
		turn = status;
	if (aggregate < turn && dt_aggregates(hdl->enabling))
		turn = aggregate;
	if (dt_follow_due(hdl->enabling) < turn)
		turn = dt_follow_due(hdl->enabling);
	return turn;
}

/*
 * Until the first of switchrate, statusrate and aggrate is due again, or the bell rings, or
 * a process of the handle ends or may bring probes, or a signal comes.
 */
void dtrace_sleep(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	struct pollfd fds[2 + DT_MAXWAITS] = {{.events = POLLIN}, {.events = POLLIN}};
	int64_t wait;
	struct timespec time;
	size_t n;

	if (!dt_is_active(hdl) || en->state->exited || en->state->filled)
		return;
	wait = next_turn(hdl) - dt_now();
	if (wait <= 0)
		return;
	time.tv_sec = wait / 1000000000;
	time.tv_nsec = wait % 1000000000;
	fds[0].fd = dt_bell_descriptor(hdl);
	fds[1].fd = dt_follow_descriptor(en);
	n = 2 + dt_procs_descriptors(hdl, fds + 2, DT_MAXWAITS);
	ppoll(fds, n, &time, NULL);
}

/*
 * Whether buffers are to be switched in this turn: not before switchrate says so, unless it
 * is the last one, or the consumer comes when it is called.
 */
static bool switch_is_due(dtrace_hdl_t *hdl, dtrace_workstatus_t status)
{
	const dt_enabling_t *en = hdl->enabling;

	if (status == DTRACE_WORKSTATUS_DONE || !en || !en->state || en->state->bell_wanted)
		return true;
	return dt_now() >= hdl->consumer->last_switch + hdl->options[DT_OPT_SWITCHRATE];
}

dtrace_workstatus_t dtrace_work(dtrace_hdl_t *hdl, FILE *fp, dtrace_consume_probe_f *probe_f,
				dtrace_consume_rec_f *rec_f, void *arg)
{
	dtrace_workstatus_t rval = DTRACE_WORKSTATUS_OKAY;
	int err;

	switch (dtrace_status(hdl)) {
	case DTRACE_STATUS_EXITED:
	case DTRACE_STATUS_FILLED:
	case DTRACE_STATUS_STOPPED:
		rval = DTRACE_WORKSTATUS_DONE;
		break;
	case -1:
		return DTRACE_WORKSTATUS_ERROR;
	}
	if (switch_is_due(hdl, rval)) {
		hdl->consumer->last_switch = dt_now();
		err = dtrace_consume(hdl, fp, probe_f, rec_f, arg);
	} else {
		err = dt_consume_specs(hdl, fp, probe_f, rec_f, arg);
	}
	return err ? DTRACE_WORKSTATUS_ERROR : rval;
}
