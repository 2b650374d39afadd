/* SPDX-License-Identifier: Apache-2.0 */
import sync from './sync.js';

export const { Consumer } = sync;
export default sync;
