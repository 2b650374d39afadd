/* SPDX-License-Identifier: Apache-2.0 */
/* chill.bpf.c - chill(): the CPU does nothing but look at the clock. */
#include "bpf/support.bpf.h"

static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;

enum { CHILL_UNTIL };

/* Rounds of the inner loop and of the outer: more than half a second of any clock. */
#define LOOKS (1 << 20)
#define ROUNDS_OF_LOOKS 1024

static long look(u64 i, struct dt_scratch **context)
{
	return bpf_ktime_get_ns() >= (*context)->work[CHILL_UNTIL];
}

static long looks(u64 i, struct dt_scratch **context)
{
	dt_loop(*context, LOOKS, look);
	return look(i, context);
}

int dt_chill(struct dt_scratch *s, u64 ns)
{
	if (!s)
		return 0;
	s->work[CHILL_UNTIL] = bpf_ktime_get_ns() + ns;
	dt_loop(s, ROUNDS_OF_LOOKS, looks);
	return 0;
}
