/* SPDX-License-Identifier: Apache-2.0 */
/* minidebug.h - the compressed symbols that a stripped file can carry with it. */
#ifndef DT_MINIDEBUG_H
#define DT_MINIDEBUG_H

#include <gelf.h>
#include <stdbool.h>

/* One symbol, of the file's dynamic table or of its section .gnu_debugdata. False ends. */
typedef bool dt_minisym_f(const GElf_Sym *, const char *name, void *);

/* Whether the file has such a section. */
bool dt_minidebug_is_there(Elf *);
/* Calls f for each symbol of the open file, which stays open. False: f has ended it. */
bool dt_minidebug_symbols(int fd, dt_minisym_f *, void *);

#endif
