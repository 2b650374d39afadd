/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name.c - a type in C notation. C writes a type around the place of the name, so the
 * text grows to both sides from there: "*" on the left for a pointer, "[4]" or "(int)" on
 * the right for an array or a function, and the base type's own words at the very left.
 */
#include <stdio.h>
#include <string.h>

#include "types/types.h"

#define DECLARATOR_MAX 512
#define NAME_DEPTH 8 /* parameter lists within parameter lists */

typedef struct declarator {
	char text[DECLARATOR_MAX];
	size_t start, end; /* of what is written so far */
} declarator_t;

/* What does not fit is left out: a name is for people to read. */
static void put_left(declarator_t *d, const char *text)
{
	size_t length = strlen(text);

	if (length > d->start)
		return;
	d->start -= length;
	memcpy(d->text + d->start, text, length);
}

static void put_right(declarator_t *d, const char *text)
{
	size_t length = strlen(text);

	if (d->end + length >= sizeof(d->text))
		return;
	memcpy(d->text + d->end, text, length);
	d->end += length;
}

static char *type_name(const dt_type_t *type, char *buf, size_t size, int depth);

static void put_params(declarator_t *d, const dt_type_t *type, int depth)
{
	char name[128];

	put_right(d, "(");
	for (uint32_t i = 0; i < type->count; i++) {
		if (i > 0)
			put_right(d, ", ");
		put_right(d, depth >= NAME_DEPTH ? "..."
						 : type_name(type->params[i], name,
							     sizeof(name), depth + 1));
	}
	if (type->varargs)
		put_right(d, type->count > 0 ? ", ..." : "...");
	else if (type->count == 0)
		put_right(d, "void");
	put_right(d, ")");
}

static const char *qualifier_words(uint8_t qualifiers)
{
	switch (qualifiers & (DT_TQ_CONST | DT_TQ_VOLATILE)) {
	case DT_TQ_CONST:
		return "const ";
	case DT_TQ_VOLATILE:
		return "volatile ";
	case DT_TQ_CONST | DT_TQ_VOLATILE:
		return "const volatile ";
	default:
		return "";
	}
}

static const char *tag_words(const dt_type_t *type)
{
	switch (type->kind) {
	case DT_K_STRUCT:
	case DT_K_FORWARD:
		return "struct ";
	case DT_K_UNION:
		return "union ";
	case DT_K_ENUM:
		return "enum ";
	default:
		return "";
	}
}

static char *type_name(const dt_type_t *type, char *buf, size_t size, int depth)
{
	declarator_t d = {.start = DECLARATOR_MAX / 2, .end = DECLARATOR_MAX / 2};
	uint8_t qualifiers = 0;
	bool after_pointer = false;
	char count[16];

	for (;; type = type->ref) {
		if (type->kind == DT_K_TYPEDEF && type->name == NULL) {
			qualifiers |= type->qualifiers;
			continue;
		}
		if (type->kind != DT_K_PTR && type->kind != DT_K_ARRAY &&
		    type->kind != DT_K_FUNC)
			break;
		if (type->kind == DT_K_PTR) {
			/* "* const", and a blank only before what follows. */
			if (qualifiers & DT_TQ_CONST)
				put_left(&d, d.start == d.end ? "const" : "const ");
			put_left(&d, "*");
			after_pointer = true;
			qualifiers = 0;
			continue;
		}
		if (after_pointer) {
			put_left(&d, "(");
			put_right(&d, ")");
			after_pointer = false;
		}
		if (type->kind == DT_K_FUNC) {
			put_params(&d, type, depth);
		} else {
			snprintf(count, sizeof(count), type->count == 0 ? "[]" : "[%u]",
				 type->count);
			put_right(&d, count);
		}
	}

	d.text[d.end] = '\0';
	snprintf(buf, size, "%s%s%s%s%s", qualifier_words(qualifiers), tag_words(type),
		 type->name != NULL ? type->name : "(anon)", d.start == d.end ? "" : " ",
		 d.text + d.start);
	return buf;
}

char *dt_type_name(const dt_type_t *type, char *buf, size_t size)
{
	return type_name(type, buf, size, 0);
}
