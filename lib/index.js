/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

const { Consumer } = require('./consumer');
const { DTraceError } = require('./error');
const provider = require('./provider');

/**
 * Makes a consumer. It is returned at once and opens on the thread pool: wait for its
 * `ready` or `error` event.
 *
 * @returns {Consumer}
 */
function createConsumer() {
	return new Consumer();
}

/**
 * Opens a consumer that reads by itself. Options are set before it is returned; unless
 * said otherwise records come in the order of time, with their timestamps (`temporal`).
 *
 * @param {import('./index').OpenSettings} [settings]
 * @returns {Promise<Consumer>}
 * @example
 * await using dt = await open({ options: { bufsize: '16m' } });
 * await dt.run('tick-1s { trace(timestamp); }');
 * for await (const record of dt)
 * 	console.log(record.data[0]);
 */
function open(settings) {
	return Consumer.open(settings);
}

/**
 * The probes of the system that a pattern matches, as `dtrace -l -n pattern` lists them.
 *
 * @param {string} [pattern] all probes where it is left out
 * @returns {AsyncIterableIterator<import('./index').ListedProbe>}
 */
async function *listProbes(pattern) {
	const consumer = await open();

	try {
		yield* consumer.listProbes(pattern);
	} finally {
		await consumer.close();
	}
}

/* With what provider.js exports: installed by the name of dtrace-provider, this is one. */
module.exports = { Consumer, DTraceError, createConsumer, listProbes, open, ...provider };
