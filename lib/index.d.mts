/* SPDX-License-Identifier: Apache-2.0 */
import * as dtrace from './index.js';

export * from './index.js';
export default dtrace;
