/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpp.c - runs the C preprocessor as a child: no shell, no file with a name, no change to
 * signals. The program is in memory that the child reads as its standard input, and what
 * the child complains of goes to memory too, so only its output needs to be waited for.
 *
 * The macros of D are those that programs for DTrace expect: __SUNW_D, __SUNW_D_VERSION,
 * and what the compiler predefines for the machine; but not linux and unix, which are
 * names that a D program may well use.
 */
#include "lang/cpp.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle.h"
#include "lang/source.h"
#include "readall.h"

#define OUTPUT_MAX (64 << 20) /* bytes */
#define ARGS_FIXED 20

extern char **environ;

/* A child and the descriptors that it is given; -1: none. */
typedef struct cpp {
	dt_compile_t *cc;
	char **argv;
	int input, output, errors;
	int read_end; /* of the pipe whose other end is output */
	pid_t pid;
	int status;
} cpp_t;

/* ---- Arguments -------------------------------------------------------------- */

static char *argument(dt_compile_t *cc, const char *before, const char *text)
{
	size_t length = strlen(before) + strlen(text);
	char *joined = dt_compile_alloc(cc, length + 1);

	snprintf(joined, length + 1, "%s%s", before, text);
	return joined;
}

static const char *option_letter(dt_option_t option)
{
	return option == DT_OPT_DEFINE ? "-D" : option == DT_OPT_UNDEF ? "-U" : "-I";
}

static void make_arguments(cpp_t *cpp, const char *program)
{
	dt_compile_t *cc = cpp->cc;
	const dtrace_hdl_t *hdl = cc->hdl;
	size_t n = ARGS_FIXED, i = 0;
	char **argv;

	for (const dt_cpparg_t *arg = hdl->cppargs; arg != NULL; arg = arg->next)
		n++;
	argv = dt_compile_alloc(cc, n * sizeof(*argv));
	argv[i++] = argument(cc, program, "");
	if (hdl->options[DT_OPT_CPPHDRS] != DTRACEOPT_UNSET)
		argv[i++] = argument(cc, "-H", "");
	argv[i++] = argument(cc, "-Ulinux", "");
	argv[i++] = argument(cc, "-Uunix", "");
	argv[i++] = argument(cc, "-D__SUNW_D=1", "");
	argv[i++] = argument(cc, "-D__SUNW_D_VERSION=0x00020000", "");
	/* The system's headers say without GCC's extensions to C what D can read. */
	argv[i++] = argument(cc, "-U__GNUC__", "");
	argv[i++] = argument(cc, "-D__signed__=signed", "");
	argv[i++] = argument(cc, "-D__inline__=inline", "");
	argv[i++] = argument(cc, "-D__builtin_va_list=void *", "");
	for (const dt_cpparg_t *arg = hdl->cppargs; arg != NULL; arg = arg->next)
		argv[i++] = argument(cc, option_letter(arg->option), arg->text);
	argv[i++] = argument(cc, "-xc", "");
	argv[i++] = argument(cc, "-", "");
	cpp->argv = argv;
}

/* ---- The child --------------------------------------------------------------- */

/* The descriptor, moved out of the way of those that a child begins with. */
static int above_standard(int fd)
{
	int moved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return moved;
}

static bool write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		length -= (size_t)n;
	}
	return true;
}

/* The program's text, but for a first line that names its interpreter. */
static bool fill_input(const cpp_t *cpp)
{
	const char *text = cpp->cc->text;
	size_t length = cpp->cc->length, skip = 0;

	if (length >= 2 && text[0] == '#' && text[1] == '!')
		skip = strcspn(text, "\n");
	return write_all(cpp->input, text + skip, length - skip) &&
	       lseek(cpp->input, 0, SEEK_SET) == 0;
}

static bool open_descriptors(cpp_t *cpp)
{
	int ends[2];

	cpp->input = above_standard(memfd_create("d-program", MFD_CLOEXEC));
	cpp->errors = above_standard(memfd_create("cpp-errors", MFD_CLOEXEC));
	if (cpp->input < 0 || cpp->errors < 0 || pipe2(ends, O_CLOEXEC) != 0)
		return false;
	cpp->read_end = above_standard(ends[0]);
	cpp->output = above_standard(ends[1]);
	return cpp->read_end >= 0 && cpp->output >= 0 && fill_input(cpp);
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_descriptors(cpp_t *cpp)
{
	close_descriptor(&cpp->input);
	close_descriptor(&cpp->output);
	close_descriptor(&cpp->errors);
	close_descriptor(&cpp->read_end);
}

/* 0, or an errno. */
static int start(cpp_t *cpp)
{
	bool shows_headers = cpp->cc->hdl->options[DT_OPT_CPPHDRS] != DTRACEOPT_UNSET;
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	error = posix_spawn_file_actions_adddup2(&actions, cpp->input, STDIN_FILENO);
	if (error == 0)
		error =
		    posix_spawn_file_actions_adddup2(&actions, cpp->output, STDOUT_FILENO);
	/* What -H prints is meant for the user's eyes. */
	if (error == 0 && !shows_headers)
		error =
		    posix_spawn_file_actions_adddup2(&actions, cpp->errors, STDERR_FILENO);
	if (error == 0)
		error = posix_spawnp(&cpp->pid, cpp->argv[0], &actions, NULL, cpp->argv,
				     environ);
	posix_spawn_file_actions_destroy(&actions);
	close_descriptor(&cpp->output);
	return error;
}

/* A process that ignores SIGCHLD is told nothing: then the output must speak for itself. */
static void await(cpp_t *cpp)
{
	pid_t pid;

	do
		pid = waitpid(cpp->pid, &cpp->status, 0);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		cpp->status = 0;
}

/* ---- What went wrong ------------------------------------------------------------- */

/*
 * The first error among what cpp has printed: "<stdin>:3:10: fatal error: words". It is
 * raised at its own place.
 */
static void raise_first_error(dt_compile_t *cc, const char *text)
{
	const char *error = strstr(text, "error: "), *line = error;
	char file[256], words[512];
	int number = 0, column = 0;

	if (error == NULL)
		return;
	while (line > text && line[-1] != '\n')
		line--;
	snprintf(words, sizeof(words), "%.*s", (int)strcspn(error + 7, "\n"), error + 7);
	if (sscanf(line, "%255[^:]:%d:%d:", file, &number, &column) < 2)
		number = column = 0;
	else if (file[0] != '<')
		number += dt_source_add(cc->hdl, file);
	dt_compile_error(cc, D_CPP_ERR, number, column, "preprocessor: %s", words);
}

static _Noreturn void raise_failure(cpp_t *cpp)
{
	dt_compile_t *cc = cpp->cc;
	const char *program = cpp->argv[0];
	size_t length = 0;
	char *text = NULL, *copy;

	if (lseek(cpp->errors, 0, SEEK_SET) == 0)
		text = dt_read_all(cpp->errors, OUTPUT_MAX, &length);
	close_descriptors(cpp);
	if (text != NULL) {
		copy = dt_arena_strndup(cc->prog->arena, text, length);
		free(text);
		if (copy != NULL)
			raise_first_error(cc, copy);
	}
	if (WIFSIGNALED(cpp->status))
		dt_compile_error(
		    cc, D_CPP_ERR, 0, 0,
		    "failed to preprocess the program: %s was ended by signal %d", program,
		    WTERMSIG(cpp->status));
	dt_compile_error(cc, D_CPP_ERR, 0, 0,
			 "failed to preprocess the program: %s ended with status %d",
			 program, WEXITSTATUS(cpp->status));
}

static _Noreturn void raise_errno(cpp_t *cpp, const char *what, int error)
{
	close_descriptors(cpp);
	dt_compile_error(cpp->cc, D_CPP_ERR, 0, 0,
			 "failed to preprocess the program: %s%s%s", what,
			 *what != '\0' ? ": " : "", strerror(error));
}

void dt_cpp_run(dt_compile_t *cc)
{
	cpp_t cpp = {.cc = cc, .input = -1, .output = -1, .errors = -1, .read_end = -1};
	const char *path = cc->hdl->stroptions[DT_OPT_CPPPATH];
	size_t length = 0;
	char *text;
	int error;

	if (!open_descriptors(&cpp))
		raise_errno(&cpp, "", errno);
	make_arguments(&cpp, path != NULL ? path : "cpp");
	error = start(&cpp);
	if (error != 0)
		raise_errno(&cpp, cpp.argv[0], error);
	text = dt_read_all(cpp.read_end, OUTPUT_MAX, &length);
	error = errno;
	close_descriptor(&cpp.read_end); /* ends a child that still writes */
	await(&cpp);
	cc->preprocessed = text;
	if (text == NULL)
		raise_errno(&cpp, cpp.argv[0], error);
	if (cpp.status != 0)
		raise_failure(&cpp);
	close_descriptors(&cpp);
	cc->text = text;
	cc->length = length;
}
