/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What other probes cost than those of system calls: of a function of a program and its
 * return, a static probe, a tracepoint; and the time on a CPU that a profile of user stacks
 * takes. As in cost.js a tracer's cost is what it adds to the bare calls before and after it.
 */
const { Calls, DTRACE, lowerQuartile, median, row, startTracer, timed, tool,
	verbose } = require('./tools');

const ROUNDS = Number(process.env.BENCH_ROUNDS) || 7;
const PROFILES = 5;
const PROFILE_SECONDS = 3;
const TRIES = 4;

const bpftrace = (...args) => ({ command: ['bpftrace', '-B', 'none', ...args], settle: 900 });
const dtrace = (...args) => ({ command: [DTRACE, '-q', ...args], settle: 200 });

/* [what, what is measured, ours, the peer's, the promised ratio]. A trap is most of the cost
 * of a probe in a program, whoever traces. */
const probes = (pid) => [
	['function of a program (uprobe)', 'enter 100 50',
		dtrace('-p', pid, '-n', 'pid$target:a.out:calls_function:entry { @ = count(); }'),
		bpftrace('-p', pid, '-e', `uprobe:${tool('calls')}:calls_function { @ = count(); }`),
		1.05],
	['return of a function (uretprobe)', 'enter 100 50',
		dtrace('-p', pid, '-n', 'pid$target:a.out:calls_function:return { @ = count(); }'),
		bpftrace('-p', pid, '-e', `uretprobe:${tool('calls')}:calls_function { @ = count(); }`),
		1.1],
	['static probe (usdt)', 'fire 100 50',
		dtrace('-p', pid, '-n', 'calls$target:::fired { @ = sum(arg0); n++; } END { trace(n); }'),
		bpftrace('-p', pid, '-e', `usdt:${tool('calls')}:calls:fired { @ = sum(arg0); @n++; }`),
		1.05],
	['tracepoint (sdt)', 'measure 300 200',
		dtrace('-n', 'sdt:::sys_enter { @ = count(); }'),
		bpftrace('-e', 'tracepoint:raw_syscalls:sys_enter { @ = count(); }'), 0.6],
];

/* The largest number that was printed. */
const counted = (text) => Math.max(0, ...(text.match(/\d+/g) || []).map(Number));

/* ns that the tracer adds to the work, which it has seen all of. */
async function addedBy(calls, work, { command, settle }) {
	const [, chunks, each] = work.split(' ').map(Number);
	const before = await calls.ask(work);

	for (let i = 1; i <= TRIES; i++) {
		const stop = await startTracer(command, i * settle);
		const ns = await calls.ask(work);

		if (counted(await stop()) >= chunks * each)
			return ns - (before + await calls.ask(work)) / 2;
	}
	throw new Error(`${command[0]}: was not attached in time`);
}

async function costs(calls) {
	const rows = [];

	for (const [what, work, ours, peer, target] of probes(String(calls.pid))) {
		const added = { ours: [], peer: [] };

		for (let i = 0; i < ROUNDS; i++) {
			added.ours.push(await addedBy(calls, work, ours));
			added.peer.push(await addedBy(calls, work, peer));
		}
		verbose(`${what}, ours`, added.ours);
		verbose(`${what}, peer`, added.peer);
		if (median(added.peer) <= 0)
			throw new Error(`the machine is too busy to measure a ${what}`);
		rows.push(row(`added by a ${what}`, { ours: median(added.ours),
			peer: median(added.peer), unit: 'ns', target }));
	}
	return rows;
}

/* Time on a CPU of a tracer that profiles the program, which is busy meanwhile. */
async function profiles(calls) {
	const commands = {
		ours: [DTRACE, '-qn', `profile-997 /pid == ${calls.pid}/ { @[ustack()] = count(); } ` +
		    `tick-${PROFILE_SECONDS}s { exit(0); }`],
		peer: ['bpftrace', '-e', `profile:hz:997 /pid == ${calls.pid}/ { @[ustack] = count(); } ` +
		    `interval:s:${PROFILE_SECONDS} { exit(); }`],
	};
	const spent = { ours: [], peer: [] };

	for (let i = 0; i < PROFILES; i++) {
		for (const [name, command] of Object.entries(commands)) {
			const busy = calls.ask(`flood ${(PROFILE_SECONDS + 2) * 1000}`);
			const { cpu, status } = await timed(command);

			await busy;
			if (status !== 0)
				throw new Error(`${command[0]} failed`);
			spent[name].push(cpu * 1e3);
		}
	}
	verbose('profile, ours', spent.ours);
	verbose('profile, peer', spent.peer);
	return row(`profile-997 { @[ustack()] } for ${PROFILE_SECONDS} s, CPU time`, {
		ours: lowerQuartile(spent.ours), peer: lowerQuartile(spent.peer), unit: 'ms',
		target: 1 / 5 });
}

module.exports = async function measure() {
	const calls = new Calls();

	try {
		return [...await costs(calls), await profiles(calls)];
	} finally {
		calls.end();
	}
};
