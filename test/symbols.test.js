// SPDX-License-Identifier: Apache-2.0
// Names of user addresses and functions, wherever a program keeps them. All programs are the
// tests' own.
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const program = path.join(command.build, 'test', 'static');
const loader = path.join(command.build, 'test', 'loader');
const options = { skip: command.skip };

/** Calls f with a directory that holds `full`, the test program, `stripped`, it without its
 * symbols, and `debug`, the symbols without the program. */
function withStripped(f) {
	return command.withDirectory((directory) => {
		const file = (name) => path.join(directory, name);

		fs.copyFileSync(program, file('full'));
		execFileSync('strip', [program, '-o', file('stripped')]);
		execFileSync('objcopy', ['--only-keep-debug', program, file('debug')]);
		return f(file, directory);
	});
}

/** How often dtrace has seen the test program's function `add`, and what it calls it. */
async function traceAdd(module, words) {
	const result = await command.run(['-Zq', '-n',
		`pid$target:${module}:add:entry { @[ufunc(uregs[R_PC])] = count(); }`, '-c', words]);

	assert.strictEqual(result.stderr, '');
	return result.stdout.trim().split(/\s+/);
}

describe('files', options, () => {
	test('a stripped program has no functions', () => withStripped(async (file) => {
		assert.deepStrictEqual(await traceAdd('stripped', `${file('stripped')} 2`), ['']);
	}));

	test('compressed symbols in the file are read', () => withStripped(async (file) => {
		execFileSync('xz', ['-k', file('debug')]);
		execFileSync('objcopy', ['--add-section', `.gnu_debugdata=${file('debug.xz')}`,
			file('stripped'), file('mini')]);
		assert.deepStrictEqual(await traceAdd('mini', `${file('mini')} 2`), ['mini`add', '2']);
	}));

	test('a file by build-id is read, where the process sees it', () =>
		withStripped(async (file) => {
			const notes = execFileSync('readelf', ['-n', program], { encoding: 'utf8' });
			const id = notes.match(/Build ID: (..)(\S+)/);
			const directory = `/usr/lib/debug/.build-id/${id[1]}`;

			fs.writeFileSync(file('run'), '#!/bin/sh\nset -e\n' +
				`mount -t tmpfs none /usr/lib/debug\nmkdir -p ${directory}\n` +
				`cp ${file('debug')} ${directory}/${id[2]}.debug\nexec ${file('stripped')} 2\n`,
			{ mode: 0o755 });
			// Somewhere to mount that.
			const made = fs.mkdirSync('/usr/lib/debug', { recursive: true });

			try {
				assert.deepStrictEqual(await traceAdd('stripped', `unshare -m ${file('run')}`),
					['stripped`add', '2']);
			} finally {
				if (made)
					fs.rmdirSync(made);
			}
		}));

	test('a program that only the process\'s mount namespace has', () =>
		withStripped(async (file, directory) => {
			fs.writeFileSync(file('run'), '#!/bin/sh\nset -e\nmount -t tmpfs none ' +
				`${directory}\ncp ${program} ${file('inside')}\nexec ${file('inside')} 2\n`,
			{ mode: 0o755 });
			assert.deepStrictEqual(await traceAdd('inside', `unshare -m ${file('run')}`),
				['inside`add', '2']);
		}));
});

describe('a process that has ended', options, () => {
	/** The innermost frame of a command's last system call, printed when it has ended. */
	async function lastFrame(words) {
		const result = await command.run(['-q', '-x', 'switchrate=1hz', '-n',
			'syscall::exit_group:entry /pid == $target/ { ustack(1); }', '-c', words]);

		assert.strictEqual(result.stderr, '');
		return result.stdout.trim();
	}

	test('has the names of the libraries that it was started with', async () => {
		assert.match(await lastFrame(`${program} 1`), /^libc\.so\.6`_exit\+0x/);
	});

	test('has those of what it has executed', async () => {
		assert.match(await lastFrame(`${loader} exec ${program} 1`), /^libc\.so\.6`_exit\+0x/);
	});
});
