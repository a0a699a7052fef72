# shellcheck shell=sh
# What dpkg and apt know. Read-only: apt-get only ever simulates, keeps its cache in memory and its
# temporary files on a tmpfs.

# hf_packages recommends|no-recommends NAME…: the state of the packages, and when some are not
# installed, what installing those would do:
#   state=NAME:ARCH STATE VERSION   a named package that dpkg has heard of (STATE as in `dpkg -l`)
#   want=NAME                       a named package that is not installed
#   hold=NAME                       a package on hold, named or not
#   sim=Inst… | sim=Remv…           what apt would do
#   sim_status=N, said=TEXT         how the simulation ended, and what apt said when it failed
hf_packages() {
	if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
		echo apt=missing
		return 0
	fi
	hf_recommends=$1
	shift
	# shellcheck disable=SC2016 # dpkg-query expands it
	hf_states=$(dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Architecture}|${Version}\n' | hf_package_states "$@")
	printf '%s\n' "$hf_states"
	# Only what is missing is asked for: apt would also upgrade what is there.
	# shellcheck disable=SC2046 # package names have no blanks
	set -- $(printf '%s\n' "$hf_states" | sed -n 's/^want=//p')
	[ $# = 0 ] || hf_apt_simulate "$hf_recommends" "$@"
}

hf_package_states() {
	awk -F '|' -v names="$*" '
		BEGIN { count = split(names, name, " ") }
		{
			wanted = substr($1, 1, 1); is = substr($1, 2, 1); odd = substr($1, 3, 1)
			if (wanted == "h") print "hold=" $2
			for (i = 1; i <= count; i++)
				if (name[i] == $2 || name[i] == $2 ":" $3) {
					print "state=" $2 ":" $3 " " substr($1, 1, 2) " " $4
					if (is == "i" && odd != "R") there[name[i]] = 1
				}
		}
		END { for (i = 1; i <= count; i++) if (!(name[i] in there)) print "want=" name[i] }'
}

# hf_apt_flags recommends|no-recommends: how apt is called, for the simulation and for the act alike.
hf_apt_flags() {
	printf '%s ' -y -q -o APT::Install-Suggests=false -o APT::Get::Assume-No=false \
		-o APT::Get::Show-Versions=false -o APT::Get::Purge=false
	if [ "$1" = recommends ]; then echo --install-recommends; else echo --no-install-recommends; fi
}

# hf_apt_simulate recommends|no-recommends NAME…: a plain simulation as root writes two cache files and
# the log of its planner. Named away, the cache is built in memory and the log is not written; temporary
# files go to memory as well.
hf_apt_simulate() {
	hf_flags=$(hf_apt_flags "$1")
	shift
	# shellcheck disable=SC2086 # flags have no blanks
	hf_sim=$(TMPDIR=/dev/shm apt-get -s -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o Dir::Log::Planner=/dev/null -o Dir::Log::Solver=/dev/null \
		$hf_flags install "$@" 2>&1 </dev/null)
	echo "sim_status=$?"
	printf '%s\n' "$hf_sim" | awk '
		/^(Inst|Remv) / { print "sim=" $0; next }
		/^E: .*--solver/ { next }
		/^E: / { if (said++ < 20) print "said=" substr($0, 4); next }
		/^ [a-z0-9][a-z0-9+.:-]* : / || /^  +[A-Z][a-z-]*: / { if (said++ < 20) { gsub(/ +/, " "); print "said=" substr($0, 2) } }'
}

# hf_apt_weather: what passes by itself while others install, and so is no precondition of anything:
#   lists=missing|there, updated=DAY, old=yes   the package lists
#   broken=NAME STATE                           a package that dpkg left half done, or is at work on
#   interrupted=yes                             dpkg has updates it did not take in: it was killed, or runs
#   lock=PROGRAM                                who holds the package lock
hf_apt_weather() {
	if ! command -v apt-get >/dev/null 2>&1; then return 0; fi
	hf_apt_lists
	# shellcheck disable=SC2016 # dpkg-query expands it
	dpkg-query -W -f '${db:Status-Abbrev}|${Package}\n' | awk -F '|' '
		substr($1, 2, 1) !~ /[nci]/ || substr($1, 3, 1) == "R" { print "broken=" $2 " " $1 }'
	set -- /var/lib/dpkg/updates/[0-9]*
	if [ -e "$1" ]; then echo interrupted=yes; fi
	hf_holder=$(hf_dpkg_lock_holder) || printf 'lock=%s\n' "${hf_holder% *}"
}

hf_apt_lists() {
	set -- /var/lib/apt/lists/*_Packages*
	if [ -e "$1" ]; then echo lists=there; else echo lists=missing; fi
	# Files in lists/ carry the time of the server; the folders and Ubuntu's stamp that of the update.
	hf_updated=$(stat -c %Y /var/lib/apt/lists /var/lib/apt/lists/partial \
		/var/lib/apt/periodic/update-success-stamp 2>/dev/null | sort -n | tail -n 1)
	[ -n "$hf_updated" ] || return 0
	echo "updated=$(date -u -d "@$hf_updated" +%Y-%m-%d)"
	if [ $(($(date +%s) - hf_updated)) -gt 604800 ]; then echo old=yes; fi
}

# hf_dpkg_lock_holder: prints program and process id of who holds one of the locks that installing
# needs, with status 1; nothing and status 0 when they are free. The kernel lists POSIX locks, and the
# number of the process as we see it; asking for the lock ourselves would get in others' way.
hf_dpkg_lock_holder() {
	hf_locks=$(stat -c '%d %i' /var/lib/dpkg/lock-frontend /var/cache/apt/archives/lock /var/lib/dpkg/lock 2>/dev/null | tr '\n' ' ')
	# Of several holders the one of the first lock counts: apt-get rather than the dpkg it started.
	hf_holder=$(awk -v locks="$hf_locks" '
		BEGIN {
			count = split(locks, word, " ") / 2
			for (i = 1; i <= count; i++) {
				device = word[2 * i - 1]
				major = int(device / 256) % 4096
				minor = device % 256 + int(device / 1048576) * 256
				lock[i] = sprintf("%02x:%02x:%s", major, minor, word[2 * i])
			}
		}
		$2 == "POSIX" && !($6 in holder) { holder[$6] = $5 }
		END { for (i = 1; i <= count; i++) if (lock[i] in holder) { print holder[lock[i]]; exit } }' /proc/locks)
	[ -n "$hf_holder" ] || return 0
	echo "$(cat "/proc/$hf_holder/comm" 2>/dev/null || echo 'another program') $hf_holder"
	return 1
}
