/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf.c - types of user programs, from the debugging information of the files that a
 * process has mapped. A D program names them by the file's name:
 *
 *	struct a.out`node	libfoo.so.1`item_t		of the process $target
 *	struct pid1203`a.out`node				of another
 *
 * Such a name is the type's own from then on, so that nobody takes a program's struct list
 * for the kernel's. As with the kernel's types (btf.c) nothing is converted before it is
 * needed: a type when something refers to it, members when somebody asks for them.
 *
 * What a program points to is in its own memory: every pointer type is `userland`.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consume/symbols.h"
#include "consume/userobj.h"
#include "proc.h"
#include "types/dwarf.h"
#include "types/typetab.h"

#define PID_PREFIX "pid"
#define PID_TARGET "pid$target"
#define PROGRAM "a.out"
/* A chain of qualifiers, typedefs and arrays is not longer, nor are namespaces deeper; a broken
 * file's may be. */
#define DEPTH_MAX 64

/* A type that has been made. */
typedef struct dt_dwarfmade {
	struct dt_dwarfmade *next;
	Dwarf_Off die;
	dt_type_t *type;
} made_t;

static dt_type_t *type_of(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die);

/* ---- Files ------------------------------------------------------------------------- */

void dt_dwarf_destroy(dt_dwarf_t *d)
{
	for (dt_dwarf_t *next; d != NULL; d = next) {
		next = d->next;
		dwarf_end(d->dw);
		if (d->fd >= 0)
			close(d->fd);
		free(d);
	}
}

static bool has_units(Dwarf *dw)
{
	Dwarf_CU *cu;

	return dw != NULL && dwarf_get_units(dw, NULL, &cu, NULL, NULL, NULL, NULL) == 0;
}

/* Opens the information of a file: its own, or its debug file's. False: there is none. */
static bool open_information(dt_dwarf_t *d, const char *path)
{
	char root[32];
	int debug;

	elf_version(EV_CURRENT);
	d->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	d->dw = d->fd < 0 ? NULL : dwarf_begin(d->fd, DWARF_C_READ);
	if (has_units(d->dw) || d->fd < 0)
		return d->fd >= 0;
	dwarf_end(d->dw);
	snprintf(root, sizeof(root), "/proc/%d/root", (int)d->pid);
	debug = dt_debug_file_open(d->fd, root);
	close(d->fd);
	d->fd = debug;
	d->dw = debug < 0 ? NULL : dwarf_begin(debug, DWARF_C_READ);
	return has_units(d->dw);
}

/* Whether the program means this file: by its name, with less or nothing of its version, or as
 * a.out. */
static bool is_meant(const char *object, const dt_userfile_t *file)
{
	const char *suffix = strstr(file->name, ".so");
	size_t length = strlen(object);

	if (strcmp(object, file->name) == 0 || (file->is_program && strcmp(object, PROGRAM) == 0))
		return true;
	return suffix != NULL && (size_t)(suffix - file->name) <= length &&
	       strncmp(object, file->name, length) == 0 && file->name[length] == '.';
}

enum { NO_OBJECT, NO_INFORMATION, FOUND };

static int visit_file(dtrace_hdl_t *hdl, const dt_userfile_t *file, void *argument)
{
	const char *name = file->is_program ? PROGRAM : file->name;
	dt_dwarf_t *d = argument;
	char prefix[512];

	if (!is_meant(d->object, file))
		return 0;
	if (d->pid == dt_target_pid(hdl) && strchr(name, '.') != NULL)
		snprintf(prefix, sizeof(prefix), "%s`", name);
	else
		snprintf(prefix, sizeof(prefix), PID_PREFIX "%d`%s`", (int)d->pid, name);
	d->prefix = dt_types_strdup(hdl, prefix);
	return d->prefix && open_information(d, file->path) ? FOUND : NO_INFORMATION;
}

dt_dwarf_t *dt_dwarf_of(dtrace_hdl_t *hdl, pid_t pid, const char *object)
{
	dt_dwarf_t *d;
	int found;

	for (d = hdl->typetab->dwarfs; d != NULL; d = d->next)
		if (d->pid == pid && strcmp(d->object, object) == 0)
			return d;
	d = calloc(1, sizeof(*d));
	if (d == NULL) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	d->pid = pid;
	d->fd = -1;
	d->object = dt_types_strdup(hdl, object);
	found = d->object ? dt_user_files(hdl, pid, visit_file, d) : -1;
	if (found == FOUND) {
		d->next = hdl->typetab->dwarfs;
		hdl->typetab->dwarfs = d;
		return d;
	}
	if (found == NO_OBJECT)
		dt_set_error(hdl, EDT_NOTYPE, "process %d has no object %s", (int)pid, object);
	else if (found == NO_INFORMATION)
		dt_set_error(hdl, EDT_NOTYPE, "%s has no debugging information (DWARF)", object);
	dt_dwarf_destroy(d);
	return NULL;
}

/* ---- Entries --------------------------------------------------------------------------- */

uint64_t dt_die_number(Dwarf_Die *die, unsigned int attribute, uint64_t otherwise)
{
	Dwarf_Attribute at;
	Dwarf_Word value;

	return dwarf_attr_integrate(die, attribute, &at) != NULL &&
		       dwarf_formudata(&at, &value) == 0
		   ? value
		   : otherwise;
}

uint64_t dt_die_count(Dwarf_Die *dimension)
{
	uint64_t last = dt_die_number(dimension, DW_AT_upper_bound, UINT64_MAX);

	return dt_die_number(dimension, DW_AT_count, last + 1);
}

bool dt_die_flag(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute at;
	bool value;

	return dwarf_attr(die, attribute, &at) != NULL && dwarf_formflag(&at, &value) == 0 &&
	       value;
}

static bool fits_type(int die_tag, dt_kind_t tag)
{
	switch (die_tag) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return tag == DT_K_STRUCT;
	case DW_TAG_union_type:
		return tag == DT_K_UNION;
	case DW_TAG_enumeration_type:
		return tag == DT_K_ENUM;
	case DW_TAG_typedef:
	case DW_TAG_base_type:
		return tag == DT_K_TYPEDEF;
	default:
		return false;
	}
}

/* Namespaces of C++ and modules of Rust, and classes, for what is declared in them. */
static bool is_space(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_namespace || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_class_type;
}

/* What of the name, "outer::inner", is left inside the space; NULL: it is not in there. */
static const char *rest_of_name(Dwarf_Die *space, const char *name)
{
	const char *outer = dwarf_diename(space);
	size_t length = outer != NULL ? strlen(outer) : 0;

	if (outer == NULL)
		return dwarf_tag(space) == DW_TAG_namespace ? name : NULL;
	return strncmp(name, outer, length) == 0 && strncmp(name + length, "::", 2) == 0
		   ? name + length + 2
		   : NULL;
}

static bool find_below(Dwarf_Die *parent, const char *name, dt_kind_t tag, bool is_declaration,
		       int depth, Dwarf_Die *die)
{
	Dwarf_Die child;

	if (depth == DEPTH_MAX || dwarf_child(parent, &child) != 0)
		return false;
	do {
		const char *found = fits_type(dwarf_tag(&child), tag) ? dwarf_diename(&child) : NULL;
		const char *rest = is_space(&child) ? rest_of_name(&child, name) : NULL;

		*die = child;
		if (found != NULL && strcmp(found, name) == 0 &&
		    dt_die_flag(&child, DW_AT_declaration) == is_declaration)
			return true;
		if (rest != NULL && find_below(&child, rest, tag, is_declaration, depth + 1, die))
			return true;
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

/* The first entry of that name, of a kind that fits: a definition, or a mere declaration. */
static bool find_entry(Dwarf *dw, const char *name, dt_kind_t tag, bool is_declaration,
		       Dwarf_Die *die)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die top;

	while (dwarf_get_units(dw, cu, &cu, NULL, NULL, &top, NULL) == 0)
		if (find_below(&top, name, tag, is_declaration, 0, die))
			return true;
	return false;
}

dt_type_t *dt_die_referred(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	Dwarf_Attribute at;
	Dwarf_Die type;

	if (dwarf_attr_integrate(die, DW_AT_type, &at) == NULL)
		return hdl->types.void_;
	return dwarf_formref_die(&at, &type) == NULL ? NULL : type_of(hdl, d, &type);
}

/* ---- From entries to types ------------------------------------------------------------ */

static bool is_c(int language)
{
	return language == DW_LANG_C89 || language == DW_LANG_C || language == DW_LANG_C99 ||
	       language == DW_LANG_C11;
}

/* Adds "outer::" for each space that an entry is in. */
static void put_spaces(Dwarf_Die *die, char *text, size_t size)
{
	size_t length = strlen(text);
	Dwarf_Die *scopes, unit;
	int n;

	/* C has none, and to look for them takes time. */
	if (dwarf_diecu(die, &unit, NULL, NULL) == NULL || is_c(dwarf_srclang(&unit)))
		return;
	n = dwarf_getscopes_die(die, &scopes);
	for (int i = n - 1; i > 0 && length < size; i--)
		if (is_space(&scopes[i]) && dwarf_diename(&scopes[i]) != NULL)
			length += (size_t)snprintf(text + length, size - length, "%s::",
						   dwarf_diename(&scopes[i]));
	if (n > 0)
		free(scopes);
}

/* The entry's name with the object's before it; NULL: it has none. */
static const char *scoped_name(dtrace_hdl_t *hdl, const dt_dwarf_t *d, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);
	char scoped[1024];
	size_t length;

	if (name == NULL)
		return NULL;
	snprintf(scoped, sizeof(scoped), "%s", d->prefix);
	put_spaces(die, scoped, sizeof(scoped));
	length = strlen(scoped);
	snprintf(scoped + length, sizeof(scoped) - length, "%s", name);
	return dt_types_strdup(hdl, scoped);
}

/* Numbers that other languages call by names that C does not have: i32, char16_t. */
static dt_type_t *number_like(dtrace_hdl_t *hdl, uint64_t size, bool is_signed)
{
	switch (size) {
	case 1:
		return is_signed ? hdl->types.int8 : hdl->types.uint8;
	case 2:
		return is_signed ? hdl->types.int16 : hdl->types.uint16;
	case 4:
		return is_signed ? hdl->types.int32 : hdl->types.uint32;
	case 8:
		return is_signed ? hdl->types.int64 : hdl->types.uint64;
	default:
		return NULL;
	}
}

static dt_type_t *float_like(dtrace_hdl_t *hdl, uint64_t size)
{
	dt_type_t *const types[] = {hdl->types.float_, hdl->types.double_, hdl->types.longdouble};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i]->size == size)
			return types[i];
	return NULL;
}

static dt_type_t *base_make(dtrace_hdl_t *hdl, Dwarf_Die *die)
{
	uint64_t encoding = dt_die_number(die, DW_AT_encoding, 0);
	uint64_t size = dt_die_number(die, DW_AT_byte_size, 0);
	const char *name = dwarf_diename(die);
	dt_type_t *type;

	if (encoding == DW_ATE_float)
		return float_like(hdl, size);
	if (encoding == DW_ATE_complex_float || size == 0 || size > 16 || (size & (size - 1)) != 0)
		return NULL;
	type = name == NULL ? NULL : dt_types_int_known(hdl, name);
	if (type != NULL && type->size == size)
		return type;
	if (encoding == DW_ATE_signed || encoding == DW_ATE_unsigned || encoding == DW_ATE_UTF) {
		type = number_like(hdl, size, encoding == DW_ATE_signed);
		if (type != NULL)
			return type;
	}
	type = dt_type_new(hdl, DT_K_INT);
	if (type == NULL)
		return NULL;
	type->name = name == NULL ? NULL : dt_types_strdup(hdl, name);
	type->size = size;
	type->align = (uint32_t)size;
	type->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	type->is_char = encoding == DW_ATE_signed_char || encoding == DW_ATE_unsigned_char;
	type->is_bool = encoding == DW_ATE_boolean;
	type->complete = true;
	return type;
}

/* All but members. What is only declared here may be defined in another unit. */
static dt_type_t *aggregate_make(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die, dt_kind_t kind)
{
	Dwarf_Die definition;
	dt_type_t *type;

	if (dt_die_flag(die, DW_AT_declaration)) {
		const char *name = scoped_name(hdl, d, die);

		if (name != NULL && find_entry(d->dw, name + strlen(d->prefix), kind, false, &definition))
			return type_of(hdl, d, &definition);
		kind = DT_K_FORWARD;
	}
	type = dt_type_new(hdl, kind);
	if (type == NULL)
		return NULL;
	type->name = scoped_name(hdl, d, die);
	type->size = dt_die_number(die, DW_AT_byte_size, 0);
	type->align = type->size >= 8 ? 8 : type->size > 0 ? (uint32_t)type->size : 1;
	type->complete = kind == DT_K_FORWARD;
	type->dwarf = d;
	type->die = dwarf_dieoffset(die);
	return type;
}

static dt_type_t *typedef_make(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);
	dt_type_t *ref = dt_die_referred(hdl, d, die), *type;

	if (ref == NULL || name == NULL)
		return ref;
	type = dt_types_fixed_like(hdl, name, ref);
	if (type != NULL)
		return type;
	type = dt_type_new(hdl, DT_K_TYPEDEF);
	if (type == NULL)
		return NULL;
	type->name = scoped_name(hdl, d, die);
	type->ref = ref;
	type->size = ref->size;
	type->align = ref->align;
	type->complete = true;
	return type;
}

/* The last dimension is that of what lies side by side. */
static dt_type_t *array_make(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	dt_type_t *type = dt_die_referred(hdl, d, die);
	uint64_t counts[DEPTH_MAX];
	Dwarf_Die dimension;
	int n = 0, more;

	for (more = dwarf_child(die, &dimension); more == 0 && n < DEPTH_MAX;
	     more = dwarf_siblingof(&dimension, &dimension))
		counts[n++] = dt_die_count(&dimension);
	if (n == 0 || more == 0)
		return NULL;
	while (type != NULL && n-- > 0)
		type = counts[n] > UINT32_MAX / (type->size + 1)
			   ? NULL
			   : dt_type_array(hdl, type, (uint32_t)counts[n]);
	return type;
}

static dt_type_t *func_make(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	dt_type_t *type = dt_type_new(hdl, DT_K_FUNC), *params[64];
	uint32_t count = 0;
	Dwarf_Die child;
	int more = dwarf_child(die, &child);

	if (type == NULL || (type->ref = dt_die_referred(hdl, d, die)) == NULL)
		return NULL;
	for (; more == 0; more = dwarf_siblingof(&child, &child)) {
		type->varargs |= dwarf_tag(&child) == DW_TAG_unspecified_parameters;
		if (dwarf_tag(&child) != DW_TAG_formal_parameter ||
		    count == sizeof(params) / sizeof(params[0]))
			continue;
		params[count] = dt_die_referred(hdl, d, &child);
		if (params[count++] == NULL)
			return NULL;
	}
	type->align = 1;
	type->complete = true;
	type->params = dt_types_alloc(hdl, (count + 1) * sizeof(params[0]));
	if (type->params == NULL)
		return NULL;
	memcpy(type->params, params, count * sizeof(params[0]));
	type->count = count;
	return type;
}

static dt_type_t *pointer_make(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	dt_type_t *target = dt_die_referred(hdl, d, die);

	if (target == NULL)
		return NULL;
	return dt_type_qualified(hdl, dt_type_pointer(hdl, target), DT_TQ_USERLAND);
}

static dt_type_t *qualified_make(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die,
				 uint8_t qualifiers)
{
	dt_type_t *type = dt_die_referred(hdl, d, die);

	return type == NULL || qualifiers == 0 ? type : dt_type_qualified(hdl, type, qualifiers);
}

static dt_type_t *convert(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_base_type:
		return base_make(hdl, die);
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return aggregate_make(hdl, d, die, DT_K_STRUCT);
	case DW_TAG_union_type:
		return aggregate_make(hdl, d, die, DT_K_UNION);
	case DW_TAG_enumeration_type:
		return aggregate_make(hdl, d, die, DT_K_ENUM);
	case DW_TAG_typedef:
		return typedef_make(hdl, d, die);
	case DW_TAG_array_type:
		return array_make(hdl, d, die);
	case DW_TAG_subroutine_type:
		return func_make(hdl, d, die);
	case DW_TAG_const_type:
		return qualified_make(hdl, d, die, DT_TQ_CONST);
	case DW_TAG_volatile_type:
		return qualified_make(hdl, d, die, DT_TQ_VOLATILE);
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return qualified_make(hdl, d, die, 0);
	case DW_TAG_unspecified_type:
		return hdl->types.void_;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return pointer_make(hdl, d, die);
	default:
		return NULL;
	}
}

/* NULL: it is of no kind that D has. Cycles pass through a structure, whose members are
 * read later. */
static dt_type_t *type_of(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	Dwarf_Off offset = dwarf_dieoffset(die);
	made_t **bucket = &d->made[offset % DT_DWARF_BUCKETS], *made;
	dt_type_t *type;

	for (made = *bucket; made != NULL; made = made->next)
		if (made->die == offset)
			return made->type;
	if (d->depth == DEPTH_MAX)
		return NULL;
	d->depth++;
	type = convert(hdl, d, die);
	d->depth--;
	made = type == NULL ? NULL : dt_types_alloc(hdl, sizeof(*made));
	if (made != NULL) {
		*made = (made_t){*bucket, offset, type};
		*bucket = made;
	}
	return type;
}

/* ---- Members --------------------------------------------------------------------------- */

/* Where a member is, in bits. */
static uint64_t bit_offset_of(Dwarf_Die *die, const dt_type_t *type, uint64_t bit_size)
{
	uint64_t bytes = dt_die_number(die, DW_AT_data_member_location, 0);
	uint64_t from_top = dt_die_number(die, DW_AT_bit_offset, UINT64_MAX);
	uint64_t unit = dt_die_number(die, DW_AT_byte_size, type->size);

	if (from_top != UINT64_MAX) /* DWARF 2 and 3: from the unit's most significant bit */
		return bytes * 8 + unit * 8 - from_top - bit_size;
	return bytes * 8 + dt_die_number(die, DW_AT_data_bit_offset, 0);
}

bool dt_die_is_member(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return (tag == DW_TAG_member && !dt_die_flag(die, DW_AT_external)) ||
	       tag == DW_TAG_inheritance;
}

/* Whether a field of so many bits can be of the type. */
static bool has_bits(const dt_type_t *type, uint64_t bits)
{
	return (type->kind == DT_K_INT || type->kind == DT_K_ENUM) && type->size <= 8 &&
	       bits <= 8 * type->size;
}

static bool member_read(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die, dt_member_t *member)
{
	const char *name = dwarf_tag(die) == DW_TAG_member ? dwarf_diename(die) : NULL;
	dt_type_t *type = dt_die_referred(hdl, d, die);
	uint64_t bit_size = dt_die_number(die, DW_AT_bit_size, 0);

	/* A member of a type that D does not have is bytes of no use. */
	if (type == NULL || (bit_size != 0 && !has_bits(dt_type_resolve(hdl, type), bit_size)))
		return false;
	*member = (dt_member_t){.name = name ? dt_types_strdup(hdl, name) : NULL,
				.type = type,
				.bit_offset = (uint32_t)bit_offset_of(die, type, bit_size),
				.bit_size = (uint32_t)bit_size};
	return true;
}

static void members_read(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die, dt_type_t *type)
{
	uint32_t room = 0, count = 0, align = 1;
	dt_member_t *members;
	Dwarf_Die child;

	if (dwarf_child(die, &child) != 0)
		return;
	do {
		room += dt_die_is_member(&child);
	} while (dwarf_siblingof(&child, &child) == 0);
	members = dt_types_alloc(hdl, (room + 1) * sizeof(*members));
	if (members == NULL || dwarf_child(die, &child) != 0)
		return;
	do {
		if (!dt_die_is_member(&child) || !member_read(hdl, d, &child, &members[count]))
			continue;
		if (members[count].type->align > align && members[count].bit_size == 0)
			align = members[count].type->align;
		count++;
	} while (dwarf_siblingof(&child, &child) == 0);
	type->members = members;
	type->count = count;
	type->align = align;
}

static void enumerators_read(dtrace_hdl_t *hdl, Dwarf_Die *die, dt_type_t *type)
{
	dt_enumerator_t *enumerators;
	uint32_t room = 0, count = 0;
	Dwarf_Die child;

	if (dwarf_child(die, &child) != 0)
		return;
	do {
		room++;
	} while (dwarf_siblingof(&child, &child) == 0);
	enumerators = dt_types_alloc(hdl, room * sizeof(*enumerators));
	if (enumerators == NULL || dwarf_child(die, &child) != 0)
		return;
	do {
		Dwarf_Attribute at;
		Dwarf_Sword value;

		if (dwarf_tag(&child) != DW_TAG_enumerator || dwarf_diename(&child) == NULL ||
		    dwarf_attr(&child, DW_AT_const_value, &at) == NULL ||
		    dwarf_formsdata(&at, &value) != 0)
			continue;
		type->is_signed |= value < 0;
		enumerators[count++] =
		    (dt_enumerator_t){dt_types_strdup(hdl, dwarf_diename(&child)), value};
	} while (dwarf_siblingof(&child, &child) == 0);
	type->enumerators = enumerators;
	type->count = count;
	dt_types_add_enumerators(hdl, type);
}

void dt_dwarf_complete(dtrace_hdl_t *hdl, dt_type_t *type)
{
	Dwarf_Die die;

	type->complete = true;
	if (dwarf_offdie(type->dwarf->dw, type->die, &die) == NULL)
		return;
	if (type->kind == DT_K_ENUM)
		enumerators_read(hdl, &die, type);
	else
		members_read(hdl, type->dwarf, &die, type);
}

/* ---- By name --------------------------------------------------------------------------- */

bool dt_dwarf_is_name(const char *name)
{
	const char *backquote = strchr(name, '`'), *dot = strchr(name, '.');
	size_t prefix = strlen(PID_PREFIX);

	if (backquote == NULL)
		return false;
	return (dot != NULL && dot < strrchr(name, '`')) ||
	       strncmp(name, PID_TARGET "`", strlen(PID_TARGET) + 1) == 0 ||
	       (strncmp(name, PID_PREFIX, prefix) == 0 && backquote > name + prefix &&
		strspn(name + prefix, "0123456789") == (size_t)(backquote - name) - prefix);
}

/* The object that a name begins with: takes process and object off. NULL with the handle's
 * error set. */
static dt_dwarf_t *object_of(dtrace_hdl_t *hdl, const char **name)
{
	const char *backquote = strrchr(*name, '`'), *object = *name;
	pid_t pid = dt_target_pid(hdl);
	char text[256];

	if (strchr(object, '`') != backquote) {
		if (object[strlen(PID_PREFIX)] != '$')
			pid = (pid_t)strtol(object + strlen(PID_PREFIX), NULL, 10);
		object = strchr(object, '`') + 1;
	}
	if (pid <= 0) {
		dt_set_error(hdl, EDT_NOTYPE, "there is no process $target to look into");
		return NULL;
	}
	snprintf(text, sizeof(text), "%.*s", (int)(backquote - object), object);
	*name = backquote + 1;
	return dt_dwarf_of(hdl, pid, text);
}

dt_type_t *dt_dwarf_lookup(dtrace_hdl_t *hdl, dt_kind_t tag, const char *name)
{
	dt_dwarf_t *d = object_of(hdl, &name);
	dt_type_t *type = NULL;
	Dwarf_Die die;

	if (d == NULL)
		return NULL;
	if (find_entry(d->dw, name, tag, false, &die) ||
	    find_entry(d->dw, name, tag, true, &die))
		type = type_of(hdl, d, &die);
	if (type == NULL)
		dt_set_error(hdl, EDT_NOTYPE, "the object's debugging information has none");
	return type;
}
