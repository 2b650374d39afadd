/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support.h - the functions of libdtrace/bpf/, as generated code calls them. Each takes
 * the scratch area in R1 and numbers after it: strings by their offset in scratch.
 */
#ifndef DT_SUPPORT_H
#define DT_SUPPORT_H

#include <bpf/bpf.h>

#include "codegen/codegen.h"

/* Bytes of the frame that they take, the longest chain of calls: main programs get less. */
#define DT_SUPPORT_STACK 96

/* DT_SUPPORT(id, C function, arguments with the scratch area, default of the last) */
#define DT_SUPPORT_LIST                                                                      \
	DT_SUPPORT(STRCMP, dt_strcmp, 3, 0)	/* a, b: -1, 0, 1 */                         \
	DT_SUPPORT(INDEX, dt_index, 4, 0)	/* s, t, from: position or -1 */             \
	DT_SUPPORT(RINDEX, dt_rindex, 4, INT32_MAX)                                          \
	DT_SUPPORT(BASENAME, dt_basename, 3, 0)	/* result, s */                              \
	DT_SUPPORT(DIRNAME, dt_dirname, 3, 0)                                                \
	DT_SUPPORT(STRCHR, dt_strchr, 4, 0)	/* result, s, character */                   \
	DT_SUPPORT(STRRCHR, dt_strrchr, 4, 0)                                                \
	DT_SUPPORT(STRSTR, dt_strstr, 4, 0)	/* result, s, t */                           \
	DT_SUPPORT(TOLOWER, dt_tolower, 3, 0)	/* result, s */                              \
	DT_SUPPORT(TOUPPER, dt_toupper, 3, 0)                                                \
	DT_SUPPORT(CLEANPATH, dt_cleanpath, 3, 0)                                            \
	DT_SUPPORT(STRTOK, dt_strtok, 4, 0)	/* result, state, delimiters */              \
	DT_SUPPORT(JSON, dt_json, 4, 0)		/* result, text, path */                     \
	DT_SUPPORT(LLTOSTR, dt_lltostr, 4, 0)	/* result, number, base */                   \
	DT_SUPPORT(STRTOLL, dt_strtoll, 3, 0)	/* s, base: the number */                    \
	DT_SUPPORT(INET_NTOP, dt_inet_ntop, 4, 0) /* result, bytes, family */                \
	DT_SUPPORT(LINK_NTOP, dt_link_ntop, 4, 0) /* result, bytes, how many */              \
	DT_SUPPORT(BCOPY, dt_bcopy, 4, 0)	/* to, from, size: 0, -1 from, -2 to is bad */ \
	DT_SUPPORT(COPYINTO, dt_copyinto, 4, 0)                                              \
	DT_SUPPORT(D_PATH, dt_d_path, 4, 0)	/* result, buffer, struct path *: 0, -1 */   \
	DT_SUPPORT(PROGENYOF, dt_progenyof, 2, 0) /* pid: 0, 1 */                            \
	DT_SUPPORT(PPID, dt_ppid, 1, 0)		/* the number */                             \
	DT_SUPPORT(PSARGS, dt_psargs, 3, 0)	/* result, task: 0, -1 */                    \
	DT_SUPPORT(CHILL, dt_chill, 2, 0)	/* ns */                                     \
	DT_SUPPORT(JSTACK, dt_jstack, 4, 0)	/* block, frame pointer, second frame */      \
	DT_SUPPORT(HOLD, dt_hold, 5, 0)		/* where a number is, which, until when, code */

typedef enum dt_support {
#define DT_SUPPORT(id, function, arity, last) DT_SUPPORT_##id,
	DT_SUPPORT_LIST
#undef DT_SUPPORT
	DT_NSUPPORT
} dt_support_t;

/* Registers R1 to R(arity) are arguments; the default is for the last. */
int dt_support_arity(dt_support_t);
const char *dt_support_name(dt_support_t);
int32_t dt_support_default(dt_support_t);
void dt_support_call(dt_emit_t *, dt_support_t);
/* The calls in a listing that will be added at the end of another. */
void dt_support_append(dt_emit_t *, const dt_emit_t *functions);

/*
 * Appends the functions that the code calls, and fills in what the kernel wants to know
 * of them: types of all functions (BTF), where each begins. 0, or -1 with the error set.
 * dt_support_unlink() releases what opts then holds.
 */
int dt_support_link(dtrace_hdl_t *, const dt_cgenv_t *, dt_emit_t *,
		    struct bpf_prog_load_opts *opts);
void dt_support_unlink(struct bpf_prog_load_opts *opts);

#endif
