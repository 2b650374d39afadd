/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.h - one compile: what lexer, parser and checker share. An error unwinds
 * by longjmp to dt_compile(), which frees the arena and rolls back the names that
 * the failed program declared; no function in between needs to clean up, so none
 * may hold memory outside the arenas.
 */
#ifndef DT_COMPILE_H
#define DT_COMPILE_H

#include <setjmp.h>

#include "lang/tree.h"

/* Error tags, D_*: enum, name and meaning come from the one list. */
typedef enum dt_errtag {
#define DT_ERRTAG(tag, meaning) D_##tag,
#include "lang/errtags.def"
#undef DT_ERRTAG
	D_NTAGS
} dt_errtag_t;

/* What a failed compile takes back: undo(hdl, argument), newest first. */
typedef struct dt_undo {
	struct dt_undo *next;
	void (*undo)(dtrace_hdl_t *, void *);
	void *argument;
} dt_undo_t;

typedef struct dt_compile {
	dtrace_hdl_t *hdl;
	dtrace_prog_t *prog;
	const char *text;   /* NUL-terminated */
	size_t length;
	int first_line;	    /* number of the text's first line, and its file (source.h) */
	char *preprocessed; /* cpp.c: malloc'd */
	dtrace_probespec_t spec; /* what a bare word before { names */
	uint32_t cflags;    /* DTRACE_C_* */
	int argc;	    /* macro arguments $0 ... */
	char *const *argv;
	bool *arg_used;
	jmp_buf *unwind;
	int error;	    /* when not 0: dtrace_errno() in place of EDT_COMPILER */
	dt_clause_t *clause; /* being checked; NULL: none */
	const char *region;  /* of it: "predicate", "action list"; NULL: none */
	struct dt_namepragma *name_pragmas; /* pragma.c */
	struct dt_clauseprobes *clause_probes; /* check_probe.c */
	struct dt_expansion *expanding; /* translate.c: innermost first */
	bool is_library;    /* the text at hand is a D library's */
	const char *assigning; /* the global name that the assignment at hand would declare */
	bool has_leftover;	    /* some statement may have something left in it that is no value */
	dtrace_attribute_t attributes; /* of the description or statement at hand */
	struct dt_lexer *lexer;
	/* Names added to the handle by this compile, newest first: undone on error. */
	struct dt_undo *undo;
} dt_compile_t;

/* compile.c. Calls the function within a compile of its own, for what needs one: the
 * libraries of D, types by name. 0, or -1 with the handle's error set when it raised one. */
int dt_compile_run(dtrace_hdl_t *, void (*run)(dt_compile_t *, void *), void *argument);
/* A type by its name in D, such as "struct task_struct *". NULL with the error set. */
dt_type_t *dt_compile_type(dtrace_hdl_t *, const char *text);
/* A D library; name: for messages. NULL with the error set. */
dtrace_prog_t *dt_compile_library(dtrace_hdl_t *, const char *text, size_t length,
				  const char *name, uint32_t cflags);

/*
 * Raises a compile error: "line 3: syntax error near "x"". column 0: not known. With
 * DTRACE_C_ETAGS the message starts "[D_SYNTAX] ". Never returns.
 */
_Noreturn void dt_compile_error(dt_compile_t *, dt_errtag_t, int line, int column,
				const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Memory that lives with the program. Zeroed; never NULL (raises D_NOMEM). */
void *dt_compile_alloc(dt_compile_t *, size_t);
char *dt_compile_strdup(dt_compile_t *, const char *, size_t length);
dt_node_t *dt_node_new(dt_compile_t *, dt_nodekind_t, int line, int column);
/* Something has been done that must be undone when this compile fails, be it for want of the
 * memory to remember that. The argument may lie in the program's arena: undoing comes before
 * freeing. */
void dt_compile_on_error(dt_compile_t *, void (*)(dtrace_hdl_t *, void *), void *argument);

/* ident.c. Identifiers live in the handle: global, self, this and aggregation names. */
dt_ident_t *dt_ident_lookup(dtrace_hdl_t *, dt_scope_t, const char *name);
dt_ident_t *dt_agg_lookup(dtrace_hdl_t *, const char *name);
/* Adds one, to be undone when the compile fails. */
dt_ident_t *dt_ident_add(dt_compile_t *, dt_scope_t, dt_identkind_t, const char *name);
/* A name with its leading context, for messages: "self->x". */
const char *dt_ident_display(const dt_ident_t *, char *buf, size_t);
/* Before changing an identifier that an earlier compile may have made: saves it. */
void dt_ident_modify(dt_compile_t *, dt_ident_t *);
/* A built-in by its name: variable, subroutine, action, aggregating function; NULL. */
const dt_ident_t *dt_builtin_lookup(const char *name);
/* The tag of that name, as parts that raise no errors themselves give it; else D_SYNTAX. */
dt_errtag_t dt_errtag_find(const char *);

/* check_probe.c. The names of the types of a probe's args[], in the handle's memory. 0, or -1
 * with the handle's error set. */
struct dt_probe;
int dt_args_names(dtrace_hdl_t *, struct dt_probe *, const char ***names, int *count);

/* decl.c, for prototypes in builtins.def: parses a type name such as "struct x *". */
dt_type_t *dt_parse_type(dt_compile_t *, const char *text);
/* The same for a name that need not be one: NULL when it is no type or not known. */
dt_type_t *dt_parse_type_try(dt_compile_t *, const char *text);

#endif
