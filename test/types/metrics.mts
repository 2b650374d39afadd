/* SPDX-License-Identifier: Apache-2.0 */
/* What is declared for Prometheus and for OpenTelemetry, with its own types. Never run. */
import { metrics } from '@opentelemetry/api';
import { MeterProvider, type MetricProducer, type MetricReader } from '@opentelemetry/sdk-metrics';
import { open } from 'dtrace-async';
import otel, { metricProducer, observe } from 'dtrace-async/otel';
import prometheus, { contentType, exposition } from 'dtrace-async/prometheus';

const dt = await open();
const producer: MetricProducer = metricProducer(dt, {
	temporality: 'delta', startTime: 0, prefix: '',
	metrics: { calls: { name: 'calls', help: 'Calls', labels: ['program'], unit: '1' } },
});
const end: () => void = await observe(dt, { meter: metrics.getMeter('mine') });
const text: string = exposition(await dt.aggregations(),
	{ prefix: 'x_', metrics: { level: { monotonic: false } } });

export const provider = (readers: MetricReader[]) => new MeterProvider({ readers });
export const same: boolean[] = [otel.observe === observe, prometheus.exposition === exposition];
export const all: unknown[] = [producer, end, text, contentType.length];

// @ts-expect-error there is no such temporality
metricProducer(dt, { temporality: 'always' });
// @ts-expect-error the text format knows no units
exposition([], { metrics: { calls: { unit: 'By' } } });
// @ts-expect-error what is exposed is what aggregations() has returned, not its promise
exposition(dt.aggregations());
