/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* What the tests of the package share. They need the privileges that DTrace needs. */
const { execFile, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const { promisify } = require('node:util');
const v8 = require('node:v8');
const vm = require('node:vm');
const { setTimeout: sleep } = require('node:timers/promises');
const { createConsumer } = require('dtrace-async');
const { patience } = require('../command');

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

/* Waits until the condition holds, and fails when it does not within ten seconds (times
 * DTRACE_TEST_PATIENCE). */
async function until(condition, what) {
	const end = Date.now() + 10000 * patience;

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

/*
 * What this process holds of the kernel's: every program, map and link by its number, each
 * window of memory shared with the kernel, and every clock.
 */
function kernelObjects() {
	const found = [];

	for (const fd of fs.readdirSync('/proc/self/fd')) {
		try {
			const info = fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');

			found.push(...info.match(/^(prog|map|link)_id:\t\d+$/gm) || []);
			if (/perf_event/.test(fs.readlinkSync(`/proc/self/fd/${fd}`)))
				found.push(`perf_event ${fd}`);
		} catch {
			continue; /* closed meanwhile */
		}
	}
	for (const [line] of fs.readFileSync('/proc/self/maps', 'utf8')
	    .matchAll(/^.*anon_inode:bpf-map.*$/gm))
		found.push(`window ${line.split(' ')[0]}`);
	return found;
}

/* How many descriptors are open. */
function descriptors() {
	return fs.readdirSync('/proc/self/fd').length - 1; /* the directory's own */
}

/*
 * A child that makes count umask() calls each time it is told to: {pid, call(), end()}.
 * Everything else that it does is over when this resolves.
 */
async function caller(count) {
	const child = spawn(process.execPath, ['-e', `
		process.umask(0o22);
		process.stdout.write('.');
		process.stdin.on('data', () => {
			for (let i = 0; i < ${count}; i++)
				process.umask(0o22);
			process.stdout.write('.');
		});`], { stdio: ['pipe', 'pipe', 'inherit'] });
	const answered = () => once(child.stdout, 'data');

	await answered();
	return {
		pid: child.pid,
		call() {
			child.stdin.write('.');
			return answered();
		},
		async end() {
			child.stdin.end();
			await once(child, 'exit');
		},
	};
}

/* Runs a program of Node.js in a process of its own; what it has printed. */
async function run(program, options = {}) {
	const { stdout } = await promisify(execFile)(process.execPath,
	    ['--expose-gc', '-e', program], { timeout: 20000 * patience, ...options });

	return stdout;
}

module.exports = {
	aggregations, caller, collect, descriptors, drain, kernelObjects, open, run, sleep,
	start, until, values, walk,
};
