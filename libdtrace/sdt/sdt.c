/* SPDX-License-Identifier: Apache-2.0 */
/* sdt.c - see sdt.h: names, and which providers are meant. */
#include <ctype.h>
#include <string.h>

#include "sdt/sdt.h"

void dt_sdt_spell(const char *name, char *spelled, size_t size)
{
	size_t n = 0;

	for (; *name != '\0' && n + 2 < size; name++) {
		if (*name == '-')
			spelled[n++] = '_';
		spelled[n++] = *name == '-' ? '_' : *name;
	}
	spelled[n] = '\0';
}

void dt_sdt_macro(const char *name, char *spelled, size_t size)
{
	size_t n = 0;

	for (; *name != '\0' && n + 1 < size; name++)
		spelled[n++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
	spelled[n] = '\0';
}

void dt_sdt_semaphore(const dt_provdecl_t *provider, const dt_probedecl_t *probe,
		      char *symbol, size_t size)
{
	char name[DT_SDT_NAMELEN];

	dt_sdt_spell(probe->name, name, sizeof(name));
	snprintf(symbol, size, "%s_%s_semaphore", provider->name, name);
}

/* The handle's list begins with the latest: its end comes first. */
static int visit(dtrace_hdl_t *hdl, const dt_provdecl_t *provider, dt_sdt_provider_f *f,
		 void *arg, unsigned int *count)
{
	int rv = 0;

	if (provider->next != NULL)
		rv = visit(hdl, provider->next, f, arg, count);
	if (rv != 0 || provider->is_library)
		return rv;
	*count += 1;
	return f(hdl, provider, arg);
}

int dt_sdt_providers(dtrace_hdl_t *hdl, dt_sdt_provider_f *f, void *arg)
{
	unsigned int count = 0;
	int rv = 0;

	if (hdl->provdecls != NULL)
		rv = visit(hdl, hdl->provdecls, f, arg, &count);
	if (count == 0)
		return dt_set_error(hdl, EDT_NOPROV, "the programs declare no provider");
	return rv;
}
