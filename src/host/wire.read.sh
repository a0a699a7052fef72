# shellcheck shell=sh
# Framing of answers: the part of the wire that runs on the host. See src/transport/frame.rs.
# Everything in *.read.sh is POSIX sh, runs as a request on stdin of a shell and writes nothing.

# hf_say INDEX STATUS TEXT: one answer frame. The length is in bytes because LC_ALL=C is set.
hf_say() {
	printf '%s a %s %s %s\n%s\n' "$HF_NONCE" "$1" "$2" "${#3}" "$3"
}

# hf_answer INDEX FUNCTION ARGS...: asks a read function and frames what it prints.
# The dot keeps line breaks at the end of the output, which a command substitution would drop.
hf_answer() {
	hf_index=$1
	shift
	hf_out=$(
		"$@" 2>/dev/null </dev/null
		echo ".$?"
	)
	hf_say "$hf_index" "${hf_out##*.}" "${hf_out%.*}"
}

# hf_end: nothing more comes for this request. Without this frame the outcome is unknown.
hf_end() {
	printf '%s e 0 0 0\n\n' "$HF_NONCE"
}

# Who we are here, and the connection as the host sees it. sudo drops SSH_CONNECTION, so the first
# shell's value is handed on as HF_CONNECTION.
hf_hello() {
	printf 'uid=%s\nconnection=%s\n' "$(id -u)" "${HF_CONNECTION:-${SSH_CONNECTION:-}}"
}

# hf_run_journal RUN: what a run wrote about itself on this host.
hf_run_journal() {
	cat "/var/lib/holdfast/runs/$1/journal" 2>/dev/null
}

# hf_run_output RUN STEP: the end of what a step of a run printed.
hf_run_output() {
	tail -c 65536 "/var/lib/holdfast/runs/$1/$2/output" 2>/dev/null
}

# The run that holds this host now, if any. Opening the lock for reading creates nothing.
hf_lock_holder() {
	[ -r /run/holdfast.lock ] || return 0
	# Shared, so that two who look do not take each other for a run.
	if ! flock -s -n /run/holdfast.lock true; then
		sed -n 1p /run/holdfast.holder 2>/dev/null
		return 1
	fi
}
