/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userlibs.c - see userlibs.h. A user probe is set on a file and works in every mapping of it
 * that comes later, so the libraries of a process that has not begun can be instrumented
 * if it is known which files they will be. The dynamic linker's own rules tell (ld.so(8)):
 * for each name an object needs, the first of these that has it
 *
 *	DT_RPATH of the object and of the program, where there is no DT_RUNPATH
 *	LD_LIBRARY_PATH of the process
 *	DT_RUNPATH of the object
 *	/etc/ld.so.cache
 *	the system's directories
 *
 * Libraries are visited breadth first. Of several files that the cache has for a name (for
 * more and less capable CPUs) all are taken: a probe in a file that is not mapped never fires.
 */
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "consume/userlibs.h"
#include "readall.h"

#define CACHE_FILE "/etc/ld.so.cache"
#define CACHE_MAGIC "glibc-ld.so.cache1.1"
#define ENVIRON_MAX (1 << 20)
#define CACHE_MAX (16 << 20)

/* The head of ld.so.cache, and an entry: offsets are from the file's start. */
typedef struct cachehead {
	char magic[20];
	uint32_t nlibs, strings_size;
	uint32_t unused[5];
} cachehead_t;

typedef struct cacheentry {
	int32_t flags;
	uint32_t name, path;
	uint32_t os_version;
	uint64_t hwcap;
} cacheentry_t;

/* A library found, in the order of finding. */
typedef struct library {
	struct library *next;
	char *path;
} library_t;

/* A name looked for. */
typedef struct soname {
	struct soname *next;
	char name[];
} soname_t;

typedef struct search {
	char root[32]; /* "/proc/PID/root" */
	char *environ; /* NUL-separated */
	size_t environ_size;
	char *cache;
	size_t cache_size;
	char *program_rpath;
	library_t *first, **tail;
	soname_t *sonames;
	bool failed; /* out of memory */
} search_t;

/* What an object says of the libraries it needs. */
typedef struct object {
	const char *path;
	const char *rpath, *runpath; /* NULL: none */
} object_t;

/* ---- Files ------------------------------------------------------------------- */

/* The file's contents and a NUL; NULL: it cannot be read. */
static char *read_file(const char *path, size_t limit, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;

	if (fd < 0)
		return NULL;
	text = dt_read_all(fd, limit, size);
	close(fd);
	return text;
}

static bool is_library(const search_t *search, const char *path)
{
	char full[PATH_MAX + 512];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", search->root, path);
	return stat(full, &st) == 0 && S_ISREG(st.st_mode);
}

/* Adds the library if it is there. True: it is. */
static bool add_library(search_t *search, const char *path)
{
	library_t *library;

	if (!is_library(search, path))
		return false;
	library = calloc(1, sizeof(*library));
	if (library != NULL)
		library->path = strdup(path);
	if (library == NULL || library->path == NULL) {
		free(library);
		search->failed = true;
		return true;
	}
	*search->tail = library;
	search->tail = &library->next;
	return true;
}

/* ---- Places -------------------------------------------------------------------- */

static const char *get_environ(const search_t *search, const char *name)
{
	size_t length = strlen(name);
	const char *at = search->environ, *end = at + search->environ_size;

	for (; at != NULL && at < end; at += strlen(at) + 1)
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return at + length + 1;
	return NULL;
}

/* One directory of a list; $ORIGIN is that of the object. False: it cannot be told. */
static bool expand(const object_t *object, const char *from, size_t length, char *to,
		   size_t size)
{
	static const char *const origins[] = {"$ORIGIN", "${ORIGIN}"};
	const char *slash = strrchr(object->path, '/');
	size_t mark;

	for (int i = 0; i < 2; i++) {
		mark = strlen(origins[i]);
		if (length < mark || strncmp(from, origins[i], mark) != 0)
			continue;
		return snprintf(to, size, "%.*s%.*s", (int)(slash - object->path),
				object->path, (int)(length - mark), from + mark) < (int)size;
	}
	return memchr(from, '$', length) == NULL && length > 0 && from[0] == '/' &&
	       snprintf(to, size, "%.*s", (int)length, from) < (int)size;
}

/* Looks in each directory of a list. */
static bool find_in_list(search_t *search, const object_t *object, const char *list,
			 const char *name)
{
	char directory[PATH_MAX], path[PATH_MAX + 256];

	while (list != NULL && *list != '\0') {
		size_t length = strcspn(list, ":;");

		if (expand(object, list, length, directory, sizeof(directory))) {
			snprintf(path, sizeof(path), "%s/%s", directory, name);
			if (add_library(search, path))
				return true;
		}
		list += length + (list[length] != '\0');
	}
	return false;
}

static const char *cache_string(const search_t *search, uint32_t offset)
{
	return offset < search->cache_size ? search->cache + offset : "";
}

static bool find_in_cache(search_t *search, const char *name)
{
	const cachehead_t *head = (const void *)search->cache;
	const cacheentry_t *entries;
	bool found = false;

	if (search->cache == NULL || search->cache_size < sizeof(*head) ||
	    memcmp(head->magic, CACHE_MAGIC, sizeof(head->magic)) != 0 ||
	    head->nlibs > (search->cache_size - sizeof(*head)) / sizeof(*entries))
		return false;
	entries = (const void *)(head + 1);
	for (uint32_t i = 0; i < head->nlibs; i++)
		if (entries[i].flags == DT_ARCH_LDCACHE_FLAGS &&
		    strcmp(cache_string(search, entries[i].name), name) == 0)
			found |= add_library(search, cache_string(search, entries[i].path));
	return found;
}

/* Finds a library by its name, once. */
static void find_library(search_t *search, const object_t *object, const char *name)
{
	const char *rpath = object->runpath == NULL ? object->rpath : NULL;
	const char *program_rpath = object->runpath == NULL ? search->program_rpath : NULL;
	soname_t *known = search->sonames;

	while (known != NULL && strcmp(known->name, name) != 0)
		known = known->next;
	if (known != NULL)
		return;
	known = malloc(sizeof(*known) + strlen(name) + 1);
	if (known == NULL) {
		search->failed = true;
		return;
	}
	strcpy(known->name, name);
	known->next = search->sonames;
	search->sonames = known;

	if (strchr(name, '/') != NULL) {
		add_library(search, name);
		return;
	}
	if (find_in_list(search, object, rpath, name) ||
	    find_in_list(search, object, program_rpath, name) ||
	    find_in_list(search, object, get_environ(search, "LD_LIBRARY_PATH"), name) ||
	    find_in_list(search, object, object->runpath, name) ||
	    find_in_cache(search, name))
		return;
	find_in_list(search, object, DT_ARCH_LIBRARY_PATH, name);
}

/* LD_PRELOAD and /etc/ld.so.preload: names separated by blanks or colons. */
static void find_preloads(search_t *search, const object_t *program, const char *list)
{
	char name[PATH_MAX];

	while (list != NULL && *list != '\0') {
		size_t length = strcspn(list, ": \t\n");

		if (length > 0 && length < sizeof(name)) {
			memcpy(name, list, length);
			name[length] = '\0';
			find_library(search, program, name);
		}
		list += length + (list[length] != '\0');
	}
}

/* ---- Objects ------------------------------------------------------------------- */

/* The string of the next entry of a tag, from the entry numbered *from on; NULL: none. */
static const char *dynamic_string(Elf *elf, const GElf_Shdr *header, Elf_Data *data,
				  Elf64_Sxword tag, size_t *from)
{
	size_t n = header->sh_entsize != 0 ? data->d_size / header->sh_entsize : 0;
	GElf_Dyn entry;

	while (*from < n && gelf_getdyn(data, (int)(*from)++, &entry) != NULL &&
	       entry.d_tag != DT_NULL) {
		if (entry.d_tag == tag)
			return elf_strptr(elf, header->sh_link, entry.d_un.d_val);
	}
	return NULL;
}

static void visit_dynamic(search_t *search, Elf *elf, Elf_Scn *section, const char *path,
			  bool is_program)
{
	object_t object = {.path = path};
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Shdr header;
	const char *name;
	size_t at = 0;

	if (data == NULL || gelf_getshdr(section, &header) == NULL)
		return;
	object.rpath = dynamic_string(elf, &header, data, DT_RPATH, &at);
	at = 0;
	object.runpath = dynamic_string(elf, &header, data, DT_RUNPATH, &at);
	if (is_program && object.runpath == NULL && object.rpath != NULL)
		search->program_rpath = strdup(object.rpath);
	if (is_program) {
		char preload[64];
		size_t size;
		char *text;

		find_preloads(search, &object, get_environ(search, "LD_PRELOAD"));
		snprintf(preload, sizeof(preload), "%s/etc/ld.so.preload", search->root);
		text = read_file(preload, ENVIRON_MAX, &size);
		find_preloads(search, &object, text);
		free(text);
	}
	at = 0;
	while ((name = dynamic_string(elf, &header, data, DT_NEEDED, &at)) != NULL)
		find_library(search, &object, name);
}

static void visit_object(search_t *search, const char *path, bool is_program)
{
	char full[PATH_MAX + 64];
	Elf_Scn *section = NULL;
	Elf *elf;
	int fd;

	snprintf(full, sizeof(full), "%s%s", search->root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	while (elf != NULL && (section = elf_nextscn(elf, section)) != NULL) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) != NULL &&
		    header.sh_type == SHT_DYNAMIC) {
			visit_dynamic(search, elf, section, path, is_program);
			break;
		}
	}
	elf_end(elf);
	close(fd);
}

static void search_end(search_t *search)
{
	library_t *library;
	soname_t *soname;

	while ((library = search->first) != NULL) {
		search->first = library->next;
		free(library->path);
		free(library);
	}
	while ((soname = search->sonames) != NULL) {
		search->sonames = soname->next;
		free(soname);
	}
	free(search->environ);
	free(search->cache);
	free(search->program_rpath);
}

int dt_user_libraries(pid_t pid, const char *program, dt_userlib_f *f, void *arg)
{
	search_t search = {.tail = &search.first};
	char path[96];
	bool failed;

	elf_version(EV_CURRENT);
	snprintf(search.root, sizeof(search.root), "/proc/%d/root", (int)pid);
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	search.environ = read_file(path, ENVIRON_MAX, &search.environ_size);
	snprintf(path, sizeof(path), "%s%s", search.root, CACHE_FILE);
	search.cache = read_file(path, CACHE_MAX, &search.cache_size);
	visit_object(&search, program, true);
	/* The list grows while it is walked. */
	for (library_t *library = search.first; library != NULL; library = library->next)
		visit_object(&search, library->path, false);
	for (library_t *library = search.first; library != NULL && !search.failed;
	     library = library->next)
		search.failed = f(library->path, arg) != 0;
	failed = search.failed;
	search_end(&search);
	return failed ? -1 : 0;
}
