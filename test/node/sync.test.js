/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* The synchronous interface, as programs written for node-libdtrace use it. */
const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { Consumer } = require('dtrace-async/sync');
const { kernelObjects, run } = require('./helper');

const root = JSON.stringify(path.join(__dirname, '..', '..'));

/* What a program whose work is done in BEGIN and END gives; null ends a firing. */
function values(program) {
	const dtp = new Consumer();
	const given = [];
	const take = (probe, rec) => given.push(rec ? rec.data : null);

	dtp.strcompile(program);
	dtp.go();
	dtp.consume(take);
	dtp.stop();
	dtp.consume(take);
	return given;
}

function walk(dtp) {
	const records = [];

	dtp.aggwalk((varid, key, value) => records.push([varid, key, value]));
	return records;
}

test('hello world', () => {
	assert.deepEqual(values('BEGIN { trace("hello world"); }'), ['hello world', null]);
});

test('printf gives its text, END comes after stop', () => {
	assert.deepEqual(values('BEGIN { printf("%d %s", 1, "x"); } END { trace(2); }'),
	    ['1 x', null, 2, null]);
});

test('a probe has its four parts, and func', () => {
	const dtp = new Consumer();
	const probes = [];

	dtp.strcompile('BEGIN { trace(1); }');
	dtp.go();
	dtp.consume((probe) => probes.push(probe));
	dtp.stop();
	assert.deepEqual(probes[0], {
		provider: 'dtrace', module: '', function: '', func: '', name: 'BEGIN',
	});
});

test('aggwalk gives varid, key and value, and removes them', () => {
	const dtp = new Consumer();

	dtp.strcompile('BEGIN { @a["x", 2] = count(); @b = quantize(5); @c = avg(1); ' +
	    '@c = avg(2); @d = lquantize(7, 0, 10, 5); @e = llquantize(250, 10, 1, 3, 10); }');
	dtp.go();
	assert.deepEqual(walk(dtp).sort((a, b) => a[0] - b[0]), [
		[1, ['x', 2], 1],
		[2, [], [[[4, 7], 1]]],
		[3, [], 1.5],
		[4, [], [[[5, 9], 1]]],
		[5, [], [[[200, 299], 1]]],
	]);
	assert.deepEqual(walk(dtp), []);
	dtp.stop();
});

test('aggmin, aggmax and version', () => {
	const dtp = new Consumer();

	assert.equal(dtp.aggmin(), -(2 ** 63));
	assert.equal(dtp.aggmax(), 2 ** 63);
	assert.match(dtp.version(), /^\S+ \S+ \d+(\.\d+)+$/);
});

test('what fails throws, with the reason, and leaves the consumer usable', () => {
	const dtp = new Consumer();

	assert.throws(() => dtp.strcompile('this is not D'), {
		message: /couldn't compile 'this is not D': line 1: /,
		code: 'EDT_COMPILER', tag: /^D_/, line: 1,
	});
	assert.throws(() => dtp.setopt('nosuchoption'), /couldn't set option 'nosuchoption'/);
	assert.throws(() => dtp.setopt('bufsize', 'large'), /'bufsize' to 'large'/);
	for (const value of [{}, [], 1.5, null])
		assert.throws(() => dtp.setopt('bufsize', value), TypeError);
	for (const wrong of [1, null, {}])
		assert.throws(() => dtp.strcompile(wrong), TypeError);
	assert.throws(() => dtp.consume(), TypeError);
	assert.throws(() => dtp.aggwalk(), TypeError);
	dtp.setopt('bufsize', '64k');
	dtp.strcompile('BEGIN { trace(1); }');
	dtp.go();
	assert.throws(() => dtp.go(), /couldn't enable tracing/);
	assert.throws(() => dtp.strcompile('BEGIN { trace(2); }'), /already/);
	const given = [];

	dtp.consume((probe, rec) => given.push(rec && rec.data));
	assert.deepEqual(given, [1, undefined]);
	dtp.stop();
});

test('consume and aggwalk before go throw', () => {
	const dtp = new Consumer();

	assert.throws(() => dtp.consume(() => {}), /couldn't consume/);
	assert.throws(() => dtp.aggwalk(() => {}), /couldn't take a snapshot/);
});

test('an exception of a callback comes out, and no record is lost', () => {
	const dtp = new Consumer();
	const seen = [];
	const turn = () => dtp.consume((probe, rec) => {
		seen.push(rec && rec.data);
		if (rec && rec.data < 3)
			throw new Error('from the callback');
	});

	dtp.strcompile('BEGIN { trace(1); trace(2); trace(3); }');
	dtp.go();
	assert.throws(turn, /from the callback/);
	assert.throws(turn, /from the callback/);
	turn();
	assert.deepEqual(seen, [1, 2, 3, undefined]);
	dtp.stop();
});

test('no call is possible from a callback', () => {
	const dtp = new Consumer();
	let calls = 0;

	dtp.strcompile('BEGIN { trace(1); @ = count(); }');
	dtp.go();
	const check = () => {
		calls++;
		for (const use of [() => dtp.consume(() => {}), () => dtp.aggwalk(() => {}),
			() => dtp.stop(), () => dtp.setopt('quiet')])
			assert.throws(use, /consumer is busy/);
	};

	dtp.consume(check);
	dtp.aggwalk(check);
	assert.equal(calls, 3);
	dtp.stop();
});

test('many consumers at once', () => {
	const before = kernelObjects().length;
	const consumers = Array.from({ length: 20 }, (_, i) => {
		const dtp = new Consumer();

		dtp.strcompile(`BEGIN { trace(${i}); @ = sum(${i}); }`);
		dtp.go();
		return dtp;
	});

	assert.ok(kernelObjects().length > before);
	consumers.forEach((dtp, i) => {
		const given = [];

		dtp.consume((probe, rec) => rec && given.push(rec.data));
		dtp.stop();
		assert.deepEqual(given, [i]);
		assert.deepEqual(walk(dtp), [[1, [], i]]);
	});
});

test('an unprivileged process cannot make one', async () => {
	const output = await run(`
		const { Consumer } = require(${root} + '/lib/sync.js');
		try {
			new Consumer();
		} catch (error) {
			console.log(error instanceof Error, error.message);
		}`, { cwd: '/', uid: 65534, gid: 65534 });

	assert.match(output, /^true .*DTrace requires additional privileges/);
});

test('it is imported, too', async () => {
	const { Consumer: imported } = await import('dtrace-async/sync');

	assert.equal(imported, Consumer);
});
