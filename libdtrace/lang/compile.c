/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.c - one compile from beginning to end, and what happens when it fails: whoever
 * finds something wrong calls dt_compile_error(), which comes back here. All that the
 * compile has allocated is in one arena; all that it has told the handle (names, types) has
 * left a note of how to take it back.
 */
#include "lang/compile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "lang/cpp.h"
#include "lang/lex.h"
#include "lang/library.h"
#include "lang/source.h"
#include "types/typetab.h"

#define PROGRAM_MAX (16 << 20) /* bytes of source */

static const char *const errtag_names[] = {
#define DT_ERRTAG(tag, meaning) "D_" #tag,
#include "lang/errtags.def"
#undef DT_ERRTAG
};

dt_errtag_t dt_errtag_find(const char *name)
{
	for (int tag = 0; name != NULL && tag < D_NTAGS; tag++) {
		if (strcmp(errtag_names[tag], name) == 0)
			return (dt_errtag_t)tag;
	}
	return D_SYNTAX;
}

/* ---- For the passes ---------------------------------------------------- */

void dt_compile_error(dt_compile_t *cc, dt_errtag_t tag, int line, int column,
		      const char *format, ...)
{
	dtrace_hdl_t *hdl = cc->hdl;
	const char *name = errtag_names[tag];
	char message[1024], prefix[64] = "", place[300];
	va_list arguments;

	/* What is printed may lie in the handle's own message: format it first. */
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);

	if (cc->cflags & DTRACE_C_ETAGS)
		snprintf(prefix, sizeof(prefix), "[%s] ", name);
	dt_source_place(hdl, line, place, sizeof(place));
	if (tag == D_NOMEM)
		cc->error = EDT_NOMEM;
	dt_set_error(hdl, cc->error != 0 ? cc->error : EDT_COMPILER, "%s%s%s", prefix,
		     place, message);
	snprintf(hdl->errtag, sizeof(hdl->errtag), "%s", name);
	hdl->errline = DT_LINE_NUMBER(line);
	hdl->errcolumn = column;
	hdl->errregion = cc->region;
	longjmp(*cc->unwind, 1);
}

void *dt_compile_alloc(dt_compile_t *cc, size_t size)
{
	void *block = dt_arena_alloc(cc->prog->arena, size);

	if (block == NULL)
		dt_compile_error(cc, D_NOMEM, 0, 0, "out of memory");
	return block;
}

char *dt_compile_strdup(dt_compile_t *cc, const char *text, size_t length)
{
	char *copy = dt_compile_alloc(cc, length + 1);

	memcpy(copy, text, length);
	return copy;
}

dt_node_t *dt_node_new(dt_compile_t *cc, dt_nodekind_t kind, int line, int column)
{
	dt_node_t *node = dt_compile_alloc(cc, sizeof(*node));

	node->kind = kind;
	node->line = line;
	node->column = column;
	return node;
}

void dt_compile_on_error(dt_compile_t *cc, void (*undo)(dtrace_hdl_t *, void *),
			 void *argument)
{
	dt_undo_t *note = dt_arena_alloc(cc->prog->arena, sizeof(*note));

	if (note == NULL) {
		undo(cc->hdl, argument);
		dt_compile_error(cc, D_NOMEM, 0, 0, "out of memory");
	}
	note->undo = undo;
	note->argument = argument;
	note->next = cc->undo;
	cc->undo = note;
}

/* ---- A compile --------------------------------------------------------- */

/* A compile with its program and arena; NULL with the handle's error set. */
static dt_compile_t *compile_begin(dtrace_hdl_t *hdl)
{
	dt_arena_t *arena = dt_arena_create();
	dt_compile_t *cc = arena == NULL ? NULL : dt_arena_alloc(arena, sizeof(*cc));

	if (cc != NULL)
		cc->prog = dt_arena_alloc(arena, sizeof(*cc->prog));
	if (cc == NULL || cc->prog == NULL) {
		dt_arena_destroy(arena);
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	cc->hdl = hdl;
	cc->prog->arena = arena;
	dt_types_set_compile(hdl, cc);
	return cc;
}

static void compile_fail(dt_compile_t *cc)
{
	dt_types_set_compile(cc->hdl, NULL);
	for (dt_undo_t *note = cc->undo; note != NULL; note = note->next)
		note->undo(cc->hdl, note->argument);
	free(cc->preprocessed);
	dt_arena_destroy(cc->prog->arena);
}

/* What dtrace_program_info() tells of the clauses themselves. */
static void gather_info(dtrace_prog_t *prog)
{
	for (const dt_clause_t *clause = prog->clauses; clause != NULL;
	     clause = clause->next) {
		for (const dt_pdesc_t *pdesc = clause->pdescs; pdesc != NULL;
		     pdesc = pdesc->next) {
			prog->info.dpi_aggregates += clause->naggs;
			prog->info.dpi_recgens += clause->records;
		}
	}
}

static dtrace_prog_t *compile_end(dt_compile_t *cc)
{
	dtrace_hdl_t *hdl = cc->hdl;
	dtrace_prog_t *prog = cc->prog;

	dt_types_set_compile(hdl, NULL);
	free(cc->preprocessed);
	prog->cflags = cc->cflags;
	gather_info(prog);
	*hdl->progs_tail = prog;
	hdl->progs_tail = &prog->next;
	return prog;
}

/* What is compiled, and how. */
typedef struct dt_source {
	const char *text;
	size_t length;
	const char *library; /* its name, for a D library; NULL: a program */
	dtrace_probespec_t spec;
	uint32_t cflags;
	int argc;
	char *const *argv;
} dt_source_t;

static void compile_source(dt_compile_t *cc, const dt_source_t *source)
{
	cc->text = source->text;
	cc->length = source->length;
	cc->first_line = 1;
	cc->spec = source->spec;
	cc->cflags = source->cflags | cc->hdl->cflags;
	cc->argc = source->argc;
	cc->argv = source->argv;
	cc->arg_used = dt_compile_alloc(cc, (size_t)source->argc * sizeof(bool) + 1);
	if (source->library != NULL) {
		cc->is_library = true;
		cc->first_line += dt_source_add(cc->hdl, source->library);
		cc->cflags &= ~(uint32_t)(DTRACE_C_CPP | DTRACE_C_PSPEC);
		cc->cflags |= DTRACE_C_EMPTY;
	}
	if (cc->cflags & DTRACE_C_CPP)
		dt_cpp_run(cc);
	dt_parse(cc);
	dt_check(cc);
	dt_macro_check_unused(cc);
	dt_pragma_check_unused(cc);
}

static dtrace_prog_t *compile(dtrace_hdl_t *hdl, const dt_source_t *source)
{
	dt_compile_t *cc = compile_begin(hdl);
	jmp_buf unwind;

	if (cc == NULL)
		return NULL;
	cc->unwind = &unwind;
	if (setjmp(unwind) != 0) {
		/* cc lies in the arena and has not changed since; what it holds is current.
		 */
		compile_fail(cc);
		return NULL;
	}
	compile_source(cc, source);
	return compile_end(cc);
}

/* Text to a checked program; NULL with the handle's error set. */
static dtrace_prog_t *compile_program(dtrace_hdl_t *hdl, const char *text, size_t length,
				      dtrace_probespec_t spec, uint32_t cflags, int argc,
				      char *const argv[])
{
	const dt_source_t source = {.text = text,
				    .length = length,
				    .spec = spec,
				    .cflags = cflags,
				    .argc = argc,
				    .argv = argv};

	if (dt_library_load(hdl, cflags | hdl->cflags) != 0)
		return NULL;
	return compile(hdl, &source);
}

dtrace_prog_t *dt_compile_library(dtrace_hdl_t *hdl, const char *text, size_t length,
				  const char *name, uint32_t cflags)
{
	const dt_source_t source = {.text = text,
				    .length = length,
				    .library = name,
				    .spec = DTRACE_PROBESPEC_NONE,
				    .cflags = cflags};

	return compile(hdl, &source);
}

int dt_compile_run(dtrace_hdl_t *hdl, void (*run)(dt_compile_t *, void *), void *argument)
{
	dt_compile_t *cc = compile_begin(hdl);
	jmp_buf unwind;

	if (cc == NULL)
		return -1;
	cc->unwind = &unwind;
	if (setjmp(unwind) != 0) {
		compile_fail(cc);
		return -1;
	}
	cc->cflags = hdl->cflags;
	run(cc, argument);
	/* What the handle has been told of may lie in the arena. */
	if (cc->undo == NULL)
		compile_fail(cc);
	else
		compile_end(cc);
	return 0;
}

typedef struct dt_typetext {
	const char *text;
	dt_type_t *type;
} dt_typetext_t;

static void run_type(dt_compile_t *cc, void *argument)
{
	dt_typetext_t *text = argument;

	text->type = dt_parse_type(cc, text->text);
}

dt_type_t *dt_compile_type(dtrace_hdl_t *hdl, const char *text)
{
	dt_typetext_t type = {.text = text};

	return dt_compile_run(hdl, run_type, &type) == 0 ? type.type : NULL;
}

/* ---- The public functions ---------------------------------------------- */

static bool arguments_valid(dtrace_hdl_t *hdl, uint_t cflags, int argc, char *const argv[])
{
	if ((cflags & ~(uint_t)DTRACE_C_MASK) == 0 && argc >= 0 &&
	    (argc == 0 || argv != NULL))
		return true;
	dt_set_errno(hdl, EINVAL);
	return false;
}

dtrace_prog_t *dtrace_program_strcompile(dtrace_hdl_t *hdl, const char *text,
					 dtrace_probespec_t spec, uint_t cflags, int argc,
					 char *const argv[])
{
	if (!arguments_valid(hdl, cflags, argc, argv))
		return NULL;
	if (text == NULL || spec < DTRACE_PROBESPEC_NONE || spec > DTRACE_PROBESPEC_NAME) {
		dt_set_errno(hdl, EINVAL);
		return NULL;
	}
	/* Text that does not come from a file may name probes without saying what to do. */
	if (spec == DTRACE_PROBESPEC_NONE)
		spec = DTRACE_PROBESPEC_NAME;
	return compile_program(hdl, text, strlen(text), spec, cflags, argc, argv);
}

/* All of a stream, NUL-terminated; the caller frees it. NULL with the handle's error set.
 */
static char *stream_read(dtrace_hdl_t *hdl, FILE *stream, size_t *length)
{
	size_t room = 4096;
	char *text = malloc(room), *grown;

	for (*length = 0; text != NULL;) {
		*length += fread(text + *length, 1, room - *length - 1, stream);
		text[*length] = '\0';
		if (*length < room - 1 && ferror(stream)) {
			dt_set_errno(hdl, errno != 0 ? errno : EIO);
			free(text);
			return NULL;
		}
		if (*length < room - 1)
			return text;
		if (room >= PROGRAM_MAX) {
			dt_set_error(hdl, EDT_TOOLARGE, "the program is larger than %d MB",
				     PROGRAM_MAX >> 20);
			free(text);
			return NULL;
		}
		room *= 2;
		grown = realloc(text, room);
		if (grown == NULL)
			free(text);
		text = grown;
	}
	dt_set_errno(hdl, EDT_NOMEM);
	return NULL;
}

dtrace_prog_t *dtrace_program_fcompile(dtrace_hdl_t *hdl, FILE *stream, uint_t cflags,
				       int argc, char *const argv[])
{
	dtrace_prog_t *prog;
	size_t length;
	char *text;

	if (!arguments_valid(hdl, cflags, argc, argv))
		return NULL;
	if (stream == NULL) {
		dt_set_errno(hdl, EINVAL);
		return NULL;
	}
	text = stream_read(hdl, stream, &length);
	if (text == NULL)
		return NULL;
	prog = compile_program(hdl, text, length, DTRACE_PROBESPEC_NONE, cflags, argc, argv);
	free(text);
	return prog;
}

void dtrace_program_info(dtrace_hdl_t *hdl, dtrace_prog_t *prog, dtrace_proginfo_t *info)
{
	(void)hdl;
	if (info != NULL)
		*info = prog->info;
}

int dtrace_stmt_iter(dtrace_hdl_t *hdl, dtrace_prog_t *prog, dtrace_stmt_f *function,
		     void *argument)
{
	for (dt_clause_t *clause = prog->clauses; clause != NULL; clause = clause->next) {
		for (dt_pdesc_t *pdesc = clause->pdescs; pdesc != NULL;
		     pdesc = pdesc->next) {
			dtrace_ecbdesc_t ecb = {.dted_probe = pdesc->desc};
			dtrace_stmtdesc_t stmt = {.dtsd_ecbdesc = &ecb,
						  .dtsd_descattr = clause->descattr,
						  .dtsd_stmtattr = clause->stmtattr};
			int result = function(hdl, prog, &stmt, argument);

			if (result != 0)
				return result;
		}
	}
	return 0;
}
