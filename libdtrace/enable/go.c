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
	for (uint32_t cpu = 0; cpu < en->env.ncpus; cpu++)
		en->cpus[cpu].switched_at = (uint64_t)monotonic;
}

static void release(dt_enabling_t *en)
{
	dt_programs_detach(en);
	dt_programs_unload(en);
}

static int start(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	if (dt_build(hdl, en) != 0 || dt_maps_create(hdl, en) != 0 ||
	    dt_programs_load(hdl, en) != 0)
		return -1;
	set_clocks(en);
	if (dt_programs_attach(hdl, en) != 0)
		return -1;
	if (en->begin && dt_program_fire(hdl, en->begin) != 0)
		return -1;
	if (!en->state->exited)
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
	dt_programs_detach(en);
	/* What fired before may still be at work on another CPU. */
	for (uint32_t cpu = 0; cpu < en->env.ncpus && err == 0; cpu++)
		err = dt_cpu_switch(hdl, en, cpu, DT_SWITCH_NONE);
	if (en->end && dt_program_fire(hdl, en->end) != 0)
		err = -1;
	en->state->activity = DT_ACTIVITY_STOPPED;
	en->phase = DT_PHASE_STOPPED;
	return err;
}
