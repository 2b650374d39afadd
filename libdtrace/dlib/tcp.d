/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.d - connections: the provider tcp. */

inline int TCP_STATE_ESTABLISHED = 1;
inline int TCP_STATE_SYN_SENT = 2;
inline int TCP_STATE_SYN_RECEIVED = 3;
inline int TCP_STATE_FIN_WAIT_1 = 4;
inline int TCP_STATE_FIN_WAIT_2 = 5;
inline int TCP_STATE_TIME_WAIT = 6;
inline int TCP_STATE_CLOSED = 7;
inline int TCP_STATE_CLOSE_WAIT = 8;
inline int TCP_STATE_LAST_ACK = 9;
inline int TCP_STATE_LISTEN = 10;
inline int TCP_STATE_CLOSING = 11;

inline string tcp_state_string[int32_t state] =
	state == TCP_STATE_ESTABLISHED ? "state-established" :
	state == TCP_STATE_SYN_SENT ? "state-syn-sent" :
	state == TCP_STATE_SYN_RECEIVED ? "state-syn-received" :
	state == TCP_STATE_FIN_WAIT_1 ? "state-fin-wait-1" :
	state == TCP_STATE_FIN_WAIT_2 ? "state-fin-wait-2" :
	state == TCP_STATE_TIME_WAIT ? "state-time-wait" :
	state == TCP_STATE_CLOSED ? "state-closed" :
	state == TCP_STATE_CLOSE_WAIT ? "state-close-wait" :
	state == TCP_STATE_LAST_ACK ? "state-last-ack" :
	state == TCP_STATE_LISTEN ? "state-listen" :
	state == TCP_STATE_CLOSING ? "state-closing" : "<unknown>";

typedef struct tcpinfo {
	uint16_t tcp_sport;
	uint16_t tcp_dport;
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint8_t tcp_offset;
	uint8_t tcp_flags;
	uint16_t tcp_window;
	uint16_t tcp_checksum;
	uint16_t tcp_urgent;
	uintptr_t tcp_hdr;
} tcpinfo_t;

typedef struct tcpsinfo {
	uintptr_t tcps_addr;
	int tcps_local;
	int tcps_active;
	uint16_t tcps_lport;
	uint16_t tcps_rport;
	string tcps_laddr;
	string tcps_raddr;
	int32_t tcps_state;
	uint32_t tcps_iss;
	uint32_t tcps_suna;
	uint32_t tcps_snxt;
	uint32_t tcps_rack;
	uint32_t tcps_rnxt;
	uint32_t tcps_swnd;
	int32_t tcps_snd_ws;
	uint32_t tcps_rwnd;
	int32_t tcps_rcv_ws;
	uint32_t tcps_cwnd;
	uint32_t tcps_cwnd_ssthresh;
	uint32_t tcps_sack_fack;
	uint32_t tcps_sack_snxt;
	uint32_t tcps_rto;	/* ticks of the kernel's clock */
	uint32_t tcps_mss;
	int tcps_retransmit;
} tcpsinfo_t;

typedef struct tcplsinfo {
	int32_t tcps_state;
} tcplsinfo_t;

/* skc_num is 0 again when a connection's last change is told. */
inline uint16_t dt_tcp_lport[struct sock *S] = ntohs(((struct inet_sock *)S)->inet_sport);

inline int dt_tcp_local[struct sock *S] = S->__sk_common.skc_family == AF_INET ?
	S->__sk_common.skc_daddr == S->__sk_common.skc_rcv_saddr :
	*(uint64_t *)&S->__sk_common.skc_v6_daddr ==
	    *(uint64_t *)&S->__sk_common.skc_v6_rcv_saddr &&
	*((uint64_t *)&S->__sk_common.skc_v6_daddr + 1) ==
	    *((uint64_t *)&S->__sk_common.skc_v6_rcv_saddr + 1);

translator csinfo_t < struct sock *S > {
	cs_addr = (uintptr_t)S;
	cs_cid = (uint64_t)S;
};

translator pktinfo_t < struct sock *S > {
	pkt_addr = 0;
};

translator ipinfo_t < struct sock *S > {
	ip_ver = S->__sk_common.skc_family == AF_INET ? 4 : 6;
	ip_plength = 0;
	ip_saddr = S->__sk_common.skc_family == AF_INET ?
	    inet_ntoa(&S->__sk_common.skc_rcv_saddr) :
	    inet_ntoa6(&S->__sk_common.skc_v6_rcv_saddr);
	ip_daddr = S->__sk_common.skc_family == AF_INET ?
	    inet_ntoa(&S->__sk_common.skc_daddr) :
	    inet_ntoa6(&S->__sk_common.skc_v6_daddr);
};

translator tcpinfo_t < struct sock *S > {
	tcp_sport = dt_tcp_lport[S];
	tcp_dport = ntohs(S->__sk_common.skc_dport);
	tcp_seq = ((struct tcp_sock *)S)->snd_nxt;
	tcp_ack = ((struct tcp_sock *)S)->rcv_nxt;
	tcp_hdr = 0;
};

/* While a probe of a change fires the connection is still in its old state: arg4 is the new
 * one, where there is one. */
translator tcpsinfo_t < struct sock *S > {
	tcps_addr = (uintptr_t)S;
	tcps_local = dt_tcp_local[S];
	tcps_lport = dt_tcp_lport[S];
	tcps_rport = ntohs(S->__sk_common.skc_dport);
	tcps_laddr = S->__sk_common.skc_family == AF_INET ?
	    inet_ntoa(&S->__sk_common.skc_rcv_saddr) :
	    inet_ntoa6(&S->__sk_common.skc_v6_rcv_saddr);
	tcps_raddr = S->__sk_common.skc_family == AF_INET ?
	    inet_ntoa(&S->__sk_common.skc_daddr) :
	    inet_ntoa6(&S->__sk_common.skc_v6_daddr);
	tcps_state = arg4 != 0 ? (int32_t)arg4 : S->__sk_common.skc_state;
	tcps_suna = ((struct tcp_sock *)S)->snd_una;
	tcps_snxt = ((struct tcp_sock *)S)->snd_nxt;
	tcps_rack = ((struct tcp_sock *)S)->rcv_nxt;
	tcps_rnxt = ((struct tcp_sock *)S)->rcv_nxt;
	tcps_swnd = ((struct tcp_sock *)S)->snd_wnd;
	tcps_snd_ws = ((struct tcp_sock *)S)->rx_opt.snd_wscale;
	tcps_rwnd = ((struct tcp_sock *)S)->rcv_wnd;
	tcps_rcv_ws = ((struct tcp_sock *)S)->rx_opt.rcv_wscale;
	tcps_cwnd = ((struct tcp_sock *)S)->snd_cwnd;
	tcps_cwnd_ssthresh = ((struct tcp_sock *)S)->snd_ssthresh;
	tcps_rto = ((struct inet_connection_sock *)S)->icsk_rto;
	tcps_mss = ((struct tcp_sock *)S)->mss_cache;
	tcps_retransmit = ((struct tcp_sock *)S)->retrans_out != 0;
};

/* Of a segment. */
inline struct tcphdr *dt_tcp[struct sk_buff *S] = (struct tcphdr *)dt_ip_payload[S];

/* The connection of a segment that comes is not known yet. */
translator tcpsinfo_t < struct sk_buff *S > {
	tcps_addr = (uintptr_t)S->sk;
	tcps_lport = ntohs(arg6 != 0 ? dt_tcp[S]->dest : dt_tcp[S]->source);
	tcps_rport = ntohs(arg6 != 0 ? dt_tcp[S]->source : dt_tcp[S]->dest);
	tcps_laddr = arg6 != 0 ? dt_ip_daddr[S] : dt_ip_saddr[S];
	tcps_raddr = arg6 != 0 ? dt_ip_saddr[S] : dt_ip_daddr[S];
	tcps_state = S->sk == NULL ? 0 : S->sk->__sk_common.skc_state;
};

translator tcpinfo_t < struct sk_buff *S > {
	tcp_sport = ntohs(dt_tcp[S]->source);
	tcp_dport = ntohs(dt_tcp[S]->dest);
	tcp_seq = ntohl(dt_tcp[S]->seq);
	tcp_ack = ntohl(dt_tcp[S]->ack_seq);
	tcp_offset = dt_tcp[S]->doff * 4;
	tcp_flags = *((uint8_t *)dt_tcp[S] + 13);
	tcp_window = ntohs(dt_tcp[S]->window);
	tcp_checksum = ntohs(dt_tcp[S]->check);
	tcp_urgent = ntohs(dt_tcp[S]->urg_ptr);
	tcp_hdr = (uintptr_t)dt_tcp[S];
};

translator tcplsinfo_t < int N > {
	tcps_state = N;
};

provider tcp {
	probe accept__established(void *p, struct sock *c, void *i, struct sock *s, int n, int o) :
	    (pktinfo_t *c, csinfo_t *c, ipinfo_t *c, tcpsinfo_t *s, tcpinfo_t *s);
	probe connect__established(void *p, struct sock *c, void *i, struct sock *s, int n, int o) :
	    (pktinfo_t *c, csinfo_t *c, ipinfo_t *c, tcpsinfo_t *s, tcpinfo_t *s);
	probe connect__refused(void *p, struct sock *c, void *i, struct sock *s) :
	    (pktinfo_t *c, csinfo_t *c, ipinfo_t *c, tcpsinfo_t *s, tcpinfo_t *s);
	probe connect__request(void *p, struct sock *c, void *i, struct sock *s, int n, int o) :
	    (pktinfo_t *c, csinfo_t *c, ipinfo_t *c, tcpsinfo_t *s, tcpinfo_t *s);
	probe receive(struct sk_buff *p) : (pktinfo_t *p, csinfo_t *p, ipinfo_t *p,
	    tcpsinfo_t *p, tcpinfo_t *p);
	probe send(struct sk_buff *p) : (pktinfo_t *p, csinfo_t *p, ipinfo_t *p,
	    tcpsinfo_t *p, tcpinfo_t *p);
	probe state__change(void *p, struct sock *c, void *i, struct sock *s, int n, int o) :
	    (void *p, csinfo_t *c, void *i, tcpsinfo_t *s, void *i, tcplsinfo_t *o);
};
