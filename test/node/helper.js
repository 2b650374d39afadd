/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* What the tests of the package share. They need the privileges that DTrace needs. */
const fs = require('node:fs');
const v8 = require('node:v8');
const vm = require('node:vm');
const { setTimeout: sleep } = require('node:timers/promises');
const { createConsumer } = require('dtrace-async');

/* A consumer that is ready. */
function open() {
	return new Promise((resolve, reject) => {
		const dtp = createConsumer();

		dtp.once('ready', () => resolve(dtp));
		dtp.once('error', reject);
	});
}

/* A consumer that is tracing these programs. */
async function start(...programs) {
	const dtp = await open();

	for (const program of programs)
		await dtp.strcompile(program);
	await dtp.go();
	return dtp;
}

/* What consume() gives now; null stands for the end of a firing. */
function drain(dtp) {
	const values = [];

	dtp.consume((probe, rec) => values.push(rec ? rec.data : null));
	return values;
}

/* Everything that a program whose work is done in BEGIN and END gives to consume(). */
async function values(program) {
	const dtp = await start(program);
	const result = drain(dtp);

	await dtp.stop();
	return result.concat(drain(dtp));
}

/* What aggwalk() gives now. */
function walk(dtp) {
	const records = [];

	dtp.aggwalk((varid, key, value) => records.push({ varid, key, value }));
	return records;
}

/* Every aggregation record of a program whose work is done in BEGIN and END. */
async function aggregations(program) {
	const dtp = await start(program);

	await dtp.stop();
	return walk(dtp);
}

/* Waits until the condition holds, and fails when it does not within ten seconds. */
async function until(condition, what) {
	const end = Date.now() + 10000;

	while (!condition()) {
		if (Date.now() > end)
			throw new Error(`waited in vain for ${what}`);
		await sleep(20);
	}
}

/* Collects garbage; what was found unreachable is finalized in the turns that follow. */
async function collect() {
	v8.setFlagsFromString('--expose-gc');
	for (let i = 0; i < 3; i++) {
		vm.runInNewContext('gc')();
		await sleep(10);
	}
}

/* Descriptors of this process that keep something in the kernel at work. */
function kernelObjects() {
	const found = [];

	for (const fd of fs.readdirSync('/proc/self/fd')) {
		try {
			const target = fs.readlinkSync(`/proc/self/fd/${fd}`);

			if (/bpf|perf_event/.test(target))
				found.push(target);
		} catch {
			continue; /* closed meanwhile */
		}
	}
	return found;
}

module.exports = {
	aggregations, collect, drain, kernelObjects, open, sleep, start, until, values,
	walk,
};
