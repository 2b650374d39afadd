/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - the D programs of the command line, from text to the enabling. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static command_program_t *program_new(command_t *command, const char *text)
{
	size_t count = command->nprograms;
	command_program_t *program;

	command->programs =
	    allocate(command, command->programs, count + 1, sizeof(*program));
	program = &command->programs[count];
	command->nprograms = count + 1;
	*program = (command_program_t){.text = text};
	return program;
}

void program_add(command_t *command, dtrace_probespec_t spec, const char *text)
{
	command_program_t *program = program_new(command, text);

	program->spec = spec;
	/* A description is called by its probes alone. */
	program->name = duplicate(command, text, strcspn(text, "{/;"));
}

void program_add_script(command_t *command, const char *path)
{
	command_program_t *program = program_new(command, path);

	program->is_script = true;
	program->spec = DTRACE_PROBESPEC_NONE;
	program->name = duplicate(command, path, strlen(path));
}

/* Macro arguments, $0 among them. With -G the words of the line are objects. */
static int argument_count(const command_t *command)
{
	return command->mode == MODE_LINK ? 1 : command->narguments;
}

static void compile_script(command_t *command, command_program_t *program)
{
	FILE *file = fopen(program->text, "r");
	char *self = command->arguments[0];

	if (file == NULL)
		fatal(command, "failed to open %s: %s", program->text, strerror(errno));
	/* In a script $0 is the script. */
	command->arguments[0] = program->name;
	program->prog = dtrace_program_fcompile(command->dtp, file, command->cflags,
						argument_count(command), command->arguments);
	command->arguments[0] = self;
	fclose(file);
	if (program->prog == NULL)
		fatal_library(command, "failed to compile script %s", program->text);
}

/*
 * A description that is a line has but the one; as in libdtrace the message says which part of
 * the clause is meant: "in action list: failed to resolve x: ...".
 */
static _Noreturn void fatal_description(command_t *command, const char *text)
{
	const char *words = library_words(command), *region = dtrace_errregion(command->dtp);
	const char *line = *words == '[' ? strstr(words, "] ") : NULL;

	line = line != NULL ? line + 2 : words;
	if (strchr(text, '\n') != NULL || strncmp(line, "line 1: ", 8) != 0)
		fatal_library(command, "invalid probe specifier %s", text);
	fatal(command, "invalid probe specifier %s: %.*s%s%s%s%s", text, (int)(line - words), words,
	      region != NULL ? "in " : "", region != NULL ? region : "",
	      region != NULL ? ": " : "", line + 8);
}

void program_compile(command_t *command, command_program_t *program)
{
	if (program->is_script) {
		compile_script(command, program);
		return;
	}
	program->prog = dtrace_program_strcompile(command->dtp, program->text,
						  program->spec, command->cflags,
						  argument_count(command),
						  command->arguments);
	if (program->prog == NULL)
		fatal_description(command, program->text);
}

void print_attribute(command_t *command, dtrace_attribute_t attribute)
{
	print(command, "\t\tIdentifier Names: %s\n",
	      dtrace_stability_name(attribute.dtat_name));
	print(command, "\t\tData Semantics:   %s\n",
	      dtrace_stability_name(attribute.dtat_data));
	print(command, "\t\tDependency Class: %s\n",
	      dtrace_class_name(attribute.dtat_class));
}

static const char *program_kind(const command_program_t *program)
{
	return program->is_script ? "script" : "description";
}

static void print_stability(command_t *command, const command_program_t *program,
			    const dtrace_proginfo_t *info)
{
	print(command, "\nStability data for %s %s:\n", program_kind(program),
	      program->name);
	print(command, "\n\tMinimum probe description attributes\n");
	print_attribute(command, info->dpi_descattr);
	print(command, "\n\tMinimum probe statement attributes\n");
	print_attribute(command, info->dpi_stmtattr);
	print(command, "\n");
}

void program_enable(command_t *command, command_program_t *program)
{
	dtrace_proginfo_t info = {0};

	/* With -S, -e still needs the program in the enabling, to show its code. */
	if (command->compile_only && !(command->cflags & DTRACE_C_DIFV))
		dtrace_program_info(command->dtp, program->prog, &info);
	else if (dtrace_program_exec(command->dtp, program->prog, &info) != 0)
		fatal_library(command, "failed to enable '%s'", program->name);
	else if (!command->compile_only)
		notice(command, "%s '%s' matched %u probe%s", program_kind(program),
		       program->name, info.dpi_matches, info.dpi_matches == 1 ? "" : "s");

	if (command->verbose)
		print_stability(command, program, &info);
}
