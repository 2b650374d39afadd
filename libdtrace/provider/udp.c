/* SPDX-License-Identifier: Apache-2.0 */
/* provider/udp.c - the provider udp: none of its probes is there; see ip.c for packets. */
#include "provider/tracepoint.h"

#define NO_DATAGRAMS "the kernel has no tracepoint at every datagram"

static const dt_tpprobe_t dt_udp_table[] = {
    {.name = "receive", .missing = NO_DATAGRAMS},
    {.name = "send", .missing = NO_DATAGRAMS},
    {.name = NULL},
};

const dt_provider_t dt_provider_udp = {
    .name = "udp",
    .table = dt_udp_table,
    .first = DT_PROBE_UDP,
    DT_TP_PROVIDER,
};
