/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * What a program is called: execname, which is its thread's name, as a rule. But from Node 24 on
 * the first thread of a process, and with it the process, is called MainThread, and others
 * have names of their own: there it is the name of the program's file.
 */
const UNNAMED = 'MainThread';

/* Bytes of a thread's name (TASK_COMM_LEN of linux/sched.h, less its NUL). */
const LENGTH = 15;

/** D that programs begin with. isUnnamed, which many probes ask, compares eight bytes at once. */
const NAMES = `
	inline int isUnnamed = *(uint64_t *)curthread->group_leader->comm ==
	    0x${Buffer.from(UNNAMED).readBigUInt64LE().toString(16)};
	inline string fileName = stringof(curthread->mm->exe_file->f_path.dentry->d_name.name);
	inline string program = isUnnamed ? fileName : execname;
`;

/** A predicate for the processes of the program that nameArguments() is given. */
const IS_NAMED = '(execname == $$1 || (isUnnamed && fileName == $$2))';

function nameArguments(name) {
	return [Buffer.from(name).subarray(0, LENGTH).toString(), name];
}

/**
 * Clauses that count by program, for all programs of the system: what is asked at each firing
 * is no more than it must be. programRows() reads what they count.
 *
 * @param {string} name of the aggregation
 * @param {string} probes
 * @param {string} [predicate]
 */
function countByProgram(name, probes, predicate) {
	return `
	${probes}
	${predicate ? `/${predicate}/` : ''}
	{
		@${name}[execname] = count();
	}

	${probes}
	/${predicate ? `(${predicate}) && ` : ''}execname == "${UNNAMED}"/
	{
		@${name}_unnamed[fileName] = count();
	}`;
}

/**
 * @param {import('dtrace-async').Aggregation[]} aggregations those of countByProgram()
 * @returns {Array<Record<string, string|number>>} an object for each program: `key`, its name,
 *	and what there is for it of each aggregation
 */
function programRows(aggregations) {
	const rows = new Map();

	for (const { name: full, keys: [key], value } of aggregations) {
		const [name, isUnnamed] = full.split('_');

		if (key === UNNAMED && !isUnnamed)
			continue;
		const row = rows.get(key) ?? { key };

		row[name] = (row[name] ?? 0) + value;
		rows.set(key, row);
	}
	return [...rows.values()];
}

module.exports = { IS_NAMED, NAMES, countByProgram, nameArguments, programRows };
