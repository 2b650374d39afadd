/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subr.c - the table of subroutines, by the numbers that lang/builtins.def gives them, and
 * calls of the functions in bpf/. Those take the scratch area and numbers; a string is its
 * offset in scratch. What takes a few instructions is generated in place instead.
 */
#include "codegen/subr.h"

/* ---- Bounds --------------------------------------------------------------------- */

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

uint32_t dt_bound_of_first(dt_cgenv_t *env, const dt_node_t *call)
{
	uint32_t bound = dt_str_bound(env, call->list);

	return bound < 2 ? 2 : bound; /* basename("") is "." */
}

uint32_t dt_bound_of_text(const dt_cgenv_t *env, uint32_t bytes)
{
	return smaller(env->strsize, bytes);
}

/* ---- Calls of functions --------------------------------------------------------- */

void dt_arg_value(dt_supportargs_t *a, int32_t value)
{
	a->args[a->n].slot = 0;
	a->args[a->n++].value = value;
}

void dt_arg_slot(dt_supportargs_t *a, int slot)
{
	a->args[a->n++].slot = slot;
}

void dt_arg_expr(dt_cg_t *cg, dt_supportargs_t *a, const dt_node_t *n)
{
	if (dt_is_string(n))
		dt_arg_value(a, (int32_t)dt_gen_str_scratch(cg, n));
	else if (n->kind == DT_N_INT && (int64_t)n->value == (int32_t)n->value)
		dt_arg_value(a, (int32_t)n->value);
	else
		dt_arg_slot(a, dt_gen_to_slot(cg, n));
}

void dt_gen_support(dt_cg_t *cg, dt_support_t function, const dt_supportargs_t *a)
{
	dt_emit_t *e = cg->e;

	cg->needs_cpu = true;
	if (cg->scratch_max < DT_SCRATCH_WORK)
		cg->scratch_max = DT_SCRATCH_WORK;
	for (int i = 0; i < a->n; i++) {
		if (a->args[i].slot)
			dt_load(e, 8, R2 + i, FP, a->args[i].slot);
		else
			dt_alu_imm(e, BPF_MOV, R2 + i, a->args[i].value);
	}
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_support_call(e, function);
}

void dt_fault_unless_in(dt_cg_t *cg, int slot, int32_t low, int32_t high)
{
	int fault = dt_fault_label(cg, DTRACEFLT_ILLOP, -1, 0);

	dt_load(cg->e, 8, R1, FP, slot);
	dt_jump_imm(cg->e, BPF_JSLT, R1, low, fault);
	dt_jump_imm(cg->e, BPF_JSGT, R1, high, fault);
}

dt_str_t dt_result_new(dt_cg_t *cg, uint32_t bound, uint32_t width)
{
	uint32_t size = width > bound ? width : bound;

	return (dt_str_t){DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, size), bound};
}

void dt_result_cut(dt_cg_t *cg, const dt_str_t *s, uint32_t width)
{
	if (width <= s->size)
		return;
	dt_str_address(cg, s, R1);
	dt_alu_imm(cg->e, BPF_ADD, R1, (int32_t)s->size - 1);
	dt_store_imm(cg->e, 1, R1, 0, 0);
}

static const dt_subr_t *subr_of(const dt_node_t *call);

static void arg_list(dt_cg_t *cg, dt_supportargs_t *a, const dt_node_t *call)
{
	dt_support_t function = subr_of(call)->support;

	for (const dt_node_t *n = call->list; n; n = n->next)
		dt_arg_expr(cg, a, n);
	if (a->n < dt_support_arity(function) - 1)
		dt_arg_value(a, dt_support_default(function));
}

/* A subroutine that is a function in bpf/ and gives an int. */
static void gen_function(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_supportargs_t a = {.n = 0};
	int mark = cg->stack;
	uint32_t scratch = cg->scratch;

	arg_list(cg, &a, call);
	dt_gen_support(cg, subr_of(call)->support, &a);
	dt_mov(cg->e, dst, R0);
	dt_extend(cg->e, dst, 4, true);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
}

/* One that gives a string: the place of the result is the function's first argument. */
static dt_str_t gen_function_str(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	const dt_subr_t *subr = subr_of(call);
	dt_str_t s = dt_result_new(cg, dt_subr_bound(cg->env, call), 0);
	dt_supportargs_t a = {.n = 0};
	int mark = cg->stack;
	uint32_t scratch = cg->scratch;

	(void)want; /* functions write to scratch */
	dt_arg_value(&a, s.offset);
	arg_list(cg, &a, call);
	dt_gen_support(cg, subr->support, &a);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
	return s;
}

static void gen_speculation(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	(void)call;
	dt_gen_speculation(cg, dst);
}

/* ---- The table ------------------------------------------------------------------ */

#define NUMBER(f)                                                                          \
	{                                                                                  \
		.number = f                                                                \
	}
#define STRING(f, b)                                                                       \
	{                                                                                  \
		.string = f, .bound = b                                                    \
	}
#define FUNCTION(id)                                                                       \
	{                                                                                  \
		.number = gen_function, .support = DT_SUPPORT_##id                         \
	}
#define FUNCTION_STR(id)                                                                   \
	{                                                                                  \
		.string = gen_function_str, .bound = dt_bound_of_first,                    \
		.support = DT_SUPPORT_##id                                                 \
	}

static const dt_subr_t subrs[DT_NSUBRS] = {
    [DT_SUBR_ALLOCA] = NUMBER(dt_subr_alloca),
    [DT_SUBR_BASENAME] = FUNCTION_STR(BASENAME),
    [DT_SUBR_BCOPY] = NUMBER(dt_subr_bcopy),
    [DT_SUBR_CLEANPATH] = FUNCTION_STR(CLEANPATH),
    [DT_SUBR_COPYIN] = NUMBER(dt_subr_copyin),
    [DT_SUBR_COPYINSTR] = STRING(dt_subr_copyinstr, dt_bound_copyinstr),
    [DT_SUBR_COPYINTO] = NUMBER(dt_subr_copyinto),
    [DT_SUBR_COPYOUT] = NUMBER(dt_subr_copyout),
    [DT_SUBR_COPYOUTSTR] = NUMBER(dt_subr_copyoutstr),
    [DT_SUBR_D_PATH] = STRING(dt_subr_d_path, NULL),
    [DT_SUBR_DIRNAME] = FUNCTION_STR(DIRNAME),
    [DT_SUBR_GETMAJOR] = NUMBER(dt_subr_getmajor),
    [DT_SUBR_GETMINOR] = NUMBER(dt_subr_getminor),
    [DT_SUBR_HTONL] = NUMBER(dt_subr_swap),
    [DT_SUBR_HTONLL] = NUMBER(dt_subr_swap),
    [DT_SUBR_HTONS] = NUMBER(dt_subr_swap),
    [DT_SUBR_INDEX] = FUNCTION(INDEX),
    [DT_SUBR_INET_NTOA] = STRING(dt_subr_inet_ntoa, dt_bound_address),
    [DT_SUBR_INET_NTOA6] = STRING(dt_subr_inet_ntoa6, dt_bound_address),
    [DT_SUBR_INET_NTOP] = STRING(dt_subr_inet_ntop, dt_bound_address),
    [DT_SUBR_JSON] = FUNCTION_STR(JSON),
    [DT_SUBR_LINK_NTOP] = STRING(dt_subr_link_ntop, dt_bound_address),
    [DT_SUBR_LLTOSTR] = STRING(dt_subr_lltostr, dt_bound_lltostr),
    [DT_SUBR_MUTEX_OWNED] = NUMBER(dt_subr_mutex_owned),
    [DT_SUBR_MUTEX_OWNER] = NUMBER(dt_subr_mutex_owner),
    [DT_SUBR_MUTEX_TYPE_ADAPTIVE] = NUMBER(dt_subr_mutex_type),
    [DT_SUBR_MUTEX_TYPE_SPIN] = NUMBER(dt_subr_mutex_type),
    [DT_SUBR_NTOHL] = NUMBER(dt_subr_swap),
    [DT_SUBR_NTOHLL] = NUMBER(dt_subr_swap),
    [DT_SUBR_NTOHS] = NUMBER(dt_subr_swap),
    [DT_SUBR_PROGENYOF] = FUNCTION(PROGENYOF),
    [DT_SUBR_PSARGS] = STRING(dt_subr_psargs, dt_bound_psargs),
    [DT_SUBR_RAND] = NUMBER(dt_subr_rand),
    [DT_SUBR_RINDEX] = FUNCTION(RINDEX),
    [DT_SUBR_RW_ISWRITER] = NUMBER(dt_subr_rw_held),
    [DT_SUBR_RW_READ_HELD] = NUMBER(dt_subr_rw_held),
    [DT_SUBR_RW_WRITE_HELD] = NUMBER(dt_subr_rw_held),
    [DT_SUBR_SPECULATION] = NUMBER(gen_speculation),
    [DT_SUBR_STRCHR] = FUNCTION_STR(STRCHR),
    [DT_SUBR_STRJOIN] = STRING(dt_subr_strjoin, dt_bound_strjoin),
    [DT_SUBR_STRLEN] = NUMBER(dt_subr_strlen),
    [DT_SUBR_STRRCHR] = FUNCTION_STR(STRRCHR),
    [DT_SUBR_STRSTR] = FUNCTION_STR(STRSTR),
    [DT_SUBR_STRTOK] = STRING(dt_subr_strtok, NULL),
    [DT_SUBR_STRTOLL] = NUMBER(dt_subr_strtoll),
    [DT_SUBR_SUBSTR] = STRING(dt_subr_substr, dt_bound_substr),
    [DT_SUBR_TOLOWER] = FUNCTION_STR(TOLOWER),
    [DT_SUBR_TOUPPER] = FUNCTION_STR(TOUPPER),
};

static const dt_subr_t *subr_of(const dt_node_t *call)
{
	return &subrs[call->ident->id];
}

/* ---- Entries -------------------------------------------------------------------- */

uint32_t dt_subr_bound(dt_cgenv_t *env, const dt_node_t *call)
{
	const dt_subr_t *subr = subr_of(call);

	return subr->bound ? subr->bound(env, call) : env->strsize;
}

dt_str_t dt_gen_subr_str(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	const dt_subr_t *subr = subr_of(call);

	if (call->ident->kind == DT_I_SUBR && subr->string)
		return subr->string(cg, call, want);
	dt_cg_unsupported(cg, call, call->ident->name);
	return (dt_str_t){DT_STR_NONE, 0, 1};
}

void dt_gen_subr(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	const dt_subr_t *subr = subr_of(call);

	if (call->ident->kind == DT_I_SUBR && subr->number)
		subr->number(cg, call, dst);
	else
		dt_cg_unsupported(cg, call, call->ident->name);
}
