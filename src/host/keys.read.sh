# shellcheck shell=sh
# Where sshd looks for the keys of a user, and what is there. Read-only.

# hf_authorized_keys USER ADDRESS PORT: the files by sshd's own word for that user coming from ADDRESS to
# PORT, with each what hf_file says of it (`look`, base64) and its folder as `UID MODE`, in this order.
hf_authorized_keys() {
	hf_keys_user=$1
	hf_keys_home=
	hf_keys_entry=$(hf_account_entry passwd "$1")
	if [ -n "$hf_keys_entry" ]; then
		printf '%s\n' "$hf_keys_entry" | awk -F: -v OFS=: '{ $2 = "x"; print "entry=" $0; exit }'
		hf_keys_home=$(printf '%s\n' "$hf_keys_entry" | cut -d : -f 6)
		hf_file_line home "$(cd -P "$hf_keys_home" 2>/dev/null && pwd -P)"
	fi
	hf_keys_sshd "$1" "$2" "$3" || return 0
	[ -n "$hf_keys_home" ] || return 0
	hf_keys_uid=$(printf '%s\n' "$hf_keys_entry" | cut -d : -f 3)
	# Debian's sshd (user-group-modes.patch) lets a group write whose only member is the user.
	hf_keys_own=none
	case $(ssh -V 2>&1 </dev/null) in
	*Debian* | *Ubuntu* | *Raspbian*)
		hf_keys_own=$(printf '%s\n' "$hf_keys_entry" | cut -d : -f 4)
		[ "$(hf_login_members "$hf_keys_own")" = "$1" ] || hf_keys_own=none
		;;
	esac
	# Word splitting is meant, as sshd does it; names of files are not expanded.
	set -f
	# shellcheck disable=SC2086
	set -- $hf_keys_patterns
	set +f
	for hf_keys_file; do
		[ "$hf_keys_file" != none ] || continue
		hf_keys_one "$(hf_keys_expanded "$hf_keys_file")"
	done
}

hf_keys_one() {
	printf 'file=%s\nlook=%s\n' "$1" "$(hf_file "$1" nofollow | base64 -w 0)"
	printf 'folder=%s\n' "$(stat -L -c '%u %a' "${1%/*}" 2>/dev/null)"
	# From the folder of the file up to the home, or up to the root for a file elsewhere.
	hf_keys_at=${1%/*}
	while [ -n "$hf_keys_at" ]; do
		stat -L -c '%u %g %a %n' "$hf_keys_at" 2>/dev/null
		[ "$hf_keys_at" != "$hf_keys_home" ] || break
		hf_keys_at=${hf_keys_at%/*}
	done | awk -v uid="$hf_keys_uid" -v own="$hf_keys_own" -v file="$1" '
		{ bits = $3; name = $0; sub(/^[0-9]+ [0-9]+ [0-9]+ /, "", name) }
		($1 != 0 && $1 != uid) || (bits ~ /[2367].$/ && $2 != own) || bits ~ /[2367]$/ {
			print "unsafe=" file ": " $1 " " bits " " name
		}'
}

hf_keys_expanded() {
	hf_keys_path=$(printf '%s\n' "$1" | HF_H=$hf_keys_home HF_U=$hf_keys_user HF_N=$hf_keys_uid awk '
		{
			out = ""
			while (match($0, /%[hUu%]/)) {
				what = substr($0, RSTART + 1, 1)
				out = out substr($0, 1, RSTART - 1)
				out = out (what == "h" ? ENVIRON["HF_H"] : what == "u" ? ENVIRON["HF_U"] : what == "U" ? ENVIRON["HF_N"] : "%")
				$0 = substr($0, RSTART + 2)
			}
			print out $0
		}')
	case $hf_keys_path in
	/*) printf '%s\n' "$hf_keys_path" ;;
	*) printf '%s\n' "${hf_keys_home%/}/$hf_keys_path" ;;
	esac
}

# hf_keys_sshd USER ADDRESS PORT: what sshd itself says of that user. Without sshd its defaults hold.
hf_keys_sshd() {
	hf_keys_patterns='.ssh/authorized_keys .ssh/authorized_keys2'
	if ! hf_find_program sshd; then
		echo sshd=missing
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		echo unreadable=yes
		return 1
	fi
	if ! hf_keys_said=$(sshd -T -C "user=$1,host=$2,addr=$2,laddr=127.0.0.1,lport=$3" 2>&1); then
		# Between two starts there may be no such folder, and then sshd tells nothing.
		case $hf_keys_said in
		*'Missing privilege separation directory'*)
			echo sshd=silent
			return 0
			;;
		esac
		printf 'sshd=broken\nbroken=%s\n' "$(printf '%s\n' "$hf_keys_said" | grep . | tail -n 1)"
		return 1
	fi
	echo sshd=ok
	printf '%s\n' "$hf_keys_said" | awk '
		$1 == "strictmodes" || $1 == "pubkeyauthentication" { print $1 "=" $2 }
		$1 == "authorizedkeyscommand" && $2 != "none" { print "command=" $2 }'
	hf_keys_patterns=$(printf '%s\n' "$hf_keys_said" | sed -n 's/^authorizedkeysfile //p')
	printf 'patterns=%s\n' "$hf_keys_patterns"
}

# hf_session_key USER: how this connection was let in, by what sshd logged: `key=SHA256:…` (of a certificate the
# key of its authority), `method=WORD`, or `session=local`. No line: the log does not say.
# shellcheck disable=SC2034 # hf_login_evidence takes these names
hf_session_key() {
	IFS=' ' read -r hf_addr hf_port hf_laddr hf_lport <<-LINE
		${HF_CONNECTION:-${SSH_CONNECTION:-}}
	LINE
	if [ -z "$hf_addr" ]; then
		echo session=local
		return 0
	fi
	hf_session_user=$1
	hf_accepted=$(hf_login_evidence)
	[ -n "$hf_accepted" ] || return 0
	printf 'method=%s\n' "${hf_accepted%% *}"
	case $hf_accepted in
	*SHA256:*)
		hf_accepted=${hf_accepted##*SHA256:}
		printf 'key=SHA256:%s\n' "${hf_accepted%% *}"
		;;
	esac
}
