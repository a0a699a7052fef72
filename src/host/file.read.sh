# shellcheck shell=sh
# What is at a path, and who an account is. Read-only.
#
# Answers are lines of `key=value`. They speak of lasting state alone: no inode numbers, no times of
# access, no free space, because the same answer is the precondition of the action that follows.

# hf_file PATH nofollow|follow: everything that decides whether and how the file at PATH can change.
# `real` is where it lies physically: links among its folders are resolved, and with `follow` a link
# at the end as well.
hf_file() {
	hf_path=$1
	if [ "$2" = follow ] && [ -L "$hf_path" ]; then
		hf_path=$(readlink -f "$hf_path") || hf_path=
		case $hf_path in
		/?*) ;;
		*)
			echo type=unresolved
			return 0
			;;
		esac
	fi
	hf_folder=${hf_path%/*}
	if ! hf_folder=$(cd -P "${hf_folder:-/}" 2>/dev/null && pwd -P); then
		if [ -d "${hf_path%/*}" ]; then echo unreadable=yes; fi
		echo type=absent
		if [ -e "${hf_path%/*}" ]; then echo parent=other; else echo parent=missing; fi
		return 0
	fi
	hf_real=${hf_folder%/}/${hf_path##*/}
	echo parent=folder
	hf_file_line real "$hf_real"
	hf_file_type
	hf_file_flags
	hf_file_acls
	hf_file_mount
	hf_file_above
}

# hf_file_line KEY NAME: a name with a line break in it could forge lines: it is not passed on.
hf_file_line() {
	case $2 in
	*"
"*) echo odd_name=yes ;;
	*) printf '%s=%s\n' "$1" "$2" ;;
	esac
}

hf_file_type() {
	if [ -L "$hf_real" ]; then
		echo type=link
		hf_file_line target "$(readlink -f "$hf_real" || readlink "$hf_real")"
	elif [ -f "$hf_real" ]; then
		echo type=file
		hf_file_inside
	elif [ -d "$hf_real" ]; then
		echo type=folder
	elif [ -b "$hf_real" ] || [ -c "$hf_real" ]; then
		echo type=device
	elif [ -p "$hf_real" ]; then
		echo type=fifo
	elif [ -S "$hf_real" ]; then
		echo type=socket
	else
		echo type=absent
	fi
}

# What a plain file holds. Up to 1 MiB is told whole; of bigger files a digest is enough, and of those
# over 16 MiB the size and time, for they are not read through at each look.
hf_file_inside() {
	hf_stat=$(stat -c 'mode=%a
owner=%u %U
group=%g %G
names=%h
size=%s' "$hf_real") || return 1
	hf_size=${hf_stat##*=}
	printf '%s\n' "$hf_stat"
	if [ -e /sys/fs/selinux/enforce ]; then stat -c label=%C "$hf_real"; fi
	if [ ! -r "$hf_real" ]; then
		echo unreadable=yes
	elif [ "$hf_size" -le 1048576 ]; then
		printf 'content=%s\n' "$(base64 -w 0 <"$hf_real")"
	elif [ "$hf_size" -le 16777216 ]; then
		hf_sum=$(sha256sum <"$hf_real")
		printf 'sha256=%s\n' "${hf_sum%% *}"
	else
		stat -c modified=%Y "$hf_real"
	fi
}

# Attributes that forbid a change even to root. Not every file system has them.
hf_file_flags() {
	set -- "$hf_folder"
	if [ -f "$hf_real" ] && [ ! -L "$hf_real" ]; then set -- "$hf_folder" "$hf_real"; fi
	lsattr -d "$@" 2>/dev/null | while read -r hf_flags hf_path; do
		case $hf_path in
		"$hf_folder") hf_prefix=folder_ ;;
		"$hf_real") hf_prefix= ;;
		*) continue ;;
		esac
		case $hf_flags in *i*) printf '%simmutable=yes\n' "$hf_prefix" ;; esac
		case $hf_flags in *a*) printf '%sappend_only=yes\n' "$hf_prefix" ;; esac
	done
}

# Access control lists beyond the mode, which GNU ls shows as a plus behind it: of the file, or when
# there is none, the one that the folder hands on to new files.
hf_file_acls() {
	if [ -f "$hf_real" ] && [ ! -L "$hf_real" ]; then
		set -- "$hf_real" acl -a
	elif [ ! -e "$hf_real" ]; then
		set -- "$hf_folder" folder_acl -d
	else
		return 0
	fi
	# shellcheck disable=SC2012 # stat knows nothing of lists; the name is not read
	case $(ls -ldn "$1" 2>/dev/null) in
	??????????+*) ;;
	*) return 0 ;;
	esac
	hf_list=yes
	if command -v getfacl >/dev/null 2>&1; then
		hf_list=$(getfacl -cpsn "$3" "$1" 2>/dev/null | grep . | tr '\n' ' ')
	fi
	if [ -n "$hf_list" ]; then printf '%s=%s\n' "$2" "${hf_list% }"; fi
}

# The mount that holds the path: whether it can be written to, and whether the path itself is the mount
# point (as in containers), where a rename gives "Device or resource busy".
hf_file_mount() {
	HF_PATH=$hf_real awk '
		BEGIN { path = ENVIRON["HF_PATH"]; best = 0 }
		{
			point = $5
			gsub(/\\040/, " ", point); gsub(/\\011/, "\t", point)
			if (point != "/" && point != path && index(path, point "/") != 1) next
			if (length(point) < best) next
			best = length(point)
			itself = (point == path)
			readonly = ("," $6 "," ~ /,ro,/ || "," $NF "," ~ /,ro,/)
		}
		END {
			if (itself) print "mount_point=yes"
			if (readonly) print "read_only=yes"
		}' /proc/self/mountinfo
}

# The folders above that somebody else than root could exchange: `above=UID MODE PATH`.
hf_file_above() {
	hf_at=$hf_folder
	set -- /
	while [ -n "${hf_at#/}" ]; do
		set -- "$@" "$hf_at"
		hf_at=${hf_at%/*}
	done
	stat -c '%u %g %a %n' "$@" | while read -r hf_uid hf_gid hf_bits hf_at; do
		case $hf_uid:$hf_gid:$hf_bits in
		0:*[2367] | 0:[!0]*[2367]? | [!0]*)
			case $hf_at in /*) echo "above=$hf_uid $hf_bits $hf_at" ;; esac
			;;
		esac
	done
}

# hf_account user|group NAME: its number. Status 1: there is none.
hf_account() {
	if [ "$1" = user ]; then hf_base=passwd; else hf_base=group; fi
	if command -v getent >/dev/null 2>&1; then
		hf_entry=$(getent "$hf_base" "$2") || return 1
	else
		hf_entry=$(awk -F: -v name="$2" '$1 == name { print; found = 1; exit } END { exit !found }' "/etc/$hf_base") || return 1
	fi
	hf_entry=${hf_entry#*:}
	hf_entry=${hf_entry#*:}
	printf 'id=%s\n' "${hf_entry%%:*}"
}
