/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Opening with options and a target, and what is asked of an open consumer. */
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const dtrace = require('dtrace-async');
const { caller, kernelObjects, run } = require('./helper');

const root = JSON.stringify(path.join(__dirname, '..', '..'));

/* ---- Opening ------------------------------------------------------------------- */

test('options are set before the consumer is given', async () => {
	const dt = await dtrace.open({ options: { quiet: true, bufsize: '64k', aggsize: 65536 } });

	await dt.close();
	await assert.rejects(dtrace.open({ options: { nosuchoption: 1 } }),
	    /couldn't set option 'nosuchoption'/);
	await assert.rejects(dtrace.open({ options: { bufsize: {} } }), TypeError);
	await assert.rejects(dtrace.open({ highWaterMark: 0 }), TypeError);
	await assert.rejects(dtrace.open({ target: {} }), TypeError);
});

for (const [settings, message] of [
	[null, /the settings must be an object/],
	[5, /the settings must be an object/],
	[{ options: 'quiet' }, /the setting options must be an object/],
	[{ options: null }, /the setting options must be an object/],
	[{ options: { bufsize: 1.5 } }, /must be an integer, a boolean or a string/],
	[{ signal: {} }, /the signal must be an AbortSignal/],
	[{ bigint: 'yes' }, /the setting bigint must be true or false/],
	[{ pid: 1 }, /the setting pid must be true or false/],
	[{ highWaterMark: 0 }, /highWaterMark must be a positive integer/],
	[{ target: -1 }, /the target must be a pid or a command/],
]) {
	test(`open(${JSON.stringify(settings)}) is refused`, () =>
		assert.rejects(dtrace.open(settings), { name: 'TypeError', message }));
}

for (const [options, message] of [
	[null, /the options must be an object/],
	[{ signal: null }, /the signal must be an AbortSignal/],
	[{ args: 'x' }, /args must be an array/],
	[{ args: [{}] }, /a macro argument must be a string/],
	[{ defines: 5 }, /defines must be an object/],
]) {
	test(`run(program, ${JSON.stringify(options)}) is refused`, async () => {
		const dt = await dtrace.open();

		await assert.rejects(dt.run('BEGIN', options), { name: 'TypeError', message });
		await dt.close();
	});
}

test('a failed open leaves nothing', async () => {
	const before = kernelObjects().length;

	await assert.rejects(dtrace.open({ target: '/no/such/program' }), /no\/such\/program/);
	assert.equal(kernelObjects().length, before);
});

test('an unprivileged process cannot open one', async () => {
	assert.match(await run(`
		const { DTraceError, open } = require(${root});
		open().catch((error) =>
		    console.log(error instanceof DTraceError, error.code, error.message));`,
	{ cwd: '/', uid: 65534, gid: 65534 }),
	/^true EDT_ACCESS .*DTrace requires additional privileges/);
});

test('it is imported, too', async () => {
	const imported = await import('dtrace-async');

	for (const name of ['Consumer', 'DTraceError', 'createConsumer', 'listProbes', 'open'])
		assert.equal(imported[name], dtrace[name]);
});

/* ---- Errors --------------------------------------------------------------------- */

test('a compile error has its name, tag and line', async () => {
	const dt = await dtrace.open();

	await assert.rejects(dt.run('BEGIN\n{\n\ttrace(nosuchvariable);\n}'), (error) => {
		assert.ok(error instanceof dtrace.DTraceError && error instanceof Error);
		assert.equal(error.name, 'DTraceError');
		assert.equal(error.code, 'EDT_COMPILER');
		assert.match(error.tag, /^D_/);
		assert.equal(error.line, 3);
		assert.ok(error.column === undefined || error.column > 0);
		assert.match(error.message, /line 3: .*nosuchvariable/);
		return true;
	});
	await dt.run('BEGIN { exit(0); }');
	await dt.close();
});

test('a destructive program is refused without the option', async () => {
	const dt = await dtrace.open();

	await assert.rejects(dt.run('BEGIN { stop(); }'), /destructive/);
	await dt.close();
});

/* ---- Compiling ------------------------------------------------------------------- */

test('macro arguments', async () => {
	const dt = await dtrace.open();

	await dt.run('BEGIN { trace($1); trace($$2); exit(0); }', { args: [42, 'text'] });
	const { value } = await dt[Symbol.asyncIterator]().next();

	assert.deepEqual(value.data, [42, 'text']);
	await dt.close();
});

test('a missing macro argument is an error', async () => {
	const dt = await dtrace.open();

	await assert.rejects(dt.strcompile('BEGIN { trace($1); }'), /\$1/);
	await dt.close();
});

test('definitions for the preprocessor', async () => {
	const dt = await dtrace.open();

	await dt.run('#ifdef YES\nBEGIN { trace(ANSWER); exit(0); }\n#endif\n',
	    { defines: { ANSWER: 42, YES: true } });
	const { value } = await dt[Symbol.asyncIterator]().next();

	assert.deepEqual(value.data, [42]);
	await dt.close();
	const other = await dtrace.open();

	await assert.rejects(other.run('BEGIN {\n}\nBEGIN { nosuchfunction(X); }',
	    { defines: { X: 1 } }), { line: 3 });
	await other.close();
});

/* ---- Aggregations ------------------------------------------------------------------ */

test('aggregations are objects, and stay', async () => {
	const dt = await dtrace.open();

	await dt.run('BEGIN { @calls["a", 1] = count(); @ = quantize(5); @mean = avg(1); ' +
	    '@mean = avg(2); }');
	const expected = [
		{ name: 'calls', varid: 1, action: 'count', keys: ['a', 1], value: 1 },
		{ name: '', varid: 2, action: 'quantize', keys: [], value: [[[4, 7], 1]] },
		{ name: 'mean', varid: 3, action: 'avg', keys: [], value: 1.5 },
	];
	const byVarid = (records) => records.map(({ name, ...rest }) =>
	    ({ name: name === '_' ? '' : name, ...rest })).sort((a, b) => a.varid - b.varid);

	assert.deepEqual(byVarid(await dt.aggregations()), expected);
	assert.deepEqual(byVarid(await dt.aggregations({ clear: true })), expected);
	assert.deepEqual(await dt.aggregations(), []);
	await dt.close();
});

for (const [options, message] of [[null, /the options must be an object/],
	[{ sort: 'size' }, /sort must be 'value', 'key' or 'none'/]]) {
	test(`aggregations(${JSON.stringify(options)}) is refused`, async () => {
		const dt = await dtrace.open();

		await assert.rejects(dt.aggregations(options), { name: 'TypeError', message });
		await dt.close();
	});
}

test('aggregations are sorted by value, by key, or not at all', async () => {
	const dt = await dtrace.open();
	const keys = async (options) =>
	    (await dt.aggregations(options)).map(({ keys: [key] }) => key);

	await dt.run('BEGIN { @[1] = sum(30); @[2] = sum(10); @[3] = sum(20); }');
	assert.deepEqual(await keys(), [2, 3, 1]);
	assert.deepEqual(await keys({ sort: 'value', reverse: true }), [1, 3, 2]);
	assert.deepEqual(await keys({ sort: 'key' }), [1, 2, 3]);
	assert.deepEqual(await keys({ sort: 'key', reverse: true }), [3, 2, 1]);
	assert.deepEqual((await keys({ sort: 'none' })).sort(), [1, 2, 3]);
	await assert.rejects(dt.aggregations({ sort: 'size' }), TypeError);
	await dt.close();
});

test('with bigint, values of aggregations are exact', async () => {
	const dt = await dtrace.open({ bigint: true });

	await dt.run('BEGIN { @a = sum(9007199254740993); @b = quantize(0x7fffffffffffffff); }');
	assert.deepEqual((await dt.aggregations()).map(({ value }) => value),
	    [9007199254740993n, [[[2n ** 62n, 2n ** 63n - 1n], 1]]]);
	await dt.close();
});

test('aggregations wait for what is under way', async () => {
	const dt = await dtrace.open();

	await assert.rejects(dt.aggregations(), /has not started/);
	dt.strcompile('BEGIN { @ = count(); } END { @ = count(); }');
	dt.go();
	dt.stop();
	assert.equal((await dt.aggregations())[0].value, 2);
	await dt.close();
});

/* ---- Probes ------------------------------------------------------------------------ */

test('probes are listed', async () => {
	const names = [];

	for await (const probe of dtrace.listProbes('syscall::openat:')) {
		assert.equal(probe.provider, 'syscall');
		assert.equal(probe.function, 'openat');
		assert.ok(Array.isArray(probe.arguments));
		assert.ok(probe.id > 0);
		names.push(probe.name);
	}
	assert.deepEqual(names.sort(), ['entry', 'return']);
});

test('a long list comes, whole or in part; one without probes is empty', async () => {
	const dt = await dtrace.open();
	let all = 0, few = 0;

	for await (const probe of dt.listProbes('syscall:::entry')) {
		assert.equal(probe.name, 'entry');
		all++;
	}
	assert.ok(all > 300);
	for await (const probe of dt.listProbes('syscall:::entry')) {
		assert.equal(probe.name, 'entry');
		if (++few === 3)
			break;
	}
	for await (const probe of dt.listProbes('nosuchprovider:::'))
		assert.fail(probe.name);
	await dt.close();
});

/* ---- Targets ------------------------------------------------------------------------- */

test('a command is run, traced as $target, and its end ends tracing', async () => {
	const dt = await dtrace.open({
		target: [process.execPath, '-e', 'process.umask(0o22); process.exit(3)'],
	});
	const ended = once(dt, 'procexit');
	let calls = 0;

	assert.ok(dt.target > 0);
	await dt.run('syscall::umask:entry /pid == $target/ { trace(arg0); }');
	for await (const { data } of dt)
		calls += data[0] === 0o22;
	assert.equal(calls, 1);
	assert.deepEqual(await ended, [{ pid: dt.target, status: 3, signal: null }]);
	await dt.close();
});

test('a command is a string, too', async () => {
	const dt = await dtrace.open({ target: 'true with words' });
	const ended = once(dt, 'procexit');

	await dt.run('syscall:::entry /pid == $target/ { @ = count(); }');
	assert.equal((await ended)[0].status, 0);
	await dt.stop();
	assert.ok((await dt.aggregations())[0].value > 0);
	await dt.close();
});

test('a command has the standard streams of this process', async () => {
	assert.equal(await run(`
		const { open } = require(${root});
		open({ target: 'echo hello from a command' }).then(async (dt) => {
			dt.on('procexit', ({ status }) => console.log(status));
			await dt.run('syscall:::entry /pid == $target/ { @ = count(); }');
		});`), 'hello from a command\n0\n');
});

test('a command that is not let run ends with its consumer', async () => {
	const dt = await dtrace.open({ target: 'sleep 100' });
	const { target } = dt;

	process.kill(target, 0);
	await dt.close();
	assert.throws(() => process.kill(target, 0), { code: 'ESRCH' });
});

test('a process is traced by its pid, and lives on', async () => {
	const child = await caller(10);
	const dt = await dtrace.open({ target: child.pid });

	assert.equal(dt.target, child.pid);
	await dt.run('syscall::umask:entry /pid == $target/ { @ = count(); }');
	await child.call();
	await dt.stop();
	assert.equal((await dt.aggregations())[0].value, 10);
	await dt.close();
	await child.end();
	await assert.rejects(dtrace.open({ target: child.pid }), /couldn't grab process/);
});

test('the end of a command by a signal is told', async () => {
	const dt = await dtrace.open({ target: ['sh', '-c', 'kill -9 $$'] });
	const ended = once(dt, 'procexit');

	await dt.run('syscall:::entry /pid == $target/ { @ = count(); }');
	assert.deepEqual(await ended, [{ pid: dt.target, status: null, signal: 9 }]);
	await dt.close();
});

test('that of somebody else\'s process is told, but not how', async () => {
	const child = spawn('sleep', ['100']);
	const dt = await dtrace.open({ target: child.pid });
	const ended = once(dt, 'procexit');

	await dt.run('syscall:::entry /pid == $target/ { @ = count(); }');
	child.kill('SIGTERM');
	assert.deepEqual(await ended, [{ pid: child.pid, status: null, signal: null }]);
	await dt.close();
});
