#!/usr/bin/env node
/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * npx dtrace-async TOOL: runs the tool of that name. A tool is one file beside this one,
 * which says what it is about, which options it has, and what it does (tool.js).
 */
const { version } = require('../package.json');
const { runTool } = require('./tool');

/* By name, in the order in which the help lists them. */
const TOOLS = {
	syscalls: () => require('./syscalls'),
	latency: () => require('./latency'),
	flame: () => require('./flame'),
	files: () => require('./files'),
	net: () => require('./net'),
};

function help() {
	const lines = Object.entries(TOOLS)
	    .map(([name, load]) => `  ${name.padEnd(10)} ${load().about}`);

	return `usage: dtrace-async TOOL [options] [-- COMMAND...]

${lines.join('\n')}

dtrace-async help TOOL tells more. Tracing needs root, or CAP_BPF and CAP_PERFMON.
`;
}

function main([name, ...args]) {
	if (name === 'help' && args.length > 0) {
		main([args[0], '--help']);
	} else if (name === undefined || name === '-h' || name === '--help' || name === 'help') {
		process.stdout.write(help());
		process.exitCode = name === undefined ? 2 : 0;
	} else if (name === '-V' || name === '--version') {
		process.stdout.write(`${version}\n`);
	} else if (!Object.hasOwn(TOOLS, name)) {
		process.stderr.write(`dtrace-async: there is no tool '${name}'\n\n${help()}`);
		process.exitCode = 2;
	} else {
		runTool(name, TOOLS[name](), args);
	}
}

/* Whoever reads may have had enough; what cannot be written otherwise is an error, told once. */
process.stderr.on('error', () => {});
process.stdout.on('error', (error) => {
	if (error.code !== 'EPIPE' && process.exitCode !== 1) {
		process.exitCode = 1;
		process.stderr.write(`dtrace-async: ${error.message}\n`);
	}
});
main(process.argv.slice(2));
