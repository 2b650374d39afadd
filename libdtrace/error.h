/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - the handle's error: a number from the list below or an errno. */
#ifndef DT_ERROR_H
#define DT_ERROR_H

#include "dtrace.h"

#define EDT_BASE 1000
typedef enum dt_errno {
	EDT_BASE_ = EDT_BASE - 1,
#define DT_ERROR(name, words) EDT_##name,
#include "error.def"
#undef DT_ERROR
	EDT_END
} dt_errno_t;

/* Records an error by number; its words are the list's. Returns -1. */
int dt_set_errno(dtrace_hdl_t *, int error);
/* Records an error with its own words. Returns -1. */
int dt_set_error(dtrace_hdl_t *, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "EDT_COMPILER" and the like, or the errno's name. */
const char *dt_errno_name(int error);

#endif
