# shellcheck shell=sh
# Creates, changes and removes accounts by the host's own tools, and takes that back exactly.
#
# The tools know no undo, and a password hash must not stand on a command line. So the undo works on the
# files: of the account's own lines, and of its name among the members of groups, it makes what was saved.
# All else in the files stays as it is by then.

# Where an account has lines.
hf_account_files='passwd shadow group gshadow subuid subgid'

# hf_create_user NAME HOME|- ARGV…: ARGV creates it. HOME is to be created; `-`: none is.
hf_create_user() {
	hf_account_act "$@" || return 1
	if [ "$2" != - ] && grep -qx 'home absent' "$HF_SAVE/saved"; then
		# Whoever is killed in the middle of this may have listed a part of it.
		hf_account_home_digest "$2" >"$HF_SAVE/home.new" && mv -f "$HF_SAVE/home.new" "$HF_SAVE/home" && hf_file_flush "$HF_SAVE/home"
	fi
}

# hf_change_user NAME - ARGV…: ARGV changes it, or removes it; its home stays.
hf_change_user() {
	hf_account_act "$@"
}

# hf_undo_account NAME HOME|-: the account is as it was found. A home that was created goes when nobody
# changed anything in it.
hf_undo_account() {
	[ -e "$HF_SAVE/saved" ] || return 0
	hf_account_status=0
	for hf_account_file in $hf_account_files; do
		hf_account_restore "$1" "$hf_account_file" || hf_account_status=1
	done
	if command -v nscd >/dev/null 2>&1 && [ -z "${HF_AT_BOOT:-}" ]; then
		hf_tool timeout 5 nscd -i passwd 2>/dev/null
		hf_tool timeout 5 nscd -i group 2>/dev/null
	fi
	if [ -e "$HF_SAVE/no-mail" ] && [ ! -s "/var/mail/$1" ]; then rm -f "/var/mail/$1"; fi
	[ "$2" = - ] || hf_account_undo_home "$2" || hf_account_status=1
	return "$hf_account_status"
}

hf_account_act() {
	hf_account=$1
	hf_account_home=$2
	shift 2
	hf_account_save "$hf_account" "$hf_account_home" || return 1
	hf_tool "$@" >"$HF_SAVE/said" 2>&1
	hf_account_rc=$?
	cat "$HF_SAVE/said"
	[ "$hf_account_rc" != 0 ] || return 0
	hf_account_why=$(grep . "$HF_SAVE/said" | tail -n 1)
	hf_undo_account "$hf_account" "$hf_account_home" || return 1
	hf_fail "the account $hf_account is as it was: ${hf_account_why:-$1 said nothing, exit status $hf_account_rc}"
}

# The whole files, for they are small; hashes of passwords never leave the host.
hf_account_save() {
	[ ! -e "$HF_SAVE/saved" ] || return 0
	for hf_account_file in $hf_account_files; do
		rm -f "$HF_SAVE/$hf_account_file"
		[ -e "/etc/$hf_account_file" ] || continue
		cp -p "/etc/$hf_account_file" "$HF_SAVE/$hf_account_file" &&
			hf_file_flush "$HF_SAVE/$hf_account_file" || return 1
	done
	hf_account_found='home there'
	if [ "$2" != - ] && [ ! -e "$2" ] && [ ! -L "$2" ]; then
		hf_account_found='home absent'
		hf_account_above "$2" >"$HF_SAVE/above" && hf_file_flush "$HF_SAVE/above" || return 1
	fi
	if [ ! -e "/var/mail/$1" ]; then (: >"$HF_SAVE/no-mail") || return 1; fi
	hf_file_note_saved "$hf_account_found"
}

# hf_account_above HOME: the folders above that are not there, the lowest first: useradd makes them as well.
hf_account_above() {
	hf_account_at=${1%/*}
	while [ -n "$hf_account_at" ] && [ ! -e "$hf_account_at" ] && [ ! -L "$hf_account_at" ]; do
		printf '%s\n' "$hf_account_at"
		hf_account_at=${hf_account_at%/*}
	done
}

# hf_account_restore NAME FILE: under the lock that the tools take. Where nothing is to be put back, a lock of
# somebody is none of our business; that of a tool of ours that died is.
hf_account_restore() {
	[ -e "/etc/$2" ] || return 0
	hf_account_merged "$1" "$2" >"$HF_SAVE/$2.new" || return 1
	if cmp -s "/etc/$2" "$HF_SAVE/$2.new" && ! hf_account_left "$2"; then return 0; fi
	hf_account_lock "$2" || return 1
	hf_account_put_back "$1" "$2"
	hf_account_rc=$?
	rm -f "/etc/$2.lock"
	return "$hf_account_rc"
}

hf_account_put_back() {
	hf_account_temp=/etc/.holdfast.$2
	rm -f "$hf_account_temp"
	hf_account_merged "$1" "$2" >"$HF_SAVE/$2.new" || return 1
	if cmp -s "/etc/$2" "$HF_SAVE/$2.new"; then return 0; fi
	cp -a "/etc/$2" "$hf_account_temp" && cat "$HF_SAVE/$2.new" >"$hf_account_temp" &&
		hf_file_flush "$hf_account_temp" && mv -f "$hf_account_temp" "/etc/$2" && hf_file_flush /etc && return 0
	rm -f "$hf_account_temp"
	hf_fail "/etc/$2 could not be put back"
}

# hf_account_left FILE: whether something of ours is left beside FILE, or the lock of a process that is dead.
hf_account_left() {
	if [ -e "/etc/.holdfast.$1" ] || [ -e "/etc/.holdfast.$1.pid" ]; then return 0; fi
	hf_account_holder=$(tr -dc 0-9 <"/etc/$1.lock" 2>/dev/null)
	[ -n "$hf_account_holder" ] && ! kill -0 "$hf_account_holder" 2>/dev/null
}

# hf_account_lock FILE: as passwd(5)'s own tools do it: a link to a file that holds our process id without
# a line break. A lock whose holder is dead is taken over. Ours always has the same name: what a killed undo left
# of it, the next one removes.
hf_account_lock() {
	hf_account_tries=0
	hf_account_pid=/etc/.holdfast.$1.pid
	rm -f "$hf_account_pid"
	printf %s "$$" >"$hf_account_pid" || return 1
	until ln "$hf_account_pid" "/etc/$1.lock" 2>/dev/null; do
		hf_account_holder=$(tr -dc 0-9 <"/etc/$1.lock" 2>/dev/null)
		if [ -e "/etc/$1.lock" ] && { [ -z "$hf_account_holder" ] || ! kill -0 "$hf_account_holder" 2>/dev/null; }; then
			rm -f "/etc/$1.lock"
			continue
		fi
		hf_account_tries=$((hf_account_tries + 1))
		if [ "$hf_account_tries" -gt 20 ]; then
			rm -f "$hf_account_pid"
			hf_fail "/etc/$1 is locked by process $hf_account_holder"
			return 1
		fi
		sleep 1
	done
	rm -f "$hf_account_pid"
}

# hf_account_merged NAME FILE: the file as it is now with what is NAME's as it was saved. A line of NAME
# that is on both sides takes back only what a change of ours touches: the shell, the lock before the
# password, the expiry. So a password that was set in between stays.
hf_account_merged() {
	awk -F: -v OFS=: -v name="$1" -v file="$2" -v saved="$HF_SAVE/$2" '
		function has(list, i, n, words) {
			n = split(list, words, ",")
			for (i = 1; i <= n; i++) if (words[i] == name) return 1
			return 0
		}
		function without(list, i, n, words, rest) {
			n = split(list, words, ","); rest = ""
			for (i = 1; i <= n; i++) if (words[i] != name) rest = rest (rest == "" ? "" : ",") words[i]
			return rest
		}
		function members(now, then) {
			if (has(now) == has(then)) return now
			if (without(now) == without(then)) return then
			return has(then) ? now "," name : without(now)
		}
		function bare(hash) { sub(/^!+/, "", hash); return hash }
		BEGIN {
			while ((getline line < saved) > 0) {
				split(line, part, ":")
				if (part[1] == name) { own = own line "\n"; first = line; there = 1 }
				else if (!there) before = part[1]
				if (file ~ /group|gshadow/) { group[part[1]] = 1; third[part[1]] = part[3]; fourth[part[1]] = part[4] }
			}
			if (there && before == "") missing = own
		}
		NR == FNR { if ($1 == name) here = 1; next }
		there && !here && missing != "" { printf "%s", missing; missing = "" }
		$1 == name && !there { next }
		file ~ /group|gshadow/ && ($1 in group) {
			if (has($4) != has(fourth[$1])) $4 = members($4, fourth[$1])
			if (file == "gshadow" && has($3) != has(third[$1])) $3 = members($3, third[$1])
		}
		$1 == name && file == "passwd" { split(first, part, ":"); if ($7 != part[7]) $7 = part[7] }
		$1 == name && file == "shadow" {
			split(first, part, ":")
			if ($2 != part[2] && bare($2) == bare(part[2])) $2 = part[2]
			if ($8 != part[8]) $8 = part[8]
		}
		{ print }
		there && !here && $1 == before && !put { printf "%s", own; put = 1 }
		END { if (there && !here && before != "" && !put) printf "%s", own }
	' "/etc/$2" "/etc/$2"
}

# What a home holds: names, kinds, owners and modes, and of files the size and time of the last change.
# The empty marks that a first login and a first sudo leave are nobody's work.
hf_account_home_digest() {
	(
		cd "$1" && {
			find . ! -type d -exec stat -c '%n %f %u %g %s %Y' {} +
			find . -type d -exec stat -c '%n %f %u %g' {} +
		} | grep -v -e '^\./\.sudo_as_admin_successful [0-9a-f]* [0-9]* [0-9]* 0 ' -e '^\./\.cache [0-9a-f]* [0-9]* [0-9]*$' \
			-e '^\./\.cache/motd\.legal-displayed [0-9a-f]* [0-9]* [0-9]* 0 ' | sort | sha256sum
	)
}

hf_account_undo_home() {
	if grep -qx 'home absent' "$HF_SAVE/saved" && [ -d "$1" ] && [ ! -L "$1" ]; then
		if hf_account_home_is_new "$1"; then
			rm -rf "$1" || return 1
			hf_file_flush "${1%/*}/"
		else
			echo "$1 was left, for it is not as it was when it was created"
		fi
	fi
	[ -s "$HF_SAVE/above" ] || return 0
	while read -r hf_account_at; do
		if [ -d "$hf_account_at" ]; then rmdir "$hf_account_at" 2>/dev/null || return 0; fi
	done <"$HF_SAVE/above"
}

# Without a digest the creation was cut short: then there can only be what it copies.
hf_account_home_is_new() {
	if [ -s "$HF_SAVE/home" ]; then
		[ "$(hf_account_home_digest "$1")" = "$(cat "$HF_SAVE/home")" ]
	else
		! diff -rq /etc/skel "$1" 2>&1 | grep -qv '^Only in /etc/skel'
	fi
}
