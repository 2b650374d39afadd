/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strings.bpf.c - string subroutines that need a loop, for the kernel. Compiled once, when
 * the library is built; a program takes along those that it calls, as global functions,
 * which the verifier checks by themselves, once each.
 *
 * Every function gets the scratch area of the program's level, and strings as offsets into
 * it. Offsets and sizes come from generated code, but nothing here trusts them: at() gives
 * a NUL for what lies outside. Loops are bpf_loop(), whose body is checked once whatever
 * the number of rounds, so that strsize may be any size.
 */
#include "bpf/support.bpf.h"

/* The most rounds that a scan of one string takes. */
#define ROUNDS dt_value(dt_strsize)

static __always_inline u8 at(const struct dt_scratch *s, u64 offset)
{
	if (offset >= dt_value(dt_scratch_bytes))
		return 0;
	return s->bytes[offset];
}

static __always_inline void put(struct dt_scratch *s, u64 offset, u8 c)
{
	if (offset < dt_value(dt_scratch_bytes))
		s->bytes[offset] = c;
}

/*
 * Text [from, to) of the string at src becomes the string at dst. The scratch area goes on
 * for strsize bytes after dt_scratch_bytes, so the copy is inside it wherever it begins.
 */
static __always_inline void copy_part(struct dt_scratch *s, u64 dst, u64 src, u64 from, u64 to)
{
	u64 size = to - from + 1, limit = dt_value(dt_scratch_bytes), strsize = ROUNDS;

	if (size > strsize)
		size = strsize;
	if (dst >= limit || src + from >= limit)
		return;
	bpf_probe_read_kernel_str(&s->bytes[dst], (u32)size, &s->bytes[src + from]);
}

/* ---- Comparison ----------------------------------------------------------------- */

struct compare {
	const struct dt_scratch *s;
	u64 a, b;
	int order;
};

static long compare_step(u64 i, struct compare *c)
{
	u8 a = at(c->s, c->a + i), b = at(c->s, c->b + i);

	if (a == b)
		return a == 0;
	c->order = a < b ? -1 : 1;
	return 1;
}

int dt_strcmp(struct dt_scratch *s, u64 a, u64 b)
{
	struct compare c = {s, a, b, 0};

	if (!s)
		return 0;
	bpf_loop((u32)ROUNDS, compare_step, &c, 0);
	return c.order;
}

/* ---- Search --------------------------------------------------------------------- */

/* What is looked for, and how far; the text t is tried at AT, MATCHED of it are equal. */
struct search {
	struct dt_scratch *s;
	u64 text, t, last;
	s64 found;
	u32 first_only;
};
enum { AT, MATCHED };

static long search_step(u64 round, struct search *c)
{
	u64 i = c->s->work[AT], j = c->s->work[MATCHED];
	u8 want = at(c->s, c->t + j), have = at(c->s, c->text + i + j);

	if (want == 0) { /* all of t is there */
		c->found = (s64)i;
		if (c->first_only)
			return 1;
	} else if (have == want) {
		c->s->work[MATCHED] = j + 1;
		return 0;
	}
	if (have == 0 && (want != 0 || j == 0)) /* the rest is too short */
		return 1;
	c->s->work[AT] = i + 1;
	c->s->work[MATCHED] = 0;
	return i + 1 > c->last;
}

static __always_inline s64 search(struct dt_scratch *s, u64 text, u64 t, u64 from, u64 last,
				  u32 first_only)
{
	struct search c = {s, text, t, last, -1, first_only};
	u64 rounds = ROUNDS * ROUNDS;

	s->work[AT] = from;
	s->work[MATCHED] = 0;
	if (rounds > (1 << 23)) /* BPF_MAX_LOOPS */
		rounds = 1 << 23;
	bpf_loop((u32)rounds, search_step, &c, 0);
	return c.found;
}

struct length {
	const struct dt_scratch *s;
	u64 text, n;
};

static long length_step(u64 i, struct length *c)
{
	if (at(c->s, c->text + i) == 0)
		return 1;
	c->n = i + 1;
	return 0;
}

static __always_inline u64 length(struct dt_scratch *s, u64 text)
{
	struct length c = {s, text, 0};

	bpf_loop((u32)ROUNDS, length_step, &c, 0);
	return c.n;
}

/* A start beyond the end finds only the empty string, at the end. */
int dt_index(struct dt_scratch *s, u64 text, u64 t, u64 from)
{
	u64 start = (s64)from < 0 ? 0 : from, n;

	if (!s)
		return -1;
	n = length(s, text);
	if (start > n) {
		if (at(s, t) != 0)
			return -1;
		start = n;
	}
	return (int)search(s, text, t, start, n, 1);
}

int dt_rindex(struct dt_scratch *s, u64 text, u64 t, u64 from)
{
	if (!s)
		return -1;
	if ((s64)from < 0)
		return at(s, t) == 0 ? 0 : -1;
	return (int)search(s, text, t, 0, from, 0);
}

int dt_strstr(struct dt_scratch *s, u64 dst, u64 text, u64 t)
{
	s64 where;

	if (!s)
		return 0;
	where = search(s, text, t, 0, ROUNDS, 1);
	if (where < 0)
		put(s, dst, 0);
	else
		copy_part(s, dst, text, (u64)where, ROUNDS);
	return 0;
}

struct find {
	const struct dt_scratch *s;
	u64 text;
	s64 first, last;
	u8 c;
};

static long find_step(u64 i, struct find *c)
{
	u8 have = at(c->s, c->text + i);

	if (have == c->c) {
		if (c->first < 0)
			c->first = (s64)i;
		c->last = (s64)i;
	}
	return have == 0;
}

static __always_inline int find(struct dt_scratch *s, u64 dst, u64 text, u64 c, int last)
{
	struct find f = {s, text, -1, -1, (u8)c};
	s64 where;

	bpf_loop((u32)ROUNDS, find_step, &f, 0);
	where = last ? f.last : f.first;
	if (where < 0)
		put(s, dst, 0);
	else
		copy_part(s, dst, text, (u64)where, ROUNDS);
	return 0;
}

int dt_strchr(struct dt_scratch *s, u64 dst, u64 text, u64 c)
{
	return s ? find(s, dst, text, c, 0) : 0;
}

int dt_strrchr(struct dt_scratch *s, u64 dst, u64 text, u64 c)
{
	return s ? find(s, dst, text, c, 1) : 0;
}

/* ---- Paths ----------------------------------------------------------------------- */

/* The last component is [start, end); the one before it ends at parent. */
struct path {
	const struct dt_scratch *s;
	u64 text;
	s64 start, end, parent;
	u32 in_name;
};

static long path_step(u64 i, struct path *p)
{
	u8 c = at(p->s, p->text + i);

	if (c == 0)
		return 1;
	if (c == '/') {
		p->in_name = 0;
		return 0;
	}
	if (!p->in_name) {
		p->parent = p->end;
		p->start = (s64)i;
	}
	p->in_name = 1;
	p->end = (s64)i + 1;
	return 0;
}

static __always_inline void one_char(struct dt_scratch *s, u64 dst, u8 c)
{
	put(s, dst, c);
	put(s, dst + 1, 0);
}

int dt_basename(struct dt_scratch *s, u64 dst, u64 text)
{
	struct path p = {s, text, -1, 0, 0, 0};

	if (!s)
		return 0;
	bpf_loop((u32)ROUNDS, path_step, &p, 0);
	if (p.start < 0)
		one_char(s, dst, at(s, text) ? '/' : '.');
	else
		copy_part(s, dst, text, (u64)p.start, (u64)p.end);
	return 0;
}

int dt_dirname(struct dt_scratch *s, u64 dst, u64 text)
{
	struct path p = {s, text, -1, 0, 0, 0};

	if (!s)
		return 0;
	bpf_loop((u32)ROUNDS, path_step, &p, 0);
	if (p.parent > 0)
		copy_part(s, dst, text, 0, (u64)p.parent);
	else
		one_char(s, dst, at(s, text) == '/' ? '/' : '.');
	return 0;
}

/* ---- Letters and digits ------------------------------------------------------------ */

struct fold {
	struct dt_scratch *s;
	u64 dst, text;
	u8 from;
};

static long fold_step(u64 i, struct fold *f)
{
	u8 c = at(f->s, f->text + i);
	u8 letter = c - f->from;

	put(f->s, f->dst + i, letter < 26 ? c ^ 0x20 : c);
	return c == 0;
}

int dt_tolower(struct dt_scratch *s, u64 dst, u64 text)
{
	struct fold f = {s, dst, text, 'A'};

	if (s)
		bpf_loop((u32)ROUNDS, fold_step, &f, 0);
	return 0;
}

int dt_toupper(struct dt_scratch *s, u64 dst, u64 text)
{
	struct fold f = {s, dst, text, 'a'};

	if (s)
		bpf_loop((u32)ROUNDS, fold_step, &f, 0);
	return 0;
}

enum { LENGTH, REST, DIVISOR };

struct digits {
	struct dt_scratch *s;
	u64 dst, base;
};

static __always_inline void put_next(struct dt_scratch *s, u64 dst, u8 c)
{
	u64 n = s->work[LENGTH];

	put(s, dst + n, c);
	s->work[LENGTH] = n + 1;
}

static long divisor_step(u64 i, struct digits *d)
{
	u64 divisor = d->s->work[DIVISOR];

	if (divisor == 0 || d->base < 2 || d->s->work[REST] / divisor < d->base)
		return 1;
	d->s->work[DIVISOR] = divisor * d->base;
	return 0;
}

static long digit_step(u64 i, struct digits *d)
{
	u64 divisor = d->s->work[DIVISOR], rest = d->s->work[REST], digit;

	if (divisor == 0 || d->base < 2)
		return 1;
	digit = rest / divisor;
	d->s->work[REST] = rest % divisor;
	d->s->work[DIVISOR] = divisor / d->base;
	put_next(d->s, d->dst, (u8)(digit < 10 ? '0' + digit : 'a' + digit - 10));
	return 0;
}

/* lltostr(): decimal is signed; 8 and 16 begin with 0 and 0x. */
int dt_lltostr(struct dt_scratch *s, u64 dst, u64 value, u64 base)
{
	struct digits d = {s, dst, base};

	if (!s)
		return 0;
	s->work[LENGTH] = 0;
	s->work[DIVISOR] = 1;
	s->work[REST] = base == 10 && (s64)value < 0 ? -value : value;
	if (base == 10 && (s64)value < 0)
		put_next(s, dst, '-');
	if ((base == 8 && value) || base == 16)
		put_next(s, dst, '0');
	if (base == 16)
		put_next(s, dst, 'x');
	bpf_loop(64, divisor_step, &d, 0);
	bpf_loop(64, digit_step, &d, 0);
	put_next(s, dst, 0);
	return 0;
}
