/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.c - strings. A string expression's value is a place in memory of a size known at
 * compile time: the bound, which each kind of expression has (a literal its length, a
 * command name 16 bytes, a variable strsize). Nothing more is ever copied or compared.
 *
 * Kernel helpers do the copying: bpf_probe_read_kernel_str() ends what it copies with a
 * NUL, never exceeds the size given, and tells the length. It takes any source address,
 * so the verifier has nothing to prove about the text.
 */
#include <string.h>

#include "codegen/subr.h"

#define TASK_COMM_LEN 16 /* linux/sched.h; part of the kernel's interface */

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t name_bound(const char *name)
{
	return name ? (uint32_t)strlen(name) + 1 : DTRACE_FUNCNAMELEN;
}

uint32_t dt_str_bound(dt_cgenv_t *env, const dt_node_t *n)
{
	dt_type_t *t;
	uint32_t a, b;

	switch (n->kind) {
	case DT_N_STR:
		return smaller(env->strsize, (uint32_t)n->length + 1);
	case DT_N_VAR:
		if (n->ident->kind != DT_I_BUILTIN)
			return env->strsize;
		/* Names are short by the limits of dtrace_probedesc_t. */
		return smaller(env->strsize, n->ident->id == DT_VAR_EXECNAME ? TASK_COMM_LEN
									    : 192);
	case DT_N_COND:
		a = dt_str_bound(env, n->right);
		b = dt_str_bound(env, n->third);
		return a > b ? a : b;
	case DT_N_COMMA:
	case DT_N_ASSIGN:
		return dt_str_bound(env, n->right);
	case DT_N_CAST:
		if (dt_is_string(n->left))
			return dt_str_bound(env, n->left);
		t = dt_type_resolve(env->hdl, n->left->type);
		if (t->kind == DT_K_ARRAY)
			return smaller(env->strsize, t->count + 1);
		return env->strsize;
	case DT_N_CALL:
		return dt_subr_bound(env, n);
	default:
		return env->strsize;
	}
}

/* ---- Places --------------------------------------------------------------- */

void dt_str_address(dt_cg_t *cg, const dt_str_t *s, int reg)
{
	dt_emit_t *e = cg->e;

	switch (s->place) {
	case DT_STR_FRAME:
		dt_mov(e, reg, FP);
		break;
	case DT_STR_SCRATCH:
		dt_load(e, 8, reg, FP, DT_FRAME_SCRATCH);
		break;
	case DT_STR_RECORD:
		dt_load(e, 8, reg, FP, DT_FRAME_RECORD);
		break;
	case DT_STR_STATE:
		dt_map_value(e, reg, DT_MAP_STATE, (uint32_t)s->offset);
		return;
	case DT_STR_CONST:
		dt_map_value(e, reg, DT_MAP_STRINGS, (uint32_t)s->offset);
		return;
	case DT_STR_NONE:
		return;
	}
	if (s->offset)
		dt_alu_imm(e, BPF_ADD, reg, s->offset);
}

int dt_str_base(dt_cg_t *cg, const dt_str_t *s, int reg, int *offset)
{
	dt_str_t start = *s;

	*offset = 0;
	if (s->place == DT_STR_FRAME) {
		*offset = s->offset;
		return FP;
	}
	if (s->place == DT_STR_SCRATCH || s->place == DT_STR_RECORD) {
		*offset = s->offset;
		start.offset = 0;
	}
	dt_str_address(cg, &start, reg);
	return reg;
}

/* Above this a call is shorter than the stores. */
#define ZERO_BY_STORES 128

void dt_gen_zero(dt_cg_t *cg, uint32_t size)
{
	uint32_t at = 0;

	if (size <= ZERO_BY_STORES) {
		for (; at + 8 <= size; at += 8)
			dt_store_imm(cg->e, 8, R1, (int)at, 0);
		for (; at < size; at++)
			dt_store_imm(cg->e, 1, R1, (int)at, 0);
		return;
	}
	/* What cannot be read is read as zeros: nothing is at address 0. */
	dt_const(cg->e, R2, size);
	dt_alu_imm(cg->e, BPF_MOV, R3, 0);
	dt_call(cg->e, BPF_FUNC_probe_read_kernel);
}

void dt_gen_clear(dt_cg_t *cg, const dt_str_t *s)
{
	dt_str_address(cg, s, R1);
	dt_gen_zero(cg, s->size);
}

static bool same_place(const dt_str_t *a, const dt_str_t *b)
{
	return a->place == b->place && a->offset == b->offset;
}

dt_str_t dt_str_new(dt_cg_t *cg, uint32_t bound, const dt_str_t *want)
{
	if (want && want->size >= bound)
		return (dt_str_t){want->place, want->offset, bound};
	return (dt_str_t){DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, bound), bound};
}

void dt_gen_read_str(dt_cg_t *cg, const dt_str_t *dst, uint32_t size, int helper)
{
	dt_str_address(cg, dst, R1);
	dt_alu_imm(cg->e, BPF_MOV, R2, (int32_t)size);
	dt_gen_read_call(cg, helper);
}

static void gen_copy(dt_cg_t *cg, const dt_str_t *from, const dt_str_t *to)
{
	dt_str_address(cg, from, R3);
	dt_gen_read_str(cg, to, smaller(from->size, to->size), BPF_FUNC_probe_read_kernel_str);
}

void dt_gen_str_into(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_str_t s = dt_gen_str(cg, n, want);

	if (!same_place(&s, want))
		gen_copy(cg, &s, want);
}

/* The support functions work in scratch: copies the text there if it is elsewhere. */
uint32_t dt_gen_str_scratch(dt_cg_t *cg, const dt_node_t *n)
{
	dt_str_t s = dt_gen_str(cg, n, NULL), copy;

	if (s.place == DT_STR_SCRATCH)
		return (uint32_t)s.offset;
	copy = (dt_str_t){DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, s.size), s.size};
	gen_copy(cg, &s, &copy);
	return (uint32_t)copy.offset;
}

/* ---- Constants and names -------------------------------------------------- */

static dt_str_t const_text(dt_cg_t *cg, const char *text, size_t length)
{
	uint32_t offset;

	if (length + 1 > cg->env->strsize)
		length = cg->env->strsize - 1;
	offset = dt_strings_intern(cg->env, text, length);
	return (dt_str_t){DT_STR_CONST, (int)offset, (uint32_t)length + 1};
}

static const char *constant_name(const dt_ecb_t *ecb, uint32_t varid)
{
	return varid == DT_VAR_PROBEPROV  ? ecb->provider
	       : varid == DT_VAR_PROBEMOD ? ecb->module
	       : varid == DT_VAR_PROBEFUNC ? ecb->function
					   : ecb->name;
}

static bool is_probe_name(const dt_node_t *n)
{
	return n->kind == DT_N_VAR && n->ident->kind == DT_I_BUILTIN &&
	       (n->ident->id == DT_VAR_PROBEPROV || n->ident->id == DT_VAR_PROBEMOD ||
		n->ident->id == DT_VAR_PROBEFUNC || n->ident->id == DT_VAR_PROBENAME);
}

bool dt_is_execname(const dt_node_t *n)
{
	return n->kind == DT_N_VAR && n->ident->kind == DT_I_BUILTIN &&
	       n->ident->id == DT_VAR_EXECNAME;
}

bool dt_str_is_id(const dt_node_t *n)
{
	return n->kind == DT_N_STR || is_probe_name(n);
}

static const char *probe_part(const dt_probe_t *probe, uint32_t varid)
{
	const dtrace_probedesc_t *desc = &probe->desc;

	return varid == DT_VAR_PROBEPROV  ? desc->dtpd_provider
	       : varid == DT_VAR_PROBEMOD ? desc->dtpd_mod
	       : varid == DT_VAR_PROBEFUNC ? desc->dtpd_func
					   : desc->dtpd_name;
}

/* Writes the names of the program's probes into the table, if there is one; the size of the
 * longest. */
static uint32_t walk_names(const dt_program_t *p, uint32_t varid, char *table, uint32_t stride)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < p->necbs; i++) {
		for (uint32_t k = 0; k < p->ecbs[i]->nprobes; k++) {
			const dt_probe_t *probe = p->ecbs[i]->probes[k];
			const char *name = probe_part(probe, varid);
			uint32_t size = (uint32_t)strlen(name) + 1;

			if (table)
				memcpy(table + (size_t)probe->key * stride, name, size);
			if (size > longest)
				longest = size;
		}
	}
	return longest;
}

/* The table of one part of the names of the program's probes; its base is 8-byte aligned. */
static const dt_nametable_t *name_table(dt_cg_t *cg, uint32_t varid)
{
	dt_program_t *p = cg->program;
	dt_nametable_t *names = &p->names[varid == DT_VAR_PROBEPROV   ? 0
					  : varid == DT_VAR_PROBEMOD  ? 1
					  : varid == DT_VAR_PROBEFUNC ? 2
								      : 3];
	size_t size;
	char *table;

	if (names->stride)
		return names;
	names->stride = (walk_names(p, varid, NULL, 0) + 7) & ~7u;
	size = (size_t)p->attach->nkeys * names->stride;
	table = dt_arena_alloc(cg->env->arena, size);
	if (table) {
		walk_names(p, varid, table, names->stride);
		names->base = dt_strings_intern(cg->env, table, size);
	}
	if (!table || names->base == UINT32_MAX)
		dt_cg_fail(cg, EDT_NOMEM, cg->ecb->clause->line, "out of memory");
	return names;
}

void dt_gen_str_id(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	const dt_nametable_t *names;
	const char *text = n->kind == DT_N_STR ? n->string : constant_name(cg->ecb, n->ident->id);
	size_t length = n->kind == DT_N_STR ? n->length : text ? strlen(text) : 0;

	if (text) {
		dt_const(cg->e, dst, (uint64_t)const_text(cg, text, length).offset);
		return;
	}
	names = name_table(cg, n->ident->id);
	dt_load(cg->e, 8, dst, FP, DT_FRAME_KEY);
	dt_alu_imm(cg->e, BPF_MUL, dst, (int32_t)names->stride);
	dt_alu_imm(cg->e, BPF_ADD, dst, (int32_t)names->base);
}

/* The task's own words where it is known where they are: a tenth of what the helper costs. The
 * kernel fills a name up with zeroes (set_task_comm() in fs/exec.c). */
static bool gen_task_comm(dt_cg_t *cg, const dt_str_t *s)
{
	dt_emit_t *e = cg->e;
	uint32_t offset, size;
	int base, at;

	if (s->size != TASK_COMM_LEN || s->offset % 8 != 0 ||
	    dt_kernel_member(cg->env->hdl, "task_struct", "comm", &offset, &size) != 0 ||
	    size != TASK_COMM_LEN)
		return false;
	dt_call(e, BPF_FUNC_get_current_task_btf);
	base = dt_str_base(cg, s, R1, &at);
	for (int i = 0; i < TASK_COMM_LEN; i += 8) {
		dt_load(e, 8, R2, R0, (int)offset + i);
		dt_store(e, 8, base, at + i, R2);
	}
	return true;
}

static dt_str_t gen_execname(dt_cg_t *cg, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	dt_str_t s = dt_str_new(cg, smaller(TASK_COMM_LEN, cg->env->strsize), want);

	if (!gen_task_comm(cg, &s)) {
		dt_str_address(cg, &s, R1);
		dt_alu_imm(e, BPF_MOV, R2, (int32_t)s.size);
		dt_call(e, BPF_FUNC_get_current_comm);
	}
	return s;
}

static dt_str_t gen_builtin_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	const dt_nametable_t *names;
	const char *text;
	dt_str_t s;

	if (n->ident->id == DT_VAR_EXECNAME)
		return gen_execname(cg, want);
	if (!is_probe_name(n)) {
		dt_cg_unsupported(cg, n, n->ident->name);
		return (dt_str_t){DT_STR_NONE, 0, 1};
	}
	text = constant_name(cg->ecb, n->ident->id);
	if (text)
		return const_text(cg, text, strlen(text));
	s = dt_str_new(cg, smaller(name_bound(NULL), cg->env->strsize), want);
	names = name_table(cg, n->ident->id);
	dt_map_value(e, R3, DT_MAP_STRINGS, names->base);
	dt_load(e, 8, R1, FP, DT_FRAME_KEY);
	dt_alu_imm(e, BPF_MUL, R1, (int32_t)names->stride);
	dt_jump_imm(e, BPF_JGE, R1, (int32_t)(cg->ecb->attach_nkeys * names->stride),
		    cg->next_label);
	dt_alu_reg(e, BPF_ADD, R3, R1);
	dt_gen_read_str(cg, &s, s.size, BPF_FUNC_probe_read_kernel_str);
	return s;
}

/* ---- Variables ------------------------------------------------------------ */

static dt_str_t var_place(dt_cg_t *cg, const dt_ident_t *ident)
{
	if (ident->scope == DT_SCOPE_GLOBAL)
		return (dt_str_t){DT_STR_STATE, (int)ident->storage, cg->env->strsize};
	return (dt_str_t){DT_STR_SCRATCH, (int)cg->this_scratch[ident->order] - 1,
			  cg->env->strsize};
}

static bool has_place(const dt_node_t *n)
{
	return n->kind == DT_N_VAR && n->ident->kind == DT_I_VAR &&
	       n->ident->scope != DT_SCOPE_SELF;
}

/* Copies the text there, or makes an empty string where there is none. */
static dt_str_t gen_placed(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, absent = dt_label_new(e), done = dt_label_new(e), reg;
	dt_str_t s = dt_str_new(cg, cg->env->strsize, want);
	dt_place_t place = dt_gen_place(cg, n);

	reg = dt_gen_place_pointer(cg, &place, s.size, false, absent);
	dt_mov(e, R3, reg);
	dt_gen_read_str(cg, &s, s.size, BPF_FUNC_probe_read_kernel_str);
	if (dt_place_may_be_absent(&place)) {
		dt_jump(e, done);
		dt_label_here(e, absent);
		dt_str_address(cg, &s, R1);
		dt_store_imm(e, 1, R1, 0, 0);
		dt_label_here(e, done);
	}
	cg->stack = mark;
	return s;
}

/* The text at an address in memory, which the node's value is. */
static dt_str_t gen_addressed(dt_cg_t *cg, uint32_t bound, int helper, int slot,
			      const dt_str_t *want)
{
	dt_str_t s = dt_str_new(cg, bound, want);

	dt_load(cg->e, 8, R3, FP, slot);
	dt_gen_read_str(cg, &s, s.size, helper);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	return s;
}

static dt_str_t gen_lvalue_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	int mark = cg->stack, slot;
	dt_loan_t r;
	dt_str_t s;

	if (n->kind == DT_N_VAR && n->ident->kind == DT_I_BUILTIN)
		return gen_builtin_str(cg, n, want);
	if (has_place(n))
		return var_place(cg, n->ident);
	if (dt_is_in_variable(cg, n))
		return gen_placed(cg, n, want);
	slot = dt_stack_alloc(cg, 8);
	r = dt_reg_borrow(cg);
	dt_gen_address(cg, n, false, r.reg);
	dt_store(cg->e, 8, FP, slot, r.reg);
	dt_reg_return(cg, &r);
	s = gen_addressed(cg, cg->env->strsize, dt_read_str_helper(n), slot, want);
	cg->stack = mark;
	return s;
}

bool dt_is_zero(const dt_node_t *n)
{
	while (n->kind == DT_N_CAST)
		n = n->left;
	return n->kind == DT_N_INT && n->value == 0;
}

dt_str_t dt_gen_str_assign(dt_cg_t *cg, const dt_node_t *n)
{
	dt_str_t value, there;
	dt_place_t place;
	int mark = cg->stack;

	if (dt_is_zero(n->right)) /* x = 0: the empty string */
		value = const_text(cg, "", 0);
	else
		value = dt_gen_str(cg, n->right, NULL);
	if (has_place(n->left)) {
		there = var_place(cg, n->left->ident);
		if (!same_place(&value, &there))
			gen_copy(cg, &value, &there);
	} else {
		place = dt_gen_place(cg, n->left);
		if (dt_is_zero(n->right))
			dt_gen_place_clear(cg, &place, 1);
		else
			dt_gen_place_string(cg, &place, &value);
	}
	cg->stack = mark;
	return value;
}

/* ---- Expressions ---------------------------------------------------------- */

static dt_str_t gen_cond_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	uint32_t bound = dt_str_bound(cg->env, n);
	dt_str_t s = dt_str_new(cg, bound, want);
	uint32_t scratch;
	int no = dt_label_new(cg->e), done = dt_label_new(cg->e);

	scratch = cg->scratch;
	dt_gen_branch(cg, n->left, no, false);
	dt_scratch_release(cg, scratch);
	dt_gen_str_into(cg, n->right, &s);
	dt_scratch_release(cg, scratch);
	dt_jump(cg->e, done);
	dt_label_here(cg->e, no);
	dt_gen_str_into(cg, n->third, &s);
	dt_scratch_release(cg, scratch);
	dt_label_here(cg->e, done);
	return s;
}

int dt_read_str_helper(const dt_node_t *pointer)
{
	return pointer->is_userland || dt_lies_in_userland(pointer)
		   ? BPF_FUNC_probe_read_user_str
		   : BPF_FUNC_probe_read_kernel_str;
}

/* stringof(pointer): the text at an address. */
static dt_str_t gen_cast_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_str_t s;
	int mark = cg->stack, slot;

	if (dt_is_string(n->left))
		return dt_gen_str(cg, n->left, want);
	slot = dt_gen_to_slot(cg, n->left);
	s = gen_addressed(cg, dt_str_bound(cg->env, n), dt_read_str_helper(n->left), slot, want);
	cg->stack = mark;
	return s;
}

static dt_str_t gen_text(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	switch (n->kind) {
	case DT_N_STR:
		return const_text(cg, n->string, n->length);
	case DT_N_VAR:
	case DT_N_INDEX:
	case DT_N_MEMBER:
	case DT_N_DEREF:
		return gen_lvalue_str(cg, n, want);
	case DT_N_COND:
		return gen_cond_str(cg, n, want);
	case DT_N_CAST:
		return gen_cast_str(cg, n, want);
	case DT_N_COMMA:
		dt_gen_effect(cg, n->left);
		return dt_gen_str(cg, n->right, want);
	case DT_N_ASSIGN:
		return dt_gen_str_assign(cg, n);
	case DT_N_CALL:
		return dt_gen_subr_str(cg, n, want);
	default:
		dt_cg_unsupported(cg, n, "the string expression");
		return (dt_str_t){DT_STR_NONE, 0, 1};
	}
}

dt_str_t dt_gen_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_refuge_t refuge;
	dt_str_t s;

	if (cg->failed)
		return (dt_str_t){DT_STR_NONE, 0, 1};
	refuge = dt_frame_put_away(cg);
	if (refuge.stack && want && want->place == DT_STR_FRAME)
		want = NULL; /* it is not there for now */
	s = gen_text(cg, n, want);
	dt_frame_put_back(cg, &refuge);
	return s;
}

/* ---- Comparison ----------------------------------------------------------- */

static uint64_t literal_word(const char *text, uint32_t at, uint32_t size)
{
	uint64_t word = 0;

	memcpy(&word, text + at, size);
	return word;
}

/*
 * Equality with a literal: its bytes and its NUL, as words, against immediates. No call,
 * and no more bytes than the literal has.
 */
static void gen_equal_literal(dt_cg_t *cg, const dt_node_t *other, const dt_node_t *literal,
			      int dst, bool equal)
{
	dt_emit_t *e = cg->e;
	dt_str_t s = dt_gen_str(cg, other, NULL);
	uint32_t n = (uint32_t)strnlen(literal->string, literal->length) + 1, at = 0, size;
	int differs = dt_label_new(e), done = dt_label_new(e);

	if (n > s.size) {
		dt_alu_imm(e, BPF_MOV, dst, !equal);
		return;
	}
	dt_str_address(cg, &s, R1);
	for (; at < n; at += size) {
		size = n - at >= 8 ? 8 : n - at >= 4 ? 4 : n - at >= 2 ? 2 : 1;
		dt_load(e, (int)size, R2, R1, (int)at);
		dt_const(e, R3, literal_word(literal->string, at, size));
		dt_jump_reg(e, BPF_JNE, R2, R3, differs);
	}
	dt_alu_imm(e, BPF_MOV, dst, equal);
	dt_jump(e, done);
	dt_label_here(e, differs);
	dt_alu_imm(e, BPF_MOV, dst, !equal);
	dt_label_here(e, done);
}

/* Both in scratch: the order of characters, as -1, 0, 1 against 0. */
static void gen_order(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	static const uint8_t jumps[] = {
	    [DT_OP_EQ] = BPF_JEQ, [DT_OP_NE] = BPF_JNE,	 [DT_OP_LT] = BPF_JSLT,
	    [DT_OP_LE] = BPF_JSLE, [DT_OP_GT] = BPF_JSGT, [DT_OP_GE] = BPF_JSGE};
	dt_emit_t *e = cg->e;
	dt_supportargs_t a = {.n = 0};
	int yes = dt_label_new(e);

	dt_arg_expr(cg, &a, n->left);
	dt_arg_expr(cg, &a, n->right);
	dt_gen_support(cg, DT_SUPPORT_STRCMP, &a);
	dt_extend(e, R0, 4, true);
	dt_alu_imm(e, BPF_MOV, dst, 1);
	dt_jump_imm(e, jumps[n->op], R0, 0, yes);
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_label_here(e, yes);
}

#define LITERAL_INLINE 128 /* characters */

static bool is_inline_literal(const dt_node_t *n)
{
	return n->kind == DT_N_STR && n->length <= LITERAL_INLINE;
}

void dt_gen_str_compare(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	bool equality = n->op == DT_OP_EQ || n->op == DT_OP_NE;
	uint32_t scratch = cg->scratch;

	if (equality && is_inline_literal(n->right))
		gen_equal_literal(cg, n->left, n->right, dst, n->op == DT_OP_EQ);
	else if (equality && is_inline_literal(n->left))
		gen_equal_literal(cg, n->right, n->left, dst, n->op == DT_OP_EQ);
	else
		gen_order(cg, n, dst);
	dt_scratch_release(cg, scratch);
}
