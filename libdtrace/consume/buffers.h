/* SPDX-License-Identifier: Apache-2.0 */
/* buffers.h - kernel buffers for consume.c: records one by one, aggregations all at once. */
#ifndef DT_BUFFERS_H
#define DT_BUFFERS_H

#include "consume/consume.h"
#include "enable/enable.h"
#include "handle.h"

/* What one CPU's principal buffer still holds of the last switch. */
typedef struct dt_drain {
	char *data;	 /* NULL: nothing */
	uint32_t at, end;
	uint32_t buffer; /* which of the two */
	uint64_t known;	 /* ns: every record of the CPU from before has been seen */
	uint64_t clock;	 /* temporal: the latest time handed out */
} dt_drain_t;

/* A record as it lies in the buffer. */
typedef struct dt_krecord {
	uint32_t clause, key;
	uint64_t time; /* 0: not recorded */
	pid_t pid;     /* -1: not recorded */
	char *data;
	uint32_t at;   /* of its header in the buffer */
	uint32_t size; /* header and data, and discarded records before it */
} dt_krecord_t;

/*
 * Switches the CPU's principal buffer if it holds anything and the last one is used up. 0;
 * 1: the CPU is too busy with programs for a switch; -1.
 */
int dt_drain_refill(dtrace_hdl_t *, uint32_t cpu, dt_drain_t *);
/* The next record, not yet taken: false when there is none. Discarded ones are passed. */
bool dt_drain_peek(dtrace_hdl_t *, const dt_drain_t *, dt_krecord_t *);
/* Gives the buffer back to the kernel, zeroed, if no record is left in it. */
void dt_drain_settle(dtrace_hdl_t *, uint32_t cpu, dt_drain_t *);

#endif
