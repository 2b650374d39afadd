/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Aggregations as OpenTelemetry metrics, without depending on OpenTelemetry.
 *
 * metricProducer() is a MetricProducer of its SDK: each collection takes a snapshot, whole
 * histograms included. observe() is for programs that know the API alone, which can
 * observe sums and gauges but take over no histogram.
 *
 * quantize becomes an exponential histogram of scale 0, the base of which is 2. D's bucket
 * n counts the integers 2^n to 2^(n+1)-1; OpenTelemetry's bucket n is (2^n, 2^(n+1)]. An
 * integer of D is what is left of a quantity whose fraction was cut off (nanoseconds of a
 * duration): v stands for all of [v, v+1), and D's bucket for [2^n, 2^(n+1)). The two are the
 * same but for which side a bound itself belongs to. So each bucket becomes the one of its
 * number, zero the zero count, negative ones negative: nothing is merged or divided, and
 * D's buckets can be had back exactly.
 *
 * lquantize and llquantize become histograms of explicit bounds. These are inclusive upper
 * ones in both worlds, so here the buckets are equal.
 */
const { families } = require('./metrics');
const { version } = require('../package.json');

/* Numbers of OpenTelemetry's SDK: DataPointType, AggregationTemporality, ValueType. */
const HISTOGRAM = 0;
const EXPONENTIAL_HISTOGRAM = 1;
const GAUGE = 2;
const SUM = 3;
const DELTA = 0;
const CUMULATIVE = 1;
const INT = 0;
const DOUBLE = 1;

const SCOPE = { name: 'dtrace-async', version };
const PREFIX = 'dtrace.';

/* A time as the SDK writes it: seconds and nanoseconds. */
function highResolution(ms) {
	return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}

/* ---- Values ---------------------------------------------------------------------- */

/* Buckets of one sign: those from the lowest to the highest that is not empty. */
function exponentialSide(counts) {
	const used = Object.keys(counts).map(Number);

	if (used.length === 0)
		return { offset: 0, bucketCounts: [] };
	const offset = Math.min(...used);

	return {
		offset,
		bucketCounts: Array.from({ length: Math.max(...used) - offset + 1 },
		    (_, i) => counts[offset + i] ?? 0),
	};
}

/* Of a bucket's bound that is nearer to zero, which is a power of two, its exponent. */
function exponentOf(bound, i, bounds) {
	return Math.round(Math.log2(bound > 0 ? (i > 0 ? bounds[i - 1] + 1 : bound) : -bound));
}

function exponentialHistogram({ counts, count, sum }, bounds) {
	const positive = {}, negative = {};
	let zeroCount = 0;

	counts.forEach((n, i) => {
		if (n === 0)
			return;
		if (bounds[i] === 0)
			zeroCount += n;
		else
			(bounds[i] > 0 ? positive : negative)[exponentOf(bounds[i], i, bounds)] = n;
	});
	return {
		count,
		sum,
		scale: 0,
		zeroCount,
		positive: exponentialSide(positive),
		negative: exponentialSide(negative),
	};
}

/* The last bucket has no bound. */
function explicitHistogram({ counts, count, sum }, bounds) {
	return { count, sum, buckets: { boundaries: bounds.slice(0, -1), counts } };
}

function pointValue(family, point) {
	if (family.kind !== 'histogram')
		return Number(point.value);
	return family.action === 'quantize' ? exponentialHistogram(point, family.bounds) :
		explicitHistogram(point, family.bounds);
}

function dataPointType({ kind, action }) {
	if (kind === 'histogram')
		return action === 'quantize' ? EXPONENTIAL_HISTOGRAM : HISTOGRAM;
	return kind === 'sum' ? SUM : GAUGE;
}

function metricData(family, times, aggregationTemporality) {
	const isWhole = family.kind === 'histogram' ||
	    family.points.every(({ value }) => typeof value === 'bigint' || Number.isInteger(value));
	const type = dataPointType(family);

	return {
		descriptor: {
			name: family.name,
			description: family.help,
			unit: family.setting.unit ?? '',
			valueType: isWhole ? INT : DOUBLE,
		},
		aggregationTemporality,
		dataPointType: type,
		...(type === SUM ? { isMonotonic: family.isMonotonic } : {}),
		dataPoints: family.points.map((point) => ({
			...times,
			attributes: point.labels,
			value: pointValue(family, point),
		})),
	};
}

/* ---- The SDK ----------------------------------------------------------------------- */

/* A reader keeps the resource of its own provider. */
const RESOURCE = {
	attributes: {},
	merge: (other) => other ?? RESOURCE,
	getRawAttributes: () => [],
};

/**
 * A MetricProducer of OpenTelemetry's SDK, for the option `metricProducers` of a
 * MetricReader. Each collection takes a snapshot of the aggregations: count and sum become
 * sums, min, max, avg and stddev gauges, quantize an exponential histogram, lquantize and
 * llquantize histograms with explicit bounds.
 *
 * @param {import('./index').Consumer} dt
 * @param {import('./otel').ProducerSettings} [settings]
 * @returns {import('./otel').MetricProducer}
 * @example
 * const provider = new MeterProvider({
 * 	readers: [new PeriodicExportingMetricReader({
 * 		exporter: new OTLPMetricExporter(),
 * 		metricProducers: [metricProducer(dt)],
 * 	})],
 * });
 */
function metricProducer(dt, settings = {}) {
	const isDelta = settings.temporality === 'delta';
	let start = settings.startTime ?? Date.now();

	async function scopeMetrics() {
		const aggregations = await dt.aggregations({ sort: 'none', clear: isDelta });
		const end = Date.now();
		const times = { startTime: highResolution(start), endTime: highResolution(end) };
		const metrics = families(aggregations, { prefix: PREFIX, ...settings })
			.map((family) => metricData(family, times, isDelta ? DELTA : CUMULATIVE));

		if (isDelta)
			start = end;
		return [{ scope: SCOPE, metrics }];
	}

	return {
		async collect() {
			const errors = [];
			const scopes = await scopeMetrics().catch((error) => {
				errors.push(error);
				return [];
			});

			return { resourceMetrics: { resource: RESOURCE, scopeMetrics: scopes }, errors };
		},
	};
}

/* ---- The API ----------------------------------------------------------------------- */

/* The program's own @opentelemetry/api. */
function apiMeter() {
	try {
		return require('@opentelemetry/api').metrics.getMeter(SCOPE.name, SCOPE.version);
	} catch (cause) {
		throw new Error('observe() takes a meter where @opentelemetry/api is not installed',
		    { cause });
	}
}

function makeInstrument(meter, family) {
	const options = { description: family.help, unit: family.setting.unit };

	if (family.kind === 'gauge')
		return meter.createObservableGauge(family.name, options);
	return family.isMonotonic ? meter.createObservableCounter(family.name, options) :
		meter.createObservableUpDownCounter(family.name, options);
}

/**
 * Makes aggregations observable through a meter of OpenTelemetry's API: count and sum as
 * counters, min, max, avg and stddev as gauges. The API takes over no histograms: for
 * those there is metricProducer().
 *
 * An aggregation is observed from the collection on that follows the one that has found it;
 * the first search is made at once. The gauge `dtrace.records` tells how many records the
 * aggregations have.
 *
 * @param {import('./index').Consumer} dt
 * @param {import('./otel').ObserveSettings} [settings]
 * @returns {Promise<() => void>} what ends it
 * @example
 * const end = await observe(dt, { metrics: { calls: { labels: ['program'] } } });
 */
async function observe(dt, { meter = apiMeter(), ...settings } = {}) {
	const instruments = new Map(); /* by name: {instrument, callback} */
	let snapshot = null; /* the one that the callbacks of a collection share */
	let isOver = false;

	function take() {
		snapshot ??= dt.aggregations({ sort: 'none' }).then((aggregations) => {
			const all = families(aggregations, { prefix: PREFIX, ...settings });

			discover(all);
			return { count: aggregations.length,
				byName: new Map(all.map((family) => [family.name, family])) };
		}).finally(() => setImmediate(() => (snapshot = null)));
		return snapshot;
	}

	function discover(all) {
		for (const family of all) {
			const { name } = family;

			if (isOver || family.kind === 'histogram' || instruments.has(name))
				continue;
			add(name, makeInstrument(meter, family), async (result) => {
				const found = (await take()).byName.get(name);

				for (const { labels, value } of found?.points ?? [])
					result.observe(Number(value), labels);
			});
		}
	}

	function add(name, instrument, callback) {
		instruments.set(name, { instrument, callback });
		instrument.addCallback(callback);
	}

	const records = `${settings.prefix ?? PREFIX}records`;

	add(records, meter.createObservableGauge(records,
	    { description: 'Records of the aggregations' }),
	async (result) => result.observe((await take()).count));
	await take();
	return () => {
		isOver = true;
		for (const { instrument, callback } of instruments.values())
			instrument.removeCallback(callback);
	};
}

module.exports = { metricProducer, observe };
