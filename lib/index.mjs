/* SPDX-License-Identifier: Apache-2.0 */
import dtrace from './index.js';

export const { Consumer, createConsumer } = dtrace;
export default dtrace;
