/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Hello, world: a D program that prints when tracing begins. */
const dtrace = require('dtrace-async');
const vasync = require('vasync');

const dtp = dtrace.createConsumer();

dtp.on('error', (err) => {
	console.error(err.message);
	process.exitCode = 1;
});

dtp.on('ready', () => {
	vasync.pipeline({
		funcs: [
			(_, next) =>
			    dtp.strcompile('BEGIN { trace("hello world"); }', next),
			(_, next) => dtp.go(next),
			(_, next) => {
				dtp.consume((probe, rec) => {
					if (rec)
						console.log(rec.data);
				});
				next();
			},
			(_, next) => dtp.stop(next),
		],
	}, (err) => {
		if (err) {
			console.error(err.message);
			process.exitCode = 1;
		}
	});
});
