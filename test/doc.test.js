// SPDX-License-Identifier: Apache-2.0
// The documentation does what it says: every command of the guides is run, against the demo
// server; every example of the interface's reference, with the output that stands below it; every
// D program is compiled.
//
// A comment before a block of commands says how they are run:
//
//	<!-- run -->				to their end
//	<!-- until Ctrl-C; expect: REGEXP -->	until the server has stalled, twice
//
// with "fixed" against the server that no longer does.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const command = require('./command');

const root = path.join(__dirname, '..');
const read = (name) => fs.readFileSync(path.join(root, 'doc', name), 'utf8');

/** The blocks of a document: {language, text, how, line, output}. */
function blocks(name) {
	const found = [];
	const text = read(name);

	for (const match of text.matchAll(/(?:^<!-- (.*) -->\n)?^```(\w+)\n([^]*?)^```$/gm)) {
		const [, how = '', language, body] = match;
		const line = text.slice(0, match.index).split('\n').length;

		if (language === 'text' && found.length > 0)
			found.at(-1).output = body;
		found.push({ language, text: body, how, line, name });
	}
	return found;
}

/** A directory in which commands and examples are run, as a user's project. */
let directory;

before(() => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-test-'));
	const script = (name, text) => fs.writeFileSync(path.join(directory, 'bin', name),
		`#!/bin/sh\n${text}\n`, { mode: 0o755 });

	for (const name of ['bin', 'node_modules'])
		fs.mkdirSync(path.join(directory, name));
	fs.symlinkSync(root, path.join(directory, 'node_modules', 'dtrace-async'));
	fs.symlinkSync(path.join(root, 'examples'), path.join(directory, 'examples'));
	script('dtrace', `exec "${command.dtrace}" "$@"`);
	script('npx', `shift; exec "${process.execPath}" "${root}/bin/dtrace-async.js" "$@"`);
	script('node', `exec "${process.execPath}" "$@"`);
});

after(() => fs.rmSync(directory, { recursive: true }));

const environment = (more) => ({
	...process.env,
	PATH: `${path.join(directory, 'bin')}:${process.env.PATH}`,
	...more,
});

/** Starts a line of a document. */
function startLine(line, variables) {
	return command.start(['-c', `exec ${line}`], {
		file: 'sh', cwd: directory, limit: 120000, env: environment(variables),
	});
}

/** The demo server, stalling every other second, and what its users see of it. */
async function demo(...options) {
	const server = command.start([path.join(root, 'examples', 'stalling-server.js'), '--every', '2',
		...options], { file: process.execPath, cwd: directory, limit: 600000 });
	const [, url] = await server.seen(/(http:\S+)/);
	const users = command.start([path.join(root, 'examples', 'ask.js'), url],
		{ file: process.execPath, limit: 600000 });
	const archive = path.join(os.tmpdir(), `access-${server.child.pid}.log.gz`);
	let slow = 0;
	let archived = 0;

	fs.watchFile(archive, { interval: 100 }, () => archived++);
	users.child.stdout.on('data', (text) => (slow += text.split('took').length - 1));
	return {
		variables: { PID: String(server.child.pid), URL: url },
		slow: () => slow,
		archived: () => archived,
		async end() {
			fs.unwatchFile(archive);
			server.child.kill('SIGTERM');
			users.child.kill('SIGKILL');
			await Promise.all([server.done, users.done]);
		},
	};
}

/** Runs a line until the server has stalled while it was tracing, then ends it. */
async function untilCtrlC(line, server, isFixed) {
	const run = startLine(line, server.variables);
	const until = async (condition) => {
		while (run.child.exitCode === null && !condition())
			await sleep(50);
	};

	await until(() => [...command.bpfHeld(run.child.pid)].some((held) => held.startsWith('link')));
	/* The first stall may have begun before, and what it takes users is told after it; the server
	 * that is fixed archives all the same. */
	const count = isFixed ? server.archived : server.slow;
	const enough = count() + 3;

	await until(() => count() >= enough);
	run.child.kill('SIGINT');
	return run.done;
}

describe('the guides', { skip: command.skip }, () => {
	let stalling;

	before(async () => {
		stalling = await demo();
	});
	after(() => stalling.end());

	for (const block of [...blocks('tools.md'), ...blocks('stalls.md')]) {
		if (block.language !== 'sh' || block.how === '')
			continue;
		for (const line of block.text.trim().split('\n')) {
			test(`${block.name}, line ${block.line}: ${line}`, async () => {
				const expect = /expect: (.*)$/.exec(block.how)?.[1] ?? '.';
				const isFixed = block.how.includes('fixed');
				const server = isFixed ? await demo('--fixed') : stalling;

				try {
					const { status, stdout, stderr } = block.how.includes('until Ctrl-C') ?
						await untilCtrlC(line, server, isFixed) :
						await startLine(line, server.variables).done;

					assert.strictEqual(stderr, '');
					assert.strictEqual(status, 0);
					assert.ok(new RegExp(expect).test(stdout), `not ${expect}`);
				} finally {
					if (isFixed)
						await server.end();
				}
			});
		}
	}

	test('the programs that the guide shows are those of the examples', () => {
		for (const { language, text } of blocks('stalls.md')) {
			if (language === 'd') {
				assert.ok(['turns.d', 'stalls.d'].some((name) =>
					fs.readFileSync(path.join(root, 'examples', name), 'utf8').endsWith(text)));
			}
		}
	});
});

/** An example's output as a pattern: "…" stands for what differs from run to run. */
function pattern(output) {
	const parts = output.trimEnd().split('…')
		.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));

	return new RegExp(`^${parts.join('[^\\n]*')}\\s*$`);
}

describe('examples of the interface', { skip: command.skip }, () => {
	const documents = [...blocks('api.md'), ...blocks('moving.md')];

	for (const { language, text, output, line, name } of documents) {
		if (language !== 'js')
			continue;
		test(`${name}, line ${line}: ${text.trim().split('\n')[0]}`, async () => {
			const kind = /^import /m.test(text) ? 'mjs' : 'cjs';
			const file = path.join(directory, `${name}-${line}.${kind}`);

			assert.ok(output, 'an example has its output below it');
			fs.writeFileSync(file, text);
			const result = await command.run([file], {
				file: process.execPath, cwd: directory, env: environment(),
			});

			assert.strictEqual(result.stderr, '');
			assert.match(result.stdout, pattern(output));
			assert.strictEqual(result.status, 0);
		});
	}
});

describe('D programs in documents', { skip: command.skip }, () => {
	const [, table] = /^## From bpftrace$([^]*)^On the command line/m.exec(read('moving.md'));
	const rows = table.split('\n').filter((line) => line.startsWith('| `'));
	const programs = rows.map((line) => line.replace(/^.*` \| `|` \|$/g, ''));

	/* Indented blocks of guide.md that are clauses, but for the form of one. */
	for (const [block] of read('guide.md').matchAll(/^(?: {4}.*\n|\n(?= {4}))+/gm)) {
		if (!block.trim().startsWith('syscall::'))
			continue;
		test(`guide.md: ${block.trim().replace(/\s+/g, ' ')}`, async () => {
			const { status, stderr } = await command.run(['-e', '-n', block]);

			assert.strictEqual(stderr, '');
			assert.strictEqual(status, 0);
		});
	}
	test('moving.md has programs', () => assert.ok(programs.length > 20));
	for (const program of programs) {
		test(`moving.md: ${program}`, async () => {
			const args = program.includes('$target') ? ['-c', '/bin/true'] : [];
			const { status, stderr } = await command.run(['-e', ...args, '-n', program]);

			assert.strictEqual(stderr, '');
			assert.strictEqual(status, 0);
		});
	}
});
