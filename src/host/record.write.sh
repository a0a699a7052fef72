# shellcheck shell=sh
# What a run leaves about itself beside the records of its changes: the answers as they were when it went, and the
# calls that take a change back and make it again. A run folder:
#
#   run, journal, lib.sh      who, what happened, and the functions of the version that acted
#   steps.yaml                the steps as they were for this host
#   start                     what the host answered before anything was changed: question and digest, a line of JSON each
#   STEP/CHANGE/              change.json, act.sh, undo.sh, their inputs, and what the undo saved
#   STEP/after/, kept/        answers right after a step and at the end of the run: the question as a line of
#                             JSON, the status, what was said

# hf_keep INDEX QUESTION FUNCTION ARGS...: answers as hf_answer does, and keeps it in $HF_KEEP.
hf_keep() {
	hf_index=$1
	hf_question=$2
	shift 2
	hf_out=$(
		"$@" 2>/dev/null </dev/null
		echo ".$?"
	)
	hf_say "$hf_index" "${hf_out##*.}" "${hf_out%.*}"
	if [ ! -d "$HF_KEEP" ]; then return 0; fi
	printf '%s\n%s\n%s' "$hf_question" "${hf_out##*.}" "${hf_out%.*}" >"$HF_KEEP/$hf_index" || rm -f "$HF_KEEP/$hf_index"
}

# hf_keep_in PLACE: from here on answers are kept in that folder of the run, which has its name only after hf_kept.
hf_keep_in() {
	HF_KEEP=$HF_RUN/$1.new
	if [ -e "$HF_KEEP" ]; then rm -rf "$HF_KEEP"; fi
	(umask 077 && mkdir -p "$HF_KEEP") 2>/dev/null
}

# hf_kept COUNT: so many answers replace what had been kept before. Where not all of them could be written there is
# none: then nobody knows how the run left things, which is said where it matters.
hf_kept() {
	hf_kept_all=$1
	hf_kept_at=${HF_KEEP%.new}
	if [ -e "$hf_kept_at" ]; then rm -rf "$hf_kept_at"; fi
	set -- "$HF_KEEP"/*
	[ -e "$1" ] || shift
	if [ "$#" -ne "$hf_kept_all" ]; then
		rm -rf "$HF_KEEP"
		return 1
	fi
	{ mv "$HF_KEEP" "$hf_kept_at" && sync "$hf_kept_at"/* "$hf_kept_at" "${hf_kept_at%/*}"; } 2>/dev/null
}

# hf_take_back RUN STEP/CHANGE: what that change found is back. Undo scripts may be run at any moment and as often as
# one likes. `taking` says that one was begun, and holds its status if it failed; `taken` that it came to its end.
hf_take_back() {
	hf_point=/var/lib/holdfast/runs/$1/$2
	if [ ! -s "$hf_point/undo.sh" ]; then
		hf_fail "the host no longer knows how to take back $2 of run $1"
		return 1
	fi
	hf_point_was=made
	for hf_point_mark in taking taken; do
		if [ -e "$hf_point/$hf_point_mark" ]; then hf_point_was=$hf_point_mark; fi
	done
	case $hf_point_was in
	taken) mv -f "$hf_point/taken" "$hf_point/taking" || return 1 ;;
	*) (: >"$hf_point/taking") && sync "$hf_point/taking" "$hf_point" || return 1 ;;
	esac
	hf_point_run undo
	hf_point_rc=$?
	[ "$hf_point_rc" -ne 77 ] || hf_point_stale
	if [ "$hf_point_rc" -ne 0 ]; then
		echo "$hf_point_rc" >"$hf_point/taking"
		return "$hf_point_rc"
	fi
	mv -f "$hf_point/taking" "$hf_point/taken" && sync "$hf_point" || return
	# The way back in the middle of the very run: nothing of it is left to be taken back.
	case ${HF_STEP:-} in *-back*) (: >"$HF_SAVE/taken") ;; esac
}

# An undo that looks for itself found somebody else's work and left it alone: nothing of the step was done, and
# nothing was begun.
hf_point_stale() {
	case $hf_point_was in
	made) rm -f "$hf_point/taking" ;;
	taken) mv -f "$hf_point/taking" "$hf_point/taken" ;;
	esac
	sync "$hf_point"
	hf_log "step $HF_STEP moved"
	exit 75
}

# hf_give_again RUN STEP/CHANGE: the change is made again, from the very state that it was made from. Undo of
# hf_take_back: it may be called when that never began, died or failed. What died is finished first; what failed would
# fail again, and is only tried when the change cannot be made without: the way in that it brings is not withheld
# because of a way back that does not work. A try that failed is not made again beside one that did not: together they
# are one change.
hf_give_again() {
	hf_point=/var/lib/holdfast/runs/$1/$2
	if [ ! -e "$hf_point/taken" ] && [ ! -e "$hf_point/taking" ]; then return 0; fi
	if hf_point_tried "/var/lib/holdfast/runs/$1" "$2"; then
		rm -f "$hf_point/taking" "$hf_point/taken" && sync "$hf_point"
		return
	fi
	if [ ! -s "$hf_point/taking" ] || ! hf_point_run act; then
		if [ ! -e "$hf_point/taken" ]; then hf_point_run undo || echo "$2 of run $1 could not be taken back to its end"; fi
		mv -f "$hf_point/taken" "$hf_point/taking" 2>/dev/null
		hf_point_run act || return
	fi
	rm -f "$hf_point/taking" && sync "$hf_point"
}

# hf_point_tried RUNFOLDER STEP/CHANGE: whether it failed, and another try of the step made the very same change.
hf_point_tried() (
	hf_point_done() { grep -q "^[0-9]* step $1 change $2 rc 0\$" "$hf_tries/journal"; }
	hf_tries=$1 hf_try=${2%/*} hf_change=${2#*/}
	! hf_point_done "$hf_try" "$hf_change" || return 1
	for hf_one in "$1/${hf_try%%-*}" "$1/${hf_try%%-*}"-[0-9]*; do
		if hf_point_done "${hf_one##*/}" "$hf_change" && hf_point_same "$1/$2" "$hf_one/$hf_change"; then return 0; fi
	done
	return 1
)

# hf_point_same FOLDER OTHER: whether both changes were made by the same call with the same input.
hf_point_same() {
	[ "$(sed '/^HF_STEP=/d' "$1/act.sh")" = "$(sed '/^HF_STEP=/d' "$2/act.sh")" ] || return 1
	if [ ! -e "$1/act.input" ] && [ ! -e "$2/act.input" ]; then return 0; fi
	cmp -s "$1/act.input" "$2/act.input"
}

# hf_point_run undo|act: the script of a change, with the functions of its own run. HF_POINT tells it that the journal
# of that run is closed.
hf_point_run() {
	HF_POINT=yes HF_LIB='' HF_NONCE=${HF_NONCE:-} sh "$hf_point/$1.sh" </dev/null
}
