/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* The page of `latency --web`, in a browser: what a user sees of it and does with it. */
const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { Browser, isThere } = require('../chromium');
const { bounds } = require('../../bin/heatmap');
const { duration } = require('../../bin/screen');
const { patience, start } = require('../command');

const bin = path.join(__dirname, '..', '..', 'bin', 'dtrace-async.js');
const LIMIT_MS = 60000 * patience;

const text = (id) => `document.getElementById('${id}').textContent`;

/* Of the map's pixels, how many are not of the ground: left where the names of the bands
 * stand, and right where the cells do. */
const PAINTED = `(() => {
	const map = document.getElementById('map');
	const painted = (x, width) => map.getContext('2d').getImageData(x, 0, width, map.height).data
	    .filter((value, i) => i % 4 === 3 && value > 0).length;

	return { names: painted(0, 64), cells: painted(64, map.width - 64) };
})()`;

/* An expression's value as soon as it is as it should be. */
async function until(page, expression, isRight) {
	for (const end = Date.now() + LIMIT_MS; ; await sleep(50)) {
		const value = await page.evaluate(expression);

		if (isRight(value))
			return value;
		if (Date.now() > end)
			throw new Error(`waited in vain, ${expression} is ${JSON.stringify(value)}`);
	}
}

/* How many calls the page says that it shows. */
const shown = (title) => Number(/^umask: (\d+) calls shown$/.exec(title)?.[1] ?? 0);

/* What the page tells of each cell of a column, from the top of the map to its bottom, as
 * [count, band]; -x: from the right. */
async function cells(page, x) {
	const { left, top, height } = JSON.parse(await page.evaluate(
	    `JSON.stringify(document.getElementById('map').getBoundingClientRect())`));
	const found = new Map();

	for (let y = 2; y < height; y += 8) {
		await page.point(left + x, top + y);
		const [, count, band] = /^\d+ s ago: (\d+) calls from (.*) on$/.exec(
		    await page.evaluate(text('cell'))) ?? [];

		if (band !== undefined)
			found.set(band, Number(count));
	}
	return found;
}

test('latency --web in a browser', { skip: !isThere && 'there is no chromium' }, async (t) => {
	const worker = start(['-e', `setInterval(() => process.umask(0o22), 2)`],
	    { file: process.execPath, limit: 2 * LIMIT_MS });
	const tool = start([bin, 'latency', 'umask', '-w', '-i', '0.2', '-p', String(worker.child.pid)],
	    { file: process.execPath, limit: 2 * LIMIT_MS });
	const browser = new Browser();

	t.after(async () => {
		for (const { child } of [tool, worker])
			child.kill();
		await Promise.all([tool.done, worker.done, browser.end()]);
	});
	const [url] = await tool.seen(/http:\S+/);
	const page = await browser.open(url);

	await t.test('it counts calls', async () => {
		await until(page, text('title'), (title) => shown(title) > 0);
		assert.equal(await page.evaluate('document.title'), 'umask: latency');
	});

	await t.test('the map has cells, and the names of its rows beside them', async () => {
		const painted = await until(page, PAINTED, ({ cells: n }) => n > 0);

		assert.ok(painted.names > 0);
	});

	await t.test('a cell tells its calls, and in which band they are', async () => {
		const rows = await cells(page, 64 + 4);

		assert.ok(rows.size > 0);
		assert.ok([...rows.values()].some((count) => count > 0));
		for (const band of rows.keys())
			assert.ok(bounds.map(duration).includes(band), band);
	});

	await t.test('it goes on', async () => {
		const before = shown(await page.evaluate(text('title')));

		await until(page, text('title'), (title) => shown(title) > before);
	});

	await t.test('a page that is opened later begins with what there has been', async () => {
		const before = shown(await page.evaluate(text('title')));
		const other = await browser.open(url);

		await until(other, text('title'), (title) => shown(title) >= before);
	});

	await t.test('a wide window and a narrow one', async () => {
		await page.evaluate(`document.getElementById('map').style.width = '90px'`);
		await until(page, `document.getElementById('map').width`, (width) => width === 90);
		await page.evaluate(`document.getElementById('map').style.width = ''`);
	});

	await t.test('the end of the tool is told, and what was shown stays', async () => {
		tool.child.kill('SIGINT');
		const { status, stdout, stderr } = await tool.done;

		assert.equal(status, 0);
		assert.equal(stderr, '');
		assert.match(stdout, /^umask of process \d+: \d+ calls, half within/m);
		await until(page, text('cell'), (words) => /has ended/.test(words));
		assert.ok(shown(await page.evaluate(text('title'))) > 0);
		assert.ok((await page.evaluate(PAINTED)).cells > 0);
	});
});
