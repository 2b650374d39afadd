/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speculate.c - the consumer's part in speculations: what a commit() could not take with
 * it, because other CPUs hold it or because it interrupted a program (see
 * codegen/speculate.c). Such a speculation is in the state "committing" and belongs to the
 * consumer: no program adds to it any more, once those that had begun are done.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "consume/turn.h"

static uint64_t load_word(const dt_enabling_t *en, uint32_t spec)
{
	return __atomic_load_n(&en->specs[spec], __ATOMIC_ACQUIRE);
}

static bool is_committing(uint64_t word)
{
	return (word & 0xff) == DT_SPEC_COMMITTING;
}

static bool any_committing(const dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->env.nspec; i++)
		if (is_committing(load_word(en, i)))
			return true;
	return false;
}

/* Free for the next speculation(); what its buffers hold is of a generation past. */
static void release(dt_enabling_t *en, uint32_t spec, uint64_t word)
{
	uint64_t generation = (word >> DT_SPEC_GENERATION_SHIFT) + 1;

	__atomic_store_n(&en->specs[spec], generation << DT_SPEC_GENERATION_SHIFT,
			 __ATOMIC_RELEASE);
}

static int consume_part(const dt_turn_t *t, uint32_t spec, uint32_t cpu, uint64_t word,
			char *buffer)
{
	const dt_enabling_t *en = t->hdl->enabling;
	uint32_t index = spec * en->env.ncpus + cpu;
	dt_drain_t d = {.data = buffer + sizeof(dt_kspec_t)};
	dt_kspec_t head;
	dt_krecord_t r;
	int err = bpf_map_lookup_elem(en->maps[DT_MAP_SPECDATA], &index, buffer);

	if (err != 0)
		return dt_set_error(t->hdl, -err, "cannot read a speculation: %s",
				    strerror(-err));
	memcpy(&head, buffer, sizeof(head));
	if (head.generation != (uint32_t)(word >> DT_SPEC_GENERATION_SHIFT))
		return 0;
	d.end = head.used < en->env.specsize ? head.used : en->env.specsize;
	while (dt_drain_peek(t->hdl, &d, &r)) {
		d.at += r.size;
		if (dt_consume_record(t, cpu, &r) != 0)
			return -1;
	}
	return 0;
}

static int consume_all(const dt_turn_t *t, const uint64_t *found, char *buffer)
{
	dt_enabling_t *en = t->hdl->enabling;
	int err = 0;

	for (uint32_t i = 0; i < en->env.nspec; i++) {
		/* A program may have been about to end the commit by itself. */
		if (!is_committing(found[i]) || load_word(en, i) != found[i])
			continue;
		for (uint32_t cpu = 0; cpu < en->env.ncpus && err == 0; cpu++)
			err = consume_part(t, i, cpu, found[i], buffer);
		release(en, i, found[i]);
	}
	return err;
}

int dt_specs_consume(const dt_turn_t *t)
{
	dt_enabling_t *en = t->hdl->enabling;
	uint64_t *found;
	char *buffer;
	int err = 0;

	if (!en->specs || en->maps[DT_MAP_SPECDATA] < 0 || !any_committing(en))
		return 0;
	found = calloc(en->env.nspec, sizeof(*found));
	buffer = calloc(1, sizeof(dt_kspec_t) + ((en->env.specsize + 7) & ~7u));
	if (!found || !buffer) {
		free(found);
		free(buffer);
		return dt_set_errno(t->hdl, EDT_NOMEM);
	}
	for (uint32_t i = 0; i < en->env.nspec; i++)
		found[i] = load_word(en, i);
	/* Whoever was at work when the words were read is done then. */
	for (uint32_t cpu = 0; cpu < en->env.ncpus && err == 0; cpu++)
		err = dt_cpu_switch(t->hdl, en, cpu, DT_SWITCH_NONE);
	if (err == 0)
		err = consume_all(t, found, buffer);
	free(found);
	free(buffer);
	return err < 0 ? -1 : 0;
}
