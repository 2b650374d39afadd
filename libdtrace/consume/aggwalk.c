/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggwalk.c - aggregations handed out: as they come, sorted, or several side by side.
 *
 * A sorted walk sorts an array of the entries with what their values come to, worked out
 * once. While a walk is under way its callback may clear, remove and even merge: entries
 * do not move, and removed ones are passed over and freed after the walk.
 */
#include <stdlib.h>
#include <string.h>

#include "consume/aggregate.h"
#include "consume/output.h"

/* What is compared first, and what among equals; then the order of creation. */
typedef enum sortorder { SORT_VARKEY, SORT_VARVAL, SORT_KEYVAR, SORT_VALVAR } sortorder_t;

typedef struct sorting {
	sortorder_t order;
	bool is_backwards; /* the ...rev... walks: everything */
	bool is_reversed;  /* option aggsortrev: keys and values, not variables */
	uint32_t keypos;   /* option aggsortkeypos: which key is the first; beyond the last: 0 */
} sorting_t;

typedef struct item {
	dt_aggentry_t *entry;
	long double value;
	int64_t zeros;
} item_t;

/* ---- Comparing ------------------------------------------------------------------ */

/* Addresses and other 64-bit words. */
static int compare_words(const char *left, const char *right, size_t size)
{
	size_t i;

	for (i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
		uint64_t l, r;

		memcpy(&l, left + i, sizeof(l));
		memcpy(&r, right + i, sizeof(r));
		if (l != r)
			return l < r ? -1 : 1;
	}
	return memcmp(left + i, right + i, size - i);
}

/* One key of an entry. */
typedef struct keyref {
	const dtrace_recdesc_t *rec;
	const char *data;
	bool is_signed;
} keyref_t;

static keyref_t get_key(const dt_aggentry_t *entry, uint32_t key)
{
	const dtrace_recdesc_t *rec = &entry->var->desc->dtagd_rec[key + 1];

	return (keyref_t){
	    .rec = rec,
	    .data = entry->data + rec->dtrd_offset,
	    .is_signed = key < 64 && (entry->var->signed_keys >> key & 1),
	};
}

static int compare_strings(keyref_t left, keyref_t right)
{
	size_t l = strnlen(left.data, left.rec->dtrd_size);
	size_t r = strnlen(right.data, right.rec->dtrd_size);
	int order = memcmp(left.data, right.data, l < r ? l : r);

	return order != 0 ? order : l < r ? -1 : l > r;
}

/* Keys of different variables can be of different sizes, and of different kinds. */
static int compare_key(keyref_t left, keyref_t right)
{
	uint32_t size = left.rec->dtrd_size;
	uint64_t l, r;

	if ((left.rec->dtrd_uarg & right.rec->dtrd_uarg) & DT_RECORD_STRING)
		return compare_strings(left, right);
	if (left.rec->dtrd_action == DTRACEACT_DIFEXPR &&
	    dt_value_integer(left.data, size, left.is_signed, &l) &&
	    dt_value_integer(right.data, right.rec->dtrd_size, right.is_signed, &r)) {
		if (left.is_signed)
			return (int64_t)l < (int64_t)r ? -1 : (int64_t)l > (int64_t)r;
		return l < r ? -1 : l > r;
	}
	if (size != right.rec->dtrd_size)
		return size < right.rec->dtrd_size ? -1 : 1;
	if (left.rec->dtrd_action == DTRACEACT_DIFEXPR)
		return memcmp(left.data, right.data, size);
	return compare_words(left.data, right.data, size);
}

static int compare_keys(const dt_aggentry_t *left, const dt_aggentry_t *right,
			const sorting_t *sorting)
{
	uint32_t n = left->var->layout.nkeys, i;

	if (n != right->var->layout.nkeys)
		return n < right->var->layout.nkeys ? -1 : 1;
	for (i = 0; i < n; i++) {
		uint32_t key = sorting->keypos < n ? (i + sorting->keypos) % n : i;
		int order = compare_key(get_key(left, key), get_key(right, key));

		if (order != 0)
			return sorting->is_reversed ? -order : order;
	}
	return 0;
}

static int compare_values(const item_t *left, const item_t *right, const sorting_t *sorting)
{
	int order;

	if (left->value != right->value)
		order = left->value < right->value ? -1 : 1;
	else
		order = left->zeros < right->zeros ? -1 : left->zeros > right->zeros;
	return sorting->is_reversed ? -order : order;
}

static int compare_vars(const item_t *left, const item_t *right)
{
	dtrace_aggvarid_t l = left->entry->var->layout.varid;
	dtrace_aggvarid_t r = right->entry->var->layout.varid;

	return l < r ? -1 : l > r;
}

static int compare_forwards(const item_t *left, const item_t *right,
			    const sorting_t *sorting)
{
	bool vars_first = sorting->order == SORT_VARKEY || sorting->order == SORT_VARVAL;
	bool by_value = sorting->order == SORT_VARVAL || sorting->order == SORT_VALVAR;
	int order = vars_first ? compare_vars(left, right) : 0;

	if (order == 0 && by_value)
		order = compare_values(left, right, sorting);
	if (order == 0)
		order = compare_keys(left->entry, right->entry, sorting);
	if (order == 0)
		order = compare_vars(left, right);
	if (order == 0)
		order = left->entry->order < right->entry->order ? -1 : 1;
	return order;
}

static int compare_items(const void *left, const void *right, void *arg)
{
	const sorting_t *sorting = arg;

	if (sorting->is_backwards)
		return compare_forwards(right, left, sorting);
	return compare_forwards(left, right, sorting);
}

/* ---- Walking --------------------------------------------------------------------- */

/* Does to an entry what the callback asked for. 0, or -1 with the error set. */
static int apply(dtrace_hdl_t *hdl, dt_aggs_t *aggs, dt_aggentry_t *entry, int what)
{
	switch (what) {
	case DTRACE_AGGWALK_NEXT:
		return 0;
	case DTRACE_AGGWALK_CLEAR:
		dt_aggentry_clear(hdl, entry);
		return 0;
	case DTRACE_AGGWALK_REMOVE:
		dt_aggentry_remove(aggs, entry);
		return 0;
	case DTRACE_AGGWALK_DENORMALIZE:
		entry->agg.dtada_normal = 1;
		return 0;
	case DTRACE_AGGWALK_NORMALIZE:
		/* The callback has put the divisor into dtada_normal. */
		if (entry->agg.dtada_normal != 0)
			return 0;
		entry->agg.dtada_normal = 1;
		return dt_set_errno(hdl, EDT_BADRVAL);
	case DTRACE_AGGWALK_ERROR:
		return -1; /* the callback has set it */
	case DTRACE_AGGWALK_ABORT:
		return dt_set_errno(hdl, EDT_DIRABORT);
	default:
		return dt_set_errno(hdl, EDT_BADRVAL);
	}
}

/* What the bars of a whole variable are drawn against; see dtrace_aggdata_t. With aggzoom
 * the total is the largest value. */
typedef struct totals {
	int64_t total;
	uint32_t minbin, maxbin, flags;
} totals_t;

static void add_totals(const dt_aggentry_t *entry, bool is_zoomed, totals_t *totals)
{
	const dt_aggvar_t *var = entry->var;
	const int64_t *words = (const int64_t *)(entry->data + var->layout.value_offset);
	uint32_t i, n = var->nbuckets != 0 ? var->nbuckets : 1;

	words += var->hist_offset / sizeof(*words);
	for (i = 0; i < n; i++) {
		int64_t value = var->layout.func == DTRACEAGG_AVG ? dt_agg_average(words)
				: var->layout.func == DTRACEAGG_STDDEV
				    ? (int64_t)dt_agg_stddev(words)
				    : words[i];

		if (value == 0)
			continue;
		totals->flags |= value < 0 ? DTRACE_A_HASNEGATIVES : DTRACE_A_HASPOSITIVES;
		value = value < 0 ? -value : value;
		if (!is_zoomed)
			totals->total += value;
		else if (value > totals->total)
			totals->total = value;
		if (i < totals->minbin)
			totals->minbin = i;
		if (i > totals->maxbin)
			totals->maxbin = i;
	}
}

static void set_var_totals(dt_aggs_t *aggs, const dt_aggvar_t *var, bool is_zoomed)
{
	totals_t totals = {.minbin = UINT16_MAX, .flags = DTRACE_A_TOTAL};
	size_t i;

	if (var->nbuckets != 0)
		totals.flags |= DTRACE_A_MINMAXBIN;
	for (i = 0; i < aggs->nentries; i++) {
		if (aggs->entries[i]->var == var && !aggs->entries[i]->is_removed)
			add_totals(aggs->entries[i], is_zoomed, &totals);
	}
	for (i = 0; i < aggs->nentries; i++) {
		dtrace_aggdata_t *agg = &aggs->entries[i]->agg;

		if (aggs->entries[i]->var != var)
			continue;
		agg->dtada_total = totals.total;
		agg->dtada_minbin = (uint16_t)totals.minbin;
		agg->dtada_maxbin = (uint16_t)totals.maxbin;
		agg->dtada_flags = (agg->dtada_flags & DTRACE_A_PERCPU) | totals.flags;
	}
}

/* Totals are worked out only for those that draw by them. */
static void set_totals(dtrace_hdl_t *hdl, dt_aggs_t *aggs)
{
	size_t i;

	if (!dt_option_is_on(hdl, DT_OPT_AGGHIST) &&
	    !dt_option_is_on(hdl, DT_OPT_AGGPACK) && !dt_option_is_on(hdl, DT_OPT_AGGZOOM))
		return;
	for (i = 0; i < aggs->nvars; i++) {
		if (aggs->vars[i] != NULL)
			set_var_totals(aggs, aggs->vars[i],
				       dt_option_is_on(hdl, DT_OPT_AGGZOOM));
	}
}

int dtrace_aggregate_walk(dtrace_hdl_t *hdl, dtrace_aggregate_f *func, void *arg)
{
	dt_aggs_t *aggs = dt_consumer_aggs(hdl);
	int result = 0;
	size_t i;

	if (aggs == NULL)
		return 0;
	set_totals(hdl, aggs);
	dt_aggs_begin_walk(aggs);
	for (i = 0; i < aggs->nentries && result == 0; i++) {
		dt_aggentry_t *entry = aggs->entries[i];

		if (!entry->is_removed)
			result = apply(hdl, aggs, entry, func(&entry->agg, arg));
	}
	dt_aggs_end_walk(aggs);
	return result;
}

static sorting_t sorting_by_options(const dtrace_hdl_t *hdl, sortorder_t order)
{
	dtrace_optval_t keypos = hdl->options[DT_OPT_AGGSORTKEYPOS];

	return (sorting_t){
	    .order = order,
	    .is_reversed = dt_option_is_on(hdl, DT_OPT_AGGSORTREV),
	    .keypos = keypos > 0 && keypos <= INT32_MAX ? (uint32_t)keypos : 0,
	};
}

/*
 * The entries of one variable (0: of all), sorted; *n gets how many. The caller frees
 * them. NULL with the error set; of no entries, an array of none.
 */
static item_t *sorted_items(dtrace_hdl_t *hdl, const dt_aggs_t *aggs,
			    dtrace_aggvarid_t varid, sorting_t *sorting, size_t *n)
{
	item_t *items = malloc((aggs->nentries + 1) * sizeof(*items));
	size_t i;

	*n = 0;
	if (items == NULL) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	for (i = 0; i < aggs->nentries; i++) {
		dt_aggentry_t *entry = aggs->entries[i];
		item_t *item = &items[*n];

		if (entry->is_removed || (varid != 0 && entry->var->layout.varid != varid))
			continue;
		item->entry = entry;
		item->value = dt_agg_magnitude(
		    entry->var, entry->data + entry->var->layout.value_offset,
		    &item->zeros);
		++*n;
	}
	qsort_r(items, *n, sizeof(*items), compare_items, sorting);
	return items;
}

static int walk_sorted(dtrace_hdl_t *hdl, dtrace_aggvarid_t varid, sorting_t sorting,
		       dtrace_aggregate_f *func, void *arg)
{
	dt_aggs_t *aggs = dt_consumer_aggs(hdl);
	int result = 0;
	item_t *items;
	size_t n, i;

	if (aggs == NULL)
		return 0;
	set_totals(hdl, aggs);
	items = sorted_items(hdl, aggs, varid, &sorting, &n);
	if (items == NULL)
		return -1;
	dt_aggs_begin_walk(aggs);
	for (i = 0; i < n && result == 0; i++) {
		dt_aggentry_t *entry = items[i].entry;

		if (!entry->is_removed)
			result = apply(hdl, aggs, entry, func(&entry->agg, arg));
	}
	dt_aggs_end_walk(aggs);
	free(items);
	return result;
}

static sortorder_t order_by_options(const dtrace_hdl_t *hdl)
{
	return dt_option_is_on(hdl, DT_OPT_AGGSORTKEY) ? SORT_VARKEY : SORT_VARVAL;
}

int dt_aggs_walk_var(dtrace_hdl_t *hdl, dtrace_aggvarid_t varid, dtrace_aggregate_f *func,
		     void *arg)
{
	return walk_sorted(hdl, varid, sorting_by_options(hdl, order_by_options(hdl)), func,
			   arg);
}

int dtrace_aggregate_walk_sorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func, void *arg)
{
	return dt_aggs_walk_var(hdl, 0, func, arg);
}

static int walk_by(dtrace_hdl_t *hdl, sortorder_t order, bool is_backwards,
		   dtrace_aggregate_f *func, void *arg)
{
	sorting_t sorting = sorting_by_options(hdl, order);

	sorting.is_backwards = is_backwards;
	return walk_sorted(hdl, 0, sorting, func, arg);
}

int dtrace_aggregate_walk_keysorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func, void *arg)
{
	return walk_by(hdl, SORT_VARKEY, false, func, arg);
}

int dtrace_aggregate_walk_valsorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func, void *arg)
{
	return walk_by(hdl, SORT_VARVAL, false, func, arg);
}

int dtrace_aggregate_walk_keyvarsorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func,
				       void *arg)
{
	return walk_by(hdl, SORT_KEYVAR, false, func, arg);
}

int dtrace_aggregate_walk_valvarsorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func,
				       void *arg)
{
	return walk_by(hdl, SORT_VALVAR, false, func, arg);
}

int dtrace_aggregate_walk_keyrevsorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func,
				       void *arg)
{
	return walk_by(hdl, SORT_VARKEY, true, func, arg);
}

int dtrace_aggregate_walk_valrevsorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func,
				       void *arg)
{
	return walk_by(hdl, SORT_VARVAL, true, func, arg);
}

int dtrace_aggregate_walk_keyvarrevsorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func,
					  void *arg)
{
	return walk_by(hdl, SORT_KEYVAR, true, func, arg);
}

int dtrace_aggregate_walk_valvarrevsorted(dtrace_hdl_t *hdl, dtrace_aggregate_f *func,
					  void *arg)
{
	return walk_by(hdl, SORT_VALVAR, true, func, arg);
}

int dt_aggs_trunc(dtrace_hdl_t *hdl, dtrace_aggvarid_t varid, int64_t n)
{
	dt_aggs_t *aggs = dt_consumer_aggs(hdl);
	sorting_t sorting = {.order = SORT_VARVAL};
	size_t nitems, keep, first, i;
	item_t *items;

	if (aggs == NULL)
		return 0;
	items = sorted_items(hdl, aggs, varid, &sorting, &nitems);
	if (items == NULL)
		return -1;
	keep = (size_t)(n < 0 ? -(uint64_t)n : (uint64_t)n);
	if (keep > nitems)
		keep = nitems;
	/* Those that stay: the last when sorted upwards, or with n below 0 the first. */
	first = n < 0 ? 0 : nitems - keep;
	dt_aggs_begin_walk(aggs);
	for (i = 0; i < nitems; i++) {
		if (i < first || i >= first + keep)
			dt_aggentry_remove(aggs, items[i].entry);
	}
	dt_aggs_end_walk(aggs);
	free(items);
	return 0;
}

/* ---- Several side by side -------------------------------------------------------- */

/* Several variables joined by their keys: a row a key, a column a variable. */
typedef struct join {
	int ncolumns;
	dt_aggvar_t **vars;
	dtrace_aggdata_t *zeros; /* for keys that a variable has not */
	item_t *cells;		 /* nrows x ncolumns; entry NULL: none */
	size_t nrows;
	sorting_t sorting;
	bool by_key;
	int first_column; /* option aggsortpos */
} join_t;

static const dt_aggentry_t *row_entry(const join_t *join, const item_t *row)
{
	int i = 0;

	while (i < join->ncolumns - 1 && row[i].entry == NULL)
		i++;
	return row[i].entry;
}

static int compare_rows(const void *left, const void *right, void *arg)
{
	const join_t *join = arg;
	int keys =
	    compare_keys(row_entry(join, left), row_entry(join, right), &join->sorting);
	int order = join->by_key ? keys : 0, i;

	for (i = 0; i < join->ncolumns && order == 0; i++) {
		int column = (i + join->first_column) % join->ncolumns;

		order = compare_values((const item_t *)left + column,
				       (const item_t *)right + column, &join->sorting);
	}
	return order != 0 ? order : keys;
}

/* Resolves the variables, which must have the same number of keys. */
static int join_vars(dtrace_hdl_t *hdl, dt_aggs_t *aggs, join_t *join,
		     const dtrace_aggvarid_t *varids)
{
	int i;

	for (i = 0; i < join->ncolumns; i++) {
		const dt_agglayout_t *layout = dt_consumer_agglayout(hdl, varids[i]);
		dt_aggvar_t *var;

		if (layout == NULL)
			return dt_set_errno(hdl, EDT_BADAGG);
		var = dt_aggs_add_var(hdl, aggs, layout);
		if (var == NULL)
			return -1;
		if (i > 0 && var->layout.nkeys != join->vars[0]->layout.nkeys)
			return dt_set_errno(hdl, EDT_NOTUPREG);
		join->vars[i] = var;
		join->zeros[i] = (dtrace_aggdata_t){
		    .dtada_handle = hdl,
		    .dtada_desc = var->desc,
		    .dtada_edesc = var->edesc,
		    .dtada_pdesc = var->pdesc,
		    .dtada_data = dt_aggvar_zero(var),
		    .dtada_size = var->layout.shown_size,
		    .dtada_normal = 1,
		};
		if (join->zeros[i].dtada_data == NULL)
			return dt_set_errno(hdl, EDT_NOMEM);
	}
	return 0;
}

static bool is_joined(const join_t *join, const dt_aggvar_t *var)
{
	int i;

	for (i = 0; i < join->ncolumns; i++) {
		if (join->vars[i] == var)
			return true;
	}
	return false;
}

/* Groups the entries, sorted by key, into rows. */
static int join_rows(dtrace_hdl_t *hdl, const dt_aggs_t *aggs, join_t *join)
{
	sorting_t by_key = {.order = SORT_KEYVAR};
	size_t nitems, i;
	item_t *items = sorted_items(hdl, aggs, 0, &by_key, &nitems), *row = NULL;

	if (items == NULL)
		return -1;
	join->cells = calloc(nitems + 1, (size_t)join->ncolumns * sizeof(*join->cells));
	for (i = 0; i < nitems && join->cells != NULL; i++) {
		dt_aggentry_t *entry = items[i].entry;
		int column;

		if (!is_joined(join, entry->var))
			continue;
		if (row == NULL || compare_keys(row_entry(join, row), entry, &by_key) != 0)
			row = join->cells + join->nrows++ * (size_t)join->ncolumns;
		for (column = 0; column < join->ncolumns; column++) {
			if (join->vars[column] == entry->var)
				row[column] = items[i];
		}
	}
	free(items);
	return join->cells != NULL ? 0 : dt_set_errno(hdl, EDT_NOMEM);
}

/* Hands out one row: the key's own aggregation first, then one for each column. */
static int walk_row(dtrace_hdl_t *hdl, dt_aggs_t *aggs, const join_t *join,
		    const item_t *row, const dtrace_aggdata_t **data,
		    dtrace_aggregate_walk_joined_f *func, void *arg)
{
	int what, result = 0, i;

	data[0] = &row_entry(join, row)->agg;
	for (i = 0; i < join->ncolumns; i++)
		data[i + 1] = row[i].entry != NULL ? &row[i].entry->agg : &join->zeros[i];
	what = func(data, join->ncolumns + 1, arg);
	for (i = 0; i < join->ncolumns && result == 0; i++) {
		if (row[i].entry != NULL)
			result = apply(hdl, aggs, row[i].entry, what);
	}
	return result;
}

static int walk_rows(dtrace_hdl_t *hdl, dt_aggs_t *aggs, join_t *join,
		     const dtrace_aggdata_t **data, dtrace_aggregate_walk_joined_f *func,
		     void *arg)
{
	int result = 0;
	size_t i;

	qsort_r(join->cells, join->nrows, (size_t)join->ncolumns * sizeof(*join->cells),
		compare_rows, join);
	dt_aggs_begin_walk(aggs);
	for (i = 0; i < join->nrows && result == 0; i++)
		result = walk_row(hdl, aggs, join, join->cells + i * (size_t)join->ncolumns,
				  data, func, arg);
	dt_aggs_end_walk(aggs);
	return result;
}

int dtrace_aggregate_walk_joined(dtrace_hdl_t *hdl, dtrace_aggvarid_t *varids, int n,
				 dtrace_aggregate_walk_joined_f *func, void *arg)
{
	dt_aggs_t *aggs = dt_consumer_aggs(hdl);
	dtrace_optval_t pos = hdl->options[DT_OPT_AGGSORTPOS];
	const dtrace_aggdata_t **data;
	join_t join = {
	    .ncolumns = n,
	    .sorting = sorting_by_options(hdl, SORT_KEYVAR),
	    .by_key = dt_option_is_on(hdl, DT_OPT_AGGSORTKEY),
	    .first_column = pos > 0 && pos < n ? (int)pos : 0,
	};
	int result = -1;

	if (n <= 0)
		return dt_set_errno(hdl, EDT_BADAGG);
	if (aggs == NULL)
		return 0;
	join.vars = calloc((size_t)n, sizeof(*join.vars));
	join.zeros = calloc((size_t)n, sizeof(*join.zeros));
	data = calloc((size_t)n + 1, sizeof(*data));
	set_totals(hdl, aggs);
	if (join.vars == NULL || join.zeros == NULL || data == NULL)
		dt_set_errno(hdl, EDT_NOMEM);
	else if (join_vars(hdl, aggs, &join, varids) == 0 &&
		 join_rows(hdl, aggs, &join) == 0)
		result = walk_rows(hdl, aggs, &join, data, func, arg);
	free(join.vars);
	free(join.zeros);
	free(join.cells);
	free(data);
	return result;
}
