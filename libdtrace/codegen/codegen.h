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

/* An associative array: one hash map. */
typedef struct dt_assoc {
	dt_ident_t *ident;
	uint32_t *key_offsets, *key_sizes; /* in the map's key, 8-byte aligned */
	uint32_t key_size, value_size;
} dt_assoc_t;

/*
 * A clause in one program: DTrace's enabling control block, for all the probes of the
 * program's attach point that the clause names.
 */
typedef struct dt_ecb {
	dt_clause_t *clause;
	uint32_t number;   /* from 1: the record header's clause */
	dt_range_t *keys;  /* ascending, disjoint */
	uint32_t nkeys;	   /* ranges */
	dt_context_t context;
	uint32_t attach_nkeys; /* of the attach point: keys are below */
	dt_recplan_t *plan;
	/* Parts of the probes' name; NULL where they differ: then the function's is found at
	 * names_base + key * DT_NAME_STRIDE in the strings. */
	const char *provider, *module, *function, *name;
	uint32_t names_base;
	dtrace_epid_t epid; /* of its first probe; they count up */
	uint32_t nprobes;
	dt_probe_t **probes; /* in order of keys */
} dt_ecb_t;

#define DT_NAME_STRIDE 32 /* bytes of a function's name in the strings, NUL included */

typedef struct dt_program {
	dt_attachpoint_t *attach;
	dt_ecb_t **ecbs; /* in program order */
	uint32_t necbs;
	dt_emit_t code;
	int fd;	   /* -1: not loaded */
	int *links; /* attachments */
	uint32_t nlinks;
} dt_program_t;

/* What all programs of an enabling share. Filled by layout.c, then read-only but for the
 * strings and the needs gathered on the way. */
typedef struct dt_cgenv {
	dtrace_hdl_t *hdl;
	dt_arena_t *arena;
	uint32_t ncpus, strsize, bufsize, aggsize;
	bool temporal;
	uint32_t state_size; /* dt_kstate_t and the global variables */
	uint32_t self_size;  /* thread-local variables; 0: none */
	uint32_t ontime_offset; /* vtimestamp's word in the thread-local variables */
	dt_agglayout_t *aggs;
	uint32_t naggs, nkeyed;
	uint32_t nbuckets, buckets_offset, entries_offset; /* of an aggregation buffer */
	dt_assoc_t *assocs;
	uint32_t nassocs;
	char *strings; /* the strings map; malloc'd */
	uint32_t strings_size, strings_capacity;
	uint32_t scratch_size; /* the most any program needs */
	bool needs_principal, needs_vtimestamp;
	dt_ecb_t **error_ecbs; /* ERROR's clauses */
	uint32_t nerror_ecbs;
} dt_cgenv_t;

/* layout.c. Variables, arrays, aggregations of every clause of the ecbs. 0, or -1. */
int dt_layout(dt_cgenv_t *, dt_ecb_t **, uint32_t necbs);
/* Fields of a clause's record. NULL with the handle's error set. */
dt_recplan_t *dt_layout_record(dt_cgenv_t *, const dt_clause_t *);
/* Offset of a text in the strings, added when new; UINT32_MAX: out of memory. */
uint32_t dt_strings_intern(dt_cgenv_t *, const char *, size_t length);

/*
 * Bytes of a scratch area as it is made: strsize more than programs use, for the verifier,
 * which adds the largest place of a copy to its largest size.
 */
uint32_t dt_scratch_bytes(const dt_cgenv_t *);
/* Calls the function for every expression of the clause, operands first. */
void dt_clause_walk(const dt_clause_t *, void (*)(dt_node_t *, void *), void *);

/* program.c. Generates program->code. 0, or -1 with the handle's error set. */
int dt_codegen_program(dt_cgenv_t *, dt_program_t *);
/* The program that switches a CPU's buffers, and the one that keeps time on CPU. */
int dt_codegen_switch(dt_cgenv_t *, dt_emit_t *);
int dt_codegen_ontime(dt_cgenv_t *, dt_emit_t *);

#endif
