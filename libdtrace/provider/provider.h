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
	DT_ARG_CONST, /* value */
	DT_ARG_CTX,   /* the context at offset */
	DT_ARG_KREAD, /* kernel memory at offset from the pointer at context + base */
	DT_ARG_KREAD2, /* kernel memory at offset2 from the pointer that KREAD gives */
	DT_ARG_KPACKET, /* kernel memory at offset3 from the network header of the struct
			 * sk_buff at context + base, in which head is at offset and
			 * network_header at offset2 */
	DT_ARG_UREAD, /* user memory at offset from the pointer at context + base, and the
		       * word at context + offset2 times scale */
	DT_ARG_FUNCARG, /* argument offset of the kernel function that is entered or left */
	DT_ARG_FUNCRET, /* what that function returns */
	DT_ARG_FUNCREAD, /* kernel memory at offset2 from the pointer that FUNCARG gives */
	DT_ARG_COOKIE, /* the number that the attachment was given */
	DT_ARG_TASK,  /* the address of the current thread's task_struct */
	DT_ARG_OFTASK, /* what is there at offset */
	DT_ARG_TID, DT_ARG_PID, /* the current thread's, its process's number */
	DT_ARG_KPC,   /* program counter at offset in the context when it is a kernel
		       * address, otherwise 0 */
	DT_ARG_UPC,   /* the same for a user address */
	DT_ARG_WAIT,  /* word offset, from 1, of what is told where a wait ends: ends_wait */
	DT_ARG_ERROR  /* ERROR's arguments: given by the program that faulted */
} dt_argkind_t;

typedef struct dt_argsource {
	dt_argkind_t kind;
	uint8_t size;	/* bytes that count, extended to 64 bits; 0: all 8 */
	bool is_signed; /* how they are extended */
	bool is_negated;
	bool is_status; /* an exit code, from which CLD_EXITED, _KILLED or _DUMPED is made */
	uint8_t shift;	/* to the right, before the bytes that count are taken */
	uint8_t scale;	/* UREAD: what the index register is multiplied by; 0: there is none */
	uint32_t base, offset, offset2, offset3;
	int64_t value;	/* CONST; otherwise added to it */
} dt_argsource_t;

/*
 * What must hold for the probes of an attach point to fire, where several share a place in
 * the kernel: left op right for one of the values of right, or, if is_refused, for none.
 */
#define DT_CONDITION_VALUES 8
typedef struct dt_condition {
	struct dt_condition *next;
	dt_argsource_t left;
	uint8_t op;	      /* BPF_JEQ, BPF_JNE, BPF_JSGT ... */
	bool is_refused;
	uint32_t nvalues;     /* 0: right is another source */
	int32_t values[DT_CONDITION_VALUES];
	dt_argsource_t right;
} dt_condition_t;

/* In what a program of this kind may interrupt, and be interrupted by. */
typedef enum dt_context {
	DT_CONTEXT_TASK, /* preemption is off; interrupts are on */
	DT_CONTEXT_IRQ,
	DT_CONTEXT_ANY,
	DT_CONTEXT_USER /* user probes: another thread may run programs on the same CPU before
			 * this one has ended */
} dt_context_t;

/*
 * Waits for locks, which are the keys of an attach point where they end. What is told of one:
 * how long it took (ns), or, of ERROR, the error; of readers' and writers' locks whether a reader
 * waited; of RW_BLOCK whether a writer held it when that began, and how many readers.
 */
typedef enum dt_wait {
	DT_WAIT_ADAPTIVE_BLOCK, /* a thread has slept for a mutex */
	DT_WAIT_ADAPTIVE_SPIN,	/* has not */
	DT_WAIT_ADAPTIVE_ERROR, /* has given up */
	DT_WAIT_SPIN,		/* for a spin lock */
	DT_WAIT_RW_BLOCK,	/* for a rw_semaphore */
	DT_WAIT_RW_SPIN,	/* for a rwlock_t */
	DT_NWAITS
} dt_wait_t;
#define DT_WAIT_WORDS 4

typedef enum dt_attachkind {
	DT_ATTACH_SELF,	  /* run by the library itself: BEGIN, END */
	DT_ATTACH_ERROR,  /* compiled into the programs that can fault */
	DT_ATTACH_RAWTP,  /* raw tracepoint target */
	DT_ATTACH_SAMPLE, /* counter: after every period of its units, on one CPU or on all */
	DT_ATTACH_UPROBE, /* places in user programs: sites */
	DT_ATTACH_FUNCTION, /* kernel function target, by a BPF trampoline */
	DT_ATTACH_KPROBE /* kernel functions, by kprobes: sites */
} dt_attachkind_t;

/* A place in a user program. Several of one attach point share its program, which learns
 * from the attachment's cookie for which key it was run. */
typedef struct dt_usersite {
	const char *path; /* by which this process can open the file; KPROBE: "function", or
			   * "module:function", and of the rest only key */
	uint64_t offset;  /* in the file */
	uint64_t semaphore; /* offset of a counter that is raised while attached; 0: none */
	pid_t pid; /* 0: all processes */
	uint32_t key;
	uint32_t detail; /* what else the attachment tells: the upper half of its cookie */
} dt_usersite_t;

/* One place to attach one program. Lives as long as the handle. */
typedef struct dt_attachpoint {
	struct dt_attachpoint *next;
	dt_attachkind_t kind;
	enum bpf_prog_type prog_type;
	dt_context_t context;
	const char *target;	 /* RAWTP; otherwise the provider's to use */
	uint64_t period;	 /* SAMPLE */
	uint32_t event_type;	 /* SAMPLE: PERF_TYPE_* */
	uint64_t event;		 /* SAMPLE: its number, PERF_COUNT_* */
	bool no_user, no_kernel; /* SAMPLE: what happens there does not count */
	bool every_cpu;		 /* SAMPLE */
	bool ends_wait;		 /* RAWTP contention_end: the keys are dt_wait_t */
	bool is_alone;		 /* the kernel's locks are held: no program of ours may be at
				  * work below it on the CPU, which may need one of them */
	bool is_return;		 /* FUNCTION, KPROBE: runs when the function returns;
				  * UPROBE: after all others that are at the place */
	uint32_t btf_id;	 /* FUNCTION: its number in the kernel's BTF; RAWTP: that of the
				  * typedef of the tracepoint's functions, if not 0 */
	dt_usersite_t *sites;	 /* UPROBE, KPROBE */
	uint32_t nsites, site_capacity;
	dt_condition_t *conditions; /* all must hold */
	struct dt_attachpoint *also; /* the same probes also fire here; NULL: nowhere else */
	dt_argsource_t args[DT_MAXARGS];
	dt_argsource_t key;	 /* NONE: one probe, key 0 */
	/* UPROBE: where the function has been called from, if the attachment's cookie has nothing
	 * in its upper half or it returns; NONE: only the stack's frames tell. */
	dt_argsource_t caller;
	dt_argsource_t errno_source; /* NONE: errno means nothing here; otherwise the value
				 * of a system call's return, from -4095 to -1 for errors */
	uint32_t nkeys;		 /* keys are below this; 0: no key */
	/* Unless it holds, a key is not that of a probe. Asked only where it matters which of
	 * the attach point's probes it is, and they are nprobes: it costs more than a key. */
	dt_condition_t *key_condition;
	uint32_t nprobes;
} dt_attachpoint_t;

typedef struct dt_provider dt_provider_t;

typedef struct dt_probe {
	dtrace_probedesc_t desc; /* dtpd_id is its number, from 1 */
	const dt_provider_t *provider;
	dt_attachpoint_t *attach;
	uint32_t key;
	bool is_described, is_typed; /* the provider has been asked for what follows */
	const char *alias;	   /* another name of its module: a.out; NULL: none */
	int nargs;		   /* typed arguments, args[] */
	const char *const *argtypes; /* D type names of arg0 ..., nargs of them */
	/* Which of arg0 ... each is, -1: none, it cannot be read; NULL: they are as numbered. */
	const int *argplaces;
	/* Names of the types that args[] are translated to; NULL, or NULL in it: as they are. */
	const char *const *argxlates;
} dt_probe_t;

/*
 * A provider. provide() adds, by dt_probe_add(), every probe that the pattern may match
 * and that is not there yet; it may add more. name may end in '*' (pid*) for a family.
 */
struct dt_provider {
	const char *name;
	dtrace_attribute_t attributes, arguments;
	int (*provide)(dtrace_hdl_t *, const dt_provider_t *, const dtrace_probedesc_t *);
	/* What an enabling needs and a listing does not: types and sources of the arguments,
	 * conditions. Called once a probe. NULL: provide() has done it all. */
	int (*describe)(dtrace_hdl_t *, dt_probe_t *);
	/* The arguments' types, where only args[] and a verbose listing are worth their cost.
	 * Called once a probe. NULL: provide() or describe() has set them. */
	int (*type)(dtrace_hdl_t *, dt_probe_t *);
	/*
	 * Why there is no probe that the pattern means and that DTrace has elsewhere: a
	 * sentence without its end, in the handle's arena or constant. NULL: nothing to say.
	 * *tag may become the error's tag, D_PDESC_ZERO before.
	 */
	const char *(*missing)(dtrace_hdl_t *, const dt_provider_t *,
			       const dtrace_probedesc_t *, const char **tag);
	/*
	 * Calls the function for each probe that the pattern means, that DTrace has and that
	 * this kernel cannot have, with the reason, until it returns non-0, and returns that.
	 * NULL: there are none, or too many to name.
	 */
	int (*lacks)(dtrace_hdl_t *, const dt_provider_t *, const dtrace_probedesc_t *,
		     dtrace_missing_f *, void *);
	/*
	 * For probes of processes. Whether processes that begin, execute another program or
	 * load an object while tracing can bring probes that the pattern means; *pid is the
	 * one process that it names, 0: it may be any. NULL: never.
	 */
	bool (*grows)(dtrace_hdl_t *, const dt_provider_t *, const dtrace_probedesc_t *,
		      pid_t *pid);
	/* Adds those of one process that are not there yet, at attach points of their own. A
	 * process that is not there has none. 0, or -1. */
	int (*find)(dtrace_hdl_t *, const dt_provider_t *, const dtrace_probedesc_t *, pid_t);
	/* Whether an open program has probes that a pattern may mean that names no process. */
	bool (*has_probes)(dtrace_hdl_t *, const dtrace_probedesc_t *, int fd);
	/* An attach point for such probes that is never attached, with arguments of which none
	 * takes more code. NULL: out of memory. */
	dt_attachpoint_t *(*model)(dtrace_hdl_t *);
	/* For the functions of tracepoint.h: the probes, and the number of the first. */
	const struct dt_tpprobe *table;
	dtrace_id_t first;
};

/* Every provider, in the order probes are numbered; NULL ends it. */
extern const dt_provider_t *const dt_providers[];

extern const dt_provider_t dt_provider_dtrace, dt_provider_profile, dt_provider_syscall,
    dt_provider_sdt, dt_provider_rawtp, dt_provider_pid, dt_provider_usdt, dt_provider_proc,
    dt_provider_sched, dt_provider_io, dt_provider_vminfo, dt_provider_sysinfo,
    dt_provider_lockstat, dt_provider_ip, dt_provider_tcp, dt_provider_udp, dt_provider_cpc,
    dt_provider_fbt;

/* fbt.c. Why a BPF trampoline cannot be made for a function of the kernel: in the handle's
 * arena or constant; NULL: it can. */
const char *dt_fbt_refuses(dtrace_hdl_t *, const char *function);

/*
 * Numbers of the probes that every handle can have: the first of each provider. They do not
 * depend on what was made before, so that dtrace -l in one handle and -i in another agree.
 * All other probes are numbered from DT_PROBE_OTHERS as they are made.
 */
#define DT_PROBE_DTRACE 1
#define DT_PROBE_PROFILE 4
#define DT_PROBE_SYSCALL 16
#define DT_PROBE_TABLES 1024 /* of tracepoint.h: DT_PROBE_TABLE numbers for each provider */
#define DT_PROBE_TABLE 64
#define DT_PROBE_SDT 2048
#define DT_PROBE_RAWTP 6144
#define DT_PROBE_OTHERS 10240

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
/* The same for a family of providers: provider is the name of one of them. */
dt_probe_t *dt_probe_add_member(dtrace_hdl_t *, const dt_provider_t *, const char *provider,
				const char *module, const char *function, const char *name,
				dt_attachpoint_t *, uint32_t key);
/* Has the provider describe the probe, if that is still to be done. 0, or -1. */
int dt_probe_describe(dtrace_hdl_t *, dt_probe_t *);
/* The same, and for the types of its arguments. */
int dt_probe_type(dtrace_hdl_t *, dt_probe_t *);
/* The provider to which processes can bring further probes that the description means, and
 * the process, 0: any. NULL: there is none. */
const dt_provider_t *dt_probe_grower(dtrace_hdl_t *, const dtrace_probedesc_t *, pid_t *);
/* Whether the probe, or its module's other name, is what the description means. */
bool dt_probe_is_meant(const dtrace_probedesc_t *, const dt_probe_t *);
/* The words for a description that matches nothing, and the error's tag; NULL: it means no
 * probe known anywhere. */
const char *dt_probe_missing(dtrace_hdl_t *, const dtrace_probedesc_t *, const char **tag);
/* Whether the provider's part of a pattern can mean this provider, or one of this family. */
bool dt_provider_matches(const dt_provider_t *, const char *pattern);
/* What a provider keeps for a handle: size bytes, zeroed at first. NULL: out of memory. */
void *dt_provider_state(dtrace_hdl_t *, const dt_provider_t *, size_t size);
/* A new attach point, zeroed; NULL: out of memory. */
dt_attachpoint_t *dt_attachpoint_new(dtrace_hdl_t *);
/* One where a function is entered or left, with the registers as the context: the call's
 * arguments, those on the stack by that kind of read (KREAD, UREAD), or its result as arg1.
 * The caller says how to attach, and in which context. NULL: out of memory. */
dt_attachpoint_t *dt_attachpoint_call(dtrace_hdl_t *, bool is_return, dt_argkind_t stack);
/* Adds a place in a user program, which is copied. 0, or -1: out of memory. */
int dt_attachpoint_add_site(dtrace_hdl_t *, dt_attachpoint_t *, const dt_usersite_t *);
/* Numbers of probes without a fixed one that are made from now on are not below. */
dtrace_id_t dt_probe_next_id(const dtrace_hdl_t *);
dt_probe_t *dt_probe_lookup(dtrace_hdl_t *, const char *provider, const char *module,
			    const char *function, const char *name);
dt_probe_t *dt_probe_by_id(dtrace_hdl_t *, dtrace_id_t);
/* Calls f for each match, described, in order of numbers, until it returns non-0; returns
 * that, or the number of matches; -1 with the handle's error set. A dtpd_id that is not 0
 * names one. */
typedef int dt_probe_f(dtrace_hdl_t *, dt_probe_t *, void *);
int dt_probe_match(dtrace_hdl_t *, const dtrace_probedesc_t *, dt_probe_f *, void *,
		   uint32_t *matches);
/* Shell-like glob on one part of a name: * ? [] and \; an empty pattern matches all. */
bool dt_glob(const char *pattern, const char *name);
/* The same of an object of a program, which is also meant by less of its version than its name
 * has: libc.so.6, libc.so, libc. */
bool dt_glob_object(const char *pattern, const char *name);
/* Whether the pattern is a name itself: not empty and without * ? [ and \. */
bool dt_glob_is_literal(const char *pattern);

#endif
