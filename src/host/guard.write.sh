# shellcheck shell=sh
# The guard: the host takes back by itself what a run changed, unless a new login disarms it in time.
#
# $HF_RUN/guard holds `armed` (a rename of it decides between firing and disarming), `changes` (what to take
# back, one STEP/CHANGE a line, written before the change is made), a copy of the functions, and afterwards
# `restored`. The time when it is up lies in /run, where a restart takes it away, and then it is up too.
# A timer of systemd and a boot unit start restore.sh; without systemd a process of our own waits for it.

# hf_guard_arm SECONDS: arms, or gives an armed guard SECONDS from now. Prints `held=systemd` or
# `held=process`, which a restart of the host would lose.
hf_guard_arm() (
	umask 077
	hf_guard_name
	mkdir -p "$hf_guard" && hf_guard_lock || return 1
	if [ -e "$hf_guard/firing" ] || [ -e "$hf_guard/fired" ]; then
		hf_fail "the guard of this run has fired"
		return 1
	fi
	if [ ! -e "$hf_guard/armed" ]; then
		hf_guard_prepare || hf_fail "$hf_guard cannot be written" || return 1
	fi
	hf_guard_until "$1" && (: >"$hf_guard/armed") && sync "$hf_guard/armed" "$hf_guard" &&
		hf_guard_hold "$1" && return 0
	# Nothing was changed yet under a new guard; one that could not be extended fires as it was told before.
	if [ ! -s "$hf_guard/changes" ]; then
		mv "$hf_guard/armed" "$hf_guard/disarmed"
		hf_guard_clear
	fi
	return 1
)

# hf_guard_renew: it has fired and that was told; a person goes on with this run, so it may be armed anew.
hf_guard_renew() (
	hf_guard_name
	[ -e "$hf_guard/fired" ] || return 0
	hf_guard_lock || hf_fail "it is busy, or its folder $hf_guard cannot be written" || return 1
	mv "$hf_guard/fired" "$hf_guard/fired.before" 2>/dev/null || hf_fail "its file $hf_guard/fired cannot be renamed" || return 1
	rm -f "$hf_guard/told"
	sync "$hf_guard"
)

# hf_guard_disarm: a new login proved that we still get in. Status 76: too late, it has fired; 77: it is
# disarmed, but something of it is left; any other: it is not disarmed.
hf_guard_disarm() (
	hf_guard_name
	[ -e "$hf_guard/armed" ] || return 76
	hf_guard_lock || hf_fail "it is busy, or its folder $hf_guard cannot be written" || return 1
	if ! mv "$hf_guard/armed" "$hf_guard/disarmed" 2>/dev/null; then
		[ -e "$hf_guard/armed" ] || return 76
		hf_fail "its file $hf_guard/armed cannot be renamed"
		return 1
	fi
	sync "$hf_guard"
	hf_guard_clear
	hf_guard_gone || hf_fail "something of it is left" || return 77
)

# hf_guard_fire: does now what the guard would do when its time is up, whoever else began it; the answer is
# what came of it. `was` tells whether it had fired before.
hf_guard_fire() {
	hf_guard_name
	hf_guard_state "$hf_guard_id" | sed -n 's/^state=/was=/p'
	rm -f "$hf_guard_time"
	hf_guard_start &
	wait "$!"
	hf_guard_state "$hf_guard_id"
}

# hf_guard_mark_told: somebody was told that it fired.
hf_guard_mark_told() {
	(: >"$HF_RUN/guard/told")
}

# ── inside a guarded step ──────────────────────────────────────────────────────────────────────

# hf_guard_enter: says which session to end when the guard fires, and only then looks whether it has. The
# guard does it the other way round, so that one of the two always notices.
hf_guard_enter() {
	hf_guard_name
	hf_guard_sid=$(hf_guard_stat $$ 4)
	printf '%s %s %s\n' "$hf_guard_sid" "$(hf_guard_stat "$hf_guard_sid" 20)" "$HF_STEP" >"$hf_guard/step"
	hf_guard_check
}

hf_guard_check() {
	[ -e "$hf_guard/armed" ] && return 0
	hf_log "step $HF_STEP reverted"
	echo "the guard has fired"
	exit 76
}

# hf_guard_note: from here on the guard takes this change back, however far it comes.
hf_guard_note() {
	hf_guard_check
	if ! printf '%s\n' "$HF_STEP/$HF_CHANGE" >>"$hf_guard/changes" || ! sync "$hf_guard/changes"; then hf_guard_cannot; fi
}

hf_guard_cannot() {
	hf_log "step $HF_STEP failed"
	echo "the guard's record in $hf_guard cannot be written"
	exit 70
}

# hf_guard_leave: the step is over.
hf_guard_leave() {
	rm -f "$hf_guard/step"
}

# ── restoring ──────────────────────────────────────────────────────────────────────────────────

# hf_guard_restore: all of restore.sh. Started by the timer, at boot (HF_AT_BOOT), or over a connection.
hf_guard_restore() {
	cd / || return 1
	umask 022
	hf_guard_name
	if [ -n "${HF_AT_BOOT:-}" ] && [ -e "$hf_guard_time" ]; then
		# Somebody started the unit. With a timer there was no restart; without, there was one that leaves /run
		# as it is (systemctl soft-reboot).
		if hf_guard_ticks; then return 0; fi
		rm -f "$hf_guard_time"
	fi
	hf_guard_wait || return 1
	mv "$hf_guard/armed" "$hf_guard/firing" 2>/dev/null
	if [ -e "$hf_guard/firing" ] || [ -e "$hf_guard/armed" ]; then
		hf_guard_take_back
	fi
	hf_guard_clear
	if [ -n "${HF_AT_BOOT:-}" ]; then
		# Generators ran before we did, and what is enabled again was not when this boot was planned.
		systemctl daemon-reload 8>&-
		systemctl --no-block start default.target 8>&-
	fi
}

# Returns with the lock when the time is up, or when there is nothing to wait for. Under the lock it looks
# again: the guard may have been disarmed and armed anew meanwhile.
hf_guard_wait() {
	while :; do
		while hf_guard_early; do sleep 1; done
		# A disk that takes nothing any more, and an arming that never ends, are no reasons to leave the host cut off.
		if (: >>"$hf_guard/lock") 2>/dev/null; then
			hf_guard_lock || [ -e "$hf_guard/armed" ] || return 1
		fi
		hf_guard_early || return 0
		exec 8>&-
	done
}

hf_guard_early() {
	[ -e "$hf_guard/armed" ] && [ "$(hf_guard_left "$hf_guard_id")" -gt 0 ]
}

# Whether a timer of systemd, or what it has started, is there.
hf_guard_ticks() {
	[ -n "$(systemctl list-units --no-legend --plain --state=active,activating "$hf_guard_unit-*" 2>/dev/null 8>&-)" ]
}

hf_guard_take_back() {
	hf_guard_late=$((0 - $(hf_guard_left "$hf_guard_id")))
	[ -e "$hf_guard_time" ] || hf_guard_late=
	hf_log "guard fired"
	[ -n "${HF_AT_BOOT:-}" ] || hf_guard_end_step
	hf_guard_all=0 hf_guard_failed=0 hf_guard_kept=0
	# What cannot be written down is taken back all the same.
	hf_guard_output=$hf_guard/output
	(: >>"$hf_guard_output") 2>/dev/null || hf_guard_output=/dev/null
	# Reloads that were put off to the end come last here too: when the files are back.
	for hf_guard_one in $(sed -e '/-end/d' "$hf_guard/changes" | sed '1!G;h;$!d') $(sed -n -e '/-end/p' "$hf_guard/changes"); do
		# On a full disk the last line may be cut: that change was never begun.
		[ -s "$HF_RUN/$hf_guard_one/undo.sh" ] || continue
		hf_guard_all=$((hf_guard_all + 1))
		hf_guard_undo_one "$hf_guard_one"
		case $? in
		0) ;;
		77) hf_guard_kept=$((hf_guard_kept + 1)) ;;
		*) hf_guard_failed=$((hf_guard_failed + 1)) ;;
		esac
	done
	hf_guard_marks_back
	printf 'changes=%s\nfailed=%s\nkept=%s\nlate=%s\nat=%s\nboot=%s\n' "$hf_guard_all" "$hf_guard_failed" "$hf_guard_kept" \
		"$hf_guard_late" "$(date +%s)" "${HF_AT_BOOT:-0}" >"$hf_guard/restored"
	hf_log "guard restored $hf_guard_all failed $hf_guard_failed kept $hf_guard_kept"
	sync "$hf_guard/restored"
	mv "$hf_guard/firing" "$hf_guard/fired" 2>/dev/null || mv "$hf_guard/armed" "$hf_guard/fired"
	sync "$hf_guard"
}

# Marks for pending reloads, which steps set before they change a file.
hf_guard_keep_marks() {
	rm -rf "$hf_guard/pending" && mkdir "$hf_guard/pending" || return 1
	if [ -d /var/lib/holdfast/pending ]; then cp -a /var/lib/holdfast/pending/. "$hf_guard/pending"; fi
}

hf_guard_marks_back() {
	if [ ! -d "$hf_guard/pending" ] || [ ! -d /var/lib/holdfast/pending ]; then return 0; fi
	rm -f /var/lib/holdfast/pending/* && cp -a "$hf_guard/pending/." /var/lib/holdfast/pending
}

# hf_guard_undo_one STEP/CHANGE: tried twice; the others do not wait for ever.
hf_guard_undo_one() {
	for hf_guard_try in 1 2; do
		HF_LIB=$hf_guard/lib.sh timeout -k 10 120 sh "$HF_RUN/$1/undo.sh" </dev/null >>"$hf_guard_output" 2>&1 8>&-
		hf_guard_rc=$?
		hf_log "guard undo $1 rc $hf_guard_rc"
		# For whoever asks later what is still to be taken back of that run.
		# The others are taken back also when that cannot be written.
		if [ "$hf_guard_rc" = 0 ]; then (: >"$HF_RUN/$1/taken") 2>/dev/null && rm -f "$HF_RUN/$1/taking"; fi
		case $hf_guard_rc in 0 | 77) return "$hf_guard_rc" ;; esac
		[ "$hf_guard_try" = 2 ] || sleep 1
	done
	return "$hf_guard_rc"
}

# A step that still runs would change what is being taken back. A number that was given to another process
# meanwhile has another start time; while its session lives, the kernel gives it to nobody.
hf_guard_end_step() {
	hf_guard_sid=
	if [ -r "$hf_guard/step" ]; then read -r hf_guard_sid hf_guard_since hf_guard_step <"$hf_guard/step"; fi
	[ -n "$hf_guard_sid" ] || return 0
	if [ -d "/proc/$hf_guard_sid" ] && [ "$(hf_guard_stat "$hf_guard_sid" 20)" != "$hf_guard_since" ]; then return 0; fi
	hf_guard_live=$(hf_session_pids "$hf_guard_sid")
	[ -n "$hf_guard_live" ] || return 0
	hf_kill_session "$hf_guard_sid"
	hf_log "step $hf_guard_step reverted"
}

# hf_guard_stat PID N: the Nth number behind the name and the state in /proc/PID/stat: 4 is the session,
# 20 the start.
hf_guard_stat() {
	sed -e 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f "$2"
}

# ── holding ────────────────────────────────────────────────────────────────────────────────────

hf_guard_name() {
	hf_guard=$HF_RUN/guard
	hf_guard_id=${HF_RUN##*/}
	hf_guard_time=/run/holdfast.guard.$hf_guard_id
	hf_guard_unit=holdfast-guard-$hf_guard_id
	hf_guard_units=/etc/systemd/system
}

# Arming, disarming and firing wait for each other.
hf_guard_lock() {
	(: >>"$hf_guard/lock") 2>/dev/null && exec 8>>"$hf_guard/lock" && flock -w 100 8
}

# Everything that restore.sh needs is a copy of its own: what a later connection writes cannot disturb it.
hf_guard_prepare() {
	rm -f "$hf_guard/disarmed" "$hf_guard/step" && hf_guard_keep_marks || return 1
	# shellcheck disable=SC2016 # the script itself expands it
	(: >"$hf_guard/changes") && cat "$HF_RUN/lib.sh" >"$hf_guard/lib.sh" &&
		printf 'HF_RUN=%s\n. "$HF_RUN/guard/lib.sh"\nhf_guard_restore\n' "$HF_RUN" >"$hf_guard/restore.sh" &&
		sync "$hf_guard/changes" "$hf_guard/lib.sh" "$hf_guard/restore.sh" "$hf_guard" "$HF_RUN"
}

hf_guard_until() {
	read -r hf_guard_now _ </proc/uptime
	printf '%s\n' "$((${hf_guard_now%%.*} + $1))" >"$hf_guard_time.new" && mv "$hf_guard_time.new" "$hf_guard_time"
}

# At no moment without something that waits: the new timer runs before the old one is stopped, and one that
# starts restore.sh early finds that its time is not up.
hf_guard_hold() {
	if [ ! -d /run/systemd/system ]; then
		hf_guard_waits || {
			hf_guard_start &
			echo "$!" >"$hf_guard/process"
		}
		kill -0 "$(cat "$hf_guard/process")" && echo held=process
		return
	fi
	hf_guard_boot_unit || hf_fail "no unit can be written to $hf_guard_units, so that a restart would lose the guard" || return 1
	hf_guard_old=0
	if [ -s "$hf_guard/timer" ]; then read -r hf_guard_old <"$hf_guard/timer"; fi
	hf_guard_new=$((hf_guard_old + 1))
	echo "$hf_guard_new" >"$hf_guard/timer" || return 1
	systemd-run --collect --quiet --unit="$hf_guard_unit-$hf_guard_new" --property=KillMode=process --on-active="$1" \
		--timer-property=AccuracySec=1s /bin/sh "$hf_guard/restore.sh" 8>&- || return 1
	systemctl is-active --quiet "$hf_guard_unit-$hf_guard_new.timer" || hf_fail "its timer does not run" || return 1
	systemctl is-enabled --quiet "$hf_guard_unit.service" || hf_fail "its boot unit is not enabled" || return 1
	[ "$hf_guard_old" = 0 ] || systemctl stop "$hf_guard_unit-$hf_guard_old.timer" 2>/dev/null
	echo held=systemd
}

# Whether the process of our own waits already: a number alone may belong to anybody by now.
hf_guard_waits() {
	[ -s "$hf_guard/process" ] && tr '\0' ' ' <"/proc/$(cat "$hf_guard/process")/cmdline" 2>/dev/null | grep -qF "$hf_guard/restore.sh"
}

hf_guard_start() {
	exec setsid sh "$HF_RUN/guard/restore.sh" </dev/null >/dev/null 2>&1 3>&- 8>&- 9>&-
}

# Undo puts files back before anything reads them. A run that takes another one back is undone by making changes
# again, and those want the services that they are about: it has to wait for them.
hf_guard_is_late() {
	grep -q '^undoes=' "$HF_RUN/run" 2>/dev/null
}

hf_guard_when() {
	if hf_guard_is_late; then
		echo "After=network.target ufw.service nftables.service ssh.service ssh.socket sshd.service fail2ban.service"
	else
		cat <<-EOF
			DefaultDependencies=no
			After=local-fs.target
			Before=network-pre.target systemd-sysctl.service sysinit.target ufw.service nftables.service netfilter-persistent.service
			Before=ssh.service ssh.socket sshd.service fail2ban.service shutdown.target
			Conflicts=shutdown.target
		EOF
	fi
}

# Started at boot alone: a target that other units need would start it with any of them.
hf_guard_boot_unit() {
	[ ! -e "$hf_guard_units/$hf_guard_unit.service" ] || return 0
	mkdir -p "$hf_guard_units/multi-user.target.wants" || return 1
	(
		umask 022
		cat >"$hf_guard/unit" <<-EOF
			[Unit]
			Description=Holdfast takes back the guarded changes of run $hf_guard_id
			RequiresMountsFor=/var/lib/holdfast /etc
			$(hf_guard_when)
			ConditionPathExists=|$hf_guard/armed
			ConditionPathExists=|$hf_guard/firing

			[Service]
			Type=oneshot
			$(if ! hf_guard_is_late; then echo Environment=HF_AT_BOOT=1; fi)
			KillMode=process
			TimeoutStartSec=10min
			ExecStart=/bin/sh $hf_guard/restore.sh

			[Install]
			WantedBy=multi-user.target
		EOF
	) && cat "$hf_guard/unit" >"$hf_guard_units/$hf_guard_unit.service" && chmod 0644 "$hf_guard_units/$hf_guard_unit.service" &&
		ln -sf "../$hf_guard_unit.service" "$hf_guard_units/multi-user.target.wants/$hf_guard_unit.service" &&
		sync "$hf_guard_units/$hf_guard_unit.service" "$hf_guard_units" "$hf_guard_units/multi-user.target.wants"
}

# Nothing waits any more. A restore.sh that does sees within a second that there is nothing to wait for.
hf_guard_clear() {
	rm -f "$hf_guard_units/multi-user.target.wants/$hf_guard_unit.service" "$hf_guard_units/$hf_guard_unit.service" "$hf_guard_time"
	rmdir "$hf_guard_units/multi-user.target.wants" 2>/dev/null
	if [ ! -d /run/systemd/system ] || [ ! -s "$hf_guard/timer" ]; then return 0; fi
	systemctl stop "$hf_guard_unit-*.timer" 2>/dev/null 8>&-
	# A change of units had systemd read ours as well.
	if [ "$(systemctl show -p LoadState --value "$hf_guard_unit.service" 2>/dev/null 8>&-)" = loaded ]; then
		systemctl daemon-reload 8>&-
	fi
	hf_guard_forget
	return 0
}

# A unit that systemd read while its link was there (a step reloaded all units) stays known until they are read
# anew. At boot that is done in any case.
hf_guard_forget() {
	if [ ! -d /run/systemd/system ] || [ -n "${HF_AT_BOOT:-}" ]; then return 0; fi
	[ -n "$(systemctl list-units --all --no-legend --plain "$hf_guard_unit.service" 2>/dev/null 8>&-)" ] || return 0
	systemctl daemon-reload 8>&-
}

hf_guard_gone() {
	[ ! -e "$hf_guard_units/$hf_guard_unit.service" ] && [ ! -e "$hf_guard/armed" ] || return 1
	[ -d /run/systemd/system ] || return 0
	[ -z "$(systemctl list-units --no-legend --plain "$hf_guard_unit-*.timer" 2>/dev/null)" ]
}

# hf_guard_foreign RUN: in words, the guard of another run that must have done its work first.
hf_guard_foreign() {
	for hf_guard in /var/lib/holdfast/runs/*/guard; do
		hf_guard_run=${hf_guard%/guard}
		hf_guard_run=${hf_guard_run##*/}
		[ "$hf_guard_run" != "$1" ] || continue
		if [ -e "$hf_guard/armed" ]; then
			echo "the guard of run $hf_guard_run, which restores the host in $(hf_guard_left "$hf_guard_run") s"
		elif [ -e "$hf_guard/firing" ]; then
			echo "the guard of run $hf_guard_run, which restores the host now"
		fi
	done
}

# ── rehearsal ──────────────────────────────────────────────────────────────────────────────────

# hf_guard_rehearse: something harmless to take back.
hf_guard_rehearse() {
	(: >"$HF_SAVE/saved" && : >"$HF_RUN/guard/rehearsal")
}

hf_undo_guard_rehearse() {
	rm -f "$HF_RUN/guard/rehearsal"
}
