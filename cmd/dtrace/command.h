/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - the dtrace command: what its parts share. The command is a consumer of
 * libdtrace like any other and knows no more of it than dtrace.h says.
 *
 *	main.c		the order of things: options, programs, then one of the modes
 *	options.c	the command line
 *	program.c	-P -m -f -n -i -s: compiled, enabled, their stability shown
 *	list.c		-l
 *	static.c	-h and -G
 *	trace.c		the tracing loop, signals, what the library reports meanwhile
 *	print.c		the layout of a record: columns, flow indentation
 *	message.c	output, notices, errors, the end of the process
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "dtrace.h"

/* Exit statuses, as dtrace(1) documents them; a D program may give its own. */
#define STATUS_SUCCESS 0
#define STATUS_ERROR 1
#define STATUS_USAGE 2

typedef enum command_mode {
	MODE_TRACE,
	MODE_LIST,   /* -l */
	MODE_HEADER, /* -h */
	MODE_LINK,   /* -G */
	MODE_VERSION /* -V */
} command_mode_t;

/* One program of the command line, in the order given. */
typedef struct command_program {
	bool is_script;		 /* -s: text is a file name */
	dtrace_probespec_t spec; /* what a bare word names */
	const char *text;	 /* as given */
	char *name; /* for messages: a file, or the text up to its first clause */
	dtrace_prog_t *prog;
} command_program_t;

typedef struct command {
	const char *self; /* argv[0], D's $0 outside a script */
	command_mode_t mode;
	bool compile_only; /* -e */
	bool verbose;	   /* -v */
	bool quiet;	   /* the option's value now: notices, columns */
	bool flowindent;
	bool json; /* the library writes whole lines: nothing of ours goes between */
	unsigned int cflags; /* DTRACE_C_* */
	int status;	     /* for exit(2) */

	dtrace_hdl_t *dtp;
	command_program_t *programs;
	size_t nprograms;
	/* Macro arguments; arguments[0] is $0. NULL ends them. */
	char **arguments;
	int narguments;

	struct ps_prochandle **victims; /* -c and -p */
	size_t nvictims;
	size_t nalive;

	const char *output_path; /* -o */
	FILE *output;
	bool heading_printed;
} command_t;

/* ---- options.c ----------------------------------------------------------- */

/*
 * Options that decide what the command does at all, programs, and macro arguments: read
 * before the library is opened, so that a usage error needs no privilege. True, or false
 * when the usage has been printed.
 */
bool options_read(command_t *, int argc, char *argv[]);
/* The others, which the open handle takes. Fatal on error. */
void options_apply(command_t *, int argc, char *argv[]);

/* ---- program.c ----------------------------------------------------------- */

void program_add(command_t *, dtrace_probespec_t, const char *text);
void program_add_script(command_t *, const char *path);
/* Compile; fatal on error. */
void program_compile(command_t *, command_program_t *);
/* Adds to the enabling (unless -e), says how many probes matched, shows stability. */
void program_enable(command_t *, command_program_t *);
/* Three lines of a stability attribute. */
void print_attribute(command_t *, dtrace_attribute_t);

/* ---- list.c, static.c, trace.c -------------------------------------------- */

void list_probes(command_t *);
/* Write the header, or the object file, of the programs' providers. Fatal on error. */
void static_header(command_t *);
void static_link(command_t *);
/* Sets the handlers of the handle; before processes are made. */
void trace_init(command_t *);
/* Traces until the program, its command or a signal ends it. Fatal on error. */
void trace_run(command_t *);

/* ---- print.c -------------------------------------------------------------- */

dtrace_consume_probe_f print_probe;
dtrace_consume_rec_f print_record;

/* ---- message.c ------------------------------------------------------------ */

/* To the output; fatal when it cannot be written. */
void print(command_t *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Hands out what is buffered. Fatal when it cannot be written. */
void print_flush(command_t *);
/* "dtrace: ..." on stderr, unless quiet. */
void notice(command_t *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same always. A newline is added when the text has none. */
void warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, then closes the handle and ends the process. */
_Noreturn void fatal(command_t *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* fatal() with the library's words for its last error after a colon. */
_Noreturn void fatal_library(command_t *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The library's words for its last error. */
const char *library_words(const command_t *);
void *allocate(command_t *, void *old, size_t count, size_t size);
char *duplicate(command_t *, const char *, size_t length);

#endif
