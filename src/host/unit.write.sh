# shellcheck shell=sh
# Puts and removes files of systemd's units. systemd ignores what it does not understand and says so only on
# stderr of `systemd-analyze verify`; so that is read before a file gets its name.

# hf_put_unit UNIT REAL MODE OWNER GROUP rename
hf_put_unit() {
	hf_unit_name=$1
	shift
	hf_unit_note "$hf_unit_name" && hf_unit_verify "$hf_unit_name" "$1" && hf_unit_make_folder "$1" || return 1
	if hf_put_file "$@" && hf_unit_reread "$hf_unit_name"; then return 0; fi
	hf_unit_take_back "$hf_unit_name" "$1"
}

# hf_set_unit_attributes UNIT REAL MODE OWNER GROUP
hf_set_unit_attributes() {
	shift
	hf_set_file_attributes "$@"
}

# hf_remove_unit UNIT REAL
hf_remove_unit() {
	hf_unit_note "$1" && hf_remove_file "$2" || return 1
	hf_unit_reread "$1" || hf_unit_take_back "$1" "$2"
}

# hf_reread_units UNIT: systemd reads all of its files again.
hf_reread_units() {
	hf_unit_reread "$1"
}

# hf_undo_unit UNIT REAL: the file is as it was found; a unit that was not known before is not enabled either.
hf_undo_unit() {
	hf_unit_folder=${2%/*}
	if [ ! -e "$HF_SAVE/saved" ]; then
		hf_unit_drop_folder
		return 0
	fi
	if [ -s "$HF_SAVE/unit" ] && grep -qx 'LoadState=not-found' "$HF_SAVE/unit" && [ "${2##*/}" = "$1" ] && [ -e "$2" ]; then
		hf_tool systemctl --quiet --no-reload disable "$1" 2>/dev/null
	fi
	if [ -d "$hf_unit_folder" ]; then hf_undo_file "$2" rename || return 1; fi
	hf_unit_drop_folder
	hf_tool systemctl daemon-reload
}

# A folder that was made, when nothing else is in it by now.
hf_unit_drop_folder() {
	if [ -e "$HF_SAVE/made" ] && [ -d "$hf_unit_folder" ]; then rmdir "$hf_unit_folder" 2>/dev/null; fi
	return 0
}

# hf_undo_reread UNIT: nothing was changed but what systemd knows of its files.
hf_undo_reread() {
	:
}

hf_unit_take_back() {
	hf_unit_reason=$(cat "$HF_SAVE/reason" 2>/dev/null)
	hf_undo_unit "$1" "$2"
	[ -z "$hf_unit_reason" ] || hf_fail "$2 is as it was again: $hf_unit_reason"
	return 1
}

hf_unit_note() {
	[ ! -s "$HF_SAVE/unit" ] || return 0
	case $1 in
	*@.*) echo LoadState=template >"$HF_SAVE/unit" ;;
	*) systemctl show --no-pager -p LoadState,FragmentPath "$1" >"$HF_SAVE/unit" ;;
	esac
	hf_file_flush "$HF_SAVE/unit"
}

hf_unit_make_folder() {
	[ ! -d "${1%/*}" ] || return 0
	(: >"$HF_SAVE/made") && hf_file_flush "$HF_SAVE/made" && mkdir -m 0755 "${1%/*}"
}

hf_unit_reread() {
	rm -f "$HF_SAVE/reason"
	hf_tool systemctl daemon-reload || return 1
	case $1 in *@.*) return 0 ;; esac
	case $(hf_unit "$1" LoadState) in
	bad-setting | error)
		echo "systemd cannot load $1: $(hf_unit "$1" LoadError)" >"$HF_SAVE/reason"
		return 1
		;;
	esac
}

# hf_unit_verify UNIT REAL: what systemd would say of $HF_INPUT as REAL. Messages about other files and other
# units are none of our business.
hf_unit_verify() {
	command -v systemd-analyze >/dev/null 2>&1 || return 0
	hf_unit_at=$HF_SAVE/verify
	rm -rf "$hf_unit_at" && mkdir "$hf_unit_at" || return 1
	hf_unit_new=$hf_unit_at/${2##*/}
	if [ "${2##*/}" != "$1" ]; then
		hf_unit_new=$hf_unit_at/$1.d/${2##*/}
		mkdir "$hf_unit_at/$1.d" && hf_unit_base "$1" "$hf_unit_at/$1" || return 1
	fi
	cp "$HF_INPUT" "$hf_unit_new" || return 1
	# Where the files above lie is private to root, and so must not be judged.
	SYSTEMD_COLORS=0 SYSTEMD_LOG_COLOR=0 hf_tool timeout 60 systemd-analyze --man=no verify "$hf_unit_at/$1" >"$HF_SAVE/verified" 2>&1
	hf_unit_said=$(sed "s/$(printf '\033')\\[[0-9;]*m//g" "$HF_SAVE/verified" |
		HF_NEW=$hf_unit_new HF_UNIT=$1 HF_OWN=$([ "${2##*/}" = "$1" ] && echo yes) awk '
			index($0, ENVIRON["HF_NEW"] ":") == 1 { print "line " substr($0, length(ENVIRON["HF_NEW"]) + 2); next }
			ENVIRON["HF_OWN"] == "yes" && index($0, ENVIRON["HF_UNIT"] ": ") == 1 { print }')
	rm -rf "$hf_unit_at"
	[ -n "$hf_unit_said" ] || return 0
	printf '%s\n' "$hf_unit_said"
	hf_fail "$2 was not touched, for systemd-analyze says of the new content: $(printf '%s\n' "$hf_unit_said" | head -n 1)"
}

# The unit that a drop-in is for, as it is; without one a stand-in.
hf_unit_base() {
	hf_unit_from=
	case $1 in
	*@.*) ;;
	*) hf_unit_from=$(hf_unit "$1" FragmentPath) ;;
	esac
	if [ -f "$hf_unit_from" ]; then
		cp "$hf_unit_from" "$2"
	elif [ "${1##*.}" = service ]; then
		printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' >"$2"
	else
		printf '[Unit]\nDescription=%s\n' "$1" >"$2"
	fi
}
