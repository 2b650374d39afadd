/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/pid.c - the providers pidN, N a process: entry and return of every function of
 * every object of the process, and every instruction of it by its offset.
 *
 *	pid1203:libc.so.6:malloc:entry		arg0 ... the function's arguments
 *	pid1203:libc.so.6:malloc:return		arg0 the offset of the instruction that returns,
 *						arg1 what it returns
 *						args[] the parameters, typed (types/dwarfcall.c)
 *	pid1203:a.out:main:1f			the instruction at main+0x1f
 *
 * The module is the object's base name. "a.out" means the program, "libc" libc.so.6.
 * Functions are those of the objects' symbol tables. Of several names for one address a glob
 * takes one; a name that several functions have means all of them. A function that is chosen
 * when the program is loaded (STT_GNU_IFUNC) has no code of its own: its variants have.
 *
 * All entries and instructions of a handle are one attach point, all returns another. A
 * breakpoint amid an instruction, or in data, would wreck the process, so offsets are checked
 * against the code: a function that is not instructions from end to end, each where the others
 * expect it, has neither offsets nor returns. The few instructions that the kernel cannot
 * replace have no probes.
 *
 * A return has a breakpoint at each instruction that leaves the function, whose offset is
 * arg0. The kernel's own probe of returns, which puts another address in the place of that
 * to return to, would do with one; but whoever looks at the stack finds that address: who
 * unwinds it for an exception ends the process, and so does a function that was not called.
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
	/* Neither the entry nor what returns has a frame: it is to be made, or gone. */
	attach->caller = (dt_argsource_t){.kind = DT_ARG_UREAD, .base = DT_ARCH_STACK_POINTER};
	if (is_return)
		attach->args[0] = (dt_argsource_t){.kind = DT_ARG_COOKIE, .shift = 32};
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

/* A place of a probe, at the function's instruction of this offset. */
static int dt_pid_add(dt_pidwalk_t *walk, dt_attachpoint_t *attach,
		      const dt_userfunc_t *function, const char *name, size_t offset)
{
	bool is_return = attach == walk->state->result;
	uint32_t first = is_return ? walk->first_return : walk->first_entry;
	char provider[DTRACE_PROVNAMELEN];
	dt_usersite_t site = {.path = walk->path,
			      .offset = function->position + offset,
			      .pid = walk->pid,
			      .detail = is_return ? (uint32_t)offset : offset != 0};
	dt_probe_t *probe;

	snprintf(provider, sizeof(provider), DT_PID_PREFIX "%d", (int)walk->pid);
	probe = dt_probe_lookup(walk->hdl, provider, walk->module, function->name, name);
	if (probe && (probe->attach != attach || probe->key < first))
		return 0;
	if (!probe) {
		probe = dt_probe_add_member(walk->hdl, walk->provider, provider, walk->module,
					    function->name, name, attach, attach->nkeys);
		if (!probe)
			return -1;
		probe->alias = walk->alias;
		attach->nkeys++;
	}
	site.key = probe->key;
	return dt_attachpoint_add_site(walk->hdl, attach, &site);
}

/* Reads from the file at hand, at a function's code: how many bytes, or -1. */
static ssize_t dt_pid_read(dt_pidwalk_t *walk, const dt_userfunc_t *function, void *code,
			   size_t size)
{
	if (walk->fd < 0)
		walk->fd = open(walk->path, O_RDONLY | O_CLOEXEC);
	return pread(walk->fd, code, size, (off_t)function->position);
}

/* Whether a breakpoint can stand where the function begins. */
static bool dt_pid_is_traceable(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	uint8_t code[16];
	ssize_t n = dt_pid_read(walk, function, code, sizeof(code));

	return n > 0 && dt_arch_insn_traceable(code, (size_t)n);
}

/* The function's code, and behind it as many bytes that tell where instructions begin; NULL:
 * it cannot be read, or that cannot be told. */
static uint8_t *dt_pid_read_code(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	uint8_t *code;

	if (function->size == 0 || function->size > DT_PID_FUNCTION_MAX)
		return NULL;
	code = malloc(2 * function->size);
	if (code && dt_pid_read(walk, function, code, function->size) == (ssize_t)function->size &&
	    dt_arch_code_starts(code, function->size, code + function->size))
		return code;
	free(code);
	return NULL;
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

/* The places in the function's code that the pattern's name means. */
static int dt_pid_add_instruction(dt_pidwalk_t *walk, const dt_userfunc_t *function,
				  const uint8_t *code, size_t at)
{
	const char *pattern = walk->pattern->dtpd_name;
	char name[24];

	if (!dt_arch_insn_traceable(code + at, function->size - at))
		return 0;
	if (dt_glob(pattern, DT_PID_RETURN) && dt_arch_insn_leaves(code, function->size, at) &&
	    dt_pid_add(walk, walk->state->result, function, DT_PID_RETURN, at) != 0)
		return -1;
	if (!dt_pid_means_offsets(walk->pattern))
		return 0;
	snprintf(name, sizeof(name), "%zx", at);
	return dt_glob(pattern, name) ? dt_pid_add(walk, walk->state->entry, function, name, at)
				      : 0;
}

static int dt_pid_add_instructions(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	uint8_t *code = dt_pid_read_code(walk, function);
	int rv = 0;

	for (size_t at = 0; code && at < function->size && rv == 0; at++)
		if (code[function->size + at])
			rv = dt_pid_add_instruction(walk, function, code, at);
	free(code);
	return rv;
}

static int dt_pid_add_function(dt_pidwalk_t *walk, const dt_userfunc_t *function)
{
	const char *pattern = walk->pattern->dtpd_name;

	if (dt_glob(pattern, DT_PID_ENTRY) && dt_pid_is_traceable(walk, function) &&
	    dt_pid_add(walk, walk->state->entry, function, DT_PID_ENTRY, 0) != 0)
		return -1;
	if (!dt_glob(pattern, DT_PID_RETURN) && !dt_pid_means_offsets(walk->pattern))
		return 0;
	return dt_pid_add_instructions(walk, function);
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

static bool dt_pid_means_file(const char *pattern, const dt_userfile_t *file)
{
	return dt_glob_object(pattern, file->name) ||
	       (file->is_program && dt_glob(pattern, DT_PID_PROGRAM));
}

static int dt_pid_visit_file(dtrace_hdl_t *hdl, const dt_userfile_t *file, void *arg)
{
	const dt_symtab_t *symtab;
	dt_pidwalk_t *walk = arg;
	int rv;

	walk->module = file->name;
	walk->alias = file->is_program ? DT_PID_PROGRAM : NULL;
	if (!dt_pid_means_file(walk->pattern->dtpd_mod, file))
		return 0;
	symtab = dt_userfile_symtab(file);
	if (!symtab)
		return 0;
	walk->path = dt_arena_strndup(hdl->arena, file->path, strlen(file->path));
	if (!walk->path)
		return dt_set_errno(hdl, EDT_NOMEM);
	walk->fd = -1;
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

/* ---- What there is none of ---------------------------------------------------------------- */

/* How much of a description that matches nothing is there. */
typedef struct dt_pidsearch {
	const dtrace_probedesc_t *pattern;
	bool has_file, has_function;
	uint64_t size; /* of the function */
} dt_pidsearch_t;

static int dt_pid_search_function(const dt_userfunc_t *function, void *arg)
{
	dt_pidsearch_t *search = arg;

	if (!dt_pid_means_function(search->pattern->dtpd_func, function->name))
		return 0;
	search->has_function = true;
	if (function->size > search->size)
		search->size = function->size;
	return 0;
}

static int dt_pid_search_file(dtrace_hdl_t *hdl, const dt_userfile_t *file, void *arg)
{
	dt_pidsearch_t *search = arg;
	const dt_symtab_t *symtab;

	(void)hdl;
	if (!dt_pid_means_file(search->pattern->dtpd_mod, file))
		return 0;
	search->has_file = true;
	symtab = dt_userfile_symtab(file);
	return symtab ? dt_symtab_functions(symtab, dt_pid_search_function, search) : 0;
}

/* Of a description that names one object and one function of a process. */
static const char *dt_pid_lacking(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern, pid_t pid,
				  const char **tag)
{
	dt_pidsearch_t search = {.pattern = pattern};
	const char *name = pattern->dtpd_name;

	if (dt_user_files(hdl, pid, dt_pid_search_file, &search) != 0 || !search.has_file)
		return NULL;
	if (!search.has_function) {
		*tag = "D_PROC_FUNC";
		return "the object has no such function";
	}
	if (strcmp(name, DT_PID_RETURN) == 0)
		return "no instruction of the function is known to return from it";
	if (name[0] == '\0' || !dt_glob_is_literal(name) || strcmp(name, DT_PID_ENTRY) == 0)
		return NULL;
	if (!dt_pid_means_offsets(pattern)) {
		*tag = "D_PROC_NAME";
		return "a probe is called entry, return, or by an offset in hexadecimal";
	}
	*tag = "D_PROC_OFF";
	return strtoull(name, NULL, 16) >= search.size
		   ? "the function is not as long"
		   : "there is no instruction at that offset that a probe can be at";
}

static const char *dt_pid_missing(dtrace_hdl_t *hdl, const dt_provider_t *provider,
				  const dtrace_probedesc_t *pattern, const char **tag)
{
	const char *name = pattern->dtpd_provider;
	pid_t pid = dt_pid_parse(name);

	(void)provider;
	if (strncmp(name, DT_PID_PREFIX, strlen(DT_PID_PREFIX)) != 0)
		return NULL;
	if (pid == 0) {
		if (strchr("0123456789", name[strlen(name) - 1]))
			*tag = "D_PROC_BADPID";
		return "the provider pid is followed by the number of one process";
	}
	if (kill(pid, 0) != 0) {
		*tag = "D_PROC_GRAB";
		return "there is no such process";
	}
	if (pattern->dtpd_mod[0] == '\0' || pattern->dtpd_func[0] == '\0' ||
	    !dt_glob_is_literal(pattern->dtpd_mod) || !dt_glob_is_literal(pattern->dtpd_func))
		return NULL;
	return dt_pid_lacking(hdl, pattern, pid, tag);
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
