/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count.c - a consumer of libdtrace: counts the system calls of every program for some
 * seconds and prints them, the busiest last.
 *
 *	cc -o count count.c $(pkg-config --cflags --libs libdtrace)
 *	./count 5
 */
#include <dtrace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] = "syscall:::entry { @[execname] = count(); }"
			      "tick-1s { seconds++; }"
			      "tick-1s /seconds == $1/ { exit(0); }";

/* The aggregation has one key, the program's name, and one value, in the last record. */
static int print_count(const dtrace_aggdata_t *data, void *arg)
{
	const dtrace_aggdesc_t *desc = data->dtada_desc;
	const dtrace_recdesc_t *name = &desc->dtagd_rec[1];
	const dtrace_recdesc_t *value = &desc->dtagd_rec[desc->dtagd_nrecs - 1];
	uint64_t count;

	(void)arg;
	memcpy(&count, data->dtada_data + value->dtrd_offset, sizeof(count));
	printf("%-20s %10llu\n", data->dtada_data + name->dtrd_offset,
	       (unsigned long long)count);
	return DTRACE_AGGWALK_NEXT;
}

static int pass_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *rec, void *arg)
{
	(void)data, (void)arg;
	return rec ? DTRACE_CONSUME_NEXT : DTRACE_CONSUME_THIS;
}

static int pass_probe(const dtrace_probedata_t *data, void *arg)
{
	(void)data, (void)arg;
	return DTRACE_CONSUME_THIS;
}

static int trace(dtrace_hdl_t *dtp, char *seconds)
{
	char *argv[] = {"count", seconds};
	dtrace_prog_t *prog = dtrace_program_strcompile(dtp, program, DTRACE_PROBESPEC_NAME,
							0, 2, argv);
	dtrace_workstatus_t status;

	if (!prog || dtrace_program_exec(dtp, prog, NULL) != 0 || dtrace_go(dtp) != 0)
		return -1;
	do {
		dtrace_sleep(dtp);
		status = dtrace_work(dtp, stdout, pass_probe, pass_record, NULL);
	} while (status == DTRACE_WORKSTATUS_OKAY);
	if (status == DTRACE_WORKSTATUS_ERROR || dtrace_stop(dtp) != 0 ||
	    dtrace_aggregate_snap(dtp) != 0)
		return -1;
	return dtrace_aggregate_walk_valsorted(dtp, print_count, NULL);
}

int main(int argc, char *argv[])
{
	dtrace_hdl_t *dtp;
	int err;

	dtp = dtrace_open(DTRACE_VERSION, 0, &err);
	if (!dtp) {
		fprintf(stderr, "count: %s\n", dtrace_errmsg(NULL, err));
		return EXIT_FAILURE;
	}
	err = trace(dtp, argc > 1 ? argv[1] : "2");
	if (err != 0)
		fprintf(stderr, "count: %s\n", dtrace_errmsg(dtp, dtrace_errno(dtp)));
	dtrace_close(dtp);
	return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
