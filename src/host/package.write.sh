# shellcheck shell=sh
# Installs packages, and takes them away again when that is asked for.
#
# apt-get may not remove anything, asks nothing, keeps the host's configuration files and leaves the
# restart of services to their owner (needrestart is kept quiet). A held lock is waited for; it is never
# broken.

# hf_install_packages SECONDS recommends|no-recommends NAME…: waits up to SECONDS for the lock.
# $HF_INPUT holds the lines of the simulation that were shown: nothing else is done.
hf_install_packages() {
	hf_package_seconds=$1
	hf_package_recommends=$2
	shift 2
	hf_package_until=$(($(date +%s) + hf_package_seconds))
	if [ ! -e "$HF_SAVE/saved" ]; then
		cp "$HF_INPUT" "$HF_SAVE/saved.new" && mv -f "$HF_SAVE/saved.new" "$HF_SAVE/saved" &&
			sync "$HF_SAVE/saved" "$HF_SAVE" || return 1
	fi
	hf_package_waited=no
	# A machine as new: nothing can be installed before the lists are there.
	if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
		hf_progress "apt-get update: there are no package lists"
		hf_package_apt update || {
			hf_package_failed
			return 1
		}
	fi
	while :; do
		hf_package_wait || return 1
		if [ "$hf_package_waited" = yes ]; then hf_package_same "$@" || return 1; fi
		hf_progress "apt-get installs $*"
		# shellcheck disable=SC2046 # flags have no blanks
		hf_package_apt --no-remove $(hf_apt_flags "$hf_package_recommends") install "$@" && return 0
		hf_package_status=$?
		hf_package_locked || break
	done
	hf_package_failed
}

# hf_undo_package SECONDS: removes exactly what hf_install_packages newly installed, and only if nothing
# else needs it by now. Configuration and data stay (remove, not purge). The engine calls this only when
# the operator asks for packages to be removed: never when it undoes a step by itself.
hf_undo_package() {
	[ -e "$HF_SAVE/saved" ] || return 0
	hf_package_seconds=$1
	hf_package_until=$(($(date +%s) + hf_package_seconds))
	hf_package_wait || return 1
	hf_package_new || return 0
	# shellcheck disable=SC2046,SC2086 # package names have no blanks; a hyphen behind one means removal
	hf_more=$(hf_apt_simulate no-recommends $(printf '%s- ' $hf_new) | sed -n 's/^sim=Remv \([^ ]*\).*/\1/p' |
		awk -v new="$hf_new" 'BEGIN { split(new, list, " "); for (i in list) ours[list[i]] = 1 } !($1 in ours)')
	if [ -n "$hf_more" ]; then
		hf_fail "not removed: $(echo "$hf_more" | tr '\n' ' ')would have to go as well"
		return 1
	fi
	hf_progress "apt-get removes $hf_new"
	# shellcheck disable=SC2046,SC2086 # neither flags nor names have blanks
	hf_package_apt -y -q -o APT::Get::AutomaticRemove=false -o APT::Get::Purge=false remove $hf_new && return 0
	hf_package_status=$?
	hf_package_failed
}

# Those of the plan that were not there before (no version in brackets behind the name) and are now.
hf_package_new() {
	hf_new=
	# shellcheck disable=SC2013 # a line is a word here
	for hf_package in $(sed -n 's/^Inst \([^ ]*\) (.*/\1/p' "$HF_SAVE/saved"); do
		# shellcheck disable=SC2016 # dpkg-query expands it
		if dpkg-query -W -f '${db:Status-Abbrev}\n' "$hf_package" 2>/dev/null | grep -q '^.[^nc]'; then
			hf_new="$hf_new${hf_new:+ }$hf_package"
		fi
	done
	[ -n "$hf_new" ]
}

hf_package_apt() {
	hf_tool env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l \
		apt-get -o DPkg::Lock::Timeout=0 -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$HF_SAVE/apt.log" 2>&1
}

hf_package_failed() {
	cat "$HF_SAVE/apt.log"
	# dpkg says which package and why; apt's own last word is only that dpkg failed.
	hf_package_said=$(sed -n '/^dpkg: error processing/{N;s/^dpkg: //;s/\n */ /;p;q;}' "$HF_SAVE/apt.log")
	[ -n "$hf_package_said" ] || hf_package_said=$(sed -n 's/^E: //p' "$HF_SAVE/apt.log" | head -n 1)
	hf_fail "apt-get failed (exit status $hf_package_status): $hf_package_said"
}

# Whether apt-get failed for the lock alone, and there is time to try again: somebody was quicker than we,
# or holds it where we do not see him (a process of the machine around a container).
hf_package_locked() {
	hf_package_said=$(sed -n -e '/^E: Could not get lock/p' -e '/^E: Unable to \(acquire\|lock\)/p' "$HF_SAVE/apt.log" | head -n 1)
	[ -n "$hf_package_said" ] && [ "$(date +%s)" -lt "$hf_package_until" ] || return 1
	hf_package_waited=yes
	hf_progress "waiting for the package lock: ${hf_package_said#E: }"
	sleep 1
}

# Until nobody whom we see holds the lock.
hf_package_wait() {
	hf_package_told=
	hf_package_since=$(date +%s)
	until hf_holder=$(hf_dpkg_lock_holder); do
		hf_package_waited=yes
		if [ "$(date +%s)" -ge "$hf_package_until" ]; then
			hf_fail "the package lock is still held by ${hf_holder% *} (process ${hf_holder##* }) after $hf_package_seconds s; nothing was done"
			return 1
		fi
		if [ "$hf_holder" != "$hf_package_told" ]; then
			hf_progress "waiting for the package lock, which ${hf_holder% *} (process ${hf_holder##* }) holds"
			hf_package_told=$hf_holder
			hf_package_again=15
		elif [ $(($(date +%s) - hf_package_since)) -ge "$hf_package_again" ]; then
			hf_progress "waiting for $hf_package_again s: ${hf_holder% *} (process ${hf_holder##* }) still holds the package lock"
			hf_package_again=$((hf_package_again + 15))
		fi
		sleep 1
	done
}

# Who held the lock may have changed what we showed.
hf_package_same() {
	hf_package_now=$(hf_packages "$hf_package_recommends" "$@" | sed -n 's/^sim=//p')
	[ "$hf_package_now" = "$(cat "$HF_SAVE/saved")" ] && return 0
	printf '%s\n' "$hf_package_now"
	hf_fail "while we waited for the package lock, what apt would do changed; nothing was done"
}
