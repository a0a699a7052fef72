# shellcheck shell=sh
# Runs a command of a step, and its undo.

# hf_run_command ARGV…: what it prints is capped while it runs, its end is kept.
hf_run_command() {
	(: >"$HF_SAVE/started") && sync "$HF_SAVE/started" "$HF_SAVE" || return 1
	hf_command_run "$@"
}

# hf_undo_command ARGV…: the declared undo, if the command was started at all. It stands for all tries of the step: what
# it took back is not there a second time.
hf_undo_command() {
	[ -e "$HF_SAVE/started" ] || return 0
	hf_command_run "$@" || return
	for hf_command_try in "$HF_RUN/${HF_STEP%%-*}" "$HF_RUN/${HF_STEP%%-*}"-[0-9]*; do
		hf_command_try=$hf_command_try/$HF_CHANGE
		[ "$(hf_command_undo "$hf_command_try")" != "$(hf_command_undo "$HF_SAVE")" ] || rm -f "$hf_command_try/started"
	done
}

# hf_command_undo FOLDER: how that try is taken back.
hf_command_undo() {
	sed '/^HF_STEP=/d' "$1/undo.sh" 2>/dev/null
}

# Into a file and not through a pipe: a daemon that the command leaves behind would hold the pipe open
# for ever. A second process keeps the file from growing over 32 MiB, for good measure.
hf_command_run() {
	hf_command_log=$HF_SAVE/output
	# Without a place for what it says it is run all the same: it may be the way back.
	(: >"$hf_command_log") 2>/dev/null || hf_command_log=/dev/null
	(
		while sleep 2; do
			[ "$(stat -c %s "$hf_command_log")" -lt 33554432 ] || hf_command_cut
		done
	) >/dev/null 2>&1 3>&- 9>&- &
	hf_command_watch=$!
	hf_tool "$@" >>"$hf_command_log" 2>&1
	hf_command_status=$?
	kill "$hf_command_watch" 2>/dev/null
	hf_command_cut
	cat "$hf_command_log"
	[ "$hf_command_status" = 0 ] && return 0
	hf_command_last=$(grep . "$hf_command_log" | tail -n 1)
	hf_fail "exit status $hf_command_status: ${hf_command_last:-it said nothing}"
}

# The last MiB stays. The file is written to by appending, so that it may be cut under the writer.
hf_command_cut() {
	[ -f "$hf_command_log" ] || return 0
	tail -c 1048576 "$hf_command_log" >"$hf_command_log.end" &&
		cat "$hf_command_log.end" >"$hf_command_log"
	rm -f "$hf_command_log.end"
}
