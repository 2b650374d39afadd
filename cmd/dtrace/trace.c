/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - the tracing loop: sleep until there is work, do it, until the program exits,
 * the traced processes have ended or a signal asks to stop. However it ends, END fires,
 * what it traced is printed and the aggregations after it. A second signal ends at once.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "command.h"

/* How many signals have asked to end. All that a signal handler may touch. */
static volatile sig_atomic_t interrupts;

static void count_interrupt(int signal_number)
{
	(void)signal_number;
	interrupts = interrupts + 1;
}

static bool is_impatient(void)
{
	return interrupts > 1;
}

/* A signal that the caller had ignored (nohup, a shell's background job) stays ignored. */
static void catch_signal(int number)
{
	struct sigaction action = {.sa_handler = count_interrupt}, old;

	sigemptyset(&action.sa_mask);
	if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		(void)sigaction(number, &action, NULL);
}

/* The library's messages are lines; a warning ends its line itself. */
static void report(const char *message)
{
	warning("%.*s", (int)strcspn(message, "\n"), message);
}

static int report_error(const dtrace_errdata_t *data, void *argument)
{
	(void)argument;
	report(data->dteda_msg);
	return DTRACE_HANDLE_OK;
}

static int report_drop(const dtrace_dropdata_t *data, void *argument)
{
	(void)argument;
	report(data->dtdda_msg);
	return DTRACE_HANDLE_OK;
}

static int follow_option(const dtrace_setoptdata_t *data, void *argument)
{
	command_t *command = argument;
	bool on = data->dtsda_newval != DTRACEOPT_UNSET;

	if (strcmp(data->dtsda_option, "quiet") == 0)
		command->quiet = on;
	else if (strcmp(data->dtsda_option, "flowindent") == 0)
		command->flowindent = on;
	return DTRACE_HANDLE_OK;
}

static void report_end(command_t *command, const dtrace_proc_t *process)
{
	int pid = process->dtpr_pid, status = process->dtpr_status;

	if (WIFSIGNALED(status))
		notice(command, "pid %d terminated by SIG%s", pid,
		       sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		notice(command, "pid %d exited with status %d", pid, WEXITSTATUS(status));
	else
		notice(command, "pid %d has exited", pid);
}

/* With a message: something about a traced process. Without: it has ended. */
static void report_process(struct ps_prochandle *victim, const char *message,
			   void *argument)
{
	command_t *command = argument;
	const dtrace_proc_t *process = (const dtrace_proc_t *)victim;

	if (message != NULL) {
		notice(command, "pid %d: %s", (int)process->dtpr_pid, message);
		return;
	}
	report_end(command, process);
	command->nalive--;
}

void trace_init(command_t *command)
{
	dtrace_hdl_t *dtp = command->dtp;

	if (dtrace_handle_err(dtp, report_error, command) != 0 ||
	    dtrace_handle_drop(dtp, report_drop, command) != 0 ||
	    dtrace_handle_proc(dtp, report_process, command) != 0 ||
	    dtrace_handle_setopt(dtp, follow_option, command) != 0)
		fatal_library(command, "failed to set up reporting");
}

static bool trace_is_over(const command_t *command)
{
	return interrupts > 0 || (command->nvictims > 0 && command->nalive == 0);
}

/* One turn; true when tracing has stopped by itself. */
static bool trace_work(command_t *command)
{
	dtrace_workstatus_t status =
	    dtrace_work(command->dtp, command->output, print_probe, print_record, command);

	if (status == DTRACE_WORKSTATUS_ERROR && !is_impatient() &&
	    dtrace_errno(command->dtp) != EINTR)
		fatal_library(command, "processing aborted");
	print_flush(command);
	return status == DTRACE_WORKSTATUS_DONE;
}

static void trace_stop(command_t *command)
{
	/* The terminal shows ^C where the output stands. */
	if (interrupts > 0 && !command->json)
		print(command, "\n");
	if (dtrace_stop(command->dtp) != 0)
		fatal_library(command, "couldn't stop tracing");
	/* What was traced since the last turn, and by END. */
	(void)trace_work(command);
}

/* Sizes that the library may lower when the kernel has not so much memory. */
static const struct {
	const char *option, *what;
} sizes[] = {
    {"bufsize", "buffer size"},
    {"aggsize", "aggregation size"},
    {"specsize", "speculation size"},
    {"dynvarsize", "dynamic variable size"},
};
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

static void read_sizes(command_t *command, dtrace_optval_t *values)
{
	for (size_t i = 0; i < NSIZES; i++)
		if (dtrace_getopt(command->dtp, sizes[i].option, &values[i]) != 0)
			fatal_library(command, "couldn't read option %s", sizes[i].option);
}

/* A size as options have it, with the largest suffix that leaves a whole number. */
static void size_text(dtrace_optval_t size, char *text, size_t room)
{
	static const char suffixes[] = {'\0', 'k', 'm', 'g'};
	size_t i = 0;

	for (; i + 1 < sizeof(suffixes) && size != 0 && size % 1024 == 0; i++)
		size /= 1024;
	snprintf(text, room, i > 0 ? "%lld%c" : "%lld", (long long)size, suffixes[i]);
}

static void report_sizes(command_t *command, const dtrace_optval_t *before)
{
	dtrace_optval_t after[NSIZES], silent;

	read_sizes(command, after);
	if (dtrace_getopt(command->dtp, "quietresize", &silent) == 0 &&
	    silent != DTRACEOPT_UNSET)
		return;
	for (size_t i = 0; i < NSIZES; i++) {
		char text[32];

		if (after[i] >= before[i])
			continue;
		size_text(after[i], text, sizeof(text));
		notice(command, "%s lowered to %s", sizes[i].what, text);
	}
}

void trace_run(command_t *command)
{
	dtrace_optval_t destructive, before[NSIZES];

	if (dtrace_getopt(command->dtp, "destructive", &destructive) == 0 &&
	    destructive != DTRACEOPT_UNSET)
		notice(command, "allowing destructive actions");
	read_sizes(command, before);
	if (dtrace_go(command->dtp) != 0)
		fatal_library(command, "could not enable tracing");
	report_sizes(command, before);
	catch_signal(SIGINT);
	catch_signal(SIGTERM);
	for (size_t i = 0; i < command->nvictims; i++)
		dtrace_proc_continue(command->dtp, command->victims[i]);

	while (!trace_work(command) && !trace_is_over(command))
		dtrace_sleep(command->dtp);
	trace_stop(command);

	if (!command->json)
		print(command, "\n");
	if (!is_impatient() &&
	    dtrace_aggregate_print(command->dtp, command->output, NULL) != 0 &&
	    dtrace_errno(command->dtp) != EINTR)
		fatal_library(command, "failed to print aggregations");
	print_flush(command);
}
