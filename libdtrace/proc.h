/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h - the processes of a handle, made (-c) or grabbed (-p). */
#ifndef DT_PROC_H
#define DT_PROC_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "dtrace.h"

/*
 * What a consumer holds a process by. Its public part comes first, so that a handler set
 * by dtrace_handle_proc() may read it through a dtrace_proc_t pointer.
 */
struct ps_prochandle {
	dtrace_proc_t shown;
	struct ps_prochandle *next;
	int references;
	int pidfd;	 /* polls readable when the process has ended; -1: not known */
	bool is_created; /* our child: to be waited for */
	bool is_stopped; /* created and not continued yet */
	bool has_ended, is_told; /* the handler has been called */
};

/* The first process made or grabbed: $target. -1: none. */
pid_t dt_target_pid(const dtrace_hdl_t *);
/*
 * Notices processes that have ended and calls the handler of dtrace_handle_proc() for each,
 * once, with a NULL message. Never blocks. Returns how many have ended since the last call.
 */
int dt_procs_poll(dtrace_hdl_t *);
/* Descriptors that poll readable when one of them ends: up to max, how many. */
size_t dt_procs_descriptors(const dtrace_hdl_t *, struct pollfd *, size_t max);
/* Whether any process has ended, even if its parent does not know it yet. */
bool dt_process_has_ended(pid_t);
/* Those that have not ended: up to max, how many. */
size_t dt_procs_pids(const dtrace_hdl_t *, pid_t *, size_t max);
/* Releases all of them, as dtrace_proc_release(). */
void dt_procs_fini(dtrace_hdl_t *);

#endif
