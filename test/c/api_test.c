/* SPDX-License-Identifier: Apache-2.0 */
/* api_test.c - the order of calls of a consumer, and what each call promises. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dtrace.h"
#include "tap.h"

static dtrace_hdl_t *open_handle(void)
{
	int error = 0;
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, &error);

	tap_check(dtp != NULL, "dtrace_open()", __FILE__, __LINE__,
		  dtrace_errmsg(NULL, error));
	return dtp;
}

/* Compiles and enables; an open handle with the program in it. */
static dtrace_hdl_t *enable(const char *text)
{
	dtrace_hdl_t *dtp = open_handle();
	dtrace_prog_t *prog =
	    dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);

	CHECK_DT(dtp, prog != NULL);
	CHECK_DT(dtp, dtrace_program_exec(dtp, prog, NULL) == 0);
	return dtp;
}

typedef struct seen {
	int probes, records, ends;
	int64_t last_int;
	char last_text[64];
	char probe[DTRACE_FULLNAMELEN];
} seen_t;

static int see_probe(const dtrace_probedata_t *data, void *argument)
{
	seen_t *seen = argument;

	seen->probes++;
	snprintf(seen->probe, sizeof(seen->probe), "%s:::%s",
		 data->dtpda_pdesc->dtpd_provider, data->dtpda_pdesc->dtpd_name);
	return DTRACE_CONSUME_THIS;
}

static int see_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		      void *argument)
{
	seen_t *seen = argument;

	if (record == NULL) {
		seen->ends++;
		return DTRACE_CONSUME_NEXT;
	}
	seen->records++;
	if (record->dtrd_action == DTRACEACT_DIFEXPR &&
	    record->dtrd_size == sizeof(int32_t))
		seen->last_int = *(const int32_t *)(const void *)data->dtpda_data;
	else if (record->dtrd_action == DTRACEACT_DIFEXPR)
		snprintf(seen->last_text, sizeof(seen->last_text), "%s", data->dtpda_data);
	return DTRACE_CONSUME_NEXT;
}

/* Works the handle until the program has exited, then stops and takes the rest. */
static void finish(dtrace_hdl_t *dtp, FILE *fp, seen_t *seen)
{
	dtrace_workstatus_t status;

	do {
		status = dtrace_work(dtp, fp, see_probe, see_record, seen);
		CHECK_DT(dtp, status != DTRACE_WORKSTATUS_ERROR);
		if (status == DTRACE_WORKSTATUS_OKAY)
			dtrace_sleep(dtp);
	} while (status == DTRACE_WORKSTATUS_OKAY);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, see_record, seen) !=
			  DTRACE_WORKSTATUS_ERROR);
}

static void opens_and_closes(void)
{
	dtrace_close(open_handle());
	dtrace_close(NULL);
}

static void refuses_a_wrong_version(void)
{
	int error = 0;

	CHECK(dtrace_open(DTRACE_VERSION + 1, 0, &error) == NULL);
	CHECK(error != 0);
	CHECK(strlen(dtrace_errmsg(NULL, error)) > 0);
	CHECK(dtrace_open(DTRACE_VERSION + 1, 0, NULL) == NULL);
}

static void hands_out_records(void)
{
	dtrace_hdl_t *dtp = enable("BEGIN { trace(42); trace(\"text\"); exit(0); }");
	FILE *fp = fopen("/dev/null", "w");
	seen_t seen = {0};

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	finish(dtp, fp, &seen);
	CHECK(seen.probes == 1);
	CHECK(seen.records == 3); /* two values and exit() */
	CHECK(seen.ends == 1);
	CHECK(seen.last_int == 42);
	CHECK_STR(seen.last_text, "text");
	CHECK_STR(seen.probe, "dtrace:::BEGIN");
	fclose(fp);
	dtrace_close(dtp);
}

static void begin_has_fired_when_go_returns(void)
{
	dtrace_hdl_t *dtp = enable("BEGIN { trace(1); }");
	FILE *fp = fopen("/dev/null", "w");
	seen_t seen = {0};

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK_DT(dtp, dtrace_consume(dtp, fp, see_probe, see_record, &seen) == 0);
	CHECK(seen.probes == 1 && seen.records == 1);
	fclose(fp);
	dtrace_close(dtp);
}

static void end_fires_at_stop(void)
{
	dtrace_hdl_t *dtp = enable("END { trace(7); }");
	FILE *fp = fopen("/dev/null", "w");
	seen_t seen = {0};

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, see_record, &seen) ==
			  DTRACE_WORKSTATUS_DONE);
	CHECK(seen.last_int == 7);
	CHECK_STR(seen.probe, "dtrace:::END");
	fclose(fp);
	dtrace_close(dtp);
}

static void calls_out_of_order_fail(void)
{
	dtrace_hdl_t *dtp = open_handle();

	CHECK(dtrace_stop(dtp) == -1);
	CHECK(dtrace_errno(dtp) != 0);
	CHECK(dtrace_consume(dtp, stdout, see_probe, see_record, NULL) == -1);
	dtrace_close(dtp);

	dtp = enable("BEGIN { }");
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK(dtrace_go(dtp) == -1);
	dtrace_close(dtp);
}

static void a_failed_compile_leaves_the_handle_usable(void)
{
	dtrace_hdl_t *dtp = open_handle();
	dtrace_prog_t *prog;

	CHECK(dtrace_program_strcompile(dtp, "BEGIN { x = 1; nosuch(",
					DTRACE_PROBESPEC_NAME, 0, 0, NULL) == NULL);
	CHECK(strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "syntax error") != NULL);
	/* x is not remembered as an int. */
	prog = dtrace_program_strcompile(dtp, "BEGIN { x = \"s\"; exit(0); }",
					 DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	CHECK_DT(dtp, prog != NULL);
	CHECK_DT(dtp, dtrace_program_exec(dtp, prog, NULL) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	dtrace_close(dtp);
}

static void program_exec_counts(void)
{
	dtrace_hdl_t *dtp = open_handle();
	dtrace_proginfo_t info;
	dtrace_prog_t *prog = dtrace_program_strcompile(
	    dtp, "BEGIN, END { @ = count(); @b = sum(1); trace(1); }",
	    DTRACE_PROBESPEC_NAME, 0, 0, NULL);

	CHECK_DT(dtp, prog != NULL);
	CHECK_DT(dtp, dtrace_program_exec(dtp, prog, &info) == 0);
	CHECK(info.dpi_matches == 2);
	CHECK(info.dpi_speculations == 0);
	dtrace_close(dtp);
}

typedef struct faults {
	int count, fault;
	uint64_t address;
	char message[256];
} faults_t;

static int see_fault(const dtrace_errdata_t *data, void *argument)
{
	faults_t *faults = argument;

	faults->count++;
	faults->fault = data->dteda_fault;
	faults->address = data->dteda_addr;
	snprintf(faults->message, sizeof(faults->message), "%s", data->dteda_msg);
	return DTRACE_HANDLE_OK;
}

static void faults_reach_the_handler(void)
{
	dtrace_hdl_t *dtp =
	    enable("BEGIN { trace(*(int *)0x10); } BEGIN { trace(5); exit(0); }");
	FILE *fp = fopen("/dev/null", "w");
	faults_t faults = {0};
	seen_t seen = {0};

	CHECK(dtrace_handle_err(dtp, see_fault, &faults) == 0);
	CHECK(dtrace_handle_err(dtp, see_fault, &faults) == -1);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	finish(dtp, fp, &seen);
	CHECK(faults.count == 1);
	CHECK(faults.fault == DTRACEFLT_BADADDR);
	CHECK(faults.address == 0x10);
	CHECK(strstr(faults.message, "invalid address (0x10) in action #1") != NULL);
	CHECK(seen.probes == 1 && seen.last_int == 5);
	fclose(fp);
	dtrace_close(dtp);
}

typedef struct text {
	char all[512];
} text_t;

static int see_text(const dtrace_bufdata_t *data, void *argument)
{
	text_t *text = argument;
	size_t length = strlen(text->all);

	snprintf(text->all + length, sizeof(text->all) - length, "%s",
		 data->dtbda_buffered);
	return DTRACE_HANDLE_OK;
}

static int let_print(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		     void *argument)
{
	(void)data;
	(void)argument;
	if (record == NULL || record->dtrd_action == DTRACEACT_EXIT)
		return DTRACE_CONSUME_NEXT;
	return DTRACE_CONSUME_THIS;
}

static void text_reaches_the_buffered_handler(void)
{
	dtrace_hdl_t *dtp = enable("BEGIN { printf(\"%s %d\", \"n is\", 5); exit(0); }");
	text_t text = {{0}};

	CHECK(dtrace_handle_buffered(dtp, see_text, &text) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK_DT(dtp, dtrace_consume(dtp, NULL, NULL, let_print, NULL) == 0);
	CHECK_STR(text.all, "n is 5");
	dtrace_close(dtp);
}

typedef struct walk {
	int count;
	int64_t sum;
	char keys[64];
} walk_t;

static int see_aggregation(const dtrace_aggdata_t *data, void *argument)
{
	walk_t *walk = argument;
	const dtrace_aggdesc_t *desc = data->dtada_desc;
	const dtrace_recdesc_t *key = &desc->dtagd_rec[1];
	const dtrace_recdesc_t *value = &desc->dtagd_rec[desc->dtagd_nrecs - 1];
	size_t length = strlen(walk->keys);

	walk->count++;
	walk->sum +=
	    *(const int64_t *)(const void *)(data->dtada_data + value->dtrd_offset);
	snprintf(walk->keys + length, sizeof(walk->keys) - length, "%s ",
		 data->dtada_data + key->dtrd_offset);
	return DTRACE_AGGWALK_NEXT;
}

static int remove_aggregation(const dtrace_aggdata_t *data, void *argument)
{
	(void)data;
	(void)argument;
	return DTRACE_AGGWALK_REMOVE;
}

static void aggregations_are_walked_in_order(void)
{
	dtrace_hdl_t *dtp = enable("BEGIN { @a[\"x\"] = sum(3); @a[\"y\"] = sum(1); "
				   "@a[\"z\"] = sum(2); exit(0); }");
	FILE *fp = fopen("/dev/null", "w");
	walk_t walk = {0};
	seen_t seen = {0};

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	finish(dtp, fp, &seen);
	CHECK_DT(dtp, dtrace_aggregate_snap(dtp) == 0);
	CHECK_DT(dtp, dtrace_aggregate_walk_valsorted(dtp, see_aggregation, &walk) == 0);
	CHECK(walk.count == 3 && walk.sum == 6);
	CHECK_STR(walk.keys, "y z x ");

	walk = (walk_t){0};
	CHECK(dtrace_aggregate_walk_keysorted(dtp, see_aggregation, &walk) == 0);
	CHECK_STR(walk.keys, "x y z ");

	CHECK(dtrace_aggregate_walk(dtp, remove_aggregation, NULL) == 0);
	walk = (walk_t){0};
	CHECK(dtrace_aggregate_walk(dtp, see_aggregation, &walk) == 0);
	CHECK(walk.count == 0);
	fclose(fp);
	dtrace_close(dtp);
}

static void options_are_read_and_kept(void)
{
	dtrace_hdl_t *dtp = open_handle();
	dtrace_optval_t value;

	CHECK(dtrace_setopt(dtp, "bufsize", "512k") == 0);
	CHECK(dtrace_getopt(dtp, "bufsize", &value) == 0 && value == 512 * 1024);
	CHECK(dtrace_setopt(dtp, "switchrate", "10hz") == 0);
	CHECK(dtrace_getopt(dtp, "switchrate", &value) == 0 && value == 100000000);
	CHECK(dtrace_getopt(dtp, "quiet", &value) == 0 && value == DTRACEOPT_UNSET);
	CHECK(dtrace_setopt(dtp, "quiet", NULL) == 0);
	CHECK(dtrace_getopt(dtp, "quiet", &value) == 0 && value != DTRACEOPT_UNSET);
	CHECK(dtrace_setopt(dtp, "nosuch", NULL) == -1);
	CHECK(dtrace_setopt(dtp, "bufsize", "many") == -1);
	CHECK(dtrace_setopt(dtp, "bufsize", "-1") == -1);
	dtrace_close(dtp);
}

static void descriptions_are_read_and_written(void)
{
	dtrace_hdl_t *dtp = open_handle();
	char text[DTRACE_FULLNAMELEN];
	dtrace_probedesc_t desc;

	CHECK(dtrace_str2desc(dtp, DTRACE_PROBESPEC_NAME, "syscall::read:entry", &desc) ==
	      0);
	CHECK_STR(desc.dtpd_provider, "syscall");
	CHECK_STR(desc.dtpd_mod, "");
	CHECK_STR(desc.dtpd_func, "read");
	CHECK_STR(desc.dtpd_name, "entry");
	CHECK_STR(dtrace_desc2str(&desc, text, sizeof(text)), "syscall::read:entry");
	CHECK(dtrace_str2desc(dtp, DTRACE_PROBESPEC_FUNC, "read", &desc) == 0);
	CHECK_STR(desc.dtpd_func, "read");
	CHECK_STR(desc.dtpd_name, "");
	CHECK(dtrace_str2desc(dtp, DTRACE_PROBESPEC_NAME, "a:b:c:d:e", &desc) == -1);
	dtrace_close(dtp);
}

static int count_probe(dtrace_hdl_t *dtp, const dtrace_probedesc_t *desc, void *argument)
{
	(void)dtp;
	(void)desc;
	(*(int *)argument)++;
	return 0;
}

static void probes_are_found(void)
{
	dtrace_hdl_t *dtp = open_handle();
	dtrace_probedesc_t desc, found;
	int count = 0;

	CHECK(dtrace_str2desc(dtp, DTRACE_PROBESPEC_NAME, "dtrace:::", &desc) == 0);
	CHECK_DT(dtp, dtrace_probe_iter(dtp, &desc, count_probe, &count) == 0);
	CHECK(count == 3);
	CHECK_DT(dtp, dtrace_id2desc(dtp, 1, &found) == 0);
	CHECK_STR(found.dtpd_name, "BEGIN");
	CHECK(dtrace_id2desc(dtp, 0x7fffffff, &found) == -1);
	dtrace_close(dtp);
}

static int take_reason(dtrace_hdl_t *dtp, const dtrace_probedesc_t *desc, const char *reason,
		       void *argument)
{
	(void)dtp;
	CHECK_STR(desc->dtpd_provider, "lockstat");
	CHECK(strncmp(desc->dtpd_name, "rw-", 3) == 0);
	CHECK(reason[0] != '\0');
	*(bool *)argument = true;
	return strcmp(desc->dtpd_name, "rw-upgrade") == 0 ? 7 : 0;
}

static void missing_probes_have_a_reason(void)
{
	dtrace_hdl_t *dtp = open_handle();
	dtrace_probedesc_t desc;
	bool taken = false;

	CHECK(dtrace_str2desc(dtp, DTRACE_PROBESPEC_NAME, "lockstat:::rw-*", &desc) == 0);
	CHECK_DT(dtp, dtrace_missing_iter(dtp, &desc, take_reason, &taken) == 7);
	CHECK(taken);
	CHECK(dtrace_str2desc(dtp, DTRACE_PROBESPEC_NAME, "dtrace:::", &desc) == 0);
	CHECK_DT(dtp, dtrace_missing_iter(dtp, &desc, take_reason, &taken) == 0);
	dtrace_close(dtp);
}

int main(void)
{
	return RUN(
	    {"a handle opens and closes", opens_and_closes},
	    {"a wrong version is refused", refuses_a_wrong_version},
	    {"records are handed out", hands_out_records},
	    {"BEGIN has fired when dtrace_go() returns", begin_has_fired_when_go_returns},
	    {"END fires at dtrace_stop(), which may be repeated", end_fires_at_stop},
	    {"calls out of order fail", calls_out_of_order_fail},
	    {"a failed compile leaves the handle usable",
	     a_failed_compile_leaves_the_handle_usable},
	    {"dtrace_program_exec() counts matches", program_exec_counts},
	    {"faults reach the handler", faults_reach_the_handler},
	    {"text reaches the buffered handler", text_reaches_the_buffered_handler},
	    {"aggregations are walked in order", aggregations_are_walked_in_order},
	    {"options are read and kept", options_are_read_and_kept},
	    {"descriptions are read and written", descriptions_are_read_and_written},
	    {"probes are found", probes_are_found},
	    {"missing probes have a reason", missing_probes_have_a_reason});
}
