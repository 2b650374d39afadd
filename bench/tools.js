/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* What the benchmarks share: programs to run, medians, one row of the table. */
const { execFile, execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { promisify } = require('node:util');

const BUILD = path.resolve(process.env.BUILD || path.join(__dirname, '..', 'build'));
const DTRACE = path.join(BUILD, 'dtrace');
process.env.DTRACE_ASYNC_ADDON ||= path.join(BUILD, 'dtrace_async.node');
const tool = (name) => path.join(BUILD, 'bench', name);

/* The measured program has the last CPU for itself, everything else runs on the others. */
const CPU = os.cpus().length - 1;
const OTHERS = CPU > 0 ? `0-${CPU - 1}` : '0';

function median(values) {
	const sorted = [...values].sort((a, b) => a - b);

	return sorted[sorted.length >> 1];
}

/* Of times that others can only lengthen: what is least disturbed without being luck. */
function lowerQuartile(values) {
	const sorted = [...values].sort((a, b) => a - b);

	return sorted[sorted.length >> 2];
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Runs a command to its end.
 *
 * @param {string[]} command
 * @returns {Promise<{seconds: number, kib: number, status: number, cpu: number}>} wall time,
 *     peak memory, exit status, seconds on a CPU
 */
async function timed(command) {
	const { stdout } = await promisify(execFile)(tool('timed'), command);
	const [ns, kib, status, us] = stdout.split(' ').map(Number);

	return { seconds: ns / 1e9, kib, status, cpu: us / 1e6 };
}

/** The program that makes system calls on CPU: ask(line) gives its answer, a number. */
class Calls {
	#child = spawn(tool('calls'), [String(CPU)], { stdio: ['pipe', 'pipe', 'inherit'] });
	#lines = readline.createInterface({ input: this.#child.stdout });
	pid = this.#child.pid;

	async ask(line) {
		this.#child.stdin.write(`${line}\n`);
		return Number((await once(this.#lines, 'line'))[0]);
	}

	end() {
		this.#child.stdin.end();
	}
}

/**
 * Ends a tracer. bpftrace now and then goes on as if it had not been told to.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {Promise} ended what it is known by that it has ended
 */
async function endTracer(child, ended) {
	const patience = setTimeout(() => child.kill('SIGKILL'), 10000);

	child.kill('SIGTERM');
	await ended;
	clearTimeout(patience);
}

/**
 * Starts a tracer on the other CPUs and gives it time to attach. It writes to a file, as
 * a pipe would need this process to be awake.
 *
 * @param {string[]} command
 * @param {number} settle ms that it may take
 * @returns {Promise<() => Promise<string>>} ends it and gives what it printed
 */
async function startTracer(command, settle) {
	const file = path.join(os.tmpdir(), `dtrace-bench-${process.pid}.out`);
	const out = fs.openSync(file, 'w+');
	const child = spawn('taskset', ['-c', OTHERS, ...command],
	    { stdio: ['ignore', out, 'ignore'] });
	const exited = once(child, 'exit');

	await sleep(settle);
	return async () => {
		await endTracer(child, exited);
		fs.closeSync(out);
		const text = fs.readFileSync(file, 'utf8');

		fs.rmSync(file);
		return text;
	};
}

/**
 * bpftrace finds per-call tracepoints in tracefs.
 *
 * @returns {boolean} whether it had to be mounted, and so must be unmounted in the end
 */
function mountTracefs() {
	if (fs.existsSync('/sys/kernel/tracing/events'))
		return false;
	execFileSync('mount', ['-t', 'tracefs', 'tracefs', '/sys/kernel/tracing']);
	return true;
}

function unmountTracefs() {
	execFileSync('umount', ['/sys/kernel/tracing']);
}

/**
 * A row of the table: ours against a peer's, or, without one, against a limit.
 *
 * @param {string} what
 * @param {{ours: number, peer?: number, unit: string, target: number,
 *     atLeast?: boolean}} measured target: of the ratio ours / peer, or of ours
 */
function row(what, { ours, peer, unit, target, atLeast = false }) {
	const value = peer === undefined ? ours : ours / peer;
	const short = (n) => (n === undefined ? '-' : `${Number(n.toPrecision(3))} ${unit}`);

	return {
		what,
		ours: short(ours),
		peer: short(peer),
		ratio: peer === undefined ? '-' : value.toPrecision(2),
		target: `${atLeast ? '>=' : '<='} ${peer === undefined ?
		    short(target) : target.toPrecision(2)}`,
		met: (atLeast ? value >= target : value <= target) ? 'yes' : 'NO',
	};
}

/* With BENCH_VERBOSE: what the medians are made of. */
function verbose(what, values) {
	if (process.env.BENCH_VERBOSE)
		console.error(`  ${what}: ${values.map((v) => Number(v.toPrecision(4))).join(' ')}`);
}

module.exports = {
	Calls, DTRACE, endTracer, lowerQuartile, median, mountTracefs, row, sleep, startTracer,
	timed, tool, unmountTracefs, verbose,
};
