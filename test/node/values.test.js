/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* How traced values look in JavaScript: the D program beside what consume() gives. */
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { start, values } = require('./helper');

/* Each line: a clause's body, and the values of its records. */
const bodies = [
	['trace(42);', [42]],
	['trace(0);', [0]],
	['trace(-1);', [-1]],
	['trace((char)-2);', [-2]],
	['trace((short)-300);', [-300]],
	['trace((int)4294967295);', [-1]],
	['trace(4294967296);', [4294967296]],
	['trace(0x7fffffffffffffff);', [2 ** 63]],
	['trace(1); trace("two"); trace(3);', [1, 'two', 3]],
	['trace("hello world");', ['hello world']],
	['trace("");', ['']],
	['trace("1");', ['1']],
	['trace("123");', ['123']],
	['trace("1234567");', ['1234567']],
	['trace(strjoin("a", "b"));', ['ab']],
	['trace(probename);', ['BEGIN']],
	['trace("gr\u00fc\u00dfe \u{1f600}");', ['gr\u00fc\u00dfe \u{1f600}']],
	['printf("%d %s\\n", 7, "seven");', ['7 seven\n']],
	['printf("plain");', ['plain']],
	['printf("%d", 1); trace(2); printf("%d", 3);', ['1', 2, '3']],
	['trace(1); exit(3);', [1]],
	['@a[1] = sum(5); printa("%d=%@d", @a); trace("after");', ['1=5', 'after']],
	['@a = count(); clear(@a); trunc(@a); normalize(@a, 10); trace("after");',
	    ['after']],
];

for (const [body, expected] of bodies) {
	test(`BEGIN { ${body} }`, async () => {
		assert.deepEqual(await values(`BEGIN { ${body} }`), [...expected, null]);
	});
}

test('a clause without records gives no record', async () => {
	const given = await values('BEGIN { x = 1; } BEGIN { trace(x); }');

	assert.deepEqual(given.filter((value) => value !== null), [1]);
});

test("a probe has its name's parts, and is one object for all firings", async () => {
	const dtp = await start('BEGIN { trace(1); trace(2); }');
	const probes = [];

	dtp.consume((probe) => probes.push(probe));
	await dtp.stop();
	assert.deepEqual(probes[0], {
		provider: 'dtrace', module: '', function: '', func: '', name: 'BEGIN',
	});
	assert.equal(probes[1], probes[0]);
	assert.equal(probes[2], probes[0]);
});

test('kernel symbols are text', async (t) => {
	const line = fs.readFileSync('/proc/kallsyms', 'utf8')
	    .match(/^([0-9a-f]+) T vfs_read$/m);

	if (!line || /^0+$/.test(line[1]))
		return t.skip('the kernel does not show addresses');
	const address = `0x${line[1]}`;

	assert.deepEqual(await values(`BEGIN { sym(${address}); func(${address}); }`),
	    ['vmlinux`vfs_read', 'vmlinux`vfs_read', null]);
	assert.deepEqual(await values(`BEGIN { sym(${address} + 1); mod(${address}); }`),
	    ['vmlinux`vfs_read', 'vmlinux', null]);
});

test('user symbols are text', async () => {
	const line = fs.readFileSync('/proc/self/maps', 'utf8')
	    .match(/^([0-9a-f]+)-[0-9a-f]+ r-xp .*libc[.-].*$/m);
	const at = `0x${line[1]} + 0x1000`;
	const [umod, usym, uaddr, ufunc, end] = await values(
	    `BEGIN { umod(${at}); usym(${at}); uaddr(${at}); ufunc(${at}); }`);

	assert.match(umod, /^libc[.-][^`]*$/);
	assert.match(usym, /^libc[.-]|^0x/);
	assert.match(uaddr, /^libc[.-]|^0x/);
	assert.equal(ufunc, usym);
	assert.equal(end, null);
});

test('a stack is text, a frame a line', async () => {
	const [stack] = await values('BEGIN { stack(); }');

	assert.equal(typeof stack, 'string');
	for (const frame of stack.split('\n').filter((text) => text !== ''))
		assert.match(frame, /`|^0x/);
});

test('a fault is an event, and the clause records nothing', async () => {
	const dtp = await start('BEGIN { this->zero = 0; trace(1 / this->zero); }',
	    'BEGIN { trace("next"); }');
	const faults = [];
	const given = [];

	dtp.on('fault', (fault) => faults.push(fault));
	dtp.consume((probe, rec) => rec && given.push(rec.data));
	await dtp.stop();
	assert.deepEqual(given, ['next']);
	assert.equal(faults.length, 1);
	assert.match(faults[0].fault, /divide-by-zero/);
	assert.equal(faults[0].probe.name, 'BEGIN');
});
