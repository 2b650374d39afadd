// SPDX-License-Identifier: Apache-2.0
// Names of user addresses and functions, wherever a program keeps them. All programs are the
// tests' own.
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const dtrace = require('..');
const command = require('./command');

const program = path.join(command.build, 'test', 'static');
const mangled = path.join(command.build, 'test', 'mangled');
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

describe('names of C++ and Rust', options, () => {
	/** What the test program's functions are called, and called on request. */
	const names = [
		['_ZN3foo3barEi', 'foo::bar(int)'],
		['_ZNK3foo3barISt6vectorIcSaIcEEEEbRKT_.constprop.0', 'bool foo::bar<std::vector<char, ' +
			'std::allocator<char> > >(std::vector<char, std::allocator<char> > const&) const ' +
			'[clone .constprop.0]'],
		['_ZN4core3fmt5Write9write_str17h0123456789abcdefE', 'core::fmt::Write::write_str'],
		['_RNCNvC5crate4main0', 'crate::main::{closure#0}'],
		['_RNvC5crateu8gdel_5qa', 'crate::gödel'],
		['_Znone', '_Znone'],
		['_plain', '_plain'],
	];
	const probes = ['_Z[Nn]*', '_R*', '_plain']
		.map((name) => `pid$target:mangled:${name}:entry`).join(', ');
	const module = (name) => `mangled\`${name}`;
	const lines = (text) => text.trim().split('\n').map((line) => line.trim());

	for (const [label, flags, which] of [['as in the file', [], 0],
		['demangled', ['-x', 'demangle'], 1]]) {
		const expected = names.map((pair) => module(pair[which]));

		test(`symbols are ${label}, probes as in the file`, async () => {
			const { stdout, stderr } = await command.run([...flags, '-q', '-n', `${probes} {
				printf("%s %A\\n", probefunc, ufunc(uregs[R_PC])); }`, '-c', mangled]);

			assert.strictEqual(stderr, '');
			assert.deepStrictEqual(lines(stdout),
				names.map(([name], i) => `${name} ${expected[i]}`));
		});

		test(`frames and keys are ${label}`, async () => {
			const { stdout, stderr } = await command.run([...flags, '-q', '-n', `${probes} {
				@[ustack(1)] = count(); @b[uaddr(uregs[R_PC])] = count();
				@c[ufunc(uregs[R_PC] + 1)] = count(); }`, '-c', mangled]);

			assert.strictEqual(stderr, '');
			assert.deepStrictEqual(stdout.split('\n').map((line) => line.replace(/ +1$/, '').trim())
				.filter((line) => line !== '' && line !== '1'),
			[...expected, ...expected, ...expected]);
		});
	}

	test('JSON has them demangled', async () => {
		const { stdout } = await command.run(['-x', 'demangle', '-x', 'oformat=json', '-n',
			'pid$target:mangled:_ZN3foo3barEi:entry { ustack(1); usym(uregs[R_PC]); }',
			'-c', mangled]);
		const { probe, data } = JSON.parse(lines(stdout).find((line) => line.includes('"cpu"')));

		assert.strictEqual(probe.function, '_ZN3foo3barEi');
		assert.deepStrictEqual(data, [['mangled`foo::bar(int)'], 'mangled`foo::bar(int)']);
	});

	test('so have whole records, also when asked for while tracing', async () => {
		const dt = await dtrace.open({ target: [mangled] });

		await dt.run('pid$target:mangled:_ZN3foo3barEi:entry { ustack(1); usym(uregs[R_PC]); }');
		dt.setopt('demangle');
		for await (const { data: [[frame], symbol] } of dt) {
			assert.strictEqual(frame.symbol, 'foo::bar(int)');
			assert.strictEqual(frame.module, 'mangled');
			assert.strictEqual(symbol, 'mangled`foo::bar(int)');
			break;
		}
		await dt.stop();
	});

	test('a text without end is cut short', async () => {
		const { stdout } = await command.run(['-x', 'demangle', '-q', '-n',
			'pid$target:mangled:_Z1fSt4pair*:entry { printf("%A\\n", ufunc(uregs[R_PC])); }',
			'-c', mangled]);

		assert.match(lines(stdout)[0], /^mangled`f\(std::pair<int, int>, std::pair<std::p.{900,950}\.\.\.$/);
	});
});

describe('a program of C++', options, () => {
	const source = `
template <class T> struct box { T value; };

namespace shop {
struct guard { // is passed by its address
	int n;
	~guard() { n = 0; }
};
class cart {
public:
	struct item { int price; item *next; };
	item first;
	__attribute__((noinline)) guard take(int n, guard g, int m);
};
guard cart::take(int n, guard g, int m) { first.price = n + g.n + m; return g; }
namespace {
__attribute__((noinline)) int pay(double rate, const cart &c, cart::item *i, box<int> *b, int n)
{
	return rate > 1 ? c.first.price + i->price + b->value : n;
}
}
}

struct cart { long other[9]; }; // another

int main()
{
	shop::cart::item item = {5, nullptr};
	shop::cart c = {{7, &item}};
	box<int> b = {6};
	cart unused = {};

	c.take(11, shop::guard{3}, 12);
	return shop::pay(1.5, c, &item, &b, 13) + (int)unused.other[1];
}
`;

	/** Calls f with the path of the program. */
	const withProgram = (f) => command.withDirectory((directory) => {
		const file = path.join(directory, 'shop');

		fs.writeFileSync(`${file}.cc`, source);
		execFileSync('clang', ['-x', 'c++', '-fno-exceptions', '-g', '-o', file, `${file}.cc`]);
		return f(file);
	});

	test('has typed arguments, whatever is passed between them', () => withProgram(async (file) => {
		const { stdout, stderr } = await command.run(['-q', '-n', `
			pid$target:a.out:_ZN4shop4cart4take*:entry
			{
				printf("%d %d %d\\n", args[0]->first.next->price, args[1], args[3]);
			}
			pid$target:a.out:_ZN4shop*3pay*:entry
			{
				printf("%d %d %d\\n", args[1]->first.price, args[2]->price, args[4]);
			}`, '-c', file]);

		assert.strictEqual(stderr, '');
		assert.deepStrictEqual(stdout.trim().split('\n'), ['5 11 12', '26 5 13']);
	}));

	test('has types by their names in their namespaces', () => withProgram(async (file) => {
		const { stdout, stderr } = await command.run(['-q', '-n', `
			BEGIN
			{
				printf("%d %d\\n", sizeof (struct a.out\`shop::cart), sizeof (struct a.out\`cart));
			}
			pid$target:a.out:_ZN4shop4cart4take*:entry
			{
				this->item = (userland struct a.out\`shop::cart::item *)args[0]->first.next;
				printf("%d\\n", this->item->price);
			}`, '-c', file]);

		assert.strictEqual(stderr, '');
		assert.deepStrictEqual(stdout.trim().split('\n'), ['16 72', '5']);
	}));
});

describe('a function whose name is longer than a probe\'s can be', options, () => {
	/** What dtrace prints of the test program's function of many pairs. */
	async function tracePairs(description, ...more) {
		const result = await command.run([...more, description, '-c', mangled]);

		assert.strictEqual(result.stderr, '');
		return result.stdout.trim();
	}

	test('has one probe, which fires once', async () => {
		const once = 'pid$target:mangled:_Z1fSt4pair*:entry';

		assert.strictEqual(await tracePairs(`${once} { @ = count(); }`, '-qn'), '1');
		assert.strictEqual(await tracePairs(`${once},syscall::nosuch*: { @ = count(); }`,
			'-Zqn'), '1');
	});

	test('is named by as much as is listed', async () => {
		const listed = (await tracePairs('pid$target:mangled:_Z1fSt4pair*:entry', '-ln'))
			.match(/_Z1f\w+/)[0];

		assert.strictEqual(listed.length, 191);
		assert.strictEqual(await tracePairs(
			`pid$target:mangled:${listed}:entry { trace(strlen(probefunc)); }`, '-qn'), '191');
	});
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

describe('JavaScript', options, () => {
	const script = [
		'const fs = require("node:fs");',
		'/* é € 𝄞: characters are not bytes */ function inner(n) {',
		'	fs.writeSync(1, String(n));',
		'}',
		'class Thing {',
		'	constructor(n) { this.method(n); }',
		'	method(n) {',
		'		[n].forEach((x) => inner(x));',
		'	}',
		'}',
		'new Thing(7);',
	].join('\n');
	const write = 'syscall::write:entry /pid == $target && arg0 == 1/';

	/** Calls f with the path of the script. */
	const withScript = (f) => command.withDirectory((directory) => {
		const file = path.join(directory, 'script.js');

		fs.writeFileSync(file, script);
		return f(file, directory);
	});

	/** Those of the lines that are of JavaScript frames of the script. */
	const ofScript = (text, file) => text.split('\n').map((line) => line.trim())
		.filter((line) => line.endsWith(file) || line.includes(`${file}:`))
		.map((line) => line.replace(file, 'FILE'));
	const frames = ['inner at FILE:2', '(anonymous) at FILE:8', 'method at FILE:7',
		'Thing at FILE:6', '(anonymous) at FILE:1'];

	test('jstack() names the functions of a Node started without any flag', () =>
		withScript(async (file) => {
			const result = await command.run(['-q', '-n', `${write} { jstack(50, 4096); }`,
				'-c', `${process.execPath} ${file}`]);

			assert.deepStrictEqual(ofScript(result.stdout, file), frames);
			assert.match(result.stdout, /^ +writeSync at node:fs position \d+$/m);
		}));

	test('jstack() is a key by the names of its functions', () => withScript(async (file) => {
		const result = await command.run(['-q', '-n',
			`${write} { @[jstack(50, 4096)] = count(); }`, '-c', `${process.execPath} ${file}`]);

		assert.deepStrictEqual(ofScript(result.stdout, file), frames);
	}));

	test('what does not fit into the bytes for names is named by its address', () =>
		withScript(async (file) => {
			const result = await command.run(['-q', '-n', `${write} { jstack(50, 120); }`,
				'-c', `${process.execPath} ${file}`]);
			const named = ofScript(result.stdout, file);

			assert.ok(named.length < frames.length);
			assert.deepStrictEqual(named, frames.slice(0, named.length));
			assert.match(result.stdout, /`Builtins_Interpreter/);
		}));

	test('frames of whole records have file and line', () => withScript(async (file) => {
		const dt = await dtrace.open({ target: [process.execPath, file], jstackstrsize: 4096 });
		let stack;

		await dt.run(`${write} { jstack(); exit(0); }`);
		for await (const record of dt)
			[stack] = record.data;
		await dt.close();
		assert.deepStrictEqual(stack.filter((frame) => frame.file === file)
			.map(({ symbol, line }) => `${symbol} ${line}`),
		['inner 2', '(anonymous) 8', 'method 7', 'Thing 6', '(anonymous) 1']);
		assert.ok(stack.some((frame) => frame.file === 'node:fs' && !('line' in frame)));
	}));

	test('--perf-basic-prof names compiled code in ustack()', () =>
		withScript(async (file, directory) => {
			fs.writeFileSync(file, 'function hot(n) { let x = 0; for (let i = 0; i < 1e5; i++) ' +
				'x = (x * 31 + i * n) % 1000003; return x; }\n' +
				'let s = 0; for (;;) s = hot(s);\n');
			const run = command.start(['-q', '-x', 'switchrate=10hz', '-n',
				'BEGIN { printf("target %d\\n", $target); } ' +
				'profile-197 /pid == $target && arg1/ { ustack(2); }', '-c',
				`${process.execPath} --perf-basic-prof --logfile=${directory}/log ${file}`]);

			await run.seen(new RegExp(`:[*~^+]?hot ${file}:1`));
			run.child.kill('SIGTERM');
			const [, target] = (await run.done).stdout.match(/^target (\d+)$/m);

			fs.unlinkSync(`/tmp/perf-${target}.map`);
		}));
});

describe('debugging information that cannot be', options, () => {
	const doubled = Array.from({ length: 20 }, (_, i) => `union u${i + 1} { union u${i} a, b; };`);
	const source = `
typedef int looping;
struct outer { struct inner { int x; } within[2]; };
union u0 { int i; };
${doubled.join('\n')}
__attribute__((noinline)) int typed(looping x, int y) { return x + y; }
__attribute__((noinline)) int nested(struct outer x, int y) { return x.within[1].x + y; }
__attribute__((noinline)) int many(union u20 x, int y) { return x.a.b.a.b.a.b.a.b.a.b.a.b.a.b.a.b.a.b.a.b.i + y; }

int main(void)
{
	struct outer outer = {0};
	union u20 u = {0};

	return typed(1, 2) + nested(outer, 3) + many(u, 4) - 9;
}
`;
	/* The typedef is one of itself, the array one of the structure that it is in. */
	const broken = (assembly) => {
		const [, outer] = assembly.match(/0x([0-9a-f]+):0x[0-9a-f]+ DW_TAG_structure_type/);

		return assembly
		    .replace(/(0x([0-9a-f]+):0x[0-9a-f]+ DW_TAG_typedef\s+\.long\s+)\d+/,
		        (_, begin, own) => `${begin}0x${own}`)
		    .replace(/(DW_TAG_array_type\s+\.long\s+)\d+/, `$10x${outer}`);
	};

	test('ends where it goes in circles', () => command.withDirectory(async (directory) => {
		const file = path.join(directory, 'broken');

		fs.writeFileSync(`${file}.c`, source);
		execFileSync('clang', ['-g', '-O0', '-S', '-o', `${file}.s`, `${file}.c`]);
		fs.writeFileSync(`${file}.s`, broken(fs.readFileSync(`${file}.s`, 'utf8')));
		execFileSync('clang', ['-o', file, `${file}.s`]);
		for (const name of ['typed', 'nested', 'many']) {
			const { stderr } = await command.run(['-qn',
				`pid$target:a.out:${name}:entry { trace(args[1]); }`, '-c', file]);

			assert.match(stderr, /index 1 is out of range/);
		}
		const { stdout } = await command.run(['-qn',
			'pid$target:a.out:many:entry { trace((int)arg1); }', '-c', file]);

		assert.strictEqual(stdout.trim(), '4');
	}));
});
