/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/dtrace.c - the provider dtrace: BEGIN and END, which the library fires itself
 * at the start and the end of tracing, and ERROR, which fires where a clause has faulted.
 */
#include "provider/provider.h"

/* ERROR: arg1 enabled probe, arg2 action, arg3 offset, arg4 fault, arg5 its address. */
#define DT_ERROR_FIRSTARG 1
#define DT_ERROR_LASTARG 5

static int dt_dtrace_add(dtrace_hdl_t *hdl, const dt_provider_t *provider, dtrace_id_t id,
			 const char *name, dt_attachkind_t kind)
{
	dt_attachpoint_t *attach = dt_attachpoint_new(hdl);

	if (!attach)
		return -1;
	attach->kind = kind;
	/* One of the types that BPF_PROG_TEST_RUN can run on demand. */
	attach->prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attach->context = DT_CONTEXT_TASK;
	for (uint32_t i = DT_ERROR_FIRSTARG;
	     kind == DT_ATTACH_ERROR && i <= DT_ERROR_LASTARG; i++)
		attach->args[i] = (dt_argsource_t){.kind = DT_ARG_ERROR, .offset = i};
	if (!dt_probe_add_numbered(hdl, id, provider, "", "", name, attach, 0))
		return -1;
	return 0;
}

static int dt_dtrace_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			     const dtrace_probedesc_t *pattern)
{
	static const struct {
		const char *name;
		dt_attachkind_t kind;
	} probes[] = {
	    {"BEGIN", DT_ATTACH_SELF},
	    {"END", DT_ATTACH_SELF},
	    {"ERROR", DT_ATTACH_ERROR},
	};

	for (uint32_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		if (dt_probe_by_id(hdl, DT_PROBE_DTRACE + i) ||
		    !dt_glob(pattern->dtpd_name, probes[i].name))
			continue;
		if (dt_dtrace_add(hdl, provider, DT_PROBE_DTRACE + i, probes[i].name,
				  probes[i].kind) != 0)
			return -1;
	}
	return 0;
}

const dt_provider_t dt_provider_dtrace = {
    .name = "dtrace",
    .attributes = {DTRACE_STABILITY_STABLE, DTRACE_STABILITY_STABLE, DTRACE_CLASS_COMMON},
    .arguments = {DTRACE_STABILITY_STABLE, DTRACE_STABILITY_STABLE, DTRACE_CLASS_COMMON},
    .provide = dt_dtrace_provide,
};
