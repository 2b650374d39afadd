/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - what the kernel takes to enable and disable tracepoints: one program that does
 * nothing, attached to each that standard input names, a line each, and detached again.
 *
 * The kernel patches its code for each of them, with all CPUs interrupted for each patch; so
 * no tracer can be faster.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

int main(void)
{
	const struct bpf_insn nothing[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	const struct rlimit limit = {65536, 65536};
	int prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "nothing", "GPL", nothing, 2, NULL);
	char line[256];

	setrlimit(RLIMIT_NOFILE, &limit);
	if (prog < 0) {
		fprintf(stderr, "attach: %s\n", strerror(-prog));
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (bpf_raw_tracepoint_open(line, prog) < 0)
			return 1;
	}
	return 0; /* and everything is detached */
}
