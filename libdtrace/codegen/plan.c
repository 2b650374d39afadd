/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - what a clause records: a field for each value of each action, in the order in
 * which action.c will fill them, with its place in the kernel's record and in the one that
 * is shown.
 */
#include <string.h>

#include "codegen/cg.h"

static uint32_t align8(uint32_t n)
{
	return (n + 7) & ~7u;
}

/* How consumers tell a string from a number is by its size: never 1, 2, 4 or 8 bytes. */
static uint32_t shown_string_size(uint32_t bound)
{
	return bound < 16 ? 16 : align8(bound);
}

static dt_encoding_t name_encoding(const dt_node_t *n)
{
	switch (n->ident->id) {
	case DT_VAR_PROBEPROV:
		return DT_ENC_PROVIDER;
	case DT_VAR_PROBEMOD:
		return DT_ENC_MODULE;
	case DT_VAR_PROBEFUNC:
		return DT_ENC_FUNCTION;
	default:
		return DT_ENC_NAME;
	}
}

static uint16_t symbol_action(uint32_t id)
{
	switch (id) {
	case DT_ACTION_SYM:
	case DT_ACTION_FUNC:
		return DTRACEACT_SYM;
	case DT_ACTION_MOD:
		return DTRACEACT_MOD;
	case DT_ACTION_USYM:
	case DT_ACTION_UFUNC:
		return DTRACEACT_USYM;
	case DT_ACTION_UMOD:
		return DTRACEACT_UMOD;
	default:
		return DTRACEACT_UADDR;
	}
}

/* Frames of a stack(), ustack() or jstack(): its argument or the option's. */
static uint64_t stack_frames(const dt_cgenv_t *env, const dt_node_t *call)
{
	const dtrace_optval_t *options = env->hdl->options;
	const dt_node_t *frames = call->list;
	uint64_t n;

	if (frames)
		n = frames->value;
	else if (call->ident->id == DT_ACTION_STACK)
		n = (uint64_t)options[DT_OPT_STACKFRAMES];
	else if (call->ident->id == DT_ACTION_JSTACK)
		n = (uint64_t)options[DT_OPT_JSTACKFRAMES];
	else
		n = (uint64_t)options[DT_OPT_USTACKFRAMES];
	if (n > (uint64_t)options[DT_OPT_MAXFRAMES])
		n = (uint64_t)options[DT_OPT_MAXFRAMES];
	return n ? n : 1;
}

/* What ustack() and jstack() have in dtrd_arg: frames, and bytes for strings. */
static uint64_t ustack_arg(const dt_cgenv_t *env, const dt_node_t *call)
{
	const dt_node_t *size = call->list ? call->list->next : NULL;
	uint64_t strsize = 0;

	if (size)
		strsize = size->value;
	else if (call->ident->id == DT_ACTION_JSTACK)
		strsize = (uint64_t)env->hdl->options[DT_OPT_JSTACKSTRSIZE];
	return stack_frames(env, call) | strsize << 32;
}

/*
 * A stack or a symbol, where it is a key or an argument of printf(): the action it is
 * printed as. User ones have the process before the addresses. False: it is none.
 */
static bool describe_place(const dt_cgenv_t *env, const dt_node_t *n, const dt_type_t *t,
			   dt_field_t *f)
{
	uint32_t words, strsize = 0;

	switch (t->kind) {
	case DT_K_STACK:
		f->rec.dtrd_action = DTRACEACT_STACK;
		f->rec.dtrd_arg = words = (uint32_t)stack_frames(env, n);
		break;
	case DT_K_USTACK:
		f->rec.dtrd_action = n->ident->id == DT_ACTION_JSTACK ? DTRACEACT_JSTACK
								       : DTRACEACT_USTACK;
		f->rec.dtrd_arg = ustack_arg(env, n);
		words = DTRACE_USTACK_NFRAMES(f->rec.dtrd_arg) + 1;
		if (n->ident->id == DT_ACTION_JSTACK)
			strsize = DTRACE_USTACK_STRSIZE(f->rec.dtrd_arg);
		break;
	case DT_K_SYMADDR:
		f->rec.dtrd_action = symbol_action(n->ident->id);
		words = 1;
		break;
	case DT_K_USYMADDR:
		f->rec.dtrd_action = symbol_action(n->ident->id);
		words = 2;
		break;
	default:
		return false;
	}
	f->rec.dtrd_size = f->kernel_size = words * 8;
	f->rec.dtrd_alignment = 8;
	f->encoding = DT_ENC_RAW;
	if (t->kind == DT_K_STACK) {
		f->encoding = DT_ENC_STACK;
		f->kernel_size += DT_STACK_INNER * 8;
	} else if (strsize) {
		f->encoding = DT_ENC_JSTACK;
		f->rec.dtrd_size += strsize;
		f->kernel_size += (strsize + 7) & ~7u;
	}
	return true;
}

/* Fills a field for a value of the expression's type: sizes, alignment, encoding. */
void dt_describe_value(dt_cgenv_t *env, const dt_node_t *n, dt_field_t *f)
{
	dt_type_t *t = dt_type_resolve(env->hdl, n->type);
	uint32_t bound;

	f->type = n->type;
	if (dt_is_string(n)) {
		bound = dt_str_bound(env, n);
		f->rec.dtrd_size = shown_string_size(bound);
		f->rec.dtrd_alignment = 1;
		f->rec.dtrd_uarg = DT_RECORD_STRING;
		f->encoding = DT_ENC_STRING;
		f->kernel_size = bound;
		if (dt_str_is_id(n)) {
			f->kernel_size = 0;
			f->encoding = n->kind == DT_N_STR ? DT_ENC_CONST : name_encoding(n);
			if (n->kind == DT_N_STR) /* cut at strsize, as every string is */
				f->text = dt_arena_strndup(env->arena, n->string,
							   strnlen(n->string, bound - 1));
			if (n->kind == DT_N_STR && !f->text)
				f->text = ""; /* out of memory */
		}
		return;
	}
	if (describe_place(env, n, t, f))
		return;
	if (t->kind == DT_K_STRUCT || t->kind == DT_K_UNION || t->kind == DT_K_ARRAY) {
		f->rec.dtrd_size = (uint32_t)t->size;
		f->rec.dtrd_uarg = DTRACE_REC_BYTES;
		f->rec.dtrd_alignment = (uint16_t)(t->align ? t->align : 1);
	} else {
		f->rec.dtrd_size = t->kind == DT_K_INT || t->kind == DT_K_ENUM
				       ? (uint32_t)t->size
				       : 8;
		f->rec.dtrd_alignment = (uint16_t)f->rec.dtrd_size;
		if (t->kind == DT_K_PTR || !t->is_signed)
			f->rec.dtrd_uarg = DTRACE_REC_UNSIGNED;
	}
	f->encoding = DT_ENC_RAW;
	f->kernel_size = f->rec.dtrd_size;
}

typedef struct planner {
	dt_cgenv_t *env;
	dt_recplan_t *plan;
	uint32_t capacity, format_capacity;
	bool failed;
} planner_t;

static dt_field_t *add_field(planner_t *p, uint16_t action)
{
	dt_recplan_t *plan = p->plan;

	if (dt_arena_grow(p->env->arena, &plan->fields, sizeof(*plan->fields), plan->nfields,
			  &p->capacity) != 0) {
		p->failed = true;
		return NULL;
	}
	plan->fields[plan->nfields].rec.dtrd_action = action;
	plan->fields[plan->nfields].rec.dtrd_alignment = 1;
	return &plan->fields[plan->nfields++];
}

/* Gives the field its places, in the kernel and as shown. */
static void place_field(planner_t *p, dt_field_t *f)
{
	dt_recplan_t *plan = p->plan;
	uint32_t align = f->rec.dtrd_alignment ? f->rec.dtrd_alignment : 1;

	if (f->kernel_size) {
		/* Strings too: comparisons and copies are in words. */
		uint32_t kalign = f->encoding == DT_ENC_STRING ? 8 : align;

		plan->kernel_size = (plan->kernel_size + kalign - 1) & ~(kalign - 1);
		f->kernel_offset = plan->kernel_size;
		plan->kernel_size += f->kernel_size;
	}
	if (f->rec.dtrd_size) {
		plan->size = (plan->size + align - 1) & ~(align - 1);
		f->rec.dtrd_offset = plan->size;
		plan->size += f->rec.dtrd_size;
	}
	if (f->encoding != DT_ENC_RAW || f->kernel_offset != f->rec.dtrd_offset)
		plan->is_raw = false;
}

static dt_field_t *plan_value(planner_t *p, uint16_t action, const dt_node_t *n)
{
	dt_field_t *f = add_field(p, action);

	if (!f)
		return NULL;
	dt_describe_value(p->env, n, f);
	/* An argument of printf() has addresses alone: its record does not tell of more. */
	if (f->encoding == DT_ENC_JSTACK && action != DTRACEACT_NONE) {
		f->rec.dtrd_size = f->kernel_size =
		    (DTRACE_USTACK_NFRAMES(f->rec.dtrd_arg) + 1) * 8;
		f->encoding = DT_ENC_RAW;
	}
	place_field(p, f);
	return f;
}

/* A field of words: a stack, a symbol. */
static void plan_words(planner_t *p, uint16_t action, uint32_t words, uint64_t arg)
{
	dt_field_t *f = add_field(p, action);

	if (!f)
		return;
	f->rec.dtrd_size = f->kernel_size = words * 8;
	f->rec.dtrd_alignment = 8;
	f->rec.dtrd_arg = arg;
	place_field(p, f);
}

static uint16_t plan_format(planner_t *p, void *format)
{
	dt_recplan_t *plan = p->plan;

	if (!format)
		return 0;
	if (dt_arena_grow(p->env->arena, &plan->formats, sizeof(*plan->formats),
			  plan->nformats, &p->format_capacity) != 0) {
		p->failed = true;
		return 0;
	}
	plan->formats[plan->nformats] = format;
	return (uint16_t)++plan->nformats;
}

/* ---- Actions --------------------------------------------------------------------- */

/*
 * printf(), system(), freopen(): one field an argument, the first with the format; without
 * arguments one of no size.
 */
static void plan_formatted(planner_t *p, const dt_stmt_t *s, uint16_t action)
{
	const dt_node_t *args = s->expr->list->next;
	uint16_t format = plan_format(p, s->format);
	uint32_t first = p->plan->nfields, n = 0;

	for (const dt_node_t *a = args; a; a = a->next, n++) {
		dt_field_t *f = plan_value(p, action, a);

		if (!f)
			return;
		/* Whatever it is: its conversion tells how it is printed. */
		f->rec.dtrd_action = action;
		f->rec.dtrd_arg = 0;
	}
	if (n == 0 && !add_field(p, action))
		return;
	p->plan->fields[first].rec.dtrd_format = format;
	p->plan->fields[first].rec.dtrd_arg = n;
}

static void plan_printa(planner_t *p, const dt_stmt_t *s)
{
	uint16_t format = plan_format(p, s->format);
	uint32_t n = 0;

	for (const dt_node_t *a = s->expr->list; a; a = a->next)
		n += a->kind == DT_N_AGG;
	for (const dt_node_t *a = s->expr->list; a; a = a->next) {
		dt_field_t *f;

		if (a->kind != DT_N_AGG)
			continue;
		f = add_field(p, DTRACEACT_PRINTA);
		if (!f)
			return;
		f->rec.dtrd_arg = a->ident->id;
		f->rec.dtrd_uarg = n--; /* this one and how many follow */
		f->rec.dtrd_format = format;
	}
}

static void plan_library(planner_t *p, const dt_node_t *call, uint64_t what)
{
	const dt_node_t *value = call->list->next;
	dt_field_t *f = value ? plan_value(p, DTRACEACT_LIBACT, value)
			      : add_field(p, DTRACEACT_LIBACT);

	if (!f)
		return;
	f->rec.dtrd_arg = what;
	f->rec.dtrd_uarg = call->list->ident->id;
}

/* The option's name and, if one is given, the value. */
static void plan_setopt(planner_t *p, const dt_node_t *call)
{
	for (const dt_node_t *a = call->list; a; a = a->next) {
		dt_field_t *f = plan_value(p, DTRACEACT_LIBACT, a);

		if (!f)
			return;
		f->rec.dtrd_arg = DT_ACT_SETOPT;
		if (a != call->list)
			f->rec.dtrd_uarg |= DT_SETOPT_VALUE;
	}
}

/* A size that is known only at run time is recorded before the memory. */
static void plan_tracemem(planner_t *p, const dt_node_t *call)
{
	const dt_node_t *size = call->list->next;
	dt_field_t *f;

	if (size->next && !plan_value(p, DTRACEACT_TRACEMEM_DYNSIZE, size->next))
		return;
	f = add_field(p, DTRACEACT_TRACEMEM);
	if (!f)
		return;
	f->rec.dtrd_size = (uint32_t)size->value;
	f->rec.dtrd_alignment = 8;
	f->kernel_size = align8(f->rec.dtrd_size);
	f->rec.dtrd_uarg = DTRACE_REC_BYTES;
	f->rec.dtrd_arg = size->value;
	place_field(p, f);
}

/* What a packet may take of a record at most, in bytes. */
#define PCAPSIZE_MAX 65536

static void plan_pcap(planner_t *p)
{
	uint64_t size = (uint64_t)p->env->hdl->options[DT_OPT_PCAPSIZE];
	dt_field_t *f = add_field(p, DTRACEACT_PCAP);

	if (!f)
		return;
	if (size > PCAPSIZE_MAX)
		size = PCAPSIZE_MAX;
	f->rec.dtrd_size = (uint32_t)(sizeof(dtrace_packet_t) + align8(size));
	f->rec.dtrd_alignment = 8;
	f->kernel_size = f->rec.dtrd_size;
	f->rec.dtrd_uarg = DTRACE_REC_BYTES;
	place_field(p, f);
}

static void plan_action(planner_t *p, const dt_stmt_t *s)
{
	const dt_node_t *call = s->expr;

	switch (call->ident->id) {
	case DT_ACTION_TRACE:
		plan_value(p, DTRACEACT_DIFEXPR, call->list);
		break;
	case DT_ACTION_PRINT:
		plan_value(p, DTRACEACT_PRINT, call->list);
		break;
	case DT_ACTION_TRACEMEM:
		plan_tracemem(p, call);
		break;
	case DT_ACTION_PCAP:
		plan_pcap(p);
		break;
	case DT_ACTION_EXIT:
		plan_value(p, DTRACEACT_EXIT, call->list);
		break;
	case DT_ACTION_PRINTF:
		plan_formatted(p, s, DTRACEACT_PRINTF);
		break;
	case DT_ACTION_SYSTEM:
		plan_formatted(p, s, DTRACEACT_SYSTEM);
		break;
	case DT_ACTION_FREOPEN:
		plan_formatted(p, s, DTRACEACT_FREOPEN);
		break;
	case DT_ACTION_PRINTA:
		plan_printa(p, s);
		break;
	case DT_ACTION_CLEAR:
		plan_library(p, call, DT_ACT_CLEAR);
		break;
	case DT_ACTION_TRUNC:
		plan_library(p, call, DT_ACT_TRUNC);
		break;
	case DT_ACTION_NORMALIZE:
		plan_library(p, call, DT_ACT_NORMALIZE);
		break;
	case DT_ACTION_DENORMALIZE:
		plan_library(p, call, DT_ACT_DENORMALIZE);
		break;
	case DT_ACTION_SETOPT:
		plan_setopt(p, call);
		break;
	case DT_ACTION_FTRUNCATE:
		plan_words(p, DTRACEACT_LIBACT, 0, DT_ACT_FTRUNCATE);
		break;
	default:
		/* stack(), sym() and their like are shown. */
		if (call->type->kind != DT_K_VOID)
			plan_value(p, DTRACEACT_NONE, call);
	}
}

dt_recplan_t *dt_layout_record(dt_cgenv_t *env, const dt_clause_t *clause)
{
	planner_t p = {.env = env};

	p.plan = dt_arena_alloc(env->arena, sizeof(*p.plan));
	if (!p.plan) {
		dt_set_errno(env->hdl, EDT_NOMEM);
		return NULL;
	}
	p.plan->is_raw = true;
	for (const dt_stmt_t *s = clause->stmts; s && !p.failed; s = s->next)
		if (s->kind == DT_S_ACTION)
			plan_action(&p, s);
	p.plan->size = align8(p.plan->size);
	if (p.failed) {
		dt_set_errno(env->hdl, EDT_NOMEM);
		return NULL;
	}
	return p.plan;
}
