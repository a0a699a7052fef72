# shellcheck shell=sh
# Waits for something that an earlier step set off. Changes nothing.

# hf_wait_for SECONDS EVERY port ADDRESS PORT | file PATH | command ARGV…
hf_wait_for() {
	hf_wait_limit=$1
	hf_wait_every=$2
	hf_wait_what=$3
	shift 3
	read -r hf_wait_now hf_wait_rest </proc/uptime
	hf_wait_start=${hf_wait_now%.*}
	hf_wait_told=0 hf_wait_passed=0
	while ! hf_wait_is "$hf_wait_what" "$@"; do
		# shellcheck disable=SC2034 # the second word is of no use
		read -r hf_wait_now hf_wait_rest </proc/uptime
		hf_wait_passed=$((${hf_wait_now%.*} - hf_wait_start))
		if [ "$hf_wait_passed" -ge "$hf_wait_limit" ]; then
			hf_fail "not so within $hf_wait_limit s: $hf_wait_seen"
			return 1
		fi
		if [ $((hf_wait_passed - hf_wait_told)) -ge 5 ]; then
			hf_wait_told=$hf_wait_passed
			hf_progress "waiting for $hf_wait_passed s: $hf_wait_seen"
		fi
		sleep "$hf_wait_every"
	done
}

hf_wait_is() {
	case $1 in
	port)
		hf_wait_seen=$(hf_wait_connect "$2" "$3") && return 0
		hf_wait_seen="port $3 of $2: $hf_wait_seen"
		;;
	file)
		if [ -e "$2" ] || [ -L "$2" ]; then return 0; fi
		hf_wait_seen="there is no $2"
		;;
	command)
		shift
		if ! hf_find_program "$1"; then
			hf_wait_seen="there is no program $1"
			return 1
		fi
		# A last try that hangs may not outlive the whole by much.
		hf_wait_left=$((hf_wait_limit - hf_wait_passed))
		if [ "$hf_wait_left" -gt 60 ]; then hf_wait_left=60; elif [ "$hf_wait_left" -lt 1 ]; then hf_wait_left=1; fi
		hf_tool timeout -k 5 "$hf_wait_left" "$@" >"$HF_SAVE/said" 2>&1
		hf_wait_rc=$?
		case $hf_wait_rc in
		0) return 0 ;;
		124 | 137) hf_wait_seen="$1: no end within $hf_wait_left s" ;;
		*) hf_wait_seen="$1: exit status $hf_wait_rc" ;;
		esac
		hf_wait_said=$(tail -c 4096 "$HF_SAVE/said" | grep . | tail -n 1)
		hf_wait_seen=$hf_wait_seen${hf_wait_said:+, $hf_wait_said}
		;;
	esac
	return 1
}

# hf_undo_wait: nothing was changed.
hf_undo_wait() {
	:
}
