# shellcheck shell=sh
# What a host knows of an account. Read-only.

# hf_user NAME HOME GROUP…: the account NAME and what a new one would meet. Passwords are told as a word:
# `set`, `locked` (set, behind a `!`), `none`, `empty`, or `unreadable` without root.
hf_user() {
	hf_user_name=$1
	hf_user_home=$2
	shift 2
	if hf_find_program useradd && hf_find_program usermod && hf_find_program userdel; then
		echo tools=yes
	fi
	hf_user_entry=$(hf_account_entry passwd "$hf_user_name")
	if [ -n "$hf_user_entry" ]; then
		printf '%s\n' "$hf_user_entry" | awk -F: -v OFS=: '{ $2 = "x"; print "entry=" $0; exit }'
		if hf_account_is_local passwd "$hf_user_name"; then echo local=yes; else echo local=no; fi
		hf_user_shadow
	elif hf_account_entry group "$hf_user_name" >/dev/null; then
		echo own_group=yes
	fi
	if [ -d "$hf_user_home" ]; then
		stat -c 'home_there=%u %U' "$hf_user_home"
	elif [ -e "$hf_user_home" ] || [ -L "$hf_user_home" ]; then
		echo home_there=other
	fi
	hf_user_groups "$@"
}

# Which of the groups there are, and of which the account is a member, primary group included.
hf_user_groups() {
	hf_user_ids=' '
	if [ -n "$hf_user_entry" ]; then hf_user_ids=" $(id -G "$hf_user_name" 2>/dev/null) "; fi
	for hf_user_group; do
		hf_group=$(hf_account_entry group "$hf_user_group") || continue
		printf 'group=%s\n' "$hf_user_group"
		hf_group=${hf_group#*:}
		hf_group=${hf_group#*:}
		case $hf_user_ids in *" ${hf_group%%:*} "*) printf 'member=%s\n' "$hf_user_group" ;; esac
	done
}

hf_user_shadow() {
	if [ ! -r /etc/shadow ]; then
		echo password=unreadable
		return 0
	fi
	awk -F: -v name="$hf_user_name" -v today="$(($(date +%s) / 86400))" '
		$1 != name { next }
		$2 == "" { print "password=empty" }
		$2 ~ /^[!*]+$/ { print "password=none" }
		$2 ~ /^!/ && $2 !~ /^[!*]+$/ { print "password=locked" }
		$2 != "" && $2 !~ /^!/ && $2 !~ /^[!*]+$/ { print "password=set" }
		$8 ~ /^[0-9]+$/ && $8 + 0 <= today { print "expired=yes" }
		{ exit }' /etc/shadow
}

# hf_account_entry passwd|group NAME: its line, from wherever the host knows it.
hf_account_entry() {
	if command -v getent >/dev/null 2>&1; then
		getent "$1" "$2"
	else
		awk -F: -v name="$2" '$1 == name { print; found = 1; exit } END { exit !found }' "/etc/$1"
	fi
}

hf_account_is_local() {
	awk -F: -v name="$2" '$1 == name { found = 1; exit } END { exit !found }' "/etc/$1"
}
