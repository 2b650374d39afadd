/* SPDX-License-Identifier: Apache-2.0 */
/* tracepoint.c - see tracepoint.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "consume/consume.h"
#include "handle.h"
#include "provider/tracepoint.h"

#define DT_TP_MODULE "vmlinux"
#define DT_TP_KPROBES "/sys/bus/event_source/devices/kprobe/type"

/* ---- Tracepoints --------------------------------------------------------------- */

/* The parameters of functions of the type, without the first. */
static int dt_tp_params(dtrace_hdl_t *hdl, const char *tracepoint, dt_type_t *type,
			dt_type_t *const **params, uint32_t *nparams)
{
	if (!type)
		return -1;
	type = dt_type_resolve(hdl, type);
	if (type->kind == DT_K_PTR)
		type = dt_type_resolve(hdl, type->ref);
	if (type->kind != DT_K_FUNC || type->count == 0)
		return dt_set_error(hdl, EDT_NOTYPE, "the kernel's type btf_trace_%s is no "
						     "function's", tracepoint);
	*params = (dt_type_t *const *)type->params + 1;
	*nparams = type->count - 1;
	return 0;
}

int dt_tracepoint_params(dtrace_hdl_t *hdl, const char *tracepoint, dt_type_t *const **params,
			 uint32_t *nparams)
{
	char name[DTRACE_NAMELEN + 16];

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	return dt_tp_params(hdl, tracepoint, dt_type_lookup(hdl, DT_K_TYPEDEF, name), params,
			    nparams);
}

dt_attachpoint_t *dt_tracepoint_attach(dtrace_hdl_t *hdl, const char *tracepoint)
{
	dt_attachpoint_t *attach = dt_attachpoint_new(hdl);

	if (!attach)
		return NULL;
	attach->kind = DT_ATTACH_RAWTP;
	attach->prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attach->context = DT_CONTEXT_ANY;
	attach->target = tracepoint;
	return attach;
}

/* How an integer of less than 64 bits stands in the context: zero-extended, whatever its
 * type (kernel: CAST_TO_U64()). */
static void dt_tp_extend(dtrace_hdl_t *hdl, dt_argsource_t *source, dt_type_t *type)
{
	type = dt_type_resolve(hdl, type);
	if ((type->kind != DT_K_INT && type->kind != DT_K_ENUM) || type->size >= 8)
		return;
	source->size = (uint8_t)type->size;
	source->is_signed = type->is_signed;
}

static const char *dt_tp_typename(dtrace_hdl_t *hdl, const dt_type_t *type)
{
	char name[256];

	dt_type_name(type, name, sizeof(name));
	return dt_arena_strndup(hdl->arena, name, strlen(name));
}

int dt_tracepoint_describe(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	dt_attachpoint_t *attach = probe->attach;
	dt_type_t *const *params;
	const char **types;
	uint32_t n;

	if ((attach->btf_id ? dt_tp_params(hdl, attach->target,
					   dt_btf_type(hdl, attach->btf_id), &params, &n)
			    : dt_tracepoint_params(hdl, attach->target, &params, &n)) != 0)
		return -1;
	if (n > DT_MAXARGS)
		n = DT_MAXARGS;
	types = dt_arena_alloc(hdl->arena, (n + 1) * sizeof(*types));
	if (!types)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < n; i++) {
		attach->args[i] = (dt_argsource_t){.kind = DT_ARG_CTX, .offset = i * 8};
		dt_tp_extend(hdl, &attach->args[i], params[i]);
		types[i] = dt_tp_typename(hdl, params[i]);
		if (!types[i])
			return dt_set_errno(hdl, EDT_NOMEM);
	}
	probe->argtypes = types;
	probe->nargs = (int)n;
	return 0;
}

/* ---- Tables ----------------------------------------------------------------------- */

/* Offset and type of a path of members within a structure. */
static int dt_tp_member(dtrace_hdl_t *hdl, const char *structure, const char *path,
			uint32_t *offset, dt_type_t **type)
{
	dt_type_t *at = dt_type_lookup(hdl, DT_K_STRUCT, structure);
	char name[64];

	*offset = 0;
	for (const char *from = path; at && *from; from += strspn(from, ".")) {
		size_t length = strcspn(from, ".");
		const dt_member_t *member;
		uint32_t bits;

		if (length >= sizeof(name))
			break;
		memcpy(name, from, length);
		name[length] = '\0';
		from += length;
		member = dt_type_member(hdl, at, name, &bits);
		if (!member || member->bit_size)
			return dt_set_error(hdl, EDT_NOTHERE,
					    "struct %s of this kernel has no member %s",
					    structure, path);
		*offset += bits / 8;
		at = member->type;
	}
	if (!at)
		return dt_set_error(hdl, EDT_NOTHERE, "this kernel has no struct %s", structure);
	*type = at;
	return 0;
}

static int dt_tp_packet(dtrace_hdl_t *hdl, const dt_tpvalue_t *value, dt_argsource_t *source)
{
	dt_type_t *type;

	source->kind = DT_ARG_KPACKET;
	source->base = value->param * 8;
	if (dt_tp_member(hdl, "sk_buff", "head", &source->offset, &type) != 0 ||
	    dt_tp_member(hdl, "sk_buff", "network_header", &source->offset2, &type) != 0 ||
	    dt_tp_member(hdl, value->structure, value->member, &source->offset3, &type) != 0)
		return -1;
	dt_tp_extend(hdl, source, type);
	return 0;
}

/* The type of a function of the kernel; NULL: BTF does not have it. */
static const dt_type_t *dt_tp_function(dtrace_hdl_t *hdl, const char *name)
{
	dt_type_t *type = dt_type_kernel_var(hdl, name);

	if (type)
		type = dt_type_resolve(hdl, type);
	return type && type->kind == DT_K_FUNC ? type : NULL;
}

/* Argument of a function, or a member of what it points to. */
static int dt_tp_funcarg(dtrace_hdl_t *hdl, const dt_tpvalue_t *value,
			 dt_type_t *const *params, dt_argsource_t *source)
{
	dt_type_t *type = params[value->param];

	source->kind = DT_ARG_FUNCARG;
	source->offset = value->param;
	if (value->structure) {
		source->kind = DT_ARG_FUNCREAD;
		if (dt_tp_member(hdl, value->structure, value->member, &source->offset2,
				 &type) != 0)
			return -1;
	}
	dt_tp_extend(hdl, source, type);
	return 0;
}

static int dt_tp_source(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry, const dt_tpvalue_t *value,
			dt_type_t *const *params, dt_argsource_t *source)
{
	dt_type_t *type = NULL;

	*source = (dt_argsource_t){.value = value->value,
				   .is_negated = value->is_negated,
				   .is_status = value->is_status};
	switch (value->root) {
	case DT_TP_NONE:
		return 0;
	case DT_TP_CONST:
		source->kind = DT_ARG_CONST;
		return 0;
	case DT_TP_SYMBOL:
		source->kind = DT_ARG_CONST;
		source->value = (int64_t)dt_kernel_address(hdl, value->member);
		if (source->value)
			return 0;
		return dt_set_error(hdl, EDT_NOTHERE, "this kernel has no symbol %s",
				    value->member);
	case DT_TP_CURRENT:
		source->kind = DT_ARG_TASK;
		return 0;
	case DT_TP_TID:
	case DT_TP_PID:
		source->kind = value->root == DT_TP_TID ? DT_ARG_TID : DT_ARG_PID;
		return 0;
	case DT_TP_REGS:
		source->kind = DT_ARG_KREAD;
		source->offset = value->param;
		return 0;
	case DT_TP_RESULT:
		source->kind = DT_ARG_FUNCRET;
		dt_tp_extend(hdl, source, dt_tp_function(hdl, entry->trampoline)->ref);
		return 0;
	case DT_TP_PACKET:
		return dt_tp_packet(hdl, value, source);
	case DT_TP_PARAM:
		break;
	}
	if (entry->trampoline)
		return dt_tp_funcarg(hdl, value, params, source);
	if (!value->structure) {
		source->kind = DT_ARG_CTX;
		source->offset = value->param * 8;
		dt_tp_extend(hdl, source, params[value->param]);
		return 0;
	}
	source->kind = value->structure2 ? DT_ARG_KREAD2 : DT_ARG_KREAD;
	source->base = value->param * 8;
	if (dt_tp_member(hdl, value->structure, value->member, &source->offset, &type) != 0 ||
	    (value->structure2 && dt_tp_member(hdl, value->structure2, value->member2,
					       &source->offset2, &type) != 0))
		return -1;
	dt_tp_extend(hdl, source, type);
	return 0;
}

/* A kernel that does not say so runs no programs of 32 bits. The kernel's own tracepoints, one
 * for each system call, do not fire for them either (trace_get_syscall_nr() of
 * kernel/trace/trace_syscalls.c). */
int dt_tracepoint_native_call(dtrace_hdl_t *hdl, dt_condition_t **condition)
{
	uint32_t info, status, size;

	if (dt_kernel_member(hdl, "task_struct", "thread_info", &info, &size) != 0 ||
	    dt_kernel_member(hdl, "thread_info", DT_ARCH_COMPAT_MEMBER, &status, &size) != 0)
		return 0;
	*condition = dt_arena_alloc(hdl->arena, sizeof(**condition));
	if (!*condition)
		return dt_set_errno(hdl, EDT_NOMEM);
	(*condition)->left = (dt_argsource_t){
	    .kind = DT_ARG_OFTASK, .size = (uint8_t)size, .offset = info + status};
	(*condition)->op = BPF_JSET;
	(*condition)->is_refused = true;
	(*condition)->nvalues = 1;
	(*condition)->values[0] = DT_ARCH_COMPAT_BITS;
	return 0;
}

static int dt_tp_conditions(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry,
			    dt_type_t *const *params, dt_attachpoint_t *attach)
{
	const dt_tpcondition_t *from = entry->conditions;
	dt_condition_t **tail = &attach->conditions;

	for (; from && from->left.root != DT_TP_NONE; from++) {
		dt_condition_t *condition = dt_arena_alloc(hdl->arena, sizeof(*condition));

		if (!condition)
			return dt_set_errno(hdl, EDT_NOMEM);
		condition->op = from->op ? from->op : BPF_JEQ;
		condition->nvalues = from->nvalues;
		memcpy(condition->values, from->values, sizeof(condition->values));
		if (dt_tp_source(hdl, entry, &from->left, params, &condition->left) != 0 ||
		    dt_tp_source(hdl, entry, &from->right, params, &condition->right) != 0)
			return -1;
		*tail = condition;
		tail = &condition->next;
	}
	/* The table means calls by their numbers. */
	if (strcmp(attach->target, "sys_enter") == 0 || strcmp(attach->target, "sys_exit") == 0)
		return dt_tracepoint_native_call(hdl, tail);
	return 0;
}

/* Whether the running kernel has the tracepoint, or function, in this form. */
static bool dt_tp_fits(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry, dt_type_t *const **params)
{
	const dt_type_t *function;
	uint32_t n = 0;

	if (entry->trampoline) {
		function = dt_tp_function(hdl, entry->trampoline);
		*params = function ? (dt_type_t *const *)function->params : NULL;
		return function && !dt_fbt_refuses(hdl, entry->trampoline);
	}
	if (entry->function)
		return access(DT_TP_KPROBES, R_OK) == 0 &&
		       dt_kernel_address(hdl, entry->function) != 0;
	return entry->tracepoint &&
	       dt_tracepoint_params(hdl, entry->tracepoint, params, &n) == 0 &&
	       n >= entry->minparams;
}

/* The form of the probe that fits, from the first entry of its name on; NULL: none. */
static const dt_tpprobe_t *dt_tp_choose(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry)
{
	const char *name = entry->name;
	dt_type_t *const *params;

	for (; entry->name && strcmp(entry->name, name) == 0; entry++)
		if (!entry->also && dt_tp_fits(hdl, entry, &params))
			return entry;
	return NULL;
}

static const dt_tpprobe_t *dt_tp_next(const dt_tpprobe_t *entry)
{
	const char *name = entry->name;

	while (entry->name && strcmp(entry->name, name) == 0)
		entry++;
	return entry;
}

/* The attach point that all probes of the provider share that are ends of waits. */
static dt_attachpoint_t *dt_tp_waits(dtrace_hdl_t *hdl, const dt_provider_t *provider,
				     const char *tracepoint)
{
	dt_attachpoint_t **waits = dt_provider_state(hdl, provider, sizeof(*waits));

	if (waits && !*waits)
		*waits = dt_tracepoint_attach(hdl, tracepoint);
	return waits ? *waits : NULL;
}

int dt_tptable_provide(dtrace_hdl_t *hdl, const dt_provider_t *provider,
		       const dtrace_probedesc_t *pattern)
{
	const dt_tpprobe_t *table = provider->table;

	if (!dt_glob(pattern->dtpd_mod, DT_TP_MODULE) || !dt_glob(pattern->dtpd_func, ""))
		return 0;
	for (const dt_tpprobe_t *entry = table; entry->name; entry = dt_tp_next(entry)) {
		const dt_tpprobe_t *form;
		dt_attachpoint_t *attach;

		if (!dt_glob(pattern->dtpd_name, entry->name) ||
		    dt_probe_lookup(hdl, provider->name, DT_TP_MODULE, "", entry->name))
			continue;
		form = dt_tp_choose(hdl, entry);
		if (!form)
			continue;
		attach = form->ends_wait ? dt_tp_waits(hdl, provider, form->tracepoint)
					 : dt_tracepoint_attach(hdl, form->tracepoint);
		if (!attach ||
		    !dt_probe_add_numbered(hdl, provider->first + (dtrace_id_t)(entry - table),
					   provider, DT_TP_MODULE, "", entry->name, attach,
					   form->ends_wait ? form->wait : 0))
			return -1;
	}
	return 0;
}

/* The end of a wait: the lock, and what has been noted of the wait. */
static int dt_tp_fill_wait(dt_attachpoint_t *attach)
{
	attach->ends_wait = attach->is_alone = true;
	attach->nkeys = DT_NWAITS;
	attach->key = (dt_argsource_t){.kind = DT_ARG_WAIT};
	attach->args[0] = (dt_argsource_t){.kind = DT_ARG_CTX};
	for (uint32_t i = 1; i <= DT_WAIT_WORDS; i++)
		attach->args[i] = (dt_argsource_t){.kind = DT_ARG_WAIT, .offset = i};
	return 0;
}

static void dt_tp_fill_function(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry,
				dt_attachpoint_t *attach)
{
	attach->kind = DT_ATTACH_FUNCTION;
	attach->prog_type = BPF_PROG_TYPE_TRACING;
	attach->target = entry->trampoline;
	attach->is_return = entry->is_return;
	attach->btf_id = dt_btf_function_id(hdl, entry->trampoline);
}

/* Fills the attach point as the entry says. */
static int dt_tp_fill(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry, dt_attachpoint_t *attach)
{
	dt_type_t *const *params;

	if (!dt_tp_fits(hdl, entry, &params))
		return -1;
	if (entry->function) {
		attach->kind = DT_ATTACH_KPROBE;
		attach->prog_type = BPF_PROG_TYPE_KPROBE;
		attach->context = DT_CONTEXT_ANY;
		return dt_attachpoint_add_site(
		    hdl, attach, &(dt_usersite_t){.path = entry->function});
	}
	attach->context = entry->context;
	attach->is_alone = entry->is_alone;
	if (entry->ends_wait)
		return dt_tp_fill_wait(attach);
	if (entry->trampoline)
		dt_tp_fill_function(hdl, entry, attach);
	for (int i = 0; i < DT_TP_MAXARGS; i++)
		if (dt_tp_source(hdl, entry, &entry->args[i].value, params,
				 &attach->args[i]) != 0)
			return -1;
	return dt_tp_conditions(hdl, entry, params, attach);
}

static int dt_tp_types(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry, dt_probe_t *probe)
{
	const char **types = dt_arena_alloc(hdl->arena, 2 * DT_TP_MAXARGS * sizeof(*types));
	int n = 0;

	if (!types)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (; n < DT_TP_MAXARGS && entry->args[n].type; n++) {
		types[n] = entry->args[n].type;
		types[DT_TP_MAXARGS + n] = entry->args[n].xlate;
	}
	probe->nargs = n;
	probe->argtypes = types;
	probe->argxlates = types + DT_TP_MAXARGS;
	return 0;
}

/* Fills the attach point, and makes the further places, of a form. */
static int dt_tp_form(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry, dt_attachpoint_t *attach)
{
	const char *name = entry->name;

	attach->conditions = NULL;
	attach->also = NULL;
	attach->target = entry->tracepoint;
	if (dt_tp_fill(hdl, entry, attach) != 0)
		return -1;
	for (entry++; entry->name && entry->also && strcmp(entry->name, name) == 0; entry++) {
		if (entry->trampoline && dt_fbt_refuses(hdl, entry->trampoline))
			continue;
		attach->also = dt_tracepoint_attach(hdl, entry->tracepoint);
		attach = attach->also;
		if (!attach || dt_tp_fill(hdl, entry, attach) != 0)
			return -1;
	}
	return 0;
}

/* A form may fit and still refer to what this kernel has not: then the next one is tried. */
int dt_tptable_describe(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	const char *name = probe->desc.dtpd_name;
	const dt_tpprobe_t *entry = probe->provider->table, *form;

	while (strcmp(entry->name, name) != 0)
		entry++;
	while (entry->name && strcmp(entry->name, name) == 0 &&
	       (form = dt_tp_choose(hdl, entry)) != NULL) {
		if (dt_tp_form(hdl, form, probe->attach) == 0)
			return dt_tp_types(hdl, form, probe);
		entry = form + 1;
	}
	return -1;
}

/* Why the kernel has no form of the probe that the entry is the first of. */
static const char *dt_tp_reason(dtrace_hdl_t *hdl, const dt_tpprobe_t *entry)
{
	const char *name = entry->name, *reason = NULL;

	for (; entry->name && strcmp(entry->name, name) == 0; entry++) {
		if (entry->missing)
			return entry->missing;
		if (entry->trampoline && !reason)
			reason = dt_fbt_refuses(hdl, entry->trampoline);
	}
	return reason ? reason : "the tracepoints of this kernel do not tell it";
}

const char *dt_tptable_missing(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			       const dtrace_probedesc_t *pattern, const char **tag)
{
	(void)tag;
	if (!dt_glob_is_literal(pattern->dtpd_name))
		return NULL;
	for (const dt_tpprobe_t *entry = provider->table; entry->name; entry = dt_tp_next(entry))
		if (strcmp(entry->name, pattern->dtpd_name) == 0)
			return dt_tp_choose(hdl, entry) ? NULL : dt_tp_reason(hdl, entry);
	return NULL;
}

int dt_tptable_lacks(dtrace_hdl_t *hdl, const dt_provider_t *provider,
		     const dtrace_probedesc_t *pattern, dtrace_missing_f *f, void *arg)
{
	dtrace_probedesc_t desc = {.dtpd_mod = DT_TP_MODULE};
	int rv = 0;

	snprintf(desc.dtpd_provider, sizeof(desc.dtpd_provider), "%s", provider->name);
	if (!dt_glob(pattern->dtpd_mod, DT_TP_MODULE) || !dt_glob(pattern->dtpd_func, ""))
		return 0;
	for (const dt_tpprobe_t *entry = provider->table; entry->name && rv == 0;
	     entry = dt_tp_next(entry)) {
		if (!dt_glob(pattern->dtpd_name, entry->name) || dt_tp_choose(hdl, entry))
			continue;
		snprintf(desc.dtpd_name, sizeof(desc.dtpd_name), "%s", entry->name);
		rv = f(hdl, &desc, dt_tp_reason(hdl, entry), arg);
	}
	return rv;
}
