/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that is freed all at once. */
#ifndef DT_ARENA_H
#define DT_ARENA_H

#include <stddef.h>

typedef struct dt_arena dt_arena_t;

/* NULL when out of memory. */
dt_arena_t *dt_arena_create(void);
void dt_arena_destroy(dt_arena_t *);
/* Zeroed memory, aligned for any type; NULL when out of memory. */
void *dt_arena_alloc(dt_arena_t *, size_t);
/* A copy of length bytes with a NUL after them; NULL when out of memory. */
char *dt_arena_strndup(dt_arena_t *, const char *, size_t length);

#endif
