/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider.h - what a provider is, and the table of probes. A provider says which
 * probes there are (on demand: only those that a description can match are made), and
 * where a program must be attached for one to fire; it knows nothing of D or of records.
 *
 * Several probes can share one attach point (all entries of system calls are one raw
 * tracepoint): the program then learns from its context which of them fired, as a key.
 */
#ifndef DT_PROVIDER_H
#define DT_PROVIDER_H

#include <linux/bpf.h>

#include "dtrace.h"
#include "types/types.h"

#define DT_MAXARGS 10

/* Where a program finds one of the probe's arguments. */
typedef enum dt_argkind {
	DT_ARG_NONE,  /* always 0 */
	DT_ARG_CTX,   /* 64 bits of the context at offset */
	DT_ARG_KREAD, /* 64 bits of kernel memory at offset from the pointer at context + base */
	DT_ARG_KPC,   /* program counter at offset in the context when it is a kernel
		       * address, otherwise 0 */
	DT_ARG_UPC,   /* the same for a user address */
	DT_ARG_ERROR  /* ERROR's arguments: given by the program that faulted */
} dt_argkind_t;

typedef struct dt_argsource {
	dt_argkind_t kind;
	uint32_t base, offset;
} dt_argsource_t;

/* In what a program of this kind may interrupt, and be interrupted by. */
typedef enum dt_context {
	DT_CONTEXT_TASK, /* preemption is off; interrupts are on */
	DT_CONTEXT_IRQ,
	DT_CONTEXT_ANY
} dt_context_t;

typedef enum dt_attachkind {
	DT_ATTACH_SELF,	  /* run by the library itself: BEGIN, END */
	DT_ATTACH_ERROR,  /* compiled into the programs that can fault */
	DT_ATTACH_RAWTP,  /* raw tracepoint target */
	DT_ATTACH_SAMPLE  /* software clock: period ns, on one CPU or on all */
} dt_attachkind_t;

/* One place to attach one program. Lives as long as the handle. */
typedef struct dt_attachpoint {
	struct dt_attachpoint *next;
	dt_attachkind_t kind;
	enum bpf_prog_type prog_type;
	dt_context_t context;
	const char *target;	 /* RAWTP */
	uint64_t period;	 /* SAMPLE */
	bool every_cpu;		 /* SAMPLE */
	dt_argsource_t args[DT_MAXARGS];
	dt_argsource_t key;	 /* NONE: one probe, key 0 */
	dt_argsource_t errno_source; /* NONE: errno means nothing here; otherwise the value
				 * of a system call's return, from -4095 to -1 for errors */
	uint32_t nkeys;		 /* keys are below this; 0: no key */
} dt_attachpoint_t;

typedef struct dt_provider dt_provider_t;

typedef struct dt_probe {
	dtrace_probedesc_t desc; /* dtpd_id is its number, from 1 */
	const dt_provider_t *provider;
	dt_attachpoint_t *attach;
	uint32_t key;
	int nargs;		   /* typed arguments, args[] */
	const char *const *argtypes; /* D type names, nargs of them */
} dt_probe_t;

/*
 * A provider. provide() adds, by dt_probe_add(), every probe that the pattern may match
 * and that is not there yet; it may add more. name may end in '*' (pid*) for a family.
 */
struct dt_provider {
	const char *name;
	dtrace_attribute_t attributes, arguments;
	int (*provide)(dtrace_hdl_t *, const dt_provider_t *, const dtrace_probedesc_t *);
};

/* Every provider, in the order probes are numbered; NULL ends it. */
extern const dt_provider_t *const dt_providers[];

extern const dt_provider_t dt_provider_dtrace, dt_provider_profile, dt_provider_syscall;

/*
 * Numbers of the probes that every handle can have: the first of each provider. They do not
 * depend on what was made before, so that dtrace -l in one handle and -i in another agree.
 * All other probes are numbered from DT_PROBE_OTHERS as they are made.
 */
#define DT_PROBE_DTRACE 1
#define DT_PROBE_PROFILE 4
#define DT_PROBE_SYSCALL 16
#define DT_PROBE_OTHERS 1024

int dt_probes_init(dtrace_hdl_t *);
void dt_probes_fini(dtrace_hdl_t *);
/* Adds a probe, or returns the one of that name. NULL: out of memory. */
dt_probe_t *dt_probe_add(dtrace_hdl_t *, const dt_provider_t *, const char *module,
			 const char *function, const char *name, dt_attachpoint_t *,
			 uint32_t key);
/* The same for a probe of a fixed number; id 0: the next free one. */
dt_probe_t *dt_probe_add_numbered(dtrace_hdl_t *, dtrace_id_t, const dt_provider_t *,
				  const char *module, const char *function,
				  const char *name, dt_attachpoint_t *, uint32_t key);
/* What a provider keeps for a handle: size bytes, zeroed at first. NULL: out of memory. */
void *dt_provider_state(dtrace_hdl_t *, const dt_provider_t *, size_t size);
/* A new attach point, zeroed; NULL: out of memory. */
dt_attachpoint_t *dt_attachpoint_new(dtrace_hdl_t *);
dt_probe_t *dt_probe_lookup(dtrace_hdl_t *, const char *provider, const char *module,
			    const char *function, const char *name);
dt_probe_t *dt_probe_by_id(dtrace_hdl_t *, dtrace_id_t);
/* Calls f for each match, in order of numbers, until it returns non-0; returns that, or
 * the number of matches; -1 with the handle's error set. A dtpd_id that is not 0 names one. */
typedef int dt_probe_f(dtrace_hdl_t *, dt_probe_t *, void *);
int dt_probe_match(dtrace_hdl_t *, const dtrace_probedesc_t *, dt_probe_f *, void *,
		   uint32_t *matches);
/* Shell-like glob on one part of a name: * ? [] and \; an empty pattern matches all. */
bool dt_glob(const char *pattern, const char *name);
/* Whether the pattern is a name itself: not empty and without * ? [ and \. */
bool dt_glob_is_literal(const char *pattern);

#endif
