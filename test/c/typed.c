/* SPDX-License-Identifier: Apache-2.0 */
/*
 * typed.c - a process with types of its own, which its debugging information describes. It
 * calls walk() and find(), each once, and ends.
 */
#include <stdint.h>
#include <stdlib.h>

typedef enum color { RED, GREEN = 5, BLUE = -1 } color_t;

struct list { /* the kernel has one too, of another layout */
	int value;
	struct list *next;
	const char *name;
	unsigned int low : 3, high : 5;
	int matrix[2][3];
	color_t color;
	union {
		long number;
		char text[8];
	};
};

typedef struct list list_t;

typedef struct {
	int x, y;
} point_t;

struct base; /* declared, not defined here */

static point_t origin = {3, 4};

__attribute__((noipa)) int walk(const list_t *list, char letter, uint64_t *big, list_t **table,
				double not_a_word, int last)
{
	return list->value + letter + (int)*big + table[0]->value + (int)not_a_word + last;
}

__attribute__((noipa)) struct list *find(const point_t *p, color_t color, struct base *unknown)
{
	static struct list found;

	found.value = unknown ? 0 : p->x + (int)color;
	return &found;
}

int main(void)
{
	list_t second = {2, NULL, "second", 7, 9, {{1, 2, 3}, {4, 5, 6}}, BLUE, {77}};
	list_t first = {1, &second, "first", 1, 31, {{0}}, GREEN, {99}};
	list_t *table[] = {&second, &first};
	uint64_t big = 1ull << 40;

	walk(&first, 'x', &big, table, 1.5, 6);
	return find(&origin, GREEN, NULL)->value == 8 ? 0 : 1;
}
