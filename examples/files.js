/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * The files that a command opens, as it opens them, and how long each open takes:
 *
 *	node examples/files.js ls -l /
 */
const { open } = require('dtrace-async');

const PROGRAM = `
	syscall::openat:entry
	/pid == $target/
	{
		self->path = copyinstr(arg1);
		self->begun = timestamp;
	}

	syscall::openat:return
	/self->begun/
	{
		trace(self->path);
		trace(errno);
		trace(timestamp - self->begun);
		@["nanoseconds"] = quantize(timestamp - self->begun);
		self->path = 0;
		self->begun = 0;
	}`;

async function main(command) {
	const dt = await open({ target: command });

	await dt.run(PROGRAM);
	for await (const { data: [path, errno, ns] } of dt)
		console.log(`${(ns / 1000).toFixed(1).padStart(10)} us  ${errno ? '-' : ' '} ${path}`);
	for (const { keys: [unit], value: buckets } of await dt.aggregations()) {
		console.log(unit);
		for (const [[min, max], count] of buckets)
			console.log(`${min} to ${max}`.padStart(20), '#'.repeat(count));
	}
	await dt.close();
}

main(process.argv.length > 2 ? process.argv.slice(2) : ['true']).catch((err) => {
	console.error(err.message);
	process.exitCode = 1;
});
