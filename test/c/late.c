/* SPDX-License-Identifier: Apache-2.0 */
/* late.c - a library that loader.c loads while it runs. */
int late_begun;

/* Runs before dlopen() returns. */
__attribute__((constructor)) void late_begin(void)
{
	late_begun = 1;
}

__attribute__((noipa, visibility("default"))) int late_work(int n)
{
	return n + late_begun;
}
