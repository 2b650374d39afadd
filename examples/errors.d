#!/usr/sbin/dtrace -qs
/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls fail, in which programs, with which error. Ctrl-C prints them. */

syscall:::return
/errno/
{
	@[execname, probefunc, errno] = count();
}

END
{
	printf("%-16s %-20s %8s %8s\n", "PROGRAM", "CALL", "ERRNO", "COUNT");
	printa("%-16s %-20s %8d %@8d\n", @);
}
