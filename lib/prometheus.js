/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * Aggregations in Prometheus's text format. D's buckets of integers have inclusive upper
 * bounds, as `le` is: a histogram says exactly what the aggregation does.
 */
const { families } = require('./metrics');

/** The Content-Type of an answer that exposition() is the body of. */
const contentType = 'text/plain; version=0.0.4; charset=utf-8';

const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

/* Of what is no part of a name each character becomes an underscore. */
function metricName({ name, kind, isMonotonic }) {
	const legal = name.replace(/[^a-zA-Z0-9_:]/g, '_').replace(/^(?=[0-9])|^$/, '_');

	return kind === 'sum' && isMonotonic && !legal.endsWith('_total') ? `${legal}_total` : legal;
}

function metricType({ kind, isMonotonic }) {
	return kind === 'sum' ? (isMonotonic ? 'counter' : 'gauge') : kind;
}

function escapeLabel(text) {
	return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function labelsText(labels) {
	const pairs = Object.entries(labels).map(([name, text]) => {
		if (!LABEL.test(name))
			throw new TypeError(`"${name}" cannot be the name of a label`);
		return `${name}="${escapeLabel(text)}"`;
	});

	return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function sample(name, labels, value) {
	const text = value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);

	return `${name}${labelsText(labels)} ${text}`;
}

/*
 * The buckets that are shown, from one to before another. quantize has 127 of them: what
 * lies outside of those that some record has counted in is left out.
 */
function shownBuckets({ action, bounds, points }) {
	if (action !== 'quantize')
		return [0, bounds.length];
	const isUsed = bounds.map((_, i) => points.some(({ counts }) => counts[i] > 0));

	return [Math.max(isUsed.indexOf(true), 0), isUsed.lastIndexOf(true) + 1];
}

function *histogramLines(name, family) {
	const [from, to] = shownBuckets(family);

	for (const { labels, counts, count, sum } of family.points) {
		let cumulated = 0;

		for (let i = from; i < Math.min(to, counts.length - 1); i++) {
			cumulated += counts[i];
			yield sample(`${name}_bucket`, { ...labels, le: String(family.bounds[i]) },
			    cumulated);
		}
		yield sample(`${name}_bucket`, { ...labels, le: '+Inf' }, count);
		if (sum !== undefined)
			yield sample(`${name}_sum`, labels, sum);
		yield sample(`${name}_count`, labels, count);
	}
}

function *familyLines(name, family) {
	const help = family.help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');

	yield `# HELP ${name} ${help}`;
	yield `# TYPE ${name} ${metricType(family)}`;
	if (family.kind === 'histogram')
		yield* histogramLines(name, family);
	else
		for (const { labels, value } of family.points)
			yield sample(name, labels, value);
}

/**
 * Aggregations as text that Prometheus scrapes: count and sum as counters, min, max, avg
 * and stddev as gauges, quantize, lquantize and llquantize as histograms.
 *
 * @param {import('./index').Aggregation[]} aggregations what aggregations() has returned
 * @param {import('./prometheus').ExpositionSettings} [settings]
 * @returns {string}
 * @throws {Error} when two aggregations would be the same metric
 * @example
 * await dt.run('syscall:::entry { @calls[execname] = count(); }');
 * http.createServer(async (request, response) => {
 * 	response.setHeader('Content-Type', contentType);
 * 	response.end(exposition(await dt.aggregations(),
 * 	    { metrics: { calls: { help: 'System calls', labels: ['program'] } } }));
 * }).listen(9464, 'localhost');
 */
function exposition(aggregations, settings = {}) {
	const names = new Set();
	let text = '';

	for (const family of families(aggregations, { prefix: 'dtrace_', ...settings })) {
		const name = metricName(family);

		if (names.has(name))
			throw new Error(`two aggregations would be the metric ${name}`);
		names.add(name);
		for (const line of familyLines(name, family))
			text += `${line}\n`;
	}
	return text;
}

module.exports = { contentType, exposition };
