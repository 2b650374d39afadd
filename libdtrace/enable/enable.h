/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enable.h - from programs of D to programs in the kernel.
 *
 *	enabling.c	the clauses of the enabling and the probes they match
 *	build.c		grouped by attach point; laid out; generated
 *	maps.c		kernel memory, and its windows in this process
 *	load.c		programs into the kernel, attached, detached
 *	uprobe.c	attached to user programs
 *	kprobe.c	attached to functions of the kernel
 *	places.c	what the two have in common
 *	follow.c	probes that processes bring while tracing
 *	go.c		dtrace_go() and dtrace_stop(): the order of it all
 */
#ifndef DT_ENABLE_H
#define DT_ENABLE_H

#include "codegen/codegen.h"
#include "enable/kernel.h"
#include "handle.h"

/* One clause for one of its probe descriptions, and the probes that it matches. */
typedef struct dt_enabled {
	struct dt_enabled *next;
	dt_clause_t *clause;
	dt_probe_t **probes;
	uint32_t nprobes, capacity;
	const dtrace_probedesc_t *desc;
	const dt_provider_t *grower; /* of probes that come later; NULL: none will */
	pid_t grower_pid;	     /* the process that brings them; 0: any */
	dt_recplan_t *plan;	     /* what the clause records */
} dt_enabled_t;

typedef enum dt_phase {
	DT_PHASE_COMPILE, /* programs may be added */
	DT_PHASE_ACTIVE,
	DT_PHASE_STOPPED  /* nothing is attached; data may remain */
} dt_phase_t;

/* A part of a map's memory in this process; grown when more of it is needed. */
typedef struct dt_window {
	void *address;
	size_t size;
} dt_window_t;

/* A part of a principal buffer: what BEGIN, or END, has recorded. */
typedef struct dt_span {
	bool is_set;
	uint32_t cpu, buffer;
	uint32_t from, to; /* bytes; END's goes on to the end */
} dt_span_t;

/* A program of our own at a tracepoint, on which what D programs know depends. */
typedef enum dt_helper { DT_HELPER_ONTIME, DT_HELPER_WAIT, DT_NHELPERS } dt_helper_t;
typedef struct dt_helperprogram {
	const char *name, *tracepoint; /* NULL: it is not needed */
	dt_emit_t code;
	int fd, link;
} dt_helperprogram_t;

typedef struct dt_enabling {
	dt_phase_t phase;
	dt_arena_t *arena;
	dt_enabled_t *enabled, **enabled_tail;
	dt_cgenv_t env;
	dt_program_t **programs;
	uint32_t nprograms, program_capacity;
	dt_ecb_t **ecbs; /* by number - 1 */
	uint32_t necbs, ecb_capacity;
	uint32_t nepids;
	dt_program_t *begin, *end;
	dt_emit_t switch_code;
	int switch_fd;
	dt_helperprogram_t helpers[DT_NHELPERS];
	int uprobe_multi; /* one attachment for many user probes: 1 yes, -1 no, 0 not known */
	int kprobe_multi; /* the same for functions of the kernel */
	int *maps; /* by dt_mapid_t; -1: not made */
	uint32_t nmaps;
	bool is_untranslated; /* the kernel's JIT has failed on a program */
	uint32_t attempt;     /* how often it has: see go.c */
	int map_error;	     /* errno of a map that could not be made, */
	uint32_t map_failed; /* and which it was */
	volatile dt_kstate_t *state;
	volatile uint64_t *specs; /* words of state; NULL: no speculations */
	dt_window_t state_window, specs_window;
	dt_span_t begin_span, end_span;
	uint64_t missed; /* firings that the kernel held back: a program within itself */
	dt_window_t *principal, *aggregation; /* by CPU x 2 + buffer */
	dt_window_t answers;	  /* to processes that are held: u64 by ticket */
	bool shows_users; /* some clause records user stacks or symbols */
	struct dt_follow *follow; /* NULL: no process is followed */
} dt_enabling_t;

/* Whether tracing has begun and not been stopped. */
bool dt_is_active(const dtrace_hdl_t *);
void dt_enabling_fini(dtrace_hdl_t *);

/* build.c. Everything but the kernel: ecbs, layouts, code. 0, or -1. */
int dt_build(dtrace_hdl_t *, dt_enabling_t *);
/*
 * Adds programs for further probes of clauses of the enabling, a list with the plan set; the
 * first of them is at *first of en->programs. 0, or -1.
 */
int dt_build_found(dtrace_hdl_t *, dt_enabling_t *, dt_enabled_t *found, uint32_t *first);
/* Forgets what dt_build() has made, so that it can be called again. */
void dt_build_reset(dt_enabling_t *);

/* maps.c. 0, or -1 with the handle's error set. */
int dt_maps_create(dtrace_hdl_t *, dt_enabling_t *);
void dt_maps_destroy(dt_enabling_t *);
/* The strings as they are now, for the programs that are loaded next. */
int dt_maps_renew_strings(dtrace_hdl_t *, dt_enabling_t *);
/* Makes the first size bytes of a CPU's buffer visible: its address, NULL on failure. */
void *dt_buffer_window(dt_enabling_t *, dt_mapid_t, uint32_t cpu, uint32_t buffer,
		       uint32_t size);

/* Whether there are aggregations to take. */
bool dt_aggregates(const dt_enabling_t *);
/* The CPU's words; not before the maps have been made. */
volatile dt_kcpu_t *dt_cpu_words(const dt_enabling_t *, uint32_t cpu);
/* What follows them: entries without keys, and where those with keys are; which of the two. */
char *dt_cpu_entries(const dt_enabling_t *, uint32_t cpu, uint32_t which);

/* load.c. */
int dt_programs_load(dtrace_hdl_t *, dt_enabling_t *);
int dt_programs_attach(dtrace_hdl_t *, dt_enabling_t *);
/* Those from this one on. */
int dt_programs_attach_from(dtrace_hdl_t *, dt_enabling_t *, uint32_t first);
/* Of one program. */
int dt_program_load(dtrace_hdl_t *, dt_enabling_t *, dt_program_t *);
void dt_program_detach(dt_program_t *);
/* A program of our own into the kernel: its descriptor in *fd. 0, or -1. */
int dt_own_load(dtrace_hdl_t *, dt_enabling_t *, const char *name, dt_emit_t *, int *fd);
/* The same for one at user probes, where it may sleep. */
int dt_own_load_uprobe(dtrace_hdl_t *, dt_enabling_t *, const char *name, dt_emit_t *, int *fd);
void dt_programs_detach(dt_enabling_t *);
void dt_programs_unload(dt_enabling_t *);
/* uprobe.c. What a program at user probes must be loaded for: an expected_attach_type. */
int dt_uprobe_attach_type(dt_enabling_t *);
int dt_uprobes_attach(dtrace_hdl_t *, dt_enabling_t *, dt_program_t *);
/* A program at one place; pid 0: in all processes. A descriptor of the link, or -errno. */
int dt_uprobe_attach(dt_enabling_t *, int prog_fd, const dt_usersite_t *);
/* kprobe.c. The same for functions of the kernel. */
int dt_kprobe_attach_type(dt_enabling_t *);
int dt_kprobes_attach(dtrace_hdl_t *, dt_enabling_t *, dt_program_t *);

/* follow.c. */
/* Whether processes are to be followed: then dt_follow_generate() and _load() are to be called
 * with the other programs, _start() when they are attached. */
bool dt_follows(const dtrace_hdl_t *, const dt_enabling_t *);
int dt_follow_generate(dtrace_hdl_t *, dt_enabling_t *);
int dt_follow_load(dtrace_hdl_t *, dt_enabling_t *);
int dt_follow_start(dtrace_hdl_t *, dt_enabling_t *);
void dt_follow_stop(dt_enabling_t *);
/* Enables the probes that processes have brought since the last call. 0, or -1. */
int dt_follow(dtrace_hdl_t *);
/* To be polled: when it is readable dt_follow() has something to do; -1: never. */
int dt_follow_descriptor(const dt_enabling_t *);
/* When it has something to do in any case, by dt_now(); INT64_MAX: never. */
int64_t dt_follow_due(const dt_enabling_t *);

/* Runs a program of ours on this CPU, as BEGIN and END. 0, or -1. */
int dt_program_fire(dtrace_hdl_t *, const dt_program_t *);

/* Asks the kernel how many firings the programs missed by recursion: en->missed. */
void dt_programs_count_missed(dt_enabling_t *);

typedef enum dt_switch { DT_SWITCH_PRINCIPAL, DT_SWITCH_AGGREGATION, DT_SWITCH_NONE } dt_switch_t;
/*
 * Makes the CPU's other buffer the active one; NONE: only waits until nothing that began
 * before is at work there. Short: programs run for microseconds. 0; 1: the CPU is busy with
 * programs all the time, nothing was done; or -1.
 */
int dt_cpu_switch(dtrace_hdl_t *, dt_enabling_t *, uint32_t cpu, dt_switch_t);

#endif
