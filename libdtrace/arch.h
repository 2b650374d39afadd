/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch.h - everything that ties the library to one architecture. Another one is supported
 * by another section here.
 *
 *	DT_ARCH_PC		the program counter, in struct pt_regs
 *	DT_ARCH_SYSCALL_NUMBER	the system call's number, in struct pt_regs; it stays there
 *				until the call returns
 *	DT_ARCH_SYSCALL_ARG0, 1	its first arguments, and
 *	DT_ARCH_SYSCALL_ARGS	its six arguments, likewise, while it is being entered
 *	DT_ARCH_COMPAT_MEMBER	of struct thread_info, and
 *	DT_ARCH_COMPAT_BITS	in it: set while a system call of 32 bits is being made, which
 *				has a number of other calls
 *	DT_ARCH_CALL_ARGS	the arguments of a function that are in registers, in struct
 *				pt_regs, while it is being entered
 *	DT_ARCH_STACK_ARGS	offset of the next argument from the stack pointer then
 *	DT_ARCH_STACK_POINTER	in struct pt_regs
 *	DT_ARCH_FRAME_POINTER	in struct pt_regs
 *	DT_ARCH_RESULT		what a function has returned, likewise
 *	DT_ARCH_PTREGS		how the kernel calls the registers that kprobes are handed
 *	DT_ARCH_NREGISTERS	words of struct pt_regs: how many registers uregs[] has
 *	DT_ARCH_LDCACHE_FLAGS	what marks this architecture's libraries in /etc/ld.so.cache
 *	DT_ARCH_LIBRARY_PATH	where the dynamic linker looks at last
 *	DT_ARCH_ELF_MACHINE	the e_machine of its object files
 *	dt_arch_register()	offset in struct pt_regs of the register that an assembler
 *				calls so, without '%'; -1: there is none. A part of one (eax)
 *				is found where the whole is
 *	dt_arch_insn_length()	bytes of the machine instruction at the start of a code of so
 *				many bytes; 0: not a valid one
 *	dt_arch_insn_traceable()	whether the kernel can put a breakpoint in its place
 *	dt_arch_insn_leaves()	whether the instruction at an offset of a function's code ends
 *				it: a return, or a jump to a place outside of it
 *	dt_arch_code_starts()	marks the bytes of a function's code that instructions begin
 *				with; false: there is something else in it, or a way into the
 *				midst of an instruction, so that none is sure
 *	dt_arch_call_begin(), dt_arch_call_pass()	where a function's arguments are
 */
#ifndef DT_ARCH_H
#define DT_ARCH_H

#include <asm/ptrace.h>
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int dt_arch_register(const char *name, size_t length);
size_t dt_arch_insn_length(const uint8_t *code, size_t size);
bool dt_arch_insn_traceable(const uint8_t *code, size_t size);
bool dt_arch_insn_leaves(const uint8_t *code, size_t size, size_t at);
bool dt_arch_code_starts(const uint8_t *code, size_t size, uint8_t *starts);

/* What a value is made of that a function is given or returns: by which it has its place. */
enum {
	DT_ARCH_WORDS = 1,    /* numbers and pointers */
	DT_ARCH_FLOATS = 2,   /* floating point, of 8 bytes at most, and vectors */
	DT_ARCH_WIDE = 4,     /* wider floating point (long double) */
	DT_ARCH_UNALIGNED = 8 /* members that are not where they would be by themselves */
};
typedef struct dt_arch_value {
	uint64_t size, align;
	uint8_t parts[2]; /* of what are its first and its second 8 bytes */
	bool is_structure; /* or a union */
	bool is_reference; /* an object's address: it is passed so, and where it is returned to
			    * the caller says */
} dt_arch_value_t;

/* How far the arguments of a call have been given their places. */
typedef struct dt_arch_call {
	uint32_t words, floats; /* registers in use */
	uint64_t stack;		/* bytes of the stack in use */
} dt_arch_call_t;

/* Before the first argument; NULL: the function returns nothing. */
void dt_arch_call_begin(dt_arch_call_t *, const dt_arch_value_t *result);
/* The next argument: the number of the word that it begins in, counted as arg0 ... are, the
 * registers of DT_ARCH_CALL_ARGS and then the stack's words; -1: it is in none of them. */
int dt_arch_call_pass(dt_arch_call_t *, const dt_arch_value_t *);

#if defined(__x86_64__)

#define DT_ARCH_PC offsetof(struct pt_regs, rip)
#define DT_ARCH_SYSCALL_NUMBER offsetof(struct pt_regs, orig_rax)
#define DT_ARCH_SYSCALL_ARGS                                                               \
	{                                                                                  \
		offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi),              \
		    offsetof(struct pt_regs, rdx), offsetof(struct pt_regs, r10),          \
		    offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9)             \
	}
#define DT_ARCH_SYSCALL_ARG0 offsetof(struct pt_regs, rdi)
#define DT_ARCH_SYSCALL_ARG1 offsetof(struct pt_regs, rsi)
#define DT_ARCH_COMPAT_MEMBER "status"
#define DT_ARCH_COMPAT_BITS 2 /* TS_COMPAT of arch/x86/include/asm/thread_info.h */
#define DT_ARCH_CALL_ARGS                                                                  \
	{                                                                                  \
		offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi),              \
		    offsetof(struct pt_regs, rdx), offsetof(struct pt_regs, rcx),          \
		    offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9)             \
	}
#define DT_ARCH_STACK_ARGS 8 /* after the return address */
#define DT_ARCH_STACK_POINTER offsetof(struct pt_regs, rsp)
#define DT_ARCH_FRAME_POINTER offsetof(struct pt_regs, rbp)
#define DT_ARCH_RESULT offsetof(struct pt_regs, rax)
#define DT_ARCH_PTREGS "pt_regs"
#define DT_ARCH_NREGISTERS (sizeof(struct pt_regs) / 8)
#define DT_ARCH_LDCACHE_FLAGS 0x0303 /* ELF, libc6, x86-64 */
#define DT_ARCH_LIBRARY_PATH                                                               \
	"/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib"
#define DT_ARCH_ELF_MACHINE EM_X86_64

#else
#error "this architecture has no section in arch.h yet"
#endif

#endif
