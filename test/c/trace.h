/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - what tests of tracing share: handles with options and a program, and workers,
 * processes of the test's own that make a known number of umask() calls, one worker a CPU.
 *
 *	workers_t w;
 *	dtrace_hdl_t *dtp;
 *
 *	workers_start(&w, 1000);
 *	dtp = trace_program("syscall::umask:entry/ppid == $pid/ { trace(arg0); }",
 *			    "bufsize=4k", NULL);
 *	CHECK_DT(dtp, dtrace_go(dtp) == 0);
 *	workers_run(&w);
 *	... dtrace_work() until workers_done(&w) ...
 *
 * Start workers before tracing and let them run after it has begun: a worker waits until
 * then, and whatever happens it ends with its parent. Worker number n calls
 * umask(calls - 1), umask(calls - 2) ... umask(0).
 */
#ifndef TRACE_H
#define TRACE_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dtrace.h"
#include "tap.h"

#define MAXWORKERS 4

/* ---- Handles ------------------------------------------------------------------------- */

static inline dtrace_hdl_t *trace_open(void)
{
	int error = 0;
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, &error);

	tap_check(dtp != NULL, "dtrace_open()", __FILE__, __LINE__,
		  dtrace_errmsg(NULL, error));
	return dtp;
}

static inline void trace_option(dtrace_hdl_t *dtp, const char *option)
{
	char name[64];
	const char *value = strchr(option, '=');

	snprintf(name, sizeof(name), "%.*s", (int)(value ? value - option : 63), option);
	CHECK_DT(dtp, dtrace_setopt(dtp, name, value ? value + 1 : NULL) == 0);
}

/* The program compiled and enabled, with options "name=value" up to NULL. */
static inline dtrace_hdl_t *trace_program(const char *text, ...)
{
	dtrace_hdl_t *dtp = trace_open();
	const char *option;
	dtrace_prog_t *prog;
	va_list ap;

	va_start(ap, text);
	while ((option = va_arg(ap, const char *)) != NULL)
		trace_option(dtp, option);
	va_end(ap);
	prog = dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	CHECK_DT(dtp, prog != NULL);
	CHECK_DT(dtp, dtrace_program_exec(dtp, prog, NULL) == 0);
	return dtp;
}

static inline FILE *trace_nowhere(void)
{
	FILE *fp = fopen("/dev/null", "we");

	CHECK(fp != NULL);
	return fp;
}

/* ---- Workers --------------------------------------------------------------------------- */

typedef struct workers {
	int n;
	pid_t pids[MAXWORKERS];
	int start; /* closing it lets them run */
} workers_t;

static inline void worker(int start, int cpu, int calls)
{
	cpu_set_t set;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0 || read(start, &byte, 1) != 0)
		_exit(1);
	while (calls-- > 0)
		umask((mode_t)calls);
	_exit(0);
}

/* One on each of the first CPUs. */
static inline void workers_start(workers_t *w, int calls)
{
	int fds[2], cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	w->start = fds[1];
	for (w->n = 0; w->n < cpus && w->n < MAXWORKERS; w->n++) {
		w->pids[w->n] = fork();
		if (w->pids[w->n] == 0) {
			close(fds[1]);
			worker(fds[0], w->n, calls);
		}
	}
	close(fds[0]);
}

static inline void workers_run(workers_t *w)
{
	close(w->start);
}

/* Whether all have ended; all must have done what they were started for. */
static inline bool workers_done(workers_t *w)
{
	bool done = true;

	for (int i = 0; i < w->n; i++) {
		int status;

		if (w->pids[i] == 0)
			continue;
		if (waitpid(w->pids[i], &status, WNOHANG) == 0) {
			done = false;
			continue;
		}
		w->pids[i] = 0;
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	return done;
}

#endif
