/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What the tools have in common: options, the process or command that is traced, the end by
 * Ctrl-C, and errors. A tool exports
 *
 *	about		what it is for, for the list of tools
 *	usage		what may follow its name
 *	text		the rest of its help
 *	options		its own options, for util.parseArgs(), each with its help
 *	words		how many words it takes besides them; none unless it says so
 *	run(session)	does the work, with a Session
 */
const { constants } = require('node:os');
const { parseArgs } = require('node:util');
const { IS_NAMED, NAMES, nameArguments } = require('./program');

const COMMON = {
	pid: { type: 'string', short: 'p', value: 'PID', help: 'trace this process' },
	seconds: { type: 'string', short: 't', value: 'N', help: 'end after N seconds' },
	help: { type: 'boolean', short: 'h', help: 'this text' },
};

/** Options that several tools have. */
const SHARED = {
	interval: {
		type: 'string', short: 'i', value: 'N', default: '1',
		help: 'seconds from one picture to the next (1)',
	},
	name: {
		type: 'string', short: 'n', value: 'PROGRAM',
		help: 'trace the processes of this program',
	},
};

/* The tool was not used as its help says. */
class UsageError extends Error {}

/* One run of a tool. */
class Session {
	#end = new AbortController();
	#consumer = null;
	#hasBegun = false; /* to trace */
	#status;

	/**
	 * @param {object} options by their long names
	 * @param {string[]} words what else stands on the command line
	 * @param {string[]} command what stands after `--`
	 */
	constructor(options, words, command) {
		this.options = options;
		this.words = words;
		this.command = command;
		this.pid = options.pid === undefined ? undefined : processOf(options.pid);
		this.seconds = this.number('seconds');
		this.isLive = process.stdout.isTTY === true;
		if ([this.pid, options.name, command[0]].filter((one) => one !== undefined).length > 1)
			throw new UsageError('a pid, a program or a command, but only one of them');
	}

	/** The value of an option that is a number above 0, or undefined. */
	number(name) {
		const text = this.options[name];

		if (text === undefined)
			return undefined;
		if (!(Number(text) > 0 && Number(text) < 1e6))
			throw new UsageError(`--${name} takes a number above 0, not '${text}'`);
		return Number(text);
	}

	/** Whether one process, or a command with those it starts, is traced. */
	get hasTarget() {
		return this.pid !== undefined || this.command.length > 0;
	}

	/** The D predicate for what is traced. */
	get predicate() {
		if (this.command.length > 0)
			return 'progenyof($target)';
		if (this.pid !== undefined)
			return 'pid == $target';
		return this.options.name === undefined ? '1' : IS_NAMED;
	}

	/** What is traced, for headings. */
	get subject() {
		if (this.command.length > 0)
			return this.command.join(' ');
		if (this.pid !== undefined)
			return `process ${this.pid}`;
		return this.options.name ?? 'all programs';
	}

	/** Aborted by Ctrl-C, when the time is over, and when the target has ended. */
	get signal() {
		return this.#end.signal;
	}

	/** Ends the run, as Ctrl-C does. */
	end() {
		this.#end.abort();
	}

	/** Ends it for a signal. Before it traces there is nothing to tell of it. */
	interrupt(signal) {
		if (!this.#hasBegun)
			this.#status = 128 + constants.signals[signal];
		this.end();
	}

	/** The exit status of a run that a signal has ended before it began, or undefined. */
	get interrupted() {
		return this.#status;
	}

	/**
	 * Starts tracing.
	 *
	 * @param {string} program in D
	 * @param {object} [options] of the consumer
	 * @returns {Promise<import('dtrace-async').Consumer>} closed when the run is over
	 */
	async trace(program, options = {}) {
		/* Here: where there is no add-on, that is an error of a run, and help can be had. */
		const { open } = require('dtrace-async');
		const target = this.command.length > 0 ? this.command : this.pid;
		const dt = await open({ target, signal: this.signal, options });

		this.#consumer = dt;
		dt.on('procexit', () => this.end());
		dt.on('exit', () => this.end());
		dt.on('error', (error) => complain(error.message));
		dt.on('drop', ({ message }) => complain(message));
		dt.on('fault', ({ message }) => complain(message));
		await dt.run(`${NAMES}${program}`, {
			args: this.options.name === undefined ? [] : nameArguments(this.options.name),
		});
		this.#hasBegun = true;
		if (this.seconds !== undefined)
			setTimeout(() => this.end(), this.seconds * 1000).unref();
		return dt;
	}

	/**
	 * Waits for the next picture; whether there is one, or the run is over.
	 *
	 * @param {number} seconds
	 * @returns {Promise<boolean>}
	 */
	pause(seconds) {
		const { signal } = this;

		return new Promise((resolve) => {
			const settle = () => {
				clearTimeout(timer);
				signal.removeEventListener('abort', settle);
				resolve(!signal.aborted);
			};
			const timer = setTimeout(settle, seconds * 1000);

			signal.addEventListener('abort', settle);
			if (signal.aborted)
				settle();
		});
	}

	/** Ends tracing; the last data can still be had. */
	async stop() {
		this.end();
		await this.#consumer.stop();
	}

	async close() {
		this.end();
		await this.#consumer?.close();
	}
}

function processOf(text) {
	const pid = Number(text);

	if (!Number.isInteger(pid) || pid <= 0)
		throw new UsageError(`'${text}' is not a pid`);
	try {
		process.kill(pid, 0);
	} catch (error) {
		if (error.code === 'ESRCH')
			throw new Error(`there is no process ${pid}`);
	}
	return pid;
}

/* Of what a compile error says, the tool's user has not seen the program. */
function reason({ message, code }) {
	return code === 'EDT_COMPILER' ? message.replace(/^[^]*': (?:line \d+: )?/, '') : message;
}

function complain(message) {
	process.stderr.write(`${message.trimEnd()}\n`);
}

function help(name, tool) {
	const lines = Object.entries({ ...tool.options, ...COMMON })
	    .map(([long, { short, value, help: text }]) => {
		const flags = `${short ? `-${short}, ` : '    '}--${long}${value ? ` ${value}` : ''}`;

		return `  ${flags.padEnd(24)} ${text}`;
	});

	return `usage: dtrace-async ${name} ${tool.usage}

${tool.text.trim()}

${lines.join('\n')}
`;
}

/* Everything after the first `--` is the command. */
function parse(tool, args) {
	const at = args.indexOf('--');
	const own = at < 0 ? args : args.slice(0, at);
	const command = at < 0 ? [] : args.slice(at + 1);

	if (at >= 0 && command.length === 0)
		throw new UsageError('-- is followed by a command');
	const { values, positionals } = parseArgs({
		args: own,
		options: { ...tool.options, ...COMMON },
		allowPositionals: true,
	});

	return { values, positionals, command };
}

/* `files ls`, where `files -- ls` was meant, must not trace everything instead. */
function checkWords(tool, words) {
	const unexpected = words[tool.words ?? 0];

	if (unexpected !== undefined)
		throw new UsageError(`'${unexpected}' is not expected; a command stands after --`);
}

function isUsage(error) {
	return error instanceof UsageError || /^ERR_PARSE_ARGS/.test(error.code ?? '');
}

/**
 * Runs a tool with its command line. Errors go to standard error; the exit status is then 1,
 * and 2 where the command line is at fault.
 */
async function runTool(name, tool, args) {
	let session;

	try {
		const { values, positionals, command } = parse(tool, args);

		if (values.help) {
			process.stdout.write(help(name, tool));
			return;
		}
		checkWords(tool, positionals);
		session = new Session(values, positionals, command);
		/* A second Ctrl-C has its usual effect. */
		for (const signal of ['SIGINT', 'SIGTERM'])
			process.once(signal, () => session.interrupt(signal));
		/* Whoever reads has enough: `dtrace-async files -p 1 | head`. */
		process.stdout.on('error', () => session.end());
		await tool.run(session);
	} catch (error) {
		process.exitCode = session?.interrupted ?? (isUsage(error) ? 2 : 1);
		if (session?.interrupted)
			return;
		complain(`dtrace-async ${name}: ${reason(error)}`);
		if (isUsage(error))
			complain(`dtrace-async ${name} --help tells how it is used`);
	} finally {
		await session?.close();
	}
}

module.exports = { SHARED, UsageError, runTool };
