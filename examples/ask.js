/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Asks a server twenty times a second, and tells when an answer took long:
 *
 *	node examples/ask.js URL
 */
const LONG = 100; /* ms */
const url = process.argv[2];

async function ask() {
	const begun = performance.now();

	await (await fetch(url)).text();
	return performance.now() - begun;
}

async function main() {
	for (;;) {
		const took = await ask();

		if (took > LONG)
			console.log(new Date().toLocaleTimeString('en-GB'), `an answer took ${Math.round(took)} ms`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

main().catch((error) => {
	console.error(`${url}: ${error.cause?.message ?? error.message}`);
	process.exitCode = 1;
});
