/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dtrace.h - the public interface of libdtrace.
 *
 * Source-compatible with programs written for libdtrace on other systems: the
 * same names, the same structures, the same order of calls. A consumer opens a
 * handle, compiles D programs, adds them to the enabling, starts tracing, works
 * the handle until it is done, stops and closes:
 *
 *	dtrace_open -> dtrace_setopt -> dtrace_program_strcompile ->
 *	dtrace_program_exec -> dtrace_go -> { dtrace_sleep, dtrace_work } ->
 *	dtrace_stop -> dtrace_work (last data, END) -> dtrace_close
 *
 * Threads: one handle belongs to one thread at a time; different handles may be
 * used in parallel. The library installs no signal handler, never exits the
 * process, and writes only to the streams it is handed.
 *
 * Unless said otherwise a function returns 0 on success and -1 on failure, and
 * dtrace_errno() then tells why; dtrace_errmsg() gives the words.
 */
#ifndef DTRACE_H
#define DTRACE_H

#include <elf.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

typedef int processorid_t;
typedef unsigned int uint_t;
typedef char *dtrace_addr_t;

/* ---- Limits and identifiers ------------------------------------------- */

#define DTRACE_VERSION 3 /* the interface version to pass to dtrace_open() */

#define DTRACE_PROVNAMELEN 64
#define DTRACE_MODNAMELEN 64
#define DTRACE_FUNCNAMELEN 192
#define DTRACE_NAMELEN 64
#define DTRACE_FULLNAMELEN                                                       \
	(DTRACE_PROVNAMELEN + DTRACE_MODNAMELEN + DTRACE_FUNCNAMELEN +           \
	 DTRACE_NAMELEN + 4)

typedef uint32_t dtrace_id_t;	      /* probe */
typedef uint32_t dtrace_epid_t;	      /* enabled probe: a probe and one clause */
typedef uint32_t dtrace_aggid_t;      /* aggregating statement */
typedef int64_t dtrace_aggvarid_t;    /* aggregation variable, from 1 */
typedef uint16_t dtrace_actkind_t;    /* DTRACEACT_*, DTRACEAGG_* */
typedef int64_t dtrace_optval_t;      /* value of an option */
typedef uint8_t dtrace_stability_t;   /* DTRACE_STABILITY_* */
typedef uint8_t dtrace_class_t;	      /* DTRACE_CLASS_* */

#define DTRACE_IDNONE 0
#define DTRACE_EPIDNONE 0
#define DTRACE_AGGIDNONE 0
#define DTRACE_AGGVARIDNONE 0

#define DTRACEOPT_UNSET ((dtrace_optval_t)-2)

typedef struct dtrace_hdl dtrace_hdl_t;
typedef struct dtrace_prog dtrace_prog_t;
typedef struct dtrace_vector dtrace_vector_t;

/* A probe's name. As a pattern, each part may be empty or a glob. */
typedef struct dtrace_probedesc {
	dtrace_id_t dtpd_id;
	char dtpd_provider[DTRACE_PROVNAMELEN];
	char dtpd_mod[DTRACE_MODNAMELEN];
	char dtpd_func[DTRACE_FUNCNAMELEN];
	char dtpd_name[DTRACE_NAMELEN];
} dtrace_probedesc_t;

/* How much of a probe description a bare word names: dtrace -P, -m, -f, -n. */
typedef enum dtrace_probespec {
	DTRACE_PROBESPEC_NONE = -1,
	DTRACE_PROBESPEC_PROVIDER = 0,
	DTRACE_PROBESPEC_MOD,
	DTRACE_PROBESPEC_FUNC,
	DTRACE_PROBESPEC_NAME
} dtrace_probespec_t;

/* ---- Actions ----------------------------------------------------------- */

#define DTRACEACT_NONE 0
#define DTRACEACT_DIFEXPR 1
#define DTRACEACT_EXIT 2
#define DTRACEACT_PRINTF 3
#define DTRACEACT_PRINTA 4
#define DTRACEACT_LIBACT 5
#define DTRACEACT_TRACEMEM 6
#define DTRACEACT_TRACEMEM_DYNSIZE 7
#define DTRACEACT_PRINT 8
#define DTRACEACT_PCAP 9

#define DTRACEACT_PROC 0x0100
#define DTRACEACT_USTACK (DTRACEACT_PROC + 1)
#define DTRACEACT_JSTACK (DTRACEACT_PROC + 2)
#define DTRACEACT_USYM (DTRACEACT_PROC + 3)
#define DTRACEACT_UMOD (DTRACEACT_PROC + 4)
#define DTRACEACT_UADDR (DTRACEACT_PROC + 5)

#define DTRACEACT_PROC_DESTRUCTIVE 0x0200
#define DTRACEACT_STOP (DTRACEACT_PROC_DESTRUCTIVE + 1)
#define DTRACEACT_RAISE (DTRACEACT_PROC_DESTRUCTIVE + 2)
#define DTRACEACT_SYSTEM (DTRACEACT_PROC_DESTRUCTIVE + 3)
#define DTRACEACT_FREOPEN (DTRACEACT_PROC_DESTRUCTIVE + 4)

#define DTRACEACT_PROC_CONTROL 0x0300

#define DTRACEACT_KERNEL 0x0400
#define DTRACEACT_STACK (DTRACEACT_KERNEL + 1)
#define DTRACEACT_SYM (DTRACEACT_KERNEL + 2)
#define DTRACEACT_MOD (DTRACEACT_KERNEL + 3)

#define DTRACEACT_KERNEL_DESTRUCTIVE 0x0500
#define DTRACEACT_BREAKPOINT (DTRACEACT_KERNEL_DESTRUCTIVE + 1)
#define DTRACEACT_PANIC (DTRACEACT_KERNEL_DESTRUCTIVE + 2)
#define DTRACEACT_CHILL (DTRACEACT_KERNEL_DESTRUCTIVE + 3)

#define DTRACEACT_SPECULATIVE 0x0600
#define DTRACEACT_SPECULATE (DTRACEACT_SPECULATIVE + 1)
#define DTRACEACT_COMMIT (DTRACEACT_SPECULATIVE + 2)
#define DTRACEACT_DISCARD (DTRACEACT_SPECULATIVE + 3)

#define DTRACEACT_AGGREGATION 0x0700
#define DTRACEAGG_COUNT (DTRACEACT_AGGREGATION + 1)
#define DTRACEAGG_MIN (DTRACEACT_AGGREGATION + 2)
#define DTRACEAGG_MAX (DTRACEACT_AGGREGATION + 3)
#define DTRACEAGG_AVG (DTRACEACT_AGGREGATION + 4)
#define DTRACEAGG_SUM (DTRACEACT_AGGREGATION + 5)
#define DTRACEAGG_STDDEV (DTRACEACT_AGGREGATION + 6)
#define DTRACEAGG_QUANTIZE (DTRACEACT_AGGREGATION + 7)
#define DTRACEAGG_LQUANTIZE (DTRACEACT_AGGREGATION + 8)
#define DTRACEAGG_LLQUANTIZE (DTRACEACT_AGGREGATION + 9)

#define DTRACEACT_CLASS(x) ((x)&0xff00)
#define DTRACEACT_ISAGG(x) (DTRACEACT_CLASS(x) == DTRACEACT_AGGREGATION)

/* What dtrd_arg holds when dtrd_action is DTRACEACT_LIBACT. */
#define DT_ACT_BASE DTRACEACT_LIBACT
#define DT_ACT_CLEAR 0x8001
#define DT_ACT_NORMALIZE 0x8002
#define DT_ACT_DENORMALIZE 0x8003
#define DT_ACT_TRUNC 0x8004
#define DT_ACT_SETOPT 0x8005
#define DT_ACT_FTRUNCATE 0x8006

/*
 * quantize(): 127 buckets of 64 bits, a power of two each, zero in the middle.
 */
#define DTRACE_QUANTIZE_NBUCKETS                                                 \
	(((sizeof(uint64_t) * 8) - 1) * 2 + 1)
#define DTRACE_QUANTIZE_ZEROBUCKET ((sizeof(uint64_t) * 8) - 1)
#define DTRACE_QUANTIZE_BUCKETVAL(buck)                                          \
	((int64_t)((buck) < DTRACE_QUANTIZE_ZEROBUCKET                           \
		       ? -(1LL << (DTRACE_QUANTIZE_ZEROBUCKET - 1 - (buck)))     \
		   : (buck) == DTRACE_QUANTIZE_ZEROBUCKET                        \
		       ? 0                                                       \
		       : 1LL << ((buck)-DTRACE_QUANTIZE_ZEROBUCKET - 1)))

/*
 * lquantize(): the first 64 bits of the data hold step (16 bits), levels (16)
 * and base (32, signed); levels + 2 buckets follow: below, the levels, above.
 */
#define DTRACE_LQUANTIZE_STEPSHIFT 48
#define DTRACE_LQUANTIZE_LEVELSHIFT 32
#define DTRACE_LQUANTIZE_BASESHIFT 0
#define DTRACE_LQUANTIZE_STEP(x) ((uint16_t)((uint64_t)(x) >> 48))
#define DTRACE_LQUANTIZE_LEVELS(x) ((uint16_t)((uint64_t)(x) >> 32))
#define DTRACE_LQUANTIZE_BASE(x) ((int32_t)(uint32_t)(uint64_t)(x))

/*
 * llquantize(): the first 64 bits hold factor, low, high and steps, 16 bits
 * each; the buckets follow: below factor^low, every step of every magnitude, above.
 */
#define DTRACE_LLQUANTIZE_FACTORSHIFT 48
#define DTRACE_LLQUANTIZE_LOWSHIFT 32
#define DTRACE_LLQUANTIZE_HIGHSHIFT 16
#define DTRACE_LLQUANTIZE_NSTEPSHIFT 0
#define DTRACE_LLQUANTIZE_FACTOR(x) ((uint16_t)((uint64_t)(x) >> 48))
#define DTRACE_LLQUANTIZE_LOW(x) ((uint16_t)((uint64_t)(x) >> 32))
#define DTRACE_LLQUANTIZE_HIGH(x) ((uint16_t)((uint64_t)(x) >> 16))
#define DTRACE_LLQUANTIZE_NSTEP(x) ((uint16_t)(uint64_t)(x))

/* ustack(): dtrd_arg holds the frames (low 32 bits) and the string size (high). */
#define DTRACE_USTACK_NFRAMES(x) ((uint32_t)((x)&UINT32_MAX))
#define DTRACE_USTACK_STRSIZE(x) ((uint32_t)((x) >> 32))

/* ---- Records ----------------------------------------------------------- */

/* One value of a record: where it stands in the data and what traced it. */
typedef struct dtrace_recdesc {
	dtrace_actkind_t dtrd_action;
	uint32_t dtrd_size;	 /* bytes */
	uint32_t dtrd_offset;	 /* bytes from the start of the data */
	uint16_t dtrd_alignment; /* bytes */
	uint16_t dtrd_format;	 /* a format's number, or 0 */
	uint64_t dtrd_arg;	 /* the action's own argument */
	uint64_t dtrd_uarg;	 /* the library's own argument */
} dtrace_recdesc_t;

/*
 * What dtrd_uarg tells, beyond size and alignment, of the D type of a value recorded by
 * DTRACEACT_DIFEXPR, or of a key. Extension.
 */
#define DTRACE_REC_STRING (1ULL << 63)	 /* a D string, whatever its size and characters */
#define DTRACE_REC_UNSIGNED (1ULL << 62) /* an integer without sign, or a pointer */
#define DTRACE_REC_BYTES (1ULL << 61)	 /* a struct, a union or an array */

/* An enabled probe: what one clause records when one probe fires. */
typedef struct dtrace_eprobedesc {
	dtrace_epid_t dtepd_epid;
	dtrace_id_t dtepd_probeid;
	uint64_t dtepd_uarg;
	uint32_t dtepd_size; /* bytes of data */
	int dtepd_nrecs;
	dtrace_recdesc_t dtepd_rec[1]; /* dtepd_nrecs of them */
} dtrace_eprobedesc_t;

/*
 * An aggregation: dtagd_rec[0] is its identifier, then its keys, and last its
 * value (dtagd_rec[dtagd_nrecs - 1]).
 */
typedef struct dtrace_aggdesc {
	char *dtagd_name; /* without '@'; "" for the anonymous one */
	dtrace_aggvarid_t dtagd_varid;
	int dtagd_flags;
	dtrace_aggid_t dtagd_id;
	dtrace_epid_t dtagd_epid;
	uint32_t dtagd_size; /* bytes of data */
	int dtagd_nrecs;
	uint32_t dtagd_pad;
	dtrace_recdesc_t dtagd_rec[1]; /* dtagd_nrecs of them */
} dtrace_aggdesc_t;

/*
 * What pcap() has recorded: this, and then the beginning of the packet. Extension.
 */
typedef struct dtrace_packet {
	uint64_t dtpk_time;	/* ns since 1970 */
	uint32_t dtpk_length;	/* bytes of the packet */
	uint32_t dtpk_captured; /* bytes that follow */
	int32_t dtpk_linktype;	/* as in pcap files: PCAP_ETHERNET is 1 */
	uint32_t dtpk_pad;
} dtrace_packet_t;

typedef enum dtrace_flowkind {
	DTRACEFLOW_ENTRY,
	DTRACEFLOW_RETURN,
	DTRACEFLOW_NONE
} dtrace_flowkind_t;

/* One firing of one enabled probe, as consumer functions see it. */
typedef struct dtrace_probedata {
	dtrace_hdl_t *dtpda_handle;
	dtrace_eprobedesc_t *dtpda_edesc;
	dtrace_probedesc_t *dtpda_pdesc;
	processorid_t dtpda_cpu;
	dtrace_addr_t dtpda_data; /* this record's value, or all of them */
	dtrace_flowkind_t dtpda_flow;
	const char *dtpda_prefix; /* recommended with -F: " -> ", " <- " or "| " */
	int dtpda_indent;	  /* recommended with -F */
	uint64_t dtpda_timestamp; /* ns since boot with "temporal", otherwise 0 */
	pid_t dtpda_pid;	  /* whose thread fired with "recordpid", otherwise -1 */
} dtrace_probedata_t;

typedef struct dtrace_aggdata {
	dtrace_hdl_t *dtada_handle;
	dtrace_aggdesc_t *dtada_desc;
	dtrace_eprobedesc_t *dtada_edesc;
	dtrace_probedesc_t *dtada_pdesc;
	dtrace_addr_t dtada_data; /* identifier, keys, value */
	uint64_t dtada_normal;	  /* the divisor of normalize(), 1 by default */
	size_t dtada_size;	  /* bytes of dtada_data */
	dtrace_addr_t dtada_delta; /* value since the last clear, or NULL */
	dtrace_addr_t *dtada_percpu; /* value per CPU, or NULL */
	dtrace_addr_t *dtada_percpu_delta;
	int64_t dtada_total; /* sum of the value's buckets */
	uint16_t dtada_minbin;
	uint16_t dtada_maxbin;
	uint32_t dtada_flags;
} dtrace_aggdata_t;

/* ---- Faults and drops -------------------------------------------------- */

#define DTRACEFLT_UNKNOWN 0
#define DTRACEFLT_BADADDR 1
#define DTRACEFLT_BADALIGN 2
#define DTRACEFLT_ILLOP 3
#define DTRACEFLT_DIVZERO 4
#define DTRACEFLT_NOSCRATCH 5
#define DTRACEFLT_KPRIV 6
#define DTRACEFLT_UPRIV 7
#define DTRACEFLT_TUPOFLOW 8
#define DTRACEFLT_BADSTACK 9
#define DTRACEFLT_BADSIZE 10
#define DTRACEFLT_BADINDEX 11
#define DTRACEFLT_LIBRARY 12

#define DTRACE_HANDLE_ABORT (-1)
#define DTRACE_HANDLE_OK 0

/* A run-time fault, for the handler set by dtrace_handle_err(). */
typedef struct dtrace_errdata {
	dtrace_hdl_t *dteda_handle;
	dtrace_eprobedesc_t *dteda_edesc; /* the enabled probe that faulted */
	dtrace_probedesc_t *dteda_pdesc;
	processorid_t dteda_cpu;
	int dteda_action;    /* from 1; 0: the predicate; -1: when the record was consumed */
	int dteda_offset;    /* of the instruction in the clause's code, or -1 */
	int dteda_fault;     /* DTRACEFLT_* */
	uint64_t dteda_addr; /* the address at fault, where there is one */
	const char *dteda_msg;
} dtrace_errdata_t;

typedef enum {
	DTRACEDROP_PRINCIPAL,
	DTRACEDROP_AGGREGATION,
	DTRACEDROP_DYNAMIC,
	DTRACEDROP_DYNRINSE,
	DTRACEDROP_DYNDIRTY,
	DTRACEDROP_SPEC,
	DTRACEDROP_SPECBUSY,
	DTRACEDROP_SPECUNAVAIL,
	DTRACEDROP_STKSTROVERFLOW,
	DTRACEDROP_DBLERROR
} dtrace_dropkind_t;

typedef struct dtrace_dropdata {
	dtrace_hdl_t *dtdda_handle;
	processorid_t dtdda_cpu; /* or -1 where drops are not counted per CPU */
	dtrace_dropkind_t dtdda_kind;
	uint64_t dtdda_drops; /* since the last report */
	uint64_t dtdda_total;
	const char *dtdda_msg;
} dtrace_dropdata_t;

struct ps_prochandle;

typedef struct dtrace_proc {
	pid_t dtpr_pid;
	int dtpr_status; /* as from waitpid(2), once the process has ended */
} dtrace_proc_t;

typedef struct dtrace_procdata {
	dtrace_hdl_t *dtpda_handle;
	struct ps_prochandle *dtpda_proc;
	const char *dtpda_msg;
} dtrace_procdata_t;

#define DTRACE_BUFDATA_AGGKEY 0x0001
#define DTRACE_BUFDATA_AGGVAL 0x0002
#define DTRACE_BUFDATA_AGGFORMAT 0x0004
#define DTRACE_BUFDATA_AGGLAST 0x0008

/* Formatted text, for the handler set by dtrace_handle_buffered(). */
typedef struct dtrace_bufdata {
	dtrace_hdl_t *dtbda_handle;
	const char *dtbda_buffered;
	dtrace_probedata_t *dtbda_probe;
	const dtrace_recdesc_t *dtbda_recdesc;
	const dtrace_aggdata_t *dtbda_aggdata;
	uint32_t dtbda_flags; /* DTRACE_BUFDATA_* */
} dtrace_bufdata_t;

typedef struct dtrace_setoptdata {
	dtrace_hdl_t *dtsda_handle;
	const dtrace_probedata_t *dtsda_probe;
	const char *dtsda_option;
	dtrace_optval_t dtsda_oldval;
	dtrace_optval_t dtsda_newval;
} dtrace_setoptdata_t;

typedef int dtrace_handle_err_f(const dtrace_errdata_t *, void *);
typedef int dtrace_handle_drop_f(const dtrace_dropdata_t *, void *);
typedef void dtrace_handle_proc_f(struct ps_prochandle *, const char *, void *);
typedef int dtrace_handle_buffered_f(const dtrace_bufdata_t *, void *);
typedef int dtrace_handle_setopt_f(const dtrace_setoptdata_t *, void *);

/* Each sets the one handler of its kind; a second call fails. */
int dtrace_handle_err(dtrace_hdl_t *, dtrace_handle_err_f *, void *);
int dtrace_handle_drop(dtrace_hdl_t *, dtrace_handle_drop_f *, void *);
int dtrace_handle_proc(dtrace_hdl_t *, dtrace_handle_proc_f *, void *);
int dtrace_handle_buffered(dtrace_hdl_t *, dtrace_handle_buffered_f *, void *);
int dtrace_handle_setopt(dtrace_hdl_t *, dtrace_handle_setopt_f *, void *);

/* ---- Stability --------------------------------------------------------- */

#define DTRACE_STABILITY_INTERNAL 0
#define DTRACE_STABILITY_PRIVATE 1
#define DTRACE_STABILITY_OBSOLETE 2
#define DTRACE_STABILITY_EXTERNAL 3
#define DTRACE_STABILITY_UNSTABLE 4
#define DTRACE_STABILITY_EVOLVING 5
#define DTRACE_STABILITY_STABLE 6
#define DTRACE_STABILITY_STANDARD 7
#define DTRACE_STABILITY_MAX 7

#define DTRACE_CLASS_UNKNOWN 0
#define DTRACE_CLASS_CPU 1
#define DTRACE_CLASS_PLATFORM 2
#define DTRACE_CLASS_GROUP 3
#define DTRACE_CLASS_ISA 4
#define DTRACE_CLASS_COMMON 5
#define DTRACE_CLASS_MAX 5

typedef struct dtrace_attribute {
	dtrace_stability_t dtat_name;
	dtrace_stability_t dtat_data;
	dtrace_class_t dtat_class;
} dtrace_attribute_t;

typedef struct dtrace_probeinfo {
	dtrace_attribute_t dtp_attr; /* of the provider's name */
	dtrace_attribute_t dtp_arga; /* of the arguments */
	const char **dtp_argv;	     /* the arguments' types, by name */
	int dtp_argc;
} dtrace_probeinfo_t;

/* ---- The handle -------------------------------------------------------- */

/* The version as `dtrace -V` prints it: "<Name> D <major>.<minor>". */
extern const char *const _dtrace_version;

#define DTRACE_O_NODEV 0x01 /* do not touch the kernel: compile only */
#define DTRACE_O_NOSYS 0x02 /* do not read the kernel's types and symbols */
#define DTRACE_O_LP64 0x04
#define DTRACE_O_ILP32 0x08
#define DTRACE_O_MASK 0x0f

/*
 * Opens a handle. version is DTRACE_VERSION. On failure returns NULL and stores
 * an error in *errp (errp may be NULL) whose words dtrace_errmsg(NULL, *errp)
 * gives. The caller owns the handle: dtrace_close().
 */
dtrace_hdl_t *dtrace_open(int version, int flags, int *errp);
dtrace_hdl_t *dtrace_vopen(int version, int flags, int *errp,
			   const dtrace_vector_t *, void *);
/* Stops tracing if need be, releases everything. NULL is allowed. */
void dtrace_close(dtrace_hdl_t *);

/* What this library has beyond libdtrace as other systems know it. */
#define DTRACE_EXTENSIONS 1

int dtrace_errno(dtrace_hdl_t *);
/* Words for an error; valid until the next call on the handle. Never NULL. */
const char *dtrace_errmsg(dtrace_hdl_t *, int error);
/* The error's own name, "EDT_COMPILER" or "ENOENT". Never NULL. Extension. */
const char *dtrace_errname(int error);
/*
 * Where the last error of the handle is a compile error: its tag, "D_SYNTAX" and the like,
 * otherwise ""; the line and the column it stands in, from 1, 0 when not known; the part of a
 * clause, "predicate" or "action list", NULL when it is in none. Valid until the next call on
 * the handle. Extensions.
 */
const char *dtrace_errtag(dtrace_hdl_t *);
int dtrace_errline(dtrace_hdl_t *);
int dtrace_errcolumn(dtrace_hdl_t *);
const char *dtrace_errregion(dtrace_hdl_t *);
/* "invalid address" and so on, for DTRACEFLT_*. */
const char *dtrace_faultstr(dtrace_hdl_t *, int fault);
/* The name of a D subroutine by its number. */
const char *dtrace_subrstr(dtrace_hdl_t *, int subr);

/*
 * Sets an option as `-x name=value` does. value NULL means "on". Sizes take a
 * k, m, g or t suffix; rates ns, us, ms, s, m, h, d or hz.
 */
int dtrace_setopt(dtrace_hdl_t *, const char *name, const char *value);
/* Rates are in nanoseconds, sizes in bytes; DTRACEOPT_UNSET when never set. */
int dtrace_getopt(dtrace_hdl_t *, const char *name, dtrace_optval_t *);
/* Forgets what is cached of the kernel's modules and symbols. */
int dtrace_update(dtrace_hdl_t *);
/*
 * For event loops: a descriptor that polls readable when there is something to do: data in
 * a buffer that was empty, exit(), a full buffer (bufpolicy=fill), a process of the handle
 * that has ended. Then call dtrace_work(), after which it is not readable until there is
 * more. From the first call of dtrace_ctlfd() on dtrace_work() switches buffers whenever it
 * is called, whatever switchrate says; a busy loop does well to wait a little before it
 * does, so that a turn takes more than one record. Aggregations ring no bell.
 *
 * Only while tracing, after dtrace_go(). The descriptor belongs to the handle: it is closed
 * with it, and must not be read or closed. -1: see dtrace_errno(). Extension.
 */
int dtrace_ctlfd(dtrace_hdl_t *);

/* ---- Programs ---------------------------------------------------------- */

#define DTRACE_C_DIFV 0x0001	/* keep a listing of the code (-S) */
#define DTRACE_C_EMPTY 0x0002	/* allow an empty program */
#define DTRACE_C_ZDEFS 0x0004	/* allow descriptions that match no probe (-Z) */
#define DTRACE_C_EATTR 0x0008	/* errors for attributes below the minimum */
#define DTRACE_C_CPP 0x0010	/* preprocess with cpp (-C) */
#define DTRACE_C_KNODEF 0x0020
#define DTRACE_C_UNODEF 0x0040
#define DTRACE_C_PSPEC 0x0080	/* ambiguous words are probe descriptions */
#define DTRACE_C_ETAGS 0x0100	/* prefix messages with error tags */
#define DTRACE_C_ARGREF 0x0200	/* macro arguments need not all be used */
#define DTRACE_C_DEFARG 0x0800	/* missing macro arguments are 0 or "" */
#define DTRACE_C_NOLIBS 0x1000
#define DTRACE_C_CTL 0x2000	/* the program is a file with #! control */
#define DTRACE_C_MASK 0x3fff

typedef struct dtrace_proginfo {
	dtrace_attribute_t dpi_descattr;
	dtrace_attribute_t dpi_stmtattr;
	uint_t dpi_aggregates;	 /* aggregating statements */
	uint_t dpi_recgens;	 /* record-generating probes */
	uint_t dpi_matches;	 /* probes matched */
	uint_t dpi_speculations; /* speculate() calls */
} dtrace_proginfo_t;

/*
 * Compile a D program. argc and argv give $0, $1 ... The program belongs to the
 * handle and lives until it is closed. Returns NULL on failure; the message then
 * names the line.
 */
dtrace_prog_t *dtrace_program_strcompile(dtrace_hdl_t *, const char *,
					 dtrace_probespec_t, uint_t cflags,
					 int argc, char *const argv[]);
dtrace_prog_t *dtrace_program_fcompile(dtrace_hdl_t *, FILE *, uint_t cflags,
				       int argc, char *const argv[]);
/* Adds the program's clauses to the enabling; info may be NULL. */
int dtrace_program_exec(dtrace_hdl_t *, dtrace_prog_t *, dtrace_proginfo_t *);
void dtrace_program_info(dtrace_hdl_t *, dtrace_prog_t *, dtrace_proginfo_t *);

/*
 * Writes the code of the enabling's programs, as eBPF instructions in words: before
 * dtrace_go(), which is not needed for it. Fails as dtrace_go() would when the code cannot
 * be generated.
 */
int dtrace_program_listing(dtrace_hdl_t *, FILE *);

/*
 * Static probes of C programs, from the providers that the handle's programs declare.
 *
 * dtrace_program_header() writes a C header with two macros for each probe; name is the
 * header's, for its include guard, or NULL for none.
 *
 * dtrace_program_link() makes the object file path ("d.out" if NULL) that is linked with
 * the objects: it defines the probes' semaphores, for objects that only declare them. The
 * objects are not changed. The program must not have clauses. Flags have no meaning here.
 */
int dtrace_program_header(dtrace_hdl_t *, FILE *, const char *name);
int dtrace_program_link(dtrace_hdl_t *, dtrace_prog_t *, uint_t flags, const char *path,
			int nobjects, char *const objects[]);

typedef struct dtrace_ecbdesc {
	dtrace_probedesc_t dted_probe;
	uint64_t dted_uarg;
} dtrace_ecbdesc_t;

/* One clause for one probe description. */
typedef struct dtrace_stmtdesc {
	dtrace_ecbdesc_t *dtsd_ecbdesc;
	void *dtsd_data;
	dtrace_attribute_t dtsd_descattr;
	dtrace_attribute_t dtsd_stmtattr;
} dtrace_stmtdesc_t;

typedef int dtrace_stmt_f(dtrace_hdl_t *, dtrace_prog_t *, dtrace_stmtdesc_t *,
			  void *);
/* Calls the function for every clause in program order until it returns non-0. */
int dtrace_stmt_iter(dtrace_hdl_t *, dtrace_prog_t *, dtrace_stmt_f *, void *);

/* ---- Tracing ----------------------------------------------------------- */

/* Instruments the system; when it returns, BEGIN has fired. Once per handle. */
int dtrace_go(dtrace_hdl_t *);
/* Fires END and removes the instrumentation. Data remains to be consumed. */
int dtrace_stop(dtrace_hdl_t *);
/* Waits until there is work to do: data, or an interval that is due. */
void dtrace_sleep(dtrace_hdl_t *);

#define DTRACE_STATUS_NONE 0
#define DTRACE_STATUS_OKAY 1
#define DTRACE_STATUS_EXITED 2
#define DTRACE_STATUS_FILLED 3
#define DTRACE_STATUS_STOPPED 4
int dtrace_status(dtrace_hdl_t *);

#define DTRACE_CONSUME_ERROR (-1) /* an error: abort */
#define DTRACE_CONSUME_THIS 0	  /* the library prints this one */
#define DTRACE_CONSUME_NEXT 1	  /* done with it */
#define DTRACE_CONSUME_ABORT 2

typedef int dtrace_consume_probe_f(const dtrace_probedata_t *, void *);
typedef int dtrace_consume_rec_f(const dtrace_probedata_t *,
				 const dtrace_recdesc_t *, void *);
/*
 * Hands out what was traced since the last call. The probe function is called
 * once a firing; the record function once a record, and with a NULL record after
 * the last. fp NULL sends the text to the handler of dtrace_handle_buffered().
 */
int dtrace_consume(dtrace_hdl_t *, FILE *fp, dtrace_consume_probe_f *,
		   dtrace_consume_rec_f *, void *);

/*
 * For a record function: the value that print() has recorded, as JSON: an object for a
 * struct, by its members' names. Valid until the next call on the handle; NULL on failure,
 * also for the record of another action. Extension.
 */
const char *dtrace_print_json(dtrace_hdl_t *, const dtrace_probedata_t *,
			      const dtrace_recdesc_t *);

typedef enum {
	DTRACE_WORKSTATUS_ERROR = -1,
	DTRACE_WORKSTATUS_OKAY,
	DTRACE_WORKSTATUS_DONE
} dtrace_workstatus_t;
/* dtrace_status(), then dtrace_consume(): one turn of a consumer's loop. */
dtrace_workstatus_t dtrace_work(dtrace_hdl_t *, FILE *fp,
				dtrace_consume_probe_f *, dtrace_consume_rec_f *,
				void *);

/* ---- Aggregations ------------------------------------------------------ */

#define DTRACE_A_PERCPU 0x0001
#define DTRACE_A_KEEPDELTA 0x0002
#define DTRACE_A_ANONYMOUS 0x0004
#define DTRACE_A_TOTAL 0x0008
#define DTRACE_A_MINMAXBIN 0x0010
#define DTRACE_A_HASNEGATIVES 0x0020
#define DTRACE_A_HASPOSITIVES 0x0040

#define DTRACE_AGGWALK_ERROR (-1)
#define DTRACE_AGGWALK_NEXT 0	     /* go on */
#define DTRACE_AGGWALK_ABORT 1	     /* end the walk */
#define DTRACE_AGGWALK_CLEAR 2	     /* set the value to its identity */
#define DTRACE_AGGWALK_NORMALIZE 3   /* divide by dtada_normal */
#define DTRACE_AGGWALK_DENORMALIZE 4
#define DTRACE_AGGWALK_REMOVE 5	     /* forget key and value */

typedef int dtrace_aggregate_f(const dtrace_aggdata_t *, void *);
typedef int dtrace_aggregate_walk_f(dtrace_hdl_t *, dtrace_aggregate_f *, void *);
typedef int dtrace_aggregate_walk_joined_f(const dtrace_aggdata_t **, const int,
					   void *);

/* Takes in what the kernel has gathered since the last snapshot. */
int dtrace_aggregate_snap(dtrace_hdl_t *);
void dtrace_aggregate_clear(dtrace_hdl_t *);
/* Prints every aggregation; walk NULL sorts by value. */
int dtrace_aggregate_print(dtrace_hdl_t *, FILE *, dtrace_aggregate_walk_f *);

int dtrace_aggregate_walk(dtrace_hdl_t *, dtrace_aggregate_f *, void *);
int dtrace_aggregate_walk_joined(dtrace_hdl_t *, dtrace_aggvarid_t *, int,
				 dtrace_aggregate_walk_joined_f *, void *);
int dtrace_aggregate_walk_sorted(dtrace_hdl_t *, dtrace_aggregate_f *, void *);
int dtrace_aggregate_walk_keysorted(dtrace_hdl_t *, dtrace_aggregate_f *, void *);
int dtrace_aggregate_walk_valsorted(dtrace_hdl_t *, dtrace_aggregate_f *, void *);
int dtrace_aggregate_walk_keyvarsorted(dtrace_hdl_t *, dtrace_aggregate_f *,
				       void *);
int dtrace_aggregate_walk_valvarsorted(dtrace_hdl_t *, dtrace_aggregate_f *,
				       void *);
int dtrace_aggregate_walk_keyrevsorted(dtrace_hdl_t *, dtrace_aggregate_f *,
				       void *);
int dtrace_aggregate_walk_valrevsorted(dtrace_hdl_t *, dtrace_aggregate_f *,
				       void *);
int dtrace_aggregate_walk_keyvarrevsorted(dtrace_hdl_t *, dtrace_aggregate_f *,
					  void *);
int dtrace_aggregate_walk_valvarrevsorted(dtrace_hdl_t *, dtrace_aggregate_f *,
					  void *);

/* ---- Processes --------------------------------------------------------- */

/* Starts a command, stopped before its first instruction. */
struct ps_prochandle *dtrace_proc_create(dtrace_hdl_t *, const char *file,
					 char *const argv[]);
struct ps_prochandle *dtrace_proc_grab(dtrace_hdl_t *, pid_t pid, int flags);
void dtrace_proc_release(dtrace_hdl_t *, struct ps_prochandle *);
void dtrace_proc_continue(dtrace_hdl_t *, struct ps_prochandle *);
pid_t dtrace_proc_getpid(dtrace_hdl_t *, struct ps_prochandle *);

/* ---- Probes and names -------------------------------------------------- */

typedef int dtrace_probe_f(dtrace_hdl_t *, const dtrace_probedesc_t *, void *);
/* Every probe that matches the pattern (NULL: all), in identifier order. */
int dtrace_probe_iter(dtrace_hdl_t *, const dtrace_probedesc_t *pattern,
		      dtrace_probe_f *, void *);
/* Every probe that the pattern means, that DTrace has and that this kernel cannot have. */
typedef int dtrace_missing_f(dtrace_hdl_t *, const dtrace_probedesc_t *, const char *reason,
			     void *);
int dtrace_missing_iter(dtrace_hdl_t *, const dtrace_probedesc_t *pattern,
			dtrace_missing_f *, void *);
int dtrace_probe_info(dtrace_hdl_t *, const dtrace_probedesc_t *,
		      dtrace_probeinfo_t *);

int dtrace_id2desc(dtrace_hdl_t *, dtrace_id_t, dtrace_probedesc_t *);
int dtrace_str2desc(dtrace_hdl_t *, dtrace_probespec_t, const char *,
		    dtrace_probedesc_t *);
/* As dtrace_str2desc(), with $1 and other macro arguments expanded. */
int dtrace_xstr2desc(dtrace_hdl_t *, dtrace_probespec_t, const char *, int argc,
		     char *const argv[], dtrace_probedesc_t *);
char *dtrace_desc2str(const dtrace_probedesc_t *, char *, size_t);

#define DTRACE_ATTR2STR_MAX 64
char *dtrace_attr2str(dtrace_attribute_t, char *, size_t);
const char *dtrace_stability_name(dtrace_stability_t);
const char *dtrace_class_name(dtrace_class_t);

/* ---- Symbols ----------------------------------------------------------- */

#define DTRACE_OBJ_EXEC ((const char *)0L)
#define DTRACE_OBJ_RTLD ((const char *)1L)
#define DTRACE_OBJ_CDEFS ((const char *)2L)
#define DTRACE_OBJ_DDEFS ((const char *)3L)
#define DTRACE_OBJ_EVERY ((const char *)-1L)
#define DTRACE_OBJ_KMODS ((const char *)-2L)
#define DTRACE_OBJ_UMODS ((const char *)-3L)

/* A type: the object that defines it ("vmlinux", or "" for D's own) and what it is. */
typedef struct dtrace_typeinfo {
	const char *dtt_object;
	const void *dtt_ctfp; /* the type itself; compare it, no more */
	long dtt_type;	      /* its number in the kernel's BTF; 0: D's own */
	uint_t dtt_flags;
	size_t dtt_size; /* bytes */
} dtrace_typeinfo_t;

/* The type that a D type name means: "int", "struct task_struct *". EDT_COMPILER. */
int dtrace_type_strcompile(dtrace_hdl_t *, const char *, dtrace_typeinfo_t *);
/* A type by name in an object, or in DTRACE_OBJ_EVERY. EDT_NOTYPE. */
int dtrace_lookup_by_type(dtrace_hdl_t *, const char *object, const char *name,
			  dtrace_typeinfo_t *);

typedef struct dtrace_syminfo {
	const char *dts_object;
	const char *dts_name;
	unsigned long dts_id;
} dtrace_syminfo_t;

/* As <gelf.h> has them, so that a consumer needs no header of libelf. */
typedef Elf64_Sym GElf_Sym;
typedef Elf64_Addr GElf_Addr;

/*
 * Kernel symbols. object: a module's name, "vmlinux", or one of DTRACE_OBJ_EVERY, _KMODS
 * and _EXEC (the kernel itself). Either result may be NULL; strings live until
 * dtrace_update(). EDT_NOSYM, EDT_NOSYMADDR.
 */
int dtrace_lookup_by_name(dtrace_hdl_t *, const char *object, const char *name,
			  GElf_Sym *, dtrace_syminfo_t *);
int dtrace_lookup_by_addr(dtrace_hdl_t *, GElf_Addr addr, GElf_Sym *,
			  dtrace_syminfo_t *);
/* The type of the symbol that one of the two has found. EDT_NOTYPE: BTF does not know. */
int dtrace_symbol_type(dtrace_hdl_t *, const GElf_Sym *, const dtrace_syminfo_t *,
		       dtrace_typeinfo_t *);

#define DTRACE_OBJ_F_KERNEL 0x1
#define DTRACE_OBJ_F_PRIMARY 0x2 /* the kernel itself */

/* The kernel or one of its modules. Addresses and sizes of data are not known: 0. */
typedef struct dtrace_objinfo {
	const char *dto_name;
	const char *dto_file;
	int dto_id;
	unsigned int dto_flags;
	GElf_Addr dto_text_va;
	size_t dto_text_size;
	GElf_Addr dto_data_va;
	size_t dto_data_size;
	GElf_Addr dto_bss_va;
	size_t dto_bss_size;
} dtrace_objinfo_t;

typedef int dtrace_obj_f(dtrace_hdl_t *, const dtrace_objinfo_t *, void *);
/* The kernel, then each module, until the function returns non-0; returns that. */
int dtrace_object_iter(dtrace_hdl_t *, dtrace_obj_f *, void *);
/* One by its name, or DTRACE_OBJ_EXEC. EDT_NOSYM: there is none. */
int dtrace_object_info(dtrace_hdl_t *, const char *object, dtrace_objinfo_t *);

/*
 * Kernel address to "module`symbol+0xoffset", user address likewise for a
 * process; snprintf's return value.
 */
int dtrace_addr2str(dtrace_hdl_t *, uint64_t addr, char *, int);
int dtrace_uaddr2str(dtrace_hdl_t *, pid_t, uint64_t addr, char *, int);

/* ---- Formats ----------------------------------------------------------- */

/* Compiles a printf() or printa() format; NULL on failure. */
void *dtrace_printf_create(dtrace_hdl_t *, const char *);
void *dtrace_printa_create(dtrace_hdl_t *, const char *);
size_t dtrace_printf_format(dtrace_hdl_t *, void *, char *, size_t);

/* Each prints records by a format; returns how many records it used, or -1. */
int dtrace_fprintf(dtrace_hdl_t *, FILE *, void *, const dtrace_probedata_t *,
		   const dtrace_recdesc_t *, uint_t nrecs, const void *, size_t);
int dtrace_fprinta(dtrace_hdl_t *, FILE *, void *, const dtrace_probedata_t *,
		   const dtrace_recdesc_t *, uint_t nrecs, const void *, size_t);
int dtrace_system(dtrace_hdl_t *, FILE *, void *, const dtrace_probedata_t *,
		  const dtrace_recdesc_t *, uint_t nrecs, const void *, size_t);
int dtrace_freopen(dtrace_hdl_t *, FILE *, void *, const dtrace_probedata_t *,
		   const dtrace_recdesc_t *, uint_t nrecs, const void *, size_t);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif /* DTRACE_H */
