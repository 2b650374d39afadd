/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregate.c - the user-level aggregations: every key ever seen, with the value of all
 * CPUs and all snapshots together.
 *
 * One hash table holds the keys of all variables. An entry's data is what consumers are
 * shown, so a walk hands it out as it is:
 *
 *	u32 varid
 *	keys		as layout->keys say
 *	value		at layout->value_offset
 *
 * Entries of a variable have one size and come out of slabs that double, up to a limit;
 * removed ones go to the variable's free list. Keys are hashed and compared as 64-bit
 * words; bytes between keys, which belong to none, are zero.
 *
 * Symbol keys (sym(), mod(), usym(), umod()) are traced as plain addresses; here they are
 * brought to the begin of their symbol or module, which makes one key of all of them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "consume/aggregate.h"
#include "consume/output.h"
#include "consume/symbols.h"

#define CHAINS_INITIAL 64
#define SLAB_ENTRIES_MAX 1024
#define SLAB_MALLOC_MAX 65536 /* bytes; larger ones are mapped */
#define SLAB_SIZE_MAX (1 << 20)
#define KEYS_OFFSET sizeof(uint32_t) /* behind the varid */

typedef struct dt_aggslab {
	struct dt_aggslab *next;
	size_t mapped;	    /* bytes to unmap; 0: from malloc() */
	uint64_t entries[]; /* of the variable's entry_size each */
} dt_aggslab_t;

/* ---- Values ------------------------------------------------------------------ */

void dt_agg_set_identity(const dt_aggvar_t *var, void *value)
{
	int64_t *words = value;

	memset(value, 0, var->shown_value_size);
	switch (var->layout.func) {
	case DTRACEAGG_MIN:
		words[0] = INT64_MAX;
		break;
	case DTRACEAGG_MAX:
		words[0] = INT64_MIN;
		break;
	case DTRACEAGG_LQUANTIZE:
	case DTRACEAGG_LLQUANTIZE:
		words[0] = (int64_t)var->layout.arg;
		break;
	}
}

/* 128 bits as two words, the low one first. */
static void add_128(uint64_t *into, const uint64_t *from)
{
	uint64_t low = into[0] + from[0];

	into[1] += from[1] + (low < into[0]);
	into[0] = low;
}

/* Adds a value as the kernel has it to one as it is shown. */
static void add_value(const dt_aggvar_t *var, uint64_t *into, const uint64_t *from)
{
	uint32_t n = var->layout.value_size / sizeof(uint64_t), i;

	switch (var->layout.func) {
	case DTRACEAGG_MIN:
		if ((int64_t)from[0] < (int64_t)into[0])
			into[0] = from[0];
		return;
	case DTRACEAGG_MAX:
		if ((int64_t)from[0] > (int64_t)into[0])
			into[0] = from[0];
		return;
	case DTRACEAGG_STDDEV:
		into[0] += from[0];
		into[1] += from[1];
		add_128(into + 2, from + 2);
		return;
	}
	into += var->hist_offset / sizeof(uint64_t);
	for (i = 0; i < n; i++)
		into[i] += from[i];
}

/* ---- Variables ----------------------------------------------------------------- */

static bool is_symbol(dtrace_actkind_t action)
{
	return action == DTRACEACT_SYM || action == DTRACEACT_MOD ||
	       action == DTRACEACT_USYM || action == DTRACEACT_UMOD;
}

static bool is_signed(dtrace_hdl_t *hdl, dt_type_t *type)
{
	if (type != NULL)
		type = dt_type_resolve(hdl, type);
	return type != NULL && (type->kind == DT_K_INT || type->kind == DT_K_ENUM) &&
	       type->is_signed;
}

/* What consumers are told of the data: the identifier, the keys, the value. */
static dtrace_aggdesc_t *make_desc(const dt_aggvar_t *var)
{
	const dt_agglayout_t *layout = &var->layout;
	const char *name = layout->name != NULL ? layout->name : "";
	size_t size =
	    sizeof(dtrace_aggdesc_t) + (layout->nkeys + 1) * sizeof(dtrace_recdesc_t);
	dtrace_aggdesc_t *desc = calloc(1, size + strlen(name) + 1);
	uint32_t i;

	if (desc == NULL)
		return NULL;
	desc->dtagd_name = strcpy((char *)desc + size, name);
	desc->dtagd_varid = layout->varid;
	desc->dtagd_id = (dtrace_aggid_t)layout->varid;
	desc->dtagd_epid = layout->epid;
	desc->dtagd_size = layout->shown_size;
	desc->dtagd_nrecs = (int)layout->nkeys + 2;
	desc->dtagd_rec[0] = (dtrace_recdesc_t){
	    .dtrd_action = DTRACEACT_DIFEXPR,
	    .dtrd_size = sizeof(uint32_t),
	    .dtrd_alignment = sizeof(uint32_t),
	};
	for (i = 0; i < layout->nkeys; i++) {
		desc->dtagd_rec[i + 1] = layout->keys[i].rec;
		if (layout->keys[i].encoding != DT_ENC_RAW &&
		    layout->keys[i].encoding != DT_ENC_STACK &&
		    layout->keys[i].encoding != DT_ENC_JSTACK)
			desc->dtagd_rec[i + 1].dtrd_uarg |= DT_RECORD_STRING;
	}
	desc->dtagd_rec[i + 1] = (dtrace_recdesc_t){
	    .dtrd_action = layout->func,
	    .dtrd_size = var->shown_value_size,
	    .dtrd_offset = layout->value_offset,
	    .dtrd_alignment = sizeof(uint64_t),
	    .dtrd_arg = layout->arg,
	};
	return desc;
}

static dt_aggvar_t *make_var(dtrace_hdl_t *hdl, const dt_agglayout_t *layout)
{
	dt_aggvar_t *var = calloc(1, sizeof(*var));
	uint32_t end = KEYS_OFFSET, i;

	if (var == NULL)
		return NULL;
	var->layout = *layout;
	var->shown_value_size = dt_agg_value_size(layout->func, layout->arg);
	var->nbuckets = dt_agg_nbuckets(layout->func, layout->arg);
	if (layout->func == DTRACEAGG_LQUANTIZE || layout->func == DTRACEAGG_LLQUANTIZE)
		var->hist_offset = sizeof(uint64_t);
	var->is_settled = true;
	for (i = 0; i < layout->nkeys; i++) {
		const dtrace_recdesc_t *rec = &layout->keys[i].rec;

		if (is_symbol(rec->dtrd_action) || rec->dtrd_offset != end)
			var->is_settled = false;
		end = rec->dtrd_offset + rec->dtrd_size;
		if (i < 64 && is_signed(hdl, layout->keys[i].type))
			var->signed_keys |= 1ULL << i;
	}
	if (end != layout->value_offset)
		var->is_settled = false;
	var->entry_size = (sizeof(dt_aggentry_t) + layout->shown_size + 7) & ~(size_t)7;
	var->edesc = dt_consumer_eprobe(hdl, layout->epid, &var->pdesc);
	var->desc = make_desc(var);
	if (var->desc == NULL) {
		free(var);
		return NULL;
	}
	return var;
}

static bool has_sane_keys(const dt_agglayout_t *layout)
{
	uint32_t i;

	for (i = 0; i < layout->nkeys; i++) {
		const dtrace_recdesc_t *rec = &layout->keys[i].rec;

		if (rec->dtrd_offset < KEYS_OFFSET ||
		    rec->dtrd_offset > layout->value_offset ||
		    rec->dtrd_size > layout->value_offset - rec->dtrd_offset)
			return false;
	}
	return true;
}

/* The layout must be one that this file can add to without looking again. */
static bool is_sane(const dt_agglayout_t *layout)
{
	uint32_t size = dt_agg_value_size(layout->func, layout->arg);
	uint32_t kernel_size =
	    layout->func == DTRACEAGG_LQUANTIZE || layout->func == DTRACEAGG_LLQUANTIZE
		? size - (uint32_t)sizeof(uint64_t)
		: size;

	return layout->varid > 0 && DTRACEACT_ISAGG(layout->func) &&
	       layout->value_size == kernel_size && layout->value_offset > 0 &&
	       layout->value_offset % sizeof(uint64_t) == 0 &&
	       layout->shown_size >= layout->value_offset + size && has_sane_keys(layout);
}

dt_aggvar_t *dt_aggs_var(const dt_aggs_t *aggs, dtrace_aggvarid_t varid)
{
	return aggs != NULL && varid > 0 && (uint64_t)varid <= aggs->nvars
		   ? aggs->vars[varid - 1]
		   : NULL;
}

dt_aggvar_t *dt_aggs_add_var(dtrace_hdl_t *hdl, dt_aggs_t *aggs,
			     const dt_agglayout_t *layout)
{
	dt_aggvar_t *var = dt_aggs_var(aggs, layout->varid);
	size_t needed;

	if (var != NULL)
		return var;
	if (!is_sane(layout)) {
		dt_set_errno(hdl, EDT_BADAGG);
		return NULL;
	}
	needed = (size_t)layout->varid;
	if (needed > aggs->nvars) {
		dt_aggvar_t **vars = realloc(aggs->vars, needed * sizeof(*vars));

		if (vars == NULL) {
			dt_set_errno(hdl, EDT_NOMEM);
			return NULL;
		}
		memset(vars + aggs->nvars, 0, (needed - aggs->nvars) * sizeof(*vars));
		aggs->vars = vars;
		aggs->nvars = needed;
	}
	var = make_var(hdl, layout);
	if (var == NULL)
		dt_set_errno(hdl, EDT_NOMEM);
	aggs->vars[needed - 1] = var;
	return var;
}

void *dt_aggvar_zero(dt_aggvar_t *var)
{
	if (var->zero == NULL) {
		var->zero = calloc(1, var->layout.shown_size);
		if (var->zero == NULL)
			return NULL;
		*(uint32_t *)var->zero = (uint32_t)var->layout.varid;
		if (var->hist_offset != 0)
			dt_agg_set_identity(var,
					    (char *)var->zero + var->layout.value_offset);
	}
	return var->zero;
}

/*
 * Large slabs are mapped with their pages there at once: faulting them in one by one costs
 * several times what filling them does.
 */
static dt_aggslab_t *alloc_slab(size_t size)
{
	bool is_mapped = size > SLAB_MALLOC_MAX;
	dt_aggslab_t *slab = is_mapped
				 ? mmap(NULL, size, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)
				 : malloc(size);

	if (slab == NULL || slab == MAP_FAILED)
		return NULL;
	slab->mapped = is_mapped ? size : 0;
	return slab;
}

static void free_slab(dt_aggslab_t *slab)
{
	if (slab->mapped != 0)
		munmap(slab, slab->mapped);
	else
		free(slab);
}

static void free_var(dt_aggvar_t *var)
{
	dt_aggslab_t *slab;

	if (var == NULL)
		return;
	while ((slab = var->slabs) != NULL) {
		var->slabs = slab->next;
		free_slab(slab);
	}
	free(var->zero);
	free(var->desc);
	free(var);
}

/* ---- Entries --------------------------------------------------------------------- */

/* An entry's memory, its contents undefined. */
static dt_aggentry_t *alloc_entry(dt_aggvar_t *var)
{
	dt_aggentry_t *entry = var->free;
	dt_aggslab_t *slab;

	if (entry != NULL) {
		var->free = entry->next;
		return entry;
	}
	if (var->unused == 0) {
		size_t n = var->slab_entries == 0 ? 1 : var->slab_entries * 4;

		if (n > SLAB_ENTRIES_MAX)
			n = SLAB_ENTRIES_MAX;
		if (n > 1 && n * var->entry_size > SLAB_SIZE_MAX)
			n = SLAB_SIZE_MAX / var->entry_size + 1;
		slab = alloc_slab(sizeof(*slab) + n * var->entry_size);
		if (slab == NULL)
			return NULL;
		slab->next = var->slabs;
		var->slabs = slab;
		var->slab_entries = var->unused = n;
	}
	var->unused--;
	return (dt_aggentry_t *)((char *)var->slabs->entries +
				 var->unused * var->entry_size);
}

/* One block: a pointer for each CPU, then the values. NULL: out of memory. */
static dtrace_addr_t *make_percpu(dtrace_hdl_t *hdl, const dt_aggvar_t *var)
{
	size_t ncpus = (size_t)dt_consumer_ncpus(hdl), i;
	dtrace_addr_t *percpu = malloc(ncpus * (sizeof(*percpu) + var->shown_value_size));
	char *values = (char *)(percpu + ncpus);

	for (i = 0; i < ncpus && percpu != NULL; i++) {
		percpu[i] = values + i * var->shown_value_size;
		dt_agg_set_identity(var, percpu[i]);
	}
	return percpu;
}

void dt_aggentry_clear(dtrace_hdl_t *hdl, dt_aggentry_t *entry)
{
	dt_aggvar_t *var = entry->var;
	int cpu;

	dt_agg_set_identity(var, entry->data + var->layout.value_offset);
	for (cpu = 0; entry->agg.dtada_percpu != NULL && cpu < dt_consumer_ncpus(hdl);
	     cpu++)
		dt_agg_set_identity(var, entry->agg.dtada_percpu[cpu]);
}

static bool grow_chains(dt_aggs_t *aggs)
{
	size_t nchains = aggs->nchains != 0 ? aggs->nchains * 2 : CHAINS_INITIAL, i;
	dt_aggentry_t **chains = calloc(nchains, sizeof(*chains));

	if (chains == NULL)
		return false;
	for (i = 0; i < aggs->nentries; i++) {
		dt_aggentry_t *entry = aggs->entries[i], **chain;

		if (entry->is_removed)
			continue;
		chain = &chains[entry->hash & (nchains - 1)];
		entry->next = *chain;
		*chain = entry;
	}
	free(aggs->chains);
	aggs->chains = chains;
	aggs->nchains = nchains;
	return true;
}

static bool grow_entries(dt_aggs_t *aggs)
{
	size_t capacity = aggs->capacity != 0 ? aggs->capacity * 2 : CHAINS_INITIAL;
	dt_aggentry_t **entries = realloc(aggs->entries, capacity * sizeof(*entries));

	if (entries == NULL)
		return false;
	aggs->entries = entries;
	aggs->capacity = capacity;
	return true;
}

/* Adds a key that is not there yet, with the identity value; NULL: out of memory. */
static dt_aggentry_t *add_entry(dtrace_hdl_t *hdl, dt_aggs_t *aggs, dt_aggvar_t *var,
				uint64_t hash, const void *shown)
{
	dt_aggentry_t *entry, **chain;

	if ((aggs->nentries >= aggs->nchains && !grow_chains(aggs)) ||
	    (aggs->nentries == aggs->capacity && !grow_entries(aggs)))
		return NULL;
	entry = alloc_entry(var);
	if (entry == NULL)
		return NULL;
	*entry = (dt_aggentry_t){.var = var, .hash = hash, .order = aggs->created++};
	memcpy(entry->data, shown, var->layout.value_offset);
	*(uint32_t *)entry->data = (uint32_t)var->layout.varid;
	dt_agg_set_identity(var, entry->data + var->layout.value_offset);
	entry->agg = (dtrace_aggdata_t){
	    .dtada_handle = hdl,
	    .dtada_desc = var->desc,
	    .dtada_edesc = var->edesc,
	    .dtada_pdesc = var->pdesc,
	    .dtada_data = entry->data,
	    .dtada_size = var->layout.shown_size,
	    .dtada_normal = 1,
	};
	if (dt_option_is_on(hdl, DT_OPT_AGGPERCPU)) {
		entry->agg.dtada_percpu = make_percpu(hdl, var);
		if (entry->agg.dtada_percpu == NULL) {
			entry->next = var->free;
			var->free = entry;
			return NULL;
		}
		entry->agg.dtada_flags |= DTRACE_A_PERCPU;
	}
	chain = &aggs->chains[hash & (aggs->nchains - 1)];
	entry->next = *chain;
	*chain = entry;
	aggs->entries[aggs->nentries++] = entry;
	return entry;
}

void dt_aggentry_remove(dt_aggs_t *aggs, dt_aggentry_t *entry)
{
	dt_aggentry_t **link = &aggs->chains[entry->hash & (aggs->nchains - 1)];

	if (entry->is_removed)
		return;
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	entry->is_removed = true;
	aggs->has_removed = true;
}

void dt_aggs_begin_walk(dt_aggs_t *aggs)
{
	aggs->walks++;
}

void dt_aggs_end_walk(dt_aggs_t *aggs)
{
	size_t kept = 0, i;

	if (--aggs->walks != 0 || !aggs->has_removed)
		return;
	for (i = 0; i < aggs->nentries; i++) {
		dt_aggentry_t *entry = aggs->entries[i];

		if (!entry->is_removed) {
			aggs->entries[kept++] = entry;
			continue;
		}
		free(entry->agg.dtada_percpu);
		entry->next = entry->var->free;
		entry->var->free = entry;
	}
	aggs->nentries = kept;
	aggs->has_removed = false;
}

/* ---- Merging ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

static uint64_t hash_keys(const dt_aggvar_t *var, const void *shown)
{
	const char *at = (const char *)shown + sizeof(uint64_t);
	const char *end = (const char *)shown + var->layout.value_offset;
	uint64_t hash = (uint64_t)var->layout.varid, word;
	uint32_t first;

	memcpy(&first, (const char *)shown + KEYS_OFFSET, sizeof(first));
	hash = mix(hash, first);
	for (; at < end; at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		/* Most of a string key is the zeros after it. */
		if (word != 0)
			hash = mix(hash, word + (uint64_t)(end - at));
	}
	return hash;
}

static dt_aggentry_t *find_entry(const dt_aggs_t *aggs, const dt_aggvar_t *var,
				 uint64_t hash, const void *shown)
{
	size_t size = var->layout.value_offset - KEYS_OFFSET;
	dt_aggentry_t *entry;

	if (aggs->nchains == 0)
		return NULL;
	for (entry = aggs->chains[hash & (aggs->nchains - 1)]; entry != NULL;
	     entry = entry->next) {
		if (entry->hash == hash && entry->var == var &&
		    memcmp(entry->data + KEYS_OFFSET, (const char *)shown + KEYS_OFFSET,
			   size) == 0)
			return entry;
	}
	return NULL;
}

/* Brings the address of a symbol key to the begin of what it names. */
static void settle_symbol(dtrace_hdl_t *hdl, dtrace_actkind_t action, uint64_t *key)
{
	const char *module, *name;
	dt_usersym_t sym;
	uint64_t offset;

	switch (action) {
	case DTRACEACT_SYM:
		if (dt_kernel_symbol(hdl, key[0], &module, &name, &offset))
			key[0] -= offset;
		break;
	case DTRACEACT_MOD:
		offset = dt_kernel_module_address(hdl, key[0]);
		if (offset != 0)
			key[0] = offset;
		break;
	case DTRACEACT_USYM:
		if (dt_user_symbol(hdl, (pid_t)key[0], key[1], &sym) && sym.name != NULL)
			key[1] -= sym.offset;
		break;
	case DTRACEACT_UMOD:
		if (dt_user_symbol(hdl, (pid_t)key[0], key[1], &sym) && sym.object != NULL)
			key[1] = sym.object_address;
		break;
	}
}

/* A copy of the keys alone, their symbols settled; NULL: out of memory. */
static const void *settle_keys(dtrace_hdl_t *hdl, dt_aggs_t *aggs, const dt_aggvar_t *var,
			       const void *shown)
{
	size_t size = var->layout.value_offset;
	uint32_t i;

	if (size > aggs->scratch_size) {
		char *scratch = realloc(aggs->scratch, size);

		if (scratch == NULL)
			return NULL;
		aggs->scratch = scratch;
		aggs->scratch_size = size;
	}
	memset(aggs->scratch, 0, size);
	for (i = 0; i < var->layout.nkeys; i++) {
		const dtrace_recdesc_t *rec = &var->layout.keys[i].rec;
		char *key = aggs->scratch + rec->dtrd_offset;
		uint64_t words[2] = {0, 0};

		memcpy(key, (const char *)shown + rec->dtrd_offset, rec->dtrd_size);
		if (!is_symbol(rec->dtrd_action) || rec->dtrd_size > sizeof(words))
			continue;
		memcpy(words, key, rec->dtrd_size);
		settle_symbol(hdl, rec->dtrd_action, words);
		memcpy(key, words, rec->dtrd_size);
	}
	return aggs->scratch;
}

int dt_aggs_merge(dtrace_hdl_t *hdl, const dt_agglayout_t *layout, processorid_t cpu,
		  const void *shown, const void *value)
{
	dt_aggs_t *aggs = dt_consumer_aggs(hdl);
	dt_aggvar_t *var = dt_aggs_add_var(hdl, aggs, layout);
	dt_aggentry_t *entry;
	uint64_t hash;

	if (var == NULL)
		return -1;
	if (!var->is_settled)
		shown = settle_keys(hdl, aggs, var, shown);
	if (shown == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	hash = hash_keys(var, shown);
	entry = find_entry(aggs, var, hash, shown);
	if (entry == NULL)
		entry = add_entry(hdl, aggs, var, hash, shown);
	if (entry == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	add_value(var, (uint64_t *)(entry->data + layout->value_offset), value);
	if (entry->agg.dtada_percpu != NULL && cpu >= 0 && cpu < dt_consumer_ncpus(hdl))
		add_value(var, (uint64_t *)entry->agg.dtada_percpu[cpu], value);
	return 0;
}

/* ---- All or one variable --------------------------------------------------------------
 */

dt_aggs_t *dt_aggs_create(void)
{
	return calloc(1, sizeof(dt_aggs_t));
}

void dt_aggs_destroy(dt_aggs_t *aggs)
{
	size_t i;

	if (aggs == NULL)
		return;
	for (i = 0; i < aggs->nentries; i++)
		free(aggs->entries[i]->agg.dtada_percpu);
	for (i = 0; i < aggs->nvars; i++)
		free_var(aggs->vars[i]);
	free(aggs->vars);
	free(aggs->chains);
	free(aggs->entries);
	free(aggs->scratch);
	free(aggs);
}

/* varid 0: every variable. */
static void clear_entries(dtrace_hdl_t *hdl, dtrace_aggvarid_t varid)
{
	dt_aggs_t *aggs = dt_consumer_aggs(hdl);
	size_t i;

	for (i = 0; aggs != NULL && i < aggs->nentries; i++) {
		if (varid == 0 || aggs->entries[i]->var->layout.varid == varid)
			dt_aggentry_clear(hdl, aggs->entries[i]);
	}
}

void dtrace_aggregate_clear(dtrace_hdl_t *hdl)
{
	clear_entries(hdl, 0);
}

int dt_aggs_clear(dtrace_hdl_t *hdl, dtrace_aggvarid_t varid)
{
	clear_entries(hdl, varid);
	return 0;
}

int dt_aggs_normalize(dtrace_hdl_t *hdl, dtrace_aggvarid_t varid, uint64_t normal)
{
	dt_aggs_t *aggs = dt_consumer_aggs(hdl);
	size_t i;

	if (normal == 0)
		return dt_set_error(hdl, EDT_BADAGG, "normalize() by zero");
	for (i = 0; aggs != NULL && i < aggs->nentries; i++) {
		if (aggs->entries[i]->var->layout.varid == varid)
			aggs->entries[i]->agg.dtada_normal = normal;
	}
	return 0;
}
