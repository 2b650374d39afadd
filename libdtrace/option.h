/* SPDX-License-Identifier: Apache-2.0 */
/* option.h - the numbers of what option.def lists, and where the rest of values is kept. */
#ifndef DT_OPTION_H
#define DT_OPTION_H

#include <stdbool.h>

#include "dtrace.h"

typedef enum dt_option {
#define DT_OPTION(id, name, kind, initial, when) DT_OPT_##id,
#include "option.def"
#undef DT_OPTION
	DT_NOPTIONS
} dt_option_t;

/* Values of the options that choose among words. */
typedef enum dt_bufpolicy {
	DT_BUFPOLICY_RING,
	DT_BUFPOLICY_FILL,
	DT_BUFPOLICY_SWITCH
} dt_bufpolicy_t;
typedef enum dt_bufresize { DT_BUFRESIZE_AUTO, DT_BUFRESIZE_MANUAL } dt_bufresize_t;
typedef enum dt_oformat { DT_OFORMAT_TEXT, DT_OFORMAT_JSON } dt_oformat_t;

/* amin: the minimum stability, as its three parts in one number. */
#define DT_AMIN_ENCODE(a)                                                                  \
	((dtrace_optval_t)(a).dtat_name << 16 | (a).dtat_data << 8 | (a).dtat_class)

/* What define, undef and incdir hand to cpp, in the order given: -D, -U, -I. */
typedef struct dt_cpparg {
	struct dt_cpparg *next;
	dt_option_t option;
	char text[];
} dt_cpparg_t;

/* A rate as the nanoseconds between two events: "10", "10hz" (10 a second), "100ms",
 * "1min". False: not a rate. */
bool dt_rate_parse(const char *, dtrace_optval_t *period);
/* Initial values; and the end of what setting options has allocated. */
void dt_options_init(dtrace_hdl_t *);
void dt_options_fini(dtrace_hdl_t *);

#endif
