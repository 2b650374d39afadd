// SPDX-License-Identifier: Apache-2.0
// Makes the pictures of doc/tools.md from real runs of the tools, on the demo server of
// examples/ and on programs of its own: node script/pictures.js. That of the web page needs
// chromium, which draws it and must find it drawn.
'use strict';

const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Browser } = require('../test/chromium');

const root = path.join(__dirname, '..');
const pictures = path.join(root, 'doc', 'pictures');
const COLUMNS = 92;
const ROWS = 34;

/* ---- From what a terminal is sent to a drawing ----------------------------------- */

/* A number of the terminal's 256 colours, of its cube. */
function colour(number) {
	const level = (step) => (step === 0 ? 0 : 55 + 40 * step);
	const n = number - 16;

	return `rgb(${level(Math.floor(n / 36))},${level(Math.floor(n / 6) % 6)},${level(n % 6)})`;
}

/* A line as the characters of it, each with its background. */
function cells(line) {
	const found = [];
	let background = null;

	for (const [, code, letter] of line.matchAll(/\x1b\[([0-9;]*)m|(.)/gu)) {
		if (letter !== undefined)
			found.push({ letter, background });
		else
			background = /^48;5;/.test(code) ? colour(Number(code.slice(5))) : null;
	}
	return found;
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escape = (text) => text.replace(/[&<>]/g, (c) => ENTITIES[c]);

/* What the terminal shows at the end: the lines, under that of the command. */
function terminal(command, lines) {
	const [wide, high] = [8.4, 18];
	const text = [`$ ${command}`, ...lines];
	const body = text.map((line, y) => {
		const row = cells(line);
		const grounds = row.map(({ background }, x) => background &&
		    `<rect x="${(12 + x * wide).toFixed(1)}" y="${12 + y * high}" width="${wide + 0.2}" ` +
		    `height="${high}" fill="${background}"/>`).filter(Boolean);
		const letters = escape(row.map(({ letter }) => letter).join(''));

		return `${grounds.join('')}<text x="12" y="${26 + y * high}">${letters}</text>`;
	});
	const width = Math.ceil(24 + COLUMNS * wide);
	const height = 24 + text.length * high;

	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"
	viewBox="0 0 ${width} ${height}">
<style>text { font: 14px monospace; fill: #ddd; white-space: pre; }</style>
<rect width="100%" height="100%" rx="6" fill="#16181d"/>
${body.join('\n')}
</svg>
`;
}

/* ---- Runs -------------------------------------------------------------------------- */

/* What a tool has shown in a terminal when it is over. */
async function inTerminal(command) {
	const child = spawn('script', ['-qec', `stty cols ${COLUMNS} rows ${ROWS}; exec ${command}`,
		'/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'], cwd: root });
	let output = '';

	child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
	const [status] = await once(child, 'exit');

	if (status !== 0)
		throw new Error(`${command}: ${output}`);
	return output.slice(output.lastIndexOf('\x1b[J') + 1).replace(/^\[J/, '').replaceAll('\r', '')
	    .trimEnd().split('\n');
}

/* How a tool is run here, and how a reader runs it. */
const real = (args) => `"${process.execPath}" bin/dtrace-async.js ${args}`;
const shown = (args) => `npx dtrace-async ${args}`;

async function draw(name, args, { as = args, most = ROWS } = {}) {
	const lines = await inTerminal(real(args));
	const some = lines.length <= most ? lines :
	    [...lines.slice(0, most - 6), '...', ...lines.slice(-5)];

	fs.writeFileSync(path.join(pictures, `${name}.svg`), terminal(shown(as), some));
}

/* The first match in what a process prints. */
async function prints(child, pattern) {
	let output = '';

	for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
		output += text;
		const match = pattern.exec(output);

		if (match)
			return match;
	}
	throw new Error(`${pattern} was not printed`);
}

const started = [];

function run(...args) {
	const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: root });

	started.push(child);
	return child;
}

/* Reads of lengths that grow and shrink, with now and then a long one. */
const READER = `
	const fs = require('node:fs');
	const zero = fs.openSync('/dev/zero', 'r');
	const room = Buffer.alloc(1 << 24);
	let n = 0;

	setInterval(() => {
		for (let i = 0; i < 40; i++) {
			const wave = 14 + 4 * Math.sin(n++ / 4000) + 2 * Math.random();

			fs.readSync(zero, room, 0, n % 700 === 0 ? 1 << 23 : Math.floor(2 ** wave));
		}
	}, 10);
	console.log('reads');`;

/* The page, when it has drawn what has come in twenty seconds or so. */
async function drawPage(pid) {
	const tool = run('bin/dtrace-async.js', 'latency', 'read', '-p', String(pid), '-w', '-i', '0.25');
	const [, url] = await prints(tool, /(http:\S+)/);
	const browser = new Browser();
	const page = await browser.open(url);

	await sleep(20000);
	while (!/^read: [1-9]\d* calls shown$/.test(
	    await page.evaluate('document.getElementById("title").textContent')))
		await sleep(1000);
	fs.writeFileSync(path.join(pictures, 'latency-web.png'), await page.screenshot());
	await browser.end();
	tool.kill('SIGINT');
	await once(tool, 'exit');
}

async function main() {
	const server = run('examples/stalling-server.js', '--every', '3');
	const [, url] = await prints(server, /(http:\S+)/);
	const { pid } = server;
	const connect = `'const to = (...where) => require("net").connect(...where).on("error", () => {})` +
	    `.on("connect", () => process.exit()); to(1, "127.0.0.1"); to("/no/such"); ` +
	    `setTimeout(to, 200, ${new URL(url).port}, "127.0.0.1")'`;

	const reader = run('-e', READER);

	await prints(reader, /reads/);
	run('examples/ask.js', url);
	await draw('syscalls', `syscalls -p ${pid} -t 12`, { as: `syscalls -p ${pid}`, most: 22 });
	await draw('latency', `latency read -p ${reader.pid} -t 20 -i 0.25`,
	    { as: `latency read -p ${reader.pid}` });
	await draw('files', 'files -- sh -c "ls doc >/dev/null"', { most: 26 });
	await draw('net', `net -- node -e ${connect}`, { as: 'net -- node client.js' });
	execFileSync(process.execPath, ['bin/dtrace-async.js', 'flame', '-p', String(pid), '-t', '12',
		'-o', path.join(pictures, 'flame.svg')], { cwd: root });

	/* Files by their names in the repository, wherever that is here. */
	const flame = path.join(pictures, 'flame.svg');

	fs.writeFileSync(flame, fs.readFileSync(flame, 'utf8').replaceAll(`${root}/`, ''));
	await drawPage(reader.pid);
}

main().finally(() => {
	for (const child of started)
		child.kill();
}).catch((error) => {
	console.error(error.message);
	process.exitCode = 1;
});
