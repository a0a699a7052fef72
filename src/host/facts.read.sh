# shellcheck shell=sh
# Facts of a host, as `key=value` lines. Parsed in src/facts.rs.
#
# Asked on every run, so files are read by the shell itself: a process costs a millisecond.

hf_facts() {
	hf_os_facts
	hf_pid1=unknown
	read -r hf_pid1 </proc/1/comm
	if [ -d /run/systemd/system ]; then hf_pid1=systemd; fi
	printf 'init=%s\n' "$hf_pid1"
	# systemd and container managers leave the name there (systemd-nspawn, lxc, podman).
	hf_container=none
	if [ -r /run/systemd/container ]; then
		read -r hf_container </run/systemd/container
	elif [ -e /.dockerenv ]; then
		hf_container=docker
	fi
	printf 'container=%s\n' "$hf_container"
	read -r hf_name </proc/sys/kernel/hostname
	printf 'hostname=%s\n' "$hf_name"
	read -r hf_boot </proc/sys/kernel/random/boot_id
	printf 'boot_id=%s\n' "$hf_boot"
	printf 'clock=%s\n' "$(date +%s)"
	hf_peer=${HF_CONNECTION:-${SSH_CONNECTION:-}}
	printf 'controller_ip=%s\n' "${hf_peer%% *}"
	printf 'login_user=%s\n' "${SUDO_USER:-${LOGNAME:-${USER:-}}}"
	hf_sshd_ports
	hf_ufw_facts
	hf_fail2ban_facts
	hf_machine_facts
}

# os-release is shell syntax by its own definition (os-release(5)); a subshell keeps it apart.
hf_os_facts() {
	(
		ID='' VERSION_ID='' VERSION_CODENAME='' ID_LIKE='' PRETTY_NAME=''
		# shellcheck source=/dev/null
		[ -r /etc/os-release ] && . /etc/os-release
		printf 'os_id=%s\nos_version=%s\nos_codename=%s\nos_like=%s\nos_name=%s\n' \
			"${ID:-unknown}" "$VERSION_ID" "$VERSION_CODENAME" "$ID_LIKE" "$PRETTY_NAME"
	)
}

# Ports that sshd itself, or systemd in its place, listens on beyond loopback.
hf_sshd_ports() {
	hf_mode=none
	# shellcheck disable=SC2034 # read in sshd.read.sh
	hf_listen=$(ss -Hltnp 2>/dev/null)
	hf_ports=$(hf_sshd_own_spots | hf_sshd_outside)
	if [ -n "$hf_ports" ]; then hf_mode=service; fi
	hf_more=$(hf_sshd_socket_spots | hf_sshd_outside)
	if [ -n "$hf_more" ]; then hf_mode=socket; fi
	printf 'sshd_ports=%s%s\nsshd_mode=%s\n' "$hf_ports" "$hf_more" "$hf_mode"
}

# The ports of ADDRESS:PORT lines, without loopback and what is no port, each with a blank behind it.
hf_sshd_outside() {
	awk '!/^(127\.|\[::1\]|\[::ffff:127\.)/ && /:[0-9]+$/ { sub(/.*:/, ""); if (!seen[$0]++) printf "%s ", $0 }'
}

hf_fail2ban_facts() {
	if command -v fail2ban-client >/dev/null 2>&1; then echo fail2ban_installed=yes; else echo fail2ban_installed=no; fi
	if [ -x /usr/sbin/needrestart ]; then echo needrestart_installed=yes; else echo needrestart_installed=no; fi
	hf_pid=none
	if [ -r /run/fail2ban/fail2ban.pid ]; then read -r hf_pid </run/fail2ban/fail2ban.pid; fi
	if [ -d "/proc/$hf_pid" ]; then echo fail2ban_running=yes; else echo fail2ban_running=no; fi
}

hf_machine_facts() {
	if [ -e /run/reboot-required ]; then echo reboot_pending=yes; else echo reboot_pending=no; fi
	hf_machine=none
	if [ "$hf_container" != none ]; then
		hf_machine=$hf_container
	elif [ -r /sys/class/dmi/id/sys_vendor ]; then
		read -r hf_maker </sys/class/dmi/id/sys_vendor
		case $hf_maker in
		QEMU*) hf_machine=qemu ;;
		VMware*) hf_machine=vmware ;;
		Xen*) hf_machine=xen ;;
		innotek*) hf_machine=virtualbox ;;
		Microsoft*) hf_machine=hyperv ;;
		Amazon*) hf_machine=amazon ;;
		Google*) hf_machine=google ;;
		Hetzner*) hf_machine=hetzner ;;
		DigitalOcean*) hf_machine=digitalocean ;;
		esac
	fi
	printf 'virtualization=%s\n' "$hf_machine"
}

hf_ufw_facts() {
	if command -v ufw >/dev/null 2>&1; then echo ufw_installed=yes; else echo ufw_installed=no; fi
	printf 'ufw_enabled=%s\n' "$(hf_setting ENABLED /etc/ufw/ufw.conf)"
	hf_six=$(hf_setting IPV6 /etc/default/ufw)
	if [ ! -e /proc/sys/net/ipv6 ]; then hf_six=no; fi
	printf 'ufw_ipv6=%s\n' "$hf_six"
}

# hf_setting KEY FILE: yes or no; the last line counts, as in the shell that ufw itself reads it with.
hf_setting() {
	hf_value=no
	if [ -r "$2" ]; then
		while read -r hf_line || [ -n "$hf_line" ]; do
			case $hf_line in
			"$1"=[Yy][Ee][Ss]* | "$1"=[\"\'][Yy][Ee][Ss]*) hf_value=yes ;;
			"$1"=*) hf_value=no ;;
			esac
		done <"$2"
	fi
	echo "$hf_value"
}
