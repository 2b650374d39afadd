/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.bpf.c - waiting, in a process's own time, until a number in kernel memory has grown.
 * There is nothing that a program can sleep on. But one that may sleep can read the process's
 * memory by the way that debuggers take, and on it the kernel looks whether another task
 * wants the CPU. Without that, on a kernel that does not preempt itself, whoever is waited for
 * could wait for the same CPU.
 */
#include "bpf/support.bpf.h"

static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static void *(*const bpf_get_current_task_btf)(void) = (void *)158;
static long (*const bpf_copy_from_user_task)(void *dst, u32 size, const void *src, void *task,
					     u64 flags) = (void *)191;

/* Rounds of a loop: more than any time that one waits. */
#define LOOKS (1 << 22)

struct hold {
	u64 address, least, until, code;
};

static long look(u64 i, struct hold *hold)
{
	u64 number = 0;

	if (bpf_probe_read_kernel(&number, sizeof(number), (void *)hold->address) != 0)
		return 1;
	if (number >= hold->least || bpf_ktime_get_ns() >= hold->until)
		return 1;
	bpf_copy_from_user_task(&number, 1, (void *)hold->code, bpf_get_current_task_btf(), 0);
	return 0;
}

/* code: an address that the process can read. */
int dt_hold(struct dt_scratch *s, u64 address, u64 least, u64 until, u64 code)
{
	struct hold hold = {address, least, until, code};

	bpf_loop(LOOKS, look, &hold, 0);
	return 0;
}
