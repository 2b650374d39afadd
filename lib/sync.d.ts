/* SPDX-License-Identifier: Apache-2.0 */
import { AggregationCallback, OptionValue, RecordCallback } from './index.js';

/**
 * A consumer of which every call is done when it returns, and throws when it fails.
 * Programs written for node-libdtrace run with only the require changed.
 *
 * @example
 * const { Consumer } = require('dtrace-async/sync');
 * const dtp = new Consumer();
 *
 * dtp.strcompile('BEGIN { trace("hello world"); }');
 * dtp.go();
 * dtp.consume((probe, rec) => rec && console.log(rec.data));
 * dtp.stop();
 */
export class Consumer {
	/** Throws when DTrace cannot be initialised, for example for lack of privilege. */
	constructor();

	/** Compiles a D program and adds its clauses to what go() will enable. */
	strcompile(program: string): void;

	/** Instruments the system. When it returns, BEGIN has fired. */
	go(): void;

	/** Ends tracing. What END and the last moments left can still be had. */
	stop(): void;

	/** Sets an option, as `dtrace -x name=value` does; without a value it is turned on. */
	setopt(name: string, value?: OptionValue): void;

	/**
	 * Gives every record traced since the last call. An exception of the callback comes
	 * out, and what it has not seen is given by the next call.
	 */
	consume(callback: RecordCallback): void;

	/**
	 * Takes a snapshot of the aggregations and gives every record of it, which is then
	 * removed.
	 */
	aggwalk(callback: AggregationCallback): void;

	/** The smallest bound of a bucket: what lies below the lowest one. */
	aggmin(): number;

	/** The largest bound of a bucket: what lies above the highest one. */
	aggmax(): number;

	/** libdtrace's version, as `dtrace -V` prints it. */
	version(): string;
}
