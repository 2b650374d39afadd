/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Without a process, a command or a program's name: how many system calls each program
 * makes. With one: which calls it makes, how often they fail, and how long they take.
 */
const { countByProgram, programRows } = require('./program');
const { SHARED } = require('./tool');
const { Screen, duration, table } = require('./screen');

const BY_PROGRAM = `
	${countByProgram('calls', 'syscall:::return')}
	${countByProgram('errors', 'syscall:::return', 'errno')}`;

/* A call that was under way when tracing began has no beginning. */
const byCall = (predicate) => `
	syscall:::entry
	/${predicate}/
	{
		self->begun = timestamp;
	}

	syscall:::return
	/self->begun/
	{
		this->took = timestamp - self->begun;
		@calls[probefunc] = count();
		@time[probefunc] = sum(this->took);
		@longest[probefunc] = max(this->took);
	}

	syscall:::return
	/self->begun && errno/
	{
		@errors[probefunc] = count();
	}

	syscall:::return
	/self->begun/
	{
		self->begun = 0;
	}`;

const NOTHING = { calls: 0, errors: 0, time: 0, longest: 0 };

/* Rows by call, with what each aggregation says of it: {key, calls, errors, time, longest}. */
function callRows(aggregations) {
	const rows = new Map();

	for (const { name, keys: [key], value } of aggregations)
		rows.set(key, { key, ...rows.get(key), [name]: value });
	return [...rows.values()];
}

function gather(session, aggregations) {
	const rows = session.isByCall ? callRows(aggregations) : programRows(aggregations);

	return rows.map((row) => ({ ...NOTHING, ...row })).sort((a, b) => b.calls - a.calls);
}

/* before: what gather() gave the last time, so many seconds ago. */
function picture(session, rows, before, seconds) {
	const known = new Map(before.map(({ key, calls }) => [key, calls]));
	const rate = ({ key, calls }) => Math.round((calls - (known.get(key) ?? 0)) / seconds);
	const heads = [session.isByCall ? 'SYSTEM CALL' : 'PROGRAM', '   CALLS', ' PER SECOND', ' ERRORS'];
	const cells = rows.map((row) => [row.key, row.calls, rate(row), row.errors || '']);

	if (session.isByCall) {
		heads.push(' AVERAGE', ' LONGEST', ' IN ALL');
		rows.forEach(({ calls, time, longest }, i) =>
		    cells[i].push(duration(time / calls), duration(longest), duration(time)));
	}
	return [`system calls of ${session.subject}`, '', ...table(heads, cells)];
}

async function run(session) {
	const { isLive } = session;
	const interval = session.number('interval');
	const screen = new Screen();

	session.isByCall = session.hasTarget || session.options.name !== undefined;
	const dt = await session.trace(session.isByCall ? byCall(session.predicate) : BY_PROGRAM);
	const begun = performance.now();
	let before = [];
	let last = begun;

	while (await session.pause(interval)) {
		const rows = gather(session, await dt.aggregations());
		const now = performance.now();

		if (isLive)
			screen.draw(picture(session, rows, before, (now - last) / 1000));
		before = rows;
		last = now;
	}
	await session.stop();
	screen.print(picture(session, gather(session, await dt.aggregations()), [],
	    (performance.now() - begun) / 1000));
}

module.exports = {
	about: 'which system calls a program makes, or which programs make them: a live table',
	usage: '[-p PID | -n PROGRAM] [options] [-- COMMAND...]',
	text: `
Counts system calls: of a process, of the processes of a program, or of a command and what
it starts, with the time they take; of all programs without them. Ctrl-C ends it with a
summary.`,
	options: SHARED,
	run,
};
