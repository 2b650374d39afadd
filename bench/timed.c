/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timed.c - runs a command to its end and tells what it took. A small program of its own,
 * because the peak memory that wait4() reports begins with that of the process that forked.
 *
 * usage: timed COMMAND [ARGUMENT ...]
 *
 * The command's output goes nowhere. Printed: wall time (ns), peak resident memory (KiB),
 * exit status, which is -1 when a signal ended it, and time on a CPU (us).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void run(char *argv[])
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

static long long microseconds(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char *argv[])
{
	struct rusage usage;
	int64_t start;
	pid_t pid;
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: timed COMMAND [ARGUMENT ...]\n");
		return 2;
	}
	start = now();
	pid = fork();
	if (pid == 0)
		run(argv + 1);
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
		perror("timed");
		return 1;
	}
	printf("%lld %ld %d %lld\n", (long long)(now() - start), usage.ru_maxrss,
	       WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	       microseconds(usage.ru_utime) + microseconds(usage.ru_stime));
	return 0;
}
