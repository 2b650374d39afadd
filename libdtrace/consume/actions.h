/* SPDX-License-Identifier: Apache-2.0 */
/* actions.h - what the library does with a record itself. */
#ifndef DT_ACTIONS_H
#define DT_ACTIONS_H

#include "consume/status.h"

/*
 * Both: rec is the first of `left` records whose values are at shown; fp NULL is for the
 * handler of buffered output. How many records it was, or -1 with the handle's error set.
 */
/* An action of DTRACEACT_LIBACT. */
int dt_library_action(dtrace_hdl_t *, FILE *, const dtrace_probedata_t *,
		      const dtrace_recdesc_t *, uint_t left, const char *shown);
/* Prints, or does, what any other record says. */
int dt_run_record(dtrace_hdl_t *, FILE *, const dt_eprobe_t *, dtrace_probedata_t *,
		  const dtrace_recdesc_t *, uint_t left, char *shown);
/* Forgets where the output went before freopen(). */
void dt_output_restore(dtrace_hdl_t *);

#endif
