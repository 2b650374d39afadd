/* SPDX-License-Identifier: Apache-2.0 */
/* agghist.h - distributions drawn as bars. */
#ifndef DT_AGGHIST_H
#define DT_AGGHIST_H

#include "consume/aggregate.h"
#include "consume/output.h"

/* A value of quantize(), lquantize() or llquantize() as shown. 0, or -1 with the error. */
int dt_out_hist(dtrace_hdl_t *, dt_outbuf_t *, uint16_t func, const void *value,
		uint64_t normal);

#endif
