/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracepoint.h - what the providers over the kernel's tracepoints share: a table of probes
 * in terms of raw tracepoints, their parameters and the kernel's structures; or of functions,
 * where no tracepoint tells of something and the kernel allows programs at them. Offsets are
 * those of the running kernel's BTF, looked up when a probe is enabled.
 */
#ifndef DT_TRACEPOINT_H
#define DT_TRACEPOINT_H

#include <linux/bpf.h>

#include "provider/provider.h"

#define DT_TP_MAXARGS 7

/* The parameters of a tracepoint's functions, without the first. -1: there is no such
 * tracepoint (EDT_NOTYPE), or another error. */
int dt_tracepoint_params(dtrace_hdl_t *, const char *tracepoint, dt_type_t *const **params,
			 uint32_t *nparams);
/* Gives the attach point the tracepoint's parameters as arg0 ..., and the probe their types. */
int dt_tracepoint_describe(dtrace_hdl_t *, dt_probe_t *);
/* A new attach point of a tracepoint, without arguments. NULL: out of memory. */
dt_attachpoint_t *dt_tracepoint_attach(dtrace_hdl_t *, const char *tracepoint);

/* For sys_enter and sys_exit: that the call's number is one of this architecture's own calls.
 * Stays NULL where it always is. 0, or -1. */
int dt_tracepoint_native_call(dtrace_hdl_t *, dt_condition_t **);

/* Where a value comes from. DT_TP_NONE is no value. */
typedef enum dt_tproot {
	DT_TP_NONE,
	DT_TP_PARAM,   /* parameter number param */
	DT_TP_RESULT,  /* what the function returns */
	DT_TP_REGS,    /* word at offset param of the struct pt_regs that parameter 0 is */
	DT_TP_CURRENT, /* the current thread's task_struct: no member of it */
	DT_TP_TID,
	DT_TP_PID,
	DT_TP_CONST,   /* value */
	DT_TP_PACKET,  /* member of structure, the network header of the struct sk_buff that
			* parameter number param is */
	DT_TP_SYMBOL   /* the address of the kernel symbol member */
} dt_tproot_t;

/* A value, or a member of the structure it points to, or a member of what that points to.
 * A member may be a path within its structure: "sa.sa_handler". */
typedef struct dt_tpvalue {
	dt_tproot_t root;
	uint32_t param;
	const char *structure, *member;
	const char *structure2, *member2;
	int64_t value; /* CONST; otherwise added */
	bool is_negated;
	bool is_status; /* an exit code: CLD_EXITED, _KILLED or _DUMPED is the value */
} dt_tpvalue_t;

typedef struct dt_tpcondition {
	dt_tpvalue_t left;
	uint8_t op; /* 0: BPF_JEQ */
	uint32_t nvalues;
	int32_t values[DT_CONDITION_VALUES];
	dt_tpvalue_t right; /* nvalues 0 */
} dt_tpcondition_t;

typedef struct dt_tparg {
	dt_tpvalue_t value;
	const char *type;  /* as argN */
	const char *xlate; /* as args[N]; NULL: the same */
} dt_tparg_t;

/*
 * A probe of a table. Entries of one name that follow each other are other forms of it, for
 * other kernels: the first that the running kernel's tracepoints fit is taken. An entry
 * marked `also` adds a second place to the one before it; a function that the kernel has not
 * is left out there.
 */
typedef struct dt_tpprobe {
	const char *name;
	const char *tracepoint; /* NULL: no kernel has one: missing says so, or there is a */
	const char *function; /* of the kernel, at whose entry the probe fires, by a kprobe:
			       * no parameters are known of it */
	const char *trampoline; /* of the kernel, at whose entry, or return, the probe fires,
				 * by a BPF trampoline: the parameters are its own */
	bool is_return;
	bool is_alone;		/* see dt_attachpoint_t */
	uint32_t minparams;	/* the tracepoint has at least as many */
	bool also;
	bool ends_wait;		/* of args only the types are to be said */
	dt_wait_t wait;
	dt_context_t context;
	const dt_tpcondition_t *conditions; /* up to one without a left side */
	dt_tparg_t args[DT_TP_MAXARGS];
	const char *missing; /* why there is no such probe, where none fits */
} dt_tpprobe_t;

/* First numbers of the providers' probes. */
enum {
	DT_PROBE_PROC = DT_PROBE_TABLES,
	DT_PROBE_SCHED = DT_PROBE_PROC + DT_PROBE_TABLE,
	DT_PROBE_IO = DT_PROBE_SCHED + DT_PROBE_TABLE,
	DT_PROBE_VMINFO = DT_PROBE_IO + DT_PROBE_TABLE,
	DT_PROBE_SYSINFO = DT_PROBE_VMINFO + DT_PROBE_TABLE,
	DT_PROBE_IP = DT_PROBE_SYSINFO + DT_PROBE_TABLE,
	DT_PROBE_TCP = DT_PROBE_IP + DT_PROBE_TABLE,
	DT_PROBE_UDP = DT_PROBE_TCP + DT_PROBE_TABLE,
	DT_PROBE_LOCKSTAT = DT_PROBE_UDP + DT_PROBE_TABLE,
	DT_PROBE_TABLES_END = DT_PROBE_LOCKSTAT + DT_PROBE_TABLE
};
_Static_assert(DT_PROBE_TABLES_END <= DT_PROBE_SDT, "the tables' numbers reach into sdt's");

/* Parameter n; a member of the structure that it points to; a member of the structure that
 * that points to. */
#define DT_TP_P(n) {.root = DT_TP_PARAM, .param = (n)}
#define DT_TP_M(n, s, m) {.root = DT_TP_PARAM, .param = (n), .structure = (s), .member = (m)}
#define DT_TP_MM(n, s, m, s2, m2)                                                          \
	{.root = DT_TP_PARAM, .param = (n), .structure = (s), .member = (m),               \
	 .structure2 = (s2), .member2 = (m2)}

/* A member of the network header of the struct sk_buff that parameter n is. */
#define DT_TP_HEADER(n, s, m)                                                              \
	{.root = DT_TP_PACKET, .param = (n), .structure = (s), .member = (m)}

/* provide(), describe(), missing() and lacks() of a provider with a table, which ends with an
 * entry without a name. */
int dt_tptable_provide(dtrace_hdl_t *, const dt_provider_t *, const dtrace_probedesc_t *);
int dt_tptable_describe(dtrace_hdl_t *, dt_probe_t *);
const char *dt_tptable_missing(dtrace_hdl_t *, const dt_provider_t *,
			       const dtrace_probedesc_t *, const char **tag);
int dt_tptable_lacks(dtrace_hdl_t *, const dt_provider_t *, const dtrace_probedesc_t *,
		     dtrace_missing_f *, void *);

/* What such a provider's definition begins with. */
#define DT_TP_EVOLVING                                                                     \
	{DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING, DTRACE_CLASS_ISA}
#define DT_TP_PROVIDER                                                                     \
	.attributes = DT_TP_EVOLVING, .arguments = DT_TP_EVOLVING,                         \
	.provide = dt_tptable_provide, .describe = dt_tptable_describe,                    \
	.missing = dt_tptable_missing, .lacks = dt_tptable_lacks

#endif
