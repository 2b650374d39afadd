/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What aggregations() returns, as families of metrics: what prometheus.js and otel.js have
 * in common. A family is one aggregation:
 *
 *	name		given by the settings, or the aggregation's with a prefix
 *	kind		'sum', 'gauge' or 'histogram'
 *	help		one sentence
 *	isMonotonic	a sum that never falls
 *	bounds		of a histogram: the inclusive upper bounds of its buckets; the last
 *			stands for infinity
 *	points		{labels, value} each; of a histogram {labels, counts, count, sum},
 *			sum undefined where it is not known
 *
 * A histogram does not know the sum of what it has counted. Where the program aggregates
 * it, too, as sum() under the histogram's name with "_sum" and by the same keys, it is
 * the histogram's.
 */
const KINDS = {
	count: 'sum', sum: 'sum',
	min: 'gauge', max: 'gauge', avg: 'gauge', stddev: 'gauge',
	quantize: 'histogram', lquantize: 'histogram', llquantize: 'histogram',
};

/* A stack's frame, as ustack() prints it. */
function frameText({ symbol, module, offset, address }) {
	if (symbol === null)
		return `0x${address.toString(16)}`;
	return `${module === null ? '' : `${module}\``}${symbol}` +
	    (offset > 0 ? `+0x${offset.toString(16)}` : '');
}

/* A key as the text of a label. */
function labelText(key) {
	if (Buffer.isBuffer(key))
		return key.toString('hex');
	if (Array.isArray(key) && key.every((frame) => typeof frame?.address === 'bigint'))
		return key.map(frameText).join(';');
	if (typeof key === 'object' && key !== null)
		return JSON.stringify(key, (_, value) =>
		    (typeof value === 'bigint' ? String(value) : value));
	return String(key);
}

/* Keys without a name given are key0, key1 and so on. */
function labelled(keys, names = []) {
	return Object.fromEntries(keys.map((key, i) => [names[i] ?? `key${i}`, labelText(key)]));
}

function same(labels) {
	return JSON.stringify(labels);
}

/* Counts by bucket, the empty ones too, from those that are not. */
function histogramPoint(labels, buckets, bounds) {
	const places = new Map(bounds.map((bound, i) => [bound, i]));
	const counts = new Array(bounds.length).fill(0);
	let count = 0;

	for (const [[, max], n] of buckets) {
		counts[places.get(Number(max))] = Number(n);
		count += Number(n);
	}
	return { labels, counts, count, sum: undefined };
}

function makeFamily({ name, action, bounds }, { prefix, metrics }) {
	const setting = metrics[name] ?? {};

	return {
		aggregation: name,
		action,
		setting,
		name: setting.name ?? prefix + (name || action),
		kind: KINDS[action],
		help: setting.help ?? `${action}() of the aggregation @${name}`,
		isMonotonic: setting.monotonic ?? true,
		bounds,
		points: [],
	};
}

/* Takes the sums that belong to histograms out of the families. */
function joinSums(families) {
	const byName = new Map(families.map((family) => [family.aggregation, family]));
	const joined = new Set();

	for (const family of families) {
		const sums = byName.get(`${family.aggregation}_sum`);

		if (family.kind !== 'histogram' || sums?.action !== 'sum')
			continue;
		const values = new Map(sums.points.map(({ keys, value }) => [same(keys), value]));

		for (const point of family.points)
			point.sum = values.get(same(point.keys));
		joined.add(sums);
	}
	return families.filter((family) => !joined.has(family));
}

/*
 * settings: prefix, put before names; metrics, what is said of each aggregation, by its name:
 * {name, help, labels, monotonic}.
 */
function families(aggregations, { prefix, metrics = {} }) {
	const all = new Map();

	for (const record of aggregations) {
		let family = all.get(record.varid);

		if (!family)
			all.set(record.varid, family = makeFamily(record, { prefix, metrics }));
		const labels = labelled(record.keys, family.setting.labels);
		const keys = Object.values(labels);

		family.points.push(family.kind === 'histogram' ?
			{ keys, ...histogramPoint(labels, record.value, record.bounds) } :
			{ keys, labels, value: record.value });
	}
	return joinSums([...all.values()]);
}

module.exports = { families };
