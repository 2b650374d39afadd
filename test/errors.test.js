// SPDX-License-Identifier: Apache-2.0
// Every error tag has a program that gets it, at the line that it should; doc/errors.md lists
// them all. The programs are in test/errors/examples.txt.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');
const { document, readExamples, readTags } = require('../script/gen-errors');

/** Tags without an example, and why there can be none. */
const WITHOUT = new Map([
	['D_NEST', 'its program is made below'],
	['D_NOMEM', 'memory does not run out to order'],
]);

describe('error tags', { skip: command.skip }, () => {
	for (const example of readExamples()) {
		test(example.tag, () => command.withDirectory(async (directory) => {
			const place = example.line === 0 ? '' : `line ${example.line}: `;

			fs.writeFileSync(path.join(directory, 'prog.d'), example.program);

			const result = await command.run(
				['-x', 'errtags', '-e', ...example.options, '-s', 'prog.d', ...example.args],
				{ cwd: directory });
			const expected = `dtrace: failed to compile script prog.d: [${example.tag}] ${place}`;

			assert.strictEqual(result.stderr.slice(0, expected.length), expected);
			assert.ok(example.line === 0 ? !/\] line/.test(result.stderr) : true);
			assert.strictEqual(result.status, 1);
		}));
	}

	test('D_NEST', async () => {
		const deep = '('.repeat(500) + '1' + ')'.repeat(500);
		const result = await command.run(['-x', 'errtags', '-en', `BEGIN { trace(${deep}); }`]);

		assert.match(result.stderr, /\[D_NEST\] /);
	});
});

test('every tag has its example, and no tag has two', () => {
	const tags = readTags().map(({ tag }) => tag);
	const examples = readExamples().map(({ tag }) => tag);

	assert.deepStrictEqual(tags.filter((tag) => !examples.includes(tag) && !WITHOUT.has(tag)), []);
	assert.deepStrictEqual(examples.filter((tag) => !tags.includes(tag)), []);
	assert.strictEqual(new Set(examples).size, examples.length);
});

test('doc/errors.md is up to date', () => {
	const written = fs.readFileSync(path.join(__dirname, '../doc/errors.md'), 'utf8');

	assert.strictEqual(written, document(), 'run script/gen-errors.js');
});
