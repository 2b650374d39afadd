/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds of links, as pcap files number them: the second argument of pcap(), which says what a
 * packet begins with. PCAP_IP is IPv4 or IPv6 without a link's header.
 */
inline int PCAP_NULL = 0;
inline int PCAP_ETHERNET = 1;
inline int PCAP_PPP = 9;
inline int PCAP_FDDI = 10;
inline int PCAP_IP = 101;
inline int PCAP_WIFI = 105;
inline int PCAP_INFINIBAND = 247;
