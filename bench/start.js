/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* From start to end of a program that does nothing. */
const { DTRACE, lowerQuartile, row, timed, verbose } = require('./tools');

const ROUNDS = 15;
const OURS = [DTRACE, '-qn', 'BEGIN { exit(0); }'];
const PEER = ['bpftrace', '-e', 'BEGIN { exit(); }'];

module.exports = async function measure() {
	const ours = [], peer = [];

	for (let i = 0; i < ROUNDS; i++) {
		ours.push(await timed(OURS));
		peer.push(await timed(PEER));
	}
	if ([...ours, ...peer].some((run) => run.status !== 0))
		throw new Error('a run failed');
	verbose('ours', ours.map((run) => run.seconds * 1e3));
	verbose('peer', peer.map((run) => run.seconds * 1e3));
	const of = (runs, field, scale) => lowerQuartile(runs.map((run) => run[field])) * scale;

	return [
		row('BEGIN { exit(0); }, wall time', { ours: of(ours, 'seconds', 1e3),
			peer: of(peer, 'seconds', 1e3), unit: 'ms', target: 1 / 20 }),
		row('BEGIN { exit(0); }, peak memory', { ours: of(ours, 'kib', 1 / 1024),
			peer: of(peer, 'kib', 1 / 1024), unit: 'MiB', target: 1 / 8 }),
	];
};
