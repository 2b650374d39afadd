/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agghist.c - distributions drawn as bars, in the layout of the Dynamic Tracing Guide:
 *
 *	           value  ------------- Distribution ------------- count
 *	               4 |                                         0
 *	               8 |@@@@@@@@@@@@@@@@@@@@@@@@@@               13
 *	              16 |@@@@@@@@@@@@@@                           7
 *	              32 |                                         0
 *
 * One empty bucket is shown on either side. Counts below zero (of quantize() with a
 * negative increment) draw to the left; where there are both, bars are half as long and
 * meet in the middle. With the option aggzoom the longest bar is as long as can be.
 *
 * With agghist, an aggregation of plain numbers is one such drawing with a bar a key; with
 * aggpack a distribution is packed into a line, a character a bucket:
 *
 *	             key     min .--------. max      | count
 *	            node       4 :_.=X@@- : 512      | 2040
 */
#include <inttypes.h>

#include "consume/agghist.h"

#define BAR_WIDTH 40

/* The counts of a distribution, and what its bars are drawn against. */
typedef struct hist {
	const int64_t *counts;
	uint32_t first, last; /* buckets shown */
	uint64_t normal;
	long double total; /* of the counts' absolute values; aggzoom: the largest */
	bool has_positives, has_negatives;
} hist_t;

/*
 * Takes in n counts. Without any that is not zero (after clear()) the buckets from empty
 * - 1 to empty + 1 are shown.
 */
static void init(hist_t *hist, const dtrace_hdl_t *hdl, const int64_t *counts, uint32_t n,
		 uint32_t empty, uint64_t normal)
{
	bool is_zoomed = dt_option_is_on(hdl, DT_OPT_AGGZOOM);
	uint32_t i;

	*hist = (hist_t){.counts = counts, .first = n, .normal = normal};
	for (i = 0; i < n; i++) {
		long double size = counts[i] < 0 ? -(long double)counts[i] : counts[i];

		if (counts[i] == 0)
			continue;
		if (hist->first == n)
			hist->first = i;
		hist->last = i;
		hist->has_negatives |= counts[i] < 0;
		hist->has_positives |= counts[i] > 0;
		if (!is_zoomed)
			hist->total += size;
		else if (size > hist->total)
			hist->total = size;
	}
	if (hist->first == n)
		hist->first = hist->last = empty;
	if (hist->first > 0)
		hist->first--;
	if (hist->last < n - 1)
		hist->last++;
}

static int print_header(dtrace_hdl_t *hdl, dt_outbuf_t *out)
{
	return dt_out_format(hdl, out, "\n%16s %41s %-9s\n", "value",
			     "------------- Distribution -------------", "count");
}

/* A bar of so many of width places, filled from the left or from the right. */
static int print_bar(dtrace_hdl_t *hdl, dt_outbuf_t *out, int filled, int width,
		     bool from_right)
{
	int blank = width - filled;

	if (from_right && dt_out_pad(hdl, out, ' ', (size_t)blank) == -1)
		return -1;
	if (dt_out_pad(hdl, out, '@', (size_t)filled) == -1)
		return -1;
	return from_right ? 0 : dt_out_pad(hdl, out, ' ', (size_t)blank);
}

static int bar_length(const hist_t *hist, int64_t count, int width)
{
	long double part = count < 0 ? -(long double)count : (long double)count;

	return hist->total != 0 ? (int)(part * width / hist->total + 0.5L) : 0;
}

/* What follows the bucket's label: the bar, or both halves of it, and the count. */
static int print_count(dtrace_hdl_t *hdl, dt_outbuf_t *out, const hist_t *hist,
		       int64_t count)
{
	bool is_mixed = hist->has_positives && hist->has_negatives;
	int width = is_mixed ? BAR_WIDTH / 2 : BAR_WIDTH;
	int filled = bar_length(hist, count, width);

	if (hist->has_negatives &&
	    print_bar(hdl, out, count < 0 ? filled : 0, width, true) == -1)
		return -1;
	if (dt_out_pad(hdl, out, '|', 1) == -1)
		return -1;
	if ((is_mixed || !hist->has_negatives) &&
	    print_bar(hdl, out, count > 0 ? filled : 0, width, false) == -1)
		return -1;
	return dt_out_format(hdl, out, " %-9" PRId64 "\n",
			     dt_normalized(count, hist->normal));
}

/* One bucket; relation: "", "< " or ">= ". */
static int print_bucket(dtrace_hdl_t *hdl, dt_outbuf_t *out, const hist_t *hist,
			uint32_t bucket, const char *relation, int64_t bound)
{
	char label[32];

	if (bucket < hist->first || bucket > hist->last)
		return 0;
	snprintf(label, sizeof(label), "%s%" PRId64, relation, bound);
	if (dt_out_format(hdl, out, "%16s ", label) == -1)
		return -1;
	return print_count(hdl, out, hist, hist->counts[bucket]);
}

static int print_quantize(dtrace_hdl_t *hdl, dt_outbuf_t *out, const int64_t *value,
			  uint64_t normal)
{
	hist_t hist;
	uint32_t i;

	init(&hist, hdl, value, DTRACE_QUANTIZE_NBUCKETS, DTRACE_QUANTIZE_ZEROBUCKET, normal);
	for (i = hist.first; i <= hist.last; i++) {
		if (print_bucket(hdl, out, &hist, i, "", DTRACE_QUANTIZE_BUCKETVAL(i)) ==
		    -1)
			return -1;
	}
	return 0;
}

static int print_lquantize(dtrace_hdl_t *hdl, dt_outbuf_t *out, const int64_t *value,
			   uint64_t normal)
{
	uint64_t arg = (uint64_t)value[0];
	uint32_t levels = DTRACE_LQUANTIZE_LEVELS(arg), i;
	hist_t hist;

	init(&hist, hdl, value + 1, levels + 2, 1, normal);
	if (print_bucket(hdl, out, &hist, 0, "< ", dt_lquantize_bound(arg, 1)) == -1)
		return -1;
	for (i = 1; i <= levels; i++) {
		if (print_bucket(hdl, out, &hist, i, "", dt_lquantize_bound(arg, i)) == -1)
			return -1;
	}
	return print_bucket(hdl, out, &hist, i, ">= ", dt_lquantize_bound(arg, i));
}

static int print_llquantize(dtrace_hdl_t *hdl, dt_outbuf_t *out, const int64_t *value,
			    uint64_t normal)
{
	uint64_t arg = (uint64_t)value[0];
	uint32_t bucket = 0;
	dt_llsteps_t steps;
	int64_t bound;
	hist_t hist;

	init(&hist, hdl, value + 1, dt_agg_nbuckets(DTRACEAGG_LLQUANTIZE, arg), 1, normal);
	dt_llsteps_begin(&steps, arg);
	if (print_bucket(hdl, out, &hist, 0, "< ", steps.value) == -1)
		return -1;
	while (dt_llsteps_next(&steps, &bucket, &bound)) {
		if (print_bucket(hdl, out, &hist, bucket, "", bound) == -1)
			return -1;
	}
	return print_bucket(hdl, out, &hist, bucket + 1, ">= ", steps.value);
}

int dt_out_hist(dtrace_hdl_t *hdl, dt_outbuf_t *out, uint16_t func, const void *value,
		uint64_t normal)
{
	if (print_header(hdl, out) == -1)
		return -1;
	switch (func) {
	case DTRACEAGG_QUANTIZE:
		return print_quantize(hdl, out, value, normal);
	case DTRACEAGG_LQUANTIZE:
		return print_lquantize(hdl, out, value, normal);
	default:
		return print_llquantize(hdl, out, value, normal);
	}
}

/* ---- A line a key ------------------------------------------------------------------- */

int dt_out_agghist_heading(dtrace_hdl_t *hdl, dt_outbuf_t *out)
{
	return dt_out_format(hdl, out, "\n%16s %41s %-9s\n", "key",
			     "------------- Distribution -------------", "count");
}

int dt_out_agghist(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *key,
		   const dtrace_aggdata_t *agg, int64_t value)
{
	hist_t hist = {
	    .total = agg->dtada_total,
	    .normal = 1,
	    .has_positives = agg->dtada_flags & DTRACE_A_HASPOSITIVES,
	    .has_negatives = agg->dtada_flags & DTRACE_A_HASNEGATIVES,
	};

	if (agg->dtada_normal > 1)
		hist.total /= agg->dtada_normal;
	return dt_out_format(hdl, out, "%16s ", key) == -1
		   ? -1
		   : print_count(hdl, out, &hist, value);
}

/* Buckets in the columns of a packed line: those in use by any key, at least one. */
static uint32_t pack_columns(const dtrace_aggdata_t *agg)
{
	return agg->dtada_maxbin >= agg->dtada_minbin
		   ? (uint32_t)agg->dtada_maxbin - agg->dtada_minbin + 1
		   : 1;
}

/* The lower bound of a bucket. */
static int64_t bucket_bound(uint16_t func, uint64_t arg, uint32_t bucket)
{
	uint32_t at = 0;
	dt_llsteps_t steps;
	int64_t bound = 0;

	if (func == DTRACEAGG_QUANTIZE)
		return DTRACE_QUANTIZE_BUCKETVAL(bucket);
	if (func == DTRACEAGG_LQUANTIZE)
		return dt_lquantize_bound(arg, bucket ? bucket : 1);
	dt_llsteps_begin(&steps, arg);
	if (bucket == 0)
		return steps.value;
	while (at < bucket && dt_llsteps_next(&steps, &at, &bound))
		continue;
	return at < bucket ? steps.value : bound;
}

int dt_out_aggpack_heading(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dtrace_aggdata_t *agg)
{
	if (dt_out_format(hdl, out, "\n%16s %10s .", "key", "min") == -1 ||
	    dt_out_pad(hdl, out, '-', pack_columns(agg)) == -1)
		return -1;
	return dt_out_format(hdl, out, ". %-10s | count\n", "max");
}

/* The higher the bar, the more ink. */
static char pack_mark(const hist_t *hist, int64_t count)
{
	static const char marks[] = " _.-=xX@";
	const int nmarks = sizeof(marks) - 2;
	int height = bar_length(hist, count, nmarks);

	if (count != 0 && height == 0)
		height = 1;
	return marks[height > nmarks ? nmarks : height];
}

int dt_out_aggpack(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *key,
		   const dtrace_aggdata_t *agg)
{
	const dtrace_recdesc_t *rec =
	    &agg->dtada_desc->dtagd_rec[agg->dtada_desc->dtagd_nrecs - 1];
	uint16_t func = rec->dtrd_action;
	uint32_t n = dt_agg_nbuckets(func, rec->dtrd_arg), columns = pack_columns(agg), i,
		 first = agg->dtada_minbin < n ? agg->dtada_minbin : 0;
	const int64_t *counts = (const int64_t *)(agg->dtada_data + rec->dtrd_offset) +
				(func == DTRACEAGG_QUANTIZE ? 0 : 1);
	hist_t hist;
	int64_t sum = 0;

	init(&hist, hdl, counts, n, 1, agg->dtada_normal);
	for (i = 0; i < n; i++)
		sum += counts[i];
	if (dt_out_format(hdl, out, "%16s %10" PRId64 " :", key,
			  bucket_bound(func, rec->dtrd_arg, first)) == -1)
		return -1;
	for (i = first; i < first + columns; i++) {
		if (dt_out_pad(hdl, out, pack_mark(&hist, counts[i]), 1) == -1)
			return -1;
	}
	return dt_out_format(hdl, out, ": %-10" PRId64 " | %" PRId64 "\n",
			     bucket_bound(func, rec->dtrd_arg, first + columns - 1),
			     dt_normalized(sum, agg->dtada_normal));
}
