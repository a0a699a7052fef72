# shellcheck shell=sh
# Changes what sshd is told and makes it take it, so that it can be undone at any moment: files first, then
# the reload or, where systemd listens for sshd, the socket; then it is looked at where sshd listens.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # functions of other files set and read these

# hf_set_sshd DROP_IN MAIN NAME SPOTS EFFECTIVE [MAIN_TEXT]: $HF_INPUT, if there is one, becomes DROP_IN and
# MAIN_TEXT becomes MAIN (`-`: it stays). Afterwards sshd listens on SPOTS (ADDRESS:PORT with blanks between)
# and `sshd -T` has the lines EFFECTIVE; else all is put back.
hf_set_sshd() {
	hf_sshd_note_state || return 1
	hf_sshd_learn
	hf_sshd_rehearse "$3" "$5" "${6-}" || return 1
	(: >"$HF_SAVE/touched") && sync "$HF_SAVE/touched" "$HF_SAVE" || return 1
	if hf_sshd_write "$1" "$2" "${6-}" && hf_sshd_take "$4" && hf_sshd_proves "$5"; then return 0; fi
	hf_progress "sshd did not take it: putting back what was"
	hf_reason=$hf_sshd_why
	hf_undo_sshd "$1" "$2" || return 1
	hf_fail "sshd is as it was again, for $hf_reason"
}

# hf_undo_sshd DROP_IN MAIN: the files are back, and sshd goes by them. Before sshd is started, at boot, the
# files are enough.
hf_undo_sshd() {
	[ -e "$HF_SAVE/touched" ] || return 0
	hf_sshd_back main "$2" && hf_sshd_back drop_in "$1" || return 1
	hf_sshd_read_state
	if [ -n "${HF_AT_BOOT-}" ]; then
		# A generator may make the socket's ports of these files.
		if [ "$hf_sshd_was" = socket ]; then hf_tool timeout 60 systemctl daemon-reload; fi
		return 0
	fi
	hf_sshd_why=
	hf_sshd_take "$(cat "$HF_SAVE/spots")" || hf_fail "the files of sshd are back, but $hf_sshd_why"
}

# What runs before anything is touched. `saved` comes last and is never written twice.
hf_sshd_note_state() {
	if [ -e "$HF_SAVE/saved" ]; then return 0; fi
	hf_sshd_look
	printf '%s\n' "$hf_spots" | tr '\n' ' ' >"$HF_SAVE/spots" &&
		printf '%s %s\n' "$hf_sshd_mode" "$hf_sshd_active" >"$HF_SAVE/saved.new" &&
		mv -f "$HF_SAVE/saved.new" "$HF_SAVE/saved" && sync "$HF_SAVE/saved" "$HF_SAVE/spots" "$HF_SAVE"
}

hf_sshd_read_state() {
	hf_sshd_was=idle hf_sshd_was_active=no
	read -r hf_sshd_was hf_sshd_was_active <"$HF_SAVE/saved"
}

# Sets $hf_sshd_mode (service, socket or idle), $hf_sshd_unit, $hf_sshd_active, $hf_sshd_socket and $hf_spots.
hf_sshd_look() {
	hf_sshd_unit='' hf_sshd_active=no hf_sshd_socket=''
	if [ -d /run/systemd/system ]; then hf_sshd_find_units; fi
	hf_listen=$(ss -Hltnp 2>/dev/null)
	hf_spots=$(hf_sshd_spots)
	if [ -n "$hf_sshd_socket" ]; then
		hf_sshd_mode=socket
	elif [ "$hf_sshd_active" = yes ] || [ -n "$hf_spots" ]; then
		hf_sshd_mode=service
	else
		hf_sshd_mode=idle
	fi
}

# hf_sshd_rehearse NAME EFFECTIVE MAIN_TEXT: sshd is asked about the files as they will be, through a pipe.
hf_sshd_rehearse() {
	hf_dropin=/etc/ssh/sshd_config.d/$1
	hf_main=/etc/ssh/sshd_config
	if [ -n "$3" ]; then
		hf_main=$HF_SAVE/main.text
		printf '%s' "$3" >"$hf_main" || return 1
	fi
	if [ -e "$HF_INPUT" ]; then hf_text=$(cat "$HF_INPUT"); else hf_text=$(cat "$hf_dropin" 2>/dev/null); fi
	hf_config=$(hf_sshd_candidate "$hf_text" "$hf_main")
	if ! hf_said=$(printf '%s\n' "$hf_config" | hf_sshd_run -f /dev/stdin 2>/dev/null); then
		hf_fail "nothing was touched, for sshd refuses it: $(printf '%s\n' "$hf_config" |
			hf_sshd_run -f /dev/stdin 2>&1 >/dev/null | hf_sshd_error)"
		return 1
	fi
	hf_sshd_lacks "$2" || return 0
	hf_fail "nothing was touched, for sshd would not have in effect: $hf_lack"
}

# hf_sshd_lacks LINES: whether one of them is not in $hf_said; $hf_lack is that line.
hf_sshd_lacks() {
	hf_lack=$(printf '%s\n' "$1" | while IFS= read -r hf_line; do
		[ -n "$hf_line" ] || continue
		printf '%s\n' "$hf_said" | grep -Fqx -e "$hf_line" || {
			printf '%s\n' "$hf_line"
			break
		}
	done)
	[ -n "$hf_lack" ]
}

# hf_sshd_write DROP_IN MAIN MAIN_TEXT: our file first, so that at no time a port is missing.
hf_sshd_write() {
	hf_sshd_why="its files could not be written"
	if [ "$hf_sshd_active" = yes ]; then hf_mark_reload "$hf_sshd_unit" || return 1; fi
	if [ -e "$HF_INPUT" ]; then hf_sshd_put drop_in "$1" "$HF_INPUT" || return 1; fi
	[ -z "$3" ] || hf_sshd_put main "$2" "$HF_SAVE/main.text"
}

# hf_sshd_put SAVE REAL FILE: as the kind `file` does it, with its save in a folder of its own.
hf_sshd_put() (
	mkdir -p "$HF_SAVE/$1" || exit 1
	HF_SAVE=$HF_SAVE/$1
	HF_INPUT=$3
	export HF_SAVE HF_INPUT
	if [ -e "$2" ]; then set -- "$2" - - -; else set -- "$2" 0644 root root; fi
	hf_put_file "$@" rename
)

hf_sshd_back() (
	HF_SAVE=$HF_SAVE/$1
	export HF_SAVE
	hf_undo_file "$2" rename
)

# hf_sshd_take SPOTS: sshd goes by its files now and listens on SPOTS. What did not run is not started,
# unless it ran when we came.
hf_sshd_take() {
	hf_sshd_read_state
	hf_sshd_look
	case $hf_sshd_was:$hf_sshd_mode in
	idle:*) return 0 ;;
	socket:*) hf_sshd_take_socket "$1" || return 1 ;;
	*) hf_sshd_take_service || return 1 ;;
	esac
	hf_sshd_await "$1" || return 1
	if [ -n "$hf_sshd_unit" ]; then hf_clear_reload "$hf_sshd_unit"; fi
}

# A reload keeps sessions; a daemon that is dead, as it is when it could bind no port at all, is started.
hf_sshd_take_service() {
	if [ "$hf_sshd_active" = yes ]; then
		if hf_tool timeout 60 systemctl reload "$hf_sshd_unit"; then return 0; fi
		hf_sshd_look
		if [ "$hf_sshd_active" = yes ]; then
			hf_sshd_why="systemctl could not reload $hf_sshd_unit"
			return 1
		fi
	fi
	if [ -n "$hf_spots" ]; then
		hf_sshd_hang_up
	else
		hf_tool systemctl reset-failed "$hf_sshd_unit" 2>/dev/null
		hf_tool timeout 60 systemctl start "$hf_sshd_unit"
	fi
	# Whether it helped is seen where it listens.
	return 0
}

# One that nobody but a hand or another program started is not systemd's to reload.
hf_sshd_hang_up() {
	hf_pid=
	if [ -r /run/sshd.pid ]; then read -r hf_pid </run/sshd.pid; fi
	case $hf_listen in
	*"\"sshd\",pid=${hf_pid:-none},"*) ;;
	*) hf_pid=$(printf '%s\n' "$hf_listen" | sed -n 's/.*("sshd",pid=\([0-9]*\),.*/\1/p' | head -n 1) ;;
	esac
	kill -HUP "$hf_pid"
}

# systemd reads the ports anew, and only when they are others the socket is opened anew. A daemon that runs
# already has the socket's old ports, and must end first; sessions do not end with it (KillMode=process).
hf_sshd_take_socket() {
	hf_socket=${hf_sshd_socket:-ssh.socket}
	hf_tool timeout 60 systemctl daemon-reload
	if ! hf_sshd_fits "$1"; then
		set -- "$hf_socket"
		if [ "$hf_sshd_active" = yes ]; then set -- "$hf_socket" "$hf_sshd_unit"; fi
		# Also their count of starts: systemd refuses a sixth within ten seconds.
		hf_tool systemctl reset-failed "$@" 2>/dev/null
		hf_tool timeout 60 systemctl restart "$@"
	elif [ "$hf_sshd_active" = yes ]; then
		# No reload: on SIGHUP sshd forgets the socket that systemd gave it, finds its ports taken and dies.
		hf_tool systemctl reset-failed "$hf_sshd_unit" 2>/dev/null
		hf_tool timeout 60 systemctl restart "$hf_sshd_unit" || {
			hf_sshd_why="systemctl could not restart $hf_sshd_unit"
			return 1
		}
	fi
	# A socket that could not be opened took the daemon with it.
	if [ "$hf_sshd_was_active" = yes ] && [ -n "$hf_sshd_unit" ]; then
		hf_tool timeout 60 systemctl start "$hf_sshd_unit" 2>/dev/null
	fi
	return 0
}

# hf_sshd_await SPOTS: sshd is there again. A signal is answered some time after it was sent, so what looks
# right must look so for a moment. A slow machine gets its time.
hf_sshd_await() {
	hf_calm=0
	hf_looks=0
	while [ "$hf_looks" -lt 150 ]; do
		hf_sshd_look
		if hf_sshd_fits "$1"; then hf_calm=$((hf_calm + 1)); else hf_calm=0; fi
		if [ "$hf_calm" -ge 4 ]; then return 0; fi
		hf_looks=$((hf_looks + 1))
		sleep 0.1
	done
	hf_sshd_why="it listens on $(printf '%s' "${hf_spots:-nothing}" | tr '\n' ' ') instead of $1"
	if [ -n "$hf_sshd_unit" ]; then
		hf_unit_log "$hf_sshd_unit"
		hf_sshd_why="$hf_sshd_why: $(hf_sshd_complaint)"
	fi
	return 1
}

# What sshd wrote last about a port that it could not have; else its last line.
hf_sshd_complaint() {
	journalctl -q --no-pager -o cat -n 20 -u "$hf_sshd_unit" -u "${hf_sshd_socket:-ssh.socket}" 2>/dev/null |
		grep -e 'Bind to port' -e 'Address already in use' -e 'fatal:' | tail -n 1 | grep . || printf '%s\n' "$hf_unit_last"
}

# hf_sshd_fits SPOTS: it listens on each of them and on no other port, as $hf_spots says.
hf_sshd_fits() {
	printf '%s\n' "$hf_spots" | awk -v wanted="$1" '
		BEGIN { n = split(wanted, words, " "); for (i = 1; i <= n; i++) { want[words[i]] = 1; port = words[i]; sub(/.*:/, "", port); ports[port] = 1 } }
		NF { seen[$1] = 1; port = $1; sub(/.*:/, "", port); if (!(port in ports)) other = 1 }
		END { for (spot in want) if (!(spot in seen)) other = 1; exit other + 0 }'
}

# hf_sshd_proves LINES: the files as they are now mean what was planned.
hf_sshd_proves() {
	hf_sshd_why="it does not accept its files"
	hf_said=$(hf_sshd_run 2>/dev/null) || return 1
	hf_sshd_lacks "$1" || return 0
	hf_sshd_why="it does not have in effect: $hf_lack"
	return 1
}
