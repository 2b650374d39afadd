/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.h - the one structure that is handed everywhere: an open libdtrace. There are
 * no globals; a part keeps its state in its own member here, behind a pointer of a type
 * that only that part completes.
 */
#ifndef DT_HANDLE_H
#define DT_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "dtrace.h"
#include "error.h"
#include "lang/tree.h"
#include "option.h"
#include "types/types.h"

struct dtrace_hdl {
	int oflags; /* DTRACE_O_* */
	int errcode; /* what dtrace_errno() says: EDT_* or errno */
	char errmsg[2048];
	char errtag[32]; /* "D_SYNTAX", or "" */
	int errline, errcolumn;
	const char *errregion; /* of a clause; NULL: none */

	dtrace_optval_t options[DT_NOPTIONS];
	char *stroptions[DT_NOPTIONS]; /* values of options that are text; malloc'd */
	struct dt_cpparg *cppargs;
	uint32_t cflags; /* DTRACE_C_* that options ask of every compile */

	dt_arena_t *arena; /* types and identifiers */
	dt_basetypes_t types;
	struct dt_typetab *typetab; /* types/: names, BTF */
	struct dt_sources *sources; /* lang/source.c: names of files */
	struct dt_translator *translators; /* lang/translate.c */
	struct dt_provdecl *provdecls;	   /* lang/declprov.c */
	struct dt_library *library;	   /* lang/library.c */
	struct dt_libnames *libnames;	   /* lang/libfile.c */
	bool has_libfiles;		   /* they have all been compiled */
	dt_ident_t **idents;	/* hash of ident_buckets chains: lang/ident.c */
	uint32_t ident_buckets; /* a power of two */
	uint32_t naggs;	    /* aggregations named so far */
	uint32_t nidents;
	dtrace_prog_t *progs, **progs_tail;

	struct dt_probes *probes;     /* provider/: the probe table */
	struct dt_enabling *enabling; /* enable/: clauses, programs, maps, state */
	struct dt_consumer *consumer; /* consume/: buffers, aggregations, drops */
	struct dt_outbuf *outbuf;     /* consume/: text being formatted */
	struct dt_symbols *symbols;   /* consume/: kallsyms, processes */
	struct dt_procs *procs;	      /* processes made or grabbed */

	dtrace_handle_err_f *errhdlr;
	dtrace_handle_drop_f *drophdlr;
	dtrace_handle_proc_f *prochdlr;
	dtrace_handle_buffered_f *bufhdlr;
	dtrace_handle_setopt_f *setopthdlr;
	void *errarg, *droparg, *procarg, *bufarg, *setoptarg;
};

#endif
