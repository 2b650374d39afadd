/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { open } = require('./helper');

test('options take integers, booleans, strings, and nothing at all', async () => {
	const dtp = await open();

	dtp.setopt('quiet');
	dtp.setopt('quiet', undefined);
	dtp.setopt('quiet', true);
	dtp.setopt('quiet', false);
	dtp.setopt('quiet', 1);
	dtp.setopt('bufsize', 1048576);
	dtp.setopt('bufsize', 1048576n);
	dtp.setopt('bufsize', '1048576');
	dtp.setopt('bufsize', '512k');
	dtp.setopt('aggrate', '10hz');
	dtp.setopt('switchrate', '100ms');
});

test('values that are none of these throw', async () => {
	const dtp = await open();

	for (const value of [{}, [], [1], new Date(), 1.5, NaN, Infinity, null, () => 1,
		Symbol('value'), new Number(1), new String('1m')]) {
		assert.throws(() => dtp.setopt('bufsize', value), {
			name: 'TypeError',
			message: /'bufsize' must be an integer, a boolean or a string/,
		});
	}
});

test('unknown options and bad values throw', async () => {
	const dtp = await open();

	assert.throws(() => dtp.setopt('nosuchoption'),
	    /couldn't set option 'nosuchoption': /);
	assert.throws(() => dtp.setopt('nosuchoption', 1), /'nosuchoption' to '1': /);
	assert.throws(() => dtp.setopt('bufsize', 'large'), /'bufsize' to 'large': /);
	assert.throws(() => dtp.setopt('bufsize', ''), /couldn't set option 'bufsize'/);
	assert.throws(() => dtp.setopt('aggrate', 'often'), /'aggrate' to 'often': /);
	assert.throws(() => dtp.setopt(''), /couldn't set option ''/);
	assert.throws(() => dtp.setopt(), TypeError);
	assert.throws(() => dtp.setopt(1, 1), TypeError);
});
