/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codegen.h - typed tree to eBPF. enable/ fills an environment (sizes, layouts) and asks
 * for one program at a time; what comes back are instructions that refer to maps by number.
 */
#ifndef DT_CODEGEN_H
#define DT_CODEGEN_H

#include "codegen/emit.h"
#include "consume/record.h"
#include "handle.h"
#include "provider/provider.h"

typedef struct dt_range {
	uint32_t low, high; /* inclusive */
} dt_range_t;

/* An associative array: one hash map. So is a thread-local variable that is too large for
 * the thread's storage, whose key is the thread alone: its ident's storage says so. */
#define DT_STORAGE_MAP UINT32_MAX
typedef struct dt_assoc {
	dt_ident_t *ident;
	uint32_t nkeys;
	uint32_t *key_offsets, *key_sizes; /* in the map's key, 8-byte aligned */
	uint32_t key_size, value_size;
} dt_assoc_t;

/*
 * A clause in one program: DTrace's enabling control block, for all the probes of the
 * program's attach point that the clause names.
 */
typedef struct dt_ecb {
	dt_clause_t *clause;
	dt_attachpoint_t *attach;
	uint32_t number;   /* from 1: the record header's clause */
	dt_range_t *keys;  /* ascending, disjoint */
	uint32_t nkeys;	   /* ranges */
	dt_context_t context;
	uint32_t attach_nkeys; /* of the attach point: keys are below */
	dt_recplan_t *plan;
	/* Parts of the probes' name; NULL where they differ: see dt_nametable_t. */
	const char *provider, *module, *function, *name;
	dtrace_epid_t epid; /* of its first probe; they count up */
	uint32_t nprobes, probe_capacity;
	dt_probe_t **probes; /* in order of keys */
} dt_ecb_t;

/* One part of the names of a program's probes, by key: at base + key * stride in the
 * strings. Made when a clause asks for it. */
typedef struct dt_nametable {
	uint32_t base, stride; /* stride 0: not made */
} dt_nametable_t;

typedef struct dt_program {
	dt_attachpoint_t *attach;
	dt_ecb_t **ecbs; /* in program order */
	uint32_t necbs, ecb_capacity;
	dt_nametable_t names[4]; /* provider, module, function, name */
	bool may_sleep;		 /* it waits for pages of the process */
	bool is_end; /* dtrace:::END */
	dt_emit_t code;
	int fd;	   /* -1: not loaded */
	int *links; /* attachments */
	uint32_t nlinks;
	pid_t brought_by; /* the process that its probes came with while tracing; 0: none */
} dt_program_t;

/* The PID namespace of the tracing process. */
#define DT_PIDNS_FIRST 0xEFFFFFFCu /* PROC_PID_INIT_INO of the kernel's proc_ns.h */
typedef struct dt_pidns {
	uint64_t device, inode;
} dt_pidns_t;
void dt_pidns_find(dt_pidns_t *);

/* What all programs of an enabling share. Filled by layout.c, then read-only but for the
 * strings and the needs gathered on the way. */
typedef struct dt_cgenv {
	dtrace_hdl_t *hdl;
	dt_arena_t *arena;
	uint32_t npossible, ncpus; /* CPUs there may be; that have buffers: 0 to ncpus - 1 */
	uint32_t strsize, bufsize, aggsize;
	uint32_t specsize, nspec; /* bytes of a speculative buffer; how many there may be */
	dt_bufpolicy_t bufpolicy;
	uint32_t nbuffers; /* principal buffers of a CPU: 1 where they are never switched */
	uint32_t end_size; /* bytes kept free for END's records: bufpolicy fill */
	int only_cpu;	   /* option cpu; -1: all */
	uint32_t attempt; /* each divides programs otherwise; 0: only where they are large */
	dt_header_t header; /* of records */
	dt_pidns_t pidns;
	bool commits; /* some clause has commit() */
	uint32_t fixed_size; /* of the entries of aggregations without keys */
	uint32_t near_size;  /* of the offsets that follow them: each CPU has both twice */
	uint32_t cpu_size;   /* of a CPU's part of the state */
	uint32_t globals_offset, state_size; /* of global variables there; of all */
	uint32_t self_size;  /* thread-local variables; 0: none */
	uint32_t ontime_offset; /* their end, where vtimestamp's word may follow */
	uint32_t wait_offset;	/* and after it a dt_kwait_t, if waits are told */
	uint32_t waits_offset;	/* of dt_kwaits_t in a CPU's part of the state */
	dt_agglayout_t *aggs;
	uint32_t naggs, nkeyed;
	uint32_t nbuckets, entries_offset; /* of an aggregation buffer */
	dt_assoc_t *assocs;
	uint32_t nassocs;
	char *strings; /* the strings map; malloc'd */
	uint32_t strings_size, strings_capacity;
	uint32_t scratch_size; /* the most any program needs */
	uint32_t scratch_pad;  /* the largest copy to a place that is not constant */
	bool needs_principal, needs_vtimestamp;
	bool holds_locks; /* some program is one of those that are alone: dt_attachpoint_t */
	bool needs_waits; /* some probe is the end of a wait for a lock */
	dt_ecb_t **error_ecbs; /* ERROR's clauses */
	uint32_t nerror_ecbs, error_ecb_capacity;
} dt_cgenv_t;

/* layout.c. Variables, arrays, aggregations of every clause of the ecbs. 0, or -1. */
int dt_layout(dt_cgenv_t *, dt_ecb_t **, uint32_t necbs);
/* Fields of a clause's record. NULL with the handle's error set. */
dt_recplan_t *dt_layout_record(dt_cgenv_t *, const dt_clause_t *);
/* Offset of a text in the strings, added when new; UINT32_MAX: out of memory. */
uint32_t dt_strings_intern(dt_cgenv_t *, const char *, size_t length);
/* Offset of so many zero bytes in the strings; UINT32_MAX: out of memory. */
uint32_t dt_strings_zeros(dt_cgenv_t *, uint32_t size);

/*
 * Bytes of a scratch area as it is made: more than programs use, by the size of the largest
 * copy to a place that is not constant, for the verifier, which adds the largest place to
 * the largest size.
 */
uint32_t dt_scratch_bytes(const dt_cgenv_t *);
uint32_t dt_scratch_pad(const dt_cgenv_t *);
/* Calls the function for every expression of the clause, operands first. */
void dt_clause_walk(const dt_clause_t *, void (*)(dt_node_t *, void *), void *);

/* program.c. Generates program->code. 0, or -1 with the handle's error set. */
int dt_codegen_program(dt_cgenv_t *, dt_program_t *);
/* The program that switches a CPU's buffers, and the one that keeps time on CPU. */
int dt_codegen_switch(dt_cgenv_t *, dt_emit_t *);
int dt_codegen_ontime(dt_cgenv_t *, dt_emit_t *);

/* wait.c. The program that notes when a wait for a lock begins. */
int dt_codegen_wait(dt_cgenv_t *, dt_emit_t *);

/*
 * watch.c. Programs that tell which processes may bring probes: of a watched process, or of
 * any, that executes; of the children of a watched one; and, at a place in a user program,
 * of the one that comes by, which waits up to ns, unless it is spared, until that is looked
 * after.
 */
int dt_codegen_watch_exec(dt_cgenv_t *, dt_emit_t *, bool any);
int dt_codegen_watch_fork(dt_cgenv_t *, dt_emit_t *);
int dt_codegen_watch_place(dt_cgenv_t *, dt_emit_t *, uint32_t ns, pid_t spared);

/* disasm.c. The code in words, one instruction a line. */
void dt_disasm(const dt_emit_t *, FILE *);

#endif
