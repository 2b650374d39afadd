/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/**
 * An option's value as libdtrace reads it: text.
 *
 * @param {string} name the option, for the error's message
 * @param {string|number|bigint|boolean|undefined} value undefined means "on"
 * @returns {string|undefined}
 * @throws {TypeError} for anything that is not an integer, a boolean or a string
 */
function optionText(name, value) {
	switch (typeof value) {
	case 'undefined':
	case 'string':
		return value;
	case 'boolean':
		return value ? '1' : '0';
	case 'bigint':
		return String(value);
	case 'number':
		if (Number.isInteger(value))
			return String(BigInt(value)); /* never with an exponent */
		break;
	}
	throw new TypeError(
		`the value of option '${name}' must be an integer, a boolean or a string`);
}

module.exports = { optionText };
