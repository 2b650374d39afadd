/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - -l: the probes that the programs' descriptions match, or all there are. */
#include "command.h"

static void print_arguments(command_t *command, const dtrace_probeinfo_t *info)
{
	if (info->dtp_argc == 0)
		print(command, "\t\tNone\n");
	for (int i = 0; i < info->dtp_argc; i++)
		print(command, "\t\targs[%d]: %s\n", i, info->dtp_argv[i]);
}

static void print_info(command_t *command, const dtrace_probedesc_t *probe)
{
	dtrace_probeinfo_t info;

	if (dtrace_probe_info(command->dtp, probe, &info) != 0)
		return;
	print(command, "\n\tProbe Description Attributes\n");
	print_attribute(command, info.dtp_attr);
	print(command, "\n\tArgument Attributes\n");
	print_attribute(command, info.dtp_arga);
	print(command, "\n\tArgument Types\n");
	print_arguments(command, &info);
	print(command, "\n");
}

static int list_probe(dtrace_hdl_t *dtp, const dtrace_probedesc_t *probe, void *argument)
{
	command_t *command = argument;

	(void)dtp;
	print(command, "%5u %10s %17s %33s %s\n", probe->dtpd_id, probe->dtpd_provider,
	      probe->dtpd_mod, probe->dtpd_func, probe->dtpd_name);
	if (command->verbose)
		print_info(command, probe);
	return 0;
}

/* A probe that this kernel cannot have. */
static int list_missing(dtrace_hdl_t *dtp, const dtrace_probedesc_t *probe, const char *reason,
			void *argument)
{
	command_t *command = argument;

	(void)dtp;
	print(command, "%5s %10s %17s %33s %s\n\n\tNot Available\n\t\t%s\n\n", "-",
	      probe->dtpd_provider, probe->dtpd_mod, probe->dtpd_func, probe->dtpd_name, reason);
	return 0;
}

/* Those that the pattern means, and with -v those that would be meant. */
static int list_matching(command_t *command, const dtrace_probedesc_t *pattern)
{
	int rv = dtrace_probe_iter(command->dtp, pattern, list_probe, command);

	if (command->verbose)
		(void)dtrace_missing_iter(command->dtp, pattern, list_missing, command);
	return rv;
}

static int list_description(dtrace_hdl_t *dtp, dtrace_prog_t *prog, dtrace_stmtdesc_t *stmt,
			    void *argument)
{
	command_t *command = argument;
	const dtrace_probedesc_t *probe = &stmt->dtsd_ecbdesc->dted_probe;

	(void)dtp;
	(void)prog;
	if (list_matching(command, probe) == 0)
		return 0;
	warning("failed to match %s:%s:%s:%s: %s", probe->dtpd_provider, probe->dtpd_mod,
		probe->dtpd_func, probe->dtpd_name, library_words(command));
	command->status = STATUS_ERROR;
	return 0;
}

void list_probes(command_t *command)
{
	print(command, "%5s %10s %17s %33s %s\n", "ID", "PROVIDER", "MODULE", "FUNCTION",
	      "NAME");
	for (size_t i = 0; i < command->nprograms; i++)
		(void)dtrace_stmt_iter(command->dtp, command->programs[i].prog,
				       list_description, command);
	if (command->nprograms == 0 && list_matching(command, NULL) != 0)
		fatal_library(command, "failed to list probes");
}
