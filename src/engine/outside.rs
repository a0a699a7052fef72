//! Checks from outside: connections and requests from the controller.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::Job;
use super::new_login::Logins;
use crate::event::Proof;
use crate::inventory::{Connection, Host};
use crate::probe::Probe;
use crate::runbook::Reach;
use crate::transport::{Offer, ReadHost, TransportError, direct_addresses, password_offer};
use crate::value::Port;

/// How long an unanswered attempt is waited for: so many times what the live connection to the same
/// address takes for a question and its answer, within the bounds.
const ROUND_TRIPS: u32 = 50;
const LEAST: Duration = Duration::from_millis(400);
const MOST: Duration = Duration::from_secs(3);

/// The host as it is reached from here.
pub(super) struct Outside<'a> {
    /// By the port of the last login.
    pub(super) host: &'a Host,
    /// Whether nothing was changed since that login.
    pub(super) proven: bool,
    /// The connections that were made to it.
    pub(super) logins: &'a mut Logins,
}

impl Outside<'_> {
    /// Connects from here. The positive control is the live SSH session to the very same address: it
    /// answers right before and right after, so silence is not a broken network.
    pub(super) async fn connect(
        &mut self,
        job: &Job,
        link: &mut ReadHost,
        ports: &[Port],
        reach: Reach,
    ) -> Proof {
        if self.host.connection == Connection::Local {
            return from_within();
        }
        let (own, round_trip) = match control(link).await {
            Ok(seen) => seen,
            Err(error) => {
                return Proof::CouldNotTell {
                    why: error.to_string(),
                };
            }
        };
        let Some(address) = direct_address(job, self.host, own).await else {
            let why =
                "there is no direct way from here (a jump host, or a name with several addresses)";
            return Proof::CouldNotTell {
                why: why.to_owned(),
            };
        };
        let silence = (round_trip * ROUND_TRIPS).clamp(LEAST, MOST);
        let mut seen = Vec::new();
        for port in ports {
            let target = SocketAddr::new(address, port.get());
            if reach == Reach::Open && self.proven && self.host.port == Some(*port) {
                seen.push(format!("the last login came by {target}"));
                continue;
            }
            match judge(reach, target, self.attempt(reach, target, silence).await) {
                Proof::Yes { seen: one } => seen.push(one),
                other => return other,
            }
        }
        self.still_works(link, &seen).await
    }

    async fn still_works(&self, link: &mut ReadHost, seen: &[String]) -> Proof {
        match control(link).await {
            Ok(_) => Proof::Yes {
                seen: seen.join("; "),
            },
            Err(error) => Proof::CouldNotTell {
                why: format!("the control failed: {error}"),
            },
        }
    }

    /// Where SSH was a moment ago, whoever connects again and again is taken for an attacker: there the one
    /// connection that the budget has room for must do, and TCP itself sends its first packet again.
    async fn attempt(&mut self, reach: Reach, target: SocketAddr, silence: Duration) -> Attempt {
        match reach {
            Reach::Open | Reach::Filtered => attempt_twice(target, silence).await,
            Reach::Closed => {
                self.logins.make_room().await;
                let patience = silence.max(SENT_AGAIN);
                let came = timeout(patience, TcpStream::connect(target)).await;
                concluded(came, patience)
            }
        }
    }

    /// Tries to log in with nothing in hand, once. Only an answer of sshd proves something.
    pub(super) async fn password_login(&mut self, job: &Job) -> Proof {
        if self.host.connection == Connection::Local {
            return from_within();
        }
        self.logins.make_room().await;
        let _place = job.ssh.logins.acquire().await;
        judge_offer(password_offer(self.host, &job.ssh).await)
    }
}

fn from_within() -> Proof {
    Proof::CouldNotTell {
        why: "this machine cannot look at itself from outside".to_owned(),
    }
}

/// TCP sends its first packet again after a second.
const SENT_AGAIN: Duration = Duration::from_millis(1500);

/// Asks over the live connection: the host's own address in it, and how long that took.
async fn control(link: &mut ReadHost) -> Result<(Option<IpAddr>, Duration), TransportError> {
    let hello = Probe::new::<String>("hf_hello", []);
    let asked = Instant::now();
    let answers = link.ask(std::slice::from_ref(&hello)).await?;
    let took = asked.elapsed();
    let text = answers
        .get(&hello)
        .map(|answer| answer.text().into_owned())
        .unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("connection="));
    // SSH_CONNECTION is: client address, client port, server address, server port.
    let own = line
        .and_then(|line| line.split(' ').nth(2))
        .and_then(|word| word.parse().ok());
    Ok((own, took))
}

/// The address to try: the one the host calls itself by in our connection, when the name stands for
/// several; behind a translated address the only one there is.
async fn direct_address(job: &Job, host: &Host, own: Option<IpAddr>) -> Option<IpAddr> {
    let found = direct_addresses(host, &job.ssh).await;
    match found.as_slice() {
        [only] => Some(*only),
        several => several
            .iter()
            .copied()
            .find(|address| Some(*address) == own),
    }
}

/// What came of trying to connect.
enum Attempt {
    Open,
    Refused(std::io::Error),
    Silent(Duration),
}

/// Tries twice at once, a little apart: one lost packet must not look like a closed port.
async fn attempt_twice(target: SocketAddr, silence: Duration) -> Attempt {
    let second = async {
        sleep(silence / 4).await;
        TcpStream::connect(target).await
    };
    let either = async {
        tokio::select! {
            result = TcpStream::connect(target) => result,
            result = second => result,
        }
    };
    concluded(timeout(silence, either).await, silence)
}

fn concluded(
    came: Result<std::io::Result<TcpStream>, tokio::time::error::Elapsed>,
    silence: Duration,
) -> Attempt {
    match came {
        Err(_) => Attempt::Silent(silence),
        Ok(Ok(_)) => Attempt::Open,
        Ok(Err(error)) => Attempt::Refused(error),
    }
}

fn judge(reach: Reach, target: SocketAddr, attempt: Attempt) -> Proof {
    match (reach, attempt) {
        (Reach::Filtered | Reach::Closed, Attempt::Silent(time)) => Proof::Yes {
            seen: silent(target, time),
        },
        (Reach::Closed, Attempt::Refused(error)) => Proof::Yes {
            seen: format!("{target}: {error}"),
        },
        (Reach::Filtered | Reach::Closed, Attempt::Open) => Proof::No {
            seen: format!("{target} accepts connections from here"),
        },
        (Reach::Filtered, Attempt::Refused(error)) => Proof::CouldNotTell {
            why: format!(
                "{target} answered, but not with a connection ({error}): perhaps nothing listens there"
            ),
        },
        (Reach::Open, Attempt::Open) => Proof::Yes {
            seen: format!("{target} accepts connections from here"),
        },
        (Reach::Open, Attempt::Refused(error)) => Proof::No {
            seen: format!("{target}: {error}"),
        },
        (Reach::Open, Attempt::Silent(time)) => Proof::No {
            seen: silent(target, time),
        },
    }
}

fn silent(target: SocketAddr, time: Duration) -> String {
    format!(
        "no answer from {target} within {} ms, while SSH to it works",
        time.as_millis()
    )
}

/// Asks an address and looks at its answer.
pub(super) async fn http(url: String, header: Option<String>, not_status: Vec<u16>) -> Proof {
    let asked = tokio::task::spawn_blocking(move || {
        crate::data::check_url(&url, header.as_deref(), &not_status)
    });
    match asked.await {
        Ok(Ok(Ok(seen))) => Proof::Yes { seen },
        Ok(Ok(Err(seen))) => Proof::No { seen },
        Ok(Err(why)) => Proof::CouldNotTell { why },
        Err(error) => Proof::CouldNotTell {
            why: error.to_string(),
        },
    }
}

fn judge_offer(offer: Offer) -> Proof {
    match offer {
        Offer::LetIn => Proof::No {
            seen: "it let us in without a key and without a password".to_owned(),
        },
        Offer::NoAnswer { why } => Proof::CouldNotTell { why },
        Offer::Refused { methods } => {
            let seen = format!("refused; it offers {}", methods.join(", "));
            let typed = |method: &String| method == "password" || method == "keyboard-interactive";
            if methods.iter().any(typed) {
                Proof::No { seen }
            } else {
                Proof::Yes { seen }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_proves_something_only_without_a_way_to_type() {
        let offer = |methods: &[&str]| {
            let methods = methods.iter().map(|method| (*method).to_owned());
            judge_offer(Offer::Refused {
                methods: methods.collect(),
            })
        };
        assert!(matches!(offer(&["publickey"]), Proof::Yes { .. }));
        for open in ["password", "keyboard-interactive"] {
            assert!(matches!(offer(&["publickey", open]), Proof::No { .. }));
        }
        assert!(matches!(judge_offer(Offer::LetIn), Proof::No { .. }));
        let why = "Connection refused".to_owned();
        let silent = judge_offer(Offer::NoAnswer { why });
        assert!(matches!(silent, Proof::CouldNotTell { .. }));
    }

    #[test]
    fn a_refused_connection_proves_no_filter() {
        let target = "192.0.2.1:443".parse().unwrap();
        let refused = || Attempt::Refused(std::io::ErrorKind::ConnectionRefused.into());
        assert!(matches!(
            judge(Reach::Filtered, target, refused()),
            Proof::CouldNotTell { .. }
        ));
        assert!(matches!(
            judge(Reach::Filtered, target, Attempt::Open),
            Proof::No { .. }
        ));
        assert!(matches!(
            judge(Reach::Filtered, target, Attempt::Silent(LEAST)),
            Proof::Yes { .. }
        ));
        assert!(matches!(
            judge(Reach::Open, target, refused()),
            Proof::No { .. }
        ));
    }
}
