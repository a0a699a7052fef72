//! The guard's part of the wire: arming over the link that works, disarming over a brand-new login.
//!
//! The functions are in `src/host/guard.write.sh`. A [`NewLogin`] is always a new process, a new connection and
//! a new login: the control socket lies in a fresh folder and is named on ssh's command line, where nothing of
//! the operator's own configuration can put another in its place.

use std::time::Duration;

use super::guard_state::GuardState;
use super::script::{self, push_words};
use super::{ReadHost, SshOptions, TransportError, WriteHost};
use crate::change::Call;
use crate::inventory::Host;
use crate::probe::Probe;
use crate::template::shell_quoted;
use crate::value::Port;

/// Exit status of a guarded step that came too late: the guard has fired.
pub const REVERTED: i32 = 76;

/// What disarming says when something of a disarmed guard is left.
const LEFT: i32 = 77;

/// Time for arming and disarming; the host itself waits up to 100 s for a guard that is at work.
const LIMIT: Duration = Duration::from_mins(2);

/// Time for firing over a connection. Afterwards the host goes on by itself.
const FIRE_LIMIT: Duration = Duration::from_mins(10);

/// A request that calls a write function of the run's own library, which lies on the host.
fn call(nonce: &str, run: &str, call: &Call) -> String {
    let mut text = format!(
        "HF_NONCE={nonce}\nHF_RUN=/var/lib/holdfast/runs/{run}\n. \"$HF_RUN/guard/lib.sh\"\nhf_answer 0 hf_aloud {}",
        call.function
    );
    push_words(&mut text, &call.args);
    text.push_str("hf_end\n");
    text
}

/// The status and the words of a call.
type Said = (i32, String);

fn said(raw: Vec<(usize, i32, Vec<u8>)>) -> Said {
    let first = raw.into_iter().find(|(index, _, _)| *index == 0);
    first.map_or((-1, String::new()), |(_, status, body)| {
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}

fn last_line(text: &str) -> String {
    super::fault::last_line(text)
}

/// What came of disarming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disarmed {
    /// It is disarmed, and nothing of it is left; or what is, in words.
    Yes(Option<String>),
    /// It is not, and why.
    No(String),
    /// Too late: it has fired.
    Fired,
}

fn disarmed((status, text): Said) -> Disarmed {
    match status {
        REVERTED => Disarmed::Fired,
        0 => Disarmed::Yes(None),
        LEFT => Disarmed::Yes(Some(last_line(&text))),
        _ => Disarmed::No(last_line(&text)),
    }
}

impl WriteHost {
    /// Arms the guard, or gives an armed one `seconds` from now. Whether it is held only by a process, which a
    /// restart of the host would lose.
    ///
    /// # Errors
    /// `Unusable` with the host's reason: it is not armed (or not extended), and nothing guarded may begin.
    pub async fn arm_guard(&mut self, seconds: u64) -> Result<bool, TransportError> {
        let arm = Call::new("hf_guard_arm", [seconds.to_string()]);
        let (status, text) = self.write_call(LIMIT, &arm).await?;
        if status == 0 {
            return Ok(text.lines().any(|line| line == "held=process"));
        }
        Err(TransportError::Unusable {
            message: last_line(&text),
        })
    }

    /// Disarms over the live connection, for a host that no login can be made to (this machine).
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn disarm_guard(&mut self) -> Result<Disarmed, TransportError> {
        let disarm = Call::new::<String>("hf_guard_disarm", []);
        self.write_call(LIMIT, &disarm).await.map(disarmed)
    }

    /// Lets the guard fire now.
    ///
    /// # Errors
    /// When the host does not answer; it may have fired.
    pub async fn fire_guard(&mut self) -> Result<GuardState, TransportError> {
        let fire = Call::new::<String>("hf_guard_fire", []);
        let (_, text) = self.write_call(FIRE_LIMIT, &fire).await?;
        Ok(GuardState::parse(&text))
    }

    /// Notes that somebody was told what the guard of this run did.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn mark_guard_told(&mut self) -> Result<(), TransportError> {
        let mark = Call::new::<String>("hf_guard_mark_told", []);
        self.write_call(LIMIT, &mark).await.map(|_| ())
    }

    /// Lets a guard that has fired be armed anew: what it did was told, and a person decided to go on.
    ///
    /// # Errors
    /// When the host does not answer, or cannot note it.
    pub async fn renew_guard(&mut self) -> Result<(), TransportError> {
        let renew = Call::new::<String>("hf_guard_renew", []);
        let (status, text) = self.write_call(LIMIT, &renew).await?;
        if status == 0 {
            return Ok(());
        }
        Err(TransportError::Unusable {
            message: last_line(&text),
        })
    }

    /// Whether the host answers within `limit`.
    pub async fn answers_within(&mut self, limit: Duration) -> bool {
        let answer = tokio::time::timeout(limit, self.alive()).await;
        matches!(answer, Ok(Ok(())))
    }

    async fn write_call(&mut self, limit: Duration, call: &Call) -> Result<Said, TransportError> {
        let raw = self
            .wire()
            .request(limit, 1, &|_| {}, |nonce| script::call(nonce, call))
            .await?;
        Ok(said(raw))
    }
}

/// A brand-new login as root.
#[derive(Debug)]
pub struct NewLogin {
    host: ReadHost,
    run: String,
    /// The port of sshd that it came through, as the host sees it.
    pub port: Option<Port>,
}

impl NewLogin {
    /// Logs in: a new process, a new connection, the strict host key, root.
    ///
    /// # Errors
    /// The class of the fault.
    pub async fn open(
        host: &Host,
        options: &SshOptions,
        run: &str,
    ) -> Result<Self, TransportError> {
        let hello = Probe::new::<String>("hf_hello", []);
        let first = std::slice::from_ref(&hello);
        let (host, answers) = ReadHost::open(host, options, true, first).await?;
        let text = answers.get(&hello).map(|answer| answer.text().into_owned());
        Ok(Self {
            host,
            run: run.to_owned(),
            port: server_port(&text.unwrap_or_default()),
        })
    }

    /// Disarms the guard of the run.
    ///
    /// # Errors
    /// When the host does not answer: it may be disarmed or not.
    pub async fn disarm(&mut self) -> Result<Disarmed, TransportError> {
        self.call(LIMIT, "hf_guard_disarm").await.map(disarmed)
    }

    async fn call(&mut self, limit: Duration, function: &str) -> Result<Said, TransportError> {
        let function = Call::new::<String>(function, []);
        let run = self.run.clone();
        let wire = self.host.wire();
        let raw = wire
            .request(limit, 1, &|_| {}, |nonce| call(nonce, &run, &function))
            .await?;
        Ok(said(raw))
    }

    /// Goes on with this login.
    pub fn into_host(self) -> ReadHost {
        self.host
    }

    /// Ends the connection.
    pub async fn close(self) {
        self.host.close().await;
    }
}

impl ReadHost {
    /// Has a guard of an earlier run do its work now: its own timer did not.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn fire_guard_of(&mut self, run: &str) -> Result<GuardState, TransportError> {
        let text = self.guard_call(run, "hf_guard_fire").await?;
        Ok(GuardState::parse(&text))
    }

    /// Notes that somebody was told what the guard of an earlier run did.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn mark_guard_told(&mut self, run: &str) -> Result<(), TransportError> {
        self.guard_call(run, "hf_guard_mark_told").await.map(|_| ())
    }

    /// Writes down that a run came to its end, over another connection than the one that held its lock.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn close_run_of(&mut self, run: &str, outcome: &str) -> Result<(), TransportError> {
        let close = Call::new("hf_close_run", [outcome]);
        self.call_of(run, &close).await.map(|_| ())
    }

    async fn guard_call(&mut self, run: &str, function: &str) -> Result<String, TransportError> {
        self.call_of(run, &Call::new::<String>(function, [])).await
    }

    async fn call_of(&mut self, run: &str, function: &Call) -> Result<String, TransportError> {
        let raw = self
            .wire()
            .request(FIRE_LIMIT, 1, &|_| {}, |nonce| {
                call(nonce, &shell_quoted(run), function)
            })
            .await?;
        Ok(said(raw).1)
    }
}

/// `SSH_CONNECTION` is: client address, client port, server address, server port.
pub fn server_port(hello: &str) -> Option<Port> {
    let mut lines = hello.lines();
    let line = lines.find_map(|line| line.strip_prefix("connection="))?;
    line.split(' ').nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_login_is_the_servers() {
        let hello = "uid=0\nconnection=10.0.0.1 50000 10.0.0.2 2222\n";
        assert_eq!(server_port(hello).map(Port::get), Some(2222));
        assert_eq!(server_port("uid=0\nconnection=\n"), None);
    }
}
