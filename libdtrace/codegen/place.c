/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - where D variables are, and how their bytes are reached.
 *
 *	this->		scalars a word of the frame, as long as they are few; the others,
 *			and what has an address or is no scalar, in scratch
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
	p->is_word = !dt_is_string(n) && !dt_is_aggregate(cg, n->type) &&
		     !cg->env->has_address[ident->order];
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

/* ---- Pointers ------------------------------------------------------------------------- */

/* What task_storage_get() takes, but for its flags in R4. */
static void gen_self_arguments(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	dt_call(e, BPF_FUNC_get_current_task_btf);
	dt_mov(e, R2, R0);
	dt_map_fd(e, R1, DT_MAP_SELF);
	dt_alu_imm(e, BPF_MOV, R3, 0);
}

void dt_gen_self_pointer(dt_cg_t *cg, bool create)
{
	gen_self_arguments(cg);
	dt_alu_imm(cg->e, BPF_MOV, R4, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	dt_call(cg->e, BPF_FUNC_task_storage_get);
}

/* The same, made unless the value is 0: that is what absent ones read as. */
static void gen_self_pointer_for(dt_cg_t *cg, int value)
{
	dt_emit_t *e = cg->e;
	int get = dt_label_new(e);

	gen_self_arguments(cg);
	dt_alu_imm(e, BPF_MOV, R4, 0);
	dt_jump_imm(e, BPF_JEQ, value, 0, get);
	dt_alu_imm(e, BPF_MOV, R4, BPF_LOCAL_STORAGE_GET_F_CREATE);
	dt_label_here(e, get);
	dt_call(e, BPF_FUNC_task_storage_get);
}

static void gen_assoc_call(dt_cg_t *cg, const dt_place_t *p, int helper)
{
	dt_str_address(cg, &p->key, R2);
	dt_map_fd(cg->e, R1, p->map);
	dt_call(cg->e, helper);
}

/* Puts the value at R3 under the key; R0: 0, or negative. */
static void gen_assoc_update(dt_cg_t *cg, const dt_place_t *p)
{
	dt_alu_imm(cg->e, BPF_MOV, R4, BPF_ANY);
	gen_assoc_call(cg, p, BPF_FUNC_map_update_elem);
}

/* Counts a variable that could not be made, and goes to absent. */
static void gen_not_made(dt_cg_t *cg, int absent)
{
	dt_gen_drop(cg, DT_KDROP_DYNAMIC);
	dt_jump(cg->e, absent);
}

/* reg = address of so many zero bytes. */
static void gen_zeros(dt_cg_t *cg, int reg, uint32_t size)
{
	uint32_t at = dt_strings_zeros(cg->env, size);

	if (at == UINT32_MAX)
		dt_cg_fail(cg, EDT_NOMEM, cg->ecb->clause->line, "out of memory");
	dt_map_value(cg->e, reg, DT_MAP_STRINGS, at);
}

/* R0 = the element. */
static void gen_element(dt_cg_t *cg, const dt_place_t *p, bool create, int absent)
{
	dt_emit_t *e = cg->e;
	int there = dt_label_new(e);

	gen_assoc_call(cg, p, BPF_FUNC_map_lookup_elem);
	if (!create) {
		dt_jump_imm(e, BPF_JEQ, R0, 0, absent);
		return;
	}
	dt_jump_imm(e, BPF_JNE, R0, 0, there);
	gen_zeros(cg, R3, p->assoc->value_size);
	gen_assoc_update(cg, p);
	gen_assoc_call(cg, p, BPF_FUNC_map_lookup_elem);
	dt_jump_imm(e, BPF_JNE, R0, 0, there);
	gen_not_made(cg, absent);
	dt_label_here(e, there);
}

/* R0 = the thread's variables. */
static void gen_self(dt_cg_t *cg, const dt_place_t *p, bool create, int absent)
{
	dt_emit_t *e = cg->e;
	int there = dt_label_new(e);

	if (create && p->value)
		gen_self_pointer_for(cg, p->value);
	else
		dt_gen_self_pointer(cg, create);
	if (!create) {
		dt_jump_imm(e, BPF_JEQ, R0, 0, absent);
		return;
	}
	dt_jump_imm(e, BPF_JNE, R0, 0, there);
	if (p->value)
		dt_jump_imm(e, BPF_JEQ, p->value, 0, absent);
	gen_not_made(cg, absent);
	dt_label_here(e, there);
}

void dt_gen_forget(dt_cg_t *cg, int reg, int other)
{
	dt_emit_t *e = cg->e;

	/* A pointer that has been through a map is a number to the verifier. */
	dt_scratch_need(cg, 0);
	dt_load(e, 8, other, FP, DT_FRAME_SCRATCH);
	dt_store(e, 8, other, 0, reg);
	dt_load(e, 8, reg, other, 0);
}

/*
 * R1 is the start of a region of so many bytes: when the address in the slot is that of
 * size bytes in it, R1 points there, and on to hit. Returns the comparison's instruction.
 */
static uint32_t gen_try_region(dt_cg_t *cg, int slot, uint32_t region, uint32_t size, int hit)
{
	dt_emit_t *e = cg->e;
	int other = dt_label_new(e);
	uint32_t comparison;

	dt_mov(e, R2, R1);
	dt_gen_forget(cg, R2, R4);
	dt_load(e, 8, R3, FP, slot);
	dt_alu_reg(e, BPF_SUB, R3, R2);
	comparison = e->ninsns;
	dt_jump_imm(e, BPF_JGT, R3, (int32_t)(region - size), other);
	dt_alu_reg(e, BPF_ADD, R1, R3);
	dt_jump(e, hit);
	dt_label_here(e, other);
	return comparison;
}

/*
 * R1 = pointer to the size bytes at the address in the slot, if they are in memory of D
 * programs: what is theirs for the time of the clause, global and thread-local variables.
 */
static void gen_owned(dt_cg_t *cg, int slot, uint32_t size)
{
	dt_emit_t *e = cg->e;
	int hit = dt_label_new(e), no_self = dt_label_new(e);
	uint32_t globals = cg->env->state_size - cg->env->globals_offset;

	dt_scratch_need(cg, size);
	dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
	dt_alu_imm(e, BPF_ADD, R1, DT_SCRATCH_WORK);
	/* How large scratch is will be known at the end. */
	dt_scratch_limit(cg, gen_try_region(cg, slot, size, size, hit), size);
	if (globals >= size) {
		dt_map_value(e, R1, DT_MAP_STATE, cg->env->globals_offset);
		gen_try_region(cg, slot, globals, size, hit);
	}
	if (cg->env->ontime_offset >= size) {
		dt_gen_self_pointer(cg, false);
		dt_jump_imm(e, BPF_JEQ, R0, 0, no_self);
		dt_mov(e, R1, R0);
		gen_try_region(cg, slot, cg->env->ontime_offset, size, hit);
		dt_label_here(e, no_self);
	}
	dt_jump(e, dt_fault_label(cg, DTRACEFLT_BADADDR, -1, slot));
	dt_label_here(e, hit);
}

/* Adds the place's constant offset and index to the address in its slot. */
static void gen_memory_offset(dt_cg_t *cg, const dt_place_t *p, int reg)
{
	dt_emit_t *e = cg->e;

	dt_load(e, 8, reg, FP, p->address);
	dt_add_const(e, reg, p->offset);
	if (p->index) {
		dt_load(e, 8, R1, FP, p->index);
		dt_alu_reg(e, BPF_ADD, reg, R1);
	}
}

static bool is_in_extent(const dt_place_t *p, uint32_t size)
{
	return p->offset >= 0 && (uint64_t)p->offset + size <= p->extent;
}

/* reg += offset and index, which are checked against the extent. */
static void gen_indexed(dt_cg_t *cg, const dt_place_t *p, uint32_t size, int reg)
{
	dt_emit_t *e = cg->e;
	int fault;

	if (p->index) {
		dt_load(e, 8, R2, FP, p->index);
		dt_add_const(e, R2, p->offset);
	} else {
		dt_const(e, R2, (uint64_t)p->offset);
	}
	fault = dt_fault_label(cg, DTRACEFLT_BADINDEX, R2, 0);
	if (p->extent < size)
		dt_jump_imm(e, BPF_JGE, R2, 0, fault);
	else
		dt_jump_imm(e, BPF_JGT, R2, (int32_t)(p->extent - size), fault);
	dt_alu_reg(e, BPF_ADD, reg, R2);
}

int dt_gen_place_pointer(dt_cg_t *cg, const dt_place_t *p, uint32_t size, bool create, int absent)
{
	dt_emit_t *e = cg->e;
	bool is_constant = !p->index && is_in_extent(p, size);
	int offset = p->base + (is_constant ? (int)p->offset : 0), reg = R1, slot, mark = cg->stack;

	switch (p->kind) {
	case DT_PLACE_FRAME:
		dt_mov(e, R1, FP);
		dt_add_const(e, R1, offset);
		break;
	case DT_PLACE_SCRATCH:
		dt_load(e, 8, R1, FP, DT_FRAME_SCRATCH);
		dt_add_const(e, R1, offset);
		break;
	case DT_PLACE_STATE:
		dt_map_value(e, R1, DT_MAP_STATE, (uint32_t)offset);
		break;
	case DT_PLACE_SELF:
		gen_self(cg, p, create, absent);
		reg = R0;
		dt_add_const(e, R0, offset);
		break;
	case DT_PLACE_ASSOC:
		gen_element(cg, p, create, absent);
		reg = R0;
		dt_add_const(e, R0, offset);
		break;
	case DT_PLACE_MEMORY:
		slot = dt_stack_alloc(cg, 8);
		gen_memory_offset(cg, p, R2);
		dt_store(e, 8, FP, slot, R2);
		gen_owned(cg, slot, size);
		cg->stack = mark;
		return R1;
	}
	if (!is_constant)
		gen_indexed(cg, p, size, reg);
	return reg;
}

void dt_gen_place_address(dt_cg_t *cg, const dt_place_t *p, uint32_t size, bool create, int dst)
{
	dt_emit_t *e = cg->e;
	int absent = dt_label_new(e), done = dt_label_new(e), reg;

	if (p->kind == DT_PLACE_MEMORY) {
		gen_memory_offset(cg, p, dst);
		return;
	}
	/* The address one past the end is a good one. */
	reg = dt_gen_place_pointer(cg, p, 0, create, absent);
	dt_mov(e, dst, reg);
	if (dt_place_may_be_absent(p)) {
		dt_jump(e, done);
		dt_label_here(e, absent);
		gen_zeros(cg, dst, size);
		dt_label_here(e, done);
	}
	dt_gen_forget(cg, dst, R1);
}

/* ---- Scalars and bit-fields -------------------------------------------------------------- */

/* How a value is read and written: by one load, or byte by byte. */
typedef struct unit {
	uint32_t size;	/* bytes of the load; 0: bytes bytes, one by one */
	uint32_t bytes;
	uint32_t low;	/* bit of the field's lowest bit */
	uint32_t bits;	/* of a bit-field; 0: none */
} unit_t;

/*
 * Finds the unit and moves the place to its start. A bit-field lies in a unit of its type's
 * size, as compilers have it, unless it is packed across two.
 */
static unit_t unit_of(dt_cg_t *cg, const dt_node_t *n, dt_place_t *p)
{
	unit_t u = {.size = dt_value_size(cg, n->type)};
	uint32_t at, owner;

	u.bytes = u.size;
	if (n->kind != DT_N_MEMBER || !n->bit_size)
		return u;
	u.bits = n->bit_size;
	owner = (uint32_t)dt_type_resolve(cg->env->hdl, n->left->type)->size;
	at = n->bit_offset / (8 * u.size) * u.size;
	u.low = n->bit_offset % (8 * u.size);
	if (u.low + u.bits <= 8 * u.size && at + u.size <= owner) {
		p->offset -= n->bit_offset / 8 - at;
		return u;
	}
	u.low = n->bit_offset % 8;
	u.bytes = (u.low + u.bits + 7) / 8;
	u.size = 0;
	return u;
}

/* dst = the field of the unit at reg (not dst), extended; uses R2. */
static void gen_unit_load(dt_cg_t *cg, const unit_t *u, dt_type_t *type, int reg, int dst)
{
	dt_emit_t *e = cg->e;
	bool is_signed = dt_value_signed(cg, type);
	uint32_t top = u->low + u->bits;

	if (!u->bits) {
		dt_load(e, (int)u->size, dst, reg, 0);
		dt_extend(e, dst, (int)u->size, is_signed);
		return;
	}
	if (u->size) {
		dt_load(e, (int)u->size, dst, reg, 0);
	} else {
		/* The field's bits go down to bit 0 on the way: nine bytes are too many. */
		dt_load(e, 1, R3, reg, 0);
		dt_alu_imm(e, BPF_RSH, R3, (int32_t)u->low);
		for (uint32_t i = 1; i < u->bytes; i++) {
			dt_load(e, 1, R2, reg, (int)i);
			dt_alu_imm(e, BPF_LSH, R2, (int32_t)(8 * i - u->low));
			dt_alu_reg(e, BPF_OR, R3, R2);
		}
		dt_mov(e, dst, R3);
		top = u->bits;
	}
	dt_alu_imm(e, BPF_LSH, dst, (int32_t)(64 - top));
	dt_alu_imm(e, is_signed ? BPF_ARSH : BPF_RSH, dst, (int32_t)(64 - u->bits));
}

/* Bits [low, low + bits) of the size bytes at reg + at become those of value from `from`. */
static void gen_store_bits(dt_cg_t *cg, int size, int reg, int at, uint32_t low, uint32_t bits,
			   int value, uint32_t from)
{
	dt_emit_t *e = cg->e;
	uint64_t mask = (bits < 64 ? (1ULL << bits) - 1 : ~0ULL) << low;

	dt_mov(e, R3, value);
	if (from)
		dt_alu_imm(e, BPF_RSH, R3, (int32_t)from);
	dt_alu_imm(e, BPF_LSH, R3, (int32_t)low);
	dt_const(e, R4, mask);
	dt_alu_reg(e, BPF_AND, R3, R4);
	dt_const(e, R4, ~mask);
	dt_load(e, size, R2, reg, at);
	dt_alu_reg(e, BPF_AND, R2, R4);
	dt_alu_reg(e, BPF_OR, R2, R3);
	dt_store(e, size, reg, at, R2);
}

static void gen_unit_store(dt_cg_t *cg, const unit_t *u, int reg, int value)
{
	uint32_t done = 0;

	if (!u->bits) {
		dt_store(cg->e, (int)u->size, reg, 0, value);
		return;
	}
	if (u->size) {
		gen_store_bits(cg, (int)u->size, reg, 0, u->low, u->bits, value, 0);
		return;
	}
	for (uint32_t i = 0; i < u->bytes; i++) {
		uint32_t low = i ? 0 : u->low;
		uint32_t bits = u->bits - done < 8 - low ? u->bits - done : 8 - low;

		gen_store_bits(cg, 1, reg, (int)i, low, bits, value, done);
		done += bits;
	}
}

static void gen_memory_load(dt_cg_t *cg, const dt_place_t *p, const unit_t *u, dt_type_t *type,
			    int dst)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, slot = dt_stack_alloc(cg, u->bytes);

	gen_memory_offset(cg, p, dst);
	dt_gen_read(cg, slot, u->bytes, dst, p->is_userland);
	dt_frame_address(e, R1, slot);
	gen_unit_load(cg, u, type, R1, dst);
	cg->stack = mark;
}

void dt_gen_place_load(dt_cg_t *cg, const dt_place_t *place, const dt_node_t *n, int dst)
{
	dt_emit_t *e = cg->e;
	dt_place_t p = *place;
	unit_t u = unit_of(cg, n, &p);
	int absent, done, reg;

	if (p.kind == DT_PLACE_FRAME && p.is_word) {
		dt_load(e, 8, dst, FP, p.base);
		return;
	}
	if (p.kind == DT_PLACE_MEMORY) {
		gen_memory_load(cg, &p, &u, n->type, dst);
		return;
	}
	absent = dt_label_new(e);
	done = dt_label_new(e);
	reg = dt_gen_place_pointer(cg, &p, u.bytes, false, absent);
	if (p.is_word && p.kind != DT_PLACE_STATE && p.kind != DT_PLACE_SCRATCH)
		dt_load(e, 8, dst, reg, 0); /* stored extended */
	else
		gen_unit_load(cg, &u, n->type, reg, dst);
	if (dt_place_may_be_absent(&p)) {
		dt_jump(e, done);
		dt_label_here(e, absent);
		dt_alu_imm(e, BPF_MOV, dst, 0);
		dt_label_here(e, done);
	}
}

/* An element of an array: assigning 0 deletes, that is how D gives memory back. */
static void gen_element_store(dt_cg_t *cg, const dt_place_t *p, int reg)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, value = dt_stack_alloc(cg, 8);
	int nonzero = dt_label_new(e), make = dt_label_new(e), done = dt_label_new(e);

	dt_jump_imm(e, BPF_JNE, reg, 0, nonzero);
	gen_assoc_call(cg, p, BPF_FUNC_map_delete_elem);
	dt_jump(e, done);
	dt_label_here(e, nonzero);
	gen_element(cg, p, false, make);
	dt_store(e, 8, R0, 0, reg);
	dt_jump(e, done);
	dt_label_here(e, make);
	dt_store(e, 8, FP, value, reg);
	dt_frame_address(e, R3, value);
	gen_assoc_update(cg, p);
	dt_jump_imm(e, BPF_JEQ, R0, 0, done);
	dt_gen_drop(cg, DT_KDROP_DYNAMIC);
	dt_label_here(e, done);
	cg->stack = mark;
}

void dt_gen_place_store(dt_cg_t *cg, const dt_place_t *place, const dt_node_t *n, int reg)
{
	dt_emit_t *e = cg->e;
	dt_place_t p = *place;
	unit_t u = unit_of(cg, n, &p);
	int absent;

	if (p.kind == DT_PLACE_FRAME && p.is_word) {
		dt_store(e, 8, FP, p.base, reg);
		return;
	}
	if (p.kind == DT_PLACE_ASSOC && p.is_whole) {
		gen_element_store(cg, &p, reg);
		return;
	}
	if (p.is_word && p.kind == DT_PLACE_SELF)
		u.size = 8;
	p.value = reg;
	absent = dt_label_new(e);
	gen_unit_store(cg, &u, dt_gen_place_pointer(cg, &p, u.bytes, true, absent), reg);
	dt_label_here(e, absent);
}

/* ---- Bytes ------------------------------------------------------------------------------ */

/* A whole element: read first, so that a fault leaves the array as it was. */
static void gen_element_copy(dt_cg_t *cg, const dt_place_t *p, uint32_t size, int source_slot,
			     int helper)
{
	dt_emit_t *e = cg->e;
	dt_str_t value = {DT_STR_SCRATCH, (int)dt_scratch_alloc(cg, p->assoc->value_size), size};
	int done = dt_label_new(e);

	dt_str_address(cg, &value, R1);
	dt_const(e, R2, size);
	dt_load(e, 8, R3, FP, source_slot);
	dt_gen_read_call(cg, helper);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, source_slot);
	dt_str_address(cg, &value, R3);
	gen_assoc_update(cg, p);
	dt_jump_imm(e, BPF_JEQ, R0, 0, done);
	dt_gen_drop(cg, DT_KDROP_DYNAMIC);
	dt_label_here(e, done);
}

void dt_gen_place_copy(dt_cg_t *cg, const dt_place_t *p, uint32_t size, int source_slot,
		       bool from_userland)
{
	dt_emit_t *e = cg->e;
	int helper = from_userland ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel;
	int absent = dt_label_new(e), reg;

	if (p->kind == DT_PLACE_ASSOC && p->is_whole) {
		gen_element_copy(cg, p, size, source_slot, helper);
		return;
	}
	reg = dt_gen_place_pointer(cg, p, size, true, absent);
	dt_mov(e, R1, reg);
	dt_const(e, R2, size);
	dt_load(e, 8, R3, FP, source_slot);
	dt_gen_read_call(cg, helper);
	dt_fault_if_negative(cg, DTRACEFLT_BADADDR, -1, source_slot);
	dt_label_here(e, absent);
}

void dt_gen_place_clear(dt_cg_t *cg, const dt_place_t *p, uint32_t size)
{
	dt_emit_t *e = cg->e;
	int absent = dt_label_new(e), reg;

	if (p->kind == DT_PLACE_ASSOC && p->is_whole) {
		gen_assoc_call(cg, p, BPF_FUNC_map_delete_elem);
		return;
	}
	reg = dt_gen_place_pointer(cg, p, size, false, absent);
	dt_mov(e, R1, reg);
	dt_gen_zero(cg, size);
	dt_label_here(e, absent);
}

void dt_gen_place_string(dt_cg_t *cg, const dt_place_t *p, const dt_str_t *s)
{
	dt_emit_t *e = cg->e;
	uint32_t size = s->size < cg->env->strsize ? s->size : cg->env->strsize;
	int absent = dt_label_new(e), reg = dt_gen_place_pointer(cg, p, size, true, absent);

	dt_mov(e, R1, reg);
	dt_const(e, R2, size);
	dt_str_address(cg, s, R3);
	dt_call(e, BPF_FUNC_probe_read_kernel_str);
	dt_label_here(e, absent);
}
