#!/usr/sbin/dtrace -qs
/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel is at, ten seconds long: the twenty commonest stacks among samples. */

profile-997
/arg0/
{
	@[stack()] = count();
}

tick-10s
{
	exit(0);
}

END
{
	trunc(@, 20);
}
