/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - programs into the kernel and out of it. Everything is held by descriptors of
 * this process alone, nothing is pinned: when the process ends, however it ends, the
 * kernel takes all of it back.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "enable/enable.h"
#include "codegen/support.h"

/* ---- Loading -------------------------------------------------------------------- */

static void resolve_maps(const dt_enabling_t *en, dt_emit_t *e)
{
	for (uint32_t i = 0; i < e->nmaprefs; i++)
		e->insns[e->maprefs[i].insn].imm = en->maps[e->maprefs[i].map];
}

#define DT_LOG_SIZE (1u << 20)

/*
 * The verifier's last words. A refusal is a defect of ours, never of the program; the
 * message carries what is needed to find it.
 */
static int refused(dtrace_hdl_t *hdl, enum bpf_prog_type type, const char *name,
		   const dt_emit_t *e, struct bpf_prog_load_opts *opts, int error)
{
	char *log = malloc(DT_LOG_SIZE), *last;
	size_t n;

	if (error == -EPERM || error == -ENOMEM) {
		free(log);
		return dt_set_error(hdl, EDT_LOAD, "failed to load %s: %s", name,
				    strerror(-error));
	}
	if (!log)
		return dt_set_errno(hdl, EDT_NOMEM);
	log[0] = '\0';
	opts->log_buf = log;
	opts->log_size = DT_LOG_SIZE;
	opts->log_level = 1;
	bpf_prog_load(type, name, "GPL", e->insns, e->ninsns, opts);
	n = strlen(log);
	last = n > 1500 ? log + n - 1500 : log;
	if (error == -E2BIG)
		dt_set_error(hdl, EDT_TOOLARGE, "the clauses of one probe are too large together");
	else
		dt_set_error(hdl, EDT_VERIFIER, "the kernel refused a program of ours (%s): %s\n%s",
			     name, strerror(-error), last);
	free(log);
	return -1;
}

/* What a program is loaded as. */
typedef struct dt_loadkind {
	enum bpf_prog_type type;
	int attach_type; /* expected_attach_type, or 0 */
	uint32_t flags;	 /* BPF_F_* */
	uint32_t btf_id; /* of the kernel function it is for, or 0 */
} dt_loadkind_t;

static const dt_loadkind_t dt_own_kind = {.type = BPF_PROG_TYPE_RAW_TRACEPOINT};

/* An error of the kernel's own, which no header for programs has. */
#define KERNEL_ENOTSUPP 524

static int load(dtrace_hdl_t *hdl, dt_enabling_t *en, const dt_loadkind_t *kind,
		const char *name, dt_emit_t *e, int *fd)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)kind->attach_type,
		    .prog_flags = kind->flags, .attach_btf_id = kind->btf_id);
	int got;

	resolve_maps(en, e);
	got = dt_support_link(hdl, &en->env, e, &opts);
	if (got != 0)
		return got;
	got = bpf_prog_load(kind->type, name, "GPL", e->insns, e->ninsns, &opts);
	if (got < 0)
		en->is_untranslated = got == -KERNEL_ENOTSUPP;
	if (got < 0)
		got = refused(hdl, kind->type, name, e, &opts, got);
	dt_support_unlink(&opts);
	if (got < 0)
		return -1;
	*fd = got;
	return 0;
}

static const char *program_name(const dt_program_t *p)
{
	switch (p->attach->kind) {
	case DT_ATTACH_SELF:
		return p->ecbs[0]->name;
	case DT_ATTACH_RAWTP:
	case DT_ATTACH_FUNCTION:
		return p->attach->target;
	case DT_ATTACH_UPROBE:
		return "dt_uprobe";
	case DT_ATTACH_KPROBE:
		return p->attach->is_return ? "dt_kretprobe" : "dt_kprobe";
	default:
		return "dt_sample";
	}
}

static dt_loadkind_t kind_of(dt_enabling_t *en, const dt_program_t *p)
{
	dt_loadkind_t kind = {.type = p->attach->prog_type,
			      .flags = p->may_sleep ? BPF_F_SLEEPABLE : 0};

	switch (p->attach->kind) {
	case DT_ATTACH_UPROBE:
		kind.attach_type = dt_uprobe_attach_type(en);
		break;
	case DT_ATTACH_KPROBE:
		kind.attach_type = dt_kprobe_attach_type(en);
		break;
	case DT_ATTACH_FUNCTION:
		kind.btf_id = p->attach->btf_id;
		kind.attach_type = p->attach->is_return ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY;
		break;
	default:
		break;
	}
	return kind;
}

int dt_program_load(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_program_t *p)
{
	dt_loadkind_t kind = kind_of(en, p);

	return load(hdl, en, &kind, program_name(p), &p->code, &p->fd);
}

int dt_own_load(dtrace_hdl_t *hdl, dt_enabling_t *en, const char *name, dt_emit_t *e, int *fd)
{
	return load(hdl, en, &dt_own_kind, name, e, fd);
}

int dt_own_load_uprobe(dtrace_hdl_t *hdl, dt_enabling_t *en, const char *name, dt_emit_t *e,
		       int *fd)
{
	const dt_loadkind_t kind = {.type = BPF_PROG_TYPE_KPROBE,
				    .attach_type = dt_uprobe_attach_type(en),
				    .flags = BPF_F_SLEEPABLE};

	return load(hdl, en, &kind, name, e, fd);
}

int dt_programs_load(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->nprograms; i++)
		if (dt_program_load(hdl, en, en->programs[i]) != 0)
			return -1;
	if (load(hdl, en, &dt_own_kind, "dt_switch", &en->switch_code,
		 &en->switch_fd) != 0 || dt_follow_load(hdl, en) != 0)
		return -1;
	for (int i = 0; i < DT_NHELPERS; i++) {
		dt_helperprogram_t *helper = &en->helpers[i];

		if (helper->name && load(hdl, en, &dt_own_kind, helper->name, &helper->code,
					 &helper->fd) != 0)
			return -1;
	}
	return 0;
}

static void unload(int *fd, dt_emit_t *code)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	dt_emit_free(code);
}

void dt_programs_unload(dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->nprograms; i++)
		unload(&en->programs[i]->fd, &en->programs[i]->code);
	unload(&en->switch_fd, &en->switch_code);
	for (int i = 0; i < DT_NHELPERS; i++)
		unload(&en->helpers[i].fd, &en->helpers[i].code);
}

/* ---- Attaching ------------------------------------------------------------------- */

static int open_rawtp(dtrace_hdl_t *hdl, const char *tracepoint, int prog, int *link)
{
	int fd = bpf_raw_tracepoint_open(tracepoint, prog);

	if (fd < 0)
		return dt_set_error(hdl, EDT_ATTACH, "failed to attach to the tracepoint %s: %s",
				    tracepoint, strerror(-fd));
	*link = fd;
	return 0;
}

static int attach_rawtp(dtrace_hdl_t *hdl, dt_program_t *p)
{
	if (open_rawtp(hdl, p->attach->target, p->fd, &p->links[p->nlinks]) != 0)
		return -1;
	p->nlinks++;
	return 0;
}

static int attach_function(dtrace_hdl_t *hdl, dt_program_t *p)
{
	/* The program knows its function: the name is not asked for. */
	int fd = bpf_raw_tracepoint_open(NULL, p->fd);

	if (fd < 0)
		return dt_set_error(hdl, EDT_ATTACH, "failed to attach to the function %s: %s",
				    p->attach->target, strerror(-fd));
	p->links[p->nlinks++] = fd;
	return 0;
}

/* A counter on one CPU that runs the program: its descriptor, or -errno. */
static int open_counter(const dt_program_t *p, int cpu)
{
	struct perf_event_attr attr = {
	    .type = p->attach->event_type,
	    .size = sizeof(attr),
	    .config = p->attach->event,
	    .sample_period = p->attach->period,
	    .exclude_user = p->attach->no_user,
	    .exclude_kernel = p->attach->no_kernel,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, p->fd) != 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) != 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int attach_counter(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_program_t *p)
{
	int fd = -ENODEV;

	for (int cpu = 0; cpu < (int)en->env.ncpus; cpu++) {
		if (en->env.only_cpu >= 0 && cpu != en->env.only_cpu)
			continue;
		fd = open_counter(p, cpu);
		if (fd == -ENODEV) /* the CPU is offline */
			continue;
		if (fd < 0)
			break;
		p->links[p->nlinks++] = fd;
		if (!p->attach->every_cpu)
			return 0;
	}
	if (p->nlinks == 0 || (fd < 0 && fd != -ENODEV))
		return dt_set_error(hdl, EDT_ATTACH, "failed to start a counter: %s",
				    strerror(-fd));
	return 0;
}

static int dt_program_attach(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_program_t *p)
{
	p->links = dt_arena_alloc(en->arena, (en->env.ncpus + 1) * sizeof(*p->links));
	if (!p->links)
		return dt_set_errno(hdl, EDT_NOMEM);
	switch (p->attach->kind) {
	case DT_ATTACH_RAWTP:
		return attach_rawtp(hdl, p);
	case DT_ATTACH_SAMPLE:
		return attach_counter(hdl, en, p);
	case DT_ATTACH_UPROBE:
		return dt_uprobes_attach(hdl, en, p);
	case DT_ATTACH_KPROBE:
		return dt_kprobes_attach(hdl, en, p);
	case DT_ATTACH_FUNCTION:
		return attach_function(hdl, p);
	default:
		return 0;
	}
}

/* Of the programs at a place of a user program the kernel runs the latest first. So those of
 * returns come before the others: a function that begins with its return is entered first. */
int dt_programs_attach_from(dtrace_hdl_t *hdl, dt_enabling_t *en, uint32_t first)
{
	for (int others = 0; others < 2; others++)
		for (uint32_t i = first; i < en->nprograms; i++)
			if (en->programs[i]->attach->is_return != others &&
			    dt_program_attach(hdl, en, en->programs[i]) != 0)
				return -1;
	return 0;
}

int dt_programs_attach(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	for (int i = 0; i < DT_NHELPERS; i++)
		if (en->helpers[i].fd >= 0 &&
		    open_rawtp(hdl, en->helpers[i].tracepoint, en->helpers[i].fd,
			       &en->helpers[i].link) != 0)
			return -1;
	return dt_programs_attach_from(hdl, en, 0);
}

void dt_program_detach(dt_program_t *p)
{
	while (p->nlinks)
		close(p->links[--p->nlinks]);
}

void dt_programs_detach(dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->nprograms; i++)
		dt_program_detach(en->programs[i]);
	for (int i = 0; i < DT_NHELPERS; i++) {
		if (en->helpers[i].link >= 0)
			close(en->helpers[i].link);
		en->helpers[i].link = -1;
	}
}

/* ---- Running programs of ours ------------------------------------------------------ */

int dt_program_fire(dtrace_hdl_t *hdl, const dt_program_t *p)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err = bpf_prog_test_run_opts(p->fd, &opts);

	return err ? dt_set_error(hdl, EDT_LOAD, "failed to fire dtrace:::%s: %s",
				  p->ecbs[0]->name, strerror(-err))
		   : 0;
}

void dt_programs_count_missed(dt_enabling_t *en)
{
	uint64_t missed = 0;

	for (uint32_t i = 0; i < en->nprograms; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (en->programs[i]->fd >= 0 &&
		    bpf_obj_get_info_by_fd(en->programs[i]->fd, &info, &size) == 0)
			missed += info.recursion_misses;
	}
	if (missed > en->missed)
		en->missed = missed;
}

/*
 * How long a CPU may be always at work before it is given up, in ns: while tracing the
 * consumer has another turn; at the end a program may still be in chill().
 */
#define DT_SWITCH_PATIENCE 20000000
#define DT_STOP_PATIENCE 5000000000
#define DT_SWITCH_EAGER 32 /* attempts without a pause: each is a call of some us */

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* For a CPU on which nothing of ours can run. */
static int switch_idle(dt_enabling_t *en, uint32_t cpu, dt_switch_t what)
{
	volatile dt_kcpu_t *words = dt_cpu_words(en, cpu);

	if (what == DT_SWITCH_PRINCIPAL)
		words->principal_active ^= 1;
	else if (what == DT_SWITCH_AGGREGATION)
		words->aggregation_index = cpu * 2 + (words->aggregation_active ^= 1);
	return 0;
}

int dt_cpu_switch(dtrace_hdl_t *hdl, dt_enabling_t *en, uint32_t cpu, dt_switch_t what)
{
	uint64_t ctx = what;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);
	const struct timespec pause = {.tv_nsec = 20000};
	int64_t patience = en->state->activity == DT_ACTIVITY_ACTIVE ? DT_SWITCH_PATIENCE
								     : DT_STOP_PATIENCE;
	int64_t until = 0;

	if (en->switch_fd < 0) /* all is unloaded */
		return switch_idle(en, cpu, what);
	for (int i = 0;; i++) {
		int err = bpf_prog_test_run_opts(en->switch_fd, &opts);

		if (err == -ENXIO) /* the CPU is offline */
			return switch_idle(en, cpu, what);
		if (err == -EINTR || err == -EAGAIN)
			continue;
		if (err != 0)
			return dt_set_error(hdl, -err, "failed to switch the buffers of CPU %u: %s",
					    cpu, strerror(-err));
		if (opts.retval == 0)
			return 0;
		if (i < DT_SWITCH_EAGER)
			continue;
		if (i == DT_SWITCH_EAGER)
			until = now() + patience;
		if (now() > until)
			return 1;
		nanosleep(&pause, NULL);
	}
}
