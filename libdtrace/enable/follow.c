/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow.c - probes that come while tracing: of an object that a process loads, of the
 * program that it executes, of processes that begin (globs such as node*:::).
 *
 * Three small programs (codegen/watch.c) put the numbers of processes that may bring probes
 * into a ring buffer, which wakes the consumer:
 *
 *	exec	sched_process_exec, of followed processes, or of all when a description
 *		means any
 *	fork	sched_process_fork, children of followed processes
 *	place	a user probe: in the dynamic linker of a process that is named, where it
 *		has changed what is loaded (_dl_debug_state, which debuggers use too) and
 *		has not yet run any code of it; at the first instruction of programs of
 * which a process has been seen to have probes
 *
 * The last one also holds the process for the moment that the consumer takes, so that no
 * firing is missed. Only a user probe can do that: enabling others waits for the end of
 * what a program at a tracepoint is part of. It is held for DT_HOLD_MAX, whatever the
 * consumer does. Where nobody is held, what fires in the first milliseconds is not seen.
 *
 * The consumer, at its next turn, asks the providers for the process's probes, makes
 * programs for those that are new, with the layouts of the model that dt_build() has made
 * for the clause, and attaches them. When the process ends they are taken back.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consume/jstack.h"
#include "consume/status.h"
#include "consume/symbols.h"
#include "consume/userobj.h"
#include "enable/enable.h"
#include "proc.h"
#include "provider/provider.h"

/* How long a process is held at most, in ns. */
#define DT_HOLD_MAX 1000000000
/* A process that begins is looked at again when it has loaded its libraries, and ever more
 * seldom while it may still load others, in ns. */
#define DT_LOOK_FIRST 50000000
#define DT_LOOK_FACTOR 4
#define DT_LOOK_LAST 15000000000
/* How often it is looked whether followed processes have ended. */
#define DT_ENDED_RATE 1000000000

/* Where a dynamic linker tells debuggers that what is loaded has changed. */
#define DT_LINKER_PREFIX "ld"
#define DT_LINKER_FUNCTION "_dl_debug_state"

/* A process that is followed: named by a description, or with probes that a glob means. */
typedef struct dt_followed {
	struct dt_followed *next;
	pid_t pid;
	int link; /* at its dynamic linker; -1: none */
	dev_t device;
	ino_t inode; /* of the linker */
} dt_followed_t;

/* A program that has been seen, and whose processes are held when they begin if it has
 * probes. */
typedef struct dt_followfile {
	struct dt_followfile *next;
	dev_t device;
	ino_t inode;
	time_t modified;
	int link; /* -1: none */
} dt_followfile_t;

/* A process that is to be looked at again. */
typedef struct dt_followlook {
	struct dt_followlook *next;
	pid_t pid;
	int64_t due, wait;
} dt_followlook_t;

struct dt_follow {
	bool any; /* some description means any process */
	dt_emit_t exec_code, fork_code, place_code;
	int exec_fd, fork_fd, place_fd;
	int exec_link, fork_link;
	struct ring_buffer *news;
	dt_followed_t *processes;
	dt_followfile_t *files;
	dt_followlook_t *looks;
	dt_news_t *told; /* in this turn */
	uint32_t ntold, told_capacity;
	int64_t last_ended;
};

/* Processes of the handle whose symbols are remembered; of more there may be no names. */
#define DT_REMEMBERED 16

static size_t remembered(const dtrace_hdl_t *hdl, const dt_enabling_t *en, pid_t *pids)
{
	return en->shows_users ? dt_procs_pids(hdl, pids, DT_REMEMBERED) : 0;
}

static bool is_remembered(const dtrace_hdl_t *hdl, const dt_enabling_t *en, pid_t pid)
{
	pid_t pids[DT_REMEMBERED];
	size_t n = remembered(hdl, en, pids);

	while (n > 0 && pids[n - 1] != pid)
		n--;
	return n > 0;
}

bool dt_follows(const dtrace_hdl_t *hdl, const dt_enabling_t *en)
{
	pid_t pids[DT_REMEMBERED];

	for (const dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next)
		if (enabled->grower)
			return true;
	return remembered(hdl, en, pids) > 0;
}

/* Whether the description can mean probes of the process. */
static bool may_bring(const dt_enabled_t *enabled, pid_t pid)
{
	return enabled->grower && (enabled->grower_pid == 0 || enabled->grower_pid == pid);
}

/* ---- Programs that watch --------------------------------------------------------- */

int dt_follow_generate(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	struct dt_follow *follow;

	if (!dt_follows(hdl, en))
		return 0;
	follow = dt_arena_alloc(en->arena, sizeof(*follow));
	if (!follow)
		return dt_set_errno(hdl, EDT_NOMEM);
	follow->exec_fd = follow->fork_fd = follow->place_fd = -1;
	follow->exec_link = follow->fork_link = -1;
	dt_follow_stop(en);
	en->follow = follow;
	for (const dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next)
		follow->any |= enabled->grower && enabled->grower_pid == 0;
	if (dt_codegen_watch_exec(&en->env, &follow->exec_code, follow->any) != 0 ||
	    dt_codegen_watch_place(&en->env, &follow->place_code, DT_HOLD_MAX, getpid()) !=
		0)
		return -1;
	return follow->any ? dt_codegen_watch_fork(&en->env, &follow->fork_code) : 0;
}

static int note_news(void *arg, void *data, size_t size)
{
	struct dt_follow *follow = arg;

	if (follow->ntold == follow->told_capacity) {
		uint32_t capacity = follow->told_capacity ? follow->told_capacity * 2 : 16;
		dt_news_t *grown = realloc(follow->told, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		follow->told = grown;
		follow->told_capacity = capacity;
	}
	memset(&follow->told[follow->ntold], 0, sizeof(dt_news_t));
	memcpy(&follow->told[follow->ntold], data,
	       size < sizeof(dt_news_t) ? size : sizeof(dt_news_t));
	follow->ntold++;
	return 0;
}

int dt_follow_load(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	struct dt_follow *follow = en->follow;

	if (!follow)
		return 0;
	if (dt_own_load(hdl, en, "dt_watch_exec", &follow->exec_code, &follow->exec_fd) !=
		0 ||
	    dt_own_load_uprobe(hdl, en, "dt_watch_place", &follow->place_code,
			       &follow->place_fd) != 0)
		return -1;
	if (follow->any && dt_own_load(hdl, en, "dt_watch_fork", &follow->fork_code,
				       &follow->fork_fd) != 0)
		return -1;
	follow->news = ring_buffer__new(en->maps[DT_MAP_NEWS], note_news, follow, NULL);
	return follow->news ? 0 : dt_set_errno(hdl, EDT_NOMEM);
}

/* ---- Places in programs ---------------------------------------------------------- */

/* A place in a file of a process. */
typedef struct dt_place_found {
	struct stat st;
	char *path; /* malloc'd */
	uint64_t offset;
} dt_place_found_t;

static int take_place(dtrace_hdl_t *hdl, const dt_userfile_t *file, uint64_t offset,
		      dt_place_found_t *found)
{
	if (stat(file->path, &found->st) != 0)
		return 0;
	found->path = strdup(file->path);
	found->offset = offset;
	return found->path ? 1 : dt_set_errno(hdl, EDT_NOMEM);
}

static int is_linker_function(const dt_userfunc_t *function, void *arg)
{
	if (strcmp(function->name, DT_LINKER_FUNCTION) != 0)
		return 0;
	*(uint64_t *)arg = function->position;
	return 1;
}

static int find_linker(dtrace_hdl_t *hdl, const dt_userfile_t *file, void *arg)
{
	const dt_symtab_t *symtab;
	uint64_t offset;

	if (strncmp(file->name, DT_LINKER_PREFIX, strlen(DT_LINKER_PREFIX)) != 0)
		return 0;
	symtab = dt_userfile_symtab(file);
	if (!symtab || dt_symtab_functions(symtab, is_linker_function, &offset) != 1)
		return 0;
	return take_place(hdl, file, offset, arg);
}

/* Attaches the program that holds; pid 0: every process. A link, or -1: then nobody is
 * held, and the consumer learns of news a little later. */
static int hold_at(dt_enabling_t *en, const dt_place_found_t *found, pid_t pid)
{
	const dt_usersite_t site = {
	    .path = found->path, .offset = found->offset, .pid = pid};
	int link = dt_uprobe_attach(en, en->follow->place_fd, &site);

	return link < 0 ? -1 : link;
}

/* Has the process held when its dynamic linker, the one it has now, has loaded something.
 */
static int hold_at_linker(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_followed_t *process)
{
	dt_place_found_t found = {.path = NULL};

	if (dt_user_files(hdl, process->pid, find_linker, &found) < 0)
		return dtrace_errno(hdl) == EDT_PROC ? 0 : -1;
	if (!found.path)
		return 0;
	if (process->link < 0 || process->device != found.st.st_dev ||
	    process->inode != found.st.st_ino) {
		if (process->link >= 0)
			close(process->link);
		process->link = hold_at(en, &found, process->pid);
		process->device = found.st.st_dev;
		process->inode = found.st.st_ino;
	}
	free(found.path);
	return 0;
}

/* Whether a glob means probes that the program has. */
static bool is_source(dtrace_hdl_t *hdl, const dt_enabling_t *en, int fd)
{
	for (const dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next)
		if (enabled->grower && enabled->grower_pid == 0 &&
		    enabled->grower->has_probes(hdl, enabled->desc, fd))
			return true;
	return false;
}

/* The link that holds processes at the beginning of an open program; -1: none. */
static int hold_at_entry(dt_enabling_t *en, int fd)
{
	dt_symtab_t *symtab = dt_symtab_elf(fd, NULL);
	dt_place_found_t found = {.path = NULL};
	char path[32];
	int link = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	found.path = path;
	if (symtab && dt_symtab_entry(symtab, &found.offset))
		link = hold_at(en, &found, 0);
	dt_symtab_destroy(symtab);
	return link;
}

/* What is known of a program; *is_new: nothing yet. NULL: out of memory. */
static dt_followfile_t *file_of(struct dt_follow *follow, const struct stat *st,
				bool *is_new)
{
	dt_followfile_t *file = follow->files;

	while (file && (file->device != st->st_dev || file->inode != st->st_ino ||
			file->modified != st->st_mtime))
		file = file->next;
	*is_new = file == NULL;
	if (file)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	*file = (dt_followfile_t){follow->files, st->st_dev, st->st_ino, st->st_mtime, -1};
	follow->files = file;
	return file;
}

/*
 * Has every process held that begins to run the program of this one, if that has probes
 * (is_known: it is known that the process has). The file is opened first of all: it stays,
 * however short-lived the process.
 */
static int hold_at_beginning(dtrace_hdl_t *hdl, dt_enabling_t *en, pid_t pid, bool is_known)
{
	dt_followfile_t *file;
	char path[32];
	struct stat st;
	bool is_new;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	file = file_of(en->follow, &st, &is_new);
	if (file && file->link < 0 && (is_known || (is_new && is_source(hdl, en, fd))))
		file->link = hold_at_entry(en, fd);
	close(fd);
	return file ? 0 : dt_set_errno(hdl, EDT_NOMEM);
}

/* ---- Processes that are followed ------------------------------------------------- */

static dt_followed_t *followed(const struct dt_follow *follow, pid_t pid)
{
	dt_followed_t *process = follow->processes;

	while (process && process->pid != pid)
		process = process->next;
	return process;
}

/* Follows the process from now on. is_named: its dynamic linker is watched as well. */
static int follow_process(dtrace_hdl_t *hdl, dt_enabling_t *en, pid_t pid, bool is_named)
{
	struct dt_follow *follow = en->follow;
	const uint64_t key = (uint64_t)pid, one = 1;
	dt_followed_t *process = followed(follow, pid);

	if (!process) {
		process = calloc(1, sizeof(*process));
		if (!process)
			return dt_set_errno(hdl, EDT_NOMEM);
		process->pid = pid;
		process->link = -1;
		process->next = follow->processes;
		follow->processes = process;
		/* The map is full: the process's children are not seen at once. */
		bpf_map_update_elem(en->maps[DT_MAP_WATCHED], &key, &one, BPF_ANY);
	}
	return is_named ? hold_at_linker(hdl, en, process)
			: hold_at_beginning(hdl, en, pid, true);
}

/* Takes back what an ended process has brought. */
static void release_process(dt_enabling_t *en, dt_followed_t *process)
{
	const uint64_t key = (uint64_t)process->pid;

	bpf_map_delete_elem(en->maps[DT_MAP_WATCHED], &key);
	if (process->link >= 0)
		close(process->link);
	for (uint32_t i = 0; i < en->nprograms; i++) {
		dt_program_t *p = en->programs[i];

		if (p->brought_by != process->pid || p->fd < 0)
			continue;
		dt_program_detach(p);
		close(p->fd);
		p->fd = -1;
	}
	free(process);
}

static void release_ended(dt_enabling_t *en)
{
	dt_followed_t **at = &en->follow->processes, *process;

	while ((process = *at) != NULL) {
		if (!dt_process_has_ended(process->pid)) {
			at = &process->next;
			continue;
		}
		*at = process->next;
		release_process(en, process);
	}
}

int dt_follow_start(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	struct dt_follow *follow = en->follow;
	pid_t pids[DT_REMEMBERED];
	size_t n;

	if (!follow)
		return 0;
	follow->exec_link = bpf_raw_tracepoint_open("sched_process_exec", follow->exec_fd);
	if (follow->any)
		follow->fork_link =
		    bpf_raw_tracepoint_open("sched_process_fork", follow->fork_fd);
	if (follow->exec_link < 0 || (follow->any && follow->fork_link < 0))
		return dt_set_error(hdl, EDT_ATTACH, "failed to watch for processes: %s",
				    strerror(errno));
	n = remembered(hdl, en, pids);
	for (size_t i = 0; i < n; i++) {
		dt_user_remember(hdl, pids[i]);
		dt_jstack_learn(hdl, pids[i], true);
		if (follow_process(hdl, en, pids[i], true) != 0)
			return -1;
	}
	for (const dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next) {
		pid_t last = 0;

		if (!enabled->grower)
			continue;
		if (enabled->grower_pid != 0 &&
		    follow_process(hdl, en, enabled->grower_pid, true) != 0)
			return -1;
		for (uint32_t i = 0; enabled->grower_pid == 0 && i < enabled->nprobes;
		     i++) {
			const dt_attachpoint_t *attach = enabled->probes[i]->attach;
			pid_t pid = attach->nsites ? attach->sites[0].pid : 0;

			if (pid != 0 && pid != last &&
			    follow_process(hdl, en, pid, false) != 0)
				return -1;
			last = pid;
		}
	}
	return 0;
}

static void close_link(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void dt_follow_stop(dt_enabling_t *en)
{
	struct dt_follow *follow = en->follow;
	dt_followed_t *process;
	dt_followfile_t *file;
	dt_followlook_t *look;

	if (!follow)
		return;
	/* Whoever waits now waits for nothing. */
	if (en->answers.address)
		memset(en->answers.address, 0xff, en->answers.size);
	while ((process = follow->processes) != NULL) {
		follow->processes = process->next;
		close_link(&process->link);
		free(process);
	}
	while ((file = follow->files) != NULL) {
		follow->files = file->next;
		close_link(&file->link);
		free(file);
	}
	while ((look = follow->looks) != NULL) {
		follow->looks = look->next;
		free(look);
	}
	close_link(&follow->exec_link);
	close_link(&follow->fork_link);
	close_link(&follow->exec_fd);
	close_link(&follow->fork_fd);
	close_link(&follow->place_fd);
	ring_buffer__free(follow->news);
	free(follow->told);
	dt_emit_free(&follow->exec_code);
	dt_emit_free(&follow->fork_code);
	dt_emit_free(&follow->place_code);
	en->follow = NULL;
}

/* ---- What a process brings ------------------------------------------------------- */

/* The probes from number first on that the description means; NULL: out of memory, or, with
 * *n 0, there are none. */
static dt_enabled_t *take_found(dtrace_hdl_t *hdl, dt_enabling_t *en,
				const dt_enabled_t *enabled, dtrace_id_t first)
{
	dtrace_id_t end = dt_probe_next_id(hdl);
	dt_enabled_t *found = dt_arena_alloc(en->arena, sizeof(*found));

	if (!found)
		return NULL;
	*found = *enabled;
	found->next = NULL;
	found->nprobes = 0;
	found->probes = dt_arena_alloc(en->arena, (end - first) * sizeof(*found->probes));
	for (dtrace_id_t id = first; found->probes && id < end; id++) {
		dt_probe_t *probe = dt_probe_by_id(hdl, id);

		if (probe && dt_probe_is_meant(enabled->desc, probe) &&
		    dt_probe_describe(hdl, probe) == 0)
			found->probes[found->nprobes++] = probe;
	}
	return found->probes ? found : NULL;
}

/* Makes programs for what was found, and attaches them. */
static int enable_found(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_enabled_t *found,
			pid_t pid)
{
	uint32_t strings = en->env.strings_size, first;
	int err = dt_build_found(hdl, en, found, &first);

	if (err == 0 && en->env.strings_size != strings)
		err = dt_maps_renew_strings(hdl, en);
	for (uint32_t i = first; i < en->nprograms; i++) {
		dt_program_t *p = en->programs[i];

		p->brought_by = pid;
		if (err == 0)
			err = dt_program_load(hdl, en, p);
		dt_emit_free(&p->code);
	}
	if (err == 0)
		err = dt_programs_attach_from(hdl, en, first);
	/* A process may end at any time. */
	return err == 0 || dt_process_has_ended(pid) ? 0 : -1;
}

/* Enables the probes of a process that are new. *any: a glob means one of them. */
static int bring(dtrace_hdl_t *hdl, dt_enabling_t *en, pid_t pid, bool *any)
{
	dtrace_id_t first = dt_probe_next_id(hdl);
	dt_enabled_t *list = NULL, **tail = &list, *found;

	*any = false;
	for (const dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next)
		if (may_bring(enabled, pid) &&
		    enabled->grower->find(hdl, enabled->grower, enabled->desc, pid) != 0)
			return -1;
	if (dt_probe_next_id(hdl) == first)
		return 0;
	for (const dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next) {
		if (!may_bring(enabled, pid))
			continue;
		found = take_found(hdl, en, enabled, first);
		if (!found)
			return dt_set_errno(hdl, EDT_NOMEM);
		if (found->nprobes == 0)
			continue;
		*any |= enabled->grower_pid == 0;
		*tail = found;
		tail = &found->next;
	}
	return list ? enable_found(hdl, en, list, pid) : 0;
}

/* The process is looked at once more, after such a time. */
static void look_again(struct dt_follow *follow, pid_t pid, int64_t wait)
{
	dt_followlook_t *look = calloc(1, sizeof(*look));

	/* Without memory what it loads in its first seconds is not seen. */
	if (!look)
		return;
	*look = (dt_followlook_t){follow->looks, pid, dt_now() + wait, wait};
	follow->looks = look;
}

static int visit(dtrace_hdl_t *hdl, dt_enabling_t *en, pid_t pid)
{
	struct dt_follow *follow = en->follow;
	const dt_followed_t *process = followed(follow, pid);
	bool any, is_named = is_remembered(hdl, en, pid);

	if (is_named) {
		dt_user_remember(hdl, pid);
		dt_jstack_learn(hdl, pid, true);
	}
	for (const dt_enabled_t *enabled = en->enabled; enabled; enabled = enabled->next)
		is_named |= enabled->grower && enabled->grower_pid == pid;
	if (follow->any && hold_at_beginning(hdl, en, pid, false) != 0)
		return -1;
	if (bring(hdl, en, pid, &any) != 0)
		return -1;
	/* A process that has executed may have another dynamic linker. */
	if (is_named && process && follow_process(hdl, en, pid, true) != 0)
		return -1;
	return any ? follow_process(hdl, en, pid, false) : 0;
}

/* Adds the processes that are due to those that have been told of. */
static void take_due(struct dt_follow *follow)
{
	dt_followlook_t **at = &follow->looks, *look;
	int64_t now = dt_now();

	while ((look = *at) != NULL) {
		dt_news_t news = {.pid = (uint64_t)look->pid};

		if (look->due > now) {
			at = &look->next;
			continue;
		}
		*at = look->next;
		note_news(follow, &news, sizeof(news));
		if (look->wait * DT_LOOK_FACTOR <= DT_LOOK_LAST &&
		    !dt_process_has_ended(look->pid))
			look_again(follow, look->pid, look->wait * DT_LOOK_FACTOR);
		free(look);
	}
}

/* Whether an earlier one of this turn's news was of the same process. */
static bool is_told_before(const struct dt_follow *follow, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (follow->told[k].pid == follow->told[i].pid)
			return true;
	return false;
}

/* Lets those go on that wait. */
static void answer(dt_enabling_t *en, const struct dt_follow *follow)
{
	uint64_t *answers = en->answers.address;

	for (uint32_t i = 0; i < follow->ntold; i++) {
		uint64_t ticket = follow->told[i].ticket;

		if (ticket != 0)
			__atomic_store_n(&answers[ticket % DT_NANSWERS], ticket,
					 __ATOMIC_RELEASE);
	}
}

int dt_follow(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	struct dt_follow *follow = en->follow;
	int err = 0;

	if (!follow || en->phase != DT_PHASE_ACTIVE)
		return 0;
	follow->ntold = 0;
	ring_buffer__consume(follow->news);
	for (uint32_t i = 0; follow->any && i < follow->ntold; i++)
		look_again(follow, (pid_t)follow->told[i].pid, DT_LOOK_FIRST);
	take_due(follow);
	for (uint32_t i = 0; i < follow->ntold && err == 0; i++)
		if (!is_told_before(follow, i))
			err = visit(hdl, en, (pid_t)follow->told[i].pid);
	answer(en, follow);
	if (dt_now() - follow->last_ended >= DT_ENDED_RATE) {
		follow->last_ended = dt_now();
		release_ended(en);
	}
	return err;
}

int dt_follow_descriptor(const dt_enabling_t *en)
{
	return en->follow ? en->maps[DT_MAP_NEWS] : -1;
}

int64_t dt_follow_due(const dt_enabling_t *en)
{
	int64_t due = INT64_MAX;

	for (const dt_followlook_t *look = en->follow ? en->follow->looks : NULL; look;
	     look = look->next)
		if (look->due < due)
			due = look->due;
	return due;
}
