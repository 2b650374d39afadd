/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/fbt.c - the provider fbt: entry and return of the kernel's functions.
 *
 *	fbt:vmlinux:vfs_read:entry	arg0 ... the function's arguments
 *	fbt:vmlinux:vfs_read:return	arg1 what it returns; arg0, where from, is not told: 0
 *
 * A program is attached by a BPF trampoline, which calls it with the arguments, and on return
 * with the result: nothing is missed, however deep a function recurses and wherever it is
 * called. Each function takes a program of its own. Functions are those that are both in the
 * kernel's BTF, which gives the types, and in the list of those that its function tracer can
 * patch; a name that several functions have is left out, as nothing tells them apart.
 *
 * Kernels that allow no trampolines have no probes here; see dt_fbt_refusal().
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handle.h"
#include "provider/provider.h"
#include "provider/tracefs.h"

#define DT_FBT_MODULE "vmlinux"
#define DT_FBT_ENTRY "entry"
#define DT_FBT_RETURN "return"
/* A function that every kernel has, to find out whether any may be traced. */
#define DT_FBT_EXAMPLE "do_exit"

typedef struct dt_fbtstate {
	bool is_tried;
	char reason[160]; /* why there are no probes; "": there are */
} dt_fbtstate_t;

/* Of one call of provide(). */
typedef struct dt_fbtlisting {
	const dt_provider_t *provider;
	const dtrace_probedesc_t *pattern;
	char *text;
	const char **names; /* functions that can be patched, in order */
	size_t nnames;
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

/* Why there are no probes; NULL: there are. */
static const char *dt_fbt_refusal(dtrace_hdl_t *hdl, const dt_provider_t *provider)
{
	dt_fbtstate_t *state = dt_provider_state(hdl, provider, sizeof(*state));
	uint32_t id;
	int error;

	if (!state)
		return "out of memory";
	if (!state->is_tried) {
		state->is_tried = true;
		id = dt_btf_function_id(hdl, DT_FBT_EXAMPLE);
		error = id ? dt_fbt_try(id) : ENOENT;
		if (error)
			snprintf(state->reason, sizeof(state->reason),
				 "this kernel does not allow programs at its functions: %s",
				 strerror(error));
	}
	return state->reason[0] ? state->reason : NULL;
}

/* ---- Functions ---------------------------------------------------------------------- */

static int dt_fbt_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines "function" of the kernel's list, without those of modules ("function [module]"). */
static int dt_fbt_load(dtrace_hdl_t *hdl, dt_fbtlisting_t *listing)
{
	char *rest, *line;
	size_t lines = 0;

	listing->text = dt_tracefs_read("available_filter_functions");
	if (!listing->text)
		return 0;
	for (const char *p = listing->text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	listing->names = malloc((lines + 1) * sizeof(*listing->names));
	if (!listing->names)
		return dt_set_errno(hdl, EDT_NOMEM);
	rest = listing->text;
	while ((line = strsep(&rest, "\n")) != NULL && listing->nnames < lines)
		if (!strchr(line, ' '))
			listing->names[listing->nnames++] = line;
	qsort(listing->names, listing->nnames, sizeof(*listing->names), dt_fbt_compare);
	return 0;
}

/* Whether exactly one function of that name can be patched. */
static bool dt_fbt_is_listed(const dt_fbtlisting_t *listing, const char *name)
{
	const char *const *first = listing->names, *const *end = first + listing->nnames;
	const char *const *found = listing->nnames
				       ? bsearch(&name, first, listing->nnames,
						 sizeof(*first), dt_fbt_compare)
				       : NULL;

	return found && (found == first || strcmp(found[-1], name) != 0) &&
	       (found + 1 == end || strcmp(found[1], name) != 0);
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

/* Adds a function's probes if the pattern means them. Their attach points come later. */
static int dt_fbt_add(dtrace_hdl_t *hdl, const char *function, void *arg)
{
	static const char *const names[] = {DT_FBT_ENTRY, DT_FBT_RETURN};
	const dt_fbtlisting_t *listing = arg;

	if (!dt_glob(listing->pattern->dtpd_func, function) ||
	    strlen(function) >= DTRACE_FUNCNAMELEN || dt_fbt_is_denied(function) ||
	    !dt_fbt_is_listed(listing, function))
		return 0;
	for (int i = 0; i < 2; i++)
		if (dt_glob(listing->pattern->dtpd_name, names[i]) &&
		    !dt_probe_add(hdl, listing->provider, DT_FBT_MODULE, function, names[i],
				  NULL, 0))
			return -1;
	return 0;
}

static int dt_fbt_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			  const dtrace_probedesc_t *pattern)
{
	dt_fbtlisting_t listing = {.provider = provider, .pattern = pattern};
	int rv;

	if (hdl->oflags & DTRACE_O_NOSYS || !dt_glob(pattern->dtpd_mod, DT_FBT_MODULE) ||
	    (!dt_glob(pattern->dtpd_name, DT_FBT_ENTRY) &&
	     !dt_glob(pattern->dtpd_name, DT_FBT_RETURN)) ||
	    dt_fbt_refusal(hdl, provider))
		return 0;
	rv = dt_fbt_load(hdl, &listing);
	if (rv == 0)
		rv = dt_btf_functions(hdl, dt_fbt_add, &listing);
	free(listing.names);
	free(listing.text);
	return rv;
}

/* ---- Arguments ------------------------------------------------------------------------ */

static int dt_fbt_set(dtrace_hdl_t *hdl, dt_probe_t *probe, int n, dt_type_t *type,
		      dt_argsource_t source, const char **types)
{
	char name[256];

	dt_type_name(type, name, sizeof(name));
	types[n] = dt_arena_strndup(hdl->arena, name, strlen(name));
	if (!types[n])
		return dt_set_errno(hdl, EDT_NOMEM);
	type = dt_type_resolve(hdl, type);
	if ((type->kind == DT_K_INT || type->kind == DT_K_ENUM) && type->size < 8) {
		source.size = (uint8_t)type->size;
		source.is_signed = type->is_signed;
	}
	probe->attach->args[n] = source;
	probe->nargs = n + 1;
	return 0;
}

static int dt_fbt_arguments(dtrace_hdl_t *hdl, dt_probe_t *probe, const dt_type_t *function,
			    const char **types)
{
	uint32_t n = function->count < DT_MAXARGS ? function->count : DT_MAXARGS;

	if (probe->attach->is_return) {
		const dt_argsource_t result = {.kind = DT_ARG_FUNCRET};

		if (dt_type_resolve(hdl, function->ref)->kind == DT_K_VOID)
			return 0;
		types[0] = "int";
		return dt_fbt_set(hdl, probe, 1, function->ref, result, types);
	}
	for (uint32_t i = 0; i < n; i++)
		if (dt_fbt_set(hdl, probe, (int)i, function->params[i],
			       (dt_argsource_t){.kind = DT_ARG_FUNCARG, .offset = i},
			       types) != 0)
			return -1;
	return 0;
}

static int dt_fbt_describe(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	const char *name = probe->desc.dtpd_func;
	dt_attachpoint_t *attach = dt_attachpoint_new(hdl);
	const char **types = dt_arena_alloc(hdl->arena, DT_MAXARGS * sizeof(*types));
	dt_type_t *function = dt_type_kernel_var(hdl, name);

	if (!attach || !types)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (function)
		function = dt_type_resolve(hdl, function);
	if (!function || function->kind != DT_K_FUNC)
		return dt_set_error(hdl, EDT_NOTYPE, "%s is not a function of the kernel's BTF",
				    name);
	attach->kind = DT_ATTACH_FUNCTION;
	attach->prog_type = BPF_PROG_TYPE_TRACING;
	attach->context = DT_CONTEXT_ANY;
	attach->target = name;
	attach->is_return = strcmp(probe->desc.dtpd_name, DT_FBT_RETURN) == 0;
	attach->btf_id = dt_btf_function_id(hdl, name);
	probe->attach = attach;
	probe->argtypes = types;
	return dt_fbt_arguments(hdl, probe, function, types);
}

static const char *dt_fbt_missing(dtrace_hdl_t *hdl, const dt_provider_t *provider,
				  const dtrace_probedesc_t *pattern)
{
	(void)pattern;
	return dt_fbt_refusal(hdl, provider);
}

const dt_provider_t dt_provider_fbt = {
    .name = "fbt",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING, DTRACE_CLASS_ISA},
    .arguments = {DTRACE_STABILITY_PRIVATE, DTRACE_STABILITY_PRIVATE, DTRACE_CLASS_ISA},
    .provide = dt_fbt_provide,
    .describe = dt_fbt_describe,
    .missing = dt_fbt_missing,
};
