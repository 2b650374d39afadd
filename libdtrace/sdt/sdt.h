/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sdt.h - static probes of C programs, from the provider declarations of a program's text.
 *
 * A probe is an instruction that does nothing and a note beside it, in the section
 * .note.stapsdt, which tells where it is, what it is called and where its arguments are then.
 * Whoever traces it replaces the instruction, and counts up the probe's semaphore, a 16-bit
 * variable in the section .probes whose address is in the note too: while it is not 0,
 * somebody traces the probe.
 *
 * Such notes were SystemTap's and are by now what every tracer of Linux reads.
 */
#ifndef DT_SDT_H
#define DT_SDT_H

#include "handle.h"
#include "lang/provdecl.h"

/* "query-start" as programs spell it, "query__start"; and as macros do, "QUERY_START". */
void dt_sdt_spell(const char *name, char *spelled, size_t size);
void dt_sdt_macro(const char *name, char *spelled, size_t size);

/* Room for the longest of either, and for the name of a semaphore. */
#define DT_SDT_NAMELEN (2 * DTRACE_NAMELEN)
#define DT_SDT_SYMBOLLEN (DTRACE_PROVNAMELEN + DT_SDT_NAMELEN + sizeof("__semaphore"))

void dt_sdt_semaphore(const dt_provdecl_t *, const dt_probedecl_t *, char *symbol, size_t size);

/*
 * Calls f for every provider that the handle's programs (not its libraries) have declared, in
 * the order of the text, until it returns non-0, which is returned. None: -1, with the error
 * set.
 */
typedef int dt_sdt_provider_f(dtrace_hdl_t *, const dt_provdecl_t *, void *);
int dt_sdt_providers(dtrace_hdl_t *, dt_sdt_provider_f *, void *);

#endif
