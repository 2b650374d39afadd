// SPDX-License-Identifier: Apache-2.0
// Runs the C tests of test/c, built normally and with sanitizers; see test/c/tap.h. The one
// about threads is also built with the thread sanitizer, which excludes the others.
'use strict';

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const command = require('./command');

const sources = fs.readdirSync(path.join(__dirname, 'c'))
	.filter((name) => name.endsWith('_test.c')).sort();
/* Much is done in each, the more slowly with sanitizers. */
const LIMIT_MS = 180000 * command.patience;

const flavours = [{ label: 'plain', folder: 'test', sources }];

/* They find the same on every kernel: where all is emulated once is enough. */
if (command.patience === 1) {
	flavours.push({ label: 'with sanitizers', folder: 'sanitize/test', sources });
	flavours.push({ label: 'with the thread sanitizer', folder: 'tsan/test',
		sources: ['threads_test.c'], wrapper: fixedAddresses() });
}

/**
 * The words that run a program at fixed addresses: where the kernel randomizes more bits than
 * the thread sanitizer's map of memory leaves, it refuses to start.
 */
function fixedAddresses() {
	const words = ['setarch', '-R'];

	return spawnSync(words[0], [...words.slice(1), 'true']).status === 0 ? words : [];
}

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

for (const { label, folder, sources: programs, wrapper = [] } of flavours) {
	for (const source of programs) {
		const name = path.basename(source, '.c');

		test(`${name}, ${label}`, { skip: command.skip }, async (t) => {
			const [file, ...args] = [...wrapper, path.join(command.build, folder, name)];
			const { status, signal, stdout, stderr } = await command.run(args,
				{ file, limit: LIMIT_MS });

			for (const result of results(stdout))
				await t.test(result.name, () => assert.ok(result.passed, result.why));
			assert.deepStrictEqual({ status, signal }, { status: 0, signal: null }, stderr);
			assert.match(stdout, /^1\.\.(\d+)$/m);
			assert.strictEqual(results(stdout).length, Number(/^1\.\.(\d+)$/m.exec(stdout)[1]));
		});
	}
}
