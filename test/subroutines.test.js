// SPDX-License-Identifier: Apache-2.0
// doc/subroutines.md against lang/builtins.def; and what the subroutines do that depends on
// the kernel. What they give is in test/d/subr-*.txt.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { run, skip, victim } = require('./command');

const root = path.join(__dirname, '..');

/** {name: "result(argument, [optional])"} of the list that the compiler reads, but for what its
 * own libraries alone use. */
function known() {
	const text = fs.readFileSync(path.join(root, 'libdtrace/lang/builtins.def'), 'utf8');
	const lines = [...text.matchAll(/^DT_SUBR\(\w+, "([a-z]\w+)", "(.*?)", "(.*?)"\)$/mg)];

	return Object.fromEntries(lines.map(([, name, result, args]) => [name, `${result}(${args})`]));
}

/** A parameter without its name: "int start" is "int". */
function type(parameter) {
	return parameter.replace(/([ *])\w+$/, '$1').trim();
}

/** The same of the documentation: `int index(string s, string t[, int start])`. */
function documented() {
	const text = fs.readFileSync(path.join(root, 'doc/subroutines.md'), 'utf8');
	const lines = [...text.matchAll(/^\| `(.*?[ *])(\w+)\((.*?)\)` \|/mg)];

	return Object.fromEntries(lines.map(([, result, name, parameters]) => {
		const args = parameters.split(/,\s*|\[,\s*/).filter((p) => p !== '').map((p) =>
			p.endsWith(']') ? `[${type(p.slice(0, -1))}]` : type(p));

		return [name, `${result.trim()}(${args.join(', ')})`];
	}));
}

describe('doc/subroutines.md', () => {
	test('has every subroutine, as it is declared', () => {
		assert.deepStrictEqual(documented(), known());
	});
});

/** A call of every subroutine that is not destructive. */
const everything = `
BEGIN
{
	s = "/a/b//c";
	n = 3;
	this->p = (uint64_t *)alloca(24);
	this->q = (uint64_t *)alloca(n);
	this->p[0] = strlen(s) + strlen(execname);
	bcopy(this->p, this->q, n);
	trace(strjoin(strjoin(s, execname), strjoin(probename, lltostr(n))));
	trace(substr(s, n, -1)); trace(substr(strjoin(s, s), -n)); trace(index(s, "b", n));
	trace(rindex(s, "/")); trace(strchr(s, 'b')); trace(strrchr(s, '/')); trace(strstr(s, "//"));
	trace(strtok(s, "/")); trace(strtok(NULL, execname));
	trace(tolower(toupper(s))); trace(json(s, "a[1]"));
	trace(basename(dirname(cleanpath(s)))); trace(d_path(&curthread->fs->pwd));
	trace(lltostr(strtoll(s, n + 10), n + 10));
	trace(htons(n) + ntohs(n) + htonl(n) + ntohl(n) + htonll(n) + ntohll(n));
	trace(getmajor(n) + getminor(n) + rand());
	trace(inet_ntoa(this->p)); trace(inet_ntoa6(this->p)); trace(inet_ntop(AF_INET, this->p));
	trace(link_ntop(ARPHRD_ETHER, this->p));
	this->m = &curthread->signal->cred_guard_mutex;
	trace(mutex_owned(this->m) + mutex_type_adaptive(this->m) + mutex_type_spin(this->m));
	trace(mutex_owner(this->m));
	trace(rw_read_held(&curthread->mm->mmap_lock)); trace(rw_write_held(&curthread->mm->mmap_lock));
	trace(rw_iswriter(&curthread->mm->mmap_lock)); trace(progenyof(pid)); trace(speculation());
	@[substr(tolower(s), 0, 20)] = count();
	a[strjoin(s, "k")] = toupper(s);
	trace(a[strjoin(s, "k")] < s || s >= strjoin(s, execname));
}

BEGIN { this->r = copyin(16, n); }
BEGIN { copyinto(16, n, alloca(8)); }
BEGIN { trace(copyinstr(16, n)); }
BEGIN { exit(0); }
`;

describe('every subroutine is accepted by the kernel', { skip }, () => {
	for (const strsize of [2, 3, 7, 8, 31, 72, 256, 1000, 4096, 65535, 65536]) {
		test(`with a strsize of ${strsize}`, async () => {
			const result = await run(['-q', '-x', `strsize=${strsize}`, '-x', 'errtags', '-n', everything]);
			const faults = result.stderr.trimEnd().split('\n');

			assert.strictEqual(result.status, 0, result.stderr);
			assert.strictEqual(faults.length, 3, result.stderr);
			for (const fault of faults)
				assert.match(fault, /invalid address \(0x10\) in action #1 /);
		});
	}
});

describe('copyout', { skip }, () => {
	const clause = (statement) => ['-qw', '-c', `${victim} write hello`, '-n',
		`syscall::write:entry /pid == $target && arg0 == 1/ { ${statement} }`];

	/** Runs the program where the kernel lets it, or checks that it says why not. */
	async function expect(statement, stdout) {
		const result = await run(clause(statement));

		if (/not available: this kernel does not let BPF programs write/.test(result.stderr)) {
			assert.strictEqual(result.status, 1);
			assert.match(result.stderr, /line 1: copyout(str)?\( \) is not available/);
			return;
		}
		assert.deepStrictEqual({ status: result.status, stdout: result.stdout.trimEnd() },
			{ status: 0, stdout });
	}

	test('changes the memory of the process', () =>
		expect('this->p = (char *)alloca(2); this->p[0] = 88; this->p[1] = 89; ' +
			'copyout(this->p, arg1 + 1, 2);', 'hXYlo'));

	test('of a size known at run time, of no size', () =>
		expect('n = 1; this->p = (char *)alloca(2); this->p[0] = 88; copyout(this->p, arg1, n); ' +
			'copyout(this->p, arg1 + 2, 0);', 'Xello'));

	test('copyoutstr: as far as the limit', () =>
		expect('copyoutstr("HELLO WORLD", arg1, 4);', 'HELLo'));

	test('to an address that is none: a fault, and nothing is written', () =>
		expect('copyoutstr("X", 16, 2);', 'hello'));
});
