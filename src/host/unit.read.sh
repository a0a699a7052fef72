# shellcheck shell=sh
# What systemd made of the files of a unit, and which settings it knows. Read-only.

# hf_unit_files UNIT SECTION.KEY…: the files UNIT comes from, whether they changed since systemd read them, and
# the settings this systemd does not know (`unknown`), which it would ignore.
hf_unit_files() {
	if [ ! -d /run/systemd/system ]; then
		printf 'init=%s\n' "$(cat /proc/1/comm)"
		return 0
	fi
	echo init=systemd
	case $1 in
	# Of a template there is nothing to show; its instances have names of their own.
	*@.*) echo LoadState=template ;;
	*)
		systemctl show --no-pager -p LoadState,LoadError,FragmentPath,DropInPaths,NeedDaemonReload,UnitFileState \
			-p ActiveState "$1" || return 1
		;;
	esac
	shift
	for hf_unit_systemd in /usr/lib/systemd/systemd /lib/systemd/systemd none; do
		[ ! -x "$hf_unit_systemd" ] || break
	done
	if [ "$hf_unit_systemd" = none ] || [ $# = 0 ]; then return 0; fi
	{
		printf '%s\n' "$@"
		echo ---
		"$hf_unit_systemd" --dump-configuration-items 2>/dev/null
	} | awk '
		!listed && $0 == "---" { listed = 1; next }
		!listed { asked[++n] = $0; next }
		/^\[/ { section = substr($0, 2, index($0, "]") - 2); next }
		/=/ { known[section "." substr($0, 1, index($0, "=") - 1)] = 1; any = 1 }
		END { for (i = 1; any && i <= n; i++) if (!(asked[i] in known)) print "unknown=" asked[i] }'
}
