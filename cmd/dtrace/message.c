/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c - everything the command says, and how it gives up. Traced data goes to the
 * output (stdout, or the file of -o); whatever is about the tracing goes to stderr with
 * "dtrace: " before it, so that a pipe carries data alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static const char program_name[] = "dtrace";

static void message_write(const char *format, va_list arguments)
{
	size_t length = strlen(format);

	/* The output may be the same terminal or file: keep the order of events. */
	fflush(stdout);
	fprintf(stderr, "%s: ", program_name);
	vfprintf(stderr, format, arguments);
	if (length == 0 || format[length - 1] != '\n')
		fputc('\n', stderr);
}

void warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write(format, arguments);
	va_end(arguments);
}

void notice(command_t *command, const char *format, ...)
{
	va_list arguments;

	if (command->quiet)
		return;
	va_start(arguments, format);
	message_write(format, arguments);
	va_end(arguments);
}

/* Closing the handle lets go of traced processes and ends those the command started. */
static _Noreturn void give_up(command_t *command)
{
	dtrace_close(command->dtp);
	exit(STATUS_ERROR);
}

void fatal(command_t *command, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write(format, arguments);
	va_end(arguments);
	give_up(command);
}

const char *library_words(const command_t *command)
{
	return dtrace_errmsg(command->dtp, dtrace_errno(command->dtp));
}

void fatal_library(command_t *command, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", library_words(command));
	give_up(command);
}

static _Noreturn void output_failed(command_t *command)
{
	int error = errno;

	fatal(command, "failed to write to %s: %s",
	      command->output_path != NULL ? command->output_path : "<stdout>",
	      strerror(error));
}

void print(command_t *command, const char *format, ...)
{
	va_list arguments;
	int written;

	va_start(arguments, format);
	written = vfprintf(command->output, format, arguments);
	va_end(arguments);
	if (written < 0)
		output_failed(command);
}

void print_flush(command_t *command)
{
	if (fflush(command->output) == EOF || ferror(command->output))
		output_failed(command);
}

void *allocate(command_t *command, void *old, size_t count, size_t size)
{
	void *memory = reallocarray(old, count, size);

	if (memory == NULL)
		fatal(command, "out of memory");
	return memory;
}

char *duplicate(command_t *command, const char *text, size_t length)
{
	char *copy = strndup(text, length);

	if (copy == NULL)
		fatal(command, "out of memory");
	return copy;
}
