/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Loads the add-on that `make addon` builds. DTRACE_ASYNC_ADDON names another one, such as
 * a build with sanitizers.
 */
const path = require('node:path');

const root = path.join(__dirname, '..');
const file = process.env.DTRACE_ASYNC_ADDON ||
    path.join(root, 'build', 'dtrace_async.node');

try {
	module.exports = require(file);
} catch (cause) {
	throw new Error(
		`dtrace-async is not built: run "make addon" in ${root} (${cause.message})`,
		{ cause },
	);
}
