/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jstack.h - JavaScript frames.
 *
 *	v8.c		what a process's V8 tells of itself, for the program in the kernel
 *	jstack.c	what that program has recorded, as consumers are shown it
 */
#ifndef DT_JSTACK_CONSUME_H
#define DT_JSTACK_CONSUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/jstack.h"
#include "dtrace.h"

/* Bytes of what the kernel is told of a process. */
#define DT_V8_SIZE ((DT_V8_NWORDS - DT_V8_FIRST) * sizeof(uint64_t))

/* Reads it from an open program or library. False: there is no V8 in it, or one that tells
 * nothing, or that keeps its frames otherwise. */
bool dt_v8_read(int fd, uint64_t words[DT_V8_NWORDS - DT_V8_FIRST]);

/* Tells the kernel of the process, if it has not been; anew: it may be another program than
 * before. Does nothing where no clause has jstack(). */
void dt_jstack_learn(dtrace_hdl_t *, pid_t, bool anew);
/*
 * A record of jstack(): words of the process and of nframes addresses, then strsize bytes
 * of strings. In what is shown the strings, one for each frame until the bytes end, are
 * empty or name the frame: "function at file:line".
 */
void dt_show_jstack(dtrace_hdl_t *, const char *from, char *to, uint32_t nframes,
		    uint32_t strsize);
void dt_jstack_fini(dtrace_hdl_t *);

#endif
