# shellcheck shell=sh
# Starts, stops, enables and reloads units, and believes none of it before the unit has been stable.

# hf_mark_reload UNIT [reload|restart]: a file that UNIT reads is about to change; how it is read again is for the
# record alone. The mark names this start of the unit:
# a unit that is started anew has read its files, and the mark is void.
hf_mark_reload() {
	(umask 077 && mkdir -p /var/lib/holdfast/pending) &&
		systemctl show -p InvocationID --value "$1" >"/var/lib/holdfast/pending/$1" &&
		sync "/var/lib/holdfast/pending/$1" /var/lib/holdfast/pending
}

# hf_clear_reload UNIT: it has read its files.
hf_clear_reload() {
	rm -f "/var/lib/holdfast/pending/$1"
}

# hf_set_service UNIT start|stop|keep enable|disable|keep
hf_set_service() {
	if [ ! -e "$HF_SAVE/saved" ]; then
		# is-enabled also knows of old init scripts, which UnitFileState calls "generated" in any case.
		printf '%s %s\n' "$(hf_unit "$1" ActiveState)" "$(systemctl is-enabled "$1" 2>/dev/null)" >"$HF_SAVE/saved.new" &&
			mv -f "$HF_SAVE/saved.new" "$HF_SAVE/saved" && sync "$HF_SAVE/saved" "$HF_SAVE" || return 1
	fi
	hf_unit_refresh "$1" || return 1
	# What does not start is not enabled either.
	hf_unit_run "$1" "$2" && hf_unit_enable "$1" "$3"
}

# hf_undo_service UNIT start|stop|keep enable|disable|keep: what those words changed is as it was found; the
# rest is left alone. A unit that is gone needs nothing.
hf_undo_service() {
	[ -e "$HF_SAVE/saved" ] || return 0
	[ "$(hf_unit "$1" LoadState)" != not-found ] || return 0
	read -r hf_active hf_enabled <"$HF_SAVE/saved"
	hf_unit_refresh "$1" || return 1
	[ "$3" != keep ] || hf_enabled=
	case $hf_enabled in
	enabled) hf_unit_enable "$1" enable || return 1 ;;
	enabled-runtime) hf_unit_enable "$1" 'enable --runtime' || return 1 ;;
	disabled | indirect) hf_unit_enable "$1" disable || return 1 ;;
	esac
	[ "$2" != keep ] || return 0
	case $hf_active in
	active | activating | reloading) hf_unit_run "$1" start ;;
	*) hf_unit_run "$1" stop ;;
	esac
}

# hf_reload_service UNIT reload|restart: once, after all steps. A unit that cannot reload is restarted; one
# that was started after the change, or is not running, has nothing to read again.
hf_reload_service() {
	hf_unit_refresh "$1" || return 1
	hf_unit_how=$2
	if [ -e "/var/lib/holdfast/pending/$1" ] && ! hf_reload_pending "$1"; then hf_unit_how=nothing; fi
	case $(hf_unit "$1" ActiveState) in
	active | reloading | activating) ;;
	*) hf_unit_how=nothing ;;
	esac
	if [ "$hf_unit_how" = reload ] && [ "$(hf_unit "$1" CanReload)" != yes ]; then hf_unit_how=restart; fi
	if [ "$hf_unit_how" != nothing ]; then
		hf_tool systemctl "$hf_unit_how" "$1"
		hf_unit_settled "$1" "$?" "$hf_unit_how" || return 1
	fi
	hf_clear_reload "$1"
}

# hf_unit UNIT PROPERTY
hf_unit() {
	systemctl show --no-pager -p "$2" --value "$1"
}

# Unit files that changed on the disk are read first, or systemd would act by the old ones.
hf_unit_refresh() {
	if [ "$(hf_unit "$1" NeedDaemonReload)" = yes ] || [ "$(hf_unit "$1" LoadState)" = not-found ]; then
		hf_tool systemctl daemon-reload
	fi
}

hf_unit_run() {
	case $2 in
	start)
		# A unit that failed too often refuses to start until that is forgotten.
		hf_tool systemctl reset-failed "$1" 2>/dev/null
		hf_tool systemctl start "$1"
		hf_unit_settled "$1" "$?" start
		;;
	stop)
		hf_tool systemctl stop "$1" && return 0
		hf_unit_log "$1"
		hf_fail "$1 did not stop"
		;;
	keep) ;;
	esac
}

hf_unit_enable() {
	[ "$2" != keep ] || return 0
	# shellcheck disable=SC2086 # one or two words
	hf_tool systemctl --quiet $2 "$1" || hf_fail "systemctl could not $2 $1"
}

# hf_unit_settled UNIT STATUS VERB: a unit counts as running when it has been active for two seconds
# with the same process and no restart in between; systemctl's word for it is not enough. One that dies
# three times meanwhile is given up, and so is one that has not come to rest after half a minute.
hf_unit_settled() {
	hf_unit_died=0
	hf_unit_was=
	hf_unit_calm=0
	hf_unit_looks=0
	hf_unit_restarts=
	while [ "$2" = 0 ] && [ "$hf_unit_looks" -lt 60 ]; do
		hf_unit_is=$(systemctl show --no-pager -p ActiveState,SubState,NRestarts,MainPID "$1" | sort | tr '\n' ' ')
		case $1:$hf_unit_is in
		*ActiveState=active\ *SubState=exited*) return 0 ;;
		*.service:ActiveState=active\ *) ;;
		*ActiveState=active\ *) return 0 ;;
		*ActiveState=inactive* | *ActiveState=failed*) break ;;
		*) hf_unit_was= ;;
		esac
		hf_unit_count_restarts || break
		if [ "$hf_unit_is" = "$hf_unit_was" ]; then hf_unit_calm=$((hf_unit_calm + 1)); else hf_unit_calm=0; fi
		if [ "$hf_unit_calm" -ge 4 ]; then return 0; fi
		hf_unit_was=$hf_unit_is
		hf_unit_looks=$((hf_unit_looks + 1))
		sleep 0.5
	done
	hf_unit_unsettled "$1" "$2" "$3"
}

# How often systemd restarted it by itself since we look; not more than twice is patience.
hf_unit_count_restarts() {
	case $hf_unit_is in *NRestarts=*) ;; *) return 0 ;; esac
	hf_unit_died=${hf_unit_is#*NRestarts=}
	hf_unit_died=${hf_unit_died%% *}
	[ -n "$hf_unit_restarts" ] || hf_unit_restarts=$hf_unit_died
	hf_unit_died=$((hf_unit_died - hf_unit_restarts))
	[ "$hf_unit_died" -lt 3 ]
}

# Why it is not running, with what it said last.
hf_unit_unsettled() {
	hf_unit_log "$1"
	hf_unit_now=$(hf_unit "$1" ActiveState)
	if [ "$3" = reload ] && [ "$2" != 0 ] && [ "$hf_unit_now" = active ]; then
		hf_fail "$1 did not take the reload and goes on with what it had: $hf_unit_last"
	elif [ "$(hf_unit "$1" ConditionResult)" = no ] && [ "$2" = 0 ]; then
		hf_fail "$1 was not started: a condition of the unit is not met"
	elif [ "$hf_unit_died" -gt 0 ]; then
		hf_fail "$1 keeps dying, systemd restarted it $hf_unit_died times after the $3: $hf_unit_last"
	else
		hf_fail "$1 is $hf_unit_now ($(hf_unit "$1" Result)) after the $3: $hf_unit_last"
	fi
}

hf_unit_log() {
	hf_unit_lines=$(hf_tool timeout 10 journalctl --no-pager -q -o cat -n 15 -u "$1" 2>/dev/null)
	printf '%s\n' "$hf_unit_lines"
	# systemd's own words about the failure say less than the last of the unit's.
	hf_unit_last=$(printf '%s\n' "$hf_unit_lines" |
		grep -v -e '^Start' -e '^Stop' -e '^Failed to start' -e "^$1: " -e '^Reload' -e "^Failed to reload" | tail -n 1)
	[ -n "$hf_unit_last" ] || hf_unit_last=$(printf '%s\n' "${hf_unit_lines:-its journal says nothing}" | tail -n 1)
}
