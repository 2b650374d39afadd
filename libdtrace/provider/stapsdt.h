/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stapsdt.h - the static probes that an ELF file describes in its notes (owner "stapsdt",
 * type 3, as <sys/sdt.h> makes them). Knows nothing of providers and processes.
 */
#ifndef DT_STAPSDT_H
#define DT_STAPSDT_H

#include <stdbool.h>
#include <stddef.h>

#include "provider/provider.h"

/* One place of a static probe. */
typedef struct dt_stapnote {
	const char *provider, *name;
	const char *args;   /* "-4@%eax 8@-8(%rbp) 4@$1" */
	uint64_t position;  /* of the probe's instruction in the file */
	uint64_t semaphore; /* of its counter; 0: none */
} dt_stapnote_t;

typedef struct dt_stapnotes {
	dt_stapnote_t *notes;
	size_t nnotes, capacity;
	char *text; /* what the notes' strings are in */
	size_t size;
} dt_stapnotes_t;

/* Reads the notes of an open file; none are no error. False: out of memory. */
bool dt_stapnotes_read(int fd, dt_stapnotes_t *);
void dt_stapnotes_free(dt_stapnotes_t *);

/*
 * Where the program finds the arguments, and their types' names; DT_ARG_NONE for one that is
 * of a form not known. Returns how many there are, at most DT_MAXARGS.
 */
int dt_stapnote_args(const char *text, dt_argsource_t *args, const char **types);

#endif
