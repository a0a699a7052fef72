# shellcheck shell=sh
# What becomes of runs that were cut off. See unfinished.read.sh.

# hf_settle RUN WORDS: what was decided about it, on record for whoever looks next.
hf_settle() {
	hf_settled=/var/lib/holdfast/runs/$1
	[ -d "$hf_settled" ] || hf_fail "there is no record of run $1" || return 1
	hf_write_line "$hf_settled/journal" "settled $2" ||
		hf_fail "$hf_settled/journal cannot be written" || return 1
	# What kept the lock while a step ran, and what was just coming when the line was cut.
	rm -f "$hf_settled/busy"
	hf_sweep "$hf_settled"
}

# hf_settle_alone RUN WORDS: the same in a shell of its own that does not hold the host's lock: nobody else may
# be at work meanwhile. Status 73 and the holder's words when somebody is.
hf_settle_alone() (
	umask 077
	exec 9>>/run/holdfast.lock
	if ! flock -n 9 && ! { sleep 0.2 && flock -n 9; }; then
		sed -n 1p /run/holdfast.holder
		exit 73
	fi
	hf_settle "$@"
)

# hf_end_dead_run RUN: the controller of that run is known to be gone, so its shell here, of which nobody told
# it over a cut line, is ended. A step that still runs keeps the lock by itself.
hf_end_dead_run() {
	hf_end_dead_shell "$1" && sleep 0.2
	hf_lock_holder
}
