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
