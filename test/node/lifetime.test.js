/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Many consumers, forgotten consumers, other environments: all is released. */
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const dtrace = require('dtrace-async');
const { caller, collect, descriptors, drain, kernelObjects, open, run, sleep, start, until,
	walk } = require('./helper');

const root = JSON.stringify(path.join(__dirname, '..', '..'));
const atWork = () => kernelObjects().filter((name) => /prog|link|perf/.test(name));

/* One that is tracing, with buffers that a few hundred of its kind can have. */
async function startSmall(program) {
	const dtp = await open();

	dtp.setopt('bufsize', '16k');
	dtp.setopt('aggsize', '16k');
	await dtp.strcompile(program);
	await dtp.go();
	return dtp;
}

test('two hundred consumers at once each have their own data', async () => {
	const calls = 10;
	const child = await caller(calls);
	const consumers = await Promise.all(Array.from({ length: 200 }, (_, i) =>
	    startSmall(`syscall::umask:entry /pid == ${child.pid}/ ` +
	        `{ trace(${i}); @ = sum(${i}); }`)));
	const expected = (i) => Array.from({ length: calls }, () => [i, null]).flat();

	await child.call();
	consumers.forEach((dtp, i) => assert.deepEqual(drain(dtp), expected(i)));
	await child.call();
	await Promise.all(consumers.map((dtp) => dtp.stop()));
	consumers.forEach((dtp, i) => {
		assert.deepEqual(drain(dtp), expected(i));
		assert.deepEqual(walk(dtp), [{ varid: 1, key: [], value: 2 * calls * i }]);
	});
	await child.end();
});

test('two hundred that read by themselves, too', async () => {
	const calls = 10;
	const child = await caller(calls);
	const options = { bufsize: '16k' };
	const consumers = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
		const dt = await dtrace.open({ options });

		await dt.run(`syscall::umask:entry /pid == ${child.pid}/ { trace(${i}); }`);
		return dt;
	}));

	await child.call();
	await Promise.all(consumers.map(async (dt, i) => {
		let given = 0;

		for await (const { data } of dt) {
			assert.deepEqual(data, [i]);
			if (++given === calls)
				break;
		}
		await dt.stop();
		for await (const record of dt)
			assert.fail(record);
		await dt.close();
	}));
	await child.end();
});

test('stop leaves nothing at work in the kernel', async () => {
	const before = atWork().length;
	const dtp = await start('syscall:::entry { @[probefunc] = count(); }',
	    'tick-1s { trace(1); }');

	assert.ok(atWork().length > before);
	await dtp.stop();
	assert.equal(atWork().length, before);
});

test('a consumer that is forgotten while tracing is released', async () => {
	await collect();
	const before = kernelObjects().length;

	for (let i = 0; i < 5; i++)
		await start('tick-1s { trace(1); }');
	await collect();
	await until(() => kernelObjects().length <= before, 'the consumers to be released');
});

test('one that reads by itself, too, unless somebody listens', async () => {
	await collect();
	const before = [descriptors(), kernelObjects().length];

	for (let i = 0; i < 5; i++)
		await (await dtrace.open()).run('tick-1s { trace(1); }');
	await collect();
	await until(() => kernelObjects().length <= before[1], 'the consumers to be released');
	await until(() => descriptors() <= before[0], 'their descriptors to be closed');
});

test('a tracing consumer does not hold the process', () => {
	const output = execFileSync(process.execPath, ['-e', `
		const dtp = require(${root}).createConsumer();
		dtp.on('ready', () => dtp.strcompile('tick-1s { trace(1); }',
		    () => dtp.go(() => console.log('tracing'))));`], { encoding: 'utf8' });

	assert.equal(output, 'tracing\n');
});

test('consumers work in worker threads, and end with them', async () => {
	const before = kernelObjects().length;
	const program = `
		const { parentPort } = require('node:worker_threads');
		const dtp = require(${root}).createConsumer();
		dtp.on('ready', async () => {
			await dtp.strcompile('BEGIN { trace("in a worker"); }');
			await dtp.strcompile('tick-1s { trace(1); }');
			await dtp.go();
			const seen = [];
			dtp.consume((probe, rec) => rec && seen.push(rec.data));
			parentPort.postMessage(seen);
			if (process.argv[2] === 'stay')
				setInterval(() => dtp.consume(() => {}), 10);
		});`;

	for (const argument of ['leave', 'stay', 'leave']) {
		const worker = new Worker(program, { eval: true, argv: [argument] });
		const ended = new Promise((resolve) => worker.once('exit', resolve));
		const seen = await new Promise((resolve, reject) => {
			worker.once('message', resolve);
			worker.once('error', reject);
		});

		assert.deepEqual(seen, ['in a worker']);
		if (argument === 'stay') {
			await sleep(50);
			await worker.terminate();
		}
		await ended;
		assert.ok(kernelObjects().length <= before, 'the worker left something');
	}
});

test('a worker that ends during an operation takes its consumer along', async () => {
	const before = kernelObjects().length;
	const worker = new Worker(`
		const dtp = require(${root}).createConsumer();
		dtp.on('ready', () => {
			dtp.strcompile('tick-1s { trace(1); }');
			dtp.go();
			dtp.stop();
			process.exit();
		});`, { eval: true });

	await new Promise((resolve) => worker.once('exit', resolve));
	assert.ok(kernelObjects().length <= before);
});

test('process.exit during go leaves nothing', async () => {
	for (const last of ['go()', 'go(() => process.exit())', 'stop()']) {
		assert.equal(await run(`
			const dtp = require(${root}).createConsumer();
			dtp.on('ready', async () => {
				await dtp.strcompile('syscall:::entry { @[probefunc] = count(); }');
				if (${last === 'stop()'})
					await dtp.go();
				dtp.${last};
				setImmediate(() => process.exit());
			});
			process.on('exit', () => console.log('exit'));`), 'exit\n');
	}
});

test('several workers trace at once, and are killed in the midst of it', async () => {
	const before = kernelObjects().length;
	const workers = Array.from({ length: 4 }, () => new Worker(`
		const { parentPort } = require('node:worker_threads');
		const { open } = require(${root});
		(async () => {
			for (;;) {
				const dt = await open({ options: { bufsize: '16k' } });
				await dt.run('BEGIN { trace("in a worker"); } tick-1ms { trace(1); }');
				for await (const { data } of dt) {
					parentPort.postMessage(data[0]);
					if (data[0] === 1)
						break;
				}
				await dt.close();
			}
		})();`, { eval: true }));

	await Promise.all(workers.map(async (worker, i) => {
		const seen = [];

		worker.on('message', (value) => seen.push(value));
		await until(() => seen.length > 6, 'records');
		await sleep(7 * i);
		await worker.terminate();
		assert.equal(seen[0], 'in a worker');
	}));
	assert.equal(kernelObjects().length, before);
});

test('an exception in every callback is uncaught, and leaves the consumer as it was', async () => {
	assert.equal(await run(`
		const { createConsumer } = require(${root});
		const seen = [];
		const dtp = createConsumer();
		const fail = (what) => { throw new Error(what); };
		const next = [
			() => dtp.strcompile('BEGIN { @ = count(); trace(1); } END { trace(2); }',
			    () => fail('strcompile')),
			() => dtp.strcompile('this is no D', () => fail('error')),
			() => dtp.go(() => fail('go')),
			() => dtp.consume(() => fail('consume')),
			() => dtp.aggwalk(() => fail('aggwalk')),
			() => dtp.stop(() => fail('stop')),
			() => dtp.consume((probe, rec) => rec?.data === 2 && fail('END')),
		];
		process.on('uncaughtException', ({ message }) => {
			seen.push(message);
			setImmediate(next.shift() ?? (() => {}));
		});
		dtp.on('ready', () => fail('ready'));
		process.on('exit', () => console.log(seen.join()));`),
	'ready,strcompile,error,go,consume,aggwalk,stop,END\n');
});

test('an exception in an iteration ends it, and the consumer goes on', async () => {
	const before = kernelObjects().length;
	const dt = await dtrace.open();

	await dt.run('BEGIN { trace(1); } END { trace(2); }');
	await assert.rejects(async () => {
		for await (const { data } of dt)
			throw new Error(`was ${data[0]}`);
	}, { message: 'was 1' });
	await dt.stop();
	for await (const { data } of dt)
		assert.deepEqual(data, [2]);
	await dt.close();
	assert.equal(kernelObjects().length, before);
});

test('every call gives what has been traced since the one before', async () => {
	const child = await caller(3);
	const dtp = await start(`syscall::umask:entry /pid == ${child.pid}/ { trace(arg0); }`);

	for (let i = 0; i < 5; i++) {
		assert.deepEqual(drain(dtp), []);
		await child.call();
		assert.deepEqual(drain(dtp).filter((value) => value !== null), [18, 18, 18]);
	}
	await dtp.stop();
	await child.end();
});

test('a flood of records all arrives, or is reported as dropped', async () => {
	const dtp = await open();
	let given = 0, dropped = 0;

	dtp.setopt('bufsize', '64k');
	await dtp.strcompile(`syscall::umask:entry /pid == ${process.pid}/ ` +
	    '{ printf("%s %d", probefunc, arg0); }');
	await dtp.strcompile(`syscall::umask:entry /pid == ${process.pid}/ { @ = count(); }`);
	await dtp.go();
	dtp.on('drop', (drop) => {
		assert.match(drop.message, /drop/);
		dropped += drop.drops;
	});
	for (let round = 0; round < 5; round++) {
		for (let i = 0; i < 5000; i++)
			process.umask();
		dtp.consume((probe, rec) => rec && given++);
	}
	await dtp.stop();
	dtp.consume((probe, rec) => rec && given++);
	const [{ value: fired }] = walk(dtp);

	assert.ok(fired >= 25000);
	assert.equal(given + dropped, fired);
});

/* Resident memory after each hundred of a thousand cycles, from the third hundred on. */
async function thousand(cycle) {
	const resident = [];

	for (let i = 1; i <= 1000; i++) {
		await cycle();
		if (i % 100 === 0)
			await collect();
		if (i % 100 === 0 && i >= 300)
			resident.push(process.memoryUsage.rss());
	}
	return resident;
}

function assertSteady(resident) {
	const half = resident.length / 2;
	const early = Math.min(...resident.slice(0, half));
	const late = Math.min(...resident.slice(half));

	assert.ok(late - early < 4 << 20,
	    `memory grows: ${resident.map((bytes) => bytes >> 10).join(' ')} kB`);
}

/* What is open while nothing is traced; the first consumer may leave a thing or two. */
async function settled() {
	drain(await start('BEGIN { trace("x"); @ = count(); }'));
	await (await dtrace.open()).close();
	await collect();
	await sleep(50);
	return [descriptors(), kernelObjects().length];
}

test('a thousand cycles leave memory, descriptors and the kernel as they were',
    { timeout: 300000 }, async () => {
	const before = await settled();

	assertSteady(await thousand(async () => {
		const dtp = await startSmall('BEGIN { trace("x"); @[probename] = count(); }');

		drain(dtp);
		await dtp.stop();
		walk(dtp);
	}));
	await until(() => kernelObjects().length <= before[1], 'the release');
	assert.deepEqual([descriptors(), kernelObjects().length], before);
});

test('a thousand of those that read by themselves, too', { timeout: 300000 }, async () => {
	const before = await settled();
	const settings = { options: { bufsize: '16k' } };

	assertSteady(await thousand(async () => {
		const dt = await dtrace.open(settings);

		await dt.run('BEGIN { trace("x"); exit(0); }');
		for await (const { data } of dt)
			assert.deepEqual(data, ['x']);
		await dt.close();
	}));
	assert.deepEqual([descriptors(), kernelObjects().length], before);
});
