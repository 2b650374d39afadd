/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - where everything stands, decided once all programs of the enabling are known
 * and before a single instruction is generated: variables, keys, records, buffers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/cg.h"

static uint32_t align8(uint32_t n)
{
	return (n + 7) & ~7u;
}

#define COPY_MIN 256 /* of the functions in bpf/: a file name */

uint32_t dt_scratch_pad(const dt_cgenv_t *env)
{
	uint32_t pad = env->strsize > env->scratch_pad ? env->strsize : env->scratch_pad;

	return pad > COPY_MIN ? pad : COPY_MIN;
}

uint32_t dt_scratch_bytes(const dt_cgenv_t *env)
{
	return align8(env->scratch_size + dt_scratch_pad(env));
}

/* ---- Walking ---------------------------------------------------------------- */

static void walk(dt_node_t *n, void (*f)(dt_node_t *, void *), void *arg)
{
	if (!n)
		return;
	walk(n->left, f, arg);
	walk(n->right, f, arg);
	walk(n->third, f, arg);
	for (dt_node_t *k = n->list; k; k = k->next)
		walk(k, f, arg);
	f(n, arg);
}

void dt_clause_walk(const dt_clause_t *clause, void (*f)(dt_node_t *, void *), void *arg)
{
	walk(clause->predicate, f, arg);
	for (const dt_stmt_t *s = clause->stmts; s; s = s->next) {
		walk(s->agg, f, arg);
		walk(s->expr, f, arg);
	}
}

/* ---- Strings ------------------------------------------------------------------ */

uint32_t dt_strings_intern(dt_cgenv_t *env, const char *text, size_t length)
{
	uint32_t size = align8((uint32_t)length + 1), want;
	char *grown;

	for (uint32_t at = 0; at + size <= env->strings_size; at += 8)
		if (memcmp(env->strings + at, text, length) == 0 && !env->strings[at + length])
			return at;
	if (env->strings_size + size > env->strings_capacity) {
		want = env->strings_capacity ? env->strings_capacity * 2 : 256;
		while (want < env->strings_size + size)
			want *= 2;
		grown = realloc(env->strings, want);
		if (!grown)
			return UINT32_MAX;
		memset(grown + env->strings_capacity, 0, want - env->strings_capacity);
		env->strings = grown;
		env->strings_capacity = want;
	}
	want = env->strings_size;
	memcpy(env->strings + want, text, length);
	env->strings_size += size;
	return want;
}

uint32_t dt_strings_zeros(dt_cgenv_t *env, uint32_t size)
{
	char *zeros = dt_arena_alloc(env->arena, size + 1);

	return zeros ? dt_strings_intern(env, zeros, size) : UINT32_MAX;
}

/* ---- Aggregations --------------------------------------------------------------- */

/*
 * A key of one statement joins the layout of its aggregation. A string takes the widest
 * bound of all statements; it is carried as a number only if every statement's is one.
 */
static void merge_key(dt_cgenv_t *env, dt_node_t *k, dt_field_t *f, bool first)
{
	dt_field_t one = {0};

	one.rec.dtrd_action = DTRACEACT_DIFEXPR;
	dt_describe_value(env, k, &one);
	if (dt_is_string(k)) {
		one.encoding = dt_str_is_id(k) ? DT_ENC_STRID : DT_ENC_STRING;
		one.kernel_size = dt_str_bound(env, k);
	}
	if (first) {
		*f = one;
		return;
	}
	if (one.encoding == DT_ENC_STRING)
		f->encoding = DT_ENC_STRING;
	if (one.kernel_size > f->kernel_size)
		f->kernel_size = one.kernel_size;
	if (one.rec.dtrd_size > f->rec.dtrd_size)
		f->rec.dtrd_size = one.rec.dtrd_size;
}

static int layout_agg(dt_cgenv_t *env, const dt_stmt_t *s, const dt_ecb_t *ecb)
{
	const dt_ident_t *ident = s->agg->ident;
	dt_agglayout_t *layout = &env->aggs[ident->id - 1];
	bool first = layout->varid == 0;
	uint32_t i = 0;

	if (first) {
		layout->name = ident->name;
		layout->varid = ident->id;
		layout->func = ident->aggfunc;
		layout->arg = ident->aggarg;
		layout->nkeys = ident->nkeys > 0 ? (uint32_t)ident->nkeys : 0;
		layout->epid = ecb->epid;
		layout->context = (int)ecb->context;
		layout->keys = dt_arena_alloc(env->arena,
					      (layout->nkeys + 1) * sizeof(*layout->keys));
		if (!layout->keys)
			return dt_set_errno(env->hdl, EDT_NOMEM);
	}
	if ((int)ecb->context != layout->context || ecb->context >= DT_CONTEXT_ANY)
		layout->is_shared = true;
	for (dt_node_t *k = s->agg->list; k && i < layout->nkeys; k = k->next, i++)
		merge_key(env, k, &layout->keys[i], first);
	return 0;
}

/* Offsets, once every statement has spoken. */
static void finish_agg(dt_cgenv_t *env, dt_agglayout_t *layout)
{
	uint32_t shown = sizeof(uint32_t);

	for (uint32_t i = 0; i < layout->nkeys; i++) {
		dt_field_t *f = &layout->keys[i];
		uint32_t align = f->rec.dtrd_alignment ? f->rec.dtrd_alignment : 1;

		if (f->encoding == DT_ENC_STRID)
			f->kernel_size = 8;
		f->kernel_offset = layout->key_size;
		layout->key_size += align8(f->kernel_size);
		shown = (shown + align - 1) & ~(align - 1);
		f->rec.dtrd_offset = shown;
		shown += f->rec.dtrd_size;
	}
	layout->value_size = dt_agg_nbuckets(layout->func, layout->arg) * 8;
	if (!layout->value_size)
		layout->value_size = dt_agg_value_size(layout->func, layout->arg);
	layout->value_offset = align8(shown);
	layout->shown_size =
	    layout->value_offset + dt_agg_value_size(layout->func, layout->arg);
	if (layout->nkeys) {
		env->nkeyed++;
		return;
	}
	layout->fixed_offset = env->fixed_size;
	env->fixed_size += (uint32_t)((sizeof(dt_kaggent_t) + layout->value_size + 63) & ~63u);
}

static int layout_aggs(dt_cgenv_t *env, dt_ecb_t **ecbs, uint32_t necbs)
{
	env->naggs = env->hdl->naggs;
	env->aggs = dt_arena_alloc(env->arena, (env->naggs + 1) * sizeof(*env->aggs));
	if (!env->aggs)
		return dt_set_errno(env->hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < necbs; i++)
		for (const dt_stmt_t *s = ecbs[i]->clause->stmts; s; s = s->next)
			if (s->kind == DT_S_AGG && layout_agg(env, s, ecbs[i]) != 0)
				return -1;
	for (uint32_t i = 0; i < env->naggs; i++)
		if (env->aggs[i].varid)
			finish_agg(env, &env->aggs[i]);
	/* One chain for every 128 bytes of buffer keeps chains short at any fill. */
	for (env->nbuckets = 16; env->nbuckets < env->aggsize / 128; env->nbuckets *= 2)
		continue;
	env->entries_offset = DT_AGG_HEADS + (env->nkeyed ? env->nbuckets * 4 : 0);
	env->near_size = env->nkeyed ? DT_AGG_NNEAR * 4 : 0;
	env->cpu_size = (uint32_t)sizeof(dt_kcpu_t) + 2 * (env->fixed_size + env->near_size);
	env->waits_offset = env->cpu_size;
	for (uint32_t i = 0; i < necbs; i++) {
		env->needs_waits |= ecbs[i]->attach->ends_wait;
		env->holds_locks |= ecbs[i]->attach->is_alone;
	}
	if (env->needs_waits)
		env->cpu_size += (uint32_t)sizeof(dt_kwaits_t);
	if ((uint64_t)env->fixed_size + env->entries_offset > env->aggsize)
		return dt_set_error(env->hdl, EDT_TOOLARGE,
				    "aggsize (%u) is too small for the aggregations",
				    env->aggsize);
	return 0;
}

/* ---- Variables ------------------------------------------------------------------- */

static dt_assoc_t *assoc_of(dt_cgenv_t *env, dt_ident_t *ident)
{
	for (uint32_t i = 0; i < env->nassocs; i++)
		if (env->assocs[i].ident == ident)
			return &env->assocs[i];
	return NULL;
}

#define VARIABLE_MAX (256u << 20)
/* Of task storage: a u16 less the kernel's own words. */
#define SELF_MAX (65535u - 128)
/* What may follow the variables: vtimestamp's word, and a wait. */
#define SELF_OURS (8 + (uint32_t)sizeof(dt_kwait_t))

uint32_t dt_variable_size(dt_cgenv_t *env, dt_type_t *type)
{
	dt_type_t *t = dt_type_resolve(env->hdl, type);

	switch (t->kind) {
	case DT_K_STRING:
		return env->strsize;
	case DT_K_STRUCT:
	case DT_K_UNION:
	case DT_K_ARRAY:
		return t->size > VARIABLE_MAX ? VARIABLE_MAX + 1 : (uint32_t)t->size;
	default:
		return 8;
	}
}

static void layout_assoc_use(dt_node_t *n, void *arg)
{
	dt_cgenv_t *env = arg;
	dt_assoc_t *assoc;
	uint32_t i = 0, bound;

	if (n->kind != DT_N_INDEX || n->ident->kind != DT_I_ASSOC)
		return;
	assoc = assoc_of(env, n->ident);
	for (dt_node_t *k = n->list; k; k = k->next, i++) {
		bound = dt_is_string(k) ? dt_str_bound(env, k)
					: dt_variable_size(env, n->ident->keys[i]);
		if (bound > assoc->key_sizes[i])
			assoc->key_sizes[i] = bound;
	}
}

/* What is larger is kept in a map by thread: task storage is small, and every thread that
 * has one variable has all. So is everything where programs run with the kernel's locks held:
 * kernels before 6.4 take task storage from the allocator, whose lock it may be. */
#define SELF_VARIABLE_MAX 4096u

static bool fits_in_self(const dt_cgenv_t *env, uint32_t size)
{
	return size <= SELF_VARIABLE_MAX && env->self_size + align8(size) + SELF_OURS <= SELF_MAX;
}

static int layout_assoc(dt_cgenv_t *env, dt_ident_t *ident, uint32_t size)
{
	dt_assoc_t *assoc = &env->assocs[env->nassocs++];
	size_t nkeys = ident->kind == DT_I_ASSOC ? (size_t)ident->nkeys : 0;

	assoc->ident = ident;
	assoc->nkeys = (uint32_t)nkeys;
	assoc->value_size = align8(size);
	assoc->key_offsets = dt_arena_alloc(env->arena, (2 * nkeys + 1) * sizeof(uint32_t));
	if (!assoc->key_offsets)
		return dt_set_errno(env->hdl, EDT_NOMEM);
	assoc->key_sizes = assoc->key_offsets + nkeys;
	return 0;
}

static int layout_variable(dt_cgenv_t *env, dt_ident_t *ident)
{
	uint32_t size;

	if ((ident->kind != DT_I_VAR && ident->kind != DT_I_ASSOC) || ident->type == NULL ||
	    ident->type->kind == DT_K_DYN)
		return 0;
	size = dt_variable_size(env, ident->type);
	if (size > VARIABLE_MAX || env->state_size > VARIABLE_MAX)
		return dt_set_error(env->hdl, EDT_TOOLARGE, "variable %s is too large",
				    ident->name);
	if (ident->kind == DT_I_ASSOC)
		return ident->nkeys > 0 ? layout_assoc(env, ident, size) : 0;
	if (ident->scope == DT_SCOPE_GLOBAL) {
		ident->storage = env->state_size;
		env->state_size += align8(size);
	} else if (ident->scope == DT_SCOPE_SELF &&
		   (env->holds_locks || !fits_in_self(env, size))) {
		ident->storage = DT_STORAGE_MAP;
		return layout_assoc(env, ident, size);
	} else if (ident->scope == DT_SCOPE_SELF) {
		ident->storage = env->self_size;
		env->self_size += align8(size);
	}
	return 0;
}

static int each_ident(dt_cgenv_t *env, int (*f)(dt_cgenv_t *, dt_ident_t *))
{
	for (uint32_t i = 0; i < env->hdl->ident_buckets; i++)
		for (dt_ident_t *id = env->hdl->idents[i]; id; id = id->next)
			if (f(env, id) != 0)
				return -1;
	return 0;
}

static void note_needs(dt_node_t *n, void *arg)
{
	dt_cgenv_t *env = arg;

	if (n->kind == DT_N_VAR && n->ident->kind == DT_I_BUILTIN &&
	    n->ident->id == DT_VAR_VTIMESTAMP)
		env->needs_vtimestamp = true;
}

static int layout_variables(dt_cgenv_t *env, dt_ecb_t **ecbs, uint32_t necbs)
{
	env->globals_offset = DT_CPUS_OFFSET + env->npossible * env->cpu_size;
	env->state_size = env->globals_offset;
	env->assocs = dt_arena_alloc(env->arena,
				     (env->hdl->nidents + 1) * sizeof(*env->assocs));
	if (!env->assocs)
		return dt_set_errno(env->hdl, EDT_NOMEM);
	if (each_ident(env, layout_variable) != 0)
		return -1;
	for (uint32_t i = 0; i < necbs; i++) {
		dt_clause_walk(ecbs[i]->clause, layout_assoc_use, env);
		dt_clause_walk(ecbs[i]->clause, note_needs, env);
	}
	for (uint32_t i = 0; i < env->nassocs; i++) {
		dt_assoc_t *a = &env->assocs[i];

		a->key_size = a->ident->scope == DT_SCOPE_SELF ? 16 : 0; /* the thread */
		for (uint32_t k = 0; k < a->nkeys; k++) {
			a->key_offsets[k] = a->key_size;
			a->key_sizes[k] = align8(a->key_sizes[k] ? a->key_sizes[k] : 8);
			a->key_size += a->key_sizes[k];
		}
	}
	env->ontime_offset = env->self_size;
	if (env->needs_vtimestamp)
		env->self_size += 8;
	env->wait_offset = env->self_size;
	if (env->needs_waits)
		env->self_size += (uint32_t)sizeof(dt_kwait_t);
	return 0;
}

int dt_layout(dt_cgenv_t *env, dt_ecb_t **ecbs, uint32_t necbs)
{
	if (layout_aggs(env, ecbs, necbs) != 0 || layout_variables(env, ecbs, necbs) != 0)
		return -1;
	for (uint32_t i = 0; i < necbs; i++) {
		ecbs[i]->plan = dt_layout_record(env, ecbs[i]->clause);
		if (!ecbs[i]->plan)
			return -1;
	}
	return 0;
}
