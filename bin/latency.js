/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * How long a system call, or a function of a program, takes: a heat map that grows by a column
 * each second, in the terminal and, with --web, in a page. What the kernel counts in the
 * meantime are buckets, however many calls there are.
 */
const { SHARED, UsageError } = require('./tool');
const { Screen, duration } = require('./screen');
const { BUCKETS, HeatMap } = require('./heatmap');
const { serve } = require('./latency-web');

/* Calls within calls count once, as the outermost. */
const program = (probes, predicate) => `
	self int depth;

	${probes}:entry
	/(${predicate}) && self->depth++ == 0/
	{
		self->begun = timestamp;
	}

	${probes}:return
	/self->depth && --self->depth == 0/
	{
		this->took = timestamp - self->begun;
		@took = llquantize(this->took, ${BUCKETS});
		@longest = max(this->took);
		self->begun = 0;
	}`;

/* The probes of what the user has named, without their last part. */
function probesOf(session) {
	const [what] = session.words;
	const parts = what?.split(':');

	if (session.words.length !== 1 || !/^[\w.*?@$+:-]+$/.test(what))
		throw new UsageError('the name of one system call or function is needed');
	if (!session.options.function)
		return `syscall::${what}`;
	if (!session.hasTarget)
		throw new UsageError('a function is one of a process: -p PID, or -- COMMAND');
	return `pid$target:${parts.length > 1 ? parts[0] : ''}:${parts.at(-1)}`;
}

function heading(session, map, longest) {
	if (map.count === 0)
		return `${session.words[0]} of ${session.subject}: no calls`;
	const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) =>
	    duration(Math.min(map.percentile(share), longest)));

	return `${session.words[0]} of ${session.subject}: ${map.count} calls, ` +
	    `half within ${p50}, 90% ${p90}, 99% ${p99}, longest ${duration(longest)}`;
}

async function run(session) {
	const probes = probesOf(session);
	const interval = session.number('interval');
	const screen = new Screen();
	const isColoured = session.isLive && !process.env.NO_COLOR;
	const map = new HeatMap();
	const dt = await session.trace(program(probes, session.predicate));
	const page = session.options.web ?
	    await serve({ port: session.options.port, title: session.words[0], interval }) : null;
	let longest = 0;
	const read = async () => {
		const found = await dt.aggregations({ clear: true });
		const value = (name) => found.find((one) => one.name === name)?.value;

		const column = map.add(value('took') ?? []);

		longest = Math.max(longest, value('longest') ?? 0);
		page?.add(column);
	};
	const picture = () => [heading(session, map, longest), '',
		...map.lines(screen.columns, isColoured)];

	if (page)
		screen.print([`the heat map is at ${page.url}`]);
	try {
		while (await session.pause(interval)) {
			await read();
			screen.draw(picture());
		}
		await session.stop();
		await read();
		screen.print(picture());
	} finally {
		await page?.close();
	}
}

module.exports = {
	about: 'how long a system call or a function takes: a live heat map',
	usage: '[-p PID | -n PROGRAM] [options] CALL [-- COMMAND...]',
	text: `
Times the system call CALL (read, 'epoll_*'), or with --function a function of the process or
command: NAME, or OBJECT:NAME (libc.so.6:malloc; a.out is the program itself). Time runs from
left to right, latency from bottom to top. Ctrl-C ends it with a summary.`,
	options: {
		function: { type: 'boolean', short: 'f', help: 'CALL is a function' },
		web: { type: 'boolean', short: 'w', help: 'show it in a page, too, for this machine only' },
		port: { type: 'string', value: 'N', default: '0', help: 'of the page (a free one)' },
		...SHARED,
	},
	words: 1,
	run,
};
