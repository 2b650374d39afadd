/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer_test.c - nothing that fires is lost without being counted, whatever the buffers'
 * sizes and policies, and what is consumed is what was traced.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "trace.h"

#define CALLS 30000

typedef struct seen {
	uint64_t records, samples, drops, bad;
	int64_t last[MAXWORKERS]; /* argument, by CPU */
	uint64_t last_time;
	int ends;
	char drop_text[128];
} seen_t;

/* In every record: a number that only umask() has, its argument, and a text of it. */
#define UMASK_CLAUSE                                                                       \
	"syscall::umask:entry/ppid == $pid/"                                               \
	"{ trace(0x5eedULL); trace((int64_t)arg0); trace(lltostr(arg0)); }"

/*
 * An umask() record is whole: its values agree with each other, and the arguments of one
 * worker count down.
 */
static int see_umask(const dtrace_probedata_t *data, seen_t *seen)
{
	const dtrace_recdesc_t *recs = data->dtpda_edesc->dtepd_rec;
	uint64_t magic = *(const uint64_t *)(const void *)(data->dtpda_data +
							    recs[0].dtrd_offset);
	int64_t arg = *(const int64_t *)(const void *)(data->dtpda_data +
							recs[1].dtrd_offset);
	int64_t *last = &seen->last[data->dtpda_cpu % MAXWORKERS];

	seen->records++;
	if (magic != 0x5eed || atoll(data->dtpda_data + recs[2].dtrd_offset) != arg)
		seen->bad++;
	if (*last != 0 && arg >= *last)
		seen->bad++;
	*last = arg;
	return DTRACE_CONSUME_NEXT;
}

static int see_probe(const dtrace_probedata_t *data, void *argument)
{
	const char *name = data->dtpda_pdesc->dtpd_name;
	seen_t *seen = argument;

	if (data->dtpda_timestamp < seen->last_time)
		seen->bad++;
	seen->last_time = data->dtpda_timestamp;
	if (strcmp(name, "END") == 0)
		seen->ends++;
	else if (strcmp(name, "entry") == 0)
		return see_umask(data, seen);
	else
		seen->samples++;
	return DTRACE_CONSUME_NEXT;
}

static int see_drop(const dtrace_dropdata_t *data, void *argument)
{
	seen_t *seen = argument;

	if (data->dtdda_kind == DTRACEDROP_PRINCIPAL)
		seen->drops += data->dtdda_drops;
	snprintf(seen->drop_text, sizeof(seen->drop_text), "%s", data->dtdda_msg);
	return DTRACE_HANDLE_OK;
}

/* Traces the workers to their end, stops, and takes the rest. */
static void trace_workers(dtrace_hdl_t *dtp, workers_t *w, seen_t *seen)
{
	FILE *fp = trace_nowhere();
	bool done = false;

	CHECK_DT(dtp, dtrace_handle_drop(dtp, see_drop, seen) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	workers_run(w);
	while (!done) {
		dtrace_workstatus_t status;

		done = workers_done(w);
		status = dtrace_work(dtp, fp, see_probe, NULL, seen);
		CHECK_DT(dtp, status != DTRACE_WORKSTATUS_ERROR);
		done |= status == DTRACE_WORKSTATUS_DONE;
		dtrace_sleep(dtp);
	}
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, seen) == DTRACE_WORKSTATUS_DONE);
	while (!workers_done(w))
		usleep(1000);
	fclose(fp);
}

/* ---- Drops ------------------------------------------------------------------------------- */

static void counts_every_drop(void)
{
	dtrace_hdl_t *dtp = trace_program(UMASK_CLAUSE, "bufsize=4k", "switchrate=2ms", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.drops > 0);
	CHECK(seen.records + seen.drops == (uint64_t)CALLS * (uint64_t)w.n);
	CHECK(seen.bad == 0);
	dtrace_close(dtp);
}

static void loses_nothing_in_large_buffers(void)
{
	dtrace_hdl_t *dtp = trace_program(UMASK_CLAUSE, "bufsize=4m", "switchrate=1ms", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.drops == 0);
	CHECK(seen.records == (uint64_t)CALLS * (uint64_t)w.n);
	CHECK(seen.bad == 0);
	dtrace_close(dtp);
}

/* A sample that lands inside another program writes beside its record, not into it. */
static void is_right_when_interrupted(void)
{
	dtrace_hdl_t *dtp = trace_program(
	    UMASK_CLAUSE "profile-4999 { trace(1); trace(lltostr(arg0)); trace(timestamp); }",
	    "bufsize=256k", "switchrate=1ms", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.samples > 0);
	CHECK(seen.bad == 0);
	CHECK(seen.records + seen.drops >= (uint64_t)CALLS * (uint64_t)w.n);
	dtrace_close(dtp);
}

static void tags_drops_when_asked_to(void)
{
	dtrace_hdl_t *dtp = trace_program(UMASK_CLAUSE, "bufsize=4k", "droptags", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(strncmp(seen.drop_text, "[DTRACEDROP_PRINCIPAL] ", 23) == 0);
	CHECK(strstr(seen.drop_text, " drops on CPU ") != NULL);
	dtrace_close(dtp);
}

/* ---- Order ------------------------------------------------------------------------------- */

static void is_in_order_of_time_when_asked_to(void)
{
	dtrace_hdl_t *dtp =
	    trace_program(UMASK_CLAUSE "BEGIN { trace(1); } END { trace(2); }", "temporal",
			  "switchrate=1ms", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.records == (uint64_t)CALLS * (uint64_t)w.n);
	CHECK(seen.last_time != 0);
	CHECK(seen.bad == 0);
	CHECK(seen.ends == 1);
	dtrace_close(dtp);
}

/* ---- Policies ---------------------------------------------------------------------------- */

/* What one umask() record takes: header, two words, a text of 24 bytes. */
#define RECORD_MAX 64

static void keeps_the_latest_in_a_ring(void)
{
	dtrace_hdl_t *dtp = trace_program(UMASK_CLAUSE "END { trace(1); }", "bufpolicy=ring",
					  "bufsize=16k", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.drops == 0);
	CHECK(seen.bad == 0);
	CHECK(seen.ends == 1);
	CHECK(seen.records * 16 <= 16384 * (uint64_t)w.n);
	CHECK(seen.records * RECORD_MAX >= (16384 - 2 * RECORD_MAX) * (uint64_t)w.n);
	for (int cpu = 0; cpu < w.n; cpu++)
		CHECK(seen.last[cpu] == 0); /* the last call */
	dtrace_close(dtp);
}

static void ends_when_a_buffer_is_filled(void)
{
	dtrace_hdl_t *dtp = trace_program(UMASK_CLAUSE "END { trace(1); }", "bufpolicy=fill",
					  "bufsize=16k", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.drops == 0);
	CHECK(seen.bad == 0);
	CHECK(seen.ends == 1); /* for which there was room */
	CHECK(seen.records * RECORD_MAX >= 16384 - 4 * RECORD_MAX);
	CHECK(seen.records * 16 <= 16384 * (uint64_t)w.n);
	dtrace_close(dtp);
}

static void tells_that_a_buffer_is_filled(void)
{
	dtrace_hdl_t *dtp = trace_program("tick-2000 { trace(1); }", "bufpolicy=fill",
					  "bufsize=4k", NULL);
	int status = DTRACE_STATUS_OKAY;

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	for (int i = 0; i < 1000 && status == DTRACE_STATUS_OKAY; i++) {
		usleep(2000);
		status = dtrace_status(dtp);
	}
	CHECK(status == DTRACE_STATUS_FILLED);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	dtrace_close(dtp);
}

/* ---- Waiting ------------------------------------------------------------------------------ */

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

static void wakes_a_poll_when_there_is_data(void)
{
	dtrace_hdl_t *dtp =
	    trace_program("BEGIN { trace(1); } tick-20 { trace(2); }", "switchrate=1h", NULL);
	FILE *fp = trace_nowhere();
	seen_t seen = {0};
	int fd;

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	fd = dtrace_ctlfd(dtp);
	CHECK_DT(dtp, fd >= 0);
	CHECK(is_readable(fd, 0)); /* BEGIN's */
	for (int i = 0; i < 5; i++) {
		uint64_t before = seen.samples;

		CHECK(is_readable(fd, 2000));
		CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) ==
				  DTRACE_WORKSTATUS_OKAY);
		CHECK(seen.samples > before);
	}
	/* Nothing is left to do until the next tick. */
	while (is_readable(fd, 0))
		CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) ==
				  DTRACE_WORKSTATUS_OKAY);
	CHECK(dtrace_ctlfd(dtp) == fd);
	fclose(fp);
	dtrace_close(dtp);
}

static void wakes_a_sleeper_at_exit(void)
{
	dtrace_hdl_t *dtp = trace_program("tick-50ms { exit(0); }", "switchrate=1h",
					  "statusrate=1h", "aggrate=1h", NULL);
	struct timespec begin, end;
	FILE *fp = trace_nowhere();
	seen_t seen = {0};

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) == DTRACE_WORKSTATUS_OKAY);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	dtrace_sleep(dtp);
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK(end.tv_sec - begin.tv_sec < 10);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) == DTRACE_WORKSTATUS_DONE);
	CHECK(seen.samples == 1);
	fclose(fp);
	dtrace_close(dtp);
}

static void wakes_a_poll_when_a_process_ends(void)
{
	char *const argv[] = {(char *)"true", NULL};
	dtrace_hdl_t *dtp = trace_program("END { trace(1); }", "switchrate=1h", NULL);
	struct ps_prochandle *process = dtrace_proc_create(dtp, "true", argv);
	FILE *fp = trace_nowhere();
	seen_t seen = {0};
	int fd;

	CHECK_DT(dtp, process != NULL);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	fd = dtrace_ctlfd(dtp);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) == DTRACE_WORKSTATUS_OKAY);
	CHECK(!is_readable(fd, 50));
	dtrace_proc_continue(dtp, process);
	CHECK(is_readable(fd, 5000));
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) == DTRACE_WORKSTATUS_OKAY);
	CHECK(!is_readable(fd, 0));
	fclose(fp);
	dtrace_close(dtp);
}

/* Between two switches, whoever calls: the consumer's own rate decides. */
static void keeps_to_its_switchrate(void)
{
	dtrace_hdl_t *dtp = trace_program("tick-100 { trace(1); }", "switchrate=1h", NULL);
	FILE *fp = trace_nowhere();
	seen_t seen = {0};

	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	for (int i = 0; i < 5; i++) {
		CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) ==
				  DTRACE_WORKSTATUS_OKAY);
		usleep(30000);
	}
	CHECK(seen.samples <= 1);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, &seen) == DTRACE_WORKSTATUS_DONE);
	CHECK(seen.samples > 5);
	fclose(fp);
	dtrace_close(dtp);
}

int main(void)
{
	return RUN({"fired = consumed + reported drops on every CPU", counts_every_drop},
		   {"large buffers lose nothing", loses_nothing_in_large_buffers},
		   {"data is right when programs interrupt each other",
		    is_right_when_interrupted},
		   {"droptags names the kind of a drop", tags_drops_when_asked_to},
		   {"temporal: in order of time across CPUs",
		    is_in_order_of_time_when_asked_to},
		   {"bufpolicy=ring keeps the latest records", keeps_the_latest_in_a_ring},
		   {"bufpolicy=fill ends tracing, with room for END",
		    ends_when_a_buffer_is_filled},
		   {"bufpolicy=fill is a status of its own", tells_that_a_buffer_is_filled},
		   {"dtrace_ctlfd() polls readable when there is data",
		    wakes_a_poll_when_there_is_data},
		   {"exit() wakes dtrace_sleep()", wakes_a_sleeper_at_exit},
		   {"dtrace_ctlfd() polls readable when a process ends",
		    wakes_a_poll_when_a_process_ends},
		   {"buffers are switched no oftener than switchrate says",
		    keeps_to_its_switchrate});
}
