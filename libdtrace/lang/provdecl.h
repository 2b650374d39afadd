/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provdecl.h - provider declarations of D: what probes a provider has, what they pass
 * (native) and what a program sees as args[], each translated from one of the former.
 */
#ifndef DT_PROVDECL_H
#define DT_PROVDECL_H

#include "lang/compile.h"

/* The stabilities that #pragma D attributes sets for a provider, in the order of -v. */
typedef enum dt_provpart {
	DT_PROVPART_PROVIDER,
	DT_PROVPART_MODULE,
	DT_PROVPART_FUNCTION,
	DT_PROVPART_NAME,
	DT_PROVPART_ARGS,
	DT_NPROVPARTS
} dt_provpart_t;

typedef struct dt_paramlist {
	uint32_t count;
	dt_type_t **types;
	const char **names; /* NULL where there is none */
} dt_paramlist_t;

typedef struct dt_probedecl {
	struct dt_probedecl *next;
	const char *name;
	int line;
	dt_paramlist_t native, args;
	uint32_t *sources; /* by args[] index: the native argument */
} dt_probedecl_t;

typedef struct dt_provdecl {
	struct dt_provdecl *next; /* in hdl->provdecls */
	const char *name;
	int line;
	bool is_library; /* a D library's, not a program's */
	struct dt_provdecl *replaced; /* an earlier declaration, whose probes are here too */
	dt_probedecl_t *probes, **tail;
	dtrace_attribute_t attributes[DT_NPROVPARTS];
} dt_provdecl_t;

dt_provdecl_t *dt_provdecl_find(const dtrace_hdl_t *, const char *provider);
/* The declaration of a provider's probe, a D library's too; NULL: none. */
const dt_probedecl_t *dt_probedecl_find(dt_compile_t *, const char *provider,
					const char *probe);

#endif
