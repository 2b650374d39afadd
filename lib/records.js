/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * From batches to records. The add-on delivers a batch as the number of its items and the
 * values that are no numbers; the items themselves, numbers, CPUs, pids and probes lie in
 * arrays of the handle (addon/batch.c draws them).
 */

const { parseExact } = require('./json');

/* Kinds of items, and the bits they take: the same in addon/addon.h. */
const ITEM_VALUE = 1;
const ITEM_JSON = 2;
const ITEM_END = 3;
const ITEM_BITS = 3;
const ITEM_KIND = (1 << ITEM_BITS) - 1;

/*
 * Gives records to callbacks, each by itself: callback(probe, record), and callback(probe)
 * when those of one firing have all been given. What an exception of a callback has kept
 * from it is given by the next call.
 */
class Giver {
	#handle;
	#backlog = []; /* probe, record, probe, record... */

	constructor(handle) {
		this.#handle = handle;
	}

	/* consume(deliver) has the add-on deliver. An exception of the callback comes out. */
	give(callback, consume) {
		const failures = [];
		const give = (probe, record) => {
			if (failures.length > 0) {
				this.#backlog.push(probe, record);
				return;
			}
			try {
				callback(probe, record);
			} catch (error) {
				failures.push(error);
			}
		};

		this.#giveBacklog(give);
		if (failures.length === 0)
			consume(this.#deliver(give, () => failures.length > 0));
		if (failures.length > 0)
			throw failures[0];
	}

	#giveBacklog(give) {
		const backlog = this.#backlog;

		this.#backlog = [];
		for (let i = 0; i < backlog.length; i += 2)
			give(backlog[i], backlog[i + 1]);
	}

	#deliver(give, isEnough) {
		const { items, numbers, probes } = this.#handle;

		return (count, ...values) => {
			let next = 0;

			for (let i = 0; i < count; i++) {
				const item = items[i];
				const probe = probes[item >> ITEM_BITS];
				const kind = item & ITEM_KIND;

				if (kind >= ITEM_END)
					give(probe, undefined);
				else if (kind === ITEM_VALUE)
					give(probe, { data: values[next++] });
				else
					give(probe, { data: numbers[i] });
			}
			return isEnough();
		};
	}
}

/*
 * Gives records of aggregations to callbacks: callback(varid, keys, value, description),
 * which is {name, action, bounds}, bounds those of buckets, for whole values only.
 * What an exception of a callback has kept from it is given by the next call.
 */
class Walker {
	#handle;
	#descriptions = []; /* by varid */
	#backlog = []; /* varid, keys and value of each */

	constructor(handle) {
		this.#handle = handle;
	}

	/* walk(describe, deliver) has the add-on deliver. An exception comes out. */
	give(callback, walk) {
		const failures = [];
		const descriptions = this.#descriptions;
		const give = (varid, keys, value) => {
			if (failures.length > 0) {
				this.#backlog.push([varid, keys, value]);
				return;
			}
			try {
				callback(varid, keys, value, descriptions[varid]);
			} catch (error) {
				failures.push(error);
			}
		};

		for (const record of this.#backlog.splice(0))
			give(...record);
		if (failures.length === 0)
			walk((varid, name, action, bounds) =>
			    (descriptions[varid] = { name, action, bounds }),
			this.#deliver(give, () => failures.length > 0));
		if (failures.length > 0)
			throw failures[0];
	}

	#deliver(give, isEnough) {
		const { items, numbers } = this.#handle;
		const data = []; /* of the record that is gathered: the first n */
		let n = 0;

		return (count, ...values) => {
			let next = 0;

			for (let i = 0; i < count; i++) {
				const kind = items[i] & ITEM_KIND;

				if (kind < ITEM_END) {
					data[n++] = kind === ITEM_VALUE ? values[next++] : numbers[i];
					continue;
				}
				const varid = items[i] >> ITEM_BITS;

				if (varid > 0)
					give(varid, data.slice(0, n - 1), data[n - 1]);
				n = 0;
			}
			return isEnough();
		};
	}
}

/*
 * A deliver function that calls give(record) for each firing, with all its values
 * together. A firing that the end of a batch divides is finished by the next one. isExact:
 * integers beyond 2^53 are BigInt, which the add-on sees to but for print().
 */
function deliverWhole({ items, cpus, pids, numbers, probes }, isExact, give) {
	const parse = isExact ? parseExact : JSON.parse;
	const data = []; /* of the record that is gathered: the first n */
	let n = 0;

	return (count, ...values) => {
		let next = 0;

		for (let i = 0; i < count; i++) {
			const item = items[i];
			const kind = item & ITEM_KIND;

			if (kind < ITEM_END) {
				data[n++] = kind === ITEM_VALUE ? values[next++] :
				    kind === ITEM_JSON ? parse(values[next++]) : numbers[i];
				continue;
			}
			const time = kind === ITEM_END ? numbers[i] : values[next++];

			const probe = probes[item >> ITEM_BITS];
			const cpu = cpus[i];
			const timestamp = time === 0 ? undefined : time;
			const traced = data.slice(0, n);

			give(pids[i] < 0 ? { probe, cpu, timestamp, data: traced } :
			    { probe, cpu, timestamp, pid: pids[i], data: traced });
			n = 0;
		}
	};
}

module.exports = { Giver, Walker, deliverWhole };
