/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - makes system calls: umask(), the cheapest that does something, on one CPU.
 *
 * usage: calls CPU
 *
 * Obeys lines on standard input and answers each with one line:
 *
 *	measure CHUNKS CALLS	makes CHUNKS times CALLS calls; the lower quartile of the
 *				chunks' ns a call
 *	flood MILLISECONDS	calls without a pause; how many
 *
 * Chunks are far shorter than a time slice: what else the CPU is made to do in between
 * lengthens some of them, and the lower quartile does not see it.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHUNKS_MAX 100000

static double chunk_ns[CHUNKS_MAX];

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void make_calls(int n)
{
	while (n-- > 0)
		syscall(SYS_umask, 022);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double measure(int chunks, int calls)
{
	for (int i = 0; i < chunks; i++) {
		int64_t start = now();

		make_calls(calls);
		chunk_ns[i] = (double)(now() - start) / calls;
	}
	qsort(chunk_ns, (size_t)chunks, sizeof(chunk_ns[0]), compare);
	return chunk_ns[chunks / 4];
}

static long long flood(int ms)
{
	int64_t end = now() + ms * (int64_t)1000000;
	long long n = 0;

	for (; now() < end; n += 100)
		make_calls(100);
	return n;
}

int main(int argc, char *argv[])
{
	cpu_set_t set;
	char line[128];
	int a, b;

	if (argc != 2) {
		fprintf(stderr, "usage: calls CPU\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0) {
		perror("calls");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "measure %d %d", &a, &b) == 2 && a > 0 && a <= CHUNKS_MAX && b > 0)
			printf("%.2f\n", measure(a, b));
		else if (sscanf(line, "flood %d", &a) == 1)
			printf("%lld\n", flood(a));
		else
			return 2;
	}
	return 0;
}
