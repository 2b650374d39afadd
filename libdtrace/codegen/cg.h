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
#include "codegen/support.h"
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
	DT_FRAME_FAULTEPID = -80, /* u32 */
	DT_FRAME_FAULTCLAUSE = -88, /* its number: a whole word, which the verifier follows */
	DT_FRAME_VARS = -88,
	DT_FRAME_MAIN = -64,	/* where temporaries begin in a divided program's main function */
	/*
	 * The kernel allows 512 bytes for all frames of a chain of calls, each rounded up to
	 * 32. The support functions get their share, and in a divided program so does its
	 * main function, which has the fixed words and two temporaries.
	 */
	DT_FRAME_END = -(512 - DT_SUPPORT_STACK),
	DT_FRAME_END_DIVIDED = -(512 - DT_SUPPORT_STACK - 96)
};

/* The kernel may limit a map's value to what kmalloc() gives (KMALLOC_MAX_SIZE). */
#define DT_SCRATCH_MAX (4u << 20)
/* The first bytes of scratch belong to the support functions (bpf/support.bpf.h). */
#define DT_SCRATCH_WORK 256

/* A run-time check's way out, emitted after the clauses' code. */
typedef struct dt_cold {
	struct dt_cold *below; /* in the list */
	int label;
	int fault;
	int value_reg;	/* R0 ... or -1: see value_slot */
	int value_slot; /* frame offset; 0: the value is 0 */
	uint32_t action, pc;
	bool is_drop;	/* no fault: counts the drop, and goes on at next */
	dt_kdrop_t drop;
	int next;
} dt_cold_t;

/* What of a clause is still to be written, where it is in nobody's way. */
typedef struct dt_later {
	struct dt_later *previous;
	dt_ecb_t *ecb;
	dt_cold_t *cold;
	int fault_label, next_label;
	bool may_fault;
} dt_later_t;

/* A comparison with the size of scratch. */
typedef struct dt_limit {
	struct dt_limit *next;
	uint32_t insn, size;
} dt_limit_t;

/* A function that finds aggregation entries, one for all that are alike: aggfind.c. */
typedef enum dt_agginit { DT_AGGINIT_ZERO, DT_AGGINIT_MIN, DT_AGGINIT_MAX } dt_agginit_t;
typedef struct dt_finder {
	uint32_t key_size, entry_size;
	dt_agginit_t init; /* the value of a new entry */
} dt_finder_t;

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

typedef struct dt_cg {
	dt_cgenv_t *env;
	dt_program_t *program;
	dt_emit_t *e;
	dt_ecb_t *ecb;
	uint32_t action; /* number of the action, as DTrace counts, from 1; 0: predicate */
	uint32_t clause_start; /* instruction */
	uint32_t field;	 /* next field of the record */
	uint8_t regs_used; /* bit n: Rn is taken */
	int stack;	 /* lowest byte in use */
	uint32_t scratch; /* bytes of scratch in use by the statement */
	uint32_t scratch_max;
	int fault_label; /* of the clause */
	int next_label;	 /* end of the clause */
	int leave_label; /* of all clauses */
	bool is_divided; /* into functions: see part.c */
	uint32_t part_insns, part_jumps; /* where the function begins */
	int resume_label; /* of the function: R0 is the number of a clause */
	uint32_t faults, fault_cost; /* clauses that may fault; see program.c */
	uint32_t carry;	 /* scratch: what a clause hands to its next part */
	bool may_fault;	 /* some of cold is a fault */
	dt_cold_t *cold;
	dt_later_t *later;
	int frame_base, frame_end; /* temporaries lie between them */
	int *this_slots; /* this-> variables: frame offset by identifier order; 0: none */
	uint32_t *this_scratch; /* those in scratch: offset, plus 1 */
	uint32_t *this_sizes;	/* and the bytes that are cleared when the probe fires */
	uint32_t scratch_base;	/* what statements may use begins here */
	dt_limit_t *limits;
	dt_finder_t *finders;
	uint32_t nfinders;
	bool uses_loans;	/* registers are saved: they must be initialized */
	bool uses_refuge;	/* the frame is put away somewhere: it must be initialized */
	uint32_t scratch_keep;	/* what this clause's earlier statements keep ends here */
	uint32_t heap;		/* what alloca() and copyin() of a size known at run time
				 * take: a word, the bytes taken, then they; 0: none */
	uint32_t strtok;	/* strtok()'s state; 0: none */
	uint32_t ntimestamps;	/* how often the clauses say timestamp */
	dt_str_t timestamp;	/* the firing's, if more than once; 0: not read yet */
	bool needs_cpu;	 /* the prologue must find dt_kcpu_t */
	bool may_drop;	 /* the epilogue must see whether something was dropped */
	bool in_error; /* an ERROR clause is being generated */
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
/* A register in any case: when none is free, one whose value a frame word keeps. */
typedef struct dt_loan {
	int reg, saved;
} dt_loan_t;
dt_loan_t dt_reg_borrow(dt_cg_t *);
void dt_reg_return(dt_cg_t *, const dt_loan_t *);
/* Bytes of the frame, 8-byte aligned: offset from FP. Release by restoring cg->stack. */
int dt_stack_alloc(dt_cg_t *, uint32_t size);
/* Bytes of scratch: offset. Released when the statement ends, */
uint32_t dt_scratch_alloc(dt_cg_t *, uint32_t size);
/* or earlier, when what was taken since the mark (cg->scratch then) is of no more use. */
void dt_scratch_release(dt_cg_t *, uint32_t mark);
/* What the statement has taken so far lives until the clause ends: D points to it. */
void dt_scratch_keep(dt_cg_t *);
/* Zeroes bytes of scratch; like a call. */
void dt_gen_scratch_clear(dt_cg_t *, uint32_t offset, uint32_t size);
/* Has scratch in the program at all, and size bytes of it besides DT_SCRATCH_WORK. */
void dt_scratch_need(dt_cg_t *, uint32_t size);
/* The instruction compares with what scratch holds besides DT_SCRATCH_WORK, less size; it is
 * filled in when that is known. */
void dt_scratch_limit(dt_cg_t *, uint32_t insn, uint32_t size);

/*
 * Deep expressions: where the frame is nearly full, all temporaries in it are put into
 * scratch and the frame begins anew until they are put back. To be called where no place
 * in the frame is passed down: an operand's value comes back in a register.
 */
typedef struct dt_refuge {
	int stack; /* the mark to return to; 0: nothing was put away */
	uint32_t scratch;
} dt_refuge_t;
dt_refuge_t dt_frame_put_away(dt_cg_t *);
void dt_frame_put_back(dt_cg_t *, const dt_refuge_t *);
/* Writes what may be read before anything else has written it: to be kept and restored. */
void dt_gen_initialize(dt_cg_t *);
/* Room for a key: in the frame if that has it and the key takes no more than that, in scratch
 * otherwise. */
dt_str_t dt_key_alloc(dt_cg_t *, uint32_t size, uint32_t frame_max);

/* Jumps to the clause's fault exit if R0 is negative; value in the register or slot. */
void dt_fault_if_negative(dt_cg_t *, int fault, int value_reg, int value_slot);
int dt_fault_label(dt_cg_t *, int fault, int value_reg, int value_slot);
/* A label where a drop is counted before it goes on at next. */
int dt_drop_label(dt_cg_t *, dt_kdrop_t, int next);

/* cpus->drops[kind]++ ; uses R1, R2. */
void dt_gen_drop(dt_cg_t *, dt_kdrop_t);
/* Says that something was dropped, for the epilogue to ring the bell; uses R1, R2. */
void dt_gen_dropped(dt_cg_t *);
/* R0 = the words of the CPU in the register, or goes to none; uses R1. */
void dt_gen_cpu_words(dt_cg_t *, int cpu_reg, int none);
/* R0 = entry of a per-CPU buffer map by index in R1 (u32), or jumps to label when NULL. */
void dt_gen_array_lookup(dt_cg_t *, uint32_t map, int index_reg, int null_label);

/* ---- process.c ---------------------------------------------------------- */

/* R0 = the current thread's number, and its process's in the upper half. */
void dt_gen_pid_tgid(dt_cg_t *);
/* The same without a clause; uses the frame word. */
void dt_emit_pid_tgid(const dt_cgenv_t *, dt_emit_t *, int slot);

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
bool dt_is_string(const dt_node_t *);
/* The built-in variable, whose value fills its place to the end. */
bool dt_is_execname(const dt_node_t *);
/* reg, computed in 64 bits, as its type holds it. */
void dt_extend_to(dt_cg_t *, int reg, dt_type_t *);
uint32_t dt_value_size(dt_cg_t *, dt_type_t *);
bool dt_value_signed(dt_cg_t *, dt_type_t *);

/* ---- var.c --------------------------------------------------------------- */

void dt_gen_builtin(dt_cg_t *, const dt_node_t *, int dst);
void dt_gen_argument(dt_cg_t *, const dt_argsource_t *, int dst);
/* R0 = what bpf_get_stack() returns for frames that go to a place. */
void dt_gen_walk(dt_cg_t *, const dt_str_t *frames, int flags);
/* The frames of the user's stack; R0: bytes of them, less than 0: there are none. */
void dt_gen_user_stack(dt_cg_t *, const dt_str_t *frames);
bool dt_ecb_one_key(const dt_ecb_t *);
/* dst = the number of the enabled probe that has fired: of this clause. */
void dt_gen_epid(dt_cg_t *, const dt_ecb_t *, int dst);

/* ---- lvalue.c ------------------------------------------------------------- */

/* probe_read(FP + slot, size, reg); faults on the address. */
void dt_gen_read(dt_cg_t *, int slot, uint32_t size, int address_reg, bool is_userland);
/* uread.c. Calls one of the helpers that read memory; R1 to R3 are its arguments. */
void dt_gen_read_call(dt_cg_t *, int helper);
/* The same for the bytes of a struct or array, whose address is in R3. */
void dt_gen_read_value(dt_cg_t *, const dt_node_t *);
void dt_gen_read_kernel(dt_cg_t *, int slot, uint32_t size, int address_reg);
/* dst = the value of an lvalue; of a struct, a union or an array: its address. */
void dt_gen_lvalue(dt_cg_t *, const dt_node_t *, int dst);
/* dst = its address; create: an element that is absent is made. */
void dt_gen_address(dt_cg_t *, const dt_node_t *, bool create, int dst);
/* Whether the bytes that a struct's or array's value is are in the traced process. */
bool dt_lies_in_userland(const dt_node_t *);
void dt_gen_assign(dt_cg_t *, const dt_node_t *, int dst);
void dt_gen_incdec(dt_cg_t *, const dt_node_t *, int dst);

/* ---- str.c --------------------------------------------------------------- */

/* Most bytes a string expression's value can take, NUL included. */
uint32_t dt_str_bound(dt_cgenv_t *, const dt_node_t *);
/* Where the value is. With want, new text is put there if it fits; compare the places. */
dt_str_t dt_gen_str(dt_cg_t *, const dt_node_t *, const dt_str_t *want);
/* The value in want exactly: generated there or copied. */
void dt_gen_str_into(dt_cg_t *, const dt_node_t *, const dt_str_t *want);
void dt_str_address(dt_cg_t *, const dt_str_t *, int reg);
/* The register (FP, or reg, which is loaded) and offset by which the place is reached. */
int dt_str_base(dt_cg_t *, const dt_str_t *, int reg, int *offset);
/* Zeroes the place; size is a multiple of 8. */
void dt_gen_clear(dt_cg_t *, const dt_str_t *);
/* Zeroes size bytes at R1; like a call it leaves no other register as it was. */
void dt_gen_zero(dt_cg_t *, uint32_t size);
/* Comparison of two string expressions: dst = 0 or 1. */
void dt_gen_str_compare(dt_cg_t *, const dt_node_t *, int dst);
/* Whether a string is the constant 0: no string. */
bool dt_is_zero(const dt_node_t *);
/* Assignment of a string to a variable; the value's place. */
dt_str_t dt_gen_str_assign(dt_cg_t *, const dt_node_t *);

/* ---- place.c: where variables are ------------------------------------------ */

typedef enum dt_placekind {
	DT_PLACE_FRAME,	  /* this-> scalar: the frame word at base */
	DT_PLACE_SCRATCH, /* scratch + base */
	DT_PLACE_STATE,	  /* state map + base */
	DT_PLACE_SELF,	  /* the thread's variables + base */
	DT_PLACE_ASSOC,	  /* the element under key */
	DT_PLACE_MEMORY	  /* at the number in the frame word `address` */
} dt_placekind_t;

/*
 * Where an lvalue is, once everything in it (keys, indexes, pointers) has been evaluated:
 * base + offset + what the frame word `index` holds, inside the extent of its variable.
 */
typedef struct dt_place {
	dt_placekind_t kind;
	int base;
	int64_t offset;
	int index; /* 0: none */
	uint64_t extent;
	bool is_whole;	  /* the variable itself, not a part of it */
	bool is_word;	  /* a scalar that is always written as a word, extended */
	bool is_userland; /* MEMORY of the traced process */
	int address;
	int value; /* SELF: the register that is being stored there; 0: none */
	uint32_t map; /* ASSOC */
	const dt_assoc_t *assoc;
	dt_str_t key;
} dt_place_t;

/* Evaluates all that the lvalue needs; frame words stay taken. */
dt_place_t dt_gen_place(dt_cg_t *, const dt_node_t *lvalue);
/* Whether the lvalue is a D variable or a part of one: its place is not MEMORY. */
bool dt_is_in_variable(dt_cg_t *, const dt_node_t *lvalue);
/* Whether there may be nothing there: only then does dt_gen_place_pointer() go to absent. */
bool dt_place_may_be_absent(const dt_place_t *);
/*
 * The register (R0 or R1) that points to size bytes there, for the verifier to see. Goes to
 * absent when there is no such element; create: then one is made, of zeros. Faults on an
 * index out of range; MEMORY: unless it is memory that D programs own.
 */
int dt_gen_place_pointer(dt_cg_t *, const dt_place_t *, uint32_t size, bool create, int absent);
/* dst = its address as a plain number; what is absent reads as zeros. */
void dt_gen_place_address(dt_cg_t *, const dt_place_t *, uint32_t size, bool create, int dst);
/* dst = the scalar or bit-field that n is. */
void dt_gen_place_load(dt_cg_t *, const dt_place_t *, const dt_node_t *n, int dst);
/* Stores reg (kept), a scalar or bit-field. */
void dt_gen_place_store(dt_cg_t *, const dt_place_t *, const dt_node_t *n, int reg);
/* Copies size bytes from the address in the frame word. */
void dt_gen_place_copy(dt_cg_t *, const dt_place_t *, uint32_t size, int source_slot,
		       bool from_userland);
void dt_gen_place_clear(dt_cg_t *, const dt_place_t *, uint32_t size);
/* Copies a string there. */
void dt_gen_place_string(dt_cg_t *, const dt_place_t *, const dt_str_t *);

/* R0 = the thread's local variables, or NULL; create: they are made when absent. */
void dt_gen_self_pointer(dt_cg_t *, bool create);
/* reg, a pointer, becomes a plain number; uses the other register. */
void dt_gen_forget(dt_cg_t *, int reg, int other);
/* Bytes of a variable of the type, without padding. */
uint32_t dt_variable_size(dt_cgenv_t *, dt_type_t *);
/* Whether a value of the type is bytes in memory: a struct, a union, an array. */
bool dt_is_aggregate(dt_cg_t *, dt_type_t *);

/* ---- wait.c -------------------------------------------------------------- */

/* At the end of a wait, R1 being the context: R6 = its dt_wait_t, and R7 to R9 what is to be
 * told of it; goes to none where its beginning was not noted. */
void dt_gen_wait_ends(dt_cg_t *, int none);
/* Tells it, once a level has been taken; uses R2, R3 and R9. */
void dt_gen_wait_told(dt_cg_t *);
/* dst = word n of it, from 1. */
void dt_gen_wait_word(dt_cg_t *, uint32_t n, int dst);

/* ---- plan.c -------------------------------------------------------------- */

/* Fills a field for a value of the expression's type: sizes, alignment, encoding. */
void dt_describe_value(dt_cgenv_t *, const dt_node_t *, dt_field_t *);
/* ---- program.c, clause.c, part.c ------------------------------------------ */

/* Goes to miss unless the key in the register is in one of the ranges. */
void dt_gen_key_guard(dt_emit_t *, int reg, const dt_range_t *, uint32_t n, int miss);
bool dt_ecb_has_keys(const dt_ecb_t *, const dt_range_t *, uint32_t n);
/* The program's clauses, whose keys are all together the ranges. */
void dt_gen_clauses(dt_cg_t *, const dt_range_t *, uint32_t n);
/* Whether a firing of the clause makes a record. */
bool dt_clause_records(const dt_ecb_t *);
/* The clause's cold code is written later: */
void dt_leave_for_later(dt_cg_t *);
/* here. Returns how many clauses may fault. */
uint32_t dt_gen_later(dt_cg_t *);
/* The fault's record, and ERROR's clauses. */
void dt_gen_error_clauses(dt_cg_t *);

/* A divided program: the functions; returns how many are of the clauses, others are of
 * ERROR. And their calls. */
uint32_t dt_gen_parts(dt_cg_t *, const dt_range_t *, uint32_t n);
void dt_gen_part_calls(dt_cg_t *, const dt_emit_t *functions, uint32_t nparts);
/* Whether the part should end; its beginning and its end; and both, inside a clause. */
bool dt_part_is_full(const dt_cg_t *);
void dt_part_begin(dt_cg_t *);
void dt_part_end(dt_cg_t *);
void dt_part_divide(dt_cg_t *);
/* Where the part's faults meet. */
void dt_part_fault(dt_cg_t *, int label);

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
/* From now on only END fires, on any CPU; the word of dt_kstate_t at that offset, which is set,
 * says why. Wakes the consumer. */
void dt_gen_drain(dt_cg_t *, int reason);

/* The epilogue's: rings the bell for the first drop since the consumer has last looked. */
void dt_gen_drop_bell(dt_cg_t *);

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
/* reg = this CPU's entries without keys, of those in use; other is used. */
void dt_gen_active_entries(dt_cg_t *, int reg, int other);
/* R0 = the entry of the key in the buffer at R6; goes to drop when there is no room. R8 and
 * what calls do not preserve is lost. */
void dt_gen_agg_find(dt_cg_t *, const dt_agglayout_t *, const dt_str_t *key, int drop);
/* The functions that it calls. */
void dt_gen_finders(dt_cg_t *, dt_emit_t *functions);
/* Frames of the kernel's stack that are always of tracing itself: our program and what has
 * called it. Where there are more, the consumer knows them by name. */
int dt_inner_frames(const dt_cg_t *);
/* A stack (the process, frames, text of each) and a symbol's address, into the place. */
void dt_gen_stack(dt_cg_t *, const dt_field_t *, const dt_str_t *place);
void dt_gen_symbol(dt_cg_t *, const dt_node_t *call, const dt_str_t *place, bool user);
/* Whether a string key or value is known by number alone: literal or probe name. */
bool dt_str_is_id(const dt_node_t *);
/* dst = its number. */
void dt_gen_str_id(dt_cg_t *, const dt_node_t *, int dst);

#endif
