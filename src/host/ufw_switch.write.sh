# shellcheck shell=sh
# ufw as a whole is switched on or off. See src/resource/ufw/switch.rs; what was before is kept, and put back, by
# `ufw_state.write.sh`.

# hf_ufw_is_hooked FAMILY: whether packets really come by ufw's rules.
hf_ufw_is_hooked() {
	case $1 in 4) hf_ufw_p=ufw ;; 6) hf_ufw_p=ufw6 ;; esac
	[ "$1" = 4 ] || hf_ufw_handles6 || return 0
	hf_ufw_list=$(hf_ufw_listing "$1") || return 1
	for hf_ufw_line in "-A INPUT -j $hf_ufw_p-before-input" \
		"-A $hf_ufw_p-before-input -j $hf_ufw_p-user-input"; do
		printf '%s\n' "$hf_ufw_list" | grep -qxF -e "$hf_ufw_line" || {
			echo "the kernel lacks: $hf_ufw_line"
			return 1
		}
	done
}

# hf_ufw_switch on|off FILE:KEY=VALUE…: makes the settings and switches ufw. Its exit status says little;
# what counts is the kernel. An action that fails takes back what it did.
hf_ufw_switch() {
	hf_ufw_keep_state || return 1
	hf_ufw_as_kept
	hf_ufw_result $? || return
	# ufw itself waits for its lock for ever. Nothing is done inside: it is asked whether it is free.
	hf_ufw_locked : || return 1
	hf_ufw_way=$1
	shift
	if hf_ufw_assign_all "$@" >"$HF_SAVE/said" && "hf_ufw_switch_$hf_ufw_way" >>"$HF_SAVE/said" 2>&1; then
		hf_ufw_remember_state
		return
	fi
	cat "$HF_SAVE/said"
	if hf_ufw_locked hf_ufw_state_back force; then
		echo "ufw could not be switched $hf_ufw_way: $(sed -n '$p' "$HF_SAVE/said"); all is as before"
	else
		echo "ufw could not be switched $hf_ufw_way, and what was before could not be restored wholly"
	fi
	return 1
}

hf_ufw_switch_on() {
	hf_ufw_each_family hf_ufw_listing >"$HF_SAVE/now" || return 1
	# ufw would say that it runs already: a stop that was killed, or somebody flushed a part of it.
	if grep -q '^:ufw6\{0,1\}-user-input ' "$HF_SAVE/now"; then hf_tool timeout -k 5 90 ufw --force disable; fi
	hf_ufw_each_family hf_ufw_lead || return 1
	hf_tool timeout -k 5 90 ufw --force enable
	hf_ufw_enabled || {
		echo "it did not say so itself"
		return 1
	}
	hf_ufw_each_family hf_ufw_is_hooked && hf_ufw_each_family hf_ufw_complete
}

# hf_ufw_complete FAMILY: ufw starts with the rules file that it finds and then writes a fuller one. What a later
# start would load is loaded now.
hf_ufw_complete() {
	[ "$1" = 4 ] || hf_ufw_handles6 || return 0
	hf_ufw_restore_tool "$1" <"$(hf_ufw_path "$1")"
}

# hf_ufw_lead FAMILY: where ufw finds its own chains it fills them and sets the policy, but does not look
# whether anything leads there. After `iptables -F` nothing does, and then it would keep out everything.
hf_ufw_lead() {
	case $1 in 4) hf_ufw_p=ufw ;; 6) hf_ufw_p=ufw6 ;; esac
	hf_ufw_listing "$1" >"$HF_SAVE/now" || return 1
	grep -q "^:$hf_ufw_p-before-logging-input " "$HF_SAVE/now" || return 0
	awk -v p="$hf_ufw_p" '
		BEGIN {
			split("INPUT OUTPUT FORWARD", builtin, " ")
			split("before-logging before after after-logging reject track", stage, " ")
			for (b = 1; b <= 3; b++) for (s = 1; s <= 6; s++) {
				chain[++n] = p "-" stage[s] "-" tolower(builtin[b])
				jump[n] = "-A " builtin[b] " -j " chain[n]
			}
		}
		{ there[$0]++ }
		END {
			for (i = 1; i <= n; i++) if (!there[jump[i]]) lacking = 1
			if (!lacking) exit
			print "*filter"
			for (i = 1; i <= n; i++) print ":" chain[i], "-", "[0:0]"
			for (i = 1; i <= n; i++) {
				old = jump[i]; sub(/^-A/, "-D", old)
				while (there[jump[i]]-- > 0) print old
				print jump[i]
			}
			print "COMMIT"
		}' "$HF_SAVE/now" >"$HF_SAVE/lead"
	[ ! -s "$HF_SAVE/lead" ] || hf_ufw_restore_tool "$1" <"$HF_SAVE/lead"
}

hf_ufw_switch_off() {
	hf_tool timeout -k 5 90 ufw --force disable
	if hf_ufw_enabled; then
		echo "it did not say so itself"
		return 1
	fi
}
