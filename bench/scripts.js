/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* The same programs in D and in bpftrace's language. */

const CALLS = ['read', 'write', 'openat', 'close', 'mmap', 'munmap', 'futex', 'ioctl',
	'fcntl', 'lseek'];
const VARIABLES = 10;
const CLAUSES = 98; /* of ten lines */

function oneLiner() {
	return {
		d: 'syscall::read:entry /execname != "sshd" && arg2 > 512/ ' +
		    '{ @[execname, pid] = quantize(arg2); }\n',
		bpftrace: 'tracepoint:syscalls:sys_enter_read /comm != "sshd" && args->count > 512/ ' +
		    '{ @[comm, pid] = hist(args->count); }\n',
	};
}

/* A thousand lines: variables, conditions, aggregations, records. */
function longScript() {
	const d = [], bpftrace = [];

	for (let v = 0; v < VARIABLES; v++) {
		d.push(`int total${v};`, `self uint64_t t${v};`);
		bpftrace.push(`// @total${v}`, `// @t${v}`);
	}
	for (let i = 0; i < CLAUSES; i++) {
		const call = CALLS[i % CALLS.length];
		const v = i % VARIABLES;
		const [name, tracepoint] = i % 3 ? ['entry', 'sys_enter'] : ['return', 'sys_exit'];

		d.push(`/* ${i}: ${call} */`,
		    `syscall::${call}:${name}`,
		    `/pid == ${i + 1} && timestamp - self->t${v} > ${i * 1000}/`,
		    '{',
		    `	self->t${v} = timestamp;`,
		    `	total${v} = total${v} * 3 + (${i} << 2);`,
		    `	@calls${v}[execname, pid] = count();`,
		    `	@sizes${v}[execname] = quantize(pid + ${i});`,
		    `	printf("${call} %d %s\\n", pid, execname);`,
		    '}');
		bpftrace.push(`// ${i}: ${call}`,
		    `tracepoint:syscalls:${tracepoint}_${call}`,
		    `/pid == ${i + 1} && nsecs - @t${v}[tid] > ${i * 1000}/`,
		    '{',
		    `	@t${v}[tid] = nsecs;`,
		    `	@total${v} = @total${v} * 3 + (${i} << 2);`,
		    `	@calls${v}[comm, pid] = count();`,
		    `	@sizes${v}[comm] = hist(pid + ${i});`,
		    `	printf("${call} %d %s\\n", pid, comm);`,
		    '}');
	}
	return { d: `${d.join('\n')}\n`, bpftrace: `${bpftrace.join('\n')}\n` };
}

module.exports = { longScript, oneLiner };
