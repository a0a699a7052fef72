# shellcheck shell=sh
# Puts a file of apt's configuration in place and keeps it only when apt then says what was predicted.

# hf_put_apt_conf REAL MODE OWNER GROUP rename KEY…: makes $HF_INPUT the content of REAL, as hf_put_file does.
# The KEYs are those of hf_apt_conf. When apt cannot read its configuration afterwards, or comes to other
# values than it came to in the rehearsal right before, the old file is back.
hf_put_apt_conf() {
	hf_put_real=$1 hf_put_mode=$2 hf_put_owner=$3 hf_put_group=$4
	shift 5
	hf_put_answer=$(hf_apt_conf "${hf_put_real##*/}" "$(cat "$HF_INPUT")" "$@")
	case $hf_put_answer in
	*broken=* | *refused=* | apt=missing | unreadable=*)
		hf_fail "$hf_put_real was not touched: $(printf '%s\n' "$hf_put_answer" | sed -n 's/^\(broken\|refused\)=//p' | head -n 1)"
		return 1
		;;
	esac
	# What the last file leaves is what counts.
	hf_put_wanted=$(printf '%s\n' "$hf_put_answer" | awk '
		/^file=/ { lines = ""; next }
		/^then=/ { lines = lines substr($0, 6) "\n" }
		END { printf "%s", lines }')
	hf_put_file "$hf_put_real" "$hf_put_mode" "$hf_put_owner" "$hf_put_group" rename || return 1
	hf_put_said=$(hf_apt_errors "$(apt-config dump 2>&1)")
	if [ -z "$hf_put_said" ] && [ "$(hf_apt_conf_now "$@")" = "$hf_put_wanted" ]; then return 0; fi
	hf_undo_file "$hf_put_real" rename || return 1
	hf_fail "$hf_put_real is as it was again: ${hf_put_said:-apt came to other values than in the rehearsal}"
}
