/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* What open() and run() are given: refused at once where it cannot be meant. */

/**
 * @param {import('./index').OpenSettings} settings
 * @returns {import('./index').OpenSettings}
 */
function checkSettings(settings) {
	checkObject(settings, 'the settings');
	const { options, signal, highWaterMark } = settings;

	if (options !== undefined)
		checkObject(options, 'the setting options');
	checkSignal(signal);
	for (const name of ['bigint', 'pid'])
		if (settings[name] !== undefined && typeof settings[name] !== 'boolean')
			throw new TypeError(`the setting ${name} must be true or false`);
	if (highWaterMark !== undefined && !(Number.isInteger(highWaterMark) && highWaterMark > 0))
		throw new TypeError('highWaterMark must be a positive integer');
	return settings;
}

function checkSignal(signal) {
	if (signal !== undefined && typeof signal?.throwIfAborted !== 'function')
		throw new TypeError('the signal must be an AbortSignal');
}

function checkObject(value, what) {
	if (value === null || typeof value !== 'object')
		throw new TypeError(`${what} must be an object`);
}

module.exports = { checkObject, checkSettings, checkSignal };
