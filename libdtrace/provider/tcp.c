/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/tcp.c - the provider tcp: connections as they are asked for, made, refused, and go
 * from state to state. arg1 and arg3 are the connection's struct sock; while the probe fires it
 * still has the state before the change, which arg5 is too; arg4 is the state after it.
 *
 * Segments are packets as the provider ip sees them, before it is known to which connection
 * those belong that come; see packet.h. arg0 to arg4 are the packet's sk_buff.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "provider/packet.h"

#define SOCK {DT_TP_P(0), "struct sock *", NULL}
#define NOTHING {{.root = DT_TP_CONST}, "void *", NULL}
#define ARGS {NOTHING, SOCK, NOTHING, SOCK, {DT_TP_P(2), "int", NULL}, {DT_TP_P(1), "int", NULL}}
#define IS_TCP {.left = DT_TP_M(0, "sock", "sk_protocol"), .nvalues = 1, .values = {IPPROTO_TCP}}
#define FROM(state) {.left = DT_TP_P(1), .nvalues = 1, .values = {state}}
#define TO(state) {.left = DT_TP_P(2), .nvalues = 1, .values = {state}}
#define END {.nvalues = 0}

static const dt_tpcondition_t is_tcp[] = {IS_TCP, END};
static const dt_tpcondition_t asks[] = {FROM(TCP_CLOSE), TO(TCP_SYN_SENT), IS_TCP, END};
static const dt_tpcondition_t is_connected[] = {FROM(TCP_SYN_SENT), TO(TCP_ESTABLISHED), IS_TCP,
						END};
static const dt_tpcondition_t has_accepted[] = {FROM(TCP_SYN_RECV), TO(TCP_ESTABLISHED), IS_TCP,
						END};
static const dt_tpcondition_t is_asking[] = {
    {.left = DT_TP_M(0, "sock", "__sk_common.skc_state"), .nvalues = 1,
     .values = {TCP_SYN_SENT}},
    END,
};

DT_PACKET_CONDITIONS(IPPROTO_TCP);

static const dt_tpprobe_t dt_tcp_table[] = {
    {.name = "accept-established", .tracepoint = "inet_sock_set_state", .minparams = 3,
     .context = DT_CONTEXT_ANY, .conditions = has_accepted, .args = ARGS},
    {.name = "connect-established", .tracepoint = "inet_sock_set_state", .minparams = 3,
     .context = DT_CONTEXT_ANY, .conditions = is_connected, .args = ARGS},
    {.name = "connect-refused", .tracepoint = "tcp_receive_reset", .minparams = 1,
     .context = DT_CONTEXT_ANY, .conditions = is_asking,
     .args = {NOTHING, SOCK, NOTHING, SOCK}},
    {.name = "connect-request", .tracepoint = "inet_sock_set_state", .minparams = 3,
     .context = DT_CONTEXT_ANY, .conditions = asks, .args = ARGS},
    {.name = "state-change", .tracepoint = "inet_sock_set_state", .minparams = 3,
     .context = DT_CONTEXT_ANY, .conditions = is_tcp, .args = ARGS},
    {.name = "accept-refused",
     .missing = "the kernel does not tell refused connections from other resets"},
    DT_PACKET_ENTRIES,
    {.name = NULL},
};

const dt_provider_t dt_provider_tcp = {
    .name = "tcp",
    .table = dt_tcp_table,
    .first = DT_PROBE_TCP,
    DT_TP_PROVIDER,
};
