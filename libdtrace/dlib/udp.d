/* SPDX-License-Identifier: Apache-2.0 */
/* udp.d - datagrams: the provider udp. See ip.d for where headers are. */

typedef struct udpsinfo {
	uintptr_t udps_addr;	/* the struct sock of the sender, or 0 */
	uint16_t udps_lport;
	uint16_t udps_rport;
	string udps_laddr;
	string udps_raddr;
} udpsinfo_t;

typedef struct udpinfo {
	uint16_t udp_sport;
	uint16_t udp_dport;
	uint16_t udp_length;	/* with the header */
	uint16_t udp_checksum;
	struct udphdr *udp_hdr;
} udpinfo_t;

inline struct udphdr *dt_udp[struct sk_buff *S] = (struct udphdr *)dt_ip_payload[S];

translator udpsinfo_t < struct sk_buff *S > {
	udps_addr = (uintptr_t)S->sk;
	udps_lport = ntohs(arg6 != 0 ? dt_udp[S]->dest : dt_udp[S]->source);
	udps_rport = ntohs(arg6 != 0 ? dt_udp[S]->source : dt_udp[S]->dest);
	udps_laddr = arg6 != 0 ? dt_ip_daddr[S] : dt_ip_saddr[S];
	udps_raddr = arg6 != 0 ? dt_ip_saddr[S] : dt_ip_daddr[S];
};

translator udpinfo_t < struct sk_buff *S > {
	udp_sport = ntohs(dt_udp[S]->source);
	udp_dport = ntohs(dt_udp[S]->dest);
	udp_length = ntohs(dt_udp[S]->len);
	udp_checksum = ntohs(dt_udp[S]->check);
	udp_hdr = dt_udp[S];
};

provider udp {
	probe receive(struct sk_buff *p) : (pktinfo_t *p, csinfo_t *p, ipinfo_t *p,
	    udpsinfo_t *p, udpinfo_t *p);
	probe send(struct sk_buff *p) : (pktinfo_t *p, csinfo_t *p, ipinfo_t *p,
	    udpsinfo_t *p, udpinfo_t *p);
};
