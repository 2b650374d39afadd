/* SPDX-License-Identifier: Apache-2.0 */
/* option.h - the numbers of what option.def lists. */
#ifndef DT_OPTION_H
#define DT_OPTION_H

typedef enum dt_option {
#define DT_OPTION(id, name, kind, initial) DT_OPT_##id,
#include "option.def"
#undef DT_OPTION
	DT_NOPTIONS
} dt_option_t;

#endif
