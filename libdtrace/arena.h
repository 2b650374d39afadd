/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that is freed all at once. */
#ifndef DT_ARENA_H
#define DT_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct dt_arena dt_arena_t;

/* NULL when out of memory. */
dt_arena_t *dt_arena_create(void);
void dt_arena_destroy(dt_arena_t *);
/* Zeroed memory, aligned for any type; NULL when out of memory. */
void *dt_arena_alloc(dt_arena_t *, size_t);
/* Room for one more in an array of n elements, whose pointer is at that address and may change:
 * what there is room for doubles. 0, or -1: out of memory, and nothing has changed. */
int dt_arena_grow(dt_arena_t *, void *array, size_t element, uint32_t n, uint32_t *capacity);
/* A copy of length bytes with a NUL after them; NULL when out of memory. */
char *dt_arena_strndup(dt_arena_t *, const char *, size_t length);

#endif
