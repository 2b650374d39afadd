/* SPDX-License-Identifier: Apache-2.0 */
import * as provider from './provider.js';

export * from './provider.js';
export default provider;
