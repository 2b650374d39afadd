/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maps.c - the kernel memory of an enabling. Only what its programs refer to is made; the
 * parts that the consumer reads are mapped when they hold something.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "consume/jstack.h"
#include "enable/enable.h"

#define DT_PAGE 4096u
#define DT_BELL_SIZE 4096u
#define DT_NEWS_SIZE 65536u
#define DT_NWATCHED 16384u

static uint32_t page_align(uint32_t n)
{
	return (n + DT_PAGE - 1) & ~(DT_PAGE - 1);
}

static int make_map(dtrace_hdl_t *hdl, dt_enabling_t *en, uint32_t id, const char *name,
		    enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries,
		    uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, name, key, value, entries, &opts);

	if (fd < 0) {
		en->map_error = -fd;
		en->map_failed = id;
		return dt_set_error(hdl, EDT_MAP, "failed to make the map %s (%u x %u bytes): %s",
				    name, entries, value, strerror(-fd));
	}
	en->maps[id] = fd;
	return 0;
}

static int make_array(dtrace_hdl_t *hdl, dt_enabling_t *en, uint32_t id, const char *name,
		      uint32_t value, uint32_t entries, uint32_t flags)
{
	return make_map(hdl, en, id, name, BPF_MAP_TYPE_ARRAY, 4, value, entries, flags);
}

static int map_window(dtrace_hdl_t *hdl, int fd, dt_window_t *w, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return dt_set_error(hdl, errno, "cannot map kernel memory: %s", strerror(errno));
	w->address = p;
	w->size = size;
	return 0;
}

/* Literals and names: written once, then read-only for everyone. */
static int make_strings(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	const uint32_t zero = 0;
	dt_cgenv_t *env = &en->env;
	int err;

	if (env->strings_size == 0)
		return 0;
	if (make_array(hdl, en, DT_MAP_STRINGS, "dt_strings", env->strings_size, 1,
		       BPF_F_RDONLY_PROG) != 0)
		return -1;
	err = bpf_map_update_elem(en->maps[DT_MAP_STRINGS], &zero, env->strings, BPF_ANY);
	if (err == 0)
		err = bpf_map_freeze(en->maps[DT_MAP_STRINGS]);
	return err ? dt_set_error(hdl, EDT_MAP, "failed to fill the map of strings: %s",
				  strerror(-err))
		   : 0;
}

int dt_maps_renew_strings(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	int before = en->maps[DT_MAP_STRINGS];

	en->maps[DT_MAP_STRINGS] = -1;
	if (make_strings(hdl, en) != 0)
		return -1;
	/* Programs that are loaded keep theirs: strings are only ever added. */
	if (before >= 0)
		close(before);
	return 0;
}

/*
 * Task storage is made only with a BTF type for key and value: an int, and a struct of
 * the variables' size.
 */
static int make_self(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC,
		    .btf_key_type_id = 1, .btf_value_type_id = 2);
	struct btf *btf;
	int fd, err;

	if (en->env.self_size == 0)
		return 0;
	btf = btf__new_empty();
	if (!btf)
		return dt_set_errno(hdl, EDT_NOMEM);
	btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	btf__add_struct(btf, "dt_self", en->env.self_size);
	err = btf__load_into_kernel(btf);
	if (err == 0) {
		opts.btf_fd = (uint32_t)btf__fd(btf);
		fd = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "dt_self", 4, en->env.self_size, 0,
				    &opts);
		err = fd < 0 ? fd : 0;
		if (err == 0)
			en->maps[DT_MAP_SELF] = fd;
	}
	btf__free(btf);
	return err ? dt_set_error(hdl, EDT_MAP,
				  "failed to make the map of thread-local variables: %s",
				  strerror(-err))
		   : 0;
}

/* Bytes that the kernel's hash table takes for an element besides key and value. */
#define DT_HASH_OVERHEAD 48

static int make_assocs(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	for (uint32_t i = 0; i < en->env.nassocs; i++) {
		const dt_assoc_t *a = &en->env.assocs[i];
		uint64_t n = (uint64_t)hdl->options[DT_OPT_DYNVARSIZE] /
			     (a->key_size + a->value_size + DT_HASH_OVERHEAD);

		if (make_map(hdl, en, DT_MAP_ASSOC + i, "dt_assoc", BPF_MAP_TYPE_HASH, a->key_size,
			     a->value_size, n ? (uint32_t)n : 1, BPF_F_NO_PREALLOC) != 0)
			return -1;
	}
	return 0;
}

static bool uses(const dt_enabling_t *en, uint32_t map)
{
	for (uint32_t i = 0; i < en->nprograms; i++) {
		const dt_emit_t *e = &en->programs[i]->code;

		for (uint32_t k = 0; k < e->nmaprefs; k++)
			if (e->maprefs[k].map == map)
				return true;
	}
	return false;
}

/* commit() copies up to specsize bytes to wherever they fit: the verifier, which adds the
 * largest place to the largest size, must find memory there. */
static uint32_t principal_size(const dt_cgenv_t *env)
{
	return page_align(env->bufsize + (env->commits ? env->specsize : 0));
}

static int make_specs(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	const dt_cgenv_t *env = &en->env;
	uint32_t n = env->nspec ? env->nspec : 1, states = page_align(n * sizeof(uint64_t));

	if (uses(en, DT_MAP_SPECDATA) &&
	    make_array(hdl, en, DT_MAP_SPECDATA, "dt_specdata",
		       (uint32_t)sizeof(dt_kspec_t) + env->specsize, n * env->ncpus, 0) != 0)
		return -1;
	if (!uses(en, DT_MAP_SPECS))
		return 0;
	if (make_array(hdl, en, DT_MAP_SPECS, "dt_specs", states, 1, BPF_F_MMAPABLE) != 0 ||
	    map_window(hdl, en->maps[DT_MAP_SPECS], &en->specs_window, states) != 0)
		return -1;
	en->specs = en->specs_window.address;
	return 0;
}

/* For following processes: enable/follow.c. */
static int make_watch(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	if (!dt_follows(hdl, en))
		return 0;
	if (make_map(hdl, en, DT_MAP_NEWS, "dt_news", BPF_MAP_TYPE_RINGBUF, 0, 0, DT_NEWS_SIZE,
		     0) != 0 ||
	    make_map(hdl, en, DT_MAP_WATCHED, "dt_watched", BPF_MAP_TYPE_HASH, 8, 8, DT_NWATCHED,
		     BPF_F_NO_PREALLOC) != 0)
		return -1;
	if (make_array(hdl, en, DT_MAP_ANSWERS, "dt_answers", DT_NANSWERS * 8, 1,
		       BPF_F_MMAPABLE) != 0 ||
	    map_window(hdl, en->maps[DT_MAP_ANSWERS], &en->answers, DT_NANSWERS * 8) != 0)
		return -1;
	return make_array(hdl, en, DT_MAP_HOLD, "dt_hold", dt_scratch_bytes(&en->env), 1, 0);
}

static int make_buffers(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;
	const uint32_t n = env->ncpus;

	if (uses(en, DT_MAP_PRINCIPAL) &&
	    make_array(hdl, en, DT_MAP_PRINCIPAL, "dt_principal", principal_size(env),
		       env->nbuffers * n, BPF_F_MMAPABLE) != 0)
		return -1;
	if (uses(en, DT_MAP_AGGREGATION) &&
	    make_array(hdl, en, DT_MAP_AGGREGATION, "dt_aggregation", env->aggsize, 2 * n,
		       BPF_F_MMAPABLE) != 0)
		return -1;
	if (uses(en, DT_MAP_SCRATCH) &&
	    make_array(hdl, en, DT_MAP_SCRATCH, "dt_scratch", dt_scratch_bytes(env),
		       n * DT_NAREAS, 0) != 0)
		return -1;
	if (uses(en, DT_MAP_V8) &&
	    make_map(hdl, en, DT_MAP_V8, "dt_v8", BPF_MAP_TYPE_HASH, 8, DT_V8_SIZE, DT_NWATCHED,
		     BPF_F_NO_PREALLOC) != 0)
		return -1;
	if (uses(en, DT_MAP_BELL) && make_map(hdl, en, DT_MAP_BELL, "dt_bell", BPF_MAP_TYPE_RINGBUF,
					      0, 0, DT_BELL_SIZE, 0) != 0)
		return -1;
	en->principal = dt_arena_alloc(en->arena, 2 * (size_t)n * sizeof(dt_window_t));
	en->aggregation = dt_arena_alloc(en->arena, 2 * (size_t)n * sizeof(dt_window_t));
	return en->principal && en->aggregation ? 0 : dt_set_errno(hdl, EDT_NOMEM);
}

bool dt_aggregates(const dt_enabling_t *en)
{
	return en->state && (en->env.fixed_size || en->env.nkeyed);
}

volatile dt_kcpu_t *dt_cpu_words(const dt_enabling_t *en, uint32_t cpu)
{
	return (void *)((char *)en->state_window.address + DT_CPUS_OFFSET +
			(size_t)cpu * en->env.cpu_size);
}

char *dt_cpu_entries(const dt_enabling_t *en, uint32_t cpu, uint32_t which)
{
	return (char *)en->state_window.address + DT_CPUS_OFFSET +
	       (size_t)cpu * en->env.cpu_size + sizeof(dt_kcpu_t) +
	       (size_t)which * (en->env.fixed_size + en->env.near_size);
}

int dt_maps_create(dtrace_hdl_t *hdl, dt_enabling_t *en)
{
	dt_cgenv_t *env = &en->env;
	uint32_t state = page_align(env->state_size);
	uint32_t n = DT_MAP_ASSOC + env->nassocs;

	en->map_error = 0;
	en->maps = dt_arena_alloc(en->arena, n * sizeof(*en->maps));
	if (!en->maps)
		return dt_set_errno(hdl, EDT_NOMEM);
	memset(en->maps, 0xff, n * sizeof(*en->maps));
	en->nmaps = n;
	if (make_array(hdl, en, DT_MAP_STATE, "dt_state", state, 1, BPF_F_MMAPABLE) != 0 ||
	    make_strings(hdl, en) != 0 || make_self(hdl, en) != 0 || make_assocs(hdl, en) != 0 ||
	    make_buffers(hdl, en) != 0 || make_specs(hdl, en) != 0 || make_watch(hdl, en) != 0 ||
	    map_window(hdl, en->maps[DT_MAP_STATE], &en->state_window, state) != 0)
		return -1;
	en->state = en->state_window.address;
	for (uint32_t cpu = 0; cpu < env->npossible; cpu++) {
		volatile dt_kcpu_t *words = dt_cpu_words(en, cpu);

		words->aggregation_index = cpu * 2;
		words->aggregation_used[0] = words->aggregation_used[1] = env->entries_offset;
	}
	return 0;
}

static void unmap(dt_window_t *w)
{
	if (w->address)
		munmap(w->address, w->size);
	w->address = NULL;
	w->size = 0;
}

void dt_maps_destroy(dt_enabling_t *en)
{
	for (uint32_t i = 0; i < 2 * en->env.ncpus; i++) {
		if (en->principal)
			unmap(&en->principal[i]);
		if (en->aggregation)
			unmap(&en->aggregation[i]);
	}
	unmap(&en->state_window);
	unmap(&en->specs_window);
	unmap(&en->answers);
	en->state = NULL;
	en->specs = NULL;
	for (uint32_t i = 0; i < en->nmaps; i++)
		if (en->maps[i] >= 0)
			close(en->maps[i]);
	en->nmaps = 0;
}

void *dt_buffer_window(dt_enabling_t *en, dt_mapid_t map, uint32_t cpu, uint32_t buffer,
		       uint32_t size)
{
	bool is_principal = map == DT_MAP_PRINCIPAL;
	uint32_t index = cpu * (is_principal ? en->env.nbuffers : 2) + buffer;
	uint32_t whole = is_principal ? principal_size(&en->env) : en->env.aggsize;
	dt_window_t *w = is_principal ? &en->principal[cpu * 2 + buffer]
				      : &en->aggregation[index];
	size_t want = DT_PAGE;
	void *p;

	if (size <= w->size)
		return w->address;
	while (want < size)
		want *= 2;
	if (want > whole)
		want = whole;
	unmap(w);
	p = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_SHARED, en->maps[map],
		 (off_t)index * whole);
	if (p == MAP_FAILED)
		return NULL;
	w->address = p;
	w->size = want;
	return p;
}
