/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kprobe.c - programs at functions of the kernel by kprobes. As with user probes a program
 * may have thousands of places, told apart by the attachment's cookie, which is the
 * probe's key.
 *
 * Kernels that are built with fprobe (and not all are) attach a program to many functions
 * at once (BPF_TRACE_KPROBE_MULTI). With others each takes a perf event, and a link.
 *
 * A place is named: "function", or "module:function".
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "enable/places.h"

#define DT_KPROBE_PMU "/sys/bus/event_source/devices/kprobe/type"

/* Places of one program that are attached. */
typedef struct dt_kproberun {
	dt_program_t *program;
	int pmu; /* 0: many at once */
	dt_usersite_t **sites;
	const char **names;
	__u64 *cookies;
	uint32_t nrefused;
	int error; /* of the last place that was refused */
} dt_kproberun_t;

/* ---- Many at once ---------------------------------------------------------------- */

/* A descriptor of the link, or -errno. */
static int link_multi(int prog, bool is_return, const char **names, const __u64 *cookies,
		      uint32_t n)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .kprobe_multi = {.flags = is_return ? BPF_F_KPROBE_MULTI_RETURN : 0,
				     .cnt = n,
				     .syms = names,
				     .cookies = cookies});

	return bpf_link_create(prog, 0, BPF_TRACE_KPROBE_MULTI, &opts);
}

/* Whether the kernel has it: then it is no function at all that it objects to. */
static bool probe_multi(void)
{
	int fd = dt_place_feature(BPF_TRACE_KPROBE_MULTI);
	bool works;

	if (fd < 0)
		return false;
	works = link_multi(fd, false, NULL, NULL, 0) == -EINVAL;
	close(fd);
	return works;
}

int dt_kprobe_attach_type(dt_enabling_t *en)
{
	if (en->kprobe_multi == 0)
		en->kprobe_multi = probe_multi() ? 1 : -1;
	return en->kprobe_multi > 0 ? BPF_TRACE_KPROBE_MULTI : 0;
}

/* ---- One by one ------------------------------------------------------------------ */

/* A descriptor of the link, or -errno. */
static int link_one(int prog, int pmu, const dt_usersite_t *site, bool is_return)
{
	struct perf_event_attr attr = {
	    .type = (uint32_t)pmu,
	    .size = sizeof(attr),
	    .config = is_return,
	    .config1 = (uintptr_t)site->path,
	};

	return dt_place_link(prog, &attr, site);
}

/* ---- A program's places ------------------------------------------------------------ */

static int link_sites(dt_kproberun_t *run, uint32_t from, uint32_t n)
{
	bool is_return = run->program->attach->is_return;

	if (run->pmu > 0)
		return link_one(run->program->fd, run->pmu, run->sites[from], is_return);
	for (uint32_t i = 0; i < n; i++) {
		const char *name = run->sites[from + i]->path, *colon = strchr(name, ':');

		run->names[i] = colon ? colon + 1 : name;
		run->cookies[i] = dt_place_cookie(run->sites[from + i]);
	}
	return link_multi(run->program->fd, is_return, run->names, run->cookies, n);
}

/* Whether the error is one function's, so that others may be tried without it. */
static bool is_about_place(int error)
{
	return error == -EINVAL || error == -ENOENT || error == -ESRCH || error == -E2BIG ||
	       error == -EADDRNOTAVAIL || error == -EOPNOTSUPP || error == -EBUSY ||
	       error == -EILSEQ || error == -DT_ENOTSUPP;
}

/* The kernel refuses a whole set for one function that has no place for a probe: such a one
 * is found by halving. */
static void attach_run(dt_kproberun_t *run, uint32_t from, uint32_t n)
{
	int fd = -E2BIG;

	if (n == 1 || run->pmu == 0)
		fd = link_sites(run, from, n);
	if (fd >= 0) {
		run->program->links[run->program->nlinks++] = fd;
		return;
	}
	if (n > 1 && is_about_place(fd)) {
		attach_run(run, from, n / 2);
		attach_run(run, from + n / 2, n - n / 2);
		return;
	}
	/* Of reasons that are no function's the first counts: there is no other. */
	if (!run->error || is_about_place(-run->error))
		run->error = -fd;
	run->nrefused += n;
}

int dt_kprobes_attach(dtrace_hdl_t *hdl, dt_enabling_t *en, dt_program_t *p)
{
	uint32_t nsites = p->attach->nsites, n;
	bool *wanted = dt_arena_alloc(en->arena, (p->attach->nkeys + 1) * sizeof(*wanted));
	dt_kproberun_t run = {
	    .program = p,
	    .sites = dt_arena_alloc(en->arena, nsites * sizeof(*run.sites)),
	    .names = dt_arena_alloc(en->arena, nsites * sizeof(*run.names)),
	    .cookies = dt_arena_alloc(en->arena, nsites * sizeof(*run.cookies)),
	};

	p->links = dt_arena_alloc(en->arena, nsites * sizeof(*p->links));
	if (!wanted || !run.sites || !run.names || !run.cookies || !p->links)
		return dt_set_errno(hdl, EDT_NOMEM);
	if (dt_kprobe_attach_type(en) == 0) {
		run.pmu = dt_place_pmu(DT_KPROBE_PMU);
		if (run.pmu < 0)
			return dt_set_error(hdl, EDT_ATTACH, "the kernel has no kprobes: %s",
					    strerror(-run.pmu));
	}
	n = dt_places_wanted(p, run.sites, wanted);
	attach_run(&run, 0, n);
	/* Some functions cannot be traced: as long as there are others, the probes there are
	 * as good as absent. */
	if ((n > 0 && run.nrefused == n) || (run.error && !is_about_place(-run.error)))
		return dt_set_error(hdl, EDT_ATTACH,
				    "failed to attach to %u of %u functions of the kernel: %s%s",
				    run.nrefused, n,
				    run.error == DT_ENOTSUPP ? "they cannot be traced"
							     : strerror(run.error),
				    run.error == EMFILE ? " (see ulimit -n)" : "");
	return 0;
}
