/* SPDX-License-Identifier: Apache-2.0 */
/* support.bpf.h - what the support functions stand on. */
#ifndef DT_SUPPORT_BPF_H
#define DT_SUPPORT_BPF_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define __always_inline inline __attribute__((always_inline))

/*
 * Numbers that are known when a program is loaded: the linker (codegen/support.c) puts
 * them in place of the symbols' addresses.
 */
extern const char dt_scratch_bytes[]; /* size of the scratch area that programs use */
extern const char dt_scratch_pad[];   /* size of what is behind it: codegen/layout.c */
extern const char dt_strsize[];	      /* the option */
extern const char dt_pidns[];	      /* inode of the PID namespace */
#define dt_value(symbol) ((u64)(symbol))

/* The same for where the running kernel has a member of a structure. */
#define DT_MEMBER(structure, member)                                                       \
	extern const char dt_member__##structure##__##member[]
#define dt_offset(structure, member) dt_value(dt_member__##structure##__##member)

/*
 * The scratch area; the linker tells the verifier its true size. Its first words
 * (DT_SCRATCH_WORK bytes of it, see codegen/cg.h) are for these functions: what a loop
 * counts up is kept there and not in a variable, whose every value the verifier would
 * follow. It also keeps frames small, of which the kernel allows 512 bytes for a program
 * and all that it calls.
 */
struct dt_scratch {
	union {
		u64 work[32];
		u8 bytes[256];
	};
};

/* Helpers, by their numbers in linux/bpf.h. */
static void *(*const bpf_get_current_task)(void) = (void *)35;
static long (*const bpf_probe_read_user)(void *dst, u32 size, const void *src) =
    (void *)112;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *src) =
    (void *)113;
static long (*const bpf_probe_read_kernel_str)(void *dst, u32 size, const void *src) =
    (void *)115;
static long (*const bpf_loop)(u32 rounds, void *step, void *context, u64 flags) =
    (void *)181;

/*
 * A loop: step is called with 0, 1, ... until it returns 1. Its context can only be on the
 * stack: there is the address of the scratch area, and everything else is in its words.
 */
#define dt_loop(s, rounds, step)                                                           \
	do {                                                                               \
		struct dt_scratch *context_ = (s);                                         \
		bpf_loop((u32)(rounds), step, &context_, 0);                               \
	} while (0)

/* The most rounds that a scan of one string takes. */
#define ROUNDS dt_value(dt_strsize)

/*
 * Offsets and sizes come from generated code, but nothing here trusts them: what lies
 * outside reads as NUL and is not written.
 */
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

/* Eight characters, the first in the lowest byte. Strings begin at multiples of eight. */
static __always_inline u64 word_at(const struct dt_scratch *s, u64 offset)
{
	const u8 *where = s->bytes + offset;
	u64 word;

	if (offset >= dt_value(dt_scratch_bytes))
		return 0;
	word = *(const u64 *)where;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static __always_inline void put_word(struct dt_scratch *s, u64 offset, u64 word)
{
	u8 *where = s->bytes + offset;

	if (offset >= dt_value(dt_scratch_bytes))
		return;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	*(u64 *)where = word;
}

#define EACH_BYTE 0x0101010101010101ULL

/* The top bit of each NUL in a word of text; bits above the first may be wrong. */
static __always_inline u64 nul_bytes(u64 word)
{
	return (word - EACH_BYTE) & ~word & (EACH_BYTE << 7);
}

/*
 * Text [from, to) of the string at src becomes the string at dst, which may overlap it if
 * it lies before. The scratch area goes on for strsize bytes after dt_scratch_bytes, so the
 * copy is inside it wherever it begins.
 */
static __always_inline void copy_part(struct dt_scratch *s, u64 dst, u64 src, u64 from,
				      u64 to)
{
	u64 size = to - from + 1, limit = dt_value(dt_scratch_bytes), strsize = ROUNDS;

	if (size > strsize)
		size = strsize;
	if (dst >= limit || src + from >= limit)
		return;
	bpf_probe_read_kernel_str(&s->bytes[dst], (u32)size, &s->bytes[src + from]);
}

/* A helper counts faster than a loop: it copies the string onto itself. */
static __always_inline u64 length(struct dt_scratch *s, u64 text)
{
	long size;

	if (text >= dt_value(dt_scratch_bytes))
		return 0;
	size = bpf_probe_read_kernel_str(&s->bytes[text], (u32)ROUNDS, &s->bytes[text]);
	return size > 0 ? (u64)size - 1 : 0;
}

#endif
