/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - what names.c offers to other parts besides its public functions. */
#ifndef DT_NAMES_H
#define DT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtrace.h"

/*
 * The value of a macro variable that is an integer: pid ppid uid euid gid egid pgid sid
 * target, named without its $. False: no such variable, or it has no value now ($target
 * without a process).
 */
bool dt_macro_value(dtrace_hdl_t *, const char *name, size_t length, int64_t *value);
/* "Stable/Evolving/Common" to its parts, in any letter case. False: not of that form. */
bool dt_attr_parse(const char *, dtrace_attribute_t *);

#endif
