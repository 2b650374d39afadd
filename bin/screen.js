/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Text for people: tables, numbers with their units, and a picture that replaces itself. */

/** Nanoseconds with three digits and the unit that fits: '1.25ms'. */
function duration(ns) {
	for (const [unit, size] of [['s', 1e9], ['ms', 1e6], ['us', 1e3]])
		if (ns >= size)
			return `${digits(ns / size)}${unit}`;
	return `${Math.round(ns)}ns`;
}

/** Three digits of a number, or all that stand before the point. */
function digits(number) {
	return number >= 100 ? number.toFixed(0) : number.toPrecision(3);
}

/**
 * A name that a traced program has chosen, without what would steer the terminal.
 *
 * @param {string} name
 */
function plain(name) {
	return name.replace(/[\x00-\x1f\x7f-\x9f]/g,
	    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/**
 * Lines of a table.
 *
 * @param {string[]} heads those of the columns: one that begins with a space stands right
 * @param {Array<Array<string|number>>} rows
 */
function table(heads, rows) {
	const cells = [heads.map((head) => head.trim()), ...rows]
	    .map((row) => row.map((cell) => plain(String(cell))));
	const widths = heads.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
	const isLast = (i) => i === heads.length - 1;

	return cells.map((row) => row.map((cell, i) => {
		if (heads[i].startsWith(' '))
			return cell.padStart(widths[i]);
		return isLast(i) ? cell : cell.padEnd(widths[i]);
	}).join('  '));
}

/* A line cut to what a terminal shows of it; colours take no room. */
function cut(line, columns) {
	let room = columns;

	return line.replace(/\x1b\[[0-9;]*m|[^]/gu, (part) => {
		if (part.length > 1 && part.startsWith('\x1b'))
			return part;
		return room-- > 0 ? part : '';
	});
}

/* Lines at the bottom of the terminal that are drawn anew; nothing where there is none. */
class Screen {
	#height = 0;

	constructor(stream = process.stdout) {
		this.stream = stream;
	}

	/** Of the terminal as it is now. */
	get columns() {
		return this.stream.columns || 80;
	}

	/** How many lines there is room for. */
	get room() {
		return (this.stream.rows || 24) - 1;
	}

	draw(lines) {
		const shown = lines.slice(0, this.room).map((line) => cut(line, this.columns));

		if (!this.stream.isTTY)
			return;
		this.clear();
		this.stream.write(`${shown.join('\n')}\n`);
		this.#height = shown.length;
	}

	clear() {
		if (this.#height > 0)
			this.stream.write(`\x1b[${this.#height}A\x1b[J`);
		this.#height = 0;
	}

	/** The last words: they stay. */
	print(lines) {
		this.clear();
		this.stream.write(lines.map((line) => `${line}\n`).join(''));
	}
}

module.exports = { Screen, duration, plain, table };
