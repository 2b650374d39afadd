/* SPDX-License-Identifier: Apache-2.0 */
/* handler_test.c - what a consumer is told besides records, and what its answers do. */
#include "trace.h"

typedef struct told {
	int calls, answer;
	char text[256];
	dtrace_optval_t before, after;
	dtrace_dropkind_t kind;
	uint64_t drops;
	int fault, action;
} told_t;

static int take_setopt(const dtrace_setoptdata_t *data, void *argument)
{
	told_t *told = argument;

	told->calls++;
	snprintf(told->text, sizeof(told->text), "%s", data->dtsda_option);
	told->before = data->dtsda_oldval;
	told->after = data->dtsda_newval;
	return told->answer;
}

static int take_error(const dtrace_errdata_t *data, void *argument)
{
	told_t *told = argument;

	told->calls++;
	snprintf(told->text, sizeof(told->text), "%s", data->dteda_msg);
	told->fault = data->dteda_fault;
	told->action = data->dteda_action;
	return told->answer;
}

static int take_drop(const dtrace_dropdata_t *data, void *argument)
{
	told_t *told = argument;

	told->calls++;
	snprintf(told->text, sizeof(told->text), "%s", data->dtdda_msg);
	told->kind = data->dtdda_kind;
	told->drops += data->dtdda_drops;
	return told->answer;
}

/* One turn after BEGIN. */
static dtrace_workstatus_t work(dtrace_hdl_t *dtp)
{
	FILE *fp = trace_nowhere();
	dtrace_workstatus_t status;

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	status = dtrace_work(dtp, fp, NULL, NULL, NULL);
	fclose(fp);
	return status;
}

/* ---- setopt() -------------------------------------------------------------------- */

static void tells_of_options(void)
{
	dtrace_hdl_t *dtp = trace_program(
	    "BEGIN { setopt(\"switchrate\", \"10ms\"); setopt(\"quiet\"); exit(0); }",
	    NULL);
	told_t told = {0};
	dtrace_optval_t rate;

	CHECK_DT(dtp, dtrace_handle_setopt(dtp, take_setopt, &told) == 0);
	CHECK_DT(dtp, work(dtp) == DTRACE_WORKSTATUS_DONE);
	CHECK(told.calls == 2);
	CHECK_STR(told.text, "quiet");
	CHECK(told.before == DTRACEOPT_UNSET);
	CHECK(told.after == 1);
	CHECK_DT(dtp, dtrace_getopt(dtp, "switchrate", &rate) == 0);
	CHECK(rate == 10000000);
	dtrace_close(dtp);
}

static void ends_when_the_option_is_not_liked(void)
{
	dtrace_hdl_t *dtp = trace_program("BEGIN { setopt(\"quiet\"); exit(0); }", NULL);
	told_t told = {.answer = DTRACE_HANDLE_ABORT};

	CHECK_DT(dtp, dtrace_handle_setopt(dtp, take_setopt, &told) == 0);
	CHECK(work(dtp) == DTRACE_WORKSTATUS_ERROR);
	CHECK(strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "aborted") != NULL);
	dtrace_close(dtp);
}

/* ---- Faults and drops ------------------------------------------------------------- */

static void tells_of_faults(void)
{
	dtrace_hdl_t *dtp = trace_program(
	    "BEGIN { x = 0; trace(1); trace(1 / x); } BEGIN { exit(0); }", NULL);
	told_t told = {0};

	CHECK_DT(dtp, dtrace_handle_err(dtp, take_error, &told) == 0);
	CHECK_DT(dtp, work(dtp) == DTRACE_WORKSTATUS_DONE);
	CHECK(told.calls == 1);
	CHECK(told.fault == DTRACEFLT_DIVZERO);
	CHECK(told.action == 3);
	CHECK(strncmp(told.text,
		      "error on enabled probe ID 1 (ID 1: dtrace:::BEGIN): ", 52) == 0);
	dtrace_close(dtp);
}

static void ends_at_a_fault_when_nobody_handles_it(void)
{
	dtrace_hdl_t *dtp =
	    trace_program("BEGIN { x = 0; trace(1 / x); } BEGIN { exit(0); }", NULL);

	CHECK(work(dtp) == DTRACE_WORKSTATUS_ERROR);
	CHECK(strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)),
		     dtrace_faultstr(dtp, DTRACEFLT_DIVZERO)) != NULL);
	dtrace_close(dtp);
}

static void tells_of_dynamic_drops(void)
{
	dtrace_hdl_t *dtp = trace_program(
	    "BEGIN { a[1] = 1; a[2] = 1; a[3] = 1; exit(0); }", "dynvarsize=1", NULL);
	told_t told = {0};

	CHECK_DT(dtp, dtrace_handle_drop(dtp, take_drop, &told) == 0);
	CHECK_DT(dtp, work(dtp) == DTRACE_WORKSTATUS_DONE);
	CHECK(told.kind == DTRACEDROP_DYNAMIC);
	CHECK(told.drops == 2);
	CHECK_STR(told.text, "2 dynamic variable drops\n");
	dtrace_close(dtp);
}

static void tells_of_aggregation_drops(void)
{
	dtrace_hdl_t *dtp =
	    trace_program("tick-2000 { @[n++] = quantize(1); } int n;", "aggsize=4k",
			  "aggrate=1h", "statusrate=1h", NULL);
	told_t told = {0};
	FILE *fp = trace_nowhere();

	CHECK_DT(dtp, dtrace_handle_drop(dtp, take_drop, &told) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	usleep(200000);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, NULL, NULL, NULL) == DTRACE_WORKSTATUS_DONE);
	CHECK(told.kind == DTRACEDROP_AGGREGATION);
	CHECK(told.drops > 0);
	CHECK(strstr(told.text, " aggregation drop") && strstr(told.text, " on CPU "));
	fclose(fp);
	dtrace_close(dtp);
}

static void tells_of_errors_in_error(void)
{
	dtrace_hdl_t *dtp = trace_program("BEGIN { x = 0; trace(1 / x); }"
					  "ERROR { trace(1 / x); }"
					  "BEGIN { exit(0); }",
					  NULL);
	told_t told = {0}, faults = {0};

	CHECK_DT(dtp, dtrace_handle_drop(dtp, take_drop, &told) == 0);
	CHECK_DT(dtp, dtrace_handle_err(dtp, take_error, &faults) == 0);
	CHECK_DT(dtp, work(dtp) == DTRACE_WORKSTATUS_DONE);
	CHECK(faults.calls == 1);
	CHECK(told.kind == DTRACEDROP_DBLERROR);
	CHECK_STR(told.text, "1 error in ERROR probe enabling\n");
	dtrace_close(dtp);
}

/* How many records there were, and how many when the fault was told. */
typedef struct order {
	int records, before;
} order_t;

static int count_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *rec,
			void *argument)
{
	order_t *order = argument;

	(void)data;
	order->records += rec != NULL;
	return DTRACE_CONSUME_THIS;
}

static int note_order(const dtrace_errdata_t *data, void *argument)
{
	order_t *order = argument;

	(void)data;
	order->before = order->records;
	return DTRACE_HANDLE_OK;
}

static void tells_of_a_fault_after_error(void)
{
	dtrace_hdl_t *dtp = trace_program("BEGIN { trace(1); } BEGIN { x = 0; trace(1 / x); }"
					  "ERROR { trace(2); } BEGIN { exit(0); }",
					  NULL);
	order_t order = {0};
	FILE *fp = trace_nowhere();

	CHECK_DT(dtp, dtrace_handle_err(dtp, note_order, &order) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, NULL, count_record, &order) ==
			  DTRACE_WORKSTATUS_DONE);
	CHECK(order.records == 3);
	CHECK(order.before == 2);
	fclose(fp);
	dtrace_close(dtp);
}

static void ends_at_a_drop_when_told_so(void)
{
	dtrace_hdl_t *dtp = trace_program("BEGIN { speculation(); speculation(); }", NULL);
	told_t told = {.answer = DTRACE_HANDLE_ABORT};

	CHECK_DT(dtp, dtrace_handle_drop(dtp, take_drop, &told) == 0);
	CHECK(work(dtp) == DTRACE_WORKSTATUS_ERROR);
	CHECK(told.calls == 1);
	dtrace_close(dtp);
}

static void has_one_handler_of_a_kind(void)
{
	dtrace_hdl_t *dtp = trace_open();
	told_t told = {0};

	CHECK_DT(dtp, dtrace_handle_drop(dtp, take_drop, &told) == 0);
	CHECK(dtrace_handle_drop(dtp, take_drop, &told) != 0);
	CHECK_DT(dtp, dtrace_handle_err(dtp, take_error, &told) == 0);
	CHECK(dtrace_handle_err(dtp, take_error, &told) != 0);
	CHECK_DT(dtp, dtrace_handle_setopt(dtp, take_setopt, &told) == 0);
	CHECK(dtrace_handle_setopt(dtp, take_setopt, &told) != 0);
	dtrace_close(dtp);
}

/* ---- The end ---------------------------------------------------------------------- */

static int count_probe(const dtrace_probedata_t *data, void *argument)
{
	(void)data;
	++*(int *)argument;
	return DTRACE_CONSUME_NEXT;
}

/* A program that keeps its CPU for long is waited for: END comes after it. */
static void stops_though_a_cpu_is_busy(void)
{
	dtrace_hdl_t *dtp = trace_program(
	    "profile-5 { chill(90000000); } END { trace(1); }", "destructive", NULL);
	FILE *fp = trace_nowhere();
	int n = 0;

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	usleep(250000);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp,
		 dtrace_work(dtp, fp, count_probe, NULL, &n) == DTRACE_WORKSTATUS_DONE);
	CHECK(n == 1);
	fclose(fp);
	dtrace_close(dtp);
}

static int abort_probe(const dtrace_probedata_t *data, void *argument)
{
	(void)data;
	return ++*(int *)argument == 2 ? DTRACE_CONSUME_ABORT : DTRACE_CONSUME_NEXT;
}

/* Who aborts is given the rest the next time, each firing once, and END's last. */
static void goes_on_after_an_abort(void)
{
	dtrace_hdl_t *dtp = trace_program("BEGIN { trace(1); } BEGIN { trace(2); }"
					  "BEGIN { trace(3); } END { trace(4); }",
					  NULL);
	FILE *fp = trace_nowhere();
	int n = 0;

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK(dtrace_consume(dtp, fp, abort_probe, NULL, &n) != 0);
	CHECK(n == 2);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_consume(dtp, fp, abort_probe, NULL, &n) == 0);
	CHECK(n == 4);
	fclose(fp);
	dtrace_close(dtp);
}

int main(void)
{
	return RUN(
	    {"setopt() is told, with the values before and after", tells_of_options},
	    {"a handler of setopt() may end tracing", ends_when_the_option_is_not_liked},
	    {"faults are told, with where they are", tells_of_faults},
	    {"a fault that nobody handles is an error",
	     ends_at_a_fault_when_nobody_handles_it},
	    {"dynamic variable drops are counted", tells_of_dynamic_drops},
	    {"aggregation drops are counted", tells_of_aggregation_drops},
	    {"faults in ERROR's clauses are counted", tells_of_errors_in_error},
	    {"a fault is told after what ERROR's clauses record", tells_of_a_fault_after_error},
	    {"a handler of drops may end tracing", ends_at_a_drop_when_told_so},
	    {"there is one handler of each kind", has_one_handler_of_a_kind},
	    {"dtrace_stop() waits for programs that are at work",
	     stops_though_a_cpu_is_busy},
	    {"an abort loses no record but the one it is about", goes_on_after_an_abort});
}
