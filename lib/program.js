/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* What a program is compiled with, and what it is run against, as the add-on takes them. */

const { checkObject } = require('./settings');

/**
 * @param {string} program
 * @param {{args?: Array<string|number|bigint>, defines?: Object<string, string|number|bigint|boolean>}} [options]
 * @returns {[string, string[]|undefined, string|undefined]} the program, $0 $1 and so on,
 *	definitions for the C preprocessor
 */
function programArguments(program, options = {}) {
	checkText(program, 'the program');
	checkObject(options, 'the options');
	const { args, defines } = options;

	if (args !== undefined && !Array.isArray(args))
		throw new TypeError('args must be an array');
	if (defines !== undefined)
		checkObject(defines, 'defines');
	return [
		program,
		args && ['dtrace', ...args.map((value) => text(value, 'a macro argument'))],
		defines && definitions(defines),
	];
}

function definitions(defines) {
	return Object.entries(defines).map(([name, value]) => {
		if (!/^[A-Za-z_]\w*$/.test(name))
			throw new TypeError(`'${name}' cannot be defined`);
		const meaning = value === true ? '1' : text(value, `the value of ${name}`);

		if (meaning.includes('\n'))
			throw new TypeError(`the value of ${name} must be one line`);
		return `#define ${name} ${meaning}\n`;
	}).join('');
}

/**
 * @param {number|string|string[]} target a pid, or a command with its arguments
 * @returns {number|string[]}
 */
function targetCommand(target) {
	if (Number.isInteger(target) && target > 0)
		return target;
	const words = typeof target === 'string' ? target.trim().split(/\s+/) : target;

	if (!Array.isArray(words) || words.length === 0 || words[0] === '')
		throw new TypeError('the target must be a pid or a command');
	words.forEach((word) => checkText(word, 'a word of the command'));
	return words;
}

function text(value, what) {
	if (typeof value === 'number' || typeof value === 'bigint')
		return String(value);
	checkText(value, what);
	return value;
}

function checkText(value, what) {
	if (typeof value !== 'string')
		throw new TypeError(`${what} must be a string`);
	if (value.includes('\0'))
		throw new TypeError(`${what} must not contain a NUL character`);
}

module.exports = { programArguments, targetCommand };
