/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/syscall.c - the provider syscall: entry and return of every system call. All
 * entries share one attach point, the raw tracepoint sys_enter, and all returns another,
 * sys_exit; the call's number is the key that tells the probes apart. So enabling every
 * system call costs one attachment, and no more than enabling one.
 *
 * What the tracepoints hand to a program, 64 bits each (kernel: include/trace/events/
 * syscalls.h):
 *
 *	offset		0			8
 *	sys_enter	struct pt_regs *	number
 *	sys_exit	struct pt_regs *	return value
 */
#include <asm/unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "handle.h"
#include "provider/provider.h"
#include "provider/tracefs.h"
#include "provider/tracepoint.h"

#define DT_SYSCALL_MODULE "vmlinux"
#define DT_SYSCALL_NARGS 6
#define DT_RAWTP_REGS 0
#define DT_RAWTP_SECOND 8

/* By number; NULL where a number has no call. Written by script/gen-syscalls.sh. */
static const char *const dt_syscalls[] = {
#include "syscalls.inc"
};
#define DT_NSYSCALLS (sizeof(dt_syscalls) / sizeof(dt_syscalls[0]))

_Static_assert(DT_PROBE_SYSCALL + 2 * DT_NSYSCALLS <= DT_PROBE_TABLES,
	       "more system calls than there are probe numbers for them");

typedef enum dt_sysprobe { DT_SYS_ENTRY, DT_SYS_RETURN, DT_SYS_NPROBES } dt_sysprobe_t;

static const char *const dt_sysprobe_names[] = {
    [DT_SYS_ENTRY] = "entry",
    [DT_SYS_RETURN] = "return",
};

typedef struct dt_sysstate {
	dt_attachpoint_t *attach[DT_SYS_NPROBES];
	bool is_complete[DT_SYS_NPROBES]; /* all probes of this kind are there */
} dt_sysstate_t;

static void dt_sysattach_entry(dt_attachpoint_t *attach)
{
	static const uint32_t registers[DT_SYSCALL_NARGS] = DT_ARCH_SYSCALL_ARGS;

	attach->target = "sys_enter";
	attach->key = (dt_argsource_t){.kind = DT_ARG_CTX, .offset = DT_RAWTP_SECOND};
	for (int i = 0; i < DT_SYSCALL_NARGS; i++)
		attach->args[i] = (dt_argsource_t){
		    .kind = DT_ARG_KREAD, .base = DT_RAWTP_REGS, .offset = registers[i]};
}

static void dt_sysattach_return(dt_attachpoint_t *attach)
{
	const dt_argsource_t value = {.kind = DT_ARG_CTX, .offset = DT_RAWTP_SECOND};

	attach->target = "sys_exit";
	attach->key = (dt_argsource_t){
	    .kind = DT_ARG_KREAD, .base = DT_RAWTP_REGS, .offset = DT_ARCH_SYSCALL_NUMBER};
	attach->args[0] = attach->args[1] = attach->errno_source = value;
}

/* The attach point of a kind of probe, made on first use. NULL: out of memory. */
static dt_attachpoint_t *dt_sysattach(dtrace_hdl_t *hdl, dt_sysstate_t *state,
				      dt_sysprobe_t probe)
{
	dt_attachpoint_t *attach = state->attach[probe];

	if (attach)
		return attach;
	attach = dt_attachpoint_new(hdl);
	if (!attach)
		return NULL;
	attach->kind = DT_ATTACH_RAWTP;
	attach->prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attach->context = DT_CONTEXT_TASK;
	attach->nkeys = DT_NSYSCALLS;
	if (probe == DT_SYS_ENTRY)
		dt_sysattach_entry(attach);
	else
		dt_sysattach_return(attach);
	state->attach[probe] = attach;
	return attach;
}

/* Adds the probes of one kind whose function matches. */
static int dt_syscall_add(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			  dt_sysstate_t *state, dt_sysprobe_t probe, const char *function)
{
	dt_attachpoint_t *attach = dt_sysattach(hdl, state, probe);

	if (!attach)
		return -1;
	for (uint32_t number = 0; number < DT_NSYSCALLS; number++) {
		const char *name = dt_syscalls[number];
		dtrace_id_t id = DT_PROBE_SYSCALL + 2 * number + probe;

		if (!name || dt_probe_by_id(hdl, id) || !dt_glob(function, name))
			continue;
		if (!dt_probe_add_numbered(hdl, id, provider, DT_SYSCALL_MODULE, name,
					   dt_sysprobe_names[probe], attach, number))
			return -1;
	}
	state->is_complete[probe] = function[0] == '\0' || strcmp(function, "*") == 0;
	return 0;
}

static int dt_syscall_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			      const dtrace_probedesc_t *pattern)
{
	dt_sysstate_t *state = dt_provider_state(hdl, provider, sizeof(*state));

	if (!state)
		return -1;
	if (!dt_glob(pattern->dtpd_mod, DT_SYSCALL_MODULE))
		return 0;
	for (int probe = 0; probe < DT_SYS_NPROBES; probe++) {
		if (state->is_complete[probe] ||
		    !dt_glob(pattern->dtpd_name, dt_sysprobe_names[probe]))
			continue;
		if (dt_syscall_add(hdl, provider, state, (dt_sysprobe_t)probe,
				   pattern->dtpd_func) != 0)
			return -1;
	}
	return 0;
}

static int dt_syscall_describe(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	dt_attachpoint_t *attach = probe->attach;

	if (attach->key_condition)
		return 0;
	for (uint32_t number = attach->nprobes = 0; number < DT_NSYSCALLS; number++)
		attach->nprobes += dt_syscalls[number] != NULL;
	return dt_tracepoint_native_call(hdl, &attach->key_condition);
}

/* ---- Types ----------------------------------------------------------------------- */

/* Calls whose event is not called as they are. */
static const struct {
	const char *call, *event;
} dt_sysevents[] = {
    {"fstat", "newfstat"},	{"lstat", "newlstat"},	  {"sendfile", "sendfile64"},
    {"stat", "newstat"},	{"umount2", "umount"},	  {"uname", "newuname"},
};

/* "field:const char * filename;" to the type's name in D. A pointer is one to the memory of
 * the process. NULL: out of memory. */
static const char *dt_sysfield_type(dtrace_hdl_t *hdl, const char *field)
{
	static const char userland[] = "userland ";
	size_t length = strcspn(field, ";");
	bool is_pointer = memchr(field, '*', length) != NULL;
	char type[128];

	/* The last word is the argument's name. */
	while (length > 0 && field[length - 1] != ' ' && field[length - 1] != '*')
		length--;
	while (length > 0 && field[length - 1] == ' ')
		length--;
	snprintf(type, sizeof(type), "%s%.*s", is_pointer ? userland : "", (int)length, field);
	return dt_arena_strndup(hdl->arena, type, strlen(type));
}

/* Types of the fields that follow the call's number. -1: out of memory. */
static int dt_sysfields(dtrace_hdl_t *hdl, const char *format, const char **types)
{
	static const char mark[] = "\tfield:", number[] = " __syscall_nr;";
	const char *field = strstr(format, number);
	int n = 0;

	while (n < DT_SYSCALL_NARGS && field && (field = strstr(field, mark)) != NULL) {
		field += sizeof(mark) - 1;
		types[n] = dt_sysfield_type(hdl, field);
		if (!types[n++])
			return dt_set_errno(hdl, EDT_NOMEM);
	}
	return n;
}

/*
 * The kernel tells the types of a call's arguments in the format of its event. A call without
 * one, and every call where tracefs cannot be read, has no typed arguments.
 */
static int dt_syscall_type(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	static const char *const result[] = {"long", "long"};
	const char *name = probe->desc.dtpd_func;
	char path[DTRACE_FUNCNAMELEN + 64], *format;
	const char **types;
	int n;

	if (strcmp(probe->desc.dtpd_name, dt_sysprobe_names[DT_SYS_RETURN]) == 0) {
		probe->argtypes = result;
		probe->nargs = 2;
		return 0;
	}
	for (size_t i = 0; i < sizeof(dt_sysevents) / sizeof(dt_sysevents[0]); i++)
		if (strcmp(dt_sysevents[i].call, name) == 0)
			name = dt_sysevents[i].event;
	types = dt_arena_alloc(hdl->arena, DT_SYSCALL_NARGS * sizeof(*types));
	if (!types)
		return dt_set_errno(hdl, EDT_NOMEM);
	snprintf(path, sizeof(path), "events/syscalls/sys_enter_%s/format", name);
	format = dt_tracefs_read(path);
	n = format ? dt_sysfields(hdl, format, types) : 0;
	free(format);
	if (n < 0)
		return -1;
	probe->argtypes = types;
	probe->nargs = n;
	return 0;
}

const dt_provider_t dt_provider_syscall = {
    .name = "syscall",
    .attributes = {DTRACE_STABILITY_EVOLVING, DTRACE_STABILITY_EVOLVING,
		   DTRACE_CLASS_COMMON},
    .arguments = {DTRACE_STABILITY_UNSTABLE, DTRACE_STABILITY_UNSTABLE, DTRACE_CLASS_ISA},
    .provide = dt_syscall_provide,
    .describe = dt_syscall_describe,
    .type = dt_syscall_type,
};
