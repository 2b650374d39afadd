/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/udp.c - the provider udp: packets of UDP, as the provider ip sees them; see packet.h.
 * arg0 to arg4 are the packet's sk_buff.
 */
#include <netinet/in.h>

#include "provider/packet.h"

DT_PACKET_CONDITIONS(IPPROTO_UDP);

static const dt_tpprobe_t dt_udp_table[] = {
    DT_PACKET_ENTRIES,
    {.name = NULL},
};

const dt_provider_t dt_provider_udp = {
    .name = "udp",
    .table = dt_udp_table,
    .first = DT_PROBE_UDP,
    DT_TP_PROVIDER,
};
