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

/* ---- What a value is made of ------------------------------------------------------------ */

static bool add_parts(Dwarf_Die *die, uint64_t offset, dt_arch_value_t *value, int depth);

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

static bool add_members(Dwarf_Die *die, uint64_t offset, dt_arch_value_t *value, int depth)
{
	Dwarf_Die child, type;
	Dwarf_Attribute at;

	if (dt_die_flag(die, DW_AT_declaration) || depth == DEPTH_MAX)
		return false;
	if (dwarf_child(die, &child) != 0)
		return true;
	do {
		uint64_t bits = dt_die_number(&child, DW_AT_data_bit_offset, 0);
		uint64_t at_byte = dt_die_number(&child, DW_AT_data_member_location, bits / 8);
		bool is_bits = dt_die_number(&child, DW_AT_bit_size, 0) != 0;

		if (!dt_die_is_member(&child))
			continue;
		if (is_bits)
			add_part(value, offset + at_byte, 1, 1, DT_ARCH_WORDS);
		else if (dwarf_attr_integrate(&child, DW_AT_type, &at) == NULL ||
			 dwarf_formref_die(&at, &type) == NULL ||
			 !add_parts(&type, offset + at_byte, value, depth + 1))
			return false;
	} while (dwarf_siblingof(&child, &child) == 0);
	return true;
}

static bool add_elements(Dwarf_Die *die, uint64_t offset, uint64_t size, dt_arch_value_t *value,
			 int depth)
{
	Dwarf_Attribute at;
	Dwarf_Die element;
	Dwarf_Word each;

	if (dt_die_flag(die, DW_AT_GNU_vector) ||
	    dwarf_attr_integrate(die, DW_AT_type, &at) == NULL ||
	    dwarf_formref_die(&at, &element) == NULL ||
	    dwarf_aggregate_size(&element, &each) != 0)
		return false;
	/* Past the second 8 bytes they are as those before. */
	for (uint64_t i = 0; each > 0 && i < size && (i == 0 || offset + i < 16); i += each)
		if (!add_parts(&element, offset + i, value, depth + 1))
			return false;
	return true;
}

/* Whether a pointer to a member is one to a function: two words. */
static bool is_to_method(Dwarf_Die *pointer)
{
	Dwarf_Attribute at;
	Dwarf_Die type;

	return dwarf_attr_integrate(pointer, DW_AT_type, &at) != NULL &&
	       dwarf_formref_die(&at, &type) != NULL && dwarf_peel_type(&type, &type) == 0 &&
	       dwarf_tag(&type) == DW_TAG_subroutine_type;
}

/* False: that is not known of such a type. */
static bool add_parts(Dwarf_Die *die, uint64_t offset, dt_arch_value_t *value, int depth)
{
	Dwarf_Word size;
	Dwarf_Die type;

	if (dwarf_peel_type(die, &type) != 0)
		return false;
	switch (dwarf_tag(&type)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_unspecified_type: /* that of nullptr */
		add_part(value, offset, 8, 8, DT_ARCH_WORDS);
		return true;
	case DW_TAG_ptr_to_member_type:
		add_part(value, offset, is_to_method(&type) ? 16 : 8, 8, DT_ARCH_WORDS);
		return true;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return add_members(&type, offset, value, depth);
	}
	if (dwarf_aggregate_size(&type, &size) != 0)
		return false;
	switch (dwarf_tag(&type)) {
	case DW_TAG_base_type:
		return add_base(&type, offset, size, value);
	case DW_TAG_enumeration_type:
		add_part(value, offset, size, size, DT_ARCH_WORDS);
		return true;
	case DW_TAG_array_type:
		return add_elements(&type, offset, size, value, depth);
	default:
		return false;
	}
}

static bool is_structure(Dwarf_Die *type)
{
	int tag = dwarf_tag(type);

	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_union_type;
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
	Dwarf_Attribute at;
	Dwarf_Die param, type;

	if (dwarf_child(function, &param) != 0)
		return false;
	while (dt_die_flag(&param, DW_AT_artificial) ||
	       dwarf_tag(&param) != DW_TAG_formal_parameter)
		if (dwarf_siblingof(&param, &param) != 0)
			return false;
	return dwarf_attr_integrate(&param, DW_AT_type, &at) != NULL &&
	       dwarf_formref_die(&at, &type) != NULL &&
	       (dwarf_tag(&type) == DW_TAG_reference_type ||
		dwarf_tag(&type) == DW_TAG_rvalue_reference_type) &&
	       dwarf_attr_integrate(&type, DW_AT_type, &at) != NULL &&
	       dwarf_formref_die(&at, &type) != NULL && dwarf_peel_type(&type, &type) == 0 &&
	       dwarf_dieoffset(&type) == dwarf_dieoffset(class);
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

static passing_t passing_of(Dwarf_Die *class, int depth)
{
	uint64_t convention = dt_die_number(class, DW_AT_calling_convention, 0);
	passing_t passing = BY_VALUE, one;
	Dwarf_Die child, type;
	Dwarf_Attribute at;

	if (convention == DW_CC_pass_by_reference)
		return BY_REFERENCE;
	if (convention == DW_CC_pass_by_value || dwarf_child(class, &child) != 0)
		return BY_VALUE;
	do {
		one = BY_VALUE;
		if (dwarf_tag(&child) == DW_TAG_subprogram)
			one = passing_by(&child, class);
		else if (dt_die_is_member(&child) && depth < DEPTH_MAX &&
			 dwarf_attr_integrate(&child, DW_AT_type, &at) != NULL &&
			 dwarf_formref_die(&at, &type) != NULL &&
			 dwarf_peel_type(&type, &type) == 0 && is_structure(&type))
			one = passing_of(&type, depth + 1);
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
	Dwarf_Attribute at;
	passing_t passing;
	Dwarf_Die type;
	Dwarf_Word size;

	*value = (dt_arch_value_t){.align = 1};
	if (dwarf_attr_integrate(die, DW_AT_type, &at) == NULL ||
	    dwarf_formref_die(&at, &type) == NULL || dwarf_peel_type(&type, &type) != 0)
		return false;
	value->is_structure = is_structure(&type);
	if (value->is_structure) {
		passing = is_rust(&type) ? NOT_KNOWN : passing_of(&type, 0);
		if (passing == BY_REFERENCE)
			*value = (dt_arch_value_t){.size = 8,
						   .align = 8,
						   .parts = {DT_ARCH_WORDS},
						   .is_reference = true};
		if (passing != BY_VALUE)
			return passing == BY_REFERENCE;
	}
	if (!add_parts(&type, 0, value, 0))
		return false;
	if (dwarf_aggregate_size(&type, &size) == 0)
		value->size = size;
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
