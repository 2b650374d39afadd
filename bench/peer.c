/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.c - loads and attaches peer.bpf.o, prints "attached", waits for a signal, and prints
 * the calls of the programs named NAME.
 *
 * usage: peer OBJECT NAME
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t total(int map, const char *name)
{
	int ncpus = libbpf_num_possible_cpus();
	uint64_t *values = calloc((size_t)ncpus, sizeof(*values)), sum = 0;
	char key[16] = "";

	strncpy(key, name, sizeof(key) - 1);
	if (values && bpf_map_lookup_elem(map, key, values) == 0)
		for (int i = 0; i < ncpus; i++)
			sum += values[i];
	free(values);
	return sum;
}

int main(int argc, char *argv[])
{
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_link *link;
	sigset_t set;
	int sig;

	if (argc != 3) {
		fprintf(stderr, "usage: peer OBJECT NAME\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	object = bpf_object__open(argv[1]);
	if (!object || bpf_object__load(object) != 0) {
		fprintf(stderr, "peer: cannot load %s\n", argv[1]);
		return 1;
	}
	program = bpf_object__find_program_by_name(object, "count_by_comm");
	link = program ? bpf_program__attach(program) : NULL;
	if (!link) {
		fprintf(stderr, "peer: cannot attach\n");
		return 1;
	}
	printf("attached\n");
	fflush(stdout);
	sigwait(&set, &sig);
	bpf_link__destroy(link);
	printf("%llu\n", (unsigned long long)total(
			     bpf_object__find_map_fd_by_name(object, "counts"), argv[2]));
	bpf_object__close(object);
	return 0;
}
