/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - the names of the files that lines belong to; see source.h. */
#include "lang/source.h"

#include <stdio.h>
#include <string.h>

#include "handle.h"

#define FILES_MAX ((1 << (31 - DT_LINE_BITS)) - 1)

struct dt_sources {
	uint32_t count;
	const char *names[FILES_MAX]; /* file number - 1 */
};

int dt_source_add(dtrace_hdl_t *hdl, const char *name)
{
	struct dt_sources *sources = hdl->sources;
	uint32_t i;

	if (sources == NULL)
		sources = hdl->sources = dt_arena_alloc(hdl->arena, sizeof(*sources));
	if (sources == NULL)
		return 0;
	for (i = 0; i < sources->count; i++) {
		if (strcmp(sources->names[i], name) == 0)
			return (int)(i + 1) << DT_LINE_BITS;
	}
	if (i == FILES_MAX)
		return 0;
	sources->names[i] = dt_arena_strndup(hdl->arena, name, strlen(name));
	if (sources->names[i] == NULL)
		return 0;
	sources->count++;
	return (int)(i + 1) << DT_LINE_BITS;
}

/* The file's name that a line belongs to; NULL: the program. */
static const char *source_name(const dtrace_hdl_t *hdl, int line)
{
	uint32_t file = (uint32_t)line >> DT_LINE_BITS;

	return file == 0 || hdl->sources == NULL ? NULL : hdl->sources->names[file - 1];
}

const char *dt_source_place(const dtrace_hdl_t *hdl, int line, char *buf, size_t size)
{
	const char *name = source_name(hdl, line);

	if (DT_LINE_NUMBER(line) == 0)
		snprintf(buf, size, "%s%s%s", name != NULL ? "\"" : "",
			 name != NULL ? name : "", name != NULL ? "\": " : "");
	else if (name != NULL)
		snprintf(buf, size, "\"%s\", line %d: ", name, DT_LINE_NUMBER(line));
	else
		snprintf(buf, size, "line %d: ", line);
	return buf;
}
