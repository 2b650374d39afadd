/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/probes.c - the probe table. It begins empty; a description that is looked up
 * first asks the providers that it can mean for the probes that it can match, so a
 * program that names one probe makes one, not the thousands that a kernel has.
 *
 * Probes are found by number in an array (with holes: some numbers are fixed, see
 * provider.h), and by full name in a hash table. They and the attach points live in the
 * handle's arena, where they never move.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "handle.h"
#include "lang/compile.h"
#include "provider/provider.h"

#define DT_PROBEHASH_MIN 64 /* a power of two */

/* A probe as the table keeps it. */
typedef struct dt_probeentry {
	dt_probe_t probe;
	struct dt_probeentry *next; /* in the hash chain */
	uint32_t hash;
} dt_probeentry_t;

typedef struct dt_probes dt_probes_t;

typedef struct dt_providerstate {
	struct dt_providerstate *next;
	const dt_provider_t *provider;
	void *data;
} dt_providerstate_t;

struct dt_probes {
	dt_probe_t **by_id; /* NULL: no such number (yet) */
	dtrace_id_t limit;  /* numbers below it are in the array */
	dtrace_id_t next;   /* the next free number */
	dt_probeentry_t **buckets;
	uint32_t nbuckets, nprobes;
	dt_attachpoint_t *attachpoints;
	dt_providerstate_t *states;
};

/* ---- Globs ------------------------------------------------------------------ */

bool dt_glob_is_literal(const char *pattern)
{
	return pattern[0] != '\0' && strpbrk(pattern, "*?[\\") == NULL;
}

/*
 * A set in brackets at *pattern, which is moved past it. Ranges, ! for all others, a ]
 * that comes first for itself. A set without its end is a plain [.
 */
static bool dt_glob_set(const char **pattern, char c)
{
	const char *p = *pattern + 1;
	bool is_negated = *p == '!', is_member = false;

	if (is_negated)
		p++;
	for (const char *first = p; *p != ']' || p == first; p++) {
		if (*p == '\\' && p[1])
			p++;
		if (*p == '\0') {
			++*pattern;
			return c == '[';
		}

		unsigned char low = (unsigned char)*p, high = low;

		if (p[1] == '-' && p[2] != ']' && p[2] != '\0') {
			p += 2;
			if (*p == '\\' && p[1])
				p++;
			high = (unsigned char)*p;
		}
		if (low <= (unsigned char)c && (unsigned char)c <= high)
			is_member = true;
	}
	*pattern = p + 1;
	return is_member != is_negated;
}

/* One character against what stands at *pattern (no *), which is moved past it. */
static bool dt_glob_one(const char **pattern, char c)
{
	if (**pattern == '?') {
		++*pattern;
		return true;
	}
	if (**pattern == '[')
		return dt_glob_set(pattern, c);
	if (**pattern == '\\' && (*pattern)[1])
		++*pattern;
	return *(*pattern)++ == c;
}

/*
 * When what follows a * does not match, only the last * need take one character more: the
 * ones before it have found the earliest places there are. So there is no recursion, and
 * the time is at most the product of the lengths.
 */
bool dt_glob(const char *pattern, const char *name)
{
	const char *star = NULL, *resume = NULL;

	if (*pattern == '\0')
		return true;
	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = name;
			continue;
		}
		if (*name == '\0' && *pattern == '\0')
			return true;
		if (*name != '\0' && *pattern != '\0' && dt_glob_one(&pattern, *name)) {
			name++;
			continue;
		}
		if (!star || *resume == '\0')
			return false;
		pattern = star;
		name = ++resume;
	}
}

bool dt_glob_object(const char *pattern, const char *name)
{
	const char *dot = strstr(name, ".so");
	char shorter[DTRACE_MODNAMELEN];

	if (dt_glob(pattern, name))
		return true;
	for (; dot; dot = strchr(dot + 1, '.')) {
		snprintf(shorter, sizeof(shorter), "%.*s", (int)(dot - name), name);
		if (dt_glob(pattern, shorter))
			return true;
	}
	return false;
}

/* ---- The table --------------------------------------------------------------- */

int dt_probes_init(dtrace_hdl_t *hdl)
{
	dt_probes_t *probes = calloc(1, sizeof(*probes));

	if (!probes)
		return dt_set_errno(hdl, EDT_NOMEM);
	probes->next = DT_PROBE_OTHERS;
	hdl->probes = probes;
	return 0;
}

void dt_probes_fini(dtrace_hdl_t *hdl)
{
	if (!hdl->probes)
		return;
	free(hdl->probes->by_id);
	free(hdl->probes->buckets);
	free(hdl->probes);
	hdl->probes = NULL;
}

/* Of a part of a name only so much counts as a description has room for. */
static uint32_t dt_hash_part(uint32_t hash, const char *text, size_t size)
{
	size_t length = strnlen(text, size - 1);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u; /* FNV-1a */
	return hash * 16777619u;
}

static uint32_t dt_probe_hash(const char *provider, const char *module,
			      const char *function, const char *name)
{
	uint32_t hash = dt_hash_part(2166136261u, provider, DTRACE_PROVNAMELEN);

	hash = dt_hash_part(hash, module, DTRACE_MODNAMELEN);
	hash = dt_hash_part(hash, function, DTRACE_FUNCNAMELEN);
	return dt_hash_part(hash, name, DTRACE_NAMELEN);
}

static bool dt_is_part(const char *part, const char *text, size_t size)
{
	return strncmp(part, text, size - 1) == 0;
}

dt_probe_t *dt_probe_lookup(dtrace_hdl_t *hdl, const char *provider, const char *module,
			    const char *function, const char *name)
{
	dt_probes_t *probes = hdl->probes;
	uint32_t hash = dt_probe_hash(provider, module, function, name);

	if (probes->nbuckets == 0)
		return NULL;

	dt_probeentry_t *entry = probes->buckets[hash & (probes->nbuckets - 1)];

	for (; entry; entry = entry->next) {
		const dtrace_probedesc_t *desc = &entry->probe.desc;

		if (entry->hash == hash && dt_is_part(desc->dtpd_name, name, DTRACE_NAMELEN) &&
		    dt_is_part(desc->dtpd_func, function, DTRACE_FUNCNAMELEN) &&
		    dt_is_part(desc->dtpd_mod, module, DTRACE_MODNAMELEN) &&
		    dt_is_part(desc->dtpd_provider, provider, DTRACE_PROVNAMELEN))
			return &entry->probe;
	}
	return NULL;
}

dtrace_id_t dt_probe_next_id(const dtrace_hdl_t *hdl)
{
	return hdl->probes->next;
}

dt_probe_t *dt_probe_by_id(dtrace_hdl_t *hdl, dtrace_id_t id)
{
	return id < hdl->probes->limit ? hdl->probes->by_id[id] : NULL;
}

/* Makes room for a number in the array. */
static int dt_probes_reserve_id(dtrace_hdl_t *hdl, dtrace_id_t id)
{
	dt_probes_t *probes = hdl->probes;
	dtrace_id_t limit = probes->limit ? probes->limit : 16;

	if (id < probes->limit)
		return 0;
	while (limit <= id)
		limit *= 2;

	dt_probe_t **by_id = realloc(probes->by_id, limit * sizeof(*by_id));

	if (!by_id)
		return dt_set_errno(hdl, EDT_NOMEM);
	memset(by_id + probes->limit, 0, (limit - probes->limit) * sizeof(*by_id));
	probes->by_id = by_id;
	probes->limit = limit;
	return 0;
}

/* Makes room for one more in the hash table, which is kept at most full. */
static int dt_probes_reserve_name(dtrace_hdl_t *hdl)
{
	dt_probes_t *probes = hdl->probes;
	uint32_t nbuckets = probes->nbuckets ? probes->nbuckets * 2 : DT_PROBEHASH_MIN;

	if (probes->nprobes < probes->nbuckets)
		return 0;

	dt_probeentry_t **buckets = calloc(nbuckets, sizeof(*buckets));

	if (!buckets)
		return dt_set_errno(hdl, EDT_NOMEM);
	for (uint32_t i = 0; i < probes->nbuckets; i++) {
		dt_probeentry_t *entry = probes->buckets[i], *next;

		for (; entry; entry = next) {
			dt_probeentry_t **bucket = &buckets[entry->hash & (nbuckets - 1)];

			next = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	free(probes->buckets);
	probes->buckets = buckets;
	probes->nbuckets = nbuckets;
	return 0;
}

/* Copies one part of a name; too long a part is cut, as it can be shown no longer. */
static void dt_desc_set(char *part, size_t size, const char *text)
{
	size_t length = strnlen(text, size - 1);

	memcpy(part, text, length);
	part[length] = '\0';
}

/* A probe and the number it is to have; 0: the next free one. */
static dt_probe_t *dt_probe_make(dtrace_hdl_t *hdl, dtrace_id_t id,
				 const dt_provider_t *provider, const char *provider_name,
				 const char *module, const char *function,
				 const char *name, dt_attachpoint_t *attach, uint32_t key)
{
	dt_probes_t *probes = hdl->probes;
	dt_probe_t *probe = dt_probe_lookup(hdl, provider_name, module, function, name);

	if (probe)
		return probe;
	if (id == DTRACE_IDNONE)
		id = probes->next;
	if (dt_probes_reserve_id(hdl, id) != 0 || dt_probes_reserve_name(hdl) != 0)
		return NULL;

	dt_probeentry_t *entry = dt_arena_alloc(hdl->arena, sizeof(*entry));

	if (!entry) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	probe = &entry->probe;
	probe->desc.dtpd_id = id;
	dt_desc_set(probe->desc.dtpd_provider, DTRACE_PROVNAMELEN, provider_name);
	dt_desc_set(probe->desc.dtpd_mod, DTRACE_MODNAMELEN, module);
	dt_desc_set(probe->desc.dtpd_func, DTRACE_FUNCNAMELEN, function);
	dt_desc_set(probe->desc.dtpd_name, DTRACE_NAMELEN, name);
	probe->provider = provider;
	probe->attach = attach;
	probe->key = key;

	entry->hash = dt_probe_hash(probe->desc.dtpd_provider, probe->desc.dtpd_mod,
				    probe->desc.dtpd_func, probe->desc.dtpd_name);
	dt_probeentry_t **bucket = &probes->buckets[entry->hash & (probes->nbuckets - 1)];

	entry->next = *bucket;
	*bucket = entry;
	probes->nprobes++;
	probes->by_id[id] = probe;
	if (id >= probes->next)
		probes->next = id + 1;
	return probe;
}

int dt_probe_type(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	if (dt_probe_describe(hdl, probe) != 0)
		return -1;
	if (!probe->is_typed && probe->provider->type && probe->provider->type(hdl, probe) != 0)
		return -1;
	probe->is_typed = true;
	return 0;
}

dt_probe_t *dt_probe_add(dtrace_hdl_t *hdl, const dt_provider_t *provider,
			 const char *module, const char *function, const char *name,
			 dt_attachpoint_t *attach, uint32_t key)
{
	return dt_probe_make(hdl, DTRACE_IDNONE, provider, provider->name, module, function,
			     name, attach, key);
}

dt_probe_t *dt_probe_add_numbered(dtrace_hdl_t *hdl, dtrace_id_t id,
				  const dt_provider_t *provider, const char *module,
				  const char *function, const char *name,
				  dt_attachpoint_t *attach, uint32_t key)
{
	return dt_probe_make(hdl, id, provider, provider->name, module, function, name,
			     attach, key);
}

dt_probe_t *dt_probe_add_member(dtrace_hdl_t *hdl, const dt_provider_t *provider,
				const char *provider_name, const char *module,
				const char *function, const char *name,
				dt_attachpoint_t *attach, uint32_t key)
{
	return dt_probe_make(hdl, DTRACE_IDNONE, provider, provider_name, module, function,
			     name, attach, key);
}

int dt_probe_describe(dtrace_hdl_t *hdl, dt_probe_t *probe)
{
	if (probe->is_described)
		return 0;
	if (probe->provider->describe && probe->provider->describe(hdl, probe) != 0)
		return -1;
	probe->is_described = true;
	return 0;
}

dt_attachpoint_t *dt_attachpoint_new(dtrace_hdl_t *hdl)
{
	dt_attachpoint_t *attach = dt_arena_alloc(hdl->arena, sizeof(*attach));

	if (!attach) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	attach->next = hdl->probes->attachpoints;
	hdl->probes->attachpoints = attach;
	return attach;
}

dt_attachpoint_t *dt_attachpoint_call(dtrace_hdl_t *hdl, bool is_return, dt_argkind_t stack)
{
	static const uint32_t registers[] = DT_ARCH_CALL_ARGS;
	const uint32_t nregisters = sizeof(registers) / sizeof(registers[0]);
	dt_attachpoint_t *attach = dt_attachpoint_new(hdl);

	if (!attach)
		return NULL;
	attach->prog_type = BPF_PROG_TYPE_KPROBE;
	attach->is_return = is_return;
	attach->key = (dt_argsource_t){.kind = DT_ARG_COOKIE, .size = sizeof(uint32_t)};
	if (is_return) {
		attach->args[1] =
		    (dt_argsource_t){.kind = DT_ARG_CTX, .offset = DT_ARCH_RESULT};
		return attach;
	}
	for (uint32_t i = 0; i < DT_MAXARGS; i++)
		attach->args[i] =
		    i < nregisters
			? (dt_argsource_t){.kind = DT_ARG_CTX, .offset = registers[i]}
			: (dt_argsource_t){.kind = stack,
					   .base = DT_ARCH_STACK_POINTER,
					   .offset = DT_ARCH_STACK_ARGS + 8 * (i - nregisters)};
	return attach;
}

int dt_attachpoint_add_site(dtrace_hdl_t *hdl, dt_attachpoint_t *attach,
			    const dt_usersite_t *site)
{
	if (dt_arena_grow(hdl->arena, &attach->sites, sizeof(*attach->sites), attach->nsites,
			  &attach->site_capacity) != 0)
		return dt_set_errno(hdl, EDT_NOMEM);
	attach->sites[attach->nsites++] = *site;
	return 0;
}

void *dt_provider_state(dtrace_hdl_t *hdl, const dt_provider_t *provider, size_t size)
{
	dt_providerstate_t *state = hdl->probes->states;

	while (state && state->provider != provider)
		state = state->next;
	if (state)
		return state->data;

	state = dt_arena_alloc(hdl->arena, sizeof(*state));
	void *data = state ? dt_arena_alloc(hdl->arena, size) : NULL;

	if (!data) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	state->provider = provider;
	state->data = data;
	state->next = hdl->probes->states;
	hdl->probes->states = state;
	return data;
}

/* ---- Matching ---------------------------------------------------------------- */

bool dt_provider_matches(const dt_provider_t *provider, const char *pattern)
{
	size_t prefix = strcspn(provider->name, "*");
	size_t literal = strcspn(pattern, "*?[\\");

	if (provider->name[prefix] == '\0' || pattern[0] == '\0')
		return dt_glob(pattern, provider->name);
	return strncmp(pattern, provider->name, prefix < literal ? prefix : literal) == 0 &&
	       (pattern[literal] != '\0' || literal >= prefix);
}

/* BEGIN, END and ERROR by themselves are those of the provider dtrace; nobody else has such
 * probes, and looking for them costs the reading of the kernel's types. */
static bool dt_desc_is_own(const dtrace_probedesc_t *pattern)
{
	return pattern->dtpd_provider[0] == '\0' && pattern->dtpd_mod[0] == '\0' &&
	       pattern->dtpd_func[0] == '\0' &&
	       (strcmp(pattern->dtpd_name, "BEGIN") == 0 ||
		strcmp(pattern->dtpd_name, "END") == 0 ||
		strcmp(pattern->dtpd_name, "ERROR") == 0);
}

/* Has every probe made that the pattern can match. */
static int dt_probes_provide(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern)
{
	for (int i = 0; dt_providers[i]; i++) {
		const dt_provider_t *provider = dt_providers[i];

		if (!dt_provider_matches(provider, pattern->dtpd_provider))
			continue;
		if (provider != &dt_provider_dtrace && dt_desc_is_own(pattern))
			continue;
		if (provider->provide(hdl, provider, pattern) != 0)
			return -1;
	}
	return 0;
}

/* The probe of a number, which may have to be made first: then all are. NULL with the
 * handle's error set. */
static dt_probe_t *dt_probe_find_id(dtrace_hdl_t *hdl, dtrace_id_t id)
{
	static const dtrace_probedesc_t all;
	dt_probe_t *probe = dt_probe_by_id(hdl, id);

	if (!probe && dt_probes_provide(hdl, &all) != 0)
		return NULL;
	if (!probe)
		probe = dt_probe_by_id(hdl, id);
	if (!probe)
		dt_set_error(hdl, EDT_BADID, "no probe has the identifier %u", id);
	return probe;
}

bool dt_probe_is_meant(const dtrace_probedesc_t *pattern, const dt_probe_t *probe)
{
	const dtrace_probedesc_t *desc = &probe->desc;

	return dt_glob(pattern->dtpd_name, desc->dtpd_name) &&
	       dt_glob(pattern->dtpd_func, desc->dtpd_func) &&
	       dt_glob(pattern->dtpd_provider, desc->dtpd_provider) &&
	       (dt_glob_object(pattern->dtpd_mod, desc->dtpd_mod) ||
		(probe->alias && dt_glob(pattern->dtpd_mod, probe->alias)));
}

/* By number; the other parts of the description, if there are any, must match as well. */
static int dt_probe_match_id(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern,
			     dt_probe_f *f, void *arg, uint32_t *matches)
{
	dt_probe_t *probe = dt_probe_find_id(hdl, pattern->dtpd_id);

	if (!probe)
		return -1;
	if (!dt_probe_is_meant(pattern, probe))
		return 0;
	if (matches)
		*matches = 1;

	int rv = f(hdl, probe, arg);
	return rv != 0 ? rv : 1;
}

/* dt_probe_match() without the describing. */
static int dt_probe_each(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern, dt_probe_f *f,
			 void *arg, uint32_t *matches)
{
	int n = 0;

	if (matches)
		*matches = 0;
	if (pattern->dtpd_id != DTRACE_IDNONE)
		return dt_probe_match_id(hdl, pattern, f, arg, matches);
	if (dt_probes_provide(hdl, pattern) != 0)
		return -1;
	for (dtrace_id_t id = 1; id < hdl->probes->limit; id++) {
		dt_probe_t *probe = hdl->probes->by_id[id];

		if (!probe || !dt_probe_is_meant(pattern, probe))
			continue;
		n++;
		if (matches)
			*matches = (uint32_t)n;

		int rv = f(hdl, probe, arg);
		if (rv != 0)
			return rv;
	}
	return n;
}

typedef struct dt_probedescriber {
	dt_probe_f *function;
	void *arg;
} dt_probedescriber_t;

static int dt_probe_describe_one(dtrace_hdl_t *hdl, dt_probe_t *probe, void *arg)
{
	const dt_probedescriber_t *describer = arg;

	if (dt_probe_describe(hdl, probe) != 0)
		return -1;
	return describer->function(hdl, probe, describer->arg);
}

int dt_probe_match(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern, dt_probe_f *f,
		   void *arg, uint32_t *matches)
{
	dt_probedescriber_t describer = {.function = f, .arg = arg};

	return dt_probe_each(hdl, pattern, dt_probe_describe_one, &describer, matches);
}

const dt_provider_t *dt_probe_grower(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern,
				     pid_t *pid)
{
	for (int i = 0; dt_providers[i]; i++) {
		const dt_provider_t *provider = dt_providers[i];

		if (provider->grows && dt_provider_matches(provider, pattern->dtpd_provider) &&
		    provider->grows(hdl, provider, pattern, pid))
			return provider;
	}
	return NULL;
}

const char *dt_probe_missing(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern,
			     const char **tag)
{
	const char *reason = NULL;

	*tag = "D_PDESC_ZERO";

	for (int i = 0; dt_providers[i] && !reason; i++) {
		const dt_provider_t *provider = dt_providers[i];

		if (provider->missing && pattern->dtpd_provider[0] != '\0' &&
		    dt_provider_matches(provider, pattern->dtpd_provider))
			reason = provider->missing(hdl, provider, pattern, tag);
	}
	return reason;
}

/* ---- The public functions ---------------------------------------------------- */

typedef struct dt_probeiter {
	dtrace_probe_f *function;
	void *arg;
	int result; /* of the function's last call */
} dt_probeiter_t;

static int dt_probe_iter_one(dtrace_hdl_t *hdl, dt_probe_t *probe, void *arg)
{
	dt_probeiter_t *iter = arg;

	iter->result = iter->function(hdl, &probe->desc, iter->arg);
	return iter->result;
}

int dtrace_probe_iter(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern,
		      dtrace_probe_f *function, void *arg)
{
	static const dtrace_probedesc_t all;
	dt_probeiter_t iter = {.function = function, .arg = arg};
	uint32_t matches;
	int rv = dt_probe_each(hdl, pattern ? pattern : &all, dt_probe_iter_one, &iter,
			       &matches);

	if (matches > 0)
		return iter.result;
	if (rv != 0)
		return -1;

	const char *tag, *reason = pattern ? dt_probe_missing(hdl, pattern, &tag) : NULL;

	return reason ? dt_set_error(hdl, EDT_NOPROBE, "%s", reason)
		      : dt_set_errno(hdl, EDT_NOPROBE);
}

int dtrace_missing_iter(dtrace_hdl_t *hdl, const dtrace_probedesc_t *pattern,
			dtrace_missing_f *function, void *arg)
{
	static const dtrace_probedesc_t all;
	int rv = 0;

	if (!pattern)
		pattern = &all;
	for (int i = 0; dt_providers[i] && rv == 0; i++) {
		const dt_provider_t *provider = dt_providers[i];

		if (provider->lacks && pattern->dtpd_id == DTRACE_IDNONE &&
		    !dt_desc_is_own(pattern) &&
		    dt_provider_matches(provider, pattern->dtpd_provider))
			rv = provider->lacks(hdl, provider, pattern, function, arg);
	}
	return rv;
}

static int dt_probe_take_first(dtrace_hdl_t *hdl, dt_probe_t *probe, void *arg)
{
	(void)hdl;
	*(dt_probe_t **)arg = probe;
	return 1;
}

int dtrace_probe_info(dtrace_hdl_t *hdl, const dtrace_probedesc_t *desc,
		      dtrace_probeinfo_t *info)
{
	dt_probe_t *probe = NULL;

	if (dt_probe_match(hdl, desc, dt_probe_take_first, &probe, NULL) < 0)
		return -1;
	if (!probe)
		return dt_set_errno(hdl, EDT_NOPROBE);
	if (dt_args_names(hdl, probe, &info->dtp_argv, &info->dtp_argc) != 0)
		return -1;
	info->dtp_attr = probe->provider->attributes;
	info->dtp_arga = probe->provider->arguments;
	return 0;
}

int dtrace_id2desc(dtrace_hdl_t *hdl, dtrace_id_t id, dtrace_probedesc_t *desc)
{
	dt_probe_t *probe = id != DTRACE_IDNONE ? dt_probe_find_id(hdl, id) : NULL;

	if (!probe)
		return dt_set_error(hdl, EDT_BADID, "no probe has the identifier %u", id);
	*desc = probe->desc;
	return 0;
}
