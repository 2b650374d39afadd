/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.bpf.c - numbers to text and back: lltostr, strtoll, network addresses. */
#include "bpf/support.bpf.h"

/* ---- Integers ------------------------------------------------------------------- */

#define LLTOSTR_SIZE 72 /* 64 binary digits, sign or prefix, NUL; a multiple of 8 */

enum { NUM_DST, NUM_AT, NUM_REST, NUM_BASE };

static __always_inline void put_front(struct dt_scratch *s, u8 c)
{
	u64 n = s->work[NUM_AT] - 1;

	s->work[NUM_AT] = n;
	put(s, s->work[NUM_DST] + n, c);
}

static long digit_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 rest = s->work[NUM_REST], base = s->work[NUM_BASE], digit;

	if (rest == 0 || base == 0)
		return 1;
	digit = rest % base;
	s->work[NUM_REST] = rest / base;
	put_front(s, (u8)(digit < 10 ? '0' + digit : 'a' + digit - 10));
	return 0;
}

/*
 * Decimal is signed; 8 and 16 begin with 0 and 0x. Written from the end of LLTOSTR_SIZE
 * bytes at dst, then moved to their beginning.
 */
int dt_lltostr(struct dt_scratch *s, u64 dst, u64 value, u64 base)
{
	u32 negative = base == 10 && (s64)value < 0;

	if (!s)
		return 0;
	s->work[NUM_DST] = dst;
	s->work[NUM_AT] = LLTOSTR_SIZE;
	s->work[NUM_REST] = negative ? -value : value;
	s->work[NUM_BASE] = base;
	put_front(s, 0);
	if (value == 0 && base != 8)
		put_front(s, '0');
	dt_loop(s, 64, digit_step);
	if (base == 16)
		put_front(s, 'x');
	if (base == 8 || base == 16)
		put_front(s, '0');
	if (negative)
		put_front(s, '-');
	copy_part(s, dst, dst, s->work[NUM_AT], LLTOSTR_SIZE - 1);
	return 0;
}

enum { PARSE_AT, PARSE_BASE, PARSE_LIMIT, PARSE_VALUE };

static __always_inline u32 is_space(u8 c)
{
	return c == ' ' || (u8)(c - '\t') < 5;
}

static __always_inline u32 digit_of(u8 c)
{
	u8 letter = (c | 0x20) - 'a';

	if ((u8)(c - '0') < 10)
		return c - '0';
	return letter < 26 ? letter + 10u : 255;
}

static long space_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;

	if (!is_space(at(s, s->work[PARSE_AT])))
		return 1;
	s->work[PARSE_AT]++;
	return 0;
}

/* Beyond the limit the value stays there, as strtoll(3) has it. */
static long parse_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 base = s->work[PARSE_BASE], limit = s->work[PARSE_LIMIT];
	u64 value = s->work[PARSE_VALUE], digit = digit_of(at(s, s->work[PARSE_AT]));

	if (digit >= base)
		return 1;
	s->work[PARSE_AT]++;
	if (value > (limit - digit) / base)
		value = limit;
	else
		value = value * base + digit;
	s->work[PARSE_VALUE] = value;
	return 0;
}

s64 dt_strtoll(struct dt_scratch *s, u64 text, u64 base)
{
	u32 negative;
	u8 sign;

	if (!s)
		return 0;
	s->work[PARSE_AT] = text;
	s->work[PARSE_BASE] = base;
	s->work[PARSE_VALUE] = 0;
	dt_loop(s, ROUNDS, space_step);
	sign = at(s, s->work[PARSE_AT]);
	negative = sign == '-';
	s->work[PARSE_LIMIT] = (1ULL << 63) - !negative;
	if (negative || sign == '+')
		s->work[PARSE_AT]++;
	if (base == 16 && at(s, s->work[PARSE_AT]) == '0' &&
	    (at(s, s->work[PARSE_AT] + 1) | 0x20) == 'x' &&
	    digit_of(at(s, s->work[PARSE_AT] + 2)) < 16)
		s->work[PARSE_AT] += 2;
	dt_loop(s, ROUNDS, parse_step);
	return (s64)(negative ? -s->work[PARSE_VALUE] : s->work[PARSE_VALUE]);
}

/* ---- Network addresses ---------------------------------------------------------- */

#define AF_INET 2

enum {
	NET_OUT,  /* where the next character goes */
	NET_FROM, /* the address's bytes */
	NET_GROUP,
	NET_ZEROS,
	NET_ZEROS_START, /* groups of zeros up to here */
	NET_LONGEST,
	NET_LONGEST_START, /* the most of them in a row */
};

static __always_inline void net_put(struct dt_scratch *s, u8 c)
{
	u64 out = s->work[NET_OUT];

	put(s, out, c);
	s->work[NET_OUT] = out + 1;
}

static __always_inline u8 hex_digit(u64 n, u8 ten)
{
	n &= 15;
	return (u8)(n < 10 ? '0' + n : ten + n - 10);
}

static long octet_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u8 n = at(s, s->work[NET_FROM] + i);

	if (i > 0)
		net_put(s, '.');
	if (n >= 100)
		net_put(s, '0' + n / 100);
	if (n >= 10)
		net_put(s, '0' + n / 10 % 10);
	net_put(s, '0' + n % 10);
	return 0;
}

static __always_inline u64 group(const struct dt_scratch *s, u64 i)
{
	u64 where = s->work[NET_FROM] + i * 2;

	return (u64)at(s, where) << 8 | at(s, where + 1);
}

static long zeros_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;

	if (group(s, i) != 0) {
		s->work[NET_ZEROS] = 0;
		s->work[NET_ZEROS_START] = i + 1;
		return 0;
	}
	s->work[NET_ZEROS]++;
	if (s->work[NET_ZEROS] > s->work[NET_LONGEST]) {
		s->work[NET_LONGEST] = s->work[NET_ZEROS];
		s->work[NET_LONGEST_START] = s->work[NET_ZEROS_START];
	}
	return 0;
}

/* The longest run of zeros is left out, but not a single group. */
static long group_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 start = s->work[NET_LONGEST_START], n = s->work[NET_LONGEST], g = group(s, i);

	if (n > 1 && i >= start && i < start + n) {
		if (i == start)
			net_put(s, ':');
		if (i == 7)
			net_put(s, ':');
		return 0;
	}
	if (i > 0)
		net_put(s, ':');
	if (g >= 0x1000)
		net_put(s, hex_digit(g >> 12, 'a'));
	if (g >= 0x100)
		net_put(s, hex_digit(g >> 8, 'a'));
	if (g >= 0x10)
		net_put(s, hex_digit(g >> 4, 'a'));
	net_put(s, hex_digit(g, 'a'));
	return 0;
}

/* IPv4 addresses in IPv6 ones, ::a.b.c.d and ::ffff:a.b.c.d, are shown as such. */
static __always_inline void put_ipv6(struct dt_scratch *s)
{
	u64 n;

	s->work[NET_ZEROS] = s->work[NET_ZEROS_START] = 0;
	s->work[NET_LONGEST] = s->work[NET_LONGEST_START] = 0;
	dt_loop(s, 8, zeros_step);
	n = s->work[NET_LONGEST_START] == 0 ? s->work[NET_LONGEST] : 0;
	if (n != 6 && (n != 5 || group(s, 5) != 0xffff)) {
		dt_loop(s, 8, group_step);
		return;
	}
	dt_loop(s, 6, group_step);
	net_put(s, ':');
	s->work[NET_FROM] += 12;
	dt_loop(s, 4, octet_step);
}

int dt_inet_ntop(struct dt_scratch *s, u64 dst, u64 address, u64 family)
{
	if (!s)
		return 0;
	s->work[NET_OUT] = dst;
	s->work[NET_FROM] = address;
	if (family == AF_INET)
		dt_loop(s, 4, octet_step);
	else
		put_ipv6(s);
	net_put(s, 0);
	return 0;
}

static long link_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u8 n = at(s, s->work[NET_FROM] + i);

	if (i > 0)
		net_put(s, ':');
	net_put(s, hex_digit(n >> 4, 'A'));
	net_put(s, hex_digit(n, 'A'));
	return 0;
}

int dt_link_ntop(struct dt_scratch *s, u64 dst, u64 address, u64 size)
{
	if (!s)
		return 0;
	s->work[NET_OUT] = dst;
	s->work[NET_FROM] = address;
	dt_loop(s, size & 31, link_step);
	net_put(s, 0);
	return 0;
}
