#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the D libraries as C, one entry a declaration, and an index of the names that each
# declares, so that a program costs the compiling of what it uses. The libraries keep to
# this form: a declaration begins in the first column and ends with the first line that ends
# in ';' outside braces; comments stand on lines of their own between declarations. A
# translator to x_t is found as one to struct x.
#
# usage: gen-dlib.sh output library.d ...
set -eu

out=$1
shift
trap 'rm -f "$out.tmp" "$out.names"' EXIT

LC_ALL=C awk -v names="$out.names" '
function last_word(text,    words, n) {
	gsub(/[^A-Za-z0-9_]+/, " ", text)
	sub(/ +$/, "", text)
	n = split(text, words, " ")
	return words[n]
}

function name(kind, word) {
	printf "%s %s %d\n", kind, word, count >names
}

# What the declaration that has just ended is called.
function index_names(text, head,    word) {
	head = text
	sub(/^typedef /, "", head)
	if (match(head, /^(struct|union|enum) [A-Za-z_0-9]+ *\{/)) {
		split(head, word, " ")
		name("DT_DLIB_" toupper(word[1]), word[2])
	}
	if (text ~ /^typedef /) {
		name("DT_DLIB_TYPEDEF", last_word(text))
	} else if (text ~ /^inline /) {
		sub(/ = .*/, "", head)
		sub(/\[.*/, "", head)
		name("DT_DLIB_NAME", last_word(head))
	} else if (text ~ /^translator /) {
		sub(/<.*/, "", head)
		head = last_word(head)
		sub(/_t$/, "", head)
		name("DT_DLIB_TRANSLATOR", head)
	} else if (text ~ /^provider /) {
		split(text, word, " ")
		name("DT_DLIB_PROVIDER", word[2])
	}
}

BEGIN {
	print "/* Made by script/gen-dlib.sh. */"
	print "static const dt_dlibtext_t dlib_texts[] = {"
}
FNR == 1 {
	file = FILENAME
	sub(/.*\//, "", file)
}
!open && /^[a-z]/ {
	open = 1
	depth = 0
	text = ""
	printf "{\"%s\", %d,", file, FNR
}
open {
	line = $0
	text = text line "\n"
	gsub(/\\/, "\\\\", line)
	gsub(/"/, "\\\"", line)
	printf "\n\"%s\\n\"", line
	depth += gsub(/{/, "{") - gsub(/}/, "}")
	if (depth == 0 && /;$/) {
		print "},"
		index_names(text)
		count++
		open = 0
	}
}
END {
	print "};"
}' "$@" >"$out.tmp"

{
	echo 'static const dt_dlibname_t dlib_names[] = {'
	LC_ALL=C sort -k2,2 -k1,1 "$out.names" |
		while read -r kind word text; do
			echo "{$kind, \"$word\", $text},"
		done
	echo '};'
	echo 'static const char *const dlib_files[] = {'
	for file; do
		echo "\"${file##*/}\","
	done
	echo '};'
} >>"$out.tmp"
mv "$out.tmp" "$out"
