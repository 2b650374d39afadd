/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure.c - why something failed. The library's words are valid until its next call and
 * may be told on the thread pool, so they are copied; JavaScript makes an Error of them
 * where it needs one.
 */
#include "addon.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(da_failure_t *, dtrace_hdl_t *, int error, const char *format, va_list)
    __attribute__((format(printf, 4, 0)));

static void fill(da_failure_t *failure, dtrace_hdl_t *dtp, int error, const char *format,
		 va_list args)
{
	const char *reason = dtrace_errmsg(dtp, error);
	char *doing;

	*failure = (da_failure_t){.is_set = true};
#ifdef DTRACE_EXTENSIONS
	snprintf(failure->code, sizeof(failure->code), "%s", dtrace_errname(error));
	if (dtp) {
		snprintf(failure->tag, sizeof(failure->tag), "%s", dtrace_errtag(dtp));
		failure->line = dtrace_errline(dtp);
		failure->column = dtrace_errcolumn(dtp);
	}
#endif
	if (vasprintf(&doing, format, args) < 0)
		return;
	if (asprintf(&failure->message, "%s: %s", doing, reason) < 0)
		failure->message = NULL;
	free(doing);
}

void da_failure_set(da_failure_t *failure, dtrace_hdl_t *dtp, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(failure, dtp, dtrace_errno(dtp), format, args);
	va_end(args);
}

void da_failure_set_errno(da_failure_t *failure, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(failure, NULL, error, format, args);
	va_end(args);
}

napi_value da_failure_take(napi_env env, da_failure_t *failure)
{
	napi_value object = NULL;

	if (!failure->is_set) {
		napi_get_null(env, &object);
		return object;
	}
	if (napi_create_object(env, &object) == napi_ok) {
		da_set_text(env, object, "message",
			    failure->message ? failure->message : "out of memory");
		if (failure->code[0])
			da_set_text(env, object, "code", failure->code);
		if (failure->tag[0])
			da_set_text(env, object, "tag", failure->tag);
		if (failure->line > 0)
			da_set(env, object, "line", da_number(env, failure->line));
		if (failure->column > 0)
			da_set(env, object, "column", da_number(env, failure->column));
	}
	free(failure->message);
	*failure = (da_failure_t){0};
	return object;
}
