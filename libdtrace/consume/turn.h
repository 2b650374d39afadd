/* SPDX-License-Identifier: Apache-2.0 */
/* turn.h - one dtrace_consume(): what it was called with. */
#ifndef DT_TURN_H
#define DT_TURN_H

#include "consume/buffers.h"

typedef struct dt_turn {
	dtrace_hdl_t *hdl;
	FILE *fp;
	dtrace_consume_probe_f *probe_f;
	dtrace_consume_rec_f *rec_f;
	void *arg;
} dt_turn_t;

/* Hands out one record. 0, or -1 with the handle's error set. */
int dt_consume_record(const dt_turn_t *, uint32_t cpu, const dt_krecord_t *);
/* Hands out the parts of committed speculations that other CPUs have than the one that
 * committed, and lets the speculations be used again. 0, or -1. */
int dt_specs_consume(const dt_turn_t *);
/* The same between two turns: buffers are left alone. */
int dt_consume_specs(dtrace_hdl_t *, FILE *, dtrace_consume_probe_f *, dtrace_consume_rec_f *,
		     void *);

#endif
