/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Static probes of a JavaScript program: the interface of the package dtrace-provider. The
 * add-on declares them to tracers by an ELF file that it maps into the process (see
 * addon/usdt.h); here is which probes there are, and what their values become.
 *
 * While a probe is not traced, fire() is one load from memory that the kernel writes to.
 */
const os = require('node:os');
const native = require('./native');

/* As many as dtrace-provider has. */
const MAX_ARGUMENTS = 32;

/* What tracers' names have room for; after a provider's name comes the process's number. */
const MAX_PROVIDER = 50;
const MAX_NAME = 63;

/* The semaphore of a probe that is not declared. */
const NOT_TRACED = new Uint16Array(1);

/* ---- Values ---------------------------------------------------------------------- */

/* An integer as the add-on takes it: a safe one, or a bigint of which 64 bits count. */
function toInteger(value) {
	if (typeof value === 'bigint')
		return value;
	const number = Math.trunc(Number(value));

	if (Number.isSafeInteger(number))
		return number;
	return Number.isFinite(number) ? BigInt(number) : 0;
}

function toText(value) {
	return String(value);
}

function toJson(value) {
	return JSON.stringify(value) ?? 'null';
}

/*
 * size: in bytes, below 0 where the value is signed. otherwise: the value where one cannot
 * be converted, for a program must not fail only when it is traced.
 */
const integer = (size) => ({ size, convert: toInteger, otherwise: () => 0 });
const text = { size: 8, convert: toText, otherwise: (value) =>
	Object.prototype.toString.call(value) };
const json = { size: 8, convert: toJson, otherwise: (value, error) =>
	JSON.stringify({ error: String(error) }) };

const TYPES = new Map(Object.entries({
	/* Of whatever size: numbers of JavaScript often need more than 32 bits. */
	int: integer(-8), uint: integer(8),
	int8: integer(-1), int16: integer(-2), int32: integer(-4), int64: integer(-8),
	uint8: integer(1), uint16: integer(2), uint32: integer(4), uint64: integer(8),
	id: integer(-8), /* as restify declares one */
	'char *': text,
	json,
}));

function convert(type, value) {
	try {
		return type.convert(value);
	} catch (error) {
		return type.otherwise(value, error);
	}
}

/* ---- Names ----------------------------------------------------------------------- */

function checkName(what, name, max) {
	if (typeof name !== 'string')
		throw new TypeError(`the name of a ${what} must be a string`);
	if (!/^\w[\w.-]*$/.test(name))
		throw new TypeError(`'${name}' cannot be the name of a ${what}: ` +
		    'it must consist of letters, digits, _, - and .');
	if (name.length > max)
		throw new TypeError(`'${name}' cannot be the name of a ${what}: ` +
		    `it is longer than ${max} characters`);
}

function typeNamed(name, probe) {
	const type = TYPES.get(name);

	if (type === undefined)
		throw new TypeError(`probe '${probe}': there is no type '${String(name)}' ` +
		    `(there are ${[...TYPES.keys()].filter((key) => key !== 'id').join(', ')})`);
	return type;
}

/* ---- Probes ---------------------------------------------------------------------- */

/** A probe of a provider: what addProbe() returns. */
class Probe {
	#types;
	#semaphore = NOT_TRACED; /* of one element */
	#file = null; /* in which it is declared */
	#index = 0;

	/* For addProbe() alone. */
	constructor(name, types) {
		/** The probe's name. */
		Object.defineProperty(this, 'name', { value: name });
		this.#types = types;
	}

	/**
	 * Fires the probe if it is traced; otherwise callback is not called.
	 *
	 * @param {function(...*): *} callback returns the values of the probe's arguments, an
	 *     array of them; what is not an array is the value of the first
	 * @param {...*} extra handed to callback
	 */
	fire(callback, ...extra) {
		if (this.#semaphore[0] !== 0)
			this.#send(callback(...extra));
	}

	#send(result) {
		const values = Array.isArray(result) ? result : [result];
		const words = this.#types.map((type, i) => convert(type, values[i]));

		/* The callback or a conversion may have disabled the provider. */
		this.#file?.fire(this.#index, words);
	}

	/* What follows is for the provider, and not to be seen on the object. */
	static isDeclared(probe) {
		return probe.#file !== null;
	}

	static sizes(probe) {
		return probe.#types.map((type) => type.size).join(' ');
	}

	static declare(probe, file, index) {
		probe.#semaphore = new Uint16Array(file.semaphores,
		    index * Uint16Array.BYTES_PER_ELEMENT, 1);
		probe.#file = file;
		probe.#index = index;
	}

	static withdraw(probe) {
		probe.#semaphore = NOT_TRACED;
		probe.#file = null;
	}

	static hide(probe) {
		probe.#file?.hide(probe.#index);
		Probe.withdraw(probe);
	}
}

/* ---- Providers ------------------------------------------------------------------- */

let isPrepared = false;

/* Once in every environment: files must not outlast the process. */
function prepare(directory) {
	if (isPrepared)
		return;
	isPrepared = true;
	process.on('exit', () => native.closeProbeFiles());
	native.sweepProbeFiles(directory);
}

/**
 * A provider of static probes.
 *
 * @example
 * const { createDTraceProvider } = require('dtrace-async/provider');
 * const provider = createDTraceProvider('shop');
 * const sold = provider.addProbe('item-sold', 'char *', 'int');
 *
 * provider.enable();
 * sold.fire(() => ['apple', 3]);
 * // dtrace -n 'shop*:::item-sold { printf("%s %d", copyinstr(arg0), arg1); }'
 */
class DTraceProvider {
	#name;
	#module;
	#probes = new Set();
	#named = new Map();
	#files = [];

	/**
	 * @param {string} name of the provider: tracers see it with the process's number after
	 *     it, as in `shop1203:::`
	 * @param {string} [module] the module of its probes; the same as name where left out
	 */
	constructor(name, module = name) {
		checkName('provider', name, MAX_PROVIDER);
		checkName('module', module, MAX_NAME);
		this.#name = name;
		this.#module = module;
	}

	/**
	 * Adds a probe, which tracers see after the next enable(). It is also a property of the
	 * provider by its name, unless that is one already.
	 *
	 * @param {string} name in which `__` means `-`, as in C
	 * @param {...string} types of its arguments, at most 32: 'int', 'uint', 'int8' ...
	 *     'int64', 'uint8' ... 'uint64', 'char *', 'json'
	 * @returns {Probe}
	 */
	addProbe(name, ...types) {
		checkName('probe', name, MAX_NAME);
		if (name.includes('_-'))
			throw new TypeError(`'${name}' cannot be the name of a probe: ` +
			    'where _ and - meet, - must be first');
		if (types.length > MAX_ARGUMENTS)
			throw new TypeError(`probe '${name}' has ${types.length} arguments: ` +
			    `there can be ${MAX_ARGUMENTS}`);
		const probe = new Probe(name, types.map((type) => typeNamed(type, name)));

		this.#probes.add(probe);
		this.#named.set(name, probe);
		if (!(name in this) || this[name] instanceof Probe)
			this[name] = probe;
		return probe;
	}

	/**
	 * Takes a probe away; firing it does nothing from here on.
	 *
	 * @param {Probe} probe
	 * @returns {boolean} whether it was one of this provider's
	 */
	removeProbe(probe) {
		if (!this.#probes.delete(probe))
			return false;
		Probe.hide(probe);
		if (this.#named.get(probe.name) === probe)
			this.#named.delete(probe.name);
		if (this[probe.name] === probe)
			delete this[probe.name];
		return true;
	}

	/**
	 * Shows tracers the probes that there are. Called again, it shows those added since.
	 *
	 * @throws {Error} where the process can have no memory or file for them
	 */
	enable() {
		if (native.ProbeFile === undefined)
			throw new Error('static probes of a program are possible on Linux only');
		const added = [...this.#probes].filter((probe) => !Probe.isDeclared(probe));

		if (added.length === 0)
			return;
		const directory = os.tmpdir();

		prepare(directory);
		const file = new native.ProbeFile(directory, this.#module, this.#name,
		    added.map((probe) => probe.name), added.map(Probe.sizes));

		this.#files.push(file);
		added.forEach((probe, i) => Probe.declare(probe, file, i));
	}

	/** Takes the probes away from tracers, also from those that are tracing them. */
	disable() {
		this.#files.forEach((file) => file.close());
		this.#files = [];
		this.#probes.forEach(Probe.withdraw);
	}

	/**
	 * Fires the probe of that name; see Probe.fire(). Does nothing if there is none.
	 *
	 * @param {string} name
	 * @param {function(...*): *} callback
	 * @param {...*} extra
	 */
	fire(name, callback, ...extra) {
		this.#named.get(name)?.fire(callback, ...extra);
	}
}

/**
 * Makes a provider.
 *
 * @param {string} name
 * @param {string} [module]
 * @returns {DTraceProvider}
 */
function createDTraceProvider(name, module) {
	return new DTraceProvider(name, module);
}

module.exports = {
	DTraceProvider,
	createDTraceProvider,
	createProvider: createDTraceProvider,
};
