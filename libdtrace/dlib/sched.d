/* SPDX-License-Identifier: Apache-2.0 */
/* sched.d - processors: cpuinfo_t. */

typedef struct cpuinfo {
	processorid_t cpu_id;
	int cpu_pset;
	int cpu_chip;
	int cpu_lgrp;
	void *cpu_info;
} cpuinfo_t;

/* There are no processor sets here: all processors are of one. */
translator cpuinfo_t < int N > {
	cpu_id = N;
	cpu_pset = 0;
};

inline cpuinfo_t *curcpu = xlate<cpuinfo_t *>(cpu);

inline int SCHED_NORMAL = 0;
