/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privilege.c - the privileges that tracing takes: CAP_BPF to load programs and
 * CAP_PERFMON to let them read kernel memory and to attach them. CAP_SYS_ADMIN, which
 * they were split from (capabilities(7)), stands for either. The kernel asks for them in
 * its first user namespace: a container's root has all three and may still not trace.
 *
 * A failed dtrace_open() leaves a number and no handle, so the words are found out again
 * when somebody asks for them, which gives the same answer without any global state.
 */
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privilege.h"

/* The inode of the first user namespace: PROC_USER_INIT_INO of the kernel's proc_ns.h. */
#define DT_FIRST_USERNS_INODE 0xEFFFFFFDu

#define DT_NEEDS "DTrace requires additional privileges: "

static bool dt_in_first_userns(void)
{
	struct stat st;

	if (stat("/proc/self/ns/user", &st) != 0)
		return true; /* no /proc to ask: leave the answer to the kernel */
	return st.st_ino == DT_FIRST_USERNS_INODE;
}

static bool dt_is_capable(const struct __user_cap_data_struct *data, int capability)
{
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

const char *dt_privilege_missing(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) != 0)
		return NULL;
	bool admin = dt_is_capable(data, CAP_SYS_ADMIN);
	bool bpf = admin || dt_is_capable(data, CAP_BPF);
	bool perfmon = admin || dt_is_capable(data, CAP_PERFMON);

	if (!bpf && !perfmon)
		return DT_NEEDS "CAP_BPF and CAP_PERFMON";
	if (!bpf)
		return DT_NEEDS "CAP_BPF";
	if (!perfmon)
		return DT_NEEDS "CAP_PERFMON";
	if (!dt_in_first_userns())
		return DT_NEEDS "CAP_BPF and CAP_PERFMON outside this user namespace";
	return NULL;
}
