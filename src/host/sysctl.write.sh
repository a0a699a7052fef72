# shellcheck shell=sh
# Sets values of the kernel, now and for the next boot.

# hf_set_sysctl REAL MODE OWNER GROUP rename KEY VALUE…: makes $HF_INPUT the content of REAL, as hf_put_file
# does, and gives the KEYs (paths below /proc/sys) their VALUEs. When one does not take its value, all is as
# it was.
hf_set_sysctl() {
	hf_set_real=$1 hf_set_mode=$2 hf_set_owner=$3 hf_set_group=$4
	shift 5
	hf_sysctl_save "$@" || return 1
	hf_put_file "$hf_set_real" "$hf_set_mode" "$hf_set_owner" "$hf_set_group" rename || return 1
	hf_sysctl_write "$@" && return 0
	hf_undo_file "$hf_set_real" rename && hf_sysctl_put_back || return 1
	hf_fail "$hf_sysctl_why; all is as it was"
}

# hf_undo_sysctl REAL: the file and the values are as hf_set_sysctl found them.
hf_undo_sysctl() {
	hf_undo_file "$1" rename && hf_sysctl_put_back
}

# hf_set_sysctl_live KEY VALUE…: the same without a file.
hf_set_sysctl_live() {
	hf_sysctl_save "$@" || return 1
	hf_sysctl_write "$@" && return 0
	hf_sysctl_put_back || return 1
	hf_fail "$hf_sysctl_why; all is as it was"
}

hf_undo_sysctl_live() {
	hf_sysctl_put_back
}

# The values before, a line each: KEY, a blank, VALUE.
hf_sysctl_save() {
	if [ -e "$HF_SAVE/live" ]; then return 0; fi
	(: >"$HF_SAVE/live.new") || return 1
	while [ $# -ge 2 ]; do
		hf_sysctl_was=$(hf_sysctl_now "$1") || {
			hf_fail "/proc/sys/$1 cannot be read; nothing was done"
			return 1
		}
		printf '%s %s\n' "$1" "$hf_sysctl_was" >>"$HF_SAVE/live.new" || return 1
		hf_sysctl_swept "$1" >>"$HF_SAVE/live.new" || return 1
		shift 2
	done
	sync "$HF_SAVE/live.new" && mv -f "$HF_SAVE/live.new" "$HF_SAVE/live" && sync "$HF_SAVE"
}

# hf_sysctl_swept KEY: the values of single interfaces that the kernel changes along with one for all of them.
hf_sysctl_swept() {
	case $1 in
	net/ipv4/ip_forward | net/ipv4/conf/all/forwarding) set -- /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv4/conf/all/accept_redirects ;;
	net/ipv[46]/conf/all/*) set -- "/proc/sys/${1%%/all/*}"/*/"${1#*/all/}" ;;
	*) return 0 ;;
	esac
	for hf_sysctl_path; do
		hf_sysctl_was=$(hf_sysctl_now "${hf_sysctl_path#/proc/sys/}") || continue
		printf '%s %s\n' "${hf_sysctl_path#/proc/sys/}" "$hf_sysctl_was" || return 1
	done
}

# Twice, for one value can change another: ip_forward sets accept_redirects. All are read once more at the end.
hf_sysctl_write() {
	hf_sysctl_pairs=$(($# * 2))
	while [ "$hf_sysctl_pairs" -gt 0 ]; do
		hf_sysctl_give "$1" "$2" || return 1
		set -- "$@" "$1" "$2"
		shift 2
		hf_sysctl_pairs=$((hf_sysctl_pairs - 2))
	done
	while [ $# -ge 2 ]; do
		hf_sysctl_is=$(hf_sysctl_now "$1")
		if [ "$hf_sysctl_is" != "$2" ]; then
			hf_sysctl_why="/proc/sys/$1 was given $2 and is $hf_sysctl_is"
			return 1
		fi
		shift 2
	done
}

# hf_sysctl_give KEY VALUE: in one write, when it is not so already.
hf_sysctl_give() {
	[ "$(hf_sysctl_now "$1")" != "$2" ] || return 0
	hf_sysctl_error=$( (printf '%s\n' "$2" >"/proc/sys/$1") 2>&1) && return 0
	hf_sysctl_why="/proc/sys/$1 does not take $2: ${hf_sysctl_error##*: }"
	return 1
}

# What the kernel does not take back (some values go one way only until a reboot) stays; the rest is put
# back. A value that went with its module or interface needs nothing.
hf_sysctl_put_back() {
	[ -e "$HF_SAVE/live" ] || return 0
	hf_sysctl_stuck=
	while read -r hf_sysctl_key hf_sysctl_was; do
		if [ ! -e "/proc/sys/$hf_sysctl_key" ] || hf_sysctl_give "$hf_sysctl_key" "$hf_sysctl_was"; then continue; fi
		case $hf_sysctl_key in
		kernel/modules_disabled | kernel/kexec_load_disabled | kernel/unprivileged_bpf_disabled | kernel/yama/ptrace_scope)
			echo "$hf_sysctl_why (until the next reboot)"
			;;
		*) hf_sysctl_stuck=$hf_sysctl_why ;;
		esac
	done <"$HF_SAVE/live"
	[ -z "$hf_sysctl_stuck" ] || hf_fail "$hf_sysctl_stuck"
}
