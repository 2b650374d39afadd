/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * How long it takes to have an aggregation of 10,000 keys in JavaScript: aggregations(),
 * the snapshot from the kernel's buffers included. What is measured is a walk in a process
 * that has walked before, and each has new data to merge. The peer is the first walk of all,
 * which pays for memory that is touched for the first time and for code that has not been
 * compiled.
 */
const dtrace = require('..');
const { median, row, sleep } = require('./tools');

const KEYS = 10000;
const WALKS = 30;
const LIMIT_MS = 10;

module.exports = async function measure() {
	const times = [];
	const dt = await dtrace.open({ options: { aggsize: '8m' } });

	await dt.run(`syscall::umask:entry /pid == ${process.pid}/ { @[n++ % ${KEYS}] = count(); }`);
	for (let i = 0; i < WALKS; i++) {
		for (let call = 0; call < KEYS; call++)
			process.umask();
		await sleep(1);
		const start = performance.now();
		const { length } = await dt.aggregations({ sort: 'none' });

		times.push(performance.now() - start);
		if (length !== KEYS)
			throw new Error(`an aggregation of ${length} keys`);
	}
	await dt.close();
	return [{
		...row('an aggregation of 10,000 keys in JavaScript', {
			ours: median(times.slice(1)), unit: 'ms', target: LIMIT_MS }),
		peer: `${times[0].toPrecision(2)} ms`,
	}];
};
