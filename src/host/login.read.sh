# shellcheck shell=sh
# Whether a new login would still succeed: what sshd would decide by, as `key=value` lines. Parsed in
# src/resource/login/. Read-only; no times, no ports of ours, so that the same state answers the same.

# hf_login USER DROP_IN TEXT [KEYWORD…]: everything about a login of USER (`current`: who is logged in now) once
# the drop-in /etc/ssh/sshd_config.d/DROP_IN holds TEXT, without the KEYWORDs that this sshd does not know.
# An empty TEXT: with the files as they are.
hf_login() {
	# Address and port of the client, address and port of the server.
	IFS=' ' read -r hf_addr hf_port hf_laddr hf_lport <<-LINE
		${HF_CONNECTION:-${SSH_CONNECTION:-}}
	LINE
	hf_session_user=${SUDO_USER:-$(id -un)}
	hf_user=$1
	if [ "$hf_user" = current ]; then hf_user=$hf_session_user; fi
	printf 'uid=%s\nclient=%s\nuser=%s\nsession_user=%s\n' \
		"$(id -u)" "$hf_addr" "$hf_user" "$hf_session_user"
	if ! command -v sshd >/dev/null; then
		echo sshd=no
		return 0
	fi
	printf 'sshd=%s\n' "$(ssh -V 2>&1 </dev/null | sed -n 1p)"
	if [ "$(id -u)" -ne 0 ]; then return 0; fi
	if [ -n "$hf_port" ]; then printf 'session=%s\n' "$(hf_login_evidence)"; fi
	hf_login_account || return 0
	shift
	hf_login_effective "$@"
	hf_login_files
	hf_login_matches "${1:+/etc/ssh/sshd_config.d/$1}"
}

# ── this session ───────────────────────────────────────────────────────────────────────────────

# What sshd wrote when it let this session in: "publickey ED25519 SHA256:…". The journal may be a moment
# behind, so it is asked again for a second. Only root's own lines count: anybody can write "sshd" lines.
hf_login_evidence() {
	for _ in 1 2 3 4 5; do
		hf_seen=$(hf_login_journal | hf_login_accepted)
		if [ -z "$hf_seen" ] && [ -r /var/log/auth.log ]; then
			hf_seen=$(tail -n 20000 /var/log/auth.log | grep 'sshd[^ ]*\[[0-9]*\]: Accepted ' | sed 's/^.*\]: Accepted /Accepted /' |
				sed '1!G;h;$!d' | hf_login_accepted)
		fi
		if [ -n "$hf_seen" ]; then break; fi
		sleep 0.2
	done
	printf '%s' "$hf_seen"
}

hf_login_journal() {
	journalctl -q --no-pager -o cat -r -n 5000 \
		_UID=0 SYSLOG_IDENTIFIER=sshd + _UID=0 SYSLOG_IDENTIFIER=sshd-session 2>/dev/null
}

# The newest first on stdin: METHOD and what follows the protocol in the line about our client's port.
hf_login_accepted() {
	awk -v user="$hf_session_user" -v from=" from $hf_addr port $hf_port ssh2" '
		/^Accepted / && (at = index($0, from)) {
			if (substr($0, 1, at - 1) != "Accepted " $2 " for " user) next
			rest = substr($0, at + length(from)); sub(/^: /, "", rest)
			print $2 (rest == "" ? "" : " " rest); exit
		}'
}

# ── the account ────────────────────────────────────────────────────────────────────────────────

hf_login_account() {
	hf_passwd=$(getent passwd "$hf_user") || {
		echo account=no
		return 1
	}
	hf_login_fields "$hf_passwd"
	printf 'account=%s\ngroup_id=%s\nhome=%s\nshell=%s\n' "$hf_uid" "$hf_gid" "$hf_home" "${hf_shell:=/bin/sh}"
	if [ ! -e "$hf_shell" ]; then
		echo shell_problem=missing
	elif [ ! -x "$hf_shell" ]; then
		echo shell_problem='not executable'
	fi
	printf 'groups=%s\n' "$(id -Gn "$hf_user" 2>/dev/null)"
	getent shadow "$hf_user" | awk -F: -v today="$(($(date +%s) / 86400))" '
		$2 ~ /^!/ { print "locked=yes" }
		$8 != "" && today > $8 { print "expired=account" }
		$3 == "0" || ($3 != "" && $5 != "" && today > $3 + $5) { print "expired=password" }'
	if [ -e /etc/nologin ] || [ -e /run/nologin ]; then echo nologin=yes; fi
}

# Of a name that stands twice the first counts, as for sshd.
hf_login_fields() {
	IFS=: read -r _ _ hf_uid hf_gid _ hf_home hf_shell <<-LINE
		$1
	LINE
}

# ── what sshd would decide by ──────────────────────────────────────────────────────────────────

# hf_login_effective DROP_IN TEXT [KEYWORD…]: sets $hf_said to what `sshd -T` says for this user and address.
hf_login_effective() {
	# shellcheck disable=SC2034 # for hf_sshd_candidate
	hf_dropin=/etc/ssh/sshd_config.d/${1:-none}
	hf_text=$2
	shift 2
	if [ $# -gt 0 ]; then hf_text=$(hf_sshd_known_lines "$@"); fi
	hf_spec="user=$hf_user,host=${hf_addr:-localhost},addr=${hf_addr:-127.0.0.1}"
	hf_spec="$hf_spec,laddr=${hf_laddr:-127.0.0.1},lport=${hf_lport:-22}"
	hf_said=$(hf_login_config | hf_sshd_run -f /dev/stdin -C "$hf_spec" 2>&1) || {
		printf 'error=%s\n' "$(printf '%s\n' "$hf_said" | hf_sshd_error)"
		hf_said=
		return 0
	}
	printf '%s\n' "$hf_said" | awk '
		BEGIN {
			n = split("passwordauthentication kbdinteractiveauthentication challengeresponseauthentication " \
				"pubkeyauthentication permitrootlogin permitemptypasswords authenticationmethods " \
				"authorizedkeysfile authorizedkeyscommand trustedusercakeys strictmodes usepam usedns " \
				"allowusers allowgroups denyusers denygroups pubkeyacceptedalgorithms pubkeyacceptedkeytypes " \
				"requiredrsasize forcecommand revokedkeys", words, " ")
			for (i = 1; i <= n; i++) wanted[words[i]] = 1
		}
		tolower($1) in wanted { key = tolower($1); sub(/^[^ ]+ ?/, ""); print "after." key "=" $0 }'
}

# The whole configuration, with the text in the place of the drop-in.
hf_login_config() {
	if [ -n "$hf_text" ]; then
		hf_sshd_candidate "$hf_text" /etc/ssh/sshd_config
	else
		cat /etc/ssh/sshd_config
	fi
}

# ── the files that hold keys ───────────────────────────────────────────────────────────────────

# Each file where sshd looks for keys of the user: `file=` its name, then what is there, then its folders
# up to the one where sshd stops to care about their modes.
hf_login_files() {
	hf_revoked=$(printf '%s\n' "$hf_said" | sed -n 's/^revokedkeys //p')
	case $hf_revoked in
	'' | none) hf_revoked='' ;;
	*) if [ ! -f "$hf_revoked" ]; then echo revocations_unreadable=yes; fi ;;
	esac
	hf_names=$(printf '%s\n' "$hf_said" | awk 'tolower($1) == "authorizedkeysfile" { for (i = 2; i <= NF; i++) print $i }')
	printf '%s\n' "$hf_names" | while IFS= read -r hf_keys; do
		case $hf_keys in '' | none) continue ;; esac
		hf_keys=$(hf_login_expanded "$hf_keys")
		case $hf_keys in /*) ;; *) hf_keys=$hf_home/$hf_keys ;; esac
		printf 'file=%s\n' "$hf_keys"
		hf_real=$(readlink -e "$hf_keys") || {
			echo missing=yes
			continue
		}
		if command -v setpriv >/dev/null &&
			! setpriv --reuid="$hf_uid" --regid="$hf_gid" --init-groups -- test -r "$hf_real" 2>/dev/null; then
			echo unreadable=yes
		fi
		hf_login_chain "$hf_real"
		if [ ! -f "$hf_real" ]; then continue; fi
		if [ "$(stat -c %s "$hf_real")" -gt 1048576 ]; then
			echo too_big=yes
			continue
		fi
		hf_login_expired <"$hf_real"
		if [ -f "$hf_revoked" ]; then hf_login_revoked <"$hf_real"; fi
		printf 'content=%s\n' "$(base64 -w 0 <"$hf_real")"
	done
}

hf_login_expanded() {
	printf '%s\n' "$1" | awk -v home="$hf_home" -v user="$hf_user" -v uid="$hf_uid" '{
		out = ""
		while ((at = index($0, "%")) > 0) {
			out = out substr($0, 1, at - 1); token = substr($0, at + 1, 1); $0 = substr($0, at + 2)
			out = out (token == "h" ? home : token == "u" ? user : token == "U" ? uid : token)
		}
		print out $0 }'
}

# hf_login_chain PATH: `path=TYPE|MODE|UID|MEMBERS|PATH` of the file and the folders above it. MEMBERS are
# those of its group when the group may write: a group of the user's own is no danger to sshd in Debian.
hf_login_chain() {
	hf_at=$1
	hf_top=$(readlink -e "$hf_home")
	while :; do
		hf_stat=$(stat -c '%F|%a|%u|%g' "$hf_at") || return 0
		hf_who=
		case $((0$(echo "$hf_stat" | cut -d '|' -f 2) & 020)) in
		16) hf_who=$(hf_login_members "${hf_stat##*|}") ;;
		esac
		printf 'path=%s|%s|%s\n' "${hf_stat%|*}" "$hf_who" "$hf_at"
		if [ "$hf_at" = / ] || [ "$hf_at" = "$hf_top" ]; then return 0; fi
		hf_at=${hf_at%/*}
		hf_at=${hf_at:-/}
	done
}

# hf_login_members GID: everybody in that group, as `name,name`.
hf_login_members() {
	{
		getent passwd | awk -F: -v gid="$1" '$4 == gid { print $1 }'
		getent group "$1" | cut -d : -f 4 | tr ',' '\n'
	} | awk 'NF && !seen[$0]++ { printf "%s%s", (n++ ? "," : ""), $0 }'
}

# The numbers of the lines on stdin whose `expiry-time` is over. sshd takes a time without a Z as local.
hf_login_expired() {
	awk -v here="$(date +%Y%m%d%H%M%S)" -v utc="$(date -u +%Y%m%d%H%M%S)" '
		match(tolower($0), /expiry-time="[0-9]+z?"/) {
			time = toupper(substr($0, RSTART + 13, RLENGTH - 14)); now = here
			if (sub(/Z$/, "", time)) now = utc
			if (substr(time "000000", 1, 14) < now) print "over=" NR
		}'
}

# The numbers of the lines on stdin whose key is in the file of revoked ones. The key begins where its kind
# is named, after whatever options.
hf_login_revoked() {
	hf_number=0
	while IFS= read -r hf_line || [ -n "$hf_line" ]; do
		hf_number=$((hf_number + 1))
		hf_key=$(printf '%s\n' "$hf_line" | grep -v '^[ 	]*#' |
			grep -Eo '(ssh-[a-z0-9-]+|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9@.-]+) AAAA[A-Za-z0-9+/=]+' | head -n 1)
		[ -n "$hf_key" ] || continue
		# It says so by its status; a file that it cannot read as a list of its own kind counts as well.
		printf '%s\n' "$hf_key" | ssh-keygen -Q -f "$hf_revoked" /dev/stdin >/dev/null 2>&1 ||
			printf 'revoked=%s\n' "$hf_number"
	done
}

# ── Match blocks ───────────────────────────────────────────────────────────────────────────────

# hf_login_matches OURS: what Match blocks allow that the global section may forbid, as
# `match=FILE line LINE|CONDITION|KEYWORD VALUE`. Our own drop-in has none.
hf_login_matches() {
	hf_own=$1
	hf_login_match_file /etc/ssh/sshd_config '' 0
}

# hf_login_match_file FILE CONDITION DEPTH: that file, read under that condition, and those it includes.
hf_login_match_file() (
	hf_found=$(hf_login_match_lines "$1" "$2")
	printf '%s\n' "$hf_found" | grep '^match='
	[ "$3" -lt 8 ] || exit 0
	printf '%s\n' "$hf_found" | sed -n 's/^include=//p' | while IFS='|' read -r hf_pattern hf_condition; do
		case $hf_pattern in /*) ;; *) hf_pattern=/etc/ssh/$hf_pattern ;; esac
		# A pattern: it is meant to be expanded.
		for hf_one in $hf_pattern; do
			if [ -f "$hf_one" ] && [ "$hf_one" != "$hf_own" ]; then
				hf_login_match_file "$hf_one" "$hf_condition" $(($3 + 1))
			fi
		done
	done
)

hf_login_match_lines() {
	awk -v file="$1" -v condition="$2" '
		{ sub(/\r$/, ""); sub(/^[ \t]+/, ""); sub(/[ \t]+$/, "") }
		/^#/ || !match($0, /^[A-Za-z0-9]+/) { next }
		{ key = substr($0, 1, RLENGTH); low = tolower(key); value = substr($0, RLENGTH + 1); sub(/^[ \t]*=?[ \t]*/, "", value) }
		low == "match" { condition = value; next }
		low == "include" { gsub(/"/, "", value); n = split(value, words, " "); for (i = 1; i <= n; i++) print "include=" words[i] "|" condition; next }
		condition == "" { next }
		low ~ /^(passwordauthentication|kbdinteractiveauthentication|challengeresponseauthentication|permitrootlogin|permitemptypasswords|authenticationmethods)$/ {
			gsub(/"/, "", value)
			print "match=" file " line " NR "|" condition "|" key " " value
		}' "$1"
}
