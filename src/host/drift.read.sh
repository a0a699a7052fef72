# shellcheck shell=sh
# What runs left here, for a comparison with how things are now. See src/engine/records.rs and left_behind.rs.

# hf_records: each run on record from `run=` on, the oldest first: lines of its card; `steps=yes` when it left its
# steps; `closed=OUTCOME`; `journal=` lines of its steps; `taken=STEP` for each step of which something was taken
# back (see hf_taken). Two programs for each run of which nothing was.
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
		for hf_one in $(hf_taken "$hf_left"); do printf 'taken=%s\n' "$hf_one"; done
	done
}

# hf_taken FOLDER: the folders of steps of which something was taken back in that run, a line each. Not when the step
# was made again later in the same run, and nothing of that was taken back (`3`, `3-back`, `3-2`).
hf_taken() {
	hf_taken_all=
	for hf_point in "$1"/*/*/taken "$1"/*/*/taking; do
		[ -e "$hf_point" ] || continue
		hf_point=${hf_point#"$1/"}
		hf_taken_all="$hf_taken_all ${hf_point%%/*}"
	done
	[ -n "$hf_taken_all" ] || return 0
	sed -n '/ step /p' "$1/journal" 2>/dev/null | awk -v all="$hf_taken_all" '
		# A step has a part at its end, with folders of its own.
		function part(folder) { return (folder + 0) (folder ~ /-end/ ? "-end" : "") }
		BEGIN { count = split(all, folders, " "); for (i = 1; i <= count; i++) taken[folders[i]] }
		$2 == "step" && $4 == "started" { begun[$3] = NR }
		$2 == "step" && $4 == "done" && !($3 in taken) && $3 !~ /-back/ { made[part($3)] = begun[$3] }
		END { for (one in taken) if (made[part(one)] + 0 <= begun[one] + 0) print one }'
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
