/* SPDX-License-Identifier: Apache-2.0 */
/*
 * victim.c - a process to trace: makes the system calls its arguments order, and few
 * others.
 *
 *	victim umask N		umask(N & 0777) N times, from N down to 1
 *	victim write TEXT	write(1, TEXT)
 *	victim open PATH	openat(PATH) for reading
 *	victim compat N		calls of 32 bits, N each of number 20 (getpid) and 0
 *				(restart_syscall); where there are none, SIGSEGV ends it
 *	victim exit N		nothing; ends with status N
 *	victim kill N		ends by signal N
 *	victim wait		until it is killed
 *
 * Several orders may follow one another.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As programs for x86 of 32 bits do. */
static void compat_call(int number)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number)
			 : "memory", "r8", "r9", "r10", "r11");
#else
	(void)number;
	raise(SIGSEGV);
#endif
}

static void order(const char *verb, const char *object)
{
	int number = atoi(object);

	if (strcmp(verb, "umask") == 0) {
		for (; number > 0; number--)
			umask((mode_t)number & 0777);
	} else if (strcmp(verb, "write") == 0) {
		if (write(STDOUT_FILENO, object, strlen(object)) < 0)
			_exit(99);
	} else if (strcmp(verb, "open") == 0) {
		(void)open(object, O_RDONLY);
	} else if (strcmp(verb, "compat") == 0) {
		for (; number > 0; number--) {
			compat_call(20);
			compat_call(0);
		}
	} else if (strcmp(verb, "exit") == 0) {
		_exit(number);
	} else if (strcmp(verb, "kill") == 0) {
		raise(number);
	}
}

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "wait") == 0)
			for (;;)
				pause();
		if (i + 1 < argc)
			order(argv[i], argv[i + 1]);
	}
	return 0;
}
