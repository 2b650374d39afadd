// SPDX-License-Identifier: Apache-2.0
// In a PID namespace of its own, as in a container: processes have the numbers that they have
// there.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const command = require('./command');

const tool = path.join(__dirname, '..', 'bin', 'dtrace-async.js');

/* Runs a command in a new one, in which its numbers count from 1; see command.run(). */
const contained = (args) => command.run(
    ['--pid', '--fork', '--mount-proc', command.dtrace, ...args], { file: 'unshare' });

/* The command that `dtrace -c` is given: a shell whose child calls umask(), too. */
const FAMILY = ['-c', `sh -c "umask 027; ${command.victim} umask 1; true"`];

test('in a PID namespace', { skip: command.skip }, async (t) => {
	await t.test('pid, tid and ppid are numbers of it', async () => {
		const { stdout, stderr } = await contained(['-qn',
			`syscall::umask:entry
			/progenyof($target) && execname == "victim"/
			{
				printf("%d %d %d", ppid == $target, pid == tid, pid > $target && pid < 100);
				exit(0);
			}`, ...FAMILY]);

		assert.equal(stderr, '');
		assert.equal(stdout.trim(), '1 1 1');
	});

	await t.test('what BEGIN says of the tracing process itself', async () => {
		const { stdout } = await contained(['-qn',
			'BEGIN { printf("%d %d", pid, pid == $pid); exit(0); }']);

		assert.equal(stdout.trim(), '1 1');
	});

	await t.test('the stack of a process in it has symbols', async () => {
		const { stdout } = await contained(['-qn',
			'syscall::umask:entry /pid == $target/ { ustack(1); exit(0); }',
			'-c', `${command.victim} umask 1`]);

		assert.match(stdout, /libc\.so\.6`umask\+0x/);
	});

	await t.test('processes elsewhere are number 0', async () => {
		const tracing = command.start(['--pid', '--fork', '--mount-proc', command.dtrace, '-wqn',
			`BEGIN { system("echo traces"); }
			syscall::umask:entry /execname == "victim"/ { @[pid, progenyof(1)] = count(); exit(0); }`],
		{ file: 'unshare' });

		await tracing.seen(/traces/);
		await command.run(['umask', '1'], { file: command.victim });
		assert.match((await tracing.done).stdout, /^ +0 +0 +1$/m);
	});

	await t.test('a process that forks brings its probes along', async () => {
		const { stdout } = await command.run(['--pid', '--fork', '--mount-proc', 'sh', '-c', `
			${path.join(command.build, 'test', 'static')} 1 fork &
			${command.dtrace} -Zwqn '
				BEGIN { system("echo traces"); }
				victim*:::start /pid != $1/ { printf("%d %d\\n", ppid == $1, pid < 100); exit(0); }
			' $! | while read -r line; do
				[ "$line" != traces ] || kill -USR1 $!
				echo "$line"
			done
			kill $!`], { file: 'unshare' });

		assert.match(stdout, /^1 1$/m);
	});

	await t.test('so it is for tools', async () => {
		const { stdout } = await command.run(['--pid', '--fork', '--mount-proc', process.execPath, tool,
			'syscalls', '--', command.victim, 'umask', '50'], { file: 'unshare' });

		assert.match(stdout, /^umask +50 /m);
	});
});
