# shellcheck shell=sh
# Read-only questions about ufw. Nothing here writes: not a file, not a chain, not a module.
#
# Few processes on purpose: a run that finds nothing to do is mostly these. `iptables-save` and not
# `iptables -L`, because older nft flavours of the latter create missing tables.

# hf_ufw_tool NAME ARGUMENTS…: the tool that ufw itself runs, whatever stands earlier in PATH.
hf_ufw_tool() {
	hf_ufw_name=$1
	shift
	if [ -x "/usr/sbin/$hf_ufw_name" ]; then
		"/usr/sbin/$hf_ufw_name" "$@"
	else
		"/sbin/$hf_ufw_name" "$@"
	fi
}

# Whether ufw is set to run. The last setting counts.
hf_ufw_enabled() {
	hf_ufw_on=1
	# A last line without its newline counts too, as it does for the shell that ufw reads it with.
	while read -r hf_ufw_line || [ -n "$hf_ufw_line" ]; do
		case $hf_ufw_line in
		ENABLED=yes* | ENABLED=YES* | ENABLED=\"yes* | ENABLED=\"YES*) hf_ufw_on=0 ;;
		ENABLED=*) hf_ufw_on=1 ;;
		esac
	done </etc/ufw/ufw.conf
	return "$hf_ufw_on"
}

# hf_ufw_file NAME FILE: whether it can be read and written, and its content in base64.
hf_ufw_file() {
	[ -f "$2" ] || return 0
	[ -r "$2" ] || {
		printf '%s.unreadable=yes\n' "$1"
		return 0
	}
	[ -w "$2" ] && [ -w "${2%/*}" ] || printf '%s.readonly=yes\n' "$1"
	printf '%s.data=' "$1"
	base64 -w 0 <"$2"
	printf '\n'
}

# What ufw is set to, and both rules files. Asked again right before they are changed. A ufw that was
# removed and not purged left them, and takes them up when it comes again.
hf_ufw_files() {
	if hf_ufw_program=$(command -v ufw); then
		printf 'installed=yes\n'
	else
		hf_ufw_program=/dev/null
		printf 'installed=no\n'
		if [ ! -e /proc/net/if_inet6 ]; then printf 'kernel6=no\n'; fi
		[ -r /etc/ufw/ufw.conf ] || return 0
		printf 'left=yes\n'
	fi
	if hf_ufw_enabled; then printf 'enabled=yes\n'; else printf 'enabled=no\n'; fi
	if [ -e /proc/net/if_inet6 ]; then printf 'kernel6=yes\n'; fi
	if command -v python3 >/dev/null; then printf 'python=yes\n'; fi
	sed -n \
		-e 's/^version = "\(.*\)".*/version=\1/p' \
		-e "s/^IPV6=[\"']\\{0,1\\}\\([A-Za-z]*\\).*/ipv6=\\1/p" \
		-e "s/^DEFAULT_INPUT_POLICY=[\"']\\{0,1\\}\\([A-Za-z]*\\).*/policy=\\1/p" \
		-e 's|^.* /etc/ufw/user\.rules .*|v4.mounted=yes|p' \
		-e 's|^.* /etc/ufw/user6\.rules .*|v6.mounted=yes|p' \
		"$hf_ufw_program" /etc/default/ufw /proc/self/mountinfo 2>/dev/null
	stat -c '%n %F|%h|%a|%u:%g' /etc/ufw/user.rules /etc/ufw/user6.rules 2>/dev/null
	hf_ufw_file v4 /etc/ufw/user.rules
	hf_ufw_file v6 /etc/ufw/user6.rules
}

# hf_ufw_table NAME TOOL: the filter table and how printing it went; whether root was lacking.
hf_ufw_table() {
	printf 'family=%s\n' "$1"
	hf_ufw_tool "$2" -t filter 2>/dev/null
	hf_ufw_status=$?
	printf 'status=%s\n' "$hf_ufw_status"
	[ "$hf_ufw_status" = 0 ] || [ "$(id -u)" = 0 ] || printf 'root=no\n'
}

# The chains through which packets reach the user rules, and those. Asked again right before they
# are changed. Counters are left out, for they change by themselves.
hf_ufw_kernel() {
	command -v ufw >/dev/null && hf_ufw_enabled || return 0
	{
		hf_ufw_table v4 iptables-save
		hf_ufw_table v6 ip6tables-save
	} | sed -n \
		-e '/^family=/p' -e '/^status=/p' -e '/^root=no$/p' \
		-e "s/^# Table .* is incompatible.*/incompatible=yes/p" \
		-e 's/^\(:INPUT [A-Z]*\).*/\1/p' \
		-e '/^-A INPUT -j ufw6\{0,1\}-before-input$/p' \
		-e '/^-A ufw6\{0,1\}-before-input -j ufw6\{0,1\}-user-input$/p' \
		-e '/^-A ufw6\{0,1\}-user-input /p' \
		-e '/^-A ufw6\{0,1\}-user-output /p' \
		-e '/^-A ufw6\{0,1\}-user-forward /p'
}

# Tables of nftables that are neither iptables' own nor fail2ban's: their hooks, drops and DNAT.
hf_ufw_other_tables() {
	command -v nft >/dev/null || return 0
	nft -s list tables 2>/dev/null | while read -r _ hf_ufw_family hf_ufw_name; do
		case "$hf_ufw_family $hf_ufw_name" in
		ip\ filter | ip\ nat | ip\ mangle | ip\ raw | ip\ security) continue ;;
		ip6\ filter | ip6\ nat | ip6\ mangle | ip6\ raw | ip6\ security) continue ;;
		*\ f2b-table) continue ;;
		esac
		printf 'nft=%s %s\n' "$hf_ufw_family" "$hf_ufw_name"
		nft -s list table "$hf_ufw_family" "$hf_ufw_name" 2>/dev/null | sed -n \
			-e '/hook input/s/^[[:space:]]*/nft.hook=/p' \
			-e '/[[:space:]]dnat /s/^[[:space:]]*/nft.dnat=/p' \
			-e '/[[:space:]]redirect/s/^[[:space:]]*/nft.dnat=/p' \
			-e '/[[:space:]]drop$/s/^[[:space:]]*/nft.drop=/p' \
			-e '/[[:space:]]reject/s/^[[:space:]]*/nft.drop=/p'
	done
}

# How many rules the flavour of iptables holds that ufw does not use. Where no legacy table was ever
# made there is only one flavour, and that is nearly everywhere.
hf_ufw_other_flavour() {
	hf_ufw_line=
	if [ -r /proc/net/ip_tables_names ]; then read -r hf_ufw_line </proc/net/ip_tables_names; fi
	[ -n "$hf_ufw_line" ] || return 0
	case $(readlink -f /usr/sbin/iptables) in
	*legacy*) hf_ufw_name=iptables-nft-save ;;
	*) hf_ufw_name=iptables-legacy-save ;;
	esac
	printf 'flavour=%s %s\n' "$("$hf_ufw_name" 2>/dev/null | grep -c '^-A')" "$hf_ufw_name"
}

# What else decides about incoming packets. Only told, never a condition: Docker and Kubernetes
# change these all the time.
hf_ufw_around() {
	hf_ufw_other_flavour
	{
		printf 'family=v4\n'
		hf_ufw_tool iptables-save 2>/dev/null
		printf 'family=v6\n'
		hf_ufw_tool ip6tables-save 2>/dev/null
	} | sed -n \
		-e '/^family=/p' -e '/^\*/p' -e '/^-A INPUT /p' \
		-e '/ -j DNAT /p' -e '/ -j REDIRECT/p' -e '/--dports\{0,1\} .* -j CNI-DN-/p' \
		-e '/--dports\{0,1\} .* -j KUBE-EXT-/p' -e '/--dports\{0,1\} .* -j KUBE-XLB-/p'
	hf_ufw_other_tables
	if [ -d /etc/fail2ban ]; then
		grep -rlsE '^[[:space:]]*banaction(_allports)?[[:space:]]*=[[:space:]]*ufw' \
			/etc/fail2ban/jail.conf /etc/fail2ban/jail.local /etc/fail2ban/jail.d |
			sed 's/^/fail2ban=/'
	fi
	return 0
}
