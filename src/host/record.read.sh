# shellcheck shell=sh
# What earlier runs left on record: see record.write.sh for the folders.

# hf_run_record RUN: everything that taking it back needs, nothing when there is no such run. Lines `card=`,
# `journal=`, `start=` JSON, `change=STEP/CHANGE JSON`, `point=STEP/CHANGE STATE`, and `kept=PLACE LENGTH` with so many bytes below.
hf_run_record() {
	hf_record=/var/lib/holdfast/runs/$1
	[ -d "$hf_record" ] || return 0
	sed 's/^/card=/' "$hf_record/run" 2>/dev/null
	sed -n 's/^[0-9]* /journal=/p' "$hf_record/journal" 2>/dev/null
	sed 's/^/start=/' "$hf_record/start" 2>/dev/null
	hf_points "$1"
	for hf_one in "$hf_record"/*/*/change.json; do
		[ -s "$hf_one" ] || continue
		hf_place=${hf_one%/change.json}
		printf 'change=%s ' "${hf_place#"$hf_record/"}"
		cat "$hf_one"
	done
	for hf_one in "$hf_record"/*/after/* "$hf_record"/kept/*; do
		[ -s "$hf_one" ] || continue
		hf_place=${hf_one%/*}
		hf_text=$(
			cat "$hf_one"
			echo .
		)
		printf 'kept=%s %s\n%s\n' "${hf_place#"$hf_record/"}" "$((${#hf_text} - 1))" "${hf_text%?}"
	done
}

# hf_points RUN: `point=STEP/CHANGE made|taking|taken` for each change on record: in force, being taken back (or
# begun and never finished), taken back; and `guard=` while a guard of that run may take more of them back.
hf_points() {
	for hf_one in "/var/lib/holdfast/runs/$1"/*/*/undo.sh; do
		[ -s "$hf_one" ] || continue
		hf_place=${hf_one%/undo.sh}
		hf_is=made
		if [ -e "$hf_place/taking" ]; then hf_is=taking; elif [ -e "$hf_place/taken" ]; then hf_is=taken; fi
		printf 'point=%s %s\n' "${hf_place#"/var/lib/holdfast/runs/$1/"}" "$hf_is"
	done
	if [ -e "/var/lib/holdfast/runs/$1/guard/armed" ]; then echo guard=armed; fi
}

# hf_runs: the runs on record, the oldest first. Their ids tell the time of the machine that each came from; only one
# clock orders them all, that of this host when each was opened.
hf_runs() {
	for hf_one in /var/lib/holdfast/runs/*; do
		[ -d "$hf_one" ] || continue
		hf_begun=0
		if [ -r "$hf_one/journal" ]; then read -r hf_begun _ <"$hf_one/journal"; fi
		printf '%s %s\n' "$hf_begun" "${hf_one##*/}"
	done | sort -k 1,1n -k 2,2 | cut -d ' ' -f 2
}

# hf_later_changes RUN: what runs after that one changed and nobody took back: `run=ID`, its `card=` lines and
# `change=` lines.
hf_later_changes() {
	for hf_later in $(hf_runs | awk -v run="$1" 'seen; $1 == run { seen = 1 }'); do
		hf_later=/var/lib/holdfast/runs/$hf_later
		printf 'run=%s\n' "${hf_later##*/}"
		sed 's/^/card=/' "$hf_later/run" 2>/dev/null
		for hf_one in "$hf_later"/*/*/change.json; do
			if [ ! -s "$hf_one" ] || [ -e "${hf_one%/*}/taken" ]; then continue; fi
			printf 'change='
			cat "$hf_one"
		done
	done
}

# hf_restore_points: every run on record, the oldest first: `run=`, its `card=` lines, how many `changes=` were begun
# and how many of them are `taken=` back or `left=` to be, `size=` in KiB, `end=` as its journal says, `guard=armed`.
hf_restore_points() {
	for hf_record in $(hf_runs); do
		hf_record=/var/lib/holdfast/runs/$hf_record
		printf 'run=%s\n' "${hf_record##*/}"
		sed 's/^/card=/' "$hf_record/run" 2>/dev/null
		hf_record_counts
		hf_text=$(du -sk "$hf_record")
		printf 'size=%s\n' "${hf_text%%[!0-9]*}"
		sed -n -e 's/^[0-9]* \(closed .*\)/end=\1/p' -e 's/^[0-9]* \(settled .*\)/end=\1/p' "$hf_record/journal" 2>/dev/null | tail -n 1
		if grep -q '^[0-9]* step [0-9][^ ]* started$' "$hf_record/journal" 2>/dev/null; then echo begun=yes; fi
		if [ -e "$hf_record/guard/armed" ] || [ -e "$hf_record/guard/firing" ]; then echo guard=armed; fi
	done
}

# Reloads that were put off to the end are not taken back: what they read is. What cannot be is not left to be.
hf_record_counts() {
	hf_all=0 hf_taken=0 hf_left=0
	# shellcheck disable=SC2013 # names of folders of ours have no blanks
	for hf_place in $(sed -n 's/^[0-9]* step \([^ ]*\) change \([0-9]*\) started$/\1\/\2/p' "$hf_record/journal" 2>/dev/null | sort -u); do
		[ -s "$hf_record/$hf_place/undo.sh" ] || continue
		hf_all=$((hf_all + 1))
		if [ -e "$hf_record/$hf_place/taken" ]; then
			hf_taken=$((hf_taken + 1))
			continue
		fi
		case $hf_place in *-end*) continue ;; esac
		[ "$(tail -n 1 "$hf_record/$hf_place/undo.sh")" = 'exit 77' ] || hf_left=$((hf_left + 1))
	done
	printf 'changes=%s\ntaken=%s\nleft=%s\n' "$hf_all" "$hf_taken" "$hf_left"
}
