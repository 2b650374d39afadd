/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static.c - a process with static probes and functions to trace.
 *
 *	static N	fires each probe N times, then ends
 *	static N wait	the same once it gets SIGUSR1, again and again; says "ready" first
 *	static N fork	has a child once it gets SIGUSR1, which fires each probe N times every
 *			few milliseconds until its parent ends; says "ready" first
 *
 * Its function leave() ends by a jump to last(); unwind() is left by a thread that ends, for
 * which the stack is unwound. odd() returns its argument, by instructions that do something
 * else where they are executed elsewhere; table() returns 7, which is data in its code; none() is a return,
 * and no more. All are called once by fire().
 *
 * Probes, of the provider "victim", fired for i from 0 to N - 1:
 *
 *	start		no arguments
 *	tick		i, -i, "text", the constant 42, a member of an array
 *	guarded__one	i, only while somebody traces it
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)

/* What <sys/sdt.h> does: a nop, and a note that tells where it is. */
#define PROBE(provider, name, semaphore, args, ...)                                        \
	__asm__ volatile("990:	nop\n"                                                     \
			 "	.pushsection .note.stapsdt,\"\",\"note\"\n"                \
			 "	.balign 4\n"                                               \
			 "	.4byte 992f-991f, 994f-993f, 3\n"                          \
			 "991:	.asciz \"stapsdt\"\n"                                      \
			 "992:	.balign 4\n"                                               \
			 "993:	.8byte 990b, _.stapsdt.base, " semaphore "\n"              \
			 "	.asciz \"" provider "\"\n"                                 \
			 "	.asciz \"" name "\"\n"                                     \
			 "	.asciz \"" args "\"\n"                                     \
			 "994:	.balign 4\n"                                               \
			 "	.popsection\n"                                             \
			 "	.ifndef _.stapsdt.base\n"                                  \
			 "	.pushsection .stapsdt.base,\"aG\",\"progbits\","           \
			 ".stapsdt.base,comdat\n"                                          \
			 "	.weak _.stapsdt.base\n"                                    \
			 "	.hidden _.stapsdt.base\n"                                  \
			 "_.stapsdt.base: .space 1\n"                                      \
			 "	.size _.stapsdt.base, 1\n"                                 \
			 "	.popsection\n"                                             \
			 "	.endif\n" ::__VA_ARGS__)

__attribute__((section(".probes"), used)) volatile unsigned short victim_guarded_semaphore;

static volatile sig_atomic_t woken;

static void wake(int signal_number)
{
	(void)signal_number;
	woken = 1;
}

__attribute__((noipa)) int add(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return a + b + c + d + e + f + g + h;
}

__attribute__((noipa)) uint64_t factorial(uint64_t n)
{
	uint64_t below = n < 2 ? 1 : factorial(n - 1);

	__asm__("" : "+r"(below)); /* so that it is not made a loop */
	return n * below;
}

__attribute__((noipa)) int last(int a)
{
	return a + 1;
}

__attribute__((noipa)) int leave(int a)
{
	return last(a + 1);
}

long odd(long n);
int table(void);
void none(void);
#if defined(__x86_64__)
__asm__(".text\n"
	".type odd, @function\n"
	"odd:	pushfq\n"
	"	popfq\n"
	"	mov $39, %eax\n" /* getpid */
	"	syscall\n"
	"	mov %rdi, %r8\n"
	"	xor %eax, %eax\n"
	"	xchg %r8, %rax\n"
	"	ret\n"
	".size odd, . - odd\n"
	".type table, @function\n"
	"table:	lea 1f(%rip), %rdx\n"
	"	mov (%rdx), %eax\n"
	"	ret\n"
	"1:	.4byte 7\n"
	".size table, . - table\n"
	".type none, @function\n"
	"none:	ret\n"
	".size none, . - none\n");
#else
long odd(long n)
{
	return n;
}
int table(void)
{
	return 7;
}
void none(void)
{
}
#endif

__attribute__((noipa)) void *unwind(void *argument)
{
	if (argument)
		pthread_exit(NULL);
	return NULL;
}

__attribute__((noipa)) void *thread(void *argument)
{
	void *result = unwind(argument);

	__asm__("" : "+r"(result)); /* so that it is a call */
	return result;
}

__attribute__((noipa)) void fire(int n)
{
	pthread_t other;

	volatile int32_t array[4] = {10, 20, 30, 40};
	const char *text = "text";

	PROBE("victim", "start", "0", "", "i"(0));
	for (int i = 0; i < n; i++) {
		int64_t index = i & 3;

		PROBE("victim", "tick", "0",
		      "-4@%[i] -8@%[minus] 8@%[text] 4@$42 -4@(%[array],%[index],4)",
		      [i] "r"(i), [minus] "r"((int64_t)-i), [text] "r"(text),
		      [array] "r"(&array[0]), [index] "r"(index));
		if (victim_guarded_semaphore)
			PROBE("victim", "guarded__one", "victim_guarded_semaphore",
			      "-4@%[i]", [i] "r"(i));
		add(1, 2, 3, 4, 5, 6, 7, i);
	}
	factorial((uint64_t)n);
	leave(n);
	none();
	if (odd(n) != n || table() != 7)
		abort();
	if (pthread_create(&other, NULL, thread, &n) == 0)
		pthread_join(other, NULL);
}

/* The child of `static N fork`. */
static _Noreturn void fire_on(int n)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fire(n);
		usleep(3000);
	}
}

int main(int argc, char *argv[])
{
	int n = argc > 1 ? atoi(argv[1]) : 1;

	if (argc < 3) {
		fire(n);
		return 0;
	}
	signal(SIGUSR1, wake);
	puts("ready");
	fflush(stdout);
	for (;;) {
		while (!woken)
			usleep(1000);
		woken = 0;
		if (strcmp(argv[2], "fork") != 0)
			fire(n);
		else if (fork() == 0)
			fire_on(n);
	}
}
