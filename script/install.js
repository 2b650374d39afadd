/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * `npm install`: sees to it that there is an add-on. The prebuilt one that a package
 * carries is taken where it loads; otherwise one is built from source, without anything
 * from the network; where that cannot be, what is missing is told.
 */
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const { platform, prebuilt, root, whyNot } = require('../lib/binary');

const cc = process.env.CC || 'gcc';

/* Why the prebuilt add-on cannot be had, or null. */
function refusal() {
	try {
		require(prebuilt);
		return null;
	} catch (error) {
		return whyNot(prebuilt, error);
	}
}

function runs(command, args, input = '') {
	return spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] })
		.status === 0;
}

function hasHeader(name) {
	return runs(cc, ['-E', '-x', 'c', '-'], `#include <${name}>\n`);
}

/* What a build takes, by the name it is asked for. Headers cannot be looked for without cc. */
const NEEDS = [
	['make', () => runs('make', ['--version'])],
	[cc, () => runs(cc, ['--version'])],
	[process.env.CLANG || 'clang', (name) => runs(name, ['--version'])],
	['the C library\'s headers (libc6-dev)', () => hasHeader('stdlib.h')],
	['the kernel\'s headers (linux-libc-dev)', () => hasHeader('linux/bpf.h')],
	['libbpf (libbpf-dev)', () => hasHeader('bpf/libbpf.h')],
	['libelf (libelf-dev)', () => hasHeader('gelf.h')],
	['libdw (libdw-dev)', () => hasHeader('elfutils/libdwfl.h')],
	['libiberty (libiberty-dev)', () => hasHeader('libiberty/demangle.h')],
];

function fail(sentence) {
	console.error(`dtrace-async: ${sentence}`);
	process.exit(1);
}

function main() {
	const reason = refusal();

	if (reason === null)
		return;
	if (process.platform !== 'linux')
		fail(`this is DTrace for Linux, and the system is ${platform}.`);
	const missing = NEEDS.filter(([name, isThere]) => !isThere(name)).map(([name]) => name);

	if (missing.length > 0)
		fail(`the prebuilt add-on cannot be used (${reason}), and building it takes ` +
		    `what is missing here: ${missing.join(', ')}.`);
	const { status } = spawnSync('make', [`-j${os.availableParallelism?.() ?? 2}`, 'addon'],
	    { cwd: root, stdio: 'inherit' });

	if (status !== 0)
		fail(`the prebuilt add-on cannot be used (${reason}), and building it has failed ` +
		    'with the error above.');
}

main();
