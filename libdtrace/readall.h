/* SPDX-License-Identifier: Apache-2.0 */
/* readall.h - files and pipes that are read whole. */
#ifndef DT_READALL_H
#define DT_READALL_H

#include <stddef.h>

/* All that comes out of the descriptor, NUL-terminated, to be freed; length may be NULL. NULL
 * with errno set: it cannot be read, is longer than limit (EFBIG), or memory is short. */
char *dt_read_all(int fd, size_t limit, size_t *length);

#endif
