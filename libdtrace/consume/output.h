/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - the handle's text buffer, for the files that print.
 *
 * All formatting appends to one growable buffer of the handle, so that printing a record
 * allocates nothing once the buffer has its size. A function that may have been given a
 * stream remembers where it began (the mark) and ends with dt_out_emit(): with a stream,
 * what stands after the mark is written there and taken back; without one it stays for
 * dt_buffered_flush().
 */
#ifndef DT_OUTPUT_H
#define DT_OUTPUT_H

#include "consume/consume.h"
#include "handle.h"

typedef struct dt_outbuf {
	char *text; /* length bytes; NUL-terminated by dt_buffered_flush() */
	size_t length, capacity;
} dt_outbuf_t;

/* The buffer, made on first use; NULL with the handle's error set. */
dt_outbuf_t *dt_out(dtrace_hdl_t *);
/* Room for size bytes and a NUL at the end of the buffer; NULL with the error set. The
 * caller writes there and adds to length. */
char *dt_out_reserve(dtrace_hdl_t *, dt_outbuf_t *, size_t size);
/* Each: 0, or -1 with the error set. */
int dt_out_bytes(dtrace_hdl_t *, dt_outbuf_t *, const char *, size_t);
int dt_out_pad(dtrace_hdl_t *, dt_outbuf_t *, char, size_t count);
int dt_out_format(dtrace_hdl_t *, dt_outbuf_t *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends printing that began at mark; see above. fp NULL needs a handler. */
int dt_out_emit(dtrace_hdl_t *, dt_outbuf_t *, FILE *, size_t mark);

/* Whether a flag option is on. */
static inline bool dt_option_is_on(const dtrace_hdl_t *hdl, dt_option_t option)
{
	return hdl->options[option] != DTRACEOPT_UNSET && hdl->options[option] != 0;
}

/* A value divided as normalize() asks. */
static inline int64_t dt_normalized(int64_t value, uint64_t normal)
{
	if (normal <= 1)
		return value;
	return normal > INT64_MAX ? 0 : value / (int64_t)normal;
}

#define SYMBOL_TEXT_MAX 1280 /* a file's name of 255, a long C++ name */

/* What a record of jstack() calls its frames, one after the other. */
typedef struct dt_frametexts {
	const char *next; /* NULL: it has no such texts */
	size_t left;	  /* bytes */
} dt_frametexts_t;
dt_frametexts_t dt_frametexts(const dtrace_recdesc_t *, const void *data);
/* Of the next frame; NULL: it is called by its address. */
const char *dt_frametexts_next(dt_frametexts_t *);
/*
 * A stack, a line a frame after a line's end, each indented. pid -1: of the kernel.
 * format: of a frame, NULL "%s".
 */
int dt_out_stack(dtrace_hdl_t *, dt_outbuf_t *, const char *format, int indent, pid_t,
		 const void *addresses, uint32_t nframes, dt_frametexts_t);
/* A stack as the kernel gave it, with room for DT_STACK_INNER frames more than the size
 * bytes that are shown: without those of tracing itself. */
void dt_show_stack(dtrace_hdl_t *, const char *from, char *to, size_t size);
/* A user address: its symbol, or with the option noresolve the number; as snprintf(). */
int dt_user_text(dtrace_hdl_t *, pid_t, uint64_t address, char *, size_t);
/* The option stackindent. */
int dt_stack_indent(const dtrace_hdl_t *);
/* Frames a stack's record has room for. */
uint32_t dt_stack_nframes(const dtrace_recdesc_t *, bool is_user);
/* An integer of 1, 2, 4 or 8 bytes, sign-extended or not; false: another size. */
bool dt_value_integer(const void *data, size_t size, bool is_signed, uint64_t *value);
/* What tracemem() traced. A size that was traced too stands before the memory, and no more than
 * that of it counts. How many of the records that are left it takes. */
int dt_traced_memory(const dtrace_recdesc_t *, uint_t left, const char *data,
		     const char **bytes, size_t *size);

#endif
