/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action.c - actions: values into the record's fields, which layout.c laid out in the
 * same order as they are met here (cg->field).
 *
 * Faults name the action by its number, and DTrace counts as one whatever makes a record: an
 * assignment or another expression too, each value of a printf(), each key of an aggregation.
 */
#include <signal.h>

#include "arch.h"
#include "bpf/jstack.h"
#include "codegen/cg.h"
#include "codegen/subr.h"

static const dt_field_t *next_field(dt_cg_t *cg)
{
	return &cg->ecb->plan->fields[cg->field++];
}

static dt_str_t field_place(dt_cg_t *cg, const dt_field_t *f)
{
	return (dt_str_t){DT_STR_RECORD, (int)(dt_record_header(cg->env) + f->kernel_offset),
			  f->kernel_size};
}

/* R1 = record, and the offset of the field from it. */
static int gen_field(dt_cg_t *cg, const dt_field_t *f)
{
	dt_load(cg->e, 8, R1, FP, DT_FRAME_RECORD);
	return (int)(dt_record_header(cg->env) + f->kernel_offset);
}

/* Bytes of memory by value: a struct or an array. */
static void gen_memory_field(dt_cg_t *cg, const dt_node_t *n, const dt_field_t *f)
{
	int mark = cg->stack, slot = dt_gen_to_slot(cg, n);
	dt_str_t place = field_place(cg, f);

	dt_str_address(cg, &place, R1);
	dt_alu_imm(cg->e, BPF_MOV, R2, (int32_t)f->kernel_size);
	dt_load(cg->e, 8, R3, FP, slot);
	dt_gen_read_value(cg, n);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	cg->stack = mark;
}

static void gen_value_field(dt_cg_t *cg, const dt_node_t *n)
{
	const dt_field_t *f = next_field(cg);
	dt_type_t *t = dt_type_resolve(cg->env->hdl, n->type);
	dt_str_t place;
	int mark = cg->stack, slot, at;

	if (t->kind == DT_K_STACK || t->kind == DT_K_USTACK) {
		place = field_place(cg, f);
		dt_gen_stack(cg, f, &place);
	} else if (t->kind == DT_K_SYMADDR || t->kind == DT_K_USYMADDR) {
		place = field_place(cg, f);
		dt_gen_symbol(cg, n, &place, t->kind == DT_K_USYMADDR);
	} else if (f->encoding == DT_ENC_STRING) {
		place = field_place(cg, f);
		dt_gen_str_into(cg, n, &place);
	} else if (f->encoding != DT_ENC_RAW) {
		return; /* known without a byte */
	} else if (t->kind == DT_K_STRUCT || t->kind == DT_K_UNION || t->kind == DT_K_ARRAY) {
		gen_memory_field(cg, n, f);
	} else {
		slot = dt_gen_to_slot(cg, n);
		dt_load(cg->e, 8, R2, FP, slot);
		at = gen_field(cg, f);
		dt_store(cg->e, (int)f->kernel_size, R1, at, R2);
		cg->stack = mark;
	}
}

/* R0 = current process, as user stacks and symbols carry it. */
static void gen_process(dt_cg_t *cg)
{
	dt_gen_pid_tgid(cg);
	dt_alu_imm(cg->e, BPF_RSH, R0, 32);
}

/* Frames that are always of tracing itself: our program, the part of it that calls, and what
 * has called it. Where there are more, the consumer knows them by name. */
int dt_inner_frames(const dt_cg_t *cg)
{
	switch (cg->program->attach->kind) {
	case DT_ATTACH_SELF:
		return 1 + cg->is_divided;
	case DT_ATTACH_RAWTP:
	case DT_ATTACH_FUNCTION:
		return 2 + cg->is_divided;
	default:
		return 0;
	}
}

/* The thread's frame pointer into the frame word. */
static void gen_frame_pointer(dt_cg_t *cg, int slot)
{
	dt_emit_t *e = cg->e;

	dt_call(e, BPF_FUNC_get_current_task_btf);
	dt_mov(e, R1, R0);
	dt_call(e, BPF_FUNC_task_pt_regs);
	dt_mov(e, R3, R0);
	dt_alu_imm(e, BPF_ADD, R3, (int32_t)DT_ARCH_FRAME_POINTER);
	dt_frame_address(e, R1, slot);
	dt_alu_imm(e, BPF_MOV, R2, 8);
	dt_call(e, BPF_FUNC_probe_read_kernel);
}

/*
 * What JavaScript functions a user stack has, into the place behind its frames. It is
 * written in scratch first, behind the words that bpf/jstack.h describes. A process whose V8
 * is not known has none.
 */
static void gen_scripts(dt_cg_t *cg, const dt_field_t *f, const dt_str_t *frames,
			const dt_str_t *strings)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8), second = dt_stack_alloc(cg, 8);
	int none = dt_label_new(e);
	uint32_t block = dt_scratch_alloc(cg, DT_V8_NWORDS * 8 + strings->size);
	dt_supportargs_t args = {.n = 0};

	dt_gen_scratch_clear(cg, block, DT_V8_NWORDS * 8 + strings->size);
	gen_process(cg);
	dt_store(e, 8, FP, slot, R0);
	dt_map_lookup(e, DT_MAP_V8, slot, none);
	dt_mov(e, R3, R0);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)(block + DT_V8_FIRST * 8));
	dt_alu_imm(e, BPF_MOV, R2, (DT_V8_NWORDS - DT_V8_FIRST) * 8);
	dt_call(e, BPF_FUNC_probe_read_kernel);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, (int32_t)block);
	dt_store_imm(e, 8, R1, DT_V8_NFRAMES * 8,
		     (int32_t)DTRACE_USTACK_NFRAMES(f->rec.dtrd_arg));
	dt_store_imm(e, 8, R1, DT_V8_STRSIZE * 8, (int32_t)strings->size);
	dt_store_imm(e, 8, FP, second, 0);
	if (frames->size >= 16) {
		dt_str_address(cg, frames, R1);
		dt_load(e, 8, R2, R1, 8);
		dt_store(e, 8, FP, second, R2);
	}
	gen_frame_pointer(cg, slot);
	dt_arg_value(&args, (int32_t)block);
	dt_arg_slot(&args, slot);
	dt_arg_slot(&args, second);
	dt_gen_support(cg, DT_SUPPORT_JSTACK, &args);
	dt_label_here(e, none);
	dt_str_address(cg, strings, R1);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)strings->size);
	dt_load(e, 8, R3, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R3, (int32_t)(block + DT_V8_NWORDS * 8));
	dt_call(e, BPF_FUNC_probe_read_kernel);
	cg->stack = mark;
}

void dt_gen_stack(dt_cg_t *cg, const dt_field_t *f, const dt_str_t *place)
{
	dt_emit_t *e = cg->e;
	dt_str_t frames = *place, strings = *place;
	bool user = dt_type_resolve(cg->env->hdl, f->type)->kind == DT_K_USTACK;
	int some = dt_label_new(e);

	if (f->encoding == DT_ENC_JSTACK) {
		strings.size = (DTRACE_USTACK_STRSIZE(f->rec.dtrd_arg) + 7) & ~7u;
		frames.size -= strings.size;
		strings.offset += (int)frames.size;
	}

	if (user) {
		gen_process(cg);
		dt_str_address(cg, place, R1);
		dt_store(e, 8, R1, 0, R0);
		frames.offset += 8;
		frames.size -= 8;
	}
	/* bpf/jstack.bpf.c takes the walk as it is. */
	if (user && f->encoding != DT_ENC_JSTACK)
		dt_gen_user_stack(cg, &frames);
	else
		dt_gen_walk(cg, &frames, user ? BPF_F_USER_STACK : dt_inner_frames(cg));
	/* A kernel thread has no user stack: then there is no first frame. */
	dt_jump_imm(e, BPF_JSGE, R0, 0, some);
	dt_str_address(cg, &frames, R1);
	dt_store_imm(e, 8, R1, 0, 0);
	dt_label_here(e, some);
	if (f->encoding == DT_ENC_JSTACK)
		gen_scripts(cg, f, &frames, &strings);
}

void dt_gen_symbol(dt_cg_t *cg, const dt_node_t *call, const dt_str_t *place, bool user)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_gen_to_slot(cg, call->list);

	if (user) {
		gen_process(cg);
		dt_str_address(cg, place, R1);
		dt_store(e, 8, R1, 0, R0);
	} else {
		dt_str_address(cg, place, R1);
	}
	dt_load(e, 8, R2, FP, slot);
	dt_store(e, 8, R1, user ? 8 : 0, R2);
	cg->stack = mark;
}

/*
 * exit(): nothing but END fires from now on, on any CPU. The bell wakes a consumer that
 * sleeps until its next turn.
 */
static void gen_exit(dt_cg_t *cg, const dt_node_t *call)
{
	int mark = cg->stack;

	gen_value_field(cg, call->list);
	dt_gen_drain(cg, offsetof(dt_kstate_t, exited));
	cg->stack = mark;
}

/* Normalization and its like are the consumer's work; only a number goes into the record. */
static void gen_library_action(dt_cg_t *cg, const dt_node_t *call)
{
	const dt_node_t *value = call->list ? call->list->next : NULL;

	if (value) {
		cg->action++;
		gen_value_field(cg, value);
	} else {
		cg->action += call->ident->id == DT_ACTION_TRUNC;
		next_field(cg);
	}
}

/* ---- Memory of a given size ------------------------------------------------------- */

/* tracemem(): size bytes at an address, or as many of them as the last argument says. */
static void gen_tracemem(dt_cg_t *cg, const dt_node_t *call)
{
	dt_emit_t *e = cg->e;
	const dt_node_t *address = call->list, *size = address->next, *count = size->next;
	const dt_field_t *counted = count ? next_field(cg) : NULL, *f = next_field(cg);
	dt_str_t place = field_place(cg, f);
	int mark = cg->stack, slot, n = 0, at;
	int fits = dt_label_new(e), none = dt_label_new(e);

	if (count) {
		n = dt_gen_to_slot(cg, count);
		dt_load(e, 8, R2, FP, n);
		at = gen_field(cg, counted);
		dt_store(e, 8, R1, at, R2);
		cg->action++;
	}
	slot = dt_gen_to_slot(cg, address);
	dt_str_address(cg, &place, R1);
	dt_alu_imm(e, BPF_MOV, R2, (int32_t)f->rec.dtrd_size);
	if (count) {
		dt_load(e, 8, R2, FP, n);
		dt_jump_imm(e, BPF_JEQ, R2, 0, none);
		dt_jump_imm(e, BPF_JLE, R2, (int32_t)f->rec.dtrd_size, fits);
		dt_alu_imm(e, BPF_MOV, R2, (int32_t)f->rec.dtrd_size);
		dt_label_here(e, fits);
	}
	dt_load(e, 8, R3, FP, slot);
	dt_gen_read_call(cg, address->is_userland ? BPF_FUNC_probe_read_user
						  : BPF_FUNC_probe_read_kernel);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
	dt_label_here(e, none);
	cg->stack = mark;
}

/* A member of the socket buffer whose address is in a slot; returns the slot of its value. */
static int gen_packet_member(dt_cg_t *cg, int packet, const char *name)
{
	int slot = dt_stack_alloc(cg, 8);
	uint32_t offset, size;

	if (dt_kernel_member(cg->env->hdl, "sk_buff", name, &offset, &size) != 0) {
		cg->failed = true;
		return slot;
	}
	dt_store_imm(cg->e, 8, FP, slot, 0);
	dt_frame_address(cg->e, R1, slot);
	dt_alu_imm(cg->e, BPF_MOV, R2, (int32_t)size);
	dt_load(cg->e, 8, R3, FP, packet);
	dt_alu_imm(cg->e, BPF_ADD, R3, (int32_t)offset);
	dt_call(cg->e, BPF_FUNC_probe_read_kernel);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, packet);
	return slot;
}

/* R0 = walltimestamp. */
static void gen_time(dt_cg_t *cg)
{
	dt_call(cg->e, BPF_FUNC_ktime_get_ns);
	dt_map_value(cg->e, R1, DT_MAP_STATE, offsetof(dt_kstate_t, wall_offset));
	dt_load(cg->e, 8, R2, R1, 0);
	dt_alu_reg(cg->e, BPF_ADD, R0, R2);
}

/*
 * pcap(): a dtrace_packet_t, and the packet from skb->data on, as far as it is in one piece
 * (skb->len - skb->data_len; the rest is in pages, and the headers never are) and as there
 * is room.
 */
static void gen_pcap(dt_cg_t *cg, const dt_node_t *call)
{
	dt_emit_t *e = cg->e;
	const dt_field_t *f = next_field(cg);
	int32_t room = (int32_t)(f->rec.dtrd_size - sizeof(dtrace_packet_t));
	int mark = cg->stack, packet = dt_gen_to_slot(cg, call->list), at;
	int link = call->list->next ? dt_gen_to_slot(cg, call->list->next) : 0;
	int length = gen_packet_member(cg, packet, "len");
	int paged = gen_packet_member(cg, packet, "data_len");
	int data = gen_packet_member(cg, packet, "data");
	int fits = dt_label_new(e), none = dt_label_new(e);

	gen_time(cg);
	at = gen_field(cg, f);
	dt_store(e, 8, R1, at + (int)offsetof(dtrace_packet_t, dtpk_time), R0);
	dt_load(e, 8, R2, FP, length);
	dt_store(e, 4, R1, at + (int)offsetof(dtrace_packet_t, dtpk_length), R2);
	dt_alu_imm(e, BPF_MOV, R3, 1); /* Ethernet */
	if (link)
		dt_load(e, 8, R3, FP, link);
	dt_store(e, 4, R1, at + (int)offsetof(dtrace_packet_t, dtpk_linktype), R3);
	dt_store_imm(e, 4, R1, at + (int)offsetof(dtrace_packet_t, dtpk_pad), 0);
	dt_load(e, 8, R3, FP, paged);
	dt_alu_reg(e, BPF_SUB, R2, R3);
	dt_jump_imm(e, BPF_JLE, R2, room, fits);
	dt_alu_imm(e, BPF_MOV, R2, room);
	dt_label_here(e, fits);
	dt_store(e, 4, R1, at + (int)offsetof(dtrace_packet_t, dtpk_captured), R2);
	dt_jump_imm(e, BPF_JEQ, R2, 0, none);
	dt_alu_imm(e, BPF_ADD, R1, at + (int)sizeof(dtrace_packet_t));
	dt_load(e, 8, R3, FP, data);
	dt_gen_read_call(cg, BPF_FUNC_probe_read_kernel);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, data);
	dt_label_here(e, none);
	cg->stack = mark;
}

/* ---- Actions that change something ------------------------------------------------- */

/* stop(), raise(): a signal to the process that fired the probe. */
static void gen_signal(dt_cg_t *cg, int slot, int number)
{
	dt_emit_t *e = cg->e;

	if (slot)
		dt_load(e, 8, R1, FP, slot);
	else
		dt_alu_imm(e, BPF_MOV, R1, number);
	dt_call(e, BPF_FUNC_send_signal);
}

static void gen_raise(dt_cg_t *cg, const dt_node_t *call)
{
	int mark = cg->stack, slot = dt_gen_to_slot(cg, call->list);

	gen_signal(cg, slot, 0);
	cg->stack = mark;
}

/* What chill() may take of a CPU, in ns, and within which time. */
#define CHILL_MAX 500000000
#define CHILL_INTERVAL 1000000000

/*
 * chill(): no more than half of any second on a CPU, or the clause faults. That a program
 * interrupts this one between reading and writing makes it no worse than once more.
 */
static void gen_chill(dt_cg_t *cg, const dt_node_t *call)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_gen_to_slot(cg, call->list);
	int same = dt_label_new(e), fault = dt_fault_label(cg, DTRACEFLT_ILLOP, -1, slot);
	dt_supportargs_t args = {.n = 0};

	dt_scratch_alloc(cg, 8); /* that there is scratch: the function wants it */
	dt_call(e, BPF_FUNC_ktime_get_ns);
	dt_load(e, 8, R1, FP, DT_FRAME_CPUS);
	dt_mov(e, R2, R0);
	dt_load(e, 8, R3, R1, offsetof(dt_kcpu_t, chill_since));
	dt_alu_reg(e, BPF_SUB, R2, R3);
	dt_jump_imm(e, BPF_JLT, R2, CHILL_INTERVAL, same);
	dt_store(e, 8, R1, offsetof(dt_kcpu_t, chill_since), R0);
	dt_store_imm(e, 8, R1, offsetof(dt_kcpu_t, chilled), 0);
	dt_label_here(e, same);
	dt_load(e, 8, R2, FP, slot);
	dt_jump_imm(e, BPF_JGT, R2, CHILL_MAX, fault);
	dt_load(e, 8, R3, R1, offsetof(dt_kcpu_t, chilled));
	dt_alu_reg(e, BPF_ADD, R3, R2);
	dt_jump_imm(e, BPF_JGT, R3, CHILL_MAX, fault);
	dt_store(e, 8, R1, offsetof(dt_kcpu_t, chilled), R3);
	dt_arg_slot(&args, slot);
	dt_gen_support(cg, DT_SUPPORT_CHILL, &args);
	if (cg->timestamp.place != DT_STR_NONE)
		dt_gen_clear(cg, &cg->timestamp); /* time has gone by on purpose */
	cg->stack = mark;
}

/* ---- One of them --------------------------------------------------------------------- */

/* Each argument that follows `first` is a value; none: the action's own empty field. */
static void gen_values(dt_cg_t *cg, const dt_node_t *first)
{
	if (!first)
		next_field(cg);
	for (const dt_node_t *a = first; a; a = a->next) {
		cg->action += a != first;
		gen_value_field(cg, a);
	}
}

/* Each aggregation has a field, for the consumer to know when it is to be printed. */
static void gen_printa(dt_cg_t *cg, const dt_node_t *call)
{
	bool is_first = true;

	for (const dt_node_t *a = call->list; a; a = a->next) {
		if (a->kind != DT_N_AGG)
			continue;
		cg->action += !is_first;
		is_first = false;
		next_field(cg);
	}
}

void dt_gen_action(dt_cg_t *cg, const dt_stmt_t *s)
{
	const dt_node_t *call = s->expr;

	switch (call->ident->id) {
	case DT_ACTION_TRACE:
	case DT_ACTION_PRINT:
		gen_value_field(cg, call->list);
		break;
	case DT_ACTION_TRACEMEM:
		gen_tracemem(cg, call);
		break;
	case DT_ACTION_PCAP:
		gen_pcap(cg, call);
		break;
	case DT_ACTION_PRINTF:
	case DT_ACTION_SYSTEM:
	case DT_ACTION_FREOPEN:
		gen_values(cg, call->list->next);
		break;
	case DT_ACTION_SETOPT:
		gen_values(cg, call->list);
		break;
	case DT_ACTION_PRINTA:
		gen_printa(cg, call);
		break;
	case DT_ACTION_FTRUNCATE:
		next_field(cg);
		break;
	case DT_ACTION_EXIT:
		gen_exit(cg, call);
		break;
	case DT_ACTION_CLEAR:
	case DT_ACTION_TRUNC:
	case DT_ACTION_NORMALIZE:
	case DT_ACTION_DENORMALIZE:
		gen_library_action(cg, call);
		break;
	case DT_ACTION_SPECULATE:
		dt_gen_speculate(cg, call);
		break;
	case DT_ACTION_COMMIT:
		dt_gen_commit(cg, call);
		break;
	case DT_ACTION_DISCARD:
		dt_gen_discard(cg, call);
		break;
	case DT_ACTION_STOP:
		gen_signal(cg, 0, SIGSTOP);
		break;
	case DT_ACTION_RAISE:
		gen_raise(cg, call);
		break;
	case DT_ACTION_CHILL:
		gen_chill(cg, call);
		break;
	default:
		if (call->type->kind != DT_K_VOID)
			gen_value_field(cg, call);
		else
			dt_cg_fail(cg, EDT_NOTHERE, call->line, "action %s() is not supported",
				   call->ident->name);
	}
}
