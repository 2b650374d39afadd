// SPDX-License-Identifier: Apache-2.0
// Runs the C tests of test/c, built normally and with sanitizers; see test/c/tap.h.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const command = require('./command');

const sources = fs.readdirSync(path.join(__dirname, 'c'))
	.filter((name) => name.endsWith('_test.c')).sort();
const flavours = [
	{ label: 'plain', folder: path.join(command.build, 'test') },
	{ label: 'with sanitizers', folder: path.join(command.build, 'sanitize', 'test') },
];

/** [{passed, name, why}] from what a test program prints. */
function results(stdout) {
	const list = [];
	let why = [];

	for (const line of stdout.split('\n')) {
		const result = /^(not )?ok \d+ - (.*)$/.exec(line);

		if (result) {
			list.push({ passed: !result[1], name: result[2], why: why.join('\n') });
			why = [];
		} else if (line.startsWith('# ')) {
			why.push(line.slice(2));
		}
	}
	return list;
}

for (const { label, folder } of flavours) {
	for (const source of sources) {
		const name = path.basename(source, '.c');

		test(`${name}, ${label}`, { skip: command.skip }, async (t) => {
			const { status, signal, stdout, stderr } =
				await command.run([], { file: path.join(folder, name) });

			for (const result of results(stdout))
				await t.test(result.name, () => assert.ok(result.passed, result.why));
			assert.deepStrictEqual({ status, signal }, { status: 0, signal: null }, stderr);
			assert.match(stdout, /^1\.\.(\d+)$/m);
			assert.strictEqual(results(stdout).length, Number(/^1\.\.(\d+)$/m.exec(stdout)[1]));
		});
	}
}
