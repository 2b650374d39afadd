/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - the number of the current process and thread, as the tracing process would use
 * it itself: $target, /proc and kill(2) are of its PID namespace. In the first one that is
 * what the kernel knows a thread by. In another, a container's, a helper tells, for whom the
 * processes of others are 0.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "codegen/cg.h"

#define DEV_MINOR_BITS 20 /* how the kernel holds a device: linux/kdev_t.h */

void dt_pidns_find(dt_pidns_t *ns)
{
	struct stat st;

	*ns = (dt_pidns_t){.inode = DT_PIDNS_FIRST};
	if (stat("/proc/self/ns/pid", &st) != 0) /* no /proc: as if it were the first */
		return;
	ns->inode = st.st_ino;
	ns->device = (uint64_t)major(st.st_dev) << DEV_MINOR_BITS | minor(st.st_dev);
}

void dt_emit_pid_tgid(const dt_cgenv_t *env, dt_emit_t *e, int slot)
{
	if (env->pidns.inode == DT_PIDNS_FIRST) {
		dt_call(e, BPF_FUNC_get_current_pid_tgid);
		return;
	}
	dt_const(e, R1, env->pidns.device);
	dt_const(e, R2, env->pidns.inode);
	dt_frame_address(e, R3, slot);
	dt_alu_imm(e, BPF_MOV, R4, 8);
	dt_call(e, BPF_FUNC_get_ns_current_pid_tgid);
	dt_load(e, 8, R0, FP, slot); /* struct bpf_pidns_info, in the other helper's order */
}

void dt_gen_pid_tgid(dt_cg_t *cg)
{
	int mark = cg->stack;

	dt_emit_pid_tgid(cg->env, cg->e, dt_stack_alloc(cg, 8));
	cg->stack = mark;
}
