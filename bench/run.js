/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Measures what the project promises, each as a ratio to a peer in the same run, and prints
 * a row for each. See README.md.
 *
 * usage: node bench/run.js [PART ...]
 */
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const { mountTracefs, sleep, unmountTracefs } = require('./tools');

const PARTS = ['start', 'enable', 'cost', 'probes', 'printf', 'loop', 'compile', 'provider',
	'aggregation', 'memory'];
const COLUMNS = { what: 56, ours: 12, peer: 12, ratio: 8, target: 12, met: 5 };

function cpuTimes() {
	const times = os.cpus().map((cpu) => cpu.times);
	const idle = times.reduce((sum, t) => sum + t.idle, 0);
	const all = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.idle + t.irq, 0);

	return { idle, all };
}

/* Others at work move the figures; ratios and medians bear some of it. */
async function warnUnlessIdle() {
	const before = cpuTimes();

	await sleep(1000);
	const after = cpuTimes();
	const busy = 1 - (after.idle - before.idle) / (after.all - before.all);

	if (busy > 0.1)
		console.error(`warning: the machine is ${Math.round(busy * 100)} % busy; ` +
		    'the figures will be rough');
}

/* Another tracer of system calls slows down everything that is measured here. */
function warnUnlessAlone() {
	const tracers = fs.readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
		try {
			return fs.readdirSync(`/proc/${pid}/fd`).some((fd) => /bpf-(prog|link)|raw-tp/
			    .test(fs.readlinkSync(`/proc/${pid}/fd/${fd}`)));
		} catch {
			return false; /* it has ended */
		}
	});

	if (tracers.length > 0)
		console.error(`warning: BPF programs are held by process ${tracers.join(', ')}`);
}

function line(row) {
	const cells = Object.entries(COLUMNS).map(([name, width]) => (name === 'what' ?
		row[name].padEnd(width) : row[name].padStart(width)));

	console.log(cells.join(' '));
}

/* Prints the rows of a part: whether every promise is kept. */
async function measure(part) {
	try {
		const rows = await require(`./${part}`)();

		rows.forEach(line);
		return rows.every((row) => row.met === 'yes');
	} catch (err) {
		console.error(`bench: ${part}: ${err.message}`);
		return false;
	}
}

async function main(parts) {
	const unknown = parts.find((part) => !PARTS.includes(part));

	if (unknown)
		throw new Error(`no such part: ${unknown} (there are ${PARTS.join(', ')})`);
	if (process.getuid() !== 0)
		throw new Error('tracing the system needs root');
	const [version] = execFileSync('bpftrace', ['--version'], { encoding: 'utf8' }).split('\n');

	console.log(`${version}, Linux ${os.release()}, ${os.cpus().length} CPUs, ` +
	    `Node.js ${process.version}`);
	await warnUnlessIdle();
	warnUnlessAlone();
	const mounted = mountTracefs();
	let allMet = true;

	if (mounted)
		console.error('note: /sys/kernel/tracing is mounted for bpftrace meanwhile');
	try {
		line({ what: 'WHAT', ours: 'OURS', peer: 'PEER', ratio: 'RATIO',
			target: 'TARGET', met: 'MET' });
		for (const part of parts.length > 0 ? parts : PARTS)
			allMet = await measure(part) && allMet;
	} finally {
		if (mounted)
			unmountTracefs();
	}
	process.exitCode = allMet ? 0 : 1;
}

main(process.argv.slice(2)).catch((err) => {
	console.error(`bench: ${err.message}`);
	process.exitCode = 2;
});
