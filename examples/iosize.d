#!/usr/sbin/dtrace -qs
/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes programs ask for in one read or write, every five seconds. */

syscall::read:entry,
syscall::write:entry
{
	@[probefunc, execname] = lquantize(arg2, 0, 65536, 4096);
}

tick-5s
{
	printf("%Y\n", walltimestamp);
	printa(@);
	trunc(@);
}
