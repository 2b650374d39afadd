/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.c - the enabling becomes programs: one for each attach point, with every clause
 * that has a probe there, in program order.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enable/enable.h"
#include "provider/provider.h"

/* Room for one more pointer of an array in the enabling's arena. */
static int grow(dtrace_hdl_t *hdl, dt_enabling_t *en, void *array, uint32_t n,
		uint32_t *capacity)
{
	if (dt_arena_grow(en->arena, array, sizeof(void *), n, capacity) != 0)
		return dt_set_errno(hdl, EDT_NOMEM);
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
	if (!p || grow(hdl, en, &en->programs, en->nprograms, &en->program_capacity) != 0) {
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

	if (!ecb || grow(hdl, en, &en->ecbs, en->necbs, &en->ecb_capacity) != 0) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	ecb->clause = enabled->clause;
	ecb->attach_nkeys = attach->nkeys;
	ecb->attach = attach;
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

	if (attach->kind == DT_ATTACH_ERROR) {
		if (grow(hdl, en, &env->error_ecbs, env->nerror_ecbs,
			 &env->error_ecb_capacity) != 0)
			return -1;
		env->error_ecbs[env->nerror_ecbs++] = ecb;
		return 0;
	}
	p = program_for(hdl, en, attach);
	if (!p || grow(hdl, en, &p->ecbs, p->necbs, &p->ecb_capacity) != 0)
		return -1;
	p->ecbs[p->necbs++] = ecb;
	return 0;
}

/* The control block for an attach point among those made since `from`; made when new. */
static dt_ecb_t *ecb_for(dtrace_hdl_t *hdl, dt_enabling_t *en, const dt_enabled_t *enabled,
			 dt_attachpoint_t *attach, uint32_t from)
{
	dt_ecb_t *ecb;

	/* Probes of one attach point mostly follow each other: the latest first. */
	for (uint32_t k = en->necbs; k > from; k--)
		if (en->ecbs[k - 1]->attach == attach)
			return en->ecbs[k - 1];
	ecb = new_ecb(hdl, en, enabled, attach);
	return ecb && add_to_program(hdl, en, ecb, attach) == 0 ? ecb : NULL;
}

/* A control block for each attach point among the probes of one enabled description. */
static int build_ecbs(dtrace_hdl_t *hdl, dt_enabling_t *en, const dt_enabled_t *enabled)
{
	uint32_t from = en->necbs;

	for (uint32_t i = 0; i < enabled->nprobes; i++) {
		dt_attachpoint_t *attach = enabled->probes[i]->attach;

		for (; attach; attach = attach->also) {
			dt_ecb_t *ecb = ecb_for(hdl, en, enabled, attach, from);

			if (!ecb || grow(hdl, en, &ecb->probes, ecb->nprobes,
					 &ecb->probe_capacity) != 0)
				return -1;
			ecb->probes[ecb->nprobes++] = enabled->probes[i];
		}
	}
	for (uint32_t k = from; k < en->necbs; k++)
		if (finish_ecb(hdl, en, en->ecbs[k]) != 0)
			return -1;
	return 0;
}

/* ---- Probes that come later -------------------------------------------------------- */

/* A probe of the enabled description that never fires, with this part of its names. */
static dt_probe_t *model_probe(dt_enabling_t *en, const dt_enabled_t *enabled,
			       dt_attachpoint_t *attach, char filler)
{
	dt_probe_t *probe = dt_arena_alloc(en->arena, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->desc = *enabled->desc;
	probe->provider = enabled->grower;
	probe->attach = attach;
	probe->key = attach->nkeys++;
	if (!filler)
		return probe;
	memset(probe->desc.dtpd_provider, filler, DTRACE_PROVNAMELEN - 1);
	memset(probe->desc.dtpd_mod, filler, DTRACE_MODNAMELEN - 1);
	memset(probe->desc.dtpd_func, filler, DTRACE_FUNCNAMELEN - 1);
	memset(probe->desc.dtpd_name, filler, DTRACE_NAMELEN - 1);
	return probe;
}

/*
 * Layouts, maps and what programs share cannot change when probes come while tracing, and
 * the clause may have none yet. So a model of the programs to come is made now: for two
 * probes whose names differ in every part and are as long as names can be. It is loaded,
 * to have the kernel's word that others will be, and never attached.
 */
static int build_model(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_enabled_t *enabled,
		       dt_ecb_t **model)
{
	dt_enabled_t copy = *enabled;
	dt_attachpoint_t *attach = enabled->grower->model(hdl);

	if (!attach)
		return -1;
	copy.nprobes = 2;
	copy.probes = dt_arena_alloc(en->arena, 2 * sizeof(*copy.probes));
	if (!copy.probes)
		return dt_set_errno(hdl, EDT_NOMEM);
	attach->key = (dt_argsource_t){.kind = DT_ARG_COOKIE};
	copy.probes[0] = model_probe(en, enabled, attach, '\0');
	copy.probes[1] = model_probe(en, enabled, attach, 'x');
	if (!copy.probes[0] || !copy.probes[1])
		return dt_set_errno(hdl, EDT_NOMEM);
	if (build_ecbs(hdl, en, &copy) != 0)
		return -1;
	*model = en->ecbs[en->necbs - 1];
	return 0;
}

/* Models of all that can come; after everything else, so that the numbers of enabled probes
 * that are begin with 1. */
static int build_models(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_ecb_t **models)
{
	uint32_t i = 0;

	for (dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next, i++)
		if (enabled->grower && build_model(hdl, en, enabled, &models[i]) != 0)
			return -1;
	return 0;
}

static void take_plans(dt_enabling_t *en, dt_ecb_t *const *models)
{
	uint32_t i = 0;

	for (dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next, i++)
		if (models[i])
			enabled->plan = models[i]->plan;
}

int dt_build_found(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_enabled_t *found, uint32_t *first)
{
	uint32_t scratch = dt_scratch_bytes(&en->env);

	*first = en->nprograms;
	for (; found; found = found->next) {
		uint32_t from = en->necbs;

		if (build_ecbs(hdl, en, found) != 0)
			return -1;
		for (uint32_t k = from; k < en->necbs; k++)
			en->ecbs[k]->plan = found->plan;
	}
	for (uint32_t i = *first; i < en->nprograms; i++)
		if (dt_codegen_program(&en->env, en->programs[i]) != 0)
			return -1;
	if (dt_scratch_bytes(&en->env) > scratch)
		return dt_set_error(hdl, EDT_TOOLARGE,
				    "a probe that came while tracing needs more scratch space");
	return 0;
}

/* ---- The whole ----------------------------------------------------------------- */

#define DT_PAGE 4096u
/* Offsets in a buffer are signed 32-bit immediates; the verifier allows less: 2^29. */
#define DT_BUFFER_MAX (256u << 20)
#define DT_DYNVAR_MAX (1LL << 30)
#define DT_BUFFER_MIN 64u /* room for the record of a fault */
#define DT_STRSIZE_MAX (1u << 16)

/* With bufresize=auto, too large a size is halved until it is none. */
static int limit_size(dtrace_hdl_t *hdl, dt_option_t option, const char *name,
		      dtrace_optval_t most)
{
	dtrace_optval_t *v = &hdl->options[option];

	while (*v > most && hdl->options[DT_OPT_BUFRESIZE] == DT_BUFRESIZE_AUTO)
		*v /= 2;
	if (*v > most)
		return dt_set_error(hdl, EDT_BADOPTVAL, "%s is limited to %lld bytes", name,
				    (long long)most);
	return 0;
}

static int buffer_size(dtrace_hdl_t *hdl, dt_option_t option, const char *name,
		       uint32_t granule, uint32_t *size)
{
	if (limit_size(hdl, option, name, DT_BUFFER_MAX) != 0)
		return -1;
	*size = ((uint32_t)hdl->options[option] + granule - 1) & ~(granule - 1);
	return 0;
}

/* One more than the highest CPU that is online: the last number in "0-3,8-11". */
static uint32_t online_cpus(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	char line[4096] = "", *end = line;
	uint32_t last = 0;

	if (f && fgets(line, sizeof(line), f))
		while (*(end += strcspn(end, "0123456789")))
			last = (uint32_t)strtoul(end, &end, 10);
	if (f)
		fclose(f);
	return last + 1;
}

static int read_cpus(dtrace_hdl_t *hdl, dt_cgenv_t *env)
{
	int possible = libbpf_num_possible_cpus();

	if (possible <= 0)
		return dt_set_error(hdl, -possible, "cannot tell the number of CPUs");
	env->npossible = env->ncpus = (uint32_t)possible;
	/* Buffers only where something can run now: the possible ones may be hundreds. */
	if (online_cpus() < env->ncpus)
		env->ncpus = online_cpus();
	env->only_cpu = -1;
	if (hdl->options[DT_OPT_CPU] == DTRACEOPT_UNSET)
		return 0;
	if (hdl->options[DT_OPT_CPU] >= env->ncpus)
		return dt_set_error(hdl, EDT_BADOPTVAL, "there is no CPU %d",
				    (int)hdl->options[DT_OPT_CPU]);
	env->only_cpu = (int)hdl->options[DT_OPT_CPU];
	return 0;
}

/* Nobody pays for what has not been asked for: each part costs a probe some ns. */
static dt_header_t record_header(const dtrace_optval_t *options)
{
	dt_header_t header = {.size = 8};

	if (options[DT_OPT_TEMPORAL] != DTRACEOPT_UNSET) {
		header.time = header.size;
		header.size += 8;
	}
	if (options[DT_OPT_RECORDPID] != DTRACEOPT_UNSET) {
		header.who = header.size;
		header.size += 8;
	}
	return header;
}

static int read_options(dtrace_hdl_t *hdl, dt_cgenv_t *env)
{
	const dtrace_optval_t *options = hdl->options;

	if (read_cpus(hdl, env) != 0 ||
	    buffer_size(hdl, DT_OPT_BUFSIZE, "bufsize", 8, &env->bufsize) != 0 ||
	    buffer_size(hdl, DT_OPT_AGGSIZE, "aggsize", DT_PAGE, &env->aggsize) != 0 ||
	    buffer_size(hdl, DT_OPT_SPECSIZE, "specsize", 8, &env->specsize) != 0 ||
	    limit_size(hdl, DT_OPT_DYNVARSIZE, "dynvarsize", DT_DYNVAR_MAX) != 0)
		return -1;
	if (env->bufsize < DT_BUFFER_MIN)
		env->bufsize = DT_BUFFER_MIN;
	if (options[DT_OPT_STRSIZE] < 2 || options[DT_OPT_STRSIZE] > DT_STRSIZE_MAX)
		return dt_set_error(hdl, EDT_BADOPTVAL, "strsize must be from 2 to %u bytes",
				    DT_STRSIZE_MAX);
	if (options[DT_OPT_NSPEC] > DT_NSPEC_MAX)
		return dt_set_error(hdl, EDT_BADOPTVAL, "nspec is limited to %u",
				    DT_NSPEC_MAX);
	env->strsize = (uint32_t)options[DT_OPT_STRSIZE];
	env->nspec = (uint32_t)options[DT_OPT_NSPEC];
	env->header = record_header(options);
	dt_pidns_find(&env->pidns);
	env->bufpolicy = (dt_bufpolicy_t)options[DT_OPT_BUFPOLICY];
	env->nbuffers = env->bufpolicy == DT_BUFPOLICY_FILL ? 1 : 2;
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

/* The most that one firing of the program can record, with a fault in every clause. */
static uint64_t program_bytes(const dt_enabling_t *en, const dt_program_t *p)
{
	const dt_cgenv_t *env = &en->env;
	uint64_t need = 0, per_fault = 64;

	for (uint32_t i = 0; i < env->nerror_ecbs; i++)
		per_fault += env->error_ecbs[i]->plan->kernel_size + 32;
	for (uint32_t i = 0; i < p->necbs; i++)
		need += p->ecbs[i]->plan->kernel_size + 32 + per_fault;
	return need;
}

static void shrink_buffers(dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;
	uint64_t need = 0;

	if (!fires_once(en))
		return;
	for (uint32_t i = 0; i < en->nprograms; i++)
		need += program_bytes(en, en->programs[i]);
	need = (need + DT_PAGE - 1) & ~(uint64_t)(DT_PAGE - 1);
	if (need < env->bufsize)
		env->bufsize = need ? (uint32_t)need : DT_PAGE;
}

/* With bufpolicy=fill END must still find room where tracing has filled the buffer. */
static int reserve_end(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;
	uint64_t need;

	if (env->bufpolicy != DT_BUFPOLICY_FILL || !en->end)
		return 0;
	need = (program_bytes(en, en->end) + 7) & ~(uint64_t)7;
	if (need > DT_BUFFER_MAX)
		return dt_set_error(hdl, EDT_TOOLARGE, "END records more than %u bytes",
				    DT_BUFFER_MAX);
	env->end_size = (uint32_t)need;
	env->bufsize += env->end_size;
	return 0;
}

/* What the clauses have that all programs must know. */
static void find_selves(dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->nprograms; i++) {
		dt_program_t *p = en->programs[i];

		if (p->attach->kind != DT_ATTACH_SELF || !p->ecbs[0]->name)
			continue;
		p->is_end = strcmp(p->ecbs[0]->name, "END") == 0;
		*(p->is_end ? &en->end : &en->begin) = p;
	}
	for (uint32_t i = 0; i < en->necbs; i++)
		en->env.commits |= en->ecbs[i]->clause->commits;
}

void dt_build_reset(dt_enabling_t *en)
{
	dt_follow_stop(en);
	dt_programs_unload(en);
	free(en->env.strings);
	memset(&en->env, 0, sizeof(en->env));
	for (int i = 0; i < DT_NHELPERS; i++)
		en->helpers[i].name = NULL;
	en->programs = NULL;
	en->ecbs = NULL;
	en->nprograms = en->program_capacity = 0;
	en->necbs = en->ecb_capacity = en->nepids = 0;
	en->begin = en->end = NULL;
}

static bool is_of_user(dtrace_actkind_t action)
{
	return action == DTRACEACT_USTACK || action == DTRACEACT_JSTACK ||
	       action == DTRACEACT_USYM || action == DTRACEACT_UMOD || action == DTRACEACT_UADDR;
}

/* Whether user addresses are recorded, for which names will be wanted. */
static bool shows_users(const dt_enabling_t *en)
{
	const dt_cgenv_t *env = &en->env;

	for (uint32_t i = 0; i < en->necbs; i++)
		for (uint32_t k = 0; k < en->ecbs[i]->plan->nfields; k++)
			if (is_of_user(en->ecbs[i]->plan->fields[k].rec.dtrd_action))
				return true;
	for (uint32_t i = 0; i < env->naggs; i++)
		for (uint32_t k = 0; k < env->aggs[i].nkeys; k++)
			if (env->aggs[i].varid && is_of_user(env->aggs[i].keys[k].rec.dtrd_action))
				return true;
	return false;
}

static int generate_helpers(dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;
	dt_helperprogram_t *ontime = &en->helpers[DT_HELPER_ONTIME],
			   *wait = &en->helpers[DT_HELPER_WAIT];

	if (env->needs_vtimestamp) {
		ontime->name = "dt_ontime";
		ontime->tracepoint = "sched_switch";
		if (dt_codegen_ontime(env, &ontime->code) != 0)
			return -1;
	}
	if (env->needs_waits) {
		wait->name = "dt_wait";
		wait->tracepoint = "contention_begin";
		if (dt_codegen_wait(env, &wait->code) != 0)
			return -1;
	}
	return 0;
}

int dt_build(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;
	dt_ecb_t **models;
	uint32_t n = 0;

	env->hdl = hdl;
	env->arena = en->arena;
	env->attempt = en->attempt;
	if (read_options(hdl, env) != 0)
		return -1;
	for (dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next, n++)
		if (build_ecbs(hdl, en, enabled) != 0)
			return -1;
	models = dt_arena_alloc(en->arena, n * sizeof(dt_ecb_t *));
	if (!models)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (build_models(hdl, en, models) != 0)
		return -1;
	find_selves(en);
	if (dt_layout(env, en->ecbs, en->necbs) != 0)
		return -1;
	take_plans(en, models);
	en->shows_users = shows_users(en);
	shrink_buffers(en);
	if (reserve_end(hdl, en) != 0)
		return -1;
	for (uint32_t i = 0; i < en->nprograms; i++)
		if (dt_codegen_program(env, en->programs[i]) != 0)
			return -1;
	if (dt_codegen_switch(env, &en->switch_code) != 0 || dt_follow_generate(hdl, en) != 0)
		return -1;
	return generate_helpers(en);
}
