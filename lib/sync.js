/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * The synchronous interface: `require('dtrace-async/sync')`. Every call is done when it
 * returns, and throws when it fails. Programs written for node-libdtrace run with only
 * the require changed.
 */
const native = require('./native');
const { throwFailure } = require('./error');
const { optionText } = require('./option');
const { programArguments } = require('./program');
const { Giver, Walker } = require('./records');

const REMOVE = 8; /* CALL_REMOVE in addon/consumer.c */

/**
 * @example
 * const { Consumer } = require('dtrace-async/sync');
 * const dtp = new Consumer();
 *
 * dtp.strcompile('BEGIN { trace("hello world"); }');
 * dtp.go();
 * dtp.consume((probe, rec) => rec && console.log(rec.data));
 * dtp.stop();
 */
class Consumer {
	#handle = new native.Handle();
	#giver = new Giver(this.#handle);
	#walker = new Walker(this.#handle);

	/** @throws {DTraceError} when DTrace cannot be initialised */
	constructor() {
		throwFailure(this.#handle.open());
	}

	/**
	 * Compiles a D program and adds its clauses to what go() will enable.
	 *
	 * @param {string} program
	 * @returns {void}
	 */
	strcompile(program) {
		throwFailure(this.#handle.strcompile(...programArguments(program)));
	}

	/**
	 * Instruments the system. When it returns, BEGIN has fired.
	 *
	 * @returns {void}
	 */
	go() {
		throwFailure(this.#handle.go());
	}

	/**
	 * Ends tracing. What END and the last moments left can still be had.
	 *
	 * @returns {void}
	 */
	stop() {
		throwFailure(this.#handle.stop());
	}

	/**
	 * Sets an option, as `dtrace -x name=value` does.
	 *
	 * @param {string} name
	 * @param {string|number|bigint|boolean} [value] without it the option is turned on
	 * @returns {void}
	 */
	setopt(name, value) {
		if (typeof name !== 'string')
			throw new TypeError("the option's name must be a string");
		throwFailure(this.#handle.setopt(name, optionText(name, value)));
	}

	/**
	 * Gives every record traced since the last call: callback(probe, record), where
	 * record is undefined when those of one firing have all been given. An exception of
	 * the callback comes out, and what it has not seen is given by the next call.
	 *
	 * @param {import('./index').RecordCallback} callback
	 * @returns {void}
	 */
	consume(callback) {
		checkFunction(callback);
		this.#call(() => this.#giver.give(callback, (deliver) => {
			const outcome = this.#handle.consume(deliver, 0, 0);

			if (typeof outcome === 'object')
				throwFailure(outcome);
		}));
	}

	/**
	 * Takes a snapshot of the aggregations and gives every record of it, which is
	 * then removed: callback(varid, key, value).
	 *
	 * @param {import('./index').AggregationCallback} callback
	 * @returns {void}
	 */
	aggwalk(callback) {
		checkFunction(callback);
		this.#call(() => this.#walker.give(
		    (varid, key, value) => callback(varid, key, value),
		    (describe, deliver) => throwFailure(
		        this.#handle.aggwalk(describe, deliver, REMOVE, 0))));
	}

	/**
	 * The smallest bound of a bucket: what lies below the lowest one.
	 *
	 * @returns {number}
	 */
	aggmin() {
		return native.aggmin;
	}

	/**
	 * The largest bound of a bucket: what lies above the highest one.
	 *
	 * @returns {number}
	 */
	aggmax() {
		return native.aggmax;
	}

	/**
	 * libdtrace's version, as `dtrace -V` prints it.
	 *
	 * @returns {string}
	 */
	version() {
		return native.version;
	}

	/* Faults, drops and the like are for nobody here: they must not pile up. */
	#call(use) {
		try {
			use();
		} finally {
			this.#handle.events();
		}
	}
}

function checkFunction(callback) {
	if (typeof callback !== 'function')
		throw new TypeError('the callback must be a function');
}

module.exports = { Consumer };
