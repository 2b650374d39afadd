/* SPDX-License-Identifier: Apache-2.0 */
/* libfile.h - what the two parts of D libraries, embedded and files, know of each other. */
#ifndef DT_LIBFILE_H
#define DT_LIBFILE_H

#include <stdbool.h>

/* library.c. Whether an embedded library has the file name. */
bool dt_library_is_ours(const char *file);

#endif
