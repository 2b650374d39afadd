/* SPDX-License-Identifier: Apache-2.0 */
/* typed.h - values by their D type: print(), and what JSON makes of it. */
#ifndef DT_TYPED_H
#define DT_TYPED_H

#include "consume/consume.h"
#include "handle.h"

/*
 * Prints size bytes as a value of the type, as print() does: type, value, a line's end.
 * type NULL: as bytes. Characters, or -1 with the handle's error set.
 */
int dt_print_typed(dtrace_hdl_t *, FILE *, dt_type_t *, const void *data, size_t size);

/* A scalar in memory, bit-fields too: bit_size 0 takes the type's whole size. */
uint64_t dt_typed_integer(const void *data, const dt_type_t *, uint32_t bit_offset,
			  uint32_t bit_size);
/* The name of an enumeration's value; NULL: it has none. */
const char *dt_typed_enumerator(const dt_type_t *, int64_t value);

#endif
