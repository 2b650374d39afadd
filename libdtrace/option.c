/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option.c - options: option.def says which there are and of what kind each is; here a
 * kind is made of the function that reads a value of it, the one that keeps it, and the
 * words for what is expected. A value that is not understood changes nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enable/enable.h"
#include "error.h"
#include "handle.h"
#include "names.h"
#include "option.h"

#define DT_NSEC 1000000000ULL

/* The newest D that is understood, for the option version: major, minor, micro. */
#define DT_DVERSION(major, minor, micro) ((major) << 24 | (minor) << 12 | (micro))
#define DT_DVERSION_NOW DT_DVERSION(2, 0, 0)

typedef struct dt_optkind dt_optkind_t;

typedef struct dt_optdesc {
	const char *name;
	const dt_optkind_t *kind;
	dtrace_optval_t initial;
	bool is_fixed; /* once tracing has started */
} dt_optdesc_t;

struct dt_optkind {
	bool is_optional; /* no value means on */
	bool is_cflag;	  /* initial holds bits, not a value */
	const char *expected;
	/* NULL: any text, of which the number is 1. */
	bool (*parse)(const char *, dtrace_optval_t *);
	int (*keep)(dtrace_hdl_t *, dt_option_t, const char *text, dtrace_optval_t);
};

/* ---- Readers ---------------------------------------------------------------- */

/* A number, decimal or 0x, and where it ends. Signs and blanks are not part of one. */
static bool dt_opt_number(const char *text, const char **end, uint64_t *value)
{
	int base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;
	char *stop;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &stop, base);
	*end = stop;
	return errno == 0 && *value <= INT64_MAX;
}

static bool dt_opt_parse_flag(const char *text, dtrace_optval_t *value)
{
	static const char *const on[] = {"1", "yes", "true", "on", "set", "enable", NULL};
	static const char *const off[] = {"0",	  "no",	   "false",   "off",
					  "none", "unset", "disable", NULL};

	for (int i = 0; on[i]; i++) {
		if (strcasecmp(text, on[i]) == 0) {
			*value = 1;
			return true;
		}
	}
	for (int i = 0; off[i]; i++) {
		if (strcasecmp(text, off[i]) == 0) {
			*value = DTRACEOPT_UNSET;
			return true;
		}
	}
	return false;
}

static bool dt_opt_parse_count(const char *text, dtrace_optval_t *value)
{
	uint64_t number;
	const char *end;

	if (!dt_opt_number(text, &end, &number) || *end || number > INT32_MAX)
		return false;
	*value = (dtrace_optval_t)number;
	return true;
}

static bool dt_opt_parse_size(const char *text, dtrace_optval_t *value)
{
	static const char suffixes[] = "kmgt";
	uint64_t number;
	const char *end;
	unsigned int shift = 0;

	if (!dt_opt_number(text, &end, &number) || number == 0)
		return false;
	if (*end) {
		const char *suffix = strchr(suffixes, tolower((unsigned char)*end));

		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (number > (uint64_t)INT64_MAX >> shift)
		return false;
	*value = (dtrace_optval_t)(number << shift);
	return true;
}

bool dt_rate_parse(const char *text, dtrace_optval_t *period)
{
	static const struct {
		const char *name;
		uint64_t nsec;
	} units[] = {
	    {"ns", 1},
	    {"nsec", 1},
	    {"us", 1000},
	    {"usec", 1000},
	    {"ms", 1000000},
	    {"msec", 1000000},
	    {"s", DT_NSEC},
	    {"sec", DT_NSEC},
	    {"m", 60 * DT_NSEC},
	    {"min", 60 * DT_NSEC},
	    {"h", 3600 * DT_NSEC},
	    {"hour", 3600 * DT_NSEC},
	    {"d", 24 * 3600 * DT_NSEC},
	    {"day", 24 * 3600 * DT_NSEC},
	};
	uint64_t number;
	const char *end;

	/* 0 is no rate, and 0x is for sizes. */
	if (text[0] == '0' || !dt_opt_number(text, &end, &number))
		return false;
	if (*end == '\0' || strcasecmp(end, "hz") == 0) {
		*period = (dtrace_optval_t)(DT_NSEC / number);
		return *period > 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(end, units[i].name) != 0)
			continue;
		if (number > INT64_MAX / units[i].nsec)
			return false;
		*period = (dtrace_optval_t)(number * units[i].nsec);
		return true;
	}
	return false;
}

/* The place of the text in a list of words that ends in NULL. */
static bool dt_opt_choose(const char *const *words, const char *text,
			  dtrace_optval_t *value)
{
	for (int i = 0; words[i]; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*value = i;
			return true;
		}
	}
	return false;
}

static bool dt_opt_parse_bufpolicy(const char *text, dtrace_optval_t *value)
{
	static const char *const words[] = {[DT_BUFPOLICY_RING] = "ring",
					    [DT_BUFPOLICY_FILL] = "fill",
					    [DT_BUFPOLICY_SWITCH] = "switch",
					    NULL};

	return dt_opt_choose(words, text, value);
}

static bool dt_opt_parse_bufresize(const char *text, dtrace_optval_t *value)
{
	static const char *const words[] = {
	    [DT_BUFRESIZE_AUTO] = "auto", [DT_BUFRESIZE_MANUAL] = "manual", NULL};

	return dt_opt_choose(words, text, value);
}

static bool dt_opt_parse_oformat(const char *text, dtrace_optval_t *value)
{
	static const char *const words[] = {
	    [DT_OFORMAT_TEXT] = "text", [DT_OFORMAT_JSON] = "json", NULL};

	return dt_opt_choose(words, text, value);
}

/* The C that -X asks cpp for: none of them changes anything here. */
static bool dt_opt_parse_stdc(const char *text, dtrace_optval_t *value)
{
	static const char *const words[] = {"a", "c", "s", "t", NULL};

	return dt_opt_choose(words, text, value);
}

static bool dt_opt_parse_attributes(const char *text, dtrace_optval_t *value)
{
	dtrace_attribute_t attributes;

	if (!dt_attr_parse(text, &attributes))
		return false;
	*value = DT_AMIN_ENCODE(attributes);
	return true;
}

/* The version of D that a program was written for: any up to ours. */
static bool dt_opt_parse_dversion(const char *text, dtrace_optval_t *value)
{
	static const uint64_t limits[] = {0xff, 0xfff, 0xfff};
	uint64_t parts[3] = {0};

	for (int i = 0; i < 3; i++) {
		if (!dt_opt_number(text, &text, &parts[i]) || parts[i] > limits[i])
			return false;
		if (*text == '\0')
			break;
		if (*text != '.' || i == 2)
			return false;
		text++;
	}
	*value = (dtrace_optval_t)DT_DVERSION(parts[0], parts[1], parts[2]);
	return *value > 0 && *value <= DT_DVERSION_NOW;
}

/* ---- Keepers ---------------------------------------------------------------- */

static int dt_opt_keep_number(dtrace_hdl_t *hdl, dt_option_t option, const char *text,
			      dtrace_optval_t value)
{
	(void)text;
	hdl->options[option] = value;
	return 0;
}

static int dt_opt_keep_text(dtrace_hdl_t *hdl, dt_option_t option, const char *text,
			    dtrace_optval_t value)
{
	char *copy = strdup(text);

	if (!copy)
		return dt_set_errno(hdl, EDT_NOMEM);
	free(hdl->stroptions[option]);
	hdl->stroptions[option] = copy;
	return dt_opt_keep_number(hdl, option, text, value);
}

static int dt_opt_keep_path(dtrace_hdl_t *hdl, dt_option_t option, const char *text,
			    dtrace_optval_t value)
{
	char *path;

	if (!hdl->stroptions[option])
		return dt_opt_keep_text(hdl, option, text, value);
	if (asprintf(&path, "%s:%s", hdl->stroptions[option], text) < 0)
		return dt_set_errno(hdl, EDT_NOMEM);
	free(hdl->stroptions[option]);
	hdl->stroptions[option] = path;
	return 0;
}

static int dt_opt_keep_cpp(dtrace_hdl_t *hdl, dt_option_t option, const char *text,
			   dtrace_optval_t value)
{
	dt_cpparg_t **tail = &hdl->cppargs;
	dt_cpparg_t *arg = malloc(sizeof(*arg) + strlen(text) + 1);

	if (!arg)
		return dt_set_errno(hdl, EDT_NOMEM);
	arg->next = NULL;
	arg->option = option;
	strcpy(arg->text, text);
	while (*tail)
		tail = &(*tail)->next;
	*tail = arg;
	return dt_opt_keep_number(hdl, option, text, value);
}

static const dt_optdesc_t dt_optdescs[DT_NOPTIONS];

static int dt_opt_keep_cflag(dtrace_hdl_t *hdl, dt_option_t option, const char *text,
			     dtrace_optval_t value)
{
	uint32_t bits = (uint32_t)dt_optdescs[option].initial;

	if (value == DTRACEOPT_UNSET)
		hdl->cflags &= ~bits;
	else
		hdl->cflags |= bits;
	return dt_opt_keep_number(hdl, option, text, value);
}

static int dt_opt_keep_nocflag(dtrace_hdl_t *hdl, dt_option_t option, const char *text,
			       dtrace_optval_t value)
{
	uint32_t bits = (uint32_t)dt_optdescs[option].initial;

	if (value == DTRACEOPT_UNSET)
		hdl->cflags |= bits;
	else
		hdl->cflags &= ~bits;
	return dt_opt_keep_number(hdl, option, text, value);
}

/* A minimum of stability is asked for: programs below it are errors. */
static int dt_opt_keep_attributes(dtrace_hdl_t *hdl, dt_option_t option, const char *text,
				  dtrace_optval_t value)
{
	hdl->cflags |= DTRACE_C_EATTR;
	return dt_opt_keep_number(hdl, option, text, value);
}

/* ---- Kinds and options ------------------------------------------------------ */

#define DT_OPT_ONOFF "on or off"

static const dt_optkind_t dt_kind_flag = {
    .is_optional = true,
    .expected = DT_OPT_ONOFF,
    .parse = dt_opt_parse_flag,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_size = {
    .expected = "a size in bytes, which k, m, g or t may follow",
    .parse = dt_opt_parse_size,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_rate = {
    .expected = "a rate: a number that hz or ns, us, ms, s, m, h or d may follow",
    .parse = dt_rate_parse,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_count = {
    .expected = "an integer from 0 to 2147483647",
    .parse = dt_opt_parse_count,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_text = {
    .expected = "text",
    .keep = dt_opt_keep_text,
};
static const dt_optkind_t dt_kind_path = {
    .expected = "the name of a directory",
    .keep = dt_opt_keep_path,
};
static const dt_optkind_t dt_kind_cpp = {
    .expected = "an argument for the preprocessor",
    .keep = dt_opt_keep_cpp,
};
static const dt_optkind_t dt_kind_cflag = {
    .is_optional = true,
    .is_cflag = true,
    .expected = DT_OPT_ONOFF,
    .parse = dt_opt_parse_flag,
    .keep = dt_opt_keep_cflag,
};
static const dt_optkind_t dt_kind_nocflag = {
    .is_optional = true,
    .is_cflag = true,
    .expected = DT_OPT_ONOFF,
    .parse = dt_opt_parse_flag,
    .keep = dt_opt_keep_nocflag,
};
static const dt_optkind_t dt_kind_ignored = {
    .is_optional = true,
    .keep = dt_opt_keep_text,
};
static const dt_optkind_t dt_kind_bufpolicy = {
    .expected = "switch, fill or ring",
    .parse = dt_opt_parse_bufpolicy,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_bufresize = {
    .expected = "auto or manual",
    .parse = dt_opt_parse_bufresize,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_oformat = {
    .expected = "text or json",
    .parse = dt_opt_parse_oformat,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_stdc = {
    .expected = "a, c, s or t",
    .parse = dt_opt_parse_stdc,
    .keep = dt_opt_keep_number,
};
static const dt_optkind_t dt_kind_attributes = {
    .expected = "stabilities and a class, such as Evolving/Evolving/Common",
    .parse = dt_opt_parse_attributes,
    .keep = dt_opt_keep_attributes,
};
static const dt_optkind_t dt_kind_dversion = {
    .expected = "a version of D up to 2.0",
    .parse = dt_opt_parse_dversion,
    .keep = dt_opt_keep_number,
};

#define DT_WHEN_BEFORE true
#define DT_WHEN_ALWAYS false

static const dt_optdesc_t dt_optdescs[DT_NOPTIONS] = {
#define DT_OPTION(id, name, kind, initial, when)                                           \
	[DT_OPT_##id] = {name, &dt_kind_##kind, initial, DT_WHEN_##when},
#include "option.def"
#undef DT_OPTION
};

void dt_options_init(dtrace_hdl_t *hdl)
{
	for (int i = 0; i < DT_NOPTIONS; i++) {
		const dt_optdesc_t *desc = &dt_optdescs[i];

		hdl->options[i] = desc->kind->is_cflag ? DTRACEOPT_UNSET : desc->initial;
	}
}

void dt_options_fini(dtrace_hdl_t *hdl)
{
	for (int i = 0; i < DT_NOPTIONS; i++)
		free(hdl->stroptions[i]);
	while (hdl->cppargs) {
		dt_cpparg_t *next = hdl->cppargs->next;

		free(hdl->cppargs);
		hdl->cppargs = next;
	}
}

/* DT_NOPTIONS with the handle's error set: no such option. */
static dt_option_t dt_option_lookup(dtrace_hdl_t *hdl, const char *name)
{
	for (int i = 0; name && i < DT_NOPTIONS; i++) {
		if (strcmp(dt_optdescs[i].name, name) == 0)
			return (dt_option_t)i;
	}
	dt_set_error(hdl, EDT_BADOPTNAME, "invalid option name: %s",
		     name ? name : "(null)");
	return DT_NOPTIONS;
}

int dtrace_setopt(dtrace_hdl_t *hdl, const char *name, const char *value)
{
	dt_option_t option = dt_option_lookup(hdl, name);
	dtrace_optval_t number = 1;

	if (option == DT_NOPTIONS)
		return -1;

	const dt_optdesc_t *desc = &dt_optdescs[option];
	const dt_optkind_t *kind = desc->kind;

	if (desc->is_fixed && dt_is_active(hdl))
		return dt_set_error(hdl, EDT_ACTIVE,
				    "option %s cannot be changed once tracing has started",
				    name);
	if (!value && !kind->is_optional)
		return dt_set_error(hdl, EDT_BADOPTVAL, "option %s needs a value: %s", name,
				    kind->expected);
	if (!value)
		value = "1";
	if (kind->parse && !kind->parse(value, &number))
		return dt_set_error(hdl, EDT_BADOPTVAL,
				    "invalid value for option %s: \"%s\" is not %s", name,
				    value, kind->expected);
	return kind->keep(hdl, option, value, number);
}

int dtrace_getopt(dtrace_hdl_t *hdl, const char *name, dtrace_optval_t *value)
{
	dt_option_t option = dt_option_lookup(hdl, name);

	if (option == DT_NOPTIONS)
		return -1;
	*value = hdl->options[option];
	return 0;
}
