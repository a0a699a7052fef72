# shellcheck shell=sh
# The policies and the logging of ufw are set, and what was before is kept and put back: also for
# `ufw_switch.write.sh`. See src/resource/ufw/switch.rs.
#
# What was before is kept as copies of four files and a listing of the kernel's rules; the undo makes
# ufw's part of the kernel the listed one again in one transaction, and leaves the rules of others alone.

HF_UFW_FILES='/etc/default/ufw /etc/ufw/ufw.conf /etc/ufw/user.rules /etc/ufw/user6.rules'

# hf_ufw_each_family COMMAND…: runs it for 4, and for 6 where the kernel has IPv6.
hf_ufw_each_family() {
	"$@" 4 || return 1
	[ ! -e /proc/net/if_inet6 ] || "$@" 6
}

# hf_ufw_listing FAMILY: the filter table without counters and times.
hf_ufw_listing() {
	case $1 in
	4) hf_ufw_name=iptables-save ;;
	6) hf_ufw_name=ip6tables-save ;;
	esac
	hf_ufw_list=$(hf_ufw_tool "$hf_ufw_name" -t filter 3>&- 9>&-) || return 1
	printf '%s\n' "$hf_ufw_list" | sed -e '/^#/d' -e 's/ \[[0-9:]*\]$//'
}

hf_ufw_keep_listing() {
	hf_ufw_listing "$1" >"$HF_SAVE/kernel$1"
}

hf_ufw_keep_sysctls() {
	hf_ufw_sysctl_lines | while read -r hf_ufw_key _; do
		if [ -r "/proc/sys/$hf_ufw_key" ]; then
			printf '%s %s\n' "$hf_ufw_key" "$(cat "/proc/sys/$hf_ufw_key")"
		fi
	done >"$HF_SAVE/sysctl"
}

# What the undo needs. The first whole save counts: a repeated action must not keep its own result.
hf_ufw_keep_state() {
	umask 077
	[ -f "$HF_SAVE/saved" ] && return 0
	for hf_ufw_path in $HF_UFW_FILES; do
		cp -p "$hf_ufw_path" "$HF_SAVE/$(hf_ufw_copy "$hf_ufw_path")" || {
			echo "cannot keep a copy of $hf_ufw_path; nothing was changed"
			return 1
		}
	done
	if ! hf_ufw_each_family hf_ufw_keep_listing || ! hf_ufw_keep_sysctls; then
		echo "cannot list the rules of the kernel; nothing was changed"
		return 1
	fi
	sync "$HF_SAVE"/* && (: >"$HF_SAVE/saved") && sync "$HF_SAVE/saved" "$HF_SAVE"
}

# hf_ufw_copy PATH: the name of its copy.
hf_ufw_copy() {
	printf '%s' "$1" | tr / _
}

# hf_ufw_as_kept: whether the files are still those that were kept: what the plan saw.
hf_ufw_as_kept() {
	for hf_ufw_path in $HF_UFW_FILES; do
		cmp -s "$hf_ufw_path" "$HF_SAVE/$(hf_ufw_copy "$hf_ufw_path")" || {
			echo "$hf_ufw_path was changed while we looked; nothing was changed"
			return 75
		}
	done
}

# hf_ufw_replace PATH: puts the text on stdin in place of a file, with its owner, mode and ACL.
hf_ufw_replace() {
	hf_ufw_to=${1%/*}/.${1##*/}.holdfast
	rm -f "$hf_ufw_to" && cp -p "$1" "$hf_ufw_to" && cat >"$hf_ufw_to" && [ -s "$hf_ufw_to" ] &&
		sync "$hf_ufw_to" && mv -f "$hf_ufw_to" "$1" && sync "${1%/*}"
}

# hf_ufw_assign FILE KEY=VALUE: a setting, written the way ufw writes it: in place of every line that
# sets it, or at the end.
hf_ufw_assign() {
	awk -v key="${2%%=*}" -v line="$2" '
		index($0, key "=") == 1 { print line; found = 1; next }
		{ print }
		END { if (!found) print line }' "$1" >"$HF_SAVE/assigned" &&
		hf_ufw_replace "$1" <"$HF_SAVE/assigned" || echo "cannot write $1"
	grep -qxF -e "$2" "$1"
}

# hf_ufw_assign_all FILE:KEY=VALUE…
hf_ufw_assign_all() {
	for hf_ufw_setting in "$@"; do
		hf_ufw_assign "${hf_ufw_setting%%:*}" "${hf_ufw_setting#*:}" || return 1
	done
}

hf_ufw_handles6() {
	case $(hf_ufw_value IPV6 /etc/default/ufw) in [Yy][Ee][Ss]) ;; *) return 1 ;; esac
}

# hf_ufw_remember_state: what the files are when we leave them, so that the undo can tell.
hf_ufw_remember_state() {
	for hf_ufw_path in $HF_UFW_FILES; do
		printf '%s %s\n' "$hf_ufw_path" "$(hf_ufw_digest "$hf_ufw_path")"
	done >"$HF_SAVE/state-after"
}

# hf_ufw_set FILE:KEY=VALUE…: makes the settings, replaces the rules files by the texts in $HF_INPUT
# (`4 <base64>`) and loads others in one transaction for each family (`load4 <base64>`).
hf_ufw_set() {
	hf_ufw_locked hf_ufw_set_locked "$@"
	hf_ufw_result $?
}

hf_ufw_set_locked() {
	hf_ufw_keep_state || return 1
	hf_ufw_as_kept || return
	if hf_ufw_set_all "$@"; then
		hf_ufw_remember_state
		return
	fi
	if hf_ufw_state_back force; then
		echo "the settings could not be made; files and kernel are as before"
	else
		echo "the settings could not be made, and what was before could not be restored wholly"
	fi
	return 1
}

hf_ufw_set_all() {
	for hf_ufw_how in --test ''; do
		for hf_ufw_n in 4 6; do
			grep -q "^load$hf_ufw_n " "$HF_INPUT" || continue
			# No word at all, or one.
			# shellcheck disable=SC2086
			sed -n "s/^load$hf_ufw_n //p" "$HF_INPUT" | base64 -d | hf_ufw_restore_tool "$hf_ufw_n" $hf_ufw_how || {
				echo "iptables did not take the new rules of IPv$hf_ufw_n"
				return 1
			}
		done
	done
	for hf_ufw_n in 4 6; do
		grep -q "^$hf_ufw_n " "$HF_INPUT" || continue
		sed -n "s/^$hf_ufw_n //p" "$HF_INPUT" | base64 -d | hf_ufw_replace "$(hf_ufw_path "$hf_ufw_n")" || return 1
	done
	hf_ufw_assign_all "$@"
}

# hf_ufw_state_undo: puts back what hf_ufw_switch or hf_ufw_set found.
hf_ufw_state_undo() {
	[ -f "$HF_SAVE/saved" ] || return 0
	hf_ufw_locked hf_ufw_state_back "$(hf_ufw_how_strict)"
}

hf_ufw_state_back() {
	umask 077
	if [ "$1" != force ] && [ -f "$HF_SAVE/state-after" ]; then
		while read -r hf_ufw_path hf_ufw_sum; do
			hf_ufw_is_ours "$hf_ufw_path" "$hf_ufw_sum" "$HF_SAVE/$(hf_ufw_copy "$hf_ufw_path")" || {
				echo "$hf_ufw_path was changed since by someone else; nothing was changed"
				return 77
			}
		done <"$HF_SAVE/state-after"
	fi
	hf_ufw_rc=0
	for hf_ufw_path in $HF_UFW_FILES; do
		hf_ufw_file_back "$hf_ufw_path" || hf_ufw_rc=1
	done
	# Early at boot the kernel holds nothing yet: ufw loads the files itself in a moment.
	if [ -z "${HF_AT_BOOT:-}" ]; then
		hf_ufw_each_family hf_ufw_kernel_back || hf_ufw_rc=1
		hf_ufw_sysctls_back
	fi
	[ "$hf_ufw_rc" -ne 0 ] || rm -f "$HF_SAVE/state-after"
	return "$hf_ufw_rc"
}

# hf_ufw_file_back PATH: the copy with its owner, mode, times and ACL, unless the file is the same.
hf_ufw_file_back() {
	hf_ufw_from=$HF_SAVE/$(hf_ufw_copy "$1")
	hf_ufw_to=${1%/*}/.${1##*/}.holdfast
	rm -f "$hf_ufw_to"
	if [ "$(stat -c '%a %u %g' "$1" 2>/dev/null)" = "$(stat -c '%a %u %g' "$hf_ufw_from")" ] &&
		cmp -s "$1" "$hf_ufw_from"; then
		return 0
	fi
	cp -p "$hf_ufw_from" "$hf_ufw_to" && sync "$hf_ufw_to" && mv -f "$hf_ufw_to" "$1" &&
		sync "${1%/*}" && return 0
	echo "cannot put $1 back"
	return 1
}

hf_ufw_sysctls_back() {
	while read -r hf_ufw_key hf_ufw_value; do
		if [ "$(cat "/proc/sys/$hf_ufw_key")" != "$hf_ufw_value" ]; then
			printf '%s\n' "$hf_ufw_value" >"/proc/sys/$hf_ufw_key"
		fi
	done <"$HF_SAVE/sysctl"
}

# With IPV6=no ufw replaces all rules of IPv6, whosever they are, by these.
hf_ufw_shut() {
	printf '%s\n' '*filter' ':INPUT DROP' ':FORWARD DROP' ':OUTPUT DROP' \
		'-A INPUT -i lo -j ACCEPT' '-A OUTPUT -o lo -j ACCEPT' COMMIT
}

# hf_ufw_kernel_back FAMILY: one transaction from what is to what was; the legacy and the nft flavour
# take it alike. A builtin chain keeps its rules when its policy is set with `-n`.
hf_ufw_kernel_back() {
	hf_ufw_listing "$1" >"$HF_SAVE/now" || return 1
	cmp -s "$HF_SAVE/kernel$1" "$HF_SAVE/now" && return 0
	if hf_ufw_shut | cmp -s - "$HF_SAVE/now"; then
		hf_ufw_tool ip6tables-restore -w 10 <"$HF_SAVE/kernel$1" 3>&- 7>&- 9>&-
		return
	fi
	awk '
		function remember(line, kept) { if (kept) was[line]++; else is[line]++ }
		{ file = FILENAME == ARGV[1] ? 1 : 2 }
		/^:/ { chain = substr($1, 2)
			if (chain ~ /^ufw6?-/) { if (file == 1) had[chain] = 1; has[chain] = 1; if (file == 2) now[chain] = 1 }
			else if (file == 1) policy[chain] = $2 }
		/^-A / && $2 ~ /^ufw6?-/ && file == 1 { rules[++n] = $0 }
		/^-A / && $2 !~ /^ufw6?-/ && / -j ufw6?-/ { remember($0, file == 1)
			if (file == 1) jumps[++j] = $0; else others[++o] = $0 }
		END {
			print "*filter"
			split("INPUT FORWARD OUTPUT", builtin, " ")
			for (i = 1; i <= 3; i++)
				print ":" builtin[i], (builtin[i] in policy ? policy[builtin[i]] : "ACCEPT"), "[0:0]"
			for (chain in has) print ":" chain, "-", "[0:0]"
			for (i = 1; i <= o; i++) if (was[others[i]]-- <= 0) { line = others[i]; sub(/^-A/, "-D", line); print line }
			for (i = 1; i <= n; i++) print rules[i]
			for (i = 1; i <= j; i++) if (is[jumps[i]]-- <= 0) print jumps[i]
			for (chain in now) if (!(chain in had)) print "-X " chain
			print "COMMIT"
		}' "$HF_SAVE/kernel$1" "$HF_SAVE/now" >"$HF_SAVE/back$1"
	hf_ufw_restore_tool "$1" <"$HF_SAVE/back$1" || {
		echo "the former rules of IPv$1 could not be loaded again"
		return 1
	}
}
