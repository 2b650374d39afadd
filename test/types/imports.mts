/* SPDX-License-Identifier: Apache-2.0 */
/* The package imported as an ECMAScript module. Never run. */
import dtrace, { createConsumer, DTraceError, open } from 'dtrace-async';
import provider, { createDTraceProvider } from 'dtrace-async/provider';
import sync, { Consumer } from 'dtrace-async/sync';

const same: boolean = dtrace.createConsumer === createConsumer &&
    sync.Consumer === Consumer && dtrace.open === open &&
    provider.createDTraceProvider === createDTraceProvider &&
    dtrace.createDTraceProvider === createDTraceProvider;

try {
	await (await open()).run('BEGIN { exit(0); }');
} catch (error) {
	if (error instanceof DTraceError)
		console.error(error.tag, same);
}
