/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Whole records: the D program beside what an iteration gives. */
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const dtrace = require('dtrace-async');
const { caller } = require('./helper');

/* Every record of a program that ends by itself. */
async function records(program, settings) {
	const dt = await dtrace.open(settings);
	const all = [];

	await dt.run(program);
	for await (const record of dt)
		all.push(record);
	await dt.close();
	return all;
}

/* The values that one clause of BEGIN records. */
async function data(body, settings) {
	const [record] = await records(`BEGIN { ${body} } BEGIN { exit(0); }`, settings);

	return record.data;
}

const bodies = [
	['trace(1); trace("two"); printf("%d and %s", 3, "four");', [1, 'two', '3 and four']],
	['trace(-1); trace((char)-2); trace((short)-3); trace((int)-4);', [-1, -2, -3, -4]],
	['trace((unsigned char)254); trace((unsigned short)65535);', [254, 65535]],
	['trace((unsigned int)4294967295);', [4294967295]],
	['trace((uint64_t)-1);', [2 ** 64]],
	['trace((int64_t)-1);', [-1]],
	['trace(9007199254740993);', [9007199254740992]],
	['trace("gr\u00fc\u00dfe");', ['gr\u00fc\u00dfe']],
	['@a[1] = sum(5); printa("%d=%@d", @a);', ['1=5']],
];

for (const [body, expected] of bodies) {
	test(`BEGIN { ${body} }`, async () => {
		assert.deepEqual(await data(body), expected);
	});
}

test('with bigint, integers beyond 2^53 are exact, and smaller ones stay numbers', async () => {
	assert.deepEqual(await data(
	    'trace(9007199254740993); trace(-9007199254740993); trace((uint64_t)-1); ' +
	    'trace(0x7fffffffffffffff); trace(9007199254740992); trace(1);', { bigint: true }),
	    [9007199254740993n, -9007199254740993n, 2n ** 64n - 1n, 2n ** 63n - 1n,
		    9007199254740992, 1]);
});

test('a record names its probe and its CPU, and when it was traced', async () => {
	const before = process.hrtime.bigint();
	const [record] = await records('BEGIN { trace(1); exit(0); }');
	const after = process.hrtime.bigint();

	assert.deepEqual(Object.keys(record), ['probe', 'cpu', 'timestamp', 'data']);
	assert.equal(record.probe.provider, 'dtrace');
	assert.equal(record.probe.name, 'BEGIN');
	assert.ok(Number.isInteger(record.cpu) && record.cpu >= 0);
	assert.ok(record.timestamp >= before && record.timestamp <= after);
});

test('without the option temporal there is no timestamp', async () => {
	const [record] = await records('BEGIN { trace(1); exit(0); }',
	    { options: { temporal: false } });

	assert.equal(record.timestamp, undefined);
});

test('with the setting pid a record tells whose thread fired', async () => {
	const children = await Promise.all([caller(3), caller(3)]);
	const pids = children.map(({ pid }) => pid);
	const probe = `syscall::umask:entry /pid == ${pids[0]} || pid == ${pids[1]}/`;
	const dt = await dtrace.open({ pid: true, options: { nspec: 16 } });
	const all = [];

	await dt.run(`${probe} { trace(pid); }
		${probe} { self->s = speculation(); }
		${probe} { speculate(self->s); trace(pid); }
		${probe} { commit(self->s); }
		BEGIN { trace(pid); }`);
	await Promise.all(children.map((child) => child.call()));
	await dt.stop();
	for await (const { pid, data: [traced] } of dt) {
		if (traced !== undefined)
			all.push([pid, traced]);
	}
	await Promise.all(children.map((child) => child.end()));
	await dt.close();
	assert.ok(all.every(([pid, traced]) => pid === traced));
	assert.deepEqual(all.map(([pid]) => pid).sort(), [process.pid, ...pids.flatMap(
	    (pid) => Array(6).fill(pid))].sort());
});

test('without the option temporal there may be a pid, too', async () => {
	const [record] = await records('BEGIN { trace(1); exit(0); }',
	    { pid: true, options: { temporal: false } });

	assert.deepEqual(Object.keys(record), ['probe', 'cpu', 'timestamp', 'pid', 'data']);
	assert.equal(record.timestamp, undefined);
	assert.equal(record.pid, process.pid);
});

test('a clause that records nothing but its firing has no values', async () => {
	const all = await records('BEGIN { exit(0); } BEGIN, END');

	assert.deepEqual(all.filter(({ data: d }) => d.length === 0)
	    .map(({ probe }) => probe.name).slice(-1), ['END']);
});

test('each clause of a probe has its own record, in program order', async () => {
	assert.deepEqual((await records('BEGIN { trace(1); } BEGIN { trace(2); exit(0); } ' +
	    'END { trace(3); }')).map(({ data: d }) => d), [[1], [2], [3]]);
});

test('a stack is an array of frames', async () => {
	const [stack] = await data('stack();');

	assert.ok(Array.isArray(stack));
	for (const frame of stack) {
		assert.deepEqual(Object.keys(frame), ['symbol', 'module', 'offset', 'address']);
		assert.equal(typeof frame.address, 'bigint');
		if (frame.symbol !== null)
			assert.ok(Number.isInteger(frame.offset));
	}
	assert.ok(stack.some(({ symbol, module }) => /sys_bpf/.test(symbol) &&
	    module === 'vmlinux'), 'BEGIN is fired by a system call');
});

test('symbols are text', async (t) => {
	const line = fs.readFileSync('/proc/kallsyms', 'utf8')
	    .match(/^([0-9a-f]+) T vfs_read$/m);

	if (!line || /^0+$/.test(line[1]))
		return t.skip('the kernel does not show addresses');
	assert.deepEqual(await data(`sym(0x${line[1]}); mod(0x${line[1]});`),
	    ['vmlinux`vfs_read', 'vmlinux']);
});

test('tracemem is a Buffer', async () => {
	const [bytes] = await data('tracemem(curthread, 16);');

	assert.ok(Buffer.isBuffer(bytes));
	assert.equal(bytes.length, 16);
});

test('tracemem of a length known when it fires is a Buffer of that length', async () => {
	const [bytes, size] = await data('n = 5; tracemem(curthread, 16, n); trace(n);');

	assert.ok(Buffer.isBuffer(bytes));
	assert.equal(bytes.length, 5);
	assert.equal(size, 5);
});

const STRUCT = 'enum colour { RED, GREEN }; struct inner { unsigned long big; int list[3]; }; ' +
    'struct outer { int a; char text[8]; enum colour c; struct inner in; int f : 3; }; ' +
    'struct outer o; BEGIN { o.a = -1; o.c = GREEN; o.in.big = 9007199254740993; ' +
    'o.in.list[1] = 7; print(o); print(o.a); exit(0); }';

test('what print() was given is an object', async () => {
	const [{ data: [outer, a] }] = await records(STRUCT);

	assert.deepEqual(outer, { a: -1, text: '', c: 'GREEN',
		in: { big: 9007199254740992, list: [0, 7, 0] }, f: 0 });
	assert.equal(a, -1);
});

test('it is exact with bigint', async () => {
	const [{ data: [outer] }] = await records(STRUCT, { bigint: true });

	assert.equal(outer.in.big, 9007199254740993n);
	assert.equal(outer.a, -1);
});

test('a struct is a Buffer, a stack or a string as a key is what it is as a value', async () => {
	const dt = await dtrace.open();

	await dt.run('struct pair { int a; int b; }; struct pair p; ' +
	    'BEGIN { p.a = 1; p.b = 2; trace(p); @[stack(), "text", 7] = count(); exit(0); }');
	for await (const record of dt) {
		assert.ok(Buffer.isBuffer(record.data[0]));
		assert.equal(record.data[0].readInt32LE(4), 2);
	}
	const [{ keys: [stack, text, number] }] = await dt.aggregations();

	assert.ok(Array.isArray(stack) && typeof stack[0].address === 'bigint');
	assert.equal(text, 'text');
	assert.equal(number, 7);
	await dt.close();
});

test('records of one turn and the next are the same', async () => {
	const all = await records('tick-1ms { trace(++n); trace("x"); } ' +
	    'tick-1ms /n == 40/ { exit(0); }');

	assert.deepEqual(all.map(({ data: d }) => d[0]).filter((n) => n !== undefined).slice(0, 40),
	    Array.from({ length: 40 }, (_, i) => i + 1));
});
