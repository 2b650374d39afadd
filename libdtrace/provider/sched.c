/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/sched.c - the provider sched: how threads come on a CPU and leave it. See "sched
 * Provider" in the Dynamic Tracing Guide.
 *
 * The tracepoint sched_switch is run by the thread that leaves. The first that the one that
 * comes runs is sched_exit_tp, or, if it is a new thread of a process, the return of the
 * system call that made it. So on-cpu is not fired for the first time that a thread of the
 * kernel's own comes on a CPU. Kernels before 6.16 do not have sched_exit_tp: the first
 * function is then finish_task_switch(), where a kprobe can be put if there are kprobes.
 *
 * No tracepoint names a thread as it is put on a run queue, or as its priority changes. The
 * functions that do it for each class of threads are called by pointer, so they are there in
 * every kernel; where programs are allowed at them they are enqueue and dequeue. change-pri is
 * what sets a thread's nice value: other changes are not known before they have been checked.
 */
#include <asm/unistd.h>

#include "arch.h"
#include "provider/tracepoint.h"

#define TASK "struct task_struct *"
#define LWP "lwpsinfo_t *"
#define PROCESS "psinfo_t *"
#define PARAM(n) DT_TP_P(n)
#define CURRENT {.root = DT_TP_CURRENT}
#define NUMBER {.root = DT_TP_REGS, .param = DT_ARCH_SYSCALL_NUMBER}

/* Functions of a class: run queue, thread, flags. */
#define CLASS(function, more)                                                              \
	.trampoline = (function), .also = (more), .context = DT_CONTEXT_ANY,               \
	.args = {{PARAM(1), TASK, LWP},                                                    \
		 {PARAM(1), TASK, PROCESS},                                                \
		 {DT_TP_M(0, "rq", "cpu"), "int", "cpuinfo_t *"},                          \
		 {{.root = DT_TP_CONST}, "int", NULL}}
/* Priorities below are of threads that have no nice value (kernel: MAX_RT_PRIO). */
#define FIRST_NICE 100
#define NICE_0 120
#define NO_EXIT "kernels before 6.16 have no tracepoint at the end of a scheduling decision"
/* As compilers name it when they have changed its parameters, or not. */
#define SWITCHED "finish_task_switch"

static const dt_tpcondition_t has_switched[] = {
    {.left = PARAM(0), .op = BPF_JNE, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t has_remained[] = {
    {.left = PARAM(0), .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_new[] = {
    {.left = PARAM(1), .nvalues = 1, .values = {0}},
#ifdef __NR_fork
    {.left = NUMBER, .nvalues = 4,
     .values = {__NR_clone, __NR_clone3, __NR_fork, __NR_vfork}},
#else
    {.left = NUMBER, .nvalues = 2, .values = {__NR_clone, __NR_clone3}},
#endif
    {.nvalues = 0},
};
/* It is taken off amid kernel code, whatever its state. */
static const dt_tpcondition_t is_preempted_inside[] = {
    {.left = PARAM(0), .op = BPF_JNE, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
/* It could go on running, and is not the idle thread. */
static const dt_tpcondition_t is_preempted[] = {
    {.left = PARAM(0), .nvalues = 1, .values = {0}},
    {.left = PARAM(3), .nvalues = 1, .values = {0}},
    {.left = DT_TP_M(1, "task_struct", "pid"), .op = BPF_JNE, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t goes_to_sleep[] = {
    {.left = PARAM(0), .nvalues = 1, .values = {0}},
    {.left = PARAM(3), .op = BPF_JNE, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_tick[] = {
    {.left = DT_TP_M(0, "hrtimer", "function"),
     .right = {.root = DT_TP_SYMBOL, .member = "tick_nohz_handler"}},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_old_tick[] = {
    {.left = DT_TP_M(0, "hrtimer", "function"),
     .right = {.root = DT_TP_SYMBOL, .member = "tick_sched_timer"}},
    {.nvalues = 0},
};

static const dt_tpcondition_t gets_nice[] = {
    {.left = DT_TP_M(0, "task_struct", "prio"), .op = BPF_JSGE, .nvalues = 1,
     .values = {FIRST_NICE}},
    {.left = {.root = DT_TP_PARAM, .structure = "task_struct", .member = "static_prio",
	      .value = -NICE_0},
     .op = BPF_JNE, .right = PARAM(1)},
    {.nvalues = 0},
};

#define BOTH(value) {{value, TASK, LWP}, {value, TASK, PROCESS}}

static const dt_tpprobe_t dt_sched_table[] = {
    {.name = "on-cpu", .tracepoint = "sched_exit_tp", .minparams = 1,
     .conditions = has_switched, .missing = NO_EXIT},
    {.name = "on-cpu", .tracepoint = "sys_exit", .minparams = 2, .also = true,
     .conditions = is_new},
    {.name = "on-cpu", .function = SWITCHED ".isra.0"},
    {.name = "on-cpu", .function = SWITCHED},
    {.name = "off-cpu", .tracepoint = "sched_switch", .minparams = 3, .args = BOTH(PARAM(2))},
    {.name = "preempt", .tracepoint = "sched_switch", .minparams = 4,
     .conditions = is_preempted_inside},
    {.name = "preempt", .tracepoint = "sched_switch", .minparams = 4, .also = true,
     .conditions = is_preempted},
    {.name = "remain-cpu", .tracepoint = "sched_exit_tp", .minparams = 1,
     .conditions = has_remained, .missing = NO_EXIT},
    {.name = "sleep", .tracepoint = "sched_switch", .minparams = 4,
     .conditions = goes_to_sleep},
    {.name = "surrender", .tracepoint = "reschedule_entry", .context = DT_CONTEXT_ANY,
     .args = BOTH(CURRENT), .missing = "the kernel has no tracepoint where a CPU is told to "
				       "make a scheduling decision"},
    {.name = "tick", .tracepoint = "hrtimer_expire_entry", .minparams = 1,
     .context = DT_CONTEXT_ANY, .conditions = is_tick, .args = BOTH(CURRENT)},
    {.name = "tick", .tracepoint = "hrtimer_expire_entry", .minparams = 1,
     .context = DT_CONTEXT_ANY, .conditions = is_old_tick, .args = BOTH(CURRENT)},
    {.name = "wakeup", .tracepoint = "sched_waking", .minparams = 1,
     .context = DT_CONTEXT_ANY, .args = BOTH(PARAM(0))},
    {.name = "change-pri", .trampoline = "set_user_nice", .conditions = gets_nice,
     .args = {{PARAM(0), TASK, LWP},
	      {PARAM(0), TASK, PROCESS},
	      {{.root = DT_TP_PARAM, .param = 1, .value = NICE_0}, "int", NULL}}},
    {.name = "dequeue", CLASS("dequeue_task_fair", false)},
    {.name = "dequeue", CLASS("dequeue_task_rt", true)},
    {.name = "dequeue", CLASS("dequeue_task_dl", true)},
    {.name = "dequeue", CLASS("dequeue_task_stop", true)},
    {.name = "dequeue", CLASS("dequeue_task_scx", true)},
    {.name = "enqueue", CLASS("enqueue_task_fair", false)},
    {.name = "enqueue", CLASS("enqueue_task_rt", true)},
    {.name = "enqueue", CLASS("enqueue_task_dl", true)},
    {.name = "enqueue", CLASS("enqueue_task_stop", true)},
    {.name = "enqueue", CLASS("enqueue_task_scx", true)},
    {.name = "schedctl-nopreempt", .missing = "Linux has no preemption control"},
    {.name = "schedctl-preempt", .missing = "Linux has no preemption control"},
    {.name = "schedctl-yield", .missing = "Linux has no preemption control"},
    {.name = NULL},
};

const dt_provider_t dt_provider_sched = {
    .name = "sched",
    .table = dt_sched_table,
    .first = DT_PROBE_SCHED,
    DT_TP_PROVIDER,
};
