#!/usr/sbin/dtrace -qs
/* SPDX-License-Identifier: Apache-2.0 */
/* What a Node program is at when a turn of its event loop takes longer than 100 ms: the ten
 * commonest stacks among samples. usage: stalls.d -p PID; Ctrl-C prints them. */

syscall::epoll_*wait:return
/pid == $target && tid == pid/
{
	begun = timestamp;
}

syscall::epoll_*wait:entry
/pid == $target && tid == pid/
{
	begun = 0;
}

profile-199
/pid == $target && tid == pid && begun && timestamp - begun > 100000000/
{
	@[jstack(40)] = count();
}

END
{
	trunc(@, 10);
}
