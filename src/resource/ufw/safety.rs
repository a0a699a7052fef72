//! What must be so before the firewall is switched on or closes up, and what else a person should know.

use ipnet::IpNet;

use crate::change::{Diff, Note};
use crate::resource::ufw_rules::address::Family;
use crate::resource::ufw_rules::around;
use crate::resource::ufw_rules::exposure::Admission;
use crate::resource::ufw_rules::look::Look;
use crate::resource::ufw_rules::obstacle::{
    Obstacle, lost, obstacle, readable, supported, way_in, writable,
};
use crate::resource::ufw_rules::ports::Ports;
use crate::resource::ufw_rules::report;
use crate::resource::ufw_rules::rules_file::RulesFile;
use crate::resource::ufw_rules::simulate::{Packet, simulate};
use crate::resource::ufw_rules::state::Ipv6;
use crate::resource::ufw_rules::tuple::{Protocol, Tuple};
use crate::resource::ufw_rules::wanted::Wanted;

use super::policy::{Policies, Policy, Way};
use super::settings::Firewall;
use super::surroundings::Surroundings;
use super::switch::idle;

/// The rest of the hint when no rule would let us in.
const OR: &str = "put a step with such a rule before this one";

/// The networks of pods and services that k3s takes when nobody says otherwise.
const CLUSTER: [&str; 2] = ["10.42.0.0/16", "10.43.0.0/16"];

/// Whether ufw may be switched on; its rules files then.
///
/// # Errors
/// When something speaks against it.
pub(super) fn of_switching_on(
    desired: &Firewall,
    look: &Look,
    around: &Surroundings,
    policies: Policies,
) -> Result<Vec<RulesFile>, Obstacle> {
    supported(&look.state.version)?;
    replaceable(look, around)?;
    let mut files = Vec::new();
    // ufw reads and writes both, whatever it loads.
    for family in Family::BOTH {
        files.push(readable(look, family)?);
    }
    if let Some(why) = lost(files.iter()) {
        let hint = "ufw would drop that when it starts; make a rule of it with ufw";
        return obstacle(Diff::needs_human(why, hint));
    }
    if let Some(path) = around.broken.first() {
        let why = format!("{path} is missing or does not end in COMMIT");
        let hint = "ufw would start with a part of its rules; restore the file or reinstall ufw";
        return obstacle(Diff::needs_human(why, hint));
    }
    if around.manages_builtins {
        let why =
            "MANAGE_BUILTINS=yes in /etc/default/ufw: starting ufw takes away the rules of others";
        return obstacle(Diff::needs_human(why, "set it to no"));
    }
    of_policies(desired, look, policies)?;
    of_containers(desired, around, &files)?;
    Ok(files)
}

/// Whether the files can be replaced.
///
/// # Errors
/// When one cannot.
pub(super) fn replaceable(look: &Look, around: &Surroundings) -> Result<(), Obstacle> {
    if !look.state.python {
        return obstacle(Diff::blocked("python3 is missing, which ufw needs", ""));
    }
    let rules = Family::BOTH.into_iter().find_map(|family| {
        let why = look.state.file(family).fixed.clone()?;
        Some(format!("{} {why}", family.file()))
    });
    let settings = || {
        let path = around.fixed.first()?;
        Some(format!("{path} is missing, a link, or cannot be written"))
    };
    if let Some(why) = rules.or_else(settings) {
        return obstacle(Diff::blocked(why, "this step replaces the file as a whole"));
    }
    let files = Family::BOTH.map(|family| {
        let content = look.state.file(family).content.clone();
        RulesFile::parse(&content.unwrap_or_default(), family)
    });
    writable(look, files.iter())
}

/// Whether we come in again with these policies in force.
///
/// # Errors
/// When a new login would fail, or it cannot be told.
pub(super) fn of_policies(
    desired: &Firewall,
    look: &Look,
    policies: Policies,
) -> Result<(), Obstacle> {
    let Some(access) = &desired.access else {
        return Ok(());
    };
    let incoming = policies.of(Way::Incoming);
    if incoming == Policy::Allow {
        return way_in_past_denials(desired, look);
    }
    if access.ports.is_empty() {
        let why = "it cannot be told where sshd listens, so whether we come in again cannot either";
        return obstacle(Diff::needs_human(
            why,
            "is sshd started in another way there?",
        ));
    }
    if access.family() == Family::V6 && look.state.ipv6 == Ipv6::SetOff {
        let why = format!(
            "we come in from {}, and with IPV6=no in /etc/default/ufw it keeps all IPv6 out",
            access.from
        );
        return obstacle(Diff::needs_human(why, "set IPV6=yes, or connect over IPv4"));
    }
    let mut parts = Vec::new();
    for family in look.state.families() {
        parts.push(idle(readable(look, family)?));
    }
    let mut then = look.clone();
    then.state.enabled = true;
    incoming.target().clone_into(&mut then.state.policy);
    way_in(Some(access), &then, &parts, OR)
}

/// Also where everybody comes in a rule may keep us out.
fn way_in_past_denials(desired: &Firewall, look: &Look) -> Result<(), Obstacle> {
    let Some(access) = &desired.access else {
        return Ok(());
    };
    let rules: Vec<Tuple> = readable(look, access.family())?.tuples().cloned().collect();
    let refused = |(_, admission): &(_, Admission)| *admission == Admission::Refused;
    match access.admissions(&rules).into_iter().find(refused) {
        None => Ok(()),
        Some((port, _)) => obstacle(Diff::needs_human(
            format!("a rule refuses SSH from {} to port {port}", access.from),
            "a new login would fail; remove that rule first",
        )),
    }
}

/// Pods and containers talk to their host by packets that ufw would keep out.
fn of_containers(
    desired: &Firewall,
    around: &Surroundings,
    files: &[RulesFile],
) -> Result<(), Obstacle> {
    let rules: Vec<Tuple> = files[0].tuples().cloned().collect();
    let open = |name: &&String| !(name.as_str() == "Kubernetes" && admits_cluster(&rules));
    let Some(name) = around.containers.iter().find(open) else {
        return Ok(());
    };
    if desired.settings.beside_containers {
        return Ok(());
    }
    let hint = match name.as_str() {
        "Kubernetes" => format!(
            "pods and services need rules that let everything in from their networks ({} unless \
             changed), and other nodes need 6443, 10250, 2379-2380 and 8472/udp or 51820-51821/udp; \
             with `beside_containers: true` a person says that these are there",
            CLUSTER.join(" and ")
        ),
        _ => "containers reach services of this host only with a rule for their network (often \
              172.17.0.0/16), and ports that Docker publishes are open in spite of ufw; with \
              `beside_containers: true` a person says that this has been seen to"
            .to_owned(),
    };
    let why = format!("{name} runs there, and ufw would keep out its packets to this host");
    obstacle(Diff::needs_human(why, &hint))
}

fn admits_cluster(rules: &[Tuple]) -> bool {
    let nets = CLUSTER.iter().filter_map(|net| net.parse::<IpNet>().ok());
    let admitted = |(source, protocol, port)| {
        let packet = Packet {
            protocol,
            port,
            source,
        };
        simulate(rules, packet).surely_admitted()
    };
    nets.flat_map(|net| [(net, Protocol::Tcp, 10250), (net, Protocol::Udp, 53)])
        .all(admitted)
}

/// What a person should know before ufw is switched on.
pub(super) fn notes(
    desired: &Firewall,
    look: &Look,
    around: &Surroundings,
    files: &[RulesFile],
    policies: Policies,
) -> Vec<Note> {
    let mut notes = access_notes(desired, files, policies);
    notes.extend(past_ufw(look));
    let count: usize = files.iter().map(|file| file.tuples().count()).sum();
    let rules = report::plural(count, "rule comes", "rules come");
    notes.push(Note::info(format!("{rules} into force")));
    if look.state.ipv6 == Ipv6::SetOff {
        let text = "IPV6=no in /etc/default/ufw: ufw keeps out all IPv6 but loopback, and replaces the IPv6 rules \
                    of others";
        notes.push(Note::warning(text));
    }
    if !around.sysctls.is_empty() {
        let change = |[key, now, then]: &[String; 3]| format!("{key} {now} → {then}");
        let list: Vec<String> = around.sysctls.iter().map(change).collect();
        notes.push(Note::info(format!(
            "ufw makes its own settings of the kernel when it starts: {}",
            list.join(", ")
        )));
    }
    if around.pending {
        let text = "ufw makes its own settings of the kernel when it starts (/etc/ufw/sysctl.conf); which of \
                    them change can be told when it is installed";
        notes.push(Note::info(text));
    }
    for rule in &around.drops {
        let text = format!("no rule of ufw is asked about what this keeps out first: {rule}");
        notes.push(Note::warning(text));
    }
    for table in &around.tables {
        let text = format!(
            "rules of another table come into force too, and the undo leaves them: {table}"
        );
        notes.push(Note::warning(text));
    }
    for hook in &around.hooks {
        let text = format!("ufw runs {hook} when it starts; the undo does not run it");
        notes.push(Note::warning(text));
    }
    if !matches!(around.unit.as_str(), "" | "enabled") {
        let text = format!(
            "ufw.service is {}: ufw will not be on after a reboot",
            around.unit
        );
        notes.push(Note::warning(text));
    }
    if around.nftables == "enabled" {
        let text = "nftables.service is enabled; if its file flushes the ruleset, it takes ufw's rules \
                    away when it starts";
        notes.push(Note::warning(text));
    }
    notes
}

/// What never comes by ufw, and what is kept out whatever ufw says.
pub(super) fn past_ufw(look: &Look) -> Vec<Note> {
    const SHOWN: usize = 5;
    let everything = Wanted {
        tag: String::new(),
        protocol: Protocol::Any,
        ports: Ports::Any,
        sources: Family::BOTH.map(Family::everything).to_vec(),
    };
    let mut notes = around::notes(&look.around, &everything);
    let more = notes.len().saturating_sub(SHOWN);
    notes.truncate(SHOWN);
    if more > 0 {
        let text = format!("{more} more rules that others made decide about packets beside ufw");
        notes.push(Note::info(text));
    }
    notes
}

fn access_notes(desired: &Firewall, files: &[RulesFile], policies: Policies) -> Vec<Note> {
    let Some(access) = &desired.access else {
        let text = "the connection is local: whether a login from elsewhere works is not looked at";
        return vec![Note::info(text)];
    };
    if policies.of(Way::Incoming) == Policy::Allow {
        let text = "the default policy lets in what no rule names: ufw keeps nobody out";
        return vec![Note::warning(text)];
    }
    let file = files.iter().find(|file| file.family() == access.family());
    let rules: Vec<Tuple> = file
        .iter()
        .flat_map(|file| file.tuples().cloned())
        .collect();
    let doubtful = |(_, admission): &(_, Admission)| *admission == Admission::Perhaps;
    let doubts = access.admissions(&rules).into_iter().filter(doubtful);
    let told = doubts.map(|(port, _)| {
        Note::warning(format!(
            "whether SSH from {} to port {port} is admitted depends on the interface or address",
            access.from
        ))
    });
    told.collect()
}
