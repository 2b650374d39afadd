/* SPDX-License-Identifier: Apache-2.0 */
import type { Consumer } from './index.js';
import type { MetricSetting as BaseSetting } from './prometheus.js';

/*
 * The types of OpenTelemetry's packages are not named, for a program need not have them;
 * these are assignable to them.
 */

/** What is said of one aggregation. */
export interface MetricSetting extends BaseSetting {
	/** In the notation of UCUM: "ns", "By". */
	unit?: string;
}

export interface MetricsSettings {
	/** Put before names: "dtrace." unless said otherwise. */
	prefix?: string;
	/** By the aggregations' names; the labels are the attributes' names. */
	metrics?: Record<string, MetricSetting>;
}

export interface ProducerSettings extends MetricsSettings {
	/**
	 * "delta": each collection removes what it tells, and tells what has come since the
	 * one before. "cumulative", the default: the aggregations stay as they are.
	 */
	temporality?: 'cumulative' | 'delta';
	/** When tracing began, in ms since the epoch; otherwise it is now. */
	startTime?: number;
}

type HrTime = [seconds: number, nanoseconds: number];

interface Point<T> {
	startTime: HrTime;
	endTime: HrTime;
	attributes: Record<string, string>;
	value: T;
}

interface Metric {
	descriptor: { name: string; description: string; unit: string; valueType: 0 | 1 };
	aggregationTemporality: 0 | 1;
}

interface SideBuckets {
	offset: number;
	bucketCounts: number[];
}

export interface ExponentialHistogram {
	count: number;
	sum?: number;
	scale: number;
	zeroCount: number;
	positive: SideBuckets;
	negative: SideBuckets;
}

export interface Histogram {
	count: number;
	sum?: number;
	/** Inclusive upper bounds, and one count more than there are of them. */
	buckets: { boundaries: number[]; counts: number[] };
}

export type MetricData =
	(Metric & { dataPointType: 3; isMonotonic: boolean; dataPoints: Array<Point<number>> }) |
	(Metric & { dataPointType: 2; dataPoints: Array<Point<number>> }) |
	(Metric & { dataPointType: 1; dataPoints: Array<Point<ExponentialHistogram>> }) |
	(Metric & { dataPointType: 0; dataPoints: Array<Point<Histogram>> });

/** A MetricProducer of OpenTelemetry's SDK. */
export interface MetricProducer {
	collect(): Promise<{
		resourceMetrics: {
			resource: {
				attributes: {};
				merge(other: any): any;
				getRawAttributes(): [];
			};
			scopeMetrics: Array<{
				scope: { name: string; version: string };
				metrics: MetricData[];
			}>;
		};
		errors: unknown[];
	}>;
}

/**
 * A MetricProducer of OpenTelemetry's SDK, for the option `metricProducers` of a
 * MetricReader. Each collection takes a snapshot of the aggregations: count and sum become
 * sums, min, max, avg and stddev gauges, quantize an exponential histogram, lquantize and
 * llquantize histograms with explicit bounds. A histogram has a sum where the program
 * aggregates it by sum() under the histogram's name with "_sum" and the same keys.
 *
 * @example
 * const provider = new MeterProvider({
 * 	readers: [new PeriodicExportingMetricReader({
 * 		exporter: new OTLPMetricExporter(),
 * 		metricProducers: [metricProducer(dt)],
 * 	})],
 * });
 */
export function metricProducer(dt: Consumer, settings?: ProducerSettings): MetricProducer;

/** What observe() needs of a Meter of @opentelemetry/api. */
export interface Meter {
	createObservableGauge(name: string, options?: object): unknown;
	createObservableCounter(name: string, options?: object): unknown;
	createObservableUpDownCounter(name: string, options?: object): unknown;
}

export interface ObserveSettings extends MetricsSettings {
	/** Otherwise the one that @opentelemetry/api has for this package. */
	meter?: Meter;
}

/**
 * Makes aggregations observable through a meter of OpenTelemetry's API: count and sum as
 * counters, min, max, avg and stddev as gauges. The API takes over no histograms: for those
 * there is metricProducer().
 *
 * An aggregation is observed from the collection on that follows the one that has found it;
 * the first search is made at once. The gauge `dtrace.records` tells how many records the
 * aggregations have. The function that it resolves to ends it.
 *
 * @example
 * const end = await observe(dt, { metrics: { calls: { labels: ['program'] } } });
 */
export function observe(dt: Consumer, settings?: ObserveSettings): Promise<() => void>;
