/* SPDX-License-Identifier: Apache-2.0 */
/* ip.d - packets: the provider ip. */

typedef uint32_t ipaddr_t;
typedef struct in6_addr in6_addr_t;

typedef struct pktinfo {
	uintptr_t pkt_addr;
} pktinfo_t;

typedef struct csinfo {
	uintptr_t cs_addr;	/* the connection's struct sock, or 0 */
	uint64_t cs_cid;
	pid_t cs_pid;
	int cs_zoneid;
} csinfo_t;

typedef struct ipinfo {
	uint8_t ip_ver;
	uint32_t ip_plength;	/* bytes after the header */
	string ip_saddr;
	string ip_daddr;
} ipinfo_t;

typedef struct ifinfo {
	string if_name;
	int8_t if_local;	/* the loopback device */
	uint32_t if_ipstack;
	uintptr_t if_addr;	/* the struct net_device */
	uint32_t if_flags;
} ifinfo_t;

typedef struct ipv4info {
	uint8_t ipv4_ver;
	uint8_t ipv4_ihl;	/* bytes of the header */
	uint8_t ipv4_tos;
	uint16_t ipv4_length;
	uint16_t ipv4_ident;
	uint8_t ipv4_flags;
	uint16_t ipv4_offset;
	uint8_t ipv4_ttl;
	uint8_t ipv4_protocol;
	string ipv4_protostr;
	uint16_t ipv4_checksum;
	ipaddr_t ipv4_src;
	ipaddr_t ipv4_dst;
	string ipv4_saddr;
	string ipv4_daddr;
	struct iphdr *ipv4_hdr;
} ipv4info_t;

typedef struct ipv6info {
	uint8_t ipv6_ver;
	uint8_t ipv6_tclass;
	uint32_t ipv6_flow;
	uint16_t ipv6_plen;
	uint8_t ipv6_nexthdr;
	string ipv6_nextstr;
	uint8_t ipv6_hlim;
	in6_addr_t *ipv6_src;
	in6_addr_t *ipv6_dst;
	string ipv6_saddr;
	string ipv6_daddr;
	struct ipv6hdr *ipv6_hdr;
} ipv6info_t;

/* arg6 is where the header is known to be, or 0. */
inline struct iphdr *dt_ip4[struct sk_buff *S] = arg6 != 0 ? (struct iphdr *)arg6 :
	(struct iphdr *)(S->head + S->network_header);

inline struct ipv6hdr *dt_ip6[struct sk_buff *S] = arg6 != 0 ? (struct ipv6hdr *)arg6 :
	(struct ipv6hdr *)(S->head + S->network_header);

/* Where what is in the packet begins. */
inline uintptr_t dt_ip_payload[struct sk_buff *S] = (uintptr_t)dt_ip4[S] +
	(dt_ip4[S]->version == 4 ? dt_ip4[S]->ihl * 4 : sizeof(struct ipv6hdr));

inline string dt_ip_saddr[struct sk_buff *S] = dt_ip4[S]->version == 4 ?
	inet_ntoa(&dt_ip4[S]->saddr) : inet_ntoa6(&dt_ip6[S]->saddr);

inline string dt_ip_daddr[struct sk_buff *S] = dt_ip4[S]->version == 4 ?
	inet_ntoa(&dt_ip4[S]->daddr) : inet_ntoa6(&dt_ip6[S]->daddr);

inline string dt_ip_protocol[int P] =
	P == IPPROTO_TCP ? "TCP" : P == IPPROTO_UDP ? "UDP" : P == IPPROTO_ICMP ? "ICMP" :
	P == IPPROTO_ICMPV6 ? "IPV6-ICMP" : P == IPPROTO_IGMP ? "IGMP" :
	P == IPPROTO_SCTP ? "SCTP" : lltostr(P);

translator pktinfo_t < struct sk_buff *S > {
	pkt_addr = (uintptr_t)S;
};

translator csinfo_t < struct sk_buff *S > {
	cs_addr = (uintptr_t)S->sk;
	cs_cid = (uint64_t)S->sk;
};

translator ipinfo_t < struct sk_buff *S > {
	ip_ver = dt_ip4[S]->version;
	ip_plength = dt_ip4[S]->version == 4 ? ntohs(dt_ip4[S]->tot_len) - dt_ip4[S]->ihl * 4 :
	    ntohs(dt_ip6[S]->payload_len);
	ip_saddr = dt_ip_saddr[S];
	ip_daddr = dt_ip_daddr[S];
};

translator ifinfo_t < struct sk_buff *S > {
	if_name = S->dev == NULL ? "<null>" : (string)S->dev->name;
	if_local = S->dev == NULL ? 0 : (S->dev->flags & 8) != 0;
	if_ipstack = 0;
	if_addr = (uintptr_t)S->dev;
	if_flags = S->dev == NULL ? 0 : S->dev->flags;
};

translator ipv4info_t < struct sk_buff *S > {
	ipv4_ver = dt_ip4[S]->version;
	ipv4_ihl = dt_ip4[S]->ihl * 4;
	ipv4_tos = dt_ip4[S]->tos;
	ipv4_length = ntohs(dt_ip4[S]->tot_len);
	ipv4_ident = ntohs(dt_ip4[S]->id);
	ipv4_flags = ntohs(dt_ip4[S]->frag_off) >> 13;
	ipv4_offset = ntohs(dt_ip4[S]->frag_off) & 0x1fff;
	ipv4_ttl = dt_ip4[S]->ttl;
	ipv4_protocol = dt_ip4[S]->protocol;
	ipv4_protostr = dt_ip_protocol[dt_ip4[S]->protocol];
	ipv4_checksum = ntohs(dt_ip4[S]->check);
	ipv4_src = dt_ip4[S]->saddr;
	ipv4_dst = dt_ip4[S]->daddr;
	ipv4_saddr = inet_ntoa(&dt_ip4[S]->saddr);
	ipv4_daddr = inet_ntoa(&dt_ip4[S]->daddr);
	ipv4_hdr = dt_ip4[S];
};

translator ipv6info_t < struct sk_buff *S > {
	ipv6_ver = dt_ip6[S]->version;
	ipv6_tclass = dt_ip6[S]->priority << 4 | dt_ip6[S]->flow_lbl[0] >> 4;
	ipv6_flow = (dt_ip6[S]->flow_lbl[0] & 0xf) << 16 | dt_ip6[S]->flow_lbl[1] << 8 |
	    dt_ip6[S]->flow_lbl[2];
	ipv6_plen = ntohs(dt_ip6[S]->payload_len);
	ipv6_nexthdr = dt_ip6[S]->nexthdr;
	ipv6_nextstr = dt_ip_protocol[dt_ip6[S]->nexthdr];
	ipv6_hlim = dt_ip6[S]->hop_limit;
	ipv6_src = &dt_ip6[S]->saddr;
	ipv6_dst = &dt_ip6[S]->daddr;
	ipv6_saddr = inet_ntoa6(&dt_ip6[S]->saddr);
	ipv6_daddr = inet_ntoa6(&dt_ip6[S]->daddr);
	ipv6_hdr = dt_ip6[S];
};

provider ip {
	probe receive(struct sk_buff *p) : (pktinfo_t *p, csinfo_t *p, ipinfo_t *p,
	    ifinfo_t *p, ipv4info_t *p, ipv6info_t *p);
	probe send(struct sk_buff *p) : (pktinfo_t *p, csinfo_t *p, ipinfo_t *p,
	    ifinfo_t *p, ipv4info_t *p, ipv6info_t *p);
};
