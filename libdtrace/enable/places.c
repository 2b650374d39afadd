/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.c - what attaching to functions of the kernel (kprobe.c) and of user programs
 * (uprobe.c) have in common: which of an attach point's places are wanted, and one place by
 * a perf event, for kernels that do not attach to many at once.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enable/places.h"

int dt_place_feature(enum bpf_attach_type type)
{
	const struct bpf_insn nothing[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "dt_feature", "GPL", nothing, 2, &opts);
}

uint32_t dt_places_wanted(const dt_program_t *p, dt_usersite_t **sites, bool *wanted)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->necbs; i++)
		for (uint32_t k = 0; k < p->ecbs[i]->nprobes; k++)
			wanted[p->ecbs[i]->probes[k]->key] = true;
	for (uint32_t i = 0; i < p->attach->nsites; i++)
		if (wanted[p->attach->sites[i].key])
			sites[n++] = &p->attach->sites[i];
	return n;
}

int dt_place_pmu(const char *path)
{
	char text[16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -ENODEV;
	text[n] = '\0';
	return atoi(text);
}

uint64_t dt_place_cookie(const dt_usersite_t *site)
{
	return (uint64_t)site->detail << 32 | site->key;
}

int dt_place_link(int prog, struct perf_event_attr *attr, const dt_usersite_t *site)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = dt_place_cookie(site));
	/* An event for all processes is one on a CPU; its program runs on any. */
	int event = (int)syscall(SYS_perf_event_open, attr, site->pid ? site->pid : -1,
				 site->pid ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);
	int link;

	if (event < 0)
		return -errno;
	link = bpf_link_create(prog, event, BPF_PERF_EVENT, &opts);
	close(event); /* the link holds it */
	return link;
}
