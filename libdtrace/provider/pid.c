/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/pid.c - the providers pidN, N a process: entry and return of every function of
 * every object of the process, and every instruction of it by its offset.
 *
 *	pid1203:libc.so.6:malloc:entry		arg0 ... the function's arguments
 *	pid1203:libc.so.6:malloc:return		arg1 what it returns
 *						args[] the parameters, typed (types/dwarfcall.c)
 *	pid1203:a.out:main:1f			the instruction at main+0x1f
 *
 * The module is the object's base name. "a.out" means the program, "libc" libc.so.6.
 * Functions are those of the objects' symbol tables. Of several names for one address a glob
 * takes one; a name that several functions have means all of them. A function that is chosen
 * when the program is loaded (STT_GNU_IFUNC) has no code of its own: its variants have.
 *
 * All entries and instructions of a handle are one attach point, all returns another. A
 * breakpoint amid an instruction would wreck the process, so offsets are checked against the
 * code; the few instructions that the kernel cannot replace have no probes. The kernel does not tell by which instruction a function returns: arg0 of return is 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "consume/symbols.h"
#include "consume/userobj.h"
#include "handle.h"
#include "provider/provider.h"

#define DT_PID_PREFIX "pid"
#define DT_PID_PARAMS 32 /* of a function, that are told */
#define DT_PID_PROGRAM "a.out"
#define DT_PID_ENTRY "entry"
#define DT_PID_RETURN "return"
/* A longer function is searched for no offsets. */
#define DT_PID_FUNCTION_MAX (1u << 20)

typedef struct dt_pidstate {
	dt_attachpoint_t *entry, *result;
} dt_pidstate_t;

/* One call of provide(): the walk over files and functions. */
typedef struct dt_pidwalk {
	dtrace_hdl_t *hdl;
	const dt_provider_t *provider;
	const dtrace_probedesc_t *pattern;
	dt_pidstate_t *state;
	pid_t pid;
	/* Probes of lower keys were there before this call, with all their sites. */
	uint32_t first_entry, first_return;
	/* The file at hand. */
	const char *module, *alias, *path;
	int fd; /* -1: not opened */
	uint64_t start; /* where the kernel enters it; UINT64_MAX: nowhere */
	dt_userfunc_t pending; /* the latest function that matches; name NULL: none */
} dt_pidwalk_t;

/* ---- Attach points ------------------------------------------------------------- */

static dt_attachpoint_t *dt_pid_attach(dtrace_hdl_t *hdl, bool is_return)
{
	dt_attachpoint_t *attach = dt_attachpoint_call(hdl, is_return, DT_ARG_UREAD);

	if (!attach)
		return NULL;
	attach->kind = DT_ATTACH_UPROBE;
	attach->context = DT_CONTEXT_USER;
	return attach;
}

static dt_pidstate_t *dt_pid_state(dtrace_hdl_t *hdl, const dt_provider_t *provider)
{
	dt_pidstate_t *state = dt_provider_state(hdl, provider, sizeof(*state));

	if (!state)
		return NULL;
	if (!state->entry)
		state->entry = dt_pid_attach(hdl, false);
	if (!state->result)
		state->result = dt_pid_attach(hdl, true);
	return state->entry && state->result ? state : NULL;
}

/* ---- Probes ----------------------------------------------------------------------- */

/* A probe of the function at hand, position bytes into its file. */
static int dt_pid_add(dt_pidwalk_t *walk, dt_attachpoint_t *attach, const char *function,
		      const char *name, uint64_t position)
{
	uint32_t first = attach->is_return ? walk->first_return : walk->first_entry;
	char provider[DTRACE_PROVNAMELEN];
	dt_usersite_t site = {.path = walk->path, .offset = position, .pid = walk->pid};
	dt_probe_t *probe;

	snprintf(provider, sizeof(provider), DT_PID_PREFIX "%d", (int)walk->pid);
	probe = dt_probe_lookup(walk->hdl, provider, walk->module, function, name);
	if (probe && (probe->attach != attach || probe->key < first))
		return 0;
	if (!probe) {
		probe = dt_probe_add_member(walk->hdl, walk->provider, provider, walk->module,
					    function, name, attach, attach->nkeys);
		if (!probe)
			return -1;
		probe->alias = walk->alias;
		attach->nkeys++;
	}
	site.key = probe->key;
	return dt_attachpoint_add_site(walk->hdl, attach, &site);
}

/* Whether a breakpoint can stand where the function begins. */
static bool dt_pid_is_traceable(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	uint8_t code[16];
	ssize_t n;

	if (walk->fd < 0)
		walk->fd = open(walk->path, O_RDONLY | O_CLOEXEC);
	n = pread(walk->fd, code, sizeof(code), (off_t)function->position);
	return n > 0 && dt_arch_insn_traceable(code, (size_t)n);
}

/* The function's code; NULL: it cannot be read. */
static uint8_t *dt_pid_read_code(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	uint8_t *code;

	if (function->size == 0 || function->size > DT_PID_FUNCTION_MAX)
		return NULL;
	code = walk->fd >= 0 ? malloc(function->size) : NULL;
	if (code && pread(walk->fd, code, function->size, (off_t)function->position) ==
			(ssize_t)function->size)
		return code;
	free(code);
	return NULL;
}

/* Instructions whose offset, in hexadecimal, the pattern's name means. */
static int dt_pid_add_offsets(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	uint8_t *code = dt_pid_read_code(walk, function);
	size_t length, size = function->size;
	char name[24];
	int rv = 0;

	for (size_t at = 0; code && at < size && rv == 0; at += length) {
		length = dt_arch_insn_length(code + at, size - at);
		if (length == 0)
			break; /* what follows cannot be told apart */
		snprintf(name, sizeof(name), "%zx", at);
		if (dt_glob(walk->pattern->dtpd_name, name) &&
		    dt_arch_insn_traceable(code + at, size - at))
			rv = dt_pid_add(walk, walk->state->entry, function->name, name,
					function->position + at);
	}
	free(code);
	return rv;
}

/* Whether the pattern means instructions: one by its offset, or, in a function that it names
 * in full, several by a glob. */
static bool dt_pid_means_offsets(const dtrace_probedesc_t *pattern)
{
	const char *name = pattern->dtpd_name;

	if (!dt_glob_is_literal(name))
		return dt_glob_is_literal(pattern->dtpd_func);
	return strspn(name, "0123456789abcdef") == strlen(name);
}

/*
 * Whether the function finds an address to return to where calls leave it, which the kernel's
 * probe of a return replaces. Where the program begins argc is there; what resolves symbols
 * lazily is jumped to with its arguments there, and __start_context with a context.
 */
static bool dt_pid_is_called(const dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	return function->position != walk->start &&
	       strncmp(function->name, "_dl_runtime_", strlen("_dl_runtime_")) != 0 &&
	       strcmp(function->name, "__start_context") != 0;
}

static int dt_pid_add_function(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	const char *pattern = walk->pattern->dtpd_name;
	bool is_traceable = dt_pid_is_traceable(walk, function);

	if (is_traceable && dt_glob(pattern, DT_PID_ENTRY) &&
	    dt_pid_add(walk, walk->state->entry, function->name, DT_PID_ENTRY,
		       function->position) != 0)
		return -1;
	if (function->size == 0)
		return 0;
	if (is_traceable && dt_glob(pattern, DT_PID_RETURN) && dt_pid_is_called(walk, function) &&
	    dt_pid_add(walk, walk->state->result, function->name, DT_PID_RETURN,
		       function->position) != 0)
		return -1;
	return dt_pid_means_offsets(walk->pattern) ? dt_pid_add_offsets(walk, function) : 0;
}

/* ---- Functions and files ------------------------------------------------------------ */

static int dt_pid_flush(dt_pidwalk_t *walk)
{
	int rv = walk->pending.name ? dt_pid_add_function(walk, &walk->pending) : 0;

	walk->pending.name = NULL;
	return rv;
}

/* Whether the pattern means the function, by as much of its name as a probe has room for. */
static bool dt_pid_means_function(const char *pattern, const char *function)
{
	char name[DTRACE_FUNCNAMELEN];

	if (strlen(function) < sizeof(name))
		return dt_glob(pattern, function);
	memcpy(name, function, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	return dt_glob(pattern, name);
}

/* Of the names of one address that match, the last is taken. */
static int dt_pid_visit_function(const dt_userfunc_t *function, void *arg)
{
	dt_pidwalk_t *walk = arg;

	if (!dt_pid_means_function(walk->pattern->dtpd_func, function->name))
		return 0;
	if (walk->pending.name && walk->pending.position != function->position &&
	    dt_pid_flush(walk) != 0)
		return -1;
	walk->pending = *function;
	return 0;
}

/* The other name by which a pattern may mean a file: "libc" for libc.so.6. NULL: none. */
static const char *dt_pid_alias(dtrace_hdl_t *hdl, const dt_userfile_t *file)
{
	const char *suffix = strstr(file->name, ".so");

	if (file->is_program)
		return DT_PID_PROGRAM;
	return suffix ? dt_arena_strndup(hdl->arena, file->name,
					 (size_t)(suffix - file->name))
		      : NULL;
}

static int dt_pid_visit_file(dtrace_hdl_t *hdl, const dt_userfile_t *file, void *arg)
{
	const dt_symtab_t *symtab;
	dt_pidwalk_t *walk = arg;
	int rv;

	walk->module = file->name;
	walk->alias = dt_pid_alias(hdl, file);
	if (!dt_glob(walk->pattern->dtpd_mod, file->name) &&
	    !(walk->alias && dt_glob(walk->pattern->dtpd_mod, walk->alias)))
		return 0;
	symtab = dt_userfile_symtab(file);
	if (!symtab)
		return 0;
	walk->path = dt_arena_strndup(hdl->arena, file->path, strlen(file->path));
	if (!walk->path)
		return dt_set_errno(hdl, EDT_NOMEM);
	walk->fd = -1;
	if (!dt_symtab_entry(symtab, &walk->start))
		walk->start = UINT64_MAX;
	rv = dt_symtab_functions(symtab, dt_pid_visit_function, walk);
	if (rv == 0)
		rv = dt_pid_flush(walk);
	if (walk->fd >= 0)
		close(walk->fd);
	return rv;
}

/* ---- The provider ------------------------------------------------------------------- */

/* The process that a provider's name means; 0: none, or many. */
static pid_t dt_pid_parse(const char *provider)
{
	const char *digits = provider + strlen(DT_PID_PREFIX);
	char *end;
	long pid;

	if (strncmp(provider, DT_PID_PREFIX, strlen(DT_PID_PREFIX)) != 0 || *digits < '1' ||
	    *digits > '9')
		return 0;
	errno = 0;
	pid = strtol(digits, &end, 10);
	return *end == '\0' && errno == 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* args[] of entry are the function's parameters, args[1] of return its result, where its
 * object has debugging information. */
static int dt_pid_type(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	bool is_return = strcmp(probe->desc.dtpd_name, DT_PID_RETURN) == 0;
	dt_userparam_t params[DT_PID_PARAMS + 1];
	const char **types;
	int n, *places;

	if (!is_return && strcmp(probe->desc.dtpd_name, DT_PID_ENTRY) != 0)
		return 0;
	n = dt_dwarf_function(hdl, dt_pid_parse(probe->desc.dtpd_provider), probe->desc.dtpd_mod,
			      probe->desc.dtpd_func, params, DT_PID_PARAMS + 1);
	if (n < 1 || (is_return && !params[0].type))
		return 0;
	types = dt_arena_alloc(hdl->arena, DT_PID_PARAMS * sizeof(*types));
	places = dt_arena_alloc(hdl->arena, DT_PID_PARAMS * sizeof(*places));
	if (!types || !places)
		return dt_set_errno(hdl, EDT_NOMEM);
	probe->argtypes = types;
	if (is_return) {
		types[0] = "uint64_t";
		types[1] = params[0].type;
		probe->nargs = 2;
		return 0;
	}
	for (int i = 1; i < n; i++) {
		types[i - 1] = params[i].type;
		places[i - 1] = params[i].place;
	}
	probe->argplaces = places;
	probe->nargs = n - 1;
	return 0;
}

static int dt_pid_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			  const dtrace_probedesc_t *pattern)
{
	dt_pidwalk_t walk = {.hdl = hdl, .provider = provider, .pattern = pattern};

	walk.pid = dt_pid_parse(pattern->dtpd_provider);
	if (walk.pid == 0 || kill(walk.pid, 0) != 0)
		return 0;
	walk.state = dt_pid_state(hdl, provider);
	if (!walk.state)
		return -1;
	walk.first_entry = walk.state->entry->nkeys;
	walk.first_return = walk.state->result->nkeys;
	return dt_user_files(hdl, walk.pid, dt_pid_visit_file, &walk);
}

/* Every pattern: whatever a process has loaded, it may load more, or execute a program. */
static bool dt_pid_grows(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			 const dtrace_probedesc_t *pattern, pid_t *pid)
{
	(void)hdl;
	(void)provider;
	*pid = dt_pid_parse(pattern->dtpd_provider);
	return *pid != 0 && kill(*pid, 0) == 0;
}

static int dt_pid_find(dtrace_hdl_t *hdl, const dt_provider_t *provider,
		       const dtrace_probedesc_t *pattern, pid_t pid)
{
	dt_pidstate_t *state = dt_pid_state(hdl, provider);

	if (!state)
		return -1;
	if (pid != dt_pid_parse(pattern->dtpd_provider))
		return 0;
	/* The programs of those before are made. */
	state->entry = state->result = NULL;
	if (dt_pid_provide(hdl, provider, pattern) == 0)
		return 0;
	return dtrace_errno(hdl) == EDT_PROC ? 0 : -1;
}

static dt_attachpoint_t *dt_pid_model(dtrace_hdl_t *hdl)
{
	return dt_pid_attach(hdl, false);
}

static const char *dt_pid_missing(dtrace_hdl_t *hdl, const dt_provider_t *provider,
				  const dtrace_probedesc_t *pattern)
{
	pid_t pid = dt_pid_parse(pattern->dtpd_provider);

	(void)hdl;
	(void)provider;
	if (strncmp(pattern->dtpd_provider, DT_PID_PREFIX, strlen(DT_PID_PREFIX)) != 0)
		return NULL;
	if (pid == 0)
		return "the provider pid is followed by the number of one process";
	return kill(pid, 0) != 0 ? "there is no such process" : NULL;
}

const dt_provider_t dt_provider_pid = {
    .name = "pid*",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING, DTRACE_CLASS_ISA},
    .arguments = {DTRACE_STABILITY_PRIVATE, DTRACE_STABILITY_PRIVATE, DTRACE_CLASS_UNKNOWN},
    .provide = dt_pid_provide,
    .type = dt_pid_type,
    .missing = dt_pid_missing,
    .grows = dt_pid_grows,
    .find = dt_pid_find,
    .model = dt_pid_model,
};
