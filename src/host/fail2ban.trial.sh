# shellcheck shell=sh
# Trials: checks that change something for a moment and put it back by themselves. Sent for one check, to a
# shell of its own within the one that only reads; never for a survey or a dry run.
# shellcheck disable=SC2030,SC2031 # the helpers are called from within that subshell

# hf_trial_ban JAIL PORTS ADDRESS…: bans addresses that are kept for documentation, sees each in the packet filter with
# every port of PORTS (22,2222), lifts the bans and sees them gone. Answers lines `yes=`, `no=` or `cannot=` with what
# was seen. Whatever becomes of us, a process of its own lifts the bans after two minutes.
hf_trial_ban() (
	hf_trial_jail=$1 hf_trial_ports=$2
	shift 2
	hf_trial_possible || return 0
	hf_trial_left=
	if ! hf_trial_has_v6; then
		hf_trial_left='; IPv6 is off here, so it was not tried'
		for hf_word; do
			shift
			case $hf_word in *:*) ;; *) set -- "$@" "$hf_word" ;; esac
		done
	fi
	if [ $# = 0 ]; then
		echo "cannot=no address to try$hf_trial_left"
		return 0
	fi
	trap 'exit 1' HUP INT TERM
	trap 'hf_trial_lift "$@"' EXIT
	hf_trial_watch "$@"
	hf_trial_client set "$hf_trial_jail" banip "$@" >/dev/null
	if ! hf_trial_wait in "$@"; then
		echo "no=$hf_trial_missing was banned, but is not in the packet filter"
	elif ! hf_trial_covers "$@"; then
		echo "no=the ban does not cover $hf_trial_missing"
	else
		hf_trial_lift "$@"
		if hf_trial_wait out "$@"; then
			echo "yes=a ban of $(echo "$*" | sed 's/ / and /g') reached the packet filter on port $hf_trial_ports, and was lifted$hf_trial_left"
		else
			echo "no=$hf_trial_missing is still in the packet filter after its ban was lifted"
		fi
	fi
)

hf_trial_client() {
	timeout 20 fail2ban-client "$@" 2>/dev/null </dev/null
}

# Only bans whose whole effect is in the packet filter are tried: other actions may tell the whole world.
hf_trial_possible() {
	if [ "$(id -u)" != 0 ]; then
		echo 'cannot=needs root to ask fail2ban'
		return 1
	fi
	if [ "$(hf_trial_client ping)" != 'Server replied: pong' ]; then
		echo 'no=fail2ban does not answer'
		return 1
	fi
	hf_trial_actions=$(hf_trial_client get "$hf_trial_jail" actions) || {
		echo "no=fail2ban has no jail $hf_trial_jail"
		return 1
	}
	for hf_word in $(printf '%s\n' "$hf_trial_actions" | sed 1d | tr ',' ' '); do
		case $hf_word in
		*ipset*) ;;
		iptables* | nftables*) continue ;;
		esac
		echo "cannot=a ban would also set off the action $hf_word, which is not tried"
		return 1
	done
}

hf_trial_has_v6() {
	[ -e /proc/net/if_inet6 ] && [ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null)" = 0 ]
}

# The lock of the run stays out of it: it must be free when the run is over.
hf_trial_watch() {
	(
		exec </dev/null >/dev/null 2>&1 3>&- 9>&-
		# shellcheck disable=SC2016 # for that shell
		exec setsid sh -c 'jail=$1; shift; sleep 120; fail2ban-client set "$jail" unbanip "$@"' sh "$hf_trial_jail" "$@"
	) &
	hf_trial_watcher=$!
}

# hf_trial_lift ADDRESS…: may be repeated. The watch ends after it.
hf_trial_lift() {
	hf_trial_client set "$hf_trial_jail" unbanip "$@" >/dev/null
	[ -z "$hf_trial_watcher" ] || kill -- "-$hf_trial_watcher" 2>/dev/null
	hf_trial_watcher=
}

# hf_trial_wait in|out ADDRESS…: until each is in the packet filter, or none is.
hf_trial_wait() {
	hf_trial_where=$1
	shift
	hf_trial_looks=0
	while [ "$hf_trial_looks" -lt 20 ]; do
		hf_trial_seen=$(hf_f2b_filter "$hf_trial_jail")
		hf_trial_missing=
		for hf_word; do
			if printf '%s\n' "$hf_trial_seen" | grep -qxF -e "v4.banned=$hf_word" -e "v6.banned=$hf_word"; then
				hf_trial_is=in
			else
				hf_trial_is=out
			fi
			[ "$hf_trial_is" = "$hf_trial_where" ] || hf_trial_missing=$hf_word
		done
		[ -n "$hf_trial_missing" ] || return 0
		hf_trial_looks=$((hf_trial_looks + 1))
		sleep 0.5
	done
	return 1
}

# Whether the packet filter asks about banned addresses at every port, in each family that was tried.
hf_trial_covers() {
	for hf_word; do
		case $hf_word in *:*) hf_trial_family=v6 ;; *) hf_trial_family=v4 ;; esac
		hf_trial_missing=$(printf '%s\n' "$hf_trial_seen" | awk -v family="$hf_trial_family" -v wanted="$hf_trial_ports" '
			sub("^" family "[.]ports=", "") { all = all "," $0 }
			END {
				count = split(all, found, ",")
				asked = split(wanted, port, ",")
				for (i = 1; i <= asked; i++) {
					covered = 0
					for (j = 1; j <= count; j++) {
						if (found[j] == "all") covered = 1
						parts = split(found[j], range, "-")
						if (parts == 1 && found[j] == port[i]) covered = 1
						if (parts == 2 && port[i] + 0 >= range[1] + 0 && port[i] + 0 <= range[2] + 0) covered = 1
					}
					if (!covered) { print "port " port[i] " over " (family == "v4" ? "IPv4" : "IPv6"); exit }
				}
			}')
		[ -z "$hf_trial_missing" ] || return 1
	done
}
