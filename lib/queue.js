/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/* First in, first out. What has been taken is let go in pieces, not one by one. */
const PIECE = 1024;

class Queue {
	#items = [];
	#first = 0;

	get size() {
		return this.#items.length - this.#first;
	}

	push(item) {
		this.#items.push(item);
	}

	/* undefined when there is none. */
	shift() {
		const item = this.#items[this.#first];

		if (this.#first === this.#items.length)
			return undefined;
		this.#items[this.#first++] = undefined;
		if (this.#first === this.#items.length) {
			this.#items.length = 0;
			this.#first = 0;
		} else if (this.#first === PIECE) {
			this.#items.splice(0, PIECE);
			this.#first = 0;
		}
		return item;
	}

	clear() {
		this.#items.length = 0;
		this.#first = 0;
	}
}

module.exports = { Queue };
