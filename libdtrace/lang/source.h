/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - where in which text something stands. A line is one int everywhere in the
 * tree: its number, and above it the number of its file. File 0 is the program itself, so
 * a line of a program is just its number; others are what cpp included, and D libraries.
 */
#ifndef DT_SOURCE_H
#define DT_SOURCE_H

#include <stddef.h>

#include "dtrace.h"

#define DT_LINE_BITS 22
#define DT_LINE_NUMBER(line) ((line) & ((1 << DT_LINE_BITS) - 1))

/* What to add to the numbers of a file's lines. A name too many, or no memory: 0. */
int dt_source_add(dtrace_hdl_t *, const char *name);
/* For messages: "line 3: ", for other files "\"name.h\", line 3: ", for line 0 "". */
const char *dt_source_place(const dtrace_hdl_t *, int line, char *buf, size_t size);

#endif
