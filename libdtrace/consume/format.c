/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.c - formats of printf() and printa(): compiled once, checked against the types
 * of a clause's arguments.
 *
 *	% [flags] [width] [. precision] [size prefix] conversion
 *
 * flags are those of printf(3) and, in printa(), '@' for the aggregation's value. Sizes
 * are known from the arguments, so prefixes are not needed; one that is given must be
 * right. See "Output Formatting" in the Dynamic Tracing Guide.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "consume/format.h"
#include "proc.h"

#define FLAGS "#0-+ '@"
#define SIZE_MAX_TEXT (1 << 20) /* of a width or precision */

/* One conversion letter: its class, the prefixes it may have, and what it wants. */
typedef struct convkind {
	char letter;
	dt_convclass_t class;
	const char *prefixes; /* "hl": hh and ll go without saying */
	const char *prototype;
} convkind_t;

#define P_INTEGER "char, short, int, long, or long long"
#define P_CHAR "char, short, or int"
#define P_STRING "char [] or string (or use stringof)"
#define P_FLOAT "float, double, or long double"
#define P_ADDRESS "pointer or integer"

static const convkind_t kinds[] = {
    {'a', DT_CONV_KERNEL_ADDRESS, "", P_ADDRESS},
    {'A', DT_CONV_USER_ADDRESS, "", "uaddr, ufunc, umod, or usym"},
    {'c', DT_CONV_CHAR, "lw", P_CHAR},
    {'C', DT_CONV_ESCAPED_CHAR, "", P_CHAR},
    {'d', DT_CONV_INTEGER, "hl", P_INTEGER},
    {'e', DT_CONV_FLOAT, "lL", P_FLOAT},
    {'E', DT_CONV_FLOAT, "lL", P_FLOAT},
    {'f', DT_CONV_FLOAT, "lL", P_FLOAT},
    {'g', DT_CONV_FLOAT, "lL", P_FLOAT},
    {'G', DT_CONV_FLOAT, "lL", P_FLOAT},
    {'i', DT_CONV_INTEGER, "hl", P_INTEGER},
    {'k', DT_CONV_STACK, "", "stack"},
    {'o', DT_CONV_UNSIGNED, "hl", P_INTEGER},
    {'p', DT_CONV_POINTER, "", P_ADDRESS},
    {'P', DT_CONV_PORT, "", "uint16_t"},
    {'s', DT_CONV_STRING, "lw", P_STRING},
    {'S', DT_CONV_ESCAPED_STRING, "", P_STRING},
    {'T', DT_CONV_MAILTIME, "", "int64_t"},
    {'u', DT_CONV_UNSIGNED, "hl", P_INTEGER},
    {'x', DT_CONV_UNSIGNED, "hl", P_INTEGER},
    {'X', DT_CONV_UNSIGNED, "hl", P_INTEGER},
    {'Y', DT_CONV_TIME, "", "int64_t"},
};

static const convkind_t *find_kind(char letter)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].letter == letter)
			return &kinds[i];
	}
	return NULL;
}

static bool is_integer_class(dt_convclass_t class)
{
	return class == DT_CONV_INTEGER || class == DT_CONV_UNSIGNED ||
	       class == DT_CONV_POINTER;
}

/* ---- Compiling ---------------------------------------------------------------- */

typedef struct parse {
	dtrace_hdl_t *hdl;
	dt_format_t *format;
	const char *at; /* in the source */
	char *text;	/* where the next literal goes */
} parse_t;

/* Records why the format is refused, with its tag. Returns false. */
static bool refuse(parse_t *p, const char *tag, const char *words, const char *what,
		   int length)
{
	const char *function = p->format->is_printa ? "printa" : "printf";

	dt_set_error(p->hdl, EDT_FMT, "%s( ) format: %s %.*s", function, words, length,
		     what);
	snprintf(p->hdl->errtag, sizeof(p->hdl->errtag), "%s", tag);
	return false;
}

/* Copies literal text up to a conversion or the end. */
static void parse_literal(parse_t *p, const char **literal, size_t *length)
{
	char *begin = p->text;

	while (*p->at != '\0' && (*p->at != '%' || p->at[1] == '%')) {
		p->at += *p->at == '%';
		*p->text++ = *p->at++;
	}
	*literal = begin;
	*length = (size_t)(p->text - begin);
}

/* A number or '*'. */
static bool parse_size(parse_t *p, int *size, bool *is_dynamic)
{
	const char *begin = p->at;

	if (*p->at == '*') {
		*is_dynamic = true;
		p->at++;
		return true;
	}
	for (*size = 0; isdigit((unsigned char)*p->at); p->at++) {
		*size = *size * 10 + (*p->at - '0');
		if (*size > SIZE_MAX_TEXT)
			return refuse(p, "D_SYNTAX",
				      "width or precision is too large:", begin,
				      (int)(p->at - begin) + 1);
	}
	return true;
}

/* h, hh, l, ll, L or w, before the letter; leaves at the letter. */
static bool parse_prefix(parse_t *p, dt_conv_t *conv, const char *begin)
{
	const char *prefix = p->at;
	size_t length = strspn(prefix, "hlLw");
	bool is_double = length == 2 && prefix[0] == prefix[1] && strchr("hl", prefix[0]);
	const convkind_t *kind = find_kind(prefix[length]);

	if (kind == NULL)
		return refuse(p, "D_SYNTAX", "undefined conversion", begin,
			      (int)(prefix - begin) + (int)length +
				  (prefix[length] != '\0'));
	p->at += length + 1;
	if (length > 1 + (size_t)is_double ||
	    (length != 0 && strchr(kind->prefixes, prefix[0]) == NULL) ||
	    (is_double && strchr(kind->prefixes, 'h') == NULL))
		return refuse(p, "D_SYNTAX", "invalid size prefix in conversion", begin,
			      (int)(p->at - begin));
	memcpy(conv->name, prefix, length + 1);
	conv->letter = kind->letter;
	conv->class = kind->class;
	if (length == 0)
		return true;
	if (conv->class == DT_CONV_CHAR)
		conv->class = DT_CONV_WIDE_CHAR;
	else if (conv->class == DT_CONV_STRING)
		conv->class = DT_CONV_WIDE_STRING;
	else if (conv->class == DT_CONV_FLOAT)
		conv->size = prefix[0] == 'L' ? sizeof(long double) : sizeof(double);
	else if (prefix[0] == 'h')
		conv->size = is_double ? sizeof(char) : sizeof(short);
	else
		conv->size = is_double ? sizeof(long long) : sizeof(long);
	return true;
}

/* The conversion as printf(3) is to see it: always with width and precision given. */
static void make_spec(dt_conv_t *conv, const char *flags, size_t nflags)
{
	bool is_float = conv->class == DT_CONV_FLOAT;
	char letter = conv->class == DT_CONV_POINTER ? 'x' : conv->letter;
	size_t n = 0, i;

	conv->spec[n++] = '%';
	for (i = 0; i < nflags; i++) {
		if (flags[i] != '@' && memchr(conv->spec, flags[i], n) == NULL)
			conv->spec[n++] = flags[i];
	}
	snprintf(conv->spec + n, sizeof(conv->spec) - n, "*.*%s%c", is_float ? "L" : "ll",
		 letter);
	conv->is_plain = n == 1 && conv->width == 0 && conv->precision < 0 &&
			 !conv->is_dynamic_width && !conv->is_dynamic_precision;
}

/* From '%' to behind the letter. */
static bool parse_conversion(parse_t *p, dt_conv_t *conv)
{
	const char *begin = p->at++, *flags = p->at;
	size_t nflags = strspn(flags, FLAGS);

	p->at += nflags;
	conv->is_agg = memchr(flags, '@', nflags) != NULL;
	conv->is_left = memchr(flags, '-', nflags) != NULL;
	conv->is_signed = true;
	conv->precision = -1;
	if (!parse_size(p, &conv->width, &conv->is_dynamic_width))
		return false;
	if (*p->at == '.') {
		p->at++;
		if (!parse_size(p, &conv->precision, &conv->is_dynamic_precision))
			return false;
	}
	if (!parse_prefix(p, conv, begin))
		return false;
	if (conv->is_agg && !p->format->is_printa)
		return refuse(p, "D_PRINTF_AGG_CONV",
			      "only printa( ) prints aggregations:", begin,
			      (int)(p->at - begin));
	if (conv->is_agg && !is_integer_class(conv->class))
		return refuse(p, "D_PRINTF_AGG_CONV",
			      "invalid conversion of an aggregation:", begin,
			      (int)(p->at - begin));
	make_spec(conv, flags, nflags);
	return true;
}

static bool parse(parse_t *p)
{
	dt_format_t *format = p->format;

	for (;;) {
		dt_conv_t *conv = &format->convs[format->nconvs];
		const char *literal;
		size_t length;

		parse_literal(p, &literal, &length);
		if (*p->at == '\0') {
			format->tail = literal;
			format->tail_length = length;
			return true;
		}
		conv->literal = literal;
		conv->literal_length = length;
		if (!parse_conversion(p, conv))
			return false;
		format->nconvs++;
	}
}

static void *create(dtrace_hdl_t *hdl, const char *source, bool is_printa)
{
	size_t length = strlen(source), n = 0;
	const char *percent = source;
	dt_format_t *format;
	parse_t p;

	while ((percent = strchr(percent, '%')) != NULL) {
		percent++;
		n++;
	}
	format =
	    calloc(1, sizeof(*format) + n * sizeof(format->convs[0]) + 2 * (length + 1));
	if (format == NULL) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	format->is_printa = is_printa;
	format->source = (char *)&format->convs[n];
	format->text = format->source + length + 1;
	memcpy(format->source, source, length);
	p = (parse_t){
	    .hdl = hdl, .format = format, .at = format->source, .text = format->text};
	if (parse(&p))
		return format;
	free(format);
	return NULL;
}

void *dtrace_printf_create(dtrace_hdl_t *hdl, const char *source)
{
	return create(hdl, source, false);
}

void *dtrace_printa_create(dtrace_hdl_t *hdl, const char *source)
{
	return create(hdl, source, true);
}

void dt_format_destroy(void *format)
{
	free(format);
}

size_t dtrace_printf_format(dtrace_hdl_t *hdl, void *arg, char *buf, size_t size)
{
	const dt_format_t *format = arg;

	(void)hdl;
	return (size_t)snprintf(buf, size, "%s", format->source);
}

/* ---- Checking ------------------------------------------------------------------- */

typedef struct check {
	dtrace_hdl_t *hdl;
	const char *function;
	dt_type_t *const *arguments;
	int n, used;
	const char **tag;
	char *buf;
	size_t size;
} check_t;

static bool is_integer(const dt_type_t *type)
{
	return type->kind == DT_K_INT || type->kind == DT_K_ENUM;
}

static bool is_text(check_t *c, const dt_type_t *type)
{
	if (type->kind == DT_K_ARRAY)
		return dt_type_resolve(c->hdl, type->ref)->is_char;
	return type->kind == DT_K_STRING;
}

/* Bytes of an element of an array of wide characters, which the kernel has of two and C of
 * four; 0: it is none. */
static uint8_t wide_size(check_t *c, const dt_type_t *type)
{
	const dt_type_t *element;

	if (type->kind != DT_K_ARRAY)
		return 0;
	element = dt_type_resolve(c->hdl, type->ref);
	return is_integer(element) && (element->size == 2 || element->size == 4)
		   ? (uint8_t)element->size
		   : 0;
}

static bool is_fitting(check_t *c, const dt_conv_t *conv, const dt_type_t *type)
{
	if (conv->size != 0 && conv->size != type->size)
		return false;
	switch (conv->class) {
	case DT_CONV_CHAR:
	case DT_CONV_ESCAPED_CHAR:
		return is_integer(type) && type->size <= sizeof(int);
	case DT_CONV_TIME:
	case DT_CONV_MAILTIME:
		return is_integer(type) && type->size == sizeof(int64_t);
	case DT_CONV_STRING:
	case DT_CONV_ESCAPED_STRING:
		return is_text(c, type);
	case DT_CONV_WIDE_STRING:
		return wide_size(c, type) != 0;
	case DT_CONV_FLOAT:
		return type->kind == DT_K_FLOAT;
	case DT_CONV_POINTER:
		return is_integer(type) || type->kind == DT_K_PTR;
	case DT_CONV_KERNEL_ADDRESS:
		return is_integer(type) || type->kind == DT_K_PTR ||
		       type->kind == DT_K_SYMADDR;
	case DT_CONV_USER_ADDRESS:
		return type->kind == DT_K_USYMADDR ||
		       (dt_target_pid(c->hdl) > 0 &&
			(is_integer(type) || type->kind == DT_K_PTR));
	case DT_CONV_STACK:
		return type->kind == DT_K_STACK || type->kind == DT_K_USTACK;
	default:
		return is_integer(type);
	}
}

/* What the conversion wants, in words. */
static const char *prototype(const dt_conv_t *conv)
{
	bool is_unsigned = conv->class == DT_CONV_UNSIGNED;

	if (conv->class == DT_CONV_WIDE_CHAR)
		return "wchar_t";
	if (conv->class == DT_CONV_WIDE_STRING)
		return "wchar_t []";
	if (conv->size == 0)
		return find_kind(conv->letter)->prototype;
	if (conv->class == DT_CONV_FLOAT)
		return conv->name[0] == 'L' ? "long double" : "double";
	if (conv->size == sizeof(char))
		return is_unsigned ? "unsigned char" : "char";
	if (conv->size == sizeof(short))
		return is_unsigned ? "unsigned short" : "short";
	if (conv->name[1] == 'l')
		return is_unsigned ? "unsigned long long" : "long long";
	return is_unsigned ? "unsigned long" : "long";
}

static int incompatible(check_t *c, const char *tag, int number, const char *conversion,
			const char *wanted)
{
	char type[256];

	*c->tag = tag;
	snprintf(c->buf, c->size,
		 "%s( ) argument #%d is incompatible with conversion #%d prototype:\n"
		 "\tconversion: %%%s\n\t prototype: %s\n\t  argument: %s",
		 c->function, c->used + 1, number, conversion, wanted,
		 dt_type_name(c->arguments[c->used - 1], type, sizeof(type)));
	return -1;
}

static int missing(check_t *c, const char *tag, int number, const dt_conv_t *conv,
		   const char *what)
{
	*c->tag = tag;
	snprintf(
	    c->buf, c->size,
	    "%s( ) prototype mismatch: conversion #%d (%%%s) is missing a corresponding %s "
	    "argument",
	    c->function, number, conv->name, what);
	return -1;
}

/* The argument of a '*'. */
static int check_dynamic(check_t *c, const dt_conv_t *conv, int number, const char *what,
			 const char *mark)
{
	if (c->used == c->n)
		return missing(c, "D_PRINTF_DYN_PROTO", number, conv, what);
	if (!is_integer(dt_type_resolve(c->hdl, c->arguments[c->used++])))
		return incompatible(c, "D_PRINTF_DYN_TYPE", number, mark, "int");
	return 0;
}

static int check_conversion(check_t *c, dt_conv_t *conv, int number, bool is_printa)
{
	const dt_type_t *type;

	/* A key is no width: printa() has but the keys to take arguments from. */
	if (is_printa && (conv->is_dynamic_width || conv->is_dynamic_precision))
		return missing(c, "D_PRINTF_DYN_PROTO", number, conv, "width or precision");
	if (conv->is_dynamic_width && check_dynamic(c, conv, number, "width", "*") == -1)
		return -1;
	if (conv->is_dynamic_precision &&
	    check_dynamic(c, conv, number, "precision", ".*") == -1)
		return -1;
	if (conv->is_agg)
		return 0;
	if (c->used == c->n)
		return missing(c, "D_PRINTF_ARG_PROTO", number, conv, "value");
	type = dt_type_resolve(c->hdl, c->arguments[c->used++]);
	if (!is_fitting(c, conv, type))
		return incompatible(c, "D_PRINTF_ARG_TYPE", number, conv->name,
				    prototype(conv));
	conv->is_signed = type->is_signed;
	conv->wide_size = wide_size(c, type);
	conv->is_user_stack = type->kind == DT_K_USTACK;
	return 0;
}

int dt_format_check(dtrace_hdl_t *hdl, void *arg, const char *function,
		    dt_type_t *const *arguments, int n, int naggs, const char **tag,
		    char *buf, size_t size)
{
	dt_format_t *format = arg;
	check_t c = {
	    .hdl = hdl,
	    .function = function,
	    .arguments = arguments,
	    .n = n,
	    .tag = tag,
	    .buf = buf,
	    .size = size,
	};
	uint32_t i;

	for (i = 0; i < format->nconvs; i++) {
		if (check_conversion(&c, &format->convs[i], (int)i + 1, naggs > 0) == -1)
			return -1;
	}
	/* printa() need not print every key. */
	if (naggs == 0 && c.used < n) {
		*tag = "D_PRINTF_ARG_EXTRA";
		snprintf(
		    buf, size,
		    "%s( ) prototype mismatch: only %d argument%s required by this format "
		    "string",
		    function, c.used, c.used == 1 ? "" : "s");
		return -1;
	}
	return 0;
}
