/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - the consumer's state, and what it reports besides records. */
#ifndef DT_STATUS_H
#define DT_STATUS_H

#include "consume/buffers.h"

/* An enabled probe as consumers see it; made when its first record comes. */
typedef struct dt_eprobe {
	dtrace_eprobedesc_t *desc;
	dt_ecb_t *ecb;
	dt_probe_t *probe;
} dt_eprobe_t;

/* Where a CPU stands in the flow of entries and returns (flowindent). */
#define DT_MAXFLOWS 1024
typedef struct dt_flow {
	int indent;
	const dt_eprobe_t *last;
} dt_flow_t;

/* Where a stream wrote to before freopen(). */
typedef struct dt_output {
	FILE *fp; /* NULL: nothing has been redirected */
	int fd;
	bool is_redirected; /* and it is now */
} dt_output_t;

typedef struct dt_consumer {
	dt_aggs_t *aggs;
	dt_eprobe_t **eprobes; /* by epid - 1; NULL: not made yet */
	uint32_t neprobes;
	dt_drain_t *drains; /* by CPU */
	char *shown;	    /* a record being decoded */
	bool begun;	    /* BEGIN's records have been given */
	uint64_t *reported; /* drops, by CPU x DT_NKDROPS */
	uint64_t missed;    /* reported firings that the kernel held back */
	dt_output_t output;
	struct dt_bell *bell; /* NULL: nobody listens */
	struct dt_outbuf *json; /* the line that is being made */
	int64_t last_switch, last_status, last_snap, last_missed; /* ns */
	dt_flow_t flows[DT_MAXFLOWS]; /* by CPU */
} dt_consumer_t;

/* CLOCK_MONOTONIC in ns: the clock of timestamp and of records. */
int64_t dt_now(void);
/* Hands a fault to the handler of dtrace_handle_err(). 0, or -1. */
int dt_report_fault(dtrace_hdl_t *, uint32_t cpu, const dt_eprobe_t *, const dt_faultrec_t *);
/* The same of one that an action has when its record is consumed, in words. */
int dt_report_library_fault(dtrace_hdl_t *, const dtrace_probedata_t *, const char *what);
/* Hands drops since the last report to the handler of dtrace_handle_drop(). 0, or -1. */
int dt_report_drops(dtrace_hdl_t *);

#endif
