/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.h - the one type graph: D's own types, the kernel's (BTF) and user programs'
 * (DWARF) are the same structure. Types belong to the handle's
 * arena and live as long as the handle; equal pointers mean equal types for
 * everything that has a name.
 */
#ifndef DT_TYPES_H
#define DT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dtrace_hdl;

typedef enum dt_kind {
	DT_K_VOID,
	DT_K_INT,    /* also char and bool */
	DT_K_FLOAT,  /* named, never computed with */
	DT_K_PTR,
	DT_K_ARRAY,
	DT_K_FUNC,
	DT_K_STRUCT,
	DT_K_UNION,
	DT_K_ENUM,
	DT_K_TYPEDEF, /* without a name: a qualified type */
	DT_K_FORWARD,
	DT_K_STRING, /* D's string: by value, bounded by strsize */
	DT_K_STACK,  /* what stack() gives, as a key */
	DT_K_USTACK, /* what ustack() and jstack() give */
	DT_K_SYMADDR,/* what sym(), mod(), func() give: an address to be named */
	DT_K_USYMADDR,
	DT_K_DYN     /* a variable not yet assigned */
} dt_kind_t;

#define DT_TQ_CONST 0x1
#define DT_TQ_VOLATILE 0x2
#define DT_TQ_USERLAND 0x4 /* pointer to the traced process's memory */

typedef struct dt_type dt_type_t;
typedef struct dt_dwarf dt_dwarf_t; /* dwarf.c: a file of a user program */

typedef struct dt_member {
	const char *name; /* NULL: anonymous struct or union */
	dt_type_t *type;
	uint32_t bit_offset; /* from the start of the aggregate */
	uint32_t bit_size;   /* 0 unless a bit-field */
} dt_member_t;

typedef struct dt_enumerator {
	const char *name;
	int64_t value;
} dt_enumerator_t;

struct dt_type {
	dt_kind_t kind;
	uint8_t qualifiers; /* DT_TQ_* */
	bool is_signed;	    /* integers and enums */
	bool is_bool;
	bool is_char;	    /* of character type: arrays of it convert to string */
	bool varargs;	    /* functions */
	const char *name;   /* base name, tag or typedef name; NULL: anonymous */
	uint64_t size;	    /* bytes; 0: incomplete */
	uint32_t align;
	uint32_t count;	    /* array elements, members, enumerators, parameters */
	dt_type_t *ref;	    /* pointee, element, typedef's target, return type,
			     * or the unqualified type of a qualified one */
	union {
		dt_member_t *members;
		dt_enumerator_t *enumerators;
		dt_type_t **params;
	};
	uint32_t btf_id;    /* kernel type: members are read on first use */
	dt_dwarf_t *dwarf;  /* a user program's type: where, and which entry of it */
	uint64_t die;
	bool complete;	    /* members (of a kernel's or user program's) have been read */
	dt_type_t *pointer; /* cache: pointer to this */
};

/* The fixed types every handle has; see dt_types_init(). */
typedef struct dt_basetypes {
	dt_type_t *void_, *char_, *schar, *uchar, *short_, *ushort, *int_, *uint, *long_,
	    *ulong, *longlong, *ulonglong, *bool_, *float_, *double_, *longdouble;
	dt_type_t *int8, *int16, *int32, *int64, *uint8, *uint16, *uint32, *uint64;
	dt_type_t *string, *stack, *ustack, *symaddr, *usymaddr, *dyn;
	dt_type_t *void_ptr, *char_ptr, *size, *pid, *uid;
} dt_basetypes_t;

/* Fills hdl->types: base types and the fixed typedefs (int32_t, size_t, pid_t ...). */
int dt_types_init(struct dtrace_hdl *);

/* Look-ups by name: D declarations first, then the kernel's BTF, read lazily. tag is
 * DT_K_STRUCT, DT_K_UNION, DT_K_ENUM, or DT_K_TYPEDEF for plain names. NULL: no such. */
dt_type_t *dt_type_lookup(struct dtrace_hdl *, dt_kind_t tag, const char *name);
/* Whether a name is that of a user program's type: libfoo.so.1`item_t. */
bool dt_dwarf_is_name(const char *);
/* A parameter of a function of a user program, or its result. */
typedef struct dt_userparam {
	const char *type; /* its name in D; of a result NULL: it is no number or pointer */
	int place;	  /* which of arg0 ... it is; -1: none, as it is no number or pointer */
} dt_userparam_t;
/* Of a function of a process's object (a base name) the result, then the parameters, as far as
 * it is known where they are. How many; -1: nothing is known of it. */
int dt_dwarf_function(struct dtrace_hdl *, pid_t, const char *object, const char *function,
		      dt_userparam_t *, int max);
/* The same without the kernel's BTF: what this handle already knows. */
dt_type_t *dt_type_lookup_local(struct dtrace_hdl *, dt_kind_t tag, const char *name);
/* Adds a named type (typedef, or struct/union/enum with its tag). */
void dt_type_add(struct dtrace_hdl *, dt_kind_t tag, const char *name, dt_type_t *);
/* An enumerator among the types known so far, D's or (already read) kernel's. */
const dt_enumerator_t *dt_enumerator_lookup(struct dtrace_hdl *, const char *name,
					    dt_type_t **enumtype);
/* The same of the kernel's as well, which is looked through. */
const dt_enumerator_t *dt_kernel_enumerator(struct dtrace_hdl *, const char *name);
/* Type of a kernel variable (BTF VAR), for `symbol. NULL: not known to BTF. */
dt_type_t *dt_type_kernel_var(struct dtrace_hdl *, const char *name);

dt_type_t *dt_type_new(struct dtrace_hdl *, dt_kind_t);
dt_type_t *dt_type_pointer(struct dtrace_hdl *, dt_type_t *);
dt_type_t *dt_type_array(struct dtrace_hdl *, dt_type_t *element, uint32_t count);
dt_type_t *dt_type_qualified(struct dtrace_hdl *, dt_type_t *, uint8_t qualifiers);

/* Strips typedefs and qualifiers. Completes a kernel aggregate's members. */
dt_type_t *dt_type_resolve(struct dtrace_hdl *, dt_type_t *);
/* All qualifiers on the way to the resolved type, ORed. */
uint8_t dt_type_qualifiers(const dt_type_t *);
/* Finds a member, through anonymous ones too: *offset gets the total bit offset. */
const dt_member_t *dt_type_member(struct dtrace_hdl *, dt_type_t *, const char *name,
				  uint32_t *bit_offset);
/* C notation: "struct task_struct *", "int [4]". Returns buf. */
char *dt_type_name(const dt_type_t *, char *buf, size_t size);
/* Whether values may be assigned, compared or passed for each other without a cast. */
bool dt_type_compatible(struct dtrace_hdl *, dt_type_t *, dt_type_t *);

/* Offset in bytes and size of struct.member of the running kernel, for built-in variables
 * ("task_struct", "real_parent"). 0, or -1 with the handle's error set. */
int dt_kernel_member(struct dtrace_hdl *, const char *structure, const char *member,
		     uint32_t *offset, uint32_t *size);
/* Calls f for each typedef of the running kernel whose name begins with prefix, with what
 * follows it and its number in BTF; until one returns non-0, which is returned. -1: the
 * handle's error is set. */
typedef int dt_btf_name_f(struct dtrace_hdl *, const char *rest, uint32_t id, void *);
int dt_btf_typedefs(struct dtrace_hdl *, const char *prefix, dt_btf_name_f *, void *);
/* The same for each function that a program of the kernel can be attached to: of a fixed
 * number of arguments that are numbers or pointers. */
int dt_btf_functions(struct dtrace_hdl *, dt_btf_name_f *, void *);
/* The type of that number; NULL: the handle's error is set. */
dt_type_t *dt_btf_type(struct dtrace_hdl *, uint32_t id);
/* Such a function's number in the kernel's BTF; 0: there is none. */
uint32_t dt_btf_function_id(struct dtrace_hdl *, const char *name);
void dt_types_fini(struct dtrace_hdl *);

#endif
