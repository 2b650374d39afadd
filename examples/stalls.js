/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Watches the event loop of a Node program, from outside, and tells of each turn longer than
 * 100 ms as it ends, with the JavaScript functions that it spent most of its time in:
 *
 *	node examples/stalls.js PID
 */
const { open } = require('dtrace-async');

const PROGRAM = `
	syscall::epoll_*wait:return
	/pid == $target && tid == pid/
	{
		begun = timestamp;
	}

	profile-99
	/pid == $target && tid == pid && begun && timestamp - begun > 100000000/
	{
		trace(0);
		jstack(64, 2048);
	}

	syscall::epoll_*wait:entry
	/pid == $target && tid == pid && begun && timestamp - begun > 100000000/
	{
		trace(timestamp - begun);
	}

	syscall::epoll_*wait:entry
	/pid == $target && tid == pid/
	{
		begun = 0;
	}`;

/* The innermost JavaScript function that is not Node's own. */
function functionOf(stack) {
	const frame = stack.find(({ file }) => file && !file.startsWith('node:')) ??
	    stack.find(({ file }) => file);

	return frame && `${frame.symbol} at ${frame.file}:${frame.line}`;
}

async function main(pid) {
	const dt = await open({ target: pid });
	let samples = new Map();

	process.once('SIGINT', () => dt.stop());
	await dt.run(PROGRAM);
	for await (const { data: [took, stack] } of dt) {
		if (stack) {
			const name = functionOf(stack);

			if (name !== undefined)
				samples.set(name, (samples.get(name) ?? 0) + 1);
			continue;
		}
		const most = [...samples].sort(([, a], [, b]) => b - a)[0];

		console.log(`a turn of ${Math.round(took / 1e6)} ms, most of it in ` +
		    `${most?.[0] ?? 'native code, or waiting'}`);
		samples = new Map();
	}
	await dt.close();
}

main(Number(process.argv[2])).catch((error) => {
	console.error(error.message);
	process.exitCode = 1;
});
