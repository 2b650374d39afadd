/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * How long the event loop is held by operations that run on the thread pool, at worst. The
 * same is measured for as long a time in which nothing is done, as the peer.
 */
const { once } = require('node:events');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const dtrace = require('..');
const { longScript } = require('./scripts');
const { row, sleep } = require('./tools');

const ROUNDS = 10;
const LIMIT_MS = 10;

/* The longest time, in ms, that the loop was held while the operation was under way. */
async function held(operation) {
	const delay = monitorEventLoopDelay({ resolution: 1 });

	delay.enable();
	await sleep(5); /* the histogram's own timer has begun */
	delay.reset();
	await operation();
	await sleep(5);
	delay.disable();
	return Math.max(0, delay.max / 1e6 - 1); /* the timer's own period */
}

module.exports = async function measure() {
	const worst = { strcompile: 0, go: 0, stop: 0, nothing: 0 };
	const program = longScript().d;

	async function note(name, operation) {
		const start = performance.now();

		worst[name] = Math.max(worst[name], await held(operation));
		const ms = performance.now() - start;

		worst.nothing = Math.max(worst.nothing, await held(() => sleep(ms)));
	}

	for (let i = 0; i < ROUNDS; i++) {
		const dtp = dtrace.createConsumer();

		await once(dtp, 'ready');
		await note('strcompile', () => dtp.strcompile(program));
		await dtp.strcompile('syscall:::entry { @all[execname] = count(); }');
		await note('go', () => dtp.go());
		await note('stop', () => dtp.stop());
	}
	/* What the machine does to a loop that does nothing is not ours. */
	return ['strcompile', 'go', 'stop'].map((name) => ({
		...row(`event loop held by ${name}`, { ours: worst[name], unit: 'ms',
			target: Math.max(LIMIT_MS, worst.nothing) }),
		peer: `${worst.nothing.toPrecision(2)} ms`,
	}));
};
