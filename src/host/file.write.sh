# shellcheck shell=sh
# Puts, changes and removes files so that no reader ever sees half of one, and so that it can be undone.
#
# Each function first saves in $HF_SAVE what its undo needs. `saved` is written last: when it is there,
# the save is whole and is never repeated, so that a second try after a crash keeps the first state.
# The bodies are subshells: they enter the folder, check that it is the one that was planned for, and
# from then on name the file relative to it, so that nobody can exchange a folder above in between.
# shellcheck disable=SC2030,SC2031,SC2094 # the helpers are called from within those subshells

# hf_put_file REAL MODE OWNER GROUP rename|in-place [VALIDATOR…]: makes $HF_INPUT the content of REAL.
# MODE, OWNER and GROUP may be `-`: as they are. A `{}` in a word of the validator is the path of the
# new content before it is in place; without it the validator runs right afterwards. Either way a
# validator that refuses leaves the old file.
hf_put_file() (
	hf_real=$1 hf_mode=$2 hf_owner=$3 hf_group=$4 hf_how=$5
	shift 5
	hf_file_enter "$hf_real" || return 1
	hf_file_save || return 1
	hf_file_drop_temp
	if [ "$hf_how" = in-place ]; then
		hf_file_validate_before "$HF_INPUT" "$@" || return 1
		hf_file_overwrite "$HF_INPUT" && hf_file_attributes "$hf_name" || return 1
		hf_file_flush "$hf_name" || return 1
	else
		hf_file_rename_over "$@" || return 1
	fi
	hf_file_validate_after "$@"
)

# hf_undo_file REAL rename|in-place: what hf_put_file and hf_remove_file found is back, links included.
hf_undo_file() (
	hf_real=$1 hf_how=$2
	[ -e "$HF_SAVE/saved" ] || return 0
	# A folder that went with all that was in it, such as the home of a user: there is no file, as before.
	if [ ! -d "${hf_real%/*}/" ] && grep -qx absent "$HF_SAVE/saved"; then return 0; fi
	hf_file_enter "$hf_real" || return 1
	hf_file_put_back
)

# hf_remove_file REAL: the name is gone; of a link the link itself.
hf_remove_file() (
	hf_real=$1
	hf_file_enter "$hf_real" || return 1
	hf_file_save || return 1
	rm -f "$hf_name" || return 1
	hf_file_flush .
)

# hf_set_file_attributes REAL MODE OWNER GROUP: the content and the inode stay; `-`: as it is.
hf_set_file_attributes() (
	hf_real=$1 hf_mode=$2 hf_owner=$3 hf_group=$4
	hf_file_enter "$hf_real" || return 1
	if [ ! -e "$HF_SAVE/saved" ]; then
		hf_file_note_saved "$(stat -c '%a %u %g' "$hf_name")" || return 1
	fi
	hf_file_set_attributes
)

# hf_undo_file_attributes REAL: mode and owner are back.
hf_undo_file_attributes() (
	hf_real=$1
	[ -e "$HF_SAVE/saved" ] || return 0
	read -r hf_mode hf_owner hf_group <"$HF_SAVE/saved"
	hf_file_enter "$hf_real" || return 1
	hf_file_set_attributes
)

# The same folder as planned, or none: `real` of hf_file is free of links.
hf_file_enter() {
	hf_folder=${1%/*}
	hf_folder=${hf_folder:-/}
	hf_name=./${1##*/}
	if ! cd -P "$hf_folder" || [ "$(pwd -P)" != "$hf_folder" ]; then
		hf_fail "$hf_folder is not the folder it was when this was planned"
	elif [ -d "$hf_name" ] && [ ! -L "$hf_name" ]; then
		hf_fail "$1 is a folder now"
	fi
}

# To the operator, as the reason of a failure.
hf_fail() {
	printf '%s\n' "$*" >&2
	return 1
}

hf_file_save() {
	if [ -e "$HF_SAVE/saved" ]; then return 0; fi
	rm -f "$HF_SAVE/file" || return 1
	if [ ! -L "$hf_name" ] && [ ! -e "$hf_name" ]; then
		hf_file_note_saved absent
	elif cp -a "$hf_name" "$HF_SAVE/file" 2>"$HF_SAVE/error" && { [ -L "$HF_SAVE/file" ] || hf_file_flush "$HF_SAVE/file"; }; then
		hf_file_note_saved present
	else
		hf_fail "$hf_real was not touched, for it could not be saved: $(hf_file_reason "$HF_SAVE")"
	fi
}

hf_file_note_saved() {
	printf '%s\n' "$*" >"$HF_SAVE/saved.new" && hf_file_flush "$HF_SAVE/saved.new" &&
		mv -f "$HF_SAVE/saved.new" "$HF_SAVE/saved" && hf_file_flush "$HF_SAVE"
}

hf_file_put_back() {
	read -r hf_state <"$HF_SAVE/saved"
	hf_file_drop_temp
	if [ "$hf_state" = absent ]; then
		rm -f "$hf_name" && hf_file_flush .
	elif [ "$hf_how" = in-place ] && [ -f "$hf_name" ]; then
		hf_file_overwrite "$HF_SAVE/file" && hf_file_copy_attributes "$HF_SAVE/file" "$hf_name" &&
			touch -r "$HF_SAVE/file" "$hf_name" && hf_file_flush "$hf_name"
	else
		hf_file_new_temp && cp -a "$HF_SAVE/file" "$hf_temp" &&
			{ [ -L "$hf_temp" ] || { hf_file_copy_acl "$HF_SAVE/file" "$hf_temp" && hf_file_flush "$hf_temp"; }; } &&
			hf_file_move_temp
		hf_status=$?
		hf_file_drop_temp
		return "$hf_status"
	fi
}

# Onto the disk: a rename that survives a power cut must not lead to a file that does not.
hf_file_flush() {
	sync "$1" || hf_fail "$1 could not be flushed to the disk"
}

# Where new content is made. The name is noted before the file exists, so that a repetition after a
# crash finds and removes what was left.
hf_file_new_temp() {
	hf_temp=$(mktemp -u ./.holdfast.XXXXXX) &&
		printf '%s\n' "${hf_folder%/}/${hf_temp#./}" >"$HF_SAVE/temp"
}

hf_file_drop_temp() {
	if [ -s "$HF_SAVE/temp" ]; then
		read -r hf_left <"$HF_SAVE/temp"
		rm -f "$hf_left"
	fi
	rm -f "$HF_SAVE/temp"
}

# The temp file is made and opened in one go (set -C: O_EXCL) and from then on known by its descriptor:
# in a folder that others can write to, nobody can slip another file in.
hf_file_rename_over() {
	hf_file_new_temp || return 1
	hf_umask=$(umask)
	umask 077
	{
		set -C
		{
			set +C
			umask "$hf_umask"
			hf_file_fill_temp
		} 7>"$hf_temp"
	} 2>"$HF_SAVE/error"
	hf_status=$?
	set +C
	umask "$hf_umask"
	if [ "$hf_status" != 0 ]; then
		hf_fail "$hf_real was not touched: $(hf_file_reason .)"
	else
		hf_file_validate_before "${hf_folder%/}/${hf_temp#./}" "$@" && hf_file_move_temp
	fi
	hf_status=$?
	hf_file_drop_temp
	return "$hf_status"
}

hf_file_fill_temp() {
	cat "$HF_INPUT" >&7 && hf_file_copy_attributes "$hf_name" /proc/self/fd/7 &&
		hf_file_attributes /proc/self/fd/7 && hf_file_flush /proc/self/fd/7
}

hf_file_move_temp() {
	mv -f "$hf_temp" "$hf_name" || return 1
	if [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null 2>&1; then restorecon "$hf_name"; fi
	hf_file_flush .
}

# Over the old bytes without truncating first: when the new content is not longer, a full disk cannot
# hurt. Not atomic; that is why it has to be asked for.
hf_file_overwrite() {
	{ cat "$1" 1<>"$hf_name" && truncate -s "$(stat -c %s "$1")" "$hf_name"; } 2>"$HF_SAVE/error" && return 0
	hf_why=$(hf_file_reason .)
	if [ "$1" = "$HF_SAVE/file" ]; then
		hf_fail "the old content of $hf_real could not be put back: $hf_why"
	else
		hf_file_overwrite "$HF_SAVE/file" && hf_fail "$hf_real could not be written: $hf_why; the old content is back"
	fi
}

# hf_file_copy_attributes FROM TO: mode, owner, access control list and extended attributes, where there is
# a FROM. Busybox knows no such thing; then mode and owner alone.
hf_file_copy_attributes() {
	if [ -L "$1" ] || [ ! -f "$1" ]; then return 0; fi
	cp --attributes-only --preserve=mode,ownership,xattr "$1" "$2" 2>/dev/null ||
		cp --attributes-only --preserve=mode,ownership "$1" "$2" 2>/dev/null ||
		{ chown "$(stat -c %u:%g "$1")" "$2" && chmod "$(stat -c %a "$1")" "$2"; } || return 1
	hf_file_copy_acl "$1" "$2"
}

# A folder can hand a list on to a new file, and cp (coreutils 9.7) does not take it away again.
hf_file_copy_acl() {
	if command -v setfacl >/dev/null 2>&1 && command -v getfacl >/dev/null 2>&1; then
		getfacl -cpn "$1" 2>/dev/null | setfacl --set-file=- "$2" 2>/dev/null
	fi
	return 0
}

# The owner first: a change of owner takes set-user-id bits away. Both ids always: through a link (and
# /proc/self/fd holds links) busybox takes a missing one from the link.
hf_file_attributes() {
	if [ "$hf_owner$hf_group" != -- ]; then
		hf_ids=$(stat -L -c %u:%g "$1") || return 1
		[ "$hf_owner" = - ] || hf_ids=$hf_owner:${hf_ids#*:}
		[ "$hf_group" = - ] || hf_ids=${hf_ids%%:*}:$hf_group
		chown "$hf_ids" "$1" || return 1
	fi
	if [ "$hf_mode" != - ]; then chmod "$hf_mode" "$1" || return 1; fi
}

# By descriptor, and only when that is the very file the name stands for: no link is followed.
hf_file_set_attributes() {
	if [ ! -f "$hf_name" ] || [ -L "$hf_name" ]; then
		hf_fail "$hf_real is no plain file now"
		return 1
	fi
	{
		if [ "$(stat -L -c '%d %i' /proc/self/fd/7)" != "$(stat -c '%d %i' "$hf_name")" ]; then
			hf_fail "$hf_real was exchanged at this moment"
		else
			[ "$hf_mode" != - ] || hf_mode=$(stat -L -c %a /proc/self/fd/7)
			hf_file_attributes /proc/self/fd/7
		fi
	} 7<"$hf_name"
}

# hf_file_validate_before PATH [VALIDATOR…]: asks a validator that takes a path about the content at PATH.
hf_file_validate_before() {
	hf_at=$1
	shift
	hf_file_takes_path "$@" || return 0
	hf_words=$#
	while [ "$hf_words" -gt 0 ]; do
		hf_word=$1
		shift
		case $hf_word in
		*'{}'*) hf_word=${hf_word%%"{}"*}$hf_at${hf_word#*"{}"} ;;
		esac
		set -- "$@" "$hf_word"
		hf_words=$((hf_words - 1))
	done
	hf_file_validate "$@" && return 0
	hf_fail "$hf_real was not touched, for $* refused the new content ($hf_refusal)"
}

hf_file_validate_after() {
	if [ $# = 0 ] || hf_file_takes_path "$@"; then return 0; fi
	hf_file_validate "$@" && return 0
	hf_file_put_back || return 1
	hf_fail "$hf_real is as it was again, for $* refused the new content ($hf_refusal)"
}

hf_file_validate() {
	hf_tool "$@" >"$HF_SAVE/validator" 2>&1
	hf_refusal=$?
	cat "$HF_SAVE/validator"
	[ "$hf_refusal" != 0 ] || return 0
	# Of many lines the one that names the mistake, or else the first.
	hf_said=$(grep -i -m 1 -e error -e emerg -e fail -e invalid -e unknown "$HF_SAVE/validator" ||
		grep -m 1 . "$HF_SAVE/validator")
	hf_refusal="exit status $hf_refusal${hf_said:+: $hf_said}"
	return 1
}

hf_file_takes_path() {
	for hf_word; do
		case $hf_word in *'{}'*) return 0 ;; esac
	done
	return 1
}

# hf_file_reason FOLDER: why nothing could be written there. That a disk is full is worth its numbers.
hf_file_reason() {
	hf_error=$(tail -n 1 "$HF_SAVE/error")
	case $hf_error in
	*'No space left'*)
		hf_free=$(df -Pk "$1" | awk 'NR == 2 { print $4 " KiB free" }')
		hf_inodes=$(df -Pi "$1" 2>/dev/null | awk 'NR == 2 && $2 > 0 && $4 == 0 { print ", no inode free" }')
		echo "its file system is full ($hf_free$hf_inodes)"
		;;
	*) echo "$hf_error" ;;
	esac
}
