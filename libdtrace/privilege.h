/* SPDX-License-Identifier: Apache-2.0 */
/* privilege.h - whether the calling thread may trace. */
#ifndef DT_PRIVILEGE_H
#define DT_PRIVILEGE_H

/* NULL when it may; otherwise constant words that name what is missing. */
const char *dt_privilege_missing(void);

#endif
