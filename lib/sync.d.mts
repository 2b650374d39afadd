/* SPDX-License-Identifier: Apache-2.0 */
import * as sync from './sync.js';

export * from './sync.js';
export default sync;
