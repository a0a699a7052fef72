# shellcheck shell=sh
# Changes to ufw's rules. See src/resource/ufw_rules/act.rs for the calls.
#
# Never `ufw reload`, `reset`, `disable` or `enable`: each of them opens the firewall for a moment,
# and for good when it is killed (domain A5).

# The folder that holds the rules files, and the temporary files beside them.
HF_UFW_DIR=/etc/ufw

# ufw locks by fcntl, which flock(1) does not see. Python is there because ufw is. It says "locked",
# or "busy" and who holds the lock, and lets go when its input ends: also when we are killed.
HF_UFW_LOCKER='
import fcntl, os, sys, time
lock = open("/run/ufw.lock", "a")
end = time.monotonic() + 20
while True:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except OSError:
        if time.monotonic() > end:
            inode = ":%d" % os.fstat(lock.fileno()).st_ino
            held = [l.split() for l in open("/proc/locks") if "POSIX" in l]
            print("busy", *[f[4] for f in held if f[5].endswith(inode)])
            sys.exit(1)
        time.sleep(0.05)
print("locked", flush=True)
sys.stdin.read()
'

# hf_ufw_locked COMMAND…: runs it while we hold the lock of ufw.
hf_ufw_locked() {
	(
		rm -f "$HF_SAVE/ufw.ask" "$HF_SAVE/ufw.tell"
		mkfifo -m 0600 "$HF_SAVE/ufw.ask" "$HF_SAVE/ufw.tell" || exit 1
		python3 -I -S -c "$HF_UFW_LOCKER" <"$HF_SAVE/ufw.ask" >"$HF_SAVE/ufw.tell" 3>&- 9>&- &
		exec 7>"$HF_SAVE/ufw.ask" 8<"$HF_SAVE/ufw.tell"
		rm -f "$HF_SAVE/ufw.ask" "$HF_SAVE/ufw.tell"
		hf_ufw_said=
		read -r hf_ufw_said <&8
		exec 8<&-
		case $hf_ufw_said in
		locked) "$@" ;;
		busy*)
			echo "another ufw has held its lock for 20 seconds (process${hf_ufw_said#busy})"
			exit 1
			;;
		*)
			echo "cannot take the lock of ufw: python3 said nothing"
			exit 1
			;;
		esac
	)
}

hf_ufw_digest() {
	hf_ufw_sum=$(sha256sum <"$1" 2>/dev/null)
	printf '%s\n' "${hf_ufw_sum%% *}"
}

hf_ufw_path() {
	case $1 in
	4) printf '%s\n' "$HF_UFW_DIR/user.rules" ;;
	6) printf '%s\n' "$HF_UFW_DIR/user6.rules" ;;
	esac
}

hf_ufw_temporary() {
	printf '%s\n' "$HF_UFW_DIR/.user$1.rules.holdfast"
}

hf_ufw_saved() {
	printf '%s\n' "$HF_SAVE/user$1.rules"
}

# hf_ufw_restore_tool FAMILY ARGUMENTS…: iptables-restore that keeps what the text does not name.
# The legacy flavour waits for the lock of xtables; the nft flavour takes the option and needs none.
hf_ufw_restore_tool() {
	case $1 in
	4) hf_ufw_program=iptables-restore ;;
	6) hf_ufw_program=ip6tables-restore ;;
	esac
	shift
	hf_ufw_tool "$hf_ufw_program" -w 10 -n "$@" 3>&- 7>&- 9>&-
}

# hf_ufw_stage FAMILY: writes the new text beside the file, with the file's owner, mode and ACL.
hf_ufw_stage() {
	hf_ufw_to=$(hf_ufw_temporary "$1")
	rm -f "$hf_ufw_to" || return 1
	cp -p "$(hf_ufw_path "$1")" "$hf_ufw_to" &&
		sed -n "s/^$1 //p" "$HF_INPUT" | base64 -d >"$hf_ufw_to" &&
		[ -s "$hf_ufw_to" ] && sync "$hf_ufw_to"
}

# hf_ufw_text FAMILY: the file to load: the new text if there is one, else the file as it is.
hf_ufw_text() {
	if [ -f "$(hf_ufw_temporary "$1")" ]; then
		hf_ufw_temporary "$1"
	else
		hf_ufw_path "$1"
	fi
}

# hf_ufw_place FAMILY: the new text becomes the file: by rename; or in place, as ufw itself writes,
# where the file is a link or a mount of its own (the undo of hf_ufw_commands).
hf_ufw_place() {
	if [ -f "$HF_SAVE/in-place" ]; then
		# Whoever is killed from here on leaves half a file, which is nobody's change.
		(: >"$HF_SAVE/writing") && cat "$(hf_ufw_temporary "$1")" >"$(hf_ufw_path "$1")" && sync "$(hf_ufw_path "$1")" &&
			rm -f "$(hf_ufw_temporary "$1")"
	else
		mv -f "$(hf_ufw_temporary "$1")" "$(hf_ufw_path "$1")"
	fi
}

hf_ufw_clear() {
	rm -f "$(hf_ufw_temporary 4)" "$(hf_ufw_temporary 6)"
}

# hf_ufw_back FAMILIES: after a failure. The files are still the old ones, or are made so again.
hf_ufw_back() {
	for hf_ufw_n in $hf_ufw_written; do
		cp -p "$(hf_ufw_saved "$hf_ufw_n")" "$(hf_ufw_temporary "$hf_ufw_n")" &&
			hf_ufw_place "$hf_ufw_n"
	done
	hf_ufw_clear
	for hf_ufw_n in $1; do
		hf_ufw_restore_tool "$hf_ufw_n" <"$(hf_ufw_path "$hf_ufw_n")" ||
			echo "the former rules of IPv$hf_ufw_n could not be loaded again"
	done
	echo "nothing was changed: files and kernel are as before"
}

# hf_ufw_swap WRITE LOAD: the new texts come into force, or nothing does.
#
# The kernel comes first and the files second. Whoever is killed in between leaves files that are
# whole and old; the next look sees our own rules loaded too early, and nothing else.
hf_ufw_swap() {
	hf_ufw_written=
	hf_ufw_clear # what a killed run left must not be taken for a new text
	for hf_ufw_n in $1; do
		hf_ufw_stage "$hf_ufw_n" || {
			hf_ufw_clear
			echo "cannot write beside $(hf_ufw_path "$hf_ufw_n"); nothing was changed"
			return 1
		}
	done
	for hf_ufw_n in $2; do
		hf_ufw_restore_tool "$hf_ufw_n" --test <"$(hf_ufw_text "$hf_ufw_n")" || {
			hf_ufw_clear
			echo "iptables would not take the new rules of IPv$hf_ufw_n; nothing was changed"
			return 1
		}
	done
	for hf_ufw_n in $2; do
		hf_ufw_restore_tool "$hf_ufw_n" <"$(hf_ufw_text "$hf_ufw_n")" || {
			echo "iptables did not take the new rules of IPv$hf_ufw_n"
			hf_ufw_back "$2"
			return 1
		}
	done
	for hf_ufw_n in $1; do
		hf_ufw_place "$hf_ufw_n" || {
			echo "cannot replace $(hf_ufw_path "$hf_ufw_n")"
			hf_ufw_back "$2"
			return 1
		}
		hf_ufw_written="$hf_ufw_written $hf_ufw_n"
	done
	[ -z "$1" ] || sync "$HF_UFW_DIR"
}

# hf_ufw_save FAMILIES: copies with owner, mode and times, for the undo. The first copy counts: an
# action that is repeated must not take its own result for the former state.
hf_ufw_save() {
	for hf_ufw_n in $1; do
		[ -f "$(hf_ufw_saved "$hf_ufw_n")" ] && continue
		if ! { cp -p "$(hf_ufw_path "$hf_ufw_n")" "$HF_SAVE/copy" && sync "$HF_SAVE/copy" &&
			mv -f "$HF_SAVE/copy" "$(hf_ufw_saved "$hf_ufw_n")"; }; then
			echo "cannot keep a copy of $(hf_ufw_path "$hf_ufw_n"); nothing was changed"
			return 1
		fi
	done
	sync "$HF_SAVE"
}

# hf_ufw_same DIGEST4 DIGEST6: whether the files are what the plan saw; `-` for one of no interest.
hf_ufw_same() {
	for hf_ufw_pair in "4:$1" "6:$2"; do
		[ "${hf_ufw_pair#*:}" = - ] && continue
		if [ "$(hf_ufw_digest "$(hf_ufw_path "${hf_ufw_pair%%:*}")")" != "${hf_ufw_pair#*:}" ]; then
			echo "$(hf_ufw_path "${hf_ufw_pair%%:*}") is no longer what the plan saw; nothing was changed"
			return 1
		fi
	done
}

# hf_ufw_prepare DIGEST4 DIGEST6 WRITE LOAD: everything that must be so before anything is changed.
hf_ufw_prepare() {
	umask 077
	hf_ufw_same "$1" "$2" || return 75
	hf_ufw_save "$3" || return 1
	printf '%s\n' "$4" >"$HF_SAVE/load" && sync "$HF_SAVE/load"
}

# hf_ufw_remember FAMILIES: what the files are when we leave them, so that the undo can tell.
hf_ufw_remember() {
	for hf_ufw_n in $1; do
		printf '%s %s\n' "$hf_ufw_n" "$(hf_ufw_digest "$(hf_ufw_path "$hf_ufw_n")")"
	done >"$HF_SAVE/after"
}

hf_ufw_transaction() {
	hf_ufw_prepare "$@" || return
	hf_ufw_swap "$3" "$4" && hf_ufw_remember "$3"
}

# hf_ufw_result STATUS: of an action. 75 means stale: nothing was done, the plan is too old.
hf_ufw_result() {
	if [ "$1" -ne 75 ] || [ -n "${HF_POINT:-}" ]; then return "$1"; fi
	hf_log "step $HF_STEP moved"
	exit 75
}

# hf_ufw_apply DIGEST4 DIGEST6 WRITE LOAD: replaces the rules files of the families in WRITE by the
# texts in $HF_INPUT (lines `4 <base64>`, `6 <base64>`) and loads those of the families in LOAD.
hf_ufw_apply() {
	hf_ufw_locked hf_ufw_transaction "$@"
	hf_ufw_result $?
}

# hf_ufw_how_strict: files that someone changed since are left alone by an undo (status 77), but not by
# the guard: a way in comes first.
hf_ufw_how_strict() {
	if [ -e "$HF_RUN/guard/firing" ]; then echo force; fi
}

# hf_ufw_is_ours PATH DIGEST SAVED: whether a file is as we left it: with that digest, or, by an undo that was killed in
# the middle, as it was before.
hf_ufw_is_ours() {
	[ -e "$HF_SAVE/writing" ] || [ "$(hf_ufw_digest "$1")" = "$2" ] || cmp -s "$1" "$3"
}

# hf_ufw_undo: puts back what hf_ufw_apply or hf_ufw_commands found, and loads it.
hf_ufw_undo() {
	hf_ufw_locked hf_ufw_put_back "$(hf_ufw_how_strict)"
}

hf_ufw_put_back() {
	umask 077
	hf_ufw_families=
	for hf_ufw_n in 4 6; do
		[ -f "$(hf_ufw_saved "$hf_ufw_n")" ] && hf_ufw_families="$hf_ufw_families $hf_ufw_n"
	done
	if [ "$1" != force ] && [ -f "$HF_SAVE/after" ]; then
		while read -r hf_ufw_n hf_ufw_sum; do
			hf_ufw_is_ours "$(hf_ufw_path "$hf_ufw_n")" "$hf_ufw_sum" "$(hf_ufw_saved "$hf_ufw_n")" || {
				echo "$(hf_ufw_path "$hf_ufw_n") was changed since by someone else; nothing was changed"
				return 77
			}
		done <"$HF_SAVE/after"
	fi
	HF_INPUT=$HF_SAVE/undo.input
	for hf_ufw_n in $hf_ufw_families; do
		printf '%s ' "$hf_ufw_n" && base64 -w 0 <"$(hf_ufw_saved "$hf_ufw_n")" && printf '\n'
	done >"$HF_INPUT"
	hf_ufw_load=
	# Early at boot the kernel holds nothing yet: ufw loads the files itself in a moment.
	if [ -z "${HF_AT_BOOT:-}" ] && [ -f "$HF_SAVE/load" ] && hf_ufw_enabled; then
		read -r hf_ufw_load <"$HF_SAVE/load"
	fi
	hf_ufw_swap "$hf_ufw_families" "$hf_ufw_load"
	hf_ufw_rc=$?
	rm -f "$HF_INPUT"
	[ "$hf_ufw_rc" -eq 0 ] && rm -f "$HF_SAVE/after" "$HF_SAVE/writing"
	return "$hf_ufw_rc"
}
