// SPDX-License-Identifier: Apache-2.0
// The command line of dtrace: options, exit statuses, output byte for byte, signals.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { bpfAll, bpfHeld, dtrace, run, skip, start, victim, withDirectory } = require('./command');

/** Checks a result; what is left out must be 0 or empty. */
function expect(result, { status = 0, stdout = '', stderr = '' }) {
	const same = (name, expected) => expected instanceof RegExp
		? assert.match(result[name], expected)
		: assert.strictEqual(result[name], expected);

	same('stderr', stderr);
	same('stdout', stdout);
	assert.deepStrictEqual([result.status, result.signal], [status, null]);
}

/** A process to trace that waits until it is killed. */
async function withVictim(f) {
	const { child, done } = start(['umask', '1', 'wait'], { file: victim });

	try {
		return await f(child.pid, child);
	} finally {
		child.kill('SIGKILL');
		await done;
	}
}

async function until(condition) {
	for (let i = 0; i < 500; i++) {
		if (condition())
			return;
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	assert.fail(`not in time: ${condition}`);
}

/** Processes that have the name in their command line. */
function processesOf(name) {
	return fs.readdirSync('/proc').filter((pid) => {
		try {
			return /^\d+$/.test(pid) &&
				fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(name);
		} catch {
			return false;
		}
	});
}

describe('usage', () => {
	test('without arguments: the usage, status 2', async () => {
		expect(await run([]), { status: 2, stderr: /^Usage: dtrace / });
	});

	test('an option that does not exist: status 2', async () => {
		expect(await run(['-y']), {
			status: 2, stderr: /^dtrace: illegal option -- y\nUsage: dtrace / });
	});

	test('an option without its argument: status 2', async () => {
		expect(await run(['-q', '-n']), {
			status: 2, stderr: /^dtrace: option requires an argument -- n\nUsage: dtrace / });
	});

	test('no program: status 1', async () => {
		expect(await run(['-q']), { status: 1, stderr: 'dtrace: no probes specified\n' });
	});

	test('-V: the version, on stdout', async () => {
		expect(await run(['-V']), { stdout: /^dtrace: \S+ D \d+(\.\d+)+\n$/ });
	});

	test('what is not available says so', async () => {
		for (const option of ['-a', '-A', '-B', '-32']) {
			expect(await run([option, '-n', 'BEGIN']), {
				status: 1, stderr: new RegExp(`^dtrace: option ${option} is not available: .+\\n$`) });
		}
	});
});

describe('programs', { skip }, () => {
	test('-n: the description is told up to its clause', async () => {
		expect(await run(['-n', 'BEGIN { exit(0); }']), {
			stdout: /^CPU     ID                    FUNCTION:NAME\n[ \d]{3}      1 {27}:BEGIN .*\n\n$/,
			stderr: "dtrace: description 'BEGIN ' matched 1 probe\n",
		});
		expect(await run(['-n', 'dtrace:::/probename == "BEGIN"/{exit(0)}']), {
			stdout: /BEGIN/,
			stderr: "dtrace: description 'dtrace:::' matched 3 probes\n",
		});
	});

	test('-S: the code is shown, and with -e nothing else happens', async () => {
		expect(await run(['-S', '-e', '-n', 'BEGIN { trace(pid); }']), {
			stdout: '',
			stderr: /^\nprogram for dtrace:::BEGIN: 1 clause, \d+ instructions\n(?:.*\n)*.* call bpf_get_current_pid_tgid\n(?:.*\n)*.* exit\n/,
		});
	});

	test('output ends with an empty line', async () => {
		expect(await run(['-qn', 'BEGIN { printf("hi\\n"); exit(0); }']), { stdout: 'hi\n\n' });
		expect(await run(['-qn', 'BEGIN { @ = count(); exit(0); }']), {
			stdout: `\n${'1'.padStart(17)}\n` });
	});

	test('-P, -m, -f, -i name probes by provider, module, function, number', async () => {
		expect(await run(['-q', '-P', 'dtrace{printf("%s\\n", probename)}', '-i', '1{exit(0)}']), {
			stdout: 'BEGIN\nEND\n\n' });
		expect(await run(['-l', '-f', 'umask']), {
			stdout: /^ +ID .*NAME\n.* umask entry\n.* umask return\n$/ });
		expect(await run(['-l', '-i', '1']), { stdout: /\n +1 +dtrace +BEGIN\n$/ });
		expect(await run(['-l', '-m', 'syscall:nosuch']), {
			status: 1, stdout: /NAME\n$/, stderr: /^dtrace: failed to match syscall:nosuch:.*\n$/ });
	});

	test('several programs run in their order', async () => {
		expect(await run(['-q', '-n', 'BEGIN{printf("a ")}', '-n', 'BEGIN{printf("b\\n")}',
			'-n', 'BEGIN{exit(0)}']), { stdout: 'a b\n\n' });
	});

	test('macro arguments stand anywhere, options among them', async () => {
		expect(await run(['-n', 'BEGIN { printf("%d %s\\n", $1, $$2); exit(0); }', '7', '-q', 'x']), {
			stdout: '7 x\n\n' });
		expect(await run(['-qn', 'BEGIN { printf("%d\\n", $1); exit(0); }', '--', '-7']), {
			stdout: '-7\n\n' });
	});

	test('an error in -n tells the program, and the part of the clause', async () => {
		const errors = {
			'BEGIN { trace(1 }': 'syntax error near "}"',
			'nosuch:::probe': 'probe description nosuch:::probe does not match any probes',
			'BEGIN { trace(x); }': 'in action list: failed to resolve x: Unknown variable name',
			'BEGIN /y/ { trace(x); }': 'in predicate: failed to resolve y: Unknown variable name',
		};

		for (const [text, words] of Object.entries(errors)) {
			const result = await run(['-n', text]);

			assert.strictEqual(result.stderr, `dtrace: invalid probe specifier ${text}: ${words}\n`);
			assert.strictEqual(result.status, 1);
		}
	});

	test('and the line, where it has several', async () => {
		expect(await run(['-x', 'errtags', '-n', 'BEGIN\n{\n\ttrace(x);\n}']), {
			status: 1, stderr: /\[D_IDENT_UNDEF\] line 3: failed to resolve x: Unknown variable name\n$/ });
		expect(await run(['-x', 'errtags', '-n', 'BEGIN { trace(x); }']), {
			status: 1,
			stderr: /: \[D_IDENT_UNDEF\] in action list: failed to resolve x: Unknown variable name\n$/ });
	});

	test('any number of aggregations side by side', async () => {
		const all = Array.from({ length: 70 }, (_, i) => i);
		const names = all.map((i) => `@a${i}`).join(', ');
		const text = `BEGIN { ${all.map((i) => `@a${i}["k"] = sum(${i});`).join(' ')} ` +
			`printa("%s${' %@d'.repeat(all.length)}\\n", ${names}); printa(${names}); exit(0); }`;
		const { stdout } = await run(['-qn', text]);
		const lines = stdout.split('\n').map((line) => line.trim().split(/ +/));

		assert.deepStrictEqual(lines[0], ['k', ...all.map(String)]);
		assert.deepStrictEqual(lines.slice(1), [[''], lines[0], [''], ['']]);
	});

	test('a script: its name and arguments', async () => {
		await withDirectory(async (cwd) => {
			fs.writeFileSync(path.join(cwd, 'a.d'), 'BEGIN\n{\n\tprintf("%s %d", $$0, $1);\n\texit(0);\n}\n');
			expect(await run(['-s', 'a.d', '5'], { cwd }), {
				stdout: /:BEGIN a\.d 5\n\n$/,
				stderr: "dtrace: script 'a.d' matched 1 probe\n",
			});
			expect(await run(['-s', 'nosuch.d'], { cwd }), {
				status: 1, stderr: 'dtrace: failed to open nosuch.d: No such file or directory\n' });
		});
	});

	test('#! runs a script with its options and arguments', async () => {
		await withDirectory(async (cwd) => {
			const script = path.join(cwd, 'args.d');

			fs.writeFileSync(script,
				`#!${dtrace} -qs\nBEGIN { printf("%s|%d\\n", $$1, $2); exit($2); }\n`, { mode: 0o755 });
			expect(await run(['one', '3'], { file: script }), { status: 3, stdout: 'one|3\n\n' });
		});
	});

	test('-e compiles and does not trace', async () => {
		expect(await run(['-e', '-n', 'BEGIN { printf("never"); }']), {});
		expect(await run(['-e', '-n', 'BEGIN { trace(nosuch); }']), { status: 1, stderr: /nosuch/ });
	});

	test('-Z permits what matches nothing', async () => {
		expect(await run(['-Z', '-n', 'nosuch:::probe', '-n', 'BEGIN{exit(0)}']), {
			stdout: /:BEGIN/,
			stderr: "dtrace: description 'nosuch:::probe' matched 0 probes\n" +
				"dtrace: description 'BEGIN' matched 1 probe\n",
		});
	});

	test('-v shows the stability of a program', async () => {
		const { stdout } = await run(['-ev', '-n', 'BEGIN{exit(0)}']);

		assert.match(stdout, new RegExp([
			'^\nStability data for description BEGIN:\n',
			'\tMinimum probe description attributes',
			'\t\tIdentifier Names: [A-Z][a-z]+',
			'\t\tData Semantics:   [A-Z][a-z]+',
			'\t\tDependency Class: [A-Za-z]+\n',
			'\tMinimum probe statement attributes',
			'\t\tIdentifier Names: [A-Z][a-z]+',
			'\t\tData Semantics:   [A-Z][a-z]+',
			'\t\tDependency Class: [A-Za-z]+\n\n$'].join('\n')));
	});
});

describe('-l', { skip }, () => {
	const heading = '   ID   PROVIDER            MODULE                          FUNCTION NAME\n';

	test('lists what matches, in columns', async () => {
		expect(await run(['-l', '-P', 'dtrace']), {
			stdout: `${heading}` +
				['BEGIN', 'END', 'ERROR'].map((name, i) =>
					`    ${i + 1}     dtrace${' '.repeat(53)}${name}\n`).join('') });
	});

	test('lists every probe', async () => {
		const { status, stdout, stderr } = await run(['-l']);

		assert.deepStrictEqual([status, stderr], [0, '']);
		assert.ok(stdout.startsWith(heading));
		assert.match(stdout, /^ *\d+ +syscall +(\S+ +)?openat entry$/m);
		assert.match(stdout, /^ *\d+ +dtrace +BEGIN$/m);
		assert.ok(stdout.split('\n').length > 600);
	});

	test('a glob', async () => {
		const { stdout } = await run(['-ln', 'syscall::open*:entry']);

		assert.match(stdout, / openat entry\n/);
		assert.doesNotMatch(stdout, / read entry\n/);
	});

	test('what does not match: status 1', async () => {
		expect(await run(['-ln', 'nosuch:::']), {
			status: 1, stdout: heading, stderr: /^dtrace: failed to match nosuch:::: .*\n$/ });
	});

	test('-v: attributes and arguments', async () => {
		const { stdout } = await run(['-lvn', 'dtrace:::BEGIN']);

		assert.match(stdout, new RegExp([
			'BEGIN\n',
			'\tProbe Description Attributes',
			'\t\tIdentifier Names: Stable',
			'\t\tData Semantics:   Stable',
			'\t\tDependency Class: Common\n',
			'\tArgument Attributes',
			'\t\tIdentifier Names: Stable',
			'\t\tData Semantics:   Stable',
			'\t\tDependency Class: Common\n',
			'\tArgument Types',
			'\t\tNone\n\n$'].join('\n')));
	});
});

describe('options', { skip }, () => {
	test('-x and its like: bad names and values', async () => {
		expect(await run(['-x', 'nosuch', '-n', 'BEGIN']), {
			status: 1, stderr: /^dtrace: failed to set -x nosuch: .+\n$/ });
		expect(await run(['-x', 'bufsize=lots', '-n', 'BEGIN']), {
			status: 1, stderr: /^dtrace: failed to set -x bufsize=lots: .+\n$/ });
		expect(await run(['-b', 'lots', '-n', 'BEGIN']), {
			status: 1, stderr: /^dtrace: failed to set -b lots: .+\n$/ });
	});

	test('-b and -x bufsize', async () => {
		expect(await run(['-b', '64k', '-x', 'aggsize=128k', '-qn', 'BEGIN{exit(0)}']), { stdout: '\n' });
	});

	test('-o appends what is traced to a file', async () => {
		await withDirectory(async (cwd) => {
			const args = ['-q', '-o', 'out', '-n', 'BEGIN { printf("%d\\n", $1); exit(0); }'];

			expect(await run([...args, '1'], { cwd }), {});
			expect(await run([...args, '2'], { cwd }), {});
			assert.strictEqual(fs.readFileSync(path.join(cwd, 'out'), 'utf8'), '1\n\n2\n\n');
			expect(await run(['-o', 'no/such/out', '-n', 'BEGIN{exit(0)}'], { cwd }), {
				status: 1,
				stderr: "dtrace: failed to open output file 'no/such/out': No such file or directory\n",
			});
		});
	});

	test('output that cannot be written ends the command', async () => {
		expect(await run(['-q', '-o', '/dev/full', '-n', 'tick-1ms { printf("x\\n"); }']), {
			status: 1, stderr: /^dtrace: .*No space left on device\n$/ });
	});

	test('-F indents by entry and return', async () => {
		const { stdout } = await run(['-F', '-c', `${victim} umask 1`, '-n',
			'syscall::umask:entry,syscall::umask:return/pid == $target/{}']);

		assert.match(stdout, new RegExp(['^CPU FUNCTION {33}', '[ \\d]{3}  => umask {33}',
			'[ \\d]{3}  <= umask {33}', '', '$'].join('\n')));
	});

	test('-w is told', async () => {
		expect(await run(['-w', '-n', 'BEGIN{exit(0)}']), {
			stdout: /BEGIN/,
			stderr: "dtrace: description 'BEGIN' matched 1 probe\ndtrace: allowing destructive actions\n",
		});
	});
});

describe('processes', { skip }, () => {
	test('-c: $target, and the end of the command ends tracing', async () => {
		const result = await run(['-q', '-c', `${victim} umask 3 exit 5`, '-n',
			'syscall::umask:entry /pid == $target/ { @ = count(); }']);

		expect(result, { stdout: `\n${'3'.padStart(17)}\n` });
	});

	test('-c: how the command ended is told', async () => {
		const ended = async (order) => (await run(['-c', `${victim} ${order}`, '-n', 'END'])).stderr
			.replace(/pid \d+/, 'pid N').split('\n')[1];

		assert.strictEqual(await ended('exit 0'), 'dtrace: pid N has exited');
		assert.strictEqual(await ended('exit 5'), 'dtrace: pid N exited with status 5');
		assert.strictEqual(await ended('kill 9'), 'dtrace: pid N terminated by SIGKILL');
	});

	test('-c: words are quoted as in a shell', async () => {
		expect(await run(['-q', '-c', `/bin/sh -c 'echo "a  b" $1' x\\ y "1 2"`, '-n', 'END']), {
			stdout: 'a  b 1 2\n\n' });
		expect(await run(['-c', `/bin/sh -c 'echo`, '-n', 'END']), {
			status: 1, stderr: "dtrace: unmatched ' in the command of -c\n" });
	});

	test('-c: a command that does not exist', async () => {
		expect(await run(['-c', '/no/such/command', '-n', 'END']), {
			status: 1, stderr: /^dtrace: .*\/no\/such\/command.*No such file or directory\n$/ });
	});

	test('-c: the command is gone after an error', async () => {
		await withDirectory(async (cwd) => {
			const name = path.join(cwd, 'gone');

			fs.symlinkSync(victim, name);
			expect(await run(['-c', `${name} wait`, '-n', 'BEGIN { trace(nosuch); }']), {
				status: 1, stderr: /nosuch/ });
			assert.deepStrictEqual(processesOf(name), []);
		});
	});

	test('-p: a process that runs; its end ends tracing', async () => {
		await withVictim(async (pid, child) => {
			const tracing = start(['-p', String(pid), '-n', 'BEGIN { printf("%d", $target); }']);

			await tracing.seen(/BEGIN/);
			child.kill('SIGTERM');
			expect(await tracing.done, {
				stdout: new RegExp(`:BEGIN ${pid}\\n\\n$`),
				stderr: new RegExp(`^dtrace: description .*\\ndtrace: pid ${pid} .*\\n$`),
			});
		});
	});

	test('-p: a process survives being traced', async () => {
		await withVictim(async (pid) => {
			expect(await run(['-qp', String(pid), '-n', 'BEGIN { exit(0); }']), { stdout: '\n' });
			assert.ok(processesOf(victim).includes(String(pid)));
		});
	});

	test('-p: no such process, no number', async () => {
		expect(await run(['-p', '99999999', '-n', 'BEGIN']), { status: 1, stderr: /^dtrace: .*99999999.*\n$/ });
		expect(await run(['-p', 'x', '-n', 'BEGIN']), { status: 1, stderr: 'dtrace: invalid pid: x\n' });
	});
});

describe('signals', { skip }, () => {
	for (const signal of ['SIGINT', 'SIGTERM']) {
		test(`${signal}: END fires, aggregations are printed, status 0`, async () => {
			const { child, done, seen } = start(['-qn',
				'BEGIN { printf("begin\\n"); @ = sum(5); } END { printf("end\\n"); }']);

			await seen(/begin/);
			child.kill(signal);
			expect(await done, { stdout: `begin\n\nend\n\n${'5'.padStart(17)}\n` });
		});
	}

	test('an ignored SIGINT stays ignored', async () => {
		const { child, done, seen } = start(['-c',
			`trap '' INT; exec ${dtrace} -qn 'BEGIN { printf("begin\\n"); } END { printf("end\\n"); }'`],
		{ file: '/bin/sh' });

		await seen(/begin/);
		child.kill('SIGINT');
		await new Promise((resolve) => setTimeout(resolve, 200));
		assert.strictEqual(child.exitCode, null);
		child.kill('SIGTERM');
		expect(await done, { stdout: 'begin\n\nend\n\n' });
	});

	test('output comes while tracing goes on', async () => {
		const { child, done, seen } = start(['-q', '-x', 'switchrate=10ms', '-n',
			'tick-20ms { printf("tick %d\\n", ++n); }']);

		await seen(/tick 5\n/);
		child.kill('SIGINT');
		expect(await done, { stdout: /^tick 1\ntick 2\ntick 3\n/ });
	});

	test('an idle dtrace uses no CPU', async () => {
		const { child, done, seen } = start(['-qn', 'BEGIN { printf("begin\\n"); }']);
		const ticks = () => {
			const fields = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');

			return Number(fields[11]) + Number(fields[12]);
		};

		await seen(/begin/);
		const before = ticks();

		await new Promise((resolve) => setTimeout(resolve, 1000));
		assert.ok(ticks() - before <= 2, `${ticks() - before} ticks`);
		child.kill('SIGINT');
		await done;
	});

	test('a closed pipe ends the command', async () => {
		const { done } = start(['-c', `${dtrace} -q -x switchrate=10ms -n 'tick-1ms { printf("x\\n"); }' | head -2`],
			{ file: '/bin/sh' });

		expect(await done, { stdout: 'x\nx\n' });
	});

	test('SIGKILL leaves no program and no map behind', async () => {
		const { child, done, seen } = start(['-qn',
			'BEGIN { printf("begin\\n"); } syscall:::entry /pid == 1/ { @[probefunc] = count(); a[pid] = 1; }']);

		await seen(/begin/);

		const held = bpfHeld(child.pid);

		assert.ok(held.size > 0);
		child.kill('SIGKILL');
		assert.strictEqual((await done).signal, 'SIGKILL');
		// The kernel frees them a moment later.
		await until(() => bpfAll().every((id) => !held.has(id)));
	});
});

describe('without privilege', { skip }, () => {
	test('the message says what is missing', async () => {
		const result = await run(['--reuid=65534', '--regid=65534', '--clear-groups', dtrace, '-n', 'BEGIN'],
			{ file: 'setpriv' });

		expect(result, { status: 1, stderr: /^dtrace: failed to initialize dtrace: DTrace requires additional privileges.*\n$/ });
	});
});
