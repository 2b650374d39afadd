/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.c - stacks and symbols. The library names an address as text:
 *
 *	module`symbol+0x1f    module`symbol    module`0x1234    symbol    0x1234
 *
 * where a symbol without a module is code that a program has made for itself.
 */
#include "addon.h"

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
}

static bool stack_next(da_consumer_t *c, frames_t *stack)
{
	if (stack->next >= stack->end)
		return false;
	stack->address = da_word(stack->data, stack->next++);
	if (stack->address == 0)
		return false;
	stack->text[0] = '\0';
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

static bool read_frames(da_consumer_t *c, frames_t *stack, da_value_t *value)
{
	uint32_t count = 0;

	value->kind = DA_VALUE_OBJECT;
	if (napi_create_array(c->env, &value->object) != napi_ok)
		return false;
	while (stack_next(c, stack)) {
		napi_value frame = frame_create(c->env, stack->text, stack->address);

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
