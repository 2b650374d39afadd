/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dgen.h - well-typed D programs made at random: all statement and expression forms, all
 * kinds of variables, strings with nested subroutines, aggregations with every function and
 * kind of key, predicates, several clauses and probes. The same seed makes the same program.
 *
 *	dgen_t g;
 *	dgen_init(&g, seed);
 *	dgen_program(&g);
 *	... g.text ...
 *	dgen_fini(&g);
 *
 * Nothing destructive is generated, and no other process's memory is read but by built-in
 * variables such as execname.
 */
#ifndef DGEN_H
#define DGEN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct dgen {
	uint64_t state;
	char *text;
	size_t length, capacity;
	int budget; /* nodes that the clause may still have */
	bool has_error;
} dgen_t;

/* ---- Chance and text -------------------------------------------------------------- */

/* xorshift64: the same numbers everywhere. */
static inline uint32_t dgen_below(dgen_t *g, uint32_t limit)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return (uint32_t)((g->state >> 32) % limit);
}

static inline void dgen_init(dgen_t *g, uint64_t seed)
{
	memset(g, 0, sizeof(*g));
	g->state = seed * 0x9e3779b97f4a7c15u | 1;
	for (int i = 0; i < 8; i++)
		dgen_below(g, 2);
}

static inline void dgen_fini(dgen_t *g)
{
	free(g->text);
}

static inline void dgen_add(dgen_t *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void dgen_add(dgen_t *g, const char *format, ...)
{
	va_list arguments;
	int n;

	for (;;) {
		size_t room = g->capacity - g->length;

		va_start(arguments, format);
		n = vsnprintf(g->text ? g->text + g->length : NULL, room, format, arguments);
		va_end(arguments);
		if ((size_t)n < room)
			break;
		g->capacity = g->capacity * 2 + (size_t)n + 1024;
		g->text = realloc(g->text, g->capacity);
		if (g->text == NULL)
			abort();
	}
	g->length += (size_t)n;
}

#define DGEN_PICK(g, ...)                                                                  \
	((const char *const[]){__VA_ARGS__}[dgen_below(                                    \
	    g, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))])

static inline void dgen_int(dgen_t *, int depth);
static inline void dgen_string(dgen_t *, int depth);
static inline void dgen_pointer(dgen_t *, int depth);
static inline void dgen_struct(dgen_t *, int depth);

/* Whether to stop here: a leaf. */
static inline bool dgen_leaf(dgen_t *g, int depth)
{
	return depth <= 0 || g->budget-- <= 0;
}

/* ---- Lvalues ------------------------------------------------------------------------ */

/* An index: mostly in range, sometimes a run-time fault. */
static inline void dgen_index(dgen_t *g, int count, int depth)
{
	if (dgen_below(g, 3)) {
		dgen_add(g, "[%d]", (int)dgen_below(g, (uint32_t)count));
		return;
	}
	dgen_add(g, "[");
	dgen_int(g, depth - 1);
	if (dgen_below(g, 8))
		dgen_add(g, " & %d", count <= 3 ? 1 : 3);
	dgen_add(g, "]");
}

/* A struct nest, a struct pt. */
static inline void dgen_nest(dgen_t *g, int depth)
{
	switch (dgen_below(g, 6)) {
	case 0:
		dgen_add(g, "gn");
		break;
	case 1:
		dgen_add(g, "self->sn");
		break;
	case 2:
		dgen_add(g, "this->tn");
		break;
	case 3:
		dgen_add(g, "an[");
		dgen_string(g, depth - 1);
		dgen_add(g, "]");
		break;
	case 4:
		dgen_add(g, "(*pn)");
		break;
	default:
		dgen_add(g, "nests");
		dgen_index(g, 3, depth);
	}
}

static inline void dgen_pt(dgen_t *g, int depth)
{
	switch (dgen_below(g, 7)) {
	case 0:
		dgen_add(g, "gp");
		break;
	case 1:
		dgen_add(g, "ap[");
		dgen_int(g, depth - 1);
		dgen_add(g, "]");
		break;
	case 2:
		dgen_nest(g, depth - 1);
		dgen_add(g, ".p");
		break;
	case 3:
		dgen_nest(g, depth - 1);
		dgen_add(g, ".q");
		dgen_index(g, 2, depth);
		break;
	case 4:
		dgen_add(g, "this->tp");
		break;
	case 5:
		dgen_add(g, "self->sp[");
		dgen_int(g, depth - 1);
		dgen_add(g, "]");
		break;
	default:
		dgen_add(g, "(*pp)");
	}
}

/* What has an integer type and can be assigned to. */
static inline void dgen_int_lvalue(dgen_t *g, int depth, bool with_bitfields)
{
	if (dgen_leaf(g, depth)) {
		dgen_add(g, "%s",
			 DGEN_PICK(g, "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64",
				   "self->si", "self->sl", "self->sc", "this->t0", "this->t1",
				   "this->t2", "this->t3", "this->t4", "this->t5", "this->t6",
				   "this->t7", "this->t8", "this->t9"));
		return;
	}
	switch (dgen_below(g, with_bitfields ? 12 : 11)) {
	case 0:
		dgen_pt(g, depth - 1);
		dgen_add(g, "%s", DGEN_PICK(g, ".x", ".y", ".z[0]", ".z[3]"));
		break;
	case 1:
		dgen_nest(g, depth - 1);
		dgen_add(g, "%s", DGEN_PICK(g, ".big", ".u.i", ".u.c[2]", ".f.e", ".name[1]"));
		break;
	case 2:
		dgen_nest(g, depth - 1);
		dgen_add(g, ".a");
		dgen_index(g, 3, depth - 1);
		dgen_index(g, 4, depth - 1);
		break;
	case 3:
		dgen_add(g, "%s", DGEN_PICK(g, "ga", "self->sa", "this->ta"));
		dgen_index(g, 5, depth);
		break;
	case 4:
		dgen_add(g, "gm");
		dgen_index(g, 3, depth);
		dgen_index(g, 4, depth);
		break;
	case 5:
		dgen_add(g, "ai[");
		dgen_int(g, depth - 1);
		dgen_add(g, "]");
		break;
	case 6:
		dgen_add(g, "as[");
		dgen_string(g, depth - 1);
		dgen_add(g, ", ");
		dgen_int(g, depth - 1);
		dgen_add(g, "]");
		break;
	case 7:
		dgen_add(g, "at[");
		dgen_struct(g, depth - 1);
		dgen_add(g, "]");
		break;
	case 8:
		dgen_add(g, "self->ax[");
		dgen_int(g, depth - 1);
		dgen_add(g, "]");
		break;
	case 9:
		dgen_add(g, "(*");
		dgen_pointer(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 10:
		dgen_add(g, "%s", DGEN_PICK(g, "pp->x", "pn->u.c[1]", "pn->q[1].y", "pi[1]",
					    "(*(pi + 1))", "pn->a[2][3]"));
		break;
	default:
		dgen_nest(g, depth - 1);
		dgen_add(g, "%s", DGEN_PICK(g, ".f.a", ".f.b", ".f.c", ".f.d"));
	}
}

/* ---- Expressions ---------------------------------------------------------------------- */

static inline void dgen_int_leaf(dgen_t *g)
{
	switch (dgen_below(g, 10)) {
	case 0:
		dgen_add(g, "%u", dgen_below(g, 10));
		break;
	case 1:
		dgen_add(g, "%s", DGEN_PICK(g, "0x7fffffff", "0xffffffffu", "-1", "1ull << 40",
					    "0x8000000000000000", "'a'", "65536", "-128"));
		break;
	case 2:
	case 3:
		dgen_add(g, "%s",
			 DGEN_PICK(g, "pid", "tid", "uid", "gid", "cpu", "timestamp", "epid", "id",
				   "arg0", "arg1", "arg3", "walltimestamp", "ppid", "vtimestamp",
				   "rand()", "stackdepth", "ustackdepth", "caller", "ucaller",
				   "(int64_t)curthread", "curthread->pid"));
		break;
	default:
		dgen_int_lvalue(g, 0, true);
	}
}

static inline void dgen_binary(dgen_t *g, int depth)
{
	const char *operator= DGEN_PICK(g, "+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%",
					"<", ">", "<=", ">=", "==", "!=", "&&", "||", "^^");

	dgen_add(g, "(");
	dgen_int(g, depth - 1);
	dgen_add(g, " %s ", operator);
	if ((*operator== '/' || *operator== '%') && dgen_below(g, 4))
		dgen_add(g, "%u", 1 + dgen_below(g, 9));
	else
		dgen_int(g, depth - 1);
	dgen_add(g, ")");
}

static inline void dgen_assignment(dgen_t *g, int depth)
{
	const char *operator= DGEN_PICK(g, "=", "=", "=", "+=", "-=", "*=", "|=", "&=", "^=",
					"<<=", ">>=", "/=", "%=");

	dgen_add(g, "(");
	dgen_int_lvalue(g, depth - 1, true);
	dgen_add(g, " %s ", operator);
	dgen_int(g, depth - 1);
	if (*operator== '/' || *operator== '%')
		dgen_add(g, " | 1");
	dgen_add(g, ")");
}

static inline void dgen_int_call(dgen_t *g, int depth)
{
	switch (dgen_below(g, 7)) {
	case 0:
		dgen_add(g, "strlen(");
		dgen_string(g, depth - 1);
		break;
	case 1:
	case 2:
		dgen_add(g, "%s(", DGEN_PICK(g, "index", "rindex"));
		dgen_string(g, depth - 1);
		dgen_add(g, ", ");
		dgen_string(g, depth - 1);
		if (dgen_below(g, 2)) {
			dgen_add(g, ", ");
			dgen_int(g, depth - 1);
		}
		break;
	case 3:
		dgen_add(g, "strtoll(");
		dgen_string(g, depth - 1);
		break;
	case 4:
		dgen_add(g, "%s(", DGEN_PICK(g, "htonl", "ntohs", "htonll", "getmajor"));
		dgen_int(g, depth - 1);
		break;
	case 5:
		dgen_add(g, "progenyof(");
		dgen_int(g, depth - 1);
		break;
	default:
		dgen_add(g, "sizeof(");
		dgen_int(g, depth - 1);
	}
	dgen_add(g, ")");
}

static inline void dgen_int(dgen_t *g, int depth)
{
	if (dgen_leaf(g, depth)) {
		dgen_int_leaf(g);
		return;
	}
	switch (dgen_below(g, 16)) {
	case 0:
	case 1:
	case 2:
		dgen_binary(g, depth);
		break;
	case 13:
		dgen_add(g, "(");
		dgen_string(g, depth - 1);
		dgen_add(g, ")");
		dgen_index(g, 5, depth);
		break;
	case 3:
		dgen_add(g, "%s(", DGEN_PICK(g, "-", "~", "!", "+"));
		dgen_int(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 4:
		dgen_add(g, "(");
		dgen_int(g, depth - 1);
		dgen_add(g, " ? ");
		dgen_int(g, depth - 1);
		dgen_add(g, " : ");
		dgen_int(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 5:
		dgen_add(g, "(%s)(", DGEN_PICK(g, "char", "unsigned char", "short", "uint16_t",
					       "int", "unsigned int", "long long", "uint64_t",
					       "_Bool"));
		dgen_int(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 6:
		dgen_assignment(g, depth);
		break;
	case 7:
		dgen_add(g, "(%s", DGEN_PICK(g, "++", "--"));
		dgen_int_lvalue(g, depth - 1, true);
		dgen_add(g, ")");
		break;
	case 8:
		dgen_add(g, "(");
		dgen_int_lvalue(g, depth - 1, true);
		dgen_add(g, "%s)", DGEN_PICK(g, "++", "--"));
		break;
	case 9:
		dgen_add(g, "(");
		dgen_int(g, depth - 1);
		dgen_add(g, ", ");
		dgen_int(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 10:
		dgen_add(g, "(");
		dgen_string(g, depth - 1);
		dgen_add(g, " %s ", DGEN_PICK(g, "==", "!=", "<", ">="));
		dgen_string(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 11:
		dgen_add(g, "(");
		dgen_pointer(g, depth - 1);
		dgen_add(g, " %s ", DGEN_PICK(g, "==", "<", "-"));
		dgen_pointer(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 12:
		dgen_int_call(g, depth);
		break;
	default:
		dgen_int_lvalue(g, depth - 1, true);
	}
}

/* int * */
static inline void dgen_pointer(dgen_t *g, int depth)
{
	if (dgen_leaf(g, depth)) {
		dgen_add(g, "%s", DGEN_PICK(g, "pi", "&gm[1][2]", "&ga[1]", "&self->sa[1]", "&gn.p.x",
					    "&self->sn.a[1][2]", "&this->ta[2]", "ga",
					    "&an[\"a\"].p.x"));
		return;
	}
	switch (dgen_below(g, 7)) {
	case 0:
		dgen_add(g, "(");
		dgen_pointer(g, depth - 1);
		dgen_add(g, " %s ", DGEN_PICK(g, "+", "-"));
		dgen_int(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 1:
		dgen_add(g, "(");
		dgen_int(g, depth - 1);
		dgen_add(g, " ? ");
		dgen_pointer(g, depth - 1);
		dgen_add(g, " : ");
		dgen_pointer(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 2:
		dgen_add(g, "(int *)alloca(");
		if (dgen_below(g, 2))
			dgen_add(g, "%u)", 4 + dgen_below(g, 40));
		else {
			dgen_int(g, depth - 1);
			dgen_add(g, ")");
		}
		break;
	case 3:
		dgen_add(g, "(pi = ");
		dgen_pointer(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 4:
		dgen_add(g, "&");
		dgen_pt(g, depth - 1);
		dgen_add(g, ".x");
		break;
	case 5:
		dgen_add(g, "(pi%s)", DGEN_PICK(g, "++", "--", " += 2"));
		break;
	default:
		dgen_pointer(g, 0);
	}
}

static inline void dgen_struct(dgen_t *g, int depth)
{
	if (!dgen_leaf(g, depth) && dgen_below(g, 4) == 0) {
		dgen_add(g, "(");
		dgen_pt(g, depth - 1);
		dgen_add(g, " = ");
		dgen_struct(g, depth - 1);
		dgen_add(g, ")");
		return;
	}
	if (depth <= 0)
		dgen_add(g, "gp");
	else
		dgen_pt(g, depth - 1);
}

/* ---- Strings --------------------------------------------------------------------------- */

static inline void dgen_string_lvalue(dgen_t *g, int depth)
{
	switch (dgen_below(g, depth > 0 ? 6 : 4)) {
	case 0:
		dgen_add(g, "gs");
		break;
	case 1:
		dgen_add(g, "self->ss");
		break;
	case 2:
		dgen_add(g, "this->ts");
		break;
	case 3:
		dgen_add(g, "gt");
		break;
	case 4:
		dgen_add(g, "names[");
		dgen_int(g, depth - 1);
		dgen_add(g, "]");
		break;
	default:
		dgen_add(g, "self->names[");
		dgen_string(g, depth - 1);
		dgen_add(g, "]");
	}
}

static inline void dgen_string_leaf(dgen_t *g)
{
	if (dgen_below(g, 2)) {
		dgen_string_lvalue(g, 0);
		return;
	}
	dgen_add(g, "%s",
		 DGEN_PICK(g, "\"\"", "\"a\"", "\"literal\"", "\"/usr/lib/x86\"", "execname",
			   "probefunc", "probename", "probemod", "probeprov", "stringof(gn.name)",
			   "stringof(self->sn.name)", "\"a,b;c\"", "stringof(curthread->comm)",
			   "\"a somewhat longer text that has more than sixty-four bytes in all\""));
}

static inline void dgen_string_call(dgen_t *g, int depth)
{
	switch (dgen_below(g, 9)) {
	case 0:
	case 1:
		dgen_add(g, "strjoin(");
		dgen_string(g, depth - 1);
		dgen_add(g, ", ");
		dgen_string(g, depth - 1);
		break;
	case 2:
		dgen_add(g, "substr(");
		dgen_string(g, depth - 1);
		dgen_add(g, ", ");
		dgen_int(g, depth - 1);
		if (dgen_below(g, 2)) {
			dgen_add(g, ", ");
			dgen_int(g, depth - 1);
		}
		break;
	case 3:
		dgen_add(g, "%s(", DGEN_PICK(g, "basename", "dirname", "cleanpath", "toupper",
					     "tolower"));
		dgen_string(g, depth - 1);
		break;
	case 4:
		dgen_add(g, "lltostr(");
		dgen_int(g, depth - 1);
		if (dgen_below(g, 3) == 0)
			dgen_add(g, ", %s", DGEN_PICK(g, "8", "10", "16", "36"));
		break;
	case 5:
		dgen_add(g, "%s(", DGEN_PICK(g, "strchr", "strrchr"));
		dgen_string(g, depth - 1);
		dgen_add(g, ", ");
		dgen_int(g, depth - 1);
		break;
	case 6:
		dgen_add(g, "%s(", DGEN_PICK(g, "strstr", "strtok", "json"));
		dgen_string(g, depth - 1);
		dgen_add(g, ", ");
		dgen_string(g, depth - 1);
		break;
	case 7:
		dgen_add(g, "inet_ntoa(");
		dgen_pointer(g, depth - 1);
		break;
	default:
		dgen_add(g, "inet_ntop(%s, ", DGEN_PICK(g, "2", "10"));
		dgen_pointer(g, depth - 1);
	}
	dgen_add(g, ")");
}

static inline void dgen_string(dgen_t *g, int depth)
{
	if (dgen_leaf(g, depth)) {
		dgen_string_leaf(g);
		return;
	}
	switch (dgen_below(g, 8)) {
	case 0:
		dgen_add(g, "(");
		dgen_int(g, depth - 1);
		dgen_add(g, " ? ");
		dgen_string(g, depth - 1);
		dgen_add(g, " : ");
		dgen_string(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 1:
		dgen_add(g, "(");
		dgen_string_lvalue(g, depth - 1);
		dgen_add(g, " = ");
		dgen_string(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 2:
		dgen_add(g, "(");
		dgen_int(g, depth - 1);
		dgen_add(g, ", ");
		dgen_string(g, depth - 1);
		dgen_add(g, ")");
		break;
	case 3:
		dgen_string_lvalue(g, depth - 1);
		break;
	default:
		dgen_string_call(g, depth);
	}
}

/* ---- Statements -------------------------------------------------------------------------- */

/* Every aggregation has one signature: name, keys, function. */
static inline void dgen_aggregate(dgen_t *g, int depth)
{
	static const struct {
		const char *name, *keys; /* a letter each */
		const char *before, *after; /* around the value; NULL: none */
	} aggs[] = {
	    {"", "", "count(", NULL},
	    {"c1", "s", "count(", NULL},
	    {"c2", "isf", "count(", NULL},
	    {"s1", "i", "sum(", ")"},
	    {"s2", "k", "sum(", ")"},
	    {"m1", "p", "min(", ")"},
	    {"m2", "", "max(", ")"},
	    {"m3", "ss", "max(", ")"},
	    {"m4", "ai", "min(", ")"},
	    {"v1", "y", "avg(", ")"},
	    {"d1", "fi", "stddev(", ")"},
	    {"q0", "", "quantize(", ")"},
	    {"q1", "s", "quantize(", ")"},
	    {"l1", "i", "lquantize(", ", -10, 100, 7)"},
	    {"ll", "ui", "llquantize(", ", 10, 0, 6, 20)"},
	    {"iiii", "iiiisi", "sum(", ")"},
	};
	uint32_t n = dgen_below(g, sizeof(aggs) / sizeof(aggs[0]));

	dgen_add(g, "@%s", aggs[n].name);
	for (const char *k = aggs[n].keys; *k; k++) {
		dgen_add(g, "%s", k == aggs[n].keys ? "[" : ", ");
		switch (*k) {
		case 'i':
			dgen_add(g, "(int64_t)");
			dgen_int(g, depth - 1);
			break;
		case 's':
			dgen_string(g, depth - 1);
			break;
		case 'f':
			dgen_add(g, "%s", DGEN_PICK(g, "probefunc", "probename", "\"x\""));
			break;
		case 'k':
			dgen_add(g, "stack(5)");
			break;
		case 'u':
			dgen_add(g, "ustack(3)");
			break;
		case 'p':
			dgen_struct(g, depth - 1);
			break;
		case 'a':
			dgen_add(g, "%s", DGEN_PICK(g, "gm[1]", "self->sn.a[1]", "gn.a[0]"));
			break;
		default:
			dgen_add(g, "sym(");
			dgen_int(g, depth - 1);
			dgen_add(g, ")");
		}
	}
	dgen_add(g, "%s = %s", aggs[n].keys[0] ? "]" : "", aggs[n].before);
	if (aggs[n].after)
		dgen_int(g, depth);
	dgen_add(g, "%s", aggs[n].after ? aggs[n].after : ")");
}

static inline void dgen_record(dgen_t *g, int depth)
{
	switch (dgen_below(g, 13)) {
	case 0:
	case 1:
		dgen_add(g, "printf(\"%%d %%s %%x\", ");
		dgen_int(g, depth);
		dgen_add(g, ", ");
		dgen_string(g, depth);
		dgen_add(g, ", ");
		dgen_int(g, depth);
		dgen_add(g, ")");
		break;
	case 2:
		dgen_add(g, "trace(");
		dgen_int(g, depth);
		dgen_add(g, ")");
		break;
	case 3:
		dgen_add(g, "trace(");
		dgen_string(g, depth);
		dgen_add(g, ")");
		break;
	case 4:
		dgen_add(g, "%s(", DGEN_PICK(g, "trace", "print"));
		if (dgen_below(g, 2))
			dgen_struct(g, depth);
		else
			dgen_nest(g, depth);
		dgen_add(g, ")");
		break;
	case 5:
		dgen_add(g, "%s", DGEN_PICK(g, "stack()", "ustack(5)", "stack(3)",
					    "printf(\"text\")", "jstack(4, 100)"));
		break;
	case 6:
		dgen_add(g, "%s(", DGEN_PICK(g, "sym", "mod", "func", "usym", "umod", "uaddr",
					     "ufunc"));
		dgen_int(g, depth);
		dgen_add(g, ")");
		break;
	case 7:
		dgen_add(g, "%s(", DGEN_PICK(g, "tracemem", "pcap"));
		dgen_pointer(g, depth);
		dgen_add(g, ", 16)");
		break;
	case 8:
		dgen_add(g, "tracemem(");
		dgen_pointer(g, depth);
		dgen_add(g, ", 32, ");
		dgen_int(g, depth);
		dgen_add(g, ")");
		break;
	case 9:
		dgen_add(g, "trace(%s)", DGEN_PICK(g, "ga", "gn.q", "gn.a[1]", "self->sa",
						   "gn.name"));
		break;
	case 10:
		dgen_add(g, "bcopy(");
		dgen_pointer(g, depth);
		dgen_add(g, ", alloca(64), ");
		dgen_int(g, depth);
		dgen_add(g, ")");
		break;
	case 11:
		dgen_add(g, "this->n = strlen(copyinstr(");
		dgen_int(g, depth);
		dgen_add(g, "))");
		break;
	default:
		dgen_add(g, "this->cp = copyin(");
		dgen_int(g, depth);
		dgen_add(g, ", %s)", DGEN_PICK(g, "8", "u8", "i32"));
	}
}

/* What the consumer does: only a number goes into the record. */
static inline void dgen_library(dgen_t *g, int depth)
{
	switch (dgen_below(g, 4)) {
	case 0:
		dgen_add(g, "%s", DGEN_PICK(g, "printa(@s1)", "printa(\"%s %@d\", @c1)", "clear(@q1)",
					    "trunc(@s1, 3)", "printa(@s1, @l1)", "denormalize(@v1)"));
		break;
	case 1:
		dgen_add(g, "normalize(@s1, ");
		dgen_int(g, depth);
		dgen_add(g, ")");
		break;
	case 2:
		dgen_add(g, "this->n = speculation()");
		break;
	default:
		dgen_add(g, "%s(", DGEN_PICK(g, "discard", "trace"));
		dgen_int(g, depth);
		dgen_add(g, ")");
	}
}

static inline void dgen_statement(dgen_t *g, int depth)
{
	switch (dgen_below(g, 14)) {
	case 0:
	case 1:
		dgen_aggregate(g, depth);
		break;
	case 10:
		dgen_add(g, "if (");
		dgen_int(g, depth);
		dgen_add(g, ") ");
		dgen_statement(g, depth);
		if (dgen_below(g, 2)) {
			dgen_add(g, "else ");
			dgen_statement(g, depth);
		}
		return;
	case 2:
	case 3:
		dgen_record(g, depth);
		break;
	case 4:
		dgen_string_lvalue(g, depth);
		dgen_add(g, " = ");
		if (dgen_below(g, 8))
			dgen_string(g, depth);
		else
			dgen_add(g, "0");
		break;
	case 5:
		dgen_pt(g, depth);
		dgen_add(g, " = ");
		if (dgen_below(g, 8))
			dgen_struct(g, depth);
		else
			dgen_add(g, "0");
		break;
	case 6:
		dgen_nest(g, depth);
		dgen_add(g, " = ");
		dgen_nest(g, depth);
		break;
	case 7:
		dgen_add(g, "%s", DGEN_PICK(g, "pn = &nests[1]", "pn = (struct nest *)&gn.p",
					    "pn = (struct nest *)&self->sn.p",
					    "pn = (struct nest *)&this->tn.p",
					    "pp = (struct pt *)&gp.x", "pp = &gn.q[1]",
					    "pi = &ga[2]", "pp = (struct pt *)alloca(64)",
					    "pi = &gp.x", "pn = (struct nest *)&an[\"a\"].p",
					    "pi = (int *)&gn.big"));
		break;
	case 9:
		dgen_library(g, depth);
		break;
	case 8:
		dgen_add(g, "%s = ", DGEN_PICK(g, "ai[1]", "as[\"x\", 2]", "self->ax[3]"));
		dgen_int(g, depth);
		break;
	default:
		dgen_assignment(g, depth + 1);
	}
	dgen_add(g, ";\n");
}

/* ---- Programs ------------------------------------------------------------------------------ */

static const char dgen_declarations[] =
    "struct pt { int x; short y; unsigned char z[4]; };\n"
    "struct bits { unsigned a:3; int b:5; long c:40; unsigned d:1; char e; };\n"
    "union un { int i; char c[4]; };\n"
    "struct nest { struct pt p; struct bits f; int a[3][4]; struct pt q[2]; char name[12];\n"
    "  uint64_t big; union un u; };\n"
    "int8_t i8; uint8_t u8; int16_t i16; uint16_t u16; int i32; unsigned u32;\n"
    "int64_t i64; uint64_t u64; string gs, gt; struct pt gp, *pp; struct nest gn, *pn;\n"
    "struct nest nests[3]; int ga[5]; int gm[3][4]; int *pi;\n"
    "int ai[int64_t]; int64_t as[string, int64_t]; short at[struct pt];\n"
    "struct pt ap[int64_t]; struct nest an[string]; string names[int64_t];\n"
    "self int si; self int64_t sl; self char sc; self string ss; self struct nest sn;\n"
    "self int sa[5]; self int64_t ax[int64_t]; self struct pt sp[int64_t];\n"
    "self string names[string];\n"
    "this int t0; this int64_t t1; this char t2; this unsigned t3; this int t4, t5, t6, t7;\n"
    "this short t8; this uint64_t t9; this string ts; this struct nest tn;\n"
    "this struct pt tp; this int ta[5]; this size_t n; this void *cp;\n";

static inline void dgen_clause(dgen_t *g, const char *probe, int nstatements, int depth, int budget)
{
	g->budget = budget;
	dgen_add(g, "%s\n", probe);
	if (dgen_below(g, 3) == 0) {
		dgen_add(g, "/");
		dgen_int(g, 2);
		dgen_add(g, "/\n");
	}
	dgen_add(g, "{\n");
	switch (dgen_below(g, 20)) {
	case 0: /* a speculation has no place for aggregations */
		dgen_add(g, "speculate(");
		dgen_int(g, 2);
		dgen_add(g, ");\n");
		for (int i = 0; i < nstatements; i++) {
			dgen_add(g, "printf(\"%%d %%s\", ");
			dgen_int(g, depth);
			dgen_add(g, ", ");
			dgen_string(g, depth);
			dgen_add(g, ");\n");
		}
		break;
	case 1:
		dgen_add(g, "commit(");
		dgen_int(g, 2);
		dgen_add(g, ");\n");
		break;
	case 2:
		if (dgen_below(g, 4) == 0)
			dgen_add(g, "exit(i32);\n");
		/* fallthrough */
	default:
		for (int i = 0; i < nstatements; i++)
			dgen_statement(g, depth);
	}
	dgen_add(g, "}\n");
}

static inline const char *dgen_probe(dgen_t *g)
{
	return DGEN_PICK(g, "BEGIN", "BEGIN", "BEGIN", "BEGIN", "END", "syscall::umask:entry",
			 "syscall::umask:return", "syscall::uma*:", "tick-1s", "profile-1",
			 "BEGIN, END", "ERROR", "proc:::exec-success", "sched:::on-cpu",
			 "rawtp:::sys_exit", "syscall::umask:entry, syscall::umask:return");
}

/* A program of some clauses; now and then one with a great deal of them, or very deep. */
static inline void dgen_program(dgen_t *g)
{
	int kind = (int)dgen_below(g, 40);
	int nclauses = 1 + (int)dgen_below(g, 4), depth = 1 + (int)dgen_below(g, 4);

	/* A first use gives each aggregation its signature, for the actions on it. */
	dgen_add(g, "%sEND /0/ { @s1[1ll] = sum(1); @c1[execname] = count();\n"
		    "@q1[execname] = quantize(1); @v1[sym(1)] = avg(1);\n"
		    "@l1[1ll] = lquantize(1, -10, 100, 7); }\n",
		 dgen_declarations);
	if (kind == 0) /* many small clauses */
		nclauses = 20 + (int)dgen_below(g, 60);
	for (int i = 0; i < nclauses; i++) {
		int nstatements = (int)dgen_below(g, 7), budget = 60;

		if (kind == 1) /* a long one */
			nstatements = 20 + (int)dgen_below(g, 50);
		if (kind == 2) { /* deep ones */
			depth = 8 + (int)dgen_below(g, 10);
			budget = 300;
		}
		if (kind == 1 && i > 0)
			break;
		dgen_clause(g, dgen_probe(g), nstatements, depth, budget * (kind == 1 ? 4 : 1));
	}
}

#endif
