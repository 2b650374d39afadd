/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregations.c - the records of aggregations, put into batches (batch.c): the keys of
 * one, its value, and an end. JavaScript knows an aggregation by its number, and is told
 * the first time what it is.
 */
#include "addon.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 int128_t;
__extension__ typedef unsigned __int128 uint128_t;

typedef struct walk {
	da_consumer_t *consumer;
	const da_walkspec_t *spec;
	bool *is_described; /* by number */
	size_t ndescribed;
} walk_t;

static int64_t word(const char *data, uint32_t index)
{
	return (int64_t)da_word(data, index);
}

static napi_value integer(const da_consumer_t *c, int64_t value)
{
	da_value_t read;

	da_value_set_int64(c, value, &read);
	return da_value_create(c->env, &read);
}

/* ---- Buckets ------------------------------------------------------------------ */

typedef struct buckets {
	const da_consumer_t *consumer;
	napi_env env;
	napi_value array;
	uint32_t count;
	uint64_t normal;
	bool is_bounds; /* upper bounds are wanted, those of empty buckets too */
} buckets_t;

/* Adds [[min, max], count] unless the bucket is empty; or its bound. */
static void bucket_add(buckets_t *b, int64_t min, int64_t max, int64_t count)
{
	napi_value bounds, bucket;

	if (b->is_bounds)
		napi_set_element(b->env, b->array, b->count++,
				 da_number(b->env, (double)max));
	if (count == 0 || b->is_bounds)
		return;
	napi_create_array_with_length(b->env, 2, &bounds);
	napi_create_array_with_length(b->env, 2, &bucket);
	napi_set_element(b->env, bounds, 0, integer(b->consumer, min));
	napi_set_element(b->env, bounds, 1, integer(b->consumer, max));
	napi_set_element(b->env, bucket, 0, bounds);
	napi_set_element(b->env, bucket, 1,
			 b->normal == 1
			     ? integer(b->consumer, count)
			     : da_number(b->env, (double)count / (double)b->normal));
	napi_set_element(b->env, b->array, b->count++, bucket);
}

static void quantize(buckets_t *b, const char *data, uint32_t nwords)
{
	const uint32_t zero = DTRACE_QUANTIZE_ZEROBUCKET;

	for (uint32_t i = 0; i < nwords && i < DTRACE_QUANTIZE_NBUCKETS; i++) {
		int64_t value = DTRACE_QUANTIZE_BUCKETVAL(i);
		int64_t far = value + (value - (i < zero ? -1 : 1));

		if (i == zero)
			bucket_add(b, 0, 0, word(data, i));
		else if (i < zero)
			bucket_add(b, i == 0 ? INT64_MIN : far, value, word(data, i));
		else
			bucket_add(b, value, far, word(data, i));
	}
}

static void lquantize(buckets_t *b, const char *data, uint32_t nwords)
{
	uint64_t arg = (uint64_t)word(data, 0);
	int64_t base = DTRACE_LQUANTIZE_BASE(arg);
	int64_t step = DTRACE_LQUANTIZE_STEP(arg);
	uint32_t levels = DTRACE_LQUANTIZE_LEVELS(arg);

	if (nwords < levels + 3) /* the argument, below, the levels, above */
		return;
	bucket_add(b, INT64_MIN, base - 1, word(data, 1));
	for (uint32_t i = 0; i < levels; i++)
		bucket_add(b, base + i * step, base + (i + 1) * step - 1,
			   word(data, 2 + i));
	bucket_add(b, base + levels * step, INT64_MAX, word(data, 2 + levels));
}

/*
 * Each magnitude, from factor^low to factor^high inclusive, is divided into steps of equal
 * width, as many as keep the width whole.
 */
static void llquantize(buckets_t *b, const char *data, uint32_t nwords)
{
	uint64_t arg = (uint64_t)word(data, 0);
	int128_t factor = DTRACE_LLQUANTIZE_FACTOR(arg);
	uint32_t low = DTRACE_LLQUANTIZE_LOW(arg), high = DTRACE_LLQUANTIZE_HIGH(arg);
	int64_t nsteps = DTRACE_LLQUANTIZE_NSTEP(arg);
	int128_t from = 1, next, step;
	uint32_t i = 1;

	if (factor < 2 || nsteps < 1 || nwords < 3)
		return;
	for (uint32_t order = 0; order < low && from <= INT64_MAX; order++)
		from *= factor;
	if (from > INT64_MAX)
		return;
	bucket_add(b, 0, (int64_t)from - 1, word(data, i++));
	for (uint32_t order = low; order <= high && i + 1 < nwords; order++) {
		next = from * factor;
		step = next > nsteps ? next / nsteps : 1;
		for (; from < next && from <= INT64_MAX && i + 1 < nwords; from += step) {
			int128_t last = from + step - 1;

			bucket_add(b, (int64_t)from,
				   last > INT64_MAX ? INT64_MAX : (int64_t)last,
				   word(data, i++));
		}
		if (from > INT64_MAX)
			return;
		from = next;
	}
	bucket_add(b, (int64_t)from, INT64_MAX, word(data, i));
}

/* ---- Values --------------------------------------------------------------------- */

/*
 * The standard deviation from a count, a sum and a 128-bit sum of squares. With the mean
 * split into a whole part q and a remainder r (sum = q * count + r), the sum of squared
 * distances to q is exact in integers, so that nothing cancels in floating point.
 */
static double stddev(const char *data)
{
	int64_t count = word(data, 0), sum = word(data, 1);
	uint128_t high = (uint64_t)word(data, 3);
	uint128_t squares = high << 64 | (uint64_t)word(data, 2);
	int64_t mean, rest;
	long double distances, fraction;

	if (count <= 0)
		return 0;
	mean = sum / count;
	rest = sum % count;
	squares -= (uint128_t)((int128_t)mean * sum);
	squares -= (uint128_t)((int128_t)mean * rest);
	distances = (long double)(int128_t)squares / count;
	fraction = (long double)rest / count;
	distances -= fraction * fraction;
	return distances > 0 ? sqrt((double)distances) : 0;
}

static napi_value aggregation_buckets(const dtrace_recdesc_t *rec, const char *data,
				      buckets_t *b)
{
	uint32_t nwords = rec->dtrd_size / sizeof(int64_t);

	if (nwords == 0 || napi_create_array(b->env, &b->array) != napi_ok)
		return NULL;
	if (rec->dtrd_action == DTRACEAGG_QUANTIZE)
		quantize(b, data, nwords);
	else if (rec->dtrd_action == DTRACEAGG_LQUANTIZE)
		lquantize(b, data, nwords);
	else
		llquantize(b, data, nwords);
	return b->array;
}

static bool has_buckets(const dtrace_recdesc_t *rec)
{
	switch (rec->dtrd_action) {
	case DTRACEAGG_QUANTIZE:
	case DTRACEAGG_LQUANTIZE:
#ifdef DTRACEAGG_LLQUANTIZE
	case DTRACEAGG_LLQUANTIZE:
#endif
		return true;
	default:
		return false;
	}
}

/* False: unknown to us, or JavaScript cannot have it. */
static bool read_value(const da_consumer_t *c, const dtrace_aggdata_t *agg,
		       const dtrace_recdesc_t *rec, da_value_t *value)
{
	const char *data = agg->dtada_data + rec->dtrd_offset;
	uint64_t normal = agg->dtada_normal ? agg->dtada_normal : 1;
	double divisor = (double)normal;
	buckets_t buckets = {.consumer = c, .env = c->env, .normal = normal};

	value->kind = DA_VALUE_NUMBER;
	if (has_buckets(rec)) {
		value->kind = DA_VALUE_OBJECT;
		value->object = aggregation_buckets(rec, data, &buckets);
		return value->object != NULL;
	}
	switch (rec->dtrd_action) {
	case DTRACEAGG_COUNT:
	case DTRACEAGG_SUM:
	case DTRACEAGG_MIN:
	case DTRACEAGG_MAX:
		if (normal == 1)
			da_value_set_int64(c, word(data, 0), value);
		else
			value->number = (double)word(data, 0) / divisor;
		return true;
	case DTRACEAGG_AVG:
		if (word(data, 0) != 0)
			divisor *= (double)word(data, 0);
		value->number = (double)word(data, 1) / divisor;
		return true;
	case DTRACEAGG_STDDEV:
		value->number = stddev(data) / divisor;
		return true;
	default:
		return false;
	}
}

/* ---- The walk ------------------------------------------------------------------- */

static const char *aggregation_name(const dtrace_aggdesc_t *desc)
{
	return desc->dtagd_name ? desc->dtagd_name : "";
}

/* The upper bounds of all buckets, or undefined. */
static napi_value aggregation_bounds(const da_consumer_t *c, const dtrace_aggdata_t *agg,
				     const dtrace_recdesc_t *rec)
{
	buckets_t bounds = {.env = c->env, .is_bounds = true};
	napi_value none;

	if (c->is_whole && has_buckets(rec))
		return aggregation_buckets(rec, agg->dtada_data + rec->dtrd_offset, &bounds);
	napi_get_undefined(c->env, &none);
	return none;
}

/* Tells JavaScript what the aggregation is, once. False with an exception pending. */
static bool describe(walk_t *walk, const dtrace_aggdata_t *agg)
{
	napi_env env = walk->consumer->env;
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	size_t number = (size_t)desc->dtagd_varid;
	const char *name = aggregation_name(desc);
	const dtrace_recdesc_t *rec = &desc->dtagd_rec[desc->dtagd_nrecs - 1];
	const char *action = da_action_name(rec->dtrd_action);
	napi_value receiver, arguments[4];

	if (number < walk->ndescribed && walk->is_described[number])
		return true;
	if (number >= walk->ndescribed) {
		size_t n = number + 16;
		bool *grown = realloc(walk->is_described, n * sizeof(*grown));

		if (!grown)
			return da_throw(env, "out of memory");
		memset(grown + walk->ndescribed, 0, n - walk->ndescribed);
		walk->is_described = grown;
		walk->ndescribed = n;
	}
	walk->is_described[number] = true;
	napi_get_undefined(env, &receiver);
	arguments[0] = da_number(env, (double)desc->dtagd_varid);
	arguments[1] = da_text_create(env, name, strlen(name));
	arguments[2] = da_text_create(env, action, strlen(action));
	arguments[3] = aggregation_bounds(walk->consumer, agg, rec);
	return napi_call_function(env, receiver, walk->spec->describe, 4, arguments,
				  NULL) == napi_ok;
}

static void refuse_record(da_consumer_t *c, const dtrace_aggdesc_t *desc, int i)
{
	const char *action = da_action_name(desc->dtagd_rec[i].dtrd_action);
	const char *name = aggregation_name(desc);

	if (c->refusal[0])
		return;
	if (i < desc->dtagd_nrecs - 1)
		snprintf(c->refusal, sizeof(c->refusal),
			 "unsupported action %s as key #%d in aggregation \"%s\"", action,
			 i, name);
	else
		snprintf(c->refusal, sizeof(c->refusal),
			 "unsupported aggregating action %s in aggregation \"%s\"", action,
			 name);
}

/* Slot 0, which no aggregation has, takes back what has been pushed of a record. */
static bool push_record(da_consumer_t *c, const dtrace_aggdata_t *agg)
{
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	uint32_t slot = (uint32_t)desc->dtagd_varid;
	int last = desc->dtagd_nrecs - 1;
	da_value_t value;

	for (int i = 1; i <= last; i++) {
		const dtrace_recdesc_t *rec = &desc->dtagd_rec[i];
		const char *data = agg->dtada_data + rec->dtrd_offset;

		if (i < last ? !da_value_read(c, rec, data, &value)
			     : !read_value(c, agg, rec, &value)) {
			refuse_record(c, desc, i);
			return false;
		}
		da_batch_push(c, slot, &value);
	}
	da_batch_push_end(c, slot, NULL);
	return true;
}

/* A record that JavaScript cannot be given is removed all the same. */
static int take_aggregation(const dtrace_aggdata_t *agg, void *arg)
{
	walk_t *walk = arg;
	da_batch_t *batch = &walk->consumer->batch;

	if (batch->is_broken || batch->is_enough)
		return DTRACE_AGGWALK_NEXT;
	if (!describe(walk, agg))
		batch->is_broken = true;
	else if (!push_record(walk->consumer, agg))
		da_batch_push_end(walk->consumer, 0, NULL);
	return walk->spec->removes ? DTRACE_AGGWALK_REMOVE : DTRACE_AGGWALK_NEXT;
}

bool da_aggregations_walk(da_consumer_t *c, const da_walkspec_t *spec,
			  da_failure_t *failure)
{
	walk_t walk = {.consumer = c, .spec = spec};
	const char *doing = NULL;
	bool is_pending = false;

	c->refusal[0] = '\0';
	da_batch_begin(c, spec->deliver);
	if (dtrace_aggregate_snap(c->dtp) < 0)
		doing = "take a snapshot of";
	else if (spec->walk(c->dtp, take_aggregation, &walk) < 0)
		doing = "walk";
	da_batch_end(c);
	free(walk.is_described);
	napi_is_exception_pending(c->env, &is_pending);
	if (is_pending)
		return false;
	if (doing)
		da_failure_set(failure, c->dtp, "couldn't %s the aggregations", doing);
	else if (c->refusal[0])
		da_throw(c->env, "%s", c->refusal);
	return !doing && !c->refusal[0];
}
