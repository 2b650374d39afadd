/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* JSON in which integers may be larger than a number can hold. */

/* A string, a number, or a character of punctuation. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[[\]{},:]/g;

/**
 * As JSON.parse(), for text that is valid, but integers beyond 2^53 become BigInt.
 *
 * @param {string} json
 * @returns {*}
 */
function parseExact(json) {
	const tokens = json.match(TOKEN);
	let next = 0;

	const members = (end, read) => {
		while (tokens[next] !== end) {
			read();
			if (tokens[next] === ',')
				next++;
		}
		next++;
	};
	const value = () => {
		const token = tokens[next++];

		if (token === '[') {
			const array = [];

			members(']', () => array.push(value()));
			return array;
		}
		if (token === '{') {
			const object = {};

			members('}', () => {
				const name = JSON.parse(tokens[next]);

				next += 2; /* the name and its colon */
				object[name] = value();
			});
			return object;
		}
		return scalar(token);
	};

	return value();
}

function scalar(token) {
	const plain = JSON.parse(token);
	const isInexact = typeof plain === 'number' && Math.abs(plain) >= 2 ** 53 &&
	    /^-?\d+$/.test(token);

	if (!isInexact)
		return plain;
	const exact = BigInt(token);

	return exact > 2n ** 53n || exact < -(2n ** 53n) ? exact : plain;
}

module.exports = { parseExact };
