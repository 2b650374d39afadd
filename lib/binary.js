/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Where the add-on is: built here from source, or prebuilt, as a package carries it. */
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const platform = `${process.platform}-${process.arch}`;
const built = path.join(root, 'build', 'dtrace_async.node');
const prebuilt = path.join(root, 'prebuilds', platform, 'dtrace_async.node');

/* What has been built here is newer. */
function addonFile() {
	return process.env.DTRACE_ASYNC_ADDON || (fs.existsSync(built) ? built : prebuilt);
}

/* Why a file that is no add-on of ours cannot be loaded, in a few words. */
function whyNot(file, error) {
	return fs.existsSync(file) ? error.message : `there is none for ${platform}`;
}

module.exports = { addonFile, platform, prebuilt, root, whyNot };
