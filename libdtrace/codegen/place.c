/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - where D variables are. How their bytes are reached is in access.c.
 *
 *	this->		scalars a word of the frame, as long as they are few; the others,
 *			and what is no scalar, in scratch
 *	global		in the state map, at a fixed address
 *	self->		in the thread's task storage, which may not have been made yet
 *	array[keys]	a hash map each; the key is built in the frame or in scratch
 *
 * An lvalue is a variable, or a part of one: a member, an element, a cast of its address.
 * dt_gen_place() evaluates what it needs, once; after that it can be read and written,
 * through a pointer whose bounds the verifier knows. What is reached through any other
 * pointer is memory: it is read by helpers that fault, and written only where a D program
 * owns it.
 */
#include "codegen/cg.h"

bool dt_is_aggregate(dt_cg_t *cg, dt_type_t *type)
{
	dt_kind_t kind = dt_type_resolve(cg->env->hdl, type)->kind;

	return kind == DT_K_STRUCT || kind == DT_K_UNION || kind == DT_K_ARRAY ||
	       kind == DT_K_FUNC;
}

static bool is_pointer(dt_cg_t *cg, const dt_node_t *n)
{
	return dt_type_resolve(cg->env->hdl, n->type)->kind == DT_K_PTR;
}

/* ---- What an lvalue is a part of ---------------------------------------------------- */

static bool points_into_variable(dt_cg_t *cg, const dt_node_t *n)
{
	switch (n->kind) {
	case DT_N_ADDR:
		return dt_is_in_variable(cg, n->left);
	case DT_N_CAST:
		return is_pointer(cg, n) && is_pointer(cg, n->left) &&
		       points_into_variable(cg, n->left);
	case DT_N_BINARY:
		return (n->op == DT_OP_ADD || n->op == DT_OP_SUB) && is_pointer(cg, n) &&
		       points_into_variable(cg, n->left);
	default:
		return false;
	}
}

bool dt_is_in_variable(dt_cg_t *cg, const dt_node_t *n)
{
	switch (n->kind) {
	case DT_N_VAR:
		return n->ident->kind == DT_I_VAR;
	case DT_N_INDEX:
		return n->ident->kind == DT_I_ASSOC;
	case DT_N_MEMBER:
		return dt_is_in_variable(cg, n->left);
	case DT_N_DEREF:
		return points_into_variable(cg, n->left);
	default:
		return false;
	}
}

/* ---- Associative arrays: keys --------------------------------------------------------- */

static dt_assoc_t *find_assoc(dt_cg_t *cg, const dt_ident_t *ident, uint32_t *map)
{
	for (uint32_t i = 0; i < cg->env->nassocs; i++) {
		if (cg->env->assocs[i].ident == ident) {
			*map = DT_MAP_ASSOC + i;
			return &cg->env->assocs[i];
		}
	}
	return NULL;
}

/* Keys up to this many bytes are built in the frame, larger ones in scratch. */
#define FRAME_KEY_MAX 64

/* The thread, in the first words of a thread-local array's key: its start and its number.
 * Its address would not do: the kernel soon gives that to another thread. */
static void gen_thread_key(dt_cg_t *cg, const dt_str_t *key)
{
	dt_emit_t *e = cg->e;
	uint32_t offset, size;

	if (dt_kernel_member(cg->env->hdl, "task_struct", "start_time", &offset, &size) != 0) {
		cg->failed = true;
		return;
	}
	dt_call(e, BPF_FUNC_get_current_task_btf);
	dt_load(e, 8, R3, R0, (int)offset);
	dt_str_address(cg, key, R1);
	dt_store(e, 8, R1, 0, R3);
	dt_call(e, BPF_FUNC_get_current_pid_tgid);
	dt_str_address(cg, key, R1);
	dt_store(e, 4, R1, 8, R0);
}

/* One key of the tuple, which has been zeroed, into its part. */
static void gen_key_part(dt_cg_t *cg, const dt_node_t *k, dt_type_t *type, const dt_str_t *part)
{
	dt_emit_t *e = cg->e;
	int slot;

	if (dt_is_string(k)) {
		dt_gen_str_into(cg, k, part);
		return;
	}
	slot = dt_gen_to_slot(cg, k);
	if (dt_is_aggregate(cg, type)) {
		dt_str_address(cg, part, R1);
		dt_alu_imm(e, BPF_MOV, R2,
			   (int32_t)dt_type_resolve(cg->env->hdl, type)->size);
		dt_load(e, 8, R3, FP, slot);
		dt_gen_read_value(cg, k);
		dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, slot);
		return;
	}
	dt_load(e, 8, R2, FP, slot);
	dt_extend(e, R2, (int)dt_value_size(cg, type), dt_value_signed(cg, type));
	dt_str_address(cg, part, R1);
	dt_store(e, 8, R1, 0, R2);
}

/* Builds the tuple of keys, zero-padded; returns where. */
static dt_str_t gen_assoc_key(dt_cg_t *cg, const dt_node_t *n, const dt_assoc_t *assoc)
{
	dt_str_t key = dt_key_alloc(cg, assoc->key_size, FRAME_KEY_MAX);
	uint32_t i = 0;

	dt_gen_clear(cg, &key);
	if (assoc->ident->scope == DT_SCOPE_SELF)
		gen_thread_key(cg, &key);
	for (const dt_node_t *k = n->list; k; k = k->next, i++) {
		dt_str_t part = {key.place, key.offset + (int)assoc->key_offsets[i],
				 assoc->key_sizes[i]};
		int mark = cg->stack;

		gen_key_part(cg, k, assoc->ident->keys[i], &part);
		cg->stack = mark;
	}
	return key;
}

/* ---- Places --------------------------------------------------------------------------- */

static void place_variable(dt_cg_t *cg, const dt_node_t *n, dt_place_t *p)
{
	const dt_ident_t *ident = n->ident;

	p->extent = (dt_variable_size(cg->env, n->type) + 7) & ~7u;
	if (n->kind == DT_N_INDEX ||
	    (ident->scope == DT_SCOPE_SELF && ident->storage == DT_STORAGE_MAP)) {
		p->kind = DT_PLACE_ASSOC;
		p->assoc = find_assoc(cg, ident, &p->map);
		p->key = gen_assoc_key(cg, n, p->assoc);
	} else if (ident->scope == DT_SCOPE_GLOBAL) {
		p->kind = DT_PLACE_STATE;
		p->base = (int)ident->storage;
	} else if (ident->scope == DT_SCOPE_SELF) {
		p->kind = DT_PLACE_SELF;
		p->base = (int)ident->storage;
	} else if (cg->this_slots[ident->order]) {
		p->kind = DT_PLACE_FRAME;
		p->base = cg->this_slots[ident->order];
	} else {
		p->kind = DT_PLACE_SCRATCH;
		p->base = (int)cg->this_scratch[ident->order] - 1;
	}
	p->is_word = !dt_is_string(n) && !dt_is_aggregate(cg, n->type);
}

/* Goes to a fault unless the offset in the slot is that of one of the array's elements. */
static void gen_element_check(dt_cg_t *cg, int slot, uint64_t array, uint64_t element)
{
	dt_load(cg->e, 8, R1, FP, slot);
	dt_const(cg->e, R2, array - element);
	dt_jump_reg(cg->e, BPF_JGT, R1, R2, dt_fault_label(cg, DTRACEFLT_BADINDEX, -1, slot));
}

/* pointer + offset: adds the offset to the place. */
static void place_offset(dt_cg_t *cg, const dt_node_t *n, dt_place_t *p)
{
	dt_emit_t *e = cg->e;
	bool negative = n->op == DT_OP_SUB;
	dt_type_t *array = n->left->kind == DT_N_ADDR
			       ? dt_type_resolve(cg->env->hdl, n->left->left->type)
			       : NULL;
	uint64_t element = 0, size = 0;
	int slot;

	if (array && array->kind == DT_K_ARRAY) {
		size = array->size;
		element = dt_type_resolve(cg->env->hdl, array->ref)->size;
	}
	if (n->right->kind == DT_N_INT && (!size || n->right->value <= size - element)) {
		p->offset += negative ? -(int64_t)n->right->value : (int64_t)n->right->value;
		return;
	}
	slot = dt_gen_to_slot(cg, n->right);
	if (negative) {
		dt_load(e, 8, R1, FP, slot);
		dt_alu_imm(e, BPF_NEG, R1, 0);
		dt_store(e, 8, FP, slot, R1);
	}
	/* The whole of a variable is checked when its pointer is made. */
	if (size && (p->index || p->offset || size != p->extent))
		gen_element_check(cg, slot, size, element);
	if (p->index) {
		dt_load(e, 8, R1, FP, slot);
		dt_load(e, 8, R2, FP, p->index);
		dt_alu_reg(e, BPF_ADD, R1, R2);
		dt_store(e, 8, FP, slot, R1);
	}
	p->index = slot;
}

static void place_lvalue(dt_cg_t *cg, const dt_node_t *n, dt_place_t *p);

static void place_pointer(dt_cg_t *cg, const dt_node_t *n, dt_place_t *p)
{
	if (n->kind == DT_N_ADDR) {
		place_lvalue(cg, n->left, p);
	} else {
		place_pointer(cg, n->left, p);
		if (n->kind == DT_N_BINARY)
			place_offset(cg, n, p);
	}
	p->is_word = false;
}

static void place_memory(dt_cg_t *cg, const dt_node_t *pointer, dt_place_t *p)
{
	p->kind = DT_PLACE_MEMORY;
	p->extent = UINT64_MAX;
	p->is_userland = pointer->is_userland;
	p->address = dt_gen_to_slot(cg, pointer);
}

static void place_lvalue(dt_cg_t *cg, const dt_node_t *n, dt_place_t *p)
{
	if (n->kind == DT_N_MEMBER) {
		place_lvalue(cg, n->left, p);
		p->offset += n->bit_offset / 8;
		p->is_word = p->is_whole = false;
	} else if (n->kind == DT_N_DEREF && points_into_variable(cg, n->left)) {
		place_pointer(cg, n->left, p);
		p->is_whole = false;
	} else if (n->kind == DT_N_DEREF) {
		place_memory(cg, n->left, p);
	} else if (dt_is_in_variable(cg, n)) {
		place_variable(cg, n, p);
		p->is_whole = true;
	} else if (n->kind == DT_N_VAR && n->ident->kind == DT_I_KSYM) {
		p->address = dt_stack_alloc(cg, 8);
		dt_const(cg->e, R1, n->ident->address);
		dt_store(cg->e, 8, FP, p->address, R1);
		p->extent = UINT64_MAX;
	} else {
		place_memory(cg, n, p); /* a struct's value is where it is */
	}
}

bool dt_place_may_be_absent(const dt_place_t *p)
{
	return p->kind == DT_PLACE_SELF || p->kind == DT_PLACE_ASSOC;
}

dt_place_t dt_gen_place(dt_cg_t *cg, const dt_node_t *lvalue)
{
	dt_place_t p = {.kind = DT_PLACE_MEMORY};

	if (!cg->failed)
		place_lvalue(cg, lvalue, &p);
	return p;
}
