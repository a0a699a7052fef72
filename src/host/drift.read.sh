# shellcheck shell=sh
# What runs left here, for a comparison with how things are now. See src/engine/records.rs and left_behind.rs.

# hf_records: each run on record from `run=` on, the oldest first: lines of its card; `steps=yes` when it left its
# steps; `closed=OUTCOME`; `journal=` lines of its steps; `taken=STEP` for each step of which something was taken
# back. Two programs for each run.
hf_records() {
	for hf_left in $(hf_runs); do
		hf_left=/var/lib/holdfast/runs/$hf_left
		[ -r "$hf_left/run" ] || continue
		printf 'run=%s\n' "${hf_left##*/}"
		if [ -s "$hf_left/steps.yaml" ]; then echo steps=yes; fi
		sed -n -e '/^runbook=/p' -e '/^operator=/p' -e '/^started=/p' \
			-e '/^undoes=/p' -e '/^part=/p' "$hf_left/run"
		sed -n -e 's/^[0-9]* closed \([a-z]*\)$/closed=\1/p' \
			-e 's/^[0-9]* \(step .*\)/journal=\1/p' -e 's/^[0-9]* \(guard undo .*\)/journal=\1/p' \
			"$hf_left/journal" 2>/dev/null
		for hf_point in "$hf_left"/*/*/taken "$hf_left"/*/*/taking; do
			[ -e "$hf_point" ] || continue
			hf_point=${hf_point#"$hf_left/"}
			printf 'taken=%s\n' "${hf_point%%/*}"
		done
	done
}

# hf_left_of RUN: its steps, and what the host answered before it, after its steps and at its end: `file=BYTES NAME`
# for each file, an empty line, and the files one after the other. Before them `begun=STEP` for each folder of a step,
# in the order in which they were begun.
hf_left_of() {
	cd "/var/lib/holdfast/runs/$1" || return 1
	sed -n 's/^[0-9]* step \([^ ]*\) started$/begun=\1/p' journal 2>/dev/null
	set -- steps.yaml start [0-9]*/after/* kept/*
	for hf_file in "$@"; do
		shift
		if [ -s "$hf_file" ]; then set -- "$@" "$hf_file"; fi
	done
	[ "$#" -gt 0 ] || return 0
	stat -c 'file=%s %n' "$@" && echo && cat "$@"
}
