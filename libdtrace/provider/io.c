/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/io.c - the provider io: requests to block devices. See "io Provider" in the Dynamic
 * Tracing Guide. A request is what a file system, or the kernel's memory management, hands to
 * the block layer (struct bio), before it is merged with others or split.
 *
 * No tracepoint is where a thread waits for a request. Of the functions that wait one knows for
 * what: a file system's block (struct buffer_head). Others wait for a page, which is several
 * requests or none, or make the request themselves first.
 */
#include "provider/tracepoint.h"

#define BIO "struct bio *"
#define ARGS(n)                                                                            \
	{{DT_TP_P(n), BIO, "bufinfo_t *"},                                                 \
	 {DT_TP_P(n), BIO, "devinfo_t *"},                                                 \
	 {DT_TP_P(n), BIO, "fileinfo_t *"}}
#define BUFFER "struct buffer_head *"
#define WAIT_ARGS                                                                          \
	{{DT_TP_P(0), BUFFER, "bufinfo_t *"},                                              \
	 {DT_TP_P(0), BUFFER, "devinfo_t *"},                                              \
	 {DT_TP_P(0), BUFFER, "fileinfo_t *"}}

static const dt_tpprobe_t dt_io_table[] = {
    {.name = "start", .tracepoint = "block_bio_queue", .minparams = 1,
     .context = DT_CONTEXT_ANY, .args = ARGS(0)},
    {.name = "done", .tracepoint = "block_bio_complete", .minparams = 2,
     .context = DT_CONTEXT_ANY, .args = ARGS(1)},
    {.name = "wait-start", .trampoline = "__wait_on_buffer", .args = WAIT_ARGS},
    {.name = "wait-done", .trampoline = "__wait_on_buffer", .is_return = true,
     .args = WAIT_ARGS},
    {.name = NULL},
};

const dt_provider_t dt_provider_io = {
    .name = "io",
    .table = dt_io_table,
    .first = DT_PROBE_IO,
    DT_TP_PROVIDER,
};
