/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/fbt.c - the provider fbt: entry and return of the kernel's functions.
 *
 *	fbt:vmlinux:vfs_read:entry	arg0 ... the function's arguments
 *	fbt:vmlinux:vfs_read:return	arg1 what it returns; arg0, where from, is not told: 0
 *
 * There are two ways to a function. A BPF trampoline calls a program with the arguments, and
 * on return with the result: little is added to the function, and nothing is missed, however
 * deep it recurses. But each function takes a program of its own, and it must be one of the
 * kernel itself that is in its BTF and whose arguments are words. A kprobe can be at any
 * function that the kernel's function tracer can patch, and one program serves thousands of
 * them. So a function that a description names in full has a trampoline where that can be, and
 * those that a glob means have kprobes; if the kernel has only one of the two, all have that.
 *
 * Functions are those in the list of the function tracer; a name that several of them have is
 * left out, as nothing tells them apart. Kernels that allow neither have no probes here; see
 * dt_fbt_refusal().
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "handle.h"
#include "provider/provider.h"
#include "provider/tracefs.h"

#define DT_FBT_MODULE "vmlinux"
#define DT_FBT_ENTRY "entry"
#define DT_FBT_RETURN "return"
/* A function that every kernel has, to find out whether any may be traced. */
#define DT_FBT_EXAMPLE "do_exit"
#define DT_FBT_KPROBES "/sys/bus/event_source/devices/kprobe/type"
/* What the list has in the place of functions that were discarded. */
#define DT_FBT_INVALID "__ftrace_invalid_address__"

typedef struct dt_fbtstate {
	bool is_tried;
	bool has_trampolines, has_kprobes;
	int error; /* why the kernel has no trampolines for programs */
	char reason[160]; /* why there are no probes; "": there are */
	dt_attachpoint_t *entry, *result; /* by kprobes, of all functions that globs mean */
} dt_fbtstate_t;

typedef struct dt_fbtfunction {
	const char *name, *module;
	bool has_trampoline;
} dt_fbtfunction_t;

/* Of one call of provide(). */
typedef struct dt_fbtlisting {
	const dt_provider_t *provider;
	const dtrace_probedesc_t *pattern;
	dt_fbtstate_t *state;
	char *text;
	dt_fbtfunction_t *functions; /* that can be patched, ordered by name */
	size_t n;
} dt_fbtlisting_t;

/* ---- Whether it is allowed -------------------------------------------------------- */

/* 0, or why the kernel refuses a program at a function. */
static int dt_fbt_try(uint32_t btf_id)
{
	const struct bpf_insn nothing[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY,
		    .attach_btf_id = btf_id);
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "dt_feature", "GPL", nothing, 2, &opts);

	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

/* What the kernel allows, found out once. NULL: out of memory. */
static dt_fbtstate_t *dt_fbt_state(dtrace_hdl_t *hdl, const dt_provider_t *provider)
{
	dt_fbtstate_t *state = dt_provider_state(hdl, provider, sizeof(*state));
	uint32_t id;

	if (!state || state->is_tried)
		return state;
	state->is_tried = true;
	id = dt_btf_function_id(hdl, DT_FBT_EXAMPLE);
	state->error = id ? dt_fbt_try(id) : ENOENT;
	state->has_trampolines = state->error == 0;
	state->has_kprobes = access(DT_FBT_KPROBES, R_OK) == 0;
	if (!state->has_trampolines && !state->has_kprobes)
		snprintf(state->reason, sizeof(state->reason),
			 "this kernel does not allow programs at its functions (%s), nor has "
			 "it kprobes", strerror(state->error));
	return state;
}

/* Why there are no probes; NULL: there are. */
static const char *dt_fbt_refusal(dtrace_hdl_t *hdl, const dt_provider_t *provider)
{
	const dt_fbtstate_t *state = dt_fbt_state(hdl, provider);

	if (!state)
		return "out of memory";
	return state->reason[0] ? state->reason : NULL;
}

/* Functions that the kernel refuses although they are listed: a program runs within them
 * (kernel: btf_id_deny of kernel/bpf/verifier.c). */
static bool dt_fbt_is_denied(const char *name)
{
	static const char *const denied[] = {
	    "__rcu_read_lock",	 "__rcu_read_unlock", "migrate_disable",	"migrate_enable",
	    "preempt_count_add", "preempt_count_sub", "rcu_read_unlock_strict",
	};

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (strcmp(denied[i], name) == 0)
			return true;
	return false;
}

const char *dt_fbt_refuses(dtrace_hdl_t *hdl, const char *function)
{
	const dt_fbtstate_t *state = dt_fbt_state(hdl, &dt_provider_fbt);
	char words[160];

	if (!state)
		return "out of memory";
	if (state->has_trampolines && dt_btf_function_id(hdl, function) &&
	    !dt_fbt_is_denied(function))
		return NULL;
	if (state->has_trampolines)
		snprintf(words, sizeof(words), "this kernel has no function %s that programs can be "
			 "at", function);
	else
		snprintf(words, sizeof(words), "it takes a program at a function (%s), which this "
			 "kernel does not allow: %s", function, strerror(state->error));
	return dt_arena_strndup(hdl->arena, words, strlen(words));
}

/* ---- Functions ---------------------------------------------------------------------- */

static int dt_fbt_compare(const void *a, const void *b)
{
	return strcmp(((const dt_fbtfunction_t *)a)->name, ((const dt_fbtfunction_t *)b)->name);
}

/* Cuts a line of the list, "function" or "function [module]". */
static dt_fbtfunction_t dt_fbt_cut(char *line)
{
	dt_fbtfunction_t function = {.name = line, .module = DT_FBT_MODULE};
	char *space = strchr(line, ' '), *bracket = strchr(line, '[');

	if (!space)
		return function;
	*space = '\0';
	if (bracket) {
		bracket[1 + strcspn(bracket + 1, "]")] = '\0';
		function.module = bracket + 1;
	}
	return function;
}

static int dt_fbt_load(dtrace_hdl_t *hdl, dt_fbtlisting_t *listing)
{
	char *rest, *line;
	size_t lines = 0;

	listing->text = dt_tracefs_read("available_filter_functions");
	if (!listing->text)
		return 0;
	for (const char *p = listing->text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	listing->functions = malloc((lines + 1) * sizeof(*listing->functions));
	if (!listing->functions)
		return dt_set_errno(hdl, EDT_NOMEM);
	rest = listing->text;
	while ((line = strsep(&rest, "\n")) != NULL && listing->n < lines)
		if (strncmp(line, DT_FBT_INVALID, strlen(DT_FBT_INVALID)) != 0)
			listing->functions[listing->n++] = dt_fbt_cut(line);
	qsort(listing->functions, listing->n, sizeof(*listing->functions), dt_fbt_compare);
	return 0;
}

/* Notes of a function in BTF that a trampoline can be made for it. */
static int dt_fbt_note(dtrace_hdl_t *hdl, const char *name, uint32_t id, void *arg)
{
	dt_fbtlisting_t *listing = arg;
	const dt_fbtfunction_t key = {.name = name};
	dt_fbtfunction_t *found = listing->n ? bsearch(&key, listing->functions, listing->n,
						       sizeof(key), dt_fbt_compare)
					     : NULL;

	(void)hdl;
	(void)id;
	if (found && strcmp(found->module, DT_FBT_MODULE) == 0 && !dt_fbt_is_denied(name))
		found->has_trampoline = true;
	return 0;
}

/* A place for the probe at the attach point that functions share. */
static int dt_fbt_add_site(dtrace_hdl_t *hdl, dt_attachpoint_t *attach,
			   const dt_probe_t *probe)
{
	const char *module = probe->desc.dtpd_mod, *function = probe->desc.dtpd_func;
	char name[DTRACE_MODNAMELEN + DTRACE_FUNCNAMELEN];
	dt_usersite_t site = {.path = function, .key = probe->key};

	if (strcmp(module, DT_FBT_MODULE) != 0) {
		snprintf(name, sizeof(name), "%s:%s", module, function);
		site.path = dt_arena_strndup(hdl->arena, name, strlen(name));
		if (!site.path)
			return dt_set_errno(hdl, EDT_NOMEM);
	}
	return dt_attachpoint_add_site(hdl, attach, &site);
}

/* Adds one probe of a function. Without an attach point it gets its own in describe(). */
static int dt_fbt_add_probe(dtrace_hdl_t *hdl, const dt_fbtlisting_t *listing,
			    const dt_fbtfunction_t *function, const char *name,
			    dt_attachpoint_t *shared)
{
	dt_probe_t *probe;

	if (dt_probe_lookup(hdl, listing->provider->name, function->module, function->name,
			    name))
		return 0;
	probe = dt_probe_add(hdl, listing->provider, function->module, function->name, name,
			     shared, shared ? shared->nkeys++ : 0);
	if (!probe)
		return -1;
	return shared ? dt_fbt_add_site(hdl, shared, probe) : 0;
}

/* Adds a function's probes if the pattern means them. */
static int dt_fbt_add(dtrace_hdl_t *hdl, const dt_fbtlisting_t *listing,
		      const dt_fbtfunction_t *function)
{
	const dtrace_probedesc_t *pattern = listing->pattern;
	const dt_fbtstate_t *state = listing->state;
	bool is_shared = state->has_kprobes && !dt_glob_is_literal(pattern->dtpd_func);

	if (!dt_glob(pattern->dtpd_mod, function->module) ||
	    !dt_glob(pattern->dtpd_func, function->name) ||
	    strlen(function->name) >= DTRACE_FUNCNAMELEN ||
	    strlen(function->module) >= DTRACE_MODNAMELEN ||
	    (!state->has_kprobes && !function->has_trampoline))
		return 0;
	if (dt_glob(pattern->dtpd_name, DT_FBT_ENTRY) &&
	    dt_fbt_add_probe(hdl, listing, function, DT_FBT_ENTRY,
			     is_shared ? state->entry : NULL) != 0)
		return -1;
	return dt_glob(pattern->dtpd_name, DT_FBT_RETURN)
		   ? dt_fbt_add_probe(hdl, listing, function, DT_FBT_RETURN,
				      is_shared ? state->result : NULL)
		   : 0;
}

/* Whether another function of the list has the name. */
static bool dt_fbt_is_ambiguous(const dt_fbtlisting_t *listing, size_t i)
{
	const dt_fbtfunction_t *f = listing->functions;

	return (i > 0 && strcmp(f[i - 1].name, f[i].name) == 0) ||
	       (i + 1 < listing->n && strcmp(f[i + 1].name, f[i].name) == 0);
}

/* ---- Attach points -------------------------------------------------------------------- */

static dt_attachpoint_t *dt_fbt_kprobe(dtrace_hdl_t *hdl, bool is_return)
{
	dt_attachpoint_t *attach = dt_attachpoint_call(hdl, is_return, DT_ARG_KREAD);

	if (!attach)
		return NULL;
	attach->kind = DT_ATTACH_KPROBE;
	attach->context = DT_CONTEXT_ANY;
	attach->is_alone = true;
	return attach;
}

static dt_attachpoint_t *dt_fbt_trampoline(dtrace_hdl_t *hdl, const char *function,
					   bool is_return, uint32_t btf_id)
{
	dt_attachpoint_t *attach = dt_attachpoint_new(hdl);

	if (!attach)
		return NULL;
	attach->kind = DT_ATTACH_FUNCTION;
	attach->prog_type = BPF_PROG_TYPE_TRACING;
	attach->context = DT_CONTEXT_ANY;
	attach->is_alone = true;
	attach->target = function;
	attach->is_return = is_return;
	attach->btf_id = btf_id;
	return attach;
}

static int dt_fbt_list(dtrace_hdl_t *hdl, dt_fbtlisting_t *listing)
{
	dt_fbtstate_t *state = listing->state;
	int rv = dt_fbt_load(hdl, listing);

	if (state->has_kprobes && !state->entry) {
		state->entry = dt_fbt_kprobe(hdl, false);
		state->result = dt_fbt_kprobe(hdl, true);
		if (!state->entry || !state->result)
			return dt_set_errno(hdl, EDT_NOMEM);
	}
	if (rv == 0 && !state->has_kprobes)
		rv = dt_btf_functions(hdl, dt_fbt_note, listing);
	for (size_t i = 0; i < listing->n && rv == 0; i++)
		if (!dt_fbt_is_ambiguous(listing, i))
			rv = dt_fbt_add(hdl, listing, &listing->functions[i]);
	return rv;
}

static int dt_fbt_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			  const dtrace_probedesc_t *pattern)
{
	dt_fbtlisting_t listing = {.provider = provider, .pattern = pattern};
	int rv;

	if (hdl->oflags & DTRACE_O_NOSYS ||
	    (!dt_glob(pattern->dtpd_name, DT_FBT_ENTRY) &&
	     !dt_glob(pattern->dtpd_name, DT_FBT_RETURN)) ||
	    dt_fbt_refusal(hdl, provider))
		return 0;
	listing.state = dt_fbt_state(hdl, provider);
	rv = dt_fbt_list(hdl, &listing);
	free(listing.functions);
	free(listing.text);
	return rv;
}

/* ---- Arguments ------------------------------------------------------------------------ */

/* The function's type; NULL: BTF does not have it. */
static dt_type_t *dt_fbt_type_of(dtrace_hdl_t *hdl, const dt_probe_t *probe)
{
	dt_type_t *type = NULL;

	if (strcmp(probe->desc.dtpd_mod, DT_FBT_MODULE) == 0)
		type = dt_type_kernel_var(hdl, probe->desc.dtpd_func);
	if (type)
		type = dt_type_resolve(hdl, type);
	return type && type->kind == DT_K_FUNC ? type : NULL;
}

static bool dt_fbt_returns(const dt_probe_t *probe)
{
	return strcmp(probe->desc.dtpd_name, DT_FBT_RETURN) == 0;
}

/* Where argument n is found: in what form depends on its type. */
static void dt_fbt_source(dtrace_hdl_t *hdl, dt_attachpoint_t *attach, uint32_t n,
			  dt_type_t *type)
{
	dt_argsource_t *source = &attach->args[n];

	if (attach->kind == DT_ATTACH_FUNCTION)
		*source = attach->is_return
			      ? (dt_argsource_t){.kind = DT_ARG_FUNCRET}
			      : (dt_argsource_t){.kind = DT_ARG_FUNCARG, .offset = n};
	type = dt_type_resolve(hdl, type);
	if ((type->kind == DT_K_INT || type->kind == DT_K_ENUM) && type->size < 8) {
		source->size = (uint8_t)type->size;
		source->is_signed = type->is_signed;
	}
}

static void dt_fbt_sources(dtrace_hdl_t *hdl, dt_attachpoint_t *attach,
			   const dt_type_t *function)
{
	uint32_t n = function->count < DT_MAXARGS ? function->count : DT_MAXARGS;

	if (attach->is_return) {
		if (dt_type_resolve(hdl, function->ref)->kind != DT_K_VOID)
			dt_fbt_source(hdl, attach, 1, function->ref);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		dt_fbt_source(hdl, attach, i, function->params[i]);
}

/* Whether a function has a trampoline rather than a kprobe. Before Linux 6.6 it could have
 * one only if all its arguments are in registers. */
static bool dt_fbt_takes_trampoline(const dt_fbtstate_t *state, const char *name,
				    const dt_type_t *function)
{
	static const uint32_t registers[] = DT_ARCH_CALL_ARGS;

	return state->has_trampolines && !dt_fbt_is_denied(name) &&
	       (!state->has_kprobes ||
		function->count <= sizeof(registers) / sizeof(registers[0]));
}

/* An attach point of the probe's own. */
static int dt_fbt_describe(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	const dt_fbtstate_t *state = dt_fbt_state(hdl, probe->provider);
	const char *name = probe->desc.dtpd_func;
	const dt_type_t *function;
	uint32_t id = 0;

	if (probe->attach)
		return 0;
	function = dt_fbt_type_of(hdl, probe);
	if (function && dt_fbt_takes_trampoline(state, name, function))
		id = dt_btf_function_id(hdl, name);
	probe->attach = id ? dt_fbt_trampoline(hdl, name, dt_fbt_returns(probe), id)
			   : dt_fbt_kprobe(hdl, dt_fbt_returns(probe));
	if (!probe->attach)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (function)
		dt_fbt_sources(hdl, probe->attach, function);
	if (id)
		return 0;
	probe->attach->nkeys = 1;
	return dt_fbt_add_site(hdl, probe->attach, probe);
}

static int dt_fbt_type(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	const dt_type_t *function = dt_fbt_type_of(hdl, probe);
	bool is_return = dt_fbt_returns(probe);
	const char **types = dt_arena_alloc(hdl->arena, DT_MAXARGS * sizeof(*types));
	uint32_t n = 0;

	if (!types)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (function && is_return)
		n = dt_type_resolve(hdl, function->ref)->kind == DT_K_VOID ? 0 : 2;
	else if (function)
		n = function->count < DT_MAXARGS ? function->count : DT_MAXARGS;
	for (uint32_t i = 0; i < n; i++) {
		const dt_type_t *type = is_return ? function->ref : function->params[i];
		char name[256] = "int"; /* arg0 of a return: an offset */

		if (!is_return || i == 1)
			dt_type_name(type, name, sizeof(name));
		types[i] = dt_arena_strndup(hdl->arena, name, strlen(name));
		if (!types[i])
			return dt_set_errno(hdl, EDT_NOMEM);
	}
	probe->argtypes = types;
	probe->nargs = (int)n;
	return 0;
}

static const char *dt_fbt_missing(dtrace_hdl_t *hdl, const dt_provider_t *provider,
				  const dtrace_probedesc_t *pattern, const char **tag)
{
	(void)pattern;
	(void)tag;
	return dt_fbt_refusal(hdl, provider);
}

static int dt_fbt_lacks(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			const dtrace_probedesc_t *pattern, dtrace_missing_f *f, void *arg)
{
	const dtrace_probedesc_t all = {.dtpd_provider = "fbt"};
	const char *reason = dt_fbt_refusal(hdl, provider);

	(void)pattern;
	return reason ? f(hdl, &all, reason, arg) : 0;
}

const dt_provider_t dt_provider_fbt = {
    .name = "fbt",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING, DTRACE_CLASS_ISA},
    .arguments = {DTRACE_STABILITY_PRIVATE, DTRACE_STABILITY_PRIVATE, DTRACE_CLASS_ISA},
    .provide = dt_fbt_provide,
    .describe = dt_fbt_describe,
    .type = dt_fbt_type,
    .missing = dt_fbt_missing,
    .lacks = dt_fbt_lacks,
};
