/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Aggregations as metrics: Prometheus's text, and OpenTelemetry by its own packages. */
const assert = require('node:assert/strict');
const { test } = require('node:test');
const api = require('@opentelemetry/api');
const { AggregationTemporality, DataPointType, MeterProvider, MetricReader } =
	require('@opentelemetry/sdk-metrics');
const dtrace = require('dtrace-async');
const { metricProducer, observe } = require('dtrace-async/otel');
const { contentType, exposition } = require('dtrace-async/prometheus');

const each = (values, statement) => values.map(statement).join(' ');

/* A consumer that has run these statements in BEGIN and keeps on tracing. */
async function traced(statements, settings) {
	const dt = await dtrace.open(settings);

	await dt.run(`BEGIN { ${statements} } END { trace(0); }`);
	return dt;
}

async function withConsumer(dt, use) {
	try {
		return await use(dt);
	} finally {
		await dt.close();
	}
}

function exposed(statements, settings) {
	return traced(statements).then((dt) => withConsumer(dt, async () =>
	    exposition(await dt.aggregations(), settings)));
}

/* ---- Prometheus ------------------------------------------------------------------ */

const EXPOSITIONS = [
	['count is a counter', '@calls["read"] = count(); @calls["read"] = count();',
		{ metrics: { calls: { help: 'Calls\\s\nso far', labels: ['call'] } } }, `
# HELP dtrace_calls_total Calls\\\\s\\nso far
# TYPE dtrace_calls_total counter
dtrace_calls_total{call="read"} 2
`],
	['sum is a counter, or a gauge where it can fall',
		'@bytes_total = sum(7); @level = sum(-2);',
		{ prefix: '', metrics: { level: { monotonic: false } } }, `
# HELP bytes_total sum() of the aggregation @bytes_total
# TYPE bytes_total counter
bytes_total 7
# HELP level sum() of the aggregation @level
# TYPE level gauge
level -2
`],
	['min, max and avg are gauges',
		'@a = min(-3); @b = max(9); @c = avg(1); @c = avg(2);', {}, `
# HELP dtrace_a min() of the aggregation @a
# TYPE dtrace_a gauge
dtrace_a -3
# HELP dtrace_b max() of the aggregation @b
# TYPE dtrace_b gauge
dtrace_b 9
# HELP dtrace_c avg() of the aggregation @c
# TYPE dtrace_c gauge
dtrace_c 1.5
`],
	['quantize is a histogram, with its sum where the program has it',
		each([0, 5, 6, 9], (v) => `@ns[1] = quantize(${v}); @ns_sum[1] = sum(${v});`), {}, `
# HELP dtrace_ns quantize() of the aggregation @ns
# TYPE dtrace_ns histogram
dtrace_ns_bucket{key0="1",le="0"} 1
dtrace_ns_bucket{key0="1",le="1"} 1
dtrace_ns_bucket{key0="1",le="3"} 1
dtrace_ns_bucket{key0="1",le="7"} 3
dtrace_ns_bucket{key0="1",le="15"} 4
dtrace_ns_bucket{key0="1",le="+Inf"} 4
dtrace_ns_sum{key0="1"} 20
dtrace_ns_count{key0="1"} 4
`],
	['what quantize holds below zero counts, too',
		each([-5, 3], (v) => `@ = quantize(${v});`), {}, `
# HELP dtrace_quantize quantize() of the aggregation @
# TYPE dtrace_quantize histogram
dtrace_quantize_bucket{le="-4"} 1
dtrace_quantize_bucket{le="-2"} 1
dtrace_quantize_bucket{le="-1"} 1
dtrace_quantize_bucket{le="0"} 1
dtrace_quantize_bucket{le="1"} 1
dtrace_quantize_bucket{le="3"} 2
dtrace_quantize_bucket{le="+Inf"} 2
dtrace_quantize_count 2
`],
	['lquantize shows all of its buckets',
		each([-7, 10, 19, 500], (v) => `@d = lquantize(${v}, 0, 30, 10);`),
		{ metrics: { d: { name: '2 depths' } } }, `
# HELP _2_depths lquantize() of the aggregation @d
# TYPE _2_depths histogram
_2_depths_bucket{le="-1"} 1
_2_depths_bucket{le="9"} 1
_2_depths_bucket{le="19"} 3
_2_depths_bucket{le="29"} 3
_2_depths_bucket{le="+Inf"} 4
_2_depths_count 4
`],
	['llquantize, too', each([3, 40, 5000], (v) => `@l = llquantize(${v}, 4, 1, 2, 4);`),
		{}, `
# HELP dtrace_l llquantize() of the aggregation @l
# TYPE dtrace_l histogram
dtrace_l_bucket{le="3"} 1
dtrace_l_bucket{le="7"} 1
dtrace_l_bucket{le="11"} 1
dtrace_l_bucket{le="15"} 1
dtrace_l_bucket{le="31"} 1
dtrace_l_bucket{le="47"} 2
dtrace_l_bucket{le="63"} 2
dtrace_l_bucket{le="+Inf"} 3
dtrace_l_count 3
`],
	['text in labels is escaped', '@c["say \\"x\\\\y\\"\\n", -1] = count();', {}, `
# HELP dtrace_c_total count() of the aggregation @c
# TYPE dtrace_c_total counter
dtrace_c_total{key0="say \\"x\\\\y\\"\\n",key1="-1"} 1
`],
];

for (const [what, statements, settings, text] of EXPOSITIONS)
	test(what, async () => assert.equal(`\n${await exposed(statements, settings)}`, text));

test('an aggregation without records exposes nothing', async () => {
	assert.equal(await exposed('trace(1);'), '');
	assert.match(contentType, /^text\/plain; version=0\.0\.4/);
});

test('a large sum is exposed to the last digit', async () => {
	await withConsumer(await traced('@s = sum(0x7fffffffffffffff);', { bigint: true }),
	    async (dt) => assert.match(exposition(await dt.aggregations()),
	        /^dtrace_s_total 9223372036854775807$/m));
});

test('what cannot be exposed is refused', async () => {
	await assert.rejects(exposed('@a[1] = count();', { metrics: { a: { labels: ['a-b'] } } }),
	    { name: 'TypeError', message: '"a-b" cannot be the name of a label' });
	await assert.rejects(exposed('@a = count(); @a_total = count();'),
	    { message: 'two aggregations would be the metric dtrace_a_total' });
});

test('a stack is a label of its frames', async () => {
	const dt = await dtrace.open({ target: ['true'] });

	await dt.run('syscall::exit_group:entry /pid == $target/ { @[ustack(3)] = count(); }');
	for await (const record of dt)
		assert.fail(record);
	assert.match(exposition(await dt.aggregations()), /^dtrace_count_total\{key0="[^"]+"\} 1$/m);
	await dt.close();
});

/* ---- OpenTelemetry ------------------------------------------------------------------ */

/* A reader that collects when it is told to. */
class Reader extends MetricReader {
	async onShutdown() {
		return undefined;
	}

	async onForceFlush() {
		return undefined;
	}

	/* Metrics by name, and their points as {attributes, value}. */
	async read() {
		const { resourceMetrics, errors } = await this.collect();
		const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);

		assert.deepEqual(errors, []);
		return Object.fromEntries(metrics.map((metric) => [metric.descriptor.name, metric]));
	}
}

const points = (metric) => metric.dataPoints.map(({ attributes, value }) =>
    [attributes, JSON.parse(JSON.stringify(value))]);

/* What the SDK collects from a producer over what these statements have aggregated. */
async function collected(statements, settings) {
	return withConsumer(await traced(statements), async (dt) => {
		const reader = new Reader({ metricProducers: [metricProducer(dt, settings)] });
		const provider = new MeterProvider({ readers: [reader] });
		const metrics = await reader.read();

		await provider.shutdown();
		return metrics;
	});
}

test('count and sum are sums, min, max and avg gauges', async () => {
	const metrics = await collected('@calls["read"] = count(); @bytes = sum(-7); ' +
	    '@low = min(3); @mean = avg(1); @mean = avg(2);',
	{ metrics: { calls: { labels: ['call'], unit: '{call}', help: 'Calls' },
		bytes: { monotonic: false } } });

	assert.deepEqual(Object.keys(metrics).sort(),
	    ['dtrace.bytes', 'dtrace.calls', 'dtrace.low', 'dtrace.mean']);
	const { descriptor, dataPointType, isMonotonic, aggregationTemporality } =
		metrics['dtrace.calls'];

	assert.deepEqual(descriptor, { name: 'dtrace.calls', description: 'Calls',
		unit: '{call}', valueType: api.ValueType.INT });
	assert.deepEqual([dataPointType, isMonotonic, aggregationTemporality],
	    [DataPointType.SUM, true, AggregationTemporality.CUMULATIVE]);
	assert.deepEqual(points(metrics['dtrace.calls']), [[{ call: 'read' }, 1]]);
	assert.equal(metrics['dtrace.bytes'].isMonotonic, false);
	assert.deepEqual(points(metrics['dtrace.bytes']), [[{}, -7]]);
	assert.equal(metrics['dtrace.low'].dataPointType, DataPointType.GAUGE);
	assert.deepEqual(points(metrics['dtrace.low']), [[{}, 3]]);
	assert.equal(metrics['dtrace.mean'].descriptor.valueType, api.ValueType.DOUBLE);
	assert.deepEqual(points(metrics['dtrace.mean']), [[{}, 1.5]]);
});

/* D's bucket of number n is OpenTelemetry's of number n, at scale 0. */
const EXPONENTIAL = [
	[[0], { zeroCount: 1 }],
	[[1], { positive: { offset: 0, bucketCounts: [1] } }],
	[[2, 3, 4], { positive: { offset: 1, bucketCounts: [2, 1] } }],
	[[1, 1000], { positive: { offset: 0, bucketCounts: [1, 0, 0, 0, 0, 0, 0, 0, 0, 1] } }],
	[['0x7fffffffffffffff'], { positive: { offset: 62, bucketCounts: [1] } }],
	[['1LL << 62'], { positive: { offset: 62, bucketCounts: [1] } }],
	[['(1LL << 62) - 1'], { positive: { offset: 61, bucketCounts: [1] } }],
	[[-1, -2, -3, 0, 5], { zeroCount: 1, negative: { offset: 0, bucketCounts: [1, 2] },
		positive: { offset: 2, bucketCounts: [1] } }],
	[['-0x7fffffffffffffff'], { negative: { offset: 62, bucketCounts: [1] } }],
	[['-0x7fffffffffffffff - 1'], { negative: { offset: 62, bucketCounts: [1] } }],
];

for (const [values, expected] of EXPONENTIAL)
	test(`quantize of ${values} is an exponential histogram`, async () => {
		const metrics = await collected(each(values, (v) => `@ = quantize(${v});`));
		const metric = metrics['dtrace.quantize'];
		const none = { offset: 0, bucketCounts: [] };

		assert.equal(metric.dataPointType, DataPointType.EXPONENTIAL_HISTOGRAM);
		assert.deepEqual(points(metric), [[{}, { count: values.length, scale: 0,
			zeroCount: 0, positive: none, negative: none, ...expected }]]);
	});

test('lquantize and llquantize are histograms of explicit bounds', async () => {
	const metrics = await collected(each([-7, 10, 19, 500], (v) =>
	    `@d = lquantize(${v}, 0, 30, 10); @d_sum = sum(${v}); ` +
	    `@l = llquantize(${v}, 4, 1, 2, 4);`));

	assert.deepEqual(Object.keys(metrics).sort(), ['dtrace.d', 'dtrace.l']);
	assert.equal(metrics['dtrace.d'].dataPointType, DataPointType.HISTOGRAM);
	assert.deepEqual(points(metrics['dtrace.d']), [[{}, { count: 4, sum: 522,
		buckets: { boundaries: [-1, 9, 19, 29], counts: [1, 0, 2, 0, 1] } }]]);
	assert.deepEqual(points(metrics['dtrace.l'])[0][1].buckets.boundaries,
	    [3, 7, 11, 15, 31, 47, 63]);
});

test('with temporality delta a collection tells what has come since the last', async () => {
	await withConsumer(await traced('@["x"] = count();'), async (dt) => {
		const reader = new Reader({
			metricProducers: [metricProducer(dt, { temporality: 'delta' })] });
		const provider = new MeterProvider({ readers: [reader] });
		const { 'dtrace.count': first } = await reader.read();

		assert.equal(first.aggregationTemporality, AggregationTemporality.DELTA);
		assert.deepEqual(points(first), [[{ key0: 'x' }, 1]]);
		assert.deepEqual(await reader.read(), {});
		await provider.shutdown();
	});
});

test('a collection from a closed consumer is an error, not an exception', async () => {
	const dt = await traced('@ = count();');

	await dt.close();
	const { errors, resourceMetrics } = await metricProducer(dt).collect();

	assert.match(errors[0].message, /closed/);
	assert.deepEqual(resourceMetrics.scopeMetrics, []);
});

test('observe makes sums and gauges observable by the API', async () => {
	const reader = new Reader();
	const provider = new MeterProvider({ readers: [reader] });

	api.metrics.setGlobalMeterProvider(provider);
	await withConsumer(await traced('@calls[1] = count(); @mean = avg(3); @q = quantize(1); ' +
	    '@level = sum(-1);'), async (dt) => {
		const end = await observe(dt, { metrics: { level: { monotonic: false } } });
		const metrics = await reader.read();

		assert.deepEqual(Object.keys(metrics).sort(),
		    ['dtrace.calls', 'dtrace.level', 'dtrace.mean', 'dtrace.records']);
		assert.deepEqual(points(metrics['dtrace.calls']), [[{ key0: '1' }, 1]]);
		assert.deepEqual(points(metrics['dtrace.level']), [[{}, -1]]);
		assert.deepEqual(points(metrics['dtrace.records']), [[{}, 4]]);
		end();
		await dt.close();
		await reader.read(); /* which nothing asks the consumer for */
	});
	await provider.shutdown();
});
