/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - text out of the library: the handle's buffer, and values that no format
 * governs.
 *
 * The layouts are DTrace's own ("trace Default Format" in the Dynamic Tracing Guide):
 * integers right-aligned in a column by their size, strings after two spaces, anything
 * else as a hex dump. Record and key differ in two ways only: the column a string is
 * padded to, and that "quiet" bares the values of records, never those of keys.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "consume/output.h"
#include "consume/symbols.h"

#define OUT_INITIAL 4096
#define DUMP_COLUMNS 16
#define DUMP_MARGIN 5
#define STACK_INDENT 14

/* ---- The buffer ----------------------------------------------------------- */

dt_outbuf_t *dt_out(dtrace_hdl_t *hdl)
{
	if (hdl->outbuf == NULL) {
		hdl->outbuf = calloc(1, sizeof(*hdl->outbuf));
		if (hdl->outbuf == NULL)
			dt_set_errno(hdl, EDT_NOMEM);
	}
	return hdl->outbuf;
}

void dt_output_fini(dtrace_hdl_t *hdl)
{
	if (hdl->outbuf == NULL)
		return;
	free(hdl->outbuf->text);
	free(hdl->outbuf);
	hdl->outbuf = NULL;
}

char *dt_out_reserve(dtrace_hdl_t *hdl, dt_outbuf_t *out, size_t size)
{
	size_t needed = out->length + size + 1;
	size_t capacity = out->capacity != 0 ? out->capacity : OUT_INITIAL;

	if (needed > out->capacity) {
		char *text;

		while (capacity < needed)
			capacity *= 2;
		text = realloc(out->text, capacity);
		if (text == NULL) {
			dt_set_errno(hdl, EDT_NOMEM);
			return NULL;
		}
		out->text = text;
		out->capacity = capacity;
	}
	return out->text + out->length;
}

int dt_out_bytes(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *bytes, size_t size)
{
	char *end = dt_out_reserve(hdl, out, size);

	if (end == NULL)
		return -1;
	memcpy(end, bytes, size);
	out->length += size;
	return 0;
}

int dt_out_pad(dtrace_hdl_t *hdl, dt_outbuf_t *out, char c, size_t count)
{
	char *end = dt_out_reserve(hdl, out, count);

	if (end == NULL)
		return -1;
	memset(end, c, count);
	out->length += count;
	return 0;
}

static int out_vformat(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *format, va_list ap)
{
	size_t room = 128;

	for (;;) {
		char *end = dt_out_reserve(hdl, out, room);
		va_list again;
		int n;

		if (end == NULL)
			return -1;
		va_copy(again, ap);
		n = vsnprintf(end, room + 1, format, again);
		va_end(again);
		if (n < 0)
			return dt_set_errno(hdl, errno);
		if ((size_t)n <= room) {
			out->length += (size_t)n;
			return n;
		}
		room = (size_t)n;
	}
}

int dt_out_format(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = out_vformat(hdl, out, format, ap);
	va_end(ap);
	return n < 0 ? -1 : 0;
}

int dt_out_emit(dtrace_hdl_t *hdl, dt_outbuf_t *out, FILE *fp, size_t mark)
{
	size_t size = out->length - mark;

	if (fp == NULL) {
		if (hdl->bufhdlr != NULL)
			return 0;
		out->length = mark;
		return dt_set_errno(hdl, EDT_NOBUFFERED);
	}
	out->length = mark;
	if (size != 0 && fwrite(out->text + mark, 1, size, fp) != size)
		return dt_set_errno(hdl, errno);
	return 0;
}

int dt_printf(dtrace_hdl_t *hdl, FILE *fp, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	if (fp != NULL) {
		n = vfprintf(fp, format, ap);
		if (n < 0)
			dt_set_errno(hdl, errno);
	} else if (hdl->bufhdlr == NULL) {
		n = dt_set_errno(hdl, EDT_NOBUFFERED);
	} else {
		dt_outbuf_t *out = dt_out(hdl);

		n = out != NULL ? out_vformat(hdl, out, format, ap) : -1;
	}
	va_end(ap);
	return n < 0 ? -1 : n;
}

int dt_buffered_flush(dtrace_hdl_t *hdl, dtrace_probedata_t *probe,
		      const dtrace_recdesc_t *rec, const dtrace_aggdata_t *agg,
		      uint32_t flags)
{
	dt_outbuf_t *out = hdl->outbuf;
	dtrace_bufdata_t data = {
	    .dtbda_handle = hdl,
	    .dtbda_probe = probe,
	    .dtbda_recdesc = rec,
	    .dtbda_aggdata = agg,
	    .dtbda_flags = flags,
	};

	if (out == NULL || out->length == 0)
		return 0;
	if (hdl->bufhdlr == NULL) {
		out->length = 0;
		return dt_set_errno(hdl, EDT_NOBUFFERED);
	}
	out->text[out->length] = '\0';
	out->length = 0;
	data.dtbda_buffered = out->text;
	if (hdl->bufhdlr(&data, hdl->bufarg) == DTRACE_HANDLE_ABORT)
		return dt_set_error(hdl, EDT_DIRABORT,
				    "the handler of buffered output aborted");
	return 0;
}

/* ---- Integers and bytes --------------------------------------------------- */

bool dt_value_integer(const void *data, size_t size, bool is_signed, uint64_t *value)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} v;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return false;
	memcpy(&v, data, size);
	switch (size) {
	case 1:
		*value = is_signed ? (uint64_t)(int8_t)v.u8 : v.u8;
		break;
	case 2:
		*value = is_signed ? (uint64_t)(int16_t)v.u16 : v.u16;
		break;
	case 4:
		*value = is_signed ? (uint64_t)(int32_t)v.u32 : v.u32;
		break;
	default:
		*value = v.u64;
	}
	return true;
}

int dt_traced_memory(const dtrace_recdesc_t *rec, uint_t left, const char *data,
		     const char **bytes, size_t *size)
{
	bool is_dynamic = rec->dtrd_action == DTRACEACT_TRACEMEM_DYNSIZE && left > 1;
	const dtrace_recdesc_t *memory = is_dynamic ? rec + 1 : rec;
	uint64_t asked = memory->dtrd_size;

	if (is_dynamic)
		dt_value_integer(data + rec->dtrd_offset, rec->dtrd_size, false, &asked);
	*bytes = data + memory->dtrd_offset;
	*size = asked < memory->dtrd_size ? asked : memory->dtrd_size;
	return is_dynamic ? 2 : 1;
}

/*
 * DTrace takes 8 and 4 bytes as signed, 2 and 1 as unsigned: its default layout knows
 * the size of a value, not its type.
 */
static int print_integer(dtrace_hdl_t *hdl, FILE *fp, const void *data, size_t size,
			 bool quiet, uint64_t normal)
{
	static const int columns[] = {[1] = 3, [2] = 5, [4] = 8, [8] = 16};
	uint64_t value;

	if (!dt_value_integer(data, size, size >= 4, &value))
		return dt_set_errno(hdl, EDT_BADRECORD);
	value = (uint64_t)dt_normalized((int64_t)value, normal);
	if (quiet)
		return dt_printf(hdl, fp, "%" PRId64, (int64_t)value);
	return dt_printf(hdl, fp, " %*" PRId64, columns[size], (int64_t)value);
}

/*
 * The length of the text in data when it looks like text, otherwise -1: printing
 * characters, white space, bell or backspace, then nothing but NULs if anything.
 */
static ssize_t text_length(const unsigned char *data, size_t size)
{
	size_t length = 0, i;

	while (length < size && (isprint(data[length]) || isspace(data[length]) ||
				 data[length] == '\a' || data[length] == '\b'))
		length++;
	if (length == 0)
		return -1;
	for (i = length; i < size; i++) {
		if (data[i] != '\0')
			return -1;
	}
	return (ssize_t)length;
}

static int print_text(dtrace_hdl_t *hdl, FILE *fp, const char *text, size_t length,
		      int width, bool quiet)
{
	if (quiet)
		return dt_printf(hdl, fp, "%.*s", (int)length, text);
	return dt_printf(hdl, fp, "  %-*.*s", width, (int)length, text);
}

static int print_dump(dtrace_hdl_t *hdl, FILE *fp, const unsigned char *data, size_t size)
{
	dt_outbuf_t *out = dt_out(hdl);
	size_t mark, line, i;

	if (out == NULL)
		return -1;
	mark = out->length;
	if (dt_out_format(hdl, out, "\n%*s", DUMP_MARGIN + 6, "") == -1)
		return -1;
	for (i = 0; i < DUMP_COLUMNS; i++) {
		if (dt_out_format(hdl, out, "  %zx", i) == -1)
			return -1;
	}
	if (dt_out_format(hdl, out, "  0123456789abcdef\n") == -1)
		return -1;
	for (line = 0; line < size; line += DUMP_COLUMNS) {
		size_t n = size - line < DUMP_COLUMNS ? size - line : DUMP_COLUMNS;
		char chars[DUMP_COLUMNS + 1];

		if (dt_out_format(hdl, out, "%*s%5zx:", DUMP_MARGIN, "", line) == -1)
			return -1;
		for (i = 0; i < n; i++) {
			unsigned char c = data[line + i];

			if (dt_out_format(hdl, out, " %02x", c) == -1)
				return -1;
			chars[i] = c >= ' ' && c <= '~' ? (char)c : '.';
		}
		chars[n] = '\0';
		if (dt_out_format(hdl, out, "%*s  %s\n", (int)(3 * (DUMP_COLUMNS - n)), "",
				  chars) == -1)
			return -1;
	}
	return dt_out_emit(hdl, out, fp, mark);
}

int dt_print_bytes(dtrace_hdl_t *hdl, FILE *fp, const void *data, size_t size, int width,
		   bool quiet, bool raw)
{
	ssize_t length;

	if (size == 0)
		return 0;
	length = raw ? -1 : text_length(data, size);
	if (length < 0)
		return print_dump(hdl, fp, data, size);
	return print_text(hdl, fp, data, (size_t)length, width, quiet);
}

/* ---- Stacks ---------------------------------------------------------------- */

uint32_t dt_stack_nframes(const dtrace_recdesc_t *rec, bool is_user)
{
	uint32_t words = rec->dtrd_size / sizeof(uint64_t), n = 0;

	if (is_user && words > 0)
		words--; /* the process */
	if (rec->dtrd_action == DTRACEACT_STACK || rec->dtrd_action == DTRACEACT_USTACK ||
	    rec->dtrd_action == DTRACEACT_JSTACK)
		n = DTRACE_USTACK_NFRAMES(rec->dtrd_arg);
	return n != 0 && n < words ? n : words;
}

/* The functions between a tracepoint and our programs. */
static bool is_inner_frame(dtrace_hdl_t *hdl, const char *frame)
{
	const char *module, *name;
	uint64_t address, offset;

	memcpy(&address, frame, sizeof(address));
	return address != 0 && dt_kernel_symbol(hdl, address, &module, &name, &offset) &&
	       (strncmp(name, "__bpf_trace_", 12) == 0 ||
		strncmp(name, "__traceiter_", 12) == 0);
}

void dt_show_stack(dtrace_hdl_t *hdl, const char *from, char *to, size_t size)
{
	for (int i = 0; i < DT_STACK_INNER && is_inner_frame(hdl, from); i++)
		from += sizeof(uint64_t);
	memcpy(to, from, size);
}

int dt_stack_indent(const dtrace_hdl_t *hdl)
{
	dtrace_optval_t indent = hdl->options[DT_OPT_STACKINDENT];

	return indent >= 0 && indent <= INT16_MAX ? (int)indent : STACK_INDENT;
}

int dt_user_text(dtrace_hdl_t *hdl, pid_t pid, uint64_t address, char *buf, size_t size)
{
	if (dt_option_is_on(hdl, DT_OPT_NORESOLVE))
		return snprintf(buf, size, "0x%" PRIx64, address);
	return dtrace_uaddr2str(hdl, pid, address, buf, (int)size);
}

dt_frametexts_t dt_frametexts(const dtrace_recdesc_t *rec, const void *data)
{
	size_t words = (DTRACE_USTACK_NFRAMES(rec->dtrd_arg) + 1) * sizeof(uint64_t);

	if (rec->dtrd_action != DTRACEACT_JSTACK || words >= rec->dtrd_size)
		return (dt_frametexts_t){NULL, 0};
	return (dt_frametexts_t){(const char *)data + words, rec->dtrd_size - words};
}

const char *dt_frametexts_next(dt_frametexts_t *texts)
{
	const char *text = texts->next;
	size_t length = strnlen(text != NULL ? text : "", texts->left);

	if (length == texts->left)
		return NULL;
	texts->next += length + 1;
	texts->left -= length + 1;
	return length > 0 ? text : NULL;
}

int dt_out_stack(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *format, int indent,
		 pid_t pid, const void *addresses, uint32_t nframes, dt_frametexts_t texts)
{
	char frame[SYMBOL_TEXT_MAX];
	const char *text;
	uint64_t address;
	uint32_t i;

	if (dt_out_pad(hdl, out, '\n', 1) == -1)
		return -1;
	for (i = 0; i < nframes; i++) {
		memcpy(&address, (const char *)addresses + i * sizeof(address),
		       sizeof(address));
		if (address == 0)
			break;
		text = dt_frametexts_next(&texts);
		if (text != NULL)
			snprintf(frame, sizeof(frame), "%s", text);
		else if (pid == -1)
			dtrace_addr2str(hdl, address, frame, sizeof(frame));
		else
			dt_user_text(hdl, pid, address, frame, sizeof(frame));
		if (dt_out_pad(hdl, out, ' ', (size_t)indent) == -1 ||
		    dt_out_format(hdl, out, format != NULL ? format : "%s", frame) == -1 ||
		    dt_out_pad(hdl, out, '\n', 1) == -1)
			return -1;
	}
	return 0;
}

static int print_stack(dtrace_hdl_t *hdl, FILE *fp, const char *format, pid_t pid,
		       const void *addresses, uint32_t nframes, dt_frametexts_t texts)
{
	dt_outbuf_t *out = dt_out(hdl);
	size_t mark;

	if (out == NULL)
		return -1;
	mark = out->length;
	if (dt_out_stack(hdl, out, format, dt_stack_indent(hdl), pid, addresses, nframes,
			 texts) == -1)
		return -1;
	return dt_out_emit(hdl, out, fp, mark);
}

int dt_print_stack(dtrace_hdl_t *hdl, FILE *fp, const char *format, const void *data,
		   uint32_t nframes)
{
	return print_stack(hdl, fp, format, -1, data, nframes, (dt_frametexts_t){NULL, 0});
}

int dt_print_ustack(dtrace_hdl_t *hdl, FILE *fp, const dtrace_recdesc_t *rec,
		    const void *data)
{
	uint64_t pid;

	memcpy(&pid, data, sizeof(pid));
	return print_stack(hdl, fp, NULL, (pid_t)pid, (const char *)data + sizeof(pid),
			   dt_stack_nframes(rec, true), dt_frametexts(rec, data));
}

/* ---- Symbols --------------------------------------------------------------- */

static int kernel_symbol_text(dtrace_hdl_t *hdl, dtrace_actkind_t action, uint64_t address,
			      char *buf, size_t size)
{
	const char *module, *name;
	uint64_t offset;

	if (!dt_kernel_symbol(hdl, address, &module, &name, &offset))
		return snprintf(buf, size, "0x%" PRIx64, address);
	if (action == DTRACEACT_MOD)
		return snprintf(buf, size, "%s", module);
	return snprintf(buf, size, "%s`%s", module, name);
}

static int user_symbol_text(dtrace_hdl_t *hdl, dtrace_actkind_t action, pid_t pid,
			    uint64_t address, char *buf, size_t size)
{
	dt_usersym_t sym;

	if (action == DTRACEACT_UADDR || dt_option_is_on(hdl, DT_OPT_NORESOLVE))
		return dt_user_text(hdl, pid, address, buf, size);
	if (!dt_user_symbol(hdl, pid, address, &sym))
		return snprintf(buf, size, "0x%" PRIx64, address);
	if (action == DTRACEACT_UMOD) {
		if (sym.object == NULL)
			return snprintf(buf, size, "0x%" PRIx64, address);
		return snprintf(buf, size, "%s", sym.object);
	}
	sym.offset = 0;
	return dt_user_symbol_text(&sym, address, buf, size);
}

int dt_symbol_text(dtrace_hdl_t *hdl, dtrace_actkind_t action, const void *data, char *buf,
		   size_t size)
{
	uint64_t words[2];

	switch (action) {
	case DTRACEACT_SYM:
	case DTRACEACT_MOD:
		memcpy(words, data, sizeof(words[0]));
		return kernel_symbol_text(hdl, action, words[0], buf, size);
	case DTRACEACT_USYM:
	case DTRACEACT_UMOD:
	case DTRACEACT_UADDR:
		memcpy(words, data, sizeof(words));
		return user_symbol_text(hdl, action, (pid_t)words[0], words[1], buf, size);
	default:
		return dt_set_errno(hdl, EDT_BADRECORD);
	}
}

int dt_print_symbol(dtrace_hdl_t *hdl, FILE *fp, const char *format,
		    dtrace_actkind_t action, const void *data)
{
	char text[SYMBOL_TEXT_MAX];
	dt_outbuf_t *out = dt_out(hdl);
	size_t mark;

	if (out == NULL || dt_symbol_text(hdl, action, data, text, sizeof(text)) < 0)
		return -1;
	mark = out->length;
	if (dt_out_format(hdl, out, format != NULL ? format : "  %-50s", text) == -1)
		return -1;
	return dt_out_emit(hdl, out, fp, mark);
}

/* ---- One value ------------------------------------------------------------- */

int dt_print_value(dtrace_hdl_t *hdl, FILE *fp, const dtrace_recdesc_t *rec,
		   const void *data, int width, uint64_t normal)
{
	bool quiet = width == DT_WIDTH_TRACE && dt_option_is_on(hdl, DT_OPT_QUIET);
	bool raw = dt_option_is_on(hdl, DT_OPT_RAWBYTES);
	uint32_t size = rec->dtrd_size;

	switch (rec->dtrd_action) {
	case DTRACEACT_STACK:
		return dt_print_stack(hdl, fp, NULL, data, dt_stack_nframes(rec, false));
	case DTRACEACT_USTACK:
	case DTRACEACT_JSTACK:
		return dt_print_ustack(hdl, fp, rec, data);
	case DTRACEACT_SYM:
	case DTRACEACT_MOD:
	case DTRACEACT_USYM:
	case DTRACEACT_UMOD:
	case DTRACEACT_UADDR:
		return dt_print_symbol(hdl, fp, NULL, rec->dtrd_action, data);
	case DTRACEACT_TRACEMEM:
	case DTRACEACT_TRACEMEM_DYNSIZE:
		return dt_print_bytes(hdl, fp, data, size, width, quiet, true);
	}
	if (rec->dtrd_uarg & DT_RECORD_STRING)
		return print_text(hdl, fp, data, strnlen(data, size), width, quiet);
	if (size == 1 || size == 2 || size == 4 || size == 8)
		return print_integer(hdl, fp, data, size, quiet, normal);
	/* An empty string has no character to be known by. */
	if (!raw && rec->dtrd_alignment <= 1 && size != 0 && *(const char *)data == '\0')
		return print_text(hdl, fp, "", 0, width, quiet);
	return dt_print_bytes(hdl, fp, data, size, width, quiet, raw);
}
