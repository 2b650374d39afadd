/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarfcall.c - how the functions of user programs are called, from debugging information:
 * the types of their parameters, and which of arg0 ... each is. That is not its number in the
 * list where another parameter takes no register, or two, or is on the stack; what the rules
 * are is for arch.c to know, of what a value is made is found out here.
 */
#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "types/dwarf.h"

/* Structures in structures; a broken file's may go on. */
#define DEPTH_MAX 32
/* Entries that are looked at for one value. In a broken file's types, and in some that are
 * not, each has the next in it several times: they are not to be counted. */
#define LOOKS_MAX 65536

/* ---- Types of entries ------------------------------------------------------------------- */

/*
 * The type that an entry refers to, without typedefs and qualifiers. False: it refers to none.
 * libdw's own dwarf_peel_type(), and what calls it, such as dwarf_aggregate_size(), do not
 * come back from a typedef of itself.
 */
static bool peeled_type(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute at;

	*type = *die;
	for (int i = 0; i < DEPTH_MAX; i++) {
		if (dwarf_attr_integrate(type, DW_AT_type, &at) == NULL ||
		    dwarf_formref_die(&at, type) == NULL)
			return false;
		switch (dwarf_tag(type)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
			continue;
		}
		return true;
	}
	return false;
}

static bool is_structure(Dwarf_Die *type)
{
	int tag = dwarf_tag(type);

	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_union_type;
}

/* Whether a pointer to a member is one to a function: two words. */
static bool is_to_method(Dwarf_Die *pointer)
{
	Dwarf_Die type;

	return peeled_type(pointer, &type) && dwarf_tag(&type) == DW_TAG_subroutine_type;
}

/* Bytes of a type without typedefs and qualifiers; 0: none, or not known. */
static uint64_t size_of(Dwarf_Die *type, int depth)
{
	uint64_t size = dt_die_number(type, DW_AT_byte_size, 0);
	Dwarf_Die element, dimension;

	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_unspecified_type: /* that of nullptr */
		return 8;
	case DW_TAG_ptr_to_member_type:
		return is_to_method(type) ? 16 : 8;
	}
	if (size != 0 || dwarf_tag(type) != DW_TAG_array_type || depth == DEPTH_MAX ||
	    !peeled_type(type, &element) || dwarf_child(type, &dimension) != 0)
		return size;
	size = size_of(&element, depth + 1);
	do {
		if (dwarf_tag(&dimension) == DW_TAG_subrange_type)
			size *= dt_die_count(&dimension);
	} while (dwarf_siblingof(&dimension, &dimension) == 0);
	return size;
}

/* ---- What a value is made of ------------------------------------------------------------ */

/* How far one value has been looked at. */
typedef struct look {
	int depth;
	uint32_t count;
} look_t;

/* Whether one more entry may be looked at. */
static bool may_look(look_t *look)
{
	return look->depth < DEPTH_MAX && look->count++ < LOOKS_MAX;
}

static bool add_parts(Dwarf_Die *type, uint64_t offset, dt_arch_value_t *value, look_t *look);

static void add_part(dt_arch_value_t *value, uint64_t offset, uint64_t size, uint64_t align,
		     uint8_t part)
{
	if (align > value->align)
		value->align = align;
	if (offset + size > value->size)
		value->size = offset + size;
	if (align > 1 && offset % align != 0)
		part |= DT_ARCH_UNALIGNED;
	for (uint64_t i = offset / 8; i < 2 && i * 8 < offset + size; i++)
		value->parts[i] |= part;
}

static bool add_base(Dwarf_Die *die, uint64_t offset, uint64_t size, dt_arch_value_t *value)
{
	uint64_t encoding = dt_die_number(die, DW_AT_encoding, 0);
	const char *name = dwarf_diename(die);
	bool is_complex = encoding == DW_ATE_complex_float;
	uint64_t align = is_complex ? size / 2 : size;

	if (encoding != DW_ATE_float && !is_complex)
		add_part(value, offset, size, align, DT_ARCH_WORDS);
	else if (align <= 8)
		add_part(value, offset, size, align, DT_ARCH_FLOATS);
	else if (name == NULL || strstr(name, "long double") != NULL)
		add_part(value, offset, size, align, DT_ARCH_WIDE);
	else
		return false; /* _Float128 and the like */
	return true;
}

static bool add_member(Dwarf_Die *member, uint64_t offset, dt_arch_value_t *value, look_t *look)
{
	uint64_t bits = dt_die_number(member, DW_AT_data_bit_offset, 0);
	Dwarf_Die type;

	offset += dt_die_number(member, DW_AT_data_member_location, bits / 8);
	if (dt_die_number(member, DW_AT_bit_size, 0) == 0)
		return peeled_type(member, &type) && add_parts(&type, offset, value, look);
	add_part(value, offset, 1, 1, DT_ARCH_WORDS);
	return true;
}

static bool add_members(Dwarf_Die *die, uint64_t offset, dt_arch_value_t *value, look_t *look)
{
	Dwarf_Die child;

	if (dt_die_flag(die, DW_AT_declaration))
		return false;
	if (dwarf_child(die, &child) != 0)
		return true;
	do {
		if (!may_look(look) ||
		    (dt_die_is_member(&child) && !add_member(&child, offset, value, look)))
			return false;
	} while (dwarf_siblingof(&child, &child) == 0);
	return true;
}

static bool add_elements(Dwarf_Die *die, uint64_t offset, uint64_t size, dt_arch_value_t *value,
			 look_t *look)
{
	Dwarf_Die element;
	uint64_t each;

	if (dt_die_flag(die, DW_AT_GNU_vector) || !peeled_type(die, &element))
		return false;
	each = size_of(&element, 0);
	/* Past the second 8 bytes they are as those before. */
	for (uint64_t i = 0; each > 0 && i < size && (i == 0 || offset + i < 16); i += each)
		if (!add_parts(&element, offset + i, value, look))
			return false;
	return true;
}

/* What a type is made of that has other types in it. */
static bool add_inner(Dwarf_Die *type, uint64_t offset, dt_arch_value_t *value, look_t *look)
{
	bool is_known;

	if (!may_look(look))
		return false;
	look->depth++;
	is_known = is_structure(type)
		       ? add_members(type, offset, value, look)
		       : add_elements(type, offset, size_of(type, 0), value, look);
	look->depth--;
	return is_known;
}

/* Of a type without typedefs and qualifiers. False: that is not known of such a one. */
static bool add_parts(Dwarf_Die *type, uint64_t offset, dt_arch_value_t *value, look_t *look)
{
	uint64_t size = size_of(type, 0);

	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_unspecified_type:
	case DW_TAG_ptr_to_member_type:
		add_part(value, offset, size, 8, DT_ARCH_WORDS);
		return true;
	case DW_TAG_enumeration_type:
		add_part(value, offset, size, size, DT_ARCH_WORDS);
		return size != 0;
	case DW_TAG_base_type:
		return size != 0 && add_base(type, offset, size, value);
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_array_type:
		return add_inner(type, offset, value, look);
	default:
		return false;
	}
}

/* ---- Objects ---------------------------------------------------------------------------- */

/*
 * An object of C++ whose copying or destruction is more than nothing is passed by its address,
 * and returned where the caller says (Itanium C++ ABI, section 3.1.2.3). clang tells; gcc tells
 * what is declared, and nothing of what the language adds by itself.
 */
typedef enum passing { BY_VALUE, BY_REFERENCE, NOT_KNOWN } passing_t;

/* Whether a constructor's parameter, after the object, is a reference to such an object. */
static bool takes_another(Dwarf_Die *function, Dwarf_Die *class)
{
	Dwarf_Die param, type;

	if (dwarf_child(function, &param) != 0)
		return false;
	while (dt_die_flag(&param, DW_AT_artificial) ||
	       dwarf_tag(&param) != DW_TAG_formal_parameter)
		if (dwarf_siblingof(&param, &param) != 0)
			return false;
	return peeled_type(&param, &type) &&
	       (dwarf_tag(&type) == DW_TAG_reference_type ||
		dwarf_tag(&type) == DW_TAG_rvalue_reference_type) &&
	       peeled_type(&type, &type) && dwarf_dieoffset(&type) == dwarf_dieoffset(class);
}

/* By its name, which is the class's; that of a template's instance goes on: vector<int>. */
static bool is_constructor(const char *name, Dwarf_Die *class)
{
	const char *class_name = dwarf_diename(class);
	size_t length = strlen(name);

	return class_name != NULL && strncmp(name, class_name, length) == 0 &&
	       (class_name[length] == '\0' || class_name[length] == '<');
}

/* What a class's function says of it. */
static passing_t passing_by(Dwarf_Die *function, Dwarf_Die *class)
{
	const char *name = dwarf_diename(function);

	if (dt_die_number(function, DW_AT_virtuality, 0) != 0)
		return BY_REFERENCE;
	if (name == NULL || dt_die_number(function, DW_AT_defaulted, 0) == DW_DEFAULTED_in_class)
		return BY_VALUE;
	if (*name != '~' && !(is_constructor(name, class) && takes_another(function, class)))
		return BY_VALUE;
	return dt_die_flag(function, DW_AT_artificial) || dt_die_flag(function, DW_AT_deleted)
		   ? NOT_KNOWN
		   : BY_REFERENCE;
}

static passing_t passing_of(Dwarf_Die *class, look_t *look);

/* What a member says of the class that has it: what is so of one is so of many. */
static passing_t passing_with(Dwarf_Die *member, look_t *look)
{
	passing_t passing;
	Dwarf_Die type;

	if (!peeled_type(member, &type))
		return BY_VALUE;
	for (int i = 0; i < DEPTH_MAX && dwarf_tag(&type) == DW_TAG_array_type; i++)
		if (!peeled_type(&type, &type))
			return BY_VALUE;
	if (!is_structure(&type))
		return BY_VALUE;
	look->depth++;
	passing = passing_of(&type, look);
	look->depth--;
	return passing;
}

static passing_t passing_of(Dwarf_Die *class, look_t *look)
{
	uint64_t convention = dt_die_number(class, DW_AT_calling_convention, 0);
	passing_t passing = BY_VALUE, one;
	Dwarf_Die child;

	if (convention == DW_CC_pass_by_reference)
		return BY_REFERENCE;
	if (convention == DW_CC_pass_by_value || dwarf_child(class, &child) != 0)
		return BY_VALUE;
	do {
		if (!may_look(look))
			return NOT_KNOWN;
		one = BY_VALUE;
		if (dwarf_tag(&child) == DW_TAG_subprogram)
			one = passing_by(&child, class);
		else if (dt_die_is_member(&child))
			one = passing_with(&child, look);
		if (one == BY_REFERENCE)
			return one;
		if (one == NOT_KNOWN)
			passing = one;
	} while (dwarf_siblingof(&child, &child) == 0);
	return passing;
}

/* Rust's own rules for structures are not laid down. */
static bool is_rust(Dwarf_Die *die)
{
	Dwarf_Die unit;

	return dwarf_diecu(die, &unit, NULL, NULL) != NULL &&
	       dwarf_srclang(&unit) == DW_LANG_Rust;
}

/* What an entry's type is made of, as it is passed. False: that is not known, or it has none. */
static bool value_of(Dwarf_Die *die, dt_arch_value_t *value)
{
	passing_t passing;
	Dwarf_Die type;

	*value = (dt_arch_value_t){.align = 1};
	if (!peeled_type(die, &type))
		return false;
	value->is_structure = is_structure(&type);
	if (value->is_structure) {
		passing = is_rust(&type) ? NOT_KNOWN : passing_of(&type, &(look_t){0});
		if (passing == BY_REFERENCE)
			*value = (dt_arch_value_t){.size = 8,
						   .align = 8,
						   .parts = {DT_ARCH_WORDS},
						   .is_reference = true};
		if (passing != BY_VALUE)
			return passing == BY_REFERENCE;
	}
	if (!add_parts(&type, 0, value, &(look_t){0}))
		return false;
	if (size_of(&type, 0) != 0)
		value->size = size_of(&type, 0);
	if (dt_die_number(&type, DW_AT_alignment, 0) > value->align)
		value->align = dt_die_number(&type, DW_AT_alignment, 0);
	return true;
}

/* ---- Functions -------------------------------------------------------------------------- */

/* Whether a value of the type is passed as a word, in an argument's place. */
static bool is_word(dtrace_hdl_t *hdl, dt_type_t *type)
{
	const dt_type_t *whole = dt_type_resolve(hdl, type);

	return whole->kind == DT_K_PTR || whole->kind == DT_K_ENUM ||
	       (whole->kind == DT_K_INT && whole->size <= sizeof(uint64_t));
}

/* The type's name in D. NULL: it has none (an instance of a template of C++, say), or memory is
 * out. */
static const char *name_in_d(dtrace_hdl_t *hdl, dt_type_t *type)
{
	static const char other[] = "<>{}&#!='\"/";
	char text[512], whole[600];

	dt_type_name(type, text, sizeof(text));
	snprintf(whole, sizeof(whole), "%s%s",
		 dt_type_resolve(hdl, type)->kind == DT_K_PTR ? "userland " : "", text);
	return strstr(text, "(anon)") || strpbrk(text, other) ? NULL
							      : dt_types_strdup(hdl, whole);
}

/* ---- Functions by name ------------------------------------------------------------------ */

/* A function that has code, or is put into others. */
typedef struct dt_dwarffunc {
	struct dt_dwarffunc *next;
	const char *name;
	Dwarf_Off die;
} function_t;

static uint32_t bucket_of(const char *name)
{
	uint32_t hash = 2166136261u;

	while (*name != '\0')
		hash = (hash ^ (unsigned char)*name++) * 16777619u; /* FNV-1a */
	return hash % DT_DWARF_BUCKETS;
}

/* By its name as linkers have it: that of C++ says more than the function's own. */
static bool add_function(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die)
{
	function_t *function, **bucket;
	Dwarf_Attribute at;
	const char *name;

	if (dt_die_flag(die, DW_AT_declaration))
		return true;
	name = dwarf_attr_integrate(die, DW_AT_linkage_name, &at) != NULL ? dwarf_formstring(&at)
									  : dwarf_diename(die);
	if (name == NULL)
		return true;
	function = dt_types_alloc(hdl, sizeof(*function));
	if (function == NULL)
		return false;
	bucket = &d->functions[bucket_of(name)];
	*function = (function_t){*bucket, name, dwarf_dieoffset(die)};
	*bucket = function;
	return true;
}

/* Those among the entries that belong to another, and in its namespaces. */
static bool add_functions(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return true;
	do {
		int tag = dwarf_tag(&die);

		if ((tag == DW_TAG_subprogram && !add_function(hdl, d, &die)) ||
		    (tag == DW_TAG_namespace && !add_functions(hdl, d, &die, depth + 1)))
			return false;
	} while (dwarf_siblingof(&die, &die) == 0);
	return true;
}

/* The first of that name. */
static bool find_function(dtrace_hdl_t *hdl, dt_dwarf_t *d, const char *name, Dwarf_Die *die)
{
	const function_t *function, *found = NULL;
	Dwarf_CU *cu = NULL;
	Dwarf_Die top;

	while (!d->has_functions && dwarf_get_units(d->dw, cu, &cu, NULL, NULL, &top, NULL) == 0)
		if (!add_functions(hdl, d, &top, 0))
			return false;
	d->has_functions = true;
	for (function = d->functions[bucket_of(name)]; function != NULL; function = function->next)
		if (strcmp(function->name, name) == 0)
			found = function;
	return found != NULL && dwarf_offdie(d->dw, found->die, die) != NULL;
}

/* False: where it is cannot be known, nor where those after it are. */
static bool param_read(dtrace_hdl_t *hdl, dt_dwarf_t *d, Dwarf_Die *die, dt_arch_call_t *call,
		       dt_userparam_t *param)
{
	dt_type_t *type = dt_die_referred(hdl, d, die);
	dt_arch_value_t value;

	if (!value_of(die, &value))
		return false;
	param->place = dt_arch_call_pass(call, &value);
	param->type = type != NULL ? name_in_d(hdl, type) : NULL;
	if (param->type != NULL && is_word(hdl, type))
		return true;
	if (type != NULL && dt_type_resolve(hdl, type)->kind == DT_K_PTR) {
		param->type = "userland void *"; /* to what has no name */
		return true;
	}
	param->place = -1;
	if (param->type == NULL)
		param->type = "a type without a name";
	return true;
}

int dt_dwarf_function(dtrace_hdl_t *hdl, pid_t pid, const char *object, const char *function,
		      dt_userparam_t *params, int max)
{
	dt_dwarf_t *d = dt_dwarf_of(hdl, pid, object);
	dt_arch_value_t value;
	dt_arch_call_t call;
	Dwarf_Die die, child;
	dt_type_t *type;
	int n = 0, more;
	bool is_known;

	if (d == NULL || !find_function(hdl, d, function, &die))
		return -1;
	type = dt_die_referred(hdl, d, &die);
	params[n++].type = type != NULL && is_word(hdl, type) ? name_in_d(hdl, type) : NULL;
	is_known = value_of(&die, &value);
	if (!is_known && type != hdl->types.void_)
		return n;
	dt_arch_call_begin(&call, is_known ? &value : NULL);
	for (more = dwarf_child(&die, &child); more == 0 && n < max;
	     more = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_formal_parameter)
			continue;
		if (!param_read(hdl, d, &child, &call, &params[n]))
			break;
		n++;
	}
	return n;
}
