/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.c - the handle's error. A number is always there; words of its own are kept
 * beside it, for that number only, when the place that failed knew more than the list.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "handle.h"
#include "privilege.h"

static const struct {
	const char *name, *words;
} dt_errors[] = {
#define DT_ERROR(name, words) [EDT_##name - EDT_BASE] = {"EDT_" #name, words},
#include "error.def"
#undef DT_ERROR
};

static bool dt_is_own_error(int error)
{
	return error >= EDT_BASE && error < EDT_END;
}

int dt_set_errno(dtrace_hdl_t *hdl, int error)
{
	hdl->errcode = error;
	hdl->errmsg[0] = '\0';
	hdl->errtag[0] = '\0';
	hdl->errline = hdl->errcolumn = 0;
	hdl->errregion = NULL;
	return -1;
}

int dt_set_error(dtrace_hdl_t *hdl, int error, const char *format, ...)
{
	/* Apart from the handle: an argument may be the message that is there. */
	char words[sizeof(hdl->errmsg)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	dt_set_errno(hdl, error);
	memcpy(hdl->errmsg, words, strlen(words) + 1);
	return -1;
}

int dtrace_errno(dtrace_hdl_t *hdl)
{
	return hdl->errcode;
}

const char *dtrace_errmsg(dtrace_hdl_t *hdl, int error)
{
	if (hdl && error == hdl->errcode && hdl->errmsg[0])
		return hdl->errmsg;
	if (error == EDT_ACCESS) {
		const char *missing = dt_privilege_missing();

		if (missing)
			return missing;
	}
	if (dt_is_own_error(error))
		return dt_errors[error - EDT_BASE].words;
	return strerror(error);
}

const char *dtrace_errname(int error)
{
	return dt_errno_name(error);
}

const char *dtrace_errtag(dtrace_hdl_t *hdl)
{
	return hdl->errtag;
}

int dtrace_errline(dtrace_hdl_t *hdl)
{
	return hdl->errline;
}

int dtrace_errcolumn(dtrace_hdl_t *hdl)
{
	return hdl->errcolumn;
}

const char *dtrace_errregion(dtrace_hdl_t *hdl)
{
	return hdl->errregion;
}

const char *dt_errno_name(int error)
{
	if (dt_is_own_error(error))
		return dt_errors[error - EDT_BASE].name;

	const char *name = strerrorname_np(error);
	return name ? name : "EUNKNOWN";
}
