/* SPDX-License-Identifier: Apache-2.0 */
import dtrace from './index.js';

export const {
	Consumer, DTraceError, createConsumer, listProbes, open,
	DTraceProvider, createDTraceProvider, createProvider,
} = dtrace;
export default dtrace;
