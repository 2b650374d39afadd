#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes D inlines for constants of C headers, with the values that they have on this
# machine: one file in the directory for each D library that the list names. Macros and
# enumerators alike, so a C program prints them.
#
# usage: gen-constants.sh list directory     (CC: the compiler whose headers are read)
set -eu

list=$1
directory=$2
rm -rf "$directory"
mkdir -p "$directory"
trap 'rm -f "$directory/print" "$directory/print.c"' EXIT

{
	cat <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#define SHOW(library, name) \
	printf("%s inline int %s = %lld;\n", library, #name, (long long)(name))
int main(void)
{
END
	grep -v '^#' "$list" | while IFS=: read -r library names; do
		for name in $names; do
			echo "SHOW(\"$library\", $name);"
		done
	done
	echo 'return 0; }'
} >"$directory/print.c"
${CC:-cc} -o "$directory/print" "$directory/print.c"
"$directory/print" | while read -r library constant; do
	echo "$constant" >>"$directory/$library"
done
