/* SPDX-License-Identifier: Apache-2.0 */
/* module.c - registration of the add-on in one environment, and small helpers. */
#include "addon.h"

#include <stdarg.h>
#include <stdlib.h>

napi_value da_throw(napi_env env, const char *format, ...)
{
	char *message;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	napi_throw_error(env, NULL, message ? message : "out of memory");
	free(message);
	return NULL;
}

char *da_string(napi_env env, napi_value value)
{
	size_t length;
	char *text;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
		napi_throw_type_error(env, NULL, "a string is expected");
		return NULL;
	}
	text = malloc(length + 1);
	if (!text) {
		da_throw(env, "out of memory");
		return NULL;
	}
	napi_get_value_string_utf8(env, value, text, length + 1, &length);
	return text;
}

/* Bytes that the array's strings take as NUL-ended UTF-8; 0 with an exception pending. */
static size_t strings_size(napi_env env, napi_value array, uint32_t count)
{
	napi_value element;
	size_t size = 1, length;

	for (uint32_t i = 0; i < count; i++) {
		if (napi_get_element(env, array, i, &element) != napi_ok ||
		    napi_get_value_string_utf8(env, element, NULL, 0, &length) != napi_ok) {
			napi_throw_type_error(env, NULL, "an array of strings is expected");
			return 0;
		}
		size += length + 1;
	}
	return size;
}

char **da_strings(napi_env env, napi_value array)
{
	uint32_t count = 0;
	size_t size, length;
	napi_value element;
	char **strings, *to;

	napi_get_array_length(env, array, &count);
	size = strings_size(env, array, count);
	if (size == 0)
		return NULL;
	strings = malloc((count + 1) * sizeof(*strings) + size);
	if (!strings) {
		da_throw(env, "out of memory");
		return NULL;
	}
	to = (char *)(strings + count + 1);
	for (uint32_t i = 0; i < count; i++) {
		length = 0;
		napi_get_element(env, array, i, &element);
		napi_get_value_string_utf8(env, element, to, size, &length);
		strings[i] = to;
		to += length + 1;
		size -= length + 1;
	}
	strings[count] = NULL;
	return strings;
}

void da_instance_release(da_instance_t *instance)
{
	if (--instance->users == 0)
		free(instance);
}

static void instance_finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	da_instance_release(data);
}

/* Runs before the environment finalizes its objects. */
static void instance_close(void *data)
{
	da_instance_t *instance = data;

	instance->is_closing = true;
#ifdef __linux__
	da_usdt_close(instance);
#endif
}

/* nextProbes(list, count): an array of the next probes of what Handle.probes() gave. */
static napi_value next_probes(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	size_t n = 2;
	uint32_t count = 0;

	napi_get_cb_info(env, info, &n, arguments, NULL, NULL);
	napi_get_value_uint32(env, arguments[1], &count);
	return da_probelist_next(env, arguments[0], count);
}

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
	da_instance_t *instance = calloc(1, sizeof(*instance));
	napi_value version, min, max, function = NULL;

	if (!instance)
		return da_throw(env, "out of memory");
	instance->users = 1;
	if (napi_set_instance_data(env, instance, instance_finalize, NULL) != napi_ok) {
		free(instance);
		return da_throw(env, "failed to set the environment's data");
	}
	napi_add_env_cleanup_hook(env, instance_close, instance);

	napi_create_string_utf8(env, _dtrace_version, NAPI_AUTO_LENGTH, &version);
	napi_create_double(env, (double)INT64_MIN, &min);
	napi_create_double(env, (double)INT64_MAX, &max);
	da_set(env, exports, "version", version);
	da_set(env, exports, "aggmin", min);
	da_set(env, exports, "aggmax", max);
	napi_create_function(env, "nextProbes", NAPI_AUTO_LENGTH, next_probes, NULL,
			     &function);
	da_set(env, exports, "nextProbes", function);
	da_set(env, exports, "Handle", da_consumer_class(env));
#ifdef __linux__
	da_usdt_init(env, exports);
#endif
	return exports;
}
