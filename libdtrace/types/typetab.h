/* SPDX-License-Identifier: Apache-2.0 */
/* typetab.h - what types.c, btf.c and the compiler share of the table of types. */
#ifndef DT_TYPETAB_H
#define DT_TYPETAB_H

#include "handle.h"

#define DT_TYPEHASH_SIZE 64

/* A name of a type: typedef, or struct, union or enum tag. */
typedef struct dt_typename {
	struct dt_typename *next;
	dt_kind_t tag;
	const char *name;
	dt_type_t *type;
} dt_typename_t;

/* A name of an enumerator. */
typedef struct dt_enumname {
	struct dt_enumname *next;
	dt_type_t *type;
	const dt_enumerator_t *enumerator;
} dt_enumname_t;

typedef struct dt_typetab {
	dt_typename_t *names[DT_TYPEHASH_SIZE];
	dt_enumname_t *enumerators[DT_TYPEHASH_SIZE];
	struct dt_btf *btf;	    /* NULL until a program needs it */
	dt_dwarf_t *dwarfs;	    /* files of user programs that have been named */
	struct dt_compile *compile; /* the one under way: owns what is added */
	dt_type_t fixed[];	    /* what dt_basetypes_t points to */
} dt_typetab_t;

/* Memory in the handle's arena. Out of memory: raises D_NOMEM while a compile is under
 * way, otherwise NULL. */
void *dt_types_alloc(dtrace_hdl_t *, size_t);
char *dt_types_strdup(dtrace_hdl_t *, const char *);
/* Names added from here on are taken back when this compile fails; NULL: none. */
void dt_types_set_compile(dtrace_hdl_t *, struct dt_compile *);
/* Makes the enumerators of a complete enum known by name. */
void dt_types_add_enumerators(dtrace_hdl_t *, dt_type_t *);
/* The D typedef that every handle has, made on first use; NULL: no such. */
dt_type_t *dt_types_fixed_typedef(dtrace_hdl_t *, const char *name);

/* The integer type that C compilers call so; NULL: none. */
dt_type_t *dt_types_int_known(dtrace_hdl_t *, const char *name);
/* The D typedef of the name, if it means the same as the type; NULL: it does not. */
dt_type_t *dt_types_fixed_like(dtrace_hdl_t *, const char *name, dt_type_t *);

/* btf.c. The kernel's type of that name, or its variable's or function's type; NULL with
 * the handle's error set. */
dt_type_t *dt_btf_lookup(dtrace_hdl_t *, dt_kind_t tag, const char *name);
/* Whether the kernel has a variable of that name on each CPU. */
bool dt_btf_is_percpu(dtrace_hdl_t *, const char *variable);
/* The kernel's enum that has the enumerator; NULL: none. */
dt_type_t *dt_btf_enum_of(dtrace_hdl_t *, const char *enumerator);
/* Reads the members of a struct or union, the enumerators of an enum. */
void dt_btf_complete(dtrace_hdl_t *, dt_type_t *);
void dt_btf_destroy(struct dt_btf *);

/* dwarf.c. The type of a user program by its name, which dt_dwarf_is_name(); NULL with the
 * handle's error set. */
dt_type_t *dt_dwarf_lookup(dtrace_hdl_t *, dt_kind_t tag, const char *name);
/* As dt_btf_complete(). */
void dt_dwarf_complete(dtrace_hdl_t *, dt_type_t *);
void dt_dwarf_destroy(dt_dwarf_t *);

#endif
