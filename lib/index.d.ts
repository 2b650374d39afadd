/* SPDX-License-Identifier: Apache-2.0 */
/// <reference types="node" />
import { EventEmitter } from 'node:events';

/** The name of a probe. The same object is given for every firing of a probe. */
export interface Probe {
	provider: string;
	module: string;
	function: string;
	name: string;
	/** The same as `function`. */
	func: string;
}

/** A probe as listProbes() gives it. */
export interface ListedProbe extends Probe {
	id: number;
	/** The types of args[0], args[1] and so on, in D's notation. */
	arguments: string[];
}

/** A bucket of quantize, lquantize or llquantize: inclusive bounds, and what was counted. */
export type Bucket<N = number> = [bounds: [min: N, max: N], count: N];

/* ---- The classic interface ------------------------------------------------------- */

/**
 * One traced value: printf gives its text; trace a number or a string; sym, mod, usym,
 * umod, uaddr, func and ufunc a symbol; stack and ustack their frames, one a line.
 */
export interface TraceRecord {
	data: number | string;
}

export type OperationCallback = (error: DTraceError | null) => void;

/** record is undefined when all records of one firing have been given. */
export type RecordCallback = (probe: Probe, record: TraceRecord | undefined) => void;

export type AggregationCallback = (
	/** Counts the aggregations from 1 in program order. */
	varid: number,
	/** Empty for an aggregation without keys. */
	key: Array<number | string>,
	value: number | Bucket[],
) => void;

/** What an option can be set to, as `dtrace -x name=value` does. */
export type OptionValue = string | number | bigint | boolean;

/* ---- The modern interface ---------------------------------------------------------- */

/** A frame of a stack, innermost first; what is not known is null. */
export interface Frame {
	symbol: string | null;
	module: string | null;
	/** Into the symbol, in bytes. */
	offset: number | null;
	address: bigint;
	/** Of a JavaScript function, in jstack(): its script, and the line where it begins. */
	file?: string;
	line?: number;
}

/** What print() was given: an object for a struct, by its members' names. */
export type Printed = number | bigint | string | boolean | null | Printed[] |
	{ [member: string]: Printed };

/**
 * What a clause records: an integer (a bigint beyond 2^53, with the option `bigint`), text,
 * a stack's frames, the bytes of tracemem() and of pcap(), a struct or an array, or what print() was given.
 */
export type Value = number | bigint | string | Frame[] | Buffer | Printed;

/** All that one clause has recorded at one firing of a probe. */
export interface TracedRecord {
	probe: Probe;
	cpu: number;
	/** Nanoseconds since boot; undefined where the option `temporal` is off. */
	timestamp: number | bigint | undefined;
	/**
	 * With the setting `pid`: the process whose thread fired the probe, or was interrupted by
	 * it; 0 where the CPU was idle.
	 */
	pid?: number;
	/** A value for each recording action; none for a clause without. */
	data: Value[];
}

export type AggregatingAction = 'count' | 'sum' | 'min' | 'max' | 'avg' | 'stddev' |
	'quantize' | 'lquantize' | 'llquantize';

/** One record of an aggregation. */
export interface Aggregation {
	/** Without the `@`. */
	name: string;
	/** Counts the aggregations from 1 in program order. */
	varid: number;
	action: AggregatingAction;
	keys: Value[];
	value: number | bigint | Array<Bucket<number | bigint>>;
	/**
	 * Of quantize, lquantize and llquantize: the upper bounds of all buckets, of which
	 * value has those that are not empty. All records of an aggregation share it; it is
	 * not enumerable.
	 */
	readonly bounds?: readonly number[];
}

export interface AggregationOptions {
	/** Within each aggregation; by value, the default, is how `dtrace` prints them. */
	sort?: 'value' | 'key' | 'none';
	/** The largest first. */
	reverse?: boolean;
	/** What is returned is removed: the next call tells only what has come since. */
	clear?: boolean;
}

/** Data was lost. */
export interface Drop {
	kind: 'principal' | 'aggregation' | 'dynamic' | 'dynamic-rinsing' | 'dynamic-dirty' |
		'speculation' | 'speculation-busy' | 'speculation-unavailable' |
		'stack-string' | 'error' | 'unknown';
	/** -1 where drops are not counted by CPU. */
	cpu: number;
	/** Since the last event of this kind. */
	drops: number;
	total: number;
	message: string;
}

/** A clause was abandoned for a run-time fault. */
export interface Fault {
	/** "divide-by-zero" and the like. */
	fault: string;
	probe: Probe;
	cpu: number;
	/** The action at fault, from 1; 0 is the predicate; -1: it failed when its record was consumed. */
	action: number;
	/** Of the instruction in the clause's code. */
	offset: number;
	address: bigint;
	message: string;
}

/**
 * A target has ended: with a status, or by the signal of this number. Both are null for one
 * that was given by its pid.
 */
export interface ProcessEnd {
	pid: number;
	status: number | null;
	signal: number | null;
}

/** The arguments of each event's listeners. */
export interface ConsumerEvents {
	/** Programs can be compiled. Not for a consumer made by open(). */
	ready: [];
	/** DTrace cannot be initialised, or reading has failed. */
	error: [error: DTraceError];
	/** Of a consumer that reads by itself. */
	record: [record: TracedRecord];
	/** The program has called D's exit(). */
	exit: [status: number];
	drop: [drop: Drop];
	fault: [fault: Fault];
	procexit: [end: ProcessEnd];
}

export interface CompileOptions {
	/** `$1`, `$2` and so on. */
	args?: Array<string | number | bigint>;
	/** Names defined for the C preprocessor, through which the program then goes. */
	defines?: Record<string, string | number | bigint | true>;
}

export interface RunOptions extends CompileOptions {
	/** An abort ends tracing as stop() does. */
	signal?: AbortSignal;
}

export interface OpenSettings {
	/** Set before the consumer is given; `temporal` is on unless it is set here. */
	options?: Record<string, OptionValue>;
	/**
	 * A pid, or a command with its arguments, which begins to run at go(). Tracing ends
	 * when the process ends.
	 */
	target?: number | string | readonly string[];
	/** Integers beyond 2^53 come as bigint. */
	bigint?: boolean;
	/** Records tell whose thread fired, which costs a probe some nanoseconds. */
	pid?: boolean;
	/** An abort ends tracing as stop() does. */
	signal?: AbortSignal;
	/** Records that wait for an iterator, at most: 4096 unless said otherwise. */
	highWaterMark?: number;
}

/** What libdtrace, or the kernel behind it, has refused. */
export class DTraceError extends Error {
	private constructor();
	/** libdtrace's name of the error ("EDT_COMPILER"), or errno's ("ENOENT"). */
	code?: string;
	/** Of a compile error: "D_SYNTAX" and the like. */
	tag?: string;
	/** Of a compile error: in the program, from 1. */
	line?: number;
	/** Of a compile error, where known, from 1. */
	column?: number;
}

/**
 * A consumer of DTrace data, made by createConsumer() or open().
 *
 * One made by open() reads by itself from go() to stop(), one made by createConsumer() once
 * it is iterated or somebody listens to `record`.
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
export class Consumer extends EventEmitter {
	private constructor();

	/**
	 * Compiles a D program and adds its clauses to what go() will enable.
	 *
	 * @example
	 * dtp.strcompile('syscall:::entry { @[execname] = count(); }', (err) => { ... });
	 * await dtp.strcompile('tick-1s /++n == $1/ { exit(0); }', { args: [5] });
	 */
	strcompile(program: string, options?: CompileOptions): Promise<void>;
	strcompile(program: string, callback: OperationCallback): void;
	strcompile(program: string, options: CompileOptions | undefined,
		callback: OperationCallback): void;

	/**
	 * Instruments the system. When the callback runs, or the promise resolves, BEGIN has
	 * fired, and a target command runs.
	 */
	go(): Promise<void>;
	go(callback: OperationCallback): void;

	/**
	 * Compiles a program and instruments the system: strcompile() and go() in one.
	 *
	 * @example
	 * const dt = await open();
	 * await dt.run('syscall::openat:entry { trace(copyinstr(arg1)); }');
	 * for await (const { probe, data } of dt)
	 * 	console.log(probe.function, data[0]);
	 */
	run(program: string, options?: RunOptions): Promise<void>;

	/**
	 * Ends tracing. It waits for operations that are under way. What END and the last
	 * moments left can still be had.
	 */
	stop(): Promise<void>;
	stop(callback: OperationCallback): void;

	/**
	 * Ends tracing and releases everything that the consumer holds. Data that has not
	 * been read is lost. Without it a consumer is released when it is collected.
	 */
	close(): Promise<void>;

	/**
	 * Sets an option, as `dtrace -x name=value` does; without a value it is turned on.
	 *
	 * @example
	 * dtp.setopt('bufsize', '16m');
	 */
	setopt(name: string, value?: OptionValue): void;

	/** libdtrace's version, as `dtrace -V` prints it. */
	version(): string;

	/**
	 * Gives every record traced since the last call. Should the callback throw, the
	 * exception comes out of consume(), and the records it has not seen are given by
	 * the next call.
	 */
	consume(callback: RecordCallback): void;

	/**
	 * Takes a snapshot of the aggregations and gives every record of it, which is then
	 * removed. Should the callback throw, the exception comes out of aggwalk(), and the
	 * records it has not seen stay.
	 */
	aggwalk(callback: AggregationCallback): void;

	/** The smallest bound of a bucket: what lies below the lowest one. */
	aggmin(): number;

	/** The largest bound of a bucket: what lies above the highest one. */
	aggmax(): number;

	/**
	 * A snapshot of the aggregations, which stay as they are unless `clear` is set.
	 *
	 * @example
	 * for (const { keys: [name], value } of await dt.aggregations({ reverse: true }))
	 * 	console.log(name, value);
	 */
	aggregations(options?: AggregationOptions): Promise<Aggregation[]>;

	/**
	 * Records as they are traced, until stop(), D's exit(), the end of the target or an
	 * abort. An iteration that is slower than the data leaves it in the kernel's
	 * buffers. Several iterators share the records.
	 */
	[Symbol.asyncIterator](): AsyncIterableIterator<TracedRecord>;

	/**
	 * The probes that a pattern matches, as `dtrace -l -n pattern` lists them; all probes
	 * where it is left out.
	 *
	 * @example
	 * for await (const probe of dt.listProbes('syscall::open*:entry'))
	 * 	console.log(probe.function, probe.arguments);
	 */
	listProbes(pattern?: string): AsyncIterableIterator<ListedProbe>;

	/** The process that `$target` stands for. */
	readonly target: number | undefined;

	/** Lets the process end while this consumer is reading by itself. */
	unref(): this;

	/** Takes unref() back. */
	ref(): this;

	/** As close(). */
	[Symbol.asyncDispose](): Promise<void>;

	/** As close(), without waiting for it. */
	[Symbol.dispose](): void;

	on<E extends keyof ConsumerEvents>(event: E,
		listener: (...args: ConsumerEvents[E]) => void): this;
	once<E extends keyof ConsumerEvents>(event: E,
		listener: (...args: ConsumerEvents[E]) => void): this;
	addListener<E extends keyof ConsumerEvents>(event: E,
		listener: (...args: ConsumerEvents[E]) => void): this;
	prependListener<E extends keyof ConsumerEvents>(event: E,
		listener: (...args: ConsumerEvents[E]) => void): this;
	prependOnceListener<E extends keyof ConsumerEvents>(event: E,
		listener: (...args: ConsumerEvents[E]) => void): this;
	off<E extends keyof ConsumerEvents>(event: E,
		listener: (...args: ConsumerEvents[E]) => void): this;
	removeListener<E extends keyof ConsumerEvents>(event: E,
		listener: (...args: ConsumerEvents[E]) => void): this;
}

/**
 * Makes a consumer. It is returned at once and opens on the thread pool: wait for its
 * `ready` or `error` event.
 */
export function createConsumer(): Consumer;

/**
 * Opens a consumer that reads by itself. Unless said otherwise records come in the order of
 * time, with their timestamps.
 *
 * @example
 * await using dt = await open({ options: { bufsize: '16m' } });
 * await dt.run('tick-1s { trace(timestamp); }');
 * for await (const record of dt)
 * 	console.log(record.data[0]);
 */
export function open(settings?: OpenSettings): Promise<Consumer>;

/**
 * The probes of the system that a pattern matches, as `dtrace -l -n pattern` lists them; all
 * probes where it is left out.
 */
export function listProbes(pattern?: string): AsyncIterableIterator<ListedProbe>;

export { createDTraceProvider, createProvider, DTraceProvider } from './provider.js';
