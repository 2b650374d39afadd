/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * The classic interface: one Consumer is one libdtrace handle. What may block runs on the
 * thread pool, in the order it was asked for; what gives out data is synchronous. The
 * add-on keeps the handle whole, the rules of which call is allowed when are here.
 */
const { EventEmitter } = require('node:events');
const native = require('./native');
const { optionText } = require('./option');

/* Kinds of items in a batch, and the bits they take: see addon/records.c. */
const ITEM_TEXT = 1;
const ITEM_END = 2;
const ITEM_BITS = 2;
const ITEM_KIND = (1 << ITEM_BITS) - 1;

/* What has been asked for so far; the queue may still be working on it. */
const OPENING = 'opening';
const FAILED = 'failed';
const READY = 'ready';
const STARTED = 'started';
const STOPPED = 'stopped';

/**
 * The name of a probe. The same object is given for every firing of a probe.
 *
 * @typedef {object} Probe
 * @property {string} provider
 * @property {string} module
 * @property {string} function
 * @property {string} name
 * @property {string} func the same as `function`
 */

/**
 * One traced value: printf gives its text; trace a number or a string; sym, mod, usym,
 * umod, uaddr, func and ufunc a symbol; stack and ustack their frames, one a line.
 *
 * @typedef {object} TraceRecord
 * @property {number|string} data
 */

/**
 * A bucket of quantize, lquantize or llquantize: inclusive bounds, and what was counted.
 *
 * @typedef {[[min: number, max: number], count: number]} Bucket
 */

/**
 * @callback OperationCallback
 * @param {Error|null} error
 * @returns {void}
 */

/**
 * @callback RecordCallback
 * @param {Probe} probe
 * @param {TraceRecord} [record] undefined when all records of one firing have been given
 * @returns {void}
 */

/**
 * @callback AggregationCallback
 * @param {number} varid counts the aggregations from 1 in program order
 * @param {Array<number|string>} key empty for an aggregation without keys
 * @param {number|Bucket[]} value
 * @returns {void}
 */

/**
 * A consumer of DTrace data, made by createConsumer().
 *
 * Events: `ready`, once programs can be compiled; `error` with an Error when DTrace cannot
 * be initialised, for example for lack of privilege; `fault` when a clause was abandoned
 * for a run-time fault; `drop` when data was lost.
 *
 * @example
 * const dtp = createConsumer();
 * dtp.on('ready', async () => {
 * 	await dtp.strcompile('BEGIN { trace("hello world"); }');
 * 	await dtp.go();
 * 	dtp.consume((probe, rec) => rec && console.log(rec.data));
 * 	await dtp.stop();
 * });
 */
class Consumer extends EventEmitter {
	#handle = new native.Handle();
	#state = OPENING;
	#isCalling = false;
	/* Probe, record, probe, record...: what a callback's exception kept from it. */
	#backlog = [];

	constructor() {
		super();
		this.#handle.open((message) => {
			if (message !== null) {
				this.#state = FAILED;
				this.emit('error', new Error(message));
			} else {
				this.#state = READY;
				this.emit('ready');
			}
		});
	}

	/**
	 * Compiles a D program and adds its clauses to what go() will enable.
	 *
	 * @param {string} program
	 * @param {OperationCallback} [callback] without it a promise is returned
	 * @returns {Promise<void>|undefined}
	 * @example
	 * dtp.strcompile('syscall:::entry { @[execname] = count(); }', (err) => { ... });
	 */
	strcompile(program, callback) {
		this.#checkNotStarted();
		if (typeof program !== 'string')
			throw new TypeError('the program must be a string');
		if (program.includes('\0'))
			throw new TypeError('the program must not contain a NUL character');
		return this.#submit('strcompile', [program], callback);
	}

	/**
	 * Instruments the system. When the callback runs, BEGIN has fired.
	 *
	 * @param {OperationCallback} [callback] without it a promise is returned
	 * @returns {Promise<void>|undefined}
	 */
	go(callback) {
		this.#checkNotStarted();
		const result = this.#submit('go', [], callback, (error) => {
			if (error !== null && this.#state === STARTED)
				this.#state = READY;
		});
		this.#state = STARTED;
		return result;
	}

	/**
	 * Ends tracing. It waits for operations that are under way. What END and the last
	 * moments left can still be had from consume() and aggwalk().
	 *
	 * @param {OperationCallback} [callback] without it a promise is returned
	 * @returns {Promise<void>|undefined}
	 */
	stop(callback) {
		this.#checkNotStopped();
		const result = this.#submit('stop', [], callback);
		this.#state = STOPPED;
		return result;
	}

	/**
	 * Sets an option, as `dtrace -x name=value` does.
	 *
	 * @param {string} name
	 * @param {string|number|bigint|boolean} [value] without it the option is turned on
	 * @returns {void}
	 * @example
	 * dtp.setopt('bufsize', '16m');
	 */
	setopt(name, value) {
		this.#checkIdle();
		if (typeof name !== 'string')
			throw new TypeError("the option's name must be a string");
		this.#handle.setopt(name, optionText(name, value));
	}

	/**
	 * Gives every record traced since the last call. Should the callback throw, the
	 * exception comes out of consume(), and the records it has not seen are given by
	 * the next call.
	 *
	 * @param {RecordCallback} callback
	 * @returns {void}
	 */
	consume(callback) {
		this.#checkIdle();
		checkFunction(callback);
		const { items, numbers, probes } = this.#handle;
		const wantsFaults = this.listenerCount('fault') > 0;
		const failures = [];
		let backlog = this.#backlog;

		const give = (probe, record) => {
			if (failures.length > 0) {
				this.#backlog.push(probe, record);
				return;
			}
			try {
				callback(probe, record);
			} catch (error) {
				failures.push(error);
			}
		};
		const giveBacklog = () => {
			const earlier = backlog;

			backlog = [];
			for (let i = 0; i < earlier.length; i += 2)
				give(earlier[i], earlier[i + 1]);
		};
		const deliver = (count, ...texts) => {
			let text = 0;

			giveBacklog();
			for (let i = 0; i < count; i++) {
				const probe = probes[items[i] >> ITEM_BITS];
				const kind = items[i] & ITEM_KIND;

				if (kind === ITEM_END)
					give(probe, undefined);
				else
					give(probe, { data: kind === ITEM_TEXT ?
					    texts[text++] : numbers[i] });
			}
		};

		this.#backlog = [];
		try {
			this.#call(() => {
				this.#handle.consume(deliver, wantsFaults);
				giveBacklog();
			});
		} catch (error) {
			failures.push(error);
		}
		this.#emitEvents();
		if (failures.length > 0)
			throw failures[0];
	}

	/**
	 * Takes a snapshot of the aggregations and gives every record of it, which is
	 * then removed. Should the callback throw, the exception comes out of aggwalk(),
	 * and the records it has not seen stay.
	 *
	 * @param {AggregationCallback} callback
	 * @returns {void}
	 */
	aggwalk(callback) {
		this.#checkIdle();
		checkFunction(callback);
		this.#call(() => this.#handle.aggwalk(callback));
		this.#emitEvents();
	}

	/**
	 * The smallest bound of a bucket: what lies below the lowest one.
	 *
	 * @returns {number}
	 */
	aggmin() {
		this.#checkOpen();
		return native.aggmin;
	}

	/**
	 * The largest bound of a bucket: what lies above the highest one.
	 *
	 * @returns {number}
	 */
	aggmax() {
		this.#checkOpen();
		return native.aggmax;
	}

	/**
	 * libdtrace's version, as `dtrace -V` prints it.
	 *
	 * @returns {string}
	 */
	version() {
		this.#checkOpen();
		return native.version;
	}

	#checkOpen() {
		if (this.#state === OPENING)
			throw new Error('consumer not yet ready');
		if (this.#state === FAILED)
			throw new Error('consumer failed to initialize');
	}

	#checkNotStopped() {
		this.#checkOpen();
		if (this.#state === STOPPED)
			throw new Error('consumer has been stopped');
	}

	#checkNotStarted() {
		this.#checkNotStopped();
		if (this.#state === STARTED)
			throw new Error('consumer has already been started');
	}

	#checkIdle() {
		this.#checkOpen();
		if (this.#isCalling)
			throw new Error('consumer is busy');
	}

	/* Runs a synchronous use of the handle, during which there is no other. */
	#call(use) {
		this.#isCalling = true;
		try {
			use();
		} finally {
			this.#isCalling = false;
		}
	}

	#submit(operation, values, callback, settle) {
		if (callback !== undefined) {
			checkFunction(callback);
			this.#start(operation, values, callback, settle);
			return undefined;
		}
		return new Promise((resolve, reject) => {
			this.#start(operation, values,
			    (error) => (error ? reject(error) : resolve()), settle);
		});
	}

	#start(operation, values, callback, settle) {
		this.#handle[operation](...values, (message) => {
			const error = message === null ? null : new Error(message);

			if (settle)
				settle(error);
			try {
				this.#emitEvents();
			} finally {
				callback(error);
			}
		});
	}

	/* Faults and drops that the last use of the handle brought to light. */
	#emitEvents() {
		for (const { type, ...event } of this.#handle.events() || [])
			this.emit(type, event);
	}
}

function checkFunction(callback) {
	if (typeof callback !== 'function')
		throw new TypeError('the callback must be a function');
}

module.exports = { Consumer };
