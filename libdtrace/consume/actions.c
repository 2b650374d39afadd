/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions.c - what is done with a record that the consumer's functions have left to the
 * library: it is printed, or it is an action that takes place only here: aggregations
 * cleared, options set, commands run, the output sent elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consume/actions.h"
#include "consume/output.h"
#include "consume/status.h"
#include "consume/typed.h"

/* ---- Aggregations ---------------------------------------------------------------- */

static int64_t integer_at(const char *p, uint32_t size)
{
	uint64_t value = 0;

	dt_value_integer(p, size, true, &value);
	return (int64_t)value;
}

static int change_aggregation(dtrace_hdl_t *hdl, const dtrace_recdesc_t *rec,
			      const char *data)
{
	dtrace_aggvarid_t varid = (dtrace_aggvarid_t)(rec->dtrd_uarg & ~DT_RECORD_STRING);
	int64_t value = integer_at(data, rec->dtrd_size);

	switch (rec->dtrd_arg) {
	case DT_ACT_CLEAR:
		return dt_aggs_clear(hdl, varid);
	case DT_ACT_TRUNC:
		return dt_aggs_trunc(hdl, varid, value);
	case DT_ACT_NORMALIZE:
		if (value == 0)
			return 0; /* by nothing: left as it is */
		return dt_aggs_normalize(hdl, varid, (uint64_t)value);
	case DT_ACT_DENORMALIZE:
		return dt_aggs_normalize(hdl, varid, 1);
	default:
		return dt_set_errno(hdl, EDT_BADRECORD);
	}
}

/* ---- setopt() --------------------------------------------------------------------- */

static int set_option(dtrace_hdl_t *hdl, const dtrace_probedata_t *pd, const char *name,
		      const char *value)
{
	dtrace_setoptdata_t data = {
	    .dtsda_handle = hdl,
	    .dtsda_probe = pd,
	    .dtsda_option = name,
	};

	if (dtrace_getopt(hdl, name, &data.dtsda_oldval) != 0 ||
	    dtrace_setopt(hdl, name, value) != 0 ||
	    dtrace_getopt(hdl, name, &data.dtsda_newval) != 0)
		return -1;
	if (hdl->setopthdlr && hdl->setopthdlr(&data, hdl->setoptarg) == DTRACE_HANDLE_ABORT)
		return dt_set_error(hdl, EDT_DIRABORT, "the handler of setopt( ) aborted");
	return 0;
}

/* Two records where the action has a value. */
static int run_setopt(dtrace_hdl_t *hdl, const dtrace_probedata_t *pd,
		      const dtrace_recdesc_t *rec, uint_t left, const char *shown)
{
	bool has_value = left > 1 && rec[1].dtrd_action == DTRACEACT_LIBACT &&
			 rec[1].dtrd_arg == DT_ACT_SETOPT &&
			 (rec[1].dtrd_uarg & DT_SETOPT_VALUE);
	const char *value = has_value ? shown + rec[1].dtrd_offset : NULL;

	if (set_option(hdl, pd, shown + rec->dtrd_offset, value) != 0)
		return -1;
	return has_value ? 2 : 1;
}

/* ---- system(), freopen(), ftruncate() ------------------------------------------------ */

/* Runs a command by the shell and waits. As system(3), but with no signal's action changed:
 * the process has an owner of its own. */
static int run_command(dtrace_hdl_t *hdl, char *command)
{
	char shell[] = "sh", option[] = "-c";
	char *argv[] = {shell, option, command, NULL};
	int error, status;
	pid_t pid;

	error = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
	if (error != 0)
		return dt_set_error(hdl, error, "failed to run \"%s\": %s", command,
				    strerror(error));
	while (waitpid(pid, &status, 0) == -1) {
		/* Somebody who waits for every child may have been quicker. */
		if (errno != EINTR)
			break;
	}
	return 0;
}

int dtrace_system(dtrace_hdl_t *hdl, FILE *fp, void *format,
		  const dtrace_probedata_t *probe, const dtrace_recdesc_t *recs,
		  uint_t nrecs, const void *data, size_t size)
{
	char *command;
	int used = dt_format_text(hdl, format, recs, nrecs, data, size, &command);

	(void)probe;
	if (used == -1)
		return -1;
	/* What was traced before the command comes before the command's own output. */
	if (fp != NULL)
		fflush(fp);
	return run_command(hdl, command) == -1 ? -1 : used;
}

/* The stream's own descriptor, kept aside the first time it is redirected. */
static int keep_output(dtrace_hdl_t *hdl, FILE *fp)
{
	dt_output_t *output = &hdl->consumer->output;

	if (output->fp == fp)
		return 0;
	if (output->fp != NULL)
		close(output->fd);
	output->fp = NULL;
	output->fd = fcntl(fileno(fp), F_DUPFD_CLOEXEC, 3);
	if (output->fd < 0)
		return -1;
	output->fp = fp;
	return 0;
}

/* Lets the stream write to another file, "" to its first one. A file that cannot be opened
 * is a fault, and the stream stays as it is. */
static int redirect(dtrace_hdl_t *hdl, FILE *fp, const dtrace_probedata_t *probe,
		    const char *path)
{
	char what[PATH_MAX];
	int fd, error = 0;

	if (keep_output(hdl, fp) != 0)
		return dt_set_error(hdl, errno, "freopen( ) failed: %s", strerror(errno));
	fd = *path == '\0' ? hdl->consumer->output.fd
			   : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0) {
		snprintf(what, sizeof(what), "freopen( ) failed to open %.*s: %s", PATH_MAX - 128,
			 path, strerror(errno));
		return dt_report_library_fault(hdl, probe, what);
	}
	if (fflush(fp) != 0 || dup2(fd, fileno(fp)) < 0)
		error = errno;
	else
		hdl->consumer->output.is_redirected = *path != '\0';
	if (*path != '\0')
		close(fd);
	return error ? dt_set_error(hdl, error, "freopen( ) failed: %s", strerror(error)) : 0;
}

void dt_output_restore(dtrace_hdl_t *hdl)
{
	dt_output_t *output = &hdl->consumer->output;

	if (output->fp == NULL)
		return;
	close(output->fd);
	output->fp = NULL;
}

int dtrace_freopen(dtrace_hdl_t *hdl, FILE *fp, void *format,
		   const dtrace_probedata_t *probe, const dtrace_recdesc_t *recs,
		   uint_t nrecs, const void *data, size_t size)
{
	char *path;
	int used = dt_format_text(hdl, format, recs, nrecs, data, size, &path);

	if (used == -1)
		return -1;
	/* Text for the handler of buffered output goes to no file. */
	if (fp == NULL)
		return used;
	return redirect(hdl, fp, probe, path) == -1 ? -1 : used;
}

/* What is no regular file stays as it is. */
static int truncate_output(FILE *fp)
{
	if (fp != NULL && fflush(fp) == 0 && ftruncate(fileno(fp), 0) == 0)
		rewind(fp);
	return 1;
}

/* ---- Records ------------------------------------------------------------------------ */

int dt_library_action(dtrace_hdl_t *hdl, FILE *fp, const dtrace_probedata_t *pd,
		      const dtrace_recdesc_t *rec, uint_t left, const char *shown)
{
	switch (rec->dtrd_arg) {
	case DT_ACT_SETOPT:
		return run_setopt(hdl, pd, rec, left, shown);
	case DT_ACT_FTRUNCATE:
		return truncate_output(fp);
	default:
		return change_aggregation(hdl, rec, shown + rec->dtrd_offset) != 0 ? -1 : 1;
	}
}

static int print_printa(dtrace_hdl_t *hdl, FILE *fp, void *format, dtrace_probedata_t *pd,
			const dtrace_recdesc_t *rec)
{
	uint32_t n = (uint32_t)rec->dtrd_uarg;
	dtrace_aggvarid_t *varids = calloc(n, sizeof(*varids));
	int error;

	if (varids == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < n; i++)
		varids[i] = (dtrace_aggvarid_t)rec[i].dtrd_arg;
	error = dt_printa(hdl, fp, format, pd, rec, varids, (int)n);
	free(varids);
	return error < 0 ? -1 : (int)n;
}

static int print_memory(dtrace_hdl_t *hdl, FILE *fp, const dtrace_recdesc_t *rec,
			uint_t left, const char *shown)
{
	const char *bytes;
	size_t size;
	int used = dt_traced_memory(rec, left, shown, &bytes, &size);

	return dt_print_bytes(hdl, fp, bytes, size, DT_WIDTH_TRACE, false, true) < 0 ? -1 : used;
}

/* printf() and its like: as many records as arguments, whatever the format took. */
static int whole_action(const dtrace_recdesc_t *rec, int used)
{
	if (used > 0 && rec->dtrd_arg > 1 && used < (int)rec->dtrd_arg)
		return (int)rec->dtrd_arg;
	return used;
}

static int run_record(dtrace_hdl_t *hdl, FILE *fp, const dt_eprobe_t *ep,
		      dtrace_probedata_t *pd, const dtrace_recdesc_t *rec, uint_t left,
		      char *shown)
{
	const dt_recplan_t *plan = ep->ecb->plan;
	void *format = rec->dtrd_format ? plan->formats[rec->dtrd_format - 1] : NULL;
	const char *value = shown + rec->dtrd_offset;

	switch (rec->dtrd_action) {
	case DTRACEACT_PRINTF:
		return whole_action(rec, dtrace_fprintf(hdl, fp, format, pd, rec, left, shown,
							plan->size));
	case DTRACEACT_SYSTEM:
		return whole_action(rec, dtrace_system(hdl, fp, format, pd, rec, left, shown,
						       plan->size));
	case DTRACEACT_FREOPEN:
		return whole_action(rec, dtrace_freopen(hdl, fp, format, pd, rec, left, shown,
							plan->size));
	case DTRACEACT_PRINTA:
		return print_printa(hdl, fp, format, pd, rec);
	case DTRACEACT_PRINT:
		return dt_print_typed(hdl, fp, plan->fields[rec - ep->desc->dtepd_rec].type,
				      value, rec->dtrd_size) < 0
			   ? -1
			   : 1;
	case DTRACEACT_TRACEMEM:
	case DTRACEACT_TRACEMEM_DYNSIZE:
		return print_memory(hdl, fp, rec, left, shown);
	case DTRACEACT_PCAP:
		return dt_print_packet(hdl, fp, rec, value) < 0 ? -1 : 1;
	default:
		return dt_print_value(hdl, fp, rec, value, DT_WIDTH_TRACE, 1) < 0 ? -1 : 1;
	}
}

int dt_run_record(dtrace_hdl_t *hdl, FILE *fp, const dt_eprobe_t *ep, dtrace_probedata_t *pd,
		  const dtrace_recdesc_t *rec, uint_t left, char *shown)
{
	int used = run_record(hdl, fp, ep, pd, rec, left, shown);

	if (used < 0 || dt_buffered_flush(hdl, pd, rec, NULL, 0) != 0)
		return -1;
	return used ? used : 1;
}
