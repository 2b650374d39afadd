/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Which programs make system calls: two seconds of them, counted by program name. */
const dtrace = require('dtrace-async');

const SECONDS = 2;
const dtp = dtrace.createConsumer();

dtp.on('error', fail);
dtp.on('ready', () => main().catch(fail));

async function main() {
	await dtp.strcompile('syscall:::entry { @[execname] = count(); }');
	await dtp.go();
	await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
	await dtp.stop();

	const rows = [];
	dtp.aggwalk((varid, [program], count) => rows.push({ program, count }));
	print(rows);
}

function print(rows) {
	const total = rows.reduce((sum, row) => sum + row.count, 0);
	const line = (program, count, rate) =>
	    console.log(program.padEnd(20), String(count).padStart(12), rate.padStart(12));

	line('PROGRAM', 'CALLS', 'PER SECOND');
	for (const { program, count } of rows.sort((a, b) => b.count - a.count))
		line(program, count, (count / SECONDS).toFixed(1));
	line('total', total, (total / SECONDS).toFixed(1));
}

function fail(err) {
	console.error(err.message);
	process.exitCode = 1;
}
