#!/usr/sbin/dtrace -qs
/* SPDX-License-Identifier: Apache-2.0 */
/* How long each kind of system call takes, in nanoseconds, for programs of one name or,
 * without an argument, for all. usage: latency.d [name] */

#pragma D option defaultargs

syscall:::entry
/$$1 == "" || execname == $$1/
{
	self->start = timestamp;
}

syscall:::return
/self->start/
{
	@[probefunc] = quantize(timestamp - self->start);
	self->start = 0;
}
