/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/ip.c - the provider ip: packets of IPv4 and IPv6 as they come from a device and go
 * to one, those of the loopback device too. arg0 to arg5 are the packet's sk_buff. A packet
 * that the kernel leaves to the device to be cut in pieces counts as one.
 *
 * A packet that comes is not taken apart yet: its data begins with the header of IP, and
 * network_header may not be set; arg6 is where the data begins. Of one that goes arg6 is 0, and
 * its data begins with the header of the device.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "provider/tracepoint.h"

#define SKB {DT_TP_P(0), "struct sk_buff *", NULL}
#define ARGS SKB, SKB, SKB, SKB, SKB, SKB
#define DATA {DT_TP_M(0, "sk_buff", "data"), "void *", NULL}
#define SWAP(n) (((n) & 0xff) << 8 | (n) >> 8)
/* skb->protocol, as the network has it. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PROTOCOLS {SWAP(ETH_P_IP), SWAP(ETH_P_IPV6)}
#else
#define PROTOCOLS {ETH_P_IP, ETH_P_IPV6}
#endif

static const dt_tpcondition_t is_ip[] = {
    {.left = DT_TP_M(0, "sk_buff", "protocol"), .nvalues = 2, .values = PROTOCOLS},
    {.nvalues = 0},
};

static const dt_tpprobe_t dt_ip_table[] = {
    {.name = "receive", .tracepoint = "netif_receive_skb", .minparams = 1,
     .context = DT_CONTEXT_ANY, .conditions = is_ip, .args = {ARGS, DATA}},
    {.name = "send", .tracepoint = "net_dev_queue", .minparams = 1,
     .context = DT_CONTEXT_ANY, .conditions = is_ip,
     .args = {ARGS, {{.root = DT_TP_CONST}, "void *", NULL}}},
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
