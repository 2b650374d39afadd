/* SPDX-License-Identifier: Apache-2.0 */
/* providers.c - the list of providers: a new one is a file of its own and a line here. */
#include "provider/provider.h"

const dt_provider_t *const dt_providers[] = {
    &dt_provider_dtrace,
    &dt_provider_profile,
    &dt_provider_syscall,
    NULL,
};
