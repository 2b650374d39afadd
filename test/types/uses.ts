/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the package offers, as a program in TypeScript uses it. Never run. */
import { Aggregation, Bucket, Consumer, createConsumer, Drop, DTraceError, Fault, Frame,
	ListedProbe, listProbes, open, Printed, Probe, ProcessEnd, TracedRecord, Value }
	from 'dtrace-async';
import { createDTraceProvider, createProvider, DTraceProvider } from 'dtrace-async/provider';
import { Consumer as SyncConsumer } from 'dtrace-async/sync';

export function classic(): Consumer {
	const dtp = createConsumer();

	dtp.on('error', (error) => console.error(error.message, error.code, error.line));
	dtp.once('ready', () => {
		dtp.setopt('quiet');
		dtp.setopt('bufsize', '16m');
		dtp.setopt('bufsize', 65536);
		dtp.setopt('bufsize', 65536n);
		dtp.setopt('quiet', true);
		dtp.strcompile('BEGIN { trace(1); }', (error: DTraceError | null) => {
			if (error)
				throw error;
			dtp.go((goError) => console.log(goError));
		});
		dtp.strcompile('BEGIN { trace($1); }', { args: [1, 'two', 3n] }, () => {});
		dtp.consume((probe, rec) => {
			const name: string = probe.provider + probe.module + probe.function +
			    probe.func + probe.name;
			const data: number | string = rec ? rec.data : name;

			console.log(data);
		});
		dtp.aggwalk((varid, key, value) => {
			const first: number | string | undefined = key[0];
			const buckets: Bucket[] = typeof value === 'number' ? [] : value;

			for (const [[min, max], count] of buckets)
				console.log(varid + min + max + count, first);
		});
		dtp.stop((error) => console.log(error));
		const version: string = dtp.version();
		const bounds: number = dtp.aggmin() + dtp.aggmax();

		console.log(version, bounds);
	});
	return dtp;
}

export async function modern(signal: AbortSignal): Promise<void> {
	await using dt = await open({
		options: { bufsize: '16m', quiet: true, aggsize: 65536 },
		target: ['sleep', '1'],
		bigint: true,
		signal,
		highWaterMark: 100,
		pid: true,
	});
	const target: number | undefined = dt.target;

	dt.on('record', (record: TracedRecord) => console.log(record))
	    .on('exit', (status: number) => console.log(status))
	    .on('drop', (drop: Drop) => console.log(drop.kind, drop.drops, drop.total))
	    .on('fault', (fault: Fault) => console.log(fault.fault, fault.address + 1n))
	    .on('procexit', (end: ProcessEnd) => console.log(end.pid, end.status, end.signal))
	    .unref()
	    .ref()
	    .off('exit', () => {});
	await dt.strcompile('BEGIN { trace(ANSWER); }', { defines: { ANSWER: 42, YES: true } });
	await dt.go();
	await dt.run('tick-1s { exit(0); }', { args: [1], signal });
	for await (const { probe, cpu, timestamp, pid, data } of dt) {
		const who: number | undefined = pid;
		const time: number | bigint | undefined = timestamp;
		const values: Value[] = data;

		console.log(probe.name, cpu + 1, time, who, values.map(describe), target);
	}
	const aggregations: Aggregation[] =
	    await dt.aggregations({ sort: 'key', reverse: true, clear: true });

	for (const { name, varid, action, keys, value } of aggregations) {
		const isQuantized: boolean = action === 'quantize';

		console.log(name, varid, isQuantized, keys.map(describe), value);
	}
	await dt.stop();
	await dt.close();
}

function describe(value: Value): string {
	if (Buffer.isBuffer(value))
		return value.toString('hex');
	if (Array.isArray(value))
		return (value as Frame[]).map((frame) => `${frame.module}\`${frame.symbol}+` +
		    `${frame.offset} ${frame.address.toString(16)}`).join();
	const printed: Printed = value;

	return JSON.stringify(printed);
}

export async function probes(): Promise<Probe[]> {
	const all: ListedProbe[] = [];

	for await (const probe of listProbes('syscall:::'))
		all.push(probe);
	using dt = await open();

	for await (const probe of dt.listProbes())
		console.log(probe.id, probe.arguments.join());
	return all;
}

export function synchronous(): void {
	const dtp = new SyncConsumer();

	dtp.setopt('quiet', 1);
	dtp.strcompile('BEGIN { trace(1); }');
	dtp.go();
	dtp.consume((probe, rec) => console.log(probe.func, rec?.data));
	dtp.aggwalk((varid, key, value) => console.log(varid, key.length, value));
	dtp.stop();
	console.log(dtp.version(), dtp.aggmin(), dtp.aggmax());
}

export function ownProbes(): boolean {
	const provider: DTraceProvider = createDTraceProvider('shop', 'module');
	const sold = provider.addProbe('item-sold', 'char *', 'int', 'json', 'uint64');

	provider.enable();
	sold.fire(() => ['apple', 3, { id: 17 }, 5n]);
	sold.fire((name, count) => [name.trim(), count + 1], 'apple', 3);
	provider.fire('item-sold', () => 'apple');
	provider.fire(sold.name, (count: number) => [count], 3);
	provider.disable();
	return createProvider('shop').removeProbe(sold);
}
