/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_test.c - whatever the compiler is given, it answers with a program or an error. The
 * inputs come from a fixed seed, so that a failure happens again; with a number as argument
 * from that seed.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>

#include "dtrace.h"
#include "tap.h"

#define NBYTES_ROUNDS 3000
#define NTOKEN_ROUNDS 3000
#define NDAMAGE_ROUNDS 3000

static uint64_t state = 20240229;

/* xorshift64: the same numbers everywhere. */
static uint32_t random_below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % limit);
}

/* Compiles; an error has to have words. */
static void try_text(const char *text)
{
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, DTRACE_O_NODEV, NULL);
	dtrace_prog_t *prog;

	CHECK(dtp != NULL);
	prog = dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME,
					 DTRACE_C_ZDEFS | DTRACE_C_ARGREF, 0, NULL);
	if (prog == NULL) {
		CHECK(dtrace_errno(dtp) != 0);
		CHECK(strlen(dtrace_errmsg(dtp, dtrace_errno(dtp))) > 0);
	}
	dtrace_close(dtp);
}

static void random_bytes(void)
{
	char text[257];

	for (int i = 0; i < NBYTES_ROUNDS; i++) {
		uint32_t length = random_below(sizeof(text));

		for (uint32_t j = 0; j < length; j++)
			text[j] = (char)(1 + random_below(255));
		text[length] = '\0';
		try_text(text);
	}
}

static const char *const tokens[] = {
    "BEGIN",	  "END",	"syscall:::entry",
    "tick-1s",	  "{",		"}",
    "(",	  ")",		"[",
    "]",	  "/",		"*",
    "+",	  "-",		"%",
    "<<",	  ">>",		"<",
    ">",	  "<=",		"==",
    "!=",	  "=",		"+=",
    "<<=",	  "&&",		"||",
    "^^",	  "!",		"~",
    "&",	  "|",		"^",
    "?",	  ":",		";",
    ",",	  ".",		"->",
    "++",	  "--",		"0",
    "1",	  "-1",		"18446744073709551615",
    "0x7fffffff", "'a'",	"\"text\"",
    "\"\"",	  "x",		"y",
    "self->t",	  "this->c",	"@",
    "@a",	  "@a[x]",	"pid",
    "execname",	  "arg0",	"args[0]",
    "timestamp",  "count()",	"sum(1)",
    "quantize(",  "lquantize(", "trace(",
    "printf(",	  "\"%d %s\"",	"printa(",
    "strlen(",	  "copyinstr(", "exit(0)",
    "sizeof",	  "(int)",	"int",
    "char",	  "struct",	"string",
    "typedef",	  "enum",	"unsigned",
    "*",	  "$1",		"$$1",
    "$target",	  "`",		"#pragma D option quiet\n",
    "/*",	  "*/",		"\n",
    "inline",	  "translator", "provider",
};

#define NTOKENS (sizeof(tokens) / sizeof(tokens[0]))

static void random_tokens(void)
{
	char text[2048];

	for (int i = 0; i < NTOKEN_ROUNDS; i++) {
		uint32_t count = random_below(40);
		size_t length = 0;

		text[0] = '\0';
		if (random_below(2))
			length = (size_t)snprintf(text, sizeof(text), "BEGIN { ");
		for (uint32_t j = 0; j < count; j++)
			length += (size_t)snprintf(text + length, sizeof(text) - length,
						   "%s ", tokens[random_below(NTOKENS)]);
		try_text(text);
	}
}

static const char *const programs[] = {
    "syscall::read:entry /execname == \"cat\" && arg0 > 2/ { @[probefunc, arg2] = "
    "quantize(arg2); self->t = timestamp; }",
    "BEGIN { a[\"x\", 1] = 5; printf(\"%5d %-10s %x\\n\", a[\"x\", 1], strjoin(\"a\", "
    "\"b\"), "
    "0xff << 2); exit(0); }",
    "int x; string s; self int z[int, string]; BEGIN { s = x ? \"yes\" : \"no\"; z += "
    "sizeof "
    "(struct task_struct *); trace(s); }",
    "profile-97 / arg0 / { @s[stack(5)] = count(); } tick-1s { printa(\"%k %@d\\n\", @s); "
    "trunc(@s, 10); normalize(@s, 2); }",
};

#define NPROGRAMS (sizeof(programs) / sizeof(programs[0]))

/* A good program with a few characters changed, doubled or left out. */
static void damaged_programs(void)
{
	char text[1024];

	for (int i = 0; i < NDAMAGE_ROUNDS; i++) {
		size_t length = (size_t)snprintf(text, sizeof(text), "%s",
						 programs[random_below(NPROGRAMS)]);

		for (uint32_t j = random_below(6); j > 0; j--) {
			size_t at = random_below((uint32_t)length);

			switch (random_below(3)) {
			case 0:
				text[at] = (char)(32 + random_below(95));
				break;
			case 1:
				memmove(text + at, text + at + 1, length-- - at);
				break;
			case 2:
				memmove(text + at + 1, text + at, ++length - at);
				break;
			}
		}
		try_text(text);
	}
}

static char *repeated(const char *before, const char *part, int count, const char *after)
{
	size_t size = strlen(before) + strlen(part) * (size_t)count + strlen(after) + 1;
	char *text = malloc(size), *end = text;

	CHECK(text != NULL);
	end = stpcpy(end, before);
	for (int i = 0; i < count; i++)
		end = stpcpy(end, part);
	stpcpy(end, after);
	return text;
}

/* Depth and length must end in an error, not in the end of the stack. */
static void extremes(void)
{
	static const char *const shapes[][3] = {
	    {"BEGIN { x = ", "(", ""},	      {"BEGIN { x = ", "-", "1; }"},
	    {"BEGIN { x = 1", " + 1", "; }"}, {"BEGIN { x = ", "1 ? 2 : ", "3; }"},
	    {"BEGIN { x = ", "a[", "0"},      {"", "BEGIN,", "END { }"},
	    {"BEGIN { ", "x = 1; ", "}"},     {"BEGIN { trace(\"", "a", "\"); }"},
	    {"BEGIN { x = ", "9", "; }"},     {"", "BEGIN { } ", ""},
	    {"struct a { ", "int x; ", "};"}, {"typedef int ", "*", "p; BEGIN { }"},
	    {"BEGIN /", "!", "1/ { }"},	      {"", "{", ""},
	    {"BEGIN { x = y", "->z", "; }"},  {"BEGIN { ", "/* ", "*/ }"},
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		char *text = repeated(shapes[i][0], shapes[i][1], 20000, shapes[i][2]);

		try_text(text);
		free(text);
	}
}

int main(int argc, char *argv[])
{
	if (argc > 1)
		state = strtoull(argv[1], NULL, 0) | 1;
	return RUN({"random bytes", random_bytes}, {"random tokens", random_tokens},
		   {"damaged programs", damaged_programs},
		   {"extremes of depth and length", extremes});
}
