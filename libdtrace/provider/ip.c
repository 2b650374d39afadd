/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/ip.c - the provider ip: packets of IPv4 and IPv6; see packet.h. arg0 to arg5 are the
 * packet's sk_buff. A packet that the kernel leaves to the device to be cut in pieces counts as
 * one.
 */
#include "provider/packet.h"

#define ARGS                                                                               \
	DT_PACKET_SKB, DT_PACKET_SKB, DT_PACKET_SKB, DT_PACKET_SKB, DT_PACKET_SKB,         \
	    DT_PACKET_SKB

static const dt_tpcondition_t is_ip[] = {
    {.left = DT_TP_M(0, "sk_buff", "protocol"), .nvalues = 2,
     .values = {DT_PACKET_IPV4, DT_PACKET_IPV6}},
    {.nvalues = 0},
};

static const dt_tpprobe_t dt_ip_table[] = {
    {.name = "receive", DT_PACKET_RECEIVE, .conditions = is_ip, .args = {ARGS, DT_PACKET_DATA}},
    {.name = "send", DT_PACKET_SEND, .conditions = is_ip, .args = {ARGS, DT_PACKET_NONE}},
    {.name = "drop-in", .missing = "the kernel does not tell packets that ip drops from others"},
    {.name = "drop-out",
     .missing = "the kernel does not tell packets that ip drops from others"},
    {.name = NULL},
};

const dt_provider_t dt_provider_ip = {
    .name = "ip",
    .table = dt_ip_table,
    .first = DT_PROBE_IP,
    DT_TP_PROVIDER,
};
