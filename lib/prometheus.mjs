/* SPDX-License-Identifier: Apache-2.0 */
import prometheus from './prometheus.js';

export const { contentType, exposition } = prometheus;
export default prometheus;
