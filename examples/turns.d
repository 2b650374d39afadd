#!/usr/sbin/dtrace -qs
/* SPDX-License-Identifier: Apache-2.0 */
/* How long the turns of a Node program's event loop are, in ns: the time from the end of one
 * wait for events to the beginning of the next. usage: turns.d -p PID; Ctrl-C prints them. */

syscall::epoll_*wait:return
/pid == $target && tid == pid/
{
	self->begun = timestamp;
}

syscall::epoll_*wait:entry
/self->begun/
{
	@["turn of the event loop (ns)"] = quantize(timestamp - self->begun);
	self->begun = 0;
}
