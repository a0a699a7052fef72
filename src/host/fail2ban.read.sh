# shellcheck shell=sh
# What fail2ban is told by its files, what its server does, and what stands in the packet filter: three
# things that often differ. Read-only.
#
# fail2ban is a Python program, so where it is Python is a given; the interpreter is the one in its own
# first line. The configuration is read by `fail2ban-client -d`, which needs no server.

# hf_fail2ban JAIL: lines of `key=value`; see Look in src/resource/fail2ban_jail/look.rs. Bans, counters and
# times are left out: they change by themselves.
hf_fail2ban() {
	if [ "$(id -u)" = 0 ]; then echo root=yes; else echo root=no; fi
	if [ -d /run/systemd/system ]; then echo init=systemd; else printf 'init=%s\n' "$(cat /proc/1/comm)"; fi
	hf_f2b_client=$(command -v fail2ban-client) || {
		echo installed=no
		if [ -e /etc/fail2ban ]; then echo leftover=yes; fi
		return 0
	}
	echo installed=yes
	printf 'package=%s\n' "$(dpkg-query -W -f '${Version}' fail2ban 2>/dev/null)"
	if [ -d /run/systemd/system ]; then
		printf 'unit=%s\n' "$(systemctl show -p LoadState --value fail2ban.service)"
	fi
	hf_f2b_file "/etc/fail2ban/jail.d/90-holdfast-$1.local"
	[ "$(id -u)" = 0 ] || return 0
	hf_f2b_look "$(hf_f2b_python "$hf_f2b_client")" "$1"
}

# The first word of the first line of the client, or what Debian's has there.
hf_f2b_python() {
	IFS=' ' read -r hf_f2b_line _ <"$1" 2>/dev/null
	case $hf_f2b_line in
	'#!'/*python*) printf '%s\n' "${hf_f2b_line#??}" ;;
	*) echo python3 ;;
	esac
}

# Our own file, as hf_file tells it.
hf_f2b_file() {
	if [ -L "$1" ]; then
		echo file=link
	elif [ -f "$1" ]; then
		echo file=plain
		printf 'content=%s\n' "$(base64 -w 0 <"$1")"
	elif [ -e "$1" ]; then
		echo file=other
	else
		echo file=absent
	fi
}

# hf_f2b_filter JAIL: the ports at which the packet filter asks for banned addresses, and these addresses:
# `v4.ports=22,2222`, `v6.ports=all`, `v4.banned=192.0.2.1`. Knows fail2ban's own actions for iptables and nftables.
hf_f2b_filter() {
	{
		iptables -w -S 2>/dev/null | sed 's/^/v4 /'
		ip6tables -w -S 2>/dev/null | sed 's/^/v6 /'
	} | awk -v chain="f2b-$1" '
		$NF == chain && $(NF - 1) == "-j" {
			ports = "all"
			for (i = 2; i < NF; i++) if ($i ~ /^--dports?$/) { ports = $(i + 1); gsub(/:/, "-", ports) }
			print $1 ".ports=" ports
		}
		$2 == "-A" && $3 == chain && $4 == "-s" && !/ -j RETURN/ { sub(/\/(32|128)$/, "", $5); print $1 ".banned=" $5 }' | sort -u
	nft list table inet f2b-table 2>/dev/null | awk -v name="$1" '
		$1 == "set" { family = $2 == "addr-set-" name ? "v4" : $2 == "addr6-set-" name ? "v6" : "" }
		family != "" { elements(family) }
		$1 == "}" { family = "" }
		/ saddr @addr6?-set-/ {
			set = $0; sub(/.*@/, "", set); sub(/ .*/, "", set)
			of = set == "addr-set-" name ? "v4" : set == "addr6-set-" name ? "v6" : ""
			if (of == "") next
			ports = "all"
			if ($0 ~ / dport /) { ports = $0; sub(/.* dport /, "", ports); sub(/ ip6? saddr.*/, "", ports); gsub(/[{} ]/, "", ports) }
			print of ".ports=" ports
		}
		function elements(of, text, count, parts, i) {
			text = $0
			if (text ~ /elements = /) { sub(/.*elements = /, "", text); within = 1 }
			if (!within) return
			if (text ~ /}/) within = 0
			gsub(/[{},]/, " ", text)
			count = split(text, parts, " ")
			for (i = 1; i <= count; i++) if (parts[i] ~ /^[0-9a-f:.]+$/ && parts[i] ~ /[.:]/) print of ".banned=" parts[i]
		}' | sort -u
}

# hf_f2b_look PYTHON JAIL
hf_f2b_look() {
	hf_f2b_seen=$(hf_f2b_filter "$2")
	PYTHONDONTWRITEBYTECODE=1 "$1" -B -c '
import ast, base64, glob, ipaddress, os, re, socket, subprocess, sys
jail, seen, base = sys.argv[1], sys.argv[2], "/etc/fail2ban"
ours = base + "/jail.d/90-holdfast-" + jail + ".local"
sys.stdout.reconfigure(errors="backslashreplace")

def say(key, value):
    print(key + "=" + " ".join(str(value).split()))

def works(module):
    try:
        __import__(module)
        return True
    except BaseException as why:
        say("lacks", module + " (" + str(why) + ")")
        return False

works("fail2ban.server.server")
works("systemd.journal")
try:
    from fail2ban.version import version
    say("version", version)
    from fail2ban.server.mytime import MyTime
    seconds = lambda text: int(float(MyTime.str2seconds(str(text))))
except BaseException:
    seconds = lambda text: text

TIMES = ("findtime", "bantime", "bantime.maxtime")
KEYS = ("maxretry", "maxmatches", "findtime", "bantime", "bantime.increment", "bantime.maxtime", "bantime.factor", "usedns")

def plain(key, value):
    if key == "bantime.increment":
        return "yes" if str(value).lower() in ("true", "yes", "on", "1") else "no"
    if value is None:
        return ""
    return seconds(value) if key in TIMES else value

def network(text):
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text

def ports(texts):
    found = set()
    for text in re.split(r"[,\s]+", ",".join(texts)):
        if text:
            try:
                found.add(str(int(text)))
            except ValueError:
                try:
                    found.add(str(socket.getservbyname(text, "tcp")))
                except OSError:
                    found.add(text.replace(":", "-"))
    return ",".join(sorted(found, key=lambda text: (len(text), text)))

def settings(path):
    section = ""
    with open(path, errors="backslashreplace") as lines:
        for line in lines:
            head = re.match(r"\[([^]]*)\]", line)
            if head:
                section = head.group(1)
            pair = re.match(r"([^\s#;\[=:][^=:]*?)\s*[=:]\s*(.*)", line)
            if pair:
                yield section, pair.group(1).lower(), pair.group(2).strip()

def files():
    for suffix in (".conf", ".local"):
        if os.path.isfile(base + "/jail" + suffix):
            yield base + "/jail" + suffix
        for path in sorted(glob.glob(base + "/jail.d/*" + suffix)):
            yield path

def others():
    own, ignore = False, "no"
    for path in files():
        if path == ours:
            own = True
            continue
        try:
            pairs = list(settings(path))
        except OSError as why:
            say("unreadable", str(why))
            continue
        later = own or (path > ours and path.endswith(".local") and path.startswith(base + "/jail.d/"))
        users = path.endswith(".local") or os.path.basename(path) not in ("jail.conf", "defaults-debian.conf")
        for section, key, value in pairs:
            if section == jail and users or section == "DEFAULT" and path.endswith(".local") and not later:
                say("later" if later else "earlier", key + " " + path + " " + value)
            if key == "ignoreip" and (section == "DEFAULT" or (section == jail and not later)):
                if section == jail and "known/ignoreip" in value:
                    ignore = "known"
                elif ignore == "no":
                    ignore = "yes"
    say("others_ignore", ignore)

def client(*words):
    try:
        return subprocess.run(["fail2ban-client"] + list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, errors="backslashreplace")
    except subprocess.TimeoutExpired:
        return None

def static():
    told = client("-d")
    say("config", "ok" if told and told.returncode == 0 else "broken")
    problems = []
    for line in (told.stderr if told else "it did not answer within a minute").splitlines():
        head = re.match(r"[-0-9]+ [:,0-9]+ \S+\s*\[\d+\]: (WARNING|ERROR|CRITICAL)\s+(.*)", line)
        if head:
            problems.append(head.group(2))
        elif problems and line.strip() and not line.startswith("["):
            problems[-1] += " " + line
    for text in problems:
        if "not defined in" not in text and "Init of command line failed" not in text:
            say("problem", text)
    ports_of, grows = [], "no"
    for line in (told.stdout if told else "").splitlines():
        try:
            words = ast.literal_eval(line)
        except (ValueError, SyntaxError):
            continue
        if words[0] == "add":
            say("static.jail", words[1])
            if words[1] == jail:
                say("static.enabled", "yes")
                say("static.backend", words[2])
        elif words[:2] in (["set", "dbpurgeage"], ["set", "dbfile"]):
            say(words[1], seconds(words[2]) if words[1] == "dbpurgeage" else words[2])
        elif len(words) > 3 and words[1] == jail:
            if words[2] == "bantime.increment":
                grows = plain(words[2], words[3])
            elif words[2] in KEYS:
                say("static." + words[2], plain(words[2], words[3]))
            elif words[2] == "addignoreip":
                for item in words[3:]:
                    say("static.ignore", network(item))
            elif words[2] == "addaction":
                say("static.action", words[3])
            elif words[2] == "action" and words[0] == "multi-set":
                ports_of += [pair[1] for pair in words[4] if pair[0] == "port"]
    say("static.bantime.increment", grows)
    if ports_of:
        say("static.port", ports(ports_of))

def live():
    path = "/var/run/fail2ban/fail2ban.sock"
    for name in [base + "/fail2ban.conf"] + sorted(glob.glob(base + "/fail2ban.d/*.conf")) + \
            [base + "/fail2ban.local"] + sorted(glob.glob(base + "/fail2ban.d/*.local")):
        try:
            path = [value for _, key, value in settings(name) if key == "socket"][-1]
        except (OSError, IndexError):
            pass
    try:
        from fail2ban.client.csocket import CSocket
        link = CSocket(path, timeout=20)
        def ask(*words):
            code, answer = link.send(list(words))
            return answer if code == 0 else None
        alive = ask("ping") == "pong"
    except BaseException:
        alive = False
    say("server", "yes" if alive else "no")
    if not alive:
        return
    jails = [name for name in re.split(r"[,\s]+", str(dict(ask("status"))["Jail list"])) if name]
    for name in sorted(jails):
        say("live.jail", name)
    if jail not in jails:
        return
    say("live.enabled", "yes")
    say("live.backend", "files" if ask("get", jail, "logpath") else "journal")
    for key in KEYS:
        say("live." + key, plain(key, ask("get", jail, key)))
    for item in sorted(network(str(item)) for item in ask("get", jail, "ignoreip") or []):
        say("live.ignore", item)
    actions = sorted(str(name) for name in ask("get", jail, "actions") or [])
    found = []
    for name in actions:
        say("live.action", name)
        port = ask("get", jail, "action", name, "port")
        if port is not None:
            found.append(str(port))
    if found:
        say("live.port", ports(found))
        in_filter = re.findall(r"ports=(\S+)", seen)
        if any(ports([one]) != ports(found) for one in in_filter if one != "all"):
            say("stale_port", ports([one for one in in_filter if one != "all"]))

others()
static()
live()
' "$2" "$hf_f2b_seen"
}
