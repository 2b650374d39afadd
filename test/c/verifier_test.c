/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_test.c - whatever the compiler accepts, the kernel's verifier accepts: programs
 * made at random (dgen.h) are compiled, loaded, run and taken down again.
 *
 *	verifier_test			a few seconds' worth, from a fixed seed and one at random
 *	verifier_test SEED COUNT	the programs SEED, SEED + 1 ...
 *	verifier_test SEED		that program, which is also printed
 */
#include <time.h>

#include "dgen.h"
#include "dtrace.h"
#include "tap.h"

#define SECONDS 4 /* for each test */

static int on_fault(const dtrace_errdata_t *data, void *argument)
{
	(void)data;
	(void)argument;
	return DTRACE_HANDLE_OK;
}

static int on_drop(const dtrace_dropdata_t *data, void *argument)
{
	(void)data;
	(void)argument;
	return DTRACE_HANDLE_OK;
}

static int on_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		     void *argument)
{
	(void)data;
	(void)record;
	(void)argument;
	return DTRACE_CONSUME_NEXT;
}

/* Options that change how code is generated. */
static void set_options(dtrace_hdl_t *dtp, dgen_t *g)
{
	static const char *const sizes[] = {"2", "3", "7", "16", "33", "100", "1000", "4096",
					    "20000", "65536"};

	if (dgen_below(g, 3) == 0)
		dtrace_setopt(dtp, "strsize",
			      sizes[dgen_below(g, sizeof(sizes) / sizeof(sizes[0]))]);
	if (dgen_below(g, 8) == 0)
		dtrace_setopt(dtp, "temporal", NULL);
	if (dgen_below(g, 8) == 0)
		dtrace_setopt(dtp, "bufpolicy", dgen_below(g, 2) ? "ring" : "fill");
	if (dgen_below(g, 8) == 0)
		dtrace_setopt(dtp, "aggsize", "256k");
	if (dgen_below(g, 8) == 0)
		dtrace_setopt(dtp, "bufsize", "64k");
}

typedef enum outcome { LOADED, NOT_COMPILED, TOO_LARGE, REFUSED } outcome_t;

static char why[4096];

static outcome_t outcome(dtrace_hdl_t *dtp, const char *text, FILE *fp)
{
	dtrace_prog_t *prog =
	    dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);

	if (prog == NULL)
		return NOT_COMPILED;
	if (dtrace_program_exec(dtp, prog, NULL) != 0 || dtrace_go(dtp) != 0)
		return strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "too large") ||
			       strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), " more than ") ||
			       strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "too small")
			   ? TOO_LARGE
			   : REFUSED;
	if (dtrace_stop(dtp) != 0 || dtrace_consume(dtp, fp, NULL, on_record, NULL) != 0 ||
	    dtrace_aggregate_snap(dtp) != 0)
		return REFUSED;
	return LOADED;
}

/* Compiles, loads, runs. */
static outcome_t try_program(uint64_t seed, bool show)
{
	FILE *fp = fopen("/dev/null", "w");
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, NULL);
	outcome_t result;
	dgen_t g;

	CHECK(dtp != NULL);
	CHECK(fp != NULL);
	dgen_init(&g, seed);
	set_options(dtp, &g);
	dgen_program(&g);
	if (show)
		fputs(g.text, stderr);
	dtrace_handle_err(dtp, on_fault, NULL);
	dtrace_handle_drop(dtp, on_drop, NULL);
	result = outcome(dtp, g.text, fp);
	snprintf(why, sizeof(why), "program %llu: %s", (unsigned long long)seed,
		 dtrace_errmsg(dtp, dtrace_errno(dtp)));
	dgen_fini(&g);
	dtrace_close(dtp);
	fclose(fp);
	return result;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Programs from the seed on, for some seconds. */
static void try_programs(uint64_t seed)
{
	double end = now() + SECONDS;
	uint64_t first = seed, loaded = 0;

	while (now() < end) {
		outcome_t result = try_program(seed++, false);

		if (result == REFUSED)
			printf("# %s\n", why);
		CHECK(result != REFUSED);
		loaded += result == LOADED;
	}
	printf("# %llu of %llu programs loaded\n", (unsigned long long)loaded,
	       (unsigned long long)(seed - first));
	CHECK(loaded > (seed - first) / 2);
}

static void fixed_seed(void)
{
	try_programs(1);
}

static void random_seed(void)
{
	uint64_t seed = (uint64_t)time(NULL) * 1000;

	printf("# seed %llu\n", (unsigned long long)seed);
	try_programs(seed);
}

/* By hand: says what is refused, goes on. */
static int by_hand(uint64_t seed, uint64_t count)
{
	uint64_t results[4] = {0};

	for (uint64_t i = 0; i < count; i++) {
		outcome_t result = try_program(seed + i, count == 1);

		results[result]++;
		if (result == REFUSED || count == 1 ||
		    (result != LOADED && getenv("SHOW") != NULL))
			printf("%s\n", why);
	}
	printf("%llu loaded, %llu not compiled, %llu too large, %llu refused\n",
	       (unsigned long long)results[LOADED], (unsigned long long)results[NOT_COMPILED],
	       (unsigned long long)results[TOO_LARGE], (unsigned long long)results[REFUSED]);
	return results[REFUSED] != 0;
}

int main(int argc, char *argv[])
{
	if (argc > 1)
		return by_hand(strtoull(argv[1], NULL, 0),
			       argc > 2 ? strtoull(argv[2], NULL, 0) : 1);
	return RUN({"what the compiler accepts, the kernel accepts", fixed_seed},
		   {"and so it is for other programs", random_seed});
}
