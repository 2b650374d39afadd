/* SPDX-License-Identifier: Apache-2.0 */
/* What must not compile: each line below a directive that expects an error. Never run. */
import { Consumer, createConsumer, DTraceError, open } from 'dtrace-async';
import { createDTraceProvider } from 'dtrace-async/provider';
import { Consumer as SyncConsumer } from 'dtrace-async/sync';

const dtp = createConsumer();

// @ts-expect-error consumers are made by createConsumer() and open()
new Consumer();
// @ts-expect-error errors are made by the package
new DTraceError();
// @ts-expect-error the program is text
dtp.strcompile(1);
// @ts-expect-error a callback is a function
dtp.strcompile('BEGIN', 'callback');
// @ts-expect-error arguments are numbers and text
dtp.strcompile('BEGIN', { args: [{}] });
// @ts-expect-error a fraction, an array, a date are no values of options
dtp.setopt('bufsize', [1]);
// @ts-expect-error
dtp.setopt('bufsize', new Date());
// @ts-expect-error
dtp.setopt('bufsize', null);
// @ts-expect-error consume() takes a function
dtp.consume();
// @ts-expect-error the record may be undefined
dtp.consume((probe, rec) => console.log(rec.data));
// @ts-expect-error a value may be an array of buckets
dtp.aggwalk((varid, key, value) => console.log(value.toFixed(1) + key.join() + varid));
// @ts-expect-error there is no such event
dtp.on('data', () => {});
// @ts-expect-error exit has a status, a number
dtp.on('exit', (status: string) => console.log(status));
// @ts-expect-error the target is set by open()
dtp.target = 1;
// @ts-expect-error there is no such setting
open({ options: {}, buffers: 1 });
// @ts-expect-error
open({ target: {} });
// @ts-expect-error there is no such order
dtp.aggregations({ sort: 'size' });
// @ts-expect-error stop() with a callback gives no promise
dtp.stop(() => {}).then();
// @ts-expect-error the synchronous interface takes no callbacks
new SyncConsumer().go(() => {});

export async function values(): Promise<void> {
	for await (const { data } of dtp)
		// @ts-expect-error a value is not always a number
		console.log(data[0] + 1);
}

const provider = createDTraceProvider('shop');

// @ts-expect-error there is no such type
provider.addProbe('sold', 'float');
// @ts-expect-error a callback returns the values
provider.addProbe('sold', 'int').fire([1]);
// @ts-expect-error it gets what follows it
provider.fire('sold', (count: number) => [count], 'three');
// @ts-expect-error probes are removed by themselves
provider.removeProbe('sold');
