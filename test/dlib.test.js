// SPDX-License-Identifier: Apache-2.0
// The D libraries that come with libdtrace: every translator's members compile on the running
// kernel, and every constant is what the name says.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const command = require('./command');

const folder = path.join(__dirname, '..', 'libdtrace', 'dlib');
const files = fs.readdirSync(folder).filter((name) => name.endsWith('.d')).sort();

/** The translators of a D library's text: [{to, from, members}]. */
function translators(text) {
	const found = [];

	for (const [, to, from, body] of
		text.matchAll(/^translator (\w+) < ([\w ]+\*?)\w+ > \{\n(.*?)^\};/gms)) {
		const members = [...body.matchAll(/^\t(\w+) =/gm)].map((match) => match[1]);

		found.push({ to, from: from.trim(), members });
	}
	return found;
}

/** Compiles, does not run. */
async function compile(program) {
	const result = await command.run(['-x', 'errtags', '-en', program]);

	assert.strictEqual(result.status, 0, `${program}\n${result.stderr}`);
}

for (const file of files) {
	const text = fs.readFileSync(path.join(folder, file), 'utf8');

	describe(file, { skip: command.skip }, () => {
		for (const { to, from, members } of translators(text)) {
			test(`translator ${to} < ${from} >`, async () => {
				for (const member of members) {
					const value = from.endsWith('*') ? `(${from})arg0` : 'cpu';

					await compile(`BEGIN { trace(xlate<${to} *>(${value})->${member}); }`);
				}
			});
		}
	});
}

test('constants have the values of this system', { skip: command.skip }, async () => {
	const { constants } = require('node:os');
	const names = ['ENOENT', 'EAGAIN', 'ETIMEDOUT'].map((name) => [name, constants.errno[name]])
		.concat(['SIGHUP', 'SIGKILL', 'SIGCHLD'].map((name) => [name, constants.signals[name]]))
		.concat(['O_RDONLY', 'O_CREAT', 'O_NOFOLLOW'].map((name) => [name, fs.constants[name]]));
	const traces = names.map(([name]) => `printf("%d\\n", ${name});`).join(' ');
	const result = await command.run(['-qn', `BEGIN { ${traces} exit(0); }`]);

	assert.deepStrictEqual(result.stdout.trim().split('\n').map(Number),
		names.map(([, value]) => value));
});
