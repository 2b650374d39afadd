/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.c - the type graph. Opening a handle must cost microseconds, so only the types
 * that other parts name directly (dt_basetypes_t) are filled in at once, from a table;
 * the other typedefs that D programs expect are made when one is first named, and the
 * kernel's types (btf.c) come last, when neither the program nor D knows a name.
 *
 * A qualified type is a typedef without a name that carries the qualifiers: whoever
 * strips typedefs has stripped qualifiers too.
 */
#include "types/types.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang/compile.h"
#include "lang/library.h"
#include "types/typetab.h"

#define FIELD(member) offsetof(dt_basetypes_t, member)
#define TF_SIGNED 0x1
#define TF_CHAR 0x2
#define TF_BOOL 0x4
#define TF_PLAINCHAR (TF_CHAR | (CHAR_MIN < 0 ? TF_SIGNED : 0))

/* The types of dt_basetypes_t, LP64. */
static const struct basetype {
	uint16_t field;
	uint8_t kind, size, flags;
	const char *name;
} basetypes[] = {
    {FIELD(void_), DT_K_VOID, 0, 0, "void"},
    {FIELD(char_), DT_K_INT, 1, TF_PLAINCHAR, "char"},
    {FIELD(schar), DT_K_INT, 1, TF_SIGNED | TF_CHAR, "signed char"},
    {FIELD(uchar), DT_K_INT, 1, TF_CHAR, "unsigned char"},
    {FIELD(short_), DT_K_INT, 2, TF_SIGNED, "short"},
    {FIELD(ushort), DT_K_INT, 2, 0, "unsigned short"},
    {FIELD(int_), DT_K_INT, 4, TF_SIGNED, "int"},
    {FIELD(uint), DT_K_INT, 4, 0, "unsigned int"},
    {FIELD(long_), DT_K_INT, 8, TF_SIGNED, "long"},
    {FIELD(ulong), DT_K_INT, 8, 0, "unsigned long"},
    {FIELD(longlong), DT_K_INT, 8, TF_SIGNED, "long long"},
    {FIELD(ulonglong), DT_K_INT, 8, 0, "unsigned long long"},
    {FIELD(bool_), DT_K_INT, 1, TF_BOOL, "_Bool"},
    {FIELD(float_), DT_K_FLOAT, 4, TF_SIGNED, "float"},
    {FIELD(double_), DT_K_FLOAT, 8, TF_SIGNED, "double"},
    {FIELD(longdouble), DT_K_FLOAT, 16, TF_SIGNED, "long double"},
    {FIELD(string), DT_K_STRING, 0, 0, "string"},
    {FIELD(stack), DT_K_STACK, 0, 0, "stack"},
    {FIELD(ustack), DT_K_USTACK, 0, 0, "ustack"},
    {FIELD(symaddr), DT_K_SYMADDR, 8, 0, "symaddr"},
    {FIELD(usymaddr), DT_K_USYMADDR, 16, 0, "usymaddr"},
    {FIELD(dyn), DT_K_DYN, 0, 0, "<DYN>"},
};

/* The typedefs of dt_basetypes_t. */
static const struct basetypedef {
	uint16_t field, target;
	const char *name;
} basetypedefs[] = {
    {FIELD(int8), FIELD(schar), "int8_t"},    {FIELD(int16), FIELD(short_), "int16_t"},
    {FIELD(int32), FIELD(int_), "int32_t"},   {FIELD(int64), FIELD(long_), "int64_t"},
    {FIELD(uint8), FIELD(uchar), "uint8_t"},  {FIELD(uint16), FIELD(ushort), "uint16_t"},
    {FIELD(uint32), FIELD(uint), "uint32_t"}, {FIELD(uint64), FIELD(ulong), "uint64_t"},
    {FIELD(size), FIELD(ulong), "size_t"},    {FIELD(pid), FIELD(int_), "pid_t"},
    {FIELD(uid), FIELD(uint), "uid_t"},
};

/* Typedefs made on first use. Sorted by name. */
static const struct lazytypedef {
	const char *name;
	uint16_t target;
} lazytypedefs[] = {
    {"bool", FIELD(bool_)},
    {"boolean_t", FIELD(int_)},
    {"caddr_t", FIELD(char_ptr)},
    {"cpuid_t", FIELD(int_)},
    {"daddr_t", FIELD(long_)},
    {"dev_t", FIELD(ulong)},
    {"gid_t", FIELD(uint)},
    {"hrtime_t", FIELD(longlong)},
    {"id_t", FIELD(int_)},
    {"ino_t", FIELD(ulong)},
    {"intmax_t", FIELD(long_)},
    {"intptr_t", FIELD(long_)},
    {"key_t", FIELD(int_)},
    {"loff_t", FIELD(longlong)},
    {"longlong_t", FIELD(longlong)},
    {"lwpid_t", FIELD(int_)},
    {"mode_t", FIELD(uint)},
    {"nlink_t", FIELD(ulong)},
    {"off_t", FIELD(long_)},
    {"offset_t", FIELD(longlong)},
    {"pc_t", FIELD(ulong)},
    {"pgcnt_t", FIELD(ulong)},
    {"processorid_t", FIELD(int_)},
    {"projid_t", FIELD(int_)},
    {"psetid_t", FIELD(int_)},
    {"ptrdiff_t", FIELD(long_)},
    {"ssize_t", FIELD(long_)},
    {"taskid_t", FIELD(int_)},
    {"time_t", FIELD(long_)},
    {"u_char", FIELD(uchar)},
    {"u_int", FIELD(uint)},
    {"u_long", FIELD(ulong)},
    {"u_longlong_t", FIELD(ulonglong)},
    {"u_short", FIELD(ushort)},
    {"uchar_t", FIELD(uchar)},
    {"uint", FIELD(uint)},
    {"uint_t", FIELD(uint)},
    {"uintmax_t", FIELD(ulong)},
    {"uintptr_t", FIELD(ulong)},
    {"ulong", FIELD(ulong)},
    {"ulong_t", FIELD(ulong)},
    {"ushort", FIELD(ushort)},
    {"ushort_t", FIELD(ushort)},
    {"zoneid_t", FIELD(int_)},
};

#define NELEMS(array) (sizeof(array) / sizeof((array)[0]))
#define NFIXED (NELEMS(basetypes) + NELEMS(basetypedefs) + 2)

static dt_type_t **base_slot(dtrace_hdl_t *hdl, uint16_t field)
{
	return (dt_type_t **)((char *)&hdl->types + field);
}

static uint32_t name_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash % DT_TYPEHASH_SIZE;
}

/* ---- Memory ------------------------------------------------------------ */

void *dt_types_alloc(dtrace_hdl_t *hdl, size_t size)
{
	void *block = dt_arena_alloc(hdl->arena, size);

	if (block == NULL) {
		if (hdl->typetab->compile != NULL)
			dt_compile_error(hdl->typetab->compile, D_NOMEM, 0, 0,
					 "out of memory");
		dt_set_errno(hdl, EDT_NOMEM);
	}
	return block;
}

char *dt_types_strdup(dtrace_hdl_t *hdl, const char *text)
{
	size_t length = strlen(text);
	char *copy = dt_types_alloc(hdl, length + 1);

	if (copy != NULL)
		memcpy(copy, text, length + 1);
	return copy;
}

void dt_types_set_compile(dtrace_hdl_t *hdl, struct dt_compile *compile)
{
	hdl->typetab->compile = compile;
}

/* ---- The fixed types --------------------------------------------------- */

static dt_type_t *typedef_init(dt_type_t *type, const char *name, dt_type_t *target)
{
	type->kind = DT_K_TYPEDEF;
	type->name = name;
	type->ref = target;
	type->size = target->size;
	type->align = target->align;
	type->complete = true;
	return type;
}

static dt_type_t *pointer_init(dt_type_t *type, dt_type_t *target)
{
	type->kind = DT_K_PTR;
	type->ref = target;
	type->size = sizeof(void *);
	type->align = sizeof(void *);
	type->complete = true;
	target->pointer = type;
	return type;
}

static void basetype_init(dt_type_t *type, const struct basetype *base)
{
	type->kind = base->kind;
	type->name = base->name;
	type->size = base->size;
	type->align = base->kind == DT_K_USYMADDR ? 8 : base->size;
	if (type->align == 0)
		type->align = 1;
	type->is_signed = base->flags & TF_SIGNED;
	type->is_char = base->flags & TF_CHAR;
	type->is_bool = base->flags & TF_BOOL;
	type->complete = true;
}

int dt_types_init(dtrace_hdl_t *hdl)
{
	dt_typetab_t *tab = calloc(1, sizeof(*tab) + NFIXED * sizeof(dt_type_t));
	dt_type_t *type;

	if (tab == NULL)
		return dt_set_errno(hdl, EDT_NOMEM);

	type = tab->fixed;
	for (size_t i = 0; i < NELEMS(basetypes); i++, type++) {
		basetype_init(type, &basetypes[i]);
		*base_slot(hdl, basetypes[i].field) = type;
	}
	for (size_t i = 0; i < NELEMS(basetypedefs); i++, type++)
		*base_slot(hdl, basetypedefs[i].field) = typedef_init(
		    type, basetypedefs[i].name, *base_slot(hdl, basetypedefs[i].target));
	hdl->types.void_ptr = pointer_init(type++, hdl->types.void_);
	hdl->types.char_ptr = pointer_init(type++, hdl->types.char_);
	hdl->types.string->size = 256;
	if (hdl->options[DT_OPT_STRSIZE] > 0)
		hdl->types.string->size = (uint64_t)hdl->options[DT_OPT_STRSIZE];
	hdl->typetab = tab;
	return 0;
}

void dt_types_fini(dtrace_hdl_t *hdl)
{
	if (hdl->typetab == NULL)
		return;
	dt_btf_destroy(hdl->typetab->btf);
	dt_dwarf_destroy(hdl->typetab->dwarfs);
	free(hdl->typetab);
	hdl->typetab = NULL;
}

static int lazytypedef_compare(const void *name, const void *entry)
{
	return strcmp(name, ((const struct lazytypedef *)entry)->name);
}

/* ---- Names ------------------------------------------------------------- */

static dt_type_t *name_find(dtrace_hdl_t *hdl, dt_kind_t tag, const char *name)
{
	for (dt_typename_t *entry = hdl->typetab->names[name_hash(name)]; entry != NULL;
	     entry = entry->next) {
		if (entry->tag == tag && strcmp(entry->name, name) == 0)
			return entry->type;
	}
	return NULL;
}

/* The newest entry of a name comes first: what D declares hides the kernel's. */
static dt_typename_t *name_add(dtrace_hdl_t *hdl, dt_kind_t tag, const char *name,
			       dt_type_t *type)
{
	dt_typename_t *entry = dt_types_alloc(hdl, sizeof(*entry));
	dt_typename_t **chain = &hdl->typetab->names[name_hash(name)];

	if (entry == NULL || (entry->name = dt_types_strdup(hdl, name)) == NULL)
		return NULL;
	entry->tag = tag;
	entry->type = type;
	entry->next = *chain;
	*chain = entry;
	return entry;
}

static void name_undo(dtrace_hdl_t *hdl, void *argument)
{
	dt_typename_t *entry = argument;
	dt_typename_t **link = &hdl->typetab->names[name_hash(entry->name)];

	while (*link != NULL && *link != entry)
		link = &(*link)->next;
	if (*link != NULL)
		*link = entry->next;
}

void dt_type_add(dtrace_hdl_t *hdl, dt_kind_t tag, const char *name, dt_type_t *type)
{
	dt_typename_t *entry = name_add(hdl, tag, name, type);

	if (entry != NULL && hdl->typetab->compile != NULL)
		dt_compile_on_error(hdl->typetab->compile, name_undo, entry);
}

dt_type_t *dt_types_fixed_typedef(dtrace_hdl_t *hdl, const char *name)
{
	const struct lazytypedef *lazy;
	dt_type_t *type;

	for (size_t i = 0; i < NELEMS(basetypedefs); i++) {
		if (strcmp(basetypedefs[i].name, name) == 0)
			return *base_slot(hdl, basetypedefs[i].field);
	}

	lazy = bsearch(name, lazytypedefs, NELEMS(lazytypedefs), sizeof(lazytypedefs[0]),
		       lazytypedef_compare);
	if (lazy == NULL)
		return NULL;
	for (dt_typename_t *entry = hdl->typetab->names[name_hash(name)]; entry != NULL;
	     entry = entry->next) {
		if (entry->tag == DT_K_TYPEDEF && entry->type->name == lazy->name)
			return entry->type;
	}
	type = dt_type_new(hdl, DT_K_TYPEDEF);
	if (type == NULL)
		return NULL;
	typedef_init(type, lazy->name, *base_slot(hdl, lazy->target));
	name_add(hdl, DT_K_TYPEDEF, lazy->name, type);
	return type;
}

/* C's integers as gcc and clang name them, and D's own. */
dt_type_t *dt_types_int_known(dtrace_hdl_t *hdl, const char *name)
{
	const struct {
		const char *name;
		dt_type_t *type;
	} known[] = {
	    {"char", hdl->types.char_},
	    {"signed char", hdl->types.schar},
	    {"unsigned char", hdl->types.uchar},
	    {"short int", hdl->types.short_},
	    {"short", hdl->types.short_},
	    {"short unsigned int", hdl->types.ushort},
	    {"unsigned short", hdl->types.ushort},
	    {"int", hdl->types.int_},
	    {"unsigned int", hdl->types.uint},
	    {"long int", hdl->types.long_},
	    {"long", hdl->types.long_},
	    {"long unsigned int", hdl->types.ulong},
	    {"unsigned long", hdl->types.ulong},
	    {"long long int", hdl->types.longlong},
	    {"long long", hdl->types.longlong},
	    {"long long unsigned int", hdl->types.ulonglong},
	    {"unsigned long long", hdl->types.ulonglong},
	    {"_Bool", hdl->types.bool_},
	    {"bool", hdl->types.bool_},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) == 0)
			return known[i].type;
	}
	return NULL;
}

/* One pid_t: D's, unless the kernel or a program means something else by the name. */
dt_type_t *dt_types_fixed_like(dtrace_hdl_t *hdl, const char *name, dt_type_t *type)
{
	dt_type_t *known = dt_types_fixed_typedef(hdl, name);
	const dt_type_t *a, *b;

	if (known == NULL || known->size != type->size)
		return NULL;
	a = dt_type_resolve(hdl, known);
	b = dt_type_resolve(hdl, type);
	return a->kind == b->kind && a->is_signed == b->is_signed ? known : NULL;
}

dt_type_t *dt_type_lookup_local(dtrace_hdl_t *hdl, dt_kind_t tag, const char *name)
{
	dt_type_t *type = name_find(hdl, tag, name);

	if (type != NULL || tag != DT_K_TYPEDEF)
		return type;
	type = dt_types_fixed_typedef(hdl, name);
	for (size_t i = 0; type == NULL && i < NELEMS(basetypes); i++) {
		if (basetypes[i].kind <= DT_K_FLOAT && strcmp(basetypes[i].name, name) == 0)
			type = *base_slot(hdl, basetypes[i].field);
	}
	return type;
}

dt_type_t *dt_type_lookup(dtrace_hdl_t *hdl, dt_kind_t tag, const char *name)
{
	dt_type_t *type = dt_type_lookup_local(hdl, tag, name);

	if (type != NULL)
		return type;
	if (dt_dwarf_is_name(name)) {
		type = dt_dwarf_lookup(hdl, tag, name);
		if (type != NULL)
			name_add(hdl, tag, dt_types_strdup(hdl, name), type);
		return type;
	}
	if (hdl->typetab->compile != NULL &&
	    dt_library_type(hdl->typetab->compile, tag, name))
		return name_find(hdl, tag, name);
	type = dt_btf_lookup(hdl, tag, name);
	if (type != NULL)
		name_add(hdl, tag, name, type);
	return type;
}

static void enumerators_undo(dtrace_hdl_t *hdl, void *argument)
{
	dt_enumname_t *entry = argument;
	dt_enumname_t **link =
	    &hdl->typetab->enumerators[name_hash(entry->enumerator->name)];

	while (*link != NULL && *link != entry)
		link = &(*link)->next;
	if (*link != NULL)
		*link = entry->next;
}

void dt_types_add_enumerators(dtrace_hdl_t *hdl, dt_type_t *type)
{
	dt_enumname_t *entries;

	if (type->count == 0)
		return;
	entries = dt_types_alloc(hdl, type->count * sizeof(*entries));
	if (entries == NULL)
		return;
	for (uint32_t i = 0; i < type->count; i++) {
		dt_enumname_t **chain =
		    &hdl->typetab->enumerators[name_hash(type->enumerators[i].name)];

		entries[i].type = type;
		entries[i].enumerator = &type->enumerators[i];
		entries[i].next = *chain;
		*chain = &entries[i];
		if (type->btf_id == 0 && type->dwarf == NULL && hdl->typetab->compile != NULL)
			dt_compile_on_error(hdl->typetab->compile, enumerators_undo,
					    &entries[i]);
	}
}

const dt_enumerator_t *dt_enumerator_lookup(dtrace_hdl_t *hdl, const char *name,
					    dt_type_t **enumtype)
{
	for (dt_enumname_t *entry = hdl->typetab->enumerators[name_hash(name)];
	     entry != NULL; entry = entry->next) {
		if (strcmp(entry->enumerator->name, name) == 0) {
			if (enumtype != NULL)
				*enumtype = entry->type;
			return entry->enumerator;
		}
	}
	return NULL;
}

const dt_enumerator_t *dt_kernel_enumerator(dtrace_hdl_t *hdl, const char *name)
{
	const dt_enumerator_t *known = dt_enumerator_lookup(hdl, name, NULL);
	dt_type_t *type;

	if (known != NULL)
		return known;
	type = dt_btf_enum_of(hdl, name);
	if (type == NULL)
		return NULL;
	dt_type_resolve(hdl, type); /* reads its enumerators, by name */
	return dt_enumerator_lookup(hdl, name, NULL);
}

/* ---- Making types ------------------------------------------------------ */

dt_type_t *dt_type_new(dtrace_hdl_t *hdl, dt_kind_t kind)
{
	dt_type_t *type = dt_types_alloc(hdl, sizeof(*type));

	if (type != NULL)
		type->kind = kind;
	return type;
}

dt_type_t *dt_type_pointer(dtrace_hdl_t *hdl, dt_type_t *target)
{
	dt_type_t *type;

	if (target->pointer != NULL)
		return target->pointer;
	type = dt_type_new(hdl, DT_K_PTR);
	return type == NULL ? NULL : pointer_init(type, target);
}

dt_type_t *dt_type_array(dtrace_hdl_t *hdl, dt_type_t *element, uint32_t count)
{
	dt_type_t *type = dt_type_new(hdl, DT_K_ARRAY);

	if (type == NULL)
		return NULL;
	type->ref = element;
	type->count = count;
	type->size = element->size * count;
	type->align = element->align;
	type->complete = true;
	return type;
}

dt_type_t *dt_type_qualified(dtrace_hdl_t *hdl, dt_type_t *target, uint8_t qualifiers)
{
	dt_type_t *type;

	if ((target->qualifiers & qualifiers) == qualifiers)
		return target;
	type = dt_type_new(hdl, DT_K_TYPEDEF);
	if (type == NULL)
		return NULL;
	typedef_init(type, NULL, target);
	type->qualifiers = qualifiers;
	return type;
}

/* ---- Looking into types ------------------------------------------------ */

dt_type_t *dt_type_resolve(dtrace_hdl_t *hdl, dt_type_t *type)
{
	while (type->kind == DT_K_TYPEDEF)
		type = type->ref;
	if (!type->complete && type->btf_id != 0)
		dt_btf_complete(hdl, type);
	else if (!type->complete && type->dwarf != NULL)
		dt_dwarf_complete(hdl, type);
	return type;
}

uint8_t dt_type_qualifiers(const dt_type_t *type)
{
	uint8_t qualifiers = type->qualifiers;

	while (type->kind == DT_K_TYPEDEF) {
		type = type->ref;
		qualifiers |= type->qualifiers;
	}
	return qualifiers;
}

const dt_member_t *dt_type_member(dtrace_hdl_t *hdl, dt_type_t *type, const char *name,
				  uint32_t *bit_offset)
{
	type = dt_type_resolve(hdl, type);
	if (type->kind != DT_K_STRUCT && type->kind != DT_K_UNION)
		return NULL;

	for (uint32_t i = 0; i < type->count; i++) {
		const dt_member_t *member = &type->members[i];

		if (member->name == NULL) {
			uint32_t inner;
			const dt_member_t *found =
			    dt_type_member(hdl, member->type, name, &inner);

			if (found != NULL) {
				*bit_offset = member->bit_offset + inner;
				return found;
			}
		} else if (strcmp(member->name, name) == 0) {
			*bit_offset = member->bit_offset;
			return member;
		}
	}
	return NULL;
}

dt_type_t *dt_type_kernel_var(dtrace_hdl_t *hdl, const char *name)
{
	return dt_btf_lookup(hdl, DT_K_VOID, name);
}

int dt_kernel_member(dtrace_hdl_t *hdl, const char *structure, const char *name,
		     uint32_t *offset, uint32_t *size)
{
	dt_type_t *type = dt_type_lookup(hdl, DT_K_STRUCT, structure);
	const dt_member_t *member;
	uint32_t bits;

	if (type == NULL)
		return -1;
	member = dt_type_member(hdl, type, name, &bits);
	if (member == NULL)
		return dt_set_error(hdl, EDT_NOTYPE,
				    "struct %s of this kernel has no member %s", structure,
				    name);
	*offset = bits / 8;
	*size = (uint32_t)dt_type_resolve(hdl, member->type)->size;
	return 0;
}

static bool is_integer(const dt_type_t *type)
{
	return type->kind == DT_K_INT || type->kind == DT_K_ENUM;
}

static bool is_stringlike(dtrace_hdl_t *hdl, const dt_type_t *type)
{
	if (type->kind == DT_K_STRING)
		return true;
	return (type->kind == DT_K_PTR || type->kind == DT_K_ARRAY) &&
	       dt_type_resolve(hdl, type->ref)->is_char;
}

/* Same named aggregate, by identity or by tag: a D declaration may repeat the kernel's. */
static bool is_same(const dt_type_t *a, const dt_type_t *b)
{
	return a == b || (a->kind == b->kind && a->name != NULL && b->name != NULL &&
			  strcmp(a->name, b->name) == 0);
}

static bool pointees_match(dtrace_hdl_t *hdl, dt_type_t *a, dt_type_t *b)
{
	a = dt_type_resolve(hdl, a);
	b = dt_type_resolve(hdl, b);
	if (a->kind == DT_K_VOID || b->kind == DT_K_VOID || is_same(a, b))
		return true;
	if (is_integer(a) && is_integer(b))
		return a->size == b->size;
	if (a->kind == DT_K_FORWARD || b->kind == DT_K_FORWARD)
		return a->name != NULL && b->name != NULL && strcmp(a->name, b->name) == 0;
	if ((a->kind == DT_K_PTR || a->kind == DT_K_ARRAY) && a->kind == b->kind)
		return a->count == b->count && pointees_match(hdl, a->ref, b->ref);
	return a->kind == DT_K_FUNC && b->kind == DT_K_FUNC;
}

bool dt_type_compatible(dtrace_hdl_t *hdl, dt_type_t *a, dt_type_t *b)
{
	a = dt_type_resolve(hdl, a);
	b = dt_type_resolve(hdl, b);
	if (is_same(a, b) || a->kind == DT_K_DYN || b->kind == DT_K_DYN)
		return true;
	if (is_integer(a) && is_integer(b))
		return true;
	if (a->kind == DT_K_STRING || b->kind == DT_K_STRING)
		return is_stringlike(hdl, a) && is_stringlike(hdl, b);
	if ((a->kind == DT_K_PTR || a->kind == DT_K_ARRAY) &&
	    (b->kind == DT_K_PTR || b->kind == DT_K_ARRAY))
		return pointees_match(hdl, a->ref, b->ref);
	/* A function's name is its address. */
	if (a->kind == DT_K_FUNC)
		return b->kind == DT_K_PTR;
	return a->kind == DT_K_PTR && b->kind == DT_K_FUNC;
}
