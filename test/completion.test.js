// SPDX-License-Identifier: Apache-2.0
// Completion of the command line: bash's function is called as bash calls it; the lists of
// bash's and zsh's are those of the command and of the library.
'use strict';

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const root = path.join(__dirname, '..');
const bash = path.join(root, 'cmd', 'completion', 'dtrace.bash');
const read = (...names) => fs.readFileSync(path.join(root, ...names), 'utf8');

/** What bash offers for a line, with the cursor at its end. */
function complete(line, before = '') {
	const script = `
compopt() { :; } # it may be called only while bash completes
source "$1"
${before}
COMP_LINE=$2 COMP_POINT=\${#2} COMP_WORDS=("$3")
_dtrace
printf '%s\\n' "\${COMPREPLY[@]}"`;
	const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', bash, `dtrace ${line}`,
		command.dtrace], { encoding: 'utf8' });

	assert.strictEqual(stderr, '');
	return stdout.split('\n').filter((word) => word !== '');
}

/** The command's options, as "-x"; those that are refused are not offered. */
function flags() {
	const table = /options\[\] = \{(.*?)\n\};/s.exec(read('cmd', 'dtrace', 'options.c'))[1];

	return [...table.matchAll(/\{'(.)'.*, (apply_\w+),/g)]
		.filter(([, letter, apply]) => apply !== 'apply_unavailable' && letter !== '3')
		.map(([, letter]) => letter === '6' ? '-64' : `-${letter}`).sort();
}

/** The library's options. */
function options() {
	return [...read('libdtrace', 'option.def').matchAll(/^DT_OPTION\(\w+, "(\w+)"/gm)]
		.map((match) => match[1]).sort();
}

describe('bash', () => {
	test('every option of the command is offered', () => {
		assert.deepStrictEqual(complete('-').sort(), flags());
		assert.ok(flags().includes('-n') && flags().length > 25);
	});

	test('every option of the library is offered after -x, with = where it has a value', () => {
		assert.deepStrictEqual(complete('-x ').map((word) => word.replace('=', '')).sort(), options());
		assert.deepStrictEqual(complete('-qx bufs'), ['bufsize=']);
		assert.deepStrictEqual(complete('-x quie'), ['quiet', 'quietresize']);
	});

	test('values of options that are words', () => {
		assert.deepStrictEqual(complete('-x bufpolicy='), ['switch', 'fill', 'ring']);
		assert.deepStrictEqual(complete('-x oformat=j'), ['json']);
		assert.deepStrictEqual(complete('-x bufsize='), []);
		assert.deepStrictEqual(complete('-X '), ['a', 'c', 's', 't']);
	});

	test('files, directories and commands', async () => {
		await command.withDirectory((directory) => {
			fs.writeFileSync(path.join(directory, 'one.d'), '');
			fs.mkdirSync(path.join(directory, 'once'));

			const begin = path.join(directory, 'on');

			assert.deepStrictEqual(complete(`-s ${begin}`).sort(), [`${begin}ce`, `${begin}e.d`]);
			assert.deepStrictEqual(complete(`-q -I ${begin}`), [`${begin}ce`]);
			assert.deepStrictEqual(complete(`-n BEGIN ${begin}e`), [`${begin}e.d`]);
		});
		assert.ok(complete('-c mkfif').includes('mkfifo'));
		assert.ok(complete('-p ').includes(String(process.pid)));
	});

	test('providers', () => {
		assert.deepStrictEqual(complete('-P pro'), ['profile', 'proc']);
		assert.deepStrictEqual(complete('-n sysc'), ['syscall:']);
	});

	test('probes, part by part', { skip: command.skip }, () => {
		assert.deepStrictEqual(complete('-n sdt:sche'), ['sched:']);
		assert.deepStrictEqual(complete('-qn syscall::pread6'), ['pread64:']);
		assert.deepStrictEqual(complete('-qn syscall::openat:').sort(), ['entry', 'return']);
		assert.deepStrictEqual(complete('-n nosuch::'), []);
	});

	test('where bash does not break words at colons, the whole is given', { skip: command.skip },
		() => {
			assert.deepStrictEqual(complete("-n 'syscall::pread6"), ['syscall::pread64:']);
			assert.deepStrictEqual(complete('-n syscall::openat:e', 'COMP_WORDBREAKS=" "'),
				['syscall::openat:entry']);
		});

	test('it is set for the command', () => {
		const { stdout } = spawnSync('bash', ['-c', 'source "$1"; complete -p dtrace', 'bash', bash],
			{ encoding: 'utf8' });

		assert.strictEqual(stdout, 'complete -F _dtrace dtrace\n');
	});
});

describe('zsh', () => {
	const text = read('cmd', 'completion', '_dtrace');

	test('every option of the command', () => {
		const listed = [...text.matchAll(/^\t'\*?(-\w+)\[/gm)].map((match) => match[1]);

		assert.deepStrictEqual(listed.sort(), flags());
	});

	test('every option of the library', () => {
		const list = /_values -w 'option' (.*?)\n}/s.exec(text)[1];
		const listed = [...list.matchAll(/'(\w+)[^']*'|\b(\w+)\b/g)].map((match) => match[1] || match[2]);

		assert.deepStrictEqual(listed.sort(), options());
	});
});
