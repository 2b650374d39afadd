/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* The command-line tools: each traces a process that the test has started. */
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { after, before, test } = require('node:test');
const vm = require('node:vm');
const { build, patience, run, start, victim, withDirectory } = require('../command');
const { HeatMap, bounds } = require('../../bin/heatmap');
const { boxOf } = require('../../bin/flame');
const { Flame } = require('../../bin/flamegraph');

const root = path.join(__dirname, '..', '..');
const bin = path.join(root, 'bin', 'dtrace-async.js');
const TOOLS = ['syscalls', 'latency', 'flame', 'files', 'net'];

/* Runs a tool to its end. */
const tool = (...args) => run([bin, ...args], { file: process.execPath });

/* Starts one; see command.start(). */
const startTool = (...args) => start([bin, ...args], { file: process.execPath });

/* The numbers of the row that begins with a name, or ends with it. */
function row(stdout, name) {
	const line = stdout.split('\n').find((one) => one.trim().split(/ {2,}/).includes(name));

	return line?.trim().split(/ {2,}/).filter((cell) => cell !== name);
}

/* The numbers of a program's row. */
const programRow = (stdout, name) => row(stdout, name) ?? row(stdout, name.slice(0, 15));

/* ---- A process that works until it is told to end ------------------------------- */

/* The kernel keeps 15 bytes of it, and from Node 24 on none. */
const NAME = `worker${process.pid}-with-a-long-name`;
/* A function that is too large for V8 to compile it into its caller, where it would have no
 * frame. */
const HOT_LOOP = `function hotLoop() {
	let sum = 0;
	for (let i = 0; i < 1e4; i++) {
		${'sum += Math.sqrt(i);'.repeat(100)}
	}
	return sum;
}`;
let worker;

before(async () => {
	const directory = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'dtrace-test-'));
	const file = path.join(directory, NAME);

	fs.copyFileSync(process.execPath, file);
	worker = start(['-e', `
		const fs = require('node:fs');
		${HOT_LOOP}
		function work() {
			process.umask(0o22);
			try { fs.openSync('/no/such/file'); } catch {}
			hotLoop();
		}
		console.log('works');
		setInterval(work, 5);
		setTimeout(() => process.exit(), 120000);`], { file, limit: 150000 });
	worker.directory = directory;
	await worker.seen(/works/);
});

after(async () => {
	worker.child.kill('SIGKILL');
	await worker.done;
	fs.rmSync(worker.directory, { recursive: true });
});

/* ---- The command line ------------------------------------------------------------- */

test('the help lists the tools, that of each its options', async () => {
	const all = await tool('--help');

	assert.equal(all.status, 0);
	for (const name of TOOLS) {
		const { status, stdout } = await tool(name, '--help');

		assert.match(all.stdout, new RegExp(`^  ${name} `, 'm'));
		assert.equal(status, 0);
		assert.match(stdout, new RegExp(`^usage: dtrace-async ${name} `));
		assert.match(stdout, /-p, --pid PID/);
	}
});

for (const [what, args, message, status] of [
	['no tool', [], /^$/, 2],
	['an unknown tool', ['nosuch'], /there is no tool 'nosuch'/, 2],
	['an unknown option', ['files', '--nosuch'], /Unknown option '--nosuch'/, 2],
	['a pid that is none', ['files', '-p', 'init'], /'init' is not a pid/, 2],
	['a command without --', ['files', 'ls'], /'ls' is not expected; a command stands after --/, 2],
	['two calls', ['latency', 'read', 'write'], /'write' is not expected/, 2],
	['no command', ['files', '--'], /-- is followed by a command/, 2],
	['two targets', ['files', '-p', '1', '--', 'true'], /only one of them/, 2],
	['a time that is none', ['files', '-t', 'soon'], /--seconds takes a number/, 2],
	['no process', ['files', '-p', '99999999'], /there is no process 99999999/, 1],
	['no such command', ['files', '--', '/no/such'], /No such file or directory/, 1],
	['no system call', ['latency'], /the name of one system call/, 2],
	['an unknown system call', ['latency', 'nosuch'], /latency: probe .*nosuch.* does not match/, 1],
	['a function of no process', ['latency', '-f', 'malloc'], /a function is one of a process/, 2],
	['a port that is none', ['latency', 'read', '-w', '--port', '70000'], /is no port/, 2],
	['a flame graph of everything', ['flame'], /a process is needed/, 2],
	['too high a rate', ['flame', '-r', '5001', '--', 'true'], /a whole number up to 5000/, 2],
	['no directory for the drawing', ['flame', '-o', '/no/such/f.svg', '--', 'true'], /ENOENT/, 1],
]) {
	test(`an error is told clearly: ${what}`, async () => {
		const result = await tool(...args);

		assert.match(result.stderr, message);
		assert.equal(result.status, status);
		assert.doesNotMatch(result.stderr, /\n\s+at /);
	});
}

test('help TOOL is that of the tool, --version that of the package', async () => {
	const { version } = require('../../package.json');

	assert.equal((await tool('help', 'net')).stdout, (await tool('net', '--help')).stdout);
	assert.equal((await tool('--version')).stdout, `${version}\n`);
});

test('help that nobody reads is no error', async () => {
	const command = `("${process.execPath}" "${bin}" --help; echo "status $?" >&2) | true`;
	const { stderr } = await run(['-c', command], { file: 'sh' });

	assert.equal(stderr, 'status 0\n');
});

test('what cannot be written is an error', async () => {
	for (const args of ['--help', `files -p ${worker.child.pid}`]) {
		const { stderr, status } = await run(['-c',
			`"${process.execPath}" "${bin}" ${args} >/dev/full`], { file: 'sh' });

		assert.match(stderr, /^dtrace-async: ENOSPC.*\n$/);
		assert.equal(status, 1);
	}
});

test('Ctrl-C while a tool gets ready ends it without a word', async () => {
	for (const ms of [20, 60, 100, 140]) {
		const running = startTool('files', '-p', String(worker.child.pid));

		setTimeout(() => running.child.kill('SIGINT'), ms * patience);
		const { status, signal, stderr } = await running.done;

		assert.equal(stderr, '');
		assert.ok(signal === 'SIGINT' || status === 130 || status === 0);
	}
});

test('without an add-on a tool says so in a line, and has help', async () => {
	const env = { ...process.env, DTRACE_ASYNC_ADDON: '/no/such.node' };
	const [traces, help] = await Promise.all([['files'], ['files', '--help']].map((args) =>
	    run([bin, ...args], { file: process.execPath, env })));

	assert.match(traces.stderr, /^dtrace-async files: dtrace-async has no add-on that works here.*\n$/);
	assert.equal(traces.status, 1);
	assert.equal(help.status, 0);
});

test('without privileges each tool says what is missing', async () => {
	const setpriv = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, bin];

	for (const args of [['syscalls'], ['latency', 'read'], ['files'], ['net']]) {
		const { status, stderr } = await run([...setpriv, ...args], { file: 'setpriv', cwd: '/' });

		assert.match(stderr, /DTrace requires additional privileges: CAP_BPF/);
		assert.equal(status, 1);
	}
});

/* ---- syscalls --------------------------------------------------------------------- */

test('syscalls: those of a command, with errors and times', async () => {
	const { status, stdout } = await tool('syscalls', '--', victim, 'umask', '50', 'open', '/no/such');
	const umask = row(stdout, 'umask');

	assert.equal(status, 0);
	assert.equal(umask[0], '50');
	assert.match(umask[2], /^[\d.]+(ns|us|ms)$/);
	assert.match(stdout, /^openat +\d+ +\d+ +[1-9]/m);
});

test('syscalls: those of what a command starts, too', async () => {
	const { stdout } = await tool('syscalls', '--', 'sh', '-c', `${victim} umask 20; ${victim} umask 3`);

	assert.equal(row(stdout, 'umask')[0], '23');
});

for (const [what, args] of [['a process', () => ['-p', String(worker.child.pid)]],
	['a program', () => ['-n', NAME]]]) {
	test(`syscalls: those of ${what}`, async () => {
		const { stdout } = await tool('syscalls', ...args(), '-t', '2');

		assert.ok(Number(row(stdout, 'umask')[0]) > 0);
		assert.match(stdout, /^openat +\d+ +\d+ +[1-9]/m);
	});
}

/* What Node 24 and later do by themselves. */
test('a program whose main thread is called MainThread goes by the name of its file', async (t) => {
	const name = `unnamed${process.pid}`;
	const file = path.join(worker.directory, name);

	fs.linkSync(path.join(worker.directory, NAME), file);
	const unnamed = start(['-e', `
		process.title = 'MainThread';
		console.log('works');
		setInterval(() => require('node:fs').open('/no/such/file', () => {}), 5);
		setInterval(() => require('node:fs').openSync('/dev/null'), 5);`], { file, limit: 60000 });

	t.after(() => {
		unnamed.child.kill();
		return unnamed.done;
	});
	await unnamed.seen(/works/);
	const [all, one, files] = await Promise.all([tool('syscalls', '-t', '2'),
		tool('syscalls', '-n', name, '-t', '2'), tool('files', '-n', name, '-t', '2')]);

	assert.ok(Number(row(all.stdout, name)[0]) > 0);
	assert.ok(Number(row(one.stdout, 'openat')[0]) > 0);
	assert.match(files.stdout, new RegExp(`^${name} .* /no/such/file {2}ENOENT$`, 'm'));
});

test('syscalls: all programs, by number', async () => {
	const { stdout } = await tool('syscalls', '-t', '2');

	assert.ok(Number(programRow(stdout, NAME)?.[0]) > 0);
});

test('a live table in a terminal, and its summary after Ctrl-C', async () => {
	const command = `stty cols 80 rows 12; exec "${process.execPath}" "${bin}" syscalls ` +
	    `-i 0.2 -p ${worker.child.pid}`;
	const terminal = start(['-qec', command, '/dev/null'], { file: 'script', isOpen: true });

	await terminal.seen(/umask[^]*\x1b\[\d+A\x1b\[J[^]*umask/);
	terminal.child.stdin.write('\x03');
	const { stdout, status } = await terminal.done;
	const last = stdout.slice(stdout.lastIndexOf('\x1b[J'));

	assert.equal(status, 0);
	assert.match(last, /system calls of process \d+\r\n\r\nSYSTEM CALL +CALLS/);
	for (const frame of stdout.split('\x1b[J').slice(0, -1))
		assert.ok(frame.split('\n').length <= 12, 'a picture has no more lines than the terminal');
});

/* ---- latency ---------------------------------------------------------------------- */

test('latency: of a system call', async () => {
	const { stdout, status } = await tool('latency', 'umask', '--', victim, 'umask', '500');

	assert.equal(status, 0);
	assert.match(stdout, /^umask of .*: 500 calls, half within [\d.]+[nu]s, .*longest [\d.]+[num]s$/m);
	assert.match(stdout, /^ *[\d.]+[num]s .*@/m);
});

test('latency: of a function', async () => {
	const { stdout } = await tool('latency', '-f', 'libc.so.6:umask', '--', victim, 'umask', '40');

	assert.match(stdout, /: 40 calls, half within/);
});

test('latency: of a call that does not occur', async () => {
	const { stdout } = await tool('latency', 'sync', '--', victim, 'umask', '1');

	assert.match(stdout, /: no calls$/m);
});

/* The events of a stream, as [{event, data}], until enough(events). */
async function events(url, enough) {
	const response = await fetch(url);
	const found = [];
	let text = '';

	for await (const chunk of response.body) {
		text += Buffer.from(chunk).toString();
		for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
			const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, at));

			found.push({ event, data: JSON.parse(data) });
			text = text.slice(at + 2);
		}
		if (enough(found))
			break;
	}
	return found;
}

/* The answer to a request for another host's name. */
function status(url, headers) {
	return new Promise((resolve, reject) => {
		http.get(url, { headers }, (response) => {
			response.resume();
			resolve(response.statusCode);
		}).on('error', reject);
	});
}

test('latency --web: the page, its data, and who may have it', async () => {
	const running = startTool('latency', 'umask', '-w', '-i', '0.2', '-p', String(worker.child.pid));

	const [url] = await running.seen(/http:\S+/);
	const page = await (await fetch(url)).text();
	const found = await events(`${url}columns`, (some) =>
	    some.filter(({ event, data }) => event === 'column' && data.some((count) => count > 0)).length > 1);

	assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
	assert.match(page, /<script src="latency-page.js">/);
	assert.equal(found[0].event, 'about');
	assert.equal(found[0].data.title, 'umask');
	assert.equal(found[0].data.bands.length, found.at(-1).data.length);
	assert.equal(await status(url, { Host: 'elsewhere.example' }), 403);
	assert.equal(await status(`${url}tool.js`), 404);
	assert.equal(await status(`${url}latency-page.js?again`), 200);
	assert.equal(await status(`${url}/`), 404);
	assert.equal(await status(`${url}..%2ftool.js`), 404);

	running.child.kill('SIGINT');
	const result = await running.done;

	assert.equal(result.status, 0);
	assert.match(result.stdout, /half within/);
});

/* As much of a browser as the page's script uses; what it draws is in `cells`. */
function browser() {
	const element = () => ({ textContent: '', listeners: {}, addEventListener(name, listener) {
		this.listeners[name] = listener;
	} });
	const elements = { map: element(), title: element(), cell: element() };
	const source = element();
	const drawn = { cells: [], labels: [] };

	Object.assign(elements.map, {
		clientWidth: 64 + 8 * 3,
		clientHeight: 100,
		getContext: () => ({
			fillRect: (...place) => drawn.cells.push(place),
			fillText: (text) => drawn.labels.push(text),
		}),
	});
	vm.runInNewContext(fs.readFileSync(path.join(root, 'bin', 'latency-page.js'), 'utf8'), {
		document: { getElementById: (id) => elements[id] },
		window: element(),
		EventSource: function EventSource() {
			return source;
		},
	});
	return {
		...elements,
		drawn,
		send(event, data) {
			drawn.cells.length = drawn.labels.length = 0;
			source.listeners[event]({ data: JSON.stringify(data) });
		},
		point: (offsetX, offsetY) => elements.map.listeners.mousemove({ offsetX, offsetY }),
	};
}

test('the page draws the newest columns and the bands in use', () => {
	const page = browser();

	page.send('about', { title: 'read', interval: 1, bands: ['a', 'b', 'c', 'd'] });
	page.send('column', [9, 0, 0, 0]);
	page.send('column', [0, 5, 0, 0]);
	page.send('column', [0, 0, 1, 0]);
	page.send('column', [0, 2, 0, 0]); /* the first one no longer has room */

	assert.deepEqual(page.drawn.labels, ['b', 'c']);
	assert.deepEqual(page.drawn.cells, [[64, 50, 7, 49], [72, 0, 7, 49], [80, 50, 7, 49]]);
	assert.equal(page.title.textContent, 'read: 8 calls shown');
	page.point(66, 60);
	assert.equal(page.cell.textContent, '3 s ago: 5 calls from b on');
	page.send('about', { title: 'read', interval: 1, bands: ['a', 'b', 'c', 'd'] });
	page.send('column', [0, 0, 0, 1]);
	assert.equal(page.title.textContent, 'read: 1 calls shown');
});

test('a heat map has bands, and percentiles to a tenth', () => {
	const map = new HeatMap();

	map.add([[[1000, 1099], 90], [[52000, 52999], 9]]);
	map.add([[[7000000, 7099999], 1]]);
	assert.equal(map.count, 100);
	assert.equal(map.percentile(0.5), 1099);
	assert.equal(map.percentile(0.99), 52999);
	assert.equal(map.percentile(1), 7099999);

	const lines = map.lines(80, false);

	assert.match(lines[0], /^ 5\.00ms  \./);
	assert.match(lines.at(-1), /^ 1\.00us @ $/);
	assert.equal(lines.length, bounds.indexOf(5e6) - bounds.indexOf(1e3) + 1);
});

test('a heat map counts for as long as it runs, and keeps what can be shown', () => {
	const map = new HeatMap();

	for (let i = 0; i < 5000; i++)
		map.add([[[1000, 1099], 2]]);
	assert.equal(map.count, 10000);
	assert.ok(map.columns.length <= 1000);
	assert.equal(map.lines(3000, false)[0].length, 8 + map.columns.length);
});

/* ---- flame -------------------------------------------------------------------------- */

/* Whether every element of a document is closed in turn. */
function isWellFormed(xml) {
	const open = [];

	for (const [, slash, name, end] of xml.replace(/<!\[CDATA\[[^]*?\]\]>|<\?.*?\?>/g, '')
	    .matchAll(/<(\/?)([\w:]+)(?:\s+[\w:-]+="[^"<]*")*\s*(\/?)>/g)) {
		if (slash && open.pop() !== name)
			return false;
		if (!slash && !end)
			open.push(name);
	}
	return open.length === 0 && !/&(?!amp;|lt;|gt;|quot;)/.test(xml.replace(/<!\[CDATA\[[^]*?\]\]>/g, ''));
}

test('flame: a command, with the names of its JavaScript functions', () =>
	withDirectory(async (directory) => {
		const file = path.join(directory, 'f.svg');
		const flame = [bin, 'flame', '-o', file, '--', process.execPath];
		const { status, stdout } = await run([...flame, '-e', `
			${HOT_LOOP}
			const end = Date.now() + 2500;
			while (Date.now() < end)
				hotLoop();`], { file: process.execPath, cwd: directory });
		const svg = fs.readFileSync(file, 'utf8');

		assert.equal(status, 0);
		assert.match(stdout, /hotLoop \[js\]/);
		assert.match(svg, /<title>hotLoop \(\[eval\].*\): \d+ samples, [\d.]+%<\/title><rect class="js"/);
		assert.ok(isWellFormed(svg));
		assert.deepEqual(fs.readdirSync(directory), ['f.svg']);
	}));

test('flame: what fails leaves no drawing', () => withDirectory(async (directory) => {
	const file = path.join(directory, 'f.svg');
	const { status } = await tool('flame', '-o', file, '--', '/no/such');

	assert.equal(status, 1);
	assert.deepEqual(fs.readdirSync(directory), []);
}));

test('flame: a process', () => withDirectory(async (directory) => {
	const file = path.join(directory, 'f.svg');
	let svg = '';

	/* On a busy machine the process may hardly run. */
	for (let i = 0; i < 5 && !svg.includes('data-n="hotLoop"'); i++) {
		const { stdout } = await tool('flame', '-o', file, '-t', '2', '-p',
			String(worker.child.pid));

		assert.match(stdout, /^process \d+: \d+ samples, drawn in /m);
		svg = fs.readFileSync(file, 'utf8');
	}
	assert.match(svg, /data-n="hotLoop"/);
	assert.ok(isWellFormed(svg));
}));

test('flame: functions of C++ are called as in their source', () =>
	withDirectory(async (directory) => {
		const file = path.join(directory, 'f.svg');
		const { status, stdout } = await tool('flame', '-o', file, '--',
		    path.join(build, 'test', 'mangled'), '500');

		assert.equal(status, 0);
		assert.match(stdout, /% {2}foo::bar\(int\)$/m);
		assert.match(fs.readFileSync(file, 'utf8'), /data-n="foo::bar\(int\)"/);
	}));

test('what a frame is: JavaScript, by its own names or those of a perf map, or other code', () => {
	const box = (frame) => boxOf({ symbol: null, module: null, ...frame }, 'native');

	assert.deepEqual(box({ symbol: 'handle', file: '/app.js', line: 3 }),
	    { name: 'handle', kind: 'js', detail: '/app.js:3' });
	assert.deepEqual(box({ symbol: 'JS:*handle /app.js:3:1' }),
	    { name: 'handle', kind: 'js', detail: '/app.js:3:1' });
	assert.deepEqual(box({ symbol: 'JS:~ node:fs:1:1' }),
	    { name: '(anonymous)', kind: 'js', detail: 'node:fs:1:1' });
	assert.deepEqual(box({ symbol: 'main', module: 'node' }),
	    { name: 'main', kind: 'native', detail: 'node' });
	assert.deepEqual(box({ module: 'libc.so.6' }), { name: '[libc.so.6]', kind: 'unknown' });
});

test('a flame graph: callers below, names escaped, thin boxes left out', () => {
	const flame = new Flame();
	const frame = (name, kind = 'js') => ({ name, kind });

	flame.add([frame('main'), frame('a<b>&"\u0001')], 3);
	flame.add([frame('main'), frame('rest')], 1);
	flame.add([frame('main')], 6000);
	const svg = flame.svg('a & b');
	const at = (name) => Number(new RegExp(`data-n="${name}">.*?y="(\\d+)"`).exec(svg)[1]);

	assert.ok(isWellFormed(svg));
	assert.ok(at('main') > at('a&lt;b&gt;&amp;&quot;\\?'));
	assert.doesNotMatch(svg, /data-n="rest"/);
	assert.deepEqual(flame.hottest().map(({ name, samples }) => [name, samples]),
	    [['main', 6000], ['a<b>&"\u0001', 3], ['rest', 1]]);
});

test('a click on a box of a flame graph spreads it', () => {
	const flame = new Flame();

	flame.add([{ name: 'left', kind: 'js' }], 1);
	flame.add([{ name: 'right', kind: 'js' }, { name: 'inner', kind: 'js' }], 3);
	const svg = flame.svg('');
	const groups = [...svg.matchAll(/<g data-x="(.*?)" data-w="(.*?)" data-n="(.*?)">/g)]
	    .map(([, x, w, n]) => {
		const attributes = () => ({ set: {}, setAttribute(name, value) {
			this.set[name] = value;
		} });
		const parts = { rect: attributes(), text: attributes() };
		const classes = new Set();

		return {
			dataset: { x, w, n }, style: {}, ...parts, classes,
			classList: { toggle: (name, is) => (is ? classes.add(name) : classes.delete(name)) },
			querySelector: (name) => parts[name],
			addEventListener(event, listener) {
				this[event] = listener;
			},
		};
	});
	const [, script] = /<!\[CDATA\[([^]*)\]\]>/.exec(svg);
	const group = (name) => groups.find(({ dataset }) => dataset.n === name);

	vm.runInNewContext(script, { document: { getElementById: () => ({ children: groups }) } });
	group('right').click();
	assert.equal(group('right').rect.set.width, 1200);
	assert.equal(group('inner').rect.set.width, 1200);
	assert.equal(group('left').style.display, 'none');
	assert.ok(group('all').classes.has('faded'));
});

/* ---- files and net -------------------------------------------------------------------- */

test('files: those that a command opens', async () => {
	const { status, stdout } = await tool('files', '--', victim, 'open', '/etc/passwd',
	    'open', '/etc/passwd', 'open', '/no/such');

	assert.equal(status, 0);
	assert.match(stdout, /^victim +\d+ +[\d.]+[num]s {2}\/etc\/passwd$/m);
	assert.match(stdout, /^victim .* {2}\/no\/such {2}ENOENT$/m);
	assert.match(stdout, /^\d+ opens of \d+ files, \d+ in vain; most often:$/m);
	assert.match(stdout, /^ +2 {2}\/etc\/passwd$/m);
});

test('files: a name cannot steer the terminal', async () => {
	const { stdout } = await tool('files', '--', victim, 'open', '/no/\x1b[2J\nsuch');

	assert.match(stdout, / {2}\/no\/\\x1b\[2J\\x0asuch {2}ENOENT$/m);
	assert.doesNotMatch(stdout, /\x1b/);
});

test('files: those of a process, until Ctrl-C', async () => {
	const running = startTool('files', '-p', String(worker.child.pid));

	await running.seen(/no\/such\/file {2}ENOENT/);
	running.child.kill('SIGINT');
	const { status, stdout } = await running.done;

	assert.equal(status, 0);
	assert.match(stdout, /opens of 1 files/);
});

test('files: only numbers of all programs', async () => {
	const { stdout } = await tool('files', '-t', '2');

	assert.ok(Number(programRow(stdout, NAME)?.[0]) > 0);
	assert.ok(!stdout.includes('/no/such'));
});

test('a tool ends when nobody reads it any more', async () => {
	const { stdout, status } = await run(['-c',
		`"${process.execPath}" "${bin}" files -p ${worker.child.pid} | head -n 2`], { file: 'sh' });

	assert.equal(status, 0);
	assert.equal(stdout.trim().split('\n').length, 2);
});

test('net: whom a command connects to', async (t) => {
	const server = net.createServer((socket) => socket.end());

	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.after(() => server.close());
	const { port } = server.address();
	const { status, stdout } = await tool('net', '--', process.execPath, '-e', `
		const net = require('node:net');
		const to = (...where) => new Promise((resolve) =>
		    net.connect(...where).on('error', resolve).on('connect', resolve));
		(async () => {
			await to(${port}, '127.0.0.1');
			await to(${port}, '127.0.0.1');
			await to(1, '127.0.0.1');
			await to('/no/such/socket');
			process.exit();
		})();`);

	assert.equal(status, 0);
	assert.match(stdout, new RegExp(`^node +\\d+ +[\\d.]+[num]s {2}127\\.0\\.0\\.1:${port}$`, 'm'));
	assert.match(stdout, /127\.0\.0\.1:1 {2}ECONNREFUSED$/m);
	assert.match(stdout, /unix \/no\/such\/socket {2}ENOENT$/m);
	assert.match(stdout, new RegExp(`^ +2 +[\\d.]+[num]s {2}127\\.0\\.0\\.1:${port}$`, 'm'));
});

test('net: only numbers of all programs', async (t) => {
	const server = net.createServer((socket) => socket.end());

	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address();
	const again = setInterval(() => net.connect(port, '127.0.0.1').on('error', () => {}), 50);

	t.after(() => {
		clearInterval(again);
		server.close();
	});
	const { stdout } = await tool('net', '-t', '2');
	const comm = fs.readFileSync('/proc/self/comm', 'utf8').trim();
	const name = comm === 'MainThread' ? path.basename(process.execPath) : comm;

	assert.ok(Number(row(stdout, name)?.[0]) > 0);
	assert.ok(!stdout.includes('127.0.0.1'));
});
