/* SPDX-License-Identifier: Apache-2.0 */
/* lockstat.d - who asks for a lock of readers and writers: args[1] of rw-acquire and the like. */

inline int RW_WRITER = 0;
inline int RW_READER = 1;
