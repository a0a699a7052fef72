# shellcheck shell=sh
# Whether something that is waited for is so already. Read-only.

# hf_wait_port ADDRESS PORT: connects once and closes at once.
hf_wait_port() {
	if hf_wait_why=$(hf_wait_connect "$1" "$2" 2>&1); then
		echo ready=yes
	elif [ "$hf_wait_why" = cannot ]; then
		echo ready=cannot
	else
		echo ready=no
	fi
}

# hf_wait_connect ADDRESS PORT: says why not. POSIX sh itself has no sockets.
hf_wait_connect() {
	if command -v bash >/dev/null 2>&1; then
		# shellcheck disable=SC2016 # bash expands it
		hf_wait_said=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1 </dev/null)
	elif command -v nc >/dev/null 2>&1; then
		hf_wait_said=$(timeout 5 nc -z -w 4 "$1" "$2" 2>&1 </dev/null)
	else
		echo cannot
		return 1
	fi
	case $? in
	0) return 0 ;;
	124) echo 'no answer within 5 s' ;;
	*)
		hf_wait_said=$(printf '%s\n' "$hf_wait_said" | grep . | tail -n 1)
		printf '%s\n' "${hf_wait_said##*: }"
		;;
	esac
	return 1
}
