/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.c - bytes of a record as values of JavaScript.
 *
 * Our own library tells the kind of a value's D type in dtrd_uarg. Others tell only size,
 * alignment and the action that traced it: there an integer is what has the size and the
 * alignment of one, and is signed, and all else is a string that ends at the first NUL.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

#define IS_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#define EXACT (INT64_C(1) << 53) /* up to here a number is exact */

bool da_buffer_append(da_buffer_t *buffer, const char *bytes, size_t length)
{
	size_t need = buffer->length + length + 1;

	if (need > buffer->capacity) {
		size_t capacity = need < 256 ? 256 : need * 2;
		char *grown = realloc(buffer->bytes, capacity);

		if (!grown)
			return false;
		buffer->bytes = grown;
		buffer->capacity = capacity;
	}
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	return true;
}

uint64_t da_word(const char *data, uint32_t index)
{
	uint64_t value;

	memcpy(&value, data + index * sizeof(value), sizeof(value));
	return value;
}

/* ---- Reading ----------------------------------------------------------------- */

void da_value_set_text(da_value_t *value, const char *text, size_t length)
{
	value->kind = DA_VALUE_TEXT;
	value->text = text;
	value->length = length;
}

void da_value_set_int64(const da_consumer_t *c, int64_t integer, da_value_t *value)
{
	value->kind = DA_VALUE_NUMBER;
	value->number = (double)integer;
	if (c->is_exact && (integer > EXACT || integer < -EXACT) &&
	    napi_create_bigint_int64(c->env, integer, &value->object) == napi_ok)
		value->kind = DA_VALUE_OBJECT;
}

void da_value_set_uint64(const da_consumer_t *c, uint64_t integer, da_value_t *value)
{
	value->kind = DA_VALUE_NUMBER;
	value->number = (double)integer;
	if (c->is_exact && integer > EXACT &&
	    napi_create_bigint_uint64(c->env, integer, &value->object) == napi_ok)
		value->kind = DA_VALUE_OBJECT;
}

static bool is_integer(const dtrace_recdesc_t *rec)
{
	uint32_t size = rec->dtrd_size;

#ifdef DTRACE_EXTENSIONS
	if (rec->dtrd_uarg & (DTRACE_REC_STRING | DTRACE_REC_BYTES))
		return false;
#endif
	if (rec->dtrd_alignment == 1 && size > 1) /* characters, however few */
		return false;
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool is_unsigned(const dtrace_recdesc_t *rec)
{
#ifdef DTRACE_EXTENSIONS
	return rec->dtrd_uarg & DTRACE_REC_UNSIGNED;
#else
	(void)rec;
	return false;
#endif
}

static void read_integer(const da_consumer_t *c, const dtrace_recdesc_t *rec,
			 const char *data, da_value_t *value)
{
	uint32_t unused_bits = 64 - 8 * rec->dtrd_size;
	uint64_t bits = 0;

	memcpy((char *)&bits + (IS_BIG_ENDIAN ? sizeof(bits) - rec->dtrd_size : 0), data,
	       rec->dtrd_size);
	if (is_unsigned(rec))
		da_value_set_uint64(c, bits, value);
	else
		da_value_set_int64(c, (int64_t)(bits << unused_bits) >> unused_bits, value);
}

static bool read_bytes(const da_consumer_t *c, const dtrace_recdesc_t *rec,
		       const char *data, da_value_t *value)
{
	value->kind = DA_VALUE_OBJECT;
	return napi_create_buffer_copy(c->env, rec->dtrd_size, data, NULL,
				       &value->object) == napi_ok;
}

static bool read_traced(const da_consumer_t *c, const dtrace_recdesc_t *rec,
			const char *data, da_value_t *value)
{
	if (is_integer(rec)) {
		read_integer(c, rec, data, value);
		return true;
	}
#ifdef DTRACE_EXTENSIONS
	if (c->is_whole && (rec->dtrd_uarg & DTRACE_REC_BYTES))
		return read_bytes(c, rec, data, value);
#endif
	da_value_set_text(value, data, strnlen(data, rec->dtrd_size));
	return true;
}

bool da_value_read(da_consumer_t *c, const dtrace_recdesc_t *rec, const char *data,
		   da_value_t *value)
{
	switch (rec->dtrd_action) {
	case DTRACEACT_DIFEXPR:
		return read_traced(c, rec, data, value);
	case DTRACEACT_TRACEMEM:
		return read_bytes(c, rec, data, value);
	case DTRACEACT_SYM:
	case DTRACEACT_MOD:
	case DTRACEACT_USYM:
	case DTRACEACT_UMOD:
	case DTRACEACT_UADDR:
		return da_symbol_read(c, rec->dtrd_action, data, value);
	case DTRACEACT_STACK:
	case DTRACEACT_USTACK:
	case DTRACEACT_JSTACK:
		return da_stack_read(c, rec, data, value);
	default:
		return false;
	}
}

/* ---- Making ------------------------------------------------------------------ */

static bool is_ascii(const char *text, size_t length)
{
	uint64_t bits = 0;
	size_t i = 0;

	for (; i + sizeof(bits) <= length; i += sizeof(bits)) {
		uint64_t eight;

		memcpy(&eight, text + i, sizeof(eight));
		bits |= eight;
	}
	for (; i < length; i++)
		bits |= (unsigned char)text[i];
	return (bits & 0x8080808080808080u) == 0;
}

napi_value da_text_create(napi_env env, const char *text, size_t length)
{
	napi_value result = NULL;

	if (is_ascii(text, length)) /* the quicker way, and the usual case */
		napi_create_string_latin1(env, text, length, &result);
	else
		napi_create_string_utf8(env, text, length, &result);
	return result;
}

napi_value da_value_create(napi_env env, const da_value_t *value)
{
	switch (value->kind) {
	case DA_VALUE_TEXT:
	case DA_VALUE_JSON:
		return da_text_create(env, value->text, value->length);
	case DA_VALUE_OBJECT:
		return value->object;
	default:
		return da_number(env, value->number);
	}
}

napi_value da_number(napi_env env, double number)
{
	napi_value result = NULL;

	napi_create_double(env, number, &result);
	return result;
}

void da_set(napi_env env, napi_value object, const char *name, napi_value value)
{
	if (value)
		napi_set_named_property(env, object, name, value);
}

void da_set_text(napi_env env, napi_value object, const char *name, const char *text)
{
	da_set(env, object, name,
	       da_text_create(env, text ? text : "", text ? strlen(text) : 0));
}

napi_value da_probe_create(napi_env env, const dtrace_probedesc_t *desc)
{
	napi_value probe = NULL, function;

	if (napi_create_object(env, &probe) != napi_ok)
		return NULL;
	function = da_text_create(env, desc->dtpd_func, strlen(desc->dtpd_func));
	da_set_text(env, probe, "provider", desc->dtpd_provider);
	da_set_text(env, probe, "module", desc->dtpd_mod);
	da_set(env, probe, "function", function);
	da_set(env, probe, "func", function);
	da_set_text(env, probe, "name", desc->dtpd_name);
	return probe;
}

const char *da_action_name(dtrace_actkind_t action)
{
	static const struct {
		dtrace_actkind_t action;
		const char *name;
	} names[] = {
	    {DTRACEACT_NONE, "<none>"},
	    {DTRACEACT_DIFEXPR, "trace"},
	    {DTRACEACT_EXIT, "exit"},
	    {DTRACEACT_PRINTF, "printf"},
	    {DTRACEACT_PRINTA, "printa"},
	    {DTRACEACT_LIBACT, "<library action>"},
	    {DTRACEACT_TRACEMEM, "tracemem"},
	    {DTRACEACT_USTACK, "ustack"},
	    {DTRACEACT_JSTACK, "jstack"},
	    {DTRACEACT_USYM, "usym"},
	    {DTRACEACT_UMOD, "umod"},
	    {DTRACEACT_UADDR, "uaddr"},
	    {DTRACEACT_STOP, "stop"},
	    {DTRACEACT_RAISE, "raise"},
	    {DTRACEACT_SYSTEM, "system"},
	    {DTRACEACT_FREOPEN, "freopen"},
	    {DTRACEACT_STACK, "stack"},
	    {DTRACEACT_SYM, "sym"},
	    {DTRACEACT_MOD, "mod"},
	    {DTRACEACT_BREAKPOINT, "breakpoint"},
	    {DTRACEACT_PANIC, "panic"},
	    {DTRACEACT_CHILL, "chill"},
	    {DTRACEACT_SPECULATE, "speculate"},
	    {DTRACEACT_COMMIT, "commit"},
	    {DTRACEACT_DISCARD, "discard"},
	    {DTRACEAGG_COUNT, "count"},
	    {DTRACEAGG_MIN, "min"},
	    {DTRACEAGG_MAX, "max"},
	    {DTRACEAGG_AVG, "avg"},
	    {DTRACEAGG_SUM, "sum"},
	    {DTRACEAGG_STDDEV, "stddev"},
	    {DTRACEAGG_QUANTIZE, "quantize"},
	    {DTRACEAGG_LQUANTIZE, "lquantize"},
#ifdef DTRACEAGG_LLQUANTIZE
	    {DTRACEAGG_LLQUANTIZE, "llquantize"},
#endif
#ifdef DTRACEACT_PCAP
	    {DTRACEACT_PCAP, "pcap"},
#endif
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].action == action)
			return names[i].name;
	return "<unknown action>";
}
