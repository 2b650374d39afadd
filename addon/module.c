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
	((da_instance_t *)data)->is_closing = true;
}

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
	da_instance_t *instance = calloc(1, sizeof(*instance));
	napi_value version, min, max;

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
	da_set(env, exports, "Handle", da_consumer_class(env));
	return exports;
}
