/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Many consumers, forgotten consumers, other environments: all is released. */
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { collect, drain, kernelObjects, open, sleep, start, until, walk } =
    require('./helper');

const root = JSON.stringify(path.join(__dirname, '..', '..'));
const atWork = () => kernelObjects().filter((name) => /prog|link|perf/.test(name));

test('twenty consumers at once each have their own data', async () => {
	const consumers = await Promise.all(Array.from({ length: 20 }, (_, i) =>
	    start(`BEGIN { trace(${i}); @ = sum(${i}); }`)));

	consumers.forEach((dtp, i) => assert.deepEqual(drain(dtp), [i, null]));
	await Promise.all(consumers.map((dtp) => dtp.stop()));
	consumers.forEach((dtp, i) =>
	    assert.deepEqual(walk(dtp), [{ varid: 1, key: [], value: i }]));
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

test('memory is steady over a thousand cycles', { timeout: 300000 }, async () => {
	const cycle = async () => {
		const dtp = await start('BEGIN { trace("x"); @ = count(); }');

		drain(dtp);
		await dtp.stop();
		walk(dtp);
	};
	let settled;

	for (let i = 0; i < 1000; i++) {
		await cycle();
		if (i % 100 === 99)
			await collect();
		if (i === 299)
			settled = process.memoryUsage.rss();
	}
	const grown = process.memoryUsage.rss() - settled;

	assert.ok(grown < 16 << 20, `${Math.round(grown / 1024)} kB more after 700 cycles`);
	assert.ok(kernelObjects().length < 50);
});
