# shellcheck shell=sh
# Values of the kernel, and the files that set them. Read-only.

# hf_sysctl FILE KEY…: for each KEY (a path below /proc/sys) its value, and who sets it after
# /etc/sysctl.d/FILE was read:
#   key=KEY             what follows is about it
#   live=VALUE          runs of white space are one blank
#   absent=yes | unreadable=yes | readonly=yes
#   set=HOW PATH VALUE  with tabs between. HOW is `boot`: systemd-sysctl reads that file later at boot;
#                       `later`: /etc/sysctl.conf, which only `sysctl --system` and `sysctl -p` read;
#                       `ufw` or `ufw-disabled`: ufw's own file, applied at each start of ufw
hf_sysctl() {
	hf_sysctl_file=$1
	shift
	hf_sysctl_after=$(hf_sysctl_later)
	for hf_sysctl_key; do
		printf 'key=%s\n' "$hf_sysctl_key"
		hf_sysctl_live
		printf '%s\n' "$hf_sysctl_after" | awk -v key="$hf_sysctl_key" -F '\t' '
			$3 == key { if (!($2 in value)) { order[++n] = $2; how[$2] = $1 } value[$2] = $4 }
			END { for (i = 1; i <= n; i++) print "set=" how[order[i]] "\t" order[i] "\t" value[order[i]] }'
	done
}

hf_sysctl_live() {
	if [ ! -e "/proc/sys/$hf_sysctl_key" ]; then
		echo absent=yes
	elif [ ! -f "/proc/sys/$hf_sysctl_key" ] || ! hf_sysctl_value=$(hf_sysctl_now "$hf_sysctl_key"); then
		echo unreadable=yes
	else
		printf 'live=%s\n' "$hf_sysctl_value"
		if [ "$(id -u)" = 0 ] && [ ! -w "/proc/sys/$hf_sysctl_key" ]; then echo readonly=yes; fi
	fi
}

# hf_sysctl_now KEY: the value, with single blanks.
hf_sysctl_now() {
	hf_sysctl_raw=$(cat "/proc/sys/$1" 2>/dev/null) || return 1
	printf '%s\n' "$hf_sysctl_raw" | tr '\n\t' '  ' | sed 's/  */ /g; s/^ //; s/ $//'
}

# Settings of the files that come later, a line each: how, path, key, value.
hf_sysctl_later() {
	# Of files with the same name the first folder has the one that counts; names decide the order.
	for hf_sysctl_folder in /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /lib/sysctl.d; do
		for hf_sysctl_path in "$hf_sysctl_folder"/*.conf; do
			if [ -f "$hf_sysctl_path" ] || [ -L "$hf_sysctl_path" ]; then printf '%s\t%s\n' "${hf_sysctl_path##*/}" "$hf_sysctl_path"; fi
		done
	done | awk -F '\t' -v ours="$hf_sysctl_file" '!($1 in seen) && NF == 2 { seen[$1] = 1; if ($1 "" > ours "") print }' |
		sort -t '	' -k 1,1 | while IFS='	' read -r hf_sysctl_name hf_sysctl_path; do
		hf_sysctl_settings boot "$(readlink -f "$hf_sysctl_path")"
	done
	if ! hf_sysctl_linked; then hf_sysctl_settings later /etc/sysctl.conf; fi
	if command -v ufw >/dev/null 2>&1; then
		hf_sysctl_ufw=$(sed -n 's/^IPT_SYSCTL=//p' /etc/default/ufw 2>/dev/null | tail -n 1 | tr -d "\"'")
		hf_sysctl_how=ufw-disabled
		if [ "$(hf_setting ENABLED /etc/ufw/ufw.conf)" = yes ]; then hf_sysctl_how=ufw; fi
		hf_sysctl_settings "$hf_sysctl_how" "${hf_sysctl_ufw:-/etc/ufw/sysctl.conf}"
	fi
}

# Whether systemd-sysctl reads /etc/sysctl.conf as well, through a link.
hf_sysctl_linked() {
	for hf_sysctl_path in /etc/sysctl.d/*.conf; do
		if [ "$(readlink -f "$hf_sysctl_path")" = /etc/sysctl.conf ]; then return 0; fi
	done
	return 1
}

# hf_sysctl_settings HOW PATH: the settings of a file. In a key the first of `.` and `/` is what parts it,
# the other one belongs to a name. Patterns never win over a key that is written out.
hf_sysctl_settings() {
	if [ ! -f "$2" ] || [ ! -r "$2" ]; then return 0; fi
	awk -v how="$1" -v path="$2" '
		/^[ \t]*([#;]|$)/ || !/=/ { next }
		{
			key = $0; sub(/[ \t]*=.*/, "", key); sub(/^[ \t]*-?[ \t]*/, "", key)
			value = $0; sub(/^[^=]*=[ \t]*/, "", value); gsub(/[ \t\r]+/, " ", value); sub(/ $/, "", value)
			if (match(key, /[.\/]/) && substr(key, RSTART, 1) == ".") {
				gsub(/\//, "\001", key); gsub(/\./, "/", key); gsub(/\001/, ".", key)
			}
			print how "\t" path "\t" key "\t" value
		}' "$2"
}

# hf_sysctl_around: what on this host needs the kernel to be as it is, for warnings. It comes and goes, so
# it is no precondition:
#   forwards=NAME       an interface or program that lives on forwarding
#   uplink=NAME         an interface with a default route
#   six=NAME            an interface with a global IPv6 address
#   connection=ADDRESS  the controller
hf_sysctl_around() {
	for hf_sysctl_path in /sys/class/net/*; do
		hf_sysctl_name=${hf_sysctl_path##*/}
		case $hf_sysctl_name in
		docker* | br-* | cni* | flannel* | cilium* | cali* | virbr* | lxcbr* | lxdbr* | podman* | wg* | kube-*) printf 'forwards=%s\n' "$hf_sysctl_name" ;;
		*) if grep -q '^DEVTYPE=wireguard' "$hf_sysctl_path/uevent" 2>/dev/null; then printf 'forwards=%s\n' "$hf_sysctl_name"; fi ;;
		esac
	done
	for hf_sysctl_name in k3s dockerd kubelet; do
		if command -v "$hf_sysctl_name" >/dev/null 2>&1; then printf 'forwards=%s\n' "$hf_sysctl_name"; fi
	done
	awk '$2 == "00000000" && $8 == "00000000" { print "uplink=" $1 }' /proc/net/route 2>/dev/null | sort -u
	awk '$4 == "00" && $1 !~ /^f[cd]/ || $1 ~ /^f[cd]/ && $6 != "lo" { print "six=" $6 }' /proc/net/if_inet6 2>/dev/null | sort -u
	hf_peer=${HF_CONNECTION:-${SSH_CONNECTION:-}}
	printf 'connection=%s\n' "${hf_peer%% *}"
}
