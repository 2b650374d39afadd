/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enabling.c - what has been asked for: clauses, each with the probes that its
 * descriptions match at the time of dtrace_program_exec().
 */
#include <stdlib.h>
#include <string.h>

#include "enable/enable.h"
#include "lang/source.h"

bool dt_is_active(const dtrace_hdl_t *hdl)
{
	return hdl->enabling && hdl->enabling->phase == DT_PHASE_ACTIVE;
}

static dt_enabling_t *enabling_of(dtrace_hdl_t *hdl)
{
	dt_arena_t *arena;
	dt_enabling_t *en;

	if (hdl->enabling)
		return hdl->enabling;
	arena = dt_arena_create();
	en = arena ? dt_arena_alloc(arena, sizeof(*en)) : NULL;
	if (!en) {
		if (arena)
			dt_arena_destroy(arena);
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	en->arena = arena;
	en->enabled_tail = &en->enabled;
	en->switch_fd = -1;
	for (int i = 0; i < DT_NHELPERS; i++)
		en->helpers[i].fd = en->helpers[i].link = -1;
	hdl->enabling = en;
	return en;
}

void dt_enabling_fini(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;

	if (!en)
		return;
	dt_follow_stop(en);
	dt_programs_detach(en);
	dt_programs_unload(en);
	dt_maps_destroy(en);
	free(en->env.strings);
	dt_arena_destroy(en->arena); /* en itself is in it */
	hdl->enabling = NULL;
}

static int add_probe(dtrace_hdl_t *hdl, dt_probe_t *probe, void *arg)
{
	dt_enabled_t *enabled = arg;

	if (dt_arena_grow(hdl->enabling->arena, &enabled->probes, sizeof(*enabled->probes),
			  enabled->nprobes, &enabled->capacity) != 0)
		return dt_set_errno(hdl, EDT_NOMEM);
	enabled->probes[enabled->nprobes++] = probe;
	return 0;
}

static int enable_clause(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_clause_t *clause,
			 uint32_t cflags, uint32_t *matches)
{
	char name[DTRACE_FULLNAMELEN];

	for (dt_pdesc_t *pd = clause->pdescs; pd; pd = pd->next) {
		dt_enabled_t *enabled = dt_arena_alloc(en->arena, sizeof(*enabled));
		uint32_t n = 0;

		if (!enabled)
			return dt_set_errno(hdl, EDT_NOMEM);
		enabled->clause = clause;
		enabled->desc = &pd->desc;
		enabled->grower = dt_probe_grower(hdl, &pd->desc, &enabled->grower_pid);
		if (dt_probe_match(hdl, &pd->desc, add_probe, enabled, &n) < 0)
			return -1;
		if (n == 0 && !(cflags & DTRACE_C_ZDEFS))
			return dt_set_error(hdl, EDT_NOPROBE,
					    "line %d: probe description %s does not match any "
					    "probes",
					    DT_LINE_NUMBER(pd->line),
					    dtrace_desc2str(&pd->desc, name, sizeof(name)));
		*matches += clause->is_part ? 0 : n;
		*en->enabled_tail = enabled;
		en->enabled_tail = &enabled->next;
	}
	return 0;
}

int dtrace_program_exec(dtrace_hdl_t *hdl, dtrace_prog_t *prog, dtrace_proginfo_t *info)
{
	dt_enabling_t *en = enabling_of(hdl);
	dt_enabled_t **mark;
	uint32_t matches = 0;
	dtrace_optval_t destructive = DTRACEOPT_UNSET;

	if (!en)
		return -1;
	if (en->phase == DT_PHASE_ACTIVE)
		return dt_set_errno(hdl, EDT_ACTIVE);
	if (en->phase == DT_PHASE_STOPPED)
		return dt_set_errno(hdl, EDT_STOPPED);
	dtrace_getopt(hdl, "destructive", &destructive);
	mark = en->enabled_tail;
	for (dt_clause_t *c = prog->clauses; c; c = c->next) {
		int failed = 0;

		if (c->destructive && destructive == DTRACEOPT_UNSET)
			failed = dt_set_errno(hdl, EDT_DESTRUCTIVE);
		if (failed ||
		    enable_clause(hdl, en, c, prog->cflags | hdl->cflags, &matches) != 0) {
			/* All of the program or nothing of it. */
			en->enabled_tail = mark;
			*mark = NULL;
			return -1;
		}
	}
	prog->info.dpi_matches = matches;
	if (info)
		*info = prog->info;
	return 0;
}
