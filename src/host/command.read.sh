# shellcheck shell=sh
# Programs that only read: guards of commands, and checks. Their authors say that they only read; nothing
# here writes for them.

# hf_program NAME: whether there is such a program to run; functions and builtins of the shell are none.
hf_program() {
	if hf_find_program "$1"; then echo program=yes; else echo program=no; fi
}

hf_find_program() {
	case $1 in
	*/*) [ -f "$1" ] && [ -x "$1" ] && return 0 ;;
	*)
		hf_dirs=$PATH:
		while [ -n "$hf_dirs" ]; do
			[ -f "${hf_dirs%%:*}/$1" ] && [ -x "${hf_dirs%%:*}/$1" ] && return 0
			hf_dirs=${hf_dirs#*:}
		done
		;;
	esac
	return 1
}

# hf_exists PATH: whether anything is there, a dangling link included.
hf_exists() {
	if [ -e "$1" ] || [ -L "$1" ]; then echo exists=yes; else echo exists=no; fi
}

# hf_guard ARGV…: the exit status is the answer. Through timeout(1), which also makes sure that ARGV is a
# program and not one of our functions.
hf_guard() {
	if ! hf_find_program "$1"; then
		echo program=no
		return 127
	fi
	timeout 60 "$@" >/dev/null 2>&1 </dev/null
}

# hf_run ARGV…: the same within a minute.
hf_run() {
	hf_run_for 60 "$@"
}

# hf_run_for SECONDS ARGV…: runs a check and prints the ends of what it said as `stdout=BASE64`, `stderr=BASE64`, each
# of up to 1 MiB. Without temporary files: standard output goes through the pipe, errors through a
# variable, the status through descriptor 5.
hf_run_for() {
	hf_seconds=$1
	shift
	hf_find_program "$1" || {
		printf 'stdout=\nstderr=\n'
		return 127
	}
	hf_ran=$(
		{
			hf_errors=$(
				{
					{
						timeout -k 5 "$hf_seconds" "$@" 5>&- 6>&- </dev/null
						echo "status=$?" >&5
					} | hf_tail stdout >&6
				} 2>&1 | hf_tail stderr
			)
		} 5>&1 6>&1
		printf '%s\n' "$hf_errors"
	)
	printf '%s\n' "$hf_ran" | sed '/^status=/d'
	return "$(printf '%s\n' "$hf_ran" | sed -n 's/^status=//p')"
}

hf_tail() {
	printf '%s=%s\n' "$1" "$(tail -c 1048576 | base64 | tr -d '\n')"
}
