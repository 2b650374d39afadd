/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/sysinfo.c - the provider sysinfo: what the system's counters count. arg0 is by how
 * much the counter grows. See "sysinfo Provider" in the Dynamic Tracing Guide; of its counters
 * those are here that Linux's tracepoints give exactly. arg1, the counter's address, is 0: the
 * counters of this name do not exist.
 */
#include <asm/unistd.h>

#include "arch.h"
#include "provider/tracepoint.h"

#define PARAM(n) DT_TP_P(n)
#define NUMBER {.root = DT_TP_REGS, .param = DT_ARCH_SYSCALL_NUMBER}
#define READS {__NR_read, __NR_readv, __NR_pread64, __NR_preadv, __NR_preadv2}
#define WRITES {__NR_write, __NR_writev, __NR_pwrite64, __NR_pwritev, __NR_pwritev2}
#define ONE {{{.root = DT_TP_CONST, .value = 1}, "int", NULL}}
#define BYTES {{PARAM(1), "int64_t", NULL}}

static const dt_tpcondition_t enters_exec[] = {
    {.left = PARAM(1), .nvalues = 2, .values = {__NR_execve, __NR_execveat}},
    {.nvalues = 0},
};
static const dt_tpcondition_t enters_read[] = {
    {.left = PARAM(1), .nvalues = 5, .values = READS},
    {.nvalues = 0},
};
static const dt_tpcondition_t enters_write[] = {
    {.left = PARAM(1), .nvalues = 5, .values = WRITES},
    {.nvalues = 0},
};
static const dt_tpcondition_t has_read[] = {
    {.left = PARAM(1), .op = BPF_JSGT, .nvalues = 1, .values = {0}},
    {.left = NUMBER, .nvalues = 5, .values = READS},
    {.nvalues = 0},
};
static const dt_tpcondition_t has_written[] = {
    {.left = PARAM(1), .op = BPF_JSGT, .nvalues = 1, .values = {0}},
    {.left = NUMBER, .nvalues = 5, .values = WRITES},
    {.nvalues = 0},
};
static const dt_tpcondition_t becomes_idle[] = {
    {.left = DT_TP_M(2, "task_struct", "pid"), .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};

/* What the kernel counts in task_struct.nivcsw (__schedule() of kernel/sched/core.c): whose
 * state is no sleep, or does not matter. */
static const dt_tpcondition_t is_preempted[] = {
    {.left = PARAM(0), .op = BPF_JNE, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t goes_on[] = {
    {.left = PARAM(0), .nvalues = 1, .values = {0}},
    {.left = PARAM(3), .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
#define NO_MODULES "this kernel has no modules"

/* Flags of a wait for a rw_semaphore, LCB_F_READ and LCB_F_WRITE of the kernel's
 * include/trace/events/lock.h; those of other locks have more. */
static const dt_tpcondition_t reader_waits[] = {
    {.left = PARAM(1), .nvalues = 1, .values = {2}},
    {.nvalues = 0},
};
static const dt_tpcondition_t writer_waits[] = {
    {.left = PARAM(1), .nvalues = 1, .values = {4}},
    {.nvalues = 0},
};
#define SEMAPHORE                                                                          \
	.tracepoint = "contention_begin", .minparams = 2, .context = DT_CONTEXT_ANY,       \
	.is_alone = true

static const dt_tpprobe_t dt_sysinfo_table[] = {
    {.name = "cpumigrate", .tracepoint = "sched_migrate_task", .minparams = 1,
     .context = DT_CONTEXT_ANY, .args = ONE},
    {.name = "idlethread", .tracepoint = "sched_switch", .minparams = 3,
     .conditions = becomes_idle, .args = ONE},
    {.name = "inv_swtch", .tracepoint = "sched_switch", .minparams = 4,
     .conditions = is_preempted, .args = ONE},
    {.name = "inv_swtch", .tracepoint = "sched_switch", .minparams = 4, .also = true,
     .conditions = goes_on, .args = ONE},
    {.name = "modload", .tracepoint = "module_load", .args = ONE, .missing = NO_MODULES},
    {.name = "modunload", .tracepoint = "module_free", .args = ONE, .missing = NO_MODULES},
    {.name = "nthreads", .tracepoint = "sched_process_fork", .args = ONE},
    {.name = "pswitch", .tracepoint = "sched_switch", .args = ONE},
    {.name = "readch", .tracepoint = "sys_exit", .minparams = 2, .conditions = has_read,
     .args = BYTES},
    {.name = "rw_rdfails", SEMAPHORE, .conditions = reader_waits, .args = ONE},
    {.name = "rw_wrfails", SEMAPHORE, .conditions = writer_waits, .args = ONE},
    {.name = "sysexec", .tracepoint = "sys_enter", .minparams = 2, .conditions = enters_exec,
     .args = ONE},
    {.name = "sysread", .tracepoint = "sys_enter", .minparams = 2, .conditions = enters_read,
     .args = ONE},
    {.name = "syswrite", .tracepoint = "sys_enter", .minparams = 2,
     .conditions = enters_write, .args = ONE},
    {.name = "writech", .tracepoint = "sys_exit", .minparams = 2, .conditions = has_written,
     .args = BYTES},
    {.name = "xcalls", .tracepoint = "ipi_send_cpu", .context = DT_CONTEXT_ANY, .args = ONE,
     .missing = "kernels before 6.4 have no tracepoint where a CPU calls another"},
    {.name = "xcalls", .tracepoint = "ipi_send_cpumask", .context = DT_CONTEXT_ANY,
     .also = true, .args = ONE},
#define NOT_TOLD "no tracepoint of the kernel tells what this counter counts"
    {.name = "bawrite", .missing = NOT_TOLD},	{.name = "bread", .missing = NOT_TOLD},
    {.name = "bwrite", .missing = NOT_TOLD},	{.name = "lread", .missing = NOT_TOLD},
    {.name = "lwrite", .missing = NOT_TOLD},
    {.name = "mutex_adenters", .missing = NOT_TOLD}, {.name = "namei", .missing = NOT_TOLD},
    {.name = "phread", .missing = NOT_TOLD},	{.name = "phwrite", .missing = NOT_TOLD},
    {.name = "procovf", .missing = NOT_TOLD},	{.name = "sysfork", .missing = NOT_TOLD},
    {.name = "sysvfork", .missing = NOT_TOLD},	{.name = "trap", .missing = NOT_TOLD},
    {.name = "ufsdirblk", .missing = NOT_TOLD}, {.name = "ufsiget", .missing = NOT_TOLD},
    {.name = "ufsinopage", .missing = NOT_TOLD}, {.name = "ufsipage", .missing = NOT_TOLD},
    {.name = NULL},
};

const dt_provider_t dt_provider_sysinfo = {
    .name = "sysinfo",
    .table = dt_sysinfo_table,
    .first = DT_PROBE_SYSINFO,
    DT_TP_PROVIDER,
};
