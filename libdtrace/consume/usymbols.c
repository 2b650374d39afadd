/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usymbols.c - user addresses to names: /proc/PID/maps tells which file is mapped where,
 * the file's symbol table (userobj.c) the rest.
 *
 * Files are opened as the process itself sees them, by /proc/PID/root, so that programs in
 * containers have names too. Symbol tables are shared by all processes that map the file.
 *
 * Maps are kept, as most look-ups come in runs for the same process, and read again when
 * they are old, sooner when an address is not in them. A process that has ended keeps the
 * maps it had: its records may come to be printed after its end. Its start time tells it
 * from a later process of the same number.
 *
 * Code made at run time (JavaScript, Java) has names where the run-time system writes a
 * perf map, /tmp/perf-PID.map by the number the process has in its own namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "consume/output.h"
#include "consume/symbols.h"
#include "consume/userlibs.h"
#include "consume/userobj.h"

#define PROCS_MAX 1024
#define VDSO_SIZE_MAX (1 << 20)
/* How old maps may be, when they hold the address and when they do not. */
#define MAPS_AGE_HIT 1000000000
#define MAPS_AGE_MISS 50000000
/* How the kernel calls a file that is only in memory. */
#define MEMFD "/memfd:"

typedef struct userobj {
	struct userobj *next;
	uint64_t device, inode; /* as /proc/PID/maps has them */
	char *path;		/* without " (deleted)" */
	const char *name;	/* in path: the last component */
	dt_symtab_t *symtab;	/* read on first need */
	bool is_read, is_deleted;
} userobj_t;

typedef struct mapping {
	uint64_t start, end, offset;
	bool is_code;
	userobj_t *object; /* NULL: anonymous */
	bool is_runtime;   /* may hold code made at run time, which a perf map names */
	uint64_t object_address;
} mapping_t;

typedef struct userproc {
	struct userproc *next;
	pid_t pid;
	uint64_t start_time, refreshed;
	mapping_t *maps; /* by address */
	size_t nmaps;
	dt_symtab_t *perf;
	uint64_t perf_refreshed;
} userproc_t;

struct dt_usersyms {
	userproc_t *procs; /* the latest used first */
	userobj_t *objects;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- Files -------------------------------------------------------------------- */

/* The path without the mark of a file that is no longer there. */
static size_t path_length(const char *path)
{
	static const char mark[] = " (deleted)";
	size_t length = strlen(path), mark_length = sizeof(mark) - 1;

	if (length > mark_length && strcmp(path + length - mark_length, mark) == 0)
		length -= mark_length;
	return length;
}

static userobj_t *find_object(struct dt_usersyms *user, uint64_t device, uint64_t inode,
			      const char *path)
{
	size_t length = path_length(path);
	userobj_t *object;
	const char *slash;

	for (object = user->objects; object != NULL; object = object->next) {
		if (object->inode == inode && object->device == device &&
		    strncmp(object->path, path, length) == 0 &&
		    object->path[length] == '\0')
			return object;
	}
	object = calloc(1, sizeof(*object));
	if (object == NULL)
		return NULL;
	object->path = strndup(path, length);
	object->is_deleted = path[length] != '\0';
	if (object->path == NULL) {
		free(object);
		return NULL;
	}
	slash = strrchr(object->path, '/');
	object->name = slash != NULL ? slash + 1 : object->path;
	if (strncmp(object->path, MEMFD, strlen(MEMFD)) == 0)
		object->name = object->path + strlen(MEMFD);
	object->device = device;
	object->inode = inode;
	object->next = user->objects;
	user->objects = object;
	return object;
}

/* A regular file, or -1. inode not 0: it must be that file. */
static int open_regular(const char *path, uint64_t inode)
{
	/* Not to be held up by a FIFO put in the file's place. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (inode == 0 || st.st_ino == inode))
		return fd;
	close(fd);
	return -1;
}

static int open_object(pid_t pid, const mapping_t *map)
{
	const userobj_t *object = map->object;
	char path[PATH_MAX + 64];
	int fd = -1;

	if (!object->is_deleted) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, object->path);
		fd = open_regular(path, 0);
	}
	if (fd >= 0)
		return fd;
	/* The mapping itself still leads to the file. */
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
		 map->start, map->end);
	fd = open_regular(path, 0);
	if (fd >= 0)
		return fd;
	/* The process has ended. */
	return open_regular(object->path, object->inode);
}

/* The kernel's own object in every process has no file: read it from the process. */
static dt_symtab_t *read_vdso(pid_t pid, const mapping_t *map)
{
	size_t size = (size_t)(map->end - map->start);
	dt_symtab_t *symtab = NULL;
	char path[64], *image;
	int fd;

	if (size > VDSO_SIZE_MAX)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	image = malloc(size);
	if (image != NULL && pread(fd, image, size, (off_t)map->start) == (ssize_t)size)
		symtab = dt_symtab_elf_image(image, size);
	free(image);
	close(fd);
	return symtab;
}

/* The symbols of an open file that the process maps. */
static dt_symtab_t *read_symtab(pid_t pid, int fd)
{
	char root[32];

	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	return dt_symtab_elf(fd, root);
}

static dt_symtab_t *object_symtab(pid_t pid, const mapping_t *map)
{
	userobj_t *object = map->object;
	int fd;

	if (object->is_read)
		return object->symtab;
	object->is_read = true;
	if (strcmp(object->path, "[vdso]") == 0) {
		object->symtab = read_vdso(pid, map);
	} else if (object->path[0] == '/') {
		fd = open_object(pid, map);
		if (fd >= 0) {
			object->symtab = read_symtab(pid, fd);
			close(fd);
		}
	}
	return object->symtab;
}

/* ---- Processes ------------------------------------------------------------------ */

/* Field 22 of /proc/PID/stat, in clock ticks since boot; 0: no such process. */
static uint64_t read_start_time(pid_t pid)
{
	char path[64], text[1024], *field;
	ssize_t n;
	int fd, i;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name, in parentheses, may hold anything; what follows it is field 3. */
	field = strrchr(text, ')');
	for (i = 2; i < 22 && field != NULL; i++)
		field = strchr(field + 1, ' ');
	return field != NULL ? strtoull(field, NULL, 10) : 0;
}

static bool is_anonymous(const char *path)
{
	return *path == '\0' || strncmp(path, "[anon", 5) == 0 ||
	       strncmp(path, "//anon", 6) == 0;
}

/* "start-end rwxp offset major:minor inode   path" */
static bool parse_mapping(struct dt_usersyms *user, const char *line, mapping_t *map)
{
	unsigned major_number, minor_number;
	char permissions[8];
	uint64_t inode;
	int path;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64 " %n",
		   &map->start, &map->end, permissions, &map->offset, &major_number,
		   &minor_number, &inode, &path) != 7)
		return false;
	map->is_code = permissions[2] == 'x';
	map->object = NULL;
	map->is_runtime = is_anonymous(line + path);
	if (map->is_runtime)
		return true;
	/* A file in memory is either where a JIT writes to, or an ELF file. */
	map->is_runtime = strncmp(line + path, MEMFD, strlen(MEMFD)) == 0;
	map->object = find_object(user, (uint64_t)major_number << 32 | minor_number, inode, line + path);
	return map->object != NULL;
}

/* Where the first mapping of the same object begins: what umod() keys are made of. */
static void set_object_addresses(mapping_t *maps, size_t nmaps)
{
	size_t i, j;

	for (i = 0; i < nmaps; i++) {
		maps[i].object_address = maps[i].start;
		for (j = maps[i].object != NULL ? i : 0; j-- > 0;) {
			if (maps[j].object == maps[i].object) {
				maps[i].object_address = maps[j].object_address;
				break;
			}
		}
	}
}

static mapping_t *read_maps(struct dt_usersyms *user, pid_t pid, size_t *nmaps)
{
	size_t n = 0, capacity = 0, size = 0;
	mapping_t *maps = NULL;
	char path[64], *line = NULL;
	ssize_t length;
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fp = fopen(path, "re");
	if (fp == NULL)
		return NULL;
	while ((length = getline(&line, &size, fp)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (n == capacity) {
			size_t more = capacity != 0 ? capacity * 2 : 64;
			mapping_t *grown = realloc(maps, more * sizeof(*maps));

			if (grown == NULL)
				break;
			maps = grown;
			capacity = more;
		}
		if (parse_mapping(user, line, &maps[n]))
			n++;
	}
	free(line);
	fclose(fp);
	set_object_addresses(maps, n);
	*nmaps = n;
	return maps;
}

static void proc_free(userproc_t *proc)
{
	free(proc->maps);
	dt_symtab_destroy(proc->perf);
	free(proc);
}

/* Forgets the process used longest ago when there are too many. */
static void limit_procs(struct dt_usersyms *user)
{
	userproc_t **link = &user->procs, *proc;
	int n;

	for (n = 0; *link != NULL && n < PROCS_MAX; n++)
		link = &(*link)->next;
	while ((proc = *link) != NULL) {
		*link = proc->next;
		proc_free(proc);
	}
}

/* The process of that number, moved to the front; made when new. NULL: out of memory. */
static userproc_t *find_proc(struct dt_usersyms *user, pid_t pid)
{
	userproc_t **link, *proc;

	for (link = &user->procs; *link != NULL && (*link)->pid != pid;
	     link = &(*link)->next)
		continue;
	proc = *link;
	if (proc != NULL) {
		*link = proc->next;
	} else {
		proc = calloc(1, sizeof(*proc));
		if (proc == NULL)
			return NULL;
		proc->pid = pid;
	}
	proc->next = user->procs;
	user->procs = proc;
	limit_procs(user);
	return proc;
}

/* Reads the maps again if the process still is; keeps what is known if it is not. */
static void refresh_proc(struct dt_usersyms *user, userproc_t *proc, uint64_t now)
{
	uint64_t start_time = read_start_time(proc->pid);
	size_t nmaps = 0;
	mapping_t *maps;

	proc->refreshed = now;
	if (start_time == 0)
		return;
	if (start_time != proc->start_time) {
		dt_symtab_destroy(proc->perf);
		proc->perf = NULL;
		proc->perf_refreshed = 0;
		free(proc->maps);
		proc->maps = NULL;
		proc->nmaps = 0;
		proc->start_time = start_time;
	}
	maps = read_maps(user, proc->pid, &nmaps);
	/* A process that is ending has no maps any more. */
	if (nmaps == 0) {
		free(maps);
		return;
	}
	free(proc->maps);
	proc->maps = maps;
	proc->nmaps = nmaps;
}

static const mapping_t *find_mapping(const userproc_t *proc, uint64_t address)
{
	size_t low = 0, high = proc->nmaps;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (proc->maps[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < proc->nmaps && proc->maps[low].start <= address ? &proc->maps[low]
								     : NULL;
}

/* ---- Code made at run time -------------------------------------------------------- */

/* The number the process has in its innermost namespace. */
static pid_t namespace_pid(pid_t pid)
{
	char path[64], *line = NULL, *last;
	pid_t result = pid;
	size_t size = 0;
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fp = fopen(path, "re");
	if (fp == NULL)
		return pid;
	while (getline(&line, &size, fp) > 0) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		if (last != NULL && atoi(last) > 0)
			result = (pid_t)atoi(last);
		break;
	}
	free(line);
	fclose(fp);
	return result;
}

/* The map's file: as the process sees it, or, when it has ended, where it may have left it. */
static int open_perf_map(const userproc_t *proc)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root/tmp/perf-%d.map", (int)proc->pid,
		 (int)namespace_pid(proc->pid));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd >= 0 || read_start_time(proc->pid) != 0)
		return fd;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)proc->pid);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
}

static const char *perf_lookup(userproc_t *proc, uint64_t address, uint64_t *offset)
{
	const char *name = NULL;
	uint64_t now = now_ns();
	int fd;

	if (proc->perf != NULL)
		name = dt_symtab_lookup(proc->perf, address, offset);
	if (now - proc->perf_refreshed < (name != NULL ? MAPS_AGE_HIT : MAPS_AGE_MISS))
		return name;
	proc->perf_refreshed = now;
	if (proc->perf == NULL)
		proc->perf = dt_symtab_new();
	fd = open_perf_map(proc);
	if (fd >= 0) {
		if (proc->perf != NULL)
			dt_symtab_read_perf(proc->perf, fd);
		close(fd);
	}
	return proc->perf != NULL ? dt_symtab_lookup(proc->perf, address, offset) : NULL;
}

/* ---- Look-up ------------------------------------------------------------------------ */

static const mapping_t *lookup_mapping(struct dt_usersyms *user, userproc_t *proc,
				       uint64_t address)
{
	const mapping_t *map = find_mapping(proc, address);
	uint64_t now = now_ns();

	if (proc->refreshed != 0 &&
	    now - proc->refreshed < (map != NULL ? MAPS_AGE_HIT : MAPS_AGE_MISS))
		return map;
	refresh_proc(user, proc, now);
	return find_mapping(proc, address);
}

/* The process of that number with its maps as they are now. NULL: out of memory. */
static userproc_t *current_proc(dtrace_hdl_t *hdl, pid_t pid)
{
	struct dt_symbols *symbols = dt_symbols(hdl);
	userproc_t *proc;

	if (symbols != NULL && symbols->user == NULL)
		symbols->user = calloc(1, sizeof(*symbols->user));
	proc = symbols != NULL && symbols->user != NULL ? find_proc(symbols->user, pid) : NULL;
	if (proc != NULL)
		refresh_proc(symbols->user, proc, now_ns());
	return proc;
}

void dt_user_remember(dtrace_hdl_t *hdl, pid_t pid)
{
	/* Without memory it is not remembered. */
	(void)current_proc(hdl, pid);
}

/* ---- Files of code ------------------------------------------------------------------ */

/* What the walk over a process's files needs everywhere. */
typedef struct filewalk {
	dtrace_hdl_t *hdl;
	pid_t pid;
	dev_t program_device;
	ino_t program_inode;
	dt_userfile_f *f;
	void *arg;
	int result;
} filewalk_t;

/* A path of the mapped file for this process: the one in the process's root if it is still
 * the same file, otherwise through the mapping itself. */
static void mapped_path(pid_t pid, const mapping_t *map, char *path, size_t size)
{
	struct stat st;

	snprintf(path, size, "/proc/%d/root%s", (int)pid, map->object->path);
	if (!map->object->is_deleted && stat(path, &st) == 0 &&
	    st.st_ino == map->object->inode)
		return;
	snprintf(path, size, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, map->start,
		 map->end);
}

static int visit_file(filewalk_t *walk, userobj_t *object, const char *path)
{
	dt_userfile_t file = {.name = object->name, .path = path, .pid = walk->pid,
			      .object = object};
	struct stat st;

	if (stat(path, &st) != 0)
		return 0;
	file.is_program =
	    st.st_ino == walk->program_inode && st.st_dev == walk->program_device;
	walk->result = walk->f(walk->hdl, &file, walk->arg);
	return walk->result;
}

const dt_symtab_t *dt_userfile_symtab(const dt_userfile_t *file)
{
	userobj_t *object = file->object;
	int fd;

	if (object->is_read)
		return object->symtab;
	fd = open_regular(file->path, 0);
	if (fd < 0)
		return NULL;
	object->is_read = true;
	object->symtab = read_symtab(file->pid, fd);
	close(fd);
	return object->symtab;
}

/* The file's path without links, as /proc/PID/maps will have it. */
static bool real_path(const char *path, char *real, size_t size, struct stat *st)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	char link[32];
	ssize_t n = -1;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, st) == 0)
		n = readlink(link, real, size - 1);
	close(fd);
	if (n > 0)
		real[n] = '\0';
	return n > 0;
}

/* A library that is not mapped yet. */
static int visit_library(const char *name, void *arg)
{
	char path[PATH_MAX + 64], real[PATH_MAX];
	filewalk_t *walk = arg;
	userobj_t *object;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)walk->pid, name);
	if (!real_path(path, real, sizeof(real), &st))
		return 0;
	object = find_object(dt_symbols(walk->hdl)->user,
			     (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev), st.st_ino,
			     real);
	return object != NULL ? visit_file(walk, object, path) : 0;
}

/* Every file of which code is mapped; how many they are in *n. */
static int visit_mapped(filewalk_t *walk, const userproc_t *proc, uint32_t *n)
{
	char path[PATH_MAX + 64];

	*n = 0;
	for (size_t i = 0; i < proc->nmaps; i++) {
		const mapping_t *map = &proc->maps[i];
		bool is_first = map->is_code && map->object != NULL &&
				map->object->path[0] == '/';

		for (size_t j = 0; j < i && is_first; j++)
			is_first = proc->maps[j].object != map->object ||
				   !proc->maps[j].is_code;
		if (!is_first)
			continue;
		++*n;
		mapped_path(walk->pid, map, path, sizeof(path));
		if (visit_file(walk, map->object, path) != 0)
			return walk->result;
	}
	return 0;
}

int dt_user_files(dtrace_hdl_t *hdl, pid_t pid, dt_userfile_f *f, void *arg)
{
	filewalk_t walk = {.hdl = hdl, .pid = pid, .f = f, .arg = arg};
	userproc_t *proc = current_proc(hdl, pid);
	char exe[64], program[PATH_MAX];
	struct stat st;
	ssize_t length;
	uint32_t n;

	if (proc == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
	length = readlink(exe, program, sizeof(program) - 1);
	if (length <= 0 || stat(exe, &st) != 0)
		return dt_set_error(hdl, EDT_PROC, "cannot look into process %d: %s", (int)pid,
				    strerror(errno));
	program[length] = '\0';
	walk.program_device = st.st_dev;
	walk.program_inode = st.st_ino;
	if (visit_mapped(&walk, proc, &n) != 0)
		return walk.result;
	/* Only the program and the dynamic linker: it has not begun to run. */
	if (n == 2 && dt_user_libraries(pid, program, visit_library, &walk) != 0 &&
	    walk.result == 0)
		return dt_set_errno(hdl, EDT_NOMEM);
	return walk.result;
}

/* ---- Symbols of addresses ------------------------------------------------------------ */

bool dt_user_symbol(dtrace_hdl_t *hdl, pid_t pid, uint64_t address, dt_usersym_t *sym)
{
	struct dt_symbols *symbols = dt_symbols(hdl);
	const mapping_t *map;
	dt_symtab_t *symtab;
	uint64_t position;
	userproc_t *proc;

	if (symbols == NULL || pid <= 0)
		return false;
	if (symbols->user == NULL)
		symbols->user = calloc(1, sizeof(*symbols->user));
	proc = symbols->user != NULL ? find_proc(symbols->user, pid) : NULL;
	map = proc != NULL ? lookup_mapping(symbols->user, proc, address) : NULL;
	if (map == NULL)
		return false;
	*sym = (dt_usersym_t){.object_address = map->object_address};
	if (map->is_runtime)
		sym->name = perf_lookup(proc, address, &sym->offset);
	if (map->object == NULL || sym->name != NULL)
		return sym->name != NULL;
	sym->object = map->object->name;
	symtab = object_symtab(pid, map);
	position = address - map->start + map->offset;
	if (symtab != NULL)
		sym->name = dt_option_is_on(hdl, DT_OPT_DEMANGLE)
				? dt_symtab_demangled(symtab, position, &sym->offset)
				: dt_symtab_lookup(symtab, position, &sym->offset);
	return true;
}

int dt_user_symbol_text(const dt_usersym_t *sym, uint64_t address, char *buf, size_t size)
{
	const char *object = sym->object != NULL ? sym->object : "";
	const char *mark = sym->object != NULL ? "`" : "";

	if (sym->name == NULL)
		return snprintf(buf, size, "%s%s0x%" PRIx64, object, mark, address);
	if (sym->offset == 0)
		return snprintf(buf, size, "%s%s%s", object, mark, sym->name);
	return snprintf(buf, size, "%s%s%s+0x%" PRIx64, object, mark, sym->name,
			sym->offset);
}

int dtrace_uaddr2str(dtrace_hdl_t *hdl, pid_t pid, uint64_t address, char *buf, int size)
{
	dt_usersym_t sym;

	if (!dt_user_symbol(hdl, pid, address, &sym))
		sym = (dt_usersym_t){0};
	return dt_user_symbol_text(&sym, address, buf, size > 0 ? (size_t)size : 0);
}

void dt_user_symbols_fini(struct dt_usersyms *user)
{
	userobj_t *object;
	userproc_t *proc;

	if (user == NULL)
		return;
	while ((proc = user->procs) != NULL) {
		user->procs = proc->next;
		proc_free(proc);
	}
	while ((object = user->objects) != NULL) {
		user->objects = object->next;
		dt_symtab_destroy(object->symtab);
		free(object->path);
		free(object);
	}
	free(user);
}
