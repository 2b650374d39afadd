/* SPDX-License-Identifier: Apache-2.0 */
import * as otel from './otel.js';

export * from './otel.js';
export default otel;
