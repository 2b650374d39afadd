/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c - what goes to JavaScript, gathered into batches.
 *
 * Entering JavaScript costs more than reading a record, so values are not handed over one
 * by one. An item says what it belongs to (a slot: the number of a probe, or of an
 * aggregation) and what kind of value it is; it goes into memory shared with JavaScript, as
 * do numbers. Only other values need a call of Node-API, and go along as arguments of the
 * call that delivers the batch:
 *
 *	items    | slot 0, NUMBER | slot 0, VALUE | slot 0, END | slot 1, VALUE | ...
 *	numbers  |             42 |               |        time |               | ...
 *	cpus     |                |               |           1 |               | ...
 *	pids     |                |               |        4711 |               | ...
 *	deliver(count, value of item 1, value of item 3, ...)
 */
#include "addon.h"

bool da_batch_init(da_consumer_t *c, napi_value object)
{
	const size_t numbers_size = DA_BATCH_ITEMS * sizeof(*c->batch.numbers);
	const size_t items_size = DA_BATCH_ITEMS * sizeof(*c->batch.items);
	napi_env env = c->env;
	napi_value memory, items, cpus, pids, numbers;
	void *bytes;

	if (napi_create_arraybuffer(env, numbers_size + 3 * items_size, &bytes, &memory) ||
	    napi_create_typedarray(env, napi_float64_array, DA_BATCH_ITEMS, memory, 0,
				   &numbers) ||
	    napi_create_typedarray(env, napi_int32_array, DA_BATCH_ITEMS, memory,
				   numbers_size, &items) ||
	    napi_create_typedarray(env, napi_int32_array, DA_BATCH_ITEMS, memory,
				   numbers_size + items_size, &cpus) ||
	    napi_create_typedarray(env, napi_int32_array, DA_BATCH_ITEMS, memory,
				   numbers_size + 2 * items_size, &pids) ||
	    napi_create_reference(env, memory, 1, &c->batch.memory)) {
		da_throw(env, "couldn't make the batch");
		return false;
	}
	c->batch.numbers = bytes;
	c->batch.items = (int32_t *)((char *)bytes + numbers_size);
	c->batch.cpus = c->batch.items + DA_BATCH_ITEMS;
	c->batch.pids = c->batch.cpus + DA_BATCH_ITEMS;
	da_set(env, object, "numbers", numbers);
	da_set(env, object, "items", items);
	da_set(env, object, "cpus", cpus);
	da_set(env, object, "pids", pids);
	return true;
}

void da_batch_fini(da_consumer_t *c)
{
	if (c->batch.memory)
		napi_delete_reference(c->env, c->batch.memory);
}

void da_batch_begin(da_consumer_t *c, napi_value deliver)
{
	c->batch.deliver = deliver;
	c->batch.nitems = 0;
	c->batch.nvalues = 0;
	c->batch.is_broken = false;
	c->batch.is_enough = false;
	napi_open_handle_scope(c->env, &c->batch.scope);
}

void da_batch_flush(da_consumer_t *c)
{
	da_batch_t *batch = &c->batch;
	napi_value receiver, answer;
	bool is_enough = false;

	if (batch->nitems == 0 || batch->is_broken)
		return;
	napi_get_undefined(c->env, &receiver);
	napi_create_uint32(c->env, batch->nitems, &batch->arguments[0]);
	if (napi_call_function(c->env, receiver, batch->deliver, 1 + batch->nvalues,
			       batch->arguments, &answer) != napi_ok)
		batch->is_broken = true;
	else if (napi_get_value_bool(c->env, answer, &is_enough) == napi_ok && is_enough)
		batch->is_enough = true;
	batch->nitems = 0;
	batch->nvalues = 0;
	napi_close_handle_scope(c->env, batch->scope);
	napi_open_handle_scope(c->env, &batch->scope);
}

void da_batch_end(da_consumer_t *c)
{
	da_batch_flush(c);
	napi_close_handle_scope(c->env, c->batch.scope);
}

static void push(da_consumer_t *c, uint32_t slot, da_item_t kind)
{
	da_batch_t *batch = &c->batch;

	batch->items[batch->nitems++] = (int32_t)(slot << DA_ITEM_BITS | kind);
	if (batch->nitems == DA_BATCH_ITEMS)
		da_batch_flush(c);
}

/* value NULL: an exception is pending. */
static void add_argument(da_consumer_t *c, napi_value value)
{
	if (!value)
		c->batch.is_broken = true;
	else
		c->batch.arguments[1 + c->batch.nvalues++] = value;
}

void da_batch_push(da_consumer_t *c, uint32_t slot, const da_value_t *value)
{
	if (value->kind == DA_VALUE_NUMBER) {
		c->batch.numbers[c->batch.nitems] = value->number;
		push(c, slot, DA_ITEM_NUMBER);
		return;
	}
	add_argument(c, da_value_create(c->env, value));
	if (!c->batch.is_broken)
		push(c, slot, value->kind == DA_VALUE_JSON ? DA_ITEM_JSON : DA_ITEM_VALUE);
}

/* What is told of a firing, at the item that ends it. */
static void put_firing(da_batch_t *batch, const dtrace_probedata_t *data)
{
	batch->cpus[batch->nitems] = data->dtpda_cpu;
#ifdef DTRACE_EXTENSIONS
	batch->pids[batch->nitems] = data->dtpda_pid;
#else
	batch->pids[batch->nitems] = -1;
#endif
}

void da_batch_push_end(da_consumer_t *c, uint32_t slot, const dtrace_probedata_t *data)
{
	da_batch_t *batch = &c->batch;
	da_item_t kind = DA_ITEM_END;
	da_value_t time;

	da_value_set_uint64(c, data ? data->dtpda_timestamp : 0, &time);
	if (time.kind == DA_VALUE_NUMBER) {
		batch->numbers[batch->nitems] = time.number;
	} else {
		kind = DA_ITEM_EXACTEND;
		add_argument(c, da_value_create(c->env, &time));
	}
	if (data)
		put_firing(batch, data);
	push(c, slot, kind);
}
