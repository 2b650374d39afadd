/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* The type declarations: test/types has what must compile, and what must not. */
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const dtrace = require('dtrace-async');

const root = path.join(__dirname, '..', '..');
const project = path.join(root, 'test', 'types');

test('what uses the declarations rightly compiles, what does so wrongly does not', async () => {
	const compiler = require.resolve('typescript/bin/tsc');
	const output = await new Promise((resolve) => {
		execFile(process.execPath, [compiler, '--project', project],
		    (error, stdout, stderr) => resolve(stdout + stderr));
	});

	assert.equal(output, '');
});

test('what is declared is there', () => {
	const methods = ['strcompile', 'go', 'run', 'stop', 'close', 'setopt', 'version',
		'consume', 'aggwalk', 'aggmin', 'aggmax', 'aggregations', 'listProbes', 'ref',
		'unref', Symbol.asyncIterator, 'on', 'once', 'off'];

	for (const name of methods)
		assert.equal(typeof dtrace.Consumer.prototype[name], 'function', String(name));
	for (const name of ['createConsumer', 'open', 'listProbes', 'DTraceError', 'Consumer'])
		assert.equal(typeof dtrace[name], 'function', name);
});
