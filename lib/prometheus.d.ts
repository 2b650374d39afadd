/* SPDX-License-Identifier: Apache-2.0 */
import type { Aggregation } from './index.js';

/** What is said of one aggregation. */
export interface MetricSetting {
	/** The metric's name; otherwise the aggregation's, with the prefix. */
	name?: string;
	/** What it measures, in a sentence. */
	help?: string;
	/** Names of the keys, in their order: key0, key1 and so on where they are left out. */
	labels?: readonly string[];
	/** False: a sum that can fall is no counter but a gauge. */
	monotonic?: boolean;
}

export interface ExpositionSettings {
	/** Put before names: "dtrace_" unless said otherwise. */
	prefix?: string;
	/** By the aggregations' names. */
	metrics?: Record<string, MetricSetting>;
}

/** The Content-Type of an answer that exposition() is the body of. */
export const contentType: string;

/**
 * Aggregations as text that Prometheus scrapes: count and sum as counters, min, max, avg and
 * stddev as gauges, quantize, lquantize and llquantize as histograms. A histogram has a sum
 * where the program aggregates it by sum() under the histogram's name with "_sum" and the
 * same keys.
 *
 * @example
 * await dt.run('syscall:::entry { @calls[execname] = count(); }');
 * response.setHeader('Content-Type', contentType);
 * response.end(exposition(await dt.aggregations(),
 *     { metrics: { calls: { help: 'System calls', labels: ['program'] } } }));
 */
export function exposition(aggregations: readonly Aggregation[],
	settings?: ExpositionSettings): string;
