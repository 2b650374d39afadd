/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subr_mem.c - memory: alloca, bcopy, copyin, copyinto, copyout, copyoutstr.
 *
 * What alloca() and copyin() give lies in scratch until the clause ends. A constant size
 * has its place at compile time; others take from the heap, scratchsize bytes of scratch
 * whose first word tells how many are taken. The pointer is a plain number to D: what is
 * read through it is read as any kernel memory, and what is written is checked to be
 * scratch.
 */
#include <bpf/bpf.h>
#include <unistd.h>

#include "codegen/subr.h"

/* Constant sizes beyond this fault as run-time ones beyond scratchsize do. */
#define CONSTANT_MAX (1u << 20)

/* ---- Places --------------------------------------------------------------------- */

uint32_t dt_heap_size(const dt_cgenv_t *env)
{
	dtrace_optval_t size = env->hdl->options[DT_OPT_SCRATCHSIZE];

	return size < CONSTANT_MAX ? ((uint32_t)size + 7) & ~7u : CONSTANT_MAX;
}

bool dt_subr_takes_heap(const dt_node_t *call)
{
	const dt_node_t *size = NULL;

	if (call->ident->id == DT_SUBR_ALLOCA)
		size = call->list;
	else if (call->ident->id == DT_SUBR_COPYIN)
		size = call->list->next;
	return size && size->kind != DT_N_INT;
}

/* The largest copy to where an address says: bcopy()'s, copyinto()'s. */
static void note_size(dt_cg_t *cg, uint32_t size)
{
	if (size > cg->env->scratch_pad)
		cg->env->scratch_pad = size;
}

/* dst = R1 as a plain number: going through memory makes the verifier forget what it was.
 */
static void gen_number_of(dt_cg_t *cg, int dst)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, R2, FP, DT_FRAME_SCRATCH);
	dt_store(e, 8, R2, 0, R1);
	dt_load(e, 8, dst, R2, 0);
}

/* A piece of scratch for D to point to. */
typedef struct dt_piece {
	uint32_t place;
	uint32_t max;	 /* the size is at most this */
	int size, taken; /* frame offsets of the size and of the place's distance, or 0 */
	bool is_none;	 /* there is never room: it has faulted */
} dt_piece_t;

/* Takes the size in the word from the heap, or faults. */
static void gen_take(dt_cg_t *cg, dt_piece_t *p)
{
	dt_emit_t *e = cg->e;
	int fault = dt_fault_label(cg, DTRACEFLT_NOSCRATCH, -1, 0);

	p->taken = dt_stack_alloc(cg, 8);
	p->place = cg->heap + 8;
	p->max = dt_heap_size(cg->env);
	note_size(cg, p->max);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)cg->heap);
	dt_load(e, 8, R2, R1, 0);
	dt_store(e, 8, FP, p->taken, R2);
	dt_load(e, 8, R3, FP, p->size);
	dt_jump_imm(e, BPF_JGT, R3, (int32_t)p->max, fault);
	dt_alu_imm(e, BPF_ADD, R3, 7);
	dt_alu_imm(e, BPF_AND, R3, -8);
	dt_alu_reg(e, BPF_ADD, R2, R3);
	dt_jump_imm(e, BPF_JGT, R2, (int32_t)p->max, fault);
	dt_store(e, 8, R1, 0, R2);
}

static dt_piece_t gen_piece(dt_cg_t *cg, const dt_node_t *size)
{
	dt_piece_t p = {.is_none = false};

	if (size->kind != DT_N_INT) {
		p.size = dt_gen_to_slot(cg, size);
		gen_take(cg, &p);
		return p;
	}
	if (size->value > CONSTANT_MAX) {
		/* A condition that always holds: the verifier wants all code reachable. */
		dt_alu_imm(cg->e, BPF_MOV, R0, 0);
		dt_jump_imm(cg->e, BPF_JEQ, R0, 0,
			    dt_fault_label(cg, DTRACEFLT_NOSCRATCH, -1, 0));
		p.is_none = true;
		return p;
	}
	p.max = (uint32_t)size->value;
	p.place = dt_scratch_alloc(cg, p.max ? p.max : 8);
	dt_scratch_keep(cg);
	note_size(cg, p.max);
	return p;
}

/* R1 = where the piece is. */
static void gen_piece_address(dt_cg_t *cg, const dt_piece_t *p)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)p->place);
	if (!p->taken)
		return;
	dt_load(e, 8, R2, FP, p->taken);
	/* It is: said for the verifier. */
	dt_jump_imm(e, BPF_JGT, R2, (int32_t)p->max,
		    dt_fault_label(cg, DTRACEFLT_NOSCRATCH, -1, 0));
	dt_alu_reg(e, BPF_ADD, R1, R2);
}

/* R2 = its size. */
static void gen_piece_size(dt_cg_t *cg, const dt_piece_t *p)
{
	if (!p->size) {
		dt_alu_imm(cg->e, BPF_MOV, R2, (int32_t)p->max);
		return;
	}
	dt_load(cg->e, 8, R2, FP, p->size);
	dt_jump_imm(cg->e, BPF_JGT, R2, (int32_t)p->max,
		    dt_fault_label(cg, DTRACEFLT_NOSCRATCH, -1, 0));
}

/* ---- alloca, copyin ------------------------------------------------------------- */

void dt_subr_alloca(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	int mark = cg->stack;
	dt_piece_t p = gen_piece(cg, call->list);

	if (p.is_none) {
		dt_alu_imm(cg->e, BPF_MOV, dst, 0);
		return;
	}
	gen_piece_address(cg, &p);
	gen_number_of(cg, dst);
	cg->stack = mark;
}

void dt_subr_copyin(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	int mark = cg->stack, address = dt_gen_to_slot(cg, call->list);
	dt_piece_t p = gen_piece(cg, call->list->next);

	if (p.is_none) {
		dt_alu_imm(cg->e, BPF_MOV, dst, 0);
		return;
	}
	gen_piece_address(cg, &p);
	gen_piece_size(cg, &p);
	dt_load(cg->e, 8, R3, FP, address);
	dt_gen_read_call(cg, BPF_FUNC_probe_read_user);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, address);
	gen_piece_address(cg, &p);
	gen_number_of(cg, dst);
	cg->stack = mark;
}

/* ---- bcopy, copyinto ------------------------------------------------------------ */

/* Copies between the addresses in two words, of which the second must be in scratch. */
static void gen_copy_to(dt_cg_t *cg, dt_support_t function, int src, int dst, int size)
{
	dt_emit_t *e = cg->e;
	dt_supportargs_t a = {.n = 0};

	dt_arg_slot(&a, dst);
	dt_arg_slot(&a, src);
	dt_arg_slot(&a, size);
	dt_gen_support(cg, function, &a);
	dt_extend(e, R0, 4, true);
	dt_jump_imm(e, BPF_JEQ, R0, -2, dt_fault_label(cg, DTRACEFLT_BADADDR, -1, dst));
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, src);
}

void dt_subr_bcopy(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	const dt_node_t *from = call->list, *to = from->next;
	int mark = cg->stack, src = dt_gen_to_slot(cg, from),
	    where = dt_gen_to_slot(cg, to), size = dt_gen_to_slot(cg, to->next);

	gen_copy_to(cg, DT_SUPPORT_BCOPY, src, where, size);
	cg->stack = mark;
	dt_alu_imm(cg->e, BPF_MOV, dst, 0);
}

/* By way of another piece of scratch, which dt_gen_read_call() can fill when a page of the
 * process must be fetched first. */
static void gen_copyinto_fetched(dt_cg_t *cg, const dt_node_t *size, int src, int where,
				 int n)
{
	dt_emit_t *e = cg->e;
	uint32_t scratch = cg->scratch;
	dt_piece_t p = {.max = dt_heap_size(cg->env), .size = n};
	int copy = dt_stack_alloc(cg, 8);

	if (size->kind == DT_N_INT && size->value <= CONSTANT_MAX)
		p.max = (uint32_t)size->value;
	p.place = dt_scratch_alloc(cg, p.max ? p.max : 8);
	note_size(cg, p.max);
	gen_piece_address(cg, &p);
	gen_piece_size(cg, &p);
	dt_load(e, 8, R3, FP, src);
	dt_gen_read_call(cg, BPF_FUNC_probe_read_user);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, src);
	gen_piece_address(cg, &p);
	gen_number_of(cg, R3);
	dt_store(e, 8, FP, copy, R3);
	gen_copy_to(cg, DT_SUPPORT_BCOPY, copy, where, n);
	dt_scratch_release(cg, scratch);
}

void dt_subr_copyinto(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	const dt_node_t *from = call->list, *size = from->next;
	int mark = cg->stack, src = dt_gen_to_slot(cg, from), n = dt_gen_to_slot(cg, size),
	    where = dt_gen_to_slot(cg, size->next);

	if (cg->program->attach->context == DT_CONTEXT_USER)
		gen_copyinto_fetched(cg, size, src, where, n);
	else
		gen_copy_to(cg, DT_SUPPORT_COPYINTO, src, where, n);
	cg->stack = mark;
	dt_alu_imm(cg->e, BPF_MOV, dst, 0);
}

/* ---- copyout, copyoutstr -------------------------------------------------------- */

/*
 * Whether the kernel lets programs write to processes' memory: not when it is locked down,
 * nor without the capability for it. Only asking tells.
 */
static bool can_write_user(void)
{
	const struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = R1},
	    {.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = FP, .off = -8},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = R2, .src_reg = FP},
	    {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = R2, .imm = -8},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = R3, .imm = 8},
	    {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_write_user},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = R0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "dt_probe", "GPL", insns,
			       sizeof(insns) / sizeof(insns[0]), NULL);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool may_copyout(dt_cg_t *cg, const dt_node_t *call)
{
	if (can_write_user())
		return true;
	dt_cg_fail(
	    cg, EDT_NOTHERE, call->line,
	    "%s( ) is not available: this kernel does not let BPF programs write to the "
	    "memory of processes (it is locked down, or CAP_SYS_ADMIN is missing)",
	    call->ident->name);
	return false;
}

/* Writes R3 bytes of scratch at the place to the address; faults on it. */
static void gen_write_user(dt_cg_t *cg, uint32_t place, int address)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, R1, FP, address);
	dt_load(e, 8, R2, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R2, (int32_t)place);
	dt_call(e, BPF_FUNC_probe_write_user);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, address);
}

/* R-reg = the number in the word, or a fault when it is more than max. */
static void gen_limited(dt_cg_t *cg, int reg, int slot, uint32_t max)
{
	dt_load(cg->e, 8, reg, FP, slot);
	dt_jump_imm(cg->e, BPF_JGT, reg, (int32_t)max,
		    dt_fault_label(cg, DTRACEFLT_BADSIZE, -1, slot));
}

void dt_subr_copyout(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_emit_t *e = cg->e;
	const dt_node_t *buffer = call->list, *to = buffer->next, *size = to->next;
	uint32_t scratch = cg->scratch, max = dt_heap_size(cg->env), place;
	int mark = cg->stack, src, address, n, done = dt_label_new(e);

	dt_alu_imm(e, BPF_MOV, dst, 0);
	if (!may_copyout(cg, call))
		return;
	if (size->kind == DT_N_INT && size->value <= CONSTANT_MAX)
		max = (uint32_t)size->value;
	src = dt_gen_to_slot(cg, buffer);
	address = dt_gen_to_slot(cg, to);
	n = dt_gen_to_slot(cg, size);
	place = dt_scratch_alloc(cg, max ? max : 8);
	gen_limited(cg, R2, n, max);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)place);
	dt_load(e, 8, R3, FP, src);
	dt_call(e, BPF_FUNC_probe_read_kernel);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, src);
	gen_limited(cg, R3, n, max);
	dt_jump_imm(e, BPF_JLT, R3, 1, done); /* the helper does not take 0 */
	gen_write_user(cg, place, address);
	dt_label_here(e, done);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
}

/* The string with its NUL, but not more bytes than the third argument says. */
void dt_subr_copyoutstr(dt_cg_t *cg, const dt_node_t *call, int dst)
{
	dt_emit_t *e = cg->e;
	const dt_node_t *text = call->list, *to = text->next;
	uint32_t scratch = cg->scratch, bound = dt_str_bound(cg->env, text);
	dt_str_t s = {.place = DT_STR_SCRATCH, .size = bound};
	int mark = cg->stack, address, n, whole = dt_label_new(e), done = dt_label_new(e);

	dt_alu_imm(e, BPF_MOV, dst, 0);
	if (!may_copyout(cg, call))
		return;
	s.offset = (int)dt_gen_str_scratch(cg, text);
	address = dt_gen_to_slot(cg, to);
	n = dt_gen_to_slot(cg, to->next);
	dt_str_address(cg, &s, R3);
	dt_gen_read_str(cg, &s, bound, BPF_FUNC_probe_read_kernel_str);
	dt_mov(e, R3, R0);
	dt_load(e, 8, R2, FP, n);
	dt_jump_reg(e, BPF_JLE, R3, R2, whole);
	dt_mov(e, R3, R2);
	dt_label_here(e, whole);
	dt_jump_imm(e, BPF_JLT, R3, 1, done);
	dt_jump_imm(e, BPF_JGT, R3, (int32_t)bound, done);
	gen_write_user(cg, (uint32_t)s.offset, address);
	dt_label_here(e, done);
	cg->stack = mark;
	dt_scratch_release(cg, scratch);
}
