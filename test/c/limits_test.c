/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits_test.c - the kernel refuses something: dtrace_go() does with less, or leaves
 * nothing behind. Refusals are made here, by the functions below that stand in the place
 * of libbpf's.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "trace.h"

static struct {
	uint64_t memory;      /* bytes that a map may have, 0: any */
	unsigned int refused; /* call that fails, from 1; 0: none */
	unsigned int calls;
	unsigned int untranslated; /* programs that the JIT fails on */
} refuse;

static int self_map; /* the last one of thread-local variables */

static int call_is_refused(void)
{
	return ++refuse.calls == refuse.refused;
}

int bpf_map_create(enum bpf_map_type type, const char *name, __u32 key, __u32 value,
		   __u32 entries, const struct bpf_map_create_opts *opts)
{
	union bpf_attr attr;
	int fd;

	if (call_is_refused())
		return -EPERM;
	if (refuse.memory && (uint64_t)value * entries > refuse.memory)
		return -ENOMEM;
	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = key;
	attr.value_size = value;
	attr.max_entries = entries;
	strncpy(attr.map_name, name, sizeof(attr.map_name) - 1);
	if (opts) {
		attr.map_flags = opts->map_flags;
		attr.btf_fd = opts->btf_fd;
		attr.btf_key_type_id = opts->btf_key_type_id;
		attr.btf_value_type_id = opts->btf_value_type_id;
	}
	fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (type == BPF_MAP_TYPE_TASK_STORAGE)
		self_map = fd;
	return fd < 0 ? -errno : fd;
}

int bpf_raw_tracepoint_open(const char *name, int prog)
{
	union bpf_attr attr;
	int fd;

	if (call_is_refused())
		return -EPERM;
	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.name = (uint64_t)(uintptr_t)name;
	attr.raw_tracepoint.prog_fd = (uint32_t)prog;
	fd = (int)syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

int bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
		  const struct bpf_insn *insns, size_t n, const struct bpf_prog_load_opts *opts)
{
	int (*real)(enum bpf_prog_type, const char *, const char *, const struct bpf_insn *,
		    size_t, const struct bpf_prog_load_opts *);

	if (refuse.untranslated > 0) {
		refuse.untranslated--;
		return -524; /* the kernel's ENOTSUPP */
	}
	*(void **)&real = dlsym(RTLD_NEXT, "bpf_prog_load");
	return real ? real(type, name, license, insns, n, opts) : -ENOSYS;
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	CHECK(dir != NULL);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static const char everything[] =
    "BEGIN { g = 1; trace(vtimestamp); }"
    "syscall::umask:entry/ppid == $pid/ { self->x = 1; a[arg0] = 1; spec = speculation(); }"
    "syscall::umask:entry/ppid == $pid/ { speculate(spec); trace(execname); }"
    "syscall::umask:return/ppid == $pid/ { @[execname] = count(); }"
    "syscall::umask:return/ppid == $pid/ { commit(spec); }"
    "tick-10 { printf(\"%s\", strjoin(execname, probename)); }"
    "END { trace(1); }";

static void leaves_nothing_when_it_fails(void)
{
	int before = count_descriptors();
	bool went = false;

	for (refuse.refused = 1; !went; refuse.refused++) {
		dtrace_hdl_t *dtp = trace_program(everything, NULL);

		refuse.calls = 0;
		went = dtrace_go(dtp) == 0;
		if (!went) {
			CHECK(strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "failed") != NULL);
			CHECK(count_descriptors() == before);
			CHECK(dtrace_stop(dtp) == 0);
			CHECK(dtrace_consume(dtp, stderr, NULL, NULL, NULL) == 0);
		}
		dtrace_close(dtp);
		CHECK(count_descriptors() == before);
	}
	CHECK(refuse.refused > 10);
	refuse.refused = 0;
}

static dtrace_optval_t option(dtrace_hdl_t *dtp, const char *name)
{
	dtrace_optval_t value;

	CHECK_DT(dtp, dtrace_getopt(dtp, name, &value) == 0);
	return value;
}

static void lowers_sizes(void)
{
	dtrace_hdl_t *dtp = trace_program(everything, "bufsize=64m", "aggsize=16m",
					  "specsize=1m", NULL);

	refuse.memory = 4 << 20;
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	refuse.memory = 0;
	CHECK(option(dtp, "bufsize") <= 1 << 20);
	CHECK(option(dtp, "bufsize") >= 4096);
	CHECK(option(dtp, "aggsize") < 16 << 20);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	dtrace_close(dtp);
}

static void lowers_no_size_when_told_so(void)
{
	dtrace_hdl_t *dtp =
	    trace_program(everything, "bufsize=64m", "bufresize=manual", NULL);

	refuse.memory = 4 << 20;
	CHECK(dtrace_go(dtp) != 0);
	refuse.memory = 0;
	CHECK(strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "Cannot allocate memory") != NULL);
	CHECK(option(dtp, "bufsize") == 64 << 20);
	dtrace_close(dtp);
}

/* What was lowered still traces. */
static int count_probe(const dtrace_probedata_t *data, void *argument)
{
	(void)data;
	++*(int *)argument;
	return DTRACE_CONSUME_NEXT;
}

static void traces_with_less(void)
{
	dtrace_hdl_t *dtp = trace_program("syscall::umask:entry/pid == $pid/ { trace(arg0); }",
					  "bufsize=64m", NULL);
	FILE *fp = trace_nowhere();
	int n = 0;

	refuse.memory = 1 << 20;
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	refuse.memory = 0;
	for (int i = 0; i < 100; i++)
		umask(umask(022));
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, count_probe, NULL, &n) == DTRACE_WORKSTATUS_DONE);
	CHECK(n == 200);
	fclose(fp);
	dtrace_close(dtp);
}

static const char greeting[] =
    "BEGIN { n = 1; printf(\"%s %d\", strjoin(\"hel\", \"lo\"), n); exit(0); }";

/* Each of its failures is followed by another way to divide the program. */
static void divides_what_the_jit_fails_on(void)
{
	dtrace_hdl_t *dtp = trace_program(greeting, "quiet", NULL);
	FILE *fp = trace_nowhere();

	refuse.untranslated = 4;
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	CHECK(refuse.untranslated == 0);
	CHECK_DT(dtp, dtrace_work(dtp, fp, NULL, NULL, NULL) == DTRACE_WORKSTATUS_DONE);
	CHECK_DT(dtp, dtrace_stop(dtp) == 0);
	fclose(fp);
	dtrace_close(dtp);
}

static void gives_up_in_the_end(void)
{
	int before = count_descriptors();
	dtrace_hdl_t *dtp = trace_program(greeting, NULL);

	refuse.untranslated = 1000;
	CHECK(dtrace_go(dtp) != 0);
	refuse.untranslated = 0;
	CHECK(strstr(dtrace_errmsg(dtp, dtrace_errno(dtp)), "refused") != NULL);
	dtrace_close(dtp);
	CHECK(count_descriptors() == before);
}

/* Whether this thread has variables, after its umask(argument) has made the statement run. */
static bool has_variables_after(const char *statement, mode_t argument)
{
	int thread = (int)syscall(SYS_pidfd_open, getpid(), 0);
	dtrace_hdl_t *dtp;
	char program[128];
	mode_t before;
	uint64_t value;
	bool has;

	snprintf(program, sizeof(program), "syscall::umask:entry/pid == $pid/ { %s; }", statement);
	dtp = trace_program(program, NULL);
	CHECK(thread >= 0);
	before = umask(argument);
	CHECK_DT(dtp, dtrace_go(dtp) == 0);
	umask(argument);
	has = bpf_map_lookup_elem(self_map, &thread, &value) == 0;
	close(thread);
	dtrace_close(dtp);
	umask(before);
	return has;
}

static void makes_no_variables_for_nothing(void)
{
	CHECK(!has_variables_after("self->x = 0", 1));
	CHECK(!has_variables_after("trace(self->x += arg0 - 1)", 1));
	CHECK(has_variables_after("self->x = arg0", 1));
}

int main(void)
{
	return RUN({"dtrace_go() that fails leaves nothing behind, wherever it fails",
		    leaves_nothing_when_it_fails},
		   {"sizes are lowered when memory is refused", lowers_sizes},
		   {"with bufresize=manual they are not", lowers_no_size_when_told_so},
		   {"lowered buffers trace", traces_with_less},
		   {"a program that the kernel's JIT fails on is divided otherwise",
		    divides_what_the_jit_fails_on},
		   {"and given up when that does not help", gives_up_in_the_end},
		   {"a thread gets no variables by an assignment of 0",
		    makes_no_variables_for_nothing});
}
