# shellcheck shell=sh
# What sshd is told, what it makes of that, and where it listens. Parsed in src/resource/sshd_config/.
# shellcheck disable=SC2030,SC2031,SC2034 # functions called from within the subshells, and of other files, read these

# hf_sshd NAME [PORT…]: everything about sshd that decides what a drop-in called NAME does, and who else
# has those ports.
hf_sshd() {
	hf_sshd_there || return 0
	hf_dropin=/etc/ssh/sshd_config.d/$1
	shift
	printf 'version=%s\n' "$(sshd -V 2>&1 | grep -m 1 -o '^OpenSSH_[^ ,]*')"
	hf_sshd_units
	hf_sshd_options
	hf_sshd_file /etc/ssh/sshd_config 0
	if hf_said=$(hf_sshd_run 2>/dev/null); then
		printf '%s\n' "$hf_said" | sed 's/^/now=/'
	else
		printf 'error=%s\n' "$(hf_sshd_run 2>&1 >/dev/null | hf_sshd_error)"
	fi
	hf_listen=$(ss -Hltnp 2>/dev/null)
	hf_spots=$(hf_sshd_spots)
	printf '%s\n' "$hf_spots" | sed '/./s/^/spot=/'
	printf 'ephemeral=%s\n' "$(cat /proc/sys/net/ipv4/ip_local_port_range 2>/dev/null)"
	for hf_port; do hf_sshd_port "$hf_port"; done
}

# hf_sshd_trial NAME SETTINGS [KEYWORD…]: what sshd says to SETTINGS alone, and in their place as the drop-in
# NAME. Of the KEYWORDs the lines are left out where this sshd does not know them. Nothing is written.
hf_sshd_trial() {
	hf_sshd_there || return 0
	hf_dropin=/etc/ssh/sshd_config.d/$1
	hf_text=$2
	shift 2
	hf_sshd_unknown | sed 's/^/unknown=/'
	hf_text=$(hf_sshd_known_lines "$@")
	if ! hf_said=$(printf '%s\n' "$hf_text" | hf_sshd_run -f /dev/stdin 2>/dev/null); then
		printf 'error=%s\n' "$(printf '%s\n' "$hf_text" | hf_sshd_run -f /dev/stdin 2>&1 >/dev/null | hf_sshd_error)"
		return 0
	fi
	printf '%s\n' "$hf_said" | sed 's/^/alone=/'
	hf_config=$(hf_sshd_candidate "$hf_text" /etc/ssh/sshd_config)
	# Each may be right by itself, and the whole not: methods of authentication that are no longer on.
	if hf_said=$(printf '%s\n' "$hf_config" | hf_sshd_run -f /dev/stdin 2>/dev/null); then
		printf '%s\n' "$hf_said" | sed 's/^/after=/'
	else
		printf 'conflict=%s\n' "$(printf '%s\n' "$hf_config" | hf_sshd_run -f /dev/stdin 2>&1 >/dev/null | hf_sshd_error)"
	fi
}

# Only root can ask sshd: it reads its host keys first.
hf_sshd_there() {
	if [ "$(id -u)" != 0 ]; then
		echo root=no
	elif ! command -v sshd >/dev/null 2>&1; then
		echo sshd=no
	else
		echo sshd=yes
		return 0
	fi
	return 1
}

# hf_sshd_run [ARGS…]: `sshd -T`. It insists on /run/sshd, which is there only while ssh.service runs; where
# a socket stands in for it, one that only this process sees does. `-G` asks for less, but is new (9.3).
hf_sshd_run() {
	if [ -d /run/sshd ] || [ ! -d /run/systemd/system ]; then
		sshd -T "$@"
	elif unshare -m mount -t tmpfs none /run 2>/dev/null; then
		# shellcheck disable=SC2016 # the inner shell expands it
		unshare -m sh -c 'mount -t tmpfs -o mode=0755 none /run && install -d -m 0755 /run/sshd && exec sshd -T "$@"' sh "$@"
	elif sshd -G </dev/null >/dev/null 2>&1; then
		sshd -G "$@"
	else
		sshd -T "$@"
	fi
}

# What sshd has against a configuration, in one line without the place in our own text.
hf_sshd_error() {
	tr -d '\r' | grep . | grep -v -e 'terminating,' | sed 's|^/dev/stdin:* *l*i*n*e* *[0-9]*: ||' | head -n 3 | tr '\n' ';' | sed 's/;$//; s/;/; /g'
}

hf_sshd_unknown() {
	printf '%s\n' "$hf_text" | hf_sshd_run -f /dev/stdin 2>&1 >/dev/null | tr -d '\r' | sed -n 's/.*Bad configuration option: //p'
}

# hf_sshd_known_lines KEYWORD…: the lines of $hf_text without those of KEYWORDs that sshd does not know.
hf_sshd_known_lines() {
	hf_drop=
	for hf_word in $(hf_sshd_unknown); do
		for hf_known; do
			if [ "$(printf '%s' "$hf_word" | tr '[:upper:]' '[:lower:]')" = "$(printf '%s' "$hf_known" | tr '[:upper:]' '[:lower:]')" ]; then
				hf_drop="$hf_drop $hf_word"
			fi
		done
	done
	printf '%s\n' "$hf_text" | awk -v drop="$hf_drop" '
		BEGIN { n = split(tolower(drop), words, " "); for (i = 1; i <= n; i++) gone[words[i]] = 1 }
		!(tolower($1) in gone)'
}

# ── files ──────────────────────────────────────────────────────────────────────────────────────

# hf_sshd_keyword: takes $hf_line apart into $hf_keyword, in lower case where it matters, and $hf_args.
hf_sshd_keyword() {
	hf_args=${hf_line%"$(printf '\r')"}
	hf_args=${hf_args#"${hf_args%%[! 	]*}"}
	hf_keyword=${hf_args%%[ 	=]*}
	hf_args=${hf_args#"$hf_keyword"}
	hf_args=${hf_args#"${hf_args%%[! 	=]*}"}
	case $hf_keyword in
	[Mm][Aa][Tt][Cc][Hh]) hf_keyword=match ;;
	[Ii][Nn][Cc][Ll][Uu][Dd][Ee]) hf_keyword=include ;;
	esac
}

# hf_sshd_patterns: the patterns of an Include line, absolute, a line each.
hf_sshd_patterns() (
	set -f
	# shellcheck disable=SC2086 # words
	set -- $hf_args
	for hf_word; do
		hf_word=${hf_word#\"}
		hf_word=${hf_word%\"}
		case $hf_word in
		/*) printf '%s\n' "$hf_word" ;;
		*) printf '/etc/ssh/%s\n' "$hf_word" ;;
		esac
	done
)

# hf_sshd_covers PATTERN: whether sshd would read our drop-in by it.
hf_sshd_covers() {
	[ "${1%/*}" = "${hf_dropin%/*}" ] || return 1
	# shellcheck disable=SC2254 # a pattern
	case $hf_dropin in
	$1) return 0 ;;
	*) return 1 ;;
	esac
}

# hf_sshd_matches PATTERN: the files it stands for, in sshd's order.
hf_sshd_matches() {
	# shellcheck disable=SC2086 # a pattern
	for hf_match in $1; do
		if [ -f "$hf_match" ]; then printf '%s\n' "$hf_match"; fi
	done
}

# hf_sshd_file PATH DEPTH: a configuration file and those that it includes outside of Match blocks:
# `file`, `content`, `place` (the line that would read our drop-in), `include=LINE PATH`.
hf_sshd_file() (
	printf 'file=%s\n' "$1"
	[ -f "$1" ] || exit 0
	printf 'content=%s\n' "$(base64 -w 0 <"$1")"
	hf_number=0
	hf_includes=
	while IFS= read -r hf_line || [ -n "$hf_line" ]; do
		hf_number=$((hf_number + 1))
		case $hf_line in *[Mm][Aa][Tt][Cc][Hh]* | *[Ii][Nn][Cc][Ll][Uu][Dd][Ee]*) ;; *) continue ;; esac
		hf_sshd_keyword
		if [ "$hf_keyword" = match ]; then break; fi
		[ "$hf_keyword" = include ] || continue
		hf_includes="$hf_includes$(hf_sshd_included)
"
	done <"$1"
	printf '%s' "$hf_includes" | grep .
	[ "$2" -lt 8 ] || exit 0
	printf '%s' "$hf_includes" | sed -n 's/^include=[0-9]* //p' | while IFS= read -r hf_path; do
		hf_sshd_file "$hf_path" $(($2 + 1))
	done
)

hf_sshd_included() {
	hf_sshd_patterns | while IFS= read -r hf_pattern; do
		if hf_sshd_covers "$hf_pattern"; then printf 'place=%s\n' "$hf_number"; fi
		hf_sshd_matches "$hf_pattern" | sed "s|^|include=$hf_number |"
	done
}

# hf_sshd_candidate TEXT MAIN: the file MAIN as if the drop-in $hf_dropin held TEXT. TEXT stands for itself,
# since what has no name cannot be included.
hf_sshd_candidate() {
	hf_matching=
	while IFS= read -r hf_line || [ -n "$hf_line" ]; do
		hf_sshd_keyword
		if [ "$hf_keyword" = match ]; then hf_matching=yes; fi
		if [ "$hf_keyword" = include ] && [ -z "$hf_matching" ]; then
			hf_sshd_patterns | hf_sshd_expanded "$1"
		else
			printf '%s\n' "$hf_line"
		fi
	done <"$2"
}

hf_sshd_expanded() {
	while IFS= read -r hf_pattern; do
		if ! hf_sshd_covers "$hf_pattern"; then
			printf 'Include "%s"\n' "$hf_pattern"
			continue
		fi
		{
			hf_sshd_matches "$hf_pattern"
			printf '%s\n' "$hf_dropin"
		} | sort -u | while IFS= read -r hf_path; do
			if [ "$hf_path" = "$hf_dropin" ]; then
				printf '%s\n' "$1"
			else
				printf 'Include "%s"\n' "$hf_path"
			fi
		done
	done
}
