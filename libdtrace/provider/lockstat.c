/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/lockstat.c - the provider lockstat: locks of the kernel. See "lockstat Provider" in
 * the Dynamic Tracing Guide. What DTrace calls adaptive is a mutex here, readers' and writers'
 * locks that block are rw_semaphores, and those that spin rwlock_ts.
 *
 * Waits are told by the tracepoints of locks (codegen/wait.c). Nothing but the functions
 * themselves tells where locks are acquired and released without a wait: those probes are at
 * their returns. A function that calls another of them, such as mutex_lock_io(), is not named,
 * nor is one that has parts of the others in it when it is compiled.
 *
 * The programs run with locks held, within whatever the kernel does: also within another of
 * ours, which may hold a lock that they need. So they let pass what comes there (is_alone).
 */
#include "provider/tracepoint.h"

#define MUTEX "struct mutex *"
#define SPINLOCK "raw_spinlock_t *"
#define SEMAPHORE "struct rw_semaphore *"
#define RWLOCK "rwlock_t *"

/* As dlib/lockstat.d has them. */
#define RW_WRITER 0
#define RW_READER 1

static const dt_tpcondition_t is_zero[] = {
    {.left = {.root = DT_TP_RESULT}, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};
static const dt_tpcondition_t is_true[] = {
    {.left = {.root = DT_TP_RESULT}, .op = BPF_JNE, .nvalues = 1, .values = {0}},
    {.nvalues = 0},
};

/* Fires where the function returns. */
#define RETURN(function)                                                                   \
	.trampoline = (function), .is_return = true, .is_alone = true,                     \
	.context = DT_CONTEXT_ANY
#define WAIT(kind)                                                                         \
	.tracepoint = "contention_end", .minparams = 2, .ends_wait = true, .wait = (kind), \
	.context = DT_CONTEXT_ANY
#define LOCK(type) {{DT_TP_P(0), type, NULL}}
#define RW(who) {{DT_TP_P(0), SEMAPHORE, NULL},                                            \
		 {{.root = DT_TP_CONST, .value = (who)}, "int", NULL}}
#define TYPE(name) {.type = (name)}

static const dt_tpprobe_t dt_lockstat_table[] = {
    {.name = "adaptive-acquire", RETURN("mutex_lock"), .args = LOCK(MUTEX)},
    {.name = "adaptive-acquire", RETURN("mutex_lock_interruptible"), .also = true,
     .conditions = is_zero, .args = LOCK(MUTEX)},
    {.name = "adaptive-acquire", RETURN("mutex_lock_killable"), .also = true,
     .conditions = is_zero, .args = LOCK(MUTEX)},
    {.name = "adaptive-acquire", RETURN("mutex_trylock"), .also = true,
     .conditions = is_true, .args = LOCK(MUTEX)},
    {.name = "adaptive-acquire-error", WAIT(DT_WAIT_ADAPTIVE_ERROR),
     .args = {TYPE(MUTEX), TYPE("int")}},
    {.name = "adaptive-block", WAIT(DT_WAIT_ADAPTIVE_BLOCK),
     .args = {TYPE(MUTEX), TYPE("uint64_t")}},
    {.name = "adaptive-release", RETURN("mutex_unlock"), .args = LOCK(MUTEX)},
    {.name = "adaptive-spin", WAIT(DT_WAIT_ADAPTIVE_SPIN),
     .args = {TYPE(MUTEX), TYPE("uint64_t")}},
    {.name = "rw-acquire", RETURN("down_read"), .args = RW(RW_READER)},
    {.name = "rw-acquire", RETURN("down_read_interruptible"), .also = true,
     .conditions = is_zero, .args = RW(RW_READER)},
    {.name = "rw-acquire", RETURN("down_read_killable"), .also = true,
     .conditions = is_zero, .args = RW(RW_READER)},
    {.name = "rw-acquire", RETURN("down_read_trylock"), .also = true,
     .conditions = is_true, .args = RW(RW_READER)},
    {.name = "rw-acquire", RETURN("down_write"), .also = true, .args = RW(RW_WRITER)},
    {.name = "rw-acquire", RETURN("down_write_killable"), .also = true,
     .conditions = is_zero, .args = RW(RW_WRITER)},
    {.name = "rw-acquire", RETURN("down_write_trylock"), .also = true,
     .conditions = is_true, .args = RW(RW_WRITER)},
    {.name = "rw-block", WAIT(DT_WAIT_RW_BLOCK),
     .args = {TYPE(SEMAPHORE), TYPE("uint64_t"), TYPE("int"), TYPE("int"), TYPE("int")}},
    {.name = "rw-downgrade", RETURN("downgrade_write"), .args = LOCK(SEMAPHORE)},
    {.name = "rw-release", RETURN("up_read"), .args = RW(RW_READER)},
    {.name = "rw-release", RETURN("up_write"), .also = true, .args = RW(RW_WRITER)},
    {.name = "rw-spin", WAIT(DT_WAIT_RW_SPIN),
     .args = {TYPE(RWLOCK), TYPE("uint64_t"), TYPE("int")}},
    {.name = "rw-upgrade", .missing = "Linux does not make a reader of a lock its writer"},
    {.name = "spin-acquire", RETURN("_raw_spin_lock"), .args = LOCK(SPINLOCK)},
    {.name = "spin-acquire", RETURN("_raw_spin_lock_bh"), .also = true,
     .args = LOCK(SPINLOCK)},
    {.name = "spin-acquire", RETURN("_raw_spin_lock_irq"), .also = true,
     .args = LOCK(SPINLOCK)},
    {.name = "spin-acquire", RETURN("_raw_spin_lock_irqsave"), .also = true,
     .args = LOCK(SPINLOCK)},
    {.name = "spin-acquire", RETURN("_raw_spin_trylock"), .also = true,
     .conditions = is_true, .args = LOCK(SPINLOCK)},
    {.name = "spin-acquire", RETURN("_raw_spin_trylock_bh"), .also = true,
     .conditions = is_true, .args = LOCK(SPINLOCK)},
    {.name = "spin-release", RETURN("_raw_spin_unlock"), .args = LOCK(SPINLOCK)},
    {.name = "spin-release", RETURN("_raw_spin_unlock_bh"), .also = true,
     .args = LOCK(SPINLOCK)},
    {.name = "spin-release", RETURN("_raw_spin_unlock_irq"), .also = true,
     .args = LOCK(SPINLOCK)},
    {.name = "spin-release", RETURN("_raw_spin_unlock_irqrestore"), .also = true,
     .args = LOCK(SPINLOCK)},
    {.name = "spin-spin", WAIT(DT_WAIT_SPIN), .args = {TYPE(SPINLOCK), TYPE("uint64_t")}},
    {.name = "thread-spin", .missing = "Linux has no locks that are threads' own"},
    {.name = NULL},
};

const dt_provider_t dt_provider_lockstat = {
    .name = "lockstat",
    .table = dt_lockstat_table,
    .first = DT_PROBE_LOCKSTAT,
    DT_TP_PROVIDER,
};
