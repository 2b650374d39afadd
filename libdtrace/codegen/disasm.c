/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disasm.c - generated code in words, for -S: one instruction a line, in the notation that
 * the kernel's verifier logs use, with the names of helpers, maps and support functions.
 */
#include <stdio.h>

#include "codegen/support.h"
#include "enable/kernel.h"

static const char *const helper_names[] = {
#define DT_HELPER(name) [BPF_FUNC_##name] = #name
    __BPF_FUNC_MAPPER(DT_HELPER)
#undef DT_HELPER
};

static const char *const alu_ops[16] = {
    [BPF_ADD >> 4] = "+=", [BPF_SUB >> 4] = "-=", [BPF_MUL >> 4] = "*=",
    [BPF_DIV >> 4] = "/=", [BPF_OR >> 4] = "|=",  [BPF_AND >> 4] = "&=",
    [BPF_LSH >> 4] = "<<=", [BPF_RSH >> 4] = ">>=", [BPF_MOD >> 4] = "%=",
    [BPF_XOR >> 4] = "^=", [BPF_MOV >> 4] = "=",  [BPF_ARSH >> 4] = "s>>=",
};

static const char *const jump_ops[16] = {
    [BPF_JEQ >> 4] = "==",  [BPF_JGT >> 4] = ">",   [BPF_JGE >> 4] = ">=",
    [BPF_JSET >> 4] = "&",  [BPF_JNE >> 4] = "!=",  [BPF_JSGT >> 4] = "s>",
    [BPF_JSGE >> 4] = "s>=", [BPF_JLT >> 4] = "<",  [BPF_JLE >> 4] = "<=",
    [BPF_JSLT >> 4] = "s<", [BPF_JSLE >> 4] = "s<=",
};

static const char *size_name(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return "u8";
	case BPF_H:
		return "u16";
	case BPF_W:
		return "u32";
	default:
		return "u64";
	}
}

static const char *map_name(uint32_t map)
{
	static const char *const names[] = {
	    [DT_MAP_STATE] = "state",		  [DT_MAP_PRINCIPAL] = "principal",	  [DT_MAP_AGGREGATION] = "aggregation",
	    [DT_MAP_SCRATCH] = "scratch",	  [DT_MAP_STRINGS] = "strings",
	    [DT_MAP_SELF] = "self",		  [DT_MAP_BELL] = "bell",
	    [DT_MAP_V8] = "v8",
	    [DT_MAP_NEWS] = "news",		  [DT_MAP_WATCHED] = "watched",
	    [DT_MAP_ANSWERS] = "answers",	  [DT_MAP_HOLD] = "hold",
	};

	if (map < sizeof(names) / sizeof(names[0]) && names[map])
		return names[map];
	return map >= DT_MAP_ASSOC ? "array" : "map";
}

static void print_alu(FILE *fp, const struct bpf_insn *i)
{
	char bank = BPF_CLASS(i->code) == BPF_ALU ? 'w' : 'r';
	const char *op = alu_ops[BPF_OP(i->code) >> 4];

	if (BPF_OP(i->code) == BPF_NEG)
		fprintf(fp, "%c%d = -%c%d", bank, i->dst_reg, bank, i->dst_reg);
	else if (BPF_OP(i->code) == BPF_END)
		fprintf(fp, "%c%d = %s%d %c%d", bank, i->dst_reg,
			BPF_SRC(i->code) == BPF_TO_BE ? "be" : "le", i->imm, bank, i->dst_reg);
	else if (BPF_SRC(i->code) == BPF_X)
		fprintf(fp, "%c%d %s %c%d", bank, i->dst_reg, op ? op : "?", bank, i->src_reg);
	else
		fprintf(fp, "%c%d %s %d", bank, i->dst_reg, op ? op : "?", i->imm);
}

static void print_address(FILE *fp, const struct bpf_insn *i, int reg)
{
	fprintf(fp, "*(%s *)(r%d %c %d)", size_name(i->code), reg, i->off < 0 ? '-' : '+',
		i->off < 0 ? -i->off : i->off);
}

static void print_atomic(FILE *fp, const struct bpf_insn *i)
{
	if (i->imm == BPF_CMPXCHG) {
		fprintf(fp, "r0 = cmpxchg(");
		print_address(fp, i, i->dst_reg);
		fprintf(fp, ", r0, r%d)", i->src_reg);
		return;
	}
	if (i->imm & BPF_FETCH)
		fprintf(fp, "r%d = fetch ", i->src_reg);
	fprintf(fp, "lock ");
	print_address(fp, i, i->dst_reg);
	fprintf(fp, " %s r%d", (i->imm & 0xff & ~BPF_FETCH) == BPF_ADD ? "+=" : "op=",
		i->src_reg);
}

static void print_memory(FILE *fp, const struct bpf_insn *i)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_LDX:
		fprintf(fp, "r%d = ", i->dst_reg);
		print_address(fp, i, i->src_reg);
		break;
	case BPF_ST:
		print_address(fp, i, i->dst_reg);
		fprintf(fp, " = %d", i->imm);
		break;
	default:
		if (BPF_MODE(i->code) == BPF_ATOMIC) {
			print_atomic(fp, i);
			break;
		}
		print_address(fp, i, i->dst_reg);
		fprintf(fp, " = r%d", i->src_reg);
	}
}

static void print_call(FILE *fp, const dt_emit_t *e, uint32_t at)
{
	const struct bpf_insn *i = &e->insns[at];
	size_t nhelpers = sizeof(helper_names) / sizeof(helper_names[0]);

	for (uint32_t k = 0; k < e->ncalls; k++) {
		if (e->calls[k].insn == at) {
			fprintf(fp, "call %s", dt_support_name((dt_support_t)e->calls[k].label));
			return;
		}
	}
	if (i->src_reg == BPF_PSEUDO_CALL)
		fprintf(fp, "call %u", at + (uint32_t)i->imm + 1);
	else if (i->imm >= 0 && (size_t)i->imm < nhelpers && helper_names[i->imm])
		fprintf(fp, "call bpf_%s", helper_names[i->imm]);
	else
		fprintf(fp, "call #%d", i->imm);
}

static void print_jump(FILE *fp, const dt_emit_t *e, uint32_t at)
{
	const struct bpf_insn *i = &e->insns[at];
	uint32_t target = at + (uint32_t)(int32_t)i->off + 1;
	char bank = BPF_CLASS(i->code) == BPF_JMP32 ? 'w' : 'r';
	const char *op = jump_ops[BPF_OP(i->code) >> 4];

	if (BPF_OP(i->code) == BPF_EXIT)
		fprintf(fp, "exit");
	else if (BPF_OP(i->code) == BPF_CALL)
		print_call(fp, e, at);
	else if (BPF_OP(i->code) == BPF_JA)
		fprintf(fp, "goto %u", target);
	else if (BPF_SRC(i->code) == BPF_X)
		fprintf(fp, "if %c%d %s %c%d goto %u", bank, i->dst_reg, op ? op : "?", bank,
			i->src_reg, target);
	else
		fprintf(fp, "if %c%d %s %d goto %u", bank, i->dst_reg, op ? op : "?", i->imm,
			target);
}

/* A constant of 64 bits, or a map; it takes two instructions. */
static void print_wide(FILE *fp, const dt_emit_t *e, uint32_t at)
{
	const struct bpf_insn *i = &e->insns[at];
	uint64_t value = (uint32_t)i->imm | (uint64_t)(uint32_t)i[1].imm << 32;

	for (uint32_t k = 0; k < e->nmaprefs; k++) {
		if (e->maprefs[k].insn != at)
			continue;
		if (i->src_reg == BPF_PSEUDO_MAP_VALUE)
			fprintf(fp, "r%d = &%s[0] + %d", i->dst_reg, map_name(e->maprefs[k].map),
				i[1].imm);
		else
			fprintf(fp, "r%d = map %s", i->dst_reg, map_name(e->maprefs[k].map));
		return;
	}
	fprintf(fp, "r%d = 0x%llx", i->dst_reg, (unsigned long long)value);
}

void dt_disasm(const dt_emit_t *e, FILE *fp)
{
	for (uint32_t at = 0; at < e->ninsns; at++) {
		const struct bpf_insn *i = &e->insns[at];

		fprintf(fp, "%5u: ", at);
		switch (BPF_CLASS(i->code)) {
		case BPF_ALU:
		case BPF_ALU64:
			print_alu(fp, i);
			break;
		case BPF_JMP:
		case BPF_JMP32:
			print_jump(fp, e, at);
			break;
		case BPF_LD:
			print_wide(fp, e, at++);
			break;
		default:
			print_memory(fp, i);
		}
		fputc('\n', fp);
	}
}
