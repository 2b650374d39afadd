/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * How long a program takes to compile, and to be running: verified and attached by the
 * kernel. Both are held against bpftrace's dry run, which is a process that compiles and
 * attaches nothing.
 */
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const { longScript, oneLiner } = require('./scripts');
const { median, row, timed, tool } = require('./tools');

async function ours(file, repeats) {
	const { stdout } = await promisify(execFile)(tool('compile'), [file, String(repeats)]);
	const [compiled, running] = stdout.split(' ').map((ns) => Number(ns) / 1e6);

	return { compiled, running };
}

async function peer(file, repeats) {
	const ms = [];

	for (let i = 0; i < repeats; i++) {
		const { seconds, status } = await timed(['bpftrace', '-d', file]);

		if (status !== 0)
			throw new Error('bpftrace -d failed');
		ms.push(seconds * 1e3);
	}
	return median(ms);
}

async function compare(what, { d, bpftrace }, { repeats, peerRepeats, limit }) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-bench-'));

	try {
		fs.writeFileSync(path.join(dir, 'program.d'), d);
		fs.writeFileSync(path.join(dir, 'program.bt'), bpftrace);
		const { compiled, running } = await ours(path.join(dir, 'program.d'), repeats);
		const dry = await peer(path.join(dir, 'program.bt'), peerRepeats);

		return [
			row(`compile ${what}`, { ours: compiled, unit: 'ms', target: limit }),
			row(`compile ${what}, vs dry run`, { ours: compiled, peer: dry,
				unit: 'ms', target: 1 / 20 }),
			row(`open to traced, ${what}, vs dry run`, { ours: running, peer: dry,
				unit: 'ms', target: 1 }),
		];
	} finally {
		fs.rmSync(dir, { recursive: true });
	}
}

module.exports = async function measure() {
	return [
		...await compare('a one-liner', oneLiner(),
		    { repeats: 50, peerRepeats: 7, limit: 2 }),
		...await compare('1,000 lines', longScript(),
		    { repeats: 10, peerRepeats: 1, limit: 50 }),
	];
};
