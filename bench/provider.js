/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What a probe of a JavaScript program costs while nobody traces it: a loop with it against
 * one without, in turn. The peer is a method that does nothing, as the package
 * dtrace-provider has on Linux.
 */
const { createDTraceProvider } = require('../lib/provider');
const { median, row, verbose } = require('./tools');

const ROUNDS = 50;
const CALLS = 1e6;
const LIMIT_NS = 10;

const provider = createDTraceProvider('bench');
const probe = provider.addProbe('request-done', 'char *', 'int');

const nothing = { fire() {} };

/* Each is a loop of its own, so that each is compiled for what it calls. */
const LOOPS = {
	bare(count) {
		let sum = 0;

		for (let i = 0; i < count; i++)
			sum += i;
		return sum;
	},
	probe(count) {
		let sum = 0;

		for (let i = 0; i < count; i++) {
			sum += i;
			probe.fire(() => ['request', sum]);
		}
		return sum;
	},
	provider(count) {
		let sum = 0;

		for (let i = 0; i < count; i++) {
			sum += i;
			provider.fire('request-done', () => ['request', sum]);
		}
		return sum;
	},
	nothing(count) {
		let sum = 0;

		for (let i = 0; i < count; i++) {
			sum += i;
			nothing.fire(() => ['request', sum]);
		}
		return sum;
	},
};

/* ns of one turn of the loop */
function time(loop) {
	const begin = process.hrtime.bigint();

	loop(CALLS);
	return Number(process.hrtime.bigint() - begin) / CALLS;
}

module.exports = async function measure() {
	const costs = { probe: [], provider: [], nothing: [] };

	provider.enable();
	try {
		for (let i = 0; i < ROUNDS; i++) {
			for (const name of Object.keys(costs))
				costs[name].push(time(LOOPS[name]) - time(LOOPS.bare));
		}
	} finally {
		provider.disable();
	}
	const ns = Object.fromEntries(Object.entries(costs).map(([name, values]) => {
		verbose(name, values);
		return [name, Math.max(0, median(values))];
	}));

	return [['probe', 'probe.fire()'], ['provider', 'provider.fire(name)']]
		.map(([name, call]) => ({
			...row(`${call} of a probe not traced`,
			    { ours: ns[name], unit: 'ns', target: LIMIT_NS }),
			peer: `${ns.nothing.toPrecision(2)} ns`,
		}));
};
