/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.c - the processes that a consumer starts or grabs.
 *
 * A created process has to wait after its exec and before its first instruction, until
 * the consumer has instrumented it. Only ptrace(2) stops a process exactly there, but a
 * tracee belongs to the thread that traces it, and in a server with a thread pool the one
 * that creates a process is seldom the one that lets it run. So ptrace is used within
 * dtrace_proc_create() alone: the child asks to be traced, its exec stops it, and the
 * parent detaches while handing it a SIGSTOP. From then on it is an ordinary stopped
 * child, which any thread may continue with SIGCONT, wait for or kill, and which nothing
 * resumes by accident when a thread ends.
 *
 *	child:  fork - TRACEME - execvp ......... (SIGTRAP) ..... (SIGSTOP) ... first
 *	parent:        waitpid ------------------ DETACH(SIGSTOP)  waitpid      instruction
 *
 * The parent waits for that last stop too: a SIGCONT that came earlier would be lost.
 *
 * It is fork(), not vfork(): a traced child that shares our memory and gets a signal
 * before its exec would stop there, and with it the thread that has to resume it. Between
 * fork and exec the child calls only what is safe there in a process of many threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "handle.h"
#include "proc.h"

/* How long a killed process may take to end before nobody waits for it any more. */
#define DT_KILL_WAIT_MS 1000

struct dt_procs {
	struct ps_prochandle *first;
};

/* What a child that could not begin tells its parent. */
typedef struct dt_startfailure {
	bool is_untraceable; /* ptrace refused, not exec */
	int error;
} dt_startfailure_t;

pid_t dt_target_pid(const dtrace_hdl_t *hdl)
{
	return hdl->procs && hdl->procs->first ? hdl->procs->first->shown.dtpr_pid : -1;
}

/* ---- Keeping them ------------------------------------------------------------ */

/* A new entry at the end of the handle's list. NULL with the error set. */
static struct ps_prochandle *dt_proc_new(dtrace_hdl_t *hdl)
{
	if (!hdl->procs)
		hdl->procs = calloc(1, sizeof(*hdl->procs));

	struct ps_prochandle *proc = hdl->procs ? calloc(1, sizeof(*proc)) : NULL;

	if (!proc) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	proc->references = 1;
	proc->pidfd = -1;
	proc->shown.dtpr_pid = -1;

	struct ps_prochandle **tail = &hdl->procs->first;

	while (*tail)
		tail = &(*tail)->next;
	*tail = proc;
	return proc;
}

static void dt_proc_free(dtrace_hdl_t *hdl, struct ps_prochandle *proc)
{
	struct ps_prochandle **link = &hdl->procs->first;

	while (*link && *link != proc)
		link = &(*link)->next;
	if (*link)
		*link = proc->next;
	if (proc->pidfd >= 0)
		close(proc->pidfd);
	free(proc);
}

static int dt_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Whether the process has ended, waiting up to so long; its status is then known if it
 * was our child and nobody else in this program took it. */
static bool dt_proc_check_end(struct ps_prochandle *proc, int timeout_ms)
{
	struct pollfd fd = {.fd = proc->pidfd, .events = POLLIN};

	if (proc->has_ended)
		return true;
	if (proc->pidfd >= 0 && poll(&fd, 1, timeout_ms) <= 0)
		return false;
	if (proc->is_created) {
		int status = 0;
		pid_t pid = waitpid(proc->shown.dtpr_pid, &status, WNOHANG);

		if (pid == 0 || (pid < 0 && errno != ECHILD))
			return false;
		proc->shown.dtpr_status = status;
	} else if (proc->pidfd < 0 && kill(proc->shown.dtpr_pid, 0) == 0) {
		return false;
	}
	proc->has_ended = true;
	return true;
}

size_t dt_procs_descriptors(const dtrace_hdl_t *hdl, struct pollfd *fds, size_t max)
{
	size_t n = 0;

	for (const struct ps_prochandle *proc = hdl->procs ? hdl->procs->first : NULL;
	     proc && n < max; proc = proc->next)
		if (!proc->has_ended && proc->pidfd >= 0)
			fds[n++] = (struct pollfd){.fd = proc->pidfd, .events = POLLIN};
	return n;
}

bool dt_process_has_ended(pid_t pid)
{
	char path[32], program[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, program, sizeof(program)) < 0 && errno == ENOENT;
}

size_t dt_procs_pids(const dtrace_hdl_t *hdl, pid_t *pids, size_t max)
{
	size_t n = 0;

	for (const struct ps_prochandle *proc = hdl->procs ? hdl->procs->first : NULL;
	     proc && n < max; proc = proc->next)
		if (!proc->has_ended)
			pids[n++] = proc->shown.dtpr_pid;
	return n;
}

int dt_procs_poll(dtrace_hdl_t *hdl)
{
	struct ps_prochandle *proc = hdl->procs ? hdl->procs->first : NULL;
	int ended = 0;

	while (proc) {
		if (proc->is_told || !dt_proc_check_end(proc, 0)) {
			proc = proc->next;
			continue;
		}
		proc->is_told = true;
		ended++;
		if (hdl->prochdlr)
			hdl->prochdlr(proc, NULL, hdl->procarg);
		/* From the start: the handler may have released any of them. */
		proc = hdl->procs->first;
	}
	return ended;
}

/* ---- Creating one ------------------------------------------------------------ */

/* The child: from fork to exec. */
static _Noreturn void dt_proc_child(int report, const char *file, char *const argv[])
{
	dt_startfailure_t failure = {0};
	sigset_t none;

	/* What the new program expects to find, whatever its parent (a server that
	 * ignores SIGPIPE, a thread with signals blocked) has made of it. */
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Some programs, Node.js among them, keep even these from their children. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		fcntl(fd, F_SETFD, 0);

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		failure.is_untraceable = true;
	else
		execvp(file, argv);
	failure.error = errno;

	ssize_t written = write(report, &failure, sizeof(failure));
	_exit(written == (ssize_t)sizeof(failure) ? 127 : 126);
}

static pid_t dt_wait(pid_t pid, int *status, int options)
{
	pid_t waited;

	do
		waited = waitpid(pid, status, options);
	while (waited < 0 && errno == EINTR);
	return waited;
}

/* The words for a child that ended before its program began. */
static int dt_proc_start_failed(dtrace_hdl_t *hdl, const char *file, int report)
{
	dt_startfailure_t failure;

	if (read(report, &failure, sizeof(failure)) != (ssize_t)sizeof(failure))
		return dt_set_error(hdl, EDT_PROC, "failed to execute %s: it ended at once",
				    file);
	return dt_set_error(hdl, EDT_PROC, "failed to execute %s: %s%s", file,
			    failure.is_untraceable ? "it cannot be traced: " : "",
			    strerror(failure.error));
}

/* Waits until the child stands stopped in its new program, traced by nobody. */
static int dt_proc_await_exec(dtrace_hdl_t *hdl, pid_t pid, const char *file, int report)
{
	bool is_detached = false;
	int status;

	for (;;) {
		if (dt_wait(pid, &status, is_detached ? WUNTRACED : 0) < 0)
			return dt_set_error(hdl, EDT_PROC, "failed to wait for %s: %s",
					    file, strerror(errno));
		if (!WIFSTOPPED(status))
			return dt_proc_start_failed(hdl, file, report);
		if (is_detached)
			return 0;

		int signal_number = WSTOPSIG(status);

		/* When these fail the child was killed, which the next wait tells. */
		if (signal_number == SIGTRAP)
			is_detached = ptrace(PTRACE_DETACH, pid, NULL, SIGSTOP) == 0;
		else
			ptrace(PTRACE_CONT, pid, NULL, signal_number);
	}
}

/* The new process's id; -1 with the handle's error set. */
static pid_t dt_proc_start(dtrace_hdl_t *hdl, const char *file, char *const argv[])
{
	int report[2];

	if (pipe2(report, O_CLOEXEC) != 0)
		return dt_set_error(hdl, EDT_PROC, "failed to execute %s: %s", file,
				    strerror(errno));
	/* The report is read once the child has ended: it is there, or never comes. */
	fcntl(report[0], F_SETFL, O_NONBLOCK);

	pid_t pid = fork();

	if (pid == 0)
		dt_proc_child(report[1], file, argv);
	close(report[1]);
	if (pid < 0)
		dt_set_error(hdl, EDT_PROC, "failed to execute %s: %s", file,
			     strerror(errno));
	else if (dt_proc_await_exec(hdl, pid, file, report[0]) != 0)
		pid = -1;
	close(report[0]);
	return pid;
}

struct ps_prochandle *dtrace_proc_create(dtrace_hdl_t *hdl, const char *file,
					 char *const argv[])
{
	if (!file || !argv || !argv[0]) {
		dt_set_error(hdl, EDT_PROC, "failed to start a process: no command");
		return NULL;
	}

	struct ps_prochandle *proc = dt_proc_new(hdl);

	if (!proc)
		return NULL;

	pid_t pid = dt_proc_start(hdl, file, argv);

	if (pid < 0) {
		dt_proc_free(hdl, proc);
		return NULL;
	}
	proc->shown.dtpr_pid = pid;
	proc->pidfd = dt_pidfd_open(pid);
	proc->is_created = proc->is_stopped = true;
	return proc;
}

/* ---- Grabbing, continuing, releasing ----------------------------------------- */

static struct ps_prochandle *dt_proc_lookup(const dtrace_hdl_t *hdl, pid_t pid)
{
	struct ps_prochandle *proc = hdl->procs ? hdl->procs->first : NULL;

	while (proc && proc->shown.dtpr_pid != pid)
		proc = proc->next;
	return proc;
}

/* 0 with the process's descriptor, or an errno: it is not there, or is not ours to see. */
static int dt_proc_find(pid_t pid, int *pidfd)
{
	struct pollfd fd = {.events = POLLIN};

	if (pid <= 0)
		return ESRCH;
	fd.fd = dt_pidfd_open(pid);
	if (fd.fd < 0)
		return errno == EINVAL ? ESRCH : errno; /* EINVAL: a thread's id */

	int error = 0;

	if (kill(pid, 0) != 0)
		error = errno;
	else if (poll(&fd, 1, 0) != 0)
		error = ESRCH; /* it has ended; only its parent does not know yet */
	if (error != 0)
		close(fd.fd);
	else
		*pidfd = fd.fd;
	return error;
}

struct ps_prochandle *dtrace_proc_grab(dtrace_hdl_t *hdl, pid_t pid, int flags)
{
	(void)flags; /* how to stop it: it is never stopped */

	struct ps_prochandle *proc = dt_proc_lookup(hdl, pid);

	if (proc) {
		proc->references++;
		return proc;
	}

	int pidfd = -1;
	int error = dt_proc_find(pid, &pidfd);

	if (error != 0) {
		dt_set_error(hdl, EDT_PROC, "failed to grab process %d: %s", (int)pid,
			     strerror(error));
		return NULL;
	}
	proc = dt_proc_new(hdl);
	if (!proc) {
		close(pidfd);
		return NULL;
	}
	proc->shown.dtpr_pid = pid;
	proc->pidfd = pidfd;
	return proc;
}

pid_t dtrace_proc_getpid(dtrace_hdl_t *hdl, struct ps_prochandle *proc)
{
	(void)hdl;
	return proc->shown.dtpr_pid;
}

void dtrace_proc_continue(dtrace_hdl_t *hdl, struct ps_prochandle *proc)
{
	(void)hdl;
	if (!proc->is_stopped)
		return;
	proc->is_stopped = false;
	kill(proc->shown.dtpr_pid, SIGCONT);
}

/*
 * A created process lives no longer than its handle: it is killed and waited for, so that
 * it leaves no zombie behind in a long-lived program. A grabbed one is left alone.
 */
void dtrace_proc_release(dtrace_hdl_t *hdl, struct ps_prochandle *proc)
{
	if (--proc->references > 0)
		return;
	if (proc->is_created && !dt_proc_check_end(proc, 0)) {
		kill(proc->shown.dtpr_pid, SIGKILL);
		dt_proc_check_end(proc, DT_KILL_WAIT_MS);
	}
	dt_proc_free(hdl, proc);
}

void dt_procs_fini(dtrace_hdl_t *hdl)
{
	if (!hdl->procs)
		return;
	while (hdl->procs->first) {
		hdl->procs->first->references = 1;
		dtrace_proc_release(hdl, hdl->procs->first);
	}
	free(hdl->procs);
	hdl->procs = NULL;
}
