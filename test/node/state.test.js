/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Which call is allowed when, and what callbacks may do. */
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { createConsumer } = require('dtrace-async');
const { drain, open, start, until, walk } = require('./helper');

const root = path.join(__dirname, '..', '..');
const nothing = () => {};

const calls = {
	strcompile: (dtp) => dtp.strcompile('BEGIN { trace(1); }', nothing),
	go: (dtp) => dtp.go(nothing),
	stop: (dtp) => dtp.stop(nothing),
	setopt: (dtp) => dtp.setopt('quiet'),
	consume: (dtp) => dtp.consume(nothing),
	aggwalk: (dtp) => dtp.aggwalk(nothing),
	version: (dtp) => dtp.version(),
	aggmin: (dtp) => dtp.aggmin(),
	aggmax: (dtp) => dtp.aggmax(),
};

test('every call throws before the consumer is ready', (t, done) => {
	const dtp = createConsumer();

	for (const call of Object.values(calls))
		assert.throws(() => call(dtp), /not yet ready/);
	dtp.on('ready', done);
});

test('an unprivileged process gets an error event, then every call throws', async () => {
	const program = `
		const { createConsumer } = require(${JSON.stringify(root)});
		const dtp = createConsumer();
		dtp.on('ready', () => console.log('ready'));
		dtp.on('error', (err) => {
			console.log(err instanceof Error, err.message);
			for (const name of ['strcompile', 'go', 'stop', 'setopt', 'consume',
			    'aggwalk', 'version', 'aggmin', 'aggmax']) {
				try {
					dtp[name]('BEGIN', () => {});
					console.log(name, 'did not throw');
				} catch (failure) {
					console.log(failure.message);
				}
			}
		});`;
	const { stdout } = await promisify(execFile)(process.execPath, ['-e', program],
	    { cwd: '/', uid: 65534, gid: 65534 });
	const lines = stdout.trimEnd().split('\n');

	assert.match(lines[0], /^true .*DTrace requires additional privileges/);
	assert.equal(lines.length, 10);
	for (const line of lines.slice(1))
		assert.match(line, /failed to initialize/);
});

test('arguments of the wrong type throw', async () => {
	const dtp = await open();

	assert.throws(() => dtp.strcompile(1, nothing), TypeError);
	assert.throws(() => dtp.strcompile('BEGIN {}\0', nothing), TypeError);
	for (const options of [null, 1, 'text', { args: 1 }, { args: [{}] },
		{ defines: { '1X': 1 } }, { defines: { X: {} } }])
		assert.throws(() => dtp.strcompile('BEGIN {}', options), TypeError);
	for (const callback of [null, 1, 'text', {}]) {
		assert.throws(() => dtp.strcompile('BEGIN {}', {}, callback), TypeError);
		assert.throws(() => dtp.go(callback), TypeError);
		assert.throws(() => dtp.stop(callback), TypeError);
		assert.throws(() => dtp.consume(callback), TypeError);
		assert.throws(() => dtp.aggwalk(callback), TypeError);
	}
	assert.throws(() => dtp.consume(), TypeError);
	assert.throws(() => dtp.aggwalk(), TypeError);
	await dtp.stop(); /* none of them has changed the state */
});

test('an invalid program is reported with its text, the message and the line', async () => {
	const dtp = await open();

	await assert.rejects(dtp.strcompile('this is not D'), {
		message: /^couldn't compile 'this is not D': .*line 1/,
	});
	await assert.rejects(dtp.strcompile('BEGIN\n{\n\ttrace(nosuchvariable);\n}'),
	    /line 3: .*nosuchvariable/);
	await assert.rejects(dtp.strcompile('nosuchprovider:::x { trace(1); }'),
	    /couldn't compile 'nosuchprovider/);
	await dtp.strcompile('BEGIN { trace("still usable"); }');
	await dtp.go();
	assert.deepEqual(drain(dtp), ['still usable', null]);
	await dtp.stop();
});

test('several programs are enabled together', async () => {
	const dtp = await start('BEGIN { trace(1); }', 'BEGIN { trace(2); }');

	assert.deepEqual(drain(dtp), [1, null, 2, null]);
	await dtp.stop();
});

test('after go, strcompile and go throw', async () => {
	const dtp = await start('BEGIN { trace(1); }');

	assert.throws(() => calls.strcompile(dtp), /started/);
	assert.throws(() => calls.go(dtp), /started/);
	await dtp.stop();
});

test('after stop, strcompile, go and stop throw; consume and aggwalk work', async () => {
	const dtp = await start('BEGIN { @ = count(); } END { trace("end"); }');

	await dtp.stop();
	assert.throws(() => calls.strcompile(dtp), /stopped/);
	assert.throws(() => calls.go(dtp), /stopped/);
	assert.throws(() => calls.stop(dtp), /stopped/);
	assert.deepEqual(drain(dtp).slice(-2), ['end', null]);
	assert.deepEqual(walk(dtp), [{ varid: 1, key: [], value: 1 }]);
	assert.deepEqual(drain(dtp), []);
	assert.deepEqual(walk(dtp), []);
});

test('operations are queued in the order they were asked for', async () => {
	const dtp = await open();
	const order = [];
	const note = (name) => (err) => order.push(err ? err.message : name);

	dtp.strcompile('BEGIN { trace(1); }', note('first'));
	dtp.strcompile('not D', () => order.push('second'));
	dtp.strcompile('END { trace(3); }', note('third'));
	dtp.go(note('go'));
	dtp.stop(note('stop'));
	await until(() => order.length === 5, 'the queue');
	assert.deepEqual(order, ['first', 'second', 'third', 'go', 'stop']);
	assert.deepEqual(drain(dtp), [1, null, 3, null]);
});

test('a go without clauses fails, and may be tried again', async () => {
	const dtp = await open();

	await dtp.go().catch((err) => assert.match(err.message, /couldn't enable/));
	await dtp.stop();
});

test('stop completes without go, and behind a go that is under way', async () => {
	const idle = await open();
	const busy = await open();
	const order = [];

	await idle.stop();
	await busy.strcompile('tick-1ms { @ = count(); }');
	busy.go(() => order.push('go'));
	await new Promise((resolve) => busy.stop(() => resolve(order.push('stop'))));
	assert.deepEqual(order, ['go', 'stop']);
});

test('while an operation is under way the handle is busy', async () => {
	const dtp = await open();
	const compiled = dtp.strcompile('BEGIN { trace(1); }');

	for (const name of ['consume', 'aggwalk', 'setopt'])
		assert.throws(() => calls[name](dtp), /consumer is busy/);
	await compiled;
	await dtp.stop();
});

test('consume and aggwalk cannot be called from their callbacks', async () => {
	const dtp = await start('BEGIN { trace(1); @ = count(); }');
	let seen = 0;
	const check = () => {
		seen++;
		for (const name of ['consume', 'aggwalk', 'setopt'])
			assert.throws(() => calls[name](dtp), /consumer is busy/);
	};

	dtp.consume(check);
	dtp.aggwalk(check);
	assert.equal(seen, 3);
	await dtp.stop();
});

test('stop may be called from the callback of consume', async () => {
	const dtp = await start('BEGIN { trace(1); trace(2); }');
	const seen = [];
	let stopped;

	dtp.consume((probe, rec) => {
		seen.push(rec && rec.data);
		stopped ??= dtp.stop();
	});
	assert.deepEqual(seen, [1, 2, undefined]);
	await stopped;
});

test("an exception of consume's callback comes out, and no record is lost", async () => {
	const dtp = await start('BEGIN { trace(1); trace(2); trace(3); }');
	const seen = [];
	const failure = new Error('from the callback');
	const turn = () => dtp.consume((probe, rec) => {
		seen.push(rec && rec.data);
		if (rec && rec.data < 3)
			throw failure;
	});

	assert.throws(turn, failure);
	assert.throws(turn, failure);
	turn();
	assert.deepEqual(seen, [1, 2, 3, undefined]);
	await dtp.stop();
});

test("an exception of aggwalk's callback comes out, and the rest stays", async () => {
	const dtp = await start(
	    'BEGIN { @[1] = count(); @[2] = count(); @[3] = count(); }');
	const seen = [];
	const turn = () => dtp.aggwalk((varid, key) => {
		seen.push(key[0]);
		if (seen.length === 1)
			throw new Error('from the callback');
	});

	assert.throws(turn, /from the callback/);
	assert.equal(seen.length, 1);
	turn();
	assert.deepEqual(seen.sort(), [1, 2, 3]);
	turn();
	assert.equal(seen.length, 3);
	await dtp.stop();
});
