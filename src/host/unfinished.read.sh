# shellcheck shell=sh
# Runs that were cut off: they began a step on this host, and nobody brought them to their end.
#
# A run's journal ends with `closed OUTCOME` when its controller came to its end here; later `settled HOW` says
# what was decided about one that did not. Runs of versions that knew no such lines have no `format` in their
# card and say nothing either way: they are left out.

# hf_unfinished: each such run from `run=` on, the newest 20. Asked on every run, so that without any a single
# program is started.
hf_unfinished() {
	hf_left_holder=.
	for hf_left in $(grep -Ls -e '^[0-9]* closed ' -e '^[0-9]* settled ' /var/lib/holdfast/runs/*/journal | tail -n 20); do
		hf_left=${hf_left%/journal}
		hf_left_tells "$hf_left/run" || continue
		grep -q '^[0-9]* step [0-9][^ ]* started$' "$hf_left/journal" || continue
		if [ "$hf_left_holder" = . ]; then hf_left_holder=$(hf_lock_run); fi
		[ "$hf_left_holder" != "${hf_left##*/}" ] || continue
		printf 'run=%s\n' "${hf_left##*/}"
		hf_left_story "$hf_left"
	done
}

# Whether its card says that it would have told of its end.
hf_left_tells() {
	while read -r hf_left_line; do
		case $hf_left_line in format=*) return 0 ;; esac
	done <"$1"
	return 1
}

hf_left_story() {
	sed -n -e '/^runbook=/p' -e '/^operator=/p' -e '/^started=/p' -e '/^version=/p' -e '/^undoes=/p' "$1/run"
	read -r hf_left_boot </proc/sys/kernel/random/boot_id
	case $(grep ' opened boot ' "$1/journal" | tail -n 1) in
	*" $hf_left_boot" | '') ;;
	*) echo restarted=yes ;;
	esac
	sed -n -e '$s/^\([0-9]*\) .*/last=\1/p' "$1/journal"
	if [ -r "$1/due" ]; then sed -e 's/^/due=/' "$1/due"; fi
	sed -n -e 's/^[0-9]* \(step .*\)/journal=\1/p' -e 's/^[0-9]* \(guard undo .*\)/journal=\1/p' "$1/journal" | tail -n 1000
}

# hf_lock_state: who holds this host now, in words, and which run; nothing when nobody does.
hf_lock_state() {
	if hf_lock_words=$(hf_lock_holder); then return 0; fi
	printf 'holder=%s\nrun=%s\n' "$hf_lock_words" "$(hf_lock_run)"
}

# The id of the run that holds this host now.
hf_lock_run() {
	if hf_lock_holder >/dev/null; then return 0; fi
	hf_left_words=$(sed -n 2p /run/holdfast.holder 2>/dev/null)
	printf '%s\n' "${hf_left_words% *}"
}
