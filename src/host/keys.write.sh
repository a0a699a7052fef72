# shellcheck shell=sh
# Puts a file of keys for sshd, with the folder it lies in when that is not there.

# hf_put_keys USER REAL MODE user|root|- keep|make|mend: $HF_INPUT becomes the content of REAL. Its folder is
# left, made (0700, the user's), or mended so that sshd trusts it.
hf_put_keys() {
	hf_keys_owner=- hf_keys_group=-
	case $4 in
	user)
		hf_keys_owner=$(id -u "$1") && hf_keys_group=$(id -g "$1") || return 1
		;;
	root) hf_keys_owner=0 hf_keys_group=0 ;;
	esac
	hf_keys_folder "$1" "${2%/*}" "$5" || return 1
	hf_put_file "$2" "$3" "$hf_keys_owner" "$hf_keys_group" rename && return 0
	hf_undo_keys "$2"
	return 1
}

# hf_undo_keys REAL: the file is as it was found, and so is its folder.
hf_undo_keys() {
	hf_keys_at=${1%/*}
	if [ -d "$hf_keys_at" ]; then hf_undo_file "$1" rename || return 1; fi
	[ -s "$HF_SAVE/folder" ] || return 0
	read -r hf_keys_bits hf_keys_owner hf_keys_group <"$HF_SAVE/folder"
	if [ ! -d "$hf_keys_at" ] || [ -L "$hf_keys_at" ]; then return 0; fi
	if [ "$hf_keys_bits" = made ]; then
		rmdir "$hf_keys_at" 2>/dev/null || echo "$hf_keys_at was left, for something else is in it"
	else
		chown "$hf_keys_owner:$hf_keys_group" "$hf_keys_at" && chmod "$hf_keys_bits" "$hf_keys_at"
	fi
}

# hf_keys_folder USER FOLDER keep|make|mend: entered by its parent, which must be the one that was planned for.
hf_keys_folder() (
	[ "$3" != keep ] || return 0
	hf_keys_parent=${2%/*}
	if ! cd -P "${hf_keys_parent:-/}" || [ "$(pwd -P)" != "${hf_keys_parent:-/}" ]; then
		hf_fail "$hf_keys_parent is not the folder it was when this was planned"
		return 1
	fi
	hf_keys_name=./${2##*/}
	if [ "$3" = make ]; then
		hf_keys_note made
		mkdir -m 0700 "$hf_keys_name" || return 1
	elif [ -L "$hf_keys_name" ]; then
		hf_fail "$2 is a symbolic link now"
		return 1
	else
		hf_keys_note "$(stat -c '%a %u %g' "$hf_keys_name")"
		chmod go-w "$hf_keys_name" || return 1
	fi
	case $(stat -c %u "$hf_keys_name") in
	"$(id -u "$1")") return 0 ;;
	esac
	chown -h "$(id -u "$1"):$(id -g "$1")" "$hf_keys_name"
)

hf_keys_note() {
	[ ! -s "$HF_SAVE/folder" ] || return 0
	printf '%s\n' "$1" >"$HF_SAVE/folder" && hf_file_flush "$HF_SAVE/folder"
}
