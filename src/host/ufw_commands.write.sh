# shellcheck shell=sh
# Changes to ufw's rules the slow way: by ufw's own command line, for hosts whose files we must not
# replace. Adds come first, so that an interruption leaves too much and never too little. ufw's exit
# status says little (domain §1.1); what counts is what stands in the file and in the kernel.

# hf_ufw_rule allow|delete PROTOCOL PORTS SOURCE COMMENT
hf_ufw_rule() {
	hf_ufw_verb=$1 hf_ufw_protocol=$2 hf_ufw_ports=$3 hf_ufw_source=$4 hf_ufw_text=$5
	set -- from "$hf_ufw_source" to any
	[ "$hf_ufw_ports" = any ] || set -- "$@" port "$hf_ufw_ports"
	[ "$hf_ufw_protocol" = any ] || set -- proto "$hf_ufw_protocol" "$@"
	[ "$hf_ufw_verb" = allow ] || set -- allow "$@"
	hf_tool ufw "$hf_ufw_verb" "$@" comment "$hf_ufw_text" >"$HF_SAVE/said" 2>&1
}

# hf_ufw_accepts FAMILY PROTOCOL PORTS SOURCE: whether the kernel holds the rule.
hf_ufw_accepts() {
	case $1 in
	4) set -- iptables ufw "$@" ;;
	6) set -- ip6tables ufw6 "$@" ;;
	esac
	hf_ufw_protocols=$4
	[ "$4" = any ] && [ "$5" != any ] && hf_ufw_protocols="tcp udp"
	for hf_ufw_protocol in $hf_ufw_protocols; do
		hf_ufw_words="-C $2-user-input"
		[ "$hf_ufw_protocol" = any ] || hf_ufw_words="$hf_ufw_words -p $hf_ufw_protocol"
		case $5 in
		any) ;;
		*[,:]*) hf_ufw_words="$hf_ufw_words -m multiport --dports $5" ;;
		*) hf_ufw_words="$hf_ufw_words --dport $5" ;;
		esac
		# The words hold no white space and no patterns: the plan made them of numbers and names.
		# shellcheck disable=SC2086
		hf_ufw_tool "$1" -w 10 $hf_ufw_words -s "$6" -j ACCEPT 2>/dev/null 3>&- 9>&- || return 1
	done
}

# hf_ufw_each SIGN COMMENT LOAD: makes or deletes the rules of the lines that begin with SIGN.
hf_ufw_each() {
	while IFS= read -r hf_ufw_line; do
		case $hf_ufw_line in "$1"*) ;; *) continue ;; esac
		hf_ufw_tuple=${hf_ufw_line#???}
		hf_ufw_family=${hf_ufw_line%"${hf_ufw_line#??}"}
		hf_ufw_family=${hf_ufw_family#?}
		# A tuple is ### tuple ### allow PROTOCOL PORTS TO any SOURCE in comment=HEX.
		# shellcheck disable=SC2086
		hf_ufw_one "$1" "$2" "$3" $hf_ufw_tuple || {
			cat "$HF_SAVE/said"
			echo "ufw did not do it: $hf_ufw_line"
			return 1
		}
	done <"$HF_INPUT"
}

hf_ufw_one() {
	case $1 in
	+) hf_ufw_rule allow "$8" "$9" "${12}" "$2" || return 1 ;;
	-) hf_ufw_rule delete "$8" "$9" "${12}" "$2" || return 1 ;;
	esac
	if grep -qxF "$hf_ufw_tuple" "$(hf_ufw_path "$hf_ufw_family")"; then
		[ "$1" = + ] || return 1
	else
		[ "$1" = - ]
		return
	fi
	case $3 in
	*"$hf_ufw_family"*) hf_ufw_accepts "$hf_ufw_family" "$8" "$9" "${12}" ;;
	esac
}

# hf_ufw_commands DIGEST4 DIGEST6 WRITE LOAD COMMENT: the rules in $HF_INPUT, one a line: `+4 TUPLE`
# to add, `-6 TUPLE` to delete.
hf_ufw_commands() {
	hf_ufw_prepare "$@"
	hf_ufw_result $? || return
	(: >"$HF_SAVE/in-place") || return 1
	hf_ufw_each + "$5" "$4" && hf_ufw_each - "$5" "$4"
	hf_ufw_rc=$?
	hf_ufw_remember "$3"
	return "$hf_ufw_rc"
}
