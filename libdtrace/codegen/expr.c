/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.c - integer and pointer expressions.
 *
 * An expression is generated into a register that its user owns and that calls preserve
 * (R6 to R9); its operands take further ones, and frame words once all four are taken.
 * A leaf, which takes no call, is generated into R1 when it is a right operand.
 */
#include "codegen/cg.h"

bool dt_is_string(const dt_node_t *n)
{
	return n->type && n->type->kind == DT_K_STRING;
}

static dt_type_t *resolved(dt_cg_t *cg, dt_type_t *t)
{
	return dt_type_resolve(cg->env->hdl, t);
}

uint32_t dt_value_size(dt_cg_t *cg, dt_type_t *t)
{
	dt_type_t *r = resolved(cg, t);

	if (r->kind == DT_K_INT || r->kind == DT_K_ENUM)
		return (uint32_t)r->size;
	return 8;
}

bool dt_value_signed(dt_cg_t *cg, dt_type_t *t)
{
	dt_type_t *r = resolved(cg, t);

	return (r->kind == DT_K_INT || r->kind == DT_K_ENUM) && r->is_signed;
}

void dt_extend_to(dt_cg_t *cg, int reg, dt_type_t *t)
{
	dt_type_t *r = resolved(cg, t);

	if (r->kind == DT_K_INT && r->is_bool) { /* C: any non-zero value is true */
		int done = dt_label_new(cg->e);

		dt_jump_imm(cg->e, BPF_JEQ, reg, 0, done);
		dt_alu_imm(cg->e, BPF_MOV, reg, 1);
		dt_label_here(cg->e, done);
		return;
	}
	dt_extend(cg->e, reg, (int)dt_value_size(cg, t), dt_value_signed(cg, t));
}

/* ---- Arithmetic ---------------------------------------------------------- */

/* Faults when src is 0. */
static void gen_zero_check(dt_cg_t *cg, int src)
{
	dt_jump_imm(cg->e, BPF_JEQ, src, 0, dt_fault_label(cg, DTRACEFLT_DIVZERO, -1, 0));
}

/*
 * BPF divides unsigned (signed division came with 6.6): divide the magnitudes, then give
 * the quotient the sign of both, the remainder the sign of the dividend.
 */
static void gen_signed_divide(dt_cg_t *cg, uint8_t op, int dst, int src)
{
	dt_emit_t *e = cg->e;
	int positive = dt_label_new(e), divisor = dt_label_new(e), done = dt_label_new(e);

	dt_mov(e, R3, dst);
	if (op == BPF_DIV)
		dt_alu_reg(e, BPF_XOR, R3, src);
	dt_jump_imm(e, BPF_JSGE, dst, 0, positive);
	dt_alu_imm(e, BPF_NEG, dst, 0);
	dt_label_here(e, positive);
	dt_mov(e, R2, src);
	dt_jump_imm(e, BPF_JSGE, R2, 0, divisor);
	dt_alu_imm(e, BPF_NEG, R2, 0);
	dt_label_here(e, divisor);
	dt_alu_reg(e, op, dst, R2);
	dt_jump_imm(e, BPF_JSGE, R3, 0, done);
	dt_alu_imm(e, BPF_NEG, dst, 0);
	dt_label_here(e, done);
}

static void gen_divide(dt_cg_t *cg, uint8_t op, int dst, int src, bool is_signed)
{
	gen_zero_check(cg, src);
	if (is_signed)
		gen_signed_divide(cg, op, dst, src);
	else
		dt_alu_reg(cg->e, op, dst, src);
}

void dt_gen_arith(dt_cg_t *cg, dt_op_t op, int dst, int src, dt_type_t *type,
		  const dt_node_t *where)
{
	dt_emit_t *e = cg->e;
	bool is_signed = dt_value_signed(cg, type);

	switch (op) {
	case DT_OP_ADD:
		dt_alu_reg(e, BPF_ADD, dst, src);
		break;
	case DT_OP_SUB:
		dt_alu_reg(e, BPF_SUB, dst, src);
		break;
	case DT_OP_MUL:
		dt_alu_reg(e, BPF_MUL, dst, src);
		break;
	case DT_OP_DIV:
		gen_divide(cg, BPF_DIV, dst, src, is_signed);
		break;
	case DT_OP_MOD:
		gen_divide(cg, BPF_MOD, dst, src, is_signed);
		break;
	case DT_OP_SHL:
	case DT_OP_SHR:
		/* Counts are taken modulo 64, as folding does: never undefined. */
		dt_mov(e, R2, src);
		dt_alu_imm(e, BPF_AND, R2, 63);
		dt_alu_reg(e, op == DT_OP_SHL ? BPF_LSH : is_signed ? BPF_ARSH : BPF_RSH, dst,
			   R2);
		break;
	case DT_OP_AND:
		dt_alu_reg(e, BPF_AND, dst, src);
		return;
	case DT_OP_OR:
		dt_alu_reg(e, BPF_OR, dst, src);
		return;
	case DT_OP_XOR:
		dt_alu_reg(e, BPF_XOR, dst, src);
		return;
	default:
		dt_cg_unsupported(cg, where, "the operator");
		return;
	}
	dt_extend_to(cg, dst, type);
}

/* ---- Operands ------------------------------------------------------------ */

static bool is_scalar(const dt_node_t *n)
{
	const dt_type_t *t = n->type;

	while (t->kind == DT_K_TYPEDEF)
		t = t->ref;
	return t->kind == DT_K_INT || t->kind == DT_K_ENUM || t->kind == DT_K_PTR;
}

/* An expression that takes no helper call and one register. */
static bool is_leaf(const dt_node_t *n)
{
	if (n->kind == DT_N_INT)
		return true;
	return n->kind == DT_N_VAR && n->ident->kind == DT_I_VAR &&
	       n->ident->scope != DT_SCOPE_SELF && is_scalar(n);
}

int dt_gen_to_slot(dt_cg_t *cg, const dt_node_t *n)
{
	int slot = dt_stack_alloc(cg, 8);
	dt_loan_t r = dt_reg_borrow(cg);

	dt_gen_expr(cg, n, r.reg);
	dt_store(cg->e, 8, FP, slot, r.reg);
	dt_reg_return(cg, &r);
	return slot;
}

/*
 * Both operands: the left in dst, the right in the register returned (R1, or dst's value
 * may have gone through the frame).
 */
static int gen_operands(dt_cg_t *cg, const dt_node_t *left, const dt_node_t *right, int dst)
{
	dt_emit_t *e = cg->e;
	int mark = cg->stack, reg, slot;

	dt_gen_expr(cg, left, dst);
	if (is_leaf(right)) {
		dt_gen_expr(cg, right, R1);
		return R1;
	}
	reg = dt_reg_alloc(cg);
	if (reg >= 0) {
		dt_gen_expr(cg, right, reg);
		dt_mov(e, R1, reg);
		dt_reg_free(cg, reg);
		return R1;
	}
	slot = dt_stack_alloc(cg, 8);
	dt_store(e, 8, FP, slot, dst);
	dt_gen_expr(cg, right, dst);
	dt_mov(e, R1, dst);
	dt_load(e, 8, dst, FP, slot);
	cg->stack = mark;
	return R1;
}

/* ---- Truth --------------------------------------------------------------- */

static const struct {
	uint8_t sign, nosign;
	uint8_t inverse_sign, inverse_nosign;
} comparisons[] = {
    [DT_OP_EQ] = {BPF_JEQ, BPF_JEQ, BPF_JNE, BPF_JNE},
    [DT_OP_NE] = {BPF_JNE, BPF_JNE, BPF_JEQ, BPF_JEQ},
    [DT_OP_LT] = {BPF_JSLT, BPF_JLT, BPF_JSGE, BPF_JGE},
    [DT_OP_LE] = {BPF_JSLE, BPF_JLE, BPF_JSGT, BPF_JGT},
    [DT_OP_GT] = {BPF_JSGT, BPF_JGT, BPF_JSLE, BPF_JLE},
    [DT_OP_GE] = {BPF_JSGE, BPF_JGE, BPF_JSLT, BPF_JLT},
};

static bool is_comparison(const dt_node_t *n)
{
	return n->kind == DT_N_BINARY && n->op >= DT_OP_EQ && n->op <= DT_OP_GE;
}

static void gen_compare_branch(dt_cg_t *cg, const dt_node_t *n, int label, bool when)
{
	bool is_signed = dt_value_signed(cg, n->left->type);
	uint8_t op = when ? is_signed ? comparisons[n->op].sign : comparisons[n->op].nosign
		     : is_signed ? comparisons[n->op].inverse_sign
				 : comparisons[n->op].inverse_nosign;
	int mark = cg->stack, right;
	dt_loan_t r = dt_reg_borrow(cg);

	if (n->right->kind == DT_N_INT && (int64_t)n->right->value == (int32_t)n->right->value) {
		dt_gen_expr(cg, n->left, r.reg);
		dt_mov(cg->e, R0, r.reg);
		dt_reg_return(cg, &r);
		dt_jump_imm(cg->e, op, R0, (int32_t)n->right->value, label);
	} else {
		right = gen_operands(cg, n->left, n->right, r.reg);
		dt_mov(cg->e, R0, r.reg);
		dt_reg_return(cg, &r);
		dt_jump_reg(cg->e, op, R0, right, label);
	}
	cg->stack = mark;
}

void dt_gen_branch(dt_cg_t *cg, const dt_node_t *n, int label, bool when)
{
	dt_emit_t *e = cg->e;
	int skip, mark = cg->stack, slot;

	if (is_comparison(n) && !dt_is_string(n->left)) {
		gen_compare_branch(cg, n, label, when);
	} else if (n->kind == DT_N_UNARY && n->op == DT_OP_LNOT) {
		dt_gen_branch(cg, n->left, label, !when);
	} else if (n->kind == DT_N_BINARY && (n->op == DT_OP_LAND || n->op == DT_OP_LOR)) {
		/* a && b is false as soon as a is; a || b true as soon as a is. */
		bool shortcut = n->op == DT_OP_LOR;

		if (when == shortcut) {
			dt_gen_branch(cg, n->left, label, when);
			dt_gen_branch(cg, n->right, label, when);
		} else {
			skip = dt_label_new(e);
			dt_gen_branch(cg, n->left, skip, shortcut);
			dt_gen_branch(cg, n->right, label, when);
			dt_label_here(e, skip);
		}
	} else if (dt_is_string(n)) {
		/* A string is true unless it is empty. */
		dt_str_t s = dt_gen_str(cg, n, NULL);

		dt_str_address(cg, &s, R1);
		dt_load(e, 1, R0, R1, 0);
		dt_jump_imm(e, when ? BPF_JNE : BPF_JEQ, R0, 0, label);
	} else {
		slot = dt_gen_to_slot(cg, n);
		dt_load(e, 8, R0, FP, slot);
		dt_jump_imm(e, when ? BPF_JNE : BPF_JEQ, R0, 0, label);
		cg->stack = mark;
	}
}

static void gen_truth(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	int done = dt_label_new(cg->e), no = dt_label_new(cg->e);

	dt_gen_branch(cg, n, no, false);
	dt_alu_imm(cg->e, BPF_MOV, dst, 1);
	dt_jump(cg->e, done);
	dt_label_here(cg->e, no);
	dt_alu_imm(cg->e, BPF_MOV, dst, 0);
	dt_label_here(cg->e, done);
}

/* ---- Expressions --------------------------------------------------------- */

static void gen_unary(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	if (n->op == DT_OP_LNOT) {
		gen_truth(cg, n, dst);
		return;
	}
	dt_gen_expr(cg, n->left, dst);
	if (n->op == DT_OP_NEG)
		dt_alu_imm(cg->e, BPF_NEG, dst, 0);
	else if (n->op == DT_OP_BNOT)
		dt_alu_imm(cg->e, BPF_XOR, dst, -1);
	dt_extend_to(cg, dst, n->type);
}

/* a ^^ b: exactly one is true. */
static void gen_logical_xor(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	int mark = cg->stack, slot = dt_stack_alloc(cg, 8);

	gen_truth(cg, n->left, dst);
	dt_store(cg->e, 8, FP, slot, dst);
	gen_truth(cg, n->right, dst);
	dt_load(cg->e, 8, R1, FP, slot);
	dt_alu_reg(cg->e, BPF_XOR, dst, R1);
	cg->stack = mark;
}

static void gen_binary(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	int right;

	if (is_comparison(n) && dt_is_string(n->left)) {
		dt_gen_str_compare(cg, n, dst);
	} else if (is_comparison(n) || n->op == DT_OP_LAND || n->op == DT_OP_LOR) {
		gen_truth(cg, n, dst);
	} else if (n->op == DT_OP_LXOR) {
		gen_logical_xor(cg, n, dst);
	} else {
		right = gen_operands(cg, n->left, n->right, dst);
		dt_gen_arith(cg, n->op, dst, right, n->type, n);
	}
}

static void gen_cond(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	int no = dt_label_new(cg->e), done = dt_label_new(cg->e);

	dt_gen_branch(cg, n->left, no, false);
	dt_gen_expr(cg, n->right, dst);
	dt_jump(cg->e, done);
	dt_label_here(cg->e, no);
	dt_gen_expr(cg, n->third, dst);
	dt_label_here(cg->e, done);
	dt_extend_to(cg, dst, n->type);
}

/* A string where a pointer is wanted: its address. */
static void gen_str_pointer(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_str_t s = dt_gen_str(cg, n, NULL);

	dt_str_address(cg, &s, dst);
	dt_gen_forget(cg, dst, R1);
}

static void gen_call(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_gen_subr(cg, n, dst);
	if (resolved(cg, n->type)->kind == DT_K_VOID)
		dt_alu_imm(cg->e, BPF_MOV, dst, 0); /* nobody looks at it, but it is kept */
}

static void gen_value(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	switch (n->kind) {
	case DT_N_INT:
		dt_const(cg->e, dst, n->value);
		break;
	case DT_N_VAR:
	case DT_N_INDEX:
		if (n->ident->kind == DT_I_BUILTIN)
			dt_gen_builtin(cg, n, dst);
		else
			dt_gen_lvalue(cg, n, dst);
		break;
	case DT_N_DEREF:
	case DT_N_MEMBER:
		dt_gen_lvalue(cg, n, dst);
		break;
	case DT_N_UNARY:
		gen_unary(cg, n, dst);
		break;
	case DT_N_BINARY:
		gen_binary(cg, n, dst);
		break;
	case DT_N_COND:
		gen_cond(cg, n, dst);
		break;
	case DT_N_CAST:
		dt_gen_expr(cg, n->left, dst);
		dt_extend_to(cg, dst, n->type);
		break;
	case DT_N_COMMA:
		dt_gen_effect(cg, n->left);
		dt_gen_expr(cg, n->right, dst);
		break;
	case DT_N_ADDR:
		dt_gen_address(cg, n->left, true, dst);
		break;
	case DT_N_ASSIGN:
		dt_gen_assign(cg, n, dst);
		break;
	case DT_N_INCDEC:
		dt_gen_incdec(cg, n, dst);
		break;
	case DT_N_CALL:
		gen_call(cg, n, dst);
		break;
	default:
		dt_cg_unsupported(cg, n, "the expression");
	}
}

void dt_gen_expr(dt_cg_t *cg, const dt_node_t *n, int dst)
{
	dt_refuge_t refuge;

	if (cg->failed)
		return;
	if (is_leaf(n)) {
		gen_value(cg, n, dst);
		return;
	}
	refuge = dt_frame_put_away(cg);
	if (dt_is_string(n) && n->kind != DT_N_ADDR)
		gen_str_pointer(cg, n, dst);
	else
		gen_value(cg, n, dst);
	dt_frame_put_back(cg, &refuge);
}

void dt_gen_effect(dt_cg_t *cg, const dt_node_t *n)
{
	int mark = cg->stack;

	if (n->kind == DT_N_COMMA) {
		dt_gen_effect(cg, n->left);
		dt_gen_effect(cg, n->right);
	} else if (n->kind == DT_N_ASSIGN && dt_is_string(n->left)) {
		dt_gen_str_assign(cg, n);
	} else if (dt_is_string(n)) {
		dt_gen_str(cg, n, NULL);
	} else {
		dt_gen_to_slot(cg, n);
	}
	cg->stack = mark;
}
