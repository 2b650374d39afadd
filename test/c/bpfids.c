/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpfids.c - prints the numbers of all BPF programs, maps and links that the kernel holds,
 * a line each, as /proc/PID/fdinfo names them: "prog_id:	12".
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void print_ids(enum bpf_cmd next, const char *name)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	while (syscall(SYS_bpf, next, &attr, sizeof(attr)) == 0) {
		printf("%s:\t%u\n", name, attr.next_id);
		attr.start_id = attr.next_id;
	}
}

int main(void)
{
	print_ids(BPF_PROG_GET_NEXT_ID, "prog_id");
	print_ids(BPF_MAP_GET_NEXT_ID, "map_id");
	print_ids(BPF_LINK_GET_NEXT_ID, "link_id");
	return 0;
}
