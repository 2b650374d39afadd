/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * A heat map of latencies: a column for each stretch of time, a row for each band of
 * latency, and the warmer a cell, the more has happened there. Bands go by 1, 2, 5, 10: the
 * buckets that llquantize(ns, 10, LOW, HIGH, STEPS) counts in divide there, and are finer, so that
 * percentiles are known to a tenth of their value.
 */
const { duration } = require('./screen');

/* From 100 ns to 100 s. */
const LOW = 2;
const HIGH = 10;
const STEPS = 100;
const BUCKETS = `10, ${LOW}, ${HIGH}, ${STEPS}`;

/* Where the bands begin: everything below the first bound is in band 0. */
const bounds = [0];

for (let power = LOW; power <= HIGH; power++)
	bounds.push(...[1, 2, 5].map((digit) => digit * 10 ** power));

/* From cold to hot: numbers of a terminal's 256 colours; characters where there are none. */
const HEAT = [17, 18, 54, 90, 126, 162, 197, 202, 208, 214, 220, 227];
const SHADES = ' .:-=+*%#@';

/* Heat from 0 (nothing) to so many steps, by the square root: few are not lost beside many. */
function heat(count, most, steps) {
	return count === 0 ? 0 : Math.max(1, Math.round(Math.sqrt(count / most) * steps));
}

/* Columns that are kept: more than a terminal is wide. */
const KEPT = 1000;

class HeatMap {
	#buckets = new Map(); /* of all columns together: by their lower bound */

	constructor() {
		/** For each stretch of time of late, what was counted in each band. */
		this.columns = [];
	}

	/** Adds a column. buckets: as llquantize() gives them. */
	add(buckets) {
		const column = bounds.map(() => 0);

		for (const [[min, max], count] of buckets) {
			const low = Math.max(min, 0);
			const known = this.#buckets.get(low);

			column[bounds.findLastIndex((bound) => bound <= low)] += count;
			this.#buckets.set(low, { low, max, count: count + (known?.count ?? 0) });
		}
		this.columns.push(column);
		if (this.columns.length > KEPT)
			this.columns.shift();
		return column;
	}

	get count() {
		return [...this.#buckets.values()].reduce((sum, { count }) => sum + count, 0);
	}

	/** The latency that a share of all (0.99, say) did not exceed, in ns. */
	percentile(share) {
		let left = this.count * share;

		for (const { max, count } of [...this.#buckets.values()].sort((a, b) => a.low - b.low)) {
			left -= count;
			if (left <= 0)
				return max;
		}
		return 0;
	}

	/**
	 * The newest columns as lines, the slowest band on top.
	 *
	 * @param {number} width of the terminal
	 * @param {boolean} isColoured
	 */
	lines(width, isColoured) {
		const LABEL = 8;
		const shown = this.columns.slice(-Math.max(width - LABEL, 1));
		const used = bounds.map((_, band) => shown.some((column) => column[band] > 0));
		const most = Math.max(1, ...shown.flat());
		const lines = [];

		for (let band = used.lastIndexOf(true); band >= Math.max(used.indexOf(true), 0); band--) {
			const cells = shown.map((column) => cell(column[band], most, isColoured));

			lines.push(`${duration(bounds[band]).padStart(LABEL - 1)} ${cells.join('')}`);
		}
		return lines;
	}
}

function cell(count, most, isColoured) {
	if (!isColoured)
		return SHADES[heat(count, most, SHADES.length - 1)];
	const step = heat(count, most, HEAT.length);

	return step === 0 ? ' ' : `\x1b[48;5;${HEAT[step - 1]}m \x1b[0m`;
}

module.exports = { BUCKETS, HeatMap, bounds };
