// SPDX-License-Identifier: Apache-2.0
// The providers ip, tcp and udp, with connections and datagrams that the tests make over the loopback
// device. What is traced is told from everybody else's by the port, which the kernel chooses.
'use strict';

const assert = require('node:assert');
const dgram = require('node:dgram');
const { once } = require('node:events');
const net = require('node:net');
const os = require('node:os');
const { describe, test } = require('node:test');

const command = require('./command');

const hasIPv6 = Object.values(os.networkInterfaces()).flat()
	.some((address) => address.address === '::1');
const hosts = ['127.0.0.1'].concat(hasIPv6 ? ['::1'] : []);

/** What a D program prints while f runs, line by line, until the last line is there. */
async function trace(program, f, last) {
	const run = command.start(['-q', '-x', 'temporal', '-x', 'switchrate=50hz', '-n',
		`BEGIN { printf("begun\\n"); } ${program}`]);

	await run.seen(/begun/);
	await f();
	await run.seen(last);
	run.child.kill('SIGTERM');
	const result = await run.done;

	assert.strictEqual(result.stderr, '');
	return result.stdout.split('\n').filter((line) => line !== '' && line !== 'begun');
}

/** The port of a server that answers once and closes, until the test t ends. */
async function serve(t, host) {
	const server = net.createServer((socket) => {
		socket.on('error', () => {});
		socket.on('data', (data) => socket.end(data));
	});

	server.listen(0, host);
	t.after(() => server.close());
	await once(server, 'listening');
	return server.address().port;
}

/** A conversation, to its end: the client's port. */
async function talk(host, port) {
	const client = net.connect(port, host, () => client.write('hello'));

	client.resume();
	await once(client, 'connect');
	const { localPort } = client;

	await once(client, 'close');
	return localPort;
}

/** A port that nobody listens on. */
async function unusedPort(host) {
	const server = net.createServer();

	server.listen(0, host);
	await once(server, 'listening');
	const { port } = server.address();

	server.close();
	await once(server, 'close');
	return port;
}

for (const host of hosts) {
	describe(`tcp over ${host}`, { skip: command.skip }, () => {
		test('a connection goes from state to state at both ends', async (t) => {
			const port = await serve(t, host);
			let clientPort;
			const lines = await trace(
				`tcp:::state-change /args[3]->tcps_lport == ${port} || ` +
				`args[3]->tcps_rport == ${port}/ { printf("%s %s %s %d %d %s %s %d\\n", ` +
				`args[3]->tcps_lport == ${port} ? "server" : "client", ` +
				'tcp_state_string[args[5]->tcps_state], tcp_state_string[args[3]->tcps_state], ' +
				'args[3]->tcps_lport, args[3]->tcps_rport, ' +
				'args[3]->tcps_laddr, args[3]->tcps_raddr, args[3]->tcps_local); }',
				async () => { clientPort = await talk(host, port); },
				/client state-last-ack state-closed/);
			const end = (name) => lines.filter((line) => line.startsWith(name))
				.map((line) => line.slice(name.length + 1).replaceAll('state-', ''));

			assert.deepStrictEqual(end('client'), [
				`closed syn-sent 0 ${port} ${host} ${host} 1`,
				`syn-sent established ${clientPort} ${port} ${host} ${host} 1`,
				`established close-wait ${clientPort} ${port} ${host} ${host} 1`,
				`close-wait last-ack ${clientPort} ${port} ${host} ${host} 1`,
				`last-ack closed ${clientPort} ${port} ${host} ${host} 1`,
			]);
			/* Older kernels tell of the first change before they know the other end. */
			assert.match(end('server')[0],
				new RegExp(`^listen syn-received ${port} (${clientPort}|0) ${host} `));
			assert.deepStrictEqual(end('server').slice(1, 4), [
				`syn-received established ${port} ${clientPort} ${host} ${host} 1`,
				`established fin-wait-1 ${port} ${clientPort} ${host} ${host} 1`,
				`fin-wait-1 fin-wait-2 ${port} ${clientPort} ${host} ${host} 1`,
			]);
		});

		const probes = (port) => 'tcp:::connect-*, tcp:::accept-established ' +
			`/args[4]->tcp_sport == ${port} || args[4]->tcp_dport == ${port}/ ` +
			'{ printf("%s %d %s %d %s %d\\n", probename, args[2]->ip_ver, ' +
			'args[2]->ip_saddr, args[4]->tcp_sport, args[2]->ip_daddr, args[4]->tcp_dport); }';
		const version = host.includes(':') ? 6 : 4;

		test('a connection is asked for, made and accepted', async (t) => {
			const port = await serve(t, host);
			let clientPort;
			const lines = await trace(probes(port),
				async () => { clientPort = await talk(host, port); },
				/connect-established[^]*accept-established|accept-established[^]*connect-established/);

			assert.deepStrictEqual(lines.sort(), [
				`accept-established ${version} ${host} ${port} ${host} ${clientPort}`,
				`connect-established ${version} ${host} ${clientPort} ${host} ${port}`,
				`connect-request ${version} ${host} 0 ${host} ${port}`,
			]);
		});

		test('a connection is refused', async () => {
			const port = await unusedPort(host);
			const lines = await trace(probes(port), async () => {
				const client = net.connect(port, host);

				await assert.rejects(once(client, 'connect'), /ECONNREFUSED/);
			}, /connect-refused/);

			assert.strictEqual(lines.length, 2);
			assert.strictEqual(lines[0], `connect-request ${version} ${host} 0 ${host} ${port}`);
			assert.match(lines[1],
				new RegExp(`^connect-refused ${version} ${host} [1-9]\\d* ${host} ${port}$`));
		});
	});
}

for (const host of hosts) {
	const version = host.includes(':') ? 6 : 4;

	test(`segments are sent and received over ${host}`, { skip: command.skip }, async (t) => {
		const port = await serve(t, host);
		let clientPort;
		const lines = await trace(
			'tcp:::send, tcp:::receive ' +
			`/args[4]->tcp_sport == ${port} || args[4]->tcp_dport == ${port}/ ` +
			'{ printf("%s v%d %s %s %d %d %d %s %s %d %d\\n", probename, args[2]->ip_ver, ' +
			'args[2]->ip_saddr, args[2]->ip_daddr, args[4]->tcp_sport, args[4]->tcp_dport, ' +
			'args[4]->tcp_flags, args[3]->tcps_laddr, args[3]->tcps_raddr, ' +
			'args[3]->tcps_lport, args[2]->ip_plength - args[4]->tcp_offset); }',
			async () => { clientPort = await talk(host, port); },
			/(receive .* (17|25) [^]*){2}/); /* FIN of both */
		const segment = (name, from, to, flags, size) => `${name} v${version} ${host} ${host} ` +
			`${from} ${to} ${flags} ${host} ${host} ${name === 'send' ? from : to} ${size}`;
		const [SYN, ACK, PUSH] = [2, 16, 8];

		assert.deepStrictEqual(lines.slice(0, 6), [
			[clientPort, port, SYN, 0], [port, clientPort, SYN | ACK, 0],
			[clientPort, port, ACK, 0],
		].flatMap((words) => [segment('send', ...words), segment('receive', ...words)]));
		assert.ok(lines.includes(segment('send', clientPort, port, PUSH | ACK, 5)));
		assert.ok(lines.includes(segment('receive', port, clientPort, PUSH | ACK, 5)));
	});

	test(`datagrams are sent and received over ${host}`, { skip: command.skip }, async (t) => {
		const socket = await open(t, host);
		const { port } = socket.address();
		const lines = await trace(
			`udp:::send, udp:::receive /args[4]->udp_dport == ${port}/ ` +
			'{ printf("%s v%d %s %s %d %d %d %s %s %d %d\\n", probename, args[2]->ip_ver, ' +
			'args[2]->ip_saddr, args[2]->ip_daddr, args[4]->udp_sport, args[4]->udp_length, ' +
			'args[2]->ip_plength, args[3]->udps_laddr, args[3]->udps_raddr, ' +
			'args[3]->udps_lport, args[3]->udps_rport); }',
			() => send(socket, host, [1, 1000]), /receive[^]*receive .*\n/);

		assert.deepStrictEqual(lines, [['send', 9], ['receive', 9], ['send', 1008],
			['receive', 1008]].map(([name, size]) => `${name} v${version} ${host} ${host} ` +
			`${port} ${size} ${size} ${host} ${host} ${port} ${port}`));
	});
}

/** Sends datagrams of these sizes to oneself, one after the other. */
async function send(socket, host, sizes) {
	for (const size of sizes) {
		socket.send(Buffer.alloc(size), socket.address().port, host);
		await once(socket, 'message');
	}
}

/** A socket that is bound to a port, until the test t ends. */
async function open(t, host) {
	const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');

	t.after(() => socket.close());
	socket.bind(0, host);
	await once(socket, 'listening');
	return socket;
}

describe('ip', { skip: command.skip }, () => {
	test('packets of IPv4 are sent and received', async (t) => {
		const socket = await open(t, '127.0.0.1');
		const { port } = socket.address();
		const lines = await trace(
			'ip:::send, ip:::receive /args[4]->ipv4_ver == 4 && ' +
			'args[4]->ipv4_protocol == IPPROTO_UDP && ntohs(*(uint16_t *)' +
			`((uintptr_t)args[4]->ipv4_hdr + args[4]->ipv4_ihl + 2)) == ${port}/ ` +
			'{ printf("%s %d %s %s %d %s %d %s %d %d %d %s %s\\n", probename, args[2]->ip_ver, ' +
			'args[2]->ip_saddr, args[2]->ip_daddr, args[2]->ip_plength, args[3]->if_name, ' +
			'args[3]->if_local, args[4]->ipv4_protostr, args[4]->ipv4_ihl, args[4]->ipv4_length, ' +
			'args[4]->ipv4_ttl > 0, args[4]->ipv4_saddr, args[4]->ipv4_daddr); }',
			() => send(socket, '127.0.0.1', [1, 1000]), /receive[^]*receive .*\n/);

		assert.deepStrictEqual(lines, [['send', 1], ['receive', 1], ['send', 1000],
			['receive', 1000]].map(([name, size]) => `${name} 4 127.0.0.1 127.0.0.1 ` +
			`${size + 8} lo 1 UDP 20 ${size + 28} 1 127.0.0.1 127.0.0.1`));
	});

	if (hasIPv6) {
		test('packets of IPv6 are sent and received', async (t) => {
			const socket = await open(t, '::1');
			const { port } = socket.address();
			const lines = await trace(
				'ip:::send, ip:::receive /args[5]->ipv6_ver == 6 && ' +
				'args[5]->ipv6_nexthdr == IPPROTO_UDP && ntohs(*(uint16_t *)' +
				`((uintptr_t)args[5]->ipv6_hdr + 42)) == ${port}/ ` +
				'{ printf("%s %d %s %s %d %s %d %d %s %s\\n", probename, args[2]->ip_ver, ' +
				'args[2]->ip_saddr, args[2]->ip_daddr, args[2]->ip_plength, ' +
				'args[5]->ipv6_nextstr, args[5]->ipv6_plen, args[5]->ipv6_hlim > 0, ' +
				'args[5]->ipv6_saddr, args[5]->ipv6_daddr); }',
				() => send(socket, '::1', [1, 1000]), /receive[^]*receive .*\n/);

			assert.deepStrictEqual(lines, [['send', 1], ['receive', 1], ['send', 1000],
				['receive', 1000]].map(([name, size]) =>
				`${name} 6 ::1 ::1 ${size + 8} UDP ${size + 8} 1 ::1 ::1`));
		});
	}
});
