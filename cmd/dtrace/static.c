/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static.c - -h and -G: what the build of a C program with static probes makes of its
 * providers' declarations. Both only compile, so they need no privilege and no kernel that
 * could trace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

/*
 * "probes.o" for the script ../src/probes.d. NULL: not one script, or of another name. The
 * caller frees it.
 */
static char *name_after_script(command_t *command, const char *suffix)
{
	const command_program_t *program = &command->programs[0];
	const char *slash = strrchr(program->text, '/');
	const char *base = slash != NULL ? slash + 1 : program->text;
	size_t length = strlen(base);
	char *name;

	if (command->nprograms != 1 || !program->is_script || length <= 2 ||
	    strcmp(base + length - 2, ".d") != 0)
		return NULL;
	name = duplicate(command, base, length);
	strcpy(name + length - 2, suffix);
	return name;
}

/* Takes away what has been begun. What is no file, /dev/null say, stays. */
static void remove_file(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
}

void static_header(command_t *command)
{
	char *after = command->output_path == NULL ? name_after_script(command, ".h") : NULL;
	const char *path = after != NULL ? after : command->output_path;
	FILE *fp;
	int rv;

	if (path == NULL)
		fatal(command, "-h needs the name of the header (-o), unless there is one script "
			       "and its name ends in .d");
	fp = fopen(path, "w");
	if (fp == NULL)
		fatal(command, "failed to open header file '%s': %s", path, strerror(errno));
	rv = dtrace_program_header(command->dtp, fp, path);
	if (fclose(fp) != 0 && rv == 0) {
		int error = errno;

		remove_file(path);
		fatal(command, "failed to write to %s: %s", path, strerror(error));
	}
	if (rv != 0) {
		remove_file(path);
		fatal_library(command, "failed to create header file %s", path);
	}
	free(after);
}

void static_link(command_t *command)
{
	char *after = command->output_path == NULL ? name_after_script(command, ".o") : NULL;
	const char *path = after != NULL ? after : command->output_path;

	/* The arguments are objects; the first is the command's own name. */
	for (size_t i = 0; i < command->nprograms; i++) {
		if (dtrace_program_link(command->dtp, command->programs[i].prog, 0, path,
					command->narguments - 1, command->arguments + 1) != 0)
			fatal_library(command, "failed to link %s %s",
				      command->programs[i].is_script ? "script" : "program",
				      command->programs[i].name);
	}
	free(after);
}
