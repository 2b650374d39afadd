/* SPDX-License-Identifier: Apache-2.0 */
/* cpp.h - the C preprocessor, for programs with -C or #pragma D option cpp. */
#ifndef DT_CPP_H
#define DT_CPP_H

#include "lang/compile.h"

/* Replaces the compile's text by what cpp makes of it. Raises D_CPP_ERR. */
void dt_cpp_run(dt_compile_t *);

#endif
