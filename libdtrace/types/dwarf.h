/* SPDX-License-Identifier: Apache-2.0 */
/* dwarf.h - what the two that read debugging information share: dwarf.c, which makes types of
 * it, and dwarfcall.c, which finds out how functions are called. */
#ifndef DT_DWARF_H
#define DT_DWARF_H

#include <elfutils/libdw.h>
#include <sys/types.h>

#include "types/typetab.h"

#define DT_DWARF_BUCKETS 256

/* A file and its debugging information. */
struct dt_dwarf {
	struct dt_dwarf *next;
	pid_t pid;
	const char *object; /* as it is asked for */
	const char *prefix; /* of names of its types: "a.out`", "pid1203`libfoo.so.1`" */
	int fd;
	Dwarf *dw;
	struct dt_dwarfmade *made[DT_DWARF_BUCKETS];
	int depth;
	bool has_functions; /* they have been read: */
	struct dt_dwarffunc *functions[DT_DWARF_BUCKETS];
};

/* The object's information, opened when first asked for. NULL with the handle's error set. */
dt_dwarf_t *dt_dwarf_of(dtrace_hdl_t *, pid_t, const char *object);

/* An entry's attribute, its own or that of the entry that it completes. */
uint64_t dt_die_number(Dwarf_Die *, unsigned int attribute, uint64_t otherwise);
/* Elements of one dimension of an array; 0: that is not said. */
uint64_t dt_die_count(Dwarf_Die *dimension);
/* One of its own. */
bool dt_die_flag(Dwarf_Die *, unsigned int attribute);
/* Whether an entry is a member that takes room. A class's base is one without a name. */
bool dt_die_is_member(Dwarf_Die *);
/* The type that an entry refers to; void when to none. NULL: it is of no kind that D has. */
dt_type_t *dt_die_referred(dtrace_hdl_t *, dt_dwarf_t *, Dwarf_Die *);

#endif
