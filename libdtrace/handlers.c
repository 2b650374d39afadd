/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers.c - the consumer's own functions for what is not a record: faults, drops, the
 * ends of processes, buffered text and options set by a program. One of each kind.
 */
#include "error.h"
#include "handle.h"

static int dt_handler_refuse(dtrace_hdl_t *hdl)
{
	return dt_set_errno(hdl, EDT_DUPHANDLER);
}

int dtrace_handle_err(dtrace_hdl_t *hdl, dtrace_handle_err_f *handler, void *arg)
{
	if (hdl->errhdlr)
		return dt_handler_refuse(hdl);
	hdl->errhdlr = handler;
	hdl->errarg = arg;
	return 0;
}

int dtrace_handle_drop(dtrace_hdl_t *hdl, dtrace_handle_drop_f *handler, void *arg)
{
	if (hdl->drophdlr)
		return dt_handler_refuse(hdl);
	hdl->drophdlr = handler;
	hdl->droparg = arg;
	return 0;
}

int dtrace_handle_proc(dtrace_hdl_t *hdl, dtrace_handle_proc_f *handler, void *arg)
{
	if (hdl->prochdlr)
		return dt_handler_refuse(hdl);
	hdl->prochdlr = handler;
	hdl->procarg = arg;
	return 0;
}

int dtrace_handle_buffered(dtrace_hdl_t *hdl, dtrace_handle_buffered_f *handler, void *arg)
{
	if (hdl->bufhdlr)
		return dt_handler_refuse(hdl);
	hdl->bufhdlr = handler;
	hdl->bufarg = arg;
	return 0;
}

int dtrace_handle_setopt(dtrace_hdl_t *hdl, dtrace_handle_setopt_f *handler, void *arg)
{
	if (hdl->setopthdlr)
		return dt_handler_refuse(hdl);
	hdl->setopthdlr = handler;
	hdl->setoptarg = arg;
	return 0;
}
