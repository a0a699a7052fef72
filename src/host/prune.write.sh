# shellcheck shell=sh
# Restore points are kept by count and age.

# hf_prune KEEP DAYS: removes the records of runs beyond the newest KEEP that have been silent for DAYS days, and
# prints `pruned=RUN` for each. Never one that is at work or was cut off, whose guard is not at its end, or that a run
# which stays has taken back: that one could not be taken back itself then. Never the last whole run of a runbook
# either: what is no longer as it left it is found by its record alone.
hf_prune() {
	hf_prune_keep=$1
	hf_prune_days=$2
	# What one that was ended in the middle left.
	rm -rf /var/lib/holdfast/runs/.[0-9]*
	set -- /var/lib/holdfast/runs/*
	if [ "$#" -le "$hf_prune_keep" ] || [ ! -d "$1" ]; then return 0; fi
	hf_prune_before=$(($(date +%s) - hf_prune_days * 86400))
	hf_prune_rank=0
	hf_prune_needed=' '
	hf_prune_runbooks=' '
	for hf_prune_one in $(hf_runs | tac); do
		hf_prune_one=/var/lib/holdfast/runs/$hf_prune_one
		hf_prune_rank=$((hf_prune_rank + 1))
		if hf_prune_is_last "$hf_prune_one"; then
			continue
		elif [ "$hf_prune_rank" -gt "$hf_prune_keep" ] && hf_prune_may "$hf_prune_one"; then
			# Gone from the list in one go: what is half removed is no record.
			hf_prune_bin=/var/lib/holdfast/runs/.${hf_prune_one##*/}
			rm -rf "$hf_prune_bin" && mv "$hf_prune_one" "$hf_prune_bin" && rm -rf "$hf_prune_bin" &&
				printf 'pruned=%s\n' "${hf_prune_one##*/}"
		else
			hf_prune_needed="$hf_prune_needed$(sed -n 's/^undoes=//p' "$hf_prune_one/run" 2>/dev/null) "
		fi
	done
}

# hf_prune_is_last FOLDER: whether it is the newest run of its runbook that came to a good end and was not taken back
# since. One of a part of the runbook alone has a word of its own, about that part. One whose steps are lost has none:
# it tells nobody what should be so. Asked newest first.
hf_prune_is_last() {
	grep -q '^[0-9]* closed done' "$1/journal" 2>/dev/null || return 1
	if grep -q '^[0-9]* settled undone' "$1/journal" || grep -q '^undoes=' "$1/run"; then return 1; fi
	[ -z "$(hf_taken "$1")" ] || return 1
	hf_prune_knows_steps "$1/steps.yaml" || return 1
	hf_prune_runbook=$(sed -n -e 's/^runbook=//p' -e 's/^only=/ /p' "$1/run" | tr ' \n' '::')
	case $hf_prune_runbooks in *" $hf_prune_runbook "*) return 1 ;; esac
	hf_prune_runbooks="$hf_prune_runbooks$hf_prune_runbook "
}

# hf_prune_knows_steps FILE: whether the steps of a run are there, and whole (see src/engine/whole.rs).
hf_prune_knows_steps() {
	[ -s "$1" ] || return 1
	read -r hf_prune_head _ hf_prune_sum <"$1"
	case $hf_prune_head in
	'#'*) [ "$(tail -n +2 "$1" | sha256sum)" = "$hf_prune_sum  -" ] ;;
	esac
}

hf_prune_may() {
	if [ "$1" = "${HF_RUN:-}" ] || [ ! -f "$1/run" ] || [ ! -f "$1/journal" ]; then return 1; fi
	if [ -e "$1/guard/armed" ] || [ -e "$1/guard/firing" ] || [ -e "$1/busy" ]; then return 1; fi
	case $hf_prune_needed in *" ${1##*/} "*) return 1 ;; esac
	[ "$(stat -c %Y "$1/journal")" -le "$hf_prune_before" ] || return 1
	grep -q -e '^[0-9]* closed ' -e '^[0-9]* settled ' "$1/journal" ||
		! grep -q '^[0-9]* step [^ ]* started$' "$1/journal"
}

# hf_prune_alone KEEP DAYS: the same while nobody is at work. Status 73 and the holder's words when somebody is.
hf_prune_alone() (
	umask 077
	exec 9>>/run/holdfast.lock
	if ! flock -n 9 && ! { sleep 0.2 && flock -n 9; }; then
		sed -n 1p /run/holdfast.holder
		exit 73
	fi
	hf_prune "$@"
)
