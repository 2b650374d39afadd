// SPDX-License-Identifier: Apache-2.0
// What `make install` puts where, and what a C or C++ program makes of it: the header under
// several standards, both libraries, pkg-config, and the names that the library exports.
'use strict';

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');

const command = require('./command');

const root = path.join(__dirname, '..');
const header = path.join(root, 'include', 'dtrace.h');
const strict = ['-Wall', '-Wextra', '-pedantic', '-Werror'];

/** What a command prints; its words when it fails. */
function output(file, args, options = {}) {
	const result = spawnSync(file, args, { encoding: 'utf8', ...options });

	assert.strictEqual(result.status, 0, `${file} ${args.join(' ')}: ${result.stderr}`);
	return result.stdout;
}

/** The compilers of a list that are here: gcc and clang differ in what they find. */
function present(...compilers) {
	const found = compilers.filter((name) =>
		spawnSync(name, ['--version']).error === undefined);

	assert.notDeepStrictEqual(found, [], `none of ${compilers.join(', ')} is installed`);
	return found;
}

/** Installs into a directory, as a package's build does. */
function install(variables) {
	const env = { ...process.env };

	// This make has nothing to do with the one that may have started the tests.
	delete env.MAKEFLAGS;
	delete env.MAKELEVEL;
	output('make', ['-s', '-C', root, 'install',
		`B=${path.relative(root, command.build)}`, ...variables], { env });
}

/** All files below a directory, by their paths from there. */
function files(directory) {
	return output('find', ['.', '!', '-type', 'd'], { cwd: directory })
		.split('\n').filter((line) => line !== '').map((line) => line.slice(2)).sort();
}

/** The functions that dtrace.h declares, sorted. */
function declared() {
	const text = fs.readFileSync(header, 'utf8').replace(/\/\*.*?\*\//gs, '');
	const names = [...text.matchAll(/^(?!typedef)[^#\n]*?\b(dtrace_\w+)\(/gm)].map((m) => m[1]);

	return [...new Set(names)].sort();
}

/** Every macro of dtrace.h that stands for a value, used once; and one of each function-like. */
function usesEveryMacro() {
	const names = [...fs.readFileSync(header, 'utf8').matchAll(/^#define (\w+)(\(\w+\))?/gm)]
		.filter(([, name]) => name !== 'DTRACE_H');

	return '#include <dtrace.h>\n#include <dtrace.h>\n' +
		names.map(([, name, argument], i) =>
			`extern const int used_${i};\nconst int used_${i} = ` +
			`sizeof(${name}${argument ? '(1)' : ''}) > 0;\n`).join('');
}

describe('dtrace.h', () => {
	const cases = [
		{ suffix: 'c', compilers: ['gcc', 'clang'], standards: ['c99', 'c11', 'c17'],
			flags: ['-Wstrict-prototypes'] },
		{ suffix: 'cc', compilers: ['g++', 'clang++'], standards: ['c++11', 'c++17', 'c++20'],
			flags: [] },
	];

	for (const { suffix, compilers, standards, flags } of cases) {
		for (const standard of standards) {
			test(`is ${standard}`, () => command.withDirectory((directory) => {
				const source = path.join(directory, `uses.${suffix}`);

				fs.writeFileSync(source, usesEveryMacro());
				for (const compiler of present(...compilers))
					output(compiler, [`-std=${standard}`, ...strict, ...flags,
						`-I${path.dirname(header)}`, '-fsyntax-only', source]);
			}));
		}
	}
});

describe('exported names', () => {
	/** What `nm` lists as defined. */
	function defined(args) {
		return output('nm', [...args, '--defined-only', '--format=posix']).split('\n')
			.map((line) => line.split(/@| /)[0])
			.filter((name) => name !== '' && !name.endsWith(':'));
	}

	test('the shared library exports what dtrace.h declares and nothing else', () => {
		const names = defined(['-D', path.join(command.build, 'libdtrace.so')])
			.filter((name) => !name.startsWith('LIBDTRACE_'));

		assert.deepStrictEqual(names.sort(), ['_dtrace_version', ...declared()].sort());
	});

	test('the static library takes no name but dtrace_* and dt_*', () => {
		const names = defined(['-g', path.join(command.build, 'libdtrace.a')]);

		assert.deepStrictEqual(names.filter((name) => !/^_?dt(race)?_/.test(name)), []);
		assert.ok(names.includes('dtrace_open'));
	});
});

describe('an installed tree', { skip: command.skip }, () => {
	let directory, prefix, env;

	/** Words of pkg-config for a program that uses the library. */
	function flags(...args) {
		return output('pkg-config', [...args, 'libdtrace'], { env }).trim().split(/\s+/);
	}

	before(() => {
		directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-install-'));
		prefix = path.join(directory, 'prefix');
		env = { ...process.env, PKG_CONFIG_PATH: path.join(prefix, 'lib', 'pkgconfig') };
		install([`PREFIX=${prefix}`]);
	});

	after(() => fs.rmSync(directory, { recursive: true }));

	test('DESTDIR is put before, and written nowhere', () => {
		const stage = path.join(directory, 'stage');

		install([`DESTDIR=${stage}`, 'PREFIX=/usr', 'LIBDIR=/usr/lib64']);
		assert.deepStrictEqual(files(stage), [
			'usr/include/dtrace.h',
			'usr/lib64/libdtrace.a',
			'usr/lib64/libdtrace.so',
			'usr/lib64/libdtrace.so.1',
			'usr/lib64/libdtrace.so.1.0.0',
			'usr/lib64/pkgconfig/libdtrace.pc',
			'usr/sbin/dtrace',
			'usr/share/bash-completion/completions/dtrace',
			'usr/share/man/man1/dtrace.1',
			'usr/share/zsh/site-functions/_dtrace',
		]);

		const pc = fs.readFileSync(path.join(stage, 'usr/lib64/pkgconfig/libdtrace.pc'), 'utf8');

		assert.match(pc, /^prefix=\/usr$/m);
		assert.match(pc, /^libdir=\/usr\/lib64$/m);
		assert.doesNotMatch(pc, /@|stage/);
	});

	test('a C program by pkg-config, dynamically', () => {
		const program = path.join(directory, 'dynamic');

		output('cc', ['-std=c11', ...strict, '-o', program,
			path.join(root, 'examples', 'count.c'), ...flags('--cflags', '--libs')]);
		assert.match(output('readelf', ['-d', program]), /NEEDED.*\[libdtrace\.so\.1\]/);
		assert.match(output(program, ['1'], {
			env: { ...env, LD_LIBRARY_PATH: path.join(prefix, 'lib') },
		}), /^dynamic +\d+$/m);
	});

	test('a C program by pkg-config, statically', () => {
		const program = path.join(directory, 'static');

		output('cc', ['-static', '-o', program, path.join(root, 'examples', 'count.c'),
			...flags('--static', '--cflags', '--libs')]);
		assert.doesNotMatch(output('readelf', ['-d', program]), /NEEDED/);
		assert.match(output(program, ['1']), /^static +\d+$/m);
	});

	test('a C++ program', () => {
		const source = path.join(directory, 'version.cc');
		const program = path.join(directory, 'version');
		const [compiler] = present('g++', 'clang++');

		fs.writeFileSync(source, '#include <dtrace.h>\n#include <cstdio>\n' +
			'int main() { std::puts(_dtrace_version); ' +
			'dtrace_close(dtrace_open(DTRACE_VERSION, DTRACE_O_NODEV, nullptr)); }\n');
		output(compiler, ['-std=c++17', ...strict, '-o', program, source,
			...flags('--cflags', '--libs'), `-Wl,-rpath,${path.join(prefix, 'lib')}`]);
		assert.match(output(program, []), /^\S+ D \d+(\.\d+)+\n$/);
	});

	test('the installed command runs', () => {
		assert.match(execFileSync(path.join(prefix, 'sbin', 'dtrace'), ['-V'], { encoding: 'utf8' }),
			/^dtrace: /);
	});
});
