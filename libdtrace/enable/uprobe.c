/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uprobe.c - programs at places in user programs. A program may have thousands of them, all
 * told apart by the attachment's cookie, which has the probe's key.
 *
 * Kernels from 6.10 on attach a program to many places of one file at once
 * (BPF_TRACE_UPROBE_MULTI; it is there since 6.6, but filtered by thread before). With
 * others each place takes a perf event, and a link, which carries the cookie.
 *
 * Places are files and offsets, so a library is instrumented before a process maps it. What
 * other processes do in the same file costs them nothing: the kernel puts the breakpoint
 * into the memory of the process that is asked for.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enable/places.h"
#include "proc.h"

/* Of <linux/bpf.h>, where that is older than the kernel. */
#define DT_BPF_TRACE_UPROBE_MULTI 48

#define DT_UPROBE_PMU "/sys/bus/event_source/devices/uprobe/type"
#define DT_UPROBE_SEMAPHORE_SHIFT 32 /* of its offset in the event's config */

/* The part of union bpf_attr that BPF_LINK_CREATE reads for many user probes. */
typedef struct dt_multiattr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid, pad;
} dt_multiattr_t;

/* ---- Many at once ---------------------------------------------------------------- */

/* A descriptor of the link, or -errno. */
static int link_multi(int prog, const char *path, pid_t pid, const uint64_t *offsets,
		      const uint64_t *semaphores, const uint64_t *cookies, uint32_t n)
{
	dt_multiattr_t attr = {
	    .prog_fd = (uint32_t)prog,
	    .attach_type = DT_BPF_TRACE_UPROBE_MULTI,
	    .path = (uintptr_t)path,
	    .offsets = (uintptr_t)offsets,
	    .ref_ctr_offsets = (uintptr_t)semaphores,
	    .cookies = (uintptr_t)cookies,
	    .count = n,
	    .pid = (uint32_t)pid,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

/*
 * Whether the kernel has it, and filters by process: then a process number that cannot be
 * is refused before the path, that is no file's, is looked at.
 */
static bool probe_multi(void)
{
	int fd = dt_place_feature(DT_BPF_TRACE_UPROBE_MULTI);
	const uint64_t offset = 0;
	bool works;

	if (fd < 0)
		return false;
	works = link_multi(fd, "/", 0, &offset, NULL, NULL, 1) == -EBADF &&
		link_multi(fd, "/", -1, &offset, NULL, NULL, 1) == -EINVAL;
	close(fd);
	return works;
}

int dt_uprobe_attach_type(dt_enabling_t *en)
{
	if (en->uprobe_multi == 0)
		en->uprobe_multi = probe_multi() ? 1 : -1;
	return en->uprobe_multi > 0 ? DT_BPF_TRACE_UPROBE_MULTI : 0;
}

/* ---- One by one ------------------------------------------------------------------ */

/* A descriptor of the link, or -errno. */
static int link_one(int prog, int pmu, const dt_usersite_t *site)
{
	struct perf_event_attr attr = {
	    .type = (uint32_t)pmu,
	    .size = sizeof(attr),
	    .config = site->semaphore << DT_UPROBE_SEMAPHORE_SHIFT,
	    .config1 = (uintptr_t)site->path,
	    .config2 = site->offset,
	};

	return dt_place_link(prog, &attr, site);
}

int dt_uprobe_attach(dt_enabling_t *en, int prog_fd, const dt_usersite_t *site)
{
	const uint64_t cookie = dt_place_cookie(site);
	int pmu;

	if (dt_uprobe_attach_type(en) != 0)
		return link_multi(prog_fd, site->path, site->pid, &site->offset, NULL, &cookie, 1);
	pmu = dt_place_pmu(DT_UPROBE_PMU);
	return pmu < 0 ? pmu : link_one(prog_fd, pmu, site);
}

/* ---- A program's places ------------------------------------------------------------ */

/* Places of one file and one process that are attached together. */
typedef struct dt_siterun {
	dtrace_hdl_t *hdl;
	dt_program_t *program;
	int pmu; /* 0: many at once */
	dt_usersite_t *const *sites;
	uint64_t *offsets, *semaphores, *cookies;
	int error; /* of the last place that was refused */
	bool is_fatal; /* one was refused for a reason of no place's own */
	uint32_t nrefused;
} dt_siterun_t;

static int link_sites(dt_siterun_t *run, uint32_t from, uint32_t n)
{
	const dt_usersite_t *first = run->sites[from];
	bool has_semaphore = false;

	if (run->pmu > 0)
		return link_one(run->program->fd, run->pmu, first);
	for (uint32_t i = 0; i < n; i++) {
		run->offsets[i] = run->sites[from + i]->offset;
		run->semaphores[i] = run->sites[from + i]->semaphore;
		run->cookies[i] = dt_place_cookie(run->sites[from + i]);
		has_semaphore |= run->semaphores[i] != 0;
	}
	return link_multi(run->program->fd, first->path, first->pid, run->offsets,
			  has_semaphore ? run->semaphores : NULL, run->cookies, n);
}

/* Whether the error is one place's, so that others may be tried without it. */
static bool is_about_place(int error)
{
	return error == -E2BIG || error == -EINVAL || error == -EOPNOTSUPP ||
	       error == -DT_ENOTSUPP || error == -EIO || error == -EEXIST;
}

/* The kernel refuses a whole set for one instruction that it cannot replace: such a one is
 * found by halving. */
static void attach_run(dt_siterun_t *run, uint32_t from, uint32_t n)
{
	int fd = -E2BIG;

	if (n == 1 || run->pmu == 0)
		fd = link_sites(run, from, n);
	if (fd >= 0) {
		run->program->links[run->program->nlinks++] = fd;
		return;
	}
	/* A process that a glob has found may end before it is attached to. */
	if (run->sites[from]->pid != 0 && dt_process_has_ended(run->sites[from]->pid))
		return;
	if (n == 1 || !is_about_place(fd)) {
		run->error = -fd;
		run->is_fatal |= !is_about_place(fd);
		run->nrefused += n;
		return;
	}
	attach_run(run, from, n / 2);
	attach_run(run, from + n / 2, n - n / 2);
}

/* What is to fire first at a place is attached last: the entry, not the offset 0 found after it. */
static int compare_sites(const void *a, const void *b)
{
	const dt_usersite_t *x = *(dt_usersite_t *const *)a, *y = *(dt_usersite_t *const *)b;
	int order = x->path == y->path ? 0 : strcmp(x->path, y->path);

	if (order == 0 && x->pid != y->pid)
		order = x->pid < y->pid ? -1 : 1;
	if (order == 0 && x->offset != y->offset)
		order = x->offset < y->offset ? -1 : 1;
	if (order == 0 && x->key != y->key)
		order = x->key > y->key ? -1 : 1;
	return order;
}

static bool same_run(const dt_usersite_t *a, const dt_usersite_t *b)
{
	return a->pid == b->pid && strcmp(a->path, b->path) == 0;
}

static int refused_sites(dtrace_hdl_t *hdl, const dt_siterun_t *run, uint32_t n)
{
	const char *words = run->error == DT_ENOTSUPP ? "the instruction cannot be traced"
						       : strerror(run->error);
	const char *hint = run->error == EMFILE ? " (see ulimit -n)" : "";

	return dt_set_error(hdl, EDT_ATTACH,
			    "failed to attach to %u of %u places in user programs: %s%s",
			    run->nrefused, n, words, hint);
}

int dt_uprobes_attach(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_program_t *p)
{
	uint32_t nsites = p->attach->nsites, n, end;
	bool *wanted = dt_arena_alloc(en->arena, (p->attach->nkeys + 1) * sizeof(*wanted));
	dt_usersite_t **sites = dt_arena_alloc(en->arena, nsites * sizeof(dt_usersite_t *));
	uint64_t *words = dt_arena_alloc(en->arena, 3 * nsites * sizeof(*words));
	dt_siterun_t run = {.hdl = hdl, .program = p, .sites = sites};

	p->links = dt_arena_alloc(en->arena, nsites * sizeof(*p->links));
	if (!wanted || !sites || !words || !p->links)
		return dt_set_errno(hdl, EDT_NOMEM);
	run.offsets = words;
	run.semaphores = words + nsites;
	run.cookies = words + 2 * nsites;
	if (dt_uprobe_attach_type(en) == 0) {
		run.pmu = dt_place_pmu(DT_UPROBE_PMU);
		if (run.pmu < 0)
			return dt_set_error(hdl, EDT_ATTACH, "the kernel has no user probes: %s",
					    strerror(-run.pmu));
	}
	n = dt_places_wanted(p, sites, wanted);
	qsort(sites, n, sizeof(*sites), compare_sites);
	for (uint32_t from = 0; from < n; from = end) {
		for (end = from + 1; end < n && same_run(sites[from], sites[end]); end++)
			continue;
		attach_run(&run, from, end - from);
	}
	/* Some instructions cannot be replaced: as long as there are others, the probes there
	 * are as good as absent. */
	return run.is_fatal || (n > 0 && run.nrefused == n) ? refused_sites(hdl, &run, n) : 0;
}
