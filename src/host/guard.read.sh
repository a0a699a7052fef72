# shellcheck shell=sh
# What became of guards: those of runs that nobody told about yet, and one in particular. See guard.write.sh.
#
# States: `armed` (the host restores itself when the time is up), `firing` (it does so now), `fired` (it did),
# `disarmed` (a new login proved that it need not), `none`.

# hf_guards: guards that are armed, at work, or fired and were not told of, each from `run=` on. Asked on every
# run, so that without any nothing is started.
hf_guards() {
	for hf_guard in /var/lib/holdfast/runs/*/guard; do
		if [ -e "$hf_guard/armed" ] || [ -e "$hf_guard/firing" ]; then
			:
		elif [ ! -e "$hf_guard/fired" ] || [ -e "$hf_guard/told" ]; then
			continue
		fi
		hf_guard_run=${hf_guard%/guard}
		hf_guard_run=${hf_guard_run##*/}
		printf 'run=%s\n' "$hf_guard_run"
		hf_guard_state "$hf_guard_run"
		sed -n -e 's/^runbook=/&/p' -e 's/^operator=/&/p' -e 's/^started=/&/p' "${hf_guard%/guard}/run" 2>/dev/null
		printf 'holder=%s\n' "$(hf_lock_holder)"
	done
}

# hf_guard_state RUN: `state`, seconds `left` while it is armed, and what was taken back once it has fired.
hf_guard_state() {
	hf_guard_of=/var/lib/holdfast/runs/$1/guard
	hf_guard_is=none
	for hf_guard_one in disarmed armed firing fired; do
		if [ -e "$hf_guard_of/$hf_guard_one" ]; then hf_guard_is=$hf_guard_one; fi
	done
	printf 'state=%s\n' "$hf_guard_is"
	case $hf_guard_is in
	armed) printf 'left=%s\n' "$(hf_guard_left "$1")" ;;
	# Killed in the middle of it: whoever restores holds the lock.
	firing) if [ -r "$hf_guard_of/lock" ] && flock -n "$hf_guard_of/lock" true; then echo idle=yes; fi ;;
	fired) hf_guard_came_of "$hf_guard_of" ;;
	esac
}

# A disk that was full took no record: then nobody knows, and that is said as it is.
hf_guard_came_of() {
	if [ -s "$1/restored" ]; then
		cat "$1/restored"
	else
		printf 'changes=%s\nfailed=%s\n' "$(grep -c . "$1/changes")" "$(grep -c . "$1/changes")"
	fi
}

# hf_guard_left RUN: seconds until the guard fires. The time lies in /run: what a restart took away is up.
hf_guard_left() {
	hf_guard_end=0
	if [ -r "/run/holdfast.guard.$1" ]; then read -r hf_guard_end <"/run/holdfast.guard.$1"; fi
	read -r hf_guard_now _ </proc/uptime
	echo "$((hf_guard_end - ${hf_guard_now%%.*}))"
}

# hf_listens PORT: who listens there, and whether an SSH server greets at that port of this very machine.
hf_listens() {
	ss -Hltnp "sport = :$1" 2>/dev/null | awk '
		{ who = "somebody"; if (match($0, /\(\("[^"]+"/)) who = substr($0, RSTART + 3, RLENGTH - 4); print "listens=" who " on " $4 }'
	hf_listens_at=${HF_CONNECTION:-${SSH_CONNECTION:-}}
	hf_listens_at=${hf_listens_at% *}
	hf_listens_at=${hf_listens_at##* }
	if command -v ssh-keyscan >/dev/null 2>&1; then
		case $(timeout 5 ssh-keyscan -T 4 -p "$1" "${hf_listens_at:-127.0.0.1}" 2>&1) in
		*SSH-2.0*) echo greets=yes ;;
		*) echo greets=no ;;
		esac
	fi
}
