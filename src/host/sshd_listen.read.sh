# shellcheck shell=sh
# Who listens for sshd, where, and who else does. Parsed in src/resource/sshd_config/look.rs and src/facts.rs.
# shellcheck disable=SC2154 # set by whoever asks

# The units behind sshd, by the names that Debian and others give them.
hf_sshd_units() {
	if [ ! -d /run/systemd/system ]; then
		printf 'init=%s\n' "$(cat /proc/1/comm)"
		return 0
	fi
	echo init=systemd
	hf_sshd_find_units
	printf 'unit=%s\nactive=%s\nsocket=%s\n' "$hf_sshd_unit" "$hf_sshd_active" "$hf_sshd_socket"
	if [ "$hf_sshd_active" = yes ] && hf_reload_pending "$hf_sshd_unit"; then echo pending=yes; fi
	[ -n "$hf_sshd_socket" ] || return 0
	systemctl show --no-pager -p DropInPaths --value "$hf_sshd_socket" | tr ' ' '\n' | while read -r hf_path; do
		if [ -r "$hf_path" ] && grep -q '^[ 	]*ListenStream' "$hf_path"; then printf 'socket_file=%s\n' "$hf_path"; fi
	done
	for hf_folder in /etc /usr/local/lib /usr/lib /lib /run; do
		if [ -x "$hf_folder/systemd/system-generators/sshd-socket-generator" ]; then
			echo generator=yes
			break
		fi
	done
}

# Sets $hf_sshd_unit, $hf_sshd_active (yes or no) and $hf_sshd_socket (empty when no socket is active).
hf_sshd_find_units() {
	hf_sshd_unit='' hf_sshd_active=no hf_sshd_socket=''
	hf_shown=$(systemctl show --no-pager -p Id -p LoadState -p ActiveState ssh.service sshd.service ssh.socket sshd.socket | awk '
		/^Id=/ { id = substr($0, 4) } /^LoadState=/ { load = substr($0, 11) } /^ActiveState=/ { state = substr($0, 13) }
		function tell() { if (load == "loaded" && !(id in seen)) print id, state; seen[id] = 1; id = load = state = "" }
		/^$/ { tell() } END { tell() }')
	# shellcheck disable=SC2086 # words
	set -- $hf_shown
	while [ $# -gt 1 ]; do
		case $1:$2 in
		*.service:active | *.service:reloading | *.service:activating)
			[ "$hf_sshd_active" = yes ] || hf_sshd_unit=$1
			hf_sshd_active=yes
			;;
		*.service:*) [ -n "$hf_sshd_unit" ] || hf_sshd_unit=$1 ;;
		*.socket:active) hf_sshd_socket=$1 ;;
		esac
		shift 2
	done
}

# What sshd is started with beyond its files: Debian's own words for it, then those of the unit.
hf_sshd_options() {
	if [ -r /etc/default/ssh ]; then sed -n 's/^[ 	]*SSHD_OPTS=/options=/p' /etc/default/ssh | tail -n 1; fi
	if [ -n "${hf_sshd_unit-}" ]; then
		systemctl show --no-pager -p ExecStart --value "$hf_sshd_unit" |
			sed -n 's/.*argv\[\]=[^ ;]*sshd \(.*\) ; ignore_errors=.*/started=\1/p' | tail -n 1
	fi
}

# Where sshd, or systemd in its place, listens, as in $hf_listen: ADDRESS:PORT a line, a socket for both
# families as its two addresses.
hf_sshd_spots() {
	{
		hf_sshd_own_spots
		hf_sshd_socket_spots
	} | sed -e '/^\*:/{s/^\*/0.0.0.0/p;s/^0.0.0.0/[::]/;}' | sort -u
}

# A listener of a session (remote forwarding) is also called sshd: where the main process is known, only
# it counts.
hf_sshd_own_spots() {
	hf_pid=
	if [ -r /run/sshd.pid ]; then read -r hf_pid </run/sshd.pid; fi
	case $hf_listen in
	*"pid=${hf_pid:-none},"*) ;;
	*'"sshd"'*) hf_pid=$(hf_sshd_main_pid) ;;
	esac
	printf '%s\n' "$hf_listen" | awk -v pid="$hf_pid" '
		(pid != "" && index($0, "pid=" pid ",")) || (pid == "" && /"sshd"/) { print $4 }'
}

# Without a file of its own (`PidFile none`) systemd knows it, unless sshd was started by hand.
hf_sshd_main_pid() {
	[ -d /run/systemd/system ] || return 0
	systemctl show --no-pager -p MainPID --value ssh.service sshd.service | while read -r hf_main_pid; do
		case $hf_listen in *"pid=$hf_main_pid,"*) printf '%s\n' "$hf_main_pid" ;; esac
	done | head -n 1
}

# systemd holds the ports where ssh.socket is in use. What a unit says it listens on may be newer than what
# it does listen on; so they are those that no other socket unit claims.
hf_sshd_socket_spots() {
	case $hf_listen in *'"systemd",pid=1,'*) ;; *) return 0 ;; esac
	{
		systemctl list-sockets --no-legend --no-pager 2>/dev/null
		echo --
		printf '%s\n' "$hf_listen"
	} | awk '
		!listening && $1 == "--" { listening = 1; next }
		!listening && $2 ~ /^sshd?\.socket$/ { active = 1; next }
		!listening { sub(/.*:/, "", $1); others[$1] = 1; next }
		active && /"systemd",pid=1,/ { port = $4; sub(/.*:/, "", port); if (!(port in others)) print $4 }'
}

# hf_sshd_port PORT: `held=PORT ADDRESS PROGRAM` for each listener that is not sshd's, `used=PORT PROGRAM` when
# the port is the near end of a connection of somebody else, which keeps it from sshd as well, `nat=PORT` when
# the packet filter sends that port elsewhere before sshd could see it.
hf_sshd_port() {
	{
		systemctl list-sockets --full --no-legend --no-pager 2>/dev/null
		echo --
		printf '%s\n' "$hf_listen"
	} | awk -v port="$1" -v ours="$hf_spots" '
		BEGIN { n = split(ours, spots, "\n"); for (i = 1; i <= n; i++) own[spots[i]] = 1 }
		!listening && $1 == "--" { listening = 1; next }
		!listening { at = $1; sub(/.*:/, "", at); if (at == port) unit = $2; next }
		{
			spot = $4; at = spot; sub(/.*:/, "", at)
			if (at != port || spot in own) next
			if (spot == "*:" port && ("[::]:" port) in own) next
			name = "?"
			if (match($0, /\(\("[^"]*"/)) name = substr($0, RSTART + 3, RLENGTH - 4)
			if (unit != "" && index($0, "\"systemd\",pid=1,")) name = unit
			sub(/:[0-9]*$/, "", spot)
			print "held=" port, spot, name
		}' | sort -u
	# What a listener let in shares its port with the next listener: so it is with the sessions of sshd.
	ss -Htanp "sport = :$1" 2>/dev/null | awk -v port="$1" '
		$1 != "LISTEN" && match($0, /\(\("[^"]*"/) {
			name = substr($0, RSTART + 3, RLENGTH - 4)
			if (name !~ /^sshd/) print "used=" port, name
		}' | sort -u
	if hf_sshd_nat | hf_sshd_diverts "$1"; then printf 'nat=%s\n' "$1"; fi
}

# hf_sshd_diverts PORT: whether one of the rules on stdin is about it: `tcp dport { 80, 2220-2226 }`, or
# `--dports 80,2220:2226`.
hf_sshd_diverts() {
	awk -v port="$1" '
		/udp/ || !match($0, /dports? +/) { next }
		{
			rest = substr($0, RSTART + RLENGTH)
			if (rest ~ /^!/) next
			if (rest ~ /^[{]/) { sub(/[}].*/, "", rest); gsub(/[{ ]/, "", rest) } else sub(/ .*/, "", rest)
			n = split(rest, words, ",")
			for (i = 1; i <= n; i++) {
				ends = split(words[i], range, /[-:]/)
				if (port + 0 >= range[1] + 0 && port + 0 <= range[ends] + 0) found = 1
			}
		}
		END { exit !found }'
}

# Every rule that sends packets elsewhere; Docker has them in a table of its own choice.
hf_sshd_nat() {
	if command -v nft >/dev/null 2>&1; then nft -n list ruleset 2>/dev/null | grep -e dnat -e redir; fi
	if grep -qsx nat /proc/net/ip_tables_names; then iptables-legacy-save -t nat 2>/dev/null | grep -e DNAT -e REDIR; fi
}
