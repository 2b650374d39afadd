// SPDX-License-Identifier: Apache-2.0
// Static probes of C programs: -h makes a header from a provider's declaration, -G an object,
// and what is built with them is traced.
'use strict';

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');

const command = require('./command');

const provider = `
#define Oid unsigned int

typedef struct connection {
	int fd;
} connection_t;

provider serv {
	probe start();
	probe query__start(int, const char *);
	probe query__done(int n, Oid oid);
	probe integers(int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t);
	probe pointers(connection_t *, char *, string);
};

#pragma D attributes Evolving/Evolving/Common provider serv provider
`;

// It tells when an argument has been evaluated that nobody wanted.
const source = `
#include "serv.h"
#include <stdio.h>
#include <stdlib.h>

struct connection { int fd; };

int global = 77;

static int expensive(int n)
{
	puts("evaluated");
	return n;
}

int main(int argc, char *argv[])
{
	struct connection connection = {5};
	const char *text = argv[0] + 1;

	for (int i = 0; i < 2; i++) {
		SERV_START();
		if (SERV_QUERY_START_ENABLED())
			SERV_QUERY_START(expensive(i), "select");
		if (argc < 0)
			SERV_START();
		else
			SERV_QUERY_DONE(i, global);
		SERV_INTEGERS(-1, 200, -300, 60000, -70000, 4000000000u, -1LL, 1ULL << 63);
		SERV_POINTERS(&connection, text, argv[argc - 1]);
	}
	return 0;
}
`;

/** Runs a command in a directory; it has to succeed and say nothing. */
function quietly(cwd, file, ...args) {
	const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' });

	assert.strictEqual(error, undefined);
	assert.deepStrictEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' },
		`${file} ${args.join(' ')}`);
}

/** Whether a compiler is here. */
function has(compiler) {
	return spawnSync(compiler, ['--version']).error === undefined;
}

describe('dtrace -h', () => {
	let directory;

	/** Runs dtrace where the provider's declaration is. */
	const dtrace = (...args) => command.run(args, { cwd: directory });

	before(() => {
		directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-static-'));
		fs.chmodSync(directory, 0o755);
		fs.writeFileSync(path.join(directory, 'serv.d'), provider);
		fs.writeFileSync(path.join(directory, 'serv.c'), source);
		quietly(directory, command.dtrace, '-C', '-h', '-s', 'serv.d');
	});

	after(() => fs.rmSync(directory, { recursive: true }));

	/** What a D program prints about ./name, in lines. */
	async function trace(name, text) {
		const result = await dtrace('-q', '-c', `./${name} last`, '-n', text);

		assert.strictEqual(result.stderr, '');
		return result.stdout.split('\n').filter((line) => line !== '');
	}

	for (const { label, words } of [
		{ label: 'gcc -O0', words: ['gcc', '-O0'] },
		{ label: 'gcc -O2, ISO C, all warnings', words:
			['gcc', '-O2', '-std=c99', '-pedantic', '-Wall', '-Wextra', '-Werror'] },
		{ label: 'gcc, at link time', words: ['gcc', '-O2', '-flto=1'] },
		{ label: 'gcc, unused sections dropped', words:
			['gcc', '-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections'] },
		{ label: 'gcc, at fixed addresses', words: ['gcc', '-O2', '-no-pie', '-fno-pie'] },
		{ label: 'clang', words: ['clang', '-O2', '-Wall', '-Wextra', '-Werror'] },
		{ label: 'C++', words: [has('g++') ? 'g++' : 'clang++', '-x', 'c++', '-std=c++17', '-Wall',
			'-Wextra', '-Werror'] },
	]) {
		test(`a program of ${label} is traced, arguments as declared`, { skip: command.skip },
			async () => {
				quietly(directory, ...words, '-o', 'serv', 'serv.c');
				assert.deepStrictEqual(await trace('serv', `
serv$target:::start { printf("%s:%s\\n", probefunc, probename); }
serv$target:::query-done { printf("%d %d\\n", arg0, arg1); }
serv$target:::integers {
	printf("%d %d %d %d %d %d %d %u\\n", args[0], args[1], args[2], args[3], args[4],
	    args[5], args[6], args[7]);
}
serv$target:::pointers {
	printf("%d %s %s\\n", *(int *)copyin(arg0, 4), copyinstr(arg1), copyinstr(arg2));
}`), [0, 1].flatMap((i) => [
					'main:start',
					`${i} 77`,
					'-1 200 -300 60000 -70000 4000000000 -1 9223372036854775808',
					'5 /serv last',
				]));
			});
	}

	test('is-enabled is false until somebody traces the probe', { skip: command.skip },
		async () => {
			quietly(directory, 'gcc', '-o', 'enabled', 'serv.c');

			const alone = spawnSync('./enabled', { cwd: directory, encoding: 'utf8' });

			assert.deepStrictEqual([alone.status, alone.stdout], [0, '']);
			assert.deepStrictEqual(await trace('enabled',
				'serv$target:::start { @ = count(); } END { printa("%@d\\n", @); }'), ['2']);
			assert.deepStrictEqual((await trace('enabled',
				'serv$target:::query-start { printf("%d %s\\n", arg0, copyinstr(arg1)); }')).sort(),
			['0 select', '1 select', 'evaluated', 'evaluated']);
		});

	test('the notes are those that other tracers read', () => {
		quietly(directory, 'gcc', '-o', 'notes', 'serv.c');

		const { stdout } = spawnSync('readelf', ['-n', 'notes'], { cwd: directory, encoding: 'utf8' });

		assert.match(stdout, /stapsdt .*NT_STAPSDT/);
		assert.match(stdout, /Provider: serv\n +Name: query__start\n +Location: 0x[0-9a-f]+, Base: 0x0*[1-9a-f][0-9a-f]*, Semaphore: 0x0*[1-9a-f][0-9a-f]*\n +Arguments: -4@\S+ 8@\S+\n/);
	});

	test('two objects, and a shared one, may include the header', { skip: command.skip },
		async () => {
			const write = (name, text) => fs.writeFileSync(path.join(directory, name),
				`#include "serv.h"\n#include "serv.h"\n${text}\n`);

			write('one.c', 'void two(void); void three(void);\n' +
				'int main(void) { SERV_START(); two(); three(); return 0; }');
			write('two.c', 'void two(void) { if (SERV_START_ENABLED()) SERV_START(); }');
			write('three.c', 'void three(void) { if (SERV_START_ENABLED()) SERV_START(); }');
			quietly(directory, 'gcc', '-fPIC', '-shared', '-o', 'libthree.so', 'three.c');
			quietly(directory, 'gcc', '-o', 'several', 'one.c', 'two.c', '-L.', '-lthree',
				'-Wl,-rpath,$ORIGIN');
			assert.deepStrictEqual(await trace('several',
				'serv$target:::start { printf("%s %s\\n", probemod, probefunc); }'),
			['several main', 'several two', 'libthree.so three']);
		});

	test('-o names the header, without it the script does', async () => {
		await command.withDirectory(async (cwd) => {
			fs.writeFileSync(path.join(cwd, 'other.d'), 'provider p { probe q(); };');
			fs.writeFileSync(path.join(cwd, 'plain'), 'provider p { probe q(); };');
			quietly(cwd, command.dtrace, '-h', '-s', './other.d');
			quietly(cwd, command.dtrace, '-h', '-s', 'plain', '-o', 'named.h');

			const texts = ['other.h', 'named.h'].map((name) =>
				fs.readFileSync(path.join(cwd, name), 'utf8'));

			assert.match(texts[0], /#define P_Q\(\)/);
			assert.strictEqual(texts[0].replaceAll('_OTHER_', '_NAMED_'), texts[1]);

			const refused = await command.run(['-h', '-s', 'plain'], { cwd });

			assert.strictEqual(refused.status, 1);
			assert.match(refused.stderr, /^dtrace: -h needs the name of the header/);
		});
	});

	test('it needs no privilege', { skip: command.skip }, () => {
		fs.mkdirSync(path.join(directory, 'anybody'));
		fs.chmodSync(path.join(directory, 'anybody'), 0o777);
		quietly(path.join(directory, 'anybody'), 'setpriv', '--reuid=65534', '--regid=65534',
			'--clear-groups', command.dtrace, '-C', '-h', '-s', '../serv.d');
		assert.match(fs.readFileSync(path.join(directory, 'anybody', 'serv.h'), 'utf8'),
			/#define SERV_QUERY_START\(arg0, arg1\)/);
	});

	test('what cannot be a probe is refused, and no header is left', async () => {
		const refusals = [
			['provider p { probe q(struct { int a; } s); };',
				/line 1: probe p:q, argument 1: a value of type struct .* cannot be passed/],
			['provider p { probe q(double d); };', /argument 1: a value of type double cannot/],
			[`provider p { probe q(${Array(13).fill('int').join(', ')}); };`,
				/probe p:q has 13 arguments, and can pass 12/],
			['BEGIN { exit(0); }', /the programs declare no provider/],
			['provider p { probe q(nosuch_t *); };', /nosuch_t/],
		];

		for (const [text, message] of refusals) {
			fs.writeFileSync(path.join(directory, 'bad.d'), text);

			const result = await dtrace('-h', '-s', 'bad.d');

			assert.strictEqual(result.status, 1);
			assert.match(result.stderr, message);
			assert.ok(!fs.existsSync(path.join(directory, 'bad.h')));
		}
		// A name that is no file's is left alone.
		fs.symlinkSync('nowhere', path.join(directory, 'link.h'));
		await dtrace('-h', '-s', 'bad.d', '-o', 'link.h');
		assert.ok(fs.lstatSync(path.join(directory, 'link.h')).isSymbolicLink());
		assert.match((await dtrace('-h')).stderr, /^dtrace: no script specified/);
	});

	test('-G: the steps of a make file', { skip: command.skip }, async () => {
		quietly(directory, 'gcc', '-O2', '-c', '-o', 'made.o', 'serv.c');
		quietly(directory, command.dtrace, '-C', '-G', '-s', 'serv.d', 'made.o', '-o', 'probes.o');
		quietly(directory, 'gcc', '-Werror', '-o', 'made', 'made.o', 'probes.o');
		assert.deepStrictEqual(await trace('made',
			'serv$target:::query-start { @ = sum(arg0); } END { printa("%@d\\n", @); }'),
		['evaluated', 'evaluated', '1']);
	});

	test('-G defines semaphores for those who only declare them', { skip: command.skip },
		async () => {
			fs.writeFileSync(path.join(directory, 'extern.c'), `
extern volatile unsigned short serv_query__start_semaphore;
int main(void) { return serv_query__start_semaphore; }\n`);
			quietly(directory, 'gcc', '-c', 'extern.c');
			quietly(directory, command.dtrace, '-C', '-G', '-s', 'serv.d', 'extern.o');
			quietly(directory, 'gcc', '-Wl,--fatal-warnings', '-o', 'extern', 'extern.o', 'serv.o');
			quietly(directory, './extern');
			// One object for the whole of a program that was linked before in parts.
			quietly(directory, 'ld', '-r', '-o', 'parts.o', 'serv.o', 'extern.o');
			quietly(directory, 'gcc', '-o', 'extern', 'parts.o', 'serv.o');
		});

	test('-G: what is no object is refused', async () => {
		assert.match((await dtrace('-C', '-G', '-s', 'serv.d', 'nosuch.o', '-o', 'x.o')).stderr,
			/^dtrace: failed to link script serv.d: nosuch.o: No such file or directory\n$/);
		assert.match((await dtrace('-C', '-G', '-s', 'serv.d', 'serv.c', '-o', 'x.o')).stderr,
			/^dtrace: failed to link script serv.d: serv.c: not an object file\n$/);
		fs.writeFileSync(path.join(directory, 'clauses.d'), `${provider}BEGIN { exit(0); }\n`);
		assert.match((await dtrace('-C', '-G', '-s', 'clauses.d', '-o', 'x.o')).stderr,
			/clauses cannot be put into an object file/);
		assert.ok(!fs.existsSync(path.join(directory, 'x.o')));
	});

	test('-64 is what programs are, -32 is not to be had', async () => {
		quietly(directory, command.dtrace, '-64', '-C', '-h', '-s', 'serv.d', '-o', 'wide.h');
		assert.match((await dtrace('-32', '-C', '-h', '-s', 'serv.d')).stderr,
			/^dtrace: option -32 is not available/);
	});
});
