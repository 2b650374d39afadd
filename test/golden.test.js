// SPDX-License-Identifier: Apache-2.0
// Runs the D programs of test/d and compares what they print. The format of the files is
// explained in test/d/README.md.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const folder = path.join(__dirname, 'd');
const SETTINGS = new Set(['options', 'arguments', 'command', 'status']);
const SECTIONS = new Set(['program', 'stdout', 'stderr']);

/** A file's cases: [{name, line, options, arguments, command, status, program, ...}]. */
function parse(file) {
	const cases = [];
	let current = null;
	let section = null;

	fs.readFileSync(file, 'utf8').split('\n').forEach((text, index) => {
		const where = `${path.basename(file)}:${index + 1}`;
		const marker = /^(===|---) (.*)$/.exec(text);
		const setting = /^([a-z]+):(?: (.*))?$/.exec(text);

		if (marker && marker[1] === '===') {
			current = { name: marker[2], where, options: '-q', arguments: '', status: '0' };
			section = null;
			cases.push(current);
		} else if (marker) {
			section = marker[2];
			assert.ok(SECTIONS.has(section), `${where}: no such section`);
			current[section] = [];
		} else if (section !== null) {
			current[section].push(text);
		} else if (current !== null && setting) {
			assert.ok(SETTINGS.has(setting[1]), `${where}: no such setting`);
			current[setting[1]] = setting[2] || '';
		} else {
			assert.ok(/^(#.*)?$/.test(text), `${where}: neither setting nor section`);
		}
	});
	return cases;
}

/** Lines without the empty ones at the end, which are not compared. */
function trimmed(lines = []) {
	return lines.join('\n').replace(/\n+$/, '');
}

/** Expected text as a pattern: between << and >> it is a regular expression. */
function pattern(expected) {
	const parts = expected.split(/<<(.*?)>>/);

	return new RegExp('^' + parts.map((part, i) =>
		i % 2 === 1 ? `(?:${part})` : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('') + '$');
}

function compare(name, actual, lines) {
	const expected = trimmed(lines);
	const got = trimmed(actual.split('\n'));

	if (!pattern(expected).test(got))
		assert.strictEqual(got, expected, `${name} differs`);
}

/** VICTIM and TYPED are the programs of test/c/victim.c and typed.c. */
function withPrograms(text) {
	return text.replace('VICTIM', command.victim)
		.replace('TYPED', path.join(command.build, 'test', 'typed'));
}

/** Words of a setting. */
function words(text) {
	return withPrograms(text).split(' ').filter((word) => word !== '');
}

async function runCase(golden) {
	await command.withDirectory(async (directory) => {
		const args = words(golden.options);

		fs.writeFileSync(path.join(directory, 'prog.d'), golden.program.join('\n'));
		if (golden.command)
			args.push('-c', withPrograms(golden.command));
		args.push('-s', 'prog.d', ...words(golden.arguments));

		const result = await command.run(args, { cwd: directory });

		compare('stderr', result.stderr, golden.stderr);
		compare('stdout', result.stdout, golden.stdout);
		assert.strictEqual(result.signal ?? String(result.status), golden.status);
	});
}

for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.txt')).sort()) {
	describe(path.basename(file, '.txt'), { skip: command.skip }, () => {
		for (const golden of parse(path.join(folder, file)))
			test(`${golden.name} (${golden.where})`, () => runCase(golden));
	});
}
