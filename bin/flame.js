/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What a process is at on the CPU: its stacks many times a second, counted in the kernel, drawn
 * as a flame graph. The names of what the process itself has compiled are in its perf map, or
 * in its memory; they are asked for while it is still there to tell.
 */
const fs = require('node:fs');
const path = require('node:path');
const { UsageError } = require('./tool');
const { Screen } = require('./screen');
const { Flame } = require('./flamegraph');

const PAUSE = 0.25; /* seconds from one reading to the next */

/* What Node.js is told so that it writes down its JavaScript functions' names. */
const NAMING = '--perf-basic-prof-only-functions --interpreted-frames-native-stack';

const program = (rate, predicate) => `
	profile-${rate}
	/${predicate}/
	{
		@[stack(64), jstack(128, 8192)] = count();
	}`;

/* Names of frames, kept by address: one that could be told once is not unknown later. */
class Names {
	#known = new Map();

	of(frame, kind) {
		const { address, symbol, module, file, line } = frame;

		if (symbol === null) {
			return this.#known.get(address) ??
			    { name: `[${module ?? 'unknown'}]`, kind: 'unknown' };
		}
		const name = file === undefined ?
		    fromMap(symbol) ?? { name: symbol, kind, detail: module ?? '' } :
		    { name: symbol, kind: 'js', detail: line === undefined ? file : `${file}:${line}` };

		this.#known.set(address, name);
		return name;
	}
}

/*
 * Of a perf map: "JS:*handle /srv/app.js:10:3" is how V8 writes a function down; the sign tells how it is
 * compiled. Frames are told apart by function, not by that.
 */
function fromMap(symbol) {
	const match = /^(?:JS|Function|LazyCompile|Script|Eval):[*^~+]?(\S*) ?(.*)$/.exec(symbol);

	return match && { name: match[1] || '(anonymous)', kind: 'js', detail: match[2] };
}

/* Outermost first, as flames grow. */
function framesOf(names, [kernel, user]) {
	return [
		...user.map((frame) => names.of(frame, 'native')).reverse(),
		...kernel.map((frame) => names.of(frame, 'kernel')).reverse(),
	];
}

/* A command that is Node.js, or starts it, tells names without being asked by the user. */
async function withNaming(start) {
	const before = process.env.NODE_OPTIONS;

	process.env.NODE_OPTIONS = `${before ?? ''} ${NAMING}`.trim();
	try {
		return await start();
	} finally {
		if (before === undefined)
			delete process.env.NODE_OPTIONS;
		else
			process.env.NODE_OPTIONS = before;
	}
}

function isNode(pid) {
	try {
		return /^node/.test(path.basename(fs.readlinkSync(`/proc/${pid}/exe`)));
	} catch {
		return false; /* it has ended */
	}
}

async function run(session) {
	const rate = session.number('rate');
	const { out } = session.options;
	const screen = new Screen();
	const flame = new Flame();
	const names = new Names();

	if (!session.hasTarget)
		throw new UsageError('a process is needed: -p PID, or -- COMMAND');
	if (!Number.isInteger(rate))
		throw new UsageError('--rate takes a whole number');
	fs.closeSync(fs.openSync(out, 'a')); /* now rather than when all is done */

	const start = () => session.trace(program(rate, session.predicate), { bufsize: '16m' });
	const dt = await (session.command.length > 0 ? withNaming(start) : start());
	const isNamed = !isNode(dt.target) || session.command.length > 0;
	const read = async () => {
		for (const { keys, value } of await dt.aggregations({ clear: true, sort: 'none' }))
			flame.add(framesOf(names, keys), value);
	};

	while (await session.pause(PAUSE)) {
		await read();
		screen.draw([`${session.subject}: ${flame.samples} samples; Ctrl-C ends`]);
	}
	await session.stop();
	await read();
	fs.writeFileSync(out, flame.svg(`CPU of ${session.subject}: ${flame.samples} samples at ${rate} Hz`));
	screen.print(summary(session, flame, out, isNamed));
	if (session.command.length > 0)
		fs.rmSync(`/tmp/perf-${dt.target}.map`, { force: true });
}

function summary(session, flame, out, isNamed) {
	const lines = [`${session.subject}: ${flame.samples} samples, drawn in ${out}`, ''];

	for (const { name, kind, samples } of flame.hottest().slice(0, 10)) {
		const share = (100 * samples / flame.samples).toFixed(1);

		lines.push(`${share.padStart(6)}%  ${name}${kind === 'native' ? '' : ` [${kind}]`}`);
	}
	if (!isNamed && !flame.hottest().some(({ kind }) => kind === 'js'))
		lines.push('', `no JavaScript names: start the process with`, `node ${NAMING}`);
	return lines;
}

module.exports = {
	about: 'where a process spends its CPU time: a flame graph, with JavaScript names',
	usage: '[-p PID] [options] [-- COMMAND...]',
	text: `
Samples the stacks of a process, or of a command and what it starts, and draws them as a
flame graph, an SVG file that browsers show: callers below, as wide as their share of the
time. JavaScript functions have names in processes that were started with
node ${NAMING}
as a COMMAND is. Ctrl-C ends it.`,
	options: {
		out: { type: 'string', short: 'o', value: 'FILE', default: 'flame.svg', help: 'the drawing (flame.svg)' },
		rate: { type: 'string', short: 'r', value: 'N', default: '99', help: 'samples a second on each CPU (99)' },
	},
	run,
};
