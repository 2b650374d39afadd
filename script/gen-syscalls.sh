#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the names of system calls, by number, as initialisers of a C array of strings,
# for a file that includes <asm/unistd.h>: the calls of this machine's headers, and the newer
# ones that they may lack. Since 424 a new call has the same number on every architecture, so
# those are listed by hand.
#
# usage: gen-syscalls.sh file     (CC: the compiler whose headers are read)
set -eu

out=$1
tmp=$out.tmp
trap 'rm -f "$tmp"' EXIT

newer='cachestat=451 fchmodat2=452 map_shadow_stack=453 futex_wake=454 futex_wait=455
futex_requeue=456 statmount=457 listmount=458 lsm_get_self_attr=459 lsm_set_self_attr=460
lsm_list_modules=461 mseal=462 setxattrat=463 getxattrat=464 listxattrat=465
removexattrat=466 open_tree_attr=467 file_getattr=468 file_setattr=469'

# Their names: __NR_read gives read. Two of the macros are not calls.
names=$(echo '#include <asm/unistd.h>' | ${CC:-cc} -E -dM - |
	sed -n 's/^#define __NR_\([a-z_][a-z0-9_]*\)[ \t].*/\1/p' |
	grep -v -x -e syscalls -e arch_specific_syscall | sort -u)

# The numbers are left to the compiler, as some are given by other macros.
{
	echo '/* Made by script/gen-syscalls.sh. */'
	for name in $names; do
		echo "[__NR_$name] = \"$name\","
	done
	for call in $newer; do
		name=${call%=*}
		echo "$names" | grep -q -x "$name" || echo "[${call#*=}] = \"$name\","
	done
} >"$tmp"
mv "$tmp" "$out"
