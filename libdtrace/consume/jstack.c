/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jstack.c - see jstack.h, and bpf/jstack.bpf.c for what is recorded. The kernel records
 * where a function begins in its script; lines are counted here, in the script's file, as
 * the process sees it or, when it has ended, as we do. A script without a file (node:fs)
 * has no lines, and the position is shown instead.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consume/jstack.h"
#include "consume/symbols.h"
#include "enable/enable.h"

#define SEPARATOR '\1'
#define FILE_PREFIX "file://"
/* Scripts whose lines are known; and the longest that is read, in bytes. */
#define FILES_MAX 256
#define FILE_SIZE_MAX (32 << 20)
/* What a position is, in as many bits as are recorded, where there is none. */
#define NO_POSITION (((uint64_t)1 << (7 * DT_V8_POSITION_BYTES)) - 1)

/* Functions of V8 in which JavaScript functions run that are not compiled, or hardly. */
#define INTERPRETER "Builtins_Interpreter"
#define BASELINE "Builtins_Baseline"

/* Where the lines of a script begin, in UTF-16 units as V8 counts. */
typedef struct script {
	struct script *next;
	pid_t pid;
	uint32_t *starts;
	uint32_t nlines;
	char path[];
} script_t;

/* A process that has been looked at for a V8. */
typedef struct learned {
	struct learned *next;
	pid_t pid;
} learned_t;

struct dt_jstacks {
	script_t *scripts;
	uint32_t nscripts;
	learned_t *learned;
};

static struct dt_jstacks *jstacks(dtrace_hdl_t *hdl)
{
	struct dt_symbols *symbols = dt_symbols(hdl);

	if (symbols != NULL && symbols->jstacks == NULL)
		symbols->jstacks = calloc(1, sizeof(*symbols->jstacks));
	return symbols != NULL ? symbols->jstacks : NULL;
}

static void forget_scripts(struct dt_jstacks *all)
{
	script_t *script;

	while ((script = all->scripts) != NULL) {
		all->scripts = script->next;
		free(script->starts);
		free(script);
	}
	all->nscripts = 0;
}

void dt_jstack_fini(dtrace_hdl_t *hdl)
{
	struct dt_jstacks *all = hdl->symbols != NULL ? hdl->symbols->jstacks : NULL;
	learned_t *learned;

	if (all == NULL)
		return;
	forget_scripts(all);
	while ((learned = all->learned) != NULL) {
		all->learned = learned->next;
		free(learned);
	}
	free(all);
	hdl->symbols->jstacks = NULL;
}

/* ---- Processes ------------------------------------------------------------------- */

/* The program, or a library that a distribution has V8 in. */
static int read_file(dtrace_hdl_t *hdl, const dt_userfile_t *file, void *words)
{
	bool ok = false;
	int fd;

	(void)hdl;
	if (!file->is_program && strncmp(file->name, "libnode", 7) != 0 &&
	    strncmp(file->name, "libv8", 5) != 0)
		return 0;
	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		ok = dt_v8_read(fd, words);
		close(fd);
	}
	return ok;
}

void dt_jstack_learn(dtrace_hdl_t *hdl, pid_t pid, bool anew)
{
	uint64_t words[DT_V8_NWORDS - DT_V8_FIRST], key = (uint64_t)pid;
	dt_enabling_t *en = hdl->enabling;
	struct dt_jstacks *all;
	learned_t *learned;

	if (en->nmaps == 0 || en->maps[DT_MAP_V8] < 0 || (all = jstacks(hdl)) == NULL)
		return;
	for (learned = all->learned; learned != NULL; learned = learned->next)
		if (learned->pid == pid)
			break;
	if (learned != NULL && !anew)
		return;
	if (learned == NULL && (learned = calloc(1, sizeof(*learned))) != NULL) {
		learned->pid = pid;
		learned->next = all->learned;
		all->learned = learned;
	}
	if (dt_user_files(hdl, pid, read_file, words) == 1)
		bpf_map_update_elem(en->maps[DT_MAP_V8], &key, words, BPF_ANY);
	else if (anew)
		bpf_map_delete_elem(en->maps[DT_MAP_V8], &key);
}

/* ---- Lines ----------------------------------------------------------------------- */

/* How many UTF-16 units the character takes that the byte begins; 0: it goes on with one.
 */
static uint32_t units(unsigned char byte)
{
	return byte < 0x80 ? 1 : byte < 0xc0 ? 0 : byte < 0xf0 ? 1 : 2;
}

static void count_lines(script_t *script, const unsigned char *text, size_t size)
{
	uint32_t at = 0, capacity = 0;

	for (size_t i = 0; i <= size; i++) {
		bool begins = i == 0 || text[i - 1] == '\n' ||
			      (text[i - 1] == '\r' && (i == size || text[i] != '\n'));

		if (begins && script->nlines == capacity) {
			uint32_t more = capacity != 0 ? capacity * 2 : 256;
			uint32_t *grown = realloc(script->starts, more * sizeof(*grown));

			if (grown == NULL)
				return;
			script->starts = grown;
			capacity = more;
		}
		if (begins)
			script->starts[script->nlines++] = at;
		if (i < size)
			at += units(text[i]);
	}
}

static void read_lines(script_t *script)
{
	char path[PATH_MAX + 64];
	unsigned char *text = NULL;
	struct stat st;
	ssize_t n = -1;
	size_t mark;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)script->pid, script->path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		fd = open(script->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= FILE_SIZE_MAX)
		text = malloc((size_t)st.st_size);
	if (text != NULL)
		n = read(fd, text, (size_t)st.st_size);
	if (n > 0) {
		/* The mark of UTF-8 is not part of the script. */
		mark = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
		count_lines(script, text + mark, (size_t)n - mark);
	}
	free(text);
	close(fd);
}

/* The line of a position; 0: the script has no file. */
static uint32_t line_of(struct dt_jstacks *all, pid_t pid, const char *path,
			uint64_t position)
{
	uint32_t low = 0, high;
	script_t *script = all->scripts;

	while (script != NULL && (script->pid != pid || strcmp(script->path, path) != 0))
		script = script->next;
	if (script == NULL) {
		if (all->nscripts == FILES_MAX)
			forget_scripts(all);
		script = calloc(1, sizeof(*script) + strlen(path) + 1);
		if (script == NULL)
			return 0;
		script->pid = pid;
		strcpy(script->path, path);
		read_lines(script);
		script->next = all->scripts;
		all->scripts = script;
		all->nscripts++;
	}
	high = script->nlines;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (script->starts[middle] <= position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- Frames ---------------------------------------------------------------------- */

/* Whether a frame with such code is a JavaScript function's. */
static bool is_javascript(dtrace_hdl_t *hdl, pid_t pid, uint64_t address)
{
	dt_usersym_t sym;

	if (!dt_user_symbol(hdl, pid, address, &sym) || sym.object == NULL)
		return true;
	return sym.name != NULL &&
	       (strncmp(sym.name, INTERPRETER, strlen(INTERPRETER)) == 0 ||
		strncmp(sym.name, BASELINE, strlen(BASELINE)) == 0);
}

/* "name \1 script \1 position", as far as there was room for it, in words. */
static int describe(struct dt_jstacks *all, pid_t pid, const char *text, char *to,
		    size_t size)
{
	const char *script = strchr(text, SEPARATOR), *end;
	int name = script != NULL ? (int)(script - text) : (int)strlen(text);
	uint64_t position = 0;
	char path[PATH_MAX];
	uint32_t line = 0;
	int n;

	n = snprintf(to, size, "%.*s", name, name > 0 ? text : "(anonymous)");
	if (name == 0)
		n = snprintf(to, size, "(anonymous)");
	end = script != NULL ? strchr(++script, SEPARATOR) : NULL;
	if (end == NULL || end == script || n < 0 || (size_t)n >= size)
		return n;
	snprintf(path, sizeof(path), "%.*s", (int)(end - script), script);
	if (strncmp(path, FILE_PREFIX, strlen(FILE_PREFIX)) == 0)
		memmove(path, path + strlen(FILE_PREFIX),
			strlen(path) - strlen(FILE_PREFIX) + 1);
	if (strlen(++end) != DT_V8_POSITION_BYTES)
		return n + snprintf(to + n, size - (size_t)n, " at %s", path);
	for (int i = DT_V8_POSITION_BYTES; i-- > 0;)
		position = position << 7 | ((unsigned char)end[i] & 0x7f);
	if (position == NO_POSITION)
		return n + snprintf(to + n, size - (size_t)n, " at %s", path);
	if (path[0] == '/')
		line = line_of(all, pid, path, position);
	if (line == 0)
		return n + snprintf(to + n, size - (size_t)n, " at %s position %" PRIu64,
				    path, position);
	return n + snprintf(to + n, size - (size_t)n, " at %s:%" PRIu32, path, line);
}

void dt_show_jstack(dtrace_hdl_t *hdl, const char *from, char *to, uint32_t nframes,
		    uint32_t strsize)
{
	size_t words = (nframes + 1) * sizeof(uint64_t), at = 0, used = 0;
	struct dt_jstacks *all = jstacks(hdl);
	const char *texts = from + words;
	char *shown = to + words;
	uint64_t pid, address;

	memcpy(to, from, words);
	memset(shown, 0, strsize);
	memcpy(&pid, from, sizeof(pid));
	if (all == NULL)
		return;
	dt_jstack_learn(hdl, (pid_t)pid, false);
	for (uint32_t i = 0; i < nframes && at < strsize && used + 1 < strsize; i++) {
		size_t length = strnlen(texts + at, strsize - at);
		char text[1024] = "";
		int n = 0;

		memcpy(&address, from + (i + 1) * sizeof(address), sizeof(address));
		if (address == 0)
			break;
		if (length > 0 && length < sizeof(text) &&
		    is_javascript(hdl, (pid_t)pid, address)) {
			memcpy(text, texts + at, length);
			n = describe(all, (pid_t)pid, text, shown + used,
				     strsize - used - 1);
		}
		at += length + 1;
		/* What is left of one for which there is no room names nothing. */
		if (n < 0 || used + (size_t)n + 1 >= strsize) {
			memset(shown + used, 0, strsize - used);
			break;
		}
		used += (size_t)n + 1;
	}
}
