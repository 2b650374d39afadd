// SPDX-License-Identifier: Apache-2.0
// The providers over the kernel's tracepoints and over user programs. What is read is read of
// processes that the tests start; see test/c/static.c for the one with probes of its own.
'use strict';

const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const program = path.join(command.build, 'test', 'static');
const allowed = fs.existsSync('/sys/bus/event_source/devices/kprobe');
const options = { skip: command.skip };

const loader = path.join(command.build, 'test', 'loader');
const library = path.join(command.build, 'test', 'liblate.so');

/** What a D program prints about a command, line by line. */
async function trace(text, words, more = []) {
	const result = await command.run(['-q', '-x', 'temporal', ...more,
		'-n', text, '-c', words]);

	assert.strictEqual(result.stderr, '');
	assert.strictEqual(result.status, 0);
	return result.stdout.split('\n').filter((line) => line !== '');
}

/** The probes that -l shows for a description: [{id, provider, module, function, name}]. */
async function list(description, more = []) {
	const result = await command.run(['-l', ...more, '-n', description]);

	return result.stdout.split('\n').slice(1).filter((line) => line !== '').map((line) => ({
		id: line.slice(0, 5).trim(),
		provider: line.slice(6, 16).trim(),
		module: line.slice(17, 34).trim(),
		function: line.slice(35, 68).trim(),
		name: line.slice(69),
	}));
}

/** What the command says to a description that matches nothing. */
async function refusal(description) {
	const result = await command.run(['-l', '-n', description]);

	assert.strictEqual(result.status, 1);
	return result.stderr;
}

describe('tracepoints', options, () => {
	test('sdt has the group as module, rawtp the kernel', async () => {
		const [sdt] = await list('sdt:::sched_switch');
		const [rawtp] = await list('rawtp:::sched_switch');

		assert.strictEqual(sdt.module, 'sched');
		assert.strictEqual(rawtp.module, 'vmlinux');
	});

	test('a probe has one number, however it is asked for', async () => {
		const [all] = (await list('sdt:sched::')).filter((p) => p.name === 'sched_wakeup');
		const result = await command.run(['-l', '-i', all.id]);

		assert.match(result.stdout, /sdt +sched +sched_wakeup$/m);
	});

	test('arguments have the kernel\'s types', async () => {
		const result = await command.run(['-l', '-v', '-n', 'sdt:::sched_process_fork']);

		assert.match(result.stdout, /args\[0\]: struct task_struct \*\n/);
		assert.match(result.stdout, /args\[1\]: struct task_struct \*\n/);
	});

	test('arguments are those of the place', async () => {
		assert.deepStrictEqual(await trace(
			'sdt:::sched_process_fork /args[0]->tgid == $target/ ' +
			'{ printf("%d\\n", args[1]->tgid == args[1]->pid); }',
			`sh -c '${command.victim} exit 0; exit 0'`), ['1']);
	});
});

describe('system calls', options, () => {
	test('arguments have the types of the call', async () => {
		const result = await command.run(['-l', '-v', '-n', 'syscall::openat:entry']);

		assert.match(result.stdout, /args\[0\]: int\n\s*args\[1\]: userland const char \*\n/);
	});

	test('a pointer leads into the process', async () => {
		assert.deepStrictEqual(await trace(
			'syscall::openat:entry /pid == $target && args[2] == 0/ ' +
			'{ printf("%s\\n", stringof(args[1])); }', `${command.victim} open /no/such/file`),
		['/no/such/file']);
	});
});

describe('system calls of 32 bits', options, () => {
	/** Among those of 64 bits 20 is writev and 0 is read. */
	const words = (n) => `${command.victim} compat ${n} umask 3`;
	const { signal } = spawnSync(command.victim, ['compat', '1']);
	const times = 1000;

	/** How often a description fires more where such calls are made. */
	async function more(description) {
		const counts = await Promise.all([0, times].map((n) => trace(`${description} ` +
			'/pid == $target/ { @ = count(); } END { printa("%@d", @); printf("\\n"); }',
		words(n))));

		return counts[1] - counts[0];
	}

	if (signal !== null) {
		test('a kernel that has none ends who makes them', () => {
			assert.strictEqual(signal, 'SIGSEGV');
		});
		return;
	}

	test('do not fire the probe of the call that has their number', async () => {
		const calls = ['writev', 'read', 'umask'];
		const each = (name) => calls.map((call) => `syscall::${call}:${name}`).join(', ');

		assert.strictEqual(await more('syscall::writev:entry, syscall::read:entry'), 0);
		assert.strictEqual(await more('syscall::writev:return, syscall::read:return'), 0);
		assert.strictEqual(await more('sysinfo:::sysread'), 0);
		for (const name of ['entry', 'return'])
			assert.deepStrictEqual((await trace(`${each(name)} /pid == $target && probefunc != "read"/ ` +
				'{ @[probefunc] = count(); }', words(times))).map((line) => line.trim().split(/ +/)),
			[['umask', '3']]);
	});

	test('are not told by a name', async () => {
		for (const name of ['entry', 'return'])
			assert.deepStrictEqual(await trace(`syscall:::${name} ` +
				'/pid == $target && probefunc == "writev"/ { trace(arg0); }', words(times)), []);
	});

	test('are calls where no name is asked for', async () => {
		assert.strictEqual(await more('syscall:::entry'), 2 * times);
		assert.strictEqual(await more('syscall:::return'), 2 * times);
	});
});

describe('proc', options, () => {
	test('a process is created, executes and exits', async () => {
		const lines = await trace(
			'proc:::create /pid == $target/ { child = args[0]->pr_pid; printf("create\\n"); }' +
			'proc:::start /pid == child/ { printf("start\\n"); }' +
			'proc:::lwp-start /pid == child/ { printf("lwp-start\\n"); }' +
			'proc:::exec /pid == child/ { printf("exec %s\\n", copyinstr(arg0)); }' +
			'proc:::exec-success /pid == child/ { printf("exec-success %s\\n", execname); }' +
			'proc:::lwp-exit /pid == child/ { printf("lwp-exit\\n"); }' +
			'proc:::exit /pid == child/ { printf("exit %d\\n", args[0]); }',
			`sh -c '${command.victim} exit 3; exit 0'`);

		assert.deepStrictEqual(lines, ['create', 'start', 'lwp-start',
			`exec ${command.victim}`, 'exec-success victim', 'lwp-exit', 'exit 1']);
	});

	test('an exec may fail', async () => {
		assert.deepStrictEqual(await trace(
			'proc:::exec-failure /progenyof($target)/ { printf("%d\\n", args[0]); }',
			'sh -c "exec /no/such/program 2>/dev/null"'), ['2']);
	});

	test('a signal is sent, and ends its process', async () => {
		assert.deepStrictEqual(await trace(
			'proc:::signal-send /pid == $target && args[1]->pr_pid == $target/ ' +
			'{ printf("send %d\\n", args[2]); }' +
			'proc:::exit /pid == $target/ { printf("exit %d\\n", args[0]); }',
			`${command.victim} kill 10`), ['send 10', 'exit 2']);
	});
});

describe('sysinfo', options, () => {
	test('inv_swtch is what the kernel counts', async () => {
		const loop = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done';
		const [line] = await trace(
			'BEGIN { base = -1; }' +
			'syscall:::entry /pid == $target && base < 0/ { base = curthread->nivcsw; n = 0; }' +
			'sysinfo:::inv_swtch /pid == $target && base >= 0/ { n += arg0; }' +
			'proc:::exit /pid == $target/ { printf("%d %d\\n", n, curthread->nivcsw - base); }',
			`taskset -c 0 sh -c '(${loop}) & ${loop}; wait'`);
		const [told, counted] = line.split(' ');

		assert.strictEqual(told, counted);
		assert.ok(Number(told) > 0);
	});
});

describe('sched at functions', {
	skip: command.skip || (allowed ? false : 'not allowed here'),
}, () => {
	test('a thread is enqueued and dequeued', async () => {
		const lines = await trace(
			'sched:::enqueue /args[1]->pr_pid == $target/ ' +
			'{ @["enqueue", args[2]->cpu_id >= 0, args[0]->pr_lwpid == $target] = count(); }' +
			'sched:::dequeue /args[1]->pr_pid == $target/ ' +
			'{ @["dequeue", args[2]->cpu_id >= 0, args[0]->pr_lwpid == $target] = count(); }' +
			'END { printa("%s %d %d\\n", @); }', 'sleep 0.1');

		assert.deepStrictEqual(lines.sort(), ['dequeue 1 1', 'enqueue 1 1']);
	});

	test('a nice value changes the priority', async () => {
		assert.deepStrictEqual(await trace(
			'sched:::change-pri /args[1]->pr_pid == $target/ ' +
			'{ printf("%d %d\\n", args[0]->pr_pri, args[2]); }', 'nice -n 5 nice -n 3 nice -n 0 true'),
		['120 125', '125 128']);
	});
});

describe('what the kernel does not give', options, () => {
	const reasons = {
		'lockstat:::rw-upgrade': /does not make a reader of a lock its writer/,
		'sched:::schedctl-yield': /no preemption control/,
		'tcp:::accept-refused': /does not tell refused connections/,
	};

	if (!allowed) {
		reasons['sched:::enqueue'] = /a program at a function \(enqueue_task_fair\).+not allow: /;
		reasons['io:::wait-start'] = /a program at a function \(__wait_on_buffer\).+not allow: /;
	}
	for (const [description, reason] of Object.entries(reasons))
		test(`${description} is refused with the reason`, async () => {
			assert.match(await refusal(description), reason);
		});

	test('dtrace -l -v lists it with the reason, among what there is', async () => {
		const { status, stdout } = await command.run(['-l', '-v', '-n', 'sched:::s*']);

		assert.strictEqual(status, 0);
		assert.match(stdout, /^ *\d+ +sched +vmlinux +sleep$/m);
		assert.match(stdout, /^ +- +sched +vmlinux +schedctl-yield\n\n\tNot Available\n\t\tLinux has /m);
		assert.doesNotMatch(stdout, /enqueue/);
	});

	test('dtrace -l lists what there is', async () => {
		const names = (await list('sched:::s*')).map((probe) => probe.name);

		assert.ok(names.includes('sleep') && !names.includes('schedctl-yield'));
	});
});

describe('pid', options, () => {
	test('entry has the arguments, return the result', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:static:add:entry { printf("%s`%s %d %d %d %d\\n", ' +
			'probemod, probefunc, arg0, arg5, arg6, arg7); }' +
			'pid$target:static:add:return { printf("%d\\n", (int)arg1); }',
			`${program} 2`),
		['static`add 1 6 7 0', '28', 'static`add 1 6 7 1', '29']);
	});

	test('a recursive function returns as often as it is entered', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:a.out:factorial:entry { @e = count(); }' +
			'pid$target:a.out:factorial:return { @r = max(arg1); @n = count(); }' +
			'END { printa("%@d %@d %@d\\n", @e, @n, @r); }', `${program} 10`),
		['10 10 3628800']);
	});

	test('returns of all functions leave the program as it is', async () => {
		/* Before Linux 6.6 each place is attached by itself: where that is emulated, not of all libraries. */
		const module = command.patience === 1 ? '' : 'a.out';
		const lines = await trace(
			`pid$target:${module}::return { @[probefunc == "main"] = count(); }` +
			'syscall::umask:entry /pid == $target/ { printf("umask %d\\n", arg0); }' +
			'END { printa("%d %@d\\n", @); }', `${command.victim} umask 2`);

		assert.deepStrictEqual(lines.slice(0, 2), ['umask 2', 'umask 1']);
		assert.ok(lines.includes('1 1'), lines.join());
	});

	test('a return tells by which instruction', async () => {
		const [place, atPlace] = await trace(
			'pid$target:static:add:return { printf("%x\\n", arg0); }', `${program} 2`);

		assert.strictEqual(atPlace, place);
		assert.deepStrictEqual(await trace(
			`pid$target:static:add:${place} { @["at"] = count(); }` +
			'pid$target:static:add:return { @["returned"] = count(); }' +
			'END { printa("%s %@d\\n", @); }', `${program} 3`),
		['at 3', 'returned 3']);
	});

	test('a function that ends by a jump to another returns as it jumps', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:static:leave:entry { self->in = 1; }' +
			'pid$target:static:leave:return, pid$target:static:last:entry ' +
			'/self->in/ { printf("%s %s\\n", probefunc, probename); }', `${program} 1`),
		['leave return', 'last entry']);
	});

	test('a caller is known while the function has no frame', async () => {
		const lines = await trace(
			'pid$target:static:add:entry, pid$target:static:add:return ' +
			'{ ustack(2); usym(ucaller); printf("\\n"); }', `${program} 1`);

		assert.deepStrictEqual(lines.map((line) => line.trim().replace(/\+0x.*/, ''))
			.filter((line) => line !== ''),
		['static`add', 'static`fire', 'static`fire', 'static`add', 'static`fire', 'static`fire']);
	});

	test('a function that begins with its return is entered first', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:static:none:return { self->seen = 1; } pid$target:static:none: ' +
			'{ printf("%s\\n", probename); }', `${program} 1`),
		['entry', '0', 'return']);
	});

	test('what would go wrong elsewhere is executed in its place', async () => {
		const lines = await trace(
			'pid$target:static:odd:* { @[probename] = count(); }' +
			'proc:::exit /pid == $target/ { printf("%d\\n", args[0]); }' +
			'END { printa("%s %@d\\n", @); }', `${program} 1`);

		assert.strictEqual(lines[0], '1');
		assert.ok(lines.length > 3 && lines.includes('return 1'), lines.join());
	});

	test('a function with data in it has an entry and no more', async () => {
		assert.deepStrictEqual((await list('pid$target:static:table:', ['-c', program]))
			.map((probe) => probe.name), ['entry']);
	});

	test('a thread that ends unwinds its stack through functions whose return is traced', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:static:unwind:, pid$target:static:thread: ' +
			'/probename == "entry" || probename == "return"/ ' +
			'{ @[probefunc, probename] = count(); }' +
			'proc:::exit /pid == $target/ { @how = max(args[0]); }' +
			'END { printa("%@d\\n", @how); printa("%s %s %@d\\n", @); }', `${program} 1`),
		['1', 'thread entry 1', 'unwind entry 1']);
	});

	test('an object is meant by less of its version, and has one name', async () => {
		const names = async (object) => new Set((await list(`pid$target:${object}::entry`,
		    ['-c', process.execPath])).map((probe) => probe.module));
		const [whole, ...others] = [...await names('libstdc++')];

		assert.match(whole, /^libstdc\+\+\.so\.6\./);
		assert.deepStrictEqual(others, []);
		for (const object of ['libstdc++.so', 'libstdc++.so.6', 'libstdc*'])
			assert.deepStrictEqual([...await names(object)], [whole]);
		assert.strictEqual((await names('libstdc++.so.5')).size, 0);
	});

	test('instructions are probes by their offset', async () => {
		const names = (await list('pid$target:a.out:add:', ['-c', `${program} 1`]))
			.map((probe) => probe.name);

		assert.deepStrictEqual(names.slice(0, 2), ['entry', '0']);
		assert.ok(names.length > 4 && names.includes('return'));
		const second = names[2];

		assert.deepStrictEqual(await trace(
			`pid$target:a.out:add:${second} { @[probename] = count(); }` +
			'END { printa("%s %@d\\n", @); }', `${program} 5`), [`${second} 5`]);
	});

	test('no probe stands amid an instruction', async () => {
		const names = new Set((await list('pid$target:a.out:add:', ['-c', `${program} 1`]))
			.map((probe) => probe.name));
		const amid = [...Array(16).keys()].map((n) => n.toString(16)).find((n) => !names.has(n));
		const result = await command.run(['-n', `pid$target:a.out:add:${amid}`, '-c', program]);

		assert.strictEqual(result.status, 1);
		assert.match(result.stderr, /does not match any probes/);
	});

	test('libraries are instrumented before they are loaded', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:libc:exit:entry { printf("%s %s %d\\n", probemod, probefunc, arg0); }',
			`${program} 1`), ['libc.so.6 exit 0']);
	});

	test('thousands of functions are counted exactly', async () => {
		/* An emulated machine attaches to ten a second: hundreds there. */
		const functions = command.patience === 1 ? '' : '[a-c]*';
		const lines = await trace(
			`pid$target::${functions}:entry ` +
			'{ @all = count(); @[probemod, probefunc] = count(); }' +
			'END { printa("all %@d\\n", @all); printa("%s %s %@d\\n", @); }', `${program} 7`);
		const counts = lines.slice(1).map((line) => Number(line.split(' ')[2]));

		assert.ok(lines.includes('static add 7'));
		assert.strictEqual(lines[0], `all ${counts.reduce((a, b) => a + b, 0)}`);
	});

	test('text that the process has not touched yet is read', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:libc:setlocale:entry { printf("%s\\n", copyinstr(arg1)); }' +
			'victim$target:::tick { printf("%s\\n", copyinstr(arg2)); }', `${program} 1`),
		['text']);
	});

	test('a process that is not there is an error', async () => {
		assert.match(await refusal('pid999999999:::entry'), /there is no such process/);
	});
});

describe('usdt', options, () => {
	test('arguments are read from registers, memory and constants', async () => {
		assert.deepStrictEqual(await trace(
			'victim$target:static:fire:tick ' +
			'{ printf("%d %d %s %d %d\\n", args[0], args[1], copyinstr(arg2), arg3, args[4]); }',
			`${program} 3`), ['0 0 text 42 10', '1 -1 text 42 20', '2 -2 text 42 30']);
	});

	test('a guarded probe fires while it is traced', async () => {
		assert.deepStrictEqual(await trace(
			'victim$target:::guarded-one { printf("%s %d\\n", probename, args[0]); }',
			`${program} 2`), ['guarded-one 0', 'guarded-one 1']);
	});

	test('processes are found by a glob, and left as they were', async () => {
		const victim = spawn(program, ['3', 'wait']);

		await new Promise((resolve) => victim.stdout.once('data', resolve));
		try {
			const run = command.start(['-q', '-n',
				'BEGIN { printf("begun\\n"); }' +
				`victi*:static::guarded-one /pid == ${victim.pid}/ { @[probeprov] = count(); }` +
				`victi*:static:fire:start /pid == ${victim.pid}/ { n++; } ` +
				'tick-50ms /n == 2/ { exit(0); }']);

			await run.seen(/begun/);
			victim.kill('SIGUSR1');
			await new Promise((resolve) => setTimeout(resolve, 200));
			victim.kill('SIGUSR1');
			const result = await run.done;

			assert.match(result.stdout, new RegExp(`victim${victim.pid} +6\n`));
		} finally {
			victim.kill('SIGKILL');
		}
	});
});

describe('what comes while tracing', options, () => {
	test('a library that is loaded later is traced from its constructor on', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:liblate.so:late*:entry { @[probemod, probefunc] = count(); }' +
			'END { printa("%s %s %@d\\n", @); }', `${loader} load ${library} 5`, ['-Z']),
		['liblate.so late_begin 1', 'liblate.so late_work 5']);
	});

	test('a glob for modules takes those that are loaded later', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target::late_work:return { @ = sum(arg1); } END { printa("%@d\\n", @); }',
			`${loader} load ${library} 4`, ['-Z']), ['10']);
	});

	test('clauses share variables and aggregations with those of before', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:a.out:main:entry { n = 40; } ' +
			'pid$target::late_work:entry { self->n = arg0; n += 1; } ' +
			'pid$target::late_work:return /self->n == 1/ { printf("%s %d\\n", probefunc, n); }',
			`${loader} load ${library} 4`, ['-Z']), ['late_work 42']);
	});

	test('a program that the process executes is traced from its first function on', async () => {
		assert.deepStrictEqual(await trace(
			'pid$target:static:add:entry { @[probemod] = count(); }' +
			'victim$target:::start { @[probename] = count(); }' +
			'victim$target:::guarded-one { @[probename] = count(); }' +
			'END { printa("%s %@d\\n", @); }', `${loader} exec ${program} 3`, ['-Z']),
		['start 1', 'guarded-one 3', 'static 3']);
	});

	/** A command that traces the static probes of all processes of the test program. */
	async function traceAll(text) {
		const run = command.start(['-Zq', '-x', 'switchrate=50hz', '-n',
			'BEGIN { printf("begun\\n"); }' + text]);

		await run.seen(/begun/);
		return run;
	}

	test('a glob takes processes that begin, with all that they fire', async () => {
		const run = await traceAll(
			'victi*:static::guarded-one { printf("%s %d.\\n", probeprov, arg0); }');

		// Of the first process it is not known what it has before it is there.
		for (let seen = false; !seen;) {
			const victim = command.start(['2'], { file: program });

			await victim.done;
			seen = await Promise.race([
				run.seen(new RegExp(`victim${victim.child.pid} 1\\.`)).then(() => true, () => true),
				new Promise((resolve) => setTimeout(() => resolve(false), 100)),
			]);
		}
		const last = command.start(['3'], { file: program });

		await last.done;
		for (const n of [0, 1, 2])
			await run.seen(new RegExp(`victim${last.child.pid} ${n}\\.`));
		run.child.kill('SIGINT');
		assert.strictEqual((await run.done).stderr, '');
	});

	test('a glob takes the children of a process that it has found', async () => {
		const victim = spawn(program, ['1', 'fork']);

		await new Promise((resolve) => victim.stdout.once('data', resolve));
		try {
			const run = await traceAll(
				`victi*:static::tick /ppid == ${victim.pid}/ { printf("%d %s\\n", ppid, ` +
				'probeprov == strjoin("victim", lltostr(pid)) ? "right" : probeprov); exit(0); }');

			victim.kill('SIGUSR1');
			assert.match((await run.done).stdout, new RegExp(`^${victim.pid} right$`, 'm'));
		} finally {
			victim.kill('SIGKILL');
		}
	});
});
