/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggmath.c - what the values of aggregations mean: their sizes, the buckets'
 * bounds, averages and deviations.
 */
#include <string.h>

#include "consume/aggregate.h"
#include "consume/output.h"

/* ---- Buckets ---------------------------------------------------------------- */

static bool multiply(int64_t *value, int64_t by)
{
	return !__builtin_mul_overflow(*value, by, value);
}

/*
 * From factor^low on, every magnitude up to high is cut into nsteps steps between 0 and
 * its end, of which those below its begin belong to the magnitude before; into steps of 1
 * where it has fewer numbers than that.
 */
static void set_magnitude(dt_llsteps_t *steps)
{
	if (steps->value == INT64_MAX) {
		steps->order = steps->high + 1;
		return;
	}
	steps->next = steps->value;
	if (!multiply(&steps->next, steps->factor))
		steps->next = INT64_MAX;
	steps->step = steps->next > steps->nsteps ? steps->next / steps->nsteps : 1;
}

void dt_llsteps_begin(dt_llsteps_t *steps, uint64_t arg)
{
	uint32_t i;

	*steps = (dt_llsteps_t){
	    .factor = DTRACE_LLQUANTIZE_FACTOR(arg),
	    .order = DTRACE_LLQUANTIZE_LOW(arg),
	    .high = DTRACE_LLQUANTIZE_HIGH(arg),
	    .nsteps = DTRACE_LLQUANTIZE_NSTEP(arg),
	    .bucket = 1,
	    .value = 1,
	};
	for (i = 0; i < steps->order; i++) {
		if (!multiply(&steps->value, steps->factor)) {
			steps->order = steps->high + 1;
			return;
		}
	}
	if (steps->factor < 2 || steps->nsteps == 0)
		steps->order = steps->high + 1;
	else
		set_magnitude(steps);
}

bool dt_llsteps_next(dt_llsteps_t *steps, uint32_t *bucket, int64_t *bound)
{
	if (steps->order > steps->high)
		return false;
	*bucket = steps->bucket++;
	*bound = steps->value;
	if (steps->step < steps->next - steps->value) {
		steps->value += steps->step;
	} else {
		steps->value = steps->next;
		steps->order++;
		set_magnitude(steps);
	}
	return true;
}

int64_t dt_lquantize_bound(uint64_t arg, uint32_t bucket)
{
	return DTRACE_LQUANTIZE_BASE(arg) +
	       ((int64_t)bucket - 1) * (int64_t)DTRACE_LQUANTIZE_STEP(arg);
}

uint32_t dt_agg_nbuckets(uint16_t func, uint64_t arg)
{
	dt_llsteps_t steps;
	uint32_t bucket, n = 0;
	int64_t bound;

	switch (func) {
	case DTRACEAGG_QUANTIZE:
		return DTRACE_QUANTIZE_NBUCKETS;
	case DTRACEAGG_LQUANTIZE:
		return DTRACE_LQUANTIZE_LEVELS(arg) + 2;
	case DTRACEAGG_LLQUANTIZE:
		dt_llsteps_begin(&steps, arg);
		while (dt_llsteps_next(&steps, &bucket, &bound))
			n++;
		return n + 2;
	default:
		return 0;
	}
}

uint32_t dt_agg_value_size(uint16_t func, uint64_t arg)
{
	uint32_t word = sizeof(uint64_t);

	switch (func) {
	case DTRACEAGG_AVG:
		return 2 * word;
	case DTRACEAGG_STDDEV:
		return 4 * word;
	case DTRACEAGG_QUANTIZE:
		return dt_agg_nbuckets(func, arg) * word;
	case DTRACEAGG_LQUANTIZE:
	case DTRACEAGG_LLQUANTIZE:
		return (1 + dt_agg_nbuckets(func, arg)) * word;
	default:
		return word;
	}
}

/* ---- Averages ----------------------------------------------------------------- */

int64_t dt_agg_average(const int64_t *value)
{
	return value[0] > 0 ? value[1] / value[0] : 0;
}

/* The integer square root, rounded down: one bit of the root at a time. */
static uint64_t square_root(unsigned __int128 square)
{
	uint64_t root = 0, bit;

	for (bit = 1ULL << 63; bit != 0; bit >>= 1) {
		uint64_t next = root | bit;

		if ((unsigned __int128)next * next <= square)
			root = next;
	}
	return root;
}

/*
 * The root of the average of the squares less the square of the average, both averages
 * rounded to integers: as the Dynamic Tracing Guide defines stddev().
 */
uint64_t dt_agg_stddev(const int64_t *value)
{
	unsigned __int128 squares;
	uint64_t average;

	if (value[0] <= 0)
		return 0;
	squares = (unsigned __int128)(uint64_t)value[3] << 64 | (uint64_t)value[2];
	squares /= (uint64_t)value[0];
	average = (uint64_t)dt_agg_average(value);
	if (value[1] < 0)
		average = -average;
	return square_root(squares - (unsigned __int128)average * average);
}

int64_t dt_agg_scalar(uint16_t func, const void *value, uint64_t normal)
{
	switch (func) {
	case DTRACEAGG_AVG:
		return dt_normalized(dt_agg_average(value), normal);
	case DTRACEAGG_STDDEV:
		return dt_normalized((int64_t)dt_agg_stddev(value), normal);
	default:
		return dt_normalized(*(const int64_t *)value, normal);
	}
}

/* ---- Magnitude ------------------------------------------------------------------ */

static long double quantize_magnitude(const int64_t *buckets, int64_t *zeros)
{
	long double sum = 0;
	uint32_t i;

	for (i = 0; i < DTRACE_QUANTIZE_NBUCKETS; i++)
		sum += (long double)DTRACE_QUANTIZE_BUCKETVAL(i) * buckets[i];
	*zeros = buckets[DTRACE_QUANTIZE_ZEROBUCKET];
	return sum;
}

static long double lquantize_magnitude(uint64_t arg, const int64_t *buckets, int64_t *zeros)
{
	uint32_t levels = DTRACE_LQUANTIZE_LEVELS(arg), i;
	long double sum = ((long double)DTRACE_LQUANTIZE_BASE(arg) - 1) * buckets[0];

	for (i = 1; i <= levels + 1; i++) {
		int64_t bound = dt_lquantize_bound(arg, i);

		if (bound == 0)
			*zeros = buckets[i];
		sum += (long double)bound * buckets[i];
	}
	return sum;
}

static long double llquantize_magnitude(uint64_t arg, const int64_t *buckets,
					int64_t *zeros)
{
	uint32_t bucket = 0;
	long double sum = 0;
	dt_llsteps_t steps;
	int64_t bound;

	*zeros = buckets[0];
	dt_llsteps_begin(&steps, arg);
	while (dt_llsteps_next(&steps, &bucket, &bound))
		sum += (long double)bound * buckets[bucket];
	return sum + (long double)steps.value * buckets[bucket + 1];
}

long double dt_agg_magnitude(const dt_aggvar_t *var, const void *value, int64_t *zeros)
{
	const int64_t *words = value;
	uint64_t arg = var->layout.arg;

	*zeros = 0;
	switch (var->layout.func) {
	case DTRACEAGG_AVG:
		return dt_agg_average(words);
	case DTRACEAGG_STDDEV:
		return dt_agg_stddev(words);
	case DTRACEAGG_QUANTIZE:
		return quantize_magnitude(words, zeros);
	case DTRACEAGG_LQUANTIZE:
		return lquantize_magnitude(arg, words + 1, zeros);
	case DTRACEAGG_LLQUANTIZE:
		return llquantize_magnitude(arg, words + 1, zeros);
	default:
		return words[0];
	}
}
