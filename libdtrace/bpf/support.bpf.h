/* SPDX-License-Identifier: Apache-2.0 */
/* support.bpf.h - what the support functions stand on. */
#ifndef DT_SUPPORT_BPF_H
#define DT_SUPPORT_BPF_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define __always_inline inline __attribute__((always_inline))

/*
 * Numbers that are known when a program is loaded: the linker (codegen/support.c) puts
 * them in place of the symbols' addresses.
 */
extern const char dt_scratch_bytes[]; /* size of the scratch area */
extern const char dt_strsize[];	      /* the option */
#define dt_value(symbol) ((u64)(symbol))

/*
 * The scratch area; the linker tells the verifier its true size. Its first words
 * (DT_SCRATCH_WORK bytes of it, see codegen/cg.h) are for these functions: what a loop
 * counts up is kept there and not in a variable, whose every value the verifier would
 * follow.
 */
struct dt_scratch {
	union {
		u64 work[8];
		u8 bytes[64];
	};
};

/* Helpers, by their numbers in linux/bpf.h. */
static long (*const bpf_probe_read_kernel_str)(void *dst, u32 size, const void *src) =
    (void *)115;
static long (*const bpf_loop)(u32 rounds, void *step, void *context, u64 flags) = (void *)181;

#endif
