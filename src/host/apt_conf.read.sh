# shellcheck shell=sh
# What apt's configuration comes to, as it is and as it would be with another text in one of its files. Read-only.
#
# apt itself is the judge: `apt-config -c /dev/stdin` reads the files of /etc/apt/apt.conf.d once more, in
# apt's own order, from a list of `#include` lines with the text at its place. No file is made for that.

# hf_apt_conf NAME TEXT KEY…: what the KEYs are now, and what they would be if the file NAME of
# /etc/apt/apt.conf.d held TEXT:
#   apt=missing         there is no apt here
#   broken=TEXT         apt cannot read its configuration as it is: nothing more is told
#   unreadable=FILE     only root may read that file: nothing more is told
#   now=LINE            of `apt-config dump` as it is
#   file=NAME, then=LINE …   of the dump after that file, for NAME and each later file that changes something
#   refused=TEXT        apt cannot read TEXT
# A KEY may begin with +: a list that is added to, whose members are counted once.
hf_apt_conf() {
	if ! command -v apt-config >/dev/null 2>&1; then
		echo apt=missing
		return 0
	fi
	hf_apt_name=$1
	hf_apt_text=$2
	shift 2
	hf_apt_files=$(hf_apt_conf_files)
	for hf_apt_file in $hf_apt_files /etc/apt/apt.conf; do
		case $hf_apt_file in /*) ;; *) hf_apt_file=/etc/apt/apt.conf.d/$hf_apt_file ;; esac
		if [ -f "$hf_apt_file" ] && [ ! -r "$hf_apt_file" ]; then
			printf 'unreadable=%s\n' "$hf_apt_file"
			return 0
		fi
	done
	hf_apt_now=$(apt-config dump 2>&1)
	hf_apt_status=$?
	hf_apt_wrong=$(hf_apt_errors "$hf_apt_now")
	if [ "$hf_apt_status" != 0 ] || [ -n "$hf_apt_wrong" ]; then
		printf '%s\n' "${hf_apt_wrong:-exit status $hf_apt_status}" | sed 's/^/broken=/'
		return 0
	fi
	printf '%s\n' "$hf_apt_now" | hf_apt_under "$@" | sed 's/^/now=/'
	hf_apt_replay "$@"
}

# hf_apt_conf_now KEY…: the lines of the dump below the KEYs, as it is.
hf_apt_conf_now() {
	apt-config dump 2>/dev/null | hf_apt_under "$@"
}

# The names that apt reads, in its order: letters, digits, `_`, `-`, `:`, and no ending but `.conf`. The
# pattern comes sorted, for LC_ALL=C is set.
hf_apt_conf_files() {
	(
		cd /etc/apt/apt.conf.d 2>/dev/null || return 0
		for hf_apt_file in *; do
			case $hf_apt_file in
			*[!A-Za-z0-9_.:-]*) continue ;;
			*.conf) ;;
			*.*) continue ;;
			esac
			if [ -f "$hf_apt_file" ]; then echo "$hf_apt_file"; fi
		done
	)
}

# Replays the files up to each of the later ones, and tells what they come to whenever that changes.
hf_apt_replay() {
	hf_apt_before=$(printf '%s\n' "$hf_apt_files" | awk -v name="$hf_apt_name" '$0 "" < name ""')
	hf_apt_later=$(printf '%s\n' "$hf_apt_files" | awk -v name="$hf_apt_name" '$0 "" > name ""')
	hf_apt_tops=$(printf '%s\n' "$@" | sed 's/^+//; s/::.*//' | sort -u)
	hf_apt_seen=
	hf_apt_last=
	hf_apt_tell "$hf_apt_name" "$@" || return 0
	for hf_apt_file in $hf_apt_later; do
		hf_apt_seen="$hf_apt_seen $hf_apt_file"
		if hf_apt_mentions "/etc/apt/apt.conf.d/$hf_apt_file"; then hf_apt_tell "$hf_apt_file" "$@"; fi
	done
	if [ -f /etc/apt/apt.conf ] && hf_apt_mentions /etc/apt/apt.conf; then
		hf_apt_seen="$hf_apt_seen /etc/apt/apt.conf"
		hf_apt_tell /etc/apt/apt.conf "$@"
	fi
}

# hf_apt_mentions FILE: whether it can have a say about our keys.
hf_apt_mentions() {
	printf '%s\n' "$hf_apt_tops" '#include' | grep -qiF -f - "$1"
}

# hf_apt_tell FILE KEY…: the lines after FILE, when they are others than before.
hf_apt_tell() {
	hf_apt_at=$1
	shift
	hf_apt_then=$(hf_apt_script "$@" | apt-config -c /dev/stdin dump 2>&1)
	hf_apt_status=$?
	hf_apt_wrong=$(hf_apt_errors "$hf_apt_then")
	if [ "$hf_apt_status" != 0 ] || [ -n "$hf_apt_wrong" ]; then
		printf '%s\n' "${hf_apt_wrong:-exit status $hf_apt_status}" | sed 's/^/refused=/'
		return 1
	fi
	hf_apt_then=$(printf '%s\n' "$hf_apt_then" | hf_apt_under "$@" | sed 's/^/then=/')
	if [ "$hf_apt_at" != "$hf_apt_name" ] && [ "$hf_apt_then" = "$hf_apt_last" ]; then return 0; fi
	hf_apt_last=$hf_apt_then
	printf 'file=%s\n%s\n' "$hf_apt_at" "$hf_apt_then"
}

# All files once more: apt has read them already, so lists begin empty.
hf_apt_script() {
	for hf_apt_key; do
		case $hf_apt_key in +*) printf '#clear %s;\n' "${hf_apt_key#+}" ;; esac
	done
	for hf_apt_file in $hf_apt_before; do printf '#include "/etc/apt/apt.conf.d/%s";\n' "$hf_apt_file"; done
	printf '%s\n' "$hf_apt_text"
	for hf_apt_file in $hf_apt_seen; do
		case $hf_apt_file in /*) ;; *) hf_apt_file=/etc/apt/apt.conf.d/$hf_apt_file ;; esac
		printf '#include "%s";\n' "$hf_apt_file"
	done
}

# hf_apt_errors TEXT: the errors among what apt said; its exit status alone does not tell them all.
hf_apt_errors() {
	printf '%s\n' "$1" | sed -n 's/^E: //p'
}

# hf_apt_under KEY…: of a dump, the lines of these keys and below them. apt's keys have no case.
hf_apt_under() {
	awk -v keys="$*" '
		BEGIN { count = split(tolower(keys), key, " "); for (i = 1; i <= count; i++) sub(/^\+/, "", key[i]) }
		{
			name = tolower($1)
			for (i = 1; i <= count; i++)
				if (name == key[i] || index(name, key[i] "::") == 1) { print; next }
		}'
}

# hf_apt_archives: the archives that this host has lists of, as `archive=ORIGIN|LABEL|CODENAME|SUITE|SITE|COMPONENT`,
# and `os=ID VERSION CODENAME`. No precondition of anything: lists come and go.
hf_apt_archives() {
	hf_os_facts | awk -F = '
		{ value[$1] = $2 }
		END { print "os=" value["os_id"] " " value["os_version"] " " value["os_codename"] }'
	if ! command -v apt-get >/dev/null 2>&1; then return 0; fi
	# What an archive does not say stays a variable.
	# shellcheck disable=SC2016 # apt fills them in
	apt-get -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= indextargets --format \
		'archive=$(ORIGIN)|$(LABEL)|$(CODENAME)|$(SUITE)|$(SITE)|$(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		sed 's/\$([A-Z_]*)//g' | sort -u
}
