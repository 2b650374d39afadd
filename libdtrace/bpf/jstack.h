/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jstack.h - what bpf/jstack.bpf.c is told of a process's V8: words of a block in scratch.
 * The first two are of the action; the others are the process's, see consume/v8.c.
 */
#ifndef DT_JSTACK_H
#define DT_JSTACK_H

enum {
	DT_V8_NFRAMES,
	DT_V8_STRSIZE,
	/* Offsets of members in objects, */
	DT_V8_SHARED,
	DT_V8_NAME,
	DT_V8_SCRIPT,
	DT_V8_SCRIPT_NAME,
	DT_V8_INSTANCE_TYPE,
	DT_V8_LENGTH,
	DT_V8_CHARS,
	DT_V8_THIN_ACTUAL,
	DT_V8_CONS_FIRST,
	DT_V8_CONS_SECOND,
	DT_V8_SLICED_PARENT,
	DT_V8_SLICED_OFFSET,
	/* words of a ScopeInfo after the first, */
	DT_V8_NVARIABLES,
	DT_V8_FIRST_VARIABLE,
	/* instance types. */
	DT_V8_SHARED_TYPE,
	DT_V8_SCOPE_TYPE,
	DT_V8_SCRIPT_TYPE,
	DT_V8_FIRST_NONSTRING,
	DT_V8_NWORDS
};

#define DT_V8_FIRST DT_V8_SHARED /* of the process */
#define DT_V8_POSITION_BYTES 5

#endif
