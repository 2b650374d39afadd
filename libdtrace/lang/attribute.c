/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute.c - stability. Whatever a program names has three attributes: how stable the
 * name is, how stable what it means is, and how widely it exists. A description or a
 * statement is as stable as the least stable name in it; option amin sets what is too
 * little.
 */
#include "lang/check.h"

#include "lang/provdecl.h"
#include "option.h"
#include "provider/provider.h"

const dtrace_attribute_t dt_attr_stable = {
    DTRACE_STABILITY_STABLE,
    DTRACE_STABILITY_STABLE,
    DTRACE_CLASS_COMMON,
};

static const dtrace_attribute_t attr_kernel = {
    DTRACE_STABILITY_PRIVATE,
    DTRACE_STABILITY_PRIVATE,
    DTRACE_CLASS_UNKNOWN,
};

/* Its name is D's; what it points to is the kernel's own. */
static const dtrace_attribute_t attr_curthread = {
    DTRACE_STABILITY_STABLE,
    DTRACE_STABILITY_PRIVATE,
    DTRACE_CLASS_COMMON,
};

dtrace_attribute_t dt_attr_initial(dt_identkind_t kind, uint32_t id)
{
	if (kind == DT_I_KSYM)
		return attr_kernel;
	if (kind == DT_I_BUILTIN && id == DT_VAR_CURTHREAD)
		return attr_curthread;
	return dt_attr_stable;
}

dtrace_attribute_t dt_attr_min(dtrace_attribute_t a, dtrace_attribute_t b)
{
	if (b.dtat_name < a.dtat_name)
		a.dtat_name = b.dtat_name;
	if (b.dtat_data < a.dtat_data)
		a.dtat_data = b.dtat_data;
	if (b.dtat_class < a.dtat_class)
		a.dtat_class = b.dtat_class;
	return a;
}

static bool is_below(dtrace_attribute_t a, dtrace_optval_t minimum)
{
	return a.dtat_name < (minimum >> 16 & 0xff) ||
	       a.dtat_data < (minimum >> 8 & 0xff) || a.dtat_class < (minimum & 0xff);
}

void dt_attr_join(dt_compile_t *c, int line, int column, const char *name,
		  dtrace_attribute_t attributes)
{
	dtrace_optval_t minimum = c->hdl->options[DT_OPT_AMIN];
	char text[DTRACE_ATTR2STR_MAX];

	c->attributes = dt_attr_min(c->attributes, attributes);
	if (minimum != DTRACEOPT_UNSET && !c->is_library && is_below(attributes, minimum))
		dt_compile_error(c, D_ATTR_MIN, line, column,
				 "attributes for %s (%s) are less than predefined minimum",
				 name, dtrace_attr2str(attributes, text, sizeof(text)));
}

void dt_attr_join_ident(dt_compile_t *c, int line, int column, const dt_ident_t *ident)
{
	static const char *const kinds[] = {
	    [DT_I_VAR] = "scalar",
	    [DT_I_ASSOC] = "associative array",
	    [DT_I_BUILTIN] = "scalar",
	    [DT_I_AGG] = "aggregation",
	    [DT_I_SUBR] = "function",
	    [DT_I_ACTION] = "tracing function",
	    [DT_I_AGGFUNC] = "aggregating function",
	    [DT_I_INLINE] = "scalar",
	    [DT_I_KSYM] = "external symbol reference",
	};
	char name[256];

	snprintf(name, sizeof(name), "%s %s", kinds[ident->kind], ident->name);
	dt_attr_join(c, line, column, name, ident->attributes);
}

void dt_attr_join_probe(dt_compile_t *c, const dt_pdesc_t *pdesc, const dt_probe_t *probe)
{
	const dt_provdecl_t *decl = dt_provdecl_find(c->hdl, probe->desc.dtpd_provider);
	dtrace_attribute_t attributes = probe->provider->attributes;
	char name[DTRACE_FULLNAMELEN];

	if (decl != NULL) {
		attributes = decl->attributes[DT_PROVPART_PROVIDER];
		for (int part = DT_PROVPART_MODULE; part <= DT_PROVPART_NAME; part++)
			attributes = dt_attr_min(attributes, decl->attributes[part]);
	}
	dt_attr_join(c, pdesc->line, 0, dtrace_desc2str(&pdesc->desc, name, sizeof(name)),
		     attributes);
}
