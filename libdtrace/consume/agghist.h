/* SPDX-License-Identifier: Apache-2.0 */
/* agghist.h - distributions drawn as bars. */
#ifndef DT_AGGHIST_H
#define DT_AGGHIST_H

#include "consume/aggregate.h"
#include "consume/output.h"

/* A value of quantize(), lquantize() or llquantize() as shown. 0, or -1 with the error. */
int dt_out_hist(dtrace_hdl_t *, dt_outbuf_t *, uint16_t func, const void *value,
		uint64_t normal);

/* With agghist: a key and its number. dtada_total and dtada_flags are the variable's. */
int dt_out_agghist_heading(dtrace_hdl_t *, dt_outbuf_t *);
int dt_out_agghist(dtrace_hdl_t *, dt_outbuf_t *, const char *key, const dtrace_aggdata_t *,
		   int64_t value);
/* With aggpack: a key and its distribution, by the variable's dtada_minbin and _maxbin. */
int dt_out_aggpack_heading(dtrace_hdl_t *, dt_outbuf_t *, const dtrace_aggdata_t *);
int dt_out_aggpack(dtrace_hdl_t *, dt_outbuf_t *, const char *key, const dtrace_aggdata_t *);

#endif
