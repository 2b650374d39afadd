/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads_test.c - the thread rule: different handles may be used in parallel, and one handle
 * by one thread after another. It also runs under the thread sanitizer, which sees what two
 * threads share even where nothing goes wrong by it; so the programs here are made to go
 * through as many parts of the library as they can.
 */
#include <pthread.h>
#include <stdint.h>

#include "dtrace.h"
#include "tap.h"

#define NTHREADS 8
#define NROUNDS 5

typedef struct worker {
	pthread_t thread;
	int number;
	int64_t seen;
	char failure[256];
} worker_t;

static int see_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		      void *argument)
{
	worker_t *worker = argument;

	if (record != NULL && record->dtrd_action == DTRACEACT_DIFEXPR)
		worker->seen += *(const int32_t *)(const void *)data->dtpda_data;
	return DTRACE_CONSUME_NEXT;
}

/* Opens, compiles a program of its own, traces, closes. False: failure tells why. */
static bool work_once(worker_t *worker, FILE *fp)
{
	char text[128];
	dtrace_prog_t *prog;
	dtrace_hdl_t *dtp;
	int error;
	bool done = false;

	dtp = dtrace_open(DTRACE_VERSION, 0, &error);
	if (dtp == NULL) {
		snprintf(worker->failure, sizeof(worker->failure), "%s",
			 dtrace_errmsg(NULL, error));
		return false;
	}
	snprintf(text, sizeof(text), "BEGIN { x[%d] = %d; trace(x[%d]); exit(0); }",
		 worker->number, worker->number, worker->number);
	prog = dtrace_program_strcompile(dtp, text, DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	if (prog != NULL && dtrace_program_exec(dtp, prog, NULL) == 0 &&
	    dtrace_go(dtp) == 0 && dtrace_stop(dtp) == 0 &&
	    dtrace_consume(dtp, fp, NULL, see_record, worker) == 0)
		done = true;
	else
		snprintf(worker->failure, sizeof(worker->failure), "%s",
			 dtrace_errmsg(dtp, dtrace_errno(dtp)));
	dtrace_close(dtp);
	return done;
}

static void *work(void *argument)
{
	worker_t *worker = argument;
	FILE *fp = fopen("/dev/null", "w");

	for (int i = 0; fp != NULL && i < NROUNDS; i++)
		if (!work_once(worker, fp))
			break;
	if (fp != NULL)
		fclose(fp);
	return NULL;
}

static void handles_are_independent(void)
{
	worker_t workers[NTHREADS] = {0};
	int started = 0;

	for (; started < NTHREADS; started++) {
		workers[started].number = started + 1;
		if (pthread_create(&workers[started].thread, NULL, work, &workers[started]))
			break;
	}
	for (int i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	CHECK(started == NTHREADS);
	for (int i = 0; i < NTHREADS; i++) {
		CHECK_STR(workers[i].failure, "");
		CHECK(workers[i].seen == (int64_t)NROUNDS * workers[i].number);
	}
}

/* ---- Every part at once --------------------------------------------------------------- */

/* Reads types, symbols, tables, the time zone; formats, sorts and prints. */
static const char wide[] =
    "struct pair { int a; char b[8]; }; this struct pair p;"
    "BEGIN { this->p.a = curthread->tgid; print(curthread->tgid); trace(\"text\"); "
    "  printf(\"%Y %s %-8d %c %x\", walltimestamp, strjoin(execname, probename), pid, 'a', uid);"
    "  @keyed[execname, pid, ustack(2)] = count(); @bars = quantize(pid);"
    "  @lines = lquantize(cpu, 0, 8, 1); assoc[pid, execname] = timestamp; stack(3);"
    "  sym(arg0); tracemem(curthread, 16);"
    "  printa(\"%s %d %k %@d\\n\", @keyed); }"
    "BEGIN { this->s = speculation(); }"
    "BEGIN { speculate(this->s); trace(1); } BEGIN { commit(this->s); }"
    "BEGIN { trace(*(int *)0); } ERROR { trace(arg4); }"
    "END { printa(@bars); }";

static int pass(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		void *argument)
{
	(void)data;
	(void)argument;
	return record != NULL ? DTRACE_CONSUME_THIS : DTRACE_CONSUME_NEXT;
}

static int pass_error(const dtrace_errdata_t *data, void *argument)
{
	(void)data;
	*(int *)argument += 1;
	return DTRACE_HANDLE_OK;
}

static int count_probe(dtrace_hdl_t *dtp, const dtrace_probedesc_t *probe, void *argument)
{
	(void)dtp;
	(void)probe;
	*(int *)argument += 1;
	return 0;
}

/* What needs no tracing: messages, names, the list of probes. */
static bool look_around(dtrace_hdl_t *dtp)
{
	dtrace_probedesc_t pattern = {.dtpd_provider = "syscall", .dtpd_name = "entry"};
	dtrace_typeinfo_t type;
	dtrace_syminfo_t symbol;
	dtrace_optval_t value;
	char text[128];
	int nprobes = 0;

	return dtrace_program_strcompile(dtp, "BEGIN { nosuch; }", DTRACE_PROBESPEC_NAME, 0, 0,
					 NULL) == NULL &&
	       strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "nosuch") != NULL &&
	       dtrace_setopt(dtp, "strsize", "128") == 0 &&
	       dtrace_getopt(dtp, "strsize", &value) == 0 && value == 128 &&
	       dtrace_probe_iter(dtp, &pattern, count_probe, &nprobes) == 0 && nprobes > 100 &&
	       dtrace_lookup_by_type(dtp, "vmlinux", "struct task_struct", &type) == 0 &&
	       dtrace_lookup_by_name(dtp, DTRACE_OBJ_EVERY, "schedule", NULL, &symbol) == 0 &&
	       dtrace_addr2str(dtp, 0, text, sizeof(text)) > 0;
}

static bool trace_widely(dtrace_hdl_t *dtp, FILE *fp)
{
	int nerrors = 0;
	dtrace_prog_t *prog;

	if (dtrace_handle_err(dtp, pass_error, &nerrors) != 0)
		return false;
	prog = dtrace_program_strcompile(dtp, wide, DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	return prog != NULL && dtrace_program_exec(dtp, prog, NULL) == 0 &&
	       dtrace_go(dtp) == 0 &&
	       dtrace_work(dtp, fp, NULL, pass, NULL) != DTRACE_WORKSTATUS_ERROR &&
	       dtrace_stop(dtp) == 0 &&
	       dtrace_work(dtp, fp, NULL, pass, NULL) != DTRACE_WORKSTATUS_ERROR &&
	       dtrace_aggregate_snap(dtp) == 0 && dtrace_aggregate_print(dtp, fp, NULL) == 0 &&
	       nerrors == 1;
}

static void *work_widely(void *argument)
{
	worker_t *worker = argument;
	FILE *fp = fopen("/dev/null", "w");
	dtrace_hdl_t *dtp = dtrace_open(DTRACE_VERSION, 0, NULL);

	if (fp != NULL && dtp != NULL && look_around(dtp) && trace_widely(dtp, fp))
		worker->seen = 1;
	else
		snprintf(worker->failure, sizeof(worker->failure), "%s",
			 dtp != NULL ? dtrace_errmsg(dtp, dtrace_errno(dtp)) : "no handle");
	dtrace_close(dtp);
	if (fp != NULL)
		fclose(fp);
	return NULL;
}

static void every_part_in_parallel(void)
{
	worker_t workers[4] = {0};

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&workers[i].thread, NULL, work_widely, &workers[i]) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < 4; i++) {
		CHECK_STR(workers[i].failure, "");
		CHECK(workers[i].seen == 1);
	}
}

/* ---- From thread to thread ------------------------------------------------------------ */

typedef struct travel {
	dtrace_hdl_t *dtp;
	dtrace_prog_t *prog;
	struct ps_prochandle *process;
	int64_t seen;
	bool done;
} travel_t;

static void *travel_open(void *argument)
{
	travel_t *travel = argument;

	travel->dtp = dtrace_open(DTRACE_VERSION, 0, NULL);
	travel->done = travel->dtp != NULL;
	return NULL;
}

static void *travel_create(void *argument)
{
	travel_t *travel = argument;
	char *argv[] = {"sh", "-c", "umask 7", NULL};

	travel->process = dtrace_proc_create(travel->dtp, argv[0], argv);
	travel->done = travel->process != NULL;
	return NULL;
}

static void *travel_compile(void *argument)
{
	travel_t *travel = argument;

	travel->prog = dtrace_program_strcompile(
	    travel->dtp, "syscall::umask:entry/pid == $target && arg0 == 7/ { trace((int)arg0); exit(0); }",
	    DTRACE_PROBESPEC_NAME, 0, 0, NULL);
	travel->done = travel->prog != NULL &&
		       dtrace_program_exec(travel->dtp, travel->prog, NULL) == 0;
	return NULL;
}

static void *travel_go(void *argument)
{
	travel_t *travel = argument;

	travel->done = dtrace_go(travel->dtp) == 0;
	dtrace_proc_continue(travel->dtp, travel->process);
	return NULL;
}

static int travel_see(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		      void *argument)
{
	travel_t *travel = argument;

	if (record != NULL && record->dtrd_action == DTRACEACT_DIFEXPR)
		travel->seen = *(const int32_t *)(const void *)data->dtpda_data;
	return DTRACE_CONSUME_NEXT;
}

static void *travel_work(void *argument)
{
	travel_t *travel = argument;
	dtrace_workstatus_t status;
	FILE *fp = fopen("/dev/null", "w");

	do {
		dtrace_sleep(travel->dtp);
		status = dtrace_work(travel->dtp, fp, NULL, travel_see, travel);
	} while (status == DTRACE_WORKSTATUS_OKAY);
	fclose(fp);
	travel->done = status == DTRACE_WORKSTATUS_DONE;
	return NULL;
}

static void *travel_close(void *argument)
{
	travel_t *travel = argument;

	travel->done = dtrace_stop(travel->dtp) == 0;
	dtrace_close(travel->dtp);
	return NULL;
}

static void a_handle_goes_from_thread_to_thread(void)
{
	void *(*const steps[])(void *) = {travel_open, travel_create, travel_compile,
					  travel_go,   travel_work,   travel_close};
	travel_t travel = {0};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		pthread_t thread;

		travel.done = false;
		CHECK(pthread_create(&thread, NULL, steps[i], &travel) == 0);
		pthread_join(thread, NULL);
		CHECK(travel.done);
	}
	CHECK(travel.seen == 7);
}

static void many_handles_in_one_thread(void)
{
	dtrace_hdl_t *handles[16];
	FILE *fp = fopen("/dev/null", "w");
	worker_t worker = {0};

	CHECK(fp != NULL);
	for (int i = 0; i < 16; i++) {
		char text[64];
		dtrace_prog_t *prog;

		handles[i] = dtrace_open(DTRACE_VERSION, 0, NULL);
		CHECK(handles[i] != NULL);
		snprintf(text, sizeof(text), "BEGIN { trace(%d); }", 1 << i);
		prog = dtrace_program_strcompile(handles[i], text, DTRACE_PROBESPEC_NAME, 0,
						 0, NULL);
		CHECK_DT(handles[i], prog != NULL);
		CHECK_DT(handles[i], dtrace_program_exec(handles[i], prog, NULL) == 0);
		CHECK_DT(handles[i], dtrace_go(handles[i]) == 0);
	}
	for (int i = 0; i < 16; i++)
		CHECK_DT(handles[i],
			 dtrace_consume(handles[i], fp, NULL, see_record, &worker) == 0);
	CHECK(worker.seen == (1 << 16) - 1);
	for (int i = 0; i < 16; i++)
		dtrace_close(handles[i]);
	fclose(fp);
}

int main(void)
{
	return RUN(
	    {"handles in parallel threads are independent", handles_are_independent},
	    {"every part of the library works in parallel threads", every_part_in_parallel},
	    {"a handle goes from thread to thread", a_handle_goes_from_thread_to_thread},
	    {"many handles trace at once in one thread", many_handles_in_one_thread});
}
