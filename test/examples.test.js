// SPDX-License-Identifier: Apache-2.0
// The scripts and programs of examples/ that no other test runs. (hello.js, files.js and syscalls.js are
// tested in node/hello.test.js, the server that stalls and what finds out why in doc.test.js,
// count.c in install.test.js.)
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const command = require('./command');

const examples = path.join(__dirname, '..', 'examples');

/** Runs a script as its first line says, and ends it by Ctrl-C. */
async function script(name, args, isEnough) {
	const run = command.start(['-qs', path.join(examples, name), ...args]);

	while (run.child.exitCode === null && command.bpfHeld(run.child.pid).size === 0)
		await sleep(20);
	await isEnough();
	run.child.kill('SIGINT');
	return run.done;
}

describe('scripts', { skip: command.skip }, () => {
	const name = `worker${process.pid}`;
	const work = (...orders) => command.withDirectory((directory) => {
		const file = path.join(directory, name);

		fs.copyFileSync(command.victim, file);
		return command.run(orders, { file });
	});
	const until = async (orders) => {
		for (let i = 0; i < 20; i++) {
			await work(...orders);
			await sleep(50);
		}
	};

	/* Other programs' names are in the output: it is not to be shown. */
	const has = ({ stdout }, pattern) => assert.ok(pattern.test(stdout), `no ${pattern}`);

	test('errors.d: which calls fail', async () => {
		has(await script('errors.d', [], () => until(['open', '/no/such'])),
			new RegExp(`^${name} +openat +2 +[1-9]\\d*$`, 'm'));
	});

	test('latency.d: how long the calls of a program take', async () => {
		has(await script('latency.d', [name], () => until(['umask', '10'])),
			/^ +umask *\n +value +-+ Distribution -+ count *\n/m);
	});

	test('iosize.d: how much is written', async () => {
		const run = command.start(['-qs', path.join(examples, 'iosize.d')]);

		while (run.child.exitCode === null && command.bpfHeld(run.child.pid).size === 0)
			await sleep(20);
		const isTold = run.seen(new RegExp(`^ +write +${name} *\\n +value `, 'm'));
		let isOver = false;

		isTold.finally(() => (isOver = true));
		while (!isOver)
			await work('write', 'some text');
		run.child.kill('SIGINT');
		await Promise.all([isTold, run.done]);
	});

	test('oncpu.d: what the kernel is at', async () => {
		const { status, stdout } = await command.run(['-qs', path.join(examples, 'oncpu.d')]);

		assert.strictEqual(status, 0);
		assert.match(stdout, /^ +\S+`\S+\+0x[0-9a-f]+$[^]*^ +\d+$/m);
	});
});

test('every example is in the list of examples/README.md', () => {
	const list = fs.readFileSync(path.join(examples, 'README.md'), 'utf8');

	for (const name of fs.readdirSync(examples))
		assert.ok(name === 'README.md' || list.includes(`\`${name}\``), name);
});
