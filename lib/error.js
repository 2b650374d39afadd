/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/**
 * What libdtrace, or the kernel behind it, has refused. Wrong use of this interface throws
 * a plain Error or TypeError instead.
 *
 * @property {string} code libdtrace's name of the error ("EDT_COMPILER"), or errno's
 * @property {string} [tag] of a compile error: "D_SYNTAX" and the like
 * @property {number} [line] of a compile error: in the program, from 1
 * @property {number} [column] of a compile error, where known, from 1
 */
class DTraceError extends Error {
	/** @param {{message: string, code?: string, tag?: string, line?: number, column?: number}} failure */
	constructor({ message, ...properties }) {
		super(message);
		Object.assign(this, properties);
	}
}
Object.defineProperty(DTraceError.prototype, 'name',
    { value: 'DTraceError', configurable: true, writable: true });

/* Throws what the add-on has returned, unless nothing has failed. */
function throwFailure(failure) {
	if (failure)
		throw new DTraceError(failure);
}

module.exports = { DTraceError, throwFailure };
