# SPDX-License-Identifier: Apache-2.0
# Completion of dtrace(1) for bash. Probes are asked for when a provider has been typed, since
# to list all of them takes a while; without the privileges to list any, none are offered.

# What stands in a column (provider, module, function or name) of the probes that match.
_dtrace_column() {
	"$1" -l -n "$2" 2>/dev/null | awk -v column="$3" '
		NR == 1 { next }
		# A missing module or function leaves blanks; they are told apart by where they end.
		NF == 5 { at[1] = $2; at[2] = $3; at[3] = $4 }
		NF == 4 && index($0, " " $3 " ") + length($3) <= 35 { at[1] = $2; at[2] = $3; at[3] = "" }
		NF == 4 && index($0, " " $3 " ") + length($3) > 35 { at[1] = $2; at[2] = ""; at[3] = $3 }
		NF == 3 { at[1] = $2; at[2] = at[3] = "" }
		{ at[4] = $NF; if (!(at[column] in seen)) print at[column]; seen[at[column]] }'
}

_dtrace_providers="dtrace profile syscall sdt rawtp fbt proc sched io ip tcp vminfo sysinfo cpc"

# Completes the part of a full probe description that is being typed; $3 stands before it in
# the word that is replaced.
_dtrace_probe() {
	local command=$1 typed=$2 colons part pattern words n

	colons=${typed//[^:]/}
	part=${typed##*:}
	if [[ -z $colons ]]; then
		words=$_dtrace_providers
	elif (( ${#colons} > 3 )) || [[ $typed == :* || $typed == *[\*\?\[]* ]]; then
		return
	else
		pattern="$typed*"
		for (( n = ${#colons}; n < 3; n++ )); do
			pattern+=:
		done
		words=$(_dtrace_column "$command" "$pattern" $(( ${#colons} + 1 )))
	fi
	if (( ${#colons} < 3 )); then
		COMPREPLY=($(compgen -P "$3" -S : -W "$words" -- "$part"))
		compopt -o nospace
	else
		COMPREPLY=($(compgen -P "$3" -W "$words" -- "$part"))
	fi
}

# Files, or directories (-d).
_dtrace_files() {
	COMPREPLY=($(compgen "$1" -- "$2"))
	compopt -o filenames
}

_dtrace_option() {
	local typed=$1

	case $typed in
	bufpolicy=*) COMPREPLY=($(compgen -W "switch fill ring" -- "${typed#*=}")) ;;
	bufresize=*) COMPREPLY=($(compgen -W "auto manual" -- "${typed#*=}")) ;;
	oformat=*) COMPREPLY=($(compgen -W "text json" -- "${typed#*=}")) ;;
	libdir=* | syslibdir=* | incdir=* | cpppath=*) _dtrace_files -f "${typed#*=}" ;;
	*=*) ;;
	*)
		COMPREPLY=($(compgen -W "
			aggpercpu agghist aggpack aggrate= aggsize= aggsortkey aggsortkeypos= aggsortpos=
			aggsortrev aggzoom amin= argref bufpolicy= bufresize= bufsize= cleanrate= cpp
			cpphdrs cpppath= cpu= ctypes= debug defaultargs define= demangle destructive
			droptags dtypes= dynvarsize= empty errtags evaltime= flowindent incdir= iregs=
			jstackframes= jstackstrsize= kdefs knodefs late= lazyload ldpath= libdir=
			linkmode= linktype= maxframes= modpath= nolibs noresolve nspec= oformat=
			pcapsize= preallocate= pspec quiet quietresize rawbytes recordpid scratchsize=
			specsize= stackframes= stackindent= statusrate= stdc= strip strsize= switchrate=
			syslibdir= temporal udefs undef= unodefs ustackframes= verbose version=
			zdefs" -- "$typed"))
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
		;;
	esac
}

_dtrace() {
	local command=${COMP_WORDS[0]} line=${COMP_LINE:0:COMP_POINT} current previous before=

	# bash also breaks words at ':' and '=': take them from the line, as the shell will.
	current=${line##*[[:blank:]]}
	line=${line%"$current"}
	line=${line%"${line##*[![:blank:]]}"}
	previous=${line##*[[:blank:]]}
	# But not in quotes, or when told not to: then the whole word is replaced.
	if [[ $current == [\'\"]* || $COMP_WORDBREAKS != *:* ]]; then
		current=${current#[\'\"]}
		before=${current%"${current##*:}"}
	fi

	COMPREPLY=()
	case $previous in
	-*c) COMPREPLY=($(compgen -c -- "$current")) ;;
	-*[sGo]) _dtrace_files -f "$current" ;;
	-*[IL]) _dtrace_files -d "$current" ;;
	-*p) COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current")) ;;
	-*P) COMPREPLY=($(compgen -W "$_dtrace_providers" -- "$current")) ;;
	-*[mfn]) _dtrace_probe "$command" "$current" "$before" ;;
	-*x) _dtrace_option "$current" ;;
	-*X) COMPREPLY=($(compgen -W "a c s t" -- "$current")) ;;
	-*[biDU]) ;;
	*)
		if [[ $current == -* ]]; then
			COMPREPLY=($(compgen -W "-64 -b -c -C -D -e -f -F -G -h -H -i -I -j -l -L -m -n
				-o -p -P -q -s -S -U -v -V -w -x -X -Z" -- "$current"))
		else
			_dtrace_files -f "$current"
		fi
		;;
	esac
}

complete -F _dtrace dtrace
