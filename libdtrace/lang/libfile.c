/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfile.c - D libraries that are files: all *.d of the directories of options syslibdir
 * and libdir, each compiled after those that it depends on by name. A library that depends
 * on a module or provider that is not here is passed over, and with it what depends on it;
 * so is a directory that is not there. Whatever is wrong with a library's text fails the
 * program that made it be read.
 */
#include "lang/libfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle.h"
#include "lang/library.h"
#include "provider/provider.h"

#define LIBFILE_MAX (4 << 20) /* bytes */

typedef enum libstate { LIB_NEW, LIB_VISITING, LIB_DONE, LIB_SKIPPED } libstate_t;

typedef struct libfile {
	struct libfile *next;
	char *path;
	const char *name; /* the last part of path */
	char *text;
	size_t length;
	libstate_t state;
} libfile_t;

typedef struct liblist {
	libfile_t *first, **tail;
} liblist_t;

/* The names of those that have been compiled, for depends_on; in the handle's arena. */
struct dt_libnames {
	struct dt_libnames *next;
	const char *path, *name; /* the last part of path */
};

/* ---- Reading --------------------------------------------------------------- */

static void libfile_free(libfile_t *file)
{
	free(file->path);
	free(file->text);
	free(file);
}

/* A file's text, NUL-terminated; NULL with errno set. */
static char *read_text(const char *path, size_t *length)
{
	FILE *stream = fopen(path, "re");
	char *text = NULL;
	struct stat status;

	if (stream == NULL)
		return NULL;
	if (fstat(fileno(stream), &status) == 0 && status.st_size <= LIBFILE_MAX)
		text = malloc((size_t)status.st_size + 1);
	else
		errno = EFBIG;
	if (text != NULL) {
		*length = fread(text, 1, (size_t)status.st_size, stream);
		text[*length] = '\0';
	}
	fclose(stream);
	return text;
}

static int add_file(dtrace_hdl_t *hdl, liblist_t *list, const char *directory,
		    const char *name)
{
	libfile_t *file = calloc(1, sizeof(*file));

	if (file == NULL || asprintf(&file->path, "%s/%s", directory, name) < 0) {
		free(file);
		return dt_set_errno(hdl, EDT_NOMEM);
	}
	file->name = strrchr(file->path, '/') + 1;
	file->text = read_text(file->path, &file->length);
	if (file->text == NULL) {
		dt_set_error(hdl, errno, "failed to read D library %s: %s", file->path,
			     strerror(errno));
		libfile_free(file);
		return -1;
	}
	*list->tail = file;
	list->tail = &file->next;
	return 0;
}

static int is_library_name(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 2 && strcmp(entry->d_name + length - 2, ".d") == 0;
}

static int add_directory(dtrace_hdl_t *hdl, liblist_t *list, const char *directory)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, is_library_name, alphasort), result = 0;

	for (int i = 0; i < n; i++) {
		if (result == 0)
			result = add_file(hdl, list, directory, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* The directories of a path with ':' between them. */
static int add_path(dtrace_hdl_t *hdl, liblist_t *list, const char *path)
{
	int result = 0;

	while (path != NULL && *path != '\0' && result == 0) {
		size_t length = strcspn(path, ":");
		char *directory = strndup(path, length);

		if (directory == NULL)
			return dt_set_errno(hdl, EDT_NOMEM);
		result = add_directory(hdl, list, directory);
		free(directory);
		path += length + (path[length] == ':');
	}
	return result;
}

/* ---- Dependencies ------------------------------------------------------------- */

/* The words of "#pragma D depends_on kind name" at the start of a line. */
typedef struct dependency {
	char kind[16], name[128];
} dependency_t;

/* The next dependency of a text from *at on, which is moved behind it. */
static bool next_dependency(const char **at, dependency_t *dependency)
{
	while (*at != NULL && **at != '\0') {
		const char *line = *at, *end = strchr(line, '\n');

		*at = end == NULL ? NULL : end + 1;
		if (sscanf(line, " # pragma D depends_on %15[a-z] %127[^ \t\n]",
			   dependency->kind, dependency->name) == 2)
			return true;
	}
	return false;
}

static bool has_module(const char *name)
{
	char path[200];

	if (strcmp(name, "vmlinux") == 0 || strcmp(name, "kernel") == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return strchr(name, '/') == NULL && access(path, F_OK) == 0;
}

static bool has_provider(const char *name)
{
	/* A family (pid*) is there by any of its names; but not one that takes every name.
	 */
	for (int i = 0; dt_providers[i] != NULL; i++) {
		if (dt_providers[i]->name[0] != '*' &&
		    dt_provider_matches(dt_providers[i], name))
			return true;
	}
	return false;
}

bool dt_library_has(dtrace_hdl_t *hdl, const char *kind, const char *name)
{
	if (strcmp(kind, "module") == 0)
		return has_module(name);
	if (strcmp(kind, "provider") == 0)
		return has_provider(name);
	for (const struct dt_libnames *known = hdl->libnames; known != NULL;
	     known = known->next) {
		if (strcmp(known->name, name) == 0)
			return true;
	}
	return dt_library_is_ours(name);
}

/* ---- Compiling ----------------------------------------------------------------- */

static bool is_noted(const dtrace_hdl_t *hdl, const char *path)
{
	const struct dt_libnames *known = hdl->libnames;

	while (known != NULL && strcmp(known->path, path) != 0)
		known = known->next;
	return known != NULL;
}

static int note_path(dtrace_hdl_t *hdl, const char *path)
{
	struct dt_libnames *note = dt_arena_alloc(hdl->arena, sizeof(*note));

	if (note != NULL)
		note->path = dt_arena_strndup(hdl->arena, path, strlen(path));
	if (note == NULL || note->path == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	note->name = strrchr(note->path, '/') + 1;
	note->next = hdl->libnames;
	hdl->libnames = note;
	return 0;
}

static libfile_t *find_file(const liblist_t *list, const char *name)
{
	libfile_t *file;

	for (file = list->first; file != NULL; file = file->next) {
		if (strcmp(file->name, name) == 0)
			return file;
	}
	return NULL;
}

static int compile_file(dtrace_hdl_t *hdl, const liblist_t *list, libfile_t *file,
			uint32_t cflags);

/* 1: it is there. 0: it is not. -1: an error. */
static int meet(dtrace_hdl_t *hdl, const liblist_t *list, const libfile_t *file,
		const dependency_t *dependency, uint32_t cflags)
{
	libfile_t *other;

	if (strcmp(dependency->kind, "library") != 0)
		return dt_library_has(hdl, dependency->kind, dependency->name);
	other = find_file(list, dependency->name);
	if (other == NULL)
		return dt_library_has(hdl, "library", dependency->name);
	if (other->state == LIB_VISITING)
		return dt_set_error(hdl, EDT_COMPILER,
				    "D libraries %s and %s depend on each other",
				    file->path, other->path);
	if (compile_file(hdl, list, other, cflags) != 0)
		return -1;
	return other->state == LIB_DONE;
}

/* Compiles what a library depends on, and then it. */
static int compile_file(dtrace_hdl_t *hdl, const liblist_t *list, libfile_t *file,
			uint32_t cflags)
{
	const char *at = file->text;
	dependency_t dependency;
	int met = 1;

	if (file->state != LIB_NEW)
		return 0;
	/* An earlier program may have read some, and failed by another. */
	if (is_noted(hdl, file->path)) {
		file->state = LIB_DONE;
		return 0;
	}
	file->state = LIB_VISITING;
	while (met > 0 && next_dependency(&at, &dependency))
		met = meet(hdl, list, file, &dependency, cflags);
	if (met < 0)
		return -1;
	file->state = met ? LIB_DONE : LIB_SKIPPED;
	if (!met)
		return 0;
	if (dt_compile_library(hdl, file->text, file->length, file->path, cflags) == NULL)
		return -1;
	return note_path(hdl, file->path);
}

int dt_library_load(dtrace_hdl_t *hdl, uint32_t cflags)
{
	liblist_t list = {.tail = &list.first};
	libfile_t *file, *next;
	int result;

	if (hdl->has_libfiles || cflags & DTRACE_C_NOLIBS)
		return 0;
	result = add_path(hdl, &list, hdl->stroptions[DT_OPT_SYSLIBDIR]);
	if (result == 0)
		result = add_path(hdl, &list, hdl->stroptions[DT_OPT_LIBDIR]);
	for (file = list.first; file != NULL && result == 0; file = file->next)
		result = compile_file(hdl, &list, file, cflags);
	for (file = list.first; file != NULL; file = next) {
		next = file->next;
		libfile_free(file);
	}
	hdl->has_libfiles = result == 0;
	return result;
}
