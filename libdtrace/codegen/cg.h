/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cg.h - inside code generation.
 *
 * Registers: R6 to R9 hold values that must outlive a helper call and are handed out by
 * dt_reg_alloc(); R0 to R5 are for the moment between two calls. R10 is the frame.
 *
 * Frame: the fixed words below, then this-> variables, then temporaries that grow down
 * and are released in reverse order (cg->stack is the mark).
 *
 * Values: integers and pointers are 64 bits in a register, sign- or zero-extended from
 * their type. D pointers are plain numbers: everything read through one goes through
 * bpf_probe_read_kernel(), so a bad one is a fault and never the verifier's business.
 * Strings are places in memory (dt_str_t).
 */
#ifndef DT_CG_H
#define DT_CG_H

#include <stddef.h>

#include "codegen/codegen.h"
#include "enable/kernel.h"
#include "lang/builtins.h"

enum {
	DT_FRAME_CTX = -8,
	DT_FRAME_KEY = -16,
	DT_FRAME_CPUS = -24,	/* dt_kcpu_t * of this CPU */
	DT_FRAME_SCRATCH = -32,
	DT_FRAME_RECORD = -40,	/* start of the record's header */
	DT_FRAME_CPU = -44,	/* u32 */
	DT_FRAME_INDEX = -48,	/* u32: keys of array look-ups */
	DT_FRAME_FAULT = -56,	/* u32 fault, u32 action */
	DT_FRAME_SLOT = -60,	/* u32: of user_slots */
	DT_FRAME_FAULTPC = -64, /* u32 offset in the clause */
	DT_FRAME_FAULTVALUE = -72,
	DT_FRAME_VARS = -72,
	DT_FRAME_END = -512
};

/* The first bytes of scratch belong to the support functions (bpf/support.bpf.h). */
#define DT_SCRATCH_WORK 256

/* A run-time check's way out, emitted after the clause's code. */
typedef struct dt_cold {
	struct dt_cold *next;
	int label;
	int fault;
	int value_reg;	/* R0 ... or -1: see value_slot */
	int value_slot; /* frame offset; 0: the value is 0 */
	uint32_t action, pc;
} dt_cold_t;

typedef struct dt_cg {
	dt_cgenv_t *env;
	dt_program_t *program;
	dt_emit_t *e;
	dt_ecb_t *ecb;
	uint32_t action; /* statement number from 1; 0: predicate */
	uint32_t clause_start; /* instruction */
	uint32_t field;	 /* next field of the record */
	uint8_t regs_used; /* bit n: Rn is taken */
	int stack;	 /* lowest byte in use */
	int stack_low;	 /* the lowest it has been */
	uint32_t scratch; /* bytes of scratch in use by the statement */
	uint32_t scratch_max;
	int fault_label; /* of the clause */
	int next_label;	 /* end of the clause */
	dt_cold_t *cold;
	int *this_slots; /* this-> variables: frame offset by identifier order; 0: none */
	uint32_t *this_scratch; /* strings: offset in scratch, plus 1 */
	uint32_t scratch_base;	/* what statements may use begins here */
	uint32_t scratch_keep;	/* what this clause's earlier statements keep ends here */
	uint32_t heap;		/* what alloca() and copyin() of a size known at run time
				 * take: a word, the bytes taken, then they; 0: none */
	uint32_t strtok;	/* strtok()'s state; 0: none */
	bool needs_cpu;	 /* the prologue must find dt_kcpu_t */
	dt_ecb_t *error_of; /* an ERROR clause is being generated, for a fault of this */
	bool failed;
} dt_cg_t;

/* Gives up on the program: line and words go to the handle's error. Code generation goes
 * on, harmlessly, to its end. */
void dt_cg_fail(dt_cg_t *, int error, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What the language knows and this version cannot generate yet. */
void dt_cg_unsupported(dt_cg_t *, const dt_node_t *, const char *what);

/* A register that calls preserve; -1: none is free. */
int dt_reg_alloc(dt_cg_t *);
void dt_reg_free(dt_cg_t *, int reg);
/* Bytes of the frame, 8-byte aligned: offset from FP. Release by restoring cg->stack. */
int dt_stack_alloc(dt_cg_t *, uint32_t size);
/* Bytes of scratch: offset. Released when the statement ends, */
uint32_t dt_scratch_alloc(dt_cg_t *, uint32_t size);
/* or earlier, when what was taken since the mark (cg->scratch then) is of no more use. */
void dt_scratch_release(dt_cg_t *, uint32_t mark);
/* What the statement has taken so far lives until the clause ends: D points to it. */
void dt_scratch_keep(dt_cg_t *);

/* Jumps to the clause's fault exit if R0 is negative; value in the register or slot. */
void dt_fault_if_negative(dt_cg_t *, int fault, int value_reg, int value_slot);
int dt_fault_label(dt_cg_t *, int fault, int value_reg, int value_slot);

/* cpus->drops[kind]++ ; uses R1, R2. */
void dt_gen_drop(dt_cg_t *, dt_kdrop_t);
/* R0 = entry of a per-CPU buffer map by index in R1 (u32), or jumps to label when NULL. */
void dt_gen_array_lookup(dt_cg_t *, uint32_t map, int index_reg, int null_label);

/* ---- expr.c ------------------------------------------------------------- */

void dt_gen_expr(dt_cg_t *, const dt_node_t *, int dst);
/* Evaluates for effect: any type. */
void dt_gen_effect(dt_cg_t *, const dt_node_t *);
/* Goes to label when the expression's truth is `when`; falls through otherwise. */
void dt_gen_branch(dt_cg_t *, const dt_node_t *, int label, bool when);
/* Evaluates into a new frame word; returns its offset. */
int dt_gen_to_slot(dt_cg_t *, const dt_node_t *);
/* dst op= src for values of the type, result extended to it; src may be clobbered. */
void dt_gen_arith(dt_cg_t *, dt_op_t, int dst, int src, dt_type_t *, const dt_node_t *);
/* An expression that takes no helper call and one register. */
bool dt_is_leaf(const dt_node_t *);
/* probe_read_kernel(FP + slot, size, reg); faults on the address. */
void dt_gen_read_kernel(dt_cg_t *, int slot, uint32_t size, int address_reg);
bool dt_is_string(const dt_node_t *);
uint32_t dt_value_size(dt_cg_t *, dt_type_t *);
bool dt_value_signed(dt_cg_t *, dt_type_t *);

/* ---- var.c --------------------------------------------------------------- */

void dt_gen_builtin(dt_cg_t *, const dt_node_t *, int dst);
void dt_gen_var_load(dt_cg_t *, const dt_node_t *, int dst);
/* Stores reg (kept) into the variable or array element. */
void dt_gen_var_store(dt_cg_t *, const dt_node_t *, int reg);
/* R0 = the thread's local variables, or NULL; create: they are made when absent. */
void dt_gen_self_pointer(dt_cg_t *, bool create);
/* R0 = the element of an associative array, or NULL. */
void dt_gen_assoc_pointer(dt_cg_t *, const dt_node_t *);
struct dt_str;
void dt_gen_assoc_update(dt_cg_t *, const dt_node_t *, const struct dt_str *value);
void dt_gen_argument(dt_cg_t *, const dt_argsource_t *, int dst);
bool dt_ecb_one_key(const dt_ecb_t *);

/* ---- str.c --------------------------------------------------------------- */

typedef enum dt_strplace {
	DT_STR_NONE,
	DT_STR_FRAME,	/* FP + offset */
	DT_STR_SCRATCH, /* scratch + offset */
	DT_STR_STATE,	/* global variable: state map + offset */
	DT_STR_CONST,	/* strings map + offset */
	DT_STR_RECORD	/* record + offset (from its header) */
} dt_strplace_t;

/* A NUL-terminated string in at most size bytes. */
typedef struct dt_str {
	dt_strplace_t place;
	int offset;
	uint32_t size;
} dt_str_t;

/* Most bytes a string expression's value can take, NUL included. */
uint32_t dt_str_bound(dt_cgenv_t *, const dt_node_t *);
/* Where the value is. With want, new text is put there if it fits; compare the places. */
dt_str_t dt_gen_str(dt_cg_t *, const dt_node_t *, const dt_str_t *want);
/* The value in want exactly: generated there or copied. */
void dt_gen_str_into(dt_cg_t *, const dt_node_t *, const dt_str_t *want);
void dt_str_address(dt_cg_t *, const dt_str_t *, int reg);
/* Zeroes the place; size is a multiple of 8. */
void dt_gen_clear(dt_cg_t *, const dt_str_t *);
/* Comparison of two string expressions: dst = 0 or 1. */
void dt_gen_str_compare(dt_cg_t *, const dt_node_t *, int dst);
/* Assignment of a string to a variable; the value's place. */
dt_str_t dt_gen_str_assign(dt_cg_t *, const dt_node_t *);

/* ---- plan.c -------------------------------------------------------------- */

/* Fills a field for a value of the expression's type: sizes, alignment, encoding. */
void dt_describe_value(dt_cgenv_t *, const dt_node_t *, dt_field_t *);
/* Frames of a stack(), ustack() or jstack(): its argument or the option's. */
uint64_t dt_stack_frames(const dt_cgenv_t *, const dt_node_t *call);

/* ---- record.c, speculate.c ---------------------------------------------- */

/* Bytes of a record's header; of a record with size bytes of data, as it is claimed. */
uint32_t dt_record_header(const dt_cgenv_t *);
uint32_t dt_record_total(const dt_cgenv_t *, uint32_t size);

/* A claim of bytes in the active principal buffer. */
typedef struct dt_claim {
	uint32_t total; /* bytes; 0: as R8 says, at most specsize */
	int drop, full; /* labels: goes to drop when there is no room, to full (bufpolicy
			 * fill) when this was the end of tracing */
	int give_back, placed, first; /* its own labels */
} dt_claim_t;
/* R0 = the bytes; uses R6 and R7. The cold part belongs behind a jump. */
void dt_gen_claim(dt_cg_t *, dt_claim_t *);
void dt_gen_claim_cold(dt_cg_t *, const dt_claim_t *);
/* A record's header at R0, which becomes the frame's record; may use R6. */
void dt_gen_header(dt_cg_t *, uint32_t number);
/* Claim and header of a record with size bytes of data. Full: counts a drop, goes to full. */
void dt_gen_record(dt_cg_t *, uint32_t size, uint32_t number, int full);
/* Wakes the consumer; any register may be lost but R6 to R9. */
void dt_gen_bell(dt_cg_t *);

/* Goes to other unless this program is the only one at work on its CPU; uses R1 to R3. */
void dt_gen_alone(dt_cg_t *, int other);

void dt_gen_speculate(dt_cg_t *, const dt_node_t *call);
void dt_gen_commit(dt_cg_t *, const dt_node_t *call);
void dt_gen_discard(dt_cg_t *, const dt_node_t *call);
/* dst = a new speculation's number, 0: none is free. */
void dt_gen_speculation(dt_cg_t *, int dst);

/* ---- subr.c, subr_mem.c --------------------------------------------------- */

/* Calls of subroutines: of those that give numbers or nothing, */
void dt_gen_subr(dt_cg_t *, const dt_node_t *, int dst);
/* and strings: see dt_gen_str() and dt_str_bound(). */
dt_str_t dt_gen_subr_str(dt_cg_t *, const dt_node_t *, const dt_str_t *want);
uint32_t dt_subr_bound(dt_cgenv_t *, const dt_node_t *);
/* Whether a call takes memory of a size known at run time: cg->heap; and its size. */
bool dt_subr_takes_heap(const dt_node_t *call);
uint32_t dt_heap_size(const dt_cgenv_t *);

/* ---- action.c, agg.c ----------------------------------------------------- */

void dt_gen_action(dt_cg_t *, const dt_stmt_t *);
void dt_gen_agg(dt_cg_t *, const dt_stmt_t *);
/* A stack's frames (user: after the process) and a symbol's address, into the place. */
void dt_gen_stack(dt_cg_t *, const dt_str_t *place, bool user);
void dt_gen_symbol(dt_cg_t *, const dt_node_t *call, const dt_str_t *place, bool user);
/* Whether a string key or value is known by number alone: literal or probe name. */
bool dt_str_is_id(const dt_node_t *);
/* dst = its number. */
void dt_gen_str_id(dt_cg_t *, const dt_node_t *, int dst);

#endif
