/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit.h - a BPF program as it is written: instructions, labels, references to maps.
 * Knows nothing of D.
 */
#ifndef DT_EMIT_H
#define DT_EMIT_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FP };

typedef struct dt_mapref {
	uint32_t insn; /* of the lddw */
	uint32_t map;  /* dt_mapid_t */
} dt_mapref_t;

typedef struct dt_fixup {
	uint32_t insn;
	int label;
} dt_fixup_t;

/*
 * A function after the main program. Callers name them by kind + number: parts are numbered
 * in order from 0, and so are finders.
 */
typedef enum dt_functionkind {
	DT_FUNCTION_PART = 0,
	DT_FUNCTION_FINDER = 1 << 16
} dt_functionkind_t;
typedef struct dt_function {
	uint32_t insn; /* the first */
	dt_functionkind_t kind;
	uint32_t size; /* FINDER: of a key; PART: how many of its clauses may fault */
} dt_function_t;

typedef struct dt_emit {
	struct bpf_insn *insns;
	uint32_t ninsns, capacity;
	int32_t *labels; /* instruction of each label, or -1 */
	uint32_t nlabels, label_capacity;
	dt_fixup_t *fixups;
	uint32_t nfixups, fixup_capacity;
	dt_mapref_t *maprefs;
	uint32_t nmaprefs, mapref_capacity;
	dt_fixup_t *calls; /* of support functions; label: dt_support_t */
	uint32_t ncalls, call_capacity;
	const char *context; /* the kernel's name for the struct that functions are handed */
	dt_function_t *functions; /* in order: parts, finders */
	uint32_t nfunctions, function_capacity;
	dt_fixup_t *function_calls; /* label: the function's kind + number */
	uint32_t nfunction_calls, function_call_capacity;
	bool failed;	/* out of memory, or a jump out of range: see dt_emit_finish */
	bool too_large;
} dt_emit_t;

/* Makes room for one more element of one of the arrays; false: see failed. */
bool dt_emit_grow(dt_emit_t *, void *array, uint32_t n, uint32_t *capacity, size_t size);
void dt_emit_init(dt_emit_t *);
void dt_emit_free(dt_emit_t *);
/* Resolves labels. False: out of memory or (too_large) the program is too large. */
bool dt_emit_finish(dt_emit_t *);

/* Moves what was written from the instruction on to the front. Jumps must not be resolved
 * yet. */
void dt_emit_to_front(dt_emit_t *, uint32_t insn);
/* Whether a word of the frame is read. */
bool dt_emit_reads_frame(const dt_emit_t *, int offset);

/* A function begins here. */
void dt_function_new(dt_emit_t *, dt_functionkind_t, uint32_t size);
void dt_function_call(dt_emit_t *, uint32_t function);
/* Adds a listing of functions at the end; calls in it of support functions are not taken
 * along (dt_support_append). */
void dt_emit_append(dt_emit_t *, dt_emit_t *functions);

int dt_label_new(dt_emit_t *);
void dt_label_here(dt_emit_t *, int label);
/* Whether a jump to it has been written so far. */
bool dt_label_is_used(const dt_emit_t *, int label);

void dt_emit_insn(dt_emit_t *, uint8_t code, int dst, int src, int16_t off, int32_t imm);

/* dst op= src / imm, 64 bits; op: BPF_ADD ... BPF_ARSH, BPF_MOV. */
void dt_alu_reg(dt_emit_t *, uint8_t op, int dst, int src);
void dt_alu_imm(dt_emit_t *, uint8_t op, int dst, int32_t imm);
void dt_mov(dt_emit_t *, int dst, int src);
/* dst += value; R5 is used when it takes more than 32 bits. */
void dt_add_const(dt_emit_t *, int dst, int64_t value);
/* dst = any 64-bit constant, in as few instructions as it takes. */
void dt_const(dt_emit_t *, int dst, uint64_t value);
/* dst = *(size *)(src + off), zero-extended; size 1, 2, 4, 8. */
void dt_load(dt_emit_t *, int size, int dst, int src, int off);
void dt_store(dt_emit_t *, int size, int dst, int off, int src);
void dt_store_imm(dt_emit_t *, int size, int dst, int off, int32_t imm);
/* *(size *)(dst + off) += src, atomically; size 4 or 8. fetch: src gets the old value. */
void dt_atomic_add(dt_emit_t *, int size, int dst, int off, int src, bool fetch);
/* The 8 bytes at dst + off become src if they are R0, which gets what they were. */
void dt_compare_exchange(dt_emit_t *, int dst, int off, int src);
void dt_call(dt_emit_t *, int helper);
void dt_exit(dt_emit_t *);
void dt_jump(dt_emit_t *, int label);
/* if (dst op src) goto label; op: BPF_JEQ ... 64 bits. */
void dt_jump_reg(dt_emit_t *, uint8_t op, int dst, int src, int label);
void dt_jump_imm(dt_emit_t *, uint8_t op, int dst, int32_t imm, int label);
/* dst = the map, for a helper's argument. */
void dt_map_fd(dt_emit_t *, int dst, uint32_t map);
/* dst = address of the map's first value + off. */
void dt_map_value(dt_emit_t *, int dst, uint32_t map, uint32_t off);
/* R0 = address of the map's value for the key in the frame; goto none if there is none. */
void dt_map_lookup(dt_emit_t *, uint32_t map, int key, int none);
/* dst = FP + offset */
void dt_frame_address(dt_emit_t *, int dst, int offset);
/* Sign- or zero-extends the low size bytes of reg. */
void dt_extend(dt_emit_t *, int reg, int size, bool is_signed);

#endif
