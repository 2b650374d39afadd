/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.h - D libraries: names that programs may use without declaring them. Those that
 * come with this library lie in it as text (dlib/), and a declaration is compiled when a
 * program first names what it declares. Those of option libdir (-L), and of syslibdir in
 * place of ours, are files, compiled as a whole before a handle's first program.
 */
#ifndef DT_LIBRARY_H
#define DT_LIBRARY_H

#include "lang/compile.h"

/* Each compiles what the embedded libraries have under the name that is not yet there.
 * True: something has been declared. */
bool dt_library_name(dt_compile_t *, const char *name);	      /* an inline */
bool dt_library_translators(dt_compile_t *, const char *tag); /* to struct or union tag */
bool dt_library_provider(dt_compile_t *, const char *name);
/* A type, by its name or tag. */
bool dt_library_type(dt_compile_t *, dt_kind_t tag, const char *name);

/* The files, in the order of what they depend on. 0, or -1 with the handle's error set. */
int dt_library_load(dtrace_hdl_t *, uint32_t cflags);
/* #pragma D depends_on in a program: whether what it needs is there. */
bool dt_library_has(dtrace_hdl_t *, const char *kind, const char *name);

#endif
