# shellcheck shell=sh
# Puts and removes files of sudo's rules. A file that visudo refuses never gets its name; if the whole of the
# rules is refused afterwards, or our own way to root is gone, what was there is back before we return.

# hf_put_sudoers LOGIN REAL MODE OWNER GROUP rename: as hf_put_file. LOGIN is who we are before sudo; `-`: root.
hf_put_sudoers() {
	hf_sudoers_login=$1
	shift
	hf_sudoers_way_before "$hf_sudoers_login"
	hf_put_file "$@" visudo -cf '{}' || return 1
	hf_sudoers_hold "$hf_sudoers_login" "$1"
}

# hf_remove_sudoers LOGIN REAL
hf_remove_sudoers() {
	hf_sudoers_way_before "$1"
	hf_remove_file "$2" || return 1
	hf_sudoers_hold "$1" "$2"
}

# hf_set_sudoers_attributes LOGIN REAL MODE OWNER GROUP: sudo reads a file only with the right ones.
hf_set_sudoers_attributes() {
	hf_sudoers_login=$1
	shift
	hf_sudoers_way_before "$hf_sudoers_login"
	hf_set_file_attributes "$@" || return 1
	hf_sudoers_hold "$hf_sudoers_login" "$1" attributes
}

# hf_sudoers_hold LOGIN REAL [attributes]: all of the rules are good and our way to root is as it was, or
# what was there is back.
hf_sudoers_hold() {
	if ! hf_tool visudo -c >"$HF_SAVE/visudo" 2>&1; then
		hf_sudoers_why="visudo refuses the rules as a whole: $(grep -v ': parsed OK$' "$HF_SAVE/visudo" | head -n 1)"
	elif [ "$hf_sudoers_way" = yes ] && ! hf_sudoers_way "$1"; then
		hf_sudoers_why="$1 would no longer become root by sudo without a password, which is our own way in"
	else
		return 0
	fi
	if [ "${3:-}" = attributes ]; then
		hf_undo_file_attributes "$2" || return 1
	else
		hf_undo_file "$2" rename || return 1
	fi
	hf_fail "$2 is as it was again: $hf_sudoers_why"
}

hf_sudoers_way_before() {
	hf_sudoers_way=no
	if [ "$1" != - ] && hf_sudoers_way "$1"; then hf_sudoers_way=yes; fi
}

# hf_sudoers_way LOGIN: exactly what the connection does to become root.
hf_sudoers_way() {
	hf_tool timeout 20 runuser -u "$1" -- sudo -n /bin/sh -s >/dev/null 2>&1
}
