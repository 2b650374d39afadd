/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usdt.c - the class ProbeFile: probes that are declared together, in one file. It is for
 * lib/provider.js, which decides what is declared when, and whether a probe is traced: the
 * semaphores are memory that JavaScript reads, so that a probe that is not costs no call.
 * Values come as numbers that fit into 64 bits, bigints and strings.
 */
#include "usdt.h"

#include <stdlib.h>

/* ---- Construction -------------------------------------------------------------------- */

enum { NEW_DIRECTORY, NEW_MODULE, NEW_PROVIDER, NEW_NAMES, NEW_SIZES, NEW_ARGUMENTS };

/* What new ProbeFile() was given, freed by request_fini(). */
typedef struct da_request {
	char *directory, *module, *provider;
	da_usdtspec_t spec;
} da_request_t;

/* False with an exception pending. */
static bool request_init(napi_env env, const napi_value *arguments, da_request_t *request)
{
	uint32_t count = 0;

	*request = (da_request_t){0};
	napi_get_array_length(env, arguments[NEW_NAMES], &count);
	request->spec.nprobes = count;
	return (request->directory = da_string(env, arguments[NEW_DIRECTORY])) &&
	       (request->module = da_string(env, arguments[NEW_MODULE])) &&
	       (request->spec.provider = request->provider =
		    da_string(env, arguments[NEW_PROVIDER])) &&
	       (request->spec.names = da_strings(env, arguments[NEW_NAMES])) &&
	       (request->spec.arguments = da_strings(env, arguments[NEW_SIZES]));
}

static void request_fini(da_request_t *request)
{
	free(request->directory);
	free(request->module);
	free(request->provider);
	free(request->spec.names);
	free(request->spec.arguments);
}

/* NULL with an exception pending. */
static da_usdtobject_t *create_object(napi_env env, const da_request_t *request)
{
	da_usdtobject_t *object = NULL;
	da_instance_t *instance = NULL;
	da_usdtimage_t image;
	const char *error = "out of memory";

	napi_get_instance_data(env, (void **)&instance);
	if (da_usdtimage_init(&image, &request->spec))
		object = da_usdtobject_create(instance, &image, request->spec.nprobes,
					      request->directory, request->module, &error);
	da_usdtimage_fini(&image);
	if (!object)
		da_throw(env, "cannot make a file of probes in %s: %s", request->directory,
			 error);
	return object;
}

/* Of the object, or of the memory of its semaphores. */
static void finalize(napi_env env, void *data, void *object)
{
	(void)env;
	(void)data;
	da_usdtobject_release(object);
}

static void finalize_probes(napi_env env, void *object, void *hint)
{
	(void)hint;
	da_usdtobject_close(object);
	finalize(env, NULL, object);
}

/* new ProbeFile(directory, module, provider, names, sizes); it has the property semaphores,
 * an ArrayBuffer of a Uint16 for each probe. */
static napi_value probes_new(napi_env env, napi_callback_info info)
{
	napi_value arguments[NEW_ARGUMENTS], self, memory;
	size_t n = NEW_ARGUMENTS;
	da_usdtobject_t *object = NULL;
	da_request_t request;

	napi_get_cb_info(env, info, &n, arguments, &self, NULL);
	if (request_init(env, arguments, &request))
		object = create_object(env, &request);
	request_fini(&request);
	if (!object)
		return NULL;
	if (napi_wrap(env, self, object, finalize_probes, NULL, NULL) != napi_ok) {
		da_usdtobject_release(object);
		return da_throw(env, "failed to make a file of probes");
	}
	object->users++;
	if (napi_create_external_arraybuffer(env, object->base + object->semaphores,
					     object->nprobes * sizeof(uint16_t), finalize,
					     object, &memory) != napi_ok) {
		da_usdtobject_release(object);
		return da_throw(env, "failed to share the memory of probes");
	}
	da_set(env, self, "semaphores", memory);
	return self;
}

/* ---- Methods ------------------------------------------------------------------------- */

/* The object of this, and the arguments; NULL: it is none, or closed. */
static da_usdtobject_t *enter(napi_env env, napi_callback_info info, size_t n,
			      napi_value *arguments)
{
	da_usdtobject_t *object = NULL;
	napi_value self;

	napi_get_cb_info(env, info, &n, arguments, &self, NULL);
	if (napi_unwrap(env, self, (void **)&object) != napi_ok)
		da_throw(env, "this is not a file of probes");
	return object && object->fd >= 0 ? object : NULL;
}

/* The word that a probe is given for a value; of a string *text is to be freed. False with
 * an exception pending. */
static bool read_word(napi_env env, napi_value value, uint64_t *word, char **text)
{
	napi_valuetype type = napi_undefined;
	bool is_lossless;
	int64_t number;

	napi_typeof(env, value, &type);
	if (type == napi_string) {
		*text = da_string(env, value);
		*word = (uint64_t)(uintptr_t)*text;
		return *text != NULL;
	}
	if (type == napi_bigint)
		return napi_get_value_bigint_uint64(env, value, word, &is_lossless) ==
		       napi_ok;
	if (napi_get_value_int64(env, value, &number) != napi_ok)
		return false;
	*word = (uint64_t)number;
	return true;
}

/* fire(index, values) */
static napi_value probes_fire(napi_env env, napi_callback_info info)
{
	uint64_t words[DA_USDT_ARGUMENTS] = {0};
	char *texts[DA_USDT_ARGUMENTS] = {0};
	uint32_t index = 0, count = 0;
	napi_value arguments[2], value;
	da_usdtobject_t *object = enter(env, info, 2, arguments);
	bool ok = true;

	if (!object)
		return NULL;
	napi_get_value_uint32(env, arguments[0], &index);
	napi_get_array_length(env, arguments[1], &count);
	for (uint32_t i = 0; ok && i < count && i < DA_USDT_ARGUMENTS; i++)
		ok = napi_get_element(env, arguments[1], i, &value) == napi_ok &&
		     read_word(env, value, &words[i], &texts[i]);
	if (ok && index < object->nprobes)
		da_usdtimage_fire(object->base, index, words);
	for (uint32_t i = 0; i < DA_USDT_ARGUMENTS; i++)
		free(texts[i]);
	return NULL;
}

/* hide(index) */
static napi_value probes_hide(napi_env env, napi_callback_info info)
{
	napi_value argument;
	da_usdtobject_t *object = enter(env, info, 1, &argument);
	uint32_t index = 0;

	if (!object)
		return NULL;
	napi_get_value_uint32(env, argument, &index);
	if (index < object->nprobes)
		da_usdtobject_hide(object, index);
	return NULL;
}

/* close() */
static napi_value probes_close(napi_env env, napi_callback_info info)
{
	da_usdtobject_t *object = enter(env, info, 0, NULL);

	if (object)
		da_usdtobject_close(object);
	return NULL;
}

/* ---- The environment ----------------------------------------------------------------- */

/* sweepProbeFiles(directory) */
static napi_value sweep(napi_env env, napi_callback_info info)
{
	napi_value argument;
	size_t n = 1;
	char *directory;

	napi_get_cb_info(env, info, &n, &argument, NULL, NULL);
	directory = da_string(env, argument);
	if (directory)
		da_usdtobjects_sweep(directory);
	free(directory);
	return NULL;
}

/* closeProbeFiles(): every one, for the process exits. */
static napi_value close_all(napi_env env, napi_callback_info info)
{
	da_instance_t *instance = NULL;

	(void)info;
	napi_get_instance_data(env, (void **)&instance);
	da_usdt_close(instance);
	return NULL;
}

void da_usdt_close(da_instance_t *instance)
{
	while (instance->objects)
		da_usdtobject_close(instance->objects);
}

void da_usdt_init(napi_env env, napi_value exports)
{
	static const napi_property_descriptor methods[] = {
	    {.utf8name = "fire", .method = probes_fire, .attributes = napi_default_method},
	    {.utf8name = "hide", .method = probes_hide, .attributes = napi_default_method},
	    {.utf8name = "close",
	     .method = probes_close,
	     .attributes = napi_default_method},
	};
	napi_value value = NULL;

	napi_define_class(env, "ProbeFile", NAPI_AUTO_LENGTH, probes_new, NULL,
			  sizeof(methods) / sizeof(methods[0]), methods, &value);
	da_set(env, exports, "ProbeFile", value);
	napi_create_function(env, "sweepProbeFiles", NAPI_AUTO_LENGTH, sweep, NULL, &value);
	da_set(env, exports, "sweepProbeFiles", value);
	napi_create_function(env, "closeProbeFiles", NAPI_AUTO_LENGTH, close_all, NULL,
			     &value);
	da_set(env, exports, "closeProbeFiles", value);
}
