/* SPDX-License-Identifier: Apache-2.0 */
/*
 * typed.c - a process with types of its own, which its debugging information describes. It
 * calls walk(), find(), spread(), spill() and made(), each once, and ends.
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

struct mixed { /* one register of each kind */
	long number;
	double real;
};

struct large {
	long words[3];
};

struct range { /* two registers, or none */
	const char *begin, *end;
};

union either {
	int number;
	float real;
};

__attribute__((noipa)) int spread(double real,	       /* no register for words */
				  int a, point_t point,	       /* one each */
				  struct mixed mixed,	       /* one */
				  float small, struct large large, short b, long double wide,
				  int c, int *last)
{
	return a + b + c + *last + point.x + (int)(real + mixed.real + small + wide) +
	       (int)large.words[0];
}

__attribute__((noipa)) long spill(long a, long b, long c, long d, long e, struct range range,
				  long last, long more)
{
	return a + b + c + d + e + (range.end - range.begin) + last + more;
}

/* Where the result goes is the first argument. */
__attribute__((noipa)) struct large made(int a, union either either, char b)
{
	return (struct large){{a, either.number, b}};
}

int main(void)
{
	list_t second = {2, NULL, "second", 7, 9, {{1, 2, 3}, {4, 5, 6}}, BLUE, {77}};
	list_t first = {1, &second, "first", 1, 31, {{0}}, GREEN, {99}};
	list_t *table[] = {&second, &first};
	uint64_t big = 1ull << 40;

	walk(&first, 'x', &big, table, 1.5, 6);
	spread(0.5, 11, origin, (struct mixed){1, 2.5}, 1.5f, (struct large){{1, 2, 3}}, -12, 3.5L,
	       13, &origin.y);
	spill(1, 2, 3, 4, 5, (struct range){"", ""}, 6, 7);
	made(21, (union either){22}, 'b');
	return find(&origin, GREEN, NULL)->value == 8 ? 0 : 1;
}
