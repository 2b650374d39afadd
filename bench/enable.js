/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Enabling every system call for one second: what it takes besides that second. */
const { DTRACE, lowerQuartile, row, timed, verbose } = require('./tools');

const ROUNDS = 9;
const OURS = [DTRACE, '-qn', 'syscall:::entry { @[execname] = count(); } tick-1s { exit(0); }'];
const PEER = ['bpftrace', '-e',
	'tracepoint:syscalls:sys_enter_* { @[comm] = count(); } interval:s:1 { exit(); }'];

async function overhead(command) {
	const { seconds, status } = await timed(command);

	if (status !== 0)
		throw new Error(`${command[0]} failed`);
	return (seconds - 1) * 1e3;
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
	];
};
