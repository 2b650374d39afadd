/* SPDX-License-Identifier: Apache-2.0 */
/* builtins.h - the numbers of what builtins.def lists. */
#ifndef DT_BUILTINS_H
#define DT_BUILTINS_H

#define DT_ACTION_RECORDS 0x1	  /* adds data to the clause's record */
#define DT_ACTION_DESTRUCTIVE 0x2 /* only with -w */

typedef enum dt_varid {
#define DT_VAR(id, name, type) DT_VAR_##id,
#define DT_VARARRAY(id, name, type) DT_VAR_##id,
#include "lang/builtins.def"
	DT_NVARS
} dt_varid_t;

typedef enum dt_subrid {
#define DT_SUBR(id, name, result, arguments) DT_SUBR_##id,
#include "lang/builtins.def"
	DT_NSUBRS
} dt_subrid_t;

typedef enum dt_actionid {
#define DT_ACTION(id, name, flags, arguments) DT_ACTION_##id,
#include "lang/builtins.def"
	DT_NACTIONS
} dt_actionid_t;

#endif
