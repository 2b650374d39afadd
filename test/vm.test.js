// SPDX-License-Identifier: Apache-2.0
// What this machine's kernel may refuse, programs at the kernel's functions, on one that allows
// it: the tests of fbt and lockstat in the virtual machine of `make check-vm`, which runs more.
'use strict';

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');

const command = require('./command');

const FILES = 'test/fbt.test.js test/lockstat.test.js';

test('probes of the kernel\'s functions, on Linux 6.1', { skip: command.skip }, async () => {
	const { stdout } = await promisify(execFile)(path.join(__dirname, '..', 'script', 'check-vm'),
	    [`node --test --test-reporter=tap ${FILES}`],
	    { maxBuffer: 1 << 24, env: { ...process.env, VM_TIMEOUT: '600' } });
	const count = (what) => Number(new RegExp(`^# ${what} (\\d+)`, 'm').exec(stdout)?.[1]);

	assert.strictEqual(count('fail'), 0, stdout);
	assert.ok(count('pass') >= 12, stdout);
	assert.match(stdout, /^check-vm: kernel 6\.1\..*: status 0$/m);
});
