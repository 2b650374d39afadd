/* SPDX-License-Identifier: Apache-2.0 */
/* readall.c - see readall.h. */
#include "readall.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_ROOM 16384

/* Files that the kernel makes up have no size, others may grow: it is only where to begin. */
static size_t first_room(int fd, size_t limit)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || status.st_size < FIRST_ROOM ||
	    (size_t)status.st_size > limit)
		return FIRST_ROOM;
	return (size_t)status.st_size + 2; /* the end is seen before it is full */
}

char *dt_read_all(int fd, size_t limit, size_t *length)
{
	size_t room = first_room(fd, limit), used = 0;
	char *text = malloc(room), *grown;
	ssize_t n;

	if (text == NULL)
		return NULL;
	while ((n = read(fd, text + used, room - used - 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		used += (size_t)n;
		if (used > limit) {
			errno = EFBIG;
			goto fail;
		}
		if (used + 1 < room)
			continue;
		grown = realloc(text, 2 * room);
		if (grown == NULL)
			goto fail;
		text = grown;
		room *= 2;
	}
	text[used] = '\0';
	if (length != NULL)
		*length = used;
	return text;
fail:
	free(text);
	return NULL;
}
