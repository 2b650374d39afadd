// SPDX-License-Identifier: Apache-2.0
// The provider lockstat. The threads that wait for locks are those of a program of the tests';
// see test/c/contend.c. What it takes programs at the kernel's functions for is tried where
// they are allowed (`make check-vm`), and elsewhere is to be refused with the reason.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const options = { skip: command.skip };
const program = path.join(command.build, 'test', 'contend');
const allowed = fs.existsSync('/sys/bus/event_source/devices/kprobe');

/** What a D program prints about a command, line by line. `complaint` is what it may say of drops. */
async function trace(text, words, complaint = /^$/) {
	const result = await command.run(['-q', '-n', text, '-c', words]);

	assert.match(result.stderr, complaint);
	assert.strictEqual(result.status, 0);
	return result.stdout.split('\n').filter((line) => line !== '');
}

describe('waits', options, () => {
	test('a thread that has slept for a mutex owns it; arg1 is how long it slept', async () => {
		assert.deepStrictEqual(await trace(
			'syscall::write:entry /pid == $target/ { since[tid] = timestamp; }' +
			'lockstat:::adaptive-block /pid == $target && arg1 >= 100000000/ ' +
			'{ printf("%d %d %d\\n", mutex_owned(args[0]), arg0 == (uint64_t)args[0], ' +
			'arg1 <= timestamp - since[tid]); }', `${program} block`), ['1 1 1']);
	});

	test('one that gives up does not', async () => {
		assert.deepStrictEqual(await trace(
			'lockstat:::adaptive-acquire-error /pid == $target/ ' +
			'{ printf("%d %d\\n", args[1], mutex_owned(args[0])); }' +
			'lockstat:::adaptive-block /pid == $target && arg1 >= 100000000/ ' +
			'{ printf("block\\n"); }', `${program} interrupt`), ['-4 0']);
	});

	// Who spins waits for a thread that runs meanwhile.
	const alone = os.availableParallelism() < 2 && 'there is one CPU';

	test('a mutex that is held for a moment is spun for', { skip: alone }, async () => {
		assert.deepStrictEqual(await trace(
			'BEGIN { begun = timestamp; }' +
			'lockstat:::adaptive-spin /pid == $target/ ' +
			'{ printf("%d %d\\n", mutex_owned(args[0]), arg1 > 0 && arg1 < timestamp - begun); exit(0); }',
			`${program} pipe`), ['1 1']);
	});

	test('a semaphore\'s writers wait for a writer', async () => {
		assert.deepStrictEqual(await trace(
			'lockstat:::rw-block /pid == $target && args[2] == RW_WRITER && args[3] != 0/ ' +
			'{ printf("%d %d %d\\n", args[4], rw_iswriter(args[0]), arg1 > 0); exit(0); }',
			`${program} file`), ['0 1 1']);
	});

	test('each wait is told once, whatever else is traced', async () => {
		const [line] = await trace(
			'sdt:::contention_begin /pid == $target && (arg1 == 2 || arg1 == 4)/ ' +
			'{ begun[tid] = arg0; }' +
			'sdt:::contention_end /pid == $target && begun[tid] == arg0/ ' +
			'{ begun[tid] = 0; @ends = count(); }' +
			'lockstat:::rw-block /pid == $target/ { @blocks = count(); n++; }' +
			'tick-100ms /n > 100/ { exit(0); }' +
			'END { printa("%@d %@d\\n", @ends, @blocks); }', `${program} file`);
		const [ends, blocks] = line.split(' ').map(Number);

		// Some are under way when tracing begins, or ends.
		assert.ok(blocks > 100 && Math.abs(ends - blocks) <= 16, line);
	});

	test('thread-local variables are the thread\'s', async () => {
		assert.deepStrictEqual(await trace(
			'syscall::write:entry /pid == $target/ { self->in = 1; }' +
			'lockstat:::adaptive-block /self->in && arg1 >= 100000000/ { self->slept = arg1; }' +
			'syscall::write:return /self->slept/ { printf("%d\\n", arg1); }',
			`${program} block`), ['1']);
	});

	test('spin locks are spun for', async (t) => {
		const run = command.start(['-q', '-n', 'BEGIN { printf("begun\\n"); }' +
			'lockstat:::spin-spin /pid == $target/ { printf("spun %d\\n", arg1 > 0); exit(0); }',
			'-c', `${program} descriptors`]);

		await run.seen(/begun/);
		const result = await Promise.race([run.done,
			new Promise((resolve) => setTimeout(resolve, 5000).unref())]);

		// A kernel that is no hypervisor's guest tells only of the second that waits.
		if (!result) {
			run.child.kill('SIGINT');
			await run.done;
			t.skip('there is none here that the kernel tells of');
			return;
		}
		assert.match(result.stdout, /^spun 1$/m);
	});
});

describe('locks', options, () => {
	/** A process that writes five bytes to a pipe, which has a mutex. */
	const writer = `sh -c '${command.victim} write hello | cat >/dev/null'`;
	const during = (text) =>
		'syscall::write:entry /progenyof($target) && execname == "victim"/ { self->in = 1; }' + text +
		'syscall::write:return /self->in/ { self->in = 0; }';

	const withFunctions = {
		'a mutex is released by who has acquired it': async () => {
			const lines = await trace(during(
				'lockstat:::adaptive-acquire /self->in/ { self->lock = arg0; ' +
				'@["acquired", mutex_owned(args[0])] = count(); }' +
				'lockstat:::adaptive-release /self->in && self->lock == arg0/ ' +
				'{ @["released", mutex_owned(args[0])] = count(); }') +
				'END { printa("%s %d %@d\\n", @); }', writer);
			const counts = Object.fromEntries(lines.map((line) => line.match(/(.*) (\d+)/).slice(1)));

			assert.ok(counts['acquired 1'] > 0);
			assert.strictEqual(counts['released 0'], counts['acquired 1']);
		},

		'readers and writers acquire semaphores': async () => {
			const lines = await trace(
				'lockstat:::rw-acquire /pid == $target/ { @["acquire", args[1] == RW_WRITER] = count(); }' +
				'lockstat:::rw-release /pid == $target/ { @["release", args[1] == RW_WRITER] = count(); }' +
				'END { printa("%s %d\\n", @); }', `${command.victim} open /no/such/file`);

			assert.deepStrictEqual(lines.sort(), ['acquire 0', 'acquire 1', 'release 0', 'release 1']);
		},

		/* Programs that tell of locks are interrupted, and take some: what comes within itself, or
		 * too deep within others, is a drop. */
		'spin locks are acquired and released': async () => {
			const lines = await trace(
				'lockstat:::spin-acquire /pid == $target/ { @["acquire"] = count(); }' +
				'lockstat:::spin-release /pid == $target/ { @["release"] = count(); }' +
				'END { printa("%s\\n", @); }', `${command.victim} umask 10`,
				/^(dtrace: \d+ drops? .+\n)*$/);

			assert.deepStrictEqual(lines.sort(), ['acquire', 'release']);
		},
	};

	const withoutFunctions = {
		'a probe is refused with the reason': async () => {
			const result = await command.run(['-n', 'lockstat:::adaptive-acquire']);

			assert.strictEqual(result.status, 1);
			assert.match(result.stderr, /a program at a function \(mutex_lock\).+not allow: .+\n/);
		},
	};

	for (const [name, check] of Object.entries(allowed ? withFunctions : withoutFunctions))
		test(name, check);
});
