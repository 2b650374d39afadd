// SPDX-License-Identifier: Apache-2.0
// The provider fbt. Kernels that allow no programs at their functions are to say so; on others
// (`make check-vm` boots one) the probes are tried on processes that the tests start.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const { describe, test } = require('node:test');

const command = require('./command');

const options = { skip: command.skip };
const allowed = fs.existsSync('/sys/bus/event_source/devices/kprobe');

/** What a D program prints about a command, line by line. */
async function trace(text, words) {
	const result = await command.run(['-q', '-x', 'temporal', '-n', text,
		'-c', words]);

	assert.strictEqual(result.stderr, '');
	assert.strictEqual(result.status, 0);
	return result.stdout.split('\n').filter((line) => line !== '');
}

/** A process that writes five bytes to where nobody sees them. */
const writer = `sh -c 'exec ${command.victim} write hello >/dev/null'`;

const withoutFunctions = {
	'a probe is refused with the reason': async () => {
		const result = await command.run(['-n', 'fbt::ksys_write:entry']);

		assert.strictEqual(result.status, 1);
		assert.match(result.stderr, /does not allow programs at its functions \(.+\), nor has it kprobes/);
	},

	'none is listed': async () => {
		const result = await command.run(['-l', '-P', 'fbt']);

		assert.strictEqual(result.stdout.split('\n').filter((line) => line !== '').length, 1);
	},
};

const withFunctions = {
	'entry has the arguments, return the result': async () => {
		assert.deepStrictEqual(await trace(
			'fbt::ksys_write:entry /pid == $target && arg0 == 1/ ' +
			'{ printf("%s %s %d %s\\n", probemod, probefunc, arg2, copyinstr(arg1, arg2)); }' +
			'fbt::ksys_write:return /pid == $target/ { printf("%d %d\\n", arg0, arg1); }',
			writer), ['vmlinux ksys_write 5 hello', '0 5']);
	},

	'args[] has the kernel\'s types': async () => {
		assert.deepStrictEqual(await trace(
			'fbt::vfs_open:entry /pid == $target && args[1]->f_flags == 0/ ' +
			'{ printf("%s\\n", stringof(args[0]->dentry->d_name.name)); }' +
			'fbt::ksys_write:return /pid == $target/ { printf("%d\\n", args[1] == 5); }',
			writer), ['1']);
		const { stdout } = await command.run(['-l', '-v', '-n', 'fbt::ksys_write:']);

		assert.match(stdout, /args\[0\]: unsigned int\n.*args\[1\]: .*char \*\n.*args\[2\]: size_t\n/);
		assert.match(stdout, /args\[0\]: int\n.*args\[1\]: ssize_t\n/);
	},

	'an error that is returned is negative': async () => {
		assert.deepStrictEqual(await trace(
			'fbt::do_sys_openat2:return /pid == $target && args[1] < 0/ ' +
			'{ printf("%d %d\\n", arg1, args[1]); }',
			`${command.victim} open /no/such/file`), ['-2 -2']);
	},

	'many functions are told apart': async () => {
		assert.deepStrictEqual(await trace(
			'fbt::ksys_writ?:entry /pid == $target && arg0 == 1/ ' +
			'{ printf("%s:%s %d %s\\n", probefunc, probename, arg2, copyinstr(arg1, arg2)); }' +
			'fbt::ksys_writ?:return /pid == $target/ ' +
			'{ printf("%s:%s %d\\n", probefunc, probename, arg1); }' +
			'fbt::ksys_[r]ead:entry /pid == $target && args[2] == 0/ { printf("nothing\\n"); }',
			writer),
		['ksys_write:entry 5 hello', 'ksys_write:return 5']);
	},

	'what is entered returns': async () => {
		const [counts] = await trace(
			'fbt::do_sys_open*:entry /pid == $target/ { @entry = count(); self->in++; }' +
			'fbt::do_sys_open*:return /self->in/ { @return = count(); self->in--; }' +
			'END { printa("%@d %@d\\n", @entry, @return); }',
			`${command.victim} open /no/such/file`);
		const [entries, returns] = counts.split(' ').map(Number);

		assert.ok(entries > 0);
		assert.strictEqual(entries, returns);
	},

	'a stack leads to the system call': async () => {
		const text = (await trace(
			'fbt::ksys_write:entry /pid == $target && arg0 == 1/ { stack(); }',
			writer)).join('\n');

		assert.match(text, /^ *vmlinux`ksys_write\+0x[0-9a-f]+\n(.*\n)* *vmlinux`do_syscall_64\+/);
	},

	'functions that do not exist are no probes': async () => {
		const result = await command.run(['-n', 'fbt::no_such_function:entry']);

		assert.strictEqual(result.status, 1);
		assert.match(result.stderr, /does not match any probes/);
	},
};

describe('fbt', options, () => {
	for (const [name, check] of Object.entries(allowed ? withFunctions : withoutFunctions))
		test(name, check);
});
