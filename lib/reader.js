/* SPDX-License-Identifier: Apache-2.0 */
'use strict';

/*
 * The modern interface's reading: a consumer reads by itself, in turns.
 *
 * The library's descriptor wakes the event loop at the first record after a turn has left
 * nothing. A record that comes alone is therefore given at once; of a stream of them a
 * turn takes what has gathered since the last one, GAP ms ago, so that their cost is
 * shared. A turn is short, and the next one of a long series begins after what else waits
 * in the loop. Iterators that are slower than the data stop the turns: then records wait
 * in the kernel's buffers, and what has no room there is counted as dropped.
 *
 * Records that nobody takes (somebody listens to `exit` only) are kept for an iterator to
 * come in the same way; meanwhile it is seen to now and then whether tracing has ended.
 *
 * The loop knows a reader weakly: a consumer that nobody can reach, and that nobody
 * listens to or iterates, is collected though it is reading.
 */
const { Queue } = require('./queue');

const GAP = 10; /* ms between two turns, unless the option switchrate says another */
const POLL = 100; /* ms between two turns where nothing can wake us */
const CHECK = 1000; /* ms between two looks at a consumer that nobody reads */
const TURN = 1024; /* records of one turn at most: about a millisecond */

/* Readers that must not be collected. */
const held = new Set();

class Reader {
	#host;
	#highWaterMark;
	#isLive = false; /* tracing has begun, and not all of its data has been read */
	#isStopped = false; /* tracing is: what is left is read without waking */
	#isWatching = false;
	#isPaused = false; /* the watch is */
	#isFull = false; /* iterators have enough for now */
	#isHolding = true; /* the event loop */
	#scheduled = null; /* the timer or immediate of the next turn */
	#lastTurn = -Infinity;
	#fresh = []; /* records of a turn; those from #next on have not been given out */
	#next = 0;
	#queue = new Queue(); /* records for iterators */
	#waiting = []; /* calls of iterators that wait for a record */
	#iterators = new Set();
	#end = null; /* {error?}: nothing more will come */

	/*
	 * host is what a reader needs of its consumer:
	 *	handle			the add-on's
	 *	wants()			whether somebody but iterators wants it to read
	 *	isHeard()		whether anybody listens to anything
	 *	hears()			whether somebody listens to records
	 *	isBusy()		whether the handle is in use
	 *	gap()			ms between turns, or undefined
	 *	read(give, limit)	{hasMore, isDone}
	 *	isDone()		whether the program has called exit()
	 *	emitRecord(record), emitEvents()
	 *	end()			the program has called exit()
	 *	fail(error)		reading has failed, and no iterator could be told
	 */
	constructor(host, highWaterMark) {
		this.#host = host;
		this.#highWaterMark = highWaterMark;
	}

	/* ---- What happens to the consumer ----------------------------------------- */

	/* Tracing has begun. */
	begin() {
		this.#isLive = true;
		this.reconsider();
	}

	/* Tracing has stopped: what is left is read to its end. */
	finish() {
		this.#isStopped = true;
		this.#unwatch();
		if (this.#isLive)
			this.reconsider();
		else
			this.#conclude({});
	}

	/* The handle is about to be closed. */
	close() {
		this.#unwatch();
		this.#conclude({});
	}

	/* Listeners or iterators have come or gone, or an operation is over. */
	reconsider() {
		if (!this.#isLive)
			return;
		if (this.#iterators.size > 0 || this.#host.isHeard())
			held.add(this);
		else
			held.delete(this);
		if (!this.#wants()) {
			this.#unschedule();
			this.#unwatch();
		} else if (!this.#isWatching || this.#isPaused) {
			this.#schedule(0);
		}
	}

	/* Whether reading holds the event loop. */
	hold(isHolding) {
		this.#isHolding = isHolding;
		this.#host.handle.hold(isHolding);
		if (this.#scheduled)
			this.#scheduled.hold(isHolding);
	}

	/* ---- Waking ------------------------------------------------------------------ */

	#wants() {
		return this.#iterators.size > 0 || this.#host.wants();
	}

	/* What the event loop calls. It keeps no reader from being collected. */
	static #weakly(reader, use) {
		return () => {
			const self = reader.deref();

			if (self)
				use(self);
		};
	}

	#watch() {
		if (!this.#isWatching) {
			const wake = Reader.#weakly(new WeakRef(this), (self) => self.#wake());

			if (!this.#host.handle.watch(wake)) {
				this.#schedule(this.#host.gap() ?? POLL);
				return;
			}
			this.#host.handle.hold(this.#isHolding);
			this.#isWatching = true;
		} else if (this.#isPaused) {
			this.#host.handle.pause(false);
		}
		this.#isPaused = false;
	}

	#unwatch() {
		if (this.#isWatching)
			this.#host.handle.unwatch();
		this.#isWatching = this.#isPaused = false;
	}

	#pause() {
		if (this.#isWatching && !this.#isPaused) {
			this.#host.handle.pause(true);
			this.#isPaused = true;
		}
	}

	#wake() {
		const gap = this.#host.gap() ?? GAP;
		const wait = this.#lastTurn + gap - performance.now();

		if (wait > 0 || this.#host.isBusy()) {
			this.#pause();
			this.#schedule(Math.max(wait, 0));
		} else {
			this.#turn();
		}
	}

	/* While the handle is busy nothing is: when it no longer is, reconsider() comes. */
	#schedule(wait) {
		if (this.#scheduled || this.#host.isBusy())
			return;
		const turn = Reader.#weakly(new WeakRef(this), (self) => self.#turn());

		this.#scheduled = wait > 0 ? after(wait, turn) : soon(turn);
		this.#scheduled.hold(this.#isHolding);
	}

	#unschedule() {
		if (this.#scheduled)
			this.#scheduled.clear();
		this.#scheduled = null;
	}

	/* ---- Turns ------------------------------------------------------------------- */

	#turn() {
		let isOver = false; /* until something else schedules another one */

		this.#unschedule();
		if (!this.#isLive || !this.#wants() || this.#host.isBusy())
			return;
		try {
			this.#giveOut(); /* what an exception has kept from listeners */
			isOver = this.#read();
		} finally {
			if (!isOver && this.#isLive)
				this.#schedule(0);
		}
	}

	/* How many records may be read now. What is left at the end is all read. */
	#room() {
		const isTaken = this.#iterators.size === 0 &&
		    (this.#isStopped || this.#host.hears());

		return isTaken ? TURN : Math.min(this.#highWaterMark - this.#queue.size, TURN);
	}

	/* Enough is waiting for iterators: their next() goes on. */
	#rest() {
		this.#pause();
		if (this.#iterators.size > 0)
			return;
		if (this.#host.isDone())
			this.#host.end();
		else
			this.#schedule(CHECK);
		this.#host.emitEvents();
	}

	/* Whether the next turn is somebody else's business. */
	#read() {
		const room = this.#room();
		let outcome;

		this.#isFull = room <= 0;
		if (this.#isFull) {
			this.#rest();
			return true;
		}
		this.#lastTurn = performance.now();
		try {
			outcome = this.#host.read((record) => this.#fresh.push(record), room);
			if (!outcome.hasMore && !outcome.isDone)
				this.#watch();
		} catch (error) {
			this.#unwatch();
			this.#conclude({ error });
			return true;
		}
		this.#giveOut();
		this.#host.emitEvents();
		if (outcome.hasMore) {
			this.#pause();
			return false;
		}
		if (this.#isStopped)
			this.#conclude({});
		else if (outcome.isDone)
			this.#host.end();
		return true;
	}

	/* Should a listener throw, the records after this one are given by the next turn. */
	#giveOut() {
		while (this.#next < this.#fresh.length)
			this.#give(this.#fresh[this.#next++]);
		this.#fresh.length = 0;
		this.#next = 0;
	}

	#give(record) {
		const isHeard = this.#host.hears();

		if (this.#waiting.length > 0)
			this.#waiting.shift().resolve({ value: record, done: false });
		else if (this.#iterators.size > 0 || !isHeard)
			this.#queue.push(record);
		if (isHeard)
			this.#host.emitRecord(record);
	}

	#conclude(end) {
		const waiting = this.#waiting;

		if (this.#end)
			return;
		this.#isLive = false;
		this.#unschedule();
		held.delete(this);
		this.#waiting = [];
		this.#end = waiting.length > 0 ? {} : end;
		for (const { resolve, reject } of waiting) {
			if (end.error)
				reject(end.error);
			else
				resolve({ value: undefined, done: true });
		}
		if (end.error && this.#iterators.size === 0)
			this.#host.fail(end.error);
	}

	/* ---- Iterators ---------------------------------------------------------------- */

	iterate() {
		const iterator = {
			next: () => this.#take(iterator),
			return: async (value) => {
				this.#leave(iterator);
				return { value, done: true };
			},
			[Symbol.asyncIterator]: () => iterator,
		};

		this.#iterators.add(iterator);
		this.#unschedule(); /* what there is, is wanted now */
		this.reconsider();
		return iterator;
	}

	#leave(iterator) {
		this.#iterators.delete(iterator);
		this.#waiting = this.#waiting.filter((wait) => {
			if (wait.iterator === iterator)
				wait.resolve({ value: undefined, done: true });
			return wait.iterator !== iterator;
		});
		this.reconsider();
	}

	#take(iterator) {
		if (this.#queue.size > 0 && this.#iterators.has(iterator)) {
			const value = this.#queue.shift();

			if (this.#isFull && this.#queue.size * 2 <= this.#highWaterMark) {
				this.#isFull = false;
				this.#schedule(0);
			}
			return Promise.resolve({ value, done: false });
		}
		if (this.#end || !this.#iterators.has(iterator))
			return this.#takeEnd(iterator);
		return new Promise((resolve, reject) => {
			this.#waiting.push({ iterator, resolve, reject });
		});
	}

	/* An error is told once. */
	#takeEnd(iterator) {
		const error = this.#iterators.has(iterator) && this.#end?.error;

		this.#iterators.delete(iterator);
		if (!error)
			return Promise.resolve({ value: undefined, done: true });
		this.#end = {};
		return Promise.reject(error);
	}
}

/* The next turn of the event loop. */
function soon(run) {
	const immediate = setImmediate(run);

	return {
		hold: (holds) => (holds ? immediate.ref() : immediate.unref()),
		clear: () => clearImmediate(immediate),
	};
}

/* The turn of the event loop after so many milliseconds. */
function after(wait, run) {
	const timer = setTimeout(run, wait);

	return {
		hold: (holds) => (holds ? timer.ref() : timer.unref()),
		clear: () => clearTimeout(timer),
	};
}

module.exports = { Reader };
