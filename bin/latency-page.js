/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* Draws the heat map in the page that latency-web.js serves. Runs in the browser. */
(() => {
	const CELL = 8; /* pixels that a column is wide */
	const LABEL = 64; /* and the names of the bands */
	const canvas = document.getElementById('map');
	const title = document.getElementById('title');
	const text = document.getElementById('cell');
	const HINT = text.textContent;
	let about = { title: '', interval: 1, bands: [] };
	let columns = [];
	let shown; /* what the canvas holds: see choose() */

	/* As much as there is room for, and the bands in use. */
	function choose() {
		const count = Math.max(1, Math.floor((canvas.clientWidth - LABEL) / CELL));
		const newest = columns.slice(-count);
		const used = about.bands.map((_, band) => newest.some((column) => column[band] > 0));
		const low = Math.max(used.indexOf(true), 0);
		const high = Math.max(used.lastIndexOf(true), low);

		return {
			first: Math.max(columns.length - count, 0),
			low,
			high,
			height: canvas.clientHeight / (high - low + 1),
			newest,
		};
	}

	/* From dark blue over red to yellow, by the square root of what was counted. */
	function colour(count, most) {
		const heat = Math.sqrt(count / most);

		return `hsl(${(240 + heat * 180) % 360} 90% ${20 + heat * 40}%)`;
	}

	function draw() {
		if (columns.length === 0)
			return;
		const context = canvas.getContext('2d');

		shown = choose();
		const { low, high, height, newest } = shown;
		const most = Math.max(1, ...newest.flat());

		canvas.width = canvas.clientWidth;
		canvas.height = canvas.clientHeight;
		context.fillStyle = '#ccc';
		context.font = '12px sans-serif';
		for (let band = low; band <= high; band++)
			context.fillText(about.bands[band], 4, (high - band + 0.5) * height + 4);
		newest.forEach((column, x) => {
			for (let band = low; band <= high; band++) {
				if (!(column[band] > 0))
					continue;
				context.fillStyle = colour(column[band], most);
				context.fillRect(LABEL + x * CELL, (high - band) * height, CELL - 1, height - 1);
			}
		});
		title.textContent = `${about.title}: ${newest.flat().reduce((a, b) => a + b, 0)} calls shown`;
	}

	function point({ offsetX, offsetY }) {
		if (shown === undefined)
			return;
		const { first, high, height } = shown;
		const at = first + Math.floor((offsetX - LABEL) / CELL);
		const band = high - Math.floor(offsetY / height);
		const count = columns[at]?.[band];

		if (count === undefined)
			return;
		const ago = Math.round((columns.length - at) * about.interval);

		text.textContent = `${ago} s ago: ${count} calls from ${about.bands[band]} on`;
	}

	const source = new EventSource('columns');

	/* A stream that is taken up again begins with all columns, too. */
	source.addEventListener('about', ({ data }) => {
		about = JSON.parse(data);
		columns = [];
		document.title = `${about.title}: latency`;
		text.textContent = HINT;
	});
	source.addEventListener('error', () => {
		text.textContent = 'dtrace-async latency has ended: this is what it has shown.';
	});
	source.addEventListener('column', ({ data }) => {
		columns.push(JSON.parse(data));
		draw();
	});
	canvas.addEventListener('mousemove', point);
	window.addEventListener('resize', draw);
})();
