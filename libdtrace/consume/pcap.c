/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcap.c - packets that pcap() has recorded. Into a file that freopen() has opened they go as
 * pcap files have them, which every packet analyser reads: a head with the kind of link, once,
 * then each packet with a head of its own. All numbers are in the writer's byte order, times
 * with nanoseconds; the magic number tells both.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "consume/consume.h"
#include "consume/status.h"
#include "handle.h"

#define PCAP_MAGIC_NSEC 0xa1b23c4du
#define NSEC 1000000000

typedef struct pcap_filehead {
	uint32_t magic;
	uint16_t major, minor; /* 2.4, of 1998 */
	int32_t zone;	       /* seconds; by custom 0 */
	uint32_t accuracy;     /* by custom 0 */
	uint32_t largest;      /* bytes that are kept of a packet */
	uint32_t linktype;
} pcap_filehead_t;

typedef struct pcap_head {
	uint32_t seconds, nanoseconds;
	uint32_t captured, length;
} pcap_head_t;

dtrace_packet_t dt_packet_read(const dtrace_recdesc_t *rec, const char *data,
			       const char **bytes)
{
	dtrace_packet_t packet;
	uint32_t room = rec->dtrd_size - (uint32_t)sizeof(packet);

	memcpy(&packet, data, sizeof(packet));
	if (packet.dtpk_captured > room)
		packet.dtpk_captured = room;
	*bytes = data + sizeof(packet);
	return packet;
}

static bool write_filehead(FILE *fp, const dtrace_recdesc_t *rec, int32_t linktype)
{
	const pcap_filehead_t head = {
	    .magic = PCAP_MAGIC_NSEC,
	    .major = 2,
	    .minor = 4,
	    .largest = rec->dtrd_size - (uint32_t)sizeof(dtrace_packet_t),
	    .linktype = (uint32_t)linktype,
	};

	return fwrite(&head, sizeof(head), 1, fp) == 1;
}

static bool write_packet(FILE *fp, const dtrace_packet_t *packet, const char *bytes)
{
	const pcap_head_t head = {
	    .seconds = (uint32_t)(packet->dtpk_time / NSEC),
	    .nanoseconds = (uint32_t)(packet->dtpk_time % NSEC),
	    .captured = packet->dtpk_captured,
	    .length = packet->dtpk_length,
	};

	return fwrite(&head, sizeof(head), 1, fp) == 1 &&
	       fwrite(bytes, 1, packet->dtpk_captured, fp) == packet->dtpk_captured;
}

int dt_print_packet(dtrace_hdl_t *hdl, FILE *fp, const dtrace_recdesc_t *rec, const char *data)
{
	const dt_output_t *output = &hdl->consumer->output;
	const char *bytes;
	dtrace_packet_t packet = dt_packet_read(rec, data, &bytes);
	struct stat st;

	if (fp == NULL || output->fp != fp || !output->is_redirected)
		return dt_print_bytes(hdl, fp, bytes, packet.dtpk_captured, DT_WIDTH_TRACE, false,
				      true) < 0
			   ? -1
			   : 0;
	if (fflush(fp) != 0 || fstat(fileno(fp), &st) != 0 ||
	    (st.st_size == 0 && !write_filehead(fp, rec, packet.dtpk_linktype)) ||
	    !write_packet(fp, &packet, bytes))
		return dt_set_errno(hdl, errno);
	return 0;
}
