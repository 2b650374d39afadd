/* SPDX-License-Identifier: Apache-2.0 */
/* procfs.d - processes and threads as DTrace shows them: psinfo_t and lwpsinfo_t. */

inline char SSLEEP = 1;
inline char SRUN = 2;
inline char SZOMB = 3;
inline char SSTOP = 4;
inline char SIDL = 5;
inline char SONPROC = 6;
inline char SWAIT = 7;

inline char PR_MODEL_UNKNOWN = 0;
inline char PR_MODEL_ILP32 = 1;
inline char PR_MODEL_LP64 = 2;

/* States of task_struct's __state and exit_state. */
inline unsigned int DT_TASK_RUNNING = 0;
inline unsigned int DT_TASK_STOPPED = 0xc;
inline unsigned int DT_EXIT_ZOMBIE = 0x30;

typedef struct psinfo {
	int pr_nlwp;		/* threads */
	pid_t pr_pid;
	pid_t pr_ppid;
	pid_t pr_pgid;
	pid_t pr_sid;
	uid_t pr_uid;
	uid_t pr_euid;
	gid_t pr_gid;
	gid_t pr_egid;
	uintptr_t pr_addr;	/* the thread group leader's task_struct */
	dev_t pr_ttydev;	/* controlling terminal, or -1 */
	uint64_t pr_start;	/* nanoseconds from boot to the start */
	string pr_fname;	/* name of the program */
	string pr_psargs;	/* the beginning of its command line */
	int pr_argc;
	uintptr_t pr_argv;	/* in the process's memory */
	uintptr_t pr_envp;
	char pr_dmodel;		/* PR_MODEL_ILP32 or PR_MODEL_LP64 */
	int pr_taskid;
	int pr_projid;
	int pr_nzomb;
	int pr_poolid;
	int pr_zoneid;
	int pr_contract;
} psinfo_t;

/* The command's words lie in the process's own memory, which only it can read: of others
 * pr_psargs is the name. */
translator psinfo_t < struct task_struct *T > {
	pr_nlwp = T->signal->nr_threads;
	pr_pid = T->tgid;
	pr_ppid = T->real_parent->tgid;
	pr_pgid = T->signal->pids[PIDTYPE_PGID]->numbers[0].nr;
	pr_sid = T->signal->pids[PIDTYPE_SID]->numbers[0].nr;
	pr_uid = T->real_cred->uid.val;
	pr_euid = T->real_cred->euid.val;
	pr_gid = T->real_cred->gid.val;
	pr_egid = T->real_cred->egid.val;
	pr_addr = (uintptr_t)T->group_leader;
	pr_ttydev = T->signal->tty == NULL ? (dev_t)-1 :
	    (dev_t)(T->signal->tty->driver->major << 20 |
	    (T->signal->tty->driver->minor_start + T->signal->tty->index));
	pr_start = T->group_leader->start_boottime;
	pr_fname = T->group_leader->comm;
	pr_psargs = __psargs(T);
	pr_argc = T->mm == NULL ? 0 : *(int *)copyin(T->mm->start_stack, sizeof (int));
	pr_argv = T->mm == NULL ? 0 : T->mm->start_stack + sizeof (long);
	pr_envp = T->mm == NULL ? 0 : T->mm->start_stack + sizeof (long) *
	    (2 + *(int *)copyin(T->mm->start_stack, sizeof (int)));
	pr_dmodel = PR_MODEL_LP64;
};

typedef struct lwpsinfo {
	int pr_flag;
	id_t pr_lwpid;
	uintptr_t pr_addr;	/* task_struct */
	uintptr_t pr_wchan;
	char pr_stype;
	char pr_state;		/* SSLEEP, SRUN ... */
	char pr_sname;		/* the same as a letter */
	char pr_nice;
	short pr_syscall;
	int pr_pri;
	string pr_clname;	/* scheduling class */
	string pr_name;
	processorid_t pr_onpro;
	processorid_t pr_bindpro;
	int pr_bindpset;
	int pr_lgrp;
} lwpsinfo_t;

translator lwpsinfo_t < struct task_struct *T > {
	pr_flag = T->flags;
	pr_lwpid = T->pid;
	pr_addr = (uintptr_t)T;
	pr_state = T->exit_state & DT_EXIT_ZOMBIE ? SZOMB :
	    T->__state & DT_TASK_STOPPED ? SSTOP :
	    T->__state != DT_TASK_RUNNING ? SSLEEP : T->on_cpu ? SONPROC : SRUN;
	pr_sname = T->exit_state & DT_EXIT_ZOMBIE ? 'Z' :
	    T->__state & DT_TASK_STOPPED ? 'T' :
	    T->__state != DT_TASK_RUNNING ? 'S' : T->on_cpu ? 'O' : 'R';
	pr_nice = T->static_prio - 120;
	pr_pri = T->prio;
	pr_clname = T->policy == SCHED_FIFO || T->policy == SCHED_RR ? "RT" :
	    T->policy == SCHED_DEADLINE ? "DL" : T->policy == SCHED_IDLE ? "IDL" : "TS";
	pr_name = T->comm;
	pr_onpro = T->thread_info.cpu;
	pr_bindpro = T->nr_cpus_allowed == 1 ? (processorid_t)T->thread_info.cpu : -1;
};

inline psinfo_t *curpsinfo = xlate<psinfo_t *>(curthread);
inline lwpsinfo_t *curlwpsinfo = xlate<lwpsinfo_t *>(curthread);
inline struct task_struct *curproc = curthread->group_leader;
inline string cwd = d_path(&curthread->fs->pwd);
inline string root = d_path(&curthread->fs->root);
