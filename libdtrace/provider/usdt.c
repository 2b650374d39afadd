/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/usdt.c - the static probes of user programs: providers that are called as the
 * program calls them, and the process's number: node1203:node:Start:gc-start.
 *
 *	module		base name of the file that the probe is in
 *	function	the function that it is in
 *	name		the program's, with - for each __
 *
 * One probe may be at many places of a function. Each place says for itself where the
 * arguments are. Probes of a process that agree on it share an attach point, so that many
 * are enabled as one. A probe whose places do not agree has attach points of its own, one
 * for each kind of place.
 *
 * A pattern that ends in a process's number looks into that process. One with a glob looks
 * into all, which takes a while; one of neither kind means none of these providers.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "consume/symbols.h"
#include "consume/userobj.h"
#include "handle.h"
#include "provider/stapsdt.h"

/* What a file has, once read. */
typedef struct dt_usdtfile {
	struct dt_usdtfile *next;
	dev_t device;
	ino_t inode;
	dt_stapnotes_t notes;
} dt_usdtfile_t;

/* Attach points that probes share, of the process being visited. */
typedef struct dt_usdtshared {
	struct dt_usdtshared *next;
	dt_attachpoint_t *attach;
} dt_usdtshared_t;

typedef struct dt_usdtwalk {
	dtrace_hdl_t *hdl;
	const dt_provider_t *provider;
	const dtrace_probedesc_t *pattern;
	pid_t pid;
	dtrace_id_t first; /* probes of lower numbers were there before, with all places */
	dt_usdtfile_t *files;
	dt_usdtshared_t *shared;
} dt_usdtwalk_t;

/* ---- Probes ---------------------------------------------------------------------- */

/* An attach point for places with such arguments; they are those of text. */
static dt_attachpoint_t *dt_usdt_attach(dtrace_hdl_t *hdl, const char *args)
{
	dt_attachpoint_t *attach = dt_attachpoint_new(hdl);
	const char *types[DT_MAXARGS];

	if (!attach)
		return NULL;
	attach->kind = DT_ATTACH_UPROBE;
	attach->prog_type = BPF_PROG_TYPE_KPROBE;
	attach->context = DT_CONTEXT_USER;
	dt_stapnote_args(args, attach->args, types);
	attach->target = dt_arena_strndup(hdl->arena, args, strlen(args));
	if (!attach->target) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	return attach;
}

static int dt_usdt_set_types(dtrace_hdl_t *hdl, dt_probe_t *probe, const char *args)
{
	const char **types = dt_arena_alloc(hdl->arena, DT_MAXARGS * sizeof(*types));
	dt_argsource_t sources[DT_MAXARGS];

	if (!types)
		return dt_set_errno(hdl, EDT_NOMEM);
	probe->nargs = dt_stapnote_args(args, sources, types);
	probe->argtypes = types;
	return 0;
}

/* The one that all probes with such arguments share; made when new. */
static dt_attachpoint_t *dt_usdt_share(dt_usdtwalk_t *walk, const char *args)
{
	dt_usdtshared_t *shared = walk->shared;

	while (shared && strcmp(shared->attach->target, args) != 0)
		shared = shared->next;
	if (shared)
		return shared->attach;
	shared = dt_arena_alloc(walk->hdl->arena, sizeof(*shared));
	if (!shared) {
		dt_set_errno(walk->hdl, EDT_NOMEM);
		return NULL;
	}
	shared->attach = dt_usdt_attach(walk->hdl, args);
	if (!shared->attach)
		return NULL;
	shared->attach->key = (dt_argsource_t){.kind = DT_ARG_COOKIE};
	shared->next = walk->shared;
	walk->shared = shared;
	return shared->attach;
}

/* Gives the probe an attach point of its own, and its places to that. 0, or -1. */
static int dt_usdt_unshare(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	dt_attachpoint_t *shared = probe->attach, *own;
	uint32_t n = 0;

	own = dt_usdt_attach(hdl, shared->target);
	if (!own)
		return -1;
	for (uint32_t i = 0; i < shared->nsites; i++) {
		dt_usersite_t site = shared->sites[i];

		if (site.key != probe->key) {
			shared->sites[n++] = site;
			continue;
		}
		site.key = 0;
		if (dt_attachpoint_add_site(hdl, own, &site) != 0)
			return -1;
	}
	shared->nsites = n;
	probe->attach = own;
	probe->key = 0;
	return 0;
}

/* The probe's attach point for places with such arguments. */
static dt_attachpoint_t *dt_usdt_attach_of(dtrace_hdl_t *hdl, dt_probe_t *probe,
					   const char *args)
{
	dt_attachpoint_t *attach, *last = NULL;

	if (probe->attach->nkeys != 0 && strcmp(probe->attach->target, args) != 0 &&
	    dt_usdt_unshare(hdl, probe) != 0)
		return NULL;
	attach = probe->attach;
	for (; attach && strcmp(attach->target, args) != 0; attach = attach->also)
		last = attach;
	if (attach)
		return attach;
	attach = dt_usdt_attach(hdl, args);
	if (attach && last)
		last->also = attach;
	return attach;
}

/* "gc__start" to "gc-start". */
static void dt_usdt_name(const char *from, char *to, size_t size)
{
	size_t n = 0;

	for (; *from && n + 1 < size; from++) {
		if (from[0] == '_' && from[1] == '_') {
			to[n++] = '-';
			from++;
		} else {
			to[n++] = *from;
		}
	}
	to[n] = '\0';
}

/* Adds the note's place if the pattern means its probe. */
static int dt_usdt_add(dt_usdtwalk_t *walk, const dt_userfile_t *file,
		       const dt_stapnote_t *note)
{
	dt_usersite_t site = {.offset = note->position,
			      .semaphore = note->semaphore,
			      .pid = walk->pid};
	char provider[DTRACE_PROVNAMELEN], name[DTRACE_NAMELEN];
	const dtrace_probedesc_t *pattern = walk->pattern;
	dtrace_hdl_t *hdl = walk->hdl;
	const dt_symtab_t *symtab;
	const char *function = NULL;
	dt_attachpoint_t *attach;
	dt_probe_t *probe;
	uint64_t offset;

	snprintf(provider, sizeof(provider), "%s%d", note->provider, (int)walk->pid);
	dt_usdt_name(note->name, name, sizeof(name));
	if (!dt_glob(pattern->dtpd_provider, provider) || !dt_glob(pattern->dtpd_name, name) ||
	    !dt_glob(pattern->dtpd_mod, file->name))
		return 0;
	symtab = dt_userfile_symtab(file);
	if (symtab)
		function = dt_symtab_lookup(symtab, note->position, &offset);
	if (!function)
		function = "";
	if (!dt_glob(pattern->dtpd_func, function))
		return 0;

	probe = dt_probe_lookup(hdl, provider, file->name, function, name);
	if (probe && probe->desc.dtpd_id < walk->first)
		return 0;
	if (!probe) {
		attach = dt_usdt_share(walk, note->args);
		probe = attach ? dt_probe_add_member(hdl, walk->provider, provider, file->name,
						     function, name, attach, attach->nkeys++)
			       : NULL;
		if (!probe || dt_usdt_set_types(hdl, probe, note->args) != 0)
			return -1;
	}
	attach = dt_usdt_attach_of(hdl, probe, note->args);
	site.key = probe->key;
	site.path = dt_arena_strndup(hdl->arena, file->path, strlen(file->path));
	if (!attach || !site.path)
		return dt_set_errno(hdl, EDT_NOMEM);
	return dt_attachpoint_add_site(hdl, attach, &site);
}

/* ---- Files and processes ------------------------------------------------------------ */

/* The file's notes, read once in a walk. NULL: out of memory, or the file is not there. */
static dt_usdtfile_t *dt_usdt_file(dt_usdtwalk_t *walk, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	dt_usdtfile_t *file = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		for (file = walk->files; file; file = file->next)
			if (file->device == st.st_dev && file->inode == st.st_ino)
				break;
		if (!file) {
			file = calloc(1, sizeof(*file));
			if (file) {
				file->device = st.st_dev;
				file->inode = st.st_ino;
				file->next = walk->files;
				walk->files = file;
				dt_stapnotes_read(fd, &file->notes);
			}
		}
	}
	close(fd);
	return file;
}

static int dt_usdt_visit_file(dtrace_hdl_t *hdl, const dt_userfile_t *file, void *arg)
{
	dt_usdtwalk_t *walk = arg;
	dt_usdtfile_t *known;
	int rv = 0;

	(void)hdl;
	if (!dt_glob(walk->pattern->dtpd_mod, file->name))
		return 0;
	known = dt_usdt_file(walk, file->path);
	for (size_t i = 0; known && i < known->notes.nnotes && rv == 0; i++)
		rv = dt_usdt_add(walk, file, &known->notes.notes[i]);
	return rv;
}

/* A process may be gone, or be another user's: then it has no probes for us. */
static int dt_usdt_visit_process(dt_usdtwalk_t *walk, pid_t pid)
{
	char exe[64];

	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
	walk->pid = pid;
	walk->shared = NULL;
	if (access(exe, R_OK) != 0)
		return 0;
	if (dt_user_files(walk->hdl, pid, dt_usdt_visit_file, walk) == 0)
		return 0;
	return dtrace_errno(walk->hdl) == EDT_PROC ? 0 : -1;
}

static int dt_usdt_visit_all(dt_usdtwalk_t *walk)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int rv = 0;

	while (proc && rv == 0 && (entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			rv = dt_usdt_visit_process(walk, (pid_t)atoi(entry->d_name));
	if (proc)
		closedir(proc);
	return rv;
}

/*
 * The process may be any number that the name ends in: of "db21203" 21203, 1203 ... The next
 * of them, after *at, from the name on; 0: there is none.
 */
static pid_t dt_usdt_next_pid(const char *name, const char **at)
{
	const char *digits = *at;

	if (!digits) {
		for (digits = name + strlen(name); digits > name; digits--)
			if (!isdigit((unsigned char)digits[-1]))
				break;
		/* A provider has a name before the number. */
		digits += digits == name;
	}
	while (*digits == '0' || strlen(digits) >= 10)
		digits++;
	*at = *digits ? digits + 1 : digits;
	return (pid_t)atoi(digits);
}

static int dt_usdt_visit_named(dt_usdtwalk_t *walk)
{
	const char *at = NULL;
	int rv = 0;
	pid_t pid;

	while (rv == 0 && (pid = dt_usdt_next_pid(walk->pattern->dtpd_provider, &at)) != 0)
		rv = dt_usdt_visit_process(walk, pid);
	return rv;
}

/* Whether it is the name of a provider that is none of these. */
static bool dt_usdt_is_other(const char *name)
{
	if (!dt_glob_is_literal(name))
		return false;
	for (int i = 0; dt_providers[i]; i++)
		if (dt_providers[i] != &dt_provider_usdt &&
		    dt_provider_matches(dt_providers[i], name))
			return true;
	return false;
}

/* "" and "*" mean the providers that are always there, as do their own names. */
static bool dt_usdt_is_meant(const dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern)
{
	const char *name = pattern->dtpd_provider;

	return !(hdl->oflags & DTRACE_O_NOSYS) && name[strspn(name, "*")] != '\0' &&
	       !dt_usdt_is_other(name);
}

/* The process's probes; pid 0: those of all the pattern's processes. */
static int dt_usdt_visit(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			 const dtrace_probedesc_t *pattern, pid_t pid)
{
	dt_usdtwalk_t walk = {.hdl = hdl,
			      .provider = provider,
			      .pattern = pattern,
			      .first = dt_probe_next_id(hdl)};
	dt_usdtfile_t *file;
	int rv;

	if (pid != 0)
		rv = dt_usdt_visit_process(&walk, pid);
	else if (dt_glob_is_literal(pattern->dtpd_provider))
		rv = dt_usdt_visit_named(&walk);
	else
		rv = dt_usdt_visit_all(&walk);
	while ((file = walk.files) != NULL) {
		walk.files = file->next;
		dt_stapnotes_free(&file->notes);
		free(file);
	}
	return rv;
}

static int dt_usdt_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			   const dtrace_probedesc_t *pattern)
{
	return dt_usdt_is_meant(hdl, pattern) ? dt_usdt_visit(hdl, provider, pattern, 0) : 0;
}

static int dt_usdt_find(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			const dtrace_probedesc_t *pattern, pid_t pid)
{
	return dt_usdt_visit(hdl, provider, pattern, pid);
}

/* Whether a glob can mean a provider that is always there too: such a one, sys*, is hardly
 * meant to follow every process. */
static bool dt_usdt_is_wide(const char *pattern)
{
	for (int i = 0; dt_providers[i]; i++)
		if (!strchr(dt_providers[i]->name, '*') &&
		    dt_provider_matches(dt_providers[i], pattern))
			return true;
	return false;
}

static bool dt_usdt_grows(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			  const dtrace_probedesc_t *pattern, pid_t *pid)
{
	const char *name = pattern->dtpd_provider, *at = NULL;

	(void)provider;
	*pid = 0;
	if (!dt_usdt_is_meant(hdl, pattern))
		return false;
	if (!dt_glob_is_literal(name))
		return !dt_usdt_is_wide(name);
	while ((*pid = dt_usdt_next_pid(name, &at)) != 0)
		if (kill(*pid, 0) == 0)
			return true;
	return false;
}

static bool dt_usdt_has_probes(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern, int fd)
{
	dt_stapnotes_t notes = {.notes = NULL};
	char provider[DTRACE_PROVNAMELEN];
	bool has = false;

	(void)hdl;
	dt_stapnotes_read(fd, &notes);
	for (size_t i = 0; i < notes.nnotes && !has; i++) {
		snprintf(provider, sizeof(provider), "%s1", notes.notes[i].provider);
		has = dt_glob(pattern->dtpd_provider, provider);
	}
	dt_stapnotes_free(&notes);
	return has;
}

static dt_attachpoint_t *dt_usdt_model(dtrace_hdl_t *hdl)
{
	dt_attachpoint_t *attach = dt_usdt_attach(hdl, "");

	for (int i = 0; attach && i < DT_MAXARGS; i++)
		attach->args[i] = (dt_argsource_t){.kind = DT_ARG_UREAD,
						   .base = DT_ARCH_STACK_POINTER,
						   .offset2 = DT_ARCH_STACK_POINTER,
						   .scale = 8,
						   .size = 4,
						   .is_signed = true};
	return attach;
}

const dt_provider_t dt_provider_usdt = {
    .name = "*",
    .attributes = {DTRACE_STABILITY_PRIVATE, DTRACE_STABILITY_PRIVATE,
		   DTRACE_CLASS_UNKNOWN},
    .arguments = {DTRACE_STABILITY_PRIVATE, DTRACE_STABILITY_PRIVATE, DTRACE_CLASS_UNKNOWN},
    .provide = dt_usdt_provide,
    .grows = dt_usdt_grows,
    .find = dt_usdt_find,
    .has_probes = dt_usdt_has_probes,
    .model = dt_usdt_model,
};
