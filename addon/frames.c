/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.c - stacks and symbols. The library names an address as text:
 *
 *	module`symbol+0x1f    module`symbol    module`0x1234    symbol    0x1234
 *
 * where a symbol without a module is code that a program has made for itself.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_SIZE 4096 /* bytes: a path, a symbol and an offset */

/* Where the offset into a symbol begins, or NULL. */
static char *find_offset(char *text)
{
	char *plus = strrchr(text, '+');

	return plus && plus[1] == '0' && plus[2] == 'x' ? plus : NULL;
}

static void cut_offset(char *text)
{
	char *plus = find_offset(text);

	if (plus)
		*plus = '\0';
}

static void cut_symbol(char *text)
{
	char *tick = strrchr(text, '`');

	if (tick)
		*tick = '\0';
}

/* sym() and usym() are the symbol, mod() and umod() its module, uaddr() also the offset. */
bool da_symbol_read(da_consumer_t *c, dtrace_actkind_t action, const char *data,
		    da_value_t *value)
{
	char text[SYMBOL_SIZE] = "";
	bool is_kernel = action == DTRACEACT_SYM || action == DTRACEACT_MOD;

	if (is_kernel)
		dtrace_addr2str(c->dtp, da_word(data, 0), text, sizeof(text));
	else
		dtrace_uaddr2str(c->dtp, (pid_t)da_word(data, 0), da_word(data, 1), text,
				 sizeof(text));
	if (action == DTRACEACT_MOD || action == DTRACEACT_UMOD)
		cut_symbol(text);
	else if (action != DTRACEACT_UADDR)
		cut_offset(text);

	c->text.length = 0;
	if (!da_buffer_append(&c->text, text, strlen(text)))
		return false;
	da_value_set_text(value, c->text.bytes, c->text.length);
	return true;
}

/* ---- Stacks ------------------------------------------------------------------ */

/* The frames of a stack, innermost first. */
typedef struct frames {
	bool is_kernel;
	const char *data;
	uint32_t next, end; /* words of data */
	const char *names;  /* jstack(): of the next frame and those after it, each empty or
			     * the frame's name and a NUL */
	size_t names_size;
	bool is_named;	    /* text is such a name */
	char text[SYMBOL_SIZE];
	uint64_t address;
} frames_t;

static void stack_begin(frames_t *stack, const dtrace_recdesc_t *rec, const char *data)
{
	uint32_t words = rec->dtrd_size / sizeof(uint64_t);

	stack->is_kernel = rec->dtrd_action == DTRACEACT_STACK;
	stack->data = data;
	stack->next = stack->is_kernel ? 0 : 1; /* a user stack begins with the process */
	stack->end = words;
	if (!stack->is_kernel && stack->next + DTRACE_USTACK_NFRAMES(rec->dtrd_arg) < words)
		stack->end = stack->next + DTRACE_USTACK_NFRAMES(rec->dtrd_arg);
	stack->names = data + stack->end * sizeof(uint64_t);
	stack->names_size = rec->dtrd_action == DTRACEACT_JSTACK
				? rec->dtrd_size - stack->end * sizeof(uint64_t)
				: 0;
}

/* The name that the record has for the next frame, into text. False: it has none. */
static bool take_name(frames_t *stack)
{
	size_t length = strnlen(stack->names, stack->names_size);

	if (length == stack->names_size)
		return false;
	snprintf(stack->text, sizeof(stack->text), "%s", stack->names);
	stack->names += length + 1;
	stack->names_size -= length + 1;
	return length > 0;
}

static bool stack_next(da_consumer_t *c, frames_t *stack)
{
	if (stack->next >= stack->end)
		return false;
	stack->address = da_word(stack->data, stack->next++);
	if (stack->address == 0)
		return false;
	stack->text[0] = '\0';
	stack->is_named = take_name(stack);
	if (stack->is_named)
		return true;
	if (stack->is_kernel)
		dtrace_addr2str(c->dtp, stack->address, stack->text, sizeof(stack->text));
	else
		dtrace_uaddr2str(c->dtp, (pid_t)da_word(stack->data, 0), stack->address,
				 stack->text, sizeof(stack->text));
	return true;
}

static bool read_lines(da_consumer_t *c, frames_t *stack, da_value_t *value)
{
	bool is_first = true;

	c->text.length = 0;
	if (!da_buffer_append(&c->text, "", 0))
		return false;
	for (; stack_next(c, stack); is_first = false) {
		if (!is_first && !da_buffer_append(&c->text, "\n", 1))
			return false;
		if (!da_buffer_append(&c->text, stack->text, strlen(stack->text)))
			return false;
	}
	da_value_set_text(value, c->text.bytes, c->text.length);
	return true;
}

/* {symbol, module, offset, address}; what is not known is null. */
static napi_value frame_create(napi_env env, char *text, uint64_t address)
{
	napi_value frame, symbol, module, offset, exact;
	char *tick = strchr(text, '`'), *name = tick ? tick + 1 : text, *plus;

	napi_get_null(env, &symbol);
	module = offset = symbol;
	if (tick)
		module = da_text_create(env, text, (size_t)(tick - text));
	if (strncmp(name, "0x", 2) != 0) {
		plus = find_offset(name);
		offset = da_number(env, plus ? (double)strtoull(plus + 1, NULL, 16) : 0);
		symbol =
		    da_text_create(env, name, plus ? (size_t)(plus - name) : strlen(name));
	}
	if (napi_create_object(env, &frame) != napi_ok ||
	    napi_create_bigint_uint64(env, address, &exact) != napi_ok)
		return NULL;
	da_set(env, frame, "symbol", symbol);
	da_set(env, frame, "module", module);
	da_set(env, frame, "offset", offset);
	da_set(env, frame, "address", exact);
	return frame;
}

/* {symbol, module, offset, address, file, line} of "symbol at file:line"; the line is absent
 * where the script has no file, and both where nothing is known of it. */
static napi_value script_frame_create(napi_env env, char *text, uint64_t address)
{
	char *at = strstr(text, " at "), *colon = at ? strrchr(at, ':') : NULL, *position;
	char *end = colon ? colon + 1 : NULL;
	long line = colon ? strtol(colon + 1, &end, 10) : 0;
	napi_value frame, none, exact;

	if (at)
		*at = '\0';
	position = at ? strstr(at + 4, " position ") : NULL;
	if (position)
		*position = '\0';
	else if (line > 0 && *end == '\0')
		*colon = '\0';
	if (napi_create_object(env, &frame) != napi_ok ||
	    napi_create_bigint_uint64(env, address, &exact) != napi_ok ||
	    napi_get_null(env, &none) != napi_ok)
		return NULL;
	da_set(env, frame, "symbol", da_text_create(env, text, strlen(text)));
	da_set(env, frame, "module", none);
	da_set(env, frame, "offset", none);
	da_set(env, frame, "address", exact);
	if (at)
		da_set(env, frame, "file", da_text_create(env, at + 4, strlen(at + 4)));
	if (!position && line > 0 && *end == '\0')
		da_set(env, frame, "line", da_number(env, (double)line));
	return frame;
}

static bool read_frames(da_consumer_t *c, frames_t *stack, da_value_t *value)
{
	uint32_t count = 0;

	value->kind = DA_VALUE_OBJECT;
	if (napi_create_array(c->env, &value->object) != napi_ok)
		return false;
	while (stack_next(c, stack)) {
		napi_value frame =
		    (stack->is_named ? script_frame_create
				     : frame_create)(c->env, stack->text, stack->address);

		if (!frame ||
		    napi_set_element(c->env, value->object, count++, frame) != napi_ok)
			return false;
	}
	return true;
}

bool da_stack_read(da_consumer_t *c, const dtrace_recdesc_t *rec, const char *data,
		   da_value_t *value)
{
	frames_t stack;

	stack_begin(&stack, rec, data);
	return c->is_whole ? read_frames(c, &stack, value) : read_lines(c, &stack, value);
}
