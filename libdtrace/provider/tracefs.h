/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracefs.h - files of the kernel's tracefs, for what it tells and nothing else does. It need
 * not be mounted: then a mount of our own, that nobody else can see, is made and closed again
 * (fsmount(2)).
 */
#ifndef DT_TRACEFS_H
#define DT_TRACEFS_H

/* The whole file by its path in tracefs, NUL-terminated, to be freed. NULL: it is not there,
 * cannot be read, or memory is short. */
char *dt_tracefs_read(const char *path);

#endif
