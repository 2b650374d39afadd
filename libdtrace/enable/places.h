/* SPDX-License-Identifier: Apache-2.0 */
/* places.h - for kprobe.c and uprobe.c: see places.c. */
#ifndef DT_PLACES_H
#define DT_PLACES_H

#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "enable/enable.h"

/* What the kernel says of a place that it cannot put a probe at: it has no name outside. */
#define DT_ENOTSUPP 524

/* A program that does nothing, to ask the kernel with what it attaches so. Its descriptor,
 * or negative: it has no such thing. */
int dt_place_feature(enum bpf_attach_type);
/* The places of the attach point whose key a clause of the program wants: how many. wanted:
 * a word for each key, all false. */
uint32_t dt_places_wanted(const dt_program_t *, dt_usersite_t **sites, bool *wanted);
/* The number that perf_event_open() knows such probes by, from a file; negative: -errno. */
int dt_place_pmu(const char *path);
/* By what a program knows at which of its places it runs: the key, and the detail above it. */
uint64_t dt_place_cookie(const dt_usersite_t *);
/* The program at one place, which the event describes: a descriptor of the link, or -errno.
 */
int dt_place_link(int prog_fd, struct perf_event_attr *, const dt_usersite_t *);

#endif
