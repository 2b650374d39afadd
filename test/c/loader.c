/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.c - a process that gets code while it runs.
 *
 *	loader load LIBRARY N		loads test/c/late.c and calls late_work N times
 *	loader exec PROGRAM [ARG...]	executes another program in its place
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int load(const char *path, int n)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*work)(int) = library ? (int (*)(int))dlsym(library, "late_work") : NULL;

	if (!work) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	for (int i = 0; i < n; i++)
		work(i);
	return 0;
}

int main(int argc, char *argv[])
{
	if (argc == 4 && strcmp(argv[1], "load") == 0)
		return load(argv[2], atoi(argv[3]));
	if (argc >= 3 && strcmp(argv[1], "exec") == 0)
		execv(argv[2], argv + 2);
	return 2;
}
