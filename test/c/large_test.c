/* SPDX-License-Identifier: Apache-2.0 */
/*
 * large_test.c - programs of hundreds of clauses on one probe: their code is divided into
 * functions, of which nobody must notice anything.
 */
#include "trace.h"

#define NCLAUSES 150
#define CALLS NCLAUSES

/* ---- Text ------------------------------------------------------------------------------
 */

static struct {
	FILE *fp;
	char *text;
	size_t size;
} program, expected;

static char *output;
static size_t output_size;
static uint64_t double_faults;

static void begin(void)
{
	program.fp = open_memstream(&program.text, &program.size);
	expected.fp = open_memstream(&expected.text, &expected.size);
	CHECK(program.fp != NULL && expected.fp != NULL);
}

static int on_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		     void *argument)
{
	(void)data;
	(void)argument;
	return record && record->dtrd_action != DTRACEACT_EXIT ? DTRACE_CONSUME_THIS
							       : DTRACE_CONSUME_NEXT;
}

/* Faults are told by ERROR's clauses. */
static int on_fault(const dtrace_errdata_t *data, void *argument)
{
	(void)data;
	(void)argument;
	return DTRACE_HANDLE_OK;
}

/* Of drops only faults in ERROR itself are expected. */
static int on_drop(const dtrace_dropdata_t *data, void *argument)
{
	(void)argument;
	if (data->dtdda_kind != DTRACEDROP_DBLERROR)
		return DTRACE_HANDLE_ABORT;
	double_faults += data->dtdda_drops;
	return DTRACE_HANDLE_OK;
}

static dtrace_hdl_t *compiled(void)
{
	dtrace_hdl_t *dtp;

	fclose(program.fp);
	dtp = trace_program(program.text, "quiet", "nspec=2", NULL);
	free(program.text);
	CHECK_DT(dtp, dtrace_handle_err(dtp, on_fault, NULL) == 0);
	CHECK_DT(dtp, dtrace_handle_drop(dtp, on_drop, NULL) == 0);
	return dtp;
}

/* Traces the workers to their end, or without any until exit(). */
static void run(dtrace_hdl_t *dtp, workers_t *w)
{
	FILE *fp = open_memstream(&output, &output_size);
	dtrace_workstatus_t status = DTRACE_WORKSTATUS_OKAY;
	bool done = false;

	CHECK(fp != NULL);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	if (w)
		workers_run(w);
	while (!done && status == DTRACE_WORKSTATUS_OKAY) {
		dtrace_sleep(dtp);
		done = w && workers_done(w);
		status = dtrace_work(dtp, fp, NULL, on_record, NULL);
		CHECK_DT(dtp, status != DTRACE_WORKSTATUS_ERROR);
	}
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp,
		 dtrace_work(dtp, fp, NULL, on_record, NULL) == DTRACE_WORKSTATUS_DONE);
	CHECK_DT(dtp, dtrace_aggregate_snap(dtp) == 0);
	CHECK_DT(dtp, dtrace_aggregate_print(dtp, fp, NULL) == 0);
	dtrace_close(dtp);
	fclose(fp);
}

static void compare(void)
{
	size_t same = 0;

	fclose(expected.fp);
	while (output[same] && output[same] == expected.text[same])
		same++;
	if (strcmp(output, expected.text) != 0)
		printf("# %.200s\n# instead of\n# %.200s\n", output + same,
		       expected.text + same);
	CHECK(strcmp(output, expected.text) == 0);
	free(expected.text);
	free(output);
}

/* ---- Tests ------------------------------------------------------------------------------
 */

/* Strings, this-> variables, globals and strtok()'s state go from clause to clause. */
static void runs_clauses_in_order(void)
{
	begin();
	fprintf(
	    program.fp,
	    "int n; BEGIN { this->sum = 0; this->text = \"\"; strtok(\"a;b;c\", \";\"); }");
	for (int i = 0; i < NCLAUSES; i++) {
		fprintf(program.fp,
			"BEGIN /n %% 2 == %d/ { printf(\"%%s %%d;\", strjoin(\"never\", "
			"this->text), n); }"
			"BEGIN { n++; this->sum += n; this->text = lltostr(n); }"
			"BEGIN { printf(\"%%s %%d\\n\", strjoin(\"n\", this->text), "
			"this->sum); }",
			1 - i % 2);
		fprintf(expected.fp, "n%d %d\n", i + 1, (i + 1) * (i + 2) / 2);
	}
	fprintf(program.fp, "BEGIN { printf(\"%%s\\n\", strtok(NULL, \";\")); exit(0); }"
			    "BEGIN { printf(\"never\\n\"); }");
	fprintf(expected.fp, "b\n");
	run(compiled(), NULL);
	compare();
}

/* Each clause that faults is without effect from there on, and fires all of ERROR's. */
static void faults_amid_others(void)
{
	begin();
	for (int i = 0; i < NCLAUSES; i++) {
		int address = i % 3 ? 0 : i + 8;

		fprintf(program.fp,
			"BEGIN { trace(1); n++; trace(*(int *)%d); n += 1000; }"
			"BEGIN { printf(\"%%d of %d\\n\", n); @n = count(); }",
			address, i);
		fprintf(expected.fp, "fault 1 at 0x%x\n%d of %d\n", address, i + 1, i);
	}
	fprintf(program.fp, "BEGIN { exit(0); }"
			    "ERROR { printf(\"fault %%d \", arg4); e++; }"
			    "ERROR { trace(*(int *)4); }"
			    "ERROR { printf(\"at 0x%%x\\n\", arg5); @e = count(); }"
			    "END { printf(\"%%d faults\\n\", e); }");
	fprintf(expected.fp, "%d faults\n%17d\n%17d\n", NCLAUSES, NCLAUSES, NCLAUSES);
	double_faults = 0;
	run(compiled(), NULL);
	CHECK(double_faults == NCLAUSES);
	compare();
}

/* Of a clause that is divided itself, what is done before its fault stays. */
static void divides_a_clause(void)
{
	begin();
	fprintf(program.fp, "int n;");
	for (int faulty = 1; faulty >= 0; faulty--) {
		fprintf(program.fp, "BEGIN {");
		for (int i = 0; i < NCLAUSES; i++)
			fprintf(program.fp,
				"n++; this->t = strjoin(\"n\", lltostr(n));"
				"printf(\"%%s %%s,\", this->t, substr(this->t, 1));"
				"@s[%d] = sum(n);",
				i % 3);
		if (faulty)
			fprintf(program.fp, "trace(*(int *)8);");
		fprintf(program.fp, "n += 1000; @e = count(); }");
	}
	fprintf(program.fp, "BEGIN { printf(\"%%d\\n\", n); exit(0); }"
			    "ERROR { printf(\"%%d;\", arg5); }");
	fprintf(expected.fp, "8;");
	for (int i = NCLAUSES + 1; i <= 2 * NCLAUSES; i++)
		fprintf(expected.fp, "n%d %d,", i, i);
	fprintf(expected.fp, "%d\n", 2 * NCLAUSES + 1000);
	for (int i = 0; i < 3; i++) {
		int sum = 0;

		for (int n = 1 + i; n <= 2 * NCLAUSES; n += 3)
			sum += n;
		fprintf(expected.fp, "%9d %16d\n", i, sum);
	}
	fprintf(expected.fp, "%17d\n", 1);
	run(compiled(), NULL);
	compare();
}

static void speculates(void)
{
	begin();
	fprintf(program.fp, "BEGIN { a = speculation(); b = speculation(); }");
	for (int i = 0; i < NCLAUSES; i++) {
		fprintf(program.fp,
			"BEGIN { speculate(%s); "
			"printf(\"%%s,\", strjoin(\"n\", lltostr(%d))); }",
			i % 2 ? "a" : "b", i);
		if (i % 2)
			fprintf(expected.fp, "n%d,", i);
	}
	fprintf(program.fp,
		"BEGIN { commit(a); } BEGIN { discard(b); } BEGIN { exit(0); }");
	run(compiled(), NULL);
	compare();
}

/* Predicates choose among hundreds of clauses; records and counts are exact. */
static void is_exact_on_all_cpus(void)
{
	uint64_t lines = 0;
	const char *line;
	workers_t w;

	begin();
	fprintf(program.fp, "syscall::umask:entry,syscall::umask:return /ppid == $pid/ { "
			    "@all = count(); }");
	for (int i = 0; i < NCLAUSES; i++)
		fprintf(program.fp,
			"syscall::umask:entry /ppid == $pid && arg0 == %d/"
			"{ printf(\"%%s %%d\\n\", strjoin(\"n\", lltostr(arg0)), %d); @n = "
			"sum(arg0); }"
			"syscall::umask:return /ppid == $pid/ { @r = count(); }",
			i, i);
	workers_start(&w, CALLS);
	run(compiled(), &w);
	for (line = output; *line == 'n'; line = strchr(line, '\n') + 1) {
		int text, number;

		CHECK(sscanf(line, "n%d %d\n", &text, &number) == 2 && text == number);
		lines++;
	}
	CHECK(lines == (uint64_t)CALLS * (uint64_t)w.n);
	fprintf(expected.fp, "%17d\n%17d\n%17d\n", 2 * CALLS * w.n,
		CALLS * (CALLS - 1) / 2 * w.n, CALLS * NCLAUSES * w.n);
	fclose(expected.fp);
	CHECK_STR(line, expected.text);
	free(expected.text);
	free(output);
}

/* ---- User probes
 * -------------------------------------------------------------------------- */

static volatile int calls_seen;

/* What is probed. */
static __attribute__((noipa)) void probed(int n, const char *text)
{
	calls_seen += n + text[0];
}

static void start_caller(workers_t *w)
{
	int fds[2];
	char byte;

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	*w = (workers_t){.n = 1, .start = fds[1]};
	w->pids[0] = fork();
	if (w->pids[0] == 0) {
		close(fds[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(fds[0], &byte, 1) != 0)
			_exit(1);
		for (int i = 0; i < 3; i++)
			probed(i, i % 2 ? "odd" : "even");
		_exit(0);
	}
	close(fds[0]);
}

static void probes_a_process(void)
{
	dtrace_hdl_t *dtp;
	workers_t w;

	start_caller(&w);
	begin();
	for (int i = 0; i < NCLAUSES; i++)
		fprintf(program.fp,
			"pid%d:a.out:probed:entry /(int)arg0 == %d/"
			"{ printf(\"%%d %%s\\n\", (int)arg0 + %d, strjoin(copyinstr(arg1), "
			"probename)); }",
			(int)w.pids[0], i % 3, i);
	for (int call = 0; call < 3; call++)
		for (int i = call; i < NCLAUSES; i += 3)
			fprintf(expected.fp, "%d %sentry\n", call + i,
				call % 2 ? "odd" : "even");
	dtp = compiled();
	/* The process may go from CPU to CPU. */
	CHECK_DT(dtp, dtrace_setopt(dtp, "temporal", NULL) == 0);
	run(dtp, &w);
	compare();
}

/* ---- Limits
 * --------------------------------------------------------------------------------- */

/* A condition of so many comparisons, of about equal depth. */
static void condition(FILE *fp, int low, int high)
{
	int middle = (low + high) / 2;

	if (high - low == 1) {
		fprintf(fp, "n != %d", high);
		return;
	}
	fputc('(', fp);
	condition(fp, low, middle);
	fputs(" && ", fp);
	condition(fp, middle, high);
	fputc(')', fp);
}

/* What cannot be divided is refused by the compiler, with its line. */
static void refuses_what_is_too_large(void)
{
	dtrace_hdl_t *dtp;

	begin();
	fprintf(program.fp, "int n;\nBEGIN\n/");
	condition(program.fp, 0, 20000);
	fprintf(program.fp, "/\n{ exit(0); }");
	dtp = compiled();
	CHECK(dtrace_go(dtp) != 0);
	CHECK_STR(dtrace_errmsg(dtp, dtrace_errno(dtp)),
		  "line 2: the clauses of one probe are too large together");
	dtrace_close(dtp);
	fclose(expected.fp);
	free(expected.text);
}

int main(void)
{
	return RUN(
	    {"clauses run in order and hand on what they should", runs_clauses_in_order},
	    {"faults amid other clauses", faults_amid_others},
	    {"a clause that is divided itself", divides_a_clause},
	    {"speculations", speculates},
	    {"records and aggregations are exact on all CPUs", is_exact_on_all_cpus},
	    {"user probes", probes_a_process},
	    {"what is too large is refused by name", refuses_what_is_too_large});
}
