/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Loads the add-on that the package carries or `make addon` has built. DTRACE_ASYNC_ADDON
 * names another one, such as a build with sanitizers.
 */
const { addonFile, root, whyNot } = require('./binary');

const file = addonFile();

try {
	module.exports = require(file);
} catch (cause) {
	throw new Error(`dtrace-async has no add-on that works here (${whyNot(file, cause)}): ` +
	    `"node ${root}/script/install.js" builds one, or tells what that takes`, { cause });
}
