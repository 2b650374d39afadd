/* SPDX-License-Identifier: Apache-2.0 */
/* typeinfo.c - types for consumers: by D name, by object and name, of a kernel symbol. */
#include <errno.h>
#include <string.h>

#include "handle.h"
#include "lang/compile.h"

#define DT_OBJ_KERNEL "vmlinux"

static void describe(dtrace_hdl_t *hdl, dt_type_t *type, dtrace_typeinfo_t *info)
{
	const dt_type_t *whole = dt_type_resolve(hdl, type);

	*info = (dtrace_typeinfo_t){.dtt_object = type->btf_id ? DT_OBJ_KERNEL : "",
				    .dtt_ctfp = type,
				    .dtt_type = (long)type->btf_id,
				    .dtt_size = whole->size};
}

int dtrace_type_strcompile(dtrace_hdl_t *hdl, const char *name, dtrace_typeinfo_t *info)
{
	dt_type_t *type;

	if (!name || !info)
		return dt_set_errno(hdl, EINVAL);
	type = dt_compile_type(hdl, name);
	if (!type)
		return -1;
	describe(hdl, type, info);
	return 0;
}

/* Whether the object may have the types that the library knows: the kernel's, and D's. */
static bool has_types(const char *object)
{
	return object == DTRACE_OBJ_EVERY || object == DTRACE_OBJ_KMODS ||
	       object == DTRACE_OBJ_EXEC || object == DTRACE_OBJ_DDEFS ||
	       object == DTRACE_OBJ_CDEFS ||
	       (object != DTRACE_OBJ_UMODS && object != DTRACE_OBJ_RTLD &&
		strcmp(object, DT_OBJ_KERNEL) == 0);
}

int dtrace_lookup_by_type(dtrace_hdl_t *hdl, const char *object, const char *name,
			  dtrace_typeinfo_t *info)
{
	dt_type_t *type;

	if (!name || !info)
		return dt_set_errno(hdl, EINVAL);
	type = has_types(object) ? dt_compile_type(hdl, name) : NULL;
	if (!type)
		return dt_set_error(hdl, EDT_NOTYPE, "no such type: %s", name);
	describe(hdl, type, info);
	return 0;
}

int dtrace_symbol_type(dtrace_hdl_t *hdl, const GElf_Sym *symbol, const dtrace_syminfo_t *where,
		       dtrace_typeinfo_t *info)
{
	dt_type_t *type;

	(void)symbol; /* its name is what BTF knows it by */
	if (!where || !info)
		return dt_set_errno(hdl, EINVAL);
	type = dt_type_kernel_var(hdl, where->dts_name);
	if (!type)
		return dt_set_error(hdl, EDT_NOTYPE, "no type is known for the symbol %s",
				    where->dts_name);
	describe(hdl, type, info);
	return 0;
}
