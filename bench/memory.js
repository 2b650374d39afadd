/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What a consumer holds that reads by itself and to which nothing happens: of this process's
 * memory and, for its programs and maps, of the kernel's. Its buffers are apart: how large
 * they are is for the user to say.
 */
const fs = require('node:fs');
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

module.exports = async function measure() {
	const all = [await consumer()]; /* what all share is there from the first on */
	const before = [await resident(), inKernel()];

	while (all.length <= CONSUMERS)
		all.push(await consumer());
	const held = [await resident() - before[0], inKernel() - before[1]]
	    .map((bytes) => bytes / CONSUMERS / 1e6);

	await Promise.all(all.map((dt) => dt.close()));
	verbose('in the process and in the kernel, MB', held);
	return [row('memory of an idle consumer, besides its buffers',
	    { ours: held[0] + held[1], unit: 'MB', target: 1 })];
};
