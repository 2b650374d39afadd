/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.c - how the bytes of a place (place.c) are reached: a pointer to them whose bounds
 * the verifier knows, and through it scalars, bit-fields, aggregates and strings.
 *
 * What may be absent (an element of an array, the thread's variables) reads as 0, and is made
 * when anything else is stored.
 */
#include "codegen/cg.h"

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
	if (cg->env->ontime_offset > 0 && cg->env->ontime_offset >= size) {
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
