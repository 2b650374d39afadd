/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support.c - links the functions of libdtrace/bpf/ into a program: appends the code of
 * those that are called, and of those that they call, points the calls at them, and tells
 * the kernel by BTF which are global, so that the verifier checks each by itself.
 */
#include <bpf/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/support.h"

#include "enable/kernel.h"
#include "handle.h"

typedef enum dt_refkind { DT_REF_END, DT_REF_VALUE, DT_REF_CALL, DT_REF_CALLBACK } dt_refkind_t;

/* Where a function's code refers to something outside it. */
typedef struct dt_supportref {
	uint32_t insn;
	dt_refkind_t kind;
	int function; /* index in dt_supportcodes */
	const char *value;
} dt_supportref_t;

typedef struct dt_supportcode {
	const char *name;
	const struct bpf_insn *insns;
	uint32_t ninsns;
	const dt_supportref_t *refs;
	bool is_global;
} dt_supportcode_t;

#include "support.inc"

_Static_assert(DT_SUPPORT_STACK_USED <= DT_SUPPORT_STACK, "the functions take more stack");

#define DT_NCODES (sizeof(dt_supportcodes) / sizeof(dt_supportcodes[0]))

static const struct {
	const char *function;
	int arity;
	int32_t last;
} dt_supports[DT_NSUPPORT] = {
#define DT_SUPPORT(id, function, arity, last) [DT_SUPPORT_##id] = {#function, arity, last},
    DT_SUPPORT_LIST
#undef DT_SUPPORT
};

const char *dt_support_name(dt_support_t f)
{
	return dt_supports[f].function;
}

int dt_support_arity(dt_support_t f)
{
	return dt_supports[f].arity;
}

int32_t dt_support_default(dt_support_t f)
{
	return dt_supports[f].last;
}

void dt_support_call(dt_emit_t *e, dt_support_t f)
{
	if (!dt_emit_grow(e, &e->calls, e->ncalls, &e->call_capacity, sizeof(*e->calls)))
		return;
	e->calls[e->ncalls++] = (dt_fixup_t){e->ninsns, (int)f};
	dt_emit_insn(e, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
}

void dt_support_append(dt_emit_t *e, const dt_emit_t *functions)
{
	for (uint32_t i = 0; i < functions->ncalls; i++) {
		const dt_fixup_t *c = &functions->calls[i];

		if (!dt_emit_grow(e, &e->calls, e->ncalls, &e->call_capacity, sizeof(*e->calls)))
			return;
		e->calls[e->ncalls++] = (dt_fixup_t){e->ninsns + c->insn, c->label};
	}
}

/* ---- Code ----------------------------------------------------------------------- */

typedef struct linker {
	dtrace_hdl_t *hdl;
	const dt_cgenv_t *env;
	dt_emit_t *e;
	int64_t start[DT_NCODES]; /* instruction; -1: not part of the program */
} linker_t;

static int code_named(const char *name)
{
	for (size_t i = 0; i < DT_NCODES; i++)
		if (strcmp(dt_supportcodes[i].name, name) == 0)
			return (int)i;
	return -1;
}

/*
 * The number that a function means by a symbol: one of our own, or, of a symbol
 * dt_member__STRUCT__MEMBER, where the running kernel has a member of a structure. -1 with
 * the handle's error set.
 */
static int64_t value_of(const linker_t *l, const char *name)
{
	char structure[64], member[64];
	uint32_t offset, size;
	const char *split;

	if (strcmp(name, "dt_strsize") == 0)
		return l->env->strsize;
	if (strcmp(name, "dt_scratch_bytes") == 0)
		return l->env->scratch_size;
	if (strcmp(name, "dt_scratch_pad") == 0)
		return dt_scratch_pad(l->env);
	if (strcmp(name, "dt_pidns") == 0)
		return (int64_t)l->env->pidns.inode;
	name += strlen("dt_member__");
	split = strstr(name, "__");
	snprintf(structure, sizeof(structure), "%.*s", (int)(split - name), name);
	snprintf(member, sizeof(member), "%s", split + 2);
	if (dt_kernel_member(l->hdl, structure, member, &offset, &size) != 0)
		return -1;
	return offset;
}

/* Appends a function and, after it, what it refers to. */
static void append(linker_t *l, int code)
{
	const dt_supportcode_t *c = &dt_supportcodes[code];
	dt_emit_t *e = l->e;

	if (l->start[code] >= 0)
		return;
	l->start[code] = e->ninsns;
	for (uint32_t i = 0; i < c->ninsns; i++)
		dt_emit_insn(e, c->insns[i].code, c->insns[i].dst_reg, c->insns[i].src_reg,
			     c->insns[i].off, c->insns[i].imm);
	for (const dt_supportref_t *r = c->refs; r->kind != DT_REF_END; r++)
		if (r->function >= 0)
			append(l, r->function);
}

static int resolve(linker_t *l, int code)
{
	struct bpf_insn *insns = l->e->insns;

	if (l->start[code] < 0)
		return 0;
	for (const dt_supportref_t *r = dt_supportcodes[code].refs; r->kind != DT_REF_END; r++) {
		uint32_t at = (uint32_t)l->start[code] + r->insn;

		if (r->kind == DT_REF_VALUE) {
			int64_t value = value_of(l, r->value);

			if (value < 0)
				return -1;
			insns[at].imm = (int32_t)value;
			insns[at + 1].imm = 0;
			continue;
		}
		if (r->kind == DT_REF_CALLBACK)
			insns[at].src_reg = BPF_PSEUDO_FUNC;
		insns[at].imm = (int32_t)(l->start[r->function] - at - 1);
	}
	return 0;
}

/* ---- Types ---------------------------------------------------------------------- */

/*
 * A function's type: int f(struct dt_scratch *, u64 ...). The struct's size, which is the
 * scratch area's, is what bounds the function's accesses in the verifier.
 */
static int add_function(struct btf *btf, const char *name, int arity, int linkage, int int_id,
			int u64_id, int pointer_id)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	int proto = btf__add_func_proto(btf, int_id);

	for (int i = 0; i < arity && proto > 0; i++)
		if (btf__add_func_param(btf, i == 0 ? "s" : names[i - 1],
					i == 0 ? pointer_id : u64_id) != 0)
			return -1;
	return proto > 0 ? btf__add_func(btf, name, linkage, proto) : -1;
}

static int arity_of(const char *function)
{
	for (int i = 0; i < DT_NSUPPORT; i++)
		if (strcmp(dt_supports[i].function, function) == 0)
			return dt_supports[i].arity;
	return 2; /* a callback: round, context */
}

/* int f(context *, u64 key, cpu, area, slot): see part.c. The kernel knows the context by
 * the name of its struct; where there is none, the function is checked as a part of its
 * caller instead. */
static int describe_part(struct btf *btf, const char *context, const char *name, int int_id,
			 int u64_id)
{
	int pointer = btf__add_ptr(btf, btf__add_struct(btf, context ? context : "dt_context", 8));

	return add_function(btf, name, 5, context ? BTF_FUNC_GLOBAL : BTF_FUNC_STATIC, int_id,
			    u64_id, pointer);
}

/* u64 f(buffer *, key *, u64 hash, dt_kcpu_t *, u64 varid): see aggfind.c. */
static int describe_finder(const linker_t *l, struct btf *btf, const dt_function_t *f,
			   const char *name, int u64_id)
{
	int buffer = btf__add_ptr(btf, btf__add_struct(btf, "dt_buffer", l->env->aggsize));
	int key = btf__add_ptr(btf, btf__add_struct(btf, "dt_key", f->size));
	int cpu = btf__add_ptr(btf, btf__add_struct(btf, "dt_kcpu", sizeof(dt_kcpu_t)));
	int proto = btf__add_func_proto(btf, u64_id);

	if (btf__add_func_param(btf, "buffer", buffer) != 0 ||
	    btf__add_func_param(btf, "key", key) != 0 ||
	    btf__add_func_param(btf, "hash", u64_id) != 0 ||
	    btf__add_func_param(btf, "cpu", cpu) != 0 ||
	    btf__add_func_param(btf, "varid", u64_id) != 0)
		return -1;
	return btf__add_func(btf, name, BTF_FUNC_GLOBAL, proto);
}

/* The program's own functions. */
static int describe_own(const linker_t *l, struct btf *btf, struct bpf_func_info *info,
			int int_id, int u64_id)
{
	const dt_emit_t *e = l->e;
	char name[32];
	int id = 1;

	for (uint32_t i = 0; i < e->nfunctions && id > 0; i++) {
		const dt_function_t *f = &e->functions[i];

		snprintf(name, sizeof(name), "dt_%s%u",
			 f->kind == DT_FUNCTION_PART ? "part" : "find", i);
		id = f->kind == DT_FUNCTION_PART
			 ? describe_part(btf, e->context, name, int_id, u64_id)
			 : describe_finder(l, btf, f, name, u64_id);
		info[i] = (struct bpf_func_info){f->insn, (uint32_t)id};
	}
	return id;
}

/* In order of their places: the main program, its own functions, then those in bpf/. */
static int describe(linker_t *l, struct btf *btf, struct bpf_func_info *info, uint32_t n)
{
	uint32_t own = l->e->nfunctions;
	int int_id = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int u64_id = btf__add_int(btf, "u64", 8, 0);
	int scratch = btf__add_struct(btf, "dt_scratch", dt_scratch_bytes(l->env));
	int pointer = btf__add_ptr(btf, scratch);
	int64_t after = -1;
	int id = add_function(btf, "dt_main", 1, BTF_FUNC_STATIC, int_id, u64_id, pointer);

	info[0] = (struct bpf_func_info){0, (uint32_t)id};
	if (own && id > 0)
		id = describe_own(l, btf, info + 1, int_id, u64_id);
	for (uint32_t i = 1 + own; i < n && id > 0; i++) {
		int next = -1;

		for (size_t k = 0; k < DT_NCODES; k++)
			if (l->start[k] > after && (next < 0 || l->start[k] < l->start[next]))
				next = (int)k;
		after = l->start[next];
		id = add_function(btf, dt_supportcodes[next].name,
				  arity_of(dt_supportcodes[next].name),
				  dt_supportcodes[next].is_global ? BTF_FUNC_GLOBAL
								  : BTF_FUNC_STATIC,
				  int_id, u64_id, pointer);
		info[i] = (struct bpf_func_info){(uint32_t)after, (uint32_t)id};
	}
	return id > 0 ? btf__load_into_kernel(btf) : id;
}

/* What opts refers to until the program is loaded. */
typedef struct typed {
	struct btf *btf;
	struct bpf_func_info info[];
} typed_t;

static int add_types(linker_t *l, struct bpf_prog_load_opts *opts)
{
	uint32_t n = 1 + l->e->nfunctions;
	typed_t *t;
	int err;

	for (size_t i = 0; i < DT_NCODES; i++)
		n += l->start[i] >= 0;
	t = calloc(1, sizeof(*t) + n * sizeof(t->info[0]));
	if (!t)
		return dt_set_errno(l->hdl, EDT_NOMEM);
	t->btf = btf__new_empty();
	err = t->btf ? describe(l, t->btf, t->info, n) : -1;
	if (err != 0) {
		btf__free(t->btf);
		free(t);
		return dt_set_error(l->hdl, EDT_LOAD, "failed to load the types of functions: %s",
				    strerror(-err));
	}
	opts->prog_btf_fd = (uint32_t)btf__fd(t->btf);
	opts->func_info = t->info;
	opts->func_info_cnt = n;
	opts->func_info_rec_size = sizeof(t->info[0]);
	return 0;
}

void dt_support_unlink(struct bpf_prog_load_opts *opts)
{
	typed_t *t;

	if (!opts->func_info)
		return;
	t = (typed_t *)(void *)((char *)(uintptr_t)opts->func_info - offsetof(typed_t, info));
	btf__free(t->btf);
	free(t);
}

int dt_support_link(dtrace_hdl_t *hdl, const dt_cgenv_t *env, dt_emit_t *e,
		    struct bpf_prog_load_opts *opts)
{
	linker_t l = {.hdl = hdl, .env = env, .e = e};

	if (e->ncalls == 0 && e->nfunctions == 0)
		return 0;
	memset(l.start, 0xff, sizeof(l.start));
	for (uint32_t i = 0; i < e->ncalls; i++)
		append(&l, code_named(dt_supports[e->calls[i].label].function));
	if (e->failed)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < e->ncalls; i++) {
		int code = code_named(dt_supports[e->calls[i].label].function);

		e->insns[e->calls[i].insn].imm =
		    (int32_t)(l.start[code] - e->calls[i].insn - 1);
	}
	for (size_t i = 0; i < DT_NCODES; i++)
		if (resolve(&l, (int)i) != 0)
			return -1;
	return add_types(&l, opts);
}
