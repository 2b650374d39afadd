/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.h - what the two symbolisers share: symbols.c for the kernel, usymbols.c for
 * processes. Each keeps its tables behind the handle's one pointer, read on first need.
 */
#ifndef DT_SYMBOLS_H
#define DT_SYMBOLS_H

#include "consume/consume.h"
#include "handle.h"

struct dt_symbols {
	struct dt_kernelsyms *kernel; /* symbols.c */
	struct dt_usersyms *user;     /* usymbols.c */
	struct dt_jstacks *jstacks;   /* jstack.c */
};

/* The handle's symbols, made on first use; NULL: out of memory. */
struct dt_symbols *dt_symbols(dtrace_hdl_t *);

/* What stands at a user address. Strings live until dtrace_update(). */
typedef struct dt_usersym {
	const char *object; /* base name of the mapped file; NULL: code made at run time */
	const char *name;   /* NULL: no symbol covers the address */
	uint64_t offset;    /* from the symbol */
	uint64_t object_address; /* where the mapping of the object begins */
} dt_usersym_t;

/* False: neither a symbol nor an object is known at the address. */
bool dt_user_symbol(dtrace_hdl_t *, pid_t, uint64_t address, dt_usersym_t *);
/* "object`name+0xoffset", as far as known; snprintf's return value. */
int dt_user_symbol_text(const dt_usersym_t *, uint64_t address, char *, size_t);

/* Takes note of what the process maps now, for the time when it has ended. */
void dt_user_remember(dtrace_hdl_t *, pid_t);

/* A file that a process has mapped with code in it, or will map when it is started. */
typedef struct dt_userfile {
	const char *name; /* base name */
	const char *path; /* by which this process can open the file */
	bool is_program;  /* what was executed */
	pid_t pid;
	struct userobj *object; /* usymbols.c's */
} dt_userfile_t;

/*
 * Calls f for each file of code of the process, once a file, until it returns non-0, which is
 * returned. -1: there is no such process, or it cannot be looked into: the handle's error is
 * set. Strings are those of the call; names live until dtrace_update().
 */
typedef int dt_userfile_f(dtrace_hdl_t *, const dt_userfile_t *, void *);
int dt_user_files(dtrace_hdl_t *, pid_t, dt_userfile_f *, void *);
/* The file's symbols, read on first need; NULL: it cannot be read. */
const struct dt_symtab *dt_userfile_symtab(const dt_userfile_t *);
void dt_user_symbols_fini(struct dt_usersyms *);

/* Where the module that covers a kernel address begins; 0: none does. */
uint64_t dt_kernel_module_address(dtrace_hdl_t *, uint64_t address);

#endif
