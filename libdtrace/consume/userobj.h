/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userobj.h - tables of user symbols: of an ELF file, or of code made at run time. They
 * know nothing of processes; usymbols.c maps addresses to them.
 */
#ifndef DT_USEROBJ_H
#define DT_USEROBJ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dt_symtab dt_symtab_t;

/* From an open ELF file, or from an image of size bytes in memory. root: the root directory
 * ("/proc/1203/root") of a process that maps it, where the file with its symbols may be
 * besides our own, or NULL. NULL: out of memory; a file that is no ELF file or has no
 * symbols gives an empty table. */
dt_symtab_t *dt_symtab_elf(int fd, const char *root);
dt_symtab_t *dt_symtab_elf_image(char *image, size_t size);
/* An empty one to be filled from a perf map ("address size name" lines, in hex). */
dt_symtab_t *dt_symtab_new(void);
/* Takes in what the perf map has more than at the last call. False: out of memory. */
bool dt_symtab_read_perf(dt_symtab_t *, int fd);
void dt_symtab_destroy(dt_symtab_t *);

/* The file that has what was stripped of this open one, where packages of debug symbols put
 * it, for the process whose root directory it is or for this one: a descriptor, or -1. */
int dt_debug_file_open(int fd, const char *root);

/* A function, by where its code is in the file. */
typedef struct dt_userfunc {
	const char *name;
	uint64_t position, size; /* size 0: not known */
} dt_userfunc_t;

/* Calls f for each function of the file, by ascending position, of several names for one
 * the most usual last; until it returns non-0, which is returned. */
typedef int dt_userfunc_f(const dt_userfunc_t *, void *);
int dt_symtab_functions(const dt_symtab_t *, dt_userfunc_f *, void *);

/* Where the program begins, in the file. False: it is none. */
bool dt_symtab_entry(const dt_symtab_t *, uint64_t *position);
/* The symbol that covers an offset in the file, or an address for a perf map. */
const char *dt_symtab_lookup(const dt_symtab_t *, uint64_t position, uint64_t *offset);
/* The same of a file, its name as the source has it. */
const char *dt_symtab_demangled(dt_symtab_t *, uint64_t position, uint64_t *offset);

#endif
