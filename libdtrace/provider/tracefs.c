/* SPDX-License-Identifier: Apache-2.0 */
/* tracefs.c - see tracefs.h. */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "provider/tracefs.h"
#include "readall.h"

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

char *dt_tracefs_read(const char *path)
{
	int fd = dt_tracefs_open_at("/sys/kernel/tracing", path);
	char *text;

	if (fd < 0)
		fd = dt_tracefs_open_at(NULL, path);
	if (fd < 0)
		return NULL;
	text = dt_read_all(fd, SIZE_MAX, NULL);
	close(fd);
	return text;
}
