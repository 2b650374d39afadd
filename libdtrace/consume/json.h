/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - oformat=json: an object a line for each record and each aggregation. */
#ifndef DT_JSON_H
#define DT_JSON_H

#include "consume/output.h"
#include "consume/status.h"

static inline bool dt_is_json(const dtrace_hdl_t *hdl)
{
	return hdl->options[DT_OPT_OFORMAT] == DT_OFORMAT_JSON;
}

/*
 * A firing's line: begun, a value for each record that is left to the library, ended and
 * written. Each 0, or -1 with the handle's error set; dt_json_record() as dt_run_record().
 */
int dt_json_begin(dtrace_hdl_t *, const dtrace_probedata_t *);
int dt_json_record(dtrace_hdl_t *, FILE *, const dt_eprobe_t *, dtrace_probedata_t *,
		   const dtrace_recdesc_t *, uint_t left, char *shown);
int dt_json_end(dtrace_hdl_t *, FILE *, dtrace_probedata_t *);
/* The line of an aggregation's key and value. */
int dt_json_agg(const dtrace_aggdata_t *, FILE *);
void dt_json_fini(dtrace_hdl_t *);

#endif
