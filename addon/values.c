/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.c - bytes of a record as numbers and text.
 *
 * The public interface tells a value's size, its alignment and the action that traced it,
 * not its D type. An integer is what has the size and the alignment of one, and is signed
 * as C's are; all else is a string that ends at the first NUL.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

#define SYMBOL_SIZE 4096 /* bytes: a path, a symbol and an offset */

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

static uint64_t word(const char *data, uint32_t index)
{
	uint64_t value;

	memcpy(&value, data + index * sizeof(value), sizeof(value));
	return value;
}

static bool read_integer(const dtrace_recdesc_t *rec, const char *data, double *number)
{
	uint32_t size = rec->dtrd_size;
	int8_t i8;
	int16_t i16;
	int32_t i32;

	if (rec->dtrd_alignment == 1 && size > 1) /* characters, however few */
		return false;
	switch (size) {
	case 1:
		memcpy(&i8, data, size);
		*number = i8;
		return true;
	case 2:
		memcpy(&i16, data, size);
		*number = i16;
		return true;
	case 4:
		memcpy(&i32, data, size);
		*number = i32;
		return true;
	case 8:
		*number = (double)(int64_t)word(data, 0);
		return true;
	default:
		return false;
	}
}

static void set_text(da_value_t *value, const char *text, size_t length)
{
	value->is_text = true;
	value->text = text;
	value->length = length;
}

/* Ends the text where the offset into a symbol begins. */
static void cut_offset(char *text)
{
	char *plus = strrchr(text, '+');

	if (plus && plus[1] == '0' && plus[2] == 'x')
		*plus = '\0';
}

static void cut_symbol(char *text)
{
	char *tick = strrchr(text, '`');

	if (tick)
		*tick = '\0';
}

/* sym() and usym() are the symbol, mod() and umod() its module, uaddr() also the offset. */
static bool read_symbol(da_consumer_t *c, dtrace_actkind_t action, const char *data,
			da_value_t *value)
{
	char text[SYMBOL_SIZE] = "";
	bool is_kernel = action == DTRACEACT_SYM || action == DTRACEACT_MOD;

	if (is_kernel)
		dtrace_addr2str(c->dtp, word(data, 0), text, sizeof(text));
	else
		dtrace_uaddr2str(c->dtp, (pid_t)word(data, 0), word(data, 1), text,
				 sizeof(text));
	if (action == DTRACEACT_MOD || action == DTRACEACT_UMOD)
		cut_symbol(text);
	else if (action != DTRACEACT_UADDR)
		cut_offset(text);

	c->text.length = 0;
	if (!da_buffer_append(&c->text, text, strlen(text)))
		return false;
	set_text(value, c->text.bytes, c->text.length);
	return true;
}

/* A frame a line, innermost first. */
static bool read_stack(da_consumer_t *c, const dtrace_recdesc_t *rec, const char *data,
		       da_value_t *value)
{
	bool is_kernel = rec->dtrd_action == DTRACEACT_STACK;
	uint32_t words = rec->dtrd_size / sizeof(uint64_t);
	uint32_t first = is_kernel ? 0 : 1; /* a user stack begins with the process */
	uint32_t end = is_kernel ? words : first + DTRACE_USTACK_NFRAMES(rec->dtrd_arg);
	char text[SYMBOL_SIZE];

	c->text.length = 0;
	if (!da_buffer_append(&c->text, "", 0))
		return false;
	for (uint32_t i = first; i < end && i < words && word(data, i) != 0; i++) {
		text[0] = '\0';
		if (is_kernel)
			dtrace_addr2str(c->dtp, word(data, i), text, sizeof(text));
		else
			dtrace_uaddr2str(c->dtp, (pid_t)word(data, 0), word(data, i), text,
					 sizeof(text));
		if (i > first && !da_buffer_append(&c->text, "\n", 1))
			return false;
		if (!da_buffer_append(&c->text, text, strlen(text)))
			return false;
	}
	set_text(value, c->text.bytes, c->text.length);
	return true;
}

bool da_value_read(da_consumer_t *c, const dtrace_recdesc_t *rec, const char *data,
		   da_value_t *value)
{
	switch (rec->dtrd_action) {
	case DTRACEACT_DIFEXPR:
		value->is_text = false;
		if (!read_integer(rec, data, &value->number))
			set_text(value, data, strnlen(data, rec->dtrd_size));
		return true;
	case DTRACEACT_SYM:
	case DTRACEACT_MOD:
	case DTRACEACT_USYM:
	case DTRACEACT_UMOD:
	case DTRACEACT_UADDR:
		return read_symbol(c, rec->dtrd_action, data, value);
	case DTRACEACT_STACK:
	case DTRACEACT_USTACK:
	case DTRACEACT_JSTACK:
		return read_stack(c, rec, data, value);
	default:
		return false;
	}
}

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
	napi_value result = NULL;

	if (value->is_text)
		return da_text_create(env, value->text, value->length);
	napi_create_double(env, value->number, &result);
	return result;
}

void da_set(napi_env env, napi_value object, const char *name, napi_value value)
{
	if (value)
		napi_set_named_property(env, object, name, value);
}

napi_value da_probe_create(napi_env env, const dtrace_probedesc_t *desc)
{
	napi_value probe = NULL, function;

	if (napi_create_object(env, &probe) != napi_ok)
		return NULL;
	function = da_text_create(env, desc->dtpd_func, strlen(desc->dtpd_func));
	da_set(env, probe, "provider",
	       da_text_create(env, desc->dtpd_provider, strlen(desc->dtpd_provider)));
	da_set(env, probe, "module",
	       da_text_create(env, desc->dtpd_mod, strlen(desc->dtpd_mod)));
	da_set(env, probe, "function", function);
	da_set(env, probe, "func", function);
	da_set(env, probe, "name",
	       da_text_create(env, desc->dtpd_name, strlen(desc->dtpd_name)));
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
#ifdef DTRACEACT_PCAP
	    {DTRACEACT_PCAP, "pcap"},
#endif
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].action == action)
			return names[i].name;
	return "<unknown action>";
}
