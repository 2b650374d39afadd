/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subr_kernel.c - numbers, and what the kernel knows: locks, files. Where a structure has
 * its members is asked of the running kernel's types, so a kernel that is built otherwise
 * (PREEMPT_RT) is served or refused, never misread.
 */
#include <string.h>

#include "codegen/subr.h"

/* ---- Numbers -------------------------------------------------------------------- */

#define MINOR_BITS 20 /* linux/kdev_t.h */

void dt_subr_getmajor(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_gen_expr(cg, call->list, dst);
	dt_alu_imm(cg->e, BPF_RSH, dst, MINOR_BITS);
}

void dt_subr_getminor(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_gen_expr(cg, call->list, dst);
	dt_alu_imm(cg->e, BPF_AND, dst, (1 << MINOR_BITS) - 1);
}

/* To network byte order and back, which is the same: the instruction knows the host's. */
void dt_subr_swap(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	int32_t bits = 32;

	if (call->ident->id == DT_SUBR_HTONS || call->ident->id == DT_SUBR_NTOHS)
		bits = 16;
	else if (call->ident->id == DT_SUBR_HTONLL || call->ident->id == DT_SUBR_NTOHLL)
		bits = 64;
	dt_gen_expr(cg, call->list, dst);
	dt_emit_insn(cg->e, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, bits);
}

void dt_subr_rand(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	(void)call;
	dt_call(cg->e, BPF_FUNC_get_prandom_u32);
	dt_mov(cg->e, dst, R0);
	dt_extend(cg->e, dst, 4, true);
}

/* ---- Mutexes -------------------------------------------------------------------- */

/* Low bits of the owner's word are flags: kernel/locking/mutex.c, rtmutex_common.h. */
#define MUTEX_FLAGS 7
#define RTMUTEX_FLAGS 1

/* Where a mutex has its owner; the bits there that are not of the address. */
static bool find_owner(dt_cg_t *cg, const dt_node_t *call, uint32_t *offset, int32_t *flags)
{
	dtrace_hdl_t *hdl = cg->env->hdl;
	uint32_t size, base;

	*flags = MUTEX_FLAGS;
	if (dt_kernel_member(hdl, "mutex", "owner", offset, &size) == 0)
		return true;
	*flags = RTMUTEX_FLAGS;
	if (dt_kernel_member(hdl, "mutex", "rtmutex", &base, &size) == 0 &&
	    dt_kernel_member(hdl, "rt_mutex_base", "owner", offset, &size) == 0) {
		*offset += base;
		return true;
	}
	dt_cg_fail(
	    cg, EDT_NOTHERE, call->line,
	    "%s( ) is not available: the mutexes of this kernel do not tell their owner",
	    call->ident->name);
	return false;
}

void dt_subr_mutex_owner(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8);
	uint32_t offset = 0;
	int32_t flags = 0;

	if (!find_owner(cg, call, &offset, &flags))
		return;
	dt_gen_expr(cg, call->list, dst);
	dt_alu_imm(cg->e, BPF_ADD, dst, (int32_t)offset);
	dt_gen_read_kernel(cg, slot, 8, dst);
	dt_load(cg->e, 8, dst, FP, slot);
	dt_alu_imm(cg->e, BPF_AND, dst, ~flags);
	cg->stack = mark;
}

/* dst = 1 if it is the current thread's. */
void dt_subr_mutex_owned(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8), done = dt_label_new(e);

	dt_subr_mutex_owner(cg, call, dst);
	/* Through memory, for both to be plain numbers. */
	dt_store(e, 8, FP, slot, dst);
	dt_call(e, BPF_FUNC_get_current_task);
	dt_load(e, 8, R1, FP, slot);
	dt_alu_imm(e, BPF_MOV, dst, 1);
	dt_jump_reg(e, BPF_JEQ, R0, R1, done);
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_label_here(e, done);
	cg->stack = mark;
}

/* Every mutex of Linux is adaptive: a thread spins while the owner runs, then sleeps. */
void dt_subr_mutex_type(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_gen_expr(cg, call->list, dst);
	dt_alu_imm(cg->e, BPF_MOV, dst, call->ident->id == DT_SUBR_MUTEX_TYPE_ADAPTIVE);
}

/* ---- Readers and writers -------------------------------------------------------- */

/*
 * The count of a struct rw_semaphore (kernel/locking/rwsem.c) or of an rwlock_t
 * (asm-generic/qrwlock.h) has how many readers there are, from a bit on, and below it what
 * the writers are at.
 */
typedef struct dt_rwcount {
	uint32_t offset, size;
	int32_t locked;	 /* by a writer: these bits are set */
	int32_t waiting; /* a writer waits: this bit is; for rw_semaphores someone */
	int readers;	 /* first bit of their number */
} dt_rwcount_t;

static bool find_member(dt_cg_t *cg, dt_type_t **type, const char *name, uint32_t *offset)
{
	uint32_t bits = 0;
	const dt_member_t *m;

	*type = dt_type_resolve(cg->env->hdl, *type);
	if ((*type)->kind != DT_K_STRUCT && (*type)->kind != DT_K_UNION)
		return false;
	m = dt_type_member(cg->env->hdl, *type, name, &bits);
	if (!m)
		return false;
	*type = m->type;
	*offset += bits / 8;
	return true;
}

/* By the type of what the argument points to. */
static bool find_count(dt_cg_t *cg, const dt_node_t *lock, dt_rwcount_t *c)
{
	dt_type_t *pointer = dt_type_resolve(cg->env->hdl, lock->type), *type;

	if (pointer->kind != DT_K_PTR)
		return false;
	type = pointer->ref;
	*c = (dt_rwcount_t){.size = 8, .locked = 1, .waiting = 2, .readers = 8};
	if (find_member(cg, &type, "count", &c->offset))
		return type->name && strncmp(type->name, "atomic", 6) == 0;
	*c = (dt_rwcount_t){.size = 4, .locked = 0xff, .waiting = 0x100, .readers = 9};
	return find_member(cg, &type, "raw_lock", &c->offset) &&
	       find_member(cg, &type, "cnts", &c->offset);
}

static void gen_rw_test(dt_cg_t *cg, uint32_t which, const dt_rwcount_t *c, int dst)
{
	dt_emit_t *e = cg->e;
	int yes = dt_label_new(e), no = dt_label_new(e), done = dt_label_new(e);

	dt_mov(e, R0, dst);
	dt_mov(e, R1, dst);
	dt_mov(e, R2, dst);
	dt_alu_imm(e, BPF_AND, R0, c->locked);
	dt_alu_imm(e, BPF_LSH, R1, 1); /* rw_semaphores: the top bit is a guard */
	dt_alu_imm(e, BPF_RSH, R1, c->readers + 1);
	dt_alu_imm(e, BPF_AND, R2, c->waiting);
	if (which == DT_SUBR_RW_READ_HELD) {
		dt_jump_imm(e, BPF_JEQ, R0, c->locked, no);
		dt_jump_imm(e, BPF_JNE, R1, 0, yes);
	} else {
		dt_jump_imm(e, BPF_JEQ, R0, c->locked, yes);
	}
	if (which == DT_SUBR_RW_ISWRITER) {
		/* Readers hold it and someone waits: for them only writers do. */
		if (c->size == 8)
			dt_jump_imm(e, BPF_JEQ, R1, 0, no);
		dt_jump_imm(e, BPF_JNE, R2, 0, yes);
	}
	dt_label_here(e, no);
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_jump(e, done);
	dt_label_here(e, yes);
	dt_alu_imm(e, BPF_MOV, dst, 1);
	dt_label_here(e, done);
}

void dt_subr_rw_held(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8);
	dt_rwcount_t c;

	if (!find_count(cg, call->list, &c)) {
		dt_cg_fail(
		    cg, EDT_NOTHERE, call->line,
		    "%s( ) is not available for this: it takes a pointer to a struct "
		    "rw_semaphore or to an rwlock_t of a kernel that keeps a count in "
		    "them",
		    call->ident->name);
		return;
	}
	dt_gen_expr(cg, call->list, dst);
	dt_alu_imm(cg->e, BPF_ADD, dst, (int32_t)c.offset);
	dt_gen_read_kernel(cg, slot, c.size, dst);
	dt_load(cg->e, (int)c.size, dst, FP, slot);
	gen_rw_test(cg, call->ident->id, &c, dst);
	cg->stack = mark;
}

/* ---- Files ---------------------------------------------------------------------- */

#define DPATH_SIZE 4096 /* of bpf/paths.bpf.c */

dt_str_t dt_subr_d_path(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	dt_str_t s = dt_result_new(cg, cg->env->strsize, 0);
	dt_supportargs_t a = {.n = 0};
	uint32_t scratch = cg->scratch;
	int mark = cg->stack, path = dt_gen_to_slot(cg, call->list);

	(void)want;
	dt_arg_value(&a, s.offset);
	dt_arg_value(&a, (int32_t)dt_scratch_alloc(cg, DPATH_SIZE));
	dt_arg_slot(&a, path);
	dt_gen_support(cg, DT_SUPPORT_D_PATH, &a);
	dt_extend(cg->e, R0, 4, true);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, path);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
	return s;
}

#define PSARGS_SIZE 80 /* of bpf/memory.bpf.c */

uint32_t dt_bound_psargs(dt_cgenv_t *env, const dt_node_t *call)
{
	(void)call;
	return dt_bound_of_text(env, PSARGS_SIZE);
}

dt_str_t dt_subr_psargs(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *want)
{
	dt_str_t s = dt_result_new(cg, dt_bound_psargs(cg->env, call), PSARGS_SIZE);
	dt_supportargs_t a = {.n = 0};
	int mark = cg->stack, task = dt_gen_to_slot(cg, call->list);

	(void)want;
	dt_arg_value(&a, s.offset);
	dt_arg_slot(&a, task);
	dt_gen_support(cg, DT_SUPPORT_PSARGS, &a);
	dt_extend(cg->e, R0, 4, true);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, task);
	dt_result_cut(cg, &s, PSARGS_SIZE);
	cg->stack = mark;
	return s;
}
