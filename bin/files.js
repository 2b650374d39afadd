/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Which files a process opens, as it opens them. Of all programs together only numbers are
 * told, not names: those are other people's business.
 */
const { getSystemErrorName } = require('node:util');
const { countByProgram, programRows } = require('./program');
const { SHARED } = require('./tool');
const { Screen, duration, plain, table } = require('./screen');

const CALLS = ['open', 'creat', 'openat', 'openat2'];
const probes = (point, names = CALLS) =>
    names.map((name) => `syscall::${name}:${point}`).join(',\n\t');

/* The path is read when the kernel has read it, too: before, it may not be in memory. */
const each = (predicate) => `
	${probes('entry', ['open', 'creat'])}
	/${predicate}/
	{
		self->path = arg0;
		self->begun = timestamp;
	}

	${probes('entry', ['openat', 'openat2'])}
	/${predicate}/
	{
		self->path = arg1;
		self->begun = timestamp;
	}

	${probes('return')}
	/self->begun/
	{
		trace(program);
		trace(pid);
		trace(errno);
		trace(timestamp - self->begun);
		trace(copyinstr(self->path));
		self->path = 0;
		self->begun = 0;
	}`;

const BY_PROGRAM = `
	${countByProgram('opened', probes('return'))}
	${countByProgram('failed', probes('return'), 'errno')}`;

/** Counts by program, while nothing else may be told of them; for files and net. */
async function showPrograms(session, program, [done, failed]) {
	const interval = session.number('interval');
	const screen = new Screen();
	const dt = await session.trace(program);
	const picture = async () => {
		const rows = programRows(await dt.aggregations());

		return table(['PROGRAM', ` ${done.toUpperCase()}`, ` ${failed.toUpperCase()}`],
		    rows.sort((a, b) => (b[done] ?? 0) - (a[done] ?? 0))
		        .map((row) => [row.key, row[done] ?? 0, row[failed] ?? '']));
	};

	while (await session.pause(interval)) {
		if (session.isLive)
			screen.draw(await picture());
	}
	await session.stop();
	screen.print(await picture());
}

async function run(session) {
	if (!session.hasTarget && session.options.name === undefined) {
		await showPrograms(session, BY_PROGRAM, ['opened', 'failed']);
		return;
	}
	const screen = new Screen();
	const paths = new Map();
	const dt = await session.trace(each(session.predicate), { strsize: '1024', bufsize: '16m' });
	let count = 0;
	let failed = 0;

	screen.print(['PROGRAM               PID      TOOK  FILE']);
	for await (const { data: [program, pid, errno, took, path] } of dt) {
		const error = errno === 0 ? '' : `  ${getSystemErrorName(-errno)}`;

		screen.print([`${plain(program).padEnd(16)} ${String(pid).padStart(8)} ` +
		    `${duration(took).padStart(9)}  ${plain(path)}${error}`]);
		count++;
		failed += errno === 0 ? 0 : 1;
		paths.set(path, (paths.get(path) ?? 0) + 1);
	}
	const most = [...paths].sort(([, a], [, b]) => b - a).slice(0, 10);

	screen.print(['', `${count} opens of ${paths.size} files, ${failed} in vain; most often:`, '',
		...table([' OPENS', 'FILE'], most.map(([path, number]) => [number, path]))]);
}

module.exports = {
	about: 'which files a process opens, or how many each program does',
	usage: '[-p PID | -n PROGRAM] [options] [-- COMMAND...]',
	text: `
Shows each file that a process, the processes of a program, or a command and what it starts
open, with the time it took and the error there was; without them, how many files each program
opens. Ctrl-C ends it with a summary.`,
	options: SHARED,
	run,
	showPrograms,
};
