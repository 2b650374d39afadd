/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - dtrace(1), from the top: read the line, open the library, compile every
 * program, and then list probes or trace. Man page: doc/dtrace.1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

/* The value of the option oformat for "json", in the order that the option names them. */
#define OFORMAT_JSON 1

static bool option_is_set(command_t *command, const char *name)
{
	dtrace_optval_t value;

	return dtrace_getopt(command->dtp, name, &value) == 0 && value != DTRACEOPT_UNSET;
}

/* -h and -G make files for the build of a program, by whoever builds it. */
static bool is_static(const command_t *command)
{
	return command->mode == MODE_HEADER || command->mode == MODE_LINK;
}

static void open_library(command_t *command)
{
	int error;

	command->dtp = dtrace_open(DTRACE_VERSION, is_static(command) ? DTRACE_O_NODEV : 0,
				   &error);
	if (command->dtp == NULL)
		fatal(command, "failed to initialize dtrace: %s",
		      dtrace_errmsg(NULL, error));
	if (dtrace_setopt(command->dtp, "bufsize", "4m") != 0 ||
	    dtrace_setopt(command->dtp, "aggsize", "4m") != 0)
		fatal_library(command, "failed to set default buffer sizes");
}

static void open_output(command_t *command)
{
	if (command->output_path == NULL)
		return;
	command->output = fopen(command->output_path, "a");
	if (command->output == NULL)
		fatal(command, "failed to open output file '%s': %s", command->output_path,
		      strerror(errno));
}

static bool is_json(const command_t *command)
{
	dtrace_optval_t format;

	return dtrace_getopt(command->dtp, "oformat", &format) == 0 && format == OFORMAT_JSON;
}

static void compile_all(command_t *command)
{
	/* A description that matches nothing is told of probe by probe. */
	if (command->mode == MODE_LIST || is_static(command))
		command->cflags |= DTRACE_C_ZDEFS;
	for (size_t i = 0; i < command->nprograms; i++)
		program_compile(command, &command->programs[i]);
	/* Programs set options too, by pragma. */
	command->quiet = option_is_set(command, "quiet");
	command->flowindent = option_is_set(command, "flowindent");
	if (option_is_set(command, "verbose"))
		command->cflags |= DTRACE_C_DIFV;
	command->json = is_json(command);
	if (command->json) {
		command->quiet = true;
		command->flowindent = false;
	}
}

static void run(command_t *command)
{
	switch (command->mode) {
	case MODE_LIST:
		list_probes(command);
		return;
	case MODE_HEADER:
		static_header(command);
		return;
	case MODE_LINK:
		static_link(command);
		return;
	default:
		break;
	}
	for (size_t i = 0; i < command->nprograms; i++)
		program_enable(command, &command->programs[i]);
	if ((command->cflags & DTRACE_C_DIFV) &&
	    dtrace_program_listing(command->dtp, stderr) != 0)
		fatal_library(command, "failed to generate code");
	if (!command->compile_only)
		trace_run(command);
}

static void release(command_t *command)
{
	dtrace_close(command->dtp);
	command->dtp = NULL;
	for (size_t i = 0; i < command->nprograms; i++)
		free(command->programs[i].name);
	free(command->programs);
	free(command->arguments);
	free(command->victims);
}

int main(int argc, char *argv[])
{
	command_t command = {.output = stdout};

	if (!options_read(&command, argc, argv)) {
		release(&command);
		return STATUS_USAGE;
	}
	if (command.mode == MODE_VERSION) {
		print(&command, "dtrace: %s\n", _dtrace_version);
	} else {
		if (command.mode != MODE_LIST && command.nprograms == 0)
			fatal(&command, is_static(&command)
					    ? "no script specified, with the providers' declarations"
					    : "no probes specified");
		open_library(&command);
		trace_init(&command);
		options_apply(&command, argc, argv);
		compile_all(&command);
		if (!is_static(&command))
			open_output(&command);
		run(&command);
	}
	print_flush(&command);
	release(&command);
	return command.status;
}
