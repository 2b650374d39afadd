/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.c - the enabling becomes programs: one for each attach point, with every clause
 * that has a probe there, in program order.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enable/enable.h"
#include "provider/provider.h"

/* Makes room for one more pointer of an array in the arena. */
static int grow(dtrace_hdl_t *hdl, dt_arena_t *arena, void *array, uint32_t n,
		uint32_t *capacity)
{
	void ***p = array;
	uint32_t want = *capacity ? *capacity * 2 : 8;
	void **grown;

	if (n < *capacity)
		return 0;
	grown = dt_arena_alloc(arena, want * sizeof(*grown));
	if (!grown)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (n)
		memcpy(grown, *p, n * sizeof(*grown));
	*p = grown;
	*capacity = want;
	return 0;
}

/* ---- Control blocks ---------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	const dt_probe_t *x = *(dt_probe_t *const *)a, *y = *(dt_probe_t *const *)b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static const char *common(const char *have, const char *name, bool first)
{
	return first ? name : have && strcmp(have, name) == 0 ? have : NULL;
}

/* Ranges of keys, and the parts of the name that all probes share. */
static int finish_ecb(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_ecb_t *ecb)
{
	qsort(ecb->probes, ecb->nprobes, sizeof(*ecb->probes), compare_keys);
	ecb->keys = dt_arena_alloc(en->arena, ecb->nprobes * sizeof(*ecb->keys));
	if (!ecb->keys)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < ecb->nprobes; i++) {
		const dtrace_probedesc_t *d = &ecb->probes[i]->desc;
		uint32_t key = ecb->probes[i]->key;

		if (ecb->nkeys && key == ecb->keys[ecb->nkeys - 1].high + 1)
			ecb->keys[ecb->nkeys - 1].high = key;
		else
			ecb->keys[ecb->nkeys++] = (dt_range_t){key, key};
		ecb->provider = common(ecb->provider, d->dtpd_provider, i == 0);
		ecb->module = common(ecb->module, d->dtpd_mod, i == 0);
		ecb->function = common(ecb->function, d->dtpd_func, i == 0);
		ecb->name = common(ecb->name, d->dtpd_name, i == 0);
	}
	ecb->epid = en->nepids + 1;
	en->nepids += ecb->nprobes;
	return 0;
}

static dt_program_t *program_for(dtrace_hdl_t *hdl, dt_enabling_t *en,
				 dt_attachpoint_t *attach)
{
	dt_program_t *p;

	for (uint32_t i = 0; i < en->nprograms; i++)
		if (en->programs[i]->attach == attach)
			return en->programs[i];
	p = dt_arena_alloc(en->arena, sizeof(*p));
	if (!p || grow(hdl, en->arena, &en->programs, en->nprograms, &en->program_capacity) != 0) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	p->attach = attach;
	p->fd = -1;
	en->programs[en->nprograms++] = p;
	return p;
}

static dt_ecb_t *new_ecb(dtrace_hdl_t *hdl, dt_enabling_t *en, const dt_enabled_t *enabled,
			 dt_attachpoint_t *attach)
{
	dt_ecb_t *ecb = dt_arena_alloc(en->arena, sizeof(*ecb));

	if (ecb)
		ecb->probes = dt_arena_alloc(en->arena, enabled->nprobes * sizeof(dt_probe_t *));
	if (!ecb || !ecb->probes ||
	    grow(hdl, en->arena, &en->ecbs, en->necbs, &en->ecb_capacity) != 0) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	ecb->clause = enabled->clause;
	ecb->attach_nkeys = attach->nkeys;
	ecb->context = attach->context;
	ecb->number = en->necbs + 1;
	en->ecbs[en->necbs++] = ecb;
	return ecb;
}

static int add_to_program(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_ecb_t *ecb,
			  dt_attachpoint_t *attach)
{
	dt_cgenv_t *env = &en->env;
	dt_program_t *p;
	dt_ecb_t **ecbs;

	if (attach->kind == DT_ATTACH_ERROR) {
		ecbs = dt_arena_alloc(en->arena, (env->nerror_ecbs + 1) * sizeof(*ecbs));
		if (!ecbs)
			return dt_set_errno(hdl, EDT_NOMEM);
		if (env->nerror_ecbs)
			memcpy(ecbs, env->error_ecbs, env->nerror_ecbs * sizeof(*ecbs));
		ecbs[env->nerror_ecbs++] = ecb;
		env->error_ecbs = ecbs;
		return 0;
	}
	p = program_for(hdl, en, attach);
	if (!p)
		return -1;
	ecbs = dt_arena_alloc(en->arena, (p->necbs + 1) * sizeof(*ecbs));
	if (!ecbs)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (p->necbs)
		memcpy(ecbs, p->ecbs, p->necbs * sizeof(*ecbs));
	ecbs[p->necbs++] = ecb;
	p->ecbs = ecbs;
	return 0;
}

/* A control block for each attach point among the probes of one enabled description. */
static int build_ecbs(dtrace_hdl_t *hdl, dt_enabling_t *en, const dt_enabled_t *enabled)
{
	uint32_t from = en->necbs;
	dt_attachpoint_t **attaches;

	if (enabled->nprobes == 0)
		return 0;
	attaches = dt_arena_alloc(en->arena, enabled->nprobes * sizeof(dt_attachpoint_t *));
	if (!attaches)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < enabled->nprobes; i++) {
		dt_probe_t *probe = enabled->probes[i];
		dt_ecb_t *ecb = NULL;

		for (uint32_t k = from; k < en->necbs && !ecb; k++)
			if (attaches[k - from] == probe->attach)
				ecb = en->ecbs[k];
		if (!ecb) {
			attaches[en->necbs - from] = probe->attach;
			ecb = new_ecb(hdl, en, enabled, probe->attach);
			if (!ecb || add_to_program(hdl, en, ecb, probe->attach) != 0)
				return -1;
		}
		ecb->probes[ecb->nprobes++] = probe;
	}
	for (uint32_t k = from; k < en->necbs; k++)
		if (finish_ecb(hdl, en, en->ecbs[k]) != 0)
			return -1;
	return 0;
}

/* ---- Names by key ------------------------------------------------------------- */

/* The table of function names that the program's clauses share. */
static int build_names(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_program_t *p)
{
	size_t size = (size_t)p->attach->nkeys * DT_NAME_STRIDE;
	bool wanted = false;
	uint32_t base;
	char *table;

	for (uint32_t i = 0; i < p->necbs; i++)
		wanted |= p->ecbs[i]->function == NULL;
	if (!wanted)
		return 0;
	table = dt_arena_alloc(en->arena, size);
	if (!table)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < p->necbs; i++) {
		for (uint32_t k = 0; k < p->ecbs[i]->nprobes; k++) {
			const dt_probe_t *probe = p->ecbs[i]->probes[k];

			memcpy(table + (size_t)probe->key * DT_NAME_STRIDE, probe->desc.dtpd_func,
			       strnlen(probe->desc.dtpd_func, DT_NAME_STRIDE - 1));
		}
	}
	base = dt_strings_intern(&en->env, table, size);
	if (base == UINT32_MAX)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < p->necbs; i++)
		p->ecbs[i]->names_base = base;
	return 0;
}

/* ---- The whole ----------------------------------------------------------------- */

#define DT_PAGE 4096u
/* Offsets in a buffer are signed 32-bit immediates; the verifier allows less: 2^29. */
#define DT_BUFFER_MAX (256u << 20)
#define DT_STRSIZE_MAX (1u << 16)

static int buffer_size(dtrace_hdl_t *hdl, dt_option_t option, const char *name, uint32_t *size)
{
	dtrace_optval_t v = hdl->options[option];

	if (v > DT_BUFFER_MAX)
		return dt_set_error(hdl, EDT_BADOPTVAL, "%s is limited to %u bytes", name,
				    DT_BUFFER_MAX);
	*size = ((uint32_t)v + DT_PAGE - 1) & ~(DT_PAGE - 1);
	return 0;
}

static int read_options(dtrace_hdl_t *hdl, dt_cgenv_t *env)
{
	int ncpus = libbpf_num_possible_cpus();

	if (ncpus <= 0)
		return dt_set_error(hdl, -ncpus, "cannot tell the number of CPUs");
	env->ncpus = (uint32_t)ncpus;
	if (buffer_size(hdl, DT_OPT_BUFSIZE, "bufsize", &env->bufsize) != 0 ||
	    buffer_size(hdl, DT_OPT_AGGSIZE, "aggsize", &env->aggsize) != 0)
		return -1;
	if (hdl->options[DT_OPT_STRSIZE] < 2 || hdl->options[DT_OPT_STRSIZE] > DT_STRSIZE_MAX)
		return dt_set_error(hdl, EDT_BADOPTVAL, "strsize must be from 2 to %u bytes",
				    DT_STRSIZE_MAX);
	env->strsize = (uint32_t)hdl->options[DT_OPT_STRSIZE];
	env->temporal = hdl->options[DT_OPT_TEMPORAL] != DTRACEOPT_UNSET;
	return 0;
}

/* An enabling of BEGIN, END and ERROR alone fires a known number of times: its buffers
 * need not be larger than that. */
static bool fires_once(const dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->nprograms; i++)
		if (en->programs[i]->attach->kind != DT_ATTACH_SELF)
			return false;
	return true;
}

static void shrink_buffers(dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;
	uint64_t need = 0, per_fault = 64;

	if (!fires_once(en))
		return;
	for (uint32_t i = 0; i < env->nerror_ecbs; i++)
		per_fault += env->error_ecbs[i]->plan->kernel_size + 32;
	for (uint32_t i = 0; i < en->necbs; i++)
		need += en->ecbs[i]->plan->kernel_size + 32 + per_fault;
	need = (need + DT_PAGE - 1) & ~(uint64_t)(DT_PAGE - 1);
	if (need < env->bufsize)
		env->bufsize = (uint32_t)need;
}

int dt_build(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;

	env->hdl = hdl;
	env->arena = en->arena;
	if (read_options(hdl, env) != 0)
		return -1;
	for (dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next)
		if (build_ecbs(hdl, en, enabled) != 0)
			return -1;
	for (uint32_t i = 0; i < en->nprograms; i++) {
		dt_program_t *p = en->programs[i];

		if (build_names(hdl, en, p) != 0)
			return -1;
		if (p->attach->kind == DT_ATTACH_SELF && p->ecbs[0]->name) {
			if (strcmp(p->ecbs[0]->name, "BEGIN") == 0)
				en->begin = p;
			else
				en->end = p;
		}
	}
	if (dt_layout(env, en->ecbs, en->necbs) != 0)
		return -1;
	shrink_buffers(en);
	for (uint32_t i = 0; i < en->nprograms; i++)
		if (dt_codegen_program(env, en->programs[i]) != 0)
			return -1;
	if (dt_codegen_switch(env, &en->switch_code) != 0)
		return -1;
	return env->needs_vtimestamp ? dt_codegen_ontime(env, &en->ontime_code) : 0;
}
