/* SPDX-License-Identifier: Apache-2.0 */
/* threads_test.c - different handles in different threads do not disturb each other. */
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
	    {"many handles trace at once in one thread", many_handles_in_one_thread});
}
