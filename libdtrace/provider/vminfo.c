/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/vminfo.c - the provider vminfo: what the counters of virtual memory count. arg0 is
 * by how much the counter grows. See "vminfo Provider" in the Dynamic Tracing Guide; those of
 * its counters are here that Linux tells exactly. maj_fault is the kernel's software event of
 * that name, counted one by one.
 */
#include <linux/perf_event.h>
#include <string.h>

#include "provider/tracepoint.h"

#define DT_VMINFO_MODULE "vmlinux"
#define DT_VMINFO_MAJOR "maj_fault"
#define ONE {{{.root = DT_TP_CONST, .value = 1}, "int", NULL}}
#define NOT_TOLD "no tracepoint of the kernel tells what this counter counts"

static const dt_tpprobe_t dt_vminfo_table[] = {
    {.name = "kernel_asflt", .tracepoint = "page_fault_kernel", .context = DT_CONTEXT_ANY,
     .args = ONE},
    {.name = "pgrrun", .tracepoint = "mm_vmscan_kswapd_wake", .context = DT_CONTEXT_ANY,
     .args = ONE},
    {.name = "anonfree", .missing = NOT_TOLD},	{.name = "anonpgin", .missing = NOT_TOLD},
    {.name = "anonpgout", .missing = NOT_TOLD}, {.name = "as_fault", .missing = NOT_TOLD},
    {.name = "cow_fault", .missing = NOT_TOLD}, {.name = "dfree", .missing = NOT_TOLD},
    {.name = "execfree", .missing = NOT_TOLD},	{.name = "execpgin", .missing = NOT_TOLD},
    {.name = "execpgout", .missing = NOT_TOLD}, {.name = "fsfree", .missing = NOT_TOLD},
    {.name = "fspgin", .missing = NOT_TOLD},	{.name = "fspgout", .missing = NOT_TOLD},
    {.name = "hat_fault", .missing = NOT_TOLD}, {.name = "pgfrec", .missing = NOT_TOLD},
    {.name = "pgin", .missing = NOT_TOLD},	{.name = "pgout", .missing = NOT_TOLD},
    {.name = "pgpgin", .missing = NOT_TOLD},	{.name = "pgpgout", .missing = NOT_TOLD},
    {.name = "pgrec", .missing = NOT_TOLD},	{.name = "pgswapin", .missing = NOT_TOLD},
    {.name = "pgswapout", .missing = NOT_TOLD}, {.name = "prot_fault", .missing = NOT_TOLD},
    {.name = "rev", .missing = NOT_TOLD},	{.name = "scan", .missing = NOT_TOLD},
    {.name = "softlock", .missing = NOT_TOLD},	{.name = "swapin", .missing = NOT_TOLD},
    {.name = "swapout", .missing = NOT_TOLD},	{.name = "zfod", .missing = NOT_TOLD},
    {.name = NULL},
};
#define DT_VMINFO_NENTRIES (sizeof(dt_vminfo_table) / sizeof(dt_vminfo_table[0]))

static const char *const dt_vminfo_argtypes[] = {"int"};

static int dt_vminfo_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			     const dtrace_probedesc_t *pattern)
{
	dtrace_id_t id = provider->first + DT_VMINFO_NENTRIES;
	dt_attachpoint_t *attach;
	dt_probe_t *probe;

	if (dt_tptable_provide(hdl, provider, pattern) != 0)
		return -1;
	if (dt_probe_by_id(hdl, id) || !dt_glob(pattern->dtpd_mod, DT_VMINFO_MODULE) ||
	    !dt_glob(pattern->dtpd_func, "") || !dt_glob(pattern->dtpd_name, DT_VMINFO_MAJOR))
		return 0;
	attach = dt_attachpoint_new(hdl);
	if (!attach)
		return -1;
	attach->kind = DT_ATTACH_SAMPLE;
	attach->prog_type = BPF_PROG_TYPE_PERF_EVENT;
	attach->context = DT_CONTEXT_ANY;
	attach->event_type = PERF_TYPE_SOFTWARE;
	attach->event = PERF_COUNT_SW_PAGE_FAULTS_MAJ;
	attach->period = 1;
	attach->every_cpu = true;
	attach->args[0] = (dt_argsource_t){.kind = DT_ARG_CONST, .value = 1};
	probe = dt_probe_add_numbered(hdl, id, provider, DT_VMINFO_MODULE, "", DT_VMINFO_MAJOR,
				      attach, 0);
	if (!probe)
		return -1;
	probe->argtypes = dt_vminfo_argtypes;
	probe->nargs = 1;
	probe->is_described = true;
	return 0;
}

const dt_provider_t dt_provider_vminfo = {
    .name = "vminfo",
    .attributes = DT_TP_EVOLVING,
    .arguments = DT_TP_EVOLVING,
    .provide = dt_vminfo_provide,
    .describe = dt_tptable_describe,
    .missing = dt_tptable_missing,
    .lacks = dt_tptable_lacks,
    .table = dt_vminfo_table,
    .first = DT_PROBE_VMINFO,
};
