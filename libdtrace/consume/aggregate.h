/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregate.h - the arithmetic of aggregations, shared by the hash (aggregate.c), the
 * walks (aggwalk.c) and the printing (aggprint.c, agghist.c).
 */
#ifndef DT_AGGREGATE_H
#define DT_AGGREGATE_H

#include "consume/consume.h"
#include "handle.h"

/* dtagd_flags: has been printed; dtrace_aggregate_print() passes over it. */
#define DT_AGG_PRINTED 0x1

typedef struct dt_aggvar dt_aggvar_t;
typedef struct dt_aggentry dt_aggentry_t;

/* One aggregation variable. */
struct dt_aggvar {
	dt_agglayout_t layout;
	dtrace_aggdesc_t *desc;
	dtrace_eprobedesc_t *edesc;
	dtrace_probedesc_t *pdesc;
	uint32_t shown_value_size, nbuckets;
	uint32_t hist_offset; /* of the buckets in a value as shown */
	uint64_t signed_keys; /* a bit for each of the first 64 */
	bool is_settled;      /* keys are compared as given: no symbols, no gaps */
	size_t entry_size;
	struct dt_aggslab *slabs;
	dt_aggentry_t *free;
	size_t unused, slab_entries; /* entries left in the newest slab, and its size */
	void *zero;		     /* data of a key that only other aggregations have */
};

/* One key with its value. */
struct dt_aggentry {
	dt_aggentry_t *next; /* in the hash chain, or in the free list */
	dt_aggvar_t *var;
	uint64_t hash;
	uint64_t order; /* of creation */
	bool is_removed;
	dtrace_aggdata_t agg;
	char data[]; /* layout.shown_size bytes, 8-byte aligned */
};

struct dt_aggs {
	dt_aggvar_t **vars; /* by varid - 1; NULL: nothing yet */
	size_t nvars;
	dt_aggentry_t **chains;
	size_t nchains;		 /* a power of two */
	dt_aggentry_t **entries; /* in order of creation */
	size_t nentries, capacity;
	uint64_t created;
	unsigned walks; /* under way: removed entries stay in place */
	bool has_removed;
	char *scratch; /* keys being settled */
	size_t scratch_size;
};

/* The value of an entry set to what it was before the first firing. */
void dt_agg_set_identity(const dt_aggvar_t *, void *value);
/* Same, of the entry, its CPUs included. */
void dt_aggentry_clear(dtrace_hdl_t *, dt_aggentry_t *);
/* Marks it; gone at once for look-ups, freed when no walk is under way. */
void dt_aggentry_remove(dt_aggs_t *, dt_aggentry_t *);
void dt_aggs_begin_walk(dt_aggs_t *);
void dt_aggs_end_walk(dt_aggs_t *);
/* The variable, or NULL when nothing was aggregated into it. */
dt_aggvar_t *dt_aggs_var(const dt_aggs_t *, dtrace_aggvarid_t);
/* The variable of a layout, made when new; NULL with the handle's error set. */
dt_aggvar_t *dt_aggs_add_var(dtrace_hdl_t *, dt_aggs_t *, const dt_agglayout_t *);
/* Data with the variable's identity value and no key; NULL: out of memory. */
void *dt_aggvar_zero(dt_aggvar_t *);

/* Sorted walk over one variable only, by the options as dtrace_aggregate_walk_sorted(). */
int dt_aggs_walk_var(dtrace_hdl_t *, dtrace_aggvarid_t, dtrace_aggregate_f *, void *);

/*
 * What a value comes to as one number, for sorting: itself, or the sum of what a
 * distribution's buckets stand for; *zeros then gets what stands in the bucket of 0.
 */
long double dt_agg_magnitude(const dt_aggvar_t *, const void *value, int64_t *zeros);
/* Lower bound of a bucket of lquantize() and llquantize(). */
int64_t dt_lquantize_bound(uint64_t arg, uint32_t bucket);
/* avg() and stddev() as shown, before normalization; 0 of no values. */
int64_t dt_agg_average(const int64_t *value);
uint64_t dt_agg_stddev(const int64_t *value);
/* The number that a value without buckets is shown as, normalized. */
int64_t dt_agg_scalar(uint16_t func, const void *value, uint64_t normal);

/*
 * The steps of llquantize(), from low to high: begin, then next() until false; it gives
 * each bucket's number (from 1) and lower bound.
 */
typedef struct dt_llsteps {
	uint32_t factor, high, nsteps;
	uint32_t order, bucket;
	int64_t value, next, step;
} dt_llsteps_t;
void dt_llsteps_begin(dt_llsteps_t *, uint64_t arg);
bool dt_llsteps_next(dt_llsteps_t *, uint32_t *bucket, int64_t *bound);

#endif
