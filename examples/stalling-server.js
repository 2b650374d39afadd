/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * A server with a problem: once a minute nobody gets an answer for a while. doc/stalls.md
 * finds out why, by tracing it.
 *
 *	node examples/stalling-server.js [--port N] [--every SECONDS] [--fixed]
 */
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { setTimeout } = require('node:timers/promises');
const { parseArgs, promisify } = require('node:util');
const zlib = require('node:zlib');

const { values: options } = parseArgs({ options: {
	port: { type: 'string', default: '0' },
	every: { type: 'string', default: '60' },
	fixed: { type: 'boolean' },
} });

/* Who has asked for what: that of a busy day. */
const log = Array.from({ length: 300000 }, (_, i) =>
    `${1e9 + i * 577} 10.1.${i % 251}.${i * 7 % 253} GET /item/${i * 7919 % 99991} 200\n`);
const archive = path.join(os.tmpdir(), `access-${process.pid}.log.gz`);

async function archiveLog() {
	const text = log.join('');
	const compressed = options.fixed ? await promisify(zlib.gzip)(text) : zlib.gzipSync(text);

	await fs.promises.writeFile(archive, compressed);
}

const server = http.createServer((request, response) => {
	log.shift();
	log.push(`${Date.now()} ${request.socket.remoteAddress} GET ${request.url} 200\n`);
	response.end(`${JSON.stringify({ now: Date.now(), url: request.url })}\n`);
});

function end() {
	fs.rmSync(archive, { force: true });
	process.exit();
}

async function archiveAgainAndAgain() {
	for (;;) {
		await setTimeout(Number(options.every) * 1000);
		await archiveLog();
	}
}

archiveAgainAndAgain();
process.on('SIGINT', end);
process.on('SIGTERM', end);
server.listen(Number(options.port), '127.0.0.1', () =>
	console.log(`process ${process.pid} answers at http://127.0.0.1:${server.address().port}/`));
