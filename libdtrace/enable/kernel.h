/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel.h - the memory that programs in the kernel and the consumer share. Code
 * generation writes these structures' offsets into instructions; enable/ makes the maps;
 * consume/ reads them through mmap.
 *
 * Per-CPU buffers, as DTrace has them: each CPU owns two principal and two aggregation
 * buffers and writes only the active ones, with plain stores and no helper call. The
 * consumer switches them by running a small program on that CPU (BPF_PROG_TEST_RUN with
 * BPF_F_TEST_RUN_ON_CPU): on the CPU itself the order of everything is given, so neither
 * side needs a lock or a barrier. The switch is refused while `depth` says that a program
 * is in the middle of its work there, and is then tried again.
 *
 * `depth` is also the level of nesting: a program that interrupts another takes the next
 * scratch area. That holds for programs that the scheduler leaves alone. Those at user
 * probes it does not: another thread may run one on the same CPU before the first has
 * ended, and either may end first. They take a bit of `user_slots` each instead, and the
 * scratch area that goes with it.
 */
#ifndef DT_KERNEL_H
#define DT_KERNEL_H

#include <stdint.h>

#define DT_NLEVELS 4 /* task, softirq, irq, nmi */
#define DT_NUSERSLOTS 8
#define DT_NAREAS (DT_NLEVELS + DT_NUSERSLOTS) /* of scratch, for each CPU */

typedef enum dt_activity {
	DT_ACTIVITY_INACTIVE, /* being set up: nothing fires */
	DT_ACTIVITY_ACTIVE,
	DT_ACTIVITY_DRAINING, /* exit() was called, or stopping: only END fires */
	DT_ACTIVITY_STOPPED
} dt_activity_t;

/* Something was dropped; and that has rung the bell. */
#define DT_DROPPED_SILENT 1
#define DT_DROPPED_TOLD 2

/*
 * Head of the state map's only value. A part for each CPU follows: its dt_kcpu_t, then twice,
 * to be switched with the aggregation buffers, the entries of the aggregations without keys
 * and DT_AGG_NNEAR u32 offsets of entries with keys that have been used lately. So what
 * a short program touches lies close together: each page more costs it tens of ns. After
 * that come the global variables.
 */
typedef struct dt_kstate {
	uint32_t activity;
	uint32_t exited;	   /* exit() was called */
	uint32_t filled;	   /* bufpolicy fill: a buffer was full */
	uint32_t bell_wanted;	   /* a buffer's first record is to ring the bell */
	int64_t wall_offset;	   /* walltimestamp - timestamp, ns */
	uint64_t tickets; /* of processes that have been held: follow.c */
	uint32_t dropped;  /* DT_DROPPED_*: since the consumer has last looked */
	uint32_t pad_dropped;
	uint64_t pad[11];
} dt_kstate_t;

#define DT_CPUS_OFFSET ((uint32_t)sizeof(dt_kstate_t))

/* A process that may bring probes. One that waits has a ticket, from 1, and does so until its
 * answer, answers[ticket % DT_NANSWERS], is not below it. */
typedef struct dt_news {
	uint64_t pid, ticket;
} dt_news_t;
#define DT_NANSWERS 4096u

typedef enum dt_kdrop {
	DT_KDROP_PRINCIPAL,
	DT_KDROP_AGGREGATION,
	DT_KDROP_DYNAMIC,
	DT_KDROP_NESTED, /* more than DT_NLEVELS programs inside each other, or more than
			  * DT_NUSERSLOTS at user probes at once */
	DT_KDROP_ERROR,	 /* a fault inside an ERROR clause */
	DT_KDROP_SPEC,	 /* a speculative buffer was full */
	DT_KDROP_SPECBUSY, /* speculation() while one is still being committed */
	DT_KDROP_SPECUNAVAIL, /* speculation() while all are active */
	DT_NKDROPS
} dt_kdrop_t;

/* One a CPU. */
typedef struct dt_kcpu {
	uint32_t depth;
	uint32_t principal_active; /* 0 or 1: the buffer that is written */
	uint32_t aggregation_active;
	uint32_t user_slots;
	uint32_t principal_used[2]; /* bytes */
	uint32_t aggregation_used[2]; /* offset of the next entry */
	uint64_t drops[DT_NKDROPS];
	uint64_t switched_at; /* ns: the running thread came on this CPU (vtimestamp) */
	uint32_t wraps; /* bufpolicy ring: how often the buffers have changed */
	uint32_t aggregation_index; /* of the active buffer: CPU x 2 + aggregation_active */
	uint64_t chill_since, chilled; /* ns: of the last second, how much chill() has used */
} dt_kcpu_t;

_Static_assert(sizeof(dt_kcpu_t) == 128 && sizeof(dt_kstate_t) == 128,
	       "a CPU's words share no cache line with another's");

/*
 * Waits for locks that have begun: codegen/wait.c. A CPU's follow its entries of aggregations:
 * of those that spin there, and what a program has been told of the wait that has ended, its
 * arguments from arg1 on. A thread's is in its storage.
 */
typedef struct dt_kspin {
	uint64_t lock; /* 0: free */
	uint64_t since;
	uint64_t flags;
} dt_kspin_t;

typedef struct dt_kwaits {
	dt_kspin_t spins[DT_NLEVELS];
	uint64_t over[4]; /* DT_WAIT_WORDS */
} dt_kwaits_t;

typedef struct dt_kwait {
	uint64_t lock;	 /* 0: it does not wait */
	uint64_t since;
	uint64_t asleep; /* since when; 0: it spins */
	uint64_t slept;	 /* ns, before that */
	uint64_t flags;
	uint64_t holders; /* of a rw_semaphore when the wait began: its count */
} dt_kwait_t;

/*
 * Aggregation buffer: from offset DT_AGG_HEADS on nbuckets u32 heads of hash chains, then
 * entries as they are made: 0 is the place of none.
 */
#define DT_AGG_HEADS 64
#define DT_AGG_NEAR_BITS 7
#define DT_AGG_NNEAR (1u << DT_AGG_NEAR_BITS)
typedef struct dt_kaggent {
	uint32_t varid; /* 0: not in use */
	uint32_t next;
	uint64_t hash;
} dt_kaggent_t;

/*
 * A speculation's word: DT_SPEC_*; from bit 8 the CPU that has speculated, plus 1 (0: none,
 * DT_SPEC_MANY: several); from bit 32 its generation, which each use increments.
 */
#define DT_SPEC_INACTIVE 0
#define DT_SPEC_ACTIVE 1
#define DT_SPEC_COMMITTING 2 /* the consumer is to take the other CPUs' part */
#define DT_SPEC_CPU_SHIFT 8
#define DT_SPEC_MANY 0xffffffu
#define DT_SPEC_GENERATION_SHIFT 32
#define DT_NSPEC_MAX 1024

/* Head of the data of one speculation on one CPU; records follow as in principal buffers. */
typedef struct dt_kspec {
	uint32_t used; /* bytes */
	uint32_t generation; /* of the speculation that they belong to */
	uint64_t nrecords;
} dt_kspec_t;

/* Maps, as instructions refer to them before they are made. */
typedef enum dt_mapid {
	DT_MAP_STATE,	  /* dt_kstate_t, the CPUs' parts, global variables */
	DT_MAP_PRINCIPAL, /* by CPU x 2 + buffer */
	DT_MAP_AGGREGATION,
	DT_MAP_SCRATCH,	  /* by CPU x DT_NAREAS + level, or DT_NLEVELS + slot */
	DT_MAP_STRINGS,	  /* read-only: literals and names */
	DT_MAP_SELF,	  /* task storage: thread-local variables */
	DT_MAP_BELL,	  /* ring buffer: wakes the consumer */
	DT_MAP_SPECS,	  /* speculations: a word of state each */
	DT_MAP_SPECDATA,  /* their data: by speculation x CPUs + CPU */
	DT_MAP_V8,	  /* hash: what processes' V8 tells of itself: bpf/jstack.h */
	DT_MAP_NEWS,	  /* ring buffer: dt_news_t */
	DT_MAP_ANSWERS,	  /* to those that wait */
	DT_MAP_WATCHED,	  /* hash: processes that are followed */
	DT_MAP_HOLD,	  /* scratch of the program that holds processes */
	DT_MAP_ASSOC	  /* the first associative array's; one each follows */
} dt_mapid_t;

#endif
