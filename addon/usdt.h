/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usdt.h - static probes that a program makes at run time. Tracers look for static probes
 * in the ELF files that a process has mapped, so this process is given such a file:
 *
 *	usdtimage.c	the bytes of an ELF file that declares probes
 *	usdtobject.c	the file, in a directory for temporary files, and in memory
 *	usdt.c		both, and the firing of probes, as a class of JavaScript
 *
 * A probe has a place, code that does nothing and is called to fire it, and a semaphore, a
 * 16-bit word that the kernel counts up while somebody traces the place.
 */
#ifndef DA_USDT_H
#define DA_USDT_H

#include "addon.h"

/* Arguments of a probe, at most. */
#define DA_USDT_ARGUMENTS 32

/* ---- usdtimage.c --------------------------------------------------------- */

/* What a file is to declare. */
typedef struct da_usdtspec {
	char **names;	  /* of probes, NULL-terminated */
	char **arguments; /* for each probe the sizes of its arguments, with blanks between
			     them: in bytes, below 0 where it is signed */
	const char *provider;
	size_t nprobes;
} da_usdtspec_t;

/* Offsets are those of the file, of which the parts are mapped at the same distances. */
typedef struct da_usdtimage {
	da_buffer_t file;
	size_t code_end;   /* up to here it is code */
	size_t semaphores; /* on a page of its own: a uint16_t for each probe */
	size_t end;	   /* up to here it is mapped */
	uint32_t *notes;   /* for each probe, where its note's type is */
} da_usdtimage_t;

/* False: out of memory. da_usdtimage_fini() in either case. */
bool da_usdtimage_init(da_usdtimage_t *, const da_usdtspec_t *);
void da_usdtimage_fini(da_usdtimage_t *);
/* Fires the probe of that index of an image that is mapped at base. */
void da_usdtimage_fire(char *base, size_t index,
		       const uint64_t arguments[DA_USDT_ARGUMENTS]);

/* ---- usdtobject.c -------------------------------------------------------- */

/* A file that is mapped. The environment lists those that it has to take away. */
typedef struct da_usdtobject {
	struct da_usdtobject *next, **link;
	char *base, *file; /* file: its path, or NULL where it has none */
	size_t semaphores, end, nprobes;
	uint32_t *notes;
	int fd;		/* the file, locked; -1: closed */
	uint32_t users; /* memory is kept for these */
} da_usdtobject_t;

/*
 * Puts the image into a file of that name in a directory of its own below directory and
 * maps it; takes the image's notes. NULL with a reason in *error, which is a constant or
 * strerror()'s.
 */
da_usdtobject_t *da_usdtobject_create(da_instance_t *, da_usdtimage_t *, size_t nprobes,
				      const char *directory, const char *name,
				      const char **error);
/* From here on tracers do not find the probe of that index. */
void da_usdtobject_hide(da_usdtobject_t *, size_t index);
/* Takes file and code away and sets all semaphores to 0 for good. Repeating it is fine. */
void da_usdtobject_close(da_usdtobject_t *);
/* Closes it and frees its memory when the last user has released it. */
void da_usdtobject_release(da_usdtobject_t *);
/* Removes what processes that ended by a signal have left in that directory. */
void da_usdtobjects_sweep(const char *directory);

#endif
