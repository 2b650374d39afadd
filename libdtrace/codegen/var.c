/* SPDX-License-Identifier: Apache-2.0 */
/*
 * var.c - variables: built-in, global, thread-local, clause-local, associative arrays.
 *
 *	global		in the state map, at a fixed address: a plain load or store
 *	self->		a word of the thread's task storage
 *	this->		a word of the frame
 *	array[keys]	a hash map each; the key is built in the frame or in scratch
 */
#include <signal.h>
#include <string.h>

#include "arch.h"
#include "codegen/cg.h"

bool dt_ecb_one_key(const dt_ecb_t *ecb)
{
	return ecb->nkeys == 1 && ecb->keys[0].low == ecb->keys[0].high;
}

/* ---- Arguments ----------------------------------------------------------- */

/* dst = size bytes at R3, zero-extended: 0 where they cannot be read. */
static void gen_fetch(dt_cg_t *cg, int helper, int size, int dst)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8);

	dt_frame_address(e, R1, slot);
	dt_alu_imm(e, BPF_MOV, R2, size);
	dt_gen_read_call(cg, helper);
	dt_load(e, size, dst, FP, slot);
	cg->stack = mark;
}

/* R3 = the network header of a packet: head + network_header, which is 16 bits. */
static void gen_network_header(dt_cg_t *cg, const dt_argsource_t *s)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8);

	dt_load(e, 8, R1, FP, DT_FRAME_CTX);
	dt_load(e, 8, R3, R1, (int)s->base);
	dt_alu_imm(e, BPF_ADD, R3, (int32_t)s->offset2);
	gen_fetch(cg, BPF_FUNC_probe_read_kernel, 2, R1);
	dt_store(e, 8, FP, slot, R1);
	dt_load(e, 8, R1, FP, DT_FRAME_CTX);
	dt_load(e, 8, R3, R1, (int)s->base);
	dt_alu_imm(e, BPF_ADD, R3, (int32_t)s->offset);
	gen_fetch(cg, BPF_FUNC_probe_read_kernel, 8, R3);
	dt_load(e, 8, R1, FP, slot);
	dt_alu_reg(e, BPF_ADD, R3, R1);
	cg->stack = mark;
}

static void gen_packet(dt_cg_t *cg, const dt_argsource_t *s, int dst)
{
	gen_network_header(cg, s);
	dt_alu_imm(cg->e, BPF_ADD, R3, (int32_t)s->offset3);
	gen_fetch(cg, BPF_FUNC_probe_read_kernel, s->size ? s->size : 8, dst);
}

/* The pointers on the way to a value in memory, and the value. */
static void gen_memory(dt_cg_t *cg, const dt_argsource_t *s, int dst)
{
	dt_emit_t *e = cg->e;
	int size = s->size ? s->size : 8;

	dt_load(e, 8, R1, FP, DT_FRAME_CTX);
	dt_load(e, 8, R3, R1, (int)s->base);
	dt_alu_imm(e, BPF_ADD, R3, (int32_t)s->offset);
	if (s->scale) {
		dt_load(e, 8, R2, R1, (int)s->offset2);
		dt_alu_imm(e, BPF_MUL, R2, s->scale);
		dt_alu_reg(e, BPF_ADD, R3, R2);
	}
	if (s->kind == DT_ARG_KREAD2) {
		gen_fetch(cg, BPF_FUNC_probe_read_kernel, 8, R3);
		dt_alu_imm(e, BPF_ADD, R3, (int32_t)s->offset2);
	}
	gen_fetch(cg, s->kind == DT_ARG_UREAD ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel,
		  size, dst);
}

/* dst = a half of R0. */
static void gen_half(dt_cg_t *cg, int dst, bool upper)
{
	dt_mov(cg->e, dst, R0);
	if (upper) {
		dt_alu_imm(cg->e, BPF_RSH, dst, 32);
	} else {
		dt_alu_imm(cg->e, BPF_LSH, dst, 32);
		dt_alu_imm(cg->e, BPF_RSH, dst, 32);
	}
}

/* The address in dst is kept if it is on the wanted side, otherwise it becomes 0. Kernel
 * addresses are those with the top bit set. */
static void gen_pc_side(dt_cg_t *cg, int dst, bool kernel)
{
	int keep = dt_label_new(cg->e);

	dt_jump_imm(cg->e, kernel ? BPF_JSLT : BPF_JSGE, dst, 0, keep);
	dt_alu_imm(cg->e, BPF_MOV, dst, 0);
	dt_label_here(cg->e, keep);
}

/* By helper: what such a program's context holds itself are typed pointers, with which the
 * verifier does not let one count. */
static void gen_function_value(dt_cg_t *cg, const dt_argsource_t *s, int dst)
{
	dt_emit_t *e = cg->e;
	bool is_result = s->kind == DT_ARG_FUNCRET;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8), value = is_result ? R2 : R3;

	dt_store_imm(e, 8, FP, slot, 0);
	dt_load(e, 8, R1, FP, DT_FRAME_CTX);
	if (!is_result)
		dt_alu_imm(e, BPF_MOV, R2, (int32_t)s->offset);
	dt_frame_address(e, value, slot);
	dt_call(e, is_result ? BPF_FUNC_get_func_ret : BPF_FUNC_get_func_arg);
	dt_load(e, 8, dst, FP, slot);
	cg->stack = mark;
	if (s->kind != DT_ARG_FUNCREAD)
		return;
	dt_mov(e, R3, dst);
	dt_alu_imm(e, BPF_ADD, R3, (int32_t)s->offset2);
	gen_fetch(cg, BPF_FUNC_probe_read_kernel, s->size ? s->size : 8, dst);
}

/* How a process ended, from its exit code: the signal in the low 7 bits, then the core
 * dump's flag. */
static void gen_status(dt_cg_t *cg, int dst)
{
	dt_emit_t *e = cg->e;
	int done = dt_label_new(e);

	dt_mov(e, R1, dst);
	dt_alu_imm(e, BPF_AND, R1, 0xff);
	dt_alu_imm(e, BPF_MOV, dst, CLD_EXITED);
	dt_jump_imm(e, BPF_JEQ, R1, 0, done);
	dt_alu_imm(e, BPF_MOV, dst, CLD_KILLED);
	dt_jump_imm(e, BPF_JLT, R1, 0x80, done);
	dt_alu_imm(e, BPF_MOV, dst, CLD_DUMPED);
	dt_label_here(e, done);
}

void dt_gen_argument(dt_cg_t *cg, const dt_argsource_t *s, int dst)
{
	dt_emit_t *e = cg->e;

	switch (s->kind) {
	case DT_ARG_CTX:
	case DT_ARG_KPC:
	case DT_ARG_UPC:
		dt_load(e, 8, R1, FP, DT_FRAME_CTX);
		dt_load(e, 8, dst, R1, (int)s->offset);
		if (s->kind != DT_ARG_CTX)
			gen_pc_side(cg, dst, s->kind == DT_ARG_KPC);
		break;
	case DT_ARG_KREAD:
	case DT_ARG_KREAD2:
	case DT_ARG_UREAD:
		gen_memory(cg, s, dst);
		break;
	case DT_ARG_KPACKET:
		gen_packet(cg, s, dst);
		break;
	case DT_ARG_FUNCARG:
	case DT_ARG_FUNCRET:
	case DT_ARG_FUNCREAD:
		gen_function_value(cg, s, dst);
		break;
	case DT_ARG_COOKIE:
		dt_load(e, 8, R1, FP, DT_FRAME_CTX);
		dt_call(e, BPF_FUNC_get_attach_cookie);
		dt_mov(e, dst, R0);
		break;
	case DT_ARG_WAIT:
		dt_gen_wait_word(cg, s->offset, dst);
		break;
	case DT_ARG_TASK:
		dt_call(e, BPF_FUNC_get_current_task);
		dt_mov(e, dst, R0);
		break;
	case DT_ARG_OFTASK:
		dt_call(e, BPF_FUNC_get_current_task_btf);
		dt_load(e, s->size, dst, R0, (int)s->offset);
		break;
	case DT_ARG_TID:
	case DT_ARG_PID:
		dt_gen_pid_tgid(cg);
		gen_half(cg, dst, s->kind == DT_ARG_PID);
		break;
	case DT_ARG_NONE:
	case DT_ARG_CONST:
	case DT_ARG_ERROR:
		dt_alu_imm(e, BPF_MOV, dst, 0);
		break;
	}
	if (s->shift)
		dt_alu_imm(e, BPF_RSH, dst, s->shift);
	if (s->size && s->size < 8 && (s->is_signed || s->kind != DT_ARG_OFTASK))
		dt_extend(e, dst, s->size, s->is_signed);
	if (s->is_negated)
		dt_alu_imm(e, BPF_NEG, dst, 0);
	if (s->is_status)
		gen_status(cg, dst);
	if (s->value) {
		dt_const(e, R1, (uint64_t)s->value);
		dt_alu_reg(e, BPF_ADD, dst, R1);
	}
}

/* dst = a number by the key of the ecb's probe that fired, from a table of u32. */
static void gen_by_probe(dt_cg_t *cg, const dt_ecb_t *ecb, int dst,
			 uint32_t (*number)(const dt_ecb_t *, uint32_t))
{
	dt_emit_t *e = cg->e;
	uint32_t n = ecb->attach_nkeys, offset;
	uint32_t *table;
	int done = dt_label_new(e);

	if (dt_ecb_one_key(ecb)) {
		dt_const(e, dst, number(ecb, 0));
		return;
	}
	table = dt_arena_alloc(cg->env->arena, n * sizeof(*table));
	if (!table) {
		dt_cg_fail(cg, EDT_NOMEM, ecb->clause->line, "out of memory");
		return;
	}
	for (uint32_t i = 0; i < ecb->nprobes; i++)
		table[ecb->probes[i]->key] = number(ecb, i);
	offset = dt_strings_intern(cg->env, (const char *)table, n * sizeof(*table));
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_load(e, 8, R1, FP, DT_FRAME_KEY);
	dt_jump_imm(e, BPF_JGE, R1, (int32_t)n, done);
	dt_alu_imm(e, BPF_LSH, R1, 2);
	dt_map_value(e, R2, DT_MAP_STRINGS, offset);
	dt_alu_reg(e, BPF_ADD, R2, R1);
	dt_load(e, 4, dst, R2, 0);
	dt_label_here(e, done);
}

static uint32_t epid_of(const dt_ecb_t *ecb, uint32_t probe)
{
	return ecb->epid + probe;
}

static uint32_t id_of(const dt_ecb_t *ecb, uint32_t probe)
{
	return ecb->probes[probe]->desc.dtpd_id;
}

void dt_gen_epid(dt_cg_t *cg, const dt_ecb_t *ecb, int dst)
{
	gen_by_probe(cg, ecb, dst, epid_of);
}

/* ERROR's arguments: what the fault has left in the frame. */
static void gen_error_argument(dt_cg_t *cg, uint32_t n, int dst)
{
	static const struct {
		int size, offset;
	} words[] = {{0, 0},
		     {4, DT_FRAME_FAULTEPID},
		     {4, DT_FRAME_FAULT + 4},
		     {4, DT_FRAME_FAULTPC},
		     {4, DT_FRAME_FAULT},
		     {8, DT_FRAME_FAULTVALUE}};

	if (n < sizeof(words) / sizeof(words[0]) && words[n].size)
		dt_load(cg->e, words[n].size, dst, FP, words[n].offset);
	else
		dt_alu_imm(cg->e, BPF_MOV, dst, 0);
}

/* ---- Built-in variables -------------------------------------------------- */

static void gen_task_member(dt_cg_t *cg, int dst, const dt_node_t *n, const char *const *path)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8);
	uint32_t offset, size;

	dt_call(e, BPF_FUNC_get_current_task);
	dt_mov(e, dst, R0);
	for (; *path; path++) {
		if (dt_kernel_member(cg->env->hdl, "task_struct", *path, &offset, &size) != 0) {
			cg->failed = true;
			return;
		}
		dt_alu_imm(e, BPF_ADD, dst, (int32_t)offset);
		dt_gen_read(cg, slot, size, dst, false);
		dt_load(e, (int)size, dst, FP, slot);
		dt_extend(e, dst, (int)size, dt_value_signed(cg, n->type));
	}
	cg->stack = mark;
}

static void gen_ppid(dt_cg_t *cg, int dst, const dt_node_t *n)
{
	if (cg->env->pidns.inode == DT_PIDNS_FIRST) {
		gen_task_member(cg, dst, n, (const char *const[]){"real_parent", "tgid", NULL});
		return;
	}
	dt_scratch_need(cg, 0);
	dt_load(cg->e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_support_call(cg->e, DT_SUPPORT_PPID);
	dt_mov(cg->e, dst, R0);
}

/* The error of the system call that returns; elsewhere there is none. */
static void gen_errno(dt_cg_t *cg, int dst)
{
	const dt_argsource_t *source = &cg->program->attach->errno_source;
	int failed = dt_label_new(cg->e), done = dt_label_new(cg->e);

	if (source->kind == DT_ARG_NONE || cg->in_error) {
		dt_alu_imm(cg->e, BPF_MOV, dst, 0);
		return;
	}
	dt_gen_argument(cg, source, dst);
	dt_alu_imm(cg->e, BPF_NEG, dst, 0);
	dt_alu_imm(cg->e, BPF_MOV, R1, 4095);
	dt_jump_reg(cg->e, BPF_JGT, dst, R1, failed);
	dt_jump(cg->e, done);
	dt_label_here(cg->e, failed);
	dt_alu_imm(cg->e, BPF_MOV, dst, 0);
	dt_label_here(cg->e, done);
}

/*
 * Nanoseconds that the thread has been on a CPU: what it has gathered up to its last
 * switch, and the time since. See dt_codegen_ontime().
 */
static void gen_vtimestamp(dt_cg_t *cg, int dst)
{
	dt_emit_t *e = cg->e;
	int none = dt_label_new(e);

	cg->needs_cpu = true;
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_mov(e, dst, R0);
	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_load(e, 8, R1, R1, offsetof(dt_kcpu_t, switched_at));
	dt_alu_reg(e, BPF_SUB, dst, R1);
	dt_gen_self_pointer(cg, false);
	dt_jump_imm(e, BPF_JEQ, R0, 0, none);
	dt_load(e, 8, R0, R0, (int)cg->env->ontime_offset);
	dt_alu_reg(e, BPF_ADD, dst, R0);
	dt_label_here(e, none);
}

void dt_gen_walk(dt_cg_t *cg, const dt_str_t *place, int flags)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, R1, FP, DT_FRAME_CTX);
	dt_str_address(cg, place, R2);
	dt_alu_imm(e, BPF_MOV, R3, (int32_t)place->size);
	dt_alu_imm(e, BPF_MOV, R4, flags);
	dt_call(e, BPF_FUNC_get_stack);
}

/* Where a function has been called from as it is entered or returns into the frame word; 0:
 * the probe is at neither. */
static void gen_return_address(dt_cg_t *cg, int slot)
{
	const dt_attachpoint_t *attach = cg->program->attach;
	dt_emit_t *e = cg->e;
	int none = dt_label_new(e);

	dt_store_imm(e, 8, FP, slot, 0);
	if (!attach->is_return) {
		dt_load(e, 8, R1, FP, DT_FRAME_CTX);
		dt_call(e, BPF_FUNC_get_attach_cookie);
		dt_alu_imm(e, BPF_RSH, R0, 32);
		dt_jump_imm(e, BPF_JNE, R0, 0, none);
	}
	dt_gen_argument(cg, &attach->caller, R1);
	dt_store(e, 8, FP, slot, R1);
	dt_label_here(e, none);
}

/*
 * The walk goes by frame pointers, which at the entry and as it returns is the caller's: the
 * frame after the first is its caller. Newer kernels see to that at some entries, those that
 * begin with a push of the frame pointer; elsewhere it is put in.
 */
void dt_gen_user_stack(dt_cg_t *cg, const dt_str_t *frames)
{
	const dt_attachpoint_t *attach = cg->program->attach;
	dt_str_t others = {frames->place, frames->offset + 8, frames->size - 8};
	dt_emit_t *e = cg->e;
	int mark = cg->stack, caller, bytes, done;

	if (attach->caller.kind == DT_ARG_NONE || frames->size < 16) {
		dt_gen_walk(cg, frames, BPF_F_USER_STACK);
		return;
	}
	caller = dt_stack_alloc(cg, 8);
	bytes = dt_stack_alloc(cg, 8);
	done = dt_label_new(e);
	gen_return_address(cg, caller);
	dt_gen_walk(cg, frames, BPF_F_USER_STACK);
	dt_store(e, 8, FP, bytes, R0);
	dt_jump_imm(e, BPF_JSLT, R0, 8, done);
	dt_load(e, 8, R1, FP, caller);
	dt_jump_imm(e, BPF_JEQ, R1, 0, done);
	if (!attach->is_return) {
		dt_str_address(cg, frames, R2);
		dt_load(e, 8, R2, R2, 8);
		dt_jump_reg(e, BPF_JEQ, R1, R2, done);
	}
	dt_gen_walk(cg, &others, BPF_F_USER_STACK);
	dt_jump_imm(e, BPF_JSLT, R0, 8, done);
	dt_alu_imm(e, BPF_ADD, R0, 8);
	dt_store(e, 8, FP, bytes, R0);
	dt_str_address(cg, frames, R1);
	dt_load(e, 8, R2, R1, 8);
	dt_store(e, 8, R1, 0, R2);
	dt_load(e, 8, R2, FP, caller);
	dt_store(e, 8, R1, 8, R2);
	dt_label_here(e, done);
	dt_load(e, 8, R0, FP, bytes);
	cg->stack = mark;
}

/* The number of frames of the kernel's or user's stack. */
static void gen_stackdepth(dt_cg_t *cg, int dst, int flags)
{
	dt_emit_t *e = cg->e;
	dt_str_t frames = {DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, 127 * 8), 127 * 8};
	int some = dt_label_new(e);

	if (flags & BPF_F_USER_STACK)
		dt_gen_user_stack(cg, &frames);
	else
		dt_gen_walk(cg, &frames, flags);
	dt_mov(e, dst, R0);
	dt_jump_imm(e, BPF_JSGE, dst, 0, some);
	dt_alu_imm(e, BPF_MOV, dst, 0); /* there is no stack to walk */
	dt_label_here(e, some);
	dt_alu_imm(e, BPF_RSH, dst, 3);
}

/* The second frame of a stack: who has called what the probe is in; 0: there is none. */
static void gen_caller(dt_cg_t *cg, int dst, int flags)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8), none = dt_label_new(e);
	const dt_str_t frame = {DT_STR_FRAME, slot, 8};

	if (flags & BPF_F_USER_STACK && cg->program->attach->caller.kind != DT_ARG_NONE) {
		gen_return_address(cg, slot);
		dt_load(e, 8, dst, FP, slot);
		dt_jump_imm(e, BPF_JNE, dst, 0, none);
	}
	dt_gen_walk(cg, &frame, flags + 1); /* frames to skip */
	dt_alu_imm(e, BPF_MOV, dst, 0);
	dt_jump_imm(e, BPF_JSLT, R0, 8, none);
	dt_load(e, 8, dst, FP, slot);
	dt_label_here(e, none);
	cg->stack = mark;
}

/* uregs[n]: the thread's registers as it entered the kernel, a word each. */
static void gen_uregs(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8), index = dt_stack_alloc(cg, 8);

	dt_gen_expr(cg, n->list, dst);
	dt_store(e, 8, FP, index, dst);
	dt_jump_imm(e, BPF_JGE, dst, DT_ARCH_NREGISTERS,
		    dt_fault_label(cg, DTRACEFLT_BADINDEX, -1, index));
	dt_call(e, BPF_FUNC_get_current_task_btf);
	dt_mov(e, R1, R0);
	dt_call(e, BPF_FUNC_task_pt_regs);
	dt_mov(e, dst, R0);
	dt_gen_forget(cg, dst, R1);
	dt_load(e, 8, R1, FP, index);
	dt_alu_imm(e, BPF_LSH, R1, 3);
	dt_alu_reg(e, BPF_ADD, dst, R1);
	dt_gen_read_kernel(cg, slot, 8, dst);
	dt_load(e, 8, dst, FP, slot);
	cg->stack = mark;
}

/* All clauses of a firing see the same time, that of the first look at it. */
static void gen_timestamp(dt_cg_t *cg, int dst)
{
	dt_emit_t *e = cg->e;
	int known = dt_label_new(e), base, at;

	if (cg->timestamp.place != DT_STR_NONE) {
		base = dt_str_base(cg, &cg->timestamp, R1, &at);
		dt_load(e, 8, R0, base, at);
		dt_jump_imm(e, BPF_JNE, R0, 0, known);
	}
	dt_call(e, BPF_FUNC_ktime_get_ns);
	if (cg->timestamp.place != DT_STR_NONE) {
		base = dt_str_base(cg, &cg->timestamp, R1, &at);
		dt_store(e, 8, base, at, R0);
	}
	dt_label_here(e, known);
	dt_mov(e, dst, R0);
}

void dt_gen_builtin(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_emit_t *e = cg->e;
	uint32_t id = n->ident->id;

	if (id - DT_VAR_ARG0 < DT_MAXARGS) {
		if (cg->in_error)
			gen_error_argument(cg, id - DT_VAR_ARG0, dst);
		else
			dt_gen_argument(cg, &cg->program->attach->args[id - DT_VAR_ARG0], dst);
		return;
	}
	switch (id) {
	case DT_VAR_CPU:
		cg->needs_cpu = true;
		dt_load(e, 4, dst, FP, DT_FRAME_CPU);
		break;
	case DT_VAR_CURTHREAD:
		dt_call(e, BPF_FUNC_get_current_task);
		dt_mov(e, dst, R0);
		break;
	case DT_VAR_EPID:
		dt_gen_epid(cg, cg->ecb, dst);
		break;
	case DT_VAR_ID:
		gen_by_probe(cg, cg->ecb, dst, id_of);
		break;
	case DT_VAR_ERRNO:
		gen_errno(cg, dst);
		break;
	case DT_VAR_GID:
		dt_call(e, BPF_FUNC_get_current_uid_gid);
		gen_half(cg, dst, true);
		break;
	case DT_VAR_UID:
		dt_call(e, BPF_FUNC_get_current_uid_gid);
		gen_half(cg, dst, false);
		break;
	case DT_VAR_PID:
		dt_gen_pid_tgid(cg);
		gen_half(cg, dst, true);
		break;
	case DT_VAR_TID:
		dt_gen_pid_tgid(cg);
		gen_half(cg, dst, false);
		break;
	case DT_VAR_PPID:
		gen_ppid(cg, dst, n);
		break;
	case DT_VAR_TIMESTAMP:
		gen_timestamp(cg, dst);
		break;
	case DT_VAR_VTIMESTAMP:
		gen_vtimestamp(cg, dst);
		break;
	case DT_VAR_WALLTIMESTAMP:
		dt_call(e, BPF_FUNC_ktime_get_ns);
		dt_map_value(e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, wall_offset));
		dt_load(e, 8, dst, R1, 0);
		dt_alu_reg(e, BPF_ADD, dst, R0);
		break;
	case DT_VAR_CALLER:
		gen_caller(cg, dst, dt_inner_frames(cg));
		break;
	case DT_VAR_UCALLER:
		gen_caller(cg, dst, BPF_F_USER_STACK);
		break;
	case DT_VAR_STACKDEPTH:
		gen_stackdepth(cg, dst, dt_inner_frames(cg));
		break;
	case DT_VAR_UREGS:
		gen_uregs(cg, n, dst);
		break;
	case DT_VAR_USTACKDEPTH:
		gen_stackdepth(cg, dst, BPF_F_USER_STACK);
		break;
	default:
		dt_cg_fail(cg, EDT_NOTHERE, n->line, "variable %s is not supported",
			   n->ident->name);
	}
}

/*
 * Attached to sched_switch when a program reads vtimestamp: the thread that leaves gets
 * the time since it came; the CPU notes the time for the one that comes. Context: preempt
 * (8 bytes), previous task, next task.
 */
int dt_codegen_ontime(dt_cgenv_t *env, dt_emit_t *e)
{
	dt_cg_t cg = {.env = env, .e = e};
	int out = dt_label_new(e);

	dt_call(e, BPF_FUNC_get_smp_processor_id);
	dt_gen_cpu_words(&cg, R0, out);
	dt_mov(e, R6, R0);
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_load(e, 8, R8, R6, offsetof(dt_kcpu_t, switched_at));
	dt_mov(e, R7, R0);
	dt_store(e, 8, R6, offsetof(dt_kcpu_t, switched_at), R0);
	dt_alu_reg(e, BPF_SUB, R7, R8);
	/* While sched_switch fires, the current task is still the one that leaves. */
	dt_gen_self_pointer(&cg, true);
	dt_jump_imm(e, BPF_JEQ, R0, 0, out);
	dt_load(e, 8, R1, R0, (int)env->ontime_offset);
	dt_alu_reg(e, BPF_ADD, R1, R7);
	dt_store(e, 8, R0, (int)env->ontime_offset, R1);
	dt_label_here(e, out);
	dt_alu_imm(e, BPF_MOV, R0, 0);
	dt_exit(e);
	return dt_emit_finish(e) ? 0 : dt_set_errno(env->hdl, EDT_NOMEM);
}
