/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subr_str.c - subroutines on strings that are generated in place, by the helpers that copy
 * text; and those whose arguments must be seen to before a function in bpf/ is called.
 */
#include <string.h>

#include "codegen/subr.h"

#define AF_INET 2 /* linux/socket.h */
#define AF_INET6 10
#define ARPHRD_ETHER 1 /* linux/if_arp.h */
#define ARPHRD_INFINIBAND 32

/* ---- strlen --------------------------------------------------------------------- */

/* Whether generating the string ends with the helper that tells its length in R0. */
static bool leaves_length(const dt_node_t *n)
{
	if (n->kind == DT_N_CALL)
		return n->ident->id == DT_SUBR_COPYINSTR;
	return n->kind == DT_N_CAST && !dt_is_string(n->left);
}

/*
 * R0 = bytes of the string, with the NUL. A helper counts them while it copies: text in
 * scratch onto itself.
 */
static void gen_size(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *s)
{
	dt_str_t copy = *s;

	if (leaves_length(n))
		return;
	if (s->place != DT_STR_SCRATCH)
		copy = dt_str_new(cg, s->size, NULL);
	dt_str_address(cg, s, R3);
	dt_gen_read_str(cg, &copy, s->size, BPF_FUNC_probe_read_kernel_str);
}

void dt_subr_strlen(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	const dt_node_t *n = call->list;
	uint32_t scratch = cg->scratch;
	dt_str_t s;

	if (n->kind == DT_N_STR) {
		size_t length = strnlen(n->string, n->length);

		dt_const(cg->e, dst, dt_bound_of_text(cg->env, (uint32_t)length + 1) - 1);
		return;
	}
	s = dt_gen_str(cg, n, NULL);
	gen_size(cg, n, &s);
	dt_mov(cg->e, dst, R0);
	dt_alu_imm(cg->e, BPF_SUB, dst, 1);
	dt_scratch_release(cg, scratch);
}

/* ---- strjoin -------------------------------------------------------------------- */

/* Text that is put together, piece by piece: so far as many characters as the word says. */
typedef struct dt_joined {
	dt_str_t text;
	int length;    /* frame offset */
	bool is_empty; /* nothing was put there yet */
} dt_joined_t;

/* R1, R2 = where the next piece goes and the room there is; goes to full without any. */
static void gen_room(dt_cg_t *cg, const dt_joined_t *j, int full)
{
	dt_emit_t *e = cg->e;

	dt_str_address(cg, &j->text, R1);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)j->text.size);
	if (j->is_empty)
		return;
	dt_load(e, 8, R0, FP, j->length);
	dt_jump_imm(e, BPF_JGE, R0, (int32_t)j->text.size - 1, full);
	dt_alu_reg(e, BPF_ADD, R1, R0);
	dt_alu_reg(e, BPF_SUB, R2, R0);
}

/* Adds the text at the address in R3; R0: see dt_gen_read_str(). */
static void gen_append_text(dt_cg_t *cg, dt_joined_t *j, int helper, int address_slot)
{
	dt_emit_t *e = cg->e;
	int full = dt_label_new(e);

	gen_room(cg, j, full);
	dt_gen_read_call(cg, helper);
	if (address_slot)
		dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, address_slot);
	dt_jump_imm(e, BPF_JSLE, R0, 0, full);
	dt_alu_imm(e, BPF_SUB, R0, 1);
	if (!j->is_empty) {
		dt_load(e, 8, R1, FP, j->length);
		dt_alu_reg(e, BPF_ADD, R0, R1);
	}
	dt_store(e, 8, FP, j->length, R0);
	dt_label_here(e, full);
	j->is_empty = false;
}

static bool is_join(const dt_node_t *n)
{
	return n->kind == DT_N_CALL && n->ident->id == DT_SUBR_STRJOIN;
}

/* Text that is read from an address comes without a copy in between. */
static bool is_read(const dt_node_t *n)
{
	if (n->kind == DT_N_CALL)
		return n->ident->id == DT_SUBR_COPYINSTR && !n->list->next;
	return n->kind == DT_N_CAST && n->left->type->kind == DT_K_PTR;
}

static void gen_append(dt_cg_t *cg, dt_joined_t *j, const dt_node_t *n)
{
	int mark = cg->stack, slot = 0, helper = BPF_FUNC_probe_read_kernel_str;
	uint32_t scratch = cg->scratch;
	dt_str_t s;

	if (is_join(n)) {
		gen_append(cg, j, n->list);
		gen_append(cg, j, n->list->next);
		return;
	}
	if (is_read(n)) {
		const dt_node_t *address = n->kind == DT_N_CALL ? n->list : n->left;

		helper = n->kind == DT_N_CALL ? BPF_FUNC_probe_read_user_str
					      : dt_read_str_helper(address);
		slot = dt_gen_to_slot(cg, address);
		dt_load(cg->e, 8, R3, FP, slot);
	} else {
		s = dt_gen_str(cg, n, NULL);
		dt_str_address(cg, &s, R3);
	}
	gen_append_text(cg, j, helper, slot);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
}

/*
 * Joins of joins are one. In scratch: only there may a copy begin at a place that is not
 * constant.
 */
dt_str_t dt_subr_strjoin(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	uint32_t bound = dt_subr_bound(cg->env, call);
	int mark = cg->stack;
	dt_joined_t j = {.is_empty = true, .length = dt_stack_alloc(cg, 8)};

	if (want && want->place != DT_STR_SCRATCH)
		want = NULL;
	j.text = dt_str_new(cg, bound, want);
	dt_store_imm(cg->e, 8, FP, j.length, 0);
	gen_append(cg, &j, call);
	cg->stack = mark;
	return j.text;
}

uint32_t dt_bound_strjoin(dt_cgenv_t *env, const dt_node_t *call)
{
	return dt_bound_of_text(env, dt_str_bound(env, call->list) +
					 dt_str_bound(env, call->list->next) - 1);
}

/* ---- substr --------------------------------------------------------------------- */

/* R4 = first character, from the end if it was negative; the characters before the start
 * count, but are none. Goes to empty when none is left. R0 is the string's length. */
static void gen_first(dt_cg_t *cg, int at, int count, int empty)
{
	dt_emit_t *e = cg->e;
	int inside = dt_label_new(e), done = dt_label_new(e);

	dt_load(e, 8, R4, FP, at);
	dt_jump_imm(e, BPF_JSGE, R4, 0, done);
	dt_alu_reg(e, BPF_ADD, R4, R0);
	dt_jump_imm(e, BPF_JSGE, R4, 0, done);
	if (count) {
		dt_load(e, 8, R5, FP, count);
		dt_jump_imm(e, BPF_JSLT, R5, 0, inside);
		dt_alu_reg(e, BPF_ADD, R5, R4);
		dt_jump_imm(e, BPF_JSLE, R5, 0, empty);
		dt_store(e, 8, FP, count, R5);
		dt_label_here(e, inside);
	}
	dt_alu_imm(e, BPF_MOV, R4, 0);
	dt_label_here(e, done);
	dt_jump_reg(e, BPF_JSGE, R4, R0, empty);
}

/* R5 = how many characters from R4 on: R0 - R4, or what count says. */
static void gen_count(dt_cg_t *cg, int count, int empty)
{
	dt_emit_t *e = cg->e;
	int negative = dt_label_new(e), done = dt_label_new(e);

	dt_mov(e, R5, R0);
	dt_alu_reg(e, BPF_SUB, R5, R4);
	if (!count)
		return;
	dt_load(e, 8, R1, FP, count);
	dt_jump_imm(e, BPF_JSLT, R1, 0, negative);
	dt_jump_reg(e, BPF_JSGE, R1, R5, done);
	dt_mov(e, R5, R1);
	dt_jump(e, done);
	dt_label_here(e, negative);
	dt_alu_reg(e, BPF_ADD, R5, R1);
	dt_label_here(e, done);
	dt_jump_imm(e, BPF_JSLE, R5, 0, empty);
}

/*
 * substr(s, index[, length]): a negative index counts from the end; what lies outside the
 * text is empty; a negative length leaves off so many characters at the end.
 */
dt_str_t dt_subr_substr(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	const dt_node_t *text = call->list, *index = text->next;
	dt_str_t dst = dt_str_new(cg, dt_subr_bound(cg->env, call), want), s;
	uint32_t scratch = cg->scratch;
	int mark = cg->stack, at = dt_gen_to_slot(cg, index), count = 0;
	int empty = dt_label_new(e), done = dt_label_new(e);

	if (index->next)
		count = dt_gen_to_slot(cg, index->next);
	s = dt_gen_str(cg, text, NULL);
	gen_size(cg, text, &s);
	dt_alu_imm(e, BPF_SUB, R0, 1);
	gen_first(cg, at, count, empty);
	gen_count(cg, count, empty);

	dt_mov(e, R2, R5);
	dt_alu_imm(e, BPF_ADD, R2, 1);
	/* They are: said for the verifier. */
	dt_jump_imm(e, BPF_JGT, R2, (int32_t)dst.size, empty);
	dt_jump_imm(e, BPF_JGE, R4, (int32_t)s.size, empty);
	dt_str_address(cg, &s, R3);
	dt_alu_reg(e, BPF_ADD, R3, R4);
	dt_str_address(cg, &dst, R1);
	dt_call(e, BPF_FUNC_probe_read_kernel_str);
	dt_jump(e, done);
	dt_label_here(e, empty);
	dt_str_address(cg, &dst, R1);
	dt_store_imm(e, 1, R1, 0, 0);
	dt_label_here(e, done);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
	return dst;
}

uint32_t dt_bound_substr(dt_cgenv_t *env, const dt_node_t *call)
{
	const dt_node_t *length = call->list->next->next;
	uint32_t bound = dt_bound_of_first(env, call);

	if (length && length->kind == DT_N_INT && length->value < bound)
		return length->value ? (uint32_t)length->value + 1 : 2;
	return bound;
}

/* ---- copyinstr ------------------------------------------------------------------ */

/* The most characters that the call asks for, if that is a constant below strsize. */
static bool constant_limit(const dt_cgenv_t *env, const dt_node_t *call, uint32_t *limit)
{
	const dt_node_t *n = call->list->next;

	if (!n || n->kind != DT_N_INT || n->value >= env->strsize)
		return false;
	*limit = (uint32_t)n->value;
	return true;
}

uint32_t dt_bound_copyinstr(dt_cgenv_t *env, const dt_node_t *call)
{
	uint32_t limit;

	return constant_limit(env, call, &limit) ? dt_bound_of_text(env, limit + 1)
						 : env->strsize;
}

dt_str_t dt_subr_copyinstr(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	uint32_t bound = dt_subr_bound(cg->env, call), limit = bound - 1;
	int mark = cg->stack, slot = dt_gen_to_slot(cg, call->list), n = 0;
	dt_str_t s = dt_str_new(cg, bound, want);

	if (call->list->next && !constant_limit(cg->env, call, &limit))
		n = dt_gen_to_slot(cg, call->list->next);
	dt_str_address(cg, &s, R1);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)limit);
	if (n) {
		int whole = dt_label_new(e);

		dt_load(e, 8, R3, FP, n);
		dt_jump_imm(e, BPF_JGT, R3, (int32_t)limit, whole);
		dt_mov(e, R2, R3);
		dt_label_here(e, whole);
	}
	dt_alu_imm(e, BPF_ADD, R2, 1);
	dt_load(e, 8, R3, FP, slot);
	dt_gen_read_call(cg, BPF_FUNC_probe_read_user_str);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	cg->stack = mark;
	return s;
}

/* ---- strtok --------------------------------------------------------------------- */

/* A new string to take tokens from: a copy of it, from its start on. */
static void gen_tokens_of(dt_cg_t *cg, const dt_node_t *n)
{
	dt_str_t state = {DT_STR_SCRATCH, (int)cg->strtok, cg->env->strsize}, s;
	uint32_t scratch = cg->scratch;

	s = dt_gen_str(cg, n, NULL);
	dt_str_address(cg, &state, R1);
	dt_store_imm(cg->e, 8, R1, 0, 0);
	state.offset += 8;
	dt_str_address(cg, &s, R3);
	dt_gen_read_str(cg, &state, s.size, BPF_FUNC_probe_read_kernel_str);
	dt_scratch_release(cg, scratch);
}

/*
 * What is left of the string belongs to the firing of the probe, as a this-> variable does:
 * see place_local() in program.c.
 */
dt_str_t dt_subr_strtok(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	dt_str_t s = dt_result_new(cg, cg->env->strsize, 0);
	dt_supportargs_t a = {.n = 0};
	uint32_t scratch = cg->scratch;

	(void)want;
	if (!dt_is_zero(call->list))
		gen_tokens_of(cg, call->list);
	dt_arg_value(&a, s.offset);
	dt_arg_value(&a, (int32_t)cg->strtok);
	dt_arg_expr(cg, &a, call->list->next);
	dt_gen_support(cg, DT_SUPPORT_STRTOK, &a);
	dt_scratch_release(cg, scratch);
	return s;
}

/* ---- Numbers -------------------------------------------------------------------- */

#define LLTOSTR_WIDTH 72 /* of bpf/numbers.bpf.c: 64 binary digits, sign, NUL */
#define BASE_MIN 2
#define BASE_MAX 36

/* The base, 10 when there is none; anything but 2 to 36 faults. */
static void arg_base(dt_cg_t *cg, dt_supportargs_t *a, const dt_node_t *base)
{
	int slot;

	if (!base) {
		dt_arg_value(a, 10);
	} else if (base->kind == DT_N_INT && base->value >= BASE_MIN &&
		   base->value <= BASE_MAX) {
		dt_arg_value(a, (int32_t)base->value);
	} else {
		slot = dt_gen_to_slot(cg, base);
		dt_fault_unless_in(cg, slot, BASE_MIN, BASE_MAX);
		dt_arg_slot(a, slot);
	}
}

dt_str_t dt_subr_lltostr(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	dt_str_t s = dt_result_new(cg, dt_bound_lltostr(cg->env, call), LLTOSTR_WIDTH);
	dt_supportargs_t a = {.n = 0};
	int mark = cg->stack;

	(void)want;
	dt_arg_value(&a, s.offset);
	dt_arg_slot(&a, dt_gen_to_slot(cg, call->list));
	arg_base(cg, &a, call->list->next);
	dt_gen_support(cg, DT_SUPPORT_LLTOSTR, &a);
	dt_result_cut(cg, &s, LLTOSTR_WIDTH);
	cg->stack = mark;
	return s;
}

uint32_t dt_bound_lltostr(dt_cgenv_t *env, const dt_node_t *call)
{
	const dt_node_t *base = call->list->next;

	/* 20 digits and a sign, or 22 and the 0 of octal numbers. */
	if (!base || (base->kind == DT_N_INT && base->value >= 8))
		return dt_bound_of_text(env, 24);
	return dt_bound_of_text(env, LLTOSTR_WIDTH);
}

void dt_subr_strtoll(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_supportargs_t a = {.n = 0};
	int mark = cg->stack;
	uint32_t scratch = cg->scratch;

	dt_arg_expr(cg, &a, call->list);
	arg_base(cg, &a, call->list->next);
	dt_gen_support(cg, DT_SUPPORT_STRTOLL, &a);
	dt_mov(cg->e, dst, R0);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
}

/* ---- Network addresses ---------------------------------------------------------- */

#define ADDRESS_WIDTH 64 /* of the longest, an InfiniBand address: 20 x 3 */

uint32_t dt_bound_address(dt_cgenv_t *env, const dt_node_t *call)
{
	switch (call->ident->id) {
	case DT_SUBR_INET_NTOA:
		return dt_bound_of_text(env, 16);
	case DT_SUBR_LINK_NTOP:
		return dt_bound_of_text(env, 60);
	default:
		return dt_bound_of_text(env, 46);
	}
}

/*
 * R2 = bytes of an address of the kind in the word: one of two kinds; any other faults.
 */
static void gen_address_size(dt_cg_t *cg, int kind, int kind1, int size1, int kind2,
			     int size2)
{
	dt_emit_t *e = cg->e;
	int done = dt_label_new(e);

	dt_load(e, 8, R1, FP, kind);
	dt_alu_imm(e, BPF_MOV, R2, size1);
	dt_jump_imm(e, BPF_JEQ, R1, kind1, done);
	dt_alu_imm(e, BPF_MOV, R2, size2);
	dt_jump_imm(e, BPF_JNE, R1, kind2, dt_fault_label(cg, DTRACEFLT_ILLOP, -1, 0));
	dt_label_here(e, done);
}

/* The address's bytes, R2 of them, in scratch; the place. */
static uint32_t gen_address_bytes(dt_cg_t *cg, const dt_node_t *address, int slot)
{
	dt_emit_t *e = cg->e;
	uint32_t bytes = dt_scratch_alloc(cg, 24);

	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)bytes);
	dt_load(e, 8, R3, FP, slot);
	dt_gen_read_call(cg, address->is_userland ? BPF_FUNC_probe_read_user
						  : BPF_FUNC_probe_read_kernel);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	return bytes;
}

static dt_str_t gen_ip_address(dt_cg_t *cg, const dt_node_t *call, const dt_node_t *family,
			       int constant_family)
{
	const dt_node_t *address = family ? family->next : call->list;
	dt_str_t s = dt_result_new(cg, dt_bound_address(cg->env, call), ADDRESS_WIDTH);
	dt_supportargs_t a = {.n = 0};
	uint32_t scratch = cg->scratch;
	int mark = cg->stack, kind = 0, slot;

	if (family)
		kind = dt_gen_to_slot(cg, family);
	slot = dt_gen_to_slot(cg, address);
	if (family)
		gen_address_size(cg, kind, AF_INET, 4, AF_INET6, 16);
	else
		dt_alu_imm(cg->e, BPF_MOV, R2, constant_family == AF_INET ? 4 : 16);
	dt_arg_value(&a, s.offset);
	dt_arg_value(&a, (int32_t)gen_address_bytes(cg, address, slot));
	if (family)
		dt_arg_slot(&a, kind);
	else
		dt_arg_value(&a, constant_family);
	dt_gen_support(cg, DT_SUPPORT_INET_NTOP, &a);
	dt_result_cut(cg, &s, ADDRESS_WIDTH);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
	return s;
}

dt_str_t dt_subr_inet_ntoa(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	(void)want;
	return gen_ip_address(cg, call, NULL, AF_INET);
}

dt_str_t dt_subr_inet_ntoa6(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	(void)want;
	return gen_ip_address(cg, call, NULL, AF_INET6);
}

dt_str_t dt_subr_inet_ntop(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	(void)want;
	return gen_ip_address(cg, call, call->list, 0);
}

dt_str_t dt_subr_link_ntop(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	const dt_node_t *address = call->list->next;
	dt_str_t s = dt_result_new(cg, dt_bound_address(cg->env, call), ADDRESS_WIDTH);
	dt_supportargs_t a = {.n = 0};
	uint32_t scratch = cg->scratch;
	int mark = cg->stack, kind = dt_gen_to_slot(cg, call->list),
	    slot = dt_gen_to_slot(cg, address), size = dt_stack_alloc(cg, 8);

	(void)want;
	gen_address_size(cg, kind, ARPHRD_ETHER, 6, ARPHRD_INFINIBAND, 20);
	dt_store(e, 8, FP, size, R2);
	dt_arg_value(&a, s.offset);
	dt_arg_value(&a, (int32_t)gen_address_bytes(cg, address, slot));
	dt_arg_slot(&a, size);
	dt_gen_support(cg, DT_SUPPORT_LINK_NTOP, &a);
	dt_result_cut(cg, &s, ADDRESS_WIDTH);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
	return s;
}
