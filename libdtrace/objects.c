/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects.c - the kernel and its modules as objects: what has symbols and types of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "consume/consume.h"
#include "handle.h"

#define DT_OBJ_KERNEL "vmlinux"
#define DT_NAME_MAX 128

static void kernel_object(dtrace_hdl_t *hdl, dtrace_objinfo_t *info)
{
	uint64_t from = dt_kernel_address(hdl, "_stext"), to = dt_kernel_address(hdl, "_etext");

	*info = (dtrace_objinfo_t){.dto_name = DT_OBJ_KERNEL,
				   .dto_file = "",
				   .dto_flags = DTRACE_OBJ_F_KERNEL | DTRACE_OBJ_F_PRIMARY,
				   .dto_text_va = from,
				   .dto_text_size = to > from ? to - from : 0};
}

/*
 * Calls the function for each module of /proc/modules (name, size, users, dependencies,
 * state, address) until it returns non-zero; returns that. A kernel without modules has no
 * such file.
 */
static int each_module(dtrace_hdl_t *hdl, dtrace_obj_f *f, void *arg)
{
	FILE *modules = fopen("/proc/modules", "re");
	char name[DT_NAME_MAX], line[512];
	int rval = 0;

	if (!modules)
		return errno == ENOENT ? 0 : dt_set_error(hdl, errno, "/proc/modules: %s",
							  strerror(errno));
	for (int id = 1; rval == 0 && fgets(line, sizeof(line), modules); id++) {
		uint64_t size, address;
		dtrace_objinfo_t info = {.dto_name = name, .dto_file = "", .dto_id = id,
					 .dto_flags = DTRACE_OBJ_F_KERNEL};

		if (sscanf(line, "%127s %" SCNu64 " %*s %*s %*s %" SCNx64, name, &size,
			   &address) != 3)
			continue;
		info.dto_text_va = address;
		info.dto_text_size = size;
		rval = f(hdl, &info, arg);
	}
	fclose(modules);
	return rval;
}

int dtrace_object_iter(dtrace_hdl_t *hdl, dtrace_obj_f *f, void *arg)
{
	dtrace_objinfo_t info;
	int rval;

	kernel_object(hdl, &info);
	rval = f(hdl, &info, arg);
	return rval ? rval : each_module(hdl, f, arg);
}

typedef struct wanted {
	const char *name;
	dtrace_objinfo_t *info;
} wanted_t;

static int take_named(dtrace_hdl_t *hdl, const dtrace_objinfo_t *info, void *arg)
{
	wanted_t *w = arg;

	if (strcmp(info->dto_name, w->name) != 0)
		return 0;
	*w->info = *info;
	/* The name that was found is in a buffer that will be gone. */
	w->info->dto_name = dt_arena_strndup(hdl->arena, info->dto_name,
					     strlen(info->dto_name));
	return w->info->dto_name ? 1 : dt_set_errno(hdl, EDT_NOMEM);
}

int dtrace_object_info(dtrace_hdl_t *hdl, const char *object, dtrace_objinfo_t *info)
{
	wanted_t w = {object, info};
	int rval;

	if (!info)
		return dt_set_errno(hdl, EINVAL);
	if (object == DTRACE_OBJ_EXEC)
		w.name = DT_OBJ_KERNEL;
	else if (object == DTRACE_OBJ_RTLD || object == DTRACE_OBJ_CDEFS ||
		 object == DTRACE_OBJ_DDEFS || object == DTRACE_OBJ_EVERY ||
		 object == DTRACE_OBJ_KMODS || object == DTRACE_OBJ_UMODS)
		return dt_set_errno(hdl, EINVAL);
	rval = dtrace_object_iter(hdl, take_named, &w);
	if (rval < 0)
		return -1;
	return rval ? 0 : dt_set_error(hdl, EDT_NOSYM, "there is no kernel module %s", w.name);
}
