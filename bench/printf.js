/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Records a second that arrive in JavaScript, while a program on its own CPU makes system
 * calls as fast as it can: by the add-on's consume(), by the modern interface's iteration,
 * and by reading bpftrace's JSON. Each call makes several records, so that it is the reader
 * who cannot keep up, not the program.
 */
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const readline = require('node:readline');
const dtrace = require('..');
const { Calls, endTracer, median, row, sleep, verbose } = require('./tools');

const ROUNDS = 3;
const FLOOD_MS = 2000;
const PRINTFS = 4;
const POLL_MS = 2;
const START_MS = 3000;

/* Records a second from the first to the last of them. */
class Meter {
	#first = 0n;
	#last = 0n;
	records = 0;
	drops = 0;

	add(n) {
		if (n === 0)
			return;
		this.#last = process.hrtime.bigint();
		if (this.records === 0)
			this.#first = this.#last;
		this.records += n;
	}

	get rate() {
		return this.records / (Number(this.#last - this.#first) / 1e9);
	}
}

const program = (calls) => `syscall::umask:entry /pid == ${calls.pid}/ ` +
    `{ ${'printf("%d %s", arg0, execname); '.repeat(PRINTFS)}}`;

async function withConsume(calls) {
	const meter = new Meter();
	const dtp = dtrace.createConsumer();
	let done = false;

	await once(dtp, 'ready');
	dtp.on('drop', (event) => { meter.drops += event.drops; });
	dtp.setopt('switchrate', `${POLL_MS}ms`);
	await dtp.strcompile(program(calls));
	await dtp.go();
	const flood = calls.ask(`flood ${FLOOD_MS}`).then((n) => { done = true; return n; });

	for (;;) {
		const wasDone = done;
		let n = 0;

		dtp.consume((probe, rec) => {
			if (rec !== undefined && rec.data.length > 0)
				n++;
		});
		meter.add(n);
		if (wasDone && n === 0)
			break;
		await sleep(POLL_MS);
	}
	await dtp.stop();
	meter.fired = await flood;
	return meter;
}

async function withIteration(calls) {
	const meter = new Meter();
	const dt = await dtrace.open({ options: { switchrate: `${POLL_MS}ms` } });

	dt.on('drop', (event) => { meter.drops += event.drops; });
	await dt.run(program(calls));
	const flood = calls.ask(`flood ${FLOOD_MS}`).then(async (n) => {
		await dt.stop();
		return n;
	});

	for await (const record of dt)
		meter.add(record.data.length);
	meter.fired = await flood;
	return meter;
}

async function withBpftrace(calls) {
	const meter = new Meter();
	const child = spawn('bpftrace', ['-f', 'json', '-e',
		`tracepoint:syscalls:sys_enter_umask /pid == ${calls.pid}/ ` +
		`{ ${'printf("%d %s\\n", args->mask, comm); '.repeat(PRINTFS)}}`],
	{ stdio: ['ignore', 'pipe', 'ignore'] });
	const lines = readline.createInterface({ input: child.stdout });
	const closed = once(lines, 'close');

	lines.on('line', (line) => {
		const record = line ? JSON.parse(line) : {};

		if (record.type === 'printf' && record.data.length > 0)
			meter.add(1);
		else if (record.type === 'lost_events')
			meter.drops += record.data.events;
	});
	/* Its first line says what is attached, but may be held back until there are more. */
	await Promise.race([once(lines, 'line'), closed, sleep(START_MS)]);
	await sleep(500);
	if (child.exitCode !== null)
		throw new Error(`bpftrace has ended with status ${child.exitCode}`);
	meter.fired = await calls.ask(`flood ${FLOOD_MS}`);
	await sleep(500);
	await endTracer(child, closed);
	return meter;
}

module.exports = async function measure() {
	const calls = new Calls();
	const consume = [], iteration = [], peer = [];

	try {
		for (let i = 0; i < ROUNDS; i++) {
			consume.push(await withConsume(calls));
			iteration.push(await withIteration(calls));
			peer.push(await withBpftrace(calls));
		}
	} finally {
		calls.end();
	}
	for (const [name, runs] of Object.entries({ consume, iteration, peer }))
		verbose(`${name}: fired, records, drops`,
		    runs.flatMap((m) => [m.fired, m.records, m.drops]));
	const thousands = (runs) => median(runs.map((m) => m.rate)) / 1e3;
	const rate = (how, runs, target) => row(`printf records into JavaScript, a second: ${how}`, {
		ours: thousands(runs), peer: thousands(peer), unit: 'k', target, atLeast: true });

	return [rate('consume()', consume, 5), rate('for await', iteration, 10)];
};
