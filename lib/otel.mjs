/* SPDX-License-Identifier: Apache-2.0 */
import otel from './otel.js';

export const { metricProducer, observe } = otel;
export default otel;
