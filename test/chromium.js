// SPDX-License-Identifier: Apache-2.0
// A browser without a window, told what to do over a pipe: for the test of the page and for
// its picture in the documentation. It knows nothing of its user's files and asks nobody but
// the page's server.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const PROGRAM = 'chromium';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync',
	'--remote-debugging-pipe', '--window-size=1000,640'];

/** Whether there is one. */
const isThere = process.env.PATH.split(':').some((one) => fs.existsSync(path.join(one, PROGRAM)));

/* One page, and what a user does with it. */
class Page {
	#ask;

	constructor(ask) {
		this.#ask = ask;
	}

	/** The value of an expression, as JSON has it. */
	async evaluate(expression) {
		const { result, exceptionDetails } = await this.#ask('Runtime.evaluate',
		    { expression, returnByValue: true });

		if (exceptionDetails)
			throw new Error(`${expression}: ${result.description}`);
		return result.value;
	}

	/** Points at a place of the window. */
	async point(x, y) {
		await this.#ask('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
	}

	/** What can be seen of it: the bytes of a PNG. */
	async screenshot() {
		return Buffer.from((await this.#ask('Page.captureScreenshot')).data, 'base64');
	}
}

class Browser {
	#directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dtrace-browser-'));
	#child = spawn(PROGRAM, [...FLAGS, `--user-data-dir=${this.#directory}`, 'about:blank'], {
		stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
		env: { PATH: process.env.PATH, HOME: this.#directory },
	});
	#ended = once(this.#child, 'exit');
	#waiting = new Map(); /* by the number of what was asked */
	#sent = 0;

	constructor() {
		const [, , , to, from] = this.#child.stdio;
		let text = '';

		to.on('error', () => {}); /* its end is told below */
		from.setEncoding('utf8').on('data', (some) => {
			const messages = (text + some).split('\0');

			text = messages.pop();
			messages.forEach((message) => this.#take(JSON.parse(message)));
		});
		this.#ended.catch(() => {}).then(() => {
			for (const { reject } of this.#waiting.values())
				reject(new Error('the browser has ended'));
			fs.rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 });
		});
	}

	#take({ id, result, error }) {
		const waiting = this.#waiting.get(id);

		this.#waiting.delete(id);
		if (error)
			waiting?.reject(new Error(error.message));
		else
			waiting?.resolve(result);
	}

	#ask(method, params, sessionId) {
		const id = ++this.#sent;

		return new Promise((resolve, reject) => {
			this.#waiting.set(id, { resolve, reject });
			this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
		});
	}

	/**
	 * Opens a page, and waits until all that belongs to it is there.
	 *
	 * @param {string} url as the browser would write it
	 * @returns {Promise<Page>}
	 */
	async open(url) {
		const { targetId } = await this.#ask('Target.createTarget', { url });
		const { sessionId } = await this.#ask('Target.attachToTarget', { targetId, flatten: true });
		const page = new Page((method, params) => this.#ask(method, params, sessionId));

		while (await page.evaluate('location.href + document.readyState') !== `${url}complete`)
			await sleep(20);
		return page;
	}

	/** Ends it; what it has left in files is removed. */
	async end() {
		await this.#ask('Browser.close').catch(() => {});
		await this.#ended;
	}
}

module.exports = { Browser, isThere };
