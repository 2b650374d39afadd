// SPDX-License-Identifier: Apache-2.0
// D libraries in directories: -L, syslibdir, and the order that they depend on; and headers for -C.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

/** Runs a program with files beside it; lib/ is the directory of libraries. */
function withFiles(files, args) {
	return command.withDirectory(async (directory) => {
		for (const [name, text] of Object.entries(files)) {
			const file = path.join(directory, name);

			fs.mkdirSync(path.dirname(file), { recursive: true });
			fs.writeFileSync(file, text);
		}
		const result = await command.run(['-x', 'errtags', ...args], { cwd: directory });

		return { ...result, stderr: result.stderr.replaceAll(directory, '.') };
	});
}

describe('D libraries', { skip: command.skip }, () => {
	test('a library is compiled after those that it depends on', async () => {
		const { stdout, stderr } = await withFiles({
			'lib/a.d': '#pragma D depends_on library b.d\ninline int A = B + 1;\n',
			'lib/b.d': '#pragma D depends_on library c.d\ninline int B = C + 1;\n',
			'lib/c.d': 'inline int C = 1;\n',
		}, ['-L', 'lib', '-qn', 'BEGIN { printf("%d", A); exit(0); }']);

		assert.strictEqual(stderr, '');
		assert.strictEqual(stdout.trim(), '3');
	});

	test('several directories', async () => {
		const { stdout } = await withFiles({
			'one/a.d': '#pragma D depends_on library b.d\ninline int A = B + 1;\n',
			'two/b.d': 'inline int B = 1;\n',
		}, ['-L', 'one', '-L', 'two', '-qn', 'BEGIN { printf("%d", A); exit(0); }']);

		assert.strictEqual(stdout.trim(), '2');
	});

	test('what depends on something absent is passed over, with what depends on it', async () => {
		const files = {
			'lib/a.d': '#pragma D depends_on module nosuch_module\nthis is not even D\n',
			'lib/b.d': '#pragma D depends_on library a.d\ninline int B = 1;\n',
			'lib/c.d': 'inline int C = 2;\n',
		};
		const c = await withFiles(files, ['-L', 'lib', '-qn', 'BEGIN { trace(C); exit(0); }']);
		const b = await withFiles(files, ['-L', 'lib', '-qn', 'BEGIN { trace(B); }']);

		assert.strictEqual(c.stdout.trim(), '2');
		assert.match(b.stderr, /\[D_IDENT_UNDEF\] in action list: failed to resolve B/);
	});

	test('translators and types of a library', async () => {
		const { stdout } = await withFiles({
			'lib/a.d': 'typedef struct mine { int pid; } mine_t;\n' +
				'translator mine_t < struct task_struct *t > { pid = t->tgid; };\n' +
				'#pragma D attributes Evolving/Evolving/Common me\n' +
				'inline mine_t *me = xlate<mine_t *>(curthread);\n',
		}, ['-L', 'lib', '-qn', 'BEGIN { printf("%d", me->pid == pid); exit(0); }']);

		assert.strictEqual(stdout.trim(), '1');
	});

	test('an error in a library names it', async () => {
		const { stderr, status } = await withFiles({ 'lib/bad.d': '\ninline int A = ;\n' },
			['-L', 'lib', '-qn', 'BEGIN { exit(0); }']);

		assert.match(stderr, /\[D_SYNTAX\] "lib\/bad\.d", line 2: syntax error near ";"/);
		assert.strictEqual(status, 1);
	});

	test('a library has no clauses', async () => {
		const { stderr } = await withFiles({ 'lib/bad.d': 'BEGIN { exit(0); }\n' },
			['-L', 'lib', '-qn', 'BEGIN { exit(0); }']);

		assert.match(stderr, /\[D_SYNTAX\] "lib\/bad\.d", line 1: /);
	});

	test('libraries may not depend on each other in a circle', async () => {
		const { stderr } = await withFiles({
			'lib/a.d': '#pragma D depends_on library b.d\n',
			'lib/b.d': '#pragma D depends_on library a.d\n',
		}, ['-L', 'lib', '-qn', 'BEGIN { exit(0); }']);

		assert.match(stderr, /lib\/b\.d and lib\/a\.d depend on each other/);
	});

	test('syslibdir takes the place of the libraries that come with libdtrace', async () => {
		const files = { 'sys/a.d': 'inline int ENOENT = 99;\n' };
		const args = ['-x', 'syslibdir=sys', '-qn'];
		const known = await withFiles(files, [...args, 'BEGIN { trace(ENOENT); exit(0); }']);
		const unknown = await withFiles(files, [...args, 'BEGIN { trace(EPERM); }']);

		assert.strictEqual(known.stdout.trim(), '99');
		assert.match(unknown.stderr, /failed to resolve EPERM/);
	});

	test('nolibs', async () => {
		const { stderr } = await withFiles({ 'lib/a.d': 'inline int A = 1;\n' },
			['-L', 'lib', '-x', 'nolibs', '-qn', 'BEGIN { trace(A); }']);

		assert.match(stderr, /failed to resolve A/);
	});

	test('the option libdir is -L', async () => {
		const { stdout } = await withFiles({ 'one/a.d': 'inline int A = 1;\n', 'two/b.d': 'inline int B = 2;\n' },
			['-x', 'libdir=one', '-x', 'libdir=two', '-qn', 'BEGIN { trace(A + B); exit(0); }']);

		assert.strictEqual(stdout.trim(), '3');
	});

	test('a directory that is not there is none', async () => {
		const { stdout } = await withFiles({},
			['-L', 'nosuch', '-qn', 'BEGIN { trace(1); exit(0); }']);

		assert.strictEqual(stdout.trim(), '1');
	});
});

describe('included headers', { skip: command.skip }, () => {
	const files = { 'inc/head.h': '#define ONE 1\nstruct head {\n\tint member;\n};\n' };

	test('-I says where they are', async () => {
		const { stdout } = await withFiles(files, ['-C', '-I', 'inc', '-qn',
			'#include "head.h"\nBEGIN { printf("%d %d", ONE, sizeof (struct head)); exit(0); }']);

		assert.strictEqual(stdout.trim(), '1 4');
	});

	test('an error in one names it, one after it has the line of the program', async () => {
		const inside = await withFiles({ 'inc/head.h': 'int a;\nint b\n' }, ['-C', '-I', 'inc',
			'-qn', '#include "head.h"\n;BEGIN { trace(nosuch); }']);
		const after = await withFiles(files, ['-C', '-I', 'inc', '-qn',
			'#include "head.h"\nBEGIN { trace(nosuch); }']);
		const bad = await withFiles({ 'inc/head.h': 'int a;\nint b c;\n' }, ['-C', '-I', 'inc',
			'-qn', '#include "head.h"\nBEGIN { exit(0); }']);

		assert.match(inside.stderr, /\] line 2: failed to resolve nosuch/);
		assert.match(after.stderr, /\] line 2: failed to resolve nosuch/);
		assert.match(bad.stderr, /\[D_SYNTAX\] "inc\/head\.h", line 2: syntax error near "c"/);
	});

	test('the options cpp, incdir and cpphdrs are -C, -I and -H', async () => {
		const { stdout, stderr } = await withFiles(files, ['-x', 'cpp', '-x', 'incdir=inc', '-x',
			'cpphdrs', '-qn', '#include "head.h"\nBEGIN { trace(ONE); exit(0); }']);

		assert.strictEqual(stdout.trim(), '1');
		assert.match(stderr, /inc\/head\.h/);
	});

	test('-H shows them', async () => {
		const { stderr } = await withFiles(files, ['-C', '-H', '-I', 'inc', '-qn',
			'#include "head.h"\nBEGIN { exit(0); }']);

		assert.match(stderr, /inc\/head\.h/);
	});
});
