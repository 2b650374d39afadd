/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usdtobject.c - the ELF file of a provider's probes, where tracers find it: mapped into
 * this process, and under the name that the mapping shows,
 *
 *	<directory for temporary files>/dtrace-async-XXXXXX/<module>
 *
 * The file is removed when the provider is disabled or the process exits. A process that a
 * signal ends cannot do that; the next one that enables a provider does it in its place.
 * Which files are in use is known by a lock on each, that ends with the process.
 *
 * Where no file can be made, or code in it not be mapped, there is a file in memory
 * instead. It has no path to give to perf, but can be found through the mapping.
 */
#include "usdt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_PREFIX "dtrace-async-"

/* ---- Files --------------------------------------------------------------------------- */

/* Whether the file that is open has not been removed. */
static bool is_there(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* A new file, open and locked, in a new directory; its path in *path. -1: errno is set. */
static int create_locked(const char *directory, const char *name, char **path)
{
	char *made;
	int fd, error;

	if (asprintf(path, "%s/" DIRECTORY_PREFIX "XXXXXX/%s", directory, name) < 0) {
		*path = NULL;
		errno = ENOMEM;
		return -1;
	}
	made = *path + strlen(*path) - strlen(name) - 1;
	do {
		memcpy(made - 6, "XXXXXX", 6);
		*made = '\0';
		if (!mkdtemp(*path))
			return -1;
		*made = '/';
		fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd >= 0 && flock(fd, LOCK_EX) == 0 && is_there(fd))
			return fd;
		/* It was swept away before it was locked: ENOENT, or it is not there. */
		error = fd >= 0 ? ENOENT : errno;
		if (fd >= 0)
			close(fd);
	} while (error == ENOENT);
	*made = '\0';
	rmdir(*path);
	errno = error;
	return -1;
}

static void remove_file(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static bool write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return true;
}

/* ---- Sweeping ------------------------------------------------------------------------ */

/* Removes the files in the open directory that nobody holds a lock on. */
static void sweep_files(int directory)
{
	DIR *dir = fdopendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		int fd = openat(directory, entry->d_name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(directory, entry->d_name, 0);
		close(fd);
	}
	if (dir)
		closedir(dir);
	else
		close(directory);
}

void da_usdtobjects_sweep(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)) != NULL) {
		int fd;

		if (strncmp(entry->d_name, DIRECTORY_PREFIX, strlen(DIRECTORY_PREFIX)) != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) != 0 || st.st_uid != geteuid()) {
			close(fd);
			continue;
		}
		sweep_files(fd);
		unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

/* ---- Objects ------------------------------------------------------------------------- */

/* Maps what is in the file. False: errno says why. */
static bool map_image(da_usdtobject_t *object, const da_usdtimage_t *image, int fd)
{
	size_t size = image->end - image->semaphores;
	char *base;

	if (!write_all(fd, image->file.bytes, image->file.length))
		return false;
	base = mmap(NULL, image->end, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (base == MAP_FAILED)
		return false;
	/* The kernel counts where the file's words are mapped privately and writable. */
	if (mmap(base + image->semaphores, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED, fd, (off_t)image->semaphores) == MAP_FAILED) {
		munmap(base, image->end);
		return false;
	}
	object->base = base;
	object->fd = fd;
	return true;
}

/* Of the two ways that there are. False: errno says why the first failed. */
static bool place_image(da_usdtobject_t *object, const da_usdtimage_t *image,
			const char *directory, const char *name)
{
	int fd = create_locked(directory, name, &object->file), error;

	if (fd >= 0 && map_image(object, image, fd))
		return true;
	error = errno;
	if (fd >= 0) {
		remove_file(object->file);
		close(fd);
	}
	free(object->file);
	object->file = NULL;
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd >= 0 && map_image(object, image, fd))
		return true;
	if (fd >= 0)
		close(fd);
	errno = error;
	return false;
}

#pragma weak _r_debug /* other C libraries have none */

/* Tracers and debuggers that wait for what is loaded have put a breakpoint into a function
 * of the dynamic linker, which it calls when that has changed. */
static void tell_tracers(void)
{
	if (&_r_debug && _r_debug.r_brk)
		((void (*)(void))_r_debug.r_brk)();
}

da_usdtobject_t *da_usdtobject_create(da_instance_t *instance, da_usdtimage_t *image,
				      size_t nprobes, const char *directory,
				      const char *name, const char **error)
{
	da_usdtobject_t *object = calloc(1, sizeof(*object));

	if (!object || !place_image(object, image, directory, name)) {
		*error = strerror(object ? errno : ENOMEM);
		free(object);
		return NULL;
	}
	object->semaphores = image->semaphores;
	object->end = image->end;
	object->nprobes = nprobes;
	object->notes = image->notes;
	image->notes = NULL;
	object->users = 1;
	object->next = instance->objects;
	if (object->next)
		object->next->link = &object->next;
	object->link = &instance->objects;
	instance->objects = object;
	tell_tracers();
	return object;
}

void da_usdtobject_hide(da_usdtobject_t *object, size_t index)
{
	static const uint32_t no_type;

	/* A failure leaves a probe that is listed and never fires. */
	if (object->fd >= 0 && pwrite(object->fd, &no_type, sizeof(no_type),
				      object->notes[index]) != sizeof(no_type))
		return;
}

void da_usdtobject_close(da_usdtobject_t *object)
{
	size_t size = object->end - object->semaphores;
	char *semaphores = object->base + object->semaphores;

	if (object->fd < 0)
		return;
	*object->link = object->next;
	if (object->next)
		object->next->link = object->link;
	if (object->file)
		remove_file(object->file);
	free(object->file);
	object->file = NULL;
	close(object->fd);
	object->fd = -1;
	/* JavaScript may still look at the semaphores: their memory stays, as no file's. */
	if (mmap(semaphores, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		memset(semaphores, 0, size);
	munmap(object->base, object->semaphores);
}

void da_usdtobject_release(da_usdtobject_t *object)
{
	if (--object->users > 0)
		return;
	da_usdtobject_close(object);
	munmap(object->base + object->semaphores, object->end - object->semaphores);
	free(object->notes);
	free(object);
}
