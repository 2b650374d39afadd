/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

const { Consumer } = require('./consumer');

/**
 * Makes a consumer. It is returned at once and opens on the thread pool: wait for its
 * `ready` or `error` event.
 *
 * @returns {Consumer}
 */
function createConsumer() {
	return new Consumer();
}

module.exports = { Consumer, createConsumer };
