/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - a handle from its beginning to its end. Opening reads nothing of the kernel
 * but the caller's capabilities: types, symbols and probes are found when a program asks
 * for them, so that a short program starts in the time of its own work.
 */
#include <errno.h>
#include <stdlib.h>

#include "consume/consume.h"
#include "enable/enable.h"
#include "error.h"
#include "handle.h"
#include "option.h"
#include "privilege.h"
#include "proc.h"
#include "provider/provider.h"

const char *const _dtrace_version = "dtrace-async D 2.0";

/* An error that the caller's arguments or privileges make certain; 0: none. */
static int dt_open_refuse(int version, int flags, const dtrace_vector_t *vector)
{
	if (version <= 0 || (flags & ~DTRACE_O_MASK) != 0)
		return EINVAL;
	if (version > DTRACE_VERSION)
		return EDT_VERSION;
	if ((flags & DTRACE_O_LP64) && (flags & DTRACE_O_ILP32))
		return EINVAL;
	/* Programs are of the running kernel's data model, and data comes from it. */
	if ((flags & DTRACE_O_ILP32) || vector)
		return EDT_NOTHERE;
	if (!(flags & DTRACE_O_NODEV) && dt_privilege_missing())
		return EDT_ACCESS;
	return 0;
}

static int dt_open_parts(dtrace_hdl_t *hdl)
{
	hdl->arena = dt_arena_create();
	if (!hdl->arena)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (dt_types_init(hdl) != 0 || dt_probes_init(hdl) != 0)
		return -1;
	return dt_consumer_init(hdl);
}

dtrace_hdl_t *dtrace_vopen(int version, int flags, int *errp, const dtrace_vector_t *vector,
			   void *arg)
{
	dtrace_hdl_t *hdl = NULL;
	int error = dt_open_refuse(version, flags, vector);

	(void)arg; /* the vector's */
	if (error == 0) {
		hdl = calloc(1, sizeof(*hdl));
		error = hdl ? 0 : EDT_NOMEM;
	}
	if (hdl) {
		hdl->oflags = flags;
		hdl->progs_tail = &hdl->progs;
		dt_options_init(hdl);
		if (dt_open_parts(hdl) != 0) {
			error = hdl->errcode ? hdl->errcode : EDT_NOMEM;
			dtrace_close(hdl);
			hdl = NULL;
		}
	}
	if (errp)
		*errp = error;
	return hdl;
}

dtrace_hdl_t *dtrace_open(int version, int flags, int *errp)
{
	return dtrace_vopen(version, flags, errp, NULL, NULL);
}

static void dt_prog_destroy(dtrace_prog_t *prog)
{
	for (dt_clause_t *clause = prog->clauses; clause; clause = clause->next) {
		for (dt_stmt_t *stmt = clause->stmts; stmt; stmt = stmt->next) {
			if (stmt->format)
				dt_format_destroy(stmt->format);
		}
	}
	dt_arena_destroy(prog->arena); /* prog itself is in it */
}

void dtrace_close(dtrace_hdl_t *hdl)
{
	if (!hdl)
		return;
	dt_enabling_fini(hdl);
	dt_procs_fini(hdl);
	dt_consumer_fini(hdl);
	dt_symbols_fini(hdl);
	while (hdl->progs) {
		dtrace_prog_t *prog = hdl->progs;

		hdl->progs = prog->next;
		dt_prog_destroy(prog);
	}
	dt_probes_fini(hdl);
	dt_types_fini(hdl);
	dt_options_fini(hdl);
	if (hdl->arena)
		dt_arena_destroy(hdl->arena);
	free(hdl);
}
