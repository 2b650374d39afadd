/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What a process is at on the CPU: its stacks many times a second, counted in the kernel, drawn
 * as a flame graph. jstack() has the names of JavaScript functions; those of other code that
 * the process has made itself are in its perf map, if it writes one, and are asked for several
 * times a second, while the process is still there to tell.
 */
const fs = require('node:fs');
const { UsageError } = require('./tool');
const { Screen, plain } = require('./screen');
const { Flame } = require('./flamegraph');

const PAUSE = 0.25; /* seconds from one reading to the next */
const MOST = 5000; /* samples a second: as often as the provider profile fires */

const program = (rate, predicate) => `
	profile-${rate}
	/${predicate}/
	{
		@[stack(64), jstack(128, 8192)] = count();
	}`;

/* A frame as a box; kind is what it is where nothing tells that it is JavaScript. */
function boxOf({ symbol, module, file, line }, kind) {
	if (symbol === null)
		return { name: `[${module ?? 'unknown'}]`, kind: 'unknown' };
	if (file !== undefined)
		return { name: symbol, kind: 'js', detail: line === undefined ? file : `${file}:${line}` };
	return fromMap(symbol) ?? { name: symbol, kind, detail: module ?? '' };
}

/*
 * Of a perf map: "JS:*handle /srv/app.js:10:3" is how V8 writes a function down; the sign
 * tells how it is compiled. Frames are told apart by function, not by that.
 */
function fromMap(symbol) {
	const match = /^(?:JS|Function|LazyCompile|Script|Eval):[*^~+]?(\S*) ?(.*)$/.exec(symbol);

	return match && { name: match[1] || '(anonymous)', kind: 'js', detail: match[2] };
}

/* Outermost first, as flames grow. */
function boxesOf([kernel, user]) {
	return [
		...user.map((frame) => boxOf(frame, 'native')).reverse(),
		...kernel.map((frame) => boxOf(frame, 'kernel')).reverse(),
	];
}

async function run(session) {
	const rate = session.number('rate');
	const { out } = session.options;
	const isNew = !fs.existsSync(out);

	if (!session.hasTarget)
		throw new UsageError('a process is needed: -p PID, or -- COMMAND');
	if (!Number.isInteger(rate) || rate > MOST)
		throw new UsageError(`--rate takes a whole number up to ${MOST}`);
	fs.closeSync(fs.openSync(out, 'a')); /* now rather than when all is done */
	try {
		await sample(session, rate, out);
	} catch (error) {
		if (isNew)
			fs.rmSync(out, { force: true });
		throw error;
	}
}

async function sample(session, rate, out) {
	const screen = new Screen();
	const flame = new Flame();
	const dt = await session.trace(program(rate, session.predicate), { bufsize: '16m', demangle: true });
	const read = async () => {
		for (const { keys, value } of await dt.aggregations({ clear: true, sort: 'none' }))
			flame.add(boxesOf(keys), value);
	};

	while (await session.pause(PAUSE)) {
		await read();
		screen.draw([`${session.subject}: ${flame.samples} samples; Ctrl-C ends`]);
	}
	await session.stop();
	await read();
	fs.writeFileSync(out,
	    flame.svg(`CPU of ${session.subject}: ${flame.samples} samples at ${rate} Hz`));
	screen.print(summary(session, flame, out));
}

function summary(session, flame, out) {
	const lines = [`${session.subject}: ${flame.samples} samples, drawn in ${out}`, ''];

	for (const { name, kind, samples } of flame.hottest().slice(0, 10)) {
		const share = (100 * samples / flame.samples).toFixed(1);

		lines.push(`${share.padStart(6)}%  ${plain(name)}${kind === 'native' ? '' : ` [${kind}]`}`);
	}
	return lines;
}

module.exports = {
	about: 'where a process spends its CPU time: a flame graph, with JavaScript names',
	usage: '[-p PID] [options] [-- COMMAND...]',
	text: `
Samples the stacks of a process, or of a command and what it starts, and draws them as a
flame graph, an SVG file that browsers show: callers below, as wide as their share of the
time. Ctrl-C ends it.`,
	options: {
		out: {
			type: 'string', short: 'o', value: 'FILE', default: 'flame.svg',
			help: 'the drawing (flame.svg)',
		},
		rate: {
			type: 'string', short: 'r', value: 'N', default: '99',
			help: 'samples a second on each CPU (99)',
		},
	},
	run,
	boxOf,
};
