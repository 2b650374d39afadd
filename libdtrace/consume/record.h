/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - the contract between code generation and the consumer: how a clause's
 * record and an aggregation's entry lie in kernel buffers, and how they are shown.
 *
 * A value can lie in the kernel in fewer bytes than consumers are shown (a constant
 * string takes none, a probe's function name is its key): kernel_size bytes at
 * kernel_offset are decoded into rec.dtrd_size bytes at rec.dtrd_offset.
 *
 * Record in a principal buffer, 8-byte aligned:
 *
 *	u32 clause	number of the clause, from 1; 0: end of data
 *	u32 key		which probe of the clause's attach point
 *	[u64 time	ns, with the option temporal]
 *	[u32 tid, pid	of the thread that fired, with the option recordpid]
 *	data		plan->kernel_size bytes
 *
 * Entry in an aggregation buffer, 8-byte aligned:
 *
 *	u32 aggregation	varid, from 1; 0: unused
 *	u32 next	offset of the next entry in the hash chain
 *	keys		layout->key_size bytes, zero-padded
 *	value		layout->value_size bytes
 */
#ifndef DT_RECORD_H
#define DT_RECORD_H

#include <stdbool.h>

#include "dtrace.h"
#include "types/types.h"

#define DT_RECORD_DISCARDED 0x80000000u /* set in clause: a fault or commit took it back */
#define DT_RECORD_FAULT 0x7fffffffu	/* clause of a fault's own record, dt_faultrec_t */

/* Set in dtrd_uarg where the value is a D string, whatever its size and characters. */
#define DT_RECORD_STRING DTRACE_REC_STRING

/* In dtrd_uarg of setopt()'s second record: it is the value of the option before it. */
#define DT_SETOPT_VALUE 0x1

#define DT_STACK_INNER 2

typedef enum dt_encoding {
	DT_ENC_RAW,	/* the same bytes */
	DT_ENC_STRING,	/* NUL-terminated in kernel_size bytes; the rest is undefined */
	DT_ENC_CONST,	/* no bytes: text is constant */
	DT_ENC_PROVIDER,/* no bytes: parts of the name of the record's own probe */
	DT_ENC_MODULE,
	DT_ENC_FUNCTION,
	DT_ENC_NAME,
	DT_ENC_STACK,	/* addresses of the kernel's stack, room for DT_STACK_INNER more: those
			 * of tracing itself, which are not shown */
	DT_ENC_JSTACK,	/* process and frames, then text of each: consume/jstack.h */
	DT_ENC_STRID	/* u64 number of a string of the enabling (aggregation keys) */
} dt_encoding_t;

typedef struct dt_field {
	dtrace_recdesc_t rec; /* as shown */
	dt_encoding_t encoding;
	uint32_t kernel_offset, kernel_size;
	const char *text;     /* CONST */
	dt_type_t *type;      /* D type, for print(), signedness and formats */
} dt_field_t;

/* Where the parts of a record's header are: 0: it has none such. */
typedef struct dt_header {
	uint32_t time, who, size;
} dt_header_t;

/* What one clause records. */
typedef struct dt_recplan {
	uint32_t kernel_size; /* bytes of data after the header */
	uint32_t size;	      /* bytes as shown */
	uint32_t nfields;
	bool is_raw;	      /* every field is RAW at its shown offset: nothing to decode */
	dt_field_t *fields;
	void **formats;	      /* by rec.dtrd_format - 1, from dtrace_printf_create() */
	uint32_t nformats;
} dt_recplan_t;

/* One aggregation variable, all clauses together. */
typedef struct dt_agglayout {
	const char *name;
	dtrace_aggvarid_t varid;
	uint16_t func; /* DTRACEAGG_* */
	uint64_t arg;  /* lquantize, llquantize parameters */
	uint32_t nkeys;
	dt_field_t *keys; /* kernel_offset from the entry's keys; shown offset from the data */
	uint32_t key_size, value_size; /* in the kernel, multiples of 8 */
	uint32_t shown_size; /* identifier (4, padded to 8), keys, value */
	uint32_t value_offset; /* of the value as shown */
	uint32_t fixed_offset; /* without keys: where its one entry stands; with keys 0 */
	bool is_shared; /* by programs of which one can interrupt the other */
	int context;	/* dt_context_t of those met so far */
	dtrace_epid_t epid; /* an enabled probe that aggregates into it */
} dt_agglayout_t;

typedef struct dt_faultrec {
	uint32_t clause, key; /* of the clause that faulted */
	uint32_t action, offset;
	uint32_t fault, pad;
	uint64_t value;
} dt_faultrec_t;

/* Buckets of a value: 127, levels + 2, or by magnitude; 0 for the others. */
uint32_t dt_agg_nbuckets(uint16_t func, uint64_t arg);
/* Bytes of a value as shown: 8, 16 (avg), 32 (stddev), 8 x buckets (+ 8 for the argument). */
uint32_t dt_agg_value_size(uint16_t func, uint64_t arg);

#endif
