/* SPDX-License-Identifier: Apache-2.0 */
import * as prometheus from './prometheus.js';

export * from './prometheus.js';
export default prometheus;
