/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.c - how long a D program takes to compile, and to be running.
 *
 * usage: compile FILE REPEATS
 *
 * Printed, medians in ns: dtrace_program_strcompile() alone in a fresh handle; everything
 * from dtrace_open() to the return of dtrace_go().
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dtrace.h"

#define TEXT_MAX (1u << 20)
#define REPEATS_MAX 10000

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t median(int64_t *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), compare);
	return v[n / 2];
}

/* 0, or -1 after telling why. */
static int run(const char *text, int64_t *compiled, int64_t *running)
{
	int64_t start = now(), opened;
	int error;
	dtrace_hdl_t *hdl = dtrace_open(DTRACE_VERSION, 0, &error);
	dtrace_prog_t *program;

	if (!hdl) {
		fprintf(stderr, "compile: %s\n", dtrace_errmsg(NULL, error));
		return -1;
	}
	opened = now();
	program = dtrace_program_strcompile(hdl, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	*compiled = now() - opened;
	if (!program || dtrace_program_exec(hdl, program, NULL) != 0 || dtrace_go(hdl) != 0) {
		fprintf(stderr, "compile: %s\n", dtrace_errmsg(hdl, dtrace_errno(hdl)));
		dtrace_close(hdl);
		return -1;
	}
	*running = now() - start;
	dtrace_close(hdl);
	return 0;
}

int main(int argc, char *argv[])
{
	static char text[TEXT_MAX];
	static int64_t compiled[REPEATS_MAX], running[REPEATS_MAX];
	int n = argc == 3 ? atoi(argv[2]) : 0;
	FILE *fp = n > 0 && n <= REPEATS_MAX ? fopen(argv[1], "r") : NULL;

	if (!fp) {
		fprintf(stderr, "usage: compile FILE REPEATS\n");
		return 2;
	}
	text[fread(text, 1, sizeof(text) - 1, fp)] = '\0';
	fclose(fp);
	for (int i = 0; i < n; i++)
		if (run(text, &compiled[i], &running[i]) != 0)
			return 1;
	printf("%lld %lld\n", (long long)median(compiled, n), (long long)median(running, n));
	return 0;
}
