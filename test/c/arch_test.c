/* SPDX-License-Identifier: Apache-2.0 */
/* arch_test.c - where a breakpoint may stand: the lengths of machine instructions, which of
 * them the kernel can replace, and which leave their function. */
#include "../../libdtrace/arch.h"
#include "tap.h"

typedef struct insn {
	const char *text; /* what it is */
	uint8_t code[15];
	size_t length;
	bool traceable;
} insn_t;

static const insn_t insns[] = {
    {"push %rbp", {0x55}, 1, true},
    {"mov %rsp,%rbp", {0x48, 0x89, 0xe5}, 3, true},
    {"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, 4, true},
    {"movabs $imm64,%rax", {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}, 10, true},
    {"mov $imm32,%eax", {0xb8, 1, 2, 3, 4}, 5, true},
    {"mov $imm16,%ax", {0x66, 0xb8, 1, 2}, 4, true},
    {"lea 0x8(%rsp,%rax,4),%rcx", {0x48, 0x8d, 0x4c, 0x84, 0x08}, 5, true},
    {"lea disp32(%rip),%rax", {0x48, 0x8d, 0x05, 1, 2, 3, 4}, 7, true},
    {"testb $imm8,(%rdi)", {0xf6, 0x07, 0x01}, 3, true},
    {"notb (%rdi)", {0xf6, 0x17}, 2, true},
    {"jne rel32", {0x0f, 0x85, 1, 2, 3, 4}, 6, true},
    {"movabs addr,%al", {0xa0, 1, 2, 3, 4, 5, 6, 7, 8}, 9, true},
    {"enter", {0xc8, 1, 2, 3}, 4, true},
    {"vmovd %esi,%xmm0", {0xc5, 0xf9, 0x6e, 0xc6}, 4, false},
    {"vpxor", {0xc5, 0xf1, 0xef, 0xc9}, 4, false},
    {"vpaddd", {0xc5, 0xf1, 0xfe, 0xc9}, 4, true},
    {"int3", {0xcc}, 1, false},
    {"hlt", {0xf4}, 1, false},
    {"lock addq $1,(%rdi)", {0xf0, 0x48, 0x83, 0x07, 0x01}, 5, false},
    {"cs nopw", {0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, 10, false},
    {"data16 rex.W call rel32", {0x66, 0x66, 0x48, 0xe8, 1, 2, 3, 4}, 8, false},
    {"notrack jmp *%rax", {0x3e, 0xff, 0xe0}, 3, false},
    /* A copy of these does something else where the kernel executes it. */
    {"syscall", {0x0f, 0x05}, 2, false},
    {"pushf", {0x9c}, 1, false},
    {"popf", {0x9d}, 1, true},
    {"nop", {0x90}, 1, true},
    {"pause", {0xf3, 0x90}, 2, true},
    {"xchg %r8,%rax", {0x49, 0x90}, 2, false},
    {"xchg %r9,%rax", {0x49, 0x91}, 2, true},
    /* The kernel would take these for jp, js, jmp, call and ret. */
    {"vpbroadcastb, EVEX", {0x62, 0xe2, 0x7d, 0x28, 0x7a, 0xce}, 6, false},
    {"vpbroadcastb, VEX", {0xc4, 0xe2, 0x7d, 0x78, 0xc0}, 5, false},
    {"vpor", {0xc5, 0xf9, 0xeb, 0xc1}, 4, false},
    {"vpsubsb", {0xc5, 0xf9, 0xe8, 0xc1}, 4, false},
    {"vprotd, XOP", {0x8f, 0xe8, 0x78, 0xc2, 0xec, 0x0e}, 6, false},
    {"vpcmov, XOP", {0x8f, 0xe8, 0x78, 0xa2, 0x04, 0x24, 0x10}, 7, false},
    {"vphaddbw, XOP", {0x8f, 0xe9, 0x78, 0xc1, 0xc1}, 5, false},
    {"bextr, XOP", {0x8f, 0xea, 0x78, 0x10, 0xc1, 1, 2, 3, 4}, 9, false},
    {"pop (%rax)", {0x8f, 0x00}, 2, true},
    {"vcmpltps", {0xc5, 0xf8, 0xc2, 0xc1, 0x01}, 5, false},
};

static void check_insn(const insn_t *insn)
{
	size_t length = dt_arch_insn_length(insn->code, sizeof(insn->code));
	bool traceable = dt_arch_insn_traceable(insn->code, sizeof(insn->code));

	tap_check(length == insn->length && traceable == insn->traceable, "length, traceable",
		  __FILE__, __LINE__, insn->text);
}

static void instructions_are_known(void)
{
	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
		check_insn(&insns[i]);
}

static void code_that_ends_is_no_instruction(void)
{
	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
		for (size_t size = 0; size < insns[i].length; size++)
			CHECK(dt_arch_insn_length(insns[i].code, size) == 0);
}

/* What begins with an instruction is marked; none: the code is not sure. */
static void check_code(const char *text, const uint8_t *code, size_t size, const char *marks)
{
	uint8_t starts[32];
	bool good = dt_arch_code_starts(code, size, starts) == (marks != NULL);

	for (size_t i = 0; good && marks && i < size; i++)
		good = starts[i] == (marks[i] == '|');
	tap_check(good, "starts", __FILE__, __LINE__, text);
}

static void code_is_instructions_or_not_sure(void)
{
	const uint8_t loop[] = {0x31, 0xc0, 0xff, 0xc0, 0x75, 0xfc, 0xc3};
	const uint8_t lock[] = {0x74, 0x01, 0xf0, 0x0f, 0xc1, 0x06, 0xc3};
	const uint8_t amid[] = {0x74, 0x01, 0x48, 0x01, 0xc0, 0xc3};
	const uint8_t data[] = {0x48, 0x8d, 0x05, 1, 0, 0, 0, 0xc3, 0x04, 0x00, 0x00, 0x00};
	const uint8_t next[] = {0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3};
	const uint8_t itself[] = {0x48, 0x8d, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xc3};
	const uint8_t constant[] = {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8,
				    0x48, 0x8b, 0x05, 0xf1, 0xff, 0xff, 0xff, 0xc3};
	const uint8_t wrong[] = {0x90, 0x06, 0xc3}, data16[] = {0x66, 0xe9, 0, 0, 0, 0, 0xc3};

	check_code("a loop", loop, sizeof(loop), "|.|.|.|");
	check_code("past a lock", lock, sizeof(lock), "|.|...|");
	check_code("amid an instruction", amid, sizeof(amid), NULL);
	check_code("a table", data, sizeof(data), NULL);
	check_code("what follows", next, sizeof(next), "|......|");
	check_code("its own address", itself, sizeof(itself), "|......|");
	check_code("an instruction's constant", constant, sizeof(constant), "|.........|......|");
	check_code("no instruction", wrong, sizeof(wrong), NULL);
	check_code("a jump as long as the processor likes", data16, sizeof(data16), NULL);
}

static void a_function_is_left_by_returns_and_jumps_out(void)
{
	const uint8_t code[] = {0xc3, 0xf3, 0xc3, 0xc2, 8, 0, 0xeb, 0xf8, 0xeb, 0xf5, 0xeb, 0x04,
				0xeb, 0x07, 0x75, 0x40, 0xff, 0xe0, 0xe9, 0, 0, 0, 0};
	const size_t leaving[] = {0, 1, 3, 8, 18};

	for (size_t at = 0, next = 0; at < sizeof(code);
	     at += dt_arch_insn_length(code + at, sizeof(code) - at)) {
		bool leaves = next < 5 && leaving[next] == at;

		next += leaves;
		CHECK(dt_arch_insn_leaves(code, sizeof(code), at) == leaves);
	}
}

static void what_is_invalid_has_no_length(void)
{
	const uint8_t push_es[] = {0x06, 0, 0}, prefixes[16] = {0x66, 0x66};

	CHECK(dt_arch_insn_length(push_es, sizeof(push_es)) == 0);
	CHECK(dt_arch_insn_length(prefixes, 2) == 0);
	CHECK(!dt_arch_insn_traceable(push_es, sizeof(push_es)));
}

int main(void)
{
	return RUN({"instructions are known by length and kind", instructions_are_known},
		   {"code that ends is no instruction", code_that_ends_is_no_instruction},
		   {"a function's code is instructions, or not sure",
		    code_is_instructions_or_not_sure},
		   {"a function is left by returns and jumps out of it",
		    a_function_is_left_by_returns_and_jumps_out},
		   {"what is invalid has no length", what_is_invalid_has_no_length});
}
