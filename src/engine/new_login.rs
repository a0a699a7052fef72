//! The proof of a guarded section: a brand-new login, by the way that will be used from now on.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Job;
use crate::event::Fault;
use crate::inventory::Host;
use crate::transport::{NewLogin, SshOptions, TransportError, is_trusted_as, trusted_name};
use crate::value::Port;

/// How a host is reached from here.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// The host, on the port that was proven last.
    pub(super) host: Host,
    /// How connections are made to it.
    pub(super) ssh: SshOptions,
}

/// Tries for a proof. sshd may be reloading at the first.
const TRIES: usize = 3;
/// Time between them.
const BETWEEN: Duration = Duration::from_secs(3);
/// At most so many new connections to a host …
const BUDGET: usize = 4;
/// … in this time: `ufw limit` refuses the sixth.
const WINDOW: Duration = Duration::from_secs(30);

/// The new connections to a host, so that no firewall takes us for an attack.
#[derive(Debug, Default)]
pub(super) struct Logins(Vec<Instant>);

/// Why there was no new login.
#[derive(Debug)]
pub(super) enum Refusal {
    /// ssh says why.
    Ssh(TransportError),
    /// It did not end before the guard's time was up.
    Late,
    /// The login came about, but not by the port that it should have come by.
    OtherPort { wanted: Port, seen: Option<Port> },
}

impl Logins {
    /// How long to wait until there is room for all tries of a proof.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        self.0.retain(|login| now.duration_since(*login) < WINDOW);
        // A proof that needs all of its tries is rare; one more than there is room for is still admitted.
        let surplus = (self.0.len() + 1).saturating_sub(BUDGET);
        match surplus.checked_sub(1).and_then(|last| self.0.get(last)) {
            Some(login) => WINDOW.saturating_sub(now.duration_since(*login)),
            None => Duration::ZERO,
        }
    }

    /// A connection is made.
    pub(super) fn count(&mut self) {
        self.0.push(Instant::now());
    }

    /// Waits until there is room for one more connection, which is made then.
    pub(super) async fn make_room(&mut self) {
        sleep(self.wait(Instant::now())).await;
        self.count();
    }

    /// Logs in anew as the goal says. The way by which it came is the way from now on.
    ///
    /// # Errors
    /// The last refusal. A refused login is never tried again.
    pub(super) async fn prove(
        &mut self,
        job: &Job,
        way: &Way,
        goal: &Goal,
    ) -> Result<(NewLogin, Way), Refusal> {
        let way = way.on_port(goal.named).await;
        for tried in 1.. {
            self.count();
            let refusal = match goal.attempt(&way, &job.card.run).await {
                Ok(login) => {
                    let ssh = way.ssh.patient(&job.ssh);
                    return Ok((login, Way { ssh, ..way }));
                }
                Err(refusal) => refusal,
            };
            let pause = BETWEEN.max(self.wait(Instant::now()));
            let is_last = tried == TRIES || goal.left() < pause || job.stopped();
            if is_last || !refusal.is_silence() {
                return Err(refusal);
            }
            sleep(pause).await;
        }
        Err(Refusal::Late)
    }
}

/// What a new login must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// The port that a step names; without one the login is made as the last one was.
    pub(super) named: Option<Port>,
    /// The port of sshd that it must come by, as the host sees it.
    pub(super) wanted: Option<Port>,
    /// When it is too late.
    pub(super) until: Instant,
}

impl Goal {
    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    async fn attempt(&self, way: &Way, run: &str) -> Result<NewLogin, Refusal> {
        let opening = NewLogin::open(&way.host, &way.ssh, run);
        let login = match timeout(self.left(), opening).await {
            Err(_) => return Err(Refusal::Late),
            Ok(opened) => opened.map_err(Refusal::Ssh)?,
        };
        let seen = login.port;
        match self.wanted {
            Some(wanted) if seen != Some(wanted) => {
                login.close().await;
                Err(Refusal::OtherPort { wanted, seen })
            }
            Some(_) | None => Ok(login),
        }
    }
}

impl Way {
    /// The same host by another port, under the key that it is known by now.
    pub(super) async fn on_port(&self, port: Option<Port>) -> Self {
        let Some(port) = port.filter(|port| self.host.port != Some(*port)) else {
            return Self {
                host: self.known_by_now().await,
                ssh: self.ssh.once(),
            };
        };
        let mut host = self.known_by_now().await;
        // The key that is trusted now. Without one in a file ssh looks for it under the new port's own name.
        if host.key_name.is_none() {
            host.key_name = trusted_name(&self.host, &self.ssh).await;
        }
        host.port = Some(port);
        let ssh = self.ssh.once();
        Self { host, ssh }
    }

    /// A name that no file trusts any more, for a step took it away, is no name to ask for.
    async fn known_by_now(&self) -> Host {
        let mut host = self.host.clone();
        if let Some(name) = &host.key_name
            && !is_trusted_as(name, &self.host, &self.ssh).await
        {
            host.key_name = None;
        }
        host
    }
}

impl Refusal {
    /// Whether nothing answered, or not for long: this may be a service that is just being reloaded.
    pub(super) fn is_silence(&self) -> bool {
        match self {
            Self::Ssh(error) => error.fault() == Fault::Unreachable,
            Self::Late => true,
            Self::OtherPort { .. } => false,
        }
    }

    /// With what the host says about that port (`hf_listens`).
    pub(super) fn located(&self, port: Port, text: &str) -> String {
        let listens: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("listens="))
            .collect();
        let port = port.get();
        if listens.is_empty() {
            return format!("{self}: nothing listens on port {port} of the host");
        }
        if text.lines().any(|line| line == "greets=no") {
            let who = listens.join(", ");
            return format!(
                "{self}: on the host {who} listens on port {port}, but it does not greet like sshd"
            );
        }
        format!(
            "port {port} is reachable on the host, not from here: look at the provider's firewall, or whatever else is in between ({self})"
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh(error) if error.fault() == Fault::Unreachable => {
                write!(f, "no new login came about: {error}")
            }
            Self::Ssh(error) => write!(f, "a new login was refused: {error}"),
            Self::Late => f.write_str("no new login came about in time"),
            Self::OtherPort {
                wanted,
                seen: Some(seen),
            } => write!(
                f,
                "the new login came by port {} of the host, not by port {}",
                seen.get(),
                wanted.get()
            ),
            Self::OtherPort { wanted, seen: None } => write!(
                f,
                "the host does not say whether the new login came by port {}",
                wanted.get()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> Port {
        Port::try_from(number).unwrap()
    }

    #[test]
    fn what_the_host_says_tells_where_the_way_ends() {
        let silence = Refusal::Ssh(TransportError::Unreachable {
            message: "ssh: connect to host web-1 port 2222: Connection timed out".to_owned(),
        });
        let located = |text| silence.located(port(2222), text);
        assert!(located("listens=sshd on *:2222\ngreets=yes\n").starts_with(
            "port 2222 is reachable on the host, not from here: look at the provider's firewall"
        ));
        assert!(located("greets=no\n").ends_with("nothing listens on port 2222 of the host"));
        assert!(located("listens=nginx on *:2222\ngreets=no\n").contains("nginx on *:2222"));
    }

    #[test]
    fn a_refused_login_is_not_tried_again() {
        let refused = Refusal::Ssh(TransportError::Authentication {
            message: "ops@web-1: Permission denied (publickey).".to_owned(),
        });
        assert!(!refused.is_silence());
        assert_eq!(
            refused.to_string(),
            "a new login was refused: ops@web-1: Permission denied (publickey)."
        );
    }

    #[test]
    fn there_are_never_more_connections_than_the_budget() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut logins = Logins(vec![at(0)]);
        for second in 1..4 {
            assert_eq!(logins.wait(at(second)), Duration::ZERO);
            logins.0.push(at(second));
        }
        assert_eq!(logins.wait(at(4)), Duration::from_secs(26));
        assert_eq!(logins.wait(at(30)), Duration::ZERO);
    }
}
