/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subr.h - subroutines: the table in subr.c has one line for each, with the function here
 * that generates its calls.
 *
 *	subr.c		the table; calls of the functions in bpf/
 *	subr_str.c	strings, and numbers and addresses as strings
 *	subr_mem.c	memory: copyin, alloca and their like
 *	subr_kernel.c	numbers, processes, locks, files
 */
#ifndef DT_SUBR_H
#define DT_SUBR_H

#include "codegen/cg.h"
#include "codegen/support.h"

typedef struct dt_subr {
	/* A subroutine whose value is a number, a pointer or nothing: dst = it. */
	void (*number)(dt_cg_t *, const dt_node_t *call, int dst);
	/* One whose value is a string: where it is; see dt_gen_str(). */
	dt_str_t (*string)(dt_cg_t *, const dt_node_t *call, const dt_str_t *want);
	/* The most bytes of that string; NULL: strsize. */
	uint32_t (*bound)(dt_cgenv_t *, const dt_node_t *call);
	/* Of a subroutine that is a function in bpf/ and nothing else. */
	dt_support_t support;
} dt_subr_t;

/* ---- str.c, for subroutines ----------------------------------------------------- */

/* A place for text of at most bound bytes: want if it is large enough, or new in scratch.
 */
dt_str_t dt_str_new(dt_cg_t *, uint32_t bound, const dt_str_t *want);
/* dst = the text at the address in R3, at most size bytes, by the helper; R0: its length
 * with the NUL, or negative. */
void dt_gen_read_str(dt_cg_t *, const dt_str_t *dst, uint32_t size, int helper);
/* The value in scratch: its offset there. */
uint32_t dt_gen_str_scratch(dt_cg_t *, const dt_node_t *);
/* The helper that reads what a pointer expression points to, as a string. */
int dt_read_str_helper(const dt_node_t *pointer);

/* ---- subr.c --------------------------------------------------------------------- */

/* A call of a function in bpf/: what it is given after the scratch area. */
typedef struct dt_supportargs {
	int n;
	struct {
		int slot; /* frame offset of a word; 0: the value */
		int32_t value;
	} args[4];
} dt_supportargs_t;

void dt_arg_value(dt_supportargs_t *, int32_t);
void dt_arg_slot(dt_supportargs_t *, int slot);
/* An expression's value; a string's is its offset in scratch. */
void dt_arg_expr(dt_cg_t *, dt_supportargs_t *, const dt_node_t *);
/* The call; R0 is its result. */
void dt_gen_support(dt_cg_t *, dt_support_t, const dt_supportargs_t *);

/* Faults with ILLOP unless the word at the slot is from low to high. */
void dt_fault_unless_in(dt_cg_t *, int slot, int32_t low, int32_t high);
/* Bounds: of the first argument, but room for one character; */
uint32_t dt_bound_of_first(dt_cgenv_t *, const dt_node_t *call);
/* of text that never has more bytes. */
uint32_t dt_bound_of_text(const dt_cgenv_t *, uint32_t bytes);
/* A place for the result of a function in bpf/ that writes up to width bytes; afterwards
 * the string is cut to its bound. */
dt_str_t dt_result_new(dt_cg_t *, uint32_t bound, uint32_t width);
void dt_result_cut(dt_cg_t *, const dt_str_t *, uint32_t width);

/* ---- Calls ---------------------------------------------------------------------- */

typedef void dt_subr_number_f(dt_cg_t *, const dt_node_t *call, int dst);
typedef dt_str_t dt_subr_string_f(dt_cg_t *, const dt_node_t *call, const dt_str_t *want);
typedef uint32_t dt_subr_bound_f(dt_cgenv_t *, const dt_node_t *call);

dt_subr_number_f dt_subr_strlen, dt_subr_strtoll;
dt_subr_string_f dt_subr_strjoin, dt_subr_substr, dt_subr_copyinstr, dt_subr_strtok,
    dt_subr_lltostr, dt_subr_inet_ntoa, dt_subr_inet_ntoa6, dt_subr_inet_ntop,
    dt_subr_link_ntop;
dt_subr_bound_f dt_bound_strjoin, dt_bound_substr, dt_bound_copyinstr, dt_bound_lltostr,
    dt_bound_address;

dt_subr_number_f dt_subr_alloca, dt_subr_bcopy, dt_subr_copyin, dt_subr_copyinto,
    dt_subr_copyout, dt_subr_copyoutstr;

dt_subr_number_f dt_subr_getmajor, dt_subr_getminor, dt_subr_swap, dt_subr_rand,
    dt_subr_mutex_owned, dt_subr_mutex_owner, dt_subr_mutex_type, dt_subr_rw_held;
dt_subr_string_f dt_subr_d_path, dt_subr_psargs;
dt_subr_bound_f dt_bound_psargs;

#endif
