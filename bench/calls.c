/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - makes calls to measure, on one CPU: system calls (umask(), the cheapest that does
 * something), calls of a function of its own, and passes of a static probe.
 *
 * usage: calls CPU
 *
 * Obeys lines on standard input and answers each with one line:
 *
 *	measure CHUNKS CALLS	makes CHUNKS times CALLS system calls; the lower quartile of
 *				the chunks' ns a call
 *	enter CHUNKS CALLS	the same with calls of calls_function()
 *	fire CHUNKS CALLS	the same with passes of the probe calls:fired
 *	flood MILLISECONDS	calls without a pause; how many
 *
 * Chunks are far shorter than a time slice: what else the CPU is made to do in between
 * lengthens some of them, and the lower quartile does not see it.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

__attribute__((noipa)) int calls_function(int a)
{
	return a + 1;
}

static void enter_function(int n)
{
	while (n-- > 0)
		calls_function(n);
}

/* What <sys/sdt.h> does: a nop, and a note that tells where it is. */
static void fire_probe(int n)
{
	while (n-- > 0)
		__asm__ volatile("990:	nop\n"
				 "	.pushsection .note.stapsdt,\"\",\"note\"\n"
				 "	.balign 4\n"
				 "	.4byte 992f-991f, 994f-993f, 3\n"
				 "991:	.asciz \"stapsdt\"\n"
				 "992:	.balign 4\n"
				 "993:	.8byte 990b, 0, 0\n"
				 "	.asciz \"calls\"\n"
				 "	.asciz \"fired\"\n"
				 "	.asciz \"-4@%0\"\n"
				 "994:	.balign 4\n"
				 "	.popsection\n" ::"r"(n));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double measure(void (*make)(int), int chunks, int calls)
{
	for (int i = 0; i < chunks; i++) {
		int64_t start = now();

		make(calls);
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

/* The work of a line that begins with this word; NULL: none. */
static void (*work_of(const char *word))(int)
{
	if (strcmp(word, "measure") == 0)
		return make_calls;
	if (strcmp(word, "enter") == 0)
		return enter_function;
	return strcmp(word, "fire") == 0 ? fire_probe : NULL;
}

int main(int argc, char *argv[])
{
	cpu_set_t set;
	char line[128], word[16];
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
		if (sscanf(line, "%15s %d %d", word, &a, &b) == 3 && work_of(word) && a > 0 &&
		    a <= CHUNKS_MAX && b > 0)
			printf("%.2f\n", measure(work_of(word), a, b));
		else if (sscanf(line, "flood %d", &a) == 1)
			printf("%lld\n", flood(a));
		else
			return 2;
	}
	return 0;
}
