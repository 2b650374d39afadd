/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/lockstat.c - the provider lockstat: none of its probes is there. A kernel has
 * tracepoints at locks that are waited for, but they tell neither the kind of lock in DTrace's
 * terms nor how long it took, and none at locks that are free; its lock functions are inlined.
 */
#include "provider/tracepoint.h"

#define NO_LOCKS "the kernel has no tracepoints where locks are acquired and released"

static const dt_tpprobe_t dt_lockstat_table[] = {
    {.name = "adaptive-acquire", .missing = NO_LOCKS},
    {.name = "adaptive-acquire-error", .missing = NO_LOCKS},
    {.name = "adaptive-block", .missing = NO_LOCKS},
    {.name = "adaptive-release", .missing = NO_LOCKS},
    {.name = "adaptive-spin", .missing = NO_LOCKS},
    {.name = "rw-acquire", .missing = NO_LOCKS},
    {.name = "rw-block", .missing = NO_LOCKS},
    {.name = "rw-downgrade", .missing = NO_LOCKS},
    {.name = "rw-release", .missing = NO_LOCKS},
    {.name = "rw-spin", .missing = NO_LOCKS},
    {.name = "rw-upgrade", .missing = NO_LOCKS},
    {.name = "spin-acquire", .missing = NO_LOCKS},
    {.name = "spin-release", .missing = NO_LOCKS},
    {.name = "spin-spin", .missing = NO_LOCKS},
    {.name = "thread-spin", .missing = NO_LOCKS},
    {.name = NULL},
};

const dt_provider_t dt_provider_lockstat = {
    .name = "lockstat",
    .table = dt_lockstat_table,
    DT_TP_PROVIDER,
};
