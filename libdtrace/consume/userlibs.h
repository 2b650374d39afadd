/* SPDX-License-Identifier: Apache-2.0 */
/* userlibs.h - the libraries that a program will load when it is started. */
#ifndef DT_USERLIBS_H
#define DT_USERLIBS_H

#include <sys/types.h>

/*
 * Calls f with the path (in the process's root) of each library that the dynamic linker will
 * load for the program, which the process has executed but not begun to run. 0, or -1: out of
 * memory. What cannot be found is left out.
 */
typedef int dt_userlib_f(const char *path, void *);
int dt_user_libraries(pid_t, const char *program, dt_userlib_f *, void *);

#endif
