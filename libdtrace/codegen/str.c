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

#include "codegen/cg.h"
#include "codegen/support.h"

#define TASK_COMM_LEN 16 /* linux/sched.h; part of the kernel's interface */

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t call_bound(dt_cgenv_t *env, const dt_node_t *n)
{
	const dt_node_t *arg = n->list;

	switch (n->ident->id) {
	case DT_SUBR_STRJOIN:
		return smaller(env->strsize, dt_str_bound(env, arg) +
						 dt_str_bound(env, arg->next) - 1);
	case DT_SUBR_SUBSTR:
	case DT_SUBR_BASENAME:
	case DT_SUBR_DIRNAME:
	case DT_SUBR_STRCHR:
	case DT_SUBR_STRRCHR:
	case DT_SUBR_STRSTR:
	case DT_SUBR_TOLOWER:
	case DT_SUBR_TOUPPER: {
		uint32_t bound = dt_str_bound(env, arg);

		return bound < 2 ? 2 : bound; /* basename("") is "." */
	}
	case DT_SUBR_COPYINSTR:
		if (arg->next && arg->next->kind == DT_N_INT &&
		    arg->next->value < env->strsize)
			return (uint32_t)arg->next->value + 1;
		return env->strsize;
	case DT_SUBR_LLTOSTR:
		return smaller(env->strsize, 72);
	default:
		return env->strsize;
	}
}

static uint32_t name_bound(const char *name)
{
	return name ? (uint32_t)strlen(name) + 1 : DT_NAME_STRIDE;
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
		return call_bound(env, n);
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

void dt_gen_clear(dt_cg_t *cg, const dt_str_t *s)
{
	dt_str_address(cg, s, R1);
	for (uint32_t i = 0; i < s->size; i += 8)
		dt_store_imm(cg->e, 8, R1, (int)i, 0);
}

static bool same_place(const dt_str_t *a, const dt_str_t *b)
{
	return a->place == b->place && a->offset == b->offset;
}

static dt_str_t new_text(dt_cg_t *cg, uint32_t bound, const dt_str_t *want)
{
	if (want && want->size >= bound)
		return (dt_str_t){want->place, want->offset, bound};
	return (dt_str_t){DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, bound), bound};
}

/* dst gets the text at the address in R3, at most size bytes; R0: length with NUL, or < 0. */
static void gen_read_str(dt_cg_t *cg, const dt_str_t *dst, uint32_t size, int helper)
{
	dt_str_address(cg, dst, R1);
	dt_alu_imm(cg->e, BPF_MOV, R2, (int32_t)size);
	dt_call(cg->e, helper);
}

static void gen_copy(dt_cg_t *cg, const dt_str_t *from, const dt_str_t *to)
{
	dt_str_address(cg, from, R3);
	gen_read_str(cg, to, smaller(from->size, to->size), BPF_FUNC_probe_read_kernel_str);
}

void dt_gen_str_into(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_str_t s = dt_gen_str(cg, n, want);

	if (!same_place(&s, want))
		gen_copy(cg, &s, want);
}

/* The support functions work in scratch: copies the text there if it is elsewhere. */
static uint32_t gen_in_scratch(dt_cg_t *cg, const dt_node_t *n)
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

bool dt_str_is_id(const dt_node_t *n)
{
	return n->kind == DT_N_STR || is_probe_name(n);
}

void dt_gen_str_id(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	const char *text = n->kind == DT_N_STR ? n->string : constant_name(cg->ecb, n->ident->id);
	size_t length = n->kind == DT_N_STR ? n->length : text ? strlen(text) : 0;

	if (text) {
		dt_const(cg->e, dst, (uint64_t)const_text(cg, text, length).offset);
		return;
	}
	dt_load(cg->e, 8, dst, FP, DT_FRAME_KEY);
	dt_alu_imm(cg->e, BPF_MUL, dst, DT_NAME_STRIDE);
	dt_alu_imm(cg->e, BPF_ADD, dst, (int32_t)cg->ecb->names_base);
}

static dt_str_t gen_builtin_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	const char *text;
	dt_str_t s;

	if (n->ident->id == DT_VAR_EXECNAME) {
		s = new_text(cg, smaller(TASK_COMM_LEN, cg->env->strsize), want);
		dt_str_address(cg, &s, R1);
		dt_alu_imm(e, BPF_MOV, R2, (int32_t)s.size);
		dt_call(e, BPF_FUNC_get_current_comm);
		return s;
	}
	if (!is_probe_name(n)) {
		dt_cg_unsupported(cg, n, n->ident->name);
		return (dt_str_t){DT_STR_NONE, 0, 1};
	}
	text = constant_name(cg->ecb, n->ident->id);
	if (text)
		return const_text(cg, text, strlen(text));
	s = new_text(cg, name_bound(NULL), want);
	dt_map_value(e, R3, DT_MAP_STRINGS, cg->ecb->names_base);
	dt_load(e, 8, R1, FP, DT_FRAME_KEY);
	dt_alu_imm(e, BPF_MUL, R1, DT_NAME_STRIDE);
	dt_jump_imm(e, BPF_JGE, R1, (int32_t)(cg->ecb->attach_nkeys * DT_NAME_STRIDE),
		    cg->next_label);
	dt_alu_reg(e, BPF_ADD, R3, R1);
	gen_read_str(cg, &s, s.size, BPF_FUNC_probe_read_kernel_str);
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

/* Copies from where R0 points, or makes an empty string when it is NULL. */
static dt_str_t gen_pointed(dt_cg_t *cg, uint32_t offset, const dt_str_t *want)
{
	dt_emit_t *e = cg->e;
	dt_str_t s = new_text(cg, cg->env->strsize, want);
	int null = dt_label_new(e), done = dt_label_new(e);

	dt_jump_imm(e, BPF_JEQ, R0, 0, null);
	dt_mov(e, R3, R0);
	if (offset)
		dt_alu_imm(e, BPF_ADD, R3, (int32_t)offset);
	gen_read_str(cg, &s, s.size, BPF_FUNC_probe_read_kernel_str);
	dt_jump(e, done);
	dt_label_here(e, null);
	dt_str_address(cg, &s, R1);
	dt_store_imm(e, 1, R1, 0, 0);
	dt_label_here(e, done);
	return s;
}

static dt_str_t gen_var_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	if (n->ident->kind == DT_I_BUILTIN)
		return gen_builtin_str(cg, n, want);
	if (has_place(n))
		return var_place(cg, n->ident);
	if (n->ident->kind == DT_I_VAR) {
		dt_gen_self_pointer(cg, false);
		return gen_pointed(cg, n->ident->storage, want);
	}
	if (n->ident->kind == DT_I_ASSOC) {
		int mark = cg->stack;

		dt_gen_assoc_pointer(cg, n);
		cg->stack = mark;
		return gen_pointed(cg, 0, want);
	}
	dt_cg_unsupported(cg, n, "the variable");
	return (dt_str_t){DT_STR_NONE, 0, 1};
}

static bool is_zero(const dt_node_t *n)
{
	while (n->kind == DT_N_CAST)
		n = n->left;
	return n->kind == DT_N_INT && n->value == 0;
}

static void gen_store_self(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *value)
{
	dt_emit_t *e = cg->e;
	int null = dt_label_new(e), done = dt_label_new(e);

	dt_gen_self_pointer(cg, true);
	dt_jump_imm(e, BPF_JEQ, R0, 0, null);
	dt_mov(e, R1, R0);
	if (n->ident->storage)
		dt_alu_imm(e, BPF_ADD, R1, (int32_t)n->ident->storage);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)smaller(value->size, cg->env->strsize));
	dt_str_address(cg, value, R3);
	dt_call(e, BPF_FUNC_probe_read_kernel_str);
	dt_jump(e, done);
	dt_label_here(e, null);
	dt_gen_drop(cg, DT_KDROP_DYNAMIC);
	dt_label_here(e, done);
}

dt_str_t dt_gen_str_assign(dt_cg_t *cg, const dt_node_t *n)
{
	dt_str_t value, whole;
	int mark = cg->stack;

	if (is_zero(n->right)) /* x = 0: the empty string */
		value = const_text(cg, "", 0);
	else
		value = dt_gen_str(cg, n->right, NULL);
	if (has_place(n->left)) {
		dt_str_t place = var_place(cg, n->left->ident);

		if (!same_place(&value, &place))
			gen_copy(cg, &value, &place);
	} else if (n->left->kind == DT_N_VAR && n->left->ident->kind == DT_I_VAR) {
		gen_store_self(cg, n->left, &value);
	} else if (n->left->kind == DT_N_INDEX && n->left->ident->kind == DT_I_ASSOC) {
		/* The map copies the whole value: it must be of full size. */
		whole = (dt_str_t){DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, cg->env->strsize),
				   cg->env->strsize};
		gen_copy(cg, &value, &whole);
		dt_gen_assoc_update(cg, n->left, &whole);
	} else {
		dt_cg_unsupported(cg, n, "assignment of a string through a pointer");
	}
	cg->stack = mark;
	return value;
}

/* ---- Subroutines ---------------------------------------------------------- */

static void gen_strjoin(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *dst)
{
	dt_emit_t *e = cg->e;
	dt_str_t a = dt_gen_str(cg, n->list, NULL), b = dt_gen_str(cg, n->list->next, NULL);
	int done = dt_label_new(e);

	dt_str_address(cg, &a, R3);
	gen_read_str(cg, dst, smaller(dst->size, a.size), BPF_FUNC_probe_read_kernel_str);
	/* R0 - 1 bytes of text are there; the second follows, over the NUL. */
	dt_alu_imm(e, BPF_SUB, R0, 1);
	dt_jump_imm(e, BPF_JSLT, R0, 0, done);
	dt_jump_imm(e, BPF_JGE, R0, (int32_t)dst->size, done);
	dt_str_address(cg, dst, R1);
	dt_alu_reg(e, BPF_ADD, R1, R0);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)dst->size);
	dt_alu_reg(e, BPF_SUB, R2, R0);
	dt_jump_imm(e, BPF_JGT, R2, (int32_t)dst->size, done);
	dt_str_address(cg, &b, R3);
	dt_call(e, BPF_FUNC_probe_read_kernel_str);
	dt_label_here(e, done);
}

/* dst = length of the text, without the NUL. A scratch copy is what tells it. */
static void gen_strlen(dt_cg_t *cg, const dt_str_t *s, int dst)
{
	dt_emit_t *e = cg->e;
	dt_str_t copy = {DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, s->size), s->size};

	gen_copy(cg, s, &copy);
	dt_mov(e, dst, R0);
	dt_alu_imm(e, BPF_SUB, dst, 1);
}

/*
 * substr(s, index[, length]): a negative index counts from the end; what lies outside the
 * text is empty; a negative length leaves off so many characters at the end.
 */
static void gen_substr(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *dst)
{
	dt_emit_t *e = cg->e;
	const dt_node_t *index = n->list->next, *length = index->next;
	int mark = cg->stack;
	int at = dt_gen_to_slot(cg, index), count = 0, size = dt_stack_alloc(cg, 8);
	dt_str_t s;
	int from_start = dt_label_new(e), inside = dt_label_new(e), counted = dt_label_new(e),
	    empty = dt_label_new(e), done = dt_label_new(e);

	if (length)
		count = dt_gen_to_slot(cg, length);
	s = dt_gen_str(cg, n->list, NULL);
	gen_strlen(cg, &s, R0);
	dt_store(e, 8, FP, size, R0);

	/* R4 = first character, R5 = how many. */
	dt_load(e, 8, R4, FP, at);
	dt_jump_imm(e, BPF_JSGE, R4, 0, from_start);
	dt_alu_reg(e, BPF_ADD, R4, R0);
	if (length) {
		/* Before the start: the characters there count, but are none. */
		dt_jump_imm(e, BPF_JSGE, R4, 0, from_start);
		dt_load(e, 8, R5, FP, count);
		dt_jump_imm(e, BPF_JSLT, R5, 0, inside);
		dt_alu_reg(e, BPF_ADD, R5, R4);
		dt_jump_imm(e, BPF_JSLE, R5, 0, empty);
		dt_store(e, 8, FP, count, R5);
		dt_label_here(e, inside);
	} else {
		dt_jump_imm(e, BPF_JSGE, R4, 0, from_start);
	}
	dt_alu_imm(e, BPF_MOV, R4, 0);
	dt_label_here(e, from_start);
	dt_load(e, 8, R0, FP, size);
	dt_jump_reg(e, BPF_JSGE, R4, R0, empty);
	dt_mov(e, R5, R0);
	dt_alu_reg(e, BPF_SUB, R5, R4); /* to the end */
	if (length) {
		int negative = dt_label_new(e);

		dt_load(e, 8, R1, FP, count);
		dt_jump_imm(e, BPF_JSLT, R1, 0, negative);
		dt_jump_reg(e, BPF_JSGE, R1, R5, counted);
		dt_mov(e, R5, R1);
		dt_jump(e, counted);
		dt_label_here(e, negative);
		dt_alu_reg(e, BPF_ADD, R5, R1);
		dt_label_here(e, counted);
		dt_jump_imm(e, BPF_JSLE, R5, 0, empty);
	}
	dt_mov(e, R2, R5);
	dt_alu_imm(e, BPF_ADD, R2, 1);
	dt_jump_imm(e, BPF_JGT, R2, (int32_t)dst->size, empty);
	dt_jump_imm(e, BPF_JGE, R4, (int32_t)s.size, empty);
	dt_str_address(cg, &s, R3);
	dt_alu_reg(e, BPF_ADD, R3, R4);
	dt_str_address(cg, dst, R1);
	dt_call(e, BPF_FUNC_probe_read_kernel_str);
	dt_jump(e, done);
	dt_label_here(e, empty);
	dt_str_address(cg, dst, R1);
	dt_store_imm(e, 1, R1, 0, 0);
	dt_label_here(e, done);
	cg->stack = mark;
}

static void gen_copyinstr(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *dst)
{
	int mark = cg->stack, slot = dt_gen_to_slot(cg, n->list);

	dt_load(cg->e, 8, R3, FP, slot);
	gen_read_str(cg, dst, dst->size, BPF_FUNC_probe_read_user_str);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	cg->stack = mark;
}

/*
 * Subroutines that the support library does: strings by their offset in scratch, numbers
 * by value, after the scratch area itself in R1.
 */
static void gen_support_call(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *dst,
			     dt_support_t function)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slots[4], nargs = 0, reg = R2;

	for (const dt_node_t *a = n->list; a && nargs < 4; a = a->next) {
		if (dt_is_string(a)) {
			uint32_t offset = gen_in_scratch(cg, a);

			slots[nargs] = dt_stack_alloc(cg, 8);
			dt_store_imm(e, 8, FP, slots[nargs], (int32_t)offset);
		} else {
			slots[nargs] = dt_gen_to_slot(cg, a);
		}
		nargs++;
	}
	if (dst)
		dt_alu_imm(e, BPF_MOV, reg++, dst->offset);
	for (int i = 0; i < nargs; i++)
		dt_load(e, 8, reg++, FP, slots[i]);
	while (reg <= dt_support_arity(function))
		dt_alu_imm(e, BPF_MOV, reg++, dt_support_default(function));
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_support_call(e, function);
	cg->stack = mark;
}

static const struct {
	dt_subrid_t subr;
	dt_support_t function;
} string_support[] = {
    {DT_SUBR_BASENAME, DT_SUPPORT_BASENAME}, {DT_SUBR_DIRNAME, DT_SUPPORT_DIRNAME},
    {DT_SUBR_STRCHR, DT_SUPPORT_STRCHR},     {DT_SUBR_STRRCHR, DT_SUPPORT_STRRCHR},
    {DT_SUBR_STRSTR, DT_SUPPORT_STRSTR},     {DT_SUBR_TOLOWER, DT_SUPPORT_TOLOWER},
    {DT_SUBR_TOUPPER, DT_SUPPORT_TOUPPER},   {DT_SUBR_LLTOSTR, DT_SUPPORT_LLTOSTR},
};

static dt_str_t gen_call_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	uint32_t bound = call_bound(cg->env, n);
	dt_str_t s;

	switch (n->ident->id) {
	case DT_SUBR_STRJOIN:
		/* In scratch: only there may a copy of unknown place and size begin. */
		s = new_text(cg, bound, want && want->place == DT_STR_SCRATCH ? want : NULL);
		gen_strjoin(cg, n, &s);
		return s;
	case DT_SUBR_SUBSTR:
		s = new_text(cg, bound, want);
		gen_substr(cg, n, &s);
		return s;
	case DT_SUBR_COPYINSTR:
		s = new_text(cg, bound, want);
		gen_copyinstr(cg, n, &s);
		return s;
	}
	for (size_t i = 0; i < sizeof(string_support) / sizeof(string_support[0]); i++) {
		if (string_support[i].subr != n->ident->id)
			continue;
		s = new_text(cg, bound, NULL);
		gen_support_call(cg, n, &s, string_support[i].function);
		return s;
	}
	dt_cg_fail(cg, EDT_NOTHERE, n->line, "subroutine %s() is not supported",
		   n->ident->name);
	return (dt_str_t){DT_STR_NONE, 0, 1};
}

static void gen_copyin(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_emit_t *e = cg->e;
	const dt_node_t *size = n->list->next;
	int mark = cg->stack, address = dt_gen_to_slot(cg, n->list), count;
	uint32_t max = cg->env->strsize > 4096 ? cg->env->strsize : 4096;
	uint32_t at, word = dt_scratch_alloc(cg, 8);

	if (size->kind == DT_N_INT && size->value <= max)
		max = size->value ? (uint32_t)size->value : 1;
	count = dt_gen_to_slot(cg, size);
	at = dt_scratch_alloc(cg, max);
	dt_load(e, 8, R2, FP, count);
	dt_jump_imm(e, BPF_JGT, R2, (int32_t)max,
		    dt_fault_label(cg, DTRACEFLT_BADSIZE, -1, count));
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)at);
	dt_load(e, 8, R3, FP, address);
	dt_call(e, BPF_FUNC_probe_read_user);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, address);
	/* As a plain number: see gen_str_pointer() in expr.c. */
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_mov(e, R2, R1);
	dt_alu_imm(e, BPF_ADD, R2, (int32_t)at);
	dt_store(e, 8, R1, (int)word, R2);
	dt_load(e, 8, dst, R1, (int)word);
	cg->stack = mark;
}

void dt_gen_subr(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_str_t s;

	if (n->ident->kind != DT_I_SUBR) {
		dt_cg_unsupported(cg, n, n->ident->name);
		return;
	}
	switch (n->ident->id) {
	case DT_SUBR_STRLEN:
		s = dt_gen_str(cg, n->list, NULL);
		gen_strlen(cg, &s, dst);
		break;
	case DT_SUBR_COPYIN:
		gen_copyin(cg, n, dst);
		break;
	case DT_SUBR_INDEX:
	case DT_SUBR_RINDEX:
		gen_support_call(cg, n, NULL,
				 n->ident->id == DT_SUBR_INDEX ? DT_SUPPORT_INDEX
							       : DT_SUPPORT_RINDEX);
		dt_mov(cg->e, dst, R0);
		dt_extend(cg->e, dst, 4, true);
		break;
	case DT_SUBR_RAND:
		dt_call(cg->e, BPF_FUNC_get_prandom_u32);
		dt_mov(cg->e, dst, R0);
		dt_extend(cg->e, dst, 4, true);
		break;
	default:
		dt_cg_fail(cg, EDT_NOTHERE, n->line, "subroutine %s() is not supported",
			   n->ident->name);
	}
}

/* ---- Expressions ---------------------------------------------------------- */

static dt_str_t gen_cond_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	uint32_t bound = dt_str_bound(cg->env, n);
	dt_str_t s = new_text(cg, bound, want);
	int no = dt_label_new(cg->e), done = dt_label_new(cg->e);

	dt_gen_branch(cg, n->left, no, false);
	dt_gen_str_into(cg, n->right, &s);
	dt_jump(cg->e, done);
	dt_label_here(cg->e, no);
	dt_gen_str_into(cg, n->third, &s);
	dt_label_here(cg->e, done);
	return s;
}

/* stringof(pointer): the text at a kernel address. */
static dt_str_t gen_cast_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	dt_str_t s;
	int mark = cg->stack, slot;

	if (dt_is_string(n->left))
		return dt_gen_str(cg, n->left, want);
	s = new_text(cg, dt_str_bound(cg->env, n), want);
	slot = dt_gen_to_slot(cg, n->left);
	dt_load(cg->e, 8, R3, FP, slot);
	gen_read_str(cg, &s, s.size, BPF_FUNC_probe_read_kernel_str);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	cg->stack = mark;
	return s;
}

dt_str_t dt_gen_str(dt_cg_t *cg, const dt_node_t *n, const dt_str_t *want)
{
	if (cg->failed)
		return (dt_str_t){DT_STR_NONE, 0, 1};
	switch (n->kind) {
	case DT_N_STR:
		return const_text(cg, n->string, n->length);
	case DT_N_VAR:
	case DT_N_INDEX:
		return gen_var_str(cg, n, want);
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
		return gen_call_str(cg, n, want);
	default:
		dt_cg_unsupported(cg, n, "the string expression");
		return (dt_str_t){DT_STR_NONE, 0, 1};
	}
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

void dt_gen_str_compare(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	static const uint8_t jumps[] = {
	    [DT_OP_EQ] = BPF_JEQ, [DT_OP_NE] = BPF_JNE,	 [DT_OP_LT] = BPF_JSLT,
	    [DT_OP_LE] = BPF_JSLE, [DT_OP_GT] = BPF_JSGT, [DT_OP_GE] = BPF_JSGE};
	dt_emit_t *e = cg->e;
	uint32_t a, b;
	int yes;

	if ((n->op == DT_OP_EQ || n->op == DT_OP_NE) && n->right->kind == DT_N_STR) {
		gen_equal_literal(cg, n->left, n->right, dst, n->op == DT_OP_EQ);
		return;
	}
	if ((n->op == DT_OP_EQ || n->op == DT_OP_NE) && n->left->kind == DT_N_STR) {
		gen_equal_literal(cg, n->right, n->left, dst, n->op == DT_OP_EQ);
		return;
	}
	a = gen_in_scratch(cg, n->left);
	b = gen_in_scratch(cg, n->right);
	yes = dt_label_new(e);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)a);
	dt_alu_imm(e, BPF_MOV, R3, (int32_t)b);
	dt_support_call(e, DT_SUPPORT_STRCMP);
	dt_extend(e, R0, 4, true);
	dt_alu_imm(e, BPF_MOV, dst, 1);
	dt_jump_imm(e, jumps[n->op], R0, 0, yes);
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_label_here(e, yes);
}
