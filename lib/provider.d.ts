/* SPDX-License-Identifier: Apache-2.0 */

/**
 * The type of a probe's argument: an integer (int and uint: of up to 64 bits), text, or a
 * value that tracers get as JSON.
 */
export type ArgumentType = 'int' | 'uint' |
	'int8' | 'int16' | 'int32' | 'int64' | 'uint8' | 'uint16' | 'uint32' | 'uint64' |
	'char *' | 'json';

/** A static probe; addProbe() makes it. */
export interface Probe {
	readonly name: string;

	/**
	 * Fires the probe if it is traced; otherwise callback is not called.
	 *
	 * @param callback returns the values of the probe's arguments, an array of them; what
	 *     is not an array is the value of the first
	 * @param extra handed to callback
	 */
	fire<A extends unknown[]>(callback: (...extra: A) => unknown, ...extra: A): void;
}

/**
 * A provider of static probes: the interface of the package dtrace-provider.
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
export class DTraceProvider {
	/**
	 * @param name of the provider: tracers see it with the process's number after it
	 * @param module the module of its probes; the same as name where left out
	 */
	constructor(name: string, module?: string);

	/**
	 * Adds a probe, which tracers see after the next enable(). It is also a property of
	 * the provider by its name, unless that is one already.
	 */
	addProbe(name: string, ...types: ArgumentType[]): Probe;

	/** Takes a probe away: whether it was one of this provider's. */
	removeProbe(probe: Probe): boolean;

	/** Shows tracers the probes that there are. Called again, it shows those added since. */
	enable(): void;

	/** Takes the probes away from tracers, also from those that are tracing them. */
	disable(): void;

	/** Fires the probe of that name; see Probe.fire(). Does nothing if there is none. */
	fire<A extends unknown[]>(name: string, callback: (...extra: A) => unknown,
		...extra: A): void;
}

export function createDTraceProvider(name: string, module?: string): DTraceProvider;

/** The same as createDTraceProvider(). */
export function createProvider(name: string, module?: string): DTraceProvider;
