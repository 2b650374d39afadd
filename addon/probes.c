/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probes.c - the list of probes. The library's list can be long (every function of the
 * kernel), and making JavaScript of it takes far longer than finding it: it is gathered on
 * the thread pool, and JavaScript takes it a piece at a time.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

typedef struct probe {
	dtrace_probedesc_t desc;
	char *arguments; /* their types, each ended by a NUL */
	uint32_t narguments;
} probe_t;

struct da_probelist {
	probe_t *probes;
	size_t count, capacity, next;
};

void da_probelist_destroy(da_probelist_t *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->probes[i].arguments);
	free(list->probes);
	free(list);
}

/* False when out of memory. A probe that tells nothing of its arguments has none. */
static bool copy_arguments(dtrace_hdl_t *dtp, probe_t *probe)
{
	dtrace_probeinfo_t info;
	size_t size = 0;
	char *to;

	if (dtrace_probe_info(dtp, &probe->desc, &info) < 0)
		return true;
	for (int i = 0; i < info.dtp_argc; i++)
		size += strlen(info.dtp_argv[i]) + 1;
	to = probe->arguments = malloc(size + 1);
	if (!to)
		return false;
	for (int i = 0; i < info.dtp_argc; i++)
		to = stpcpy(to, info.dtp_argv[i]) + 1;
	probe->narguments = (uint32_t)info.dtp_argc;
	return true;
}

static int add_probe(dtrace_hdl_t *dtp, const dtrace_probedesc_t *desc, void *arg)
{
	da_probelist_t *list = arg;
	probe_t *grown;

	(void)dtp;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;

		grown = realloc(list->probes, capacity * sizeof(*grown));
		if (!grown)
			return 1;
		list->probes = grown;
		list->capacity = capacity;
	}
	list->probes[list->count++] = (probe_t){.desc = *desc};
	return 0;
}

/* A pattern that nothing matches: an empty list, not an error. */
static bool is_no_match(dtrace_hdl_t *dtp)
{
#ifdef DTRACE_EXTENSIONS
	return strcmp(dtrace_errname(dtrace_errno(dtp)), "EDT_NOPROBE") == 0;
#else
	(void)dtp;
	return false;
#endif
}

da_probelist_t *da_probelist_create(dtrace_hdl_t *dtp, const char *pattern,
				    da_failure_t *failure)
{
	da_probelist_t *list = calloc(1, sizeof(*list));
	dtrace_probedesc_t desc;
	bool is_complete = true;
	int status;

	if (!list) {
		*failure = (da_failure_t){.is_set = true};
		return NULL;
	}
	if (dtrace_str2desc(dtp, DTRACE_PROBESPEC_NAME, pattern, &desc) < 0)
		status = -1;
	else
		status = dtrace_probe_iter(dtp, &desc, add_probe, list);
	if (status < 0 && !is_no_match(dtp)) {
		da_failure_set(failure, dtp, "couldn't list the probes '%s'", pattern);
		da_probelist_destroy(list);
		return NULL;
	}
	for (size_t i = 0; i < list->count && is_complete; i++)
		is_complete = copy_arguments(dtp, &list->probes[i]);
	if (status <= 0 && is_complete)
		return list;
	*failure = (da_failure_t){.is_set = true};
	da_probelist_destroy(list);
	return NULL;
}

/* ---- In JavaScript ------------------------------------------------------------- */

static void list_finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	da_probelist_destroy(data);
}

napi_value da_probelist_wrap(napi_env env, da_probelist_t *list)
{
	napi_value wrapped = NULL;

	napi_create_external(env, list, list_finalize, NULL, &wrapped);
	return wrapped;
}

static napi_value probe_create(napi_env env, const probe_t *probe)
{
	napi_value object = da_probe_create(env, &probe->desc), arguments = NULL;
	const char *type = probe->arguments;

	if (!object || napi_create_array(env, &arguments) != napi_ok)
		return NULL;
	for (uint32_t i = 0; i < probe->narguments; i++) {
		size_t length = strlen(type);

		napi_set_element(env, arguments, i, da_text_create(env, type, length));
		type += length + 1;
	}
	da_set(env, object, "id", da_number(env, probe->desc.dtpd_id));
	da_set(env, object, "arguments", arguments);
	return object;
}

napi_value da_probelist_next(napi_env env, napi_value wrapped, uint32_t count)
{
	napi_value array = NULL;
	void *data;
	da_probelist_t *list;

	if (napi_get_value_external(env, wrapped, &data) != napi_ok ||
	    napi_create_array(env, &array) != napi_ok)
		return da_throw(env, "a list of probes is expected");
	list = data;
	for (uint32_t i = 0; i < count && list->next < list->count; i++)
		napi_set_element(env, array, i,
				 probe_create(env, &list->probes[list->next++]));
	return array;
}
