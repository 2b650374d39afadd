/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/sdt.c - the kernel's tracepoints, as two providers over the same places:
 *
 *	rawtp:vmlinux::sched_switch	every tracepoint
 *	sdt:sched::sched_switch		the same, with its group as the module
 *
 * Names and types come from the kernel's BTF: for each tracepoint it has a typedef
 * btf_trace_<name> of the function that is called there, whose first parameter is not the
 * tracepoint's. Groups are not in BTF but in tracefs. Where that cannot be read, and for the
 * tracepoints that it does not know (they have no event), the module is empty.
 *
 * A raw tracepoint's program finds the arguments in its context, 64 bits each. It may be
 * attached only where there are as many as it reads, so each tracepoint has a program.
 */
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "provider/tracefs.h"
#include "provider/tracepoint.h"

#define DT_RAWTP_MODULE "vmlinux"
/* Tracepoints where the kernel waits for a lock, or has just got it. */
#define DT_TP_CONTENTION "contention_"

/* The lines "group:event" that tracefs lists the events by, cut at the colon. */
typedef struct dt_tpgroup {
	const char *group, *event;
} dt_tpgroup_t;

/* Of one call of provide(). */
typedef struct dt_tplisting {
	const dt_provider_t *provider;
	const dtrace_probedesc_t *pattern;
	dtrace_id_t next, limit; /* number of the next tracepoint's probe */
	char *text; /* of the groups */
	dt_tpgroup_t *groups; /* ordered by event */
	size_t ngroups;
} dt_tplisting_t;

/* ---- Groups -------------------------------------------------------------------- */

static int dt_tpgroup_compare(const void *a, const void *b)
{
	return strcmp(((const dt_tpgroup_t *)a)->event, ((const dt_tpgroup_t *)b)->event);
}

/* Cuts the text into the listing's groups. False: out of memory. */
static bool dt_tpgroups_cut(dt_tplisting_t *listing)
{
	size_t lines = 0;
	char *rest = listing->text, *line;

	for (const char *p = listing->text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	listing->groups = malloc((lines + 1) * sizeof(*listing->groups));
	if (!listing->groups)
		return false;
	while ((line = strsep(&rest, "\n")) != NULL && listing->ngroups < lines) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		listing->groups[listing->ngroups++] =
		    (dt_tpgroup_t){.group = line, .event = colon + 1};
	}
	qsort(listing->groups, listing->ngroups, sizeof(*listing->groups), dt_tpgroup_compare);
	return true;
}

static int dt_tpgroups_load(dtrace_hdl_t *hdl, dt_tplisting_t *listing)
{
	listing->text = dt_tracefs_read("available_events");
	if (listing->text && !dt_tpgroups_cut(listing))
		return dt_set_errno(hdl, EDT_NOMEM);
	return 0;
}

static const char *dt_tpgroup_of(const dt_tplisting_t *listing, const char *event)
{
	const dt_tpgroup_t key = {.event = event};
	const dt_tpgroup_t *found =
	    listing->ngroups ? bsearch(&key, listing->groups, listing->ngroups, sizeof(key),
				       dt_tpgroup_compare)
			     : NULL;

	return found ? found->group : "";
}

/* ---- The providers --------------------------------------------------------------- */

/* Adds a tracepoint's probe if the pattern means it. */
static int dt_tp_add(dtrace_hdl_t *hdl, const char *event, uint32_t btf_id, void *arg)
{
	dt_tplisting_t *listing = arg;
	dtrace_id_t id = listing->next < listing->limit ? listing->next++ : DTRACE_IDNONE;
	const dt_provider_t *provider = listing->provider;
	const char *module = DT_RAWTP_MODULE;
	dt_attachpoint_t *attach;

	if (!dt_glob(listing->pattern->dtpd_name, event))
		return 0;
	if (provider == &dt_provider_sdt)
		module = dt_tpgroup_of(listing, event);
	if (!dt_glob(listing->pattern->dtpd_mod, module) ||
	    dt_probe_lookup(hdl, provider->name, module, "", event))
		return 0;
	event = dt_arena_strndup(hdl->arena, event, strlen(event));
	if (!event)
		return dt_set_errno(hdl, EDT_NOMEM);
	attach = dt_tracepoint_attach(hdl, event);
	if (!attach)
		return -1;
	attach->btf_id = btf_id;
	attach->is_alone = strncmp(event, DT_TP_CONTENTION, strlen(DT_TP_CONTENTION)) == 0;
	return dt_probe_add_numbered(hdl, id, provider, module, "", event, attach, 0)
		   ? 0
		   : -1;
}

static int dt_tp_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			 const dtrace_probedesc_t *pattern)
{
	dt_tplisting_t listing = {.provider = provider, .pattern = pattern};
	int rv = 0;

	if (hdl->oflags & DTRACE_O_NOSYS || !dt_glob(pattern->dtpd_func, ""))
		return 0;
	/* A tracepoint's name is a word of C: tick-1s need not be looked for. */
	if (dt_glob_is_literal(pattern->dtpd_name) && strchr(pattern->dtpd_name, '-'))
		return 0;
	if (provider == &dt_provider_rawtp && !dt_glob(pattern->dtpd_mod, DT_RAWTP_MODULE))
		return 0;
	if (provider == &dt_provider_sdt) {
		listing.next = DT_PROBE_SDT;
		listing.limit = DT_PROBE_RAWTP;
		rv = dt_tpgroups_load(hdl, &listing);
	} else {
		listing.next = DT_PROBE_RAWTP;
		listing.limit = DT_PROBE_OTHERS;
	}
	if (rv == 0)
		rv = dt_btf_typedefs(hdl, "btf_trace_", dt_tp_add, &listing);
	free(listing.groups);
	free(listing.text);
	return rv;
}

const dt_provider_t dt_provider_sdt = {
    .name = "sdt",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING, DTRACE_CLASS_ISA},
    .arguments = {DTRACE_STABILITY_PRIVATE, DTRACE_STABILITY_PRIVATE, DTRACE_CLASS_ISA},
    .provide = dt_tp_provide,
    .describe = dt_tracepoint_describe,
};

const dt_provider_t dt_provider_rawtp = {
    .name = "rawtp",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING, DTRACE_CLASS_ISA},
    .arguments = {DTRACE_STABILITY_PRIVATE, DTRACE_STABILITY_PRIVATE, DTRACE_CLASS_ISA},
    .provide = dt_tp_provide,
    .describe = dt_tracepoint_describe,
};
