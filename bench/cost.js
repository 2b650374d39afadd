/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What tracing adds to a system call. Machines drift, so nothing is measured for long: a
 * round measures the bare call, then each tracer with the bare call again after it, and a
 * tracer's cost is what it adds to the two bare calls around it. The medians of the rounds
 * are compared. That a tracer was attached all the time is known by what it counted.
 */
const { Calls, DTRACE, median, row, startTracer, tool, verbose } = require('./tools');

const ROUNDS = Number(process.env.BENCH_ROUNDS) || 10;
const CHUNKS = 300;
const CALLS = 200;
const MEASURE = `measure ${CHUNKS} ${CALLS}`;
const TRIES = 4;

const bpftrace = (probe, action) => ({
	command: ['bpftrace', '-B', 'none', '-e', `${probe} { ${action} }`], settle: 900,
});
const dtrace = (action) => ({
	command: [DTRACE, '-qn', `syscall:::entry { ${action} }`], settle: 200,
});

const TRACERS = {
	count: dtrace('@ = count();'),
	execname: dtrace('@[execname] = count();'),
	hand: { command: [tool('peer'), tool('peer.bpf.o'), 'calls'], settle: 300 },
	rawCount: bpftrace('tracepoint:raw_syscalls:sys_enter', '@ = count();'),
	rawComm: bpftrace('tracepoint:raw_syscalls:sys_enter', '@[comm] = count();'),
	callComm: bpftrace('tracepoint:syscalls:sys_enter_umask', '@[comm] = count();'),
};

/* The number that ends a line of the program's name, or the only number. */
function counted(text) {
	const line = text.split('\n').find((l) => /\bcalls\b/.test(l)) || text;

	return Number(/(\d+)\s*$/.exec(line)?.[1] || 0);
}

/* The call while the tracer is on, or undefined when it was not on all the time. */
async function traced(calls, command, settle) {
	const stop = await startTracer(command, settle);
	const ns = await calls.ask(MEASURE);

	return counted(await stop()) >= CHUNKS * CALLS ? ns : undefined;
}

async function addedBy(calls, name, { command, settle }, before) {
	for (let i = 1; i <= TRIES; i++) {
		const ns = await traced(calls, command, i * settle);
		const after = await calls.ask(MEASURE);

		if (ns !== undefined)
			return { added: ns - (before + after) / 2, after };
		before = after;
	}
	throw new Error(`${name}: was not attached in time`);
}

module.exports = async function measure() {
	const calls = new Calls();
	const added = Object.fromEntries(Object.keys(TRACERS).map((name) => [name, []]));
	const bare = [];

	try {
		for (let i = 0; i < ROUNDS; i++) {
			let before = await calls.ask(MEASURE);

			for (const [name, tracer] of Object.entries(TRACERS)) {
				const result = await addedBy(calls, name, tracer, before);

				bare.push(before);
				added[name].push(result.added);
				before = result.after;
			}
		}
	} finally {
		calls.end();
	}
	verbose('bare call', bare);
	for (const [name, ns] of Object.entries(added))
		verbose(name, ns);

	const cost = (what, ours, peer, target) => row(`added to a call: ${what}`,
	    { ours: median(added[ours]), peer: median(added[peer]), unit: 'ns', target });

	return [
		cost('@ = count(), vs raw tracepoint', 'count', 'rawCount', 0.6),
		cost('@[execname] = count(), vs raw tracepoint', 'execname', 'rawComm', 0.65),
		cost('@[execname] = count(), vs per-call tracepoint', 'execname', 'callComm', 0.35),
		cost('@[execname] = count(), vs BPF by hand', 'execname', 'hand', 1.1),
	];
};
