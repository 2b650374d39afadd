// SPDX-License-Identifier: Apache-2.0
// Runs the dtrace command for tests, and what a test of it needs around it.
'use strict';

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const build = path.resolve(process.env.BUILD || path.join(root, 'build'));

/** The command under test. */
const dtrace = path.join(build, 'dtrace');

/** A program that makes system calls to order; see test/c/victim.c. */
const victim = path.join(build, 'test', 'victim');

/** Why tracing cannot be tested here, or false. */
const skip = process.getuid() === 0 ? false : 'tracing needs root';

/** How many times longer than on a real machine everything may take. */
const patience = Number(process.env.DTRACE_TEST_PATIENCE || 1);

/** A run that takes longer has gone wrong. */
const LIMIT_MS = 20000 * patience;

/**
 * Starts a command.
 *
 * @param {string[]} args its arguments
 * @param {{cwd?: string, input?: string, isOpen?: boolean, file?: string, limit?: number,
 *     env?: object}} [options] `file` is run instead of dtrace, for `limit` ms at most;
 *     its standard input stays open for more if `isOpen`
 * @returns {{child: import('node:child_process').ChildProcess,
 *     done: Promise<{status: number|null, signal: string|null, stdout: string,
 *     stderr: string}>, seen: function(RegExp): Promise<RegExpMatchArray>}} `seen`
 *     waits until the output (stdout or stderr) matches
 */
function start(args, options = {}) {
	const child = spawn(options.file || dtrace, args, {
		cwd: options.cwd,
		env: options.env || process.env,
		stdio: ['pipe', 'pipe', 'pipe'],
	});
	const output = { stdout: '', stderr: '' };
	const watchers = new Set();
	const timer = setTimeout(() => child.kill('SIGKILL'), options.limit || LIMIT_MS);

	for (const name of ['stdout', 'stderr']) {
		child[name].setEncoding('utf8');
		child[name].on('data', (text) => {
			output[name] += text;
			for (const watcher of watchers)
				watcher();
		});
	}
	child.stdin.on('error', () => {});
	if (!options.isOpen)
		child.stdin.end(options.input || '');

	const done = new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (status, signal) => {
			clearTimeout(timer);
			resolve({ status, signal, ...output });
		});
	});

	function seen(pattern) {
		return new Promise((resolve, reject) => {
			const watcher = () => {
				const match = pattern.exec(output.stdout) || pattern.exec(output.stderr);

				if (!match)
					return;
				watchers.delete(watcher);
				resolve(match);
			};

			watchers.add(watcher);
			watcher();
			done.then(() => reject(new Error(
				`ended without ${pattern}: ${output.stdout}${output.stderr}`)), reject);
		});
	}
	return { child, done, seen };
}

/** Runs a command to its end; see start(). */
function run(args, options) {
	return start(args, options).done;
}

/** Calls f with a new directory, removed afterwards. */
async function withDirectory(f) {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-test-'));

	try {
		return await f(directory);
	} finally {
		fs.rmSync(directory, { recursive: true });
	}
}

/** The BPF programs, maps and links a process holds: a set of fdinfo lines. */
function bpfHeld(pid) {
	const held = new Set();

	for (const fd of fs.readdirSync(`/proc/${pid}/fdinfo`)) {
		try {
			const info = fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');

			for (const line of info.match(/^(prog_id|map_id|link_id):\t\d+$/mg) || [])
				held.add(line);
		} catch (error) {
			if (error.code !== 'ENOENT')
				throw error;
		}
	}
	return held;
}

/** All that the kernel holds, by the same lines; see test/c/bpfids.c. */
function bpfAll() {
	return execFileSync(path.join(build, 'test', 'bpfids'), { encoding: 'utf8' }).split('\n');
}

module.exports = { bpfAll, bpfHeld, build, dtrace, patience, run, skip, start, victim, withDirectory };
