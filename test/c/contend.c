/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contend.c - threads that wait for each other's locks in the kernel, for tests of lockstat.
 *
 *	contend block		one thread sleeps once, for some 100 ms, for a mutex
 *	contend interrupt	so it does, until a signal ends it
 *	contend pipe		threads spin and sleep for a pipe's mutex, until they are killed
 *	contend file		threads sleep for a file's semaphore, as writers
 *	contend descriptors	threads spin for the lock of the table of descriptors
 *
 * Who writes to a terminal holds its mutex while there is no room. The thread that sleeps is
 * the second that writes to a terminal nobody reads from.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define LIMIT_S 600 /* nobody waits longer */

static char data[1 << 20];
static int to, from;

/* ---- A terminal ---------------------------------------------------------------- */

typedef struct writer {
	pthread_t thread;
	atomic_int tid; /* it is about to write */
	size_t bytes;
} writer_t;

static void *write_once(void *argument)
{
	writer_t *writer = argument;

	atomic_store(&writer->tid, (int)syscall(SYS_gettid));
	if (write(to, data, writer->bytes) < 0)
		return NULL; /* interrupted */
	return writer;
}

static char state_of(int tid)
{
	char path[64], text[256] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "re");
	if (!f)
		return '?';
	end = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	return end ? end[2] : '?';
}

static void start_and_wait_until_asleep(writer_t *writer)
{
	pthread_create(&writer->thread, NULL, write_once, writer);
	while (!atomic_load(&writer->tid) || state_of(writer->tid) != 'S')
		usleep(1000);
}

static void ignore(int signal)
{
	(void)signal;
}

static int use_terminal(bool interrupt)
{
	static writer_t first = {.bytes = sizeof(data)}, second = {.bytes = 1};
	static char in[65536];
	const struct sigaction action = {.sa_handler = ignore};
	size_t left = first.bytes + (interrupt ? 0 : second.bytes);
	struct termios raw;

	from = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (from < 0 || grantpt(from) != 0 || unlockpt(from) != 0)
		return 1;
	to = open(ptsname(from), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (to < 0 || tcgetattr(to, &raw) != 0)
		return 1;
	cfmakeraw(&raw);
	tcsetattr(to, TCSANOW, &raw);
	sigaction(SIGUSR1, &action, NULL);
	start_and_wait_until_asleep(&first);
	start_and_wait_until_asleep(&second);
	usleep(100000); /* what it sleeps at least */
	if (interrupt) {
		pthread_kill(second.thread, SIGUSR1);
		pthread_join(second.thread, NULL);
	}
	while (left > 0) {
		ssize_t n = read(from, in, sizeof(in));

		if (n <= 0)
			return 1;
		left -= (size_t)n;
	}
	pthread_join(first.thread, NULL);
	return 0;
}

/* ---- Until they are killed ----------------------------------------------------------- */

static void *write_pipe(void *argument)
{
	while (write(to, data, 65536) > 0)
		continue;
	return argument;
}

static void *read_pipe(void *argument)
{
	static char in[65536];

	while (read(from, in, sizeof(in)) > 0)
		continue;
	return argument;
}

static void *write_file(void *argument)
{
	while (pwrite(to, data, sizeof(data), 0) > 0)
		continue;
	return argument;
}

static void *use_descriptors(void *argument)
{
	for (int fd; (fd = dup(0)) >= 0;)
		close(fd);
	return argument;
}

static void start(void *(*function)(void *))
{
	pthread_t thread;

	pthread_create(&thread, NULL, function, NULL);
}

static int use_pipe(void)
{
	int ends[2];

	if (pipe(ends) != 0)
		return 1;
	from = ends[0];
	to = ends[1];
	start(read_pipe);
	start(write_pipe);
	return 0;
}

int main(int argc, char *argv[])
{
	const char *how = argc > 1 ? argv[1] : "";
	void *(*function)(void *) = NULL;

	alarm(LIMIT_S);
	if (strcmp(how, "block") == 0 || strcmp(how, "interrupt") == 0)
		return use_terminal(strcmp(how, "interrupt") == 0);
	if (strcmp(how, "pipe") == 0 && use_pipe() == 0)
		function = write_pipe;
	else if (strcmp(how, "file") == 0 && (to = memfd_create("contended", 0)) >= 0)
		function = write_file;
	else if (strcmp(how, "descriptors") == 0)
		function = use_descriptors;
	if (!function)
		return 1;
	for (long n = sysconf(_SC_NPROCESSORS_ONLN) + 1; n > 1; n--)
		start(function);
	function(NULL);
	return 1;
}
