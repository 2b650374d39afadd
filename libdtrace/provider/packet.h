/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet.h - packets as the providers ip, tcp and udp see them: as they come from a device and
 * go to one, those of the loopback device too.
 *
 * A packet that comes is not taken apart yet: its data begins with the header of IP, and
 * network_header may not be set; arg6 is where the data begins. Of one that goes arg6 is 0, and
 * its data begins with the header of the device. (The D libraries rely on it.)
 */
#ifndef DT_PACKET_H
#define DT_PACKET_H

#include <linux/if_ether.h>

#include "provider/tracepoint.h"

#define DT_PACKET_RECEIVE .tracepoint = "netif_receive_skb", .minparams = 1, .context = DT_CONTEXT_ANY
#define DT_PACKET_SEND .tracepoint = "net_dev_queue", .minparams = 1, .context = DT_CONTEXT_ANY

#define DT_PACKET_SKB {DT_TP_P(0), "struct sk_buff *", NULL}
#define DT_PACKET_NONE {{.root = DT_TP_CONST}, "void *", NULL}
#define DT_PACKET_DATA {DT_TP_M(0, "sk_buff", "data"), "void *", NULL}

/* skb->protocol, as the network has it. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DT_PACKET_PROTOCOL(n) (((n) & 0xff) << 8 | (n) >> 8)
#else
#define DT_PACKET_PROTOCOL(n) (n)
#endif
#define DT_PACKET_IPV4 DT_PACKET_PROTOCOL(ETH_P_IP)
#define DT_PACKET_IPV6 DT_PACKET_PROTOCOL(ETH_P_IPV6)

/* Conditions on what a packet that comes, or goes, has in it. */
#define DT_PACKET_IS(protocol_)                                                            \
	{.left = DT_TP_M(0, "sk_buff", "protocol"), .nvalues = 1, .values = {protocol_}}
#define DT_PACKET_BRINGS(header, member_, protocol_)                                       \
	{.left = DT_TP_MM(0, "sk_buff", "data", header, member_), .nvalues = 1,            \
	 .values = {protocol_}}
#define DT_PACKET_TAKES(header, member_, protocol_)                                        \
	{.left = DT_TP_HEADER(0, header, member_), .nvalues = 1, .values = {protocol_}}

/* Entries of a table for the packets of a protocol over IP; conditions by
 * DT_PACKET_CONDITIONS. */
#define DT_PACKET_CONDITIONS(number)                                                       \
	static const dt_tpcondition_t brings4[] = {                                        \
	    DT_PACKET_IS(DT_PACKET_IPV4), DT_PACKET_BRINGS("iphdr", "protocol", number),   \
	    {.nvalues = 0}};                                                               \
	static const dt_tpcondition_t brings6[] = {                                        \
	    DT_PACKET_IS(DT_PACKET_IPV6), DT_PACKET_BRINGS("ipv6hdr", "nexthdr", number),  \
	    {.nvalues = 0}};                                                               \
	static const dt_tpcondition_t takes4[] = {                                         \
	    DT_PACKET_IS(DT_PACKET_IPV4), DT_PACKET_TAKES("iphdr", "protocol", number),    \
	    {.nvalues = 0}};                                                               \
	static const dt_tpcondition_t takes6[] = {                                         \
	    DT_PACKET_IS(DT_PACKET_IPV6), DT_PACKET_TAKES("ipv6hdr", "nexthdr", number),   \
	    {.nvalues = 0}}

#define DT_PACKET_ARGS(last)                                                               \
	{DT_PACKET_SKB, DT_PACKET_SKB, DT_PACKET_SKB, DT_PACKET_SKB, DT_PACKET_SKB,        \
	 DT_PACKET_NONE, last}
#define DT_PACKET_ENTRIES                                                                  \
	{.name = "receive", DT_PACKET_RECEIVE, .conditions = brings4,                      \
	 .args = DT_PACKET_ARGS(DT_PACKET_DATA)},                                          \
	{.name = "receive", DT_PACKET_RECEIVE, .also = true, .conditions = brings6,        \
	 .args = DT_PACKET_ARGS(DT_PACKET_DATA)},                                          \
	{.name = "send", DT_PACKET_SEND, .conditions = takes4,                             \
	 .args = DT_PACKET_ARGS(DT_PACKET_NONE)},                                          \
	{.name = "send", DT_PACKET_SEND, .also = true, .conditions = takes6,               \
	 .args = DT_PACKET_ARGS(DT_PACKET_NONE)}

#endif
