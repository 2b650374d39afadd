/* SPDX-License-Identifier: Apache-2.0 */
/* demangle.h - the names of C++ and Rust as their sources have them. */
#ifndef DT_DEMANGLE_H
#define DT_DEMANGLE_H

#include <stddef.h>

/* What has been demangled of a table of symbols, by their places in it. NULL: nothing yet. */
typedef char **dt_demangled_t;

/* The name of symbol number i of n, demangled; name itself where it is not mangled, and where
 * there is no memory. Lives until the table's dt_demangled_free(). */
const char *dt_demangled(dt_demangled_t *, size_t n, size_t i, const char *name);
void dt_demangled_free(dt_demangled_t *, size_t n);

#endif
