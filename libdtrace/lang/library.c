/* SPDX-License-Identifier: Apache-2.0 */
/* library.c - the D libraries that are part of this library; see library.h. */
#include "lang/library.h"

#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "lang/libfile.h"
#include "lang/parse.h"
#include "lang/source.h"

typedef enum dt_dlibkind {
	DT_DLIB_ENUM,
	DT_DLIB_NAME,
	DT_DLIB_PROVIDER,
	DT_DLIB_STRUCT,
	DT_DLIB_TRANSLATOR,
	DT_DLIB_TYPEDEF,
	DT_DLIB_UNION
} dt_dlibkind_t;

/* One declaration. */
typedef struct dt_dlibtext {
	const char *file;
	int line;
	const char *text;
} dt_dlibtext_t;

/* A name that it declares. Sorted by name, a name's kinds together. */
typedef struct dt_dlibname {
	dt_dlibkind_t kind;
	const char *name;
	uint32_t text;
} dt_dlibname_t;

#include "dlib.inc"

#define NTEXTS (sizeof(dlib_texts) / sizeof(dlib_texts[0]))
#define NNAMES (sizeof(dlib_names) / sizeof(dlib_names[0]))
#define NFILES (sizeof(dlib_files) / sizeof(dlib_files[0]))

struct dt_library {
	bool is_compiled[NTEXTS];
};

/* ---- Compiling a declaration ---------------------------------------------------- */

static void compile_undo(dtrace_hdl_t *hdl, void *argument)
{
	(void)hdl;
	*(bool *)argument = false;
}

/* As part of the compile under way: what fails takes the declaration back with it. */
static void compile_text(dt_compile_t *c, uint32_t number)
{
	const dt_dlibtext_t *text = &dlib_texts[number];
	uint32_t cflags = c->cflags;
	bool is_library = c->is_library;
	bool *is_compiled = &c->hdl->library->is_compiled[number];

	*is_compiled = true;
	dt_compile_on_error(c, compile_undo, is_compiled);
	c->is_library = true;
	c->cflags &= ~(uint32_t)DTRACE_C_PSPEC;
	dt_parse_text(c, text->text, dt_source_add(c->hdl, text->file) + text->line);
	c->is_library = is_library;
	c->cflags = cflags;
}

/* The first of a name's entries; NNAMES: there is none. */
static size_t find_name(const char *name)
{
	size_t low = 0, high = NNAMES;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(dlib_names[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < NNAMES && strcmp(dlib_names[low].name, name) == 0 ? low : NNAMES;
}

/* Whether names are looked for here at all. */
static bool is_open(const dt_compile_t *c)
{
	dtrace_hdl_t *hdl = c->hdl;

	if (c->cflags & DTRACE_C_NOLIBS || hdl->stroptions[DT_OPT_SYSLIBDIR] != NULL)
		return false;
	if (hdl->library == NULL)
		hdl->library = dt_arena_alloc(hdl->arena, sizeof(*hdl->library));
	return hdl->library != NULL;
}

/* Compiles every declaration of that name and kind that has not been. */
static bool compile_name(dt_compile_t *c, dt_dlibkind_t kind, const char *name)
{
	bool is_found = false;

	for (size_t i = find_name(name); i < NNAMES; i++) {
		const dt_dlibname_t *entry = &dlib_names[i];

		if (strcmp(entry->name, name) != 0)
			break;
		if (entry->kind != kind || !is_open(c) ||
		    c->hdl->library->is_compiled[entry->text])
			continue;
		compile_text(c, entry->text);
		is_found = true;
	}
	return is_found;
}

bool dt_library_name(dt_compile_t *c, const char *name)
{
	return compile_name(c, DT_DLIB_NAME, name);
}

bool dt_library_translators(dt_compile_t *c, const char *tag)
{
	return compile_name(c, DT_DLIB_TRANSLATOR, tag);
}

bool dt_library_provider(dt_compile_t *c, const char *name)
{
	return compile_name(c, DT_DLIB_PROVIDER, name);
}

bool dt_library_type(dt_compile_t *c, dt_kind_t tag, const char *name)
{
	switch (tag) {
	case DT_K_STRUCT:
		return compile_name(c, DT_DLIB_STRUCT, name);
	case DT_K_UNION:
		return compile_name(c, DT_DLIB_UNION, name);
	case DT_K_ENUM:
		return compile_name(c, DT_DLIB_ENUM, name);
	case DT_K_TYPEDEF:
		return compile_name(c, DT_DLIB_TYPEDEF, name);
	default:
		return false;
	}
}

bool dt_library_is_ours(const char *file)
{
	for (size_t i = 0; i < NFILES; i++) {
		if (strcmp(dlib_files[i], file) == 0)
			return true;
	}
	return false;
}
