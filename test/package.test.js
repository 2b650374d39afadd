/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * The package that `npm pack` makes: installed with neither compiler nor network, run in a
 * root that has node and nothing else, built from source where it has to be.
 */
const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');

const root = path.join(__dirname, '..');
const build = path.resolve(process.env.BUILD || path.join(root, 'build'));
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-package-'));
const bare = path.join(temporary, 'root');
const app = path.join(bare, 'app');
const tools = path.join(temporary, 'tools'); /* a PATH with node and sh, nothing else */
const installed = path.join(app, 'node_modules', 'dtrace-async');
let packed; /* names of the package's files */

function command(name) {
	return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
}

before(() => {
	const [{ filename, files }] = JSON.parse(execFileSync('npm',
	    ['pack', '--json', '--pack-destination', temporary],
	    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));

	packed = files.map((file) => file.path);
	fs.mkdirSync(tools);
	fs.symlinkSync(process.execPath, path.join(tools, 'node'));
	fs.symlinkSync(command('sh'), path.join(tools, 'sh'));
	fs.mkdirSync(app, { recursive: true });
	execFileSync(command('unshare'), ['--net', command('npm'), 'install', '--offline',
		'--no-audit', '--no-fund', '--prefix', app, path.join(temporary, filename)],
	{ env: { PATH: tools, HOME: temporary }, stdio: 'pipe' });
});

after(() => fs.rmSync(temporary, { recursive: true, force: true }));

/* What is run by node in the bare root: its output. It sees /proc and /sys as we do. */
function runBare(script) {
	const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
		.match(/\/\S+/g);
	const files = [process.execPath, ...libraries];

	for (const file of files) {
		fs.mkdirSync(path.join(bare, path.dirname(file)), { recursive: true });
		fs.writeFileSync(path.join(bare, file), '');
	}
	for (const directory of ['proc', 'sys'])
		fs.mkdirSync(path.join(bare, directory));
	/* The mounts are this process's own and end with it. */
	return execFileSync('unshare', ['--mount', '--net', 'sh', '-c', `set -e
		root=$1; shift
		script=$1; shift
		for file; do mount --bind "$file" "$root$file"; done
		mount --rbind /proc "$root/proc"
		mount --rbind /sys "$root/sys"
		exec chroot "$root" "$1" "$script"`, 'sh', bare, script, ...files],
	{ encoding: 'utf8', env: { PATH: process.env.PATH } });
}

/* The installed package once more, with a prebuilt add-on that is none. */
function broken(name) {
	const copy = path.join(temporary, name);

	fs.cpSync(installed, copy, { recursive: true, preserveTimestamps: true });
	for (const platform of fs.readdirSync(path.join(copy, 'prebuilds')))
		if (platform !== 'include')
			fs.writeFileSync(path.join(copy, 'prebuilds', platform,
			    'dtrace_async.node'), 'no add-on');
	return copy;
}

function install(directory, env) {
	return spawnSync(process.execPath, [path.join(directory, 'script', 'install.js')],
	    { encoding: 'utf8', env });
}

test('hello world runs in a root with node, its libraries and the package', () => {
	fs.copyFileSync(path.join(root, 'examples', 'hello.js'), path.join(app, 'hello.js'));
	for (const name of ['vasync', 'verror', 'assert-plus', 'core-util-is', 'extsprintf'])
		fs.cpSync(path.join(root, 'node_modules', name),
		    path.join(app, 'node_modules', name), { recursive: true });
	assert.equal(runBare('/app/hello.js'), 'hello world\n');
});

test('the package carries all that a build from source takes', () => {
	for (const directory of ['addon', 'include', 'lib', 'libdtrace'])
		for (const name of fs.readdirSync(path.join(root, directory), { recursive: true })) {
			const file = path.join(directory, name);

			if (fs.statSync(path.join(root, file)).isFile())
				assert.ok(packed.includes(file), file);
		}
	for (const file of ['Makefile', 'LICENSE', 'NOTICE', 'prebuilds/include/node_api.h'])
		assert.ok(packed.includes(file), file);
});

test('where the prebuilt add-on does not load, one is built', () => {
	const copy = broken('built');

	/* The library's objects, which then are newer than their sources, save a minute. */
	for (const name of fs.readdirSync(copy, { recursive: true }))
		fs.utimesSync(path.join(copy, name), 0, 0);
	for (const name of ['gen', 'libdtrace', 'libdtrace.a'])
		fs.cpSync(path.join(build, name), path.join(copy, 'build', name),
		    { recursive: true, preserveTimestamps: true });
	const { status, stderr } = install(copy, process.env);

	assert.equal(status, 0, stderr);
	assert.equal(execFileSync(process.execPath, ['-e', `
		const dtp = require(${JSON.stringify(copy)}).createConsumer();

		dtp.on('ready', async () => {
			await dtp.strcompile('BEGIN { trace("built"); }');
			await dtp.go();
			dtp.consume((probe, rec) => rec && console.log(rec.data));
			await dtp.stop();
		});`], { encoding: 'utf8' }), 'built\n');
});

test('where neither can be, one sentence says what is missing', () => {
	const copy = broken('missing');
	const { status, stderr } = install(copy, { PATH: tools });
	const missing = 'make, gcc, clang, the C library\'s headers (libc6-dev), ' +
	    'the kernel\'s headers (linux-libc-dev), libbpf (libbpf-dev), ' +
	    'libelf (libelf-dev), libdw (libdw-dev), libiberty (libiberty-dev)';
	const required = spawnSync(process.execPath, ['-e',
		`require(${JSON.stringify(copy)})`], { encoding: 'utf8' });

	assert.equal(status, 1);
	assert.match(stderr, /^dtrace-async: the prebuilt add-on cannot be used \([^\n]+\), /);
	assert.ok(stderr.endsWith(`building it takes what is missing here: ${missing}.\n`),
	    stderr);
	assert.equal(stderr.split('\n').length, 2, stderr);
	assert.match(required.stderr, /dtrace-async has no add-on that works here \(.*\): /);
});
