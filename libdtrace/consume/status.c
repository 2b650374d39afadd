/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - what there is to know besides records: faults, drops, whether tracing has
 * ended; and the waiting between two turns.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "consume/status.h"
#include "proc.h"

/* ---- Faults --------------------------------------------------------------------- */

static void fault_message(dtrace_hdl_t *hdl, const dt_eprobe_t *ep, const dt_faultrec_t *f,
			  char *buf, size_t size)
{
	char name[DTRACE_FULLNAMELEN], where[64], address[40] = "";
	dtrace_probedesc_t desc = ep->probe->desc;

	desc.dtpd_id = 0; /* the name, not the number */
	dtrace_desc2str(&desc, name, sizeof(name));
	if (f->action == 0)
		snprintf(where, sizeof(where), "predicate");
	else
		snprintf(where, sizeof(where), "action #%u", f->action);
	if (f->fault == DTRACEFLT_BADADDR || f->fault == DTRACEFLT_BADALIGN ||
	    f->fault == DTRACEFLT_BADSTACK)
		snprintf(address, sizeof(address), " (0x%llx)", (unsigned long long)f->value);
	snprintf(buf, size, "error on enabled probe ID %u (ID %u: %s): %s%s in %s at DIF offset %u\n",
		 ep->desc->dtepd_epid, ep->desc->dtepd_probeid, name,
		 dtrace_faultstr(hdl, (int)f->fault), address, where, f->offset);
}

int dt_report_fault(dtrace_hdl_t *hdl, uint32_t cpu, const dt_eprobe_t *ep,
		    const dt_faultrec_t *f)
{
	char message[DTRACE_FULLNAMELEN + 160];
	dtrace_errdata_t data = {
	    .dteda_handle = hdl,
	    .dteda_edesc = ep->desc,
	    .dteda_pdesc = &ep->probe->desc,
	    .dteda_cpu = (processorid_t)cpu,
	    .dteda_action = (int)f->action,
	    .dteda_offset = (int)f->offset,
	    .dteda_fault = (int)f->fault,
	    .dteda_addr = f->value,
	    .dteda_msg = message,
	};

	fault_message(hdl, ep, f, message, sizeof(message));
	if (!hdl->errhdlr)
		return dt_set_error(hdl, EDT_ERRABORT, "%s", message);
	if (hdl->errhdlr(&data, hdl->errarg) == DTRACE_HANDLE_ABORT)
		return dt_set_errno(hdl, EDT_ERRABORT);
	return 0;
}

/* ---- Drops ---------------------------------------------------------------------- */

static const struct {
	dtrace_dropkind_t kind;
	const char *what;
	bool per_cpu;
} drops[DT_NKDROPS] = {
    [DT_KDROP_PRINCIPAL] = {DTRACEDROP_PRINCIPAL, "drop", true},
    [DT_KDROP_AGGREGATION] = {DTRACEDROP_AGGREGATION, "aggregation drop", true},
    [DT_KDROP_DYNAMIC] = {DTRACEDROP_DYNAMIC, "dynamic variable drop", false},
    [DT_KDROP_NESTED] = {DTRACEDROP_PRINCIPAL, "drop", true},
    [DT_KDROP_ERROR] = {DTRACEDROP_DBLERROR, "error in ERROR probe enabling", false},
};

static int report(dtrace_hdl_t *hdl, uint32_t cpu, int kdrop, uint64_t n, uint64_t total)
{
	char message[128];
	bool per_cpu = drops[kdrop].per_cpu;
	dtrace_dropdata_t data = {
	    .dtdda_handle = hdl,
	    .dtdda_cpu = per_cpu ? (processorid_t)cpu : -1,
	    .dtdda_kind = drops[kdrop].kind,
	    .dtdda_drops = n,
	    .dtdda_total = total,
	    .dtdda_msg = message,
	};
	int at;

	if (kdrop == DT_KDROP_ERROR)
		at = snprintf(message, sizeof(message), "%llu error%s in ERROR probe enabling",
			      (unsigned long long)n, n == 1 ? "" : "s");
	else
		at = snprintf(message, sizeof(message), "%llu %s%s", (unsigned long long)n,
			      drops[kdrop].what, n == 1 ? "" : "s");
	if (per_cpu)
		snprintf(message + at, sizeof(message) - (size_t)at, " on CPU %u\n", cpu);
	else
		snprintf(message + at, sizeof(message) - (size_t)at, "\n");
	if (!hdl->drophdlr)
		return dt_set_error(hdl, EDT_DROPABORT, "%s", message);
	if (hdl->drophdlr(&data, hdl->droparg) == DTRACE_HANDLE_ABORT)
		return dt_set_errno(hdl, EDT_DROPABORT);
	return 0;
}

int dt_report_drops(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_consumer_t *c = hdl->consumer;

	if (!en->cpus)
		return 0;
	if (!c->reported)
		c->reported = calloc((size_t)en->env.ncpus * DT_NKDROPS, sizeof(*c->reported));
	if (!c->reported)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
		for (int k = 0; k < DT_NKDROPS; k++) {
			uint64_t total = en->cpus[cpu].drops[k];
			uint64_t *before = &c->reported[cpu * DT_NKDROPS + (uint32_t)k];
			uint64_t n = total - *before;

			*before = total;
			if (n && report(hdl, cpu, k, n, total) != 0)
				return -1;
		}
	}
	return 0;
}

/* ---- Status ---------------------------------------------------------------------- */

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int dtrace_status(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_consumer_t *c = hdl->consumer;

	if (!en || en->phase == DT_PHASE_COMPILE)
		return DTRACE_STATUS_NONE;
	if (en->nmaps == 0)
		return DTRACE_STATUS_STOPPED;
	dt_procs_poll(hdl);
	c->last_status = now();
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
	return en->state->exited ? DTRACE_STATUS_EXITED : DTRACE_STATUS_OKAY;
}

/*
 * Until the first of switchrate, statusrate and aggrate is due again, or exit() rings the
 * bell, or a signal comes.
 */
void dtrace_sleep(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_consumer_t *c = hdl->consumer;
	int64_t due, status, t = now();
	struct timespec wait;
	struct pollfd bell = {.fd = -1, .events = POLLIN};

	if (!dt_is_active(hdl) || en->state->exited)
		return;
	due = c->last_switch + hdl->options[DT_OPT_SWITCHRATE];
	status = c->last_status + hdl->options[DT_OPT_STATUSRATE];
	if (status < due)
		due = status;
	if (due <= t)
		return;
	wait.tv_sec = (due - t) / 1000000000;
	wait.tv_nsec = (due - t) % 1000000000;
	bell.fd = en->maps[DT_MAP_BELL];
	if (ppoll(&bell, 1, &wait, NULL) < 0 && errno != EINTR)
		nanosleep(&wait, NULL);
}

int dtrace_ctlfd(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;

	if (!en || en->nmaps == 0)
		return dt_set_errno(hdl, EDT_NOTACTIVE);
	return en->maps[DT_MAP_BELL];
}

dtrace_workstatus_t dtrace_work(dtrace_hdl_t *hdl, FILE *fp, dtrace_consume_probe_f *probe_f,
				dtrace_consume_rec_f *rec_f, void *arg)
{
	dtrace_workstatus_t rval = DTRACE_WORKSTATUS_OKAY;

	switch (dtrace_status(hdl)) {
	case DTRACE_STATUS_EXITED:
	case DTRACE_STATUS_FILLED:
	case DTRACE_STATUS_STOPPED:
		rval = DTRACE_WORKSTATUS_DONE;
		break;
	case -1:
		return DTRACE_WORKSTATUS_ERROR;
	}
	hdl->consumer->last_switch = now();
	if (dtrace_consume(hdl, fp, probe_f, rec_f, arg) != 0)
		return DTRACE_WORKSTATUS_ERROR;
	return rval;
}
