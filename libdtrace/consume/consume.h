/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consume.h - the consumer's parts and what each may ask of the other.
 *
 *	buffers.c	kernel buffers: switch, walk, reset (the only reader of enable/)
 *	consume.c	dtrace_consume(): records decoded and handed out
 *	actions.c	what the library does with them: printing, system(), setopt() ...
 *	speculate.c	speculations that are committed on several CPUs
 *	bell.c		dtrace_ctlfd(): waking when there is something to do
 *	status.c	faults, drops, the end; dtrace_sleep(), dtrace_work()
 *	aggregate.c	the user-level aggregations: merge, clear, walk, sort
 *	aggprint.c	their layout on paper: keys, bars, dtrace_aggregate_print()
 *	printf.c	formats: compile, check, print; printa
 *	print.c		values without a format: numbers, bytes, stacks, symbols
 *	typed.c		print(): values by their type
 *	pcap.c		pcap(): packets, in files of that format
 *	json.c		oformat=json
 *	symbols.c	addresses to names
 */
#ifndef DT_CONSUME_H
#define DT_CONSUME_H

#include "consume/record.h"
#include "dtrace.h"

/* ---- Output: print.c ----------------------------------------------------- */

/*
 * printf to fp, or, when fp is NULL, appended to the handle's text buffer, which
 * dt_buffered_flush() hands to the handler of dtrace_handle_buffered(). Returns the
 * number of bytes, or -1 with the handle's error set.
 */
int dt_printf(dtrace_hdl_t *, FILE *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Frees the text buffer. */
void dt_output_fini(dtrace_hdl_t *);
/* Does nothing when nothing was buffered (fp was given). 0, or -1. */
int dt_buffered_flush(dtrace_hdl_t *, dtrace_probedata_t *, const dtrace_recdesc_t *,
		      const dtrace_aggdata_t *, uint32_t flags);

#define DT_WIDTH_TRACE 33 /* column of strings in a record */
#define DT_WIDTH_KEY 50	  /* in an aggregation's key */

/* One value without a format as dtrace_consume() prints it ("quiet" honoured): integers in
 * columns, strings, a hex dump for other bytes, stacks and symbols by the record's action.
 * data: the value itself. width: DT_WIDTH_*. */
int dt_print_value(dtrace_hdl_t *, FILE *, const dtrace_recdesc_t *, const void *data,
		   int width, uint64_t normal);
int dt_print_bytes(dtrace_hdl_t *, FILE *, const void *data, size_t size, int width,
		   bool quiet, bool raw);
/* pcap.c: the value of pcap(), to a file that freopen() has opened as pcap files have it, and
 * otherwise as a hex dump. 0, or -1. */
int dt_print_packet(dtrace_hdl_t *, FILE *, const dtrace_recdesc_t *, const char *data);
/* Its head; *bytes gets where the packet begins, no more than are there. */
dtrace_packet_t dt_packet_read(const dtrace_recdesc_t *, const char *data, const char **bytes);
/* stack(): nframes addresses (0 ends); ustack(), jstack(): u64 pid, then addresses. */
int dt_print_stack(dtrace_hdl_t *, FILE *, const char *format, const void *data,
		   uint32_t nframes);
int dt_print_ustack(dtrace_hdl_t *, FILE *, const dtrace_recdesc_t *, const void *data);
/* sym(), mod(), func(): u64 address; usym(), umod(), uaddr(), ufunc(): u64 pid, u64 address.
 * Text as it is printed in a record; dt_symbol_text() gives the bare text. */
int dt_print_symbol(dtrace_hdl_t *, FILE *, const char *format, dtrace_actkind_t,
		    const void *data);
int dt_symbol_text(dtrace_hdl_t *, dtrace_actkind_t, const void *data, char *, size_t);

/* ---- Formats: printf.c ---------------------------------------------------- */

/*
 * Checks a compiled format against the types of a clause's arguments (the checker calls
 * it). arguments: n types. naggs > 0: a printa of so many aggregations. 0, or -1 with why
 * in buf and the error's tag ("D_PRINTF_ARG_TYPE") in *tag.
 */
int dt_format_check(dtrace_hdl_t *, void *format, const char *function,
		    dt_type_t *const *arguments, int n, int naggs, const char **tag,
		    char *buf, size_t size);
void dt_format_destroy(void *);
/* printa of one or several (joined) aggregations with a format, NULL: default layout. */
int dt_printa(dtrace_hdl_t *, FILE *, void *format, dtrace_probedata_t *,
	      const dtrace_recdesc_t *, const dtrace_aggvarid_t *varids, int n);

/* Records by a format, as text in the handle's buffer until it is next used; how many records
 * it took, or -1. */
int dt_format_text(dtrace_hdl_t *, void *format, const dtrace_recdesc_t *, uint_t nrecs,
		   const void *data, size_t size, char **text);

/* ---- Aggregations: aggregate.c, aggprint.c -------------------------------- */

typedef struct dt_aggs dt_aggs_t;
dt_aggs_t *dt_aggs_create(void);
void dt_aggs_destroy(dt_aggs_t *);

/*
 * Adds one kernel entry's value to the user-level aggregation. shown: keys as shown
 * (layout->shown_size bytes, the identifier and the value area included); value:
 * layout->value_size bytes as in the kernel buffer of that CPU. The kernel forgets a value
 * once it is merged. 0, or -1 with the handle's error set.
 */
int dt_aggs_merge(dtrace_hdl_t *, const dt_agglayout_t *, processorid_t, const void *shown,
		  const void *value);

/* clear(), trunc(n; 0: all, negative: the smallest), normalize(): by varid. */
int dt_aggs_clear(dtrace_hdl_t *, dtrace_aggvarid_t);
int dt_aggs_trunc(dtrace_hdl_t *, dtrace_aggvarid_t, int64_t n);
int dt_aggs_normalize(dtrace_hdl_t *, dtrace_aggvarid_t, uint64_t normal);

/* A value of an aggregation as it stands in dtada_data, printed. */
int dt_print_aggvalue(dtrace_hdl_t *, FILE *, const dtrace_recdesc_t *, const void *data,
		      uint64_t normal);
/* Default print of aggregations in walk order, one, or several joined; arg is a
 * dt_aggprint_t. Used by printa() without a format too. */
typedef struct dt_aggprint {
	FILE *fp;
	bool unprinted_only; /* pass over those that a printa() has printed */
	dtrace_aggvarid_t heading; /* of which a heading has been printed last */
} dt_aggprint_t;
int dt_print_agg(const dtrace_aggdata_t *, void *arg);
int dt_print_aggs(const dtrace_aggdata_t **, int n, void *arg);

/* ---- Symbols: symbols.c --------------------------------------------------- */

/* Kernel symbol at or below the address: name and offset; module "vmlinux" or the
 * module's. False: none known. Strings live until dtrace_update(). */
bool dt_kernel_symbol(dtrace_hdl_t *, uint64_t address, const char **module,
		      const char **name, uint64_t *offset);
/* Address of a kernel symbol by name; 0: none. */
uint64_t dt_kernel_address(dtrace_hdl_t *, const char *name);
void dt_symbols_fini(dtrace_hdl_t *);

/* ---- Buffers and the consumer's state: buffers.c, consume.c ---------------- */

int dt_consumer_init(dtrace_hdl_t *);
void dt_consumer_fini(dtrace_hdl_t *);
/* The user-level aggregations of the handle. */
dt_aggs_t *dt_consumer_aggs(dtrace_hdl_t *);
/* Layouts by varid - 1, and how many; fixed once tracing has begun. */
const dt_agglayout_t *dt_consumer_agglayout(dtrace_hdl_t *, dtrace_aggvarid_t);
int dt_consumer_ncpus(dtrace_hdl_t *);
/* For dtada_edesc and dtada_pdesc. NULL: no such. */
dtrace_eprobedesc_t *dt_consumer_eprobe(dtrace_hdl_t *, dtrace_epid_t,
					dtrace_probedesc_t **);

#endif
