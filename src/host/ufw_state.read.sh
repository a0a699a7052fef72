# shellcheck shell=sh
# Read-only questions of the kind `ufw` beyond those of `ufw.read.sh`.

# hf_ufw_listener PORT: the names of the programs that listen on a TCP port beyond loopback. systemd
# holds the port of a unit that is started by it.
hf_ufw_listener() {
	command -v ss >/dev/null || return 0
	printf 'told=yes\nport=%s\n' "$1"
	ss -Hltnp "sport = :$1" | awk '
		$4 ~ /^127\./ || $4 ~ /^\[::1\]/ { next }
		{ name = $0; if (!sub(/.*users:\(\("/, "", name)) name = "a program"; sub(/".*/, "", name); print "listens=" name }' |
		sort -u
}

# Everything that listens beyond loopback, as `PROTOCOL PORT PROGRAM`. Only told: it comes and goes.
hf_ufw_listening() {
	command -v ss >/dev/null || return 0
	ss -Hltunp 2>/dev/null | awk '
		$5 ~ /^127\./ || $5 ~ /^\[::1\]/ || $5 ~ /^\[::ffff:127\./ { next }
		{ name = $0; if (!sub(/.*users:\(\("/, "", name)) name = "a program"; sub(/".*/, "", name)
			port = $5; sub(/.*:/, "", port); print $1, port, name }' | sort -u
}

# hf_ufw_value KEY FILE: what a shell that reads the file makes of a key; nothing when it is not there.
hf_ufw_value() {
	sed -n -e "s/^$1=//p" "$2" 2>/dev/null | sed -n -e "s/[\"']//g" -e 's/[[:space:]]*$//' -e '$p'
}

# What ufw is set to beyond its rules, and what enabling it would touch beside them. Where it is still to be
# installed, what was left of an earlier one, if anything, and what its rules will meet.
hf_ufw_settings() {
	if command -v ufw >/dev/null || [ -r /etc/ufw/ufw.conf ]; then hf_ufw_own_settings; fi
	if [ -d /run/systemd/system ]; then
		printf 'unit=%s\n' "$(systemctl is-enabled ufw.service 2>/dev/null)"
		printf 'nftables=%s\n' "$(systemctl is-enabled nftables.service 2>/dev/null)"
	fi
	hf_ufw_sysctls
	hf_ufw_containers
	return 0
}

hf_ufw_own_settings() {
	for hf_ufw_key in INPUT OUTPUT FORWARD; do
		printf 'policy.%s=%s\n' "$hf_ufw_key" \
			"$(hf_ufw_value "DEFAULT_${hf_ufw_key}_POLICY" /etc/default/ufw)"
	done
	printf 'loglevel=%s\n' "$(hf_ufw_value LOGLEVEL /etc/ufw/ufw.conf)"
	printf 'builtins=%s\n' "$(hf_ufw_value MANAGE_BUILTINS /etc/default/ufw)"
	for hf_ufw_path in /etc/default/ufw /etc/ufw/ufw.conf; do
		[ -f "$hf_ufw_path" ] && [ ! -h "$hf_ufw_path" ] && [ -w "$hf_ufw_path" ] ||
			printf 'fixed=%s\n' "$hf_ufw_path"
	done
	for hf_ufw_path in before.rules after.rules before6.rules after6.rules; do
		hf_ufw_frame "/etc/ufw/$hf_ufw_path"
	done
	for hf_ufw_path in before.init after.init; do
		if [ -x "/etc/ufw/$hf_ufw_path" ]; then printf 'hook=/etc/ufw/%s\n' "$hf_ufw_path"; fi
	done
}

# hf_ufw_frame FILE: whether a file that ufw loads beside the rules is whole, and its other tables.
hf_ufw_frame() {
	[ -r "$1" ] || {
		printf 'broken=%s\n' "$1"
		return 0
	}
	hf_ufw_last=$(sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' "$1" | sed -n '$p')
	case $hf_ufw_last in COMMIT*) ;; *) printf 'broken=%s\n' "$1" ;; esac
	sed -n -e '/^\*filter/d' -e "s|^\\*\\([a-z]*\\).*|table=$1 \\1|p" "$1"
	hf_ufw_drops "$1" | sed -e "s|^|drops=$1 |"
}

# hf_ufw_sysctl_lines: `key value` for each setting that ufw makes when it starts; the key as a path.
hf_ufw_sysctl_lines() {
	hf_ufw_conf=$(hf_ufw_value IPT_SYSCTL /etc/default/ufw)
	[ -n "$hf_ufw_conf" ] && [ -r "$hf_ufw_conf" ] || return 0
	sed -n -e '/^[[:space:]]*[#;]/d' \
		-e 's/^[[:space:]]*-\{0,1\}\([^=[:space:]]*\)[[:space:]]*=[[:space:]]*\(.*\)$/\1 \2/p' "$hf_ufw_conf" |
		awk '{ if ($1 !~ /\//) gsub(/\./, "/", $1); print }'
}

# The settings of the kernel that are not as ufw will make them. By awk: the shell reads a byte at a time,
# and these files give nothing after the first.
hf_ufw_sysctls() {
	hf_ufw_sysctl_lines | awk '
		{ path = "/proc/sys/" $1; key = $1; sub(/^[^ ]* /, "") }
		(getline live < path) > 0 && live != $0 { print "sysctl=" key " " live " " $0 }'
}

# hf_ufw_drops FILE: lines of before.rules that keep packets out before any rule is asked, beyond ufw's own.
hf_ufw_drops() {
	sed -n -e '/--ctstate INVALID -j DROP/d' -e '/^-A ufw6\{0,1\}-not-local /d' -e '/ -m rt --rt-type 0 /d' \
		-e '/^-[AI] ufw6\{0,1\}-\(before\|before-logging\)-input .*-j \(DROP\|REJECT\)/p' "$1"
}

# What moves packets between containers and this host.
hf_ufw_containers() {
	if [ -e /etc/rancher/k3s ] || [ -e /etc/rancher/rke2 ] || [ -e /etc/kubernetes/kubelet.conf ] ||
		[ -e /sys/class/net/cni0 ]; then
		printf 'containers=Kubernetes\n'
	fi
	if [ -S /run/docker.sock ] || [ -e /sys/class/net/docker0 ]; then printf 'containers=Docker\n'; fi
}

# The policies of the kernel and the chains that carry them and the logging out. Nothing when ufw is off.
hf_ufw_policies() {
	command -v ufw >/dev/null && hf_ufw_enabled || return 0
	{
		hf_ufw_table v4 iptables-save
		hf_ufw_table v6 ip6tables-save
	} | sed -n \
		-e '/^family=/p' -e '/^status=/p' -e '/^root=no$/p' \
		-e 's/^\(:INPUT [A-Z]*\).*/\1/p' -e 's/^\(:OUTPUT [A-Z]*\).*/\1/p' -e 's/^\(:FORWARD [A-Z]*\).*/\1/p' \
		-e 's/^\(:ufw6\{0,1\}-user-input\) .*/\1 -/p' \
		-e '/^-A ufw6\{0,1\}-reject-/p' -e '/^-A ufw6\{0,1\}-track-/p' -e '/^-A ufw6\{0,1\}-skip-to-policy-/p' \
		-e '/^-A ufw6\{0,1\}-before-logging-/p' -e '/^-A ufw6\{0,1\}-after-logging-/p' \
		-e '/^-A ufw6\{0,1\}-logging-/p'
}
