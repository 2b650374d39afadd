/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the command line. Options and macro arguments may stand in any order, as
 * in `dtrace -n '...' $$1 -q`, so getopt(3) is started again after each argument that is
 * not an option.
 *
 * One table says everything of an option. The line is read twice: first what needs no
 * library (EARLY), so that mistakes are told before anything is opened; then, in the order
 * given, what goes to the open handle (LATE).
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

typedef enum stage { EARLY, LATE } stage_t;

typedef struct option option_t;

struct option {
	char letter;
	bool has_argument;
	stage_t stage;
	void (*apply)(command_t *, const option_t *, const char *argument);
	const char *name; /* of the library's option, or what cannot be had */
	int value;	  /* a flag, a mode, a probespec */
};

static void apply_mode(command_t *command, const option_t *option, const char *argument)
{
	(void)argument;
	command->mode = option->value;
}

static void apply_cflag(command_t *command, const option_t *option, const char *argument)
{
	(void)argument;
	command->cflags |= (unsigned int)option->value;
}

static void apply_compile_only(command_t *command, const option_t *option,
			       const char *argument)
{
	(void)option;
	(void)argument;
	command->compile_only = true;
}

static void apply_verbose(command_t *command, const option_t *option, const char *argument)
{
	(void)option;
	(void)argument;
	command->verbose = true;
}

static void apply_output(command_t *command, const option_t *option, const char *argument)
{
	(void)option;
	command->output_path = argument;
}

static void apply_program(command_t *command, const option_t *option, const char *argument)
{
	program_add(command, (dtrace_probespec_t)option->value, argument);
}

static void apply_script(command_t *command, const option_t *option, const char *argument)
{
	(void)option;
	program_add_script(command, argument);
}

static void apply_unavailable(command_t *command, const option_t *option,
			      const char *argument)
{
	(void)argument;
	fatal(command, "option -%c is not available: %s", option->letter, option->name);
}

static void apply_library(command_t *command, const option_t *option, const char *argument)
{
	if (dtrace_setopt(command->dtp, option->name, argument) == 0)
		return;
	if (argument == NULL)
		fatal_library(command, "failed to set -%c", option->letter);
	fatal_library(command, "failed to set -%c %s", option->letter, argument);
}

static void apply_json(command_t *command, const option_t *option, const char *argument)
{
	(void)argument;
	apply_library(command, option, "json");
}

/* -x name or -x name=value */
static void apply_any(command_t *command, const option_t *option, const char *argument)
{
	const char *equals = strchr(argument, '=');
	size_t length = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
	char *name = duplicate(command, argument, length);

	(void)option;
	if (dtrace_setopt(command->dtp, name, equals != NULL ? equals + 1 : NULL) != 0)
		fatal_library(command, "failed to set -x %s", argument);
	free(name);
}

static void add_victim(command_t *command, struct ps_prochandle *victim)
{
	size_t count = command->nvictims + 1;

	command->victims =
	    allocate(command, command->victims, count, sizeof(struct ps_prochandle *));
	command->victims[command->nvictims] = victim;
	command->nvictims = count;
	command->nalive++;
}

static void apply_pid(command_t *command, const option_t *option, const char *argument)
{
	struct ps_prochandle *victim;
	char *end;
	long pid;

	(void)option;
	errno = 0;
	pid = strtol(argument, &end, 10);
	if (errno != 0 || end == argument || *end != '\0' || pid <= 0 || (pid_t)pid != pid)
		fatal(command, "invalid pid: %s", argument);
	victim = dtrace_proc_grab(command->dtp, (pid_t)pid, 0);
	if (victim == NULL)
		fatal(command, "%s", library_words(command));
	add_victim(command, victim);
}

/*
 * The next word of a command, unquoted, or NULL. Words are separated by blanks; single
 * and double quotes and backslashes work as in a shell, and nothing else does.
 */
static char *next_word(command_t *command, const char **text)
{
	const char *p = *text;
	char quote = '\0';
	char *word, *out;

	while (isspace((unsigned char)*p))
		p++;
	if (*p == '\0')
		return NULL;
	word = out = allocate(command, NULL, strlen(p) + 1, 1);
	for (; *p != '\0' && (quote != '\0' || !isspace((unsigned char)*p)); p++) {
		if (*p == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else {
			if (*p == '\\' && quote != '\'' && p[1] != '\0')
				p++;
			*out++ = *p;
		}
	}
	if (quote != '\0')
		fatal(command, "unmatched %c in the command of -c", quote);
	*out = '\0';
	*text = p;
	return word;
}

static void apply_command(command_t *command, const option_t *option, const char *argument)
{
	struct ps_prochandle *victim;
	char **words = NULL, *word;
	size_t count = 0;

	(void)option;
	do {
		word = next_word(command, &argument);
		words = allocate(command, words, count + 1, sizeof(char *));
		words[count++] = word;
	} while (word != NULL);
	if (words[0] == NULL)
		fatal(command, "-c needs a command");

	victim = dtrace_proc_create(command->dtp, words[0], words);
	if (victim == NULL)
		fatal(command, "%s", library_words(command));
	add_victim(command, victim);
	while (count > 0)
		free(words[--count]);
	free(words);
}

/* -32 and -64: getopt(3) sees -3 with the argument 2, and -6 with 4. */
static void apply_model(command_t *command, const option_t *option, const char *argument)
{
	if (strcmp(argument, option->name) != 0)
		fatal(command, "illegal option -- %c%s", option->letter, argument);
	if (option->value != (int)(8 * sizeof(void *)))
		fatal(command,
		      "option -%d is not available: programs have the data model of the "
		      "kernel, %d bits",
		      option->value, (int)(8 * sizeof(void *)));
}

#define ANONYMOUS                                                                          \
	"the kernel keeps nothing to trace before a process asks for it, so there is no "  \
	"anonymous tracing"

static const option_t options[] = {
    {'3', true, EARLY, apply_model, "2", 32},
    {'6', true, EARLY, apply_model, "4", 64},
    {'a', false, EARLY, apply_unavailable, ANONYMOUS, 0},
    {'A', false, EARLY, apply_unavailable, ANONYMOUS, 0},
    {'b', true, LATE, apply_library, "bufsize", 0},
    {'B', false, EARLY, apply_unavailable, "no manual gives it a meaning; -b sets buffers' size",
     0},
    {'c', true, LATE, apply_command, NULL, 0},
    {'C', false, EARLY, apply_cflag, NULL, DTRACE_C_CPP},
    {'D', true, LATE, apply_library, "define", 0},
    {'e', false, EARLY, apply_compile_only, NULL, 0},
    {'f', true, EARLY, apply_program, NULL, DTRACE_PROBESPEC_FUNC},
    {'F', false, LATE, apply_library, "flowindent", 0},
    {'G', false, EARLY, apply_mode, NULL, MODE_LINK},
    {'h', false, EARLY, apply_mode, NULL, MODE_HEADER},
    {'H', false, LATE, apply_library, "cpphdrs", 0},
    {'i', true, EARLY, apply_program, NULL, DTRACE_PROBESPEC_NAME},
    {'I', true, LATE, apply_library, "incdir", 0},
    {'j', false, LATE, apply_json, "oformat", 0},
    {'l', false, EARLY, apply_mode, NULL, MODE_LIST},
    {'L', true, LATE, apply_library, "libdir", 0},
    {'m', true, EARLY, apply_program, NULL, DTRACE_PROBESPEC_MOD},
    {'n', true, EARLY, apply_program, NULL, DTRACE_PROBESPEC_NAME},
    {'o', true, EARLY, apply_output, NULL, 0},
    {'p', true, LATE, apply_pid, NULL, 0},
    {'P', true, EARLY, apply_program, NULL, DTRACE_PROBESPEC_PROVIDER},
    {'q', false, LATE, apply_library, "quiet", 0},
    {'s', true, EARLY, apply_script, NULL, 0},
    {'S', false, EARLY, apply_cflag, NULL, DTRACE_C_DIFV},
    {'U', true, LATE, apply_library, "undef", 0},
    {'v', false, EARLY, apply_verbose, NULL, 0},
    {'V', false, EARLY, apply_mode, NULL, MODE_VERSION},
    {'w', false, LATE, apply_library, "destructive", 0},
    {'x', true, LATE, apply_any, NULL, 0},
    {'X', true, LATE, apply_library, "stdc", 0},
    {'Z', false, EARLY, apply_cflag, NULL, DTRACE_C_ZDEFS},
};

#define NOPTIONS (sizeof(options) / sizeof(options[0]))

static const char usage_text[] =
    "Usage: dtrace [-64] [-CeFHjlqSvVwZ] [-b size] [-c command] [-D name[=value]]\n"
    "              [-I directory] [-L directory] [-o file] [-p pid] [-U name]\n"
    "              [-x option[=value]] [-X a|c|s|t] program ... [argument ...]\n"
    "       dtrace -h -s script [-o header]\n"
    "       dtrace -G -s script [-o object] [object ...]\n"
    "\n"
    "A program is one of, each as often as needed:\n"
    "  -P provider[clause]\n"
    "  -m [provider:]module[clause]\n"
    "  -f [[provider:]module:]function[clause]\n"
    "  -n [[[provider:]module:]function:]name[clause]\n"
    "  -i probe-id[clause]\n"
    "  -s script\n"
    "and a clause is [/predicate/] [{ statements }]. Arguments are $1, $2 ...\n"
    "\n"
    "  -b  size of a trace buffer, with k, m or g\n"
    "  -c  run the command, trace until it ends; $target is its pid\n"
    "  -C  run programs through the C preprocessor\n"
    "  -D  define a name for the preprocessor\n"
    "  -e  compile, then exit without tracing\n"
    "  -F  indent output by function entry and return\n"
    "  -G  make the object file of static probes, to be linked\n"
    "  -h  make the C header of static probes\n"
    "  -H  print the names of included files\n"
    "  -I  search the directory for included files\n"
    "  -j  print one JSON object a line\n"
    "  -l  list the probes that match, or all\n"
    "  -L  search the directory for D libraries\n"
    "  -o  append output to the file; with -G and -h, the file to make\n"
    "  -p  trace until the process ends; $target is its pid\n"
    "  -q  print only what the program itself prints\n"
    "  -S  show the code that is generated\n"
    "  -U  undefine a name for the preprocessor\n"
    "  -v  show stability, and with -l arguments\n"
    "  -V  print the version\n"
    "  -w  permit destructive actions\n"
    "  -x  set an option of the compiler or of tracing\n"
    "  -X  how the preprocessor obeys the C standard\n"
    "  -Z  permit descriptions that match no probe\n";

static const option_t *option_find(int letter)
{
	for (size_t i = 0; i < NOPTIONS; i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

/* What getopt(3) wants. '+': stop at the first argument; ':' errors are ours to tell. */
static void option_letters(char letters[2 * NOPTIONS + 3])
{
	*letters++ = '+';
	*letters++ = ':';
	for (size_t i = 0; i < NOPTIONS; i++) {
		*letters++ = options[i].letter;
		if (options[i].has_argument)
			*letters++ = ':';
	}
	*letters = '\0';
}

static bool usage(void)
{
	fputs(usage_text, stderr);
	return false;
}

static void add_argument(command_t *command, char *argument)
{
	command->arguments = allocate(command, command->arguments,
				      (size_t)command->narguments + 2, sizeof(char *));
	command->arguments[command->narguments++] = argument;
	command->arguments[command->narguments] = NULL;
}

static bool read_option(command_t *command, int letter, stage_t stage)
{
	const option_t *option = option_find(letter);

	if (option == NULL) {
		warning(letter == ':' ? "option requires an argument -- %c"
				      : "illegal option -- %c",
			optopt);
		return false;
	}
	if (option->stage == stage)
		option->apply(command, option, option->has_argument ? optarg : NULL);
	return true;
}

/*
 * One reading of the line. False: not one of our options, told on stderr. getopt(3) takes
 * the first word for the command's name, so each argument stands for it in the words that
 * follow, and -- ends the options before the next argument only.
 */
static bool read_line(command_t *command, int argc, char *argv[], stage_t stage)
{
	char letters[2 * NOPTIONS + 3];
	int letter;

	option_letters(letters);
	while (argc > 0) {
		optind = 0; /* glibc: begin anew */
		while ((letter = getopt(argc, argv, letters)) != -1)
			if (!read_option(command, letter, stage))
				return false;
		argc -= optind;
		argv += optind;
		if (stage == EARLY && argc > 0)
			add_argument(command, argv[0]);
	}
	return true;
}

bool options_read(command_t *command, int argc, char *argv[])
{
	add_argument(command, argv[0]);
	if (argc <= 1 || !read_line(command, argc, argv, EARLY))
		return usage();
	return true;
}

void options_apply(command_t *command, int argc, char *argv[])
{
	(void)read_line(command, argc, argv, LATE);
}
