/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/proc.c - the provider proc: processes and threads as they begin, execute, get
 * signals and end. A thread is DTrace's lwp. See "proc Provider" in the Dynamic Tracing Guide.
 *
 * exec, exec-failure, start, lwp-start and signal-clear are seen at the system calls that
 * they are part of. A new thread's first moment is its return from the call that made it,
 * with 0: so start and lwp-start are not fired by the kernel's own threads.
 */
#include <asm/unistd.h>

#include "arch.h"
#include "provider/tracepoint.h"

/* Results of signal_generate (kernel: include/trace/events/signal.h). */
enum { DELIVERED, IGNORED, ALREADY_PENDING, OVERFLOW_FAIL, LOSE_INFO };

#define TASK "struct task_struct *"
#define LWP "lwpsinfo_t *"
#define PROCESS "psinfo_t *"
#define PARAM(n) DT_TP_P(n)
#define NUMBER {.root = DT_TP_REGS, .param = DT_ARCH_SYSCALL_NUMBER}

#ifdef __NR_fork
#define CLONES {.left = NUMBER, .nvalues = 4,                                              \
		.values = {__NR_clone, __NR_clone3, __NR_fork, __NR_vfork}}
#else
#define CLONES {.left = NUMBER, .nvalues = 2, .values = {__NR_clone, __NR_clone3}}
#endif

static const dt_tpcondition_t is_new_process[] = {
    {.left = DT_TP_M(1, "task_struct", "pid"), .right = DT_TP_M(1, "task_struct", "tgid")},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_new_thread[] = {
    {.left = DT_TP_M(1, "task_struct", "pid"), .op = BPF_JNE,
     .right = DT_TP_M(1, "task_struct", "tgid")},
    {.nvalues = 0},
};
static const dt_tpcondition_t enters_execve[] = {
    {.left = PARAM(1), .nvalues = 1, .values = {__NR_execve}},
    {.nvalues = 0},
};
static const dt_tpcondition_t enters_execveat[] = {
    {.left = PARAM(1), .nvalues = 1, .values = {__NR_execveat}},
    {.nvalues = 0},
};
static const dt_tpcondition_t has_failed_exec[] = {
    {.left = PARAM(1), .op = BPF_JSLT, .nvalues = 1, .values = {0}},
    {.left = NUMBER, .nvalues = 2, .values = {__NR_execve, __NR_execveat}},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_last_thread[] = {
    {.left = PARAM(1), .op = BPF_JNE, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t has_no_threads[] = {
    {.left = DT_TP_MM(0, "task_struct", "signal", "signal_struct", "live.counter"),
     .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t begins_thread[] = {
    {.left = PARAM(1), .nvalues = 1, .values = {0}},
    CLONES,
    {.nvalues = 0},
};
static const dt_tpcondition_t begins_process[] = {
    {.left = PARAM(1), .nvalues = 1, .values = {0}},
    CLONES,
    {.left = {.root = DT_TP_TID}, .right = {.root = DT_TP_PID}},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_sent[] = {
    {.left = PARAM(4), .nvalues = 3, .values = {DELIVERED, ALREADY_PENDING, LOSE_INFO}},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_ignored[] = {
    {.left = PARAM(4), .nvalues = 1, .values = {IGNORED}},
    {.nvalues = 0},
};
static const dt_tpcondition_t has_waited[] = {
    {.left = PARAM(1), .op = BPF_JSGT, .nvalues = 1, .values = {0}},
    {.left = NUMBER, .nvalues = 1, .values = {__NR_rt_sigtimedwait}},
    {.nvalues = 0},
};

/* What a user's pointer to a path is. */
#define PATH(member) {{.root = DT_TP_REGS, .param = (member)}, "userland char *", NULL}
#define SIGNAL_ARGS {{PARAM(2), TASK, LWP}, {PARAM(2), TASK, PROCESS}, {PARAM(0), "int", NULL}}
#define EXIT_REASON                                                                        \
	{{.root = DT_TP_PARAM, .structure = "task_struct", .member = "exit_code",          \
	  .is_status = true},                                                              \
	 "int", NULL}

static const dt_tpprobe_t dt_proc_table[] = {
    {.name = "create", .tracepoint = "sched_process_fork", .minparams = 2,
     .conditions = is_new_process, .args = {{PARAM(1), TASK, PROCESS}}},
    {.name = "exec", .tracepoint = "sys_enter", .minparams = 2, .conditions = enters_execve,
     .args = {PATH(DT_ARCH_SYSCALL_ARG0)}},
    {.name = "exec", .tracepoint = "sys_enter", .minparams = 2, .also = true,
     .conditions = enters_execveat, .args = {PATH(DT_ARCH_SYSCALL_ARG1)}},
    {.name = "exec-failure", .tracepoint = "sys_exit", .minparams = 2,
     .conditions = has_failed_exec,
     .args = {{{.root = DT_TP_PARAM, .param = 1, .is_negated = true}, "int", NULL}}},
    {.name = "exec-success", .tracepoint = "sched_process_exec"},
    {.name = "exit", .tracepoint = "sched_process_exit", .minparams = 2,
     .conditions = is_last_thread, .args = {EXIT_REASON}},
    {.name = "exit", .tracepoint = "sched_process_exit", .minparams = 1,
     .conditions = has_no_threads, .args = {EXIT_REASON}},
    {.name = "lwp-create", .tracepoint = "sched_process_fork", .minparams = 2,
     .conditions = is_new_thread,
     .args = {{PARAM(1), TASK, LWP}, {PARAM(1), TASK, PROCESS}}},
    {.name = "lwp-exit", .tracepoint = "sched_process_exit"},
    {.name = "lwp-start", .tracepoint = "sys_exit", .minparams = 2,
     .conditions = begins_thread},
    {.name = "signal-clear", .tracepoint = "sys_exit", .minparams = 2,
     .conditions = has_waited, .args = {{PARAM(1), "int", NULL}}},
    {.name = "signal-discard", .tracepoint = "signal_generate", .minparams = 5,
     .context = DT_CONTEXT_ANY, .conditions = is_ignored, .args = SIGNAL_ARGS},
    {.name = "signal-handle", .tracepoint = "signal_deliver", .minparams = 3,
     .args = {{PARAM(0), "int", NULL},
	      {PARAM(1), "struct kernel_siginfo *", NULL},
	      {DT_TP_M(2, "k_sigaction", "sa.sa_handler"), "void *", NULL}}},
    {.name = "signal-send", .tracepoint = "signal_generate", .minparams = 5,
     .context = DT_CONTEXT_ANY, .conditions = is_sent, .args = SIGNAL_ARGS},
    {.name = "start", .tracepoint = "sys_exit", .minparams = 2, .conditions = begins_process},
    {.name = "fault", .missing = "the kernel does not tell machine faults from others"},
    {.name = NULL},
};

const dt_provider_t dt_provider_proc = {
    .name = "proc",
    .table = dt_proc_table,
    .first = DT_PROBE_PROC,
    DT_TP_PROVIDER,
};
