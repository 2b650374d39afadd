/* SPDX-License-Identifier: Apache-2.0 */
/* tracefs.c - see tracefs.h. */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "provider/tracefs.h"

#define DT_TRACEFS_CHUNK 16384

/* A mount of our own: a descriptor of its root; -1: not allowed. */
static int dt_tracefs_mount(void)
{
	int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC), root = -1;

	if (fs < 0)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		root = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return root;
}

static int dt_tracefs_open_at(const char *where, const char *path)
{
	int root = where ? open(where, O_PATH | O_DIRECTORY | O_CLOEXEC) : dt_tracefs_mount();
	int fd = root >= 0 ? openat(root, path, O_RDONLY | O_CLOEXEC) : -1;

	if (root >= 0)
		close(root);
	return fd;
}

/* Reads to the end. Closes fd. */
static char *dt_tracefs_read_all(int fd)
{
	size_t size = 0, capacity = DT_TRACEFS_CHUNK;
	char *text = malloc(capacity), *grown;
	ssize_t n = -1;

	while (text && (n = read(fd, text + size, capacity - size - 1)) > 0) {
		size += (size_t)n;
		if (capacity - size > DT_TRACEFS_CHUNK / 4)
			continue;
		grown = realloc(text, capacity * 2);
		if (!grown) {
			n = -1;
			break;
		}
		text = grown;
		capacity *= 2;
	}
	close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[size] = '\0';
	return text;
}

char *dt_tracefs_read(const char *path)
{
	int fd = dt_tracefs_open_at("/sys/kernel/tracing", path);

	if (fd < 0)
		fd = dt_tracefs_open_at(NULL, path);
	return fd >= 0 ? dt_tracefs_read_all(fd) : NULL;
}
