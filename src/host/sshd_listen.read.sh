# shellcheck shell=sh
# Who listens for sshd, where, and who else does. Parsed in src/resource/sshd_config/look.rs and src/facts.rs.

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

# What sshd is started with beyond its files.
hf_sshd_options() {
	[ -r /etc/default/ssh ] || return 0
	sed -n 's/^[ 	]*SSHD_OPTS=/options=/p' /etc/default/ssh | tail -n 1
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
	case $hf_listen in *"pid=${hf_pid:-none},"*) ;; *) hf_pid= ;; esac
	printf '%s\n' "$hf_listen" | awk -v pid="$hf_pid" '
		(pid != "" && index($0, "pid=" pid ",")) || (pid == "" && /"sshd"/) { print $4 }'
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

# hf_sshd_port PORT: `held=PORT ADDRESS PROGRAM` for each listener that is not sshd's, `nat=PORT` when the
# packet filter sends that port elsewhere before sshd could see it.
hf_sshd_port() {
	printf '%s\n' "$hf_listen" | awk -v port="$1" -v ours="$hf_spots" '
		BEGIN { n = split(ours, spots, "\n"); for (i = 1; i <= n; i++) own[spots[i]] = 1 }
		{
			spot = $4; at = spot; sub(/.*:/, "", at)
			if (at != port || spot in own) next
			if (spot == "*:" port && ("[::]:" port) in own) next
			name = "?"
			if (match($0, /\(\("[^"]*"/)) name = substr($0, RSTART + 3, RLENGTH - 4)
			sub(/:[0-9]*$/, "", spot)
			print "held=" port, spot, name
		}' | sort -u
	if hf_sshd_nat | grep -Eq "dport[ {]+([0-9, -]*[ ,])?$1([ ,}].*|)(dnat|DNAT|redir|REDIRECT)"; then
		printf 'nat=%s\n' "$1"
	fi
}

hf_sshd_nat() {
	if command -v nft >/dev/null 2>&1; then
		nft -n list tables 2>/dev/null | sed -n 's/^table \(ip6* nat\)$/\1/p' | while read -r hf_family hf_table; do
			nft -n list table "$hf_family" "$hf_table" 2>/dev/null
		done
	fi
	if grep -qsx nat /proc/net/ip_tables_names; then iptables-legacy-save -t nat 2>/dev/null; fi
}
