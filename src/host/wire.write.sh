# shellcheck shell=sh
# Transactions: the part of the wire that changes a host. Sent by apply only.
#
# A step is a script of its own in the run's folder, started with setsid and its output in a file,
# so that a lost connection lets it finish. The lock (fd 9) is inherited by the step: it is free
# again when the last process of the run is gone, never before and never later.

# hf_open_run RUN HOLDER TEXT: takes the host's lock and makes the run's folder.
# Answers frame 0: status 0, or 73 and the holder's words when another run has the lock.
hf_open_run() {
	HF_RUN=/var/lib/holdfast/runs/$1
	# A failing `exec` redirection would end this shell, so try it in a subshell first. Nobody else
	# may open the lock: whoever can read a file can also lock it.
	if ! (umask 077 && : >>/run/holdfast.lock && chmod 0600 /run/holdfast.lock) 2>/dev/null; then
		hf_say 0 71 "cannot write /run/holdfast.lock"
		return 0
	fi
	exec 9>>/run/holdfast.lock
	if ! flock -n 9; then
		# Our own earlier shell, whose connection was lost without its knowing.
		hf_end_dead_shell "$1" && flock -w 5 9
	fi
	# Who only looks at the lock has it for a moment.
	if ! flock -n 9 && ! { sleep 0.2 && flock -n 9; }; then
		exec 9>&-
		hf_say 0 73 "$(sed -n 1p /run/holdfast.holder 2>/dev/null)"
		return 0
	fi
	hf_out=$(hf_guard_foreign "$1")
	if [ -n "$hf_out" ]; then
		exec 9>&-
		hf_say 0 73 "$hf_out"
		return 0
	fi
	(umask 077 && printf '%s\n%s %s\n' "$2" "$1" "$$" >/run/holdfast.holder)
	hf_out=$(hf_make_run "$3" 2>&1)
	hf_status=$?
	if [ "$hf_status" -eq 0 ]; then
		trap 'hf_sweep "$HF_RUN"; [ -e "$HF_RUN/busy" ] || (: >/run/holdfast.holder)' EXIT
		# Without these a shell that is ended while it answers would not come to that.
		trap 'exit 141' PIPE HUP TERM
		# Closed with exec: beside a function dash keeps a copy of the descriptor, and so the lock.
		(
			exec </dev/null >/dev/null 2>&1 9>&-
			hf_watch "$$"
		) &
	fi
	hf_say 0 "$hf_status" "$hf_out"
}

# hf_make_run TEXT: the run's folder, with that as its card.
hf_make_run() {
	(umask 077 && mkdir -p "$HF_RUN") || return 1
	chmod 0700 /var/lib/holdfast /var/lib/holdfast/runs "$HF_RUN" || return 1
	# The lock is ours: what an earlier shell of this run had under way, whose line was cut, is at its end.
	rm -f "$HF_RUN/busy"
	hf_sweep "$HF_RUN"
	hf_alive
	if [ -s "$HF_RUN/run" ]; then
		# Opened before: a disk that is full by now takes nothing away of that.
		hf_log_opened
		return 0
	fi
	if ! { printf '%s\n' "$1" >"$HF_RUN/run.new" && hf_log_opened && sync "$HF_RUN/run.new" && mv -f "$HF_RUN/run.new" "$HF_RUN/run"; }; then
		rm -f "$HF_RUN/run.new"
		return 1
	fi
	sync "$HF_RUN"
}

hf_log_opened() {
	hf_log "opened boot $(cat /proc/sys/kernel/random/boot_id)"
}

# hf_sweep FOLDER: what in a run's folder did not become whole. Nobody may be at work in it.
hf_sweep() {
	for hf_half in "$1"/*.new "$1"/*/*.new; do
		if [ -e "$hf_half" ]; then rm -rf "$hf_half"; fi
	done
}

# hf_close_run OUTCOME: the controller has brought the run to its end here. A run without this line that began
# a step was cut off (see unfinished.read.sh).
hf_close_run() {
	hf_log "closed $1" || hf_fail "the host's journal $HF_RUN/journal cannot be written" || return 1
	# What was under way when the host went down.
	if [ -e "$HF_RUN/busy" ]; then rm -f "$HF_RUN/busy"; fi
	hf_sweep "$HF_RUN"
}

# hf_sent: what was sent into files with `.new` behind their names has come whole: over a line that is cut in between
# nothing comes any more, and what a full disk did not take is gone. The functions of the run, above all: they are on
# the disk as long as what they undo, and half of them would undo nothing.
hf_sent() {
	for hf_new in "$HF_RUN"/*.new; do
		if [ -f "$hf_new" ]; then sync "$hf_new" && mv -f "$hf_new" "${hf_new%.new}"; fi
	done
	sync "$HF_RUN"
}

# hf_end_dead_shell RUN: ends the shell that holds the lock when it is of this very run. A step that
# still runs keeps the lock by itself.
hf_end_dead_shell() {
	hf_words=$(sed -n 2p /run/holdfast.holder 2>/dev/null)
	[ "${hf_words% *}" = "$1" ] || return 1
	hf_kill_holder "${hf_words##* }"
}

# hf_kill_holder PID: ends that shell if it really has the lock open.
hf_kill_holder() {
	[ "$(readlink "/proc/$1/fd/9" 2>/dev/null)" = /run/holdfast.lock ] || return 1
	kill -KILL "$1"
}

# hf_watch PID: ends the shell that holds the lock when nothing came from its controller for five
# minutes and no step runs. Over a cut line nobody would ever tell it that its controller is gone. It
# counts its own looks: a clock that is set anew in between is no silence.
hf_watch() {
	hf_silent=0 hf_heard=
	while sleep 15 && kill -0 "$1"; do
		hf_last=$(stat -c %y "$HF_RUN/alive")
		hf_silent=$((hf_silent + 1))
		if [ -e "$HF_RUN/busy" ] || [ "$hf_last" != "$hf_heard" ]; then hf_silent=0; fi
		hf_heard=$hf_last
		if [ "$hf_silent" -ge 20 ]; then
			hf_kill_holder "$1"
			return
		fi
	done
}

# hf_aloud FUNCTION ARGS...: an answer that also holds what went to standard error.
hf_aloud() {
	"$@" 2>&1
}

# hf_alive: the controller is still there.
hf_alive() {
	(: >"$HF_RUN/alive") 2>/dev/null
}

# hf_perform STEP SECONDS: runs $HF_RUN/STEP/step.sh to its end and answers frame 0: its status and
# the end of its output. The step writes progress frames to fd 3, which is our stdout.
hf_perform() {
	hf_dir=$HF_RUN/$1
	# On a full disk only its beginning may be there, and no functions.
	if [ ! -s "$HF_RUN/lib.sh" ] || [ "$(tail -n 1 "$hf_dir/step.sh" 2>/dev/null)" != hf_done ]; then
		hf_say 0 70 "$hf_dir/step.sh cannot be written: is the disk full?"
		return 0
	fi
	if ! (: >"$HF_RUN/busy") 2>/dev/null; then
		hf_say 0 70 "$HF_RUN/busy cannot be written: is the disk full?"
		return 0
	fi
	setsid timeout -k 10 "$2" sh "$hf_dir/step.sh" 3>&1 >"$hf_dir/output" 2>&1 </dev/null &
	hf_session=$!
	wait "$hf_session"
	hf_rc=$?
	case $hf_rc in
	# timeout(1) ends the shell of the step; what that had started may not care.
	124 | 137) hf_kill_session "$hf_session" && hf_log "step $1 failed" ;;
	esac
	hf_alive
	rm -f "$HF_RUN/busy"
	hf_say 0 "$hf_rc" "$(hf_last_words "$hf_dir/output")"
}

# hf_last_words FILE: what a step said at the end. On a full disk nothing of it is there.
hf_last_words() {
	tail -c 65536 "$1"
	if [ ! -s "$1" ] && [ "$(df -P "$HF_RUN" | awk 'NR == 2 { print $4 }')" = 0 ]; then
		echo "the disk is full: $HF_RUN cannot be written"
	fi
}

# hf_kill_session ID: ends every process of a session and waits until they are gone.
hf_kill_session() {
	for hf_try in 1 2 3 4 5; do
		hf_pids=$(hf_session_pids "$1")
		[ -n "$hf_pids" ] || return 0
		# Word splitting is meant: a list of numbers.
		# shellcheck disable=SC2086
		kill -KILL $hf_pids 2>/dev/null
		sleep "0.$hf_try"
	done
}

# hf_session_pids ID: its living processes.
hf_session_pids() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v id="$1" '
		{ pid = $1; sub(/^.*\) /, ""); if ($4 == id && $1 != "Z") print pid }'
}

# ── inside a step ──────────────────────────────────────────────────────────────────────────────

# hf_tool PROGRAM ARGS...: runs a program that may leave a daemon behind or run for long: without
# our lock and our connection, which a daemon would hold for ever.
hf_tool() {
	"$@" </dev/null 3>&- 9>&-
}

# hf_progress TEXT: tells the operator something. The connection may be gone: then nobody hears it.
hf_progress() {
	(
		trap '' PIPE
		hf_text=$(printf '%s' "$1" | tr '\n' ' ')
		printf '%s p 0 0 %s\n%s\n' "$HF_NONCE" "${#hf_text}" "$hf_text" >&3
	) 2>/dev/null
	return 0
}

# hf_log WORDS...: a line in the host's journal, on the disk before we go on.
hf_log() {
	hf_write_line "$HF_RUN/journal" "$*"
}

# hf_write_line JOURNAL WORDS: of the line before, a full disk may have taken half; it must not swallow this one.
hf_write_line() {
	hf_break=
	if [ -n "$(tail -c 1 "$1" 2>/dev/null)" ]; then
		hf_break='
'
	fi
	printf '%s%s %s\n' "$hf_break" "$(date +%s)" "$2" >>"$1" && sync "$1"
}

# hf_begin STEP: the step starts; if that cannot be written, it does not.
hf_begin() {
	HF_STEP=$1
	hf_log "step $HF_STEP started" || hf_unwritten
}

# Without a record nothing more is done.
hf_unwritten() {
	echo "the host's journal $HF_RUN/journal cannot be written"
	exit 70
}

# hf_expect DIGEST FUNCTION ARGS...: compare, the first half of compare-and-swap.
hf_expect() {
	hf_want=$1
	shift
	hf_out=$(
		"$@" 2>/dev/null </dev/null
		echo ".$?"
	)
	hf_got=$(printf '%s\n%s' "${hf_out##*.}" "${hf_out%.*}" | sha256sum)
	[ "${hf_got%% *}" = "$hf_want" ] && return 0
	hf_log "step $HF_STEP moved"
	echo "no longer as planned: $*"
	exit 75
}

# hf_change NUMBER RECORD ACT UNDO: makes the folder of a change, with what it is and the scripts that make it
# again and take it back. Nothing of it counts before hf_recorded.
hf_change() {
	HF_CHANGE=$1
	HF_SAVE=$HF_RUN/$HF_STEP/$1
	HF_INPUT=$HF_SAVE/act.input
	export HF_SAVE HF_INPUT
	(
		umask 077
		mkdir -p "$HF_SAVE" && printf '%s\n' "$2" >"$HF_SAVE/change.json" &&
			printf '%s' "$3" >"$HF_SAVE/act.sh" && printf '%s' "$4" >"$HF_SAVE/undo.sh"
	) || hf_unrecorded
}

# hf_input act|undo: bytes for $HF_INPUT of that script, base64 on stdin.
hf_input() {
	(umask 077 && base64 -d >"$HF_SAVE/$1.input") || hf_unrecorded
}

# hf_recorded: the change's record is on the disk before the change is made.
hf_recorded() {
	sync "$HF_SAVE"/* "$HF_SAVE" || hf_unrecorded
}

hf_unrecorded() {
	hf_log "step $HF_STEP failed"
	echo "cannot keep the record of the change in $HF_SAVE"
	exit 70
}

# hf_act FUNCTION ARGS...: the change itself.
hf_act() {
	hf_log "step $HF_STEP change $HF_CHANGE started" || hf_unwritten
	"$@" </dev/null
	hf_rc=$?
	hf_log "step $HF_STEP change $HF_CHANGE rc $hf_rc"
	[ "$hf_rc" -eq 0 ] && return 0
	hf_log "step $HF_STEP failed"
	exit 70
}

# hf_done: all changes of the step are made.
hf_done() {
	hf_log "step $HF_STEP done" || hf_unwritten
}
