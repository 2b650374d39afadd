/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* A consumer that reads by itself: iterators and listeners, and how it ends. */
const assert = require('node:assert/strict');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const dtrace = require('dtrace-async');
const { caller, kernelObjects, run, sleep, start, until } = require('./helper');

const root = JSON.stringify(path.join(__dirname, '..', '..'));

async function collectAll(dt) {
	const all = [];

	for await (const { data } of dt)
		all.push(data[0]);
	return all;
}

test("an iteration ends with D's exit(), after END", async () => {
	const dt = await dtrace.open();

	await dt.run('tick-5ms { trace(++n); } tick-5ms /n == 3/ { exit(0); } END { trace("end"); }');
	const all = await collectAll(dt);

	assert.deepEqual(all.filter((n) => n !== undefined), [1, 2, 3, 'end']);
	await dt.close();
});

test('exit is an event with the status', async () => {
	const dt = await dtrace.open();
	const exited = once(dt, 'exit');

	await dt.run('tick-5ms { exit(42); }');
	assert.deepEqual(await exited, [42]);
	await dt.stop(); /* has been asked for already: no error */
	await dt.stop();
	await dt.close();
});

test('an iteration ends with stop()', async () => {
	const dt = await dtrace.open();

	await dt.run('BEGIN { trace("begin"); } tick-5ms { trace("tick"); } END { trace("end"); }');
	const done = collectAll(dt);

	await sleep(100);
	await dt.stop();
	const all = await done;

	assert.equal(all[0], 'begin');
	assert.equal(all.at(-1), 'end');
	assert.ok(all.includes('tick'));
	await dt.close();
});

for (const where of ['open', 'run']) {
	test(`an iteration ends with the abort of a signal given to ${where}()`, async () => {
		const controller = new AbortController();
		const { signal } = controller;
		const dt = await dtrace.open(where === 'open' ? { signal } : {});

		await dt.run('tick-5ms { trace("tick"); } END { trace("end"); }',
		    where === 'run' ? { signal } : {});
		const done = collectAll(dt);

		await sleep(50);
		controller.abort();
		assert.equal((await done).at(-1), 'end');
		await dt.close();
	});
}

test('what has been aborted does not begin', async () => {
	const signal = AbortSignal.abort();

	await assert.rejects(dtrace.open({ signal }), { name: 'AbortError' });
	const dt = await dtrace.open();

	await assert.rejects(dt.run('BEGIN { trace(1); }', { signal }), { name: 'AbortError' });
	await dt.close();
});

test('a program that an abort has kept from running is rejected with its reason', async () => {
	const controllers = [new AbortController(), new AbortController()];
	const [before, during] = await Promise.all(controllers.map(({ signal }) =>
	    dtrace.open({ signal })));

	controllers[0].abort();
	await assert.rejects(before.run('BEGIN { trace(1); }'), { name: 'AbortError' });

	const running = during.run('BEGIN { trace(1); }');

	controllers[1].abort(new Error('enough'));
	await assert.rejects(running, { message: 'enough' });
	assert.deepEqual(await collectAll(during), []);
	await Promise.all([before.close(), during.close()]);
});

test('record listeners get every record', async () => {
	const dt = await dtrace.open();
	const given = [];

	dt.on('record', ({ data }) => given.push(...data));
	await dt.run('BEGIN { trace(1); trace(2); exit(0); } END { trace(3); }');
	await until(() => given.length === 3, 'the records');
	assert.deepEqual(given, [1, 2, 3]);
	await dt.close();
});

test('a consumer of createConsumer() is iterated in the same way', async () => {
	const dt = await start('BEGIN { trace(1); } tick-20ms { exit(0); } END { trace(2); }');

	assert.deepEqual((await collectAll(dt)).filter((n) => n !== undefined), [1, 2]);
	await dt.stop();
	await assert.rejects(async () => dt.stop(), /stopped/);
});

test('it is listened to in the same way, and stays silent without', async () => {
	const dt = await start('BEGIN { trace(1); }');
	const given = [];

	await sleep(50);
	dt.on('exit', () => {}); /* does not take records from consume() */
	await sleep(50);
	dt.consume((probe, rec) => rec && given.push(rec.data));
	assert.deepEqual(given, [1]);
	await dt.stop();
});

test('records that come before the iteration are kept', async () => {
	const dt = await dtrace.open();

	dt.on('exit', () => {});
	await dt.run('BEGIN { trace(1); } tick-10ms { trace(2); exit(0); }');
	await once(dt, 'exit');
	assert.deepEqual(await collectAll(dt), [1, 2]);
	assert.deepEqual(await collectAll(dt), []);
	await dt.close();
});

test('an iteration that is left can be taken up again', async () => {
	const dt = await dtrace.open();
	const given = [];

	await dt.run('BEGIN { trace(1); } BEGIN { trace(2); } BEGIN { trace(3); }');
	for await (const { data } of dt) {
		given.push(data[0]);
		if (given.length === 2)
			break;
	}
	for await (const { data } of dt) {
		given.push(data[0]);
		break;
	}
	assert.deepEqual(given, [1, 2, 3]);
	await dt.close();
});

test('two iterations share the records', async () => {
	const dt = await dtrace.open();

	await dt.run('BEGIN { trace(1); } BEGIN { trace(2); } BEGIN { trace(3); exit(0); }');
	const both = await Promise.all([collectAll(dt), collectAll(dt)]);

	assert.deepEqual(both.flat().sort(), [1, 2, 3]);
	await dt.close();
});

test('a slow iteration loses nothing that the buffers can hold', async () => {
	const calls = 20000;
	const child = await caller(calls);
	const dt = await dtrace.open({ highWaterMark: 100 });
	let given = 0, dropped = 0;

	dt.on('drop', ({ drops }) => (dropped += drops));
	await dt.run(`syscall::umask:entry /pid == ${child.pid}/ { trace(arg0); }`);
	const done = (async () => {
		for await (const { data } of dt) {
			assert.deepEqual(data, [0o22]);
			if (++given % 1000 === 0)
				await sleep(1);
		}
	})();

	await child.call();
	await dt.stop();
	await done;
	await dt.close();
	assert.equal(given, calls);
	assert.equal(dropped, 0);
	await child.end();
});

test('what the buffers cannot hold is reported', async () => {
	const calls = 20000;
	const child = await caller(calls);
	const dt = await dtrace.open({ options: { bufsize: '16k' }, highWaterMark: 10 });
	let given = 0, dropped = 0;

	dt.on('drop', (drop) => {
		assert.equal(drop.kind, 'principal');
		dropped += drop.drops;
	});
	await dt.run(`syscall::umask:entry /pid == ${child.pid}/ { trace(arg0); }`);
	await child.call();
	await dt.stop();
	for await (const record of dt)
		given += record.data.length;
	await dt.close();
	assert.ok(dropped > 0);
	assert.equal(given + dropped, calls);
	await child.end();
});

for (const [kind, options, statement] of [
	['aggregation', { aggsize: '16k' }, '@[n++] = count();'],
	['dynamic', { dynvarsize: '16k' }, 'seen[n++] = 1;'],
])
	test(`${kind} drops are told where nothing is recorded`, async () => {
		const child = await caller(5000);
		const dt = await dtrace.open({ options });
		const drops = [];

		dt.on('drop', (drop) => drops.push(drop));
		await dt.run(`syscall::umask:entry /pid == ${child.pid}/ { ${statement} }`);
		for (let told = 0; told < 3; told = drops.length) {
			await child.call();
			await until(() => drops.length > told, 'another drop');
		}
		for (const drop of drops)
			assert.equal(drop.kind, kind);
		await dt.close();
		await child.end();
	});

test('a fault is an event', async () => {
	const dt = await dtrace.open();
	const faulted = once(dt, 'fault');

	await dt.run('BEGIN { this->zero = 0; trace(1 / this->zero); } ' +
	    'ERROR { trace("ERROR"); }');
	const [fault] = await faulted;

	assert.match(fault.fault, /divide-by-zero/);
	assert.equal(fault.probe.name, 'BEGIN');
	assert.equal(typeof fault.address, 'bigint');
	const { value: { data } } = await dt[Symbol.asyncIterator]().next();

	assert.deepEqual(data, ['ERROR']);
	await dt.close();
});

test('an exception of a listener is uncaught, and loses no record', async () => {
	const output = await run(`
		const { open } = require(${root});
		const seen = [];
		process.on('uncaughtException', (error) => seen.push(error.message));
		open().then(async (dt) => {
			dt.on('record', ({ data }) => {
				seen.push(data[0]);
				if (data[0] === 2)
					throw new Error('two');
			});
			dt.on('exit', () => {
				throw new Error('exit');
			});
			await dt.run('BEGIN { trace(1); } BEGIN { trace(2); } ' +
			    'BEGIN { trace(3); exit(0); } END { trace(4); }');
		});
		process.on('exit', () => console.log(seen.join()));`);

	assert.equal(output, '1,2,two,3,exit,4\n');
});

test('a started consumer holds the process until it is stopped', async () => {
	assert.equal(await run(`
		const { open } = require(${root});
		open().then(async (dt) => {
			await dt.run('tick-300ms { exit(0); }');
			const begun = Date.now();
			process.on('exit', () => console.log(Date.now() - begun > 200));
		});`), 'true\n');
});

test('unref() lets the process end, ref() takes that back', async () => {
	const program = (calls) => `
		const { open } = require(${root});
		open().then(async (dt) => {
			dt.on('record', () => {});
			dt.on('exit', () => console.log('exit'));
			${calls};
			await dt.run('BEGIN { trace(1); } tick-300ms { exit(0); }');
			process.on('exit', () => console.log('end'));
		});`;

	assert.equal(await run(program('dt.unref()')), 'end\n');
	assert.equal(await run(program('dt.unref().ref()')), 'exit\nend\n');
});

test('a consumer that reads and is forgotten is collected', async () => {
	const output = await run(`
		const { open } = require(${root});
		const fs = require('node:fs');
		const held = () => fs.readdirSync('/proc/self/fd').filter((fd) => {
			try {
				return /bpf/.test(fs.readlinkSync('/proc/self/fd/' + fd));
			} catch { }
		}).length;
		(async () => {
			for (let i = 0; i < 5; i++)
				await (await open()).run('BEGIN { trace(1); } tick-1s { trace(2); }');
			console.log(held() > 0);
			for (let i = 0; i < 50 && held() > 0; i++) {
				gc();
				await new Promise((resolve) => setTimeout(resolve, 20));
			}
			console.log(held());
		})();`);

	assert.equal(output, 'true\n0\n');
});

test('one that is listened to is not', async () => {
	const output = await run(`
		const { open } = require(${root});
		(async () => {
			await (async () => {
				const dt = await open();
				dt.on('exit', (status) => console.log('exit', status));
				await dt.run('tick-300ms { exit(3); }');
			})();
			for (let i = 0; i < 5; i++) {
				gc();
				await new Promise((resolve) => setTimeout(resolve, 10));
			}
		})();`);

	assert.equal(output, 'exit 3\n');
});

test('close() ends everything, whatever is under way', async () => {
	const before = kernelObjects().length;
	const dt = await dtrace.open();
	const done = collectAll(dt);

	dt.strcompile('tick-1ms { trace(1); }');
	dt.go();
	dt.stop();
	await dt.close();
	await done;
	await dt.close();
	assert.throws(() => dt.strcompile('BEGIN'), /closed/);
	assert.throws(() => dt.consume(() => {}), /closed/);
	assert.throws(() => dt.go(), /closed/);
	assert.throws(() => dt.stop(() => {}), /closed/);
	assert.equal(kernelObjects().length, before);
});

test('await using and using release it', { skip: !Symbol.asyncDispose }, async () => {
	const before = kernelObjects().length;
	const one = await dtrace.open();
	const other = await dtrace.open();

	await one.run('tick-1s { trace(1); }');
	await other.run('tick-1s { trace(1); }');
	assert.ok(kernelObjects().length > before);
	await one[Symbol.asyncDispose]();
	other[Symbol.dispose]();
	await until(() => kernelObjects().length === before, 'the release');
});
