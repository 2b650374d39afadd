/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggprint.c - aggregations in DTrace's default layout: keys in columns, then the value,
 * or a distribution under them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consume/agghist.h"
#include "consume/aggregate.h"
#include "consume/json.h"
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

/* ---- By CPU: aggpercpu ---------------------------------------------------------- */

static int print_percpu(const dtrace_aggdata_t *agg, FILE *fp)
{
	dtrace_hdl_t *hdl = agg->dtada_handle;
	const dtrace_recdesc_t *rec =
	    &agg->dtada_desc->dtagd_rec[agg->dtada_desc->dtagd_nrecs - 1];
	dt_aggvar_t *var = dt_aggs_var(dt_consumer_aggs(hdl), agg->dtada_desc->dtagd_varid);
	void *identity = malloc(rec->dtrd_size);
	int cpu, err = 0;

	if (identity == NULL || var == NULL) {
		free(identity);
		return dt_set_errno(hdl, EDT_NOMEM);
	}
	dt_agg_set_identity(var, identity);
	for (cpu = 0; err == 0 && cpu < dt_consumer_ncpus(hdl); cpu++) {
		const void *value = agg->dtada_percpu[cpu];

		/* A CPU where the key was never met. */
		if (memcmp(value, identity, rec->dtrd_size) == 0)
			continue;
		if (dt_printf(hdl, fp, "\n    CPU %d", cpu) < 0 ||
		    dt_print_aggvalue(hdl, fp, rec, value, agg->dtada_normal) < 0)
			err = -1;
	}
	free(identity);
	return err != 0 ? -1 : dt_buffered_flush(hdl, NULL, rec, agg, DTRACE_BUFDATA_AGGVAL);
}

/* ---- A line a key: agghist, aggpack ----------------------------------------------- */

/* The text of a key; false: it takes more than a line. */
static bool key_text(dtrace_hdl_t *hdl, const dtrace_recdesc_t *rec, const char *data,
		     char *text, size_t size)
{
	uint64_t value;

	if (rec->dtrd_uarg & DT_RECORD_STRING)
		snprintf(text, size, "%.*s", (int)strnlen(data, rec->dtrd_size), data);
	else if (rec->dtrd_action != DTRACEACT_DIFEXPR)
		return rec->dtrd_action != DTRACEACT_STACK &&
		       rec->dtrd_action != DTRACEACT_USTACK &&
		       rec->dtrd_action != DTRACEACT_JSTACK &&
		       dt_symbol_text(hdl, rec->dtrd_action, data, text, size) >= 0;
	else if (!dt_value_integer(data, rec->dtrd_size,
				   !(rec->dtrd_uarg & DTRACE_REC_UNSIGNED), &value))
		return false;
	else if (rec->dtrd_uarg & DTRACE_REC_UNSIGNED)
		snprintf(text, size, "%" PRIu64, value);
	else
		snprintf(text, size, "%" PRId64, (int64_t)value);
	return true;
}

/* All keys, a blank between them. */
static bool keys_text(const dtrace_aggdata_t *agg, char *text, size_t size)
{
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	size_t used = 0;
	int i;

	text[0] = '\0';
	for (i = 1; i < desc->dtagd_nrecs - 1 && used + 2 < size; i++) {
		const dtrace_recdesc_t *rec = &desc->dtagd_rec[i];

		if (i > 1)
			text[used++] = ' ';
		if (!key_text(agg->dtada_handle, rec, agg->dtada_data + rec->dtrd_offset,
			      text + used, size - used))
			return false;
		used += strlen(text + used);
	}
	return true;
}

static int print_line(const dtrace_aggdata_t *agg, dt_aggprint_t *print, const char *key)
{
	dtrace_hdl_t *hdl = agg->dtada_handle;
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	const dtrace_recdesc_t *rec = &desc->dtagd_rec[desc->dtagd_nrecs - 1];
	const void *value = agg->dtada_data + rec->dtrd_offset;
	bool is_packed = dt_agg_nbuckets(rec->dtrd_action, rec->dtrd_arg) != 0;
	dt_outbuf_t *out = dt_out(hdl);
	size_t mark;
	int result = 0;

	if (out == NULL)
		return -1;
	mark = out->length;
	if (print->heading != desc->dtagd_varid)
		result = is_packed ? dt_out_aggpack_heading(hdl, out, agg)
				   : dt_out_agghist_heading(hdl, out);
	print->heading = desc->dtagd_varid;
	if (result == 0)
		result = is_packed
			     ? dt_out_aggpack(hdl, out, key, agg)
			     : dt_out_agghist(hdl, out, key, agg,
					      dt_agg_scalar(rec->dtrd_action, value,
							    agg->dtada_normal));
	if (result == -1 || dt_out_emit(hdl, out, print->fp, mark) == -1)
		return -1;
	return dt_buffered_flush(hdl, NULL, NULL, agg, DTRACE_BUFDATA_AGGLAST);
}

/* Whether an option asks for it, and there are keys that fit. */
static bool is_line(const dtrace_aggdata_t *agg, char *key, size_t size)
{
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	const dtrace_recdesc_t *rec = &desc->dtagd_rec[desc->dtagd_nrecs - 1];
	bool is_hist = dt_agg_nbuckets(rec->dtrd_action, rec->dtrd_arg) != 0;

	return dt_option_is_on(agg->dtada_handle, is_hist ? DT_OPT_AGGPACK : DT_OPT_AGGHIST) &&
	       (is_hist || desc->dtagd_nrecs > 2) && keys_text(agg, key, size);
}

/* ---- Aggregations ------------------------------------------------------------------- */

int dt_print_agg(const dtrace_aggdata_t *agg, void *arg)
{
	dt_aggprint_t *print = arg;
	char key[SYMBOL_TEXT_MAX];

	if (print->unprinted_only && (agg->dtada_desc->dtagd_flags & DT_AGG_PRINTED))
		return DTRACE_AGGWALK_NEXT;
	if (!print->unprinted_only)
		agg->dtada_desc->dtagd_flags |= DT_AGG_PRINTED;
	if (dt_is_json(agg->dtada_handle))
		return dt_json_agg(agg, print->fp) < 0 ? DTRACE_AGGWALK_ERROR
						       : DTRACE_AGGWALK_NEXT;
	if (is_line(agg, key, sizeof(key)))
		return print_line(agg, print, key) < 0 ? DTRACE_AGGWALK_ERROR
						       : DTRACE_AGGWALK_NEXT;
	if (print_keys(agg, print->fp) < 0 || print_value(agg, print->fp) < 0 ||
	    (agg->dtada_percpu != NULL && print_percpu(agg, print->fp) < 0) ||
	    print_end(agg, print->fp) < 0)
		return DTRACE_AGGWALK_ERROR;
	return DTRACE_AGGWALK_NEXT;
}

int dt_print_aggs(const dtrace_aggdata_t **aggs, int n, void *arg)
{
	dt_aggprint_t *print = arg;
	bool is_json = dt_is_json(aggs[0]->dtada_handle);
	int i;

	if (!is_json && print_keys(aggs[0], print->fp) < 0)
		return DTRACE_AGGWALK_ERROR;
	for (i = 1; i < n; i++) {
		aggs[i]->dtada_desc->dtagd_flags |= DT_AGG_PRINTED;
		if ((is_json ? dt_json_agg : print_value)(aggs[i], print->fp) < 0)
			return DTRACE_AGGWALK_ERROR;
	}
	if (is_json)
		return DTRACE_AGGWALK_NEXT;
	return print_end(aggs[0], print->fp) < 0 ? DTRACE_AGGWALK_ERROR
						 : DTRACE_AGGWALK_NEXT;
}

int dtrace_aggregate_print(dtrace_hdl_t *hdl, FILE *fp, dtrace_aggregate_walk_f *walk)
{
	dt_aggprint_t print = {.fp = fp, .unprinted_only = true};

	return (walk != NULL ? walk : dtrace_aggregate_walk_sorted)(hdl, dt_print_agg,
								    &print);
}
