/* SPDX-License-Identifier: Apache-2.0 */
/*
 * printf.c - records and aggregations printed by a format (format.c).
 *
 * printf(): each argument of the action is a record of its own, in order, '*' included;
 * without arguments the action is one record of no bytes. printa(): the conversions take
 * an aggregation's keys in order, %@ its value.
 *
 * All appends to the handle's buffer (output.h), and numbers without flags or width are
 * written digit by digit: this is the path that every traced line takes.
 */
#include <ctype.h>
#include <inttypes.h>
#include <netdb.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "consume/agghist.h"
#include "consume/aggregate.h"
#include "consume/format.h"
#include "consume/json.h"
#include "consume/output.h"
#include "proc.h"

/* Where the arguments of conversions come from. */
typedef struct printer {
	dtrace_hdl_t *hdl;
	dt_outbuf_t *out;
	const dtrace_recdesc_t *recs; /* of arguments, or of keys */
	uint_t nrecs, used;
	const char *data;
	size_t size;
	const dtrace_aggdata_t *const *aggs; /* printa(): those that %@ takes in turn */
	int naggs, used_aggs;
} printer_t;

/* One conversion under way: width and precision as the arguments have them. */
typedef struct field {
	const dt_conv_t *conv;
	int width; /* 0: none */
	bool is_left;
	int precision; /* -1: none */
	const dtrace_recdesc_t *rec;
	const char *value;
} field_t;

/* ---- Text and numbers ------------------------------------------------------------ */

static int print_text(printer_t *p, const field_t *f, const char *text, size_t length)
{
	size_t blank =
	    f->width > 0 && (size_t)f->width > length ? (size_t)f->width - length : 0;

	if (blank != 0 && !f->is_left && dt_out_pad(p->hdl, p->out, ' ', blank) == -1)
		return -1;
	if (dt_out_bytes(p->hdl, p->out, text, length) == -1)
		return -1;
	return blank != 0 && f->is_left ? dt_out_pad(p->hdl, p->out, ' ', blank) : 0;
}

static int print_digits(printer_t *p, uint64_t value, unsigned base, bool is_negative)
{
	char digits[24], *end = digits + sizeof(digits), *at = end;

	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (is_negative)
		*--at = '-';
	return dt_out_bytes(p->hdl, p->out, at, (size_t)(end - at));
}

static int print_number(printer_t *p, const field_t *f, uint64_t value, bool is_signed)
{
	char spec[sizeof(f->conv->spec)];
	char letter = f->conv->letter;

	if (f->conv->is_plain && (letter == 'd' || letter == 'i' || letter == 'u')) {
		bool is_negative = is_signed && (int64_t)value < 0;

		return print_digits(p, is_negative ? -value : value, 10, is_negative);
	}
	if (f->conv->is_plain && (letter == 'x' || letter == 'p'))
		return print_digits(p, value, 16, false);
	memcpy(spec, f->conv->spec, sizeof(spec));
	if (f->conv->class == DT_CONV_INTEGER && !is_signed)
		spec[strlen(spec) - 1] = 'u';
	return dt_out_format(p->hdl, p->out, spec, f->is_left ? -f->width : f->width,
			     f->precision, value);
}

static int bad_record(printer_t *p, const field_t *f, const char *what)
{
	return dt_set_error(p->hdl, EDT_BADRECORD, "conversion %%%s has %s", f->conv->name,
			    what);
}

static int print_integer(printer_t *p, const field_t *f)
{
	bool is_signed = f->conv->class == DT_CONV_INTEGER && f->conv->is_signed;
	uint64_t value;

	if (!dt_value_integer(f->value, f->rec->dtrd_size, is_signed, &value))
		return bad_record(p, f, "a record of no integer's size");
	return print_number(p, f, value, is_signed);
}

static int print_float(printer_t *p, const field_t *f)
{
	int width = f->is_left ? -f->width : f->width;
	long double value;
	double d;
	float s;

	switch (f->rec->dtrd_size) {
	case sizeof(s):
		memcpy(&s, f->value, sizeof(s));
		value = s;
		break;
	case sizeof(d):
		memcpy(&d, f->value, sizeof(d));
		value = d;
		break;
	case sizeof(value):
		memcpy(&value, f->value, sizeof(value));
		break;
	default:
		return bad_record(p, f, "a record of no floating-point size");
	}
	return dt_out_format(p->hdl, p->out, f->conv->spec, width, f->precision, value);
}

/* A character as a C literal would have it; returns its length, 4 at most. */
static size_t escape(char *text, unsigned char c)
{
	static const char letters[] = "abtnvfr", special[] = "\a\b\t\n\v\f\r";
	const char *at = c != '\0' ? strchr(special, c) : NULL;

	if (at != NULL)
		return (size_t)sprintf(text, "\\%c", letters[at - special]);
	if (c == '\0')
		return (size_t)sprintf(text, "\\0");
	if (c == '\\' || c == '"')
		return (size_t)sprintf(text, "\\%c", c);
	if (c >= ' ' && c <= '~') {
		text[0] = (char)c;
		return 1;
	}
	return (size_t)sprintf(text, "\\%03o", c);
}

static int print_char(printer_t *p, const field_t *f)
{
	char text[8];
	uint64_t value;

	if (!dt_value_integer(f->value, f->rec->dtrd_size, false, &value))
		return bad_record(p, f, "a record of no integer's size");
	if (f->conv->class == DT_CONV_ESCAPED_CHAR)
		return print_text(p, f, text, escape(text, (unsigned char)value));
	text[0] = (char)value;
	return print_text(p, f, text, 1);
}

/* A code point in UTF-8, whatever the locale; returns its length, 4 at most. */
static size_t encode(char *text, uint64_t c)
{
	size_t n = 0;

	if (c > 0x10ffff)
		c = 0xfffd;
	if (c < 0x80) {
		text[n++] = (char)c;
	} else if (c < 0x800) {
		text[n++] = (char)(0xc0 | c >> 6);
		text[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		text[n++] = (char)(0xe0 | c >> 12);
		text[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		text[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		text[n++] = (char)(0xf0 | c >> 18);
		text[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		text[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		text[n++] = (char)(0x80 | (c & 0x3f));
	}
	return n;
}

static int print_wide_char(printer_t *p, const field_t *f)
{
	char text[4];
	uint64_t c;

	if (!dt_value_integer(f->value, f->rec->dtrd_size, false, &c))
		return bad_record(p, f, "a record of no integer's size");
	return print_text(p, f, text, encode(text, c));
}

static size_t string_length(const field_t *f)
{
	size_t size = f->rec->dtrd_size;

	if (f->precision >= 0 && (size_t)f->precision < size)
		size = (size_t)f->precision;
	return strnlen(f->value, size);
}

/* Pads what has been printed since the mark to the field's width. */
static int pad_since(printer_t *p, const field_t *f, size_t mark)
{
	size_t printed = p->out->length - mark, blank;
	char *text;

	if (f->width <= 0 || (size_t)f->width <= printed)
		return 0;
	blank = (size_t)f->width - printed;
	if (dt_out_pad(p->hdl, p->out, ' ', blank) == -1)
		return -1;
	if (!f->is_left) {
		text = p->out->text + mark;
		memmove(text + blank, text, printed);
		memset(text, ' ', blank);
	}
	return 0;
}

/* Appends a character's text, unless the precision leaves it no room: then 1. */
static int print_piece(printer_t *p, const field_t *f, size_t mark, const char *text,
		       size_t n)
{
	if (f->precision >= 0 && p->out->length - mark + n > (size_t)f->precision)
		return 1;
	return dt_out_bytes(p->hdl, p->out, text, n);
}

static int print_escaped_string(printer_t *p, const field_t *f)
{
	size_t mark = p->out->length, length = strnlen(f->value, f->rec->dtrd_size);
	int said = 0;

	for (size_t i = 0; i < length && said == 0; i++) {
		char text[8];
		size_t n = escape(text, (unsigned char)f->value[i]);

		said = print_piece(p, f, mark, text, n);
	}
	return said < 0 ? -1 : pad_since(p, f, mark);
}

static int print_wide_string(printer_t *p, const field_t *f)
{
	size_t mark = p->out->length, size = f->conv->wide_size;
	int said = 0;

	if (size == 0)
		return bad_record(p, f, "a record of no wide characters");
	for (size_t at = 0; at + size <= f->rec->dtrd_size && said == 0; at += size) {
		char text[4];
		uint64_t c;

		dt_value_integer(f->value + at, size, false, &c);
		if (c == 0)
			break;
		said = print_piece(p, f, mark, text, encode(text, c));
	}
	return said < 0 ? -1 : pad_since(p, f, mark);
}

/* ---- Addresses, times, stacks ------------------------------------------------------- */

static int print_address(printer_t *p, const field_t *f)
{
	char text[SYMBOL_TEXT_MAX];
	uint64_t address;
	int n;

	if (f->rec->dtrd_action != DTRACEACT_DIFEXPR &&
	    f->rec->dtrd_action != DTRACEACT_PRINTF) {
		n = dt_symbol_text(p->hdl, f->rec->dtrd_action, f->value, text,
				   sizeof(text));
		if (n < 0)
			return -1;
	} else if (!dt_value_integer(f->value, f->rec->dtrd_size, false, &address)) {
		return bad_record(p, f, "a record of no address's size");
	} else {
		dtrace_addr2str(p->hdl, address, text, sizeof(text));
	}
	return print_text(p, f, text, strlen(text));
}

/* A user address that has the process before it, or one that is of $target. */
static int print_user_address(printer_t *p, const field_t *f)
{
	dtrace_recdesc_t rec = *f->rec;
	uint64_t words[2] = {(uint64_t)dt_target_pid(p->hdl)};
	field_t user = *f;

	if (rec.dtrd_size == 2 * sizeof(uint64_t))
		memcpy(words, f->value, sizeof(words));
	else if (!dt_value_integer(f->value, rec.dtrd_size, false, &words[1]))
		return bad_record(p, f, "a record of no address's size");
	if (DTRACEACT_CLASS(rec.dtrd_action) != DTRACEACT_PROC)
		rec.dtrd_action = DTRACEACT_UADDR;
	user.rec = &rec;
	user.value = (const char *)words;
	return print_address(p, &user);
}

/* The names of C's locale: what is traced must read the same everywhere. */
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int print_time(printer_t *p, const field_t *f)
{
	uint64_t value;
	char text[96];
	struct tm tm;
	time_t when;

	if (!dt_value_integer(f->value, f->rec->dtrd_size, true, &value))
		return bad_record(p, f, "a record of no integer's size");
	when = (time_t)((int64_t)value / 1000000000);
	if (localtime_r(&when, &tm) == NULL)
		return bad_record(p, f, "a time out of range");
	if (f->conv->class == DT_CONV_TIME)
		snprintf(text, sizeof(text), "%d %s %2d %02d:%02d:%02d", tm.tm_year + 1900,
			 months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	else
		snprintf(text, sizeof(text), "%s, %02d %s %d %02d:%02d:%02d %.16s",
			 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
			 tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_zone);
	return print_text(p, f, text, strlen(text));
}

/* The name of the service, or the number; the value is in network byte order. */
static int print_port(printer_t *p, const field_t *f)
{
	struct servent service, *found = NULL;
	char buf[1024], text[16];
	uint64_t value;

	if (!dt_value_integer(f->value, f->rec->dtrd_size, false, &value))
		return bad_record(p, f, "a record of no integer's size");
	if (getservbyport_r((int)(uint16_t)value, NULL, &service, buf, sizeof(buf),
			    &found) == 0 &&
	    found != NULL)
		return print_text(p, f, found->s_name, strlen(found->s_name));
	snprintf(text, sizeof(text), "%u", (unsigned)ntohs((uint16_t)value));
	return print_text(p, f, text, strlen(text));
}

/* Each frame is printed as %s would be; with '-' the width is its indentation as well. */
static int print_stack(printer_t *p, const field_t *f)
{
	int indent = f->is_left ? f->width : 0;
	const char *addresses = f->value;
	uint64_t pid = (uint64_t)-1;
	char frame[32];
	bool is_user = DTRACEACT_CLASS(f->rec->dtrd_action) == DTRACEACT_PROC ||
		       (f->rec->dtrd_action == DTRACEACT_PRINTF && f->conv->is_user_stack);

	if (is_user) {
		memcpy(&pid, addresses, sizeof(pid));
		addresses += sizeof(pid);
	}
	snprintf(frame, sizeof(frame), "%%%d.%ds", f->is_left ? -f->width : f->width,
		 f->precision < 0 ? SYMBOL_TEXT_MAX : f->precision);
	return dt_out_stack(p->hdl, p->out, frame, indent, (pid_t)pid, addresses,
			    dt_stack_nframes(f->rec, is_user), dt_frametexts(f->rec, f->value));
}

static int print_field(printer_t *p, const field_t *f)
{
	switch (f->conv->class) {
	case DT_CONV_CHAR:
	case DT_CONV_ESCAPED_CHAR:
		return print_char(p, f);
	case DT_CONV_WIDE_CHAR:
		return print_wide_char(p, f);
	case DT_CONV_STRING:
		return print_text(p, f, f->value, string_length(f));
	case DT_CONV_ESCAPED_STRING:
		return print_escaped_string(p, f);
	case DT_CONV_WIDE_STRING:
		return print_wide_string(p, f);
	case DT_CONV_FLOAT:
		return print_float(p, f);
	case DT_CONV_KERNEL_ADDRESS:
		return print_address(p, f);
	case DT_CONV_USER_ADDRESS:
		return print_user_address(p, f);
	case DT_CONV_STACK:
		return print_stack(p, f);
	case DT_CONV_PORT:
		return print_port(p, f);
	case DT_CONV_TIME:
	case DT_CONV_MAILTIME:
		return print_time(p, f);
	default:
		return print_integer(p, f);
	}
}

/* ---- A whole format --------------------------------------------------------------------
 */

/* The next argument's record; NULL with the error set. */
static const dtrace_recdesc_t *next_record(printer_t *p)
{
	const dtrace_recdesc_t *rec = &p->recs[p->used];

	if (p->used >= p->nrecs || rec->dtrd_offset > p->size ||
	    rec->dtrd_size > p->size - rec->dtrd_offset) {
		dt_set_error(p->hdl, EDT_BADRECORD,
			     "fewer records than the format has conversions");
		return NULL;
	}
	p->used++;
	return rec;
}

/* A '*'. Out of all bounds it counts as not given. */
static int next_size(printer_t *p, int *size)
{
	const dtrace_recdesc_t *rec = next_record(p);
	uint64_t value;

	if (rec == NULL)
		return -1;
	if (!dt_value_integer(p->data + rec->dtrd_offset, rec->dtrd_size, true, &value))
		return dt_set_error(p->hdl, EDT_BADRECORD,
				    "a width or precision is no integer");
	*size = (int64_t)value > INT16_MAX || (int64_t)value < -INT16_MAX ? 0 : (int)value;
	return 0;
}

/* %@: the value of the next aggregation; the last serves all that follow. */
static int print_agg(printer_t *p, const field_t *f)
{
	const dtrace_aggdata_t *agg = p->aggs[p->used_aggs];
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	const dtrace_recdesc_t *rec = &desc->dtagd_rec[desc->dtagd_nrecs - 1];
	const char *value = agg->dtada_data + rec->dtrd_offset;
	bool is_signed = f->conv->class == DT_CONV_INTEGER;

	if (p->used_aggs < p->naggs - 1)
		p->used_aggs++;
	if (dt_agg_nbuckets(rec->dtrd_action, rec->dtrd_arg) != 0)
		return dt_out_hist(p->hdl, p->out, rec->dtrd_action, value,
				   agg->dtada_normal);
	return print_number(
	    p, f, (uint64_t)dt_agg_scalar(rec->dtrd_action, value, agg->dtada_normal),
	    is_signed);
}

static int print_conversion(printer_t *p, const dt_conv_t *conv)
{
	field_t f = {
	    .conv = conv,
	    .width = conv->width,
	    .is_left = conv->is_left,
	    .precision = conv->precision,
	};

	if (dt_out_bytes(p->hdl, p->out, conv->literal, conv->literal_length) == -1)
		return -1;
	if (conv->is_dynamic_width && next_size(p, &f.width) == -1)
		return -1;
	if (conv->is_dynamic_precision && next_size(p, &f.precision) == -1)
		return -1;
	if (f.width < 0) {
		f.is_left = true;
		f.width = -f.width;
	}
	if (conv->is_agg)
		return print_agg(p, &f);
	f.rec = next_record(p);
	if (f.rec == NULL)
		return -1;
	f.value = p->data + f.rec->dtrd_offset;
	return print_field(p, &f);
}

static int print_format(printer_t *p, const dt_format_t *format)
{
	uint32_t i;

	for (i = 0; i < format->nconvs; i++) {
		if (print_conversion(p, &format->convs[i]) == -1)
			return -1;
	}
	return dt_out_bytes(p->hdl, p->out, format->tail, format->tail_length);
}

/* Formats records to the end of the buffer; how many it used, or -1 and nothing added. */
static int format_records(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dt_format_t *format,
			  const dtrace_recdesc_t *recs, uint_t nrecs, const void *data,
			  size_t size)
{
	size_t mark = out->length;
	printer_t p = {
	    .hdl = hdl,
	    .out = out,
	    .recs = recs,
	    .nrecs = nrecs,
	    .data = data,
	    .size = size,
	};

	if (print_format(&p, format) == -1) {
		out->length = mark;
		return -1;
	}
	/* Without arguments there is one record all the same, to stand for the action. */
	return p.used == 0 && nrecs > 0 ? 1 : (int)p.used;
}

int dt_format_text(dtrace_hdl_t *hdl, void *format, const dtrace_recdesc_t *recs, uint_t nrecs,
		   const void *data, size_t size, char **text)
{
	dt_outbuf_t *out = dt_out(hdl);
	size_t mark;
	int used;

	if (out == NULL)
		return -1;
	mark = out->length;
	used = format_records(hdl, out, format, recs, nrecs, data, size);
	if (used == -1 || dt_out_reserve(hdl, out, 0) == NULL)
		return -1;
	out->text[out->length] = '\0';
	out->length = mark;
	*text = out->text + mark;
	return used;
}

int dtrace_fprintf(dtrace_hdl_t *hdl, FILE *fp, void *format,
		   const dtrace_probedata_t *probe, const dtrace_recdesc_t *recs,
		   uint_t nrecs, const void *data, size_t size)
{
	dt_outbuf_t *out = dt_out(hdl);
	size_t mark;
	int used;

	(void)probe;
	if (out == NULL)
		return -1;
	mark = out->length;
	used = format_records(hdl, out, format, recs, nrecs, data, size);
	return used != -1 && dt_out_emit(hdl, out, fp, mark) == -1 ? -1 : used;
}

/* ---- printa()
 * ---------------------------------------------------------------------------- */

typedef struct printa {
	FILE *fp;
	const dt_format_t *format;
	dtrace_probedata_t *probe;
	const dtrace_recdesc_t *rec;
} printa_t;

/* keys: whose keys to print; aggs: whose values. */
static int printa_entry(const printa_t *printa, const dtrace_aggdata_t *keys,
			const dtrace_aggdata_t *const *aggs, int naggs)
{
	dtrace_hdl_t *hdl = keys->dtada_handle;
	const dtrace_aggdesc_t *desc = keys->dtada_desc;
	dt_outbuf_t *out = dt_out(hdl);
	printer_t p = {
	    .hdl = hdl,
	    .out = out,
	    .recs = desc->dtagd_rec + 1,
	    .nrecs = (uint_t)desc->dtagd_nrecs - 2,
	    .data = keys->dtada_data,
	    .size = keys->dtada_size,
	    .aggs = aggs,
	    .naggs = naggs,
	};
	size_t mark;
	int i;

	if (out == NULL)
		return DTRACE_AGGWALK_ERROR;
	for (i = 0; i < naggs; i++)
		aggs[i]->dtada_desc->dtagd_flags |= DT_AGG_PRINTED;
	mark = out->length;
	if (print_format(&p, printa->format) == -1) {
		out->length = mark;
		return DTRACE_AGGWALK_ERROR;
	}
	if (dt_out_emit(hdl, out, printa->fp, mark) == -1 ||
	    dt_buffered_flush(hdl, printa->probe, printa->rec, keys,
			      DTRACE_BUFDATA_AGGFORMAT | DTRACE_BUFDATA_AGGLAST) == -1)
		return DTRACE_AGGWALK_ERROR;
	return DTRACE_AGGWALK_NEXT;
}

static int printa_one(const dtrace_aggdata_t *agg, void *arg)
{
	return printa_entry(arg, agg, &agg, 1);
}

static int printa_joined(const dtrace_aggdata_t **aggs, int n, void *arg)
{
	return printa_entry(arg, aggs[0], aggs + 1, n - 1);
}

/* Without a format: a line's end, then the default layout. */
static int printa_default(dtrace_hdl_t *hdl, FILE *fp, dtrace_aggvarid_t *varids, int n)
{
	dt_aggprint_t print = {.fp = fp};

	if (!dt_is_json(hdl) && dt_printf(hdl, fp, "\n") == -1)
		return -1;
	if (n == 1)
		return dt_aggs_walk_var(hdl, varids[0], dt_print_agg, &print);
	return dtrace_aggregate_walk_joined(hdl, varids, n, dt_print_aggs, &print);
}

int dt_printa(dtrace_hdl_t *hdl, FILE *fp, void *format, dtrace_probedata_t *probe,
	      const dtrace_recdesc_t *rec, const dtrace_aggvarid_t *varids, int n)
{
	printa_t printa = {.fp = fp, .format = format, .probe = probe, .rec = rec};
	dtrace_aggvarid_t *ids;
	int result;

	if (n <= 0)
		return dt_set_errno(hdl, EDT_BADAGG);
	ids = malloc((size_t)n * sizeof(*ids));
	if (ids == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	memcpy(ids, varids, (size_t)n * sizeof(*ids));
	if (format == NULL)
		result = printa_default(hdl, fp, ids, n);
	else if (n == 1)
		result = dt_aggs_walk_var(hdl, ids[0], printa_one, &printa);
	else
		result = dtrace_aggregate_walk_joined(hdl, ids, n, printa_joined, &printa);
	free(ids);
	return result;
}

/*
 * The records of one printa() are of no bytes: dtrd_arg is an aggregation's number,
 * dtrd_uarg of the first how many there are.
 */
int dtrace_fprinta(dtrace_hdl_t *hdl, FILE *fp, void *format,
		   const dtrace_probedata_t *probe, const dtrace_recdesc_t *recs,
		   uint_t nrecs, const void *data, size_t size)
{
	uint64_t n = nrecs > 0 ? recs[0].dtrd_uarg & ~DT_RECORD_STRING : 0, i;
	dtrace_probedata_t copy = *probe;
	dtrace_aggvarid_t *varids;
	int result;

	(void)data, (void)size;
	if (n == 0 || n > nrecs)
		return dt_set_errno(hdl, EDT_BADAGG);
	varids = malloc(n * sizeof(*varids));
	if (varids == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (i = 0; i < n; i++)
		varids[i] = (dtrace_aggvarid_t)recs[i].dtrd_arg;
	result = dt_printa(hdl, fp, format, &copy, recs, varids, (int)n);
	free(varids);
	return result == 0 ? (int)n : -1;
}
