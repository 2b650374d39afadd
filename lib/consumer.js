/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * One Consumer is one libdtrace handle. What may block runs on the thread pool, in the
 * order it was asked for. The classic interface gives out data when it is asked to,
 * synchronously; the modern one reads by itself (reader.js). The add-on keeps the handle
 * whole, the rules of which call is allowed when are here.
 */
const { EventEmitter } = require('node:events');
const native = require('./native');
const { DTraceError, throwFailure } = require('./error');
const { optionText } = require('./option');
const { Reader } = require('./reader');
const { Giver, Walker, deliverWhole } = require('./records');
const { programArguments, targetCommand } = require('./program');
const { checkObject, checkSettings, checkSignal } = require('./settings');

/* What has been asked for so far; the queue may still be working on it. */
const OPENING = 'opening';
const FAILED = 'failed';
const READY = 'ready';
const STARTED = 'started';
const STOPPED = 'stopped';
const CLOSED = 'closed';

/* Flags of the add-on's calls (CALL_* in addon/consumer.c), and its outcomes (DA_TURN_*). */
const WHOLE = 1;
const EXACT = 2;
const FAULTS = 4;
const REMOVE = 8;
const MORE = 1;
const DONE = 2;

const EXITED = 2; /* DTRACE_STATUS_EXITED; those above it are ends, too */

/* Listeners to these keep a consumer that reads by itself from being collected. */
const TOLD = ['record', 'exit', 'drop', 'fault', 'procexit'];

/* Records that wait for an iterator, at most. */
const HIGH_WATER_MARK = 4096;

/* Probes that listProbes() makes at a time. */
const PROBES = 256;

/**
 * What is said of these types stands in index.d.ts.
 *
 * @typedef {import('./index').Aggregation} Aggregation
 * @typedef {import('./index').AggregationCallback} AggregationCallback
 * @typedef {import('./index').CompileOptions} CompileOptions
 * @typedef {import('./index').ListedProbe} ListedProbe
 * @typedef {import('./index').OperationCallback} OperationCallback
 * @typedef {import('./index').RecordCallback} RecordCallback
 * @typedef {import('./index').RunOptions} RunOptions
 * @typedef {import('./index').TracedRecord} TracedRecord
 */

/**
 * A consumer of DTrace data, made by createConsumer() or open().
 *
 * Events: `ready`, once programs can be compiled; `error` with an Error when DTrace cannot
 * be initialised, for example for lack of privilege; `record` with each record, for a
 * consumer that reads by itself; `exit` with the status that D's exit() was given; `drop`
 * when data was lost; `fault` when a clause was abandoned for a run-time fault; `procexit`
 * when a target has ended.
 *
 * A consumer made by open() reads by itself from go() to stop(), one made by
 * createConsumer() once it is iterated or somebody listens to `record`.
 *
 * @example
 * const dtp = createConsumer();
 * dtp.on('ready', () => {
 * 	dtp.strcompile('BEGIN { trace("hello world"); }', (err) => {
 * 		dtp.go((err) => {
 * 			dtp.consume((probe, rec) => rec && console.log(rec.data));
 * 			dtp.stop(() => {});
 * 		});
 * 	});
 * });
 */
class Consumer extends EventEmitter {
	#handle = new native.Handle();
	#state = OPENING;
	#isCalling = false;
	#pending = 0; /* operations that have been asked for and are not over */
	#giver = new Giver(this.#handle);
	#walker = new Walker(this.#handle);
	#events = [];
	#reader;
	#isReading; /* by itself, made by open() */
	#isExact;
	#target;
	#gap; /* ms, of the option switchrate */
	#stopping = null; /* the promise of an end that nobody has asked for by stop() */
	#closing = null;
	#signals = [];
	#aborted; /* the signal that has ended tracing */

	/* made: by open(), which is told what becomes of opening; otherwise events tell. */
	constructor(made = null) {
		super();
		this.#isReading = made !== null;
		this.#isExact = made?.bigint ?? false;
		this.#reader = new Reader(this.#host(), made?.highWaterMark ?? HIGH_WATER_MARK);
		this.#start('open', [], (error) => {
			this.#state = error ? FAILED : READY;
			if (made)
				made.opened(error);
			else if (error)
				this.emit('error', error);
			else
				this.emit('ready');
		});
	}

	/* ---- Tracing ------------------------------------------------------------ */

	/**
	 * Compiles a D program and adds its clauses to what go() will enable.
	 *
	 * @param {string} program
	 * @param {CompileOptions} [options]
	 * @param {OperationCallback} [callback] without it a promise is returned
	 * @returns {Promise<void>|undefined}
	 * @example
	 * dtp.strcompile('syscall:::entry { @[execname] = count(); }', (err) => { ... });
	 * await dtp.strcompile('tick-1s /++n == $1/ { exit(0); }', { args: [5] });
	 */
	strcompile(program, options, callback) {
		if (typeof options === 'function' && callback === undefined)
			[options, callback] = [undefined, options];
		this.#checkNotStarted();
		checkCallback(callback);
		return this.#operate('strcompile', programArguments(program, options), callback);
	}

	/**
	 * Instruments the system. When the callback runs, BEGIN has fired, and a target
	 * command runs.
	 *
	 * @param {OperationCallback} [callback] without it a promise is returned
	 * @returns {Promise<void>|undefined}
	 */
	go(callback) {
		this.#checkNotStarted();
		checkCallback(callback);
		const result = this.#operate('go', [], callback, (error) => {
			if (!error)
				this.#reader.begin();
			else if (this.#state === STARTED)
				this.#state = READY;
		});
		this.#state = STARTED;
		return result;
	}

	/**
	 * Compiles a program and instruments the system: strcompile() and go() in one.
	 *
	 * @param {string} program
	 * @param {RunOptions} [options] an abort of the signal
	 *	ends tracing as stop() does
	 * @returns {Promise<void>}
	 * @example
	 * const dt = await open();
	 * await dt.run('syscall::openat:entry { trace(copyinstr(arg1)); }');
	 * for await (const { probe, data } of dt)
	 * 	console.log(probe.function, data[0]);
	 */
	async run(program, options = {}) {
		checkObject(options, 'the options');
		checkSignal(options.signal);
		options.signal?.throwIfAborted();
		try {
			await this.strcompile(program, options);
			await this.go();
		} catch (error) {
			this.#aborted?.throwIfAborted(); /* that is why */
			throw error;
		}
		if (options.signal)
			this.#obey(options.signal);
	}

	/**
	 * Ends tracing. It waits for operations that are under way. What END and the last
	 * moments left can still be had from consume(), aggwalk(), iterators and
	 * aggregations().
	 *
	 * @param {OperationCallback} [callback] without it a promise is returned
	 * @returns {Promise<void>|undefined}
	 */
	stop(callback) {
		this.#checkOpen();
		if (this.#stopping) {
			const { promise } = this.#stopping;

			/* Once, where a second stop() is an error. */
			this.#stopping = this.#isReading ? this.#stopping : null;
			return settle(promise, callback);
		}
		this.#checkNotStopped();
		checkCallback(callback);
		const promise = this.#stop();

		if (this.#isReading)
			this.#stopping = { promise };
		return settle(promise, callback);
	}

	/**
	 * Ends tracing and releases everything that the consumer holds. Data that has not
	 * been read is lost. Without it a consumer is released when it is collected.
	 *
	 * @returns {Promise<void>}
	 */
	close() {
		if (this.#state === OPENING || this.#state === FAILED)
			this.#checkOpen();
		this.#closing ??= new Promise((resolve) => {
			this.#state = CLOSED;
			this.#forgetSignals();
			this.#start('turn', [], () => this.#reader.close());
			this.#start('close', [], () => resolve());
		});
		return this.#closing;
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
		throwFailure(this.#handle.setopt(name, optionText(name, value)));
		if (name === 'switchrate')
			this.#gap = this.#handle.getopt(name) / 1e6;
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

	/* ---- Data, when it is asked for ----------------------------------------- */

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
		try {
			this.#call(() => this.#giver.give(callback,
			    (deliver) => this.#consume(deliver)));
		} finally {
			this.#emitEvents();
		}
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
		try {
			this.#walk((varid, key, value) => callback(varid, key, value), REMOVE, 0);
		} finally {
			this.#emitEvents();
		}
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
	 * A snapshot of the aggregations, which stay as they are.
	 *
	 * @param {object} [options]
	 * @param {'value'|'key'|'none'} [options.sort] within each aggregation; by value is
	 *	how `dtrace` prints them
	 * @param {boolean} [options.reverse] the largest first
	 * @param {boolean} [options.clear] what is returned is removed, so that the next
	 *	call tells only what has come since
	 * @returns {Promise<Aggregation[]>}
	 * @example
	 * await dt.run('syscall:::entry { @calls[execname] = count(); }');
	 * await setTimeout(1000);
	 * for (const { keys: [name], value } of await dt.aggregations({ reverse: true }))
	 * 	console.log(name, value);
	 */
	async aggregations(options = {}) {
		checkObject(options, 'the options');
		const { sort = 'value', reverse = false, clear = false } = options;
		const order = aggregationOrder(sort, reverse);

		this.#checkOpen();
		return this.#whenIdle(() => {
			const records = [];
			const flags = WHOLE | (this.#isExact ? EXACT : 0) | (clear ? REMOVE : 0);

			this.#walk((varid, keys, value, { name, action, bounds }) => {
				const record = { name, varid, action, keys, value };

				if (bounds) /* not to be printed with each record */
					Object.defineProperty(record, 'bounds', { value: bounds });
				records.push(record);
			}, flags, order);
			this.#emitEvents();
			return records;
		});
	}

	/* ---- Data as it comes ---------------------------------------------------- */

	/**
	 * Records as they are traced, until stop(), D's exit(), the end of the target or an
	 * abort. An iteration that is slower than the data leaves it in the kernel's
	 * buffers. Several iterators share the records.
	 *
	 * @returns {AsyncIterableIterator<TracedRecord>}
	 */
	[Symbol.asyncIterator]() {
		this.#checkOpen();
		return this.#reader.iterate();
	}

	/**
	 * The probes that a pattern matches, as `dtrace -l -n pattern` lists them.
	 *
	 * @param {string} [pattern] all probes where it is left out
	 * @returns {AsyncIterableIterator<ListedProbe>}
	 * @example
	 * for await (const probe of dt.listProbes('syscall::open*:entry'))
	 * 	console.log(probe.function, probe.arguments);
	 */
	async *listProbes(pattern = ':::') {
		this.#checkOpen();
		if (typeof pattern !== 'string')
			throw new TypeError('the pattern must be a string');
		const list = await this.#operate('list', [pattern]);

		for (;;) {
			const some = native.nextProbes(list, PROBES);

			if (some.length === 0)
				return;
			yield* some;
			await new Promise((resolve) => setImmediate(resolve));
		}
	}

	/**
	 * The process that `$target` stands for.
	 *
	 * @type {number|undefined}
	 */
	get target() {
		return this.#target;
	}

	/**
	 * Lets the process end while this consumer is reading by itself.
	 *
	 * @returns {this}
	 */
	unref() {
		this.#reader.hold(false);
		return this;
	}

	/**
	 * Takes unref() back.
	 *
	 * @returns {this}
	 */
	ref() {
		this.#reader.hold(true);
		return this;
	}

	/* ---- Listeners ------------------------------------------------------------ */

	on(name, listener) {
		return this.#relisten(super.on(name, listener));
	}

	addListener(name, listener) {
		return this.on(name, listener);
	}

	prependListener(name, listener) {
		return this.#relisten(super.prependListener(name, listener));
	}

	off(name, listener) {
		return this.removeListener(name, listener);
	}

	removeListener(name, listener) {
		return this.#relisten(super.removeListener(name, listener));
	}

	removeAllListeners(...names) {
		return this.#relisten(super.removeAllListeners(...names));
	}

	#relisten(self) {
		this.#reader.reconsider();
		return self;
	}

	/* ---- Opening --------------------------------------------------------------- */

	/* See open() in index.js. */
	static async open(settings = {}) {
		const { options, target, signal, bigint, pid, highWaterMark } = checkSettings(settings);
		const preset = { temporal: true, ...(pid && { recordpid: true }) };

		signal?.throwIfAborted();
		const command = target === undefined ? undefined : targetCommand(target);
		const consumer = await new Promise((resolve, reject) => {
			const made = new Consumer({
				bigint,
				highWaterMark,
				opened: (error) => (error ? reject(error) : resolve(made)),
			});
		});

		try {
			for (const [name, value] of Object.entries({ ...preset, ...options }))
				consumer.setopt(name, value);
			if (command !== undefined)
				consumer.#target = await consumer.#operate('target', [command]);
			signal?.throwIfAborted();
		} catch (error) {
			await consumer.close();
			throw error;
		}
		if (signal)
			consumer.#obey(signal);
		return consumer;
	}

	/* An abort of the signal ends tracing. */
	#obey(signal) {
		const end = () => {
			this.#aborted ??= signal;
			this.#end();
		};

		if (signal.aborted) {
			end();
			return;
		}
		signal.addEventListener('abort', end, { once: true });
		this.#signals.push({ signal, end });
	}

	#forgetSignals() {
		for (const { signal, end } of this.#signals.splice(0))
			signal.removeEventListener('abort', end);
	}

	/* ---- States ----------------------------------------------------------------- */

	#checkOpen() {
		if (this.#state === OPENING)
			throw new Error('consumer not yet ready');
		if (this.#state === FAILED)
			throw new Error('consumer failed to initialize');
		if (this.#state === CLOSED)
			throw new Error('consumer has been closed');
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

	/* ---- Uses of the handle -------------------------------------------------------- */

	/* Runs a synchronous use of the handle, during which there is no other. */
	#call(use) {
		this.#isCalling = true;
		try {
			return use();
		} finally {
			this.#isCalling = false;
		}
	}

	#consume(deliver, flags = 0, limit = 0) {
		if (this.listenerCount('fault') > 0)
			flags |= FAULTS;
		const outcome = this.#handle.consume(deliver, flags, limit);

		if (typeof outcome === 'object')
			throwFailure(outcome);
		return outcome;
	}

	#walk(callback, flags, order) {
		this.#call(() => this.#walker.give(callback, (describe, deliver) =>
		    throwFailure(this.#handle.aggwalk(describe, deliver, flags, order))));
	}

	/* Starts an operation; report(error, result) when it is over. */
	#start(operation, values, report) {
		this.#pending++;
		try {
			this.#handle[operation](...values, (failure, result) => {
				const error = failure ? new DTraceError(failure) : null;

				this.#pending--;
				try {
					this.#emitEvents();
				} finally {
					report(error, result);
					if (this.#pending === 0)
						this.#reader.reconsider();
				}
			});
		} catch (error) {
			this.#pending--;
			throw error;
		}
	}

	/* The same with a callback, or for a promise. prepare(error) runs before either. */
	#operate(operation, values, callback, prepare = () => {}) {
		if (callback !== undefined) {
			this.#start(operation, values, (error) => {
				prepare(error);
				callback(error);
			});
			return undefined;
		}
		return new Promise((resolve, reject) => {
			this.#start(operation, values, (error, result) => {
				prepare(error);
				if (error)
					reject(error);
				else
					resolve(result);
			});
		});
	}

	/* Runs use() at once, or when the handle is free, and resolves to what it returns. */
	#whenIdle(use) {
		if (this.#pending === 0 && !this.#isCalling)
			return use();
		return new Promise((resolve, reject) => {
			this.#start('turn', [], () => {
				try {
					resolve(use());
				} catch (error) {
					reject(error);
				}
			});
		});
	}

	#stop() {
		this.#state = STOPPED;
		this.#forgetSignals();
		return this.#operate('stop', [], undefined, () => this.#reader.finish());
	}

	/* Ends tracing for another reason than stop(). */
	#end() {
		if (this.#state !== STARTED && this.#state !== READY)
			return;
		const promise = this.#stop();

		promise.catch((error) => this.#fail(error));
		this.#stopping = { promise };
	}

	#fail(error) {
		this.emit('error', error);
	}

	/* Events that the last use of the handle has brought to light. */
	#emitEvents() {
		this.#events.push(...(this.#handle.events() || []));
		/* Should a listener throw, the others are emitted the next time. */
		while (this.#events.length > 0) {
			const { type, ...event } = this.#events.shift();

			if (type === 'procexit' && event.pid === this.#target)
				this.#end();
			this.emit(type, type === 'exit' ? event.status : event);
		}
	}

	/* What the reader needs of this consumer. */
	#host() {
		return {
			handle: this.#handle,
			wants: () => this.#isReading || this.listenerCount('record') > 0,
			isHeard: () => TOLD.some((name) => this.listenerCount(name) > 0),
			hears: () => this.listenerCount('record') > 0,
			isBusy: () => this.#pending > 0 || this.#isCalling,
			gap: () => this.#gap,
			read: (give, limit) => {
				const flags = WHOLE | (this.#isExact ? EXACT : 0);
				const outcome = this.#call(() => this.#consume(
				    deliverWhole(this.#handle, this.#isExact, give), flags, limit));

				return {
					hasMore: (outcome & MORE) !== 0,
					isDone: (outcome & DONE) !== 0,
				};
			},
			isDone: () => this.#handle.status() >= EXITED,
			emitRecord: (record) => this.emit('record', record),
			emitEvents: () => this.#emitEvents(),
			end: () => this.#end(),
			fail: (error) => this.#fail(error),
		};
	}
}

/* Where this version of Node.js has them: `await using` and `using`. */
if (Symbol.asyncDispose) {
	Consumer.prototype[Symbol.asyncDispose] = async function asyncDispose() {
		await this.close();
	};
}
if (Symbol.dispose) {
	Consumer.prototype[Symbol.dispose] = function dispose() {
		this.close().catch(() => {});
	};
}

/* The number by which the add-on knows an order of aggregations. */
function aggregationOrder(sort, reverse) {
	const order = { none: 0, key: 1, value: 2 }[sort];

	if (order === undefined)
		throw new TypeError("sort must be 'value', 'key' or 'none'");
	return reverse && order > 0 ? order + 2 : order;
}

function settle(promise, callback) {
	if (callback === undefined)
		return promise;
	/* Out of the promise's reach: an exception of the callback is nobody's rejection. */
	const report = (error) => process.nextTick(callback, error);

	promise.then(() => report(null), report);
	return undefined;
}

function checkFunction(callback) {
	if (typeof callback !== 'function')
		throw new TypeError('the callback must be a function');
}

function checkCallback(callback) {
	if (callback !== undefined)
		checkFunction(callback);
}

module.exports = { Consumer };
