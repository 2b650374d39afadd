/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * A flame graph: stacks drawn as boxes on boxes, callers below, each as wide as the share of
 * samples that it is in. A click on a box shows what is above it alone.
 */
const WIDTH = 1200;
const ROW = 17;
const TOP = 48;
const LETTER = 6.6; /* width of one, about */
const THINNEST = 0.4; /* what is thinner is left out */

/* Hue and name of each kind of frame. */
const KINDS = {
	js: [95, 'JavaScript'],
	native: [35, 'native'],
	kernel: [210, 'kernel'],
	unknown: [0, 'unknown'],
};

/* What is called from where, with the samples of each. */
class Flame {
	#root = { name: 'all', kind: 'unknown', detail: '', samples: 0, callees: new Map() };

	/**
	 * Counts a stack.
	 *
	 * @param {Array<{name: string, kind: string, detail?: string}>} frames outermost first
	 * @param {number} samples
	 */
	add(frames, samples) {
		let caller = this.#root;

		caller.samples += samples;
		for (const { name, kind, detail = '' } of frames) {
			const key = `${name}\0${detail}\0${kind}`;
			const callee = caller.callees.get(key) ??
			    { name, kind, detail, samples: 0, callees: new Map() };

			callee.samples += samples;
			caller.callees.set(key, callee);
			caller = callee;
		}
	}

	get samples() {
		return this.#root.samples;
	}

	/** The frames that were on the CPU themselves most often: [{name, kind, samples}]. */
	hottest() {
		const found = new Map();

		for (const { node } of this.#boxes()) {
			const own = node.samples - sum(node.callees.values());
			const known = found.get(node.name) ?? { ...node, samples: 0 };

			known.samples += own;
			found.set(node.name, known);
		}
		return [...found.values()].filter(({ samples }) => samples > 0)
		    .sort((a, b) => b.samples - a.samples);
	}

	/* Every frame with its place: in samples from the left, and rows from below. */
	*#boxes(node = this.#root, left = 0, depth = 0) {
		yield { node, left, depth };
		let at = left;

		for (const callee of [...node.callees.values()].sort(byName)) {
			yield* this.#boxes(callee, at, depth + 1);
			at += callee.samples;
		}
	}

	/** @returns {string} the graph, a whole SVG document */
	svg(title) {
		const scale = WIDTH / Math.max(this.samples, 1);
		const boxes = [...this.#boxes()].filter(({ node }) => node.samples * scale >= THINNEST);
		const rows = Math.max(...boxes.map(({ depth }) => depth)) + 1;
		const height = TOP + rows * ROW + 8;
		const drawn = boxes.map((box) => this.#box(box, scale, height));
		const legend = Object.entries(KINDS).map(([kind, [, name]], i) =>
		    `<rect x="${WIDTH - 360 + i * 92}" y="10" width="12" height="12" class="${kind}"/>` +
		    `<text x="${WIDTH - 344 + i * 92}" y="20">${name}</text>`);

		return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}"
	viewBox="0 0 ${WIDTH} ${height}">
<style>
	svg { background: #fff; }
	text { font: 11px monospace; fill: #111; pointer-events: none; }
	text.title { font-size: 15px; }
	rect { stroke: #fff; stroke-width: 0.5; }
	g.faded { opacity: 0.45; }
${Object.entries(KINDS).map(([kind, [hue]]) =>
		`	.${kind} { fill: hsl(${hue}, ${kind === 'unknown' ? 0 : 65}%, 72%); }`).join('\n')}
</style>
<text class="title" x="8" y="22">${escape(title)}</text>
${legend.join('\n')}
<g id="boxes">
${drawn.join('\n')}
</g>
<script><![CDATA[
(${zoom.toString()})(${WIDTH}, ${LETTER});
]]></script>
</svg>
`;
	}

	#box({ node, left, depth }, scale, height) {
		const x = left * scale;
		const y = height - (depth + 1) * ROW - 4;
		const width = node.samples * scale;
		const share = (100 * node.samples / this.samples).toFixed(1);
		const where = node.detail === '' ? '' : ` (${node.detail})`;
		const told = `${node.name}${where}: ${node.samples} samples, ${share}%`;

		const [from, wide] = [x.toFixed(2), width.toFixed(2)];

		return `<g data-x="${from}" data-w="${wide}" data-n="${escape(node.name)}">` +
		    `<title>${escape(told)}</title><rect class="${node.kind}" ` +
		    `x="${from}" y="${y}" width="${wide}" height="${ROW}"/>` +
		    `<text x="${(x + 3).toFixed(2)}" y="${y + 12}">` +
		    `${escape(fit(node.name, width))}</text></g>`;
	}
}

/*
 * Runs in the document: a click on a box spreads it over the whole width, with what it called
 * above it and its callers below.
 */
function zoom(width, letter) {
	const boxes = [...document.getElementById('boxes').children].map((group) => ({
		group,
		x: Number(group.dataset.x),
		w: Number(group.dataset.w),
		rect: group.querySelector('rect'),
		text: group.querySelector('text'),
	}));

	function show(chosen) {
		for (const { group, x, w, rect, text } of boxes) {
			const isCaller = x <= chosen.x + 0.01 && x + w >= chosen.x + chosen.w - 0.01;
			const left = Math.max((x - chosen.x) * width / chosen.w, 0);
			const right = Math.min((x + w - chosen.x) * width / chosen.w, width);
			const room = Math.floor((right - left - 4) / letter);
			const { n: name } = group.dataset;

			group.style.display = right - left > 0.1 ? '' : 'none';
			group.classList.toggle('faded', isCaller && w > chosen.w);
			rect.setAttribute('x', left);
			rect.setAttribute('width', Math.max(right - left, 0));
			text.setAttribute('x', left + 3);
			text.textContent = room < 3 ? '' : name.slice(0, room);
		}
	}
	for (const box of boxes)
		box.group.addEventListener('click', () => show(box));
}

function byName(a, b) {
	return a.name < b.name ? -1 : Number(a.name > b.name);
}

function sum(nodes) {
	return [...nodes].reduce((total, { samples }) => total + samples, 0);
}

function fit(name, width) {
	const room = Math.floor((width - 4) / LETTER);

	return room < 3 ? '' : name.slice(0, room);
}

/* Characters that XML cannot hold at all (a perf map may have anything) become '?'. */
function escape(text) {
	return text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '?').replace(/[&<>"]/g,
	    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}

module.exports = { Flame };
