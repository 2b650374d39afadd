/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/cpc.c - the provider cpc: a processor's and the kernel's counters, that fire after
 * every so many events on a CPU. cpc:::cycles-user-1000000 fires for each million cycles that
 * a CPU spends in user programs.
 *
 *	event-mode-count	mode: user, kernel or all
 *	arg0, arg1		program counter: the kernel's, or a user program's
 *
 * Events are called as perf(1) calls them. A listing shows one probe of each that is there;
 * any other count and mode is made when its name is asked for.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch.h"
#include "handle.h"
#include "provider/provider.h"

/* Fewer events of a counter that counts processor work would leave it little else. */
#define DT_CPC_MIN 5000

typedef enum dt_cpcstate { DT_CPC_UNKNOWN, DT_CPC_THERE, DT_CPC_ABSENT } dt_cpcstate_t;

static const struct {
	const char *name;
	uint32_t type, event;
	uint32_t listed; /* count of the probe that a listing shows */
	uint32_t min;
} dt_cpc_events[] = {
#define HARDWARE(name, event) {name, PERF_TYPE_HARDWARE, PERF_COUNT_HW_##event, 1000000, DT_CPC_MIN}
#define SOFTWARE(name, event, listed, min)                                                 \
	{name, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##event, listed, min}
    HARDWARE("cycles", CPU_CYCLES),
    HARDWARE("instructions", INSTRUCTIONS),
    HARDWARE("cache-references", CACHE_REFERENCES),
    HARDWARE("cache-misses", CACHE_MISSES),
    HARDWARE("branches", BRANCH_INSTRUCTIONS),
    HARDWARE("branch-misses", BRANCH_MISSES),
    HARDWARE("bus-cycles", BUS_CYCLES),
    HARDWARE("ref-cycles", REF_CPU_CYCLES),
    SOFTWARE("cpu-clock", CPU_CLOCK, 10000000, 200000),
    SOFTWARE("page-faults", PAGE_FAULTS, 100, 1),
    SOFTWARE("minor-faults", PAGE_FAULTS_MIN, 100, 1),
    SOFTWARE("major-faults", PAGE_FAULTS_MAJ, 1, 1),
    SOFTWARE("context-switches", CONTEXT_SWITCHES, 100, 1),
    SOFTWARE("cpu-migrations", CPU_MIGRATIONS, 10, 1),
    SOFTWARE("alignment-faults", ALIGNMENT_FAULTS, 1, 1),
#undef HARDWARE
#undef SOFTWARE
};
#define DT_CPC_NEVENTS (sizeof(dt_cpc_events) / sizeof(dt_cpc_events[0]))

typedef struct dt_cpcs {
	dt_cpcstate_t states[DT_CPC_NEVENTS];
} dt_cpcs_t;

/* Whether this machine counts the event. */
static bool dt_cpc_is_there(dt_cpcs_t *known, size_t i)
{
	struct perf_event_attr attr = {
	    .type = dt_cpc_events[i].type,
	    .size = sizeof(attr),
	    .config = dt_cpc_events[i].event,
	    .disabled = 1,
	};
	int fd;

	if (known->states[i] == DT_CPC_UNKNOWN) {
		fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
		/* Without the privilege it is for the attaching to say so. */
		known->states[i] = fd >= 0 || errno == EACCES || errno == EPERM
				       ? DT_CPC_THERE
				       : DT_CPC_ABSENT;
		if (fd >= 0)
			close(fd);
	}
	return known->states[i] == DT_CPC_THERE;
}

/* The event that a probe's name begins with, and what follows it. -1: none. */
static int dt_cpc_event(const char *name, const char **rest)
{
	for (size_t i = 0; i < DT_CPC_NEVENTS; i++) {
		size_t length = strlen(dt_cpc_events[i].name);

		if (strncmp(name, dt_cpc_events[i].name, length) == 0 && name[length] == '-') {
			*rest = name + length + 1;
			return (int)i;
		}
	}
	return -1;
}

/* "user-1000000" to the attach point. False: it is not of that form, or too few. */
static bool dt_cpc_parse(const char *text, uint32_t min, dt_attachpoint_t *attach)
{
	char *end;

	if (strncmp(text, "user-", 5) == 0)
		attach->no_kernel = true;
	else if (strncmp(text, "kernel-", 7) == 0)
		attach->no_user = true;
	else if (strncmp(text, "all-", 4) != 0)
		return false;
	text = strchr(text, '-') + 1;
	if (*text < '1' || *text > '9')
		return false;
	errno = 0;
	attach->period = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 && attach->period >= min &&
	       attach->period <= INT64_MAX;
}

/* Adds the probe of that name, if there is one. */
static int dt_cpc_add(dtrace_hdl_t *hdl, const dt_provider_t *provider, dt_cpcs_t *known,
		      const char *name)
{
	dt_attachpoint_t parsed = {.kind = DT_ATTACH_SAMPLE,
				   .prog_type = BPF_PROG_TYPE_PERF_EVENT,
				   .context = DT_CONTEXT_ANY,
				   .every_cpu = true};
	dt_attachpoint_t *attach, *next;
	const char *rest;
	int event = dt_cpc_event(name, &rest);

	if (event < 0 || !dt_cpc_parse(rest, dt_cpc_events[event].min, &parsed) ||
	    !dt_cpc_is_there(known, (size_t)event) ||
	    dt_probe_lookup(hdl, provider->name, "", "", name))
		return 0;
	parsed.event_type = dt_cpc_events[event].type;
	parsed.event = dt_cpc_events[event].event;
	/* The registers stand at the start of struct bpf_perf_event_data. */
	parsed.args[0] = (dt_argsource_t){.kind = DT_ARG_KPC, .offset = DT_ARCH_PC};
	parsed.args[1] = (dt_argsource_t){.kind = DT_ARG_UPC, .offset = DT_ARCH_PC};
	attach = dt_attachpoint_new(hdl);
	if (!attach)
		return -1;
	next = attach->next;
	*attach = parsed;
	attach->next = next;
	return dt_probe_add(hdl, provider, "", "", name, attach, 0) ? 0 : -1;
}

#define DT_CPC_UNCOUNTED "this machine does not count the event"

static int dt_cpc_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			  const dtrace_probedesc_t *pattern)
{
	dt_cpcs_t *known = dt_provider_state(hdl, provider, sizeof(*known));
	char name[DTRACE_NAMELEN];

	if (!known)
		return -1;
	if (!dt_glob(pattern->dtpd_mod, "") || !dt_glob(pattern->dtpd_func, ""))
		return 0;
	if (dt_glob_is_literal(pattern->dtpd_name))
		return dt_cpc_add(hdl, provider, known, pattern->dtpd_name);
	for (size_t i = 0; i < DT_CPC_NEVENTS; i++) {
		snprintf(name, sizeof(name), "%s-all-%u", dt_cpc_events[i].name,
			 dt_cpc_events[i].listed);
		if (dt_glob(pattern->dtpd_name, name) &&
		    dt_cpc_add(hdl, provider, known, name) != 0)
			return -1;
	}
	return 0;
}

static const char *dt_cpc_missing(dtrace_hdl_t *hdl, const dt_provider_t *provider,
				  const dtrace_probedesc_t *pattern, const char **tag)
{
	dt_cpcs_t *known = dt_provider_state(hdl, provider, sizeof(*known));
	const char *rest;
	int event = dt_cpc_event(pattern->dtpd_name, &rest);

	(void)tag;
	if (!known || !dt_glob_is_literal(pattern->dtpd_name))
		return NULL;
	if (event < 0)
		return "no event of that name is known";
	if (!dt_cpc_is_there(known, (size_t)event))
		return DT_CPC_UNCOUNTED;
	return "a probe is called event-mode-count; mode is user, kernel or all, and the count "
	       "is not to be small";
}

static int dt_cpc_lacks(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			const dtrace_probedesc_t *pattern, dtrace_missing_f *f, void *arg)
{
	dt_cpcs_t *known = dt_provider_state(hdl, provider, sizeof(*known));
	dtrace_probedesc_t desc = {.dtpd_provider = "cpc"};
	int rv = 0;

	if (!known || !dt_glob(pattern->dtpd_mod, "") || !dt_glob(pattern->dtpd_func, ""))
		return 0;
	for (size_t i = 0; i < DT_CPC_NEVENTS && rv == 0; i++) {
		snprintf(desc.dtpd_name, sizeof(desc.dtpd_name), "%s-all-%u",
			 dt_cpc_events[i].name, dt_cpc_events[i].listed);
		if (dt_glob(pattern->dtpd_name, desc.dtpd_name) && !dt_cpc_is_there(known, i))
			rv = f(hdl, &desc, DT_CPC_UNCOUNTED, arg);
	}
	return rv;
}

const dt_provider_t dt_provider_cpc = {
    .name = "cpc",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING,
		   DTRACE_CLASS_COMMON},
    .arguments = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING,
		  DTRACE_CLASS_COMMON},
    .provide = dt_cpc_provide,
    .missing = dt_cpc_missing,
    .lacks = dt_cpc_lacks,
};
