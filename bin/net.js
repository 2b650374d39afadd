/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Whom a process connects to, and how long that takes. connect() of a socket that does not
 * block returns at once: the provider tcp tells when its connection is there. Of all programs
 * together only numbers are told, as by files.
 */
const { constants } = require('node:os');
const { SocketAddress } = require('node:net');
const { getSystemErrorName } = require('node:util');
const { countByProgram } = require('./program');
const { SHARED } = require('./tool');
const { Screen, duration, plain, table } = require('./screen');
const { showPrograms } = require('./files');

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const { EINPROGRESS, ECONNREFUSED } = constants.errno;

/* Addresses are read in full, and no further: 16 bytes of IPv4, 28 of IPv6. */
const each = (predicate) => `
	syscall::connect:entry
	/${predicate}/
	{
		self->address = arg1;
		self->length = arg2;
		self->socket = 0UL;
		self->begun = timestamp;
	}

	tcp:::connect-request
	/self->begun/
	{
		self->socket = args[1]->cs_cid;
		begun[self->socket] = self->begun;
	}

	tcp:::connect-established
	/begun[args[1]->cs_cid]/
	{
		trace(args[1]->cs_cid);
		trace(0);
		trace(timestamp - begun[args[1]->cs_cid]);
		begun[args[1]->cs_cid] = 0;
	}

	tcp:::connect-refused
	/begun[args[1]->cs_cid]/
	{
		trace(args[1]->cs_cid);
		trace(${ECONNREFUSED});
		trace(timestamp - begun[args[1]->cs_cid]);
		begun[args[1]->cs_cid] = 0;
	}

	${[[28, 'self->length >= 28'], [16, 'self->length >= 16 && self->length < 28'],
		[3, 'self->length >= 3 && self->length < 16']].map(([size, fits]) => `
	syscall::connect:return
	/self->begun && ${fits}/
	{
		trace(self->socket);
		trace(errno);
		trace(timestamp - self->begun);
		trace(program);
		trace(pid);
		tracemem(copyin(self->address, ${size}), ${size});
	}`).join('\n')}

	syscall::connect:return
	{
		self->begun = 0;
	}`;

const BY_PROGRAM = `
	${countByProgram('connects', 'syscall::connect:return')}
	${countByProgram('failed', 'syscall::connect:return', `errno && errno != ${EINPROGRESS}`)}`;

/* What a struct sockaddr of the kernel's says. */
function addressOf(bytes) {
	const family = bytes.readUInt16LE(0);
	const port = () => bytes.readUInt16BE(2);

	if (family === AF_INET && bytes.length >= 16)
		return `${[...bytes.subarray(4, 8)].join('.')}:${port()}`;
	if (family === AF_INET6 && bytes.length >= 28)
		return `[${ipv6(bytes.subarray(8, 24))}]:${port()}`;
	if (family === AF_UNIX)
		return `unix ${unixPath(bytes)}`;
	return `address family ${family}`;
}

function ipv6(bytes) {
	const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));

	return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

/* A name in the abstract namespace begins with a NUL. Long paths are cut. */
function unixPath(bytes) {
	const path = bytes.subarray(2).toString();

	return path.startsWith('\0') ? `@${path.slice(1).replace(/\0.*/s, '')}` :
	    path.replace(/\0.*/s, '');
}

/* Connections that are being made: what is known of each, until it is all known. */
class Attempts {
	#begun = new Map(); /* by socket: {program, pid, address} */
	#ended = new Map(); /* by socket, when that is told first: {errno, took} */

	/* The attempt that is now complete, if one is: {program, pid, address, errno, took}. */
	take([socket, errno, took, program, pid, bytes]) {
		if (program === undefined)
			return this.#end(socket, { errno, took });
		const attempt = { program, pid, address: addressOf(bytes) };

		if (errno !== EINPROGRESS || socket === 0) {
			this.#ended.delete(socket);
			return { ...attempt, errno, took };
		}
		const end = this.#ended.get(socket);

		if (end === undefined)
			this.#begun.set(socket, attempt);
		this.#ended.delete(socket);
		return end && { ...attempt, ...end };
	}

	#end(socket, end) {
		const attempt = this.#begun.get(socket);

		if (attempt === undefined)
			this.#ended.set(socket, end);
		this.#begun.delete(socket);
		return attempt && { ...attempt, ...end };
	}

	/* Those whose end has not come. */
	left() {
		return [...this.#begun.values()];
	}
}

/* Counts of attempts by address: [address, count, failures, time in all of the others]. */
class Totals {
	#rows = new Map();

	add({ address, errno, took }) {
		const row = this.#rows.get(address) ?? { count: 0, failed: 0, time: 0 };

		row.count++;
		if (errno === 0)
			row.time += took;
		else
			row.failed++;
		this.#rows.set(address, row);
	}

	lines() {
		return table([' CONNECTS', ' FAILED', ' AVERAGE', 'ADDRESS'], [...this.#rows]
		    .sort(([, a], [, b]) => b.count - a.count)
		    .map(([address, { count, failed, time }]) => [count, failed || '',
			count > failed ? duration(time / (count - failed)) : '', address]));
	}
}

function line(program, pid, took, rest) {
	return `${plain(program).padEnd(16)} ${String(pid).padStart(8)} ${took.padStart(9)}  ${plain(rest)}`;
}

async function run(session) {
	if (!session.hasTarget && session.options.name === undefined) {
		await showPrograms(session, BY_PROGRAM, ['connects', 'failed']);
		return;
	}
	const screen = new Screen();
	const attempts = new Attempts();
	const totals = new Totals();
	const dt = await session.trace(each(session.predicate));

	screen.print([line('PROGRAM', 'PID', 'TOOK', 'ADDRESS')]);
	for await (const { data } of dt) {
		const attempt = attempts.take(data);

		if (attempt === undefined)
			continue;
		const { program, pid, address, errno, took } = attempt;
		const error = errno === 0 ? '' : `  ${getSystemErrorName(-errno)}`;

		totals.add(attempt);
		screen.print([line(program, pid, duration(took), `${address}${error}`)]);
	}
	for (const { program, pid, address } of attempts.left())
		screen.print([line(program, pid, '', `${address}  not yet there`)]);
	screen.print(['', ...totals.lines()]);
}

module.exports = {
	about: 'whom a process connects to, or how many connections each program makes',
	usage: '[-p PID | -n PROGRAM] [options] [-- COMMAND...]',
	text: `
Shows each connection that a process, the processes of a program, or a command and what it
starts make: to where, how long it took to be there, and the error there was; without them,
how many connections each program makes. Ctrl-C ends it with a summary.`,
	options: SHARED,
	run,
};
