/* SPDX-License-Identifier: Apache-2.0 */
import provider from './provider.js';

export const { DTraceProvider, createDTraceProvider, createProvider } = provider;
export default provider;
