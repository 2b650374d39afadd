#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Writes doc/errors.md: every error tag of the compiler, by libdtrace/lang/errtags.def, with the
// program of test/errors/examples.txt that gets it.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');

/** Every tag and what it means: [{tag, meaning}]. */
function readTags() {
	const text = fs.readFileSync(path.join(root, 'libdtrace/lang/errtags.def'), 'utf8');

	return [...text.matchAll(/^DT_ERRTAG\((\w+), "(.*)"\)$/gm)]
		.map(([, tag, meaning]) => ({ tag: `D_${tag}`, meaning }));
}

/** The examples: [{tag, line, options, args, program}]. line 0: the error has none. */
function readExamples() {
	const text = fs.readFileSync(path.join(root, 'test/errors/examples.txt'), 'utf8');
	const words = (part) => (part || '').split(' ').filter((word) => word !== '');

	return text.split(/^=== /m).slice(1).map((block) => {
		const end = block.indexOf('\n');
		const [head, args] = block.slice(0, end).split(' -- ');
		const [tag, line, ...options] = words(head);
		const program = block.slice(end + 1).replace(/\n+$/, '\n');

		return { tag, line: Number(line), options, args: words(args), program };
	});
}

/** A sentence of a meaning. */
function sentence(meaning) {
	return meaning[0].toUpperCase() + meaning.slice(1) + '.';
}

function command(example) {
	const options = example.options.map((option) => ` ${option}`).join('');
	const args = example.args.map((arg) => ` ${arg}`).join('');

	return options + args === '' ? '' : ` With \`dtrace${options} -s prog.d${args}\`:`;
}

function document() {
	const examples = new Map(readExamples().map((example) => [example.tag, example]));
	const out = ['# Error tags', '',
		'<!-- Made by script/gen-errors.js from libdtrace/lang/errtags.def and',
		'     test/errors/examples.txt. -->', '',
		'Every error of the D compiler has a tag, which `-x errtags` puts before the message and the',
		'add-on gives as an error\'s `tag`. Below each stands a program that gets it.', ''];

	for (const { tag, meaning } of readTags()) {
		const example = examples.get(tag);

		out.push(`## ${tag}`, '', sentence(meaning) + (example ? command(example) : ''), '');
		if (example)
			out.push('```d', example.program.trimEnd(), '```', '');
	}
	return out.join('\n');
}

module.exports = { document, readExamples, readTags };

if (require.main === module)
	fs.writeFileSync(path.join(root, 'doc/errors.md'), document());
