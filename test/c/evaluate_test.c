/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate_test.c - the value of integer expressions, three ways that must agree: folded by
 * the compiler (the operands are constants), computed in the kernel (the operands are in
 * variables), and computed here. And assignments of all forms to variables, members,
 * bit-fields and elements, against a model of them.
 *
 * D's arithmetic: C's types and conversions; overflow wraps; a shift's count is taken
 * modulo 64 and the shift done in 64 bits; signed division truncates.
 *
 * The seeds are fixed, and one more is taken from the clock and printed; a number as
 * argument is that seed alone.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "dgen.h"
#include "dtrace.h"
#include "tap.h"

#define NPROGRAMS 20
#define NEXPRESSIONS 40 /* a program; each twice */
#define NSTATEMENTS 60

/* ---- Types and values ------------------------------------------------------------- */

typedef struct type {
	const char *name;
	int bits;
	bool is_signed;
} type_t;

static const type_t types[] = {
    {"char", 8, true},	 {"unsigned char", 8, false}, {"short", 16, true},
    {"uint16_t", 16, false}, {"int", 32, true},	      {"unsigned int", 32, false},
    {"long", 64, true},	 {"uint64_t", 64, false},
};
#define NTYPES 8
enum { INT = 4, UINT = 5, LONG = 6, ULONG = 7 };

/* bits hold the value extended to 64 bits, as the type says. */
typedef struct value {
	int type;
	uint64_t bits;
} value_t;

static uint64_t extend(uint64_t bits, int width, bool is_signed)
{
	int spare = 64 - width;

	if (is_signed)
		return (uint64_t)((int64_t)(bits << spare) >> spare);
	return bits << spare >> spare;
}

static value_t convert(uint64_t bits, int type)
{
	return (value_t){type, extend(bits, types[type].bits, types[type].is_signed)};
}

static int promoted(int type)
{
	return types[type].bits < 32 ? INT : type;
}

static int common_type(int a, int b)
{
	a = promoted(a);
	b = promoted(b);
	if (types[a].bits != types[b].bits)
		return types[a].bits > types[b].bits ? a : b;
	return types[b].is_signed ? a : b;
}

static uint64_t quotient(uint64_t a, uint64_t b, bool is_signed)
{
	if (!is_signed)
		return a / b;
	if ((int64_t)b == -1)
		return -a;
	return (uint64_t)((int64_t)a / (int64_t)b);
}

/* a op b for values of one type, in 64 bits. */
static uint64_t operate(const char *op, uint64_t a, uint64_t b, bool is_signed)
{
	bool less = is_signed ? (int64_t)a < (int64_t)b : a < b;

	switch (op[0]) {
	case '+':
		return a + b;
	case '-':
		return a - b;
	case '*':
		return a * b;
	case '/':
		return quotient(a, b, is_signed);
	case '%':
		return a - quotient(a, b, is_signed) * b;
	case '&':
		return a & b;
	case '|':
		return a | b;
	case '^':
		return a ^ b;
	case '=':
		return a == b;
	case '!':
		return a != b;
	case '<':
		return op[1] ? less || a == b : less;
	default:
		return op[1] ? !less : !less && a != b;
	}
}

static value_t binary(const char *op, value_t a, value_t b)
{
	bool is_shift = strcmp(op, "<<") == 0 || strcmp(op, ">>") == 0;
	int type = is_shift ? promoted(a.type) : common_type(a.type, b.type);
	uint64_t x = convert(a.bits, type).bits, y = convert(b.bits, type).bits;

	if (is_shift) {
		int count = (int)(b.bits & 63);

		if (op[0] == '<')
			return convert(x << count, type);
		return convert(types[type].is_signed ? (uint64_t)((int64_t)x >> count)
						     : x >> count,
			       type);
	}
	x = operate(op, x, y, types[type].is_signed);
	return strchr("<>=!", op[0]) ? (value_t){INT, x} : convert(x, type);
}

/* ---- Expressions ------------------------------------------------------------------------ */

/* The same expression twice: of constants, and of variables. */
typedef struct expression {
	dgen_t *g; /* chance, and the text of constants */
	dgen_t *v; /* the text of variables */
	dgen_t *d; /* their declarations and values */
	int nvariables;
} expression_t;

static void both(expression_t *e, const char *text)
{
	dgen_add(e->g, "%s", text);
	dgen_add(e->v, "%s", text);
}

static uint64_t some_bits(dgen_t *g)
{
	static const uint64_t edges[] = {0,	     1,		 2,	     0x7f,
					 0x80,	     0xff,	 0x7fff,     0x8000,
					 0xffff,     0x7fffffff, 0x80000000, 0xffffffff,
					 1ull << 32, 1ull << 63, ~0ull,	     ~0ull >> 1};

	if (dgen_below(g, 2))
		return edges[dgen_below(g, 16)];
	if (dgen_below(g, 2))
		return dgen_below(g, 100);
	return (uint64_t)dgen_below(g, UINT32_MAX) << 32 | dgen_below(g, UINT32_MAX);
}

static value_t leaf(expression_t *e)
{
	value_t v = convert(some_bits(e->g), (int)dgen_below(e->g, NTYPES));
	int n = e->nvariables++;

	dgen_add(e->g, "((%s)0x%" PRIx64 "ull)", types[v.type].name, v.bits);
	dgen_add(e->v, "v%d", n);
	dgen_add(e->d, "v%d = (%s)0x%" PRIx64 "ull;\n", n, types[v.type].name, v.bits);
	return v;
}

static value_t expression(expression_t *e, int depth);

static value_t binary_expression(expression_t *e, int depth)
{
	const char *op = DGEN_PICK(e->g, "+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%",
				   "<", ">", "<=", ">=", "==", "!=");
	bool divides = op[0] == '/' || op[0] == '%';
	char text[8];
	value_t a, b;

	both(e, "(");
	a = expression(e, depth - 1);
	snprintf(text, sizeof(text), " %s ", op);
	both(e, text);
	both(e, divides ? "(" : "");
	b = expression(e, depth - 1);
	if (divides) {
		both(e, " | 1)");
		b = binary("|", b, (value_t){INT, 1});
	}
	both(e, ")");
	return binary(op, a, b);
}

static value_t logical_expression(expression_t *e, int depth)
{
	const char *op = DGEN_PICK(e->g, " && ", " || ", " ^^ ");
	bool a, b;

	both(e, "(");
	a = expression(e, depth - 1).bits != 0;
	both(e, op);
	b = expression(e, depth - 1).bits != 0;
	both(e, ")");
	return (value_t){INT, op[1] == '&' ? a && b : op[1] == '|' ? a || b : a != b};
}

static value_t unary_expression(expression_t *e, int depth)
{
	const char *op = DGEN_PICK(e->g, "-", "~", "!", "+");
	value_t a;

	both(e, op);
	both(e, "(");
	a = expression(e, depth - 1);
	both(e, ")");
	switch (op[0]) {
	case '-':
		return convert(-a.bits, promoted(a.type));
	case '~':
		return convert(~a.bits, promoted(a.type));
	case '!':
		return (value_t){INT, a.bits == 0};
	default:
		return convert(a.bits, promoted(a.type));
	}
}

static value_t cast_expression(expression_t *e, int depth)
{
	int type = (int)dgen_below(e->g, NTYPES);
	value_t a;

	both(e, "(");
	both(e, types[type].name);
	both(e, ")(");
	a = expression(e, depth - 1);
	both(e, ")");
	return convert(a.bits, type);
}

static value_t conditional_expression(expression_t *e, int depth)
{
	value_t c, a, b;

	both(e, "(");
	c = expression(e, depth - 1);
	both(e, " ? ");
	a = expression(e, depth - 1);
	both(e, " : ");
	b = expression(e, depth - 1);
	both(e, ")");
	return convert(c.bits ? a.bits : b.bits, common_type(a.type, b.type));
}

static value_t expression(expression_t *e, int depth)
{
	if (depth == 0 || dgen_below(e->g, 8) == 0)
		return leaf(e);
	switch (dgen_below(e->g, 8)) {
	case 0:
		return unary_expression(e, depth);
	case 1:
		return logical_expression(e, depth);
	case 2:
		return cast_expression(e, depth);
	case 3:
		return conditional_expression(e, depth);
	default:
		return binary_expression(e, depth);
	}
}

/* ---- Running ---------------------------------------------------------------------------- */

typedef struct results {
	uint64_t values[2 * NEXPRESSIONS + 64];
	int count;
} results_t;

static int take(const dtrace_probedata_t *data, const dtrace_recdesc_t *record, void *argument)
{
	results_t *r = argument;

	if (record != NULL && record->dtrd_action == DTRACEACT_DIFEXPR &&
	    r->count < (int)(sizeof(r->values) / sizeof(r->values[0])))
		r->values[r->count++] = *(const uint64_t *)(const void *)data->dtpda_data;
	return DTRACE_CONSUME_NEXT;
}

/* Runs the program; false: why is printed. */
static bool run(const char *text, results_t *r)
{
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, NULL);
	FILE *fp = fopen("/dev/null", "w");
	dtrace_prog_t *prog;
	bool good;

	CHECK(dtp != NULL);
	CHECK(fp != NULL);
	r->count = 0;
	prog = dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	good = prog != NULL && dtrace_program_exec(dtp, prog, NULL) == 0 &&
	       dtrace_go(dtp) == 0 && dtrace_stop(dtp) == 0 &&
	       dtrace_consume(dtp, fp, NULL, take, r) == 0;
	if (!good)
		printf("# %s\n", dtrace_errmsg(dtp, dtrace_errno(dtp)));
	dtrace_close(dtp);
	fclose(fp);
	return good;
}

static void expressions_from(uint64_t seed)
{
	value_t want[NEXPRESSIONS];
	char *texts[NEXPRESSIONS];
	dgen_t g, v, d, all;
	results_t r;

	dgen_init(&d, seed);
	dgen_init(&all, seed);
	dgen_init(&g, seed);
	for (int i = 0, n = 0; i < NEXPRESSIONS; i++) {
		expression_t e = {&g, &v, &d, n};

		dgen_init(&v, seed);
		g.length = 0;
		want[i] = expression(&e, 1 + (int)dgen_below(&g, 6));
		n = e.nvariables;
		texts[i] = strdup(g.text);
		dgen_add(&all, "trace((int64_t)%s);\ntrace((int64_t)%s);\n", g.text, v.text);
		dgen_fini(&v);
	}
	dgen_fini(&g);
	dgen_init(&g, seed);
	dgen_add(&g, "BEGIN {\n%s}\nBEGIN {\n%s}\n", d.text, all.text);
	if (!run(g.text, &r)) {
		printf("# seed %" PRIu64 "\n", seed);
		CHECK(false);
	}
	CHECK(r.count == 2 * NEXPRESSIONS);
	for (int i = 0; i < NEXPRESSIONS; i++) {
		bool agree = r.values[2 * i] == want[i].bits &&
			     r.values[2 * i + 1] == want[i].bits;

		if (!agree)
			printf("# seed %" PRIu64 ": %s\n# is %" PRIx64 ", folded %" PRIx64
			       ", in the kernel %" PRIx64 "\n",
			       seed, texts[i], want[i].bits, r.values[2 * i],
			       r.values[2 * i + 1]);
		CHECK(agree);
		free(texts[i]);
	}
	dgen_fini(&g);
	dgen_fini(&d);
	dgen_fini(&all);
}

/* ---- Assignments --------------------------------------------------------------------------- */

/* What can be assigned, by name; bits: of a bit-field. */
typedef struct cell {
	const char *name;
	int type, bits;
	uint64_t value;
} cell_t;

static const char declarations[] =
    "struct s { char a; unsigned b:3; int c:5; uint16_t d; long e:40; uint64_t f:20;\n"
    "  unsigned g:1; short h[3]; struct { unsigned char x; int y; } in; };\n"
    "char g0; uint16_t g1; int g2; uint64_t g3; struct s gs, ga[3]; short gh[4];\n"
    "self unsigned char s0; self long s1; self struct s ss; this short t0;\n"
    "this unsigned int t1; this struct s ts; long as[int]; unsigned int ax[string, int];\n"
    "struct s am[int]; int *p; struct s *q; int i0, i1, i2;\n";

static const cell_t cells[] = {
    {"g0", 0, 0, 0},	     {"g1", 3, 0, 0},	     {"g2", INT, 0, 0},
    {"g3", ULONG, 0, 0},     {"gs.a", 0, 0, 0},	     {"gs.b", UINT, 3, 0},
    {"gs.c", INT, 5, 0},     {"gs.d", 3, 0, 0},	     {"gs.e", LONG, 40, 0},
    {"gs.f", ULONG, 20, 0},  {"gs.g", UINT, 1, 0},   {"gs.h[i1]", 2, 0, 0},
    {"gs.in.x", 1, 0, 0},    {"gs.in.y", INT, 0, 0}, {"ga[i2].c", INT, 5, 0},
    {"ga[i1].h[2]", 2, 0, 0}, {"ga[0].in.y", INT, 0, 0}, {"gh[i2 + 1]", 2, 0, 0},
    {"gh[0]", 2, 0, 0},	     {"self->s0", 1, 0, 0},  {"self->s1", LONG, 0, 0},
    {"self->ss.b", UINT, 3, 0}, {"self->ss.h[i0]", 2, 0, 0}, {"self->ss.e", LONG, 40, 0},
    {"this->t0", 2, 0, 0},   {"this->t1", UINT, 0, 0}, {"this->ts.c", INT, 5, 0},
    {"this->ts.d", 3, 0, 0}, {"this->ts.in.y", INT, 0, 0}, {"as[i2]", LONG, 0, 0},
    {"ax[\"k\", i1]", UINT, 0, 0}, {"am[7].a", 0, 0, 0}, {"am[7].f", ULONG, 20, 0},
    {"am[i0].h[i2]", 2, 0, 0}, {"*p", INT, 0, 0}, {"q->d", 3, 0, 0},
    {"(q + 1)->g", UINT, 1, 0},
};
#define NCELLS ((int)(sizeof(cells) / sizeof(cells[0])))

static value_t read_cell(const cell_t *c)
{
	return (value_t){c->type, c->value};
}

static void write_cell(cell_t *c, uint64_t bits)
{
	int width = c->bits ? c->bits : types[c->type].bits;

	c->value = extend(bits, width, types[c->type].is_signed);
}

/* The type that a bit-field takes part in expressions with. */
static value_t operand(const cell_t *c)
{
	value_t v = read_cell(c);

	if (c->bits && c->bits < 32)
		v.type = INT;
	else if (c->bits)
		v.type = types[c->type].is_signed ? LONG : ULONG;
	return v;
}

/* One statement: what it assigns, and then what the expression's own value is. */
static uint64_t statement(dgen_t *g, dgen_t *text, cell_t *model)
{
	cell_t *c = &model[dgen_below(g, NCELLS)];
	cell_t *other = &model[dgen_below(g, NCELLS)];
	value_t right = operand(other), result;
	const char *op;
	uint64_t old;

	switch (dgen_below(g, 4)) {
	case 0:
		dgen_add(text, "trace((int64_t)(%s = %s));\n", c->name, other->name);
		write_cell(c, right.bits);
		return c->value;
	case 1:
		op = DGEN_PICK(g, "++", "--");
		if (dgen_below(g, 2)) {
			dgen_add(text, "trace((int64_t)(%s(%s)));\n", op, c->name);
			write_cell(c, c->value + (op[0] == '+' ? 1 : -1ull));
			return c->value;
		}
		dgen_add(text, "trace((int64_t)((%s)%s));\n", c->name, op);
		old = c->value;
		write_cell(c, c->value + (op[0] == '+' ? 1 : -1ull));
		return old;
	default:
		op = DGEN_PICK(g, "+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%");
		if (dgen_below(g, 2))
			right = convert(some_bits(g), (int)dgen_below(g, NTYPES));
		if ((op[0] == '/' || op[0] == '%') && right.bits == 0)
			right = (value_t){INT, 3};
		dgen_add(text, "trace((int64_t)(%s %s= (%s)0x%" PRIx64 "ull));\n", c->name, op,
			 types[right.type].name, right.bits);
		result = binary(op, operand(c), right);
		write_cell(c, result.bits);
		return c->value;
	}
}

static void assignments_from(uint64_t seed)
{
	uint64_t want[NSTATEMENTS];
	cell_t model[NCELLS];
	dgen_t g, text;
	results_t r;

	memcpy(model, cells, sizeof(model));
	dgen_init(&g, seed);
	dgen_init(&text, seed);
	dgen_add(&text, "%sBEGIN {\ni0 = 0; i1 = 1; i2 = 2; p = (int *)alloca(8); *p = 0;\n"
			"q = (struct s *)alloca(2 * sizeof (struct s));\n"
			"q->d = 0; (q + 1)->g = 0;\n",
		 declarations);
	for (int i = 0; i < NSTATEMENTS; i++)
		want[i] = statement(&g, &text, model);
	dgen_add(&text, "}\n");
	if (!run(text.text, &r)) {
		printf("# seed %" PRIu64 "\n", seed);
		CHECK(false);
	}
	if (r.count != NSTATEMENTS)
		printf("# seed %" PRIu64 ": %d values\n%s", seed, r.count, text.text);
	CHECK(r.count == NSTATEMENTS);
	for (int i = 0; i < NSTATEMENTS; i++) {
		if (r.values[i] != want[i])
			printf("# seed %" PRIu64 ": statement %d is %" PRIx64 ", not %" PRIx64
			       "\n",
			       seed, i + 1, r.values[i], want[i]);
		CHECK(r.values[i] == want[i]);
	}
	dgen_fini(&g);
	dgen_fini(&text);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static uint64_t given; /* 0: none */

static void from_seeds(void (*test)(uint64_t))
{
	uint64_t seed = (uint64_t)time(NULL) * 1000;

	if (given) {
		test(given);
		return;
	}
	printf("# seed %" PRIu64 "\n", seed);
	for (uint64_t i = 1; i <= NPROGRAMS; i++) {
		test(i);
		test(seed + i);
	}
}

static void expressions(void)
{
	from_seeds(expressions_from);
}

static void assignments(void)
{
	from_seeds(assignments_from);
}

int main(int argc, char *argv[])
{
	if (argc > 1)
		given = strtoull(argv[1], NULL, 0);
	return RUN({"expressions have one value", expressions},
		   {"assignments leave what they should", assignments});
}
