/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/profile.c - the provider profile: profile-N fires N times a second (or, with a
 * unit, every N of it) on every CPU, tick-N on one. A listing shows the customary rates;
 * any other probe is made when its name is asked for.
 */
#include <linux/perf_event.h>
#include <string.h>

#include "arch.h"
#include "option.h"
#include "provider/provider.h"

/* A shorter time would leave a CPU little but the probe itself. */
#define DT_PROFILE_PERIOD_MIN 200000

#define DT_PROFILE_PREFIX "profile-"
#define DT_TICK_PREFIX "tick-"

static const char *const dt_profile_listed[] = {
    "profile-97",   "profile-199",  "profile-499",  "profile-997",
    "profile-1999", "profile-4001", "profile-4999", "tick-1",
    "tick-10",	    "tick-100",	    "tick-500",	    "tick-1000",
};
#define DT_PROFILE_NLISTED (sizeof(dt_profile_listed) / sizeof(dt_profile_listed[0]))

/* Nanoseconds between two firings of a probe; 0: there is no probe of that name. */
static uint64_t dt_profile_period(const char *name, bool *every_cpu)
{
	dtrace_optval_t period;

	*every_cpu = strncmp(name, DT_PROFILE_PREFIX, strlen(DT_PROFILE_PREFIX)) == 0;
	if (*every_cpu)
		name += strlen(DT_PROFILE_PREFIX);
	else if (strncmp(name, DT_TICK_PREFIX, strlen(DT_TICK_PREFIX)) == 0)
		name += strlen(DT_TICK_PREFIX);
	else
		return 0;
	if (!dt_rate_parse(name, &period) || period < DT_PROFILE_PERIOD_MIN)
		return 0;
	return (uint64_t)period;
}

static int dt_profile_add(dtrace_hdl_t *hdl, const dt_provider_t *provider, dtrace_id_t id,
			  const char *name)
{
	bool every_cpu;
	uint64_t period = dt_profile_period(name, &every_cpu);

	if (period == 0 || dt_probe_lookup(hdl, provider->name, "", "", name))
		return 0;

	dt_attachpoint_t *attach = dt_attachpoint_new(hdl);

	if (!attach)
		return -1;
	attach->kind = DT_ATTACH_SAMPLE;
	attach->prog_type = BPF_PROG_TYPE_PERF_EVENT;
	attach->context = DT_CONTEXT_IRQ;
	attach->event_type = PERF_TYPE_SOFTWARE;
	attach->event = PERF_COUNT_SW_CPU_CLOCK;
	attach->period = period;
	attach->every_cpu = every_cpu;
	/* The registers stand at the start of struct bpf_perf_event_data. */
	attach->args[0] = (dt_argsource_t){.kind = DT_ARG_KPC, .offset = DT_ARCH_PC};
	attach->args[1] = (dt_argsource_t){.kind = DT_ARG_UPC, .offset = DT_ARCH_PC};
	if (!dt_probe_add_numbered(hdl, id, provider, "", "", name, attach, 0))
		return -1;
	return 0;
}

static int dt_profile_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			      const dtrace_probedesc_t *pattern)
{
	if (!dt_glob(pattern->dtpd_mod, "") || !dt_glob(pattern->dtpd_func, ""))
		return 0;
	for (uint32_t i = 0; i < DT_PROFILE_NLISTED; i++) {
		if (!dt_glob(pattern->dtpd_name, dt_profile_listed[i]))
			continue;
		if (dt_profile_add(hdl, provider, DT_PROBE_PROFILE + i,
				   dt_profile_listed[i]) != 0)
			return -1;
	}
	if (!dt_glob_is_literal(pattern->dtpd_name))
		return 0;
	return dt_profile_add(hdl, provider, 0, pattern->dtpd_name);
}

_Static_assert(DT_PROBE_PROFILE + DT_PROFILE_NLISTED <= DT_PROBE_SYSCALL,
	       "the numbers of listed profile probes reach into the next provider's");

const dt_provider_t dt_provider_profile = {
    .name = "profile",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING,
		   DTRACE_CLASS_COMMON},
    .arguments = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING,
		  DTRACE_CLASS_COMMON},
    .provide = dt_profile_provide,
};
