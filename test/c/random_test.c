/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_test.c - programs made at random. Two promises are held to them: integer
 * expressions have the value that C gives them, and whatever the compiler accepts, the
 * kernel's verifier accepts too. The seed is fixed; with a number as argument, that one.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "dtrace.h"
#include "tap.h"

#define NEXPRESSION_PROGRAMS 150
#define NEXPRESSIONS 6 /* a program */
#define NLOAD_PROGRAMS 250
#define NVARIABLES 4
#define TEXT_MAX 8192

static uint64_t state = 20240229;

/* xorshift64: the same numbers everywhere. */
static uint32_t random_below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % limit);
}

typedef struct text {
	char bytes[TEXT_MAX];
	size_t length;
} text_t;

static void add(text_t *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(text_t *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text->length += (size_t)vsnprintf(text->bytes + text->length,
					  TEXT_MAX - text->length, format, arguments);
	va_end(arguments);
	CHECK(text->length < TEXT_MAX);
}

/* ---- Integer expressions and what C says they are ------------------------------ */

/* A value of one of C's four arithmetic types; bits are extended by the type's sign. */
typedef struct value {
	bool is_wide, is_unsigned;
	int64_t bits;
} value_t;

/* Set when C does not define an expression: overflow, a shift by too much. */
static bool is_undefined;

static const struct {
	const char *name;
	value_t value;
} variables[NVARIABLES] = {
    {"vi", {false, false, -1234567}},
    {"vu", {false, true, 4000000000}},
    {"vl", {true, false, -98765432109876}},
    {"vq", {true, true, (int64_t)0xf123456789abcdef}},
};

/* The value as its type holds it. Signed: what does not fit is undefined. */
static value_t fit(value_t value, __int128 exact)
{
	if (value.is_unsigned) {
		value.bits =
		    value.is_wide ? (int64_t)(uint64_t)exact : (int64_t)(uint32_t)exact;
		return value;
	}
	value.bits = (int64_t)exact;
	if (exact != (value.is_wide ? (__int128)(int64_t)exact : (__int128)(int32_t)exact))
		is_undefined = true;
	return value;
}

/* The value without its type: a mathematical integer. */
static __int128 exact(value_t value)
{
	if (value.is_wide && value.is_unsigned)
		return (__int128)(uint64_t)value.bits;
	return value.bits;
}

static value_t truth(bool is_true)
{
	return (value_t){false, false, is_true};
}

/* C's usual arithmetic conversions. */
static void convert(value_t *a, value_t *b)
{
	value_t type = {
	    .is_wide = a->is_wide || b->is_wide,
	    .is_unsigned = (a->is_unsigned && (a->is_wide || !b->is_wide)) ||
			   (b->is_unsigned && (b->is_wide || !a->is_wide)),
	};
	bool was_undefined = is_undefined;

	*a = fit(type, exact(*a));
	*b = fit(type, exact(*b));
	is_undefined = was_undefined;
}

static value_t arithmetic(const char *operator, value_t a, value_t b)
{
	__int128 x, y;

	convert(&a, &b);
	x = exact(a);
	y = exact(b);
	switch (*operator) {
	case '+':
		return fit(a, x + y);
	case '-':
		return fit(a, x - y);
	case '*':
		/* Unsigned: two 64-bit values can have a product of 128 bits. */
		return fit(a, (__int128)((unsigned __int128)x * (unsigned __int128)y));
	case '/':
		return fit(a, x / y);
	case '%':
		return fit(a, x % y);
	case '&':
		return fit(a, (int64_t)(a.bits & b.bits));
	case '|':
		return fit(a, (int64_t)(a.bits | b.bits));
	default:
		return fit(a, (int64_t)(a.bits ^ b.bits));
	}
}

static value_t comparison(const char *operator, value_t a, value_t b)
{
	__int128 x, y;

	convert(&a, &b);
	x = exact(a);
	y = exact(b);
	if (strcmp(operator, "==") == 0)
		return truth(x == y);
	if (strcmp(operator, "!=") == 0)
		return truth(x != y);
	if (strcmp(operator, "<=") == 0)
		return truth(x <= y);
	if (strcmp(operator, ">=") == 0)
		return truth(x >= y);
	return truth(*operator== '<' ? x < y : x> y);
}

static value_t shift(const char *operator, value_t a, int count)
{
	if (*operator== '>')
		return fit(a, exact(a) >> count);
	if (exact(a) < 0)
		is_undefined = true;
	return fit(a, (__int128)((unsigned __int128)exact(a) << count));
}

static value_t expression(text_t *, int depth);

static value_t leaf(text_t *text)
{
	uint32_t number = random_below(NVARIABLES + 3);

	if (number < NVARIABLES) {
		add(text, "%s", variables[number].name);
		return variables[number].value;
	}
	number = random_below(3) ? random_below(20) : random_below(INT32_MAX);
	switch (random_below(4)) {
	case 0:
		add(text, "%uu", number);
		return (value_t){false, true, number};
	case 1:
		add(text, "0x%xll", number);
		return (value_t){true, false, number};
	default:
		add(text, "%u", number);
		return (value_t){false, false, number};
	}
}

static value_t binary(text_t *text, int depth)
{
	static const char *const operators[] = {"+", "-", "*",	"&",  "|",  "^",
						"<", ">", "<=", ">=", "==", "!="};
	const char *operator= operators[random_below(12)];
	value_t a, b;

	add(text, "(");
	a = expression(text, depth - 1);
	add(text, " %s ", operator);
	b = expression(text, depth - 1);
	add(text, ")");
	return strchr("<>=!", *operator) ? comparison(operator, a, b)
					 : arithmetic(operator, a, b);
}

/* Division and shifts by a constant that C permits. */
static value_t by_constant(text_t *text, int depth)
{
	static const char *const operators[] = {"/", "%", "<<", ">>"};
	const char *operator= operators[random_below(4)];
	uint32_t number = 1 + random_below(20);
	value_t a;

	add(text, "(");
	a = expression(text, depth - 1);
	add(text, " %s %u)", operator, number);
	if (operator[1] != '\0')
		return shift(operator, a, (int)number);
	return arithmetic(operator, a, (value_t){false, false, number});
}

static value_t logic(text_t *text, int depth)
{
	static const char *const operators[] = {"&&", "||", "^^"};
	const char *operator= operators[random_below(3)];
	bool a, b;

	add(text, "(");
	a = expression(text, depth - 1).bits != 0;
	add(text, " %s ", operator);
	b = expression(text, depth - 1).bits != 0;
	add(text, ")");
	return truth(*operator== '&' ? a && b : * operator== '|' ? a || b : a != b);
}

static value_t unary(text_t *text, int depth)
{
	char operator= "-~!+"[random_below(4)];
	value_t a;

	add(text, "%c(", operator);
	a = expression(text, depth - 1);
	add(text, ")");
	switch (operator) {
	case '-':
		return fit(a, -exact(a));
	case '~':
		return fit(a, a.is_unsigned ? (__int128)(uint64_t)~a.bits : ~exact(a));
	case '!':
		return truth(a.bits == 0);
	default:
		return a;
	}
}

static value_t conditional(text_t *text, int depth)
{
	value_t condition, a, b;

	add(text, "(");
	condition = expression(text, depth - 1);
	add(text, " ? ");
	a = expression(text, depth - 1);
	add(text, " : ");
	b = expression(text, depth - 1);
	add(text, ")");
	convert(&a, &b);
	return condition.bits != 0 ? a : b;
}

static value_t cast(text_t *text, int depth)
{
	static const struct {
		const char *name;
		value_t type;
	} types[] = {
	    {"char", {false, false, 8}},     {"unsigned char", {false, false, -8}},
	    {"short", {false, false, 16}},   {"uint16_t", {false, false, -16}},
	    {"int", {false, false, 0}},	     {"unsigned int", {false, true, 0}},
	    {"long long", {true, false, 0}}, {"uint64_t", {true, true, 0}},
	};
	uint32_t number = random_below(8);
	value_t type = types[number].type, a;
	bool was_undefined;

	add(text, "(%s)(", types[number].name);
	a = expression(text, depth - 1);
	add(text, ")");
	was_undefined = is_undefined;
	switch (types[number].type.bits) {
	case 8:
		return fit(type, (int8_t)a.bits);
	case -8:
		return fit(type, (uint8_t)a.bits);
	case 16:
		return fit(type, (int16_t)a.bits);
	case -16:
		return fit(type, (uint16_t)a.bits);
	default:
		a = fit(type, type.is_unsigned || type.is_wide ? (__int128)a.bits
							       : (int32_t)a.bits);
		is_undefined = was_undefined;
		return a;
	}
}

static value_t expression(text_t *text, int depth)
{
	if (depth == 0)
		return leaf(text);
	switch (random_below(10)) {
	case 0:
		return leaf(text);
	case 1:
		return unary(text, depth);
	case 2:
		return logic(text, depth);
	case 3:
		return conditional(text, depth);
	case 4:
		return cast(text, depth);
	case 5:
	case 6:
		return by_constant(text, depth);
	default:
		return binary(text, depth);
	}
}

typedef struct values {
	int64_t at[NEXPRESSIONS];
	int count;
} values_t;

static int take_value(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		      void *argument)
{
	values_t *values = argument;

	if (record != NULL && record->dtrd_action == DTRACEACT_DIFEXPR &&
	    values->count < NEXPRESSIONS)
		values->at[values->count++] =
		    *(const int64_t *)(const void *)data->dtpda_data;
	return DTRACE_CONSUME_NEXT;
}

static void say_program(const char *text)
{
	printf("# seed %" PRIu64 ", program: %s\n", state, text);
}

/* Runs a BEGIN clause; its traced values. */
static values_t trace_values(const char *text, FILE *fp)
{
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, NULL);
	values_t values = {.count = 0};
	dtrace_prog_t *prog;
	bool good;

	CHECK(dtp != NULL);
	prog = dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	good = prog != NULL && dtrace_program_exec(dtp, prog, NULL) == 0 &&
	       dtrace_go(dtp) == 0 &&
	       dtrace_consume(dtp, fp, NULL, take_value, &values) == 0;
	if (!good)
		say_program(text);
	CHECK_DT(dtp, good);
	dtrace_close(dtp);
	return values;
}

static void expressions_are_those_of_c(void)
{
	FILE *fp = fopen("/dev/null", "w");

	for (int i = 0; i < NEXPRESSION_PROGRAMS; i++) {
		text_t text = {.length = 0}, one;
		int64_t expected[NEXPRESSIONS];
		values_t values;
		int count = 0;

		add(&text, "int vi; unsigned int vu; long long vl; uint64_t vq;\n"
			   "BEGIN {\nvi = -1234567; vu = 4000000000; vl = -98765432109876; "
			   "vq = 0xf123456789abcdef;\n");
		while (count < NEXPRESSIONS) {
			one.length = 0;
			is_undefined = false;
			expected[count] = expression(&one, 4).bits;
			if (is_undefined || text.length + one.length > TEXT_MAX / 2)
				continue;
			add(&text, "trace((int64_t)%s);\n", one.bytes);
			count++;
		}
		add(&text, "}\n");

		values = trace_values(text.bytes, fp);
		for (int j = 0; j < count; j++) {
			if (values.count == count && values.at[j] == expected[j])
				continue;
			say_program(text.bytes);
			printf("# expression %d is %" PRId64 ", C says %" PRId64 "\n",
			       j + 1, values.at[j], expected[j]);
			CHECK(values.at[j] == expected[j]);
		}
	}
	fclose(fp);
}

/* ---- Programs of all kinds ------------------------------------------------------ */

static const char *pick(const char *const *words, uint32_t count)
{
	return words[random_below(count)];
}

#define PICK(...)                                                                          \
	pick((const char *const[]){__VA_ARGS__},                                           \
	     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void add_integer(text_t *text, int depth);

static void add_string(text_t *text, int depth)
{
	switch (depth > 0 ? random_below(7) : 6) {
	case 0:
		add(text, "strjoin(");
		add_string(text, depth - 1);
		add(text, ", ");
		add_string(text, depth - 1);
		add(text, ")");
		break;
	case 1:
		add(text, "substr(");
		add_string(text, depth - 1);
		add(text, ", ");
		add_integer(text, depth - 1);
		add(text, ", ");
		add_integer(text, depth - 1);
		add(text, ")");
		break;
	case 2:
		add(text, "%s(", PICK("basename", "dirname"));
		add_string(text, depth - 1);
		add(text, ")");
		break;
	case 3:
		add(text, "(");
		add_integer(text, depth - 1);
		add(text, " ? ");
		add_string(text, depth - 1);
		add(text, " : ");
		add_string(text, depth - 1);
		add(text, ")");
		break;
	case 4:
		add(text, "names[");
		add_integer(text, depth - 1);
		add(text, "]");
		break;
	default:
		add(text, "%s",
		    PICK("\"text\"", "\"\"", "\"/a/b/c\"", "execname", "probefunc",
			 "probename", "s", "self->s", "this->s"));
		break;
	}
}

static void add_integer(text_t *text, int depth)
{
	switch (depth > 0 ? random_below(8) : 7) {
	case 0:
	case 1:
		add(text, "(");
		add_integer(text, depth - 1);
		add(text, " %s ",
		    PICK("+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "<",
			 "==", "&&", "||", "^^"));
		add_integer(text, depth - 1);
		add(text, ")");
		break;
	case 2:
		add(text, "strlen(");
		add_string(text, depth - 1);
		add(text, ")");
		break;
	case 3:
		add(text, "(");
		add_string(text, depth - 1);
		add(text, " %s ", PICK("==", "<", "!="));
		add_string(text, depth - 1);
		add(text, ")");
		break;
	case 4:
		add(text, "index(");
		add_string(text, depth - 1);
		add(text, ", ");
		add_string(text, depth - 1);
		add(text, ")");
		break;
	case 5:
		add(text, "counts[");
		add_string(text, depth - 1);
		add(text, ", ");
		add_integer(text, depth - 1);
		add(text, "]");
		break;
	default:
		add(text, "%s",
		    PICK("1", "7", "-3", "100000", "pid", "tid", "timestamp", "arg0",
			 "arg1", "n", "self->n", "this->n", "n++", "cpu", "uid"));
		break;
	}
}

static void add_statement(text_t *text)
{
	switch (random_below(9)) {
	case 0:
		add(text, "%s = ", PICK("n", "self->n", "this->n"));
		add_integer(text, 2);
		break;
	case 1:
		add(text, "%s = ", PICK("s", "self->s", "this->s"));
		add_string(text, 2);
		break;
	case 2:
		add(text, "counts[");
		add_string(text, 1);
		add(text, ", ");
		add_integer(text, 1);
		add(text, "] %s ", PICK("=", "+=", "|="));
		add_integer(text, 1);
		break;
	case 3:
		add(text, "names[");
		add_integer(text, 1);
		add(text, "] = ");
		add_string(text, 1);
		break;
	case 4:
		add(text, "@c[");
		add_string(text, 1);
		add(text, ", ");
		add_integer(text, 1);
		add(text, "] = count()");
		break;
	case 5:
		add(text, "%s",
		    PICK("@q = quantize(", "@m[execname] = max(", "@a = avg(",
			 "@d[pid] = stddev("));
		add_integer(text, 2);
		add(text, ")");
		break;
	case 6:
		add(text, "@l[");
		add_integer(text, 1);
		add(text, "] = lquantize(");
		add_integer(text, 1);
		add(text, ", 0, 100, 10)");
		break;
	case 7:
		add(text, "printf(\"%%d %%s\\n\", ");
		add_integer(text, 2);
		add(text, ", ");
		add_string(text, 2);
		add(text, ")");
		break;
	default:
		add(text, "trace(");
		if (random_below(2))
			add_integer(text, 2);
		else
			add_string(text, 2);
		add(text, ")");
		break;
	}
	add(text, ";\n");
}

static void add_program(text_t *text)
{
	uint32_t nclauses = 1 + random_below(3);

	add(text, "int64_t n; string s; string names[int64_t];\n"
		  "int64_t counts[string, int64_t]; self int64_t n; self string s;\n"
		  "this int64_t n; this string s;\n");
	for (uint32_t i = 0; i < nclauses; i++) {
		add(text, "%s\n",
		    PICK("BEGIN", "syscall::umask:entry", "syscall::umask:return",
			 "tick-1s", "profile-1", "END", "syscall::uma*:"));
		if (random_below(3) == 0) {
			add(text, "/");
			add_integer(text, 2);
			add(text, "/\n");
		}
		add(text, "{\n");
		for (uint32_t j = random_below(6); j > 0; j--)
			add_statement(text);
		add(text, "}\n");
	}
}

static int ignore_fault(const dtrace_errdata_t *data, void *argument)
{
	(void)data;
	(void)argument;
	return DTRACE_HANDLE_OK;
}

static int ignore_drop(const dtrace_dropdata_t *data, void *argument)
{
	(void)data;
	(void)argument;
	return DTRACE_HANDLE_OK;
}

static int ignore_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
			 void *argument)
{
	(void)data;
	(void)record;
	(void)argument;
	return DTRACE_CONSUME_NEXT;
}

/* Whether the compiler took it. What it takes must load and run. */
static bool load(const char *text, FILE *fp)
{
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, NULL);
	dtrace_prog_t *prog;
	bool good;

	CHECK(dtp != NULL);
	CHECK(dtrace_handle_err(dtp, ignore_fault, NULL) == 0);
	CHECK(dtrace_handle_drop(dtp, ignore_drop, NULL) == 0);
	prog = dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	if (prog == NULL) {
		dtrace_close(dtp);
		return false;
	}
	good = dtrace_program_exec(dtp, prog, NULL) == 0 && dtrace_go(dtp) == 0 &&
	       dtrace_stop(dtp) == 0 &&
	       dtrace_consume(dtp, fp, NULL, ignore_record, NULL) == 0 &&
	       dtrace_aggregate_print(dtp, fp, NULL) == 0;
	if (!good && strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "too large") != NULL)
		good = true;
	if (!good)
		say_program(text);
	CHECK_DT(dtp, good);
	dtrace_close(dtp);
	return true;
}

static void what_compiles_loads(void)
{
	FILE *fp = fopen("/dev/null", "w");
	int loaded = 0;

	for (int i = 0; i < NLOAD_PROGRAMS; i++) {
		text_t text = {.length = 0};

		add_program(&text);
		loaded += load(text.bytes, fp);
	}
	fclose(fp);
	/* The others divide by a constant zero and the like. */
	CHECK(loaded > NLOAD_PROGRAMS / 2);
}

int main(int argc, char *argv[])
{
	if (argc > 1)
		state = strtoull(argv[1], NULL, 0) | 1;
	return RUN({"integer expressions have C's value", expressions_are_those_of_c},
		   {"what the compiler accepts, the kernel accepts", what_compiles_loads});
}
