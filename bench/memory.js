/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What a consumer holds that reads by itself and to which nothing happens: of this process's
 * memory and, for its programs and maps, of the kernel's. Its buffers are apart: how large
 * they are is for the user to say.
 */
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const { promisify } = require('node:util');
const v8 = require('node:v8');
const vm = require('node:vm');
const dtrace = require('..');
const { row, sleep, verbose } = require('./tools');

const CONSUMERS = 100;
const BUFSIZE = 4 << 20;
const PROGRAM = `
	syscall::umask:entry /pid == 0/ { trace(arg0); @[execname] = quantize(arg0); }
	syscall::umask:return /pid == 0/ { printf("%d %s", errno, probefunc); }`;

/* Bytes of this process that are in memory, garbage apart. */
async function resident() {
	v8.setFlagsFromString('--expose-gc');
	for (let i = 0; i < 3; i++) {
		vm.runInNewContext('gc')();
		await sleep(100);
	}
	return 1024 * /^Rss:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/smaps_rollup', 'utf8'))[1];
}

function fdinfo(fd) {
	try {
		return fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
	} catch {
		return ''; /* the directory's own, closed again */
	}
}

/* Bytes of the kernel's that programs and maps of this process take, without buffers. */
function inKernel() {
	const field = (text, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);

	return fs.readdirSync('/proc/self/fd').map(fdinfo)
	    .filter((text) => field(text, 'value_size') < BUFSIZE)
	    .reduce((sum, text) => sum + field(text, 'memlock'), 0);
}

async function consumer() {
	const dt = await dtrace.open({ options: { bufsize: BUFSIZE, aggsize: BUFSIZE } });

	dt.on('record', () => {});
	await dt.run(PROGRAM);
	return dt;
}

/* Bytes for each: of the process, and of the kernel. */
async function heldByEach() {
	const all = [await consumer()]; /* what all share is there from the first on */
	const before = [await resident(), inKernel()];

	while (all.length <= CONSUMERS)
		all.push(await consumer());
	const after = [await resident(), inKernel()];

	await Promise.all(all.map((dt) => dt.close()));
	return after.map((bytes, i) => (bytes - before[i]) / CONSUMERS);
}

if (require.main === module)
	heldByEach().then((held) => console.log(JSON.stringify(held)));

module.exports = async function measure() {
	const { stdout } = await promisify(execFile)(process.execPath, [__filename]);
	const held = JSON.parse(stdout).map((bytes) => bytes / 1e6);

	verbose('in the process and in the kernel, MB', held);
	return [row('memory of an idle consumer, besides its buffers',
	    { ours: held[0] + held[1], unit: 'MB', target: 1 })];
};
