/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { createConsumer } = require('dtrace-async');
const { drain, open } = require('./helper');

const root = path.join(__dirname, '..', '..');

test('hello world through callbacks', (t, done) => {
	const dtp = createConsumer();
	const given = [];

	dtp.on('ready', () => {
		dtp.strcompile('BEGIN { trace("hello world"); }', (compileError) => {
			assert.equal(compileError, null);
			dtp.go((goError) => {
				assert.equal(goError, null);
				dtp.consume((probe, rec) => given.push([probe.name, rec]));
				assert.deepEqual(given, [
					['BEGIN', { data: 'hello world' }],
					['BEGIN', undefined],
				]);
				dtp.stop(done);
			});
		});
	});
});

test('hello world through promises', async () => {
	const dtp = await open();

	await dtp.strcompile('BEGIN { trace("hello world"); }');
	await dtp.go();
	assert.deepEqual(drain(dtp), ['hello world', null]);
	await dtp.stop();
});

test('createConsumer returns an EventEmitter at once', (t, done) => {
	const dtp = createConsumer();

	assert.equal(typeof dtp.on, 'function');
	dtp.on('ready', done);
});

test('the version has three words, the last of them dotted numbers', async () => {
	const dtp = await open();

	assert.match(dtp.version(), /^\S+ \S+ \d+(\.\d+)+$/);
});

test('examples/hello.js prints hello world', () => {
	const file = path.join(root, 'examples', 'hello.js');

	assert.equal(execFileSync(process.execPath, [file], { encoding: 'utf8' }),
	    'hello world\n');
});

test('examples/files.js names the files that a command opens', () => {
	const file = path.join(root, 'examples', 'files.js');

	assert.match(execFileSync(process.execPath, [file, 'cat', '/proc/version'],
	    { encoding: 'utf8' }), / us {4}\/proc\/version\n(.|\n)*nanoseconds\n/);
});

test('examples/syscalls.js counts system calls by program', () => {
	const file = path.join(root, 'examples', 'syscalls.js');

	assert.match(execFileSync(process.execPath, [file], { encoding: 'utf8' }),
	    /^PROGRAM +CALLS +PER SECOND\n(.+ +\d+ +\d+\.\d\n)+total +\d+ +\d+\.\d\n$/);
});

test('a program elsewhere requires or imports the package', () => {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-async-'));
	const run = (...args) =>
	    execFileSync(process.execPath, args, { cwd: directory, encoding: 'utf8' });

	try {
		fs.mkdirSync(path.join(directory, 'node_modules'));
		fs.symlinkSync(root, path.join(directory, 'node_modules', 'dtrace-async'));
		assert.equal(run('-p', 'typeof require("dtrace-async").createConsumer'),
		    'function\n');
		fs.writeFileSync(path.join(directory, 'program.mjs'),
		    'import { createConsumer } from "dtrace-async";\n' +
		    'import dtrace from "dtrace-async";\n' +
		    'console.log(createConsumer === dtrace.createConsumer);\n');
		assert.equal(run('program.mjs'), 'true\n');
	} finally {
		fs.rmSync(directory, { recursive: true });
	}
});
