/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggfind.c - the entry of a key in the CPU's active aggregation buffer.
 *
 * The buffer holds a hash table (see enable/kernel.h): the words of the key are mixed into
 * a hash, its chain is walked, and a missing entry is made at the end of the buffer. Where
 * the entry of such a hash was found last is kept near the CPU's words, and looked at in
 * place; most often it is the one. For everything else there is a function, one for each
 * size of key and of entry, which the verifier checks once, however many statements call
 * it:
 *
 *	u64 find(buffer *, key *, u64 hash, dt_kcpu_t *, u64 varid): offset, or 0
 *
 * Large keys are left to it entirely: it mixes and compares them in loops.
 *
 * A program that interrupts between the reading of a chain's head and its writing may have
 * put an entry there that is then unlinked; the consumer reads entries in the order of
 * their places, not by chains, so nothing of it is lost.
 */
#include "codegen/cg.h"

/* Entries that are tried in a chain before the value is dropped. */
#define CHAIN_MAX 48
/* Keys of more bytes are mixed and compared in loops. */
#define INLINE_KEY_MAX 256

#define HASH_SEED 0x9e3779b97f4a7c15u
#define HASH_FACTOR 0xff51afd7ed558ccdu

/* Frame of the function. */
enum { FIND_VARID = -8, FIND_HEAD = -16 };

/* ---- Hashes -------------------------------------------------------------------------- */

/* hash = hash mixed with the word in R2; R3 is the factor. */
static void gen_mix(dt_emit_t *e, int hash)
{
	dt_alu_reg(e, BPF_XOR, hash, R2);
	dt_alu_reg(e, BPF_MUL, hash, R3);
	dt_mov(e, R2, hash);
	dt_alu_imm(e, BPF_RSH, R2, 32);
	dt_alu_reg(e, BPF_XOR, hash, R2);
}

/* R8 = hash of the key. */
static void gen_hash(dt_cg_t *cg, const dt_agglayout_t *layout, const dt_str_t *key)
{
	dt_emit_t *e = cg->e;
	int at, base = dt_str_base(cg, key, R1, &at);

	dt_const(e, R8, HASH_SEED * (uint64_t)layout->varid);
	dt_const(e, R3, HASH_FACTOR);
	for (uint32_t i = 0; i < layout->key_size; i += 8) {
		dt_load(e, 8, R2, base, at + (int)i);
		gen_mix(e, R8);
	}
}

/* ---- In place --------------------------------------------------------------------------- */

static uint32_t entry_size(const dt_agglayout_t *layout)
{
	return (uint32_t)sizeof(dt_kaggent_t) + layout->key_size + layout->value_size;
}

static dt_agginit_t init_of(const dt_agglayout_t *layout)
{
	return layout->func == DTRACEAGG_MIN   ? DT_AGGINIT_MIN
	       : layout->func == DTRACEAGG_MAX ? DT_AGGINIT_MAX
					       : DT_AGGINIT_ZERO;
}

/* The number of the function for such keys and entries. */
static uint32_t finder_for(dt_cg_t *cg, const dt_agglayout_t *layout)
{
	dt_finder_t want = {layout->key_size, entry_size(layout), init_of(layout)}, *grown;

	for (uint32_t i = 0; i < cg->nfinders; i++)
		if (cg->finders[i].key_size == want.key_size &&
		    cg->finders[i].entry_size == want.entry_size &&
		    cg->finders[i].init == want.init)
			return i;
	grown = dt_arena_alloc(cg->env->arena, (cg->nfinders + 1) * sizeof(*grown));
	if (!grown) {
		dt_cg_fail(cg, EDT_NOMEM, cg->ecb->clause->line, "out of memory");
		return 0;
	}
	for (uint32_t i = 0; i < cg->nfinders; i++)
		grown[i] = cg->finders[i];
	grown[cg->nfinders] = want;
	cg->finders = grown;
	return cg->nfinders++;
}

/* R1 = the word that says where the hash's entry was last; R2 is used. */
static void gen_near(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	dt_gen_active_entries(cg, R1, R2);
	dt_mov(e, R2, R8);
	dt_alu_imm(e, BPF_RSH, R2, 64 - DT_AGG_NEAR_BITS);
	dt_alu_imm(e, BPF_LSH, R2, 2);
	dt_alu_reg(e, BPF_ADD, R1, R2);
	dt_add_const(e, R1, cg->env->fixed_size);
}

/* R0 = the entry, if it is where the hash's was last; otherwise goes to other. */
static void gen_last(dt_cg_t *cg, const dt_agglayout_t *layout, const dt_str_t *key, int found,
		      int other)
{
	dt_emit_t *e = cg->e;
	uint32_t size = entry_size(layout);
	int at, base;

	gen_hash(cg, layout, key);
	gen_near(cg);
	dt_load(e, 4, R0, R1, 0);
	dt_jump_imm(e, BPF_JEQ, R0, 0, other);
	dt_jump_imm(e, BPF_JGT, R0, (int32_t)(cg->env->aggsize - size), other);
	dt_alu_imm(e, BPF_AND, R0, -8); /* it is: said for the verifier, which adds atomically */
	dt_alu_reg(e, BPF_ADD, R0, R6);
	dt_load(e, 8, R1, R0, offsetof(dt_kaggent_t, hash));
	dt_jump_reg(e, BPF_JNE, R1, R8, other);
	if (cg->env->nkeyed > 1) {
		dt_load(e, 4, R1, R0, offsetof(dt_kaggent_t, varid));
		dt_jump_imm(e, BPF_JNE, R1, (int32_t)layout->varid, other);
	}
	base = dt_str_base(cg, key, R1, &at);
	for (uint32_t i = 0; i < layout->key_size; i += 8) {
		bool last = i + 8 == layout->key_size;

		dt_load(e, 8, R2, R0, (int)(sizeof(dt_kaggent_t) + i));
		dt_load(e, 8, R3, base, at + (int)i);
		dt_jump_reg(e, last ? BPF_JEQ : BPF_JNE, R2, R3, last ? found : other);
	}
}

void dt_gen_agg_find(dt_cg_t *cg, const dt_agglayout_t *layout, const dt_str_t *key, int drop)
{
	dt_emit_t *e = cg->e;
	uint32_t size = entry_size(layout);
	int found = dt_label_new(e), other = dt_label_new(e);

	if (size + cg->env->entries_offset > cg->env->aggsize) {
		dt_cg_fail(cg, EDT_TOOLARGE, cg->ecb->clause->line,
			   "an aggregation's entry takes %u bytes, more than aggsize (%u)",
			   size, cg->env->aggsize);
		return;
	}
	if (layout->key_size <= INLINE_KEY_MAX) {
		gen_last(cg, layout, key, found, other);
		dt_label_here(e, other);
		dt_mov(e, R3, R8);
	} else {
		dt_const(e, R3, HASH_SEED * (uint64_t)layout->varid);
	}
	dt_mov(e, R1, R6);
	dt_str_address(cg, key, R2);
	dt_load(e, 8, R4, FP, DT_FRAME_CPUS);
	dt_alu_imm(e, BPF_MOV, R5, (int32_t)layout->varid);
	dt_function_call(e, DT_FUNCTION_FINDER + finder_for(cg, layout));
	dt_jump_imm(e, BPF_JEQ, R0, 0, drop);
	dt_jump_imm(e, BPF_JGT, R0, (int32_t)(cg->env->aggsize - size), drop);
	dt_alu_imm(e, BPF_AND, R0, -8);
	if (layout->key_size <= INLINE_KEY_MAX) {
		gen_near(cg);
		dt_store(e, 4, R1, 0, R0);
	}
	dt_alu_reg(e, BPF_ADD, R0, R6);
	dt_label_here(e, found);
}

/* ---- The function ------------------------------------------------------------------------ */

/* R8 = hash of the words of the key at R9. */
static void gen_hash_loop(dt_emit_t *e, uint32_t words)
{
	int loop = dt_label_new(e);

	dt_const(e, R3, HASH_FACTOR);
	dt_mov(e, R1, R9);
	dt_const(e, R4, words);
	dt_label_here(e, loop);
	dt_load(e, 8, R2, R1, 0);
	gen_mix(e, R8);
	dt_alu_imm(e, BPF_ADD, R1, 8);
	dt_alu_imm(e, BPF_SUB, R4, 1);
	dt_jump_imm(e, BPF_JNE, R4, 0, loop);
}

/* Goes to differs unless some words at R4 are those at R9: one branch for all of them. */
static void gen_compare_words(dt_emit_t *e, uint32_t words, int differs)
{
	for (uint32_t i = 0; i < words; i++) {
		dt_load(e, 8, i ? R3 : R2, R4, (int)(8 * i));
		dt_load(e, 8, R0, R9, (int)(8 * i));
		dt_alu_reg(e, BPF_XOR, i ? R3 : R2, R0);
		if (i)
			dt_alu_reg(e, BPF_OR, R2, R3);
	}
	dt_jump_imm(e, BPF_JNE, R2, 0, differs);
}

#define COMPARE_WORDS 16 /* in one round: the verifier follows 8,192 branches at most */

/* Goes to differs unless the words at R4 are those of the key at R9. */
static void gen_compare(dt_emit_t *e, uint32_t size, int differs)
{
	uint32_t rounds = size / 8 / COMPARE_WORDS;
	int loop = dt_label_new(e);

	if (size > INLINE_KEY_MAX) {
		dt_const(e, R5, rounds);
		dt_label_here(e, loop);
		gen_compare_words(e, COMPARE_WORDS, differs);
		dt_alu_imm(e, BPF_ADD, R4, 8 * COMPARE_WORDS);
		dt_alu_imm(e, BPF_ADD, R9, 8 * COMPARE_WORDS);
		dt_alu_imm(e, BPF_SUB, R5, 1);
		dt_jump_imm(e, BPF_JNE, R5, 0, loop);
		size -= rounds * 8 * COMPARE_WORDS;
	}
	if (size)
		gen_compare_words(e, size / 8, differs);
}

/*
 * R1 = offset of the first entry of the chain: the one that is wanted is returned, and so is
 * 0 when the chain is too long. Falls through at its end.
 *
 * In the loop there is but one branch that goes on in it: several would double what the
 * verifier has to follow, in each round. So the keys are compared outside; two different
 * ones of the same hash (64 bits) are not to be expected, and cost a counted drop.
 */
static void gen_walk(const dt_cgenv_t *env, dt_emit_t *e, const dt_finder_t *f, int fail)
{
	int loop = dt_label_new(e), match = dt_label_new(e), end = dt_label_new(e);

	dt_alu_imm(e, BPF_MOV, R5, CHAIN_MAX);
	dt_label_here(e, loop);
	dt_jump_imm(e, BPF_JEQ, R1, 0, end);
	dt_jump_imm(e, BPF_JGT, R1, (int32_t)(env->aggsize - f->entry_size), fail);
	dt_mov(e, R4, R6);
	dt_alu_reg(e, BPF_ADD, R4, R1);
	dt_load(e, 8, R2, R4, offsetof(dt_kaggent_t, hash));
	dt_alu_reg(e, BPF_XOR, R2, R8);
	dt_load(e, 4, R3, R4, offsetof(dt_kaggent_t, varid));
	dt_load(e, 8, R0, FP, FIND_VARID);
	dt_alu_reg(e, BPF_XOR, R3, R0);
	dt_alu_reg(e, BPF_OR, R2, R3);
	dt_jump_imm(e, BPF_JEQ, R2, 0, match);
	dt_load(e, 4, R1, R4, offsetof(dt_kaggent_t, next));
	dt_alu_imm(e, BPF_SUB, R5, 1);
	dt_jump_imm(e, BPF_JNE, R5, 0, loop);
	dt_jump(e, fail);
	dt_label_here(e, match);
	dt_alu_imm(e, BPF_ADD, R4, sizeof(dt_kaggent_t));
	gen_compare(e, f->key_size, fail);
	dt_mov(e, R0, R1);
	dt_exit(e);
	dt_label_here(e, end);
}

/* Copies the key at R9 to the entry at R1. */
static void gen_copy_key(dt_emit_t *e, const dt_finder_t *f)
{
	if (f->key_size <= INLINE_KEY_MAX) {
		for (uint32_t i = 0; i < f->key_size; i += 8) {
			dt_load(e, 8, R2, R9, (int)i);
			dt_store(e, 8, R1, (int)(sizeof(dt_kaggent_t) + i), R2);
		}
		return;
	}
	dt_alu_imm(e, BPF_ADD, R1, sizeof(dt_kaggent_t));
	dt_const(e, R2, f->key_size);
	dt_mov(e, R3, R9);
	dt_call(e, BPF_FUNC_probe_read_kernel);
}

/* Makes the entry at the end of the buffer and returns its offset. R7: see gen_finder(). */
static void gen_make(const dt_cgenv_t *env, dt_emit_t *e, const dt_finder_t *f, int fail)
{
	int fits = dt_label_new(e);

	dt_const(e, R1, f->entry_size);
	dt_atomic_add(e, 4, R7, offsetof(dt_kcpu_t, aggregation_used), R1, true);
	dt_jump_imm(e, BPF_JLE, R1, (int32_t)(env->aggsize - f->entry_size), fits);
	dt_const(e, R1, (uint64_t)-(int64_t)f->entry_size);
	dt_atomic_add(e, 4, R7, offsetof(dt_kcpu_t, aggregation_used), R1, false);
	dt_jump(e, fail);

	dt_label_here(e, fits);
	dt_mov(e, R7, R1);
	dt_alu_reg(e, BPF_ADD, R1, R6);
	dt_load(e, 8, R2, FP, FIND_VARID);
	dt_store(e, 4, R1, offsetof(dt_kaggent_t, varid), R2);
	dt_store(e, 8, R1, offsetof(dt_kaggent_t, hash), R8);
	dt_load(e, 8, R3, FP, FIND_HEAD);
	dt_load(e, 4, R2, R3, 0);
	dt_store(e, 4, R1, offsetof(dt_kaggent_t, next), R2);
	if (f->init != DT_AGGINIT_ZERO) {
		dt_const(e, R2,
			 f->init == DT_AGGINIT_MIN ? (uint64_t)INT64_MAX : (uint64_t)INT64_MIN);
		dt_store(e, 8, R1, (int)(sizeof(dt_kaggent_t) + f->key_size), R2);
	}
	gen_copy_key(e, f);
	dt_load(e, 8, R3, FP, FIND_HEAD);
	dt_store(e, 4, R3, 0, R7);
	dt_mov(e, R0, R7);
	dt_exit(e);
}

/* R6 buffer, R7 dt_kcpu_t + 4 x which buffer, R8 hash, R9 key. */
static void gen_finder(const dt_cgenv_t *env, dt_emit_t *e, const dt_finder_t *f)
{
	int fail = dt_label_new(e);

	dt_function_new(e, DT_FUNCTION_FINDER, f->key_size);
	dt_jump_imm(e, BPF_JEQ, R1, 0, fail);
	dt_jump_imm(e, BPF_JEQ, R2, 0, fail);
	dt_jump_imm(e, BPF_JEQ, R4, 0, fail);
	dt_mov(e, R6, R1);
	dt_mov(e, R9, R2);
	dt_mov(e, R8, R3);
	dt_mov(e, R7, R4);
	dt_store(e, 8, FP, FIND_VARID, R5);
	dt_load(e, 4, R1, R7, offsetof(dt_kcpu_t, aggregation_active));
	dt_alu_imm(e, BPF_AND, R1, 1);
	dt_alu_imm(e, BPF_LSH, R1, 2);
	dt_alu_reg(e, BPF_ADD, R7, R1);
	if (f->key_size > INLINE_KEY_MAX)
		gen_hash_loop(e, f->key_size / 8);
	dt_mov(e, R2, R8);
	dt_alu_imm(e, BPF_AND, R2, (int32_t)(env->nbuckets - 1));
	dt_alu_imm(e, BPF_LSH, R2, 2);
	dt_alu_reg(e, BPF_ADD, R2, R6);
	dt_alu_imm(e, BPF_ADD, R2, DT_AGG_HEADS);
	dt_store(e, 8, FP, FIND_HEAD, R2);
	dt_load(e, 4, R1, R2, 0);
	gen_walk(env, e, f, fail);
	gen_make(env, e, f, fail);
	dt_label_here(e, fail);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
}

void dt_gen_finders(dt_cg_t *cg, dt_emit_t *functions)
{
	for (uint32_t i = 0; i < cg->nfinders && !cg->failed; i++)
		gen_finder(cg->env, functions, &cg->finders[i]);
}
