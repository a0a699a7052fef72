# shellcheck shell=sh
# The rules of sudo on a host, beside the file that is to change. Read-only.

# hf_sudoers: whether visudo is there, whether sudo reads /etc/sudoers.d, and what visudo says is wrong with
# the rules as they are: `broken=` lines.
hf_sudoers() {
	if ! hf_find_program visudo; then
		echo visudo=no
		return 0
	fi
	echo visudo=yes
	if [ "$(id -u)" != 0 ]; then
		echo unreadable=yes
		return 0
	fi
	if [ -r /etc/sudoers ] && awk '
		/^[ \t]*[#@]includedir[ \t]/ { sub(/^[ \t]*[#@]includedir[ \t]+/, ""); gsub(/["\\]|[ \t]+$/, "")
			if ($0 == "/etc/sudoers.d" || $0 == "sudoers.d" || $0 == "/etc/sudoers.d/") found = 1 }
		END { exit !found }' /etc/sudoers; then
		echo included=yes
	fi
	hf_sudoers_said=$(visudo -c 2>&1) || printf '%s\n' "$hf_sudoers_said" | grep -v ': parsed OK$' | sed 's/^/broken=/'
}
