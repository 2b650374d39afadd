// SPDX-License-Identifier: Apache-2.0
// The list of options: every one is documented and has a test, and each refuses what is no
// value for it. What they do is tested in d/options.txt and where it belongs.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const root = path.join(__dirname, '..');
const documented = fs.readFileSync(path.join(root, 'doc', 'options.md'), 'utf8');

/** [{name, kind, when}] */
const options = [...fs.readFileSync(path.join(root, 'libdtrace', 'option.def'), 'utf8')
	.matchAll(/^DT_OPTION\(\w+, "(\w+)", (\w+), [^,]+, (\w+)\)/gm)]
	.map(([, name, kind, when]) => ({ name, kind, when }));

/** The text of every test but this one. */
function tests(folder = __dirname) {
	return fs.readdirSync(folder, { withFileTypes: true }).map((entry) => {
		const file = path.join(folder, entry.name);

		if (entry.isDirectory())
			return tests(file);
		return file === __filename || entry.name === 'completion.test.js' ? '' : fs.readFileSync(file, 'utf8');
	}).join('\n');
}

/** For each kind of option values that are none. */
const wrong = {
	flag: ['maybe', '', '2'],
	cflag: ['maybe', ''],
	nocflag: ['maybe'],
	size: ['', '0', '-1', 'k', '1x', '1kk', '1.5m', '0x', '99999999999999g'],
	rate: ['', '0', '-1', 'hz', '1x', '1.5s', '0x10', '2000000000hz', '99999999999d'],
	count: ['', '-1', '1k', 'many', '3000000000'],
	bufpolicy: ['', 'sieve', 'switch,fill'],
	bufresize: ['', 'never'],
	oformat: ['', 'xml'],
	stdc: ['', 'z', 'ac'],
	attributes: ['', 'Stable', 'Stable/Stable/Stable', 'Stable/Stable/Common/ISA'],
	dversion: ['', '0', '2.1', '1.2.3.4', 'two'],
};

/** Kinds that take any text. */
const free = ['text', 'path', 'cpp', 'ignored'];

/** Kinds that need none. */
const optional = ['flag', 'cflag', 'nocflag', 'ignored'];

describe('options', { skip: command.skip }, () => {
	test('the list is read', () => {
		assert.ok(options.length > 60);
	});

	test('each is documented, with a star if it may change while tracing', () => {
		const table = [...documented.matchAll(/`(\w+)`(\*?)(?=,| \||\s\(|\.$|\s*$)/gm)];
		const stars = new Map(table.map(([, name, star]) => [name, star !== '']));

		for (const { name, when } of options) {
			assert.ok(stars.has(name), name);
			assert.strictEqual(stars.get(name), when === 'ALWAYS', name);
		}
	});

	test('each is in the manual page', () => {
		const page = fs.readFileSync(path.join(root, 'doc', 'dtrace.1'), 'utf8');
		const listed = page.slice(page.indexOf('.SH TRACING OPTIONS'), page.indexOf('.SH EXIT STATUS'));

		for (const { name } of options)
			assert.match(listed, new RegExp(`^\\.BR? .*\\b${name}\\b`, 'm'), name);
	});

	test('each has a test', () => {
		const text = tests();

		for (const { name } of options)
			assert.match(text, new RegExp(`(-x |[ ,]option |['"(])${name}(=|\\b)`), name);
	});

	test('each refuses what is no value for it, and says what is', async () => {
		const seen = new Set();

		for (const { name, kind } of options) {
			if (free.includes(kind))
				continue;
			assert.ok(wrong[kind], `values for ${kind}`);
			// One option of a kind stands for the others with most values.
			const values = seen.has(kind) ? wrong[kind].slice(0, 1) : wrong[kind];

			seen.add(kind);
			for (const value of values) {
				const { status, stdout, stderr } = await command.run(['-x', `${name}=${value}`, '-n', 'BEGIN']);

				assert.deepStrictEqual([status, stdout], [1, ''], `${name}=${value}`);
				assert.match(stderr, new RegExp(`^dtrace: failed to set -x ${name}=.*: ` +
					`invalid value for option ${name}: ".*" is not .*\\n$`));
			}
		}
	});

	test('those that need a value say so', async () => {
		for (const { name, kind } of options.filter((option) => !optional.includes(option.kind))) {
			const { status, stderr } = await command.run(['-x', name, '-n', 'BEGIN']);

			assert.deepStrictEqual([status, stderr.split(': ').slice(0, 3)],
				[1, ['dtrace', `failed to set -x ${name}`, `option ${name} needs a value`]], kind);
		}
	});
});
