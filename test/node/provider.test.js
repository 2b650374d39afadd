/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Static probes of JavaScript programs. Each test starts a program of Node.js that has
 * some, traces it with the package's own consumer and lets it fire them.
 */
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const dtrace = require('dtrace-async');
const { createDTraceProvider, DTraceProvider, createProvider } =
    require('dtrace-async/provider');
const { drain, open } = require('./helper');

const PROVIDER = require.resolve('dtrace-async/provider');

/*
 * Starts a program that evaluates what it is told to. `provider` is a provider, nodeapp,
 * and `probes` has a probe of each name with the types given for it.
 */
async function application(probes, settings = {}) {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'provider-test-'));
	const child = spawn(process.execPath, [...settings.flags || [], '--expose-gc', '-e', `
		globalThis.PROVIDER = ${JSON.stringify(PROVIDER)};
		globalThis.provider = require(PROVIDER)
		    .createDTraceProvider('nodeapp', ${JSON.stringify(settings.module)});
		globalThis.probes = {};
		for (const [name, types] of Object.entries(${JSON.stringify(probes)}))
			probes[name] = provider.addProbe(name, ...types);
		provider.enable();
		process.on('message', async (code) => {
			try {
				process.send({ value: await (0, eval)(code) });
			} catch (error) {
				process.send({ error: error.stack });
			}
		});
		process.send('ready');`], {
		cwd: directory, /* V8 writes a log there with some flags */
		env: { ...process.env, TMPDIR: settings.tmpdir || directory },
		stdio: ['ignore', 'inherit', settings.stderr || 'inherit', 'ipc'],
	});

	await once(child, 'message');
	return {
		pid: child.pid,
		/* The value of the code's last expression. */
		async run(code) {
			child.send(code);
			const [answer] = await once(child, 'message');

			if (answer.error)
				throw new Error(answer.error);
			return answer.value;
		},
		/* What it has in the directory for temporary files. */
		files: () => fs.readdirSync(directory, { recursive: true }).map(String),
		/* The files of probes that it has mapped. */
		mapped: () => [...new Set(fs.readFileSync(`/proc/${child.pid}/maps`, 'utf8')
			.split('\n').map((line) => line.split(/ +/)[5])
			.filter((name) => name?.startsWith(directory)))],
		directory,
		/* Ends it: by a signal, by what it is to evaluate, or by letting it go. */
		async end(how = () => child.disconnect()) {
			const exited = once(child, 'exit');

			how(child);
			await exited;
		},
		remove: () => fs.rmSync(directory, { recursive: true }),
	};
}

/* Calls f with an application and ends it. */
async function withApplication(probes, f, settings) {
	const app = await application(probes, settings);

	try {
		await f(app);
	} finally {
		await app.end();
		app.remove();
	}
}

/* A consumer that is tracing the program; the application may move from CPU to CPU. */
async function start(program) {
	const dtp = await open();

	dtp.setopt('temporal');
	await dtp.strcompile(program);
	await dtp.go();
	return dtp;
}

/* What a program (PID stands for the process's number) prints while the application
 * evaluates the code. */
async function trace(app, program, code) {
	const dtp = await start(program.replaceAll('PID', app.pid));

	try {
		await app.run(code);
	} finally {
		await dtp.stop();
	}
	return drain(dtp).filter((text) => text !== null);
}

/* The probes that the application has: "module:function:name". */
async function probesOf(app) {
	const dtp = await open();
	const found = [];

	try {
		for await (const probe of dtp.listProbes(`nodeapp${app.pid}:::`))
			found.push(`${probe.module}:${probe.function}:${probe.name}`);
	} finally {
		await dtp.close();
	}
	return found.sort();
}

describe('values', () => {
	/* For each type values, and what D's printf() makes of them. */
	const integers = {
		int: ['%d', [0, 1, -1, 2 ** 31, -(2 ** 53), 1.9, -1.9, true],
			[0, 1, -1, 2 ** 31, -(2 ** 53), 1, -1, 1]],
		uint: ['%u', [0, 4294967295, 2 ** 53], [0, 4294967295, 2 ** 53]],
		int8: ['%d', [127, -128, 128], [127, -128, -128]],
		int16: ['%d', [32767, -32768], [32767, -32768]],
		int32: ['%d', [2147483647, -2147483648], [2147483647, -2147483648]],
		int64: ['%d', [2n ** 63n - 1n, -(2n ** 63n), -5], [2n ** 63n - 1n, -(2n ** 63n), -5]],
		uint8: ['%u', [255, 256, -1], [255, 0, 255]],
		uint16: ['%u', [65535], [65535]],
		uint32: ['%u', [4294967295, -1], [4294967295, 4294967295]],
		uint64: ['%u', [2n ** 64n - 1n, 2 ** 63], [2n ** 64n - 1n, 2n ** 63n]],
	};
	const literal = (value) => (typeof value === 'bigint' ? `${value}n` : `${value}`);

	test('integers of every type are exact', () => withApplication(
		Object.fromEntries(Object.keys(integers).map((type) => [type, [type]])),
		async (app) => {
			const clauses = [], code = [], expected = [];

			for (const [type, [format, values, printed]] of Object.entries(integers)) {
				clauses.push(`nodeappPID:::${type} { printf("${type} ${format}", args[0]); }`);
				for (const value of values)
					code.push(`probes.${type}.fire(() => [${literal(value)}])`);
				for (const value of printed)
					expected.push(`${type} ${value}`);
			}
			assert.deepEqual(await trace(app, clauses.join('\n'), code.join(';')), expected);
		}));

	test('text is UTF-8, and a value that is none is as String() has it', () =>
		withApplication({ probe: ['char *'] }, async (app) => {
			assert.deepEqual(await trace(app,
				'nodeappPID:::probe { printf("<%s>", copyinstr(arg0)); }',
				`for (const value of ['text', '', 'Grüße, 世界 🌍', 12, null, undefined, [1, 2]])
					probes.probe.fire(() => [value])`),
			['<text>', '<>', '<Grüße, 世界 🌍>', '<12>', '<null>', '<undefined>', '<1,2>']);
		}));

	test('json is what D\'s json() reads', () => withApplication({ probe: ['json', 'json'] },
		async (app) => {
			assert.deepEqual(await trace(app,
				'nodeappPID:::probe { this->text = copyinstr(arg0);' +
				'printf("%s %s %s", json(this->text, "a.b"), json(this->text, "c[1]"), ' +
				'copyinstr(arg1)); }',
				'probes.probe.fire(() => [{ a: { b: 7 }, c: ["x", "y"] }, null])'),
			['7 y null']);
		}));

	test('what is not an array is the first argument, what is missing is undefined', () =>
		withApplication({ probe: ['json', 'int', 'char *'] }, async (app) => {
			assert.deepEqual(await trace(app,
				'nodeappPID:::probe { printf("%s %d %s", copyinstr(arg0), arg1, copyinstr(arg2)); }',
				`probes.probe.fire(() => ({ foo: 'bar' }));
				probes.probe.fire(() => [1, 2, 'three', 4, 5])`),
			['{"foo":"bar"} 0 undefined', '1 2 three']);
		}));

	test('what cannot be converted does not fail', () =>
		withApplication({ probe: ['int', 'char *', 'json'] }, async (app) => {
			assert.deepEqual(await trace(app,
				'nodeappPID:::probe { printf("%d %s %s", arg0, copyinstr(arg1), ' +
				'json(copyinstr(arg2), "error")); }',
				'probes.probe.fire(() => [Symbol(), Object.create(null), 1n])'),
			['0 [object Object] TypeError: Do not know how to serialize a BigInt']);
		}));

	test('ten of 32 arguments have their variable in D', () =>
		withApplication({ probe: Array(32).fill('int16') }, async (app) => {
			const variables = [...Array(10).keys()].map((i) => `arg${i}`);

			assert.deepEqual(await trace(app, `nodeappPID:::probe { printf("${
				variables.map(() => '%d').join(' ')}", ${variables}); }`,
			'probes.probe.fire(() => Array.from({ length: 32 }, (_, i) => i * -100))'),
			[[...Array(10).keys()].map((i) => i * -100).map((n) => n || 0).join(' ')]);
		}));
});

describe('firing', () => {
	test('the callback is called only while the probe is traced', () =>
		withApplication({ probe: ['int'], other: [] }, async (app) => {
			const fire = `globalThis.calls ??= 0;
				for (const probe of Object.values(probes))
					probe.fire(() => [++calls]);
				calls`;

			assert.equal(await app.run(fire), 0);
			assert.deepEqual(await trace(app, 'nodeappPID:::probe { printf("%d", arg0); }',
				fire), ['1']);
			assert.equal(await app.run(fire), 1);
		}));

	test('two tracers get it both, and it fires until the last has ended', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			const first = await start(`nodeapp${app.pid}:::probe { trace((int)arg0); }`);
			const second = await start(`nodeapp${app.pid}:::probe { trace((int)arg0); }`);

			await app.run('probes.probe.fire(() => [1])');
			await first.stop();
			await app.run('probes.probe.fire(() => [2])');
			await second.stop();
			await app.run('probes.probe.fire(() => { throw new Error("called") })');
			assert.deepEqual(drain(first), [1, null]);
			assert.deepEqual(drain(second), [1, null, 2, null]);
		}));

	test('by name, by property, and with values for the callback', () =>
		withApplication({ 'request-done': ['int', 'int'] }, async (app) => {
			assert.deepEqual(await trace(app,
				'nodeappPID:::request-done { printf("%s %d %d", probename, arg0, arg1); }',
				`provider.fire('request-done', (a, b) => [a, b], 1, 2);
				provider['request-done'].fire((...all) => all, 3, 4);
				provider.fire('no-such-probe', () => { throw new Error('called'); })`),
			['request-done 1 2', 'request-done 3 4']);
		}));

	test('an exception of the callback comes out of fire()', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			await assert.rejects(trace(app, 'nodeappPID:::probe { trace(arg0); }',
				'probes.probe.fire(() => { throw new Error("my own"); })'), /my own/);
		}));

	test('its stack leads to the JavaScript', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			try {
				const [stack] = await trace(app, 'nodeappPID:::probe { ustack(30); }', `
					function handleRequest() {
						probes.probe.fire(() => [1]);
					}
					handleRequest()`);

				assert.match(stack, /^ *nodeapp`probe\n/);
				assert.match(stack, /:.handleRequest/);
			} finally {
				fs.rmSync(`/tmp/perf-${app.pid}.map`, { force: true });
			}
		}, { flags: ['--perf-basic-prof', '--always-sparkplug'] }));

	test('in worker threads', () => withApplication({ probe: ['int'] }, async (app) => {
		await app.run(`const { Worker } = require('node:worker_threads');
			globalThis.workers = [10, 20].map((n) => new Worker(\`
				const { parentPort } = require('node:worker_threads');
				const provider = require(\${JSON.stringify(PROVIDER)})
				    .createDTraceProvider('nodeapp');
				const probe = provider.addProbe('probe', 'int');

				provider.enable();
				parentPort.on('message', (n) => {
					probe.fire(() => [n]);
					parentPort.postMessage('done');
				});
				parentPort.postMessage('ready');\`, { eval: true }));
			globalThis.answers = () => Promise.all(workers.map((worker) =>
				new Promise((resolve) => worker.once('message', resolve))));
			answers()`);
		assert.deepEqual((await trace(app, 'nodeappPID:::probe { printf("%d", arg0); }', `
			probes.probe.fire(() => [5]);
			workers.forEach((worker, i) => worker.postMessage(i));
			answers()`)).sort(), ['0', '1', '5']);
		assert.equal(app.mapped().length, 3);
		await app.run('Promise.all(workers.map((worker) => worker.terminate()))');
		assert.equal(app.mapped().length, 1);
		assert.deepEqual(app.files().filter((name) => name.includes('/')).length, 1);
	}));
});

describe('names', () => {
	test('the module is the provider\'s name, the function the probe\'s', () =>
		withApplication({ 'gc-start': [], one_two: [], three__four: [] }, async (app) => {
			assert.deepEqual(await probesOf(app), ['nodeapp:gc-start:gc-start',
				'nodeapp:one_two:one_two', 'nodeapp:three__four:three-four']);
		}));

	test('the module may be given', () => withApplication({ probe: [] }, async (app) => {
		assert.deepEqual(await probesOf(app), ['lib-1.x:probe:probe']);
	}, { module: 'lib-1.x' }));

	test('a thousand probes of a provider', () => withApplication({}, async (app) => {
		await app.run(`for (let i = 0; i < 1000; i++) provider.addProbe('probe' + i, 'int');
			provider.enable()`);
		assert.equal((await probesOf(app)).length, 1000);
		assert.deepEqual(await trace(app,
			'nodeappPID:::probe* { @n = count(); @sum = sum(arg0); }' +
			'nodeappPID:::probe999 { @name[probename] = count(); }' +
			'END { printa("%@d %@d", @n, @sum); printa("%s %@d", @name); }',
			'for (let i = 0; i < 1000; i++) provider.fire("probe" + i, () => [i])'),
		['1000 499500', 'probe999 1']);
	}));

	test('a probe that is added twice is at two places', () =>
		withApplication({ other: ['int'], probe: ['int'] }, async (app) => {
			await app.run(`globalThis.again = provider.addProbe('probe', 'int8', 'int8');
				provider.disable();
				provider.enable()`);
			assert.deepEqual(await probesOf(app),
				['nodeapp:other:other', 'nodeapp:probe:probe']);
			assert.deepEqual(await trace(app,
				'nodeappPID::: { printf("%s %d %d", probename, arg0, probename == "probe"); }',
				`for (const probe of [probes.other, probes.probe, again])
					probe.fire(() => [1000])`),
			['other 1000 0', 'probe 1000 1', 'probe -24 1']);
		}));

	test('what cannot be one is refused', () => {
		const provider = createProvider('nodeapp');

		for (const name of ['', 'a b', 'a:b', '../a', '-a', undefined, 5, 'a'.repeat(51)])
			assert.throws(() => createProvider(name), TypeError, String(name));
		assert.throws(() => createProvider('nodeapp', 'a/b'),
			/'a\/b' cannot be the name of a module/);
		for (const name of ['', 'a*', 'a::b', 'a_-b', undefined, 'a'.repeat(64)])
			assert.throws(() => provider.addProbe(name), TypeError, String(name));
	});

	test('types that there are not are refused', () => {
		const provider = createProvider('nodeapp');

		for (const type of ['char', 'float', 'int128', '', 1, undefined, 'constructor'])
			assert.throws(() => provider.addProbe('probe', type), {
				name: 'TypeError',
				message: /^probe 'probe': there is no type '.*' \(there are int, /,
			});
		assert.throws(() => provider.addProbe('probe', ...Array(33).fill('int')),
			/has 33 arguments: there can be 32/);
		assert.equal(provider.probe, undefined);
	});

	test('a probe does not take the place of a method', () => {
		const provider = createProvider('nodeapp');
		const probe = provider.addProbe('enable');

		assert.equal(typeof provider.enable, 'function');
		assert.equal(provider.addProbe('own'), provider.own);
		assert.equal(probe.name, 'enable');
	});
});

describe('enabling', () => {
	test('before it, and after disable(), there are no probes', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			await app.run('provider.disable(); provider.disable()');
			assert.deepEqual(await probesOf(app), []);
			assert.deepEqual(app.mapped(), []);
			assert.deepEqual(app.files(), []);
			await app.run('probes.probe.fire(() => { throw new Error("called") })');
			await app.run('provider.enable()');
			assert.deepEqual(await probesOf(app), ['nodeapp:probe:probe']);
		}));

	test('twice is once, and shows probes added since', () =>
		withApplication({ one: [] }, async (app) => {
			await app.run('provider.enable(); provider.enable()');
			assert.equal(app.mapped().length, 1);
			await app.run('provider.addProbe("two", "int")');
			assert.deepEqual(await probesOf(app), ['nodeapp:one:one']);
			await app.run('provider.enable()');
			assert.deepEqual(await probesOf(app), ['nodeapp:one:one', 'nodeapp:two:two']);
			assert.deepEqual(await trace(app,
				'nodeappPID::: { printf("%s", probename); }',
				'provider.one.fire(() => []); provider.two.fire(() => [])'), ['one', 'two']);
		}));

	test('a probe that is traced is disabled and enabled again', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			assert.deepEqual(await trace(app, 'nodeappPID:::probe { printf("%d", arg0); }', `
				probes.probe.fire(() => [1]);
				provider.disable();
				probes.probe.fire(() => { throw new Error('called'); })`), ['1']);
			await app.run('provider.enable()');
			assert.deepEqual(await trace(app, 'nodeappPID:::probe { printf("%d", arg0); }',
				'probes.probe.fire(() => [2])'), ['2']);
		}));

	test('a tracer that waits for it finds it', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			await app.run('provider.disable()');
			const dt = await dtrace.open({ options: { zdefs: true } });
			const fired = new Set();

			await dt.run(`nodeapp${app.pid}::: { trace((int)arg0); }`);
			const reading = (async () => {
				for await (const { data } of dt)
					fired.add(data[0]);
			})();

			for (const [i, name] of ['probe', 'late'].entries()) {
				await app.run(`provider.${name} || provider.addProbe('${name}', 'int');
					provider.enable()`);
				while (!fired.has(i))
					await app.run(`provider.${name}.fire(() => [${i}]);
						new Promise((resolve) => setTimeout(resolve, 10))`);
			}
			await dt.stop();
			await reading;
			assert.deepEqual([...fired], [0, 1]);
		}));

	test('a callback may disable its probe', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			assert.deepEqual(await trace(app, 'nodeappPID:::probe { printf("%d", arg0); }', `
				probes.probe.fire(() => [1]);
				probes.probe.fire(() => { provider.disable(); return [2]; })`), ['1']);
		}));

	test('a removed probe is gone, the others are not', () =>
		withApplication({ one: ['int'], two: ['int'] }, async (app) => {
			assert.deepEqual(await trace(app, 'nodeappPID::: { printf("%d", arg0); }', `
				probes.one.fire(() => [1]);
				globalThis.removed = [provider.removeProbe(probes.one),
					provider.removeProbe(probes.one)];
				probes.one.fire(() => { throw new Error('called'); });
				provider.fire('one', () => { throw new Error('called'); });
				probes.two.fire(() => [2])`), ['1', '2']);
			assert.deepEqual(await app.run('removed'), [true, false]);
			assert.equal(await app.run('provider.one'), undefined);
			assert.deepEqual(await probesOf(app), ['nodeapp:two:two']);
			await app.run('provider.disable(); provider.enable()');
			assert.deepEqual(await probesOf(app), ['nodeapp:two:two']);
		}));

	test('many times over nothing is left', () => withApplication({ probe: ['int'] },
		async (app) => {
			const count = 'require("node:fs").readdirSync("/proc/self/fd").length';
			const before = await app.run(count);

			await app.run(`for (let i = 0; i < 200; i++) {
				provider.disable();
				provider.enable();
			}`);
			assert.equal(await app.run(count), before);
			assert.equal(app.mapped().length, 1);
		}));
});

describe('the end', () => {
	test('a provider that nothing refers to is taken away', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			await app.run('gc()');
			assert.equal(app.mapped().length, 1);
			await app.run('provider = undefined; gc()');
			await app.run('probes.probe.fire(() => [])');
			assert.equal(app.mapped().length, 1);
			await app.run('probes = undefined');
			for (let i = 0; i < 10 && app.mapped().length > 0; i++)
				await app.run('gc(); new Promise(setImmediate)');
			assert.deepEqual(app.mapped(), []);
			assert.deepEqual(app.files(), []);
		}));

	const ends = {
		'at the end of its work': undefined,
		'by process.exit()': (child) => child.send('process.exit()'),
		'by an exception': (child) => child.send('setImmediate(() => { throw new Error(); })'),
	};

	for (const [what, how] of Object.entries(ends))
		test(`a process that ends ${what} leaves no file`, async () => {
			const app = await application({ probe: ['int'] }, { stderr: 'ignore' });

			assert.equal(app.files().length, 2);
			await app.end(how);
			assert.deepEqual(app.files(), []);
			app.remove();
		});

	test('what a killed process leaves is removed by the next one', async () => {
		const killed = await application({ probe: [] });

		await killed.end((child) => child.kill('SIGKILL'));
		assert.equal(killed.files().length, 2);
		await withApplication({ probe: [] }, async (app) => {
			const own = killed.files();

			assert.equal(own.length, 2);
			assert.deepEqual(await probesOf(app), ['nodeapp:probe:probe']);
			/* And not what a living one has. */
			await withApplication({ probe: [] }, async () => {
				assert.deepEqual(killed.files().filter((name) => own.includes(name)), own);
			}, { tmpdir: killed.directory });
		}, { tmpdir: killed.directory });
		assert.deepEqual(killed.files(), []);
		killed.remove();
	});

	test('where no file can be made the probes are traced all the same', () =>
		withApplication({ probe: ['int'] }, async (app) => {
			assert.deepEqual(await probesOf(app), ['nodeapp:probe:probe']);
			assert.deepEqual(await trace(app,
				'nodeappPID:nodeapp:probe:probe { printf("%d", arg0); }',
				'probes.probe.fire(() => [3])'), ['3']);
		}, { tmpdir: '/no/such/directory' }));

	test('in this process, too', async () => {
		const provider = createProvider('providertest');
		const probe = provider.addProbe('probe', 'char *');

		provider.enable();
		const dtp = await start(`providertest${process.pid}:::probe { trace(copyinstr(arg0)); }`);

		probe.fire(() => ['hello']);
		await dtp.stop();
		provider.disable();
		assert.deepEqual(drain(dtp), ['hello', null]);
	});
});

describe('the package', () => {
	test('the classic names are those of dtrace-provider', () => {
		const provider = createDTraceProvider('nodeapp');

		assert.ok(provider instanceof DTraceProvider);
		for (const name of ['addProbe', 'removeProbe', 'enable', 'disable', 'fire'])
			assert.equal(typeof provider[name], 'function', name);
		assert.equal(dtrace.createDTraceProvider, createDTraceProvider);
		assert.equal(dtrace.DTraceProvider, DTraceProvider);
	});

	test('it is an ECMAScript module as well', async () => {
		const module = await import('dtrace-async/provider');

		assert.equal(module.createDTraceProvider, createDTraceProvider);
		assert.equal(module.default.DTraceProvider, DTraceProvider);
	});
});
