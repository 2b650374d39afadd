/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - memory that is freed all at once. Blocks are carved from chunks that double
 * in size up to a limit, so that a one-line program costs one small chunk and a long one
 * few system calls. A block too large for that gets a chunk of its own behind the current
 * one, which stays in use.
 */
#include "arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST 2048
#define CHUNK_MAX 65536
#define ARRAY_FIRST 8 /* elements */

typedef struct dt_chunk {
	struct dt_chunk *next;
	alignas(max_align_t) char data[];
} dt_chunk_t;

struct dt_arena {
	dt_chunk_t *chunks; /* the current one first */
	size_t used, size;  /* bytes of the current chunk's data */
};

dt_arena_t *dt_arena_create(void)
{
	return calloc(1, sizeof(dt_arena_t));
}

void dt_arena_destroy(dt_arena_t *arena)
{
	if (arena == NULL)
		return;

	for (dt_chunk_t *chunk = arena->chunks, *next; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

/* A chunk for one block, kept off the current chunk's place. */
static void *arena_alloc_large(dt_arena_t *arena, size_t size)
{
	dt_chunk_t *chunk = calloc(1, sizeof(*chunk) + size);

	if (chunk == NULL)
		return NULL;
	if (arena->chunks == NULL) {
		arena->chunks = chunk;
		arena->used = arena->size = size;
	} else {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	}
	return chunk->data;
}

void *dt_arena_alloc(dt_arena_t *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	void *block;

	if (size > PTRDIFF_MAX - CHUNK_MAX)
		return NULL;
	size = (size + align - 1) & ~(align - 1);
	if (size == 0)
		size = align;

	if (size > arena->size - arena->used) {
		size_t room = arena->size == 0 ? CHUNK_FIRST : arena->size * 2;
		dt_chunk_t *chunk;

		if (room > CHUNK_MAX)
			room = CHUNK_MAX;
		if (size > room / 2)
			return arena_alloc_large(arena, size);
		chunk = calloc(1, sizeof(*chunk) + room);
		if (chunk == NULL)
			return NULL;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->used = 0;
		arena->size = room;
	}

	block = arena->chunks->data + arena->used;
	arena->used += size;
	return block;
}

int dt_arena_grow(dt_arena_t *arena, void *array, size_t element, uint32_t n,
		  uint32_t *capacity)
{
	uint32_t want = *capacity != 0 ? *capacity * 2 : ARRAY_FIRST;
	void *old, *grown;

	if (n < *capacity)
		return 0;
	grown = dt_arena_alloc(arena, want * element);
	if (grown == NULL)
		return -1;
	memcpy(&old, array, sizeof(old));
	if (n > 0)
		memcpy(grown, old, n * element);
	memcpy(array, &grown, sizeof(grown));
	*capacity = want;
	return 0;
}

char *dt_arena_strndup(dt_arena_t *arena, const char *text, size_t length)
{
	char *copy = dt_arena_alloc(arena, length + 1);

	if (copy != NULL)
		memcpy(copy, text, length);
	return copy;
}
