/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.bpf.c - waiting, in a process's own time, until a number in kernel memory has grown.
 * There is nothing that a program can sleep on, so the CPU is kept busy.
 */
#include "bpf/support.bpf.h"

static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;

/* Rounds of a loop: more than any time that one waits. */
#define LOOKS (1 << 22)

struct hold {
	u64 address, least, until;
};

static long look(u64 i, struct hold *hold)
{
	u64 number = 0;

	if (bpf_probe_read_kernel(&number, sizeof(number), (void *)hold->address) != 0)
		return 1;
	return number >= hold->least || bpf_ktime_get_ns() >= hold->until;
}

int dt_hold(struct dt_scratch *s, u64 address, u64 least, u64 until)
{
	struct hold hold = {address, least, until};

	bpf_loop(LOOKS, look, &hold, 0);
	return 0;
}
