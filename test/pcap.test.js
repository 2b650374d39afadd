// SPDX-License-Identifier: Apache-2.0
// pcap(): packets of processes that the tests start, sent to nobody on the loopback device.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const dtrace = require('..');
const command = require('./command');

const TEXT = 'hello packet';
const sender = `bash -c 'echo ${TEXT} > /dev/udp/127.0.0.1/9'`;
const probe = 'sdt:net::net_dev_queue /pid == $target && args[0]->protocol == 8/';

// Ethernet, IP and UDP each have a header before the text; it ends in a newline.
const LENGTH = 14 + 20 + 8 + TEXT.length + 1;

/** Checks that a frame is the sender's, or the kernel's answer that nobody is there. */
function checkFrame(bytes) {
	assert.strictEqual(bytes.readUInt16BE(12), 0x0800);
	assert.strictEqual(bytes[14] >> 4, 4);
	assert.strictEqual(bytes.subarray(30, 34).join('.'), '127.0.0.1');
	assert.ok(bytes.toString('latin1').includes(`${TEXT}\n`));
}

describe('pcap()', { skip: command.skip }, () => {
	test('in a file that freopen() has opened: a head, and packet after packet', async () => {
		await command.withDirectory(async (cwd) => {
			const before = Date.now() / 1000;
			const { status, stdout, stderr } = await command.run(['-wq', '-c', sender, '-n',
				`${probe} { freopen("out.pcap"); pcap(args[0], PCAP_ETHERNET); freopen("");` +
				' printf("%d\\n", args[0]->len); }'], { cwd });
			const file = fs.readFileSync(path.join(cwd, 'out.pcap'));
			const lengths = stdout.split('\n').filter((line) => line !== '').map(Number);
			let at = 24;

			assert.deepStrictEqual([status, stderr, lengths[0]], [0, '', LENGTH]);
			assert.deepStrictEqual([0, 4, 6, 8, 12, 16, 20].map((offset) =>
				(offset === 4 || offset === 6 ? file.readUInt16LE(offset) : file.readUInt32LE(offset))),
			[0xa1b23c4d, 2, 4, 0, 0, 256, 1]);
			for (const length of lengths) {
				const seconds = file.readUInt32LE(at);

				assert.ok(seconds >= Math.floor(before) && seconds < before + 60);
				assert.ok(file.readUInt32LE(at + 4) < 1e9);
				assert.deepStrictEqual([file.readUInt32LE(at + 8), file.readUInt32LE(at + 12)], [length, length]);
				checkFrame(file.subarray(at + 16, at + 16 + length));
				at += 16 + length;
			}
			assert.strictEqual(at, file.length);
		});
	});

	test('pcapsize bounds what is kept, not what the length says', async () => {
		const { stdout } = await command.run(['-q', '-j', '-x', 'pcapsize=16', '-c', sender, '-n',
			`${probe} { pcap(args[0]); }`]);
		const [packet] = JSON.parse(stdout.split('\n')[0]).data;

		assert.deepStrictEqual([packet.length, packet.linktype, packet.bytes.length], [LENGTH, 1, 32]);
		assert.match(packet.bytes, /080045..$/);
	});

	test('otherwise as memory is shown', async () => {
		const { stdout } = await command.run(['-q', '-c', sender, '-n', `${probe} { pcap(args[0]); }`]);

		assert.match(stdout, /^\n {13}0 {2}1 {2}2 .*\n {9}0: (00 ){12}08 00 45 00 {2}\.{12}\.\.E\.\n/);
	});

	test('what is no socket buffer is a fault', async () => {
		const { stdout } = await command.run(['-qn', 'BEGIN { pcap(16, PCAP_IP); } ERROR { printf("%d", arg4); exit(0); }']);

		assert.strictEqual(stdout.trim(), '1');
	});

	test('in a whole record, a Buffer of the packet', async () => {
		const dt = await dtrace.open({ target: ['bash', '-c', `echo ${TEXT} > /dev/udp/127.0.0.1/9`] });
		const packets = [];

		await dt.run(`${probe} { pcap(args[0]); }`);
		for await (const { data } of dt)
			packets.push(data[0]);
		await dt.close();
		assert.strictEqual(packets[0].length, LENGTH);
		checkFrame(packets[0]);
	});
});
