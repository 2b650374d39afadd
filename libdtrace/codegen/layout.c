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

uint32_t dt_scratch_bytes(const dt_cgenv_t *env)
{
	return align8(env->scratch_size + env->strsize);
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

/* ---- Records ------------------------------------------------------------------- */

/* How consumers tell a string from a number is by its size: never 1, 2, 4 or 8 bytes. */
static uint32_t shown_string_size(uint32_t bound)
{
	return bound < 16 ? 16 : align8(bound);
}

static dt_encoding_t name_encoding(const dt_node_t *n)
{
	switch (n->ident->id) {
	case DT_VAR_PROBEPROV:
		return DT_ENC_PROVIDER;
	case DT_VAR_PROBEMOD:
		return DT_ENC_MODULE;
	case DT_VAR_PROBEFUNC:
		return DT_ENC_FUNCTION;
	default:
		return DT_ENC_NAME;
	}
}

/* Fills a field for a value of the expression's type: sizes, alignment, encoding. */
static void describe_value(dt_cgenv_t *env, const dt_node_t *n, dt_field_t *f)
{
	dt_type_t *t = dt_type_resolve(env->hdl, n->type);
	uint32_t bound;

	f->type = n->type;
	if (dt_is_string(n)) {
		bound = dt_str_bound(env, n);
		f->rec.dtrd_size = shown_string_size(bound);
		f->rec.dtrd_alignment = 1;
		f->rec.dtrd_uarg = DT_RECORD_STRING;
		f->encoding = DT_ENC_STRING;
		f->kernel_size = bound;
		if (dt_str_is_id(n)) {
			f->kernel_size = 0;
			f->encoding = n->kind == DT_N_STR ? DT_ENC_CONST : name_encoding(n);
			f->text = n->kind == DT_N_STR ? n->string : NULL;
		}
		return;
	}
	if (t->kind == DT_K_STRUCT || t->kind == DT_K_UNION || t->kind == DT_K_ARRAY) {
		f->rec.dtrd_size = (uint32_t)t->size;
		f->rec.dtrd_alignment = (uint16_t)(t->align ? t->align : 1);
	} else {
		f->rec.dtrd_size = t->kind == DT_K_INT || t->kind == DT_K_ENUM
				       ? (uint32_t)t->size
				       : 8;
		f->rec.dtrd_alignment = (uint16_t)f->rec.dtrd_size;
	}
	f->encoding = DT_ENC_RAW;
	f->kernel_size = f->rec.dtrd_size;
}

typedef struct planner {
	dt_cgenv_t *env;
	dt_recplan_t *plan;
	uint32_t capacity;
	bool failed;
} planner_t;

static dt_field_t *add_field(planner_t *p, uint16_t action)
{
	dt_recplan_t *plan = p->plan;
	dt_field_t *grown;

	if (plan->nfields == p->capacity) {
		uint32_t want = p->capacity ? p->capacity * 2 : 4;

		grown = dt_arena_alloc(p->env->arena, want * sizeof(*grown));
		if (!grown) {
			p->failed = true;
			return NULL;
		}
		if (plan->nfields)
			memcpy(grown, plan->fields, plan->nfields * sizeof(*grown));
		plan->fields = grown;
		p->capacity = want;
	}
	plan->fields[plan->nfields].rec.dtrd_action = action;
	plan->fields[plan->nfields].rec.dtrd_alignment = 1;
	return &plan->fields[plan->nfields++];
}

/* Gives the field its places, in the kernel and as shown. */
static void place_field(planner_t *p, dt_field_t *f)
{
	dt_recplan_t *plan = p->plan;
	uint32_t align = f->rec.dtrd_alignment ? f->rec.dtrd_alignment : 1;

	if (f->kernel_size) {
		/* Strings too: comparisons and copies are in words. */
		uint32_t kalign = f->encoding == DT_ENC_STRING ? 8 : align;

		plan->kernel_size = (plan->kernel_size + kalign - 1) & ~(kalign - 1);
		f->kernel_offset = plan->kernel_size;
		plan->kernel_size += f->kernel_size;
	}
	if (f->rec.dtrd_size) {
		plan->size = (plan->size + align - 1) & ~(align - 1);
		f->rec.dtrd_offset = plan->size;
		plan->size += f->rec.dtrd_size;
	}
	if (f->encoding != DT_ENC_RAW || f->kernel_offset != f->rec.dtrd_offset)
		plan->is_raw = false;
}

static dt_field_t *plan_value(planner_t *p, uint16_t action, const dt_node_t *n)
{
	dt_field_t *f = add_field(p, action);

	if (!f)
		return NULL;
	describe_value(p->env, n, f);
	place_field(p, f);
	return f;
}

/* A field of words: a stack, a symbol. */
static void plan_words(planner_t *p, uint16_t action, uint32_t words, uint64_t arg)
{
	dt_field_t *f = add_field(p, action);

	if (!f)
		return;
	f->rec.dtrd_size = f->kernel_size = words * 8;
	f->rec.dtrd_alignment = 8;
	f->rec.dtrd_arg = arg;
	place_field(p, f);
}

static uint16_t plan_format(planner_t *p, void *format)
{
	dt_recplan_t *plan = p->plan;
	void **grown;

	if (!format)
		return 0;
	grown = dt_arena_alloc(p->env->arena, (plan->nformats + 1) * sizeof(*grown));
	if (!grown) {
		p->failed = true;
		return 0;
	}
	if (plan->nformats)
		memcpy(grown, plan->formats, plan->nformats * sizeof(*grown));
	grown[plan->nformats] = format;
	plan->formats = grown;
	return (uint16_t)++plan->nformats;
}

/* One field an argument, the first with the format; without arguments one of no size. */
static void plan_printf(planner_t *p, const dt_stmt_t *s)
{
	const dt_node_t *args = s->expr->list->next;
	uint16_t format = plan_format(p, s->format);
	uint32_t first = p->plan->nfields, n = 0;

	for (const dt_node_t *a = args; a; a = a->next, n++)
		if (!plan_value(p, DTRACEACT_PRINTF, a))
			return;
	if (n == 0 && !add_field(p, DTRACEACT_PRINTF))
		return;
	p->plan->fields[first].rec.dtrd_format = format;
	p->plan->fields[first].rec.dtrd_arg = n;
}

static void plan_printa(planner_t *p, const dt_stmt_t *s)
{
	uint16_t format = plan_format(p, s->format);
	uint32_t n = 0;

	for (const dt_node_t *a = s->expr->list; a; a = a->next)
		n += a->kind == DT_N_AGG;
	for (const dt_node_t *a = s->expr->list; a; a = a->next) {
		dt_field_t *f;

		if (a->kind != DT_N_AGG)
			continue;
		f = add_field(p, DTRACEACT_PRINTA);
		if (!f)
			return;
		f->rec.dtrd_arg = a->ident->id;
		f->rec.dtrd_uarg = n--; /* this one and how many follow */
		f->rec.dtrd_format = format;
	}
}

static void plan_library(planner_t *p, const dt_node_t *call, uint64_t what)
{
	const dt_node_t *value = call->list->next;
	dt_field_t *f = value ? plan_value(p, DTRACEACT_LIBACT, value)
			      : add_field(p, DTRACEACT_LIBACT);

	if (!f)
		return;
	f->rec.dtrd_arg = what;
	f->rec.dtrd_uarg = call->list->ident->id;
}

#define DEFAULT_FRAMES 20

static uint64_t frames_of(const dt_node_t *call)
{
	return call->list && call->list->kind == DT_N_INT ? call->list->value : DEFAULT_FRAMES;
}

static void plan_action(planner_t *p, const dt_stmt_t *s)
{
	const dt_node_t *call = s->expr;
	uint64_t frames;

	switch (call->ident->id) {
	case DT_ACTION_TRACE:
		plan_value(p, DTRACEACT_DIFEXPR, call->list);
		break;
	case DT_ACTION_EXIT:
		plan_value(p, DTRACEACT_EXIT, call->list);
		break;
	case DT_ACTION_PRINTF:
		plan_printf(p, s);
		break;
	case DT_ACTION_PRINTA:
		plan_printa(p, s);
		break;
	case DT_ACTION_CLEAR:
		plan_library(p, call, DT_ACT_CLEAR);
		break;
	case DT_ACTION_TRUNC:
		plan_library(p, call, DT_ACT_TRUNC);
		break;
	case DT_ACTION_NORMALIZE:
		plan_library(p, call, DT_ACT_NORMALIZE);
		break;
	case DT_ACTION_DENORMALIZE:
		plan_library(p, call, DT_ACT_DENORMALIZE);
		break;
	case DT_ACTION_STACK:
		frames = frames_of(call);
		plan_words(p, DTRACEACT_STACK, (uint32_t)frames, frames);
		break;
	case DT_ACTION_USTACK:
		frames = frames_of(call);
		plan_words(p, DTRACEACT_USTACK, (uint32_t)frames + 1, frames);
		break;
	case DT_ACTION_SYM:
	case DT_ACTION_FUNC:
		plan_words(p, DTRACEACT_SYM, 1, 0);
		break;
	case DT_ACTION_MOD:
		plan_words(p, DTRACEACT_MOD, 1, 0);
		break;
	case DT_ACTION_USYM:
	case DT_ACTION_UFUNC:
		plan_words(p, DTRACEACT_USYM, 2, 0);
		break;
	case DT_ACTION_UMOD:
		plan_words(p, DTRACEACT_UMOD, 2, 0);
		break;
	case DT_ACTION_UADDR:
		plan_words(p, DTRACEACT_UADDR, 2, 0);
		break;
	}
}

dt_recplan_t *dt_layout_record(dt_cgenv_t *env, const dt_clause_t *clause)
{
	planner_t p = {.env = env};

	p.plan = dt_arena_alloc(env->arena, sizeof(*p.plan));
	if (!p.plan) {
		dt_set_errno(env->hdl, EDT_NOMEM);
		return NULL;
	}
	p.plan->is_raw = true;
	for (const dt_stmt_t *s = clause->stmts; s && !p.failed; s = s->next)
		if (s->kind == DT_S_ACTION)
			plan_action(&p, s);
	p.plan->size = align8(p.plan->size);
	if (p.failed) {
		dt_set_errno(env->hdl, EDT_NOMEM);
		return NULL;
	}
	return p.plan;
}

/* ---- Aggregations --------------------------------------------------------------- */

/* The action that a key is shown as: stacks and symbols are printed as such. */
static void describe_key(dt_cgenv_t *env, dt_node_t *k, dt_field_t *f)
{
	dt_type_t *t = dt_type_resolve(env->hdl, k->type);
	uint64_t frames;

	f->rec.dtrd_action = DTRACEACT_DIFEXPR;
	switch (t->kind) {
	case DT_K_STACK:
	case DT_K_USTACK:
		frames = frames_of(k);
		f->rec.dtrd_action = t->kind == DT_K_STACK ? DTRACEACT_STACK : DTRACEACT_USTACK;
		f->rec.dtrd_arg = frames;
		f->rec.dtrd_size = ((uint32_t)frames + (t->kind == DT_K_USTACK)) * 8;
		break;
	case DT_K_SYMADDR:
		f->rec.dtrd_action = k->ident->id == DT_ACTION_MOD ? DTRACEACT_MOD : DTRACEACT_SYM;
		f->rec.dtrd_size = 8;
		break;
	case DT_K_USYMADDR:
		f->rec.dtrd_action = k->ident->id == DT_ACTION_UMOD    ? DTRACEACT_UMOD
				     : k->ident->id == DT_ACTION_UADDR ? DTRACEACT_UADDR
								       : DTRACEACT_USYM;
		f->rec.dtrd_size = 16;
		break;
	default:
		describe_value(env, k, f);
		return;
	}
	f->type = k->type;
	f->rec.dtrd_alignment = 8;
	f->encoding = DT_ENC_RAW;
	f->kernel_size = f->rec.dtrd_size;
}

/*
 * A key of one statement joins the layout of its aggregation. A string takes the widest
 * bound of all statements; it is carried as a number only if every statement's is one.
 */
static void merge_key(dt_cgenv_t *env, dt_node_t *k, dt_field_t *f, bool first)
{
	dt_field_t one = {0};

	describe_key(env, k, &one);
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
	if ((int)ecb->context != layout->context || ecb->context == DT_CONTEXT_ANY)
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
	layout->fixed_offset = env->buckets_offset;
	env->buckets_offset +=
	    (uint32_t)((sizeof(dt_kaggent_t) + layout->value_size + 63) & ~63u);
}

/* The keys to all entries: fixed ones, hash chains, then entries. */
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
	env->buckets_offset = DT_AGG_FIXED;
	for (uint32_t i = 0; i < env->naggs; i++)
		if (env->aggs[i].varid)
			finish_agg(env, &env->aggs[i]);
	/* One chain for every 256 bytes of buffer keeps chains short at any fill. */
	for (env->nbuckets = 16; env->nbuckets < env->aggsize / 256; env->nbuckets *= 2)
		continue;
	env->entries_offset = env->buckets_offset + (env->nkeyed ? env->nbuckets * 4 : 0);
	if (env->entries_offset > env->aggsize)
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

static void layout_assoc_use(dt_node_t *n, void *arg)
{
	dt_cgenv_t *env = arg;
	dt_assoc_t *assoc;
	uint32_t i = 0, bound;

	if (n->kind != DT_N_INDEX || n->ident->kind != DT_I_ASSOC)
		return;
	assoc = assoc_of(env, n->ident);
	for (dt_node_t *k = n->list; k; k = k->next, i++) {
		bound = dt_is_string(k) ? dt_str_bound(env, k) : 8;
		if (bound > assoc->key_sizes[i])
			assoc->key_sizes[i] = bound;
	}
}

static int layout_variable(dt_cgenv_t *env, dt_ident_t *ident)
{
	uint32_t size;
	dt_type_t *t;
	dt_assoc_t *assoc;

	if (ident->type == NULL || ident->type->kind == DT_K_DYN)
		return 0;
	t = dt_type_resolve(env->hdl, ident->type);
	size = t->kind == DT_K_STRING ? env->strsize : 8;
	if (ident->kind == DT_I_VAR && ident->scope == DT_SCOPE_GLOBAL) {
		ident->storage = env->state_size;
		env->state_size += align8(size);
	} else if (ident->kind == DT_I_VAR && ident->scope == DT_SCOPE_SELF) {
		ident->storage = env->self_size;
		env->self_size += align8(size);
	} else if (ident->kind == DT_I_ASSOC && ident->nkeys > 0) {
		assoc = &env->assocs[env->nassocs++];
		assoc->ident = ident;
		assoc->value_size = align8(size);
		assoc->key_offsets =
		    dt_arena_alloc(env->arena, 2 * (size_t)ident->nkeys * sizeof(uint32_t));
		if (!assoc->key_offsets)
			return dt_set_errno(env->hdl, EDT_NOMEM);
		assoc->key_sizes = assoc->key_offsets + ident->nkeys;
	}
	return 0;
}

static int each_ident(dt_cgenv_t *env, int (*f)(dt_cgenv_t *, dt_ident_t *))
{
	for (int i = 0; i < DT_IDHASH_SIZE; i++)
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
	env->state_size = sizeof(dt_kstate_t);
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

		a->key_size = a->ident->scope == DT_SCOPE_SELF ? 8 : 0;
		for (int k = 0; k < a->ident->nkeys; k++) {
			a->key_offsets[k] = a->key_size;
			a->key_sizes[k] = align8(a->key_sizes[k] ? a->key_sizes[k] : 8);
			a->key_size += a->key_sizes[k];
		}
	}
	if (env->needs_vtimestamp) {
		env->ontime_offset = env->self_size;
		env->self_size += 8;
	}
	return 0;
}

int dt_layout(dt_cgenv_t *env, dt_ecb_t **ecbs, uint32_t necbs)
{
	if (layout_variables(env, ecbs, necbs) != 0 || layout_aggs(env, ecbs, necbs) != 0)
		return -1;
	for (uint32_t i = 0; i < necbs; i++) {
		ecbs[i]->plan = dt_layout_record(env, ecbs[i]->clause);
		if (!ecbs[i]->plan)
			return -1;
	}
	return 0;
}
