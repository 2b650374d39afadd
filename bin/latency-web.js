/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * The heat map as a page, for programs on this machine only: it listens on the loopback
 * interface, and answers to no other name than that (a page of somebody else's, whose name
 * has been made to lead here, would otherwise read it). The page is told of each column by
 * a stream of server-sent events that begins with those there are.
 */
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { UsageError } = require('./tool');
const { duration } = require('./screen');
const { bounds } = require('./heatmap');

const FILES = {
	'/': ['latency-page.html', 'text/html; charset=utf-8'],
	'/latency-page.js': ['latency-page.js', 'text/javascript; charset=utf-8'],
};

/* Columns that are kept for pages to come. */
const KEPT = 3600;

const HEADERS = {
	'Content-Security-Policy': "default-src 'self'; style-src 'unsafe-inline'",
	'X-Content-Type-Options': 'nosniff',
	'Cache-Control': 'no-store',
};

function portOf(text) {
	const port = Number(text);

	if (!Number.isInteger(port) || port < 0 || port > 65535)
		throw new UsageError(`'${text}' is no port`);
	return port;
}

/**
 * @param {{port: string, title: string, interval: number}} settings
 * @returns {Promise<{url: string, add: function(number[]): void, close: function()}>} add()
 *	shows a column
 */
async function serve({ port, title, interval }) {
	const about = { title, interval, bands: bounds.map(duration) };
	const columns = [];
	const streams = new Set();
	const server = http.createServer((request, response) => {
		const { port: own } = server.address();
		const [pathname] = request.url.split('?'); /* which need not be a URL's */

		if (![`127.0.0.1:${own}`, `localhost:${own}`].includes(request.headers.host)) {
			response.writeHead(403).end();
		} else if (pathname === '/columns') {
			response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
			tell(response, 'about', about);
			columns.forEach((column) => tell(response, 'column', column));
			streams.add(response);
			response.on('close', () => streams.delete(response));
		} else if (Object.hasOwn(FILES, pathname)) {
			const [file, type] = FILES[pathname];

			response.writeHead(200, { ...HEADERS, 'Content-Type': type });
			fs.createReadStream(path.join(__dirname, file)).pipe(response);
		} else {
			response.writeHead(404).end();
		}
	});

	server.listen(portOf(port), '127.0.0.1');
	await once(server, 'listening');
	return {
		url: `http://127.0.0.1:${server.address().port}/`,
		add(column) {
			columns.push(column);
			if (columns.length > KEPT)
				columns.shift();
			for (const stream of streams)
				tell(stream, 'column', column);
		},
		close() {
			server.closeAllConnections?.();
			server.close();
		},
	};
}

function tell(stream, event, data) {
	stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

module.exports = { serve };
