/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Enabling every system call for one second: what it takes besides that second. The same with
 * the scheduler's tracepoints. And every tracepoint: bpftrace would take minutes, so the peer
 * is the least that the kernel makes of it; see attach.c.
 */
const { execFileSync, spawnSync } = require('node:child_process');
const { DTRACE, lowerQuartile, median, row, timed, tool, verbose } = require('./tools');

const ROUNDS = 9;
const OURS = [DTRACE, '-qn', 'syscall:::entry { @[execname] = count(); } tick-1s { exit(0); }'];
const PEER = ['bpftrace', '-e',
	'tracepoint:syscalls:sys_enter_* { @[comm] = count(); } interval:s:1 { exit(); }'];

const OUR_GROUP = [DTRACE, '-qn', 'sdt:sched:: { @[execname] = count(); } tick-1s { exit(0); }'];
const PEER_GROUP = ['bpftrace', '-e',
	'tracepoint:sched:* { @[comm] = count(); } interval:s:1 { exit(); }'];
const EVERY = [DTRACE, '-qn', 'sdt::: { @ = count(); } BEGIN { exit(0); }'];
const EVERY_ROUNDS = 3;

async function overhead(command) {
	const { seconds, status } = await timed(command);

	if (status !== 0)
		throw new Error(`${command[0]} failed`);
	return (seconds - 1) * 1e3;
}

/* Milliseconds of a program that attaches to every tracepoint and does nothing with it. */
function leastForEvery() {
	const list = execFileSync(DTRACE, ['-ln', 'rawtp:::'], { encoding: 'utf8' });
	const names = list.trim().split('\n').slice(1).map((line) => line.trim().split(/ +/).pop());
	const begun = process.hrtime.bigint();
	const { status } = spawnSync(tool('attach'), { input: `${names.join('\n')}\n` });

	if (status !== 0)
		throw new Error('attach failed');
	return Number(process.hrtime.bigint() - begun) / 1e6;
}

async function every() {
	const ours = [], least = [];

	for (let i = 0; i < EVERY_ROUNDS; i++) {
		const { seconds, status } = await timed(EVERY);

		if (status !== 0)
			throw new Error(`${EVERY[0]} failed`);
		ours.push(seconds * 1e3);
		least.push(leastForEvery());
	}
	verbose('every tracepoint, ours', ours);
	verbose('every tracepoint, the least', least);
	return row('every tracepoint, enable and disable, vs BPF by hand', {
		ours: median(ours), peer: median(least), unit: 'ms', target: 1.6 });
}

module.exports = async function measure() {
	const ours = [];

	for (let i = 0; i < ROUNDS; i++)
		ours.push(await overhead(OURS));
	verbose('ours', ours);
	/* Once: it takes a third of a minute. */
	return [
		row('every system call by execname, enable and disable', { ours: lowerQuartile(ours),
			peer: await overhead(PEER), unit: 'ms', target: 1 / 200 }),
		row('every tracepoint of the scheduler, enable and disable', {
			ours: await overhead(OUR_GROUP), peer: await overhead(PEER_GROUP),
			unit: 'ms', target: 1 / 5 }),
		await every(),
	];
};
