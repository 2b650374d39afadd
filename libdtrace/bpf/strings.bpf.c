/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strings.bpf.c - string subroutines that need a loop, for the kernel. The files here are
 * compiled once, when the library is built; a program takes along those functions that it
 * calls, as global functions, which the verifier checks by themselves, once each.
 *
 * Every function gets the scratch area of the program's level, and strings as offsets into
 * it. Loops are bpf_loop(), whose body is checked once whatever the number of rounds, so
 * that strsize may be any size.
 */
#include "bpf/support.bpf.h"

/* ---- Comparison ----------------------------------------------------------------- */

enum { CMP_A, CMP_B, CMP_ORDER };

/* Eight characters a round. Turned round, words compare as their characters do. */
static long compare_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 a = word_at(s, s->work[CMP_A] + i * 8), b = word_at(s, s->work[CMP_B] + i * 8);
	u64 end = nul_bytes(a), mask = end ? ((end & -end) << 1) - 1 : -1ULL;

	a = __builtin_bswap64(a & mask);
	b = __builtin_bswap64(b & mask);
	if (a == b)
		return end != 0;
	s->work[CMP_ORDER] = a < b ? -1ULL : 1;
	return 1;
}

int dt_strcmp(struct dt_scratch *s, u64 a, u64 b)
{
	if (!s)
		return 0;
	s->work[CMP_A] = a;
	s->work[CMP_B] = b;
	s->work[CMP_ORDER] = 0;
	dt_loop(s, ROUNDS / 8 + 1, compare_step);
	return (int)s->work[CMP_ORDER];
}

/* ---- Search --------------------------------------------------------------------- */

/*
 * Rabin and Karp's way: a hash of the text's next m characters is kept up to date while
 * they are shifted by one, and only where it equals that of what is looked for are the
 * characters compared. So the time grows with the length of the text, whatever is in it.
 * Backward search is the same in a mirror.
 */
enum {
	FIND_TEXT,
	FIND_WHAT,
	FIND_LENGTH, /* m */
	FIND_AT,     /* first of the text's m characters */
	FIND_LAST,   /* where the search ends */
	FIND_HASH,   /* of the m characters at FIND_AT */
	FIND_GOAL,   /* of what is looked for */
	FIND_POWER,  /* weight of the oldest character */
	FIND_SAME,
	FIND_RESULT
};
#define FIND_BASE 0x5bd1e995ULL

static __always_inline long hash_step(u64 i, struct dt_scratch *s, u32 back)
{
	u64 k = back ? s->work[FIND_LENGTH] - 1 - i : i;

	s->work[FIND_HASH] = s->work[FIND_HASH] * FIND_BASE +
			     at(s, s->work[FIND_TEXT] + s->work[FIND_AT] + k);
	s->work[FIND_GOAL] = s->work[FIND_GOAL] * FIND_BASE + at(s, s->work[FIND_WHAT] + k);
	if (i)
		s->work[FIND_POWER] *= FIND_BASE;
	return i + 1 >= s->work[FIND_LENGTH];
}

static long hash_forward(u64 i, struct dt_scratch **context)
{
	return hash_step(i, *context, 0);
}

static long hash_back(u64 i, struct dt_scratch **context)
{
	return hash_step(i, *context, 1);
}

static long same_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;

	if (i >= s->work[FIND_LENGTH]) {
		s->work[FIND_SAME] = 1;
		return 1;
	}
	return at(s, s->work[FIND_TEXT] + s->work[FIND_AT] + i) !=
	       at(s, s->work[FIND_WHAT] + i);
}

static __always_inline long find_step(struct dt_scratch **context, u32 back)
{
	struct dt_scratch *s = *context;
	u64 here = s->work[FIND_AT], m = s->work[FIND_LENGTH];
	u64 oldest = back ? here + m - 1 : here, next = back ? here - 1 : here + m;

	if (s->work[FIND_HASH] == s->work[FIND_GOAL]) {
		s->work[FIND_SAME] = 0;
		bpf_loop((u32)ROUNDS + 1, same_step, context, 0);
		if (s->work[FIND_SAME]) {
			s->work[FIND_RESULT] = s->work[FIND_AT];
			return 1;
		}
		here = s->work[FIND_AT];
	}
	if (here == s->work[FIND_LAST])
		return 1;
	s->work[FIND_HASH] = (s->work[FIND_HASH] -
			      s->work[FIND_POWER] * at(s, s->work[FIND_TEXT] + oldest)) *
				 FIND_BASE +
			     at(s, s->work[FIND_TEXT] + next);
	s->work[FIND_AT] = back ? here - 1 : here + 1;
	return 0;
}

static long find_forward(u64 i, struct dt_scratch **context)
{
	return find_step(context, 0);
}

static long find_back(u64 i, struct dt_scratch **context)
{
	return find_step(context, 1);
}

/* The place nearest to `from` on the way to `last`; -1: none. what is not empty and both
 * places leave room for it. */
static __always_inline s64 search(struct dt_scratch *s, u64 text, u64 what, u64 m, u64 from,
				  u64 last, u32 back)
{
	s->work[FIND_TEXT] = text;
	s->work[FIND_WHAT] = what;
	s->work[FIND_LENGTH] = m;
	s->work[FIND_AT] = from;
	s->work[FIND_LAST] = last;
	s->work[FIND_HASH] = s->work[FIND_GOAL] = 0;
	s->work[FIND_POWER] = 1;
	s->work[FIND_RESULT] = -1ULL;
	dt_loop(s, ROUNDS, back ? hash_back : hash_forward);
	dt_loop(s, ROUNDS, back ? find_back : find_forward);
	return (s64)s->work[FIND_RESULT];
}

static __always_inline s64 find_first(struct dt_scratch *s, u64 text, u64 what, u64 from)
{
	u64 n = length(s, text), m = length(s, what);

	if (m == 0)
		return (s64)(from > n ? n : from);
	if (m > n || from > n - m)
		return -1;
	return search(s, text, what, m, from, n - m, 0);
}

/* A start beyond the end finds only the empty string, at the end. */
int dt_index(struct dt_scratch *s, u64 text, u64 what, u64 from)
{
	if (!s)
		return -1;
	return (int)find_first(s, text, what, (s64)from < 0 ? 0 : from);
}

int dt_rindex(struct dt_scratch *s, u64 text, u64 what, u64 from)
{
	u64 n, m;

	if (!s)
		return -1;
	n = length(s, text);
	m = length(s, what);
	if ((s64)from < 0)
		return m == 0 ? 0 : -1;
	if (m > n)
		return -1;
	if (from > n - m)
		from = n - m;
	return (int)(m == 0 ? (s64)from : search(s, text, what, m, from, 0, 1));
}

int dt_strstr(struct dt_scratch *s, u64 dst, u64 text, u64 what)
{
	s64 where;

	if (!s)
		return 0;
	where = find_first(s, text, what, 0);
	if (where < 0)
		put(s, dst, 0);
	else
		copy_part(s, dst, text, (u64)where, ROUNDS);
	return 0;
}

enum { CHR_TEXT, CHR_C, CHR_FIRST, CHR_LAST };

static long chr_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u8 have = at(s, s->work[CHR_TEXT] + i);

	if (have == (u8)s->work[CHR_C]) {
		if ((s64)s->work[CHR_FIRST] < 0)
			s->work[CHR_FIRST] = i;
		s->work[CHR_LAST] = i;
	}
	return have == 0;
}

static __always_inline int find_char(struct dt_scratch *s, u64 dst, u64 text, u64 c,
				     u32 which)
{
	s64 where;

	s->work[CHR_TEXT] = text;
	s->work[CHR_C] = c;
	s->work[CHR_FIRST] = s->work[CHR_LAST] = -1ULL;
	dt_loop(s, ROUNDS, chr_step);
	where = (s64)s->work[which];
	if (where < 0)
		put(s, dst, 0);
	else
		copy_part(s, dst, text, (u64)where, ROUNDS);
	return 0;
}

int dt_strchr(struct dt_scratch *s, u64 dst, u64 text, u64 c)
{
	return s ? find_char(s, dst, text, c, CHR_FIRST) : 0;
}

int dt_strrchr(struct dt_scratch *s, u64 dst, u64 text, u64 c)
{
	return s ? find_char(s, dst, text, c, CHR_LAST) : 0;
}

/* ---- Tokens --------------------------------------------------------------------- */

/* The state is a word, the place in the string to go on from, and the string after it. */
enum { TOK_DELIMITERS, TOK_TEXT, TOK_AT, TOK_SET /* four words: a bit a character */ };

static long set_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 c = at(s, s->work[TOK_DELIMITERS] + i);

	s->work[TOK_SET + (c >> 6 & 3)] |= 1ULL << (c & 63);
	return c == 0;
}

static __always_inline u64 is_delimiter(const struct dt_scratch *s, u64 c)
{
	return s->work[TOK_SET + (c >> 6 & 3)] >> (c & 63) & 1;
}

static long skip_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u8 c = at(s, s->work[TOK_TEXT] + s->work[TOK_AT]);

	if (c == 0 || !is_delimiter(s, c))
		return 1;
	s->work[TOK_AT]++;
	return 0;
}

static long token_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;

	/* NUL is in the set. */
	if (is_delimiter(s, at(s, s->work[TOK_TEXT] + s->work[TOK_AT])))
		return 1;
	s->work[TOK_AT]++;
	return 0;
}

/* An empty result: there is no token left. */
int dt_strtok(struct dt_scratch *s, u64 dst, u64 state, u64 delimiters)
{
	u64 from, to;

	if (!s)
		return 0;
	s->work[TOK_DELIMITERS] = delimiters;
	s->work[TOK_TEXT] = state + 8;
	s->work[TOK_AT] = word_at(s, state);
	for (int i = 0; i < 4; i++)
		s->work[TOK_SET + i] = 0;
	dt_loop(s, ROUNDS, set_step);
	dt_loop(s, ROUNDS, skip_step);
	from = s->work[TOK_AT];
	dt_loop(s, ROUNDS, token_step);
	to = s->work[TOK_AT];
	copy_part(s, dst, state + 8, from, to);
	put_word(s, state, to + (at(s, state + 8 + to) != 0));
	return 0;
}

/* ---- Letters -------------------------------------------------------------------- */

enum { FOLD_DST, FOLD_TEXT };

/* Changes the case of letters from `first` on, eight characters a round: where adding
 * brings a byte's top bit about, the character is at or after that letter. */
static __always_inline long fold_step(u64 i, struct dt_scratch *s, u64 first)
{
	u64 word = word_at(s, s->work[FOLD_TEXT] + i * 8);
	u64 low = word & (EACH_BYTE * 0x7f), letters;

	letters = (low + EACH_BYTE * (0x80 - first)) &
		  ~(low + EACH_BYTE * (0x7f - first - 25)) & ~word & (EACH_BYTE << 7);
	put_word(s, s->work[FOLD_DST] + i * 8, word ^ letters >> 2);
	return nul_bytes(word) != 0;
}

static long lower_step(u64 i, struct dt_scratch **context)
{
	return fold_step(i, *context, 'A');
}

static long upper_step(u64 i, struct dt_scratch **context)
{
	return fold_step(i, *context, 'a');
}

int dt_tolower(struct dt_scratch *s, u64 dst, u64 text)
{
	if (!s)
		return 0;
	s->work[FOLD_DST] = dst;
	s->work[FOLD_TEXT] = text;
	dt_loop(s, ROUNDS / 8 + 1, lower_step);
	return 0;
}

int dt_toupper(struct dt_scratch *s, u64 dst, u64 text)
{
	if (!s)
		return 0;
	s->work[FOLD_DST] = dst;
	s->work[FOLD_TEXT] = text;
	dt_loop(s, ROUNDS / 8 + 1, upper_step);
	return 0;
}
