/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* What aggwalk() gives for each aggregating function. */
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { aggregations, open, start, walk } = require('./helper');

const MIN = -(2 ** 63);
const MAX = 2 ** 63;

/* One aggregation without keys: its statements, and its value. */
const single = [
	['@ = count(); @ = count();', 2],
	['@ = sum(3); @ = sum(-5);', -2],
	['@ = min(7); @ = min(-7);', -7],
	['@ = max(7); @ = max(-7);', 7],
	['@ = avg(1); @ = avg(2);', 1.5],
	['@ = avg(-1); @ = avg(-2); @ = avg(-2);', -5 / 3],
	['@ = stddev(2); @ = stddev(4);', 1],
	['@ = stddev(5);', 0],
	['@ = stddev(1000000001); @ = stddev(1000000003);', 1],

	['@ = quantize(0);', [[[0, 0], 1]]],
	['@ = quantize(1);', [[[1, 1], 1]]],
	['@ = quantize(2); @ = quantize(3); @ = quantize(4);', [[[2, 3], 2], [[4, 7], 1]]],
	['@ = quantize(1000);', [[[512, 1023], 1]]],
	['@ = quantize(-1);', [[[-1, -1], 1]]],
	['@ = quantize(-2); @ = quantize(-3); @ = quantize(-4);',
	    [[[-7, -4], 1], [[-3, -2], 2]]],
	['@ = quantize(0x7fffffffffffffff);', [[[2 ** 62, MAX], 1]]],
	['@ = quantize(-0x7fffffffffffffff);', [[[MIN, -(2 ** 62)], 1]]],
	['@ = quantize(5, 10);', [[[4, 7], 10]]],

	['@ = lquantize(5, 0, 10);', [[[5, 5], 1]]],
	['@ = lquantize(0, 0, 100, 10); @ = lquantize(9, 0, 100, 10);', [[[0, 9], 2]]],
	['@ = lquantize(99, 0, 100, 10);', [[[90, 99], 1]]],
	['@ = lquantize(-1, 0, 100, 10);', [[[MIN, -1], 1]]],
	['@ = lquantize(100, 0, 100, 10); @ = lquantize(5000, 0, 100, 10);',
	    [[[100, MAX], 2]]],
	['@ = lquantize(-15, -20, 20, 10); @ = lquantize(-21, -20, 20, 10);',
	    [[[MIN, -21], 1], [[-20, -11], 1]]],

	['@ = llquantize(5, 10, 1, 3, 10);', [[[0, 9], 1]]],
	['@ = llquantize(10, 10, 1, 3, 10); @ = llquantize(19, 10, 1, 3, 10);',
	    [[[10, 19], 2]]],
	['@ = llquantize(250, 10, 1, 3, 10);', [[[200, 299], 1]]],
	['@ = llquantize(9999, 10, 1, 3, 10);', [[[9000, 9999], 1]]],
	['@ = llquantize(10000, 10, 1, 3, 10);', [[[10000, MAX], 1]]],
	['@ = llquantize(7, 10, 0, 2, 20);', [[[7, 7], 1]]],
	['@ = llquantize(17, 10, 0, 2, 20);', [[[15, 19], 1]]],
	['@ = llquantize(170, 10, 0, 2, 20);', [[[150, 199], 1]]],
];

for (const [statements, value] of single) {
	test(`BEGIN { ${statements} }`, async () => {
		assert.deepEqual(await aggregations(`BEGIN { ${statements} }`),
		    [{ varid: 1, key: [], value }]);
	});
}

test('keys are numbers and strings, in their order', async () => {
	assert.deepEqual(
	    await aggregations('BEGIN { @[-1, "two", probename, 4294967296] = count(); }'),
	    [{ varid: 1, key: [-1, 'two', 'BEGIN', 4294967296], value: 1 }]);
});

test('short strings as keys stay strings', async () => {
	assert.deepEqual(await aggregations('BEGIN { @["", "a", "1234567"] = count(); }'),
	    [{ varid: 1, key: ['', 'a', '1234567'], value: 1 }]);
});

test('records with different keys are kept apart', async () => {
	const records = await aggregations(
	    'BEGIN { @["a"] = sum(1); @["b"] = sum(2); @["a"] = sum(3); }');

	assert.deepEqual(records.map(({ key, value }) => [key[0], value]).sort(),
	    [['a', 4], ['b', 2]]);
});

test('varid counts aggregations in program order', async () => {
	const records = await aggregations(
	    'BEGIN { @first = count(); @second[1] = sum(2); @ = max(3); }');

	assert.deepEqual(records.sort((a, b) => a.varid - b.varid), [
		{ varid: 1, key: [], value: 1 },
		{ varid: 2, key: [1], value: 2 },
		{ varid: 3, key: [], value: 3 },
	]);
});

test('a walk removes what it has given', async () => {
	const dtp = await start('BEGIN { @[1] = count(); }');

	assert.equal(walk(dtp).length, 1);
	assert.deepEqual(walk(dtp), []);
	await dtp.stop();
	assert.deepEqual(walk(dtp), []);
});

test('what END normalizes is divided', async () => {
	const dtp = await start('BEGIN { @ = sum(1500); } END { normalize(@, 1000); }');

	await dtp.stop();
	dtp.consume(() => {});
	assert.deepEqual(walk(dtp), [{ varid: 1, key: [], value: 1.5 }]);
});

test('aggmin and aggmax are the bounds of 64-bit integers', async () => {
	const dtp = await open();

	assert.equal(dtp.aggmin(), MIN);
	assert.equal(dtp.aggmax(), MAX);
});

test('system calls of this process are counted by name', async () => {
	const dtp = await start(`syscall::getppid:entry /pid == ${process.pid}/ ` +
	    '{ @[execname, probefunc] = count(); }');

	for (let i = 0; i < 1000; i++)
		process.ppid; /* eslint-disable-line no-unused-expressions */
	await dtp.stop();
	const [record] = walk(dtp);

	assert.equal(record.key[1], 'getppid');
	assert.ok(record.value >= 1000, `${record.value} calls`);
});
