//! What else on the host decides about packets, beside ufw: the answer of `hf_ufw_around`.
//!
//! DNAT happens in PREROUTING, ufw sits in INPUT: a port that Docker or Kubernetes publishes never
//! comes by ufw (domain A7.6). Nothing here keeps us from anything; it is told, because it can make
//! the goal of a step untrue.

use crate::change::Note;

use super::address::Family;
use super::iptables_rule::IptablesRule;
use super::ports::Ports;
use super::tuple::Protocol;
use super::wanted::Wanted;

/// The notes that the answer gives rise to.
pub fn notes(answer: &str, wanted: &Wanted) -> Vec<Note> {
    let mut reader = Reader {
        wanted,
        family: Family::V4,
        table: String::new(),
        past_ufw: false,
        nft_table: String::new(),
        notes: Vec::new(),
    };
    answer.lines().for_each(|line| reader.line(line));
    let mut notes = reader.notes;
    notes.dedup();
    notes
}

struct Reader<'a> {
    wanted: &'a Wanted,
    family: Family,
    table: String,
    /// The jump to ufw's chains was seen in `INPUT`.
    past_ufw: bool,
    nft_table: String,
    notes: Vec<Note>,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) {
        if let Some(table) = line.strip_prefix('*') {
            table.clone_into(&mut self.table);
            self.past_ufw = false;
        } else if line.starts_with("-A ") {
            self.rule(line);
        } else if let Some((key, value)) = line.split_once('=') {
            self.value(key, value.trim());
        }
    }

    fn value(&mut self, key: &str, value: &str) {
        match key {
            "family" => {
                self.family = if value == "v6" {
                    Family::V6
                } else {
                    Family::V4
                }
            }
            "flavour" if !value.starts_with("0 ") => self.note(Note::warning(format!(
                "the other flavour of iptables, which ufw does not use, holds rules as well \
                 ({}); both decide",
                plain(value)
            ))),
            "nft" => value.clone_into(&mut self.nft_table),
            "nft.drop" => self.note(Note::info(format!(
                "the nftables table `{}` also keeps incoming packets out: {}",
                self.nft_table,
                plain(value)
            ))),
            "nft.dnat" if self.names_our_port(value) => {
                self.note(bypass(&format!(
                    "nftables table `{}`: {value}",
                    self.nft_table
                )));
            }
            "fail2ban" => self.note(Note::warning(format!(
                "fail2ban bans through ufw ({}), so its rules come and go while we look; \
                 an apply that meets one stops as stale",
                plain(value)
            ))),
            _ => {}
        }
    }

    fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn rule(&mut self, line: &str) {
        let Some(rule) = IptablesRule::parse(line) else {
            return;
        };
        let target = rule.target().unwrap_or_default();
        match self.table.as_str() {
            "filter" if rule.chain == "INPUT" && target.starts_with("ufw") => self.past_ufw = true,
            "filter" if rule.chain == "INPUT" && !self.past_ufw => self.before_ufw(&rule),
            "nat" if rule.chain != "OUTPUT" && self.concerns(&rule) && is_public(&rule) => {
                let to = rule
                    .value("--to-destination")
                    .or_else(|| rule.value("--to-ports"));
                let to = to.unwrap_or(target);
                self.note(bypass(&format!("nat chain {} to {to}", rule.chain)));
            }
            _ => {}
        }
    }

    /// A rule in `INPUT` that is asked before ufw. A ban by fail2ban is as it should be.
    fn before_ufw(&mut self, rule: &IptablesRule) {
        let target = rule.target().unwrap_or_default();
        let narrow = ["-i", "-s", "-d", "--ctstate", "--state"];
        let narrowed = narrow.iter().any(|option| rule.value(option).is_some());
        let text = format!("{} {}", self.family.name(), plain(&rule.to_string()));
        if target == "ACCEPT" && !narrowed && self.concerns(rule) {
            self.note(Note::warning(format!(
                "a rule before ufw lets everybody in, so ufw does not protect the port: {text}"
            )));
        } else if matches!(target, "DROP" | "REJECT") && self.concerns(rule) {
            self.note(Note::info(format!(
                "a rule before ufw keeps packets out: {text}"
            )));
        }
    }

    /// Whether a rule is about a protocol and port of ours, or names no port.
    fn concerns(&self, rule: &IptablesRule) -> bool {
        let ports = rule.value("--dport").or_else(|| rule.value("--dports"));
        let ports: Ports = match ports.map(str::parse) {
            Some(Ok(ports)) => ports,
            Some(Err(_)) => return false,
            None => Ports::Any,
        };
        let number = |protocol| if protocol == Protocol::Udp { "17" } else { "6" };
        let protocol = rule.value("-p");
        let all = self.wanted.ports == Ports::Any;
        self.wanted.probes().into_iter().any(|(wanted, port)| {
            (all || ports.contain(port)) && protocol.is_none_or(|given| given == number(wanted))
        })
    }

    fn names_our_port(&self, line: &str) -> bool {
        let words: Vec<&str> = line.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let ours = |text: &str| {
            let port: Option<u16> = text.parse().ok();
            port.is_some_and(|port| self.wanted.ports.contain(port))
        };
        let (mut before, mut after) = (false, false);
        for word in words {
            before |= word == "dport";
            after |= before && word != "dnat" && ours(word);
            if matches!(word, "dnat" | "redirect") {
                break;
            }
        }
        after
    }
}

/// Whether a rule is about packets from outside: not for loopback, nor a cluster's own address.
fn is_public(rule: &IptablesRule) -> bool {
    let loopback = rule.value("-d").is_some_and(|net| net.starts_with("127."));
    let cluster = rule
        .target()
        .is_some_and(|target| target.starts_with("KUBE-SVC-"));
    !loopback && !cluster
}

fn bypass(how: &str) -> Note {
    Note::warning(format!(
        "packets for the port are sent elsewhere before ufw is asked, so ufw does not protect it: {}",
        plain(how)
    ))
}

/// Text from the host without control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(160).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(answer: &str) -> Vec<String> {
        let wanted = Wanted {
            tag: "holdfast:t:cf".to_owned(),
            protocol: Protocol::Tcp,
            ports: "443".parse().unwrap(),
            sources: Vec::new(),
        };
        notes(answer, &wanted)
            .into_iter()
            .map(|note| note.text)
            .collect()
    }

    #[test]
    fn dockers_published_port_is_a_bypass() {
        let answer = "family=v4\n*filter\n-A INPUT -j ufw-before-logging-input\n*nat\n\
            -A DOCKER ! -i docker0 -p tcp -m tcp --dport 443 -j DNAT --to-destination 172.17.0.2:8443\n\
            -A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80\n";
        assert_eq!(
            told(answer),
            [
                "packets for the port are sent elsewhere before ufw is asked, so ufw does not protect \
              it: nat chain DOCKER to 172.17.0.2:8443"
            ]
        );
    }

    #[test]
    fn the_service_load_balancer_of_k3s_is_a_bypass() {
        let answer = "family=v4\n*nat\n-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name\" \
            -m multiport --dports 80,443 -j CNI-DN-1f6f0\n\
            -A CNI-DN-1f6f0 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.42.0.8:443\n";
        assert_eq!(told(answer).len(), 2);
        let inside = "family=v4\n*nat\n-A KUBE-SERVICES -d 10.43.0.1/32 -p tcp -m tcp --dport 443 \
                      -j KUBE-SVC-NPX46\n";
        assert!(told(inside).is_empty());
    }

    #[test]
    fn rules_before_ufw_count_and_rules_behind_it_do_not() {
        let accept = "-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT";
        let jump = "-A INPUT -j ufw-before-logging-input";
        assert_eq!(told(&format!("*filter\n{accept}\n{jump}\n")).len(), 1);
        assert!(told(&format!("*filter\n{jump}\n{accept}\n")).is_empty());
        let harmless =
            "-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd";
        assert!(told(&format!("*filter\n{harmless}\n{jump}\n")).is_empty());
    }

    #[test]
    fn two_flavours_and_other_tables_are_told() {
        assert!(told("flavour=0 iptables-legacy-save\n").is_empty());
        let answer = "flavour=3 iptables-legacy-save\nnft=inet mine\nnft.hook=type filter hook input \
            priority filter; policy drop;\nnft.drop=tcp dport 443 drop\n\
            nft.dnat=tcp dport { 80, 443 } dnat ip to 10.0.0.2:443\n\
            nft.dnat=tcp dport 8080 dnat ip to 10.0.0.2:443\n";
        let told = told(answer);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("3 iptables-legacy-save"));
        assert!(told[1].contains("`inet mine`"));
        assert!(told[2].contains("does not protect"));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in "((nft|flavour|family|nft.dnat|fail2ban)=.{0,20}\n|[*](nat|filter)\n|-A INPUT .{0,30}\n|.{0,20}\n){0,12}") {
            let _ = told(&text);
        }
    }

    #[test]
    fn fail2ban_through_ufw_is_told() {
        assert!(told("fail2ban=/etc/fail2ban/jail.local\n")[0].contains("jail.local"));
    }
}
