/* SPDX-License-Identifier: Apache-2.0 */
/* bell.h - telling a consumer that waits by poll(2) that there is something to do. */
#ifndef DT_BELL_H
#define DT_BELL_H

#include "consume/status.h"

/* Both do nothing when nobody has asked for dtrace_ctlfd() yet. */
/* What has been rung so far is being looked after. */
void dt_bell_answer(dtrace_hdl_t *);
/* There is still something to do. */
void dt_bell_ring(dtrace_hdl_t *);
/* Descriptor to wait on besides processes; -1: none. */
int dt_bell_descriptor(dtrace_hdl_t *);
void dt_bell_fini(dtrace_hdl_t *);

#endif
