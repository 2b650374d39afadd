/* SPDX-License-Identifier: Apache-2.0 */
/*
 * typed.c - print(): a value in the notation of C, after its type.
 *
 *	struct task {
 *	    int pid = 4211
 *	    unsigned int flags = 0x40
 *	    enum state state = RUNNING
 *	    char [16] comm = "node"
 *	    int [3] nice = [ -1, 0, 1 ]
 *	    struct list_head tasks = {
 *	        struct list_head *next = 0xffff888100a3c180
 *	        struct list_head *prev = 0xffff888100a3c180
 *	    }
 *	}
 *
 * Signed integers are decimal, unsigned ones hexadecimal as masks and handles mostly are;
 * pointers to functions show the function. Arrays of structs stand element by element, all
 * others on one line. Memory is read only inside the value that was traced.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "consume/output.h"
#include "consume/typed.h"

#define INDENT 4
#define DEPTH_MAX 64

typedef struct printer {
	dtrace_hdl_t *hdl;
	dt_outbuf_t *out;
	const char *data;
	size_t size;
} printer_t;

static int print_value(printer_t *p, dt_type_t *type, size_t at, uint32_t bit_offset,
		       uint32_t bit_size, int depth);

/* ---- Scalars ----------------------------------------------------------------------- */

uint64_t dt_typed_integer(const void *data, const dt_type_t *type, uint32_t bit_offset,
			  uint32_t bit_size)
{
	uint64_t value = 0;

	if (bit_size == 0) {
		dt_value_integer(data, (size_t)type->size, type->is_signed, &value);
		return value;
	}
	/* Little-endian: the field's first bit is the lowest of its first byte. */
	memcpy(&value, (const char *)data + bit_offset / 8,
	       (bit_offset % 8 + bit_size + 7) / 8 > 8 ? 8
						       : (bit_offset % 8 + bit_size + 7) / 8);
	value >>= bit_offset % 8;
	if (bit_size < 64) {
		value <<= 64 - bit_size;
		value = type->is_signed ? (uint64_t)((int64_t)value >> (64 - bit_size))
					: value >> (64 - bit_size);
	}
	return value;
}

const char *dt_typed_enumerator(const dt_type_t *type, int64_t value)
{
	for (uint32_t i = 0; i < type->count; i++)
		if (type->enumerators[i].value == value)
			return type->enumerators[i].name;
	return NULL;
}

static int print_char(printer_t *p, unsigned char c)
{
	if (isprint(c) && c != '\'' && c != '\\')
		return dt_out_format(p->hdl, p->out, "'%c'", c);
	return dt_out_format(p->hdl, p->out, c == 0 ? "'\\0'" : "'\\%03o'", c);
}

static int print_integer(printer_t *p, const dt_type_t *type, uint64_t value)
{
	const char *name = type->kind == DT_K_ENUM
			       ? dt_typed_enumerator(type, (int64_t)value)
			       : NULL;

	if (name != NULL)
		return dt_out_format(p->hdl, p->out, "%s", name);
	if (type->is_bool)
		return dt_out_format(p->hdl, p->out, value ? "true" : "false");
	if (type->is_char && type->is_signed)
		return print_char(p, (unsigned char)value);
	if (type->is_signed)
		return dt_out_format(p->hdl, p->out, "%" PRId64, (int64_t)value);
	return dt_out_format(p->hdl, p->out, "%#" PRIx64, value);
}

static int print_pointer(printer_t *p, const dt_type_t *type, size_t at)
{
	const dt_type_t *to = type->ref != NULL ? dt_type_resolve(p->hdl, type->ref) : NULL;
	char text[SYMBOL_TEXT_MAX];
	uint64_t value = 0;

	memcpy(&value, p->data + at, sizeof(value));
	if (to == NULL || to->kind != DT_K_FUNC || value == 0)
		return dt_out_format(p->hdl, p->out, "%#" PRIx64, value);
	dtrace_addr2str(p->hdl, value, text, sizeof(text));
	return dt_out_format(p->hdl, p->out, "%s", text);
}

static int print_float(printer_t *p, const dt_type_t *type, size_t at)
{
	double d;
	float f;

	if (type->size == sizeof(d)) {
		memcpy(&d, p->data + at, sizeof(d));
		return dt_out_format(p->hdl, p->out, "%.17g", d);
	}
	if (type->size != sizeof(f))
		return dt_out_format(p->hdl, p->out, "?");
	memcpy(&f, p->data + at, sizeof(f));
	return dt_out_format(p->hdl, p->out, "%.9g", (double)f);
}

static int print_string(printer_t *p, size_t at, size_t size)
{
	size_t length = strnlen(p->data + at, size);

	if (dt_out_pad(p->hdl, p->out, '"', 1) == -1)
		return -1;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)p->data[at + i];
		const char *format = c == '"' || c == '\\' ? "\\%c"
				     : c < ' ' || c == 127 ? "\\%03o"
							   : "%c";

		if (dt_out_format(p->hdl, p->out, format, c) == -1)
			return -1;
	}
	return dt_out_pad(p->hdl, p->out, '"', 1);
}

/* ---- Structs and arrays -------------------------------------------------------------- */

static int print_indent(printer_t *p, int depth)
{
	return dt_out_pad(p->hdl, p->out, ' ', (size_t)(depth * INDENT));
}

static bool is_aggregate(const dt_type_t *type)
{
	return type->kind == DT_K_STRUCT || type->kind == DT_K_UNION;
}

/* "int pid" and, of a bit-field, its width; an unnamed struct or union has only its kind. */
static int print_member_name(printer_t *p, const dt_member_t *m)
{
	char name[256];

	dt_type_name(m->type, name, sizeof(name));
	if (m->name == NULL)
		return dt_out_format(p->hdl, p->out,
				     dt_type_resolve(p->hdl, m->type)->kind == DT_K_UNION
					 ? "union "
					 : "struct ");
	if (name[strlen(name) - 1] != '*')
		strncat(name, " ", sizeof(name) - strlen(name) - 1);
	if (m->bit_size != 0)
		return dt_out_format(p->hdl, p->out, "%s%s :%u = ", name, m->name,
				     m->bit_size);
	return dt_out_format(p->hdl, p->out, "%s%s = ", name, m->name);
}

static int print_members(printer_t *p, const dt_type_t *type, size_t at, int depth)
{
	if (dt_out_format(p->hdl, p->out, "{\n") == -1)
		return -1;
	for (uint32_t i = 0; i < type->count; i++) {
		const dt_member_t *m = &type->members[i];
		size_t offset = at + (m->bit_size ? 0 : m->bit_offset / 8);

		if (print_indent(p, depth + 1) == -1 || print_member_name(p, m) == -1 ||
		    print_value(p, m->type, offset, m->bit_offset, m->bit_size, depth + 1) ==
			-1 ||
		    dt_out_pad(p->hdl, p->out, '\n', 1) == -1)
			return -1;
	}
	return print_indent(p, depth) == -1 || dt_out_pad(p->hdl, p->out, '}', 1) == -1 ? -1
											 : 0;
}

static int print_array(printer_t *p, const dt_type_t *type, size_t at, int depth)
{
	dt_type_t *element = dt_type_resolve(p->hdl, type->ref);
	bool is_long = is_aggregate(element);

	if (element->is_char && element->is_signed)
		return print_string(p, at, type->count);
	if (type->count == 0)
		return dt_out_format(p->hdl, p->out, "[ ]");
	if (dt_out_format(p->hdl, p->out, is_long ? "[\n" : "[ ") == -1)
		return -1;
	for (uint32_t i = 0; i < type->count; i++) {
		const char *end = is_long ? ",\n" : i + 1 < type->count ? ", " : " ]";

		if ((is_long && print_indent(p, depth + 1) == -1) ||
		    print_value(p, type->ref, at + i * (size_t)element->size, 0, 0,
				depth + 1) == -1 ||
		    dt_out_format(p->hdl, p->out, "%s", end) == -1)
			return -1;
	}
	if (!is_long)
		return 0;
	return print_indent(p, depth) == -1 || dt_out_pad(p->hdl, p->out, ']', 1) == -1 ? -1
											 : 0;
}

/* Whether the whole value lies in what was traced. */
static bool is_inside(const printer_t *p, const dt_type_t *type, size_t at,
		      uint32_t bit_offset, uint32_t bit_size)
{
	size_t size = bit_size ? (bit_offset + bit_size + 7) / 8 : (size_t)type->size;

	if (type->kind == DT_K_STRING)
		size = 0;
	return at <= p->size && size <= p->size - at;
}

static int print_value(printer_t *p, dt_type_t *type, size_t at, uint32_t bit_offset,
		       uint32_t bit_size, int depth)
{
	dt_type_t *t = dt_type_resolve(p->hdl, type);

	if (depth > DEPTH_MAX || !is_inside(p, t, at, bit_offset, bit_size))
		return dt_out_format(p->hdl, p->out, "?");
	switch (t->kind) {
	case DT_K_INT:
	case DT_K_ENUM:
		return print_integer(
		    p, t, dt_typed_integer(p->data + at, t, bit_offset, bit_size));
	case DT_K_PTR:
		return print_pointer(p, t, at);
	case DT_K_FLOAT:
		return print_float(p, t, at);
	case DT_K_STRING:
		return print_string(p, at, p->size - at);
	case DT_K_STRUCT:
	case DT_K_UNION:
		return print_members(p, t, at, depth);
	case DT_K_ARRAY:
		return print_array(p, t, at, depth);
	default:
		return dt_out_format(p->hdl, p->out, "?");
	}
}

int dt_print_typed(dtrace_hdl_t *hdl, FILE *fp, dt_type_t *type, const void *data, size_t size)
{
	printer_t p = {.hdl = hdl, .out = dt_out(hdl), .data = data, .size = size};
	char name[256];
	size_t mark;

	if (p.out == NULL)
		return -1;
	if (type == NULL)
		return dt_print_bytes(hdl, fp, data, size, DT_WIDTH_TRACE, true, true);
	mark = p.out->length;
	dt_type_name(type, name, sizeof(name));
	if (dt_out_format(hdl, p.out, "%s%s", name,
			  name[strlen(name) - 1] == '*' ? "" : " ") == -1 ||
	    print_value(&p, type, 0, 0, 0, 0) == -1 ||
	    dt_out_pad(hdl, p.out, '\n', 1) == -1) {
		p.out->length = mark;
		return -1;
	}
	return dt_out_emit(hdl, p.out, fp, mark);
}
