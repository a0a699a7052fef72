# shellcheck shell=sh
# Sets a jail of fail2ban by our own file, and makes the server follow. A running server is never restarted,
# and other jails are not asked to read their files: one that is broken would take its bans with it.
# shellcheck disable=SC2030,SC2031 # the helpers are called from within a subshell

# hf_set_fail2ban_jail JAIL reload|restart|leave LINE…: $HF_INPUT, if there is one, becomes our file of JAIL, the server
# takes it, and hf_fail2ban answers each LINE afterwards. Otherwise everything is as it was. `restart` ends the jail and starts it:
# without that fail2ban says that it has new ports, and the packet filter never hears of them. `leave`: the
# server, which is not running, stays so.
hf_set_fail2ban_jail() {
	hf_f2b_jail=$1 hf_f2b_verb=$2
	shift 2
	hf_f2b_ours=/etc/fail2ban/jail.d/90-holdfast-$hf_f2b_jail.local
	hf_f2b_save && hf_f2b_trial || return 1
	hf_f2b_put || return 1
	if hf_f2b_activate "$hf_f2b_verb" && hf_f2b_agrees "$@"; then
		return 0
	fi
	hf_f2b_reason=$(cat "$HF_SAVE/reason" 2>/dev/null)
	if hf_undo_fail2ban_jail "$hf_f2b_jail" "$hf_f2b_verb"; then
		hf_fail "${hf_f2b_reason:-fail2ban did not take it}; everything is as it was"
	else
		hf_fail "${hf_f2b_reason:-fail2ban did not take it}; and the old state could not be brought back wholly"
	fi
}

# hf_undo_fail2ban_jail JAIL reload|restart|leave: our file and the server are as they were found.
hf_undo_fail2ban_jail() {
	[ -e "$HF_SAVE/server" ] || return 0
	hf_f2b_jail=$1
	read -r hf_f2b_server hf_f2b_had <"$HF_SAVE/server"
	rm -rf "$HF_SAVE/trial"
	hf_undo_file "/etc/fail2ban/jail.d/90-holdfast-$1.local" rename || return 1
	# Early at boot the server starts later, and reads what is there then. A package may be gone by now.
	if [ -n "${HF_AT_BOOT:-}" ] || ! command -v fail2ban-client >/dev/null 2>&1; then return 0; fi
	# Without this mark the server never heard of the change.
	[ -e "$HF_SAVE/told" ] || return 0
	if [ "$hf_f2b_server" = no ]; then
		if [ "$(hf_f2b_state)" = up ]; then hf_tool systemctl stop fail2ban.service; fi
	elif [ "$hf_f2b_had" = no ]; then
		if hf_f2b_has "$1"; then hf_f2b_client stop "$1"; fi
	else
		[ "$2" != reload ] || hf_f2b_forget "$1"
		hf_f2b_activate "$2"
	fi
}

# hf_f2b_forget JAIL: a reload sets what the files say, and leaves what our file alone had set in the running jail.
hf_f2b_forget() {
	hf_f2b_has "$1" || return 0
	hf_f2b_client set "$1" bantime.increment false
	for hf_f2b_key in bantime.maxtime bantime.factor; do hf_f2b_client set "$1" "$hf_f2b_key" ''; done
}

hf_f2b_save() {
	if [ -e "$HF_SAVE/server" ]; then return 0; fi
	hf_f2b_server=no hf_f2b_had=no hf_f2b_tries=0
	until hf_f2b_pong; do
		# On its way, as right after the package was installed.
		if [ "$(hf_f2b_state)" = down ] || [ "$hf_f2b_tries" -ge 20 ]; then break; fi
		hf_f2b_tries=$((hf_f2b_tries + 1))
		sleep 0.5
	done
	if hf_f2b_pong; then hf_f2b_server=yes; fi
	if hf_f2b_has "$hf_f2b_jail"; then hf_f2b_had=yes; fi
	printf '%s %s\n' "$hf_f2b_server" "$hf_f2b_had" >"$HF_SAVE/server.new" && sync "$HF_SAVE/server.new" &&
		mv -f "$HF_SAVE/server.new" "$HF_SAVE/server" && sync "$HF_SAVE"
}

# The whole configuration with the new file, tested beside the real one: what somebody else broke is found
# before anything is touched.
hf_f2b_trial() {
	[ -d "${hf_f2b_ours%/*}" ] || hf_fail "there is no folder ${hf_f2b_ours%/*}" || return 1
	rm -rf "$HF_SAVE/trial"
	cp -a /etc/fail2ban "$HF_SAVE/trial" || return 1
	if [ -e "$HF_INPUT" ]; then
		rm -f "$HF_SAVE/trial/jail.d/90-holdfast-$hf_f2b_jail.local" &&
			cat "$HF_INPUT" >"$HF_SAVE/trial/jail.d/90-holdfast-$hf_f2b_jail.local" || return 1
	fi
	hf_tool timeout 60 fail2ban-client -c "$HF_SAVE/trial" -t >"$HF_SAVE/test" 2>&1
	hf_f2b_rc=$?
	rm -rf "$HF_SAVE/trial"
	cat "$HF_SAVE/test"
	[ "$hf_f2b_rc" = 0 ] && return 0
	hf_f2b_said=$(sed -n 's/^.*\(ERROR\|CRITICAL\) *//p' "$HF_SAVE/test" | grep -v 'test configuration failed' | head -n 1)
	hf_fail "$hf_f2b_ours was not touched, for fail2ban would refuse its configuration: ${hf_f2b_said:-exit status $hf_f2b_rc}"
}

hf_f2b_put() {
	if [ ! -e "$HF_INPUT" ]; then
		return 0
	elif [ ! -e "$hf_f2b_ours" ]; then
		hf_put_file "$hf_f2b_ours" 0644 root root rename
	else
		hf_put_file "$hf_f2b_ours" - - - rename
	fi
}

# hf_f2b_activate reload|restart|leave: the server runs and reads the files of this one jail.
hf_f2b_activate() {
	if ! hf_f2b_pong; then
		[ "$1" != leave ] || return 0
		hf_f2b_was=$(hf_f2b_state)
		hf_f2b_start || return 1
		# One that was on its way may have read the files before ours was there.
		[ "$hf_f2b_was" = up ] || return 0
	fi
	[ -e "$HF_SAVE/told" ] || (: >"$HF_SAVE/told") || return 1
	if [ "$1" = restart ] && hf_f2b_has "$hf_f2b_jail"; then hf_f2b_end_jail; fi
	hf_f2b_client reload --if-exists "$hf_f2b_jail" || return 1
	[ "$1" != restart ] || hf_f2b_bans_back
}

hf_f2b_start() {
	[ -e "$HF_SAVE/told" ] || (: >"$HF_SAVE/told") || return 1
	hf_tool systemctl reset-failed fail2ban.service 2>/dev/null
	hf_tool timeout 60 systemctl start fail2ban.service
	hf_f2b_tries=0
	while ! hf_f2b_pong; do
		hf_f2b_tries=$((hf_f2b_tries + 1))
		if [ "$hf_f2b_tries" -ge 60 ] || [ "$(hf_f2b_state)" = down ]; then
			hf_f2b_said=$(journalctl --no-pager -q -o cat -n 20 -u fail2ban.service 2>/dev/null | grep -i -e error -e failed | grep -v -e 'fail2ban.service' | tail -n 1)
			hf_f2b_why "fail2ban does not answer after its start: ${hf_f2b_said:-see /var/log/fail2ban.log}"
			return 1
		fi
		sleep 0.5
	done
}

# Ends the jail, and what an earlier reload of somebody left behind: a jump with ports that fail2ban no longer
# knows of is never removed by it.
hf_f2b_end_jail() {
	hf_f2b_client get "$hf_f2b_jail" banip >/dev/null && tr ' ' '\n' <"$HF_SAVE/said" | grep . | sort >"$HF_SAVE/bans"
	hf_f2b_client stop "$hf_f2b_jail" || return 1
	for hf_f2b_tool in iptables ip6tables; do
		command -v "$hf_f2b_tool" >/dev/null 2>&1 || continue
		"$hf_f2b_tool" -w -S 2>/dev/null | sed -n "s/^-A \(.* -j f2b-$hf_f2b_jail\)\$/\1/p" | while read -r hf_f2b_rule; do
			# shellcheck disable=SC2086 # the words of a rule
			"$hf_f2b_tool" -w -D $hf_f2b_rule
		done
		if "$hf_f2b_tool" -w -S "f2b-$hf_f2b_jail" >/dev/null 2>&1; then
			"$hf_f2b_tool" -w -F "f2b-$hf_f2b_jail" && "$hf_f2b_tool" -w -X "f2b-$hf_f2b_jail"
		fi
	done
}

# The bans come back from fail2ban's database, many of them slowly: as long as more come, at most a minute. Without
# a database they are lost, and that is said.
hf_f2b_bans_back() {
	[ -s "$HF_SAVE/bans" ] || return 0
	hf_f2b_tries=0 hf_f2b_idle=0 hf_f2b_missing=
	while [ "$hf_f2b_tries" -lt 120 ] && [ "$hf_f2b_idle" -lt 20 ]; do
		hf_f2b_client get "$hf_f2b_jail" banip >/dev/null || return 1
		tr ' ' '\n' <"$HF_SAVE/said" | grep . | sort >"$HF_SAVE/bans.now"
		hf_f2b_before=$hf_f2b_missing
		hf_f2b_missing=$(grep -cvxFf "$HF_SAVE/bans.now" "$HF_SAVE/bans")
		[ "$hf_f2b_missing" != 0 ] || return 0
		hf_f2b_idle=$((hf_f2b_idle + 1))
		[ "$hf_f2b_missing" = "$hf_f2b_before" ] || hf_f2b_idle=0
		hf_f2b_tries=$((hf_f2b_tries + 1))
		sleep 0.5
	done
	hf_progress "$hf_f2b_missing bans of $(grep -c . "$HF_SAVE/bans") are not back"
}

# hf_f2b_agrees LINE…: what the files and the server say by now. A server needs a moment for a new jail.
hf_f2b_agrees() {
	hf_f2b_tries=0
	while :; do
		hf_fail2ban "$hf_f2b_jail" >"$HF_SAVE/look" 2>/dev/null </dev/null
		hf_f2b_missing=
		for hf_f2b_line; do
			grep -qxF -e "$hf_f2b_line" "$HF_SAVE/look" || hf_f2b_missing=$hf_f2b_line
		done
		[ -n "$hf_f2b_missing" ] || return 0
		hf_f2b_tries=$((hf_f2b_tries + 1))
		[ "$hf_f2b_tries" -lt 40 ] || break
		sleep 0.5
	done
	hf_f2b_is=$(grep -F -e "${hf_f2b_missing%%=*}=" "$HF_SAVE/look" | tr '\n' ' ')
	hf_f2b_why "fail2ban does not say $hf_f2b_missing but ${hf_f2b_is:-nothing of the kind}"
	return 1
}

hf_f2b_pong() {
	[ "$(hf_tool timeout 20 fail2ban-client ping 2>/dev/null)" = 'Server replied: pong' ]
}

# What systemd says of the server: up or on its way, or down.
hf_f2b_state() {
	case $(systemctl show -p ActiveState --value fail2ban.service 2>/dev/null) in
	active | activating | reloading) echo up ;;
	*) echo down ;;
	esac
}

# hf_f2b_has JAIL: whether the server has the jail.
hf_f2b_has() {
	hf_tool timeout 20 fail2ban-client status "$1" >/dev/null 2>&1
}

# hf_f2b_client WORDS…: asks the server; why it refused is kept as the reason.
hf_f2b_client() {
	hf_tool timeout 60 fail2ban-client "$@" >"$HF_SAVE/said" 2>&1
	hf_f2b_rc=$?
	cat "$HF_SAVE/said"
	[ "$hf_f2b_rc" = 0 ] && return 0
	hf_f2b_why "fail2ban-client $* failed: $(grep . "$HF_SAVE/said" | tail -n 1)"
	return 1
}

hf_f2b_why() {
	printf '%s\n' "$*" >"$HF_SAVE/reason"
}
