/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bell.c - dtrace_ctlfd(): a descriptor for somebody else's event loop.
 *
 * It is an epoll of four kinds of things:
 *
 *	the bell	a BPF ring buffer to which programs write a word when they record
 *			into an empty buffer, drop something, call exit(), or leave a commit
 *			to the consumer
 *	an event	for what this process knows itself: data was there before anybody
 *			listened, or is left because a consumer's function has aborted
 *	processes	those of the handle, by their pidfds: they end
 *	news		of processes that may bring probes: enable/follow.c
 *
 * The words in the bell say nothing; they are passed over by moving the consumer's place
 * to where the kernel's is. That is done before the buffers are looked at, so that what is
 * recorded afterwards rings again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "consume/bell.h"
#include "proc.h"

#define DT_BELL_WATCHED 32 /* processes; others are noticed at the next turn */

typedef struct dt_bell {
	int epoll, event;
	size_t page;
	void *consumer, *producer; /* the ring buffer's places, a page each; NULL */
	struct pollfd watched[DT_BELL_WATCHED];
	size_t nwatched;
} dt_bell_t;

static bool watch(const dt_bell_t *bell, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(bell->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* The ring buffer's places: the first page is the consumer's, the second the kernel's. */
static bool map_places(dt_bell_t *bell, int fd)
{
	bell->consumer = mmap(NULL, bell->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bell->consumer == MAP_FAILED) {
		bell->consumer = NULL;
		return false;
	}
	bell->producer = mmap(NULL, bell->page, PROT_READ, MAP_SHARED, fd, (off_t)bell->page);
	if (bell->producer == MAP_FAILED)
		bell->producer = NULL;
	return bell->producer != NULL;
}

static void destroy(dt_bell_t *bell)
{
	if (bell->consumer)
		munmap(bell->consumer, bell->page);
	if (bell->producer)
		munmap(bell->producer, bell->page);
	if (bell->event >= 0)
		close(bell->event);
	if (bell->epoll >= 0)
		close(bell->epoll);
	free(bell);
}

static dt_bell_t *create(int ring)
{
	dt_bell_t *bell = calloc(1, sizeof(*bell));

	if (!bell)
		return NULL;
	bell->page = (size_t)sysconf(_SC_PAGESIZE);
	bell->epoll = epoll_create1(EPOLL_CLOEXEC);
	bell->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell->epoll >= 0 && bell->event >= 0 && watch(bell, bell->event) &&
	    (ring < 0 || (map_places(bell, ring) && watch(bell, ring))))
		return bell;
	destroy(bell);
	return NULL;
}

/* The processes of the handle that have not ended, instead of those before. */
static void watch_processes(dtrace_hdl_t *hdl, dt_bell_t *bell)
{
	struct pollfd now[DT_BELL_WATCHED];
	size_t n = dt_procs_descriptors(hdl, now, DT_BELL_WATCHED);

	if (n == bell->nwatched && memcmp(now, bell->watched, n * sizeof(*now)) == 0)
		return;
	/* One that was released is closed, and with that gone from the epoll. */
	for (size_t i = 0; i < bell->nwatched; i++)
		epoll_ctl(bell->epoll, EPOLL_CTL_DEL, bell->watched[i].fd, NULL);
	for (size_t i = 0; i < n; i++)
		watch(bell, now[i].fd);
	memcpy(bell->watched, now, n * sizeof(*now));
	bell->nwatched = n;
}

void dt_bell_ring(dtrace_hdl_t *hdl)
{
	dt_bell_t *bell = hdl->consumer->bell;
	const uint64_t one = 1;

	/* That it is full, the one way to fail, says as much. */
	if (bell && write(bell->event, &one, sizeof(one)) < 0)
		return;
}

void dt_bell_answer(dtrace_hdl_t *hdl)
{
	dt_bell_t *bell = hdl->consumer->bell;
	uint64_t count;

	if (!bell)
		return;
	if (bell->producer)
		__atomic_store_n((unsigned long *)bell->consumer,
				 __atomic_load_n((unsigned long *)bell->producer,
						 __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
	if (read(bell->event, &count, sizeof(count)) < 0)
		count = 0; /* it was not rung */
	/* Before the counts are read: what is dropped from now on rings again. */
	hdl->enabling->state->dropped = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	watch_processes(hdl, bell);
}

int dt_bell_descriptor(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_consumer_t *c = hdl->consumer;

	/* A commit rings and tracing goes on: it must be possible to answer. */
	if (!c->bell && en->specs)
		c->bell = create(en->maps[DT_MAP_BELL]);
	return c->bell ? c->bell->epoll : en->maps[DT_MAP_BELL];
}

void dt_bell_fini(dtrace_hdl_t *hdl)
{
	if (hdl->consumer->bell)
		destroy(hdl->consumer->bell);
	hdl->consumer->bell = NULL;
}

int dtrace_ctlfd(dtrace_hdl_t *hdl)
{
	dt_enabling_t *en = hdl->enabling;
	dt_consumer_t *c = hdl->consumer;

	if (!en || en->nmaps == 0)
		return dt_set_errno(hdl, EDT_NOTACTIVE);
	if (!c->bell)
		c->bell = create(en->maps[DT_MAP_BELL]);
	if (!c->bell)
		return dt_set_error(hdl, errno, "cannot make a descriptor: %s",
				    strerror(errno));
	if (en->state->bell_wanted)
		return c->bell->epoll;
	watch_processes(hdl, c->bell);
	if (dt_follow_descriptor(en) >= 0)
		watch(c->bell, dt_follow_descriptor(en));
	en->state->bell_wanted = 1;
	/* What was recorded until now has rung no bell. */
	dt_bell_ring(hdl);
	return c->bell->epoll;
}
