# shellcheck shell=sh
# What systemd says of a unit. Read-only.

# hf_service UNIT: lines of `Property=value`, and `pending=yes` when one of our runs changed the unit's
# files and has not reloaded it yet.
hf_service() {
	if [ ! -d /run/systemd/system ]; then
		printf 'init=%s\n' "$(cat /proc/1/comm)"
		return 0
	fi
	echo init=systemd
	hf_unit_shown=$(systemctl show --no-pager -p Id,LoadState,LoadError,UnitFileState,ActiveState,SubState,Result \
		-p Type,RemainAfterExit,CanReload,NeedDaemonReload,RefuseManualStart,RefuseManualStop,Transient \
		-p FragmentPath,SourcePath,DropInPaths,TriggeredBy,WantedBy,RequiredBy "$1") || return 1
	printf '%s\n' "$hf_unit_shown" | hf_service_sorted
	# Of a generated unit only systemctl's bridge to the old init scripts knows.
	case $hf_unit_shown in
	*UnitFileState=generated*) printf 'sysv=%s\n' "$(systemctl is-enabled "$1" 2>/dev/null)" ;;
	esac
	if hf_reload_pending "$1"; then echo pending=yes; fi
}

# systemd keeps sets of units in hash tables: their order changes with every daemon-reload.
hf_service_sorted() {
	awk '
		!/^(TriggeredBy|WantedBy|RequiredBy)=/ { print; next }
		{
			key = $0; sub(/=.*/, "=", key); sub(/^[A-Za-z]*=/, "")
			for (i = 2; i <= NF; i++)
				for (j = i; j > 1 && $(j - 1) > $j; j--) { word = $j; $j = $(j - 1); $(j - 1) = word }
			print key $0
		}'
}

# hf_reload_pending UNIT: whether a run of ours marked UNIT and it was not started anew since.
hf_reload_pending() {
	[ -e "/var/lib/holdfast/pending/$1" ] &&
		[ "$(cat "/var/lib/holdfast/pending/$1")" = "$(systemctl show -p InvocationID --value "$1")" ]
}
