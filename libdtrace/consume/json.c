/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - oformat=json: what is traced as JSON, an object a line.
 *
 *	{"probe":{"provider":"syscall","module":"vmlinux","function":"read","name":"entry"},
 *	 "cpu":1,"data":["node",5]}
 *	{"aggregation":"bytes","keys":["node"],"value":17}
 *
 * A line is one firing of one clause. In data stands a value for each action: a number, a
 * string (what printf() made), an array of frames, hexadecimal digits for bytes that have
 * no type, an object for what print() was given. printa() without a format gives lines of
 * aggregations. With the option temporal there is "timestamp", with recordpid "pid". A
 * distribution's value is [[min, max], count] for each bucket in use. Bytes that are no
 * UTF-8 become U+FFFD.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "consume/actions.h"
#include "consume/aggregate.h"
#include "consume/json.h"
#include "consume/symbols.h"
#include "consume/typed.h"

/* ---- The buffer -------------------------------------------------------------------- */

/* Apart from the handle's, in which a value's text may be made meanwhile. */
static dt_outbuf_t *json_out(dtrace_hdl_t *hdl)
{
	dt_consumer_t *c = hdl->consumer;

	if (c->json == NULL)
		c->json = calloc(1, sizeof(*c->json));
	if (c->json == NULL)
		dt_set_errno(hdl, EDT_NOMEM);
	return c->json;
}

void dt_json_fini(dtrace_hdl_t *hdl)
{
	if (hdl->consumer->json == NULL)
		return;
	free(hdl->consumer->json->text);
	free(hdl->consumer->json);
	hdl->consumer->json = NULL;
}

static int put(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *text)
{
	return dt_out_bytes(hdl, out, text, strlen(text));
}

/* Bytes of the UTF-8 character at the text; 0: it is none. */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	for (size_t n = 0; n < 4; n++) {
		uint32_t c = s[0] & (unsigned char)~forms[n].mask;

		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		if (n >= size)
			return 0;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		return c < forms[n].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0
										 : n + 1;
	}
	return 0;
}

static int put_string(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0, n;
	int err = put(hdl, out, "\"");

	while (at < size && err == 0) {
		n = utf8_length(s + at, size - at);
		if (n == 0)
			err = put(hdl, out, "\\ufffd");
		else if (s[at] == '"' || s[at] == '\\')
			err = dt_out_format(hdl, out, "\\%c", s[at]);
		else if (s[at] == '\n')
			err = put(hdl, out, "\\n");
		else if (s[at] < ' ' || s[at] == 127)
			err = dt_out_format(hdl, out, "\\u%04x", s[at]);
		else
			err = dt_out_bytes(hdl, out, text + at, n);
		at += n ? n : 1;
	}
	return err != 0 ? err : put(hdl, out, "\"");
}

/* A comma unless the value is the first in its array or object. */
static int put_comma(dtrace_hdl_t *hdl, dt_outbuf_t *out)
{
	char last = out->length > 0 ? out->text[out->length - 1] : '[';

	return last == '[' || last == '{' || last == ':' ? 0 : put(hdl, out, ",");
}

static int put_member(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *name)
{
	if (put_comma(hdl, out) != 0 || put_string(hdl, out, name, strlen(name)) != 0)
		return -1;
	return put(hdl, out, ":");
}

static int put_text_member(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *name,
			   const char *text)
{
	return put_member(hdl, out, name) != 0 ? -1
					       : put_string(hdl, out, text, strlen(text));
}

/* ---- Values by their type ------------------------------------------------------------- */

typedef struct typed {
	dtrace_hdl_t *hdl;
	dt_outbuf_t *out;
	const char *data;
	size_t size;
} typed_t;

static int put_typed(const typed_t *p, dt_type_t *type, size_t at, uint32_t bit_offset,
		     uint32_t bit_size, int depth);

static int put_members(const typed_t *p, const dt_type_t *type, size_t at, int depth)
{
	if (put(p->hdl, p->out, "{") != 0)
		return -1;
	for (uint32_t i = 0; i < type->count; i++) {
		const dt_member_t *m = &type->members[i];
		size_t offset = at + (m->bit_size ? 0 : m->bit_offset / 8);
		char name[24];

		snprintf(name, sizeof(name), "anonymous%u", i);
		if (put_member(p->hdl, p->out, m->name != NULL ? m->name : name) != 0 ||
		    put_typed(p, m->type, offset, m->bit_offset, m->bit_size, depth + 1) != 0)
			return -1;
	}
	return put(p->hdl, p->out, "}");
}

static int put_elements(const typed_t *p, const dt_type_t *type, size_t at, int depth)
{
	dt_type_t *element = dt_type_resolve(p->hdl, type->ref);

	if (element->is_char && element->is_signed)
		return put_string(p->hdl, p->out, p->data + at,
				  strnlen(p->data + at, type->count));
	if (put(p->hdl, p->out, "[") != 0)
		return -1;
	for (uint32_t i = 0; i < type->count; i++) {
		if (put_comma(p->hdl, p->out) != 0 ||
		    put_typed(p, type->ref, at + i * (size_t)element->size, 0, 0, depth + 1) !=
			0)
			return -1;
	}
	return put(p->hdl, p->out, "]");
}

static int put_scalar(const typed_t *p, const dt_type_t *type, uint64_t value)
{
	const char *name = type->kind == DT_K_ENUM
			       ? dt_typed_enumerator(type, (int64_t)value)
			       : NULL;

	if (name != NULL)
		return put_string(p->hdl, p->out, name, strlen(name));
	if (type->is_bool)
		return put(p->hdl, p->out, value ? "true" : "false");
	if (type->is_signed)
		return dt_out_format(p->hdl, p->out, "%" PRId64, (int64_t)value);
	return dt_out_format(p->hdl, p->out, "%" PRIu64, value);
}

static int put_typed(const typed_t *p, dt_type_t *type, size_t at, uint32_t bit_offset,
		     uint32_t bit_size, int depth)
{
	dt_type_t *t = dt_type_resolve(p->hdl, type);
	size_t size = bit_size ? (bit_offset + bit_size + 7) / 8 : (size_t)t->size;
	uint64_t address = 0;

	if (t->kind == DT_K_STRING && at <= p->size)
		return put_string(p->hdl, p->out, p->data + at,
				  strnlen(p->data + at, p->size - at));
	if (depth > 64 || at > p->size || size > p->size - at)
		return put(p->hdl, p->out, "null");
	switch (t->kind) {
	case DT_K_INT:
	case DT_K_ENUM:
		return put_scalar(p, t,
				  dt_typed_integer(p->data + at, t, bit_offset, bit_size));
	case DT_K_PTR:
		memcpy(&address, p->data + at, sizeof(address));
		return dt_out_format(p->hdl, p->out, "%" PRIu64, address);
	case DT_K_STRUCT:
	case DT_K_UNION:
		return put_members(p, t, at, depth);
	case DT_K_ARRAY:
		return put_elements(p, t, at, depth);
	default:
		return put(p->hdl, p->out, "null");
	}
}

/* ---- Records ----------------------------------------------------------------------------- */

static int put_hex(dtrace_hdl_t *hdl, dt_outbuf_t *out, const char *data, size_t size)
{
	int err = put(hdl, out, "\"");

	for (size_t i = 0; i < size && err == 0; i++)
		err = dt_out_format(hdl, out, "%02x", (unsigned char)data[i]);
	return err != 0 ? err : put(hdl, out, "\"");
}

static int put_frames(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dtrace_recdesc_t *rec,
		      const char *data)
{
	bool is_user = rec->dtrd_action != DTRACEACT_STACK;
	uint32_t n = dt_stack_nframes(rec, is_user);
	dt_frametexts_t texts = dt_frametexts(rec, data);
	char text[SYMBOL_TEXT_MAX];
	uint64_t pid = 0, address;
	const char *script;

	if (is_user) {
		memcpy(&pid, data, sizeof(pid));
		data += sizeof(pid);
	}
	if (put(hdl, out, "[") != 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&address, data + i * sizeof(address), sizeof(address));
		if (address == 0)
			break;
		script = dt_frametexts_next(&texts);
		if (script != NULL)
			snprintf(text, sizeof(text), "%s", script);
		else if (is_user)
			dt_user_text(hdl, (pid_t)pid, address, text, sizeof(text));
		else
			dtrace_addr2str(hdl, address, text, sizeof(text));
		if (put_comma(hdl, out) != 0 || put_string(hdl, out, text, strlen(text)) != 0)
			return -1;
	}
	return put(hdl, out, "]");
}

/* A value of trace(), or a key: what its record tells of it. */
static int put_value(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dtrace_recdesc_t *rec,
		     const char *data)
{
	bool is_unsigned = rec->dtrd_uarg & DTRACE_REC_UNSIGNED;
	char text[SYMBOL_TEXT_MAX];
	uint64_t value;

	switch (rec->dtrd_action) {
	case DTRACEACT_STACK:
	case DTRACEACT_USTACK:
	case DTRACEACT_JSTACK:
		return put_frames(hdl, out, rec, data);
	case DTRACEACT_SYM:
	case DTRACEACT_MOD:
	case DTRACEACT_USYM:
	case DTRACEACT_UMOD:
	case DTRACEACT_UADDR:
		if (dt_symbol_text(hdl, rec->dtrd_action, data, text, sizeof(text)) < 0)
			return -1;
		return put_string(hdl, out, text, strlen(text));
	}
	if (rec->dtrd_uarg & DTRACE_REC_STRING)
		return put_string(hdl, out, data, strnlen(data, rec->dtrd_size));
	if ((rec->dtrd_uarg & DTRACE_REC_BYTES) ||
	    !dt_value_integer(data, rec->dtrd_size, !is_unsigned, &value))
		return put_hex(hdl, out, data, rec->dtrd_size);
	if (is_unsigned)
		return dt_out_format(hdl, out, "%" PRIu64, value);
	return dt_out_format(hdl, out, "%" PRId64, (int64_t)value);
}

/* Text that printa() writes, through a stream in memory. */
static int put_printa(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dt_eprobe_t *ep,
		      dtrace_probedata_t *pd, const dtrace_recdesc_t *rec, uint_t left,
		      char *shown)
{
	size_t size = 0;
	char *text = NULL;
	FILE *fp = open_memstream(&text, &size);
	int used;

	if (fp == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	used = dt_run_record(hdl, fp, ep, pd, rec, left, shown);
	if (fclose(fp) != 0)
		used = dt_set_errno(hdl, EDT_NOMEM);
	if (used > 0 && put_string(hdl, out, text, size) != 0)
		used = -1;
	free(text);
	return used;
}

static int put_printf(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dt_eprobe_t *ep,
		      const dtrace_recdesc_t *rec, uint_t left, const char *shown)
{
	const dt_recplan_t *plan = ep->ecb->plan;
	char *text;
	int used = dt_format_text(hdl, plan->formats[rec->dtrd_format - 1], rec, left, shown,
				  plan->size, &text);

	if (used < 0 || put_string(hdl, out, text, strlen(text)) != 0)
		return -1;
	return rec->dtrd_arg > 1 ? (int)rec->dtrd_arg : 1;
}

static int put_memory(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dtrace_recdesc_t *rec,
		      uint_t left, const char *shown)
{
	const char *bytes;
	size_t size;
	int used = dt_traced_memory(rec, left, shown, &bytes, &size);

	return put_hex(hdl, out, bytes, size) != 0 ? -1 : used;
}

/* pcap(): an object, the packet's bytes in it. */
static int put_packet(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dtrace_recdesc_t *rec,
		      const char *data)
{
	const char *bytes;
	dtrace_packet_t packet = dt_packet_read(rec, data, &bytes);

	if (dt_out_format(hdl, out,
			  "{\"time\":%" PRIu64 ",\"length\":%u,\"linktype\":%d,\"bytes\":",
			  packet.dtpk_time, packet.dtpk_length, packet.dtpk_linktype) != 0 ||
	    put_hex(hdl, out, bytes, packet.dtpk_captured) != 0)
		return -1;
	return put(hdl, out, "}");
}

int dt_json_begin(dtrace_hdl_t *hdl, const dtrace_probedata_t *pd)
{
	const dtrace_probedesc_t *probe = pd->dtpda_pdesc;
	dt_outbuf_t *out = json_out(hdl);

	if (out == NULL)
		return -1;
	out->length = 0;
	if (put(hdl, out, "{\"probe\":{") != 0 ||
	    put_text_member(hdl, out, "provider", probe->dtpd_provider) != 0 ||
	    put_text_member(hdl, out, "module", probe->dtpd_mod) != 0 ||
	    put_text_member(hdl, out, "function", probe->dtpd_func) != 0 ||
	    put_text_member(hdl, out, "name", probe->dtpd_name) != 0 ||
	    dt_out_format(hdl, out, "},\"cpu\":%d,", pd->dtpda_cpu) != 0)
		return -1;
	if (pd->dtpda_timestamp != 0 &&
	    dt_out_format(hdl, out, "\"timestamp\":%" PRIu64 ",", pd->dtpda_timestamp) != 0)
		return -1;
	if (pd->dtpda_pid >= 0 &&
	    dt_out_format(hdl, out, "\"pid\":%d,", pd->dtpda_pid) != 0)
		return -1;
	return put(hdl, out, "\"data\":[");
}

int dt_json_record(dtrace_hdl_t *hdl, FILE *fp, const dt_eprobe_t *ep, dtrace_probedata_t *pd,
		   const dtrace_recdesc_t *rec, uint_t left, char *shown)
{
	dt_outbuf_t *out = hdl->consumer->json;
	typed_t typed = {.hdl = hdl, .out = out, .data = shown + rec->dtrd_offset,
			 .size = rec->dtrd_size};

	/* These do something, or make lines of their own, and have no value. */
	if (rec->dtrd_action == DTRACEACT_SYSTEM || rec->dtrd_action == DTRACEACT_FREOPEN ||
	    (rec->dtrd_action == DTRACEACT_PRINTA && rec->dtrd_format == 0))
		return dt_run_record(hdl, fp, ep, pd, rec, left, shown);
	if (put_comma(hdl, out) != 0)
		return -1;
	switch (rec->dtrd_action) {
	case DTRACEACT_PRINTF:
		return put_printf(hdl, out, ep, rec, left, shown);
	case DTRACEACT_PRINTA:
		return put_printa(hdl, out, ep, pd, rec, left, shown);
	case DTRACEACT_TRACEMEM:
	case DTRACEACT_TRACEMEM_DYNSIZE:
		return put_memory(hdl, out, rec, left, shown);
	case DTRACEACT_PCAP:
		return put_packet(hdl, out, rec, typed.data) != 0 ? -1 : 1;
	case DTRACEACT_PRINT:
		return put_typed(&typed, ep->ecb->plan->fields[rec - ep->desc->dtepd_rec].type,
				 0, 0, 0, 0) != 0
			   ? -1
			   : 1;
	default:
		return put_value(hdl, out, rec, typed.data) != 0 ? -1 : 1;
	}
}

const char *dtrace_print_json(dtrace_hdl_t *hdl, const dtrace_probedata_t *pd,
			      const dtrace_recdesc_t *rec)
{
	const dt_eprobe_t *ep = hdl->consumer->eprobes[pd->dtpda_edesc->dtepd_epid - 1];
	dt_outbuf_t *out = json_out(hdl);
	typed_t typed = {.hdl = hdl, .out = out, .data = pd->dtpda_data, .size = rec->dtrd_size};
	dt_type_t *type = ep->ecb->plan->fields[rec - pd->dtpda_edesc->dtepd_rec].type;

	/* With oformat=json the buffer holds the line that the value goes into. */
	if (rec->dtrd_action != DTRACEACT_PRINT || dt_is_json(hdl)) {
		dt_set_errno(hdl, EDT_BADRECORD);
		return NULL;
	}
	if (out == NULL)
		return NULL;
	out->length = 0;
	if (put_typed(&typed, type, 0, 0, 0, 0) != 0 || dt_out_bytes(hdl, out, "", 1) != 0)
		return NULL;
	return out->text;
}

/* Ends the line that begins at the mark, writes it and takes it back. */
static int put_line(dtrace_hdl_t *hdl, FILE *fp, dt_outbuf_t *out, size_t mark)
{
	int written = -1;

	if (put(hdl, out, "}\n") == 0)
		written = dt_printf(hdl, fp, "%.*s", (int)(out->length - mark),
				    out->text + mark);
	out->length = mark;
	return written < 0 ? -1 : 0;
}

int dt_json_end(dtrace_hdl_t *hdl, FILE *fp, dtrace_probedata_t *pd)
{
	dt_outbuf_t *out = hdl->consumer->json;

	if (put(hdl, out, "]") != 0 || put_line(hdl, fp, out, 0) != 0)
		return -1;
	return dt_buffered_flush(hdl, pd, NULL, NULL, 0);
}

/* ---- Aggregations ---------------------------------------------------------------------------- */

static int put_bucket(dtrace_hdl_t *hdl, dt_outbuf_t *out, int64_t min, int64_t max,
		      int64_t count)
{
	if (count == 0)
		return 0;
	return put_comma(hdl, out) != 0
		   ? -1
		   : dt_out_format(hdl, out, "[[%" PRId64 ",%" PRId64 "],%" PRId64 "]", min, max,
				   count);
}

static int put_quantize(dtrace_hdl_t *hdl, dt_outbuf_t *out, const int64_t *counts,
			uint64_t normal)
{
	const uint32_t zero = DTRACE_QUANTIZE_ZEROBUCKET;

	for (uint32_t i = 0; i < DTRACE_QUANTIZE_NBUCKETS; i++) {
		int64_t low = DTRACE_QUANTIZE_BUCKETVAL(i), min = low, max = low;

		if (i < zero)
			min = i == 0 ? INT64_MIN : low * 2 + 1;
		else if (i > zero)
			max = i == DTRACE_QUANTIZE_NBUCKETS - 1 ? INT64_MAX : low * 2 - 1;
		if (put_bucket(hdl, out, min, max, dt_normalized(counts[i], normal)) != 0)
			return -1;
	}
	return 0;
}

static int put_lquantize(dtrace_hdl_t *hdl, dt_outbuf_t *out, const int64_t *value,
			 uint64_t normal)
{
	uint64_t arg = (uint64_t)value[0];
	uint32_t levels = DTRACE_LQUANTIZE_LEVELS(arg);

	for (uint32_t i = 0; i <= levels + 1; i++) {
		int64_t min = i == 0 ? INT64_MIN : dt_lquantize_bound(arg, i);
		int64_t max = i > levels ? INT64_MAX : dt_lquantize_bound(arg, i + 1) - 1;

		if (put_bucket(hdl, out, min, max, dt_normalized(value[i + 1], normal)) != 0)
			return -1;
	}
	return 0;
}

static int put_llquantize(dtrace_hdl_t *hdl, dt_outbuf_t *out, const int64_t *value,
			  uint64_t normal)
{
	uint32_t n = dt_agg_nbuckets(DTRACEAGG_LLQUANTIZE, (uint64_t)value[0]), at = 0, next;
	int64_t min = 0, bound;
	dt_llsteps_t steps;

	dt_llsteps_begin(&steps, (uint64_t)value[0]);
	while (at + 1 < n) {
		bool is_last = !dt_llsteps_next(&steps, &next, &bound);

		if (is_last)
			bound = steps.value;
		if (put_bucket(hdl, out, min, bound - 1, dt_normalized(value[at + 1], normal)) !=
		    0)
			return -1;
		min = bound;
		at++;
		if (is_last)
			break;
	}
	return put_bucket(hdl, out, min, INT64_MAX, dt_normalized(value[n], normal));
}

static int put_aggvalue(dtrace_hdl_t *hdl, dt_outbuf_t *out, const dtrace_recdesc_t *rec,
			const char *data, uint64_t normal)
{
	const int64_t *words = (const int64_t *)(const void *)data;
	int err;

	if (dt_agg_nbuckets(rec->dtrd_action, rec->dtrd_arg) == 0)
		return dt_out_format(hdl, out, "%" PRId64,
				     dt_agg_scalar(rec->dtrd_action, data, normal));
	if (put(hdl, out, "[") != 0)
		return -1;
	if (rec->dtrd_action == DTRACEAGG_QUANTIZE)
		err = put_quantize(hdl, out, words, normal);
	else if (rec->dtrd_action == DTRACEAGG_LQUANTIZE)
		err = put_lquantize(hdl, out, words, normal);
	else
		err = put_llquantize(hdl, out, words, normal);
	return err != 0 ? err : put(hdl, out, "]");
}

static int put_percpu(const dtrace_aggdata_t *agg, dt_outbuf_t *out,
		      const dtrace_recdesc_t *rec)
{
	dtrace_hdl_t *hdl = agg->dtada_handle;

	if (put(hdl, out, ",\"percpu\":[") != 0)
		return -1;
	for (int cpu = 0; cpu < dt_consumer_ncpus(hdl); cpu++) {
		if (put_comma(hdl, out) != 0 ||
		    put_aggvalue(hdl, out, rec, agg->dtada_percpu[cpu], agg->dtada_normal) != 0)
			return -1;
	}
	return put(hdl, out, "]");
}

int dt_json_agg(const dtrace_aggdata_t *agg, FILE *fp)
{
	dtrace_hdl_t *hdl = agg->dtada_handle;
	const dtrace_aggdesc_t *desc = agg->dtada_desc;
	const dtrace_recdesc_t *value = &desc->dtagd_rec[desc->dtagd_nrecs - 1];
	dt_outbuf_t *out = json_out(hdl);
	size_t mark; /* printa(): inside a record's line */

	if (out == NULL)
		return -1;
	mark = out->length;
	if (put(hdl, out, "{\"aggregation\":") != 0 ||
	    put_string(hdl, out, desc->dtagd_name, strlen(desc->dtagd_name)) != 0 ||
	    put(hdl, out, ",\"keys\":[") != 0)
		return -1;
	for (int i = 1; i < desc->dtagd_nrecs - 1; i++) {
		const dtrace_recdesc_t *rec = &desc->dtagd_rec[i];

		if (put_comma(hdl, out) != 0 ||
		    put_value(hdl, out, rec, agg->dtada_data + rec->dtrd_offset) != 0)
			return -1;
	}
	if (put(hdl, out, "],\"value\":") != 0 ||
	    put_aggvalue(hdl, out, value, agg->dtada_data + value->dtrd_offset,
			 agg->dtada_normal) != 0)
		return -1;
	if (agg->dtada_percpu != NULL && put_percpu(agg, out, value) != 0)
		return -1;
	if (put_line(hdl, fp, out, mark) != 0)
		return -1;
	return dt_buffered_flush(hdl, NULL, NULL, agg, DTRACE_BUFDATA_AGGLAST);
}
