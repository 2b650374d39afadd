/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - words for what the interface numbers, and probe descriptions as text:
 * provider:module:function:name, of which any part may be left out from the left.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "handle.h"
#include "lang/builtins.h"
#include "names.h"
#include "proc.h"

#define DT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const dt_faults[] = {
    [DTRACEFLT_UNKNOWN] = "unknown fault",
    [DTRACEFLT_BADADDR] = "invalid address",
    [DTRACEFLT_BADALIGN] = "invalid alignment",
    [DTRACEFLT_ILLOP] = "illegal operation",
    [DTRACEFLT_DIVZERO] = "divide-by-zero",
    [DTRACEFLT_NOSCRATCH] = "out of scratch space",
    [DTRACEFLT_KPRIV] = "invalid kernel access",
    [DTRACEFLT_UPRIV] = "invalid user access",
    [DTRACEFLT_TUPOFLOW] = "tuple stack overflow",
    [DTRACEFLT_BADSTACK] = "bad stack",
    [DTRACEFLT_BADSIZE] = "invalid size",
    [DTRACEFLT_BADINDEX] = "invalid index",
    [DTRACEFLT_LIBRARY] = "library-level fault",
};

static const char *const dt_subrs[] = {
#define DT_SUBR(id, name, result, arguments) [DT_SUBR_##id] = name,
#include "lang/builtins.def"
};

static const char *const dt_stabilities[] = {
    [DTRACE_STABILITY_INTERNAL] = "Internal", [DTRACE_STABILITY_PRIVATE] = "Private",
    [DTRACE_STABILITY_OBSOLETE] = "Obsolete", [DTRACE_STABILITY_EXTERNAL] = "External",
    [DTRACE_STABILITY_UNSTABLE] = "Unstable", [DTRACE_STABILITY_EVOLVING] = "Evolving",
    [DTRACE_STABILITY_STABLE] = "Stable",     [DTRACE_STABILITY_STANDARD] = "Standard",
};

static const char *const dt_classes[] = {
    [DTRACE_CLASS_UNKNOWN] = "Unknown",	  [DTRACE_CLASS_CPU] = "CPU",
    [DTRACE_CLASS_PLATFORM] = "Platform", [DTRACE_CLASS_GROUP] = "Group",
    [DTRACE_CLASS_ISA] = "ISA",		  [DTRACE_CLASS_COMMON] = "Common",
};

const char *dtrace_faultstr(dtrace_hdl_t *hdl, int fault)
{
	(void)hdl;
	if (fault < 0 || (size_t)fault >= DT_COUNT(dt_faults))
		fault = DTRACEFLT_UNKNOWN;
	return dt_faults[fault];
}

const char *dtrace_subrstr(dtrace_hdl_t *hdl, int subr)
{
	(void)hdl;
	if (subr < 0 || subr >= DT_NSUBRS)
		return "unknown subroutine";
	return dt_subrs[subr];
}

const char *dtrace_stability_name(dtrace_stability_t stability)
{
	return stability <= DTRACE_STABILITY_MAX ? dt_stabilities[stability] : NULL;
}

const char *dtrace_class_name(dtrace_class_t class)
{
	return class <= DTRACE_CLASS_MAX ? dt_classes[class] : NULL;
}

char *dtrace_attr2str(dtrace_attribute_t attr, char *buf, size_t size)
{
	const char *name = dtrace_stability_name(attr.dtat_name);
	const char *data = dtrace_stability_name(attr.dtat_data);
	const char *class = dtrace_class_name(attr.dtat_class);

	snprintf(buf, size, "%s/%s/%s", name ? name : "?", data ? data : "?",
		 class ? class : "?");
	return buf;
}

/* The place of a word of the given length in a list; -1: not there. */
static int dt_word_find(const char *const *words, size_t n, const char *text, size_t length)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) == length && strncasecmp(words[i], text, length) == 0)
			return (int)i;
	}
	return -1;
}

bool dt_attr_parse(const char *text, dtrace_attribute_t *attr)
{
	size_t name = strcspn(text, "/");
	const char *data_text = text[name] ? text + name + 1 : "";
	size_t data = strcspn(data_text, "/");
	const char *class_text = data_text[data] ? data_text + data + 1 : "";

	int n = dt_word_find(dt_stabilities, DT_COUNT(dt_stabilities), text, name);
	int d = dt_word_find(dt_stabilities, DT_COUNT(dt_stabilities), data_text, data);
	int c =
	    dt_word_find(dt_classes, DT_COUNT(dt_classes), class_text, strlen(class_text));

	if (n < 0 || d < 0 || c < 0)
		return false;
	attr->dtat_name = (dtrace_stability_t)n;
	attr->dtat_data = (dtrace_stability_t)d;
	attr->dtat_class = (dtrace_class_t)c;
	return true;
}

/* ---- Macro variables --------------------------------------------------------- */

bool dt_macro_value(dtrace_hdl_t *hdl, const char *name, size_t length, int64_t *value)
{
	static const char *const names[] = {"pid",  "ppid", "uid", "euid",  "gid",
					    "egid", "pgid", "sid", "target"};

	int which = dt_word_find(names, DT_COUNT(names), name, length);

	if (which >= 0 && memcmp(names[which], name, length) != 0)
		return false; /* unlike other words, in capitals it is another name */
	switch (which) {
	case 0:
		*value = getpid();
		return true;
	case 1:
		*value = getppid();
		return true;
	case 2:
		*value = getuid();
		return true;
	case 3:
		*value = geteuid();
		return true;
	case 4:
		*value = getgid();
		return true;
	case 5:
		*value = getegid();
		return true;
	case 6:
		*value = getpgrp();
		return true;
	case 7:
		*value = getsid(0);
		return true;
	case 8:
		*value = dt_target_pid(hdl);
		return *value != -1;
	default:
		return false;
	}
}

/* ---- Probe descriptions ------------------------------------------------------ */

/* A description as it is taken apart. */
typedef struct dt_descparse {
	dtrace_hdl_t *hdl;
	const char *text; /* all of it, for messages */
	int argc;
	char *const *argv;
	bool has_macros; /* $ is special */
} dt_descparse_t;

/* One part of a description being filled. */
typedef struct dt_descpart {
	char *buf;
	size_t size, used;
} dt_descpart_t;

static bool dt_part_add(dt_descpart_t *part, const char *text, size_t length)
{
	if (length >= part->size - part->used)
		return false;
	memcpy(part->buf + part->used, text, length);
	part->used += length;
	part->buf[part->used] = '\0';
	return true;
}

/*
 * The macro that stands after a $: $1 an argument, $$1 the same (both are text here),
 * $target and its kind a number. Its end goes to *end. 0, or -1 with the error set.
 */
static int dt_part_macro(dt_descparse_t *parse, dt_descpart_t *part, const char *text,
			 const char *limit, const char **end)
{
	const char *name = text;
	char number[24];
	int64_t value;

	while (name < limit && *name == '$')
		name++;
	*end = name;
	while (*end < limit && (isalnum((unsigned char)**end) || **end == '_'))
		++*end;

	size_t length = (size_t)(*end - name);
	const char *word = number;

	if (length > 0 && length < 9 && strspn(name, "0123456789") >= length) {
		int index = atoi(name);

		word = index < parse->argc ? parse->argv[index] : NULL;
		if (!word && (parse->hdl->cflags & DTRACE_C_DEFARG))
			word = "";
		if (!word)
			return dt_set_error(parse->hdl, EDT_BADSPCV,
					    "macro argument $%d is not defined in \"%s\"",
					    index, parse->text);
	} else if (dt_macro_value(parse->hdl, name, length, &value)) {
		snprintf(number, sizeof(number), "%lld", (long long)value);
	} else {
		return dt_set_error(parse->hdl, EDT_BADSPCV,
				    "macro variable $%.*s has no value in \"%s\"",
				    (int)length, name, parse->text);
	}
	if (!dt_part_add(part, word, strlen(word)))
		return dt_set_error(parse->hdl, EDT_BADPGLOB,
				    "probe description is too long: \"%s\"", parse->text);
	return 0;
}

/* One part, from text to limit; blanks around it do not count. */
static int dt_part_parse(dt_descparse_t *parse, dt_descpart_t *part, const char *text,
			 const char *limit)
{
	while (text < limit && isspace((unsigned char)*text))
		text++;
	while (limit > text && isspace((unsigned char)limit[-1]))
		limit--;
	while (text < limit) {
		if (*text == '$' && parse->has_macros) {
			if (dt_part_macro(parse, part, text, limit, &text) != 0)
				return -1;
			continue;
		}
		if (!dt_part_add(part, text++, 1))
			return dt_set_error(parse->hdl, EDT_BADPGLOB,
					    "probe description is too long: \"%s\"",
					    parse->text);
	}
	return 0;
}

/*
 * From the right: what stands after the last ':' is the part that spec names, what
 * stands before it the part to the left of that, and so on.
 */
static int dt_desc_parse(dt_descparse_t *parse, dtrace_probespec_t spec,
			 dtrace_probedesc_t *desc)
{
	const dt_descpart_t parts[] = {
	    [DTRACE_PROBESPEC_PROVIDER] = {desc->dtpd_provider, DTRACE_PROVNAMELEN, 0},
	    [DTRACE_PROBESPEC_MOD] = {desc->dtpd_mod, DTRACE_MODNAMELEN, 0},
	    [DTRACE_PROBESPEC_FUNC] = {desc->dtpd_func, DTRACE_FUNCNAMELEN, 0},
	    [DTRACE_PROBESPEC_NAME] = {desc->dtpd_name, DTRACE_NAMELEN, 0},
	};

	memset(desc, 0, sizeof(*desc));
	if (!parse->text || spec < DTRACE_PROBESPEC_PROVIDER ||
	    spec > DTRACE_PROBESPEC_NAME)
		return dt_set_error(parse->hdl, EDT_BADPGLOB, "%s",
				    "no probe description, or no part that it begins with");

	const char *limit = parse->text + strlen(parse->text);

	for (int i = spec; i >= 0; i--) {
		const char *colon =
		    memrchr(parse->text, ':', (size_t)(limit - parse->text));
		const char *start = colon ? colon + 1 : parse->text;
		dt_descpart_t part = parts[i];

		if (dt_part_parse(parse, &part, start, limit) != 0)
			return -1;
		if (!colon)
			return 0;
		limit = colon;
	}
	return dt_set_error(parse->hdl, EDT_BADPGLOB,
			    "probe description has more than %d part%s: \"%s\"", spec + 1,
			    spec == 0 ? "" : "s", parse->text);
}

int dtrace_str2desc(dtrace_hdl_t *hdl, dtrace_probespec_t spec, const char *text,
		    dtrace_probedesc_t *desc)
{
	dt_descparse_t parse = {.hdl = hdl, .text = text};

	return dt_desc_parse(&parse, spec, desc);
}

int dtrace_xstr2desc(dtrace_hdl_t *hdl, dtrace_probespec_t spec, const char *text, int argc,
		     char *const argv[], dtrace_probedesc_t *desc)
{
	dt_descparse_t parse = {
	    .hdl = hdl, .text = text, .argc = argc, .argv = argv, .has_macros = true};

	return dt_desc_parse(&parse, spec, desc);
}

char *dtrace_desc2str(const dtrace_probedesc_t *desc, char *buf, size_t size)
{
	if (desc->dtpd_id != DTRACE_IDNONE)
		snprintf(buf, size, "%u", desc->dtpd_id);
	else
		snprintf(buf, size, "%s:%s:%s:%s", desc->dtpd_provider, desc->dtpd_mod,
			 desc->dtpd_func, desc->dtpd_name);
	return buf;
}
