/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggprint.c - aggregations in DTrace's default layout: keys in columns, then the value,
 * or a distribution under them.
 */
#include <inttypes.h>
#include <string.h>

#include "consume/agghist.h"
#include "consume/aggregate.h"
#include "consume/output.h"

static int print_hist(dtrace_hdl_t *hdl, FILE *fp, uint16_t func, const void *value,
		      uint64_t normal)
{
	dt_outbuf_t *out = dt_out(hdl);
	size_t mark;

	if (out == NULL)
		return -1;
	mark = out->length;
	if (dt_out_hist(hdl, out, func, value, normal) == -1)
		return -1;
	return dt_out_emit(hdl, out, fp, mark);
}

int dt_print_aggvalue(dtrace_hdl_t *hdl, FILE *fp, const dtrace_recdesc_t *rec,
		      const void *data, uint64_t normal)
{
	if (!DTRACEACT_ISAGG(rec->dtrd_action))
		return dt_set_errno(hdl, EDT_BADAGG);
	if (dt_agg_nbuckets(rec->dtrd_action, rec->dtrd_arg) != 0)
		return print_hist(hdl, fp, rec->dtrd_action, data, normal);
	return dt_printf(hdl, fp, " %16" PRId64,
			 dt_agg_scalar(rec->dtrd_action, data, normal)) < 0
		   ? -1
		   : 0;
}

static int print_keys(const dtrace_aggdata_t *agg, FILE *fp)
{
	dtrace_hdl_t *hdl = agg->dtada_handle;
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	int i;

	for (i = 1; i < desc->dtagd_nrecs - 1; i++) {
		const dtrace_recdesc_t *rec = &desc->dtagd_rec[i];

		if (dt_print_value(hdl, fp, rec, agg->dtada_data + rec->dtrd_offset,
				   DT_WIDTH_KEY, 1) < 0 ||
		    dt_buffered_flush(hdl, NULL, rec, agg, DTRACE_BUFDATA_AGGKEY) < 0)
			return -1;
	}
	return 0;
}

static int print_value(const dtrace_aggdata_t *agg, FILE *fp)
{
	dtrace_hdl_t *hdl = agg->dtada_handle;
	const dtrace_recdesc_t *rec =
	    &agg->dtada_desc->dtagd_rec[agg->dtada_desc->dtagd_nrecs - 1];

	if (dt_print_aggvalue(hdl, fp, rec, agg->dtada_data + rec->dtrd_offset,
			      agg->dtada_normal) < 0)
		return -1;
	return dt_buffered_flush(hdl, NULL, rec, agg, DTRACE_BUFDATA_AGGVAL);
}

static int print_end(const dtrace_aggdata_t *agg, FILE *fp)
{
	dtrace_hdl_t *hdl = agg->dtada_handle;

	if (dt_printf(hdl, fp, "\n") < 0)
		return -1;
	return dt_buffered_flush(hdl, NULL, NULL, agg, DTRACE_BUFDATA_AGGLAST);
}

int dt_print_agg(const dtrace_aggdata_t *agg, void *arg)
{
	dt_aggprint_t *print = arg;

	if (print->unprinted_only && (agg->dtada_desc->dtagd_flags & DT_AGG_PRINTED))
		return DTRACE_AGGWALK_NEXT;
	if (!print->unprinted_only)
		agg->dtada_desc->dtagd_flags |= DT_AGG_PRINTED;
	if (print_keys(agg, print->fp) < 0 || print_value(agg, print->fp) < 0 ||
	    print_end(agg, print->fp) < 0)
		return DTRACE_AGGWALK_ERROR;
	return DTRACE_AGGWALK_NEXT;
}

int dt_print_aggs(const dtrace_aggdata_t **aggs, int n, void *arg)
{
	dt_aggprint_t *print = arg;
	int i;

	if (print_keys(aggs[0], print->fp) < 0)
		return DTRACE_AGGWALK_ERROR;
	for (i = 1; i < n; i++) {
		aggs[i]->dtada_desc->dtagd_flags |= DT_AGG_PRINTED;
		if (print_value(aggs[i], print->fp) < 0)
			return DTRACE_AGGWALK_ERROR;
	}
	return print_end(aggs[0], print->fp) < 0 ? DTRACE_AGGWALK_ERROR
						 : DTRACE_AGGWALK_NEXT;
}

int dtrace_aggregate_print(dtrace_hdl_t *hdl, FILE *fp, dtrace_aggregate_walk_f *walk)
{
	dt_aggprint_t print = {.fp = fp, .unprinted_only = true};

	return (walk != NULL ? walk : dtrace_aggregate_walk_sorted)(hdl, dt_print_agg,
								    &print);
}
