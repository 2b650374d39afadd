// SPDX-License-Identifier: Apache-2.0
// The pages of doc/libdtrace: every exported function has a section, with the prototype of
// dtrace.h; what they name exists; their examples compile.
'use strict';

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const root = path.join(__dirname, '..');
const folder = path.join(root, 'doc', 'libdtrace');
const read = (...names) => fs.readFileSync(path.join(root, ...names), 'utf8');
const header = read('include', 'dtrace.h');
const pages = fs.readdirSync(folder).filter((name) => name !== 'README.md').sort()
	.map((name) => ({ name, text: read('doc', 'libdtrace', name) }));

/** A declaration with the blanks of its layout made equal. */
const flat = (text) => text.replace(/\s+/g, ' ').trim();

/** Sections of a page: [{title, text}]. */
function sections(text) {
	return text.split(/^## /m).slice(1).map((part) => {
		const end = part.indexOf('\n');

		return { title: part.slice(0, end), text: part.slice(end + 1) };
	});
}

/** The pieces of C in a text. */
const code = (text) => [...text.matchAll(/^```c\n(.*?)^```$/gms)].map((match) => match[1]);

/** name → declaration, of everything that dtrace.h exports. */
function declarations() {
	const text = header.replace(/\/\*.*?\*\//gs, '');
	const found = new Map();

	for (const [declaration, name] of text.matchAll(/^[a-z][^;{}#]*?\b(_?dtrace_\w+)(?:\([^;{}]*\))?;/gm)) {
		if (!declaration.startsWith('typedef') && !declaration.startsWith('struct dtrace_'))
			found.set(name, flat(declaration));
	}
	return found;
}

describe('doc/libdtrace', () => {
	const documented = pages.flatMap(({ name, text }) => sections(text)
		.filter(({ title }) => title !== 'Example').map((section) => ({ page: name, ...section })));

	test('every exported name has one section, and nothing else has', () => {
		const { stdout } = spawnSync('nm', ['-D', '--defined-only', '--format=posix',
			path.join(command.build, 'libdtrace.so')], { encoding: 'utf8' });
		const exported = stdout.split('\n').map((line) => line.split(/[@ ]/)[0])
			.filter((name) => name !== '' && !name.startsWith('LIBDTRACE'));

		assert.ok(exported.length > 70);
		assert.deepStrictEqual(documented.map(({ title }) => title).sort(), exported.sort());
	});

	test('prototypes are those of dtrace.h', () => {
		const declared = declarations();

		for (const { title, text, page } of documented)
			assert.strictEqual(flat(code(text)[0]), declared.get(title), `${page}, ${title}`);
	});

	test('the list has every page with its title and functions', () => {
		const lines = read('doc', 'libdtrace', 'README.md').split('\n')
			.filter((line) => line.startsWith('| [')).sort();
		const expected = pages.map(({ name, text }) => {
			const names = sections(text).map(({ title }) => title).filter((title) => title !== 'Example');

			return `| [${/^# (.*)$/m.exec(text)[1]}](${name}) | ` +
				`${names.map((title) => `\`${title}\``).join(', ')} |`;
		});

		assert.deepStrictEqual(lines, expected.sort());
	});

	test('errors, constants and functions that are named exist', () => {
		const errors = new Set([...read('libdtrace', 'error.def').matchAll(/^DT_ERROR\((\w+)/gm)]
			.map((match) => `EDT_${match[1]}`));

		for (const { name, text } of pages) {
			for (const [word] of text.matchAll(/\bEDT_\w+/g))
				assert.ok(errors.has(word), `${name}: ${word}`);
			for (const [word] of text.matchAll(/\bDTRACE\w*_[A-Z0-9]+\b/g))
				assert.match(header, new RegExp(`\\b${word}\\b`), `${name}: ${word}`);
			for (const [, word] of text.matchAll(/\b(dtrace_\w+)\(\)/g))
				assert.match(header, new RegExp(`\\b${word}\\(`), `${name}: ${word}`);
		}
	});

	test('links lead to files', () => {
		for (const { name, text } of [...pages, { name: 'README.md', text: read('doc', 'libdtrace', 'README.md') }]) {
			for (const [, target] of text.matchAll(/\]\(([^)#]+)\)/g))
				assert.ok(fs.existsSync(path.join(folder, target)), `${name}: ${target}`);
		}
	});

	for (const { name, text } of pages) {
		test(`the example of ${name} compiles`, () => command.withDirectory((directory) => {
			const example = code(sections(text).find(({ title }) => title === 'Example').text)[0];
			const source = path.join(directory, 'example.c');

			fs.writeFileSync(source, example);

			const { status, stderr } = spawnSync('gcc', ['-std=c11', '-Wall', '-Wextra', '-Werror',
				'-pedantic', `-I${path.join(root, 'include')}`, '-c', '-o', '/dev/null', source],
			{ encoding: 'utf8' });

			assert.strictEqual(status, 0, stderr);
		}));
	}
});
