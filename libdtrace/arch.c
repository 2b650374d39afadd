/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch.c - see arch.h. How long instructions are matters because a breakpoint may stand only
 * at the start of one; where arguments are, to those who read them as the function enters.
 *
 * x86-64. One letter for each opcode says what follows it (Intel's Software Developer's
 * Manual, volume 2, appendix A):
 *
 *	.	nothing			M	ModRM, with what it asks for
 *	b w z	an immediate of 1, 2, 4 bytes (z: 2 with an operand-size prefix)
 *	B Z	ModRM, then b or z	G	ModRM, then b or z for the first two of a group
 *	v	z, or 8 bytes with REX.W	o	an address
 *	e	w and b			p	it is a prefix
 *	x	no such instruction	?	seen to by the code
 */
#include <stdbool.h>
#include <string.h>

#include "arch.h"

#if defined(__x86_64__)

static const char dt_one_byte[] = "MMMMbzxxMMMMbzx?" /* 00 */
				  "MMMMbzxxMMMMbzxx"
				  "MMMMbzpxMMMMbzpx" /* 20 */
				  "MMMMbzpxMMMMbzpx"
				  "pppppppppppppppp" /* 40: REX */
				  "................"
				  "xx?MppppzZbB...." /* 60 */
				  "bbbbbbbbbbbbbbbb"
				  "BZxBMMMMMMMMMMMM" /* 80 */
				  "..........x....."
				  "oooo....bz......" /* a0 */
				  "bbbbbbbbvvvvvvvv"
				  "BBw.??BZe.w..bx." /* c0 */
				  "MMMMxxx.MMMMMMMM"
				  "bbbbbbbbzzxb...." /* e0 */
				  "p.pp..GG......MM";

static const char dt_two_bytes[] = "MMMMx.....x.xM.B" /* 0f 00 */
				   "MMMMMMMMMMMMMMMM"
				   "MMMMxxxxMMMMMMMM" /* 20 */
				   "........?x?xxxxx"
				   "MMMMMMMMMMMMMMMM" /* 40 */
				   "MMMMMMMMMMMMMMMM"
				   "MMMMMMMMMMMMMMMM" /* 60 */
				   "BBBBMMM.MMMMMMMM"
				   "zzzzzzzzzzzzzzzz" /* 80 */
				   "MMMMMMMMMMMMMMMM"
				   "...MBMxx...MBMMM" /* a0 */
				   "MMMMMMMMMMBMMMMM"
				   "MMBMBBBM........" /* c0 */
				   "MMMMMMMMMMMMMMMM"
				   "MMMMMMMMMMMMMMMM" /* e0 */
				   "MMMMMMMMMMMMMMMM";

typedef struct dt_decoder {
	const uint8_t *at, *end;
	bool is_short; /* operand-size prefix */
	bool is_wide;  /* REX.W */
	bool is_narrow; /* address-size prefix */
	bool failed;   /* the code ends within it */
	unsigned map;  /* that the opcode is of: 0 is that of one byte */
	uint8_t opcode;
	const uint8_t *relative; /* the displacement of what it finds by where it is itself */
} dt_decoder_t;

static uint8_t dt_decode_byte(dt_decoder_t *d)
{
	if (d->at < d->end)
		return *d->at++;
	d->failed = true;
	return 0;
}

static void dt_decode_skip(dt_decoder_t *d, size_t n)
{
	if ((size_t)(d->end - d->at) < n)
		d->failed = true;
	else
		d->at += n;
}

/* ModRM, SIB and displacement; the reg field. */
static unsigned dt_decode_modrm(dt_decoder_t *d)
{
	uint8_t modrm = dt_decode_byte(d);
	unsigned mod = modrm >> 6, rm = modrm & 7;

	if (mod == 3)
		return modrm >> 3 & 7;
	if (rm == 4) {
		uint8_t sib = dt_decode_byte(d);

		if (mod == 0 && (sib & 7) == 5)
			rm = 5;
	}
	if (mod == 0 && (modrm & 7) == 5)
		d->relative = d->at;
	if (mod == 1)
		dt_decode_skip(d, 1);
	else if (mod == 2 || rm == 5)
		dt_decode_skip(d, 4);
	return modrm >> 3 & 7;
}

/* What follows an opcode. False: there is no such instruction. */
static bool dt_decode_operands(dt_decoder_t *d, char form, uint8_t opcode)
{
	size_t z = d->is_short && !d->is_wide ? 2 : 4;
	unsigned reg = 0;

	if (strchr("MBZG", form))
		reg = dt_decode_modrm(d);
	switch (form) {
	case '.':
	case 'M':
		return true;
	case 'b':
	case 'B':
		dt_decode_skip(d, 1);
		return true;
	case 'w':
		dt_decode_skip(d, 2);
		return true;
	case 'e':
		dt_decode_skip(d, 3);
		return true;
	case 'z':
	case 'Z':
		dt_decode_skip(d, z);
		return true;
	case 'v':
		dt_decode_skip(d, d->is_wide ? 8 : z);
		return true;
	case 'o':
		dt_decode_skip(d, d->is_narrow ? 4 : 8);
		return true;
	case 'G':
		if (reg < 2)
			dt_decode_skip(d, opcode & 1 ? z : 1);
		return true;
	default:
		return false;
	}
}

/* An opcode of one of the longer maps: 1 is 0f, 2 is 0f 38, 3 is 0f 3a; from 4 on the maps
 * that only EVEX reaches. */
static bool dt_decode_map(dt_decoder_t *d, unsigned map)
{
	uint8_t opcode = dt_decode_byte(d);

	if (map == 1 && opcode == 0x38)
		return dt_decode_map(d, 2);
	if (map == 1 && opcode == 0x3a)
		return dt_decode_map(d, 3);
	d->map = map;
	d->opcode = opcode;
	return dt_decode_operands(d, map == 1 ? dt_two_bytes[opcode] : map == 3 ? 'B' : 'M',
				  opcode);
}

/* XOP, of AMD's processors, is told from pop by a map that cannot be pop's ModRM. */
static bool dt_is_xop(const uint8_t *code, size_t size)
{
	return size > 1 && code[0] == 0x8f && (code[1] & 0x1f) >= 8;
}

/* From its second byte on: map, prefix and opcode, with an immediate by the map. */
static bool dt_decode_xop(dt_decoder_t *d)
{
	unsigned map = dt_decode_byte(d) & 0x1f;

	dt_decode_skip(d, 1);
	return map <= 10 && dt_decode_operands(d, "BMZ"[map - 8], dt_decode_byte(d));
}

/* VEX and EVEX: prefix, map and opcode in one. */
static bool dt_decode_vector(dt_decoder_t *d, uint8_t first)
{
	unsigned map = 1;

	if (first == 0xc4)
		map = dt_decode_byte(d) & 0x1f;
	else if (first == 0x62)
		map = dt_decode_byte(d) & 7;
	dt_decode_skip(d, first == 0x62 ? 2 : 1);
	return map >= 1 && map <= 7 && dt_decode_map(d, map);
}

/* A branch, whatever its condition; its distance is its last 4 bytes. */
static bool dt_is_near_branch(const dt_decoder_t *d)
{
	return d->map == 0 ? d->opcode == 0xe8 || d->opcode == 0xe9
			   : d->map == 1 && (d->opcode & 0xf0) == 0x80;
}

/* Likewise, of one byte. */
static bool dt_is_short_branch(const dt_decoder_t *d)
{
	return d->map == 0 && ((d->opcode & 0xf0) == 0x70 || d->opcode == 0xeb ||
			       (d->opcode & 0xfc) == 0xe0);
}

/* The instruction at the start of a code: d->at is behind it. */
static bool dt_decode(dt_decoder_t *d, const uint8_t *code, size_t size)
{
	uint8_t opcode;
	bool is_valid;

	*d = (dt_decoder_t){.at = code, .end = code + (size < 15 ? size : 15)};
	for (;;) {
		opcode = dt_decode_byte(d);
		if (dt_one_byte[opcode] != 'p' || d->failed)
			break;
		/* REX counts only right before the opcode. */
		d->is_wide = (opcode & 0xf8) == 0x48;
		d->is_short |= opcode == 0x66;
		d->is_narrow |= opcode == 0x67;
	}
	d->opcode = opcode;
	if (opcode == 0x0f)
		is_valid = dt_decode_map(d, 1);
	else if (opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62)
		is_valid = dt_decode_vector(d, opcode);
	else if (dt_is_xop(d->at - 1, (size_t)(d->end - d->at) + 1))
		is_valid = dt_decode_xop(d);
	else
		is_valid = dt_decode_operands(d, dt_one_byte[opcode], opcode);
	/* With an operand-size prefix it is as long as the maker of the processor likes. */
	return is_valid && !d->failed && !(dt_is_near_branch(d) && d->is_short && !d->is_wide);
}

size_t dt_arch_insn_length(const uint8_t *code, size_t size)
{
	dt_decoder_t d;

	return dt_decode(&d, code, size) ? (size_t)(d.at - code) : 0;
}

/*
 * The kernel tells what an instruction does by its opcode alone, whatever map the opcode is
 * of. So it takes a vector instruction (VEX, EVEX) for the branch, call or return that has
 * its opcode in the first map, and goes on somewhere else or with a wrong result: the process
 * is wrecked (arch_uprobe_analyze_insn() and branch_setup_xol_ops() of
 * arch/x86/kernel/uprobes.c; seen with vpbroadcastb of EVEX, which is taken for jp).
 */
static bool dt_is_mistaken(uint8_t opcode)
{
	return (opcode & 0xf0) == 0x70 ||
	       memchr("\x0f\x90\x9a\x9d\xc2\xc3\xca\xcb\xe8\xe9\xea\xeb\xff", opcode, 13);
}

/* Opcodes that the kernel refuses to replace, likewise of whatever map (good_insns_64[] of the
 * same file). It would tell; but to be told costs a tenth of a second each. */
static bool dt_is_refused(uint8_t opcode)
{
	return (opcode & 0xf4) == 0xe4 || (opcode & 0xfc) == 0x6c || (opcode & 0xfc) == 0xcc ||
	       memchr("\x06\x07\x0e\x16\x17\x1e\x1f\x27\x2f\x37\x3f\x60\x61\x62\x82\xd4\xd5\xd6"
		      "\xf1\xf4\xfa\xfb", opcode, 22);
}

/* Prefixes that make the kernel refuse an instruction: segments but fs and gs, and lock
 * (is_prefix_bad() of the same file). */
static bool dt_is_bad_prefix(uint8_t byte)
{
	return memchr("\x26\x2e\x36\x3e\xf0", byte, 5);
}

/*
 * What an instruction does other than it should as the kernel executes it elsewhere, alone
 * and with the trap flag set: pushf saves the flag, and the popf that follows ends the
 * process by SIGTRAP; syscall saves it likewise, a thread it makes goes on behind the copy,
 * and what it returns from a signal to is taken for a place in it. xchg with r8 is the nop
 * with a prefix, for which the kernel takes it.
 */
static bool dt_is_stepped_badly(const uint8_t *code, size_t at)
{
	if (code[at] == 0x0f)
		return code[at + 1] == 0x05 || code[at + 1] == 0x34; /* syscall, sysenter */
	if (code[at] == 0x90)
		return at > 0 && (code[at - 1] & 0xf1) == 0x41; /* REX.B */
	return code[at] == 0x9c;
}

bool dt_arch_insn_traceable(const uint8_t *code, size_t size)
{
	size_t length, at = 0;
	dt_decoder_t d;
	uint8_t opcode;

	/* Branches with an operand-size prefix are refused: the call of __tls_get_addr has one. */
	if (!dt_decode(&d, code, size) ||
	    (d.is_short && (dt_is_near_branch(&d) || dt_is_short_branch(&d))))
		return false;
	length = (size_t)(d.at - code);
	for (; at < length && dt_one_byte[code[at]] == 'p'; at++)
		if (dt_is_bad_prefix(code[at]))
			return false;
	if (dt_is_xop(code + at, length - at))
		return false;
	if (code[at] == 0xc5 || code[at] == 0xc4 || code[at] == 0x62) {
		opcode = code[at + (code[at] == 0xc5 ? 2 : code[at] == 0xc4 ? 3 : 4)];
		return !dt_is_mistaken(opcode) && !dt_is_refused(opcode);
	}
	return !dt_is_refused(code[at]) && !dt_is_stepped_badly(code, at);
}

/* How far behind an instruction is what it branches to, or finds by where it is itself. */
static bool dt_refers(const dt_decoder_t *d, int64_t *distance)
{
	bool is_near = dt_is_near_branch(d);
	int32_t bytes;

	if (dt_is_short_branch(d)) {
		*distance = (int8_t)d->at[-1];
		return true;
	}
	if (!is_near && !d->relative)
		return false;
	memcpy(&bytes, is_near ? d->at - sizeof(bytes) : d->relative, sizeof(bytes));
	*distance = bytes;
	return true;
}

/* A jump on a condition may stay, and where one goes that reads its target is not known. */
bool dt_arch_insn_leaves(const uint8_t *code, size_t size, size_t at)
{
	int64_t distance, to;
	dt_decoder_t d;

	if (!dt_decode(&d, code + at, size - at) || d.map != 0)
		return false;
	if (d.opcode != 0xeb && d.opcode != 0xe9)
		return d.opcode == 0xc3 || d.opcode == 0xc2;
	dt_refers(&d, &distance);
	to = d.at - code + distance;
	return to < 0 || to >= (int64_t)size;
}

/* Whether what is at a place is read from within an instruction: the 8 bytes that one moves to
 * a register are a constant to others also, in what V8 compiles. */
static bool dt_is_constant(const uint8_t *code, const uint8_t *starts, size_t at)
{
	while (at > 0 && !starts[at])
		at--;
	return (code[at] & 0xf8) == 0x48 && (code[at + 1] & 0xf8) == 0xb8;
}

/* Whether an instruction goes on at another one, or past its lock, and reads none; the address
 * of the function itself may be wanted. */
static bool dt_agrees(const uint8_t *code, size_t size, const uint8_t *starts, size_t at)
{
	int64_t distance, to;
	dt_decoder_t d;

	dt_decode(&d, code + at, size - at);
	if (!dt_refers(&d, &distance))
		return true;
	to = d.at - code + distance;
	if (to < 0 || to >= (int64_t)size)
		return true;
	if (d.relative)
		return distance == 0 || to == 0 || (!starts[to] && dt_is_constant(code, starts, (size_t)to));
	return starts[to] || (to > 0 && starts[to - 1] && code[to - 1] == 0xf0);
}

bool dt_arch_code_starts(const uint8_t *code, size_t size, uint8_t *starts)
{
	size_t length;

	memset(starts, 0, size);
	for (size_t at = 0; at < size; at += length) {
		length = dt_arch_insn_length(code + at, size - at);
		if (length == 0)
			return false;
		starts[at] = 1;
	}
	for (size_t at = 0; at < size; at++)
		if (starts[at] && !dt_agrees(code, size, starts, at))
			return false;
	return true;
}

/*
 * Places of arguments: System V ABI for x86-64, section 3.2.3. A structure of up to 16 bytes
 * goes as its two halves would by themselves, if registers are left for both; a larger one,
 * and what registers cannot hold, is on the stack and leaves the registers to what follows.
 */
#define WORD_REGISTERS 6
#define FLOAT_REGISTERS 8

static bool dt_is_in_memory(const dt_arch_value_t *v)
{
	return v->size > 16 || (v->parts[0] | v->parts[1]) & DT_ARCH_UNALIGNED;
}

/* A union of a long double and something else. */
static bool dt_is_wide_in_part(const dt_arch_value_t *v)
{
	return v->parts[0] & DT_ARCH_WIDE && v->parts[0] != DT_ARCH_WIDE;
}

/* Where a structure is to be returned to in memory is passed in the first register. */
void dt_arch_call_begin(dt_arch_call_t *call, const dt_arch_value_t *result)
{
	*call = (dt_arch_call_t){0};
	if (!result)
		return;
	call->words = result->is_reference ||
		      (result->is_structure &&
		       (dt_is_in_memory(result) || dt_is_wide_in_part(result)));
}

int dt_arch_call_pass(dt_arch_call_t *call, const dt_arch_value_t *v)
{
	bool is_word = v->parts[0] & DT_ARCH_WORDS;
	uint32_t words = is_word, floats = !is_word && v->parts[0] & DT_ARCH_FLOATS;
	int place = is_word ? (int)call->words : -1;

	if (v->size == 0 || (v->parts[0] | v->parts[1]) == 0)
		return -1; /* an empty structure is not passed */
	words += (v->parts[1] & DT_ARCH_WORDS) != 0;
	floats += v->parts[1] == DT_ARCH_FLOATS;
	if (!dt_is_in_memory(v) && !((v->parts[0] | v->parts[1]) & DT_ARCH_WIDE) &&
	    call->words + words <= WORD_REGISTERS && call->floats + floats <= FLOAT_REGISTERS) {
		call->words += words;
		call->floats += floats;
		return place;
	}
	if (v->align > 8)
		call->stack = (call->stack + v->align - 1) & ~(v->align - 1);
	place = WORD_REGISTERS + (int)(call->stack / 8);
	call->stack += (v->size + 7) & ~7ull;
	return place;
}

/* The names of a register's 8, 4, 2 and 1 low bytes. */
static const struct {
	char names[4][5];
	uint16_t offset;
} dt_registers[] = {
#define REG(q, d, w, b, member) {{q, d, w, b}, offsetof(struct pt_regs, member)}
    REG("rax", "eax", "ax", "al", rax),	      REG("rbx", "ebx", "bx", "bl", rbx),
    REG("rcx", "ecx", "cx", "cl", rcx),	      REG("rdx", "edx", "dx", "dl", rdx),
    REG("rsi", "esi", "si", "sil", rsi),      REG("rdi", "edi", "di", "dil", rdi),
    REG("rbp", "ebp", "bp", "bpl", rbp),      REG("rsp", "esp", "sp", "spl", rsp),
    REG("r8", "r8d", "r8w", "r8b", r8),	      REG("r9", "r9d", "r9w", "r9b", r9),
    REG("r10", "r10d", "r10w", "r10b", r10),  REG("r11", "r11d", "r11w", "r11b", r11),
    REG("r12", "r12d", "r12w", "r12b", r12),  REG("r13", "r13d", "r13w", "r13b", r13),
    REG("r14", "r14d", "r14w", "r14b", r14),  REG("r15", "r15d", "r15w", "r15b", r15),
    REG("rip", "eip", "ip", "", rip),
#undef REG
};

int dt_arch_register(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(dt_registers) / sizeof(dt_registers[0]); i++)
		for (size_t k = 0; k < 4; k++)
			if (strlen(dt_registers[i].names[k]) == length && length > 0 &&
			    memcmp(dt_registers[i].names[k], name, length) == 0)
				return dt_registers[i].offset;
	return -1;
}

#endif
