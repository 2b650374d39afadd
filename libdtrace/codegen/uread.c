/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uread.c - reading memory by the kernel's helpers. Those that read a process's memory fail
 * when the page is not resident: a string constant that nothing has touched yet is enough.
 * A program at a user probe may sleep, so there the page is fetched and the read is tried
 * again. Elsewhere it is a fault, as in DTrace.
 */
#include "codegen/cg.h"

/* Longest string that is sure to be found: it may lie in so many pages more than one. */
#define STRING_PAGES 2
#define PAGE_MASK 4095

/* Fetches the page of the address in R3: R0 is 0, or negative. */
static void gen_fetch_page(dt_cg_t *cg)
{
	dt_emit_t *e = cg->e;

	dt_frame_address(e, R1, DT_FRAME_INDEX);
	dt_alu_imm(e, BPF_MOV, R2, 1);
	dt_call(e, BPF_FUNC_copy_from_user);
}

/* R1, R2 and R3 as they were. */
static void gen_reload(dt_cg_t *cg, int words)
{
	for (int i = 0; i < 3; i++)
		dt_load(cg->e, 8, R1 + i, FP, words + 8 * i);
}

/* The helper stops at the string's end, and that is known only when it has been read: so the
 * page that it begins in is fetched, then, if that was not enough, the next. */
static void gen_retry_string(dt_cg_t *cg, int helper, int words, int done)
{
	dt_emit_t *e = cg->e;

	for (int page = 0; page < STRING_PAGES; page++) {
		dt_load(e, 8, R3, FP, words + 16);
		if (page > 0) {
			dt_alu_imm(e, BPF_OR, R3, PAGE_MASK);
			dt_alu_imm(e, BPF_ADD, R3, 1 + (page - 1) * (PAGE_MASK + 1));
		}
		gen_fetch_page(cg);
		dt_jump_imm(e, BPF_JSLT, R0, 0, done);
		gen_reload(cg, words);
		dt_call(e, helper);
		dt_jump_imm(e, BPF_JSGE, R0, 0, done);
	}
}

void dt_gen_read_call(dt_cg_t *cg, int helper)
{
	dt_emit_t *e = cg->e;
	bool is_string = helper == BPF_FUNC_probe_read_user_str;
	int mark = cg->stack, words, done;

	if ((!is_string && helper != BPF_FUNC_probe_read_user) ||
	    cg->program->attach->context != DT_CONTEXT_USER) {
		dt_call(e, helper);
		return;
	}
	cg->program->may_sleep = true;
	words = dt_stack_alloc(cg, 24);
	done = dt_label_new(e);
	for (int i = 0; i < 3; i++)
		dt_store(e, 8, FP, words + 8 * i, R1 + i);
	dt_call(e, helper);
	dt_jump_imm(e, BPF_JSGE, R0, 0, done);
	if (is_string) {
		gen_retry_string(cg, helper, words, done);
	} else {
		gen_reload(cg, words);
		dt_call(e, BPF_FUNC_copy_from_user);
	}
	dt_label_here(e, done);
	cg->stack = mark;
}

void dt_gen_read_value(dt_cg_t *cg, const dt_node_t *n)
{
	dt_gen_read_call(cg, dt_lies_in_userland(n) ? BPF_FUNC_probe_read_user
						    : BPF_FUNC_probe_read_kernel);
}
