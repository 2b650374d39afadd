/* SPDX-License-Identifier: Apache-2.0 */
/* speculation_test.c - speculations are exact, whichever CPUs take part in them. */
#include "trace.h"

#define CALLS 20000

typedef struct seen {
	uint64_t entries, returns, drops, full, busy, unavailable;
	int64_t got, none, committed, discarded; /* what the program has counted itself */
	bool torn;
	int64_t open[MAXWORKERS]; /* argument of the entry without its return, by CPU */
	char text[256];
} seen_t;

static int see_drop(const dtrace_dropdata_t *data, void *argument)
{
	seen_t *seen = argument;

	switch (data->dtdda_kind) {
	case DTRACEDROP_PRINCIPAL:
		seen->drops += data->dtdda_drops;
		break;
	case DTRACEDROP_SPEC:
		seen->full += data->dtdda_drops;
		break;
	case DTRACEDROP_SPECBUSY:
		seen->busy += data->dtdda_drops;
		break;
	case DTRACEDROP_SPECUNAVAIL:
		seen->unavailable += data->dtdda_drops;
		break;
	default:
		return DTRACE_HANDLE_ABORT;
	}
	snprintf(seen->text, sizeof(seen->text), "%s", data->dtdda_msg);
	return DTRACE_HANDLE_OK;
}

/* An entry and, in the same speculation, its return, with the argument in both. */
static int see_probe(const dtrace_probedata_t *data, void *argument)
{
	int64_t arg = *(const int64_t *)(const void *)data->dtpda_data;
	seen_t *seen = argument;
	int64_t *open = &seen->open[data->dtpda_cpu % MAXWORKERS];

	if (strcmp(data->dtpda_pdesc->dtpd_name, "entry") == 0) {
		seen->entries++;
		*open = arg;
	} else if (strcmp(data->dtpda_pdesc->dtpd_name, "return") == 0) {
		seen->returns++;
		seen->torn |= *open != arg;
	}
	return DTRACE_CONSUME_NEXT;
}

static int see_aggregation(const dtrace_aggdata_t *data, void *argument)
{
	const dtrace_aggdesc_t *desc = data->dtada_desc;
	int64_t value = *(const int64_t *)(const void *)(data->dtada_data +
							  desc->dtagd_rec[1].dtrd_offset);
	seen_t *seen = argument;

	*(strcmp(desc->dtagd_name, "got") == 0	       ? &seen->got
	  : strcmp(desc->dtagd_name, "none") == 0      ? &seen->none
	  : strcmp(desc->dtagd_name, "committed") == 0 ? &seen->committed
						       : &seen->discarded) = value;
	return DTRACE_AGGWALK_NEXT;
}

static void trace_workers(dtrace_hdl_t *dtp, workers_t *w, seen_t *seen)
{
	FILE *fp = trace_nowhere();
	bool done = false;

	CHECK_DT(dtp, dtrace_handle_drop(dtp, see_drop, seen) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	workers_run(w);
	while (!done) {
		done = workers_done(w);
		CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, seen) ==
				  DTRACE_WORKSTATUS_OKAY);
		dtrace_sleep(dtp);
	}
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, seen) == DTRACE_WORKSTATUS_DONE);
	CHECK_DT(dtp, dtrace_aggregate_walk(dtp, see_aggregation, seen) == 0);
	fclose(fp);
}

/* Every second call is kept. */
static const char by_call[] =
    "syscall::umask:entry/ppid == $pid/ { self->spec = speculation(); self->arg = arg0; }"
    "syscall::umask:entry/ppid == $pid && self->spec/ { @got = count(); }"
    "syscall::umask:entry/ppid == $pid && !self->spec/ { @none = count(); }"
    "syscall::umask:entry/self->spec/ { speculate(self->spec); trace((int64_t)arg0); }"
    "syscall::umask:return/self->spec/ { speculate(self->spec); trace((int64_t)self->arg); }"
    "syscall::umask:return/self->spec && self->arg % 2/ { @committed = count(); }"
    "syscall::umask:return/self->spec && self->arg % 2/ { commit(self->spec); }"
    "syscall::umask:return/self->spec && self->arg % 2 == 0/"
    "{ discard(self->spec); @discarded = count(); }"
    "syscall::umask:return/self->spec/ { self->spec = 0; }";

static void loses_none_that_it_gave_out(const char *bufsize)
{
	dtrace_hdl_t *dtp = trace_program(by_call, "nspec=8", "switchrate=5ms", bufsize, NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.got == (int64_t)CALLS * w.n);
	CHECK(seen.none == 0 && seen.busy == 0 && seen.unavailable == 0 && seen.full == 0);
	CHECK(seen.committed == seen.got / 2);
	CHECK(seen.discarded == seen.got / 2);
	CHECK(seen.entries + seen.returns + seen.drops == 2 * (uint64_t)seen.committed);
	CHECK(seen.entries == seen.returns);
	CHECK(!seen.torn);
	dtrace_close(dtp);
}

static void loses_none_of_the_kept(void)
{
	loses_none_that_it_gave_out("bufsize=4m");
}

static void counts_the_kept_that_find_no_room(void)
{
	loses_none_that_it_gave_out("bufsize=8k");
}

static void counts_those_it_could_not_give_out(void)
{
	dtrace_hdl_t *dtp = trace_program(by_call, "nspec=1", "switchrate=5ms", NULL);
	seen_t seen = {0};
	workers_t w;

	workers_start(&w, CALLS);
	trace_workers(dtp, &w, &seen);
	CHECK(seen.got + seen.none == (int64_t)CALLS * w.n);
	CHECK(seen.busy + seen.unavailable == (uint64_t)seen.none);
	CHECK(seen.entries + seen.returns == 2 * (uint64_t)seen.committed);
	CHECK(!seen.torn);
	dtrace_close(dtp);
}

/* All CPUs speculate in one; one of them commits. */
static const char by_all[] =
    "BEGIN { done = 0; spec = speculation(); }"
    "syscall::umask:entry/ppid == $pid/ { speculate(spec); trace((int64_t)arg0); }"
    "tick-100/done == 0 && ended == $1/ { commit(spec); done = 1; }"
    "tick-100/done == 1/ { spec = speculation(); done = spec ? 2 : 1; }"
    "syscall::exit_group:entry/ppid == $pid/ { ended++; }"
    "tick-100/done == 2/ { exit(0); }";

static void commit_together(const char *specsize, seen_t *seen, int *nworkers)
{
	FILE *fp = trace_nowhere();
	char text[sizeof(by_all) + 16], *at;
	dtrace_workstatus_t status;
	dtrace_hdl_t *dtp;
	workers_t w;

	workers_start(&w, CALLS);
	*nworkers = w.n;
	snprintf(text, sizeof(text), "int ended;%s", by_all);
	at = strstr(text, "$1");
	at[0] = (char)('0' + w.n);
	at[1] = ' ';
	dtp = trace_program(text, specsize, NULL);
	CHECK_DT(dtp, dtrace_handle_drop(dtp, see_drop, seen) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	workers_run(&w);
	do {
		dtrace_sleep(dtp);
		status = dtrace_work(dtp, fp, see_probe, NULL, seen);
		CHECK_DT(dtp, status != DTRACE_WORKSTATUS_ERROR);
	} while (status == DTRACE_WORKSTATUS_OKAY);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, see_probe, NULL, seen) == DTRACE_WORKSTATUS_DONE);
	while (!workers_done(&w))
		usleep(1000);
	fclose(fp);
	dtrace_close(dtp);
}

static void commits_what_all_cpus_have(void)
{
	seen_t seen = {0};
	int n;

	commit_together("specsize=1m", &seen, &n);
	CHECK(seen.entries == (uint64_t)CALLS * (uint64_t)n);
	CHECK(seen.full == 0 && seen.drops == 0);
}

static void counts_what_a_speculation_has_no_room_for(void)
{
	seen_t seen = {0};
	int n;

	commit_together("specsize=4k", &seen, &n);
	CHECK(seen.entries > 0 && seen.full > 0);
	CHECK(seen.entries + seen.full == (uint64_t)CALLS * (uint64_t)n);
	CHECK(seen.drops == 0);
}

static void names_its_drops(void)
{
	dtrace_hdl_t *dtp = trace_program(
	    "BEGIN { speculation(); speculation(); speculation(); exit(0); }", NULL);
	FILE *fp = trace_nowhere();
	seen_t seen = {0};

	CHECK_DT(dtp, dtrace_handle_drop(dtp, see_drop, &seen) == 0);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, NULL, NULL, &seen) == DTRACE_WORKSTATUS_DONE);
	CHECK(seen.unavailable == 2);
	CHECK_STR(seen.text, "2 failed speculations (no speculative buffer available)\n");
	fclose(fp);
	dtrace_close(dtp);
}

int main(void)
{
	return RUN({"what is committed arrives, what is discarded does not",
		    loses_none_of_the_kept},
		   {"commits that find no room are counted, record by record",
		    counts_the_kept_that_find_no_room},
		   {"speculations that are not to be had are counted, by their reason",
		    counts_those_it_could_not_give_out},
		   {"a commit takes what all CPUs have, and the speculation is free again",
		    commits_what_all_cpus_have},
		   {"records beyond specsize are speculative drops",
		    counts_what_a_speculation_has_no_room_for},
		   {"drops are reported in words", names_its_drops});
}
