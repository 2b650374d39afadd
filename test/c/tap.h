/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h - what a C test needs: numbered results on stdout in the Test Anything Protocol,
 * which test/c.test.js reads. A test program is a list of functions, run in order:
 *
 *	static void opens(void)
 *	{
 *		dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, NULL);
 *
 *		CHECK(dtp != NULL);
 *		dtrace_close(dtp);
 *	}
 *
 *	int main(void)
 *	{
 *		return RUN({"a handle opens", opens});
 *	}
 *
 * The first CHECK that fails ends its function and is reported with its line; the next
 * function runs all the same.
 */
#ifndef TAP_H
#define TAP_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct tap_test {
	const char *name;
	void (*run)(void);
} tap_test_t;

static jmp_buf tap_unwind;

static inline void tap_check(bool passed, const char *text, const char *file, int line,
			     const char *why)
{
	if (passed)
		return;
	printf("# %s:%d: %s is false%s%s\n", file, line, text, why ? ": " : "",
	       why ? why : "");
	longjmp(tap_unwind, 1);
}

/* From the main thread only. */
#define CHECK(condition) tap_check(condition, #condition, __FILE__, __LINE__, NULL)
/* With the library's words for what went wrong. */
#define CHECK_DT(dtp, condition)                                                           \
	do {                                                                               \
		bool tap_passed = (condition);                                             \
		tap_check(tap_passed, #condition, __FILE__, __LINE__,                      \
			  dtrace_errmsg(dtp, dtrace_errno(dtp)));                          \
	} while (0)
#define CHECK_STR(a, b) tap_check(strcmp(a, b) == 0, #a " == " #b, __FILE__, __LINE__, a)

static inline int tap_run(const tap_test_t *tests, size_t count)
{
	volatile int failures = 0;

	printf("1..%zu\n", count);
	for (volatile size_t i = 0; i < count; i++) {
		bool failed = setjmp(tap_unwind) != 0;

		if (!failed)
			tests[i].run();
		failures += failed;
		printf("%s %zu - %s\n", failed ? "not ok" : "ok", i + 1, tests[i].name);
		fflush(stdout);
	}
	return failures != 0;
}

#define RUN(...)                                                                           \
	tap_run((const tap_test_t[]){__VA_ARGS__},                                         \
		sizeof((const tap_test_t[]){__VA_ARGS__}) / sizeof(tap_test_t))

#endif
