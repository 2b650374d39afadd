/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demangle.c - see demangle.h. How names are mangled is the demanglers' of libiberty to know:
 * that of C++ (the Itanium ABI) and that of Rust, whose older names look like those of C++
 * and end in a hash, which is left out.
 *
 * A name comes from a file that anybody may have made, and a short one can stand for a text
 * without end: each part may repeat what is before it twice. So the text is taken piece by
 * piece, and the demangler is left as soon as there is enough of it.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "consume/demangle.h"

/* Bytes of a name: what is printed has room for so many, an object and an offset. */
#define DEMANGLED_MAX 960
#define MORE "..."

typedef struct output {
	size_t length;
	jmp_buf full;
	char text[DEMANGLED_MAX + sizeof(MORE)];
} output_t;

typedef int demangler_f(const char *, int, demangle_callbackref, void *);

/* Leaves the demangler where the text becomes too long. It has nothing allocated then: only
 * Rust's has, for a part of a name that is not of ASCII. */
static void append(const char *text, size_t length, void *arg)
{
	output_t *out = arg;
	size_t room = DEMANGLED_MAX - out->length, part = length < room ? length : room;

	if (part > 0) /* text may be NULL */
		memcpy(out->text + out->length, text, part);
	out->length += part;
	if (length <= room)
		return;
	memcpy(out->text + out->length, MORE, strlen(MORE));
	out->length += strlen(MORE);
	longjmp(out->full, 1);
}

static bool demangle(demangler_f *demangler, const char *name, output_t *out)
{
	out->length = 0;
	if (setjmp(out->full) == 0 &&
	    !demangler(name, DMGL_PARAMS | DMGL_ANSI, append, out))
		return false;
	out->text[out->length] = '\0';
	return out->length > 0;
}

static bool is_mangled(const char *name)
{
	return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

const char *dt_demangled(dt_demangled_t *table, size_t n, size_t i, const char *name)
{
	output_t out;

	if (!is_mangled(name))
		return name;
	if (*table == NULL)
		*table = calloc(n, sizeof(**table));
	if (*table == NULL)
		return name;
	if ((*table)[i] == NULL)
		(*table)[i] = strdup(demangle(rust_demangle_callback, name, &out) ||
					     demangle(cplus_demangle_v3_callback, name, &out)
					 ? out.text
					 : name);
	return (*table)[i] != NULL ? (*table)[i] : name;
}

void dt_demangled_free(dt_demangled_t *table, size_t n)
{
	for (size_t i = 0; *table != NULL && i < n; i++)
		free((*table)[i]);
	free(*table);
	*table = NULL;
}
