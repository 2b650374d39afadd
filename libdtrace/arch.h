/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch.h - everything that ties the library to one architecture. Another one is supported
 * by another section here.
 *
 *	DT_ARCH_PC		the program counter, in struct pt_regs
 *	DT_ARCH_SYSCALL_NUMBER	the system call's number, in struct pt_regs; it stays there
 *				until the call returns
 *	DT_ARCH_SYSCALL_ARGS	its six arguments, likewise, while it is being entered
 */
#ifndef DT_ARCH_H
#define DT_ARCH_H

#include <asm/ptrace.h>
#include <stddef.h>

#if defined(__x86_64__)

#define DT_ARCH_PC offsetof(struct pt_regs, rip)
#define DT_ARCH_SYSCALL_NUMBER offsetof(struct pt_regs, orig_rax)
#define DT_ARCH_SYSCALL_ARGS                                                               \
	{                                                                                  \
		offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi),              \
		    offsetof(struct pt_regs, rdx), offsetof(struct pt_regs, r10),          \
		    offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9)             \
	}

#else
#error "this architecture has no section in arch.h yet"
#endif

#endif
