/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go.c - tracing from its first probe to its last.
 *
 * Everything is attached before anything fires: while the activity is INACTIVE programs
 * leave at once. Then BEGIN is run, and only after it the others come alive, unless BEGIN
 * has called exit(). At the end END is run once nothing else fires, and what it records is
 * the last that a consumer is given.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "enable/enable.h"

static int64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Times that programs begin with: the wall clock's, and when each CPU began to count. */
static void set_clocks(dt_enabling_t *en)
{
	int64_t monotonic = now(CLOCK_MONOTONIC);

	en->state->wall_offset = now(CLOCK_REALTIME) - monotonic;
	for (uint32_t cpu = 0; cpu < en->env.npossible; cpu++)
		dt_cpu_words(en, cpu)->switched_at = (uint64_t)monotonic;
}

static void release(dt_enabling_t *en)
{
	dt_follow_stop(en);
	dt_programs_detach(en);
	dt_programs_unload(en);
}

/* ---- Buffers that are too large --------------------------------------------------- */

#define DT_SIZE_MIN 4096

/* The option that says how large a map is; DT_NOPTIONS: none does. */
static dt_option_t size_option(uint32_t map)
{
	switch (map) {
	case DT_MAP_PRINCIPAL:
		return DT_OPT_BUFSIZE;
	case DT_MAP_AGGREGATION:
		return DT_OPT_AGGSIZE;
	case DT_MAP_SPECDATA:
		return DT_OPT_SPECSIZE;
	default:
		return map >= DT_MAP_ASSOC ? DT_OPT_DYNVARSIZE : DT_NOPTIONS;
	}
}

/* The kernel has not so much memory: half of it, unless bufresize is manual. */
static bool lower_size(dtrace_hdl_t *hdl, const dt_enabling_t *en)
{
	dt_option_t option = size_option(en->map_failed);

	/* A principal buffer has room for a speculation behind it. */
	if (option == DT_OPT_BUFSIZE && en->env.commits &&
	    hdl->options[DT_OPT_SPECSIZE] > hdl->options[DT_OPT_BUFSIZE])
		option = DT_OPT_SPECSIZE;
	if (hdl->options[DT_OPT_BUFRESIZE] != DT_BUFRESIZE_AUTO || option == DT_NOPTIONS ||
	    (en->map_error != ENOMEM && en->map_error != E2BIG) ||
	    hdl->options[option] / 2 < DT_SIZE_MIN)
		return false;
	hdl->options[option] /= 2;
	return true;
}

static int prepare(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	for (;;) {
		if (dt_build(hdl, en) != 0)
			return -1;
		if (dt_maps_create(hdl, en) == 0)
			return 0;
		if (!lower_size(hdl, en))
			return -1;
		dt_maps_destroy(en);
		dt_build_reset(en);
	}
}

/* ---- Beginning and end --------------------------------------------------------------- */

/* Runs BEGIN, before which nothing has been recorded, and notes where its records are. */
static int fire_begin(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	if (!en->begin)
		return 0;
	if (dt_program_fire(hdl, en->begin) != 0)
		return -1;
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
		const volatile dt_kcpu_t *words = dt_cpu_words(en, cpu);
		uint32_t active = words->principal_active & 1,
			 used = words->principal_used[active];

		if (used != 0 && words->wraps == 0)
			en->begin_span = (dt_span_t){true, cpu, active, 0, used};
	}
	return 0;
}

/* Bytes in the buffer that is written. */
static uint32_t principal_used(const volatile dt_kcpu_t *words)
{
	return words->principal_used[words->principal_active & 1];
}

/* Runs END, while which nothing else records; its records follow what the buffers held. */
static int fire_end(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	uint32_t *before;
	int err;

	if (!en->end)
		return 0;
	before = dt_arena_alloc(en->arena, en->env.ncpus * sizeof(*before));
	if (!before)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++)
		before[cpu] = principal_used(dt_cpu_words(en, cpu));
	err = dt_program_fire(hdl, en->end);
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++) {
		uint32_t active = dt_cpu_words(en, cpu)->principal_active & 1,
			 used = principal_used(dt_cpu_words(en, cpu));

		if (used != before[cpu])
			en->end_span = (dt_span_t){true, cpu, active,
						   used > before[cpu] ? before[cpu] : 0, used};
	}
	return err;
}

#define ATTEMPTS 5

/*
 * Programs into the kernel. Its JIT on x86 finds the lengths of jumps by repetition, which
 * for a very few programs comes to no end (arch/x86/net/bpf_jit_comp.c: "fatal error", as
 * the program's load ends with ENOTSUPP, though it has been verified). Divided into
 * functions otherwise, it has other jumps.
 */
static int load(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	for (;;) {
		if (prepare(hdl, en) != 0)
			return -1;
		if (dt_programs_load(hdl, en) == 0)
			return 0;
		if (!en->is_untranslated || ++en->attempt == ATTEMPTS)
			return -1;
		dt_maps_destroy(en);
		dt_build_reset(en);
	}
}

static int start(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	if (load(hdl, en) != 0)
		return -1;
	set_clocks(en);
	if (dt_programs_attach(hdl, en) != 0 || dt_follow_start(hdl, en) != 0 ||
	    fire_begin(hdl, en) != 0)
		return -1;
	if (!en->state->exited && !en->state->filled)
		en->state->activity = DT_ACTIVITY_ACTIVE;
	return 0;
}

int dtrace_go(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;

	if (!en)
		return dt_set_error(hdl, EDT_NOTACTIVE, "nothing is enabled");
	if (en->phase == DT_PHASE_ACTIVE)
		return dt_set_errno(hdl, EDT_ACTIVE);
	if (en->phase == DT_PHASE_STOPPED)
		return dt_set_errno(hdl, EDT_STOPPED);
	if (start(hdl, en) != 0) {
		release(en);
		dt_maps_destroy(en);
		en->phase = DT_PHASE_STOPPED;
		return -1;
	}
	en->phase = DT_PHASE_ACTIVE;
	return 0;
}

int dtrace_stop(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	int err = 0;

	if (!en || en->phase == DT_PHASE_COMPILE)
		return dt_set_errno(hdl, EDT_NOTACTIVE);
	if (en->phase == DT_PHASE_STOPPED)
		return 0;
	en->state->activity = DT_ACTIVITY_DRAINING;
	dt_follow_stop(en);
	dt_programs_detach(en);
	/* What fired before may still be at work on another CPU. */
	for (uint32_t cpu = 0; cpu < en->env.npossible && err == 0; cpu++)
		err = dt_cpu_switch(hdl, en, cpu, DT_SWITCH_NONE);
	if (err > 0)
		err = dt_set_error(hdl, EBUSY, "a CPU is still busy with programs");
	if (fire_end(hdl, en) != 0)
		err = -1;
	en->state->activity = DT_ACTIVITY_STOPPED;
	en->phase = DT_PHASE_STOPPED;
	dt_programs_count_missed(en);
	/* Only the data that is still to be consumed remains. */
	dt_programs_unload(en);
	return err;
}
