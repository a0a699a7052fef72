//! The operator's own files on this machine: the inventory, and the host keys that `ssh` trusts.
//!
//! Steps about them go the same way as steps on a host (ask, compare, compare and swap, read back),
//! but probes and calls that begin with `here_` are answered and performed here, for the host that
//! the step is about. Nothing of them ever passes through the host's shell.

use std::path::PathBuf;

use crate::change::Call;
use crate::inventory::{Connection, Host};
use crate::probe::{Answer, Answers, Probe};
use crate::transport::SshOptions;

mod file;
mod inventory;
mod known_hosts;

/// The host that a step is about, as this machine knows it.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// As the inventory describes it.
    pub listed: &'a Host,
    /// As it is reached in this run: perhaps on another port.
    pub used: &'a Host,
    /// How connections are made.
    pub ssh: &'a SshOptions,
}

/// Whether a probe or a call is for this machine.
pub fn is_here(function: &str) -> bool {
    function.starts_with("here_")
}

impl Desk<'_> {
    /// Answers the probes that are for this machine.
    pub async fn ask(&self, probes: &[Probe]) -> Answers {
        let mut answers = Answers::new();
        for probe in probes {
            let output = match self.answer(probe).await {
                Ok(text) => text,
                Err(why) => format!("cannot={}\n", one_line(&why)),
            };
            let answer = Answer {
                status: 0,
                output: output.into_bytes(),
            };
            answers.insert(probe.clone(), answer);
        }
        answers
    }

    async fn answer(&self, probe: &Probe) -> Result<String, String> {
        if probe.function == "here_can" {
            return self.can(&probe.args).await;
        }
        if self.listed.connection == Connection::Local {
            return Ok("way=local\n".to_owned());
        }
        let port = probe.args.first().and_then(|port| port.parse().ok());
        let port = port.ok_or("the question names no port")?;
        match probe.function.as_str() {
            "here_inventory" => inventory::look(self, port).await,
            "here_known_hosts" => known_hosts::look(self, port).await,
            other => Err(format!("there is no question {other}")),
        }
    }

    /// Whether a call could be performed: `state=due`, `done` when what it comes to is there already, else `moved`
    /// and `why=`. The words are its function, its input and its arguments, of which the first is the file.
    async fn can(&self, words: &[String]) -> Result<String, String> {
        let [function, input, file, ..] = words else {
            return Err("the question names no file".to_owned());
        };
        let file = PathBuf::from(file);
        let state = match function.as_str() {
            "here_edit_inventory" => inventory::can(&file, self.listed.name.as_str(), input),
            "here_trust" => Ok(!known_hosts::has_all(&file, input).await),
            "here_distrust" => Ok(known_hosts::has_any(&file, input).await),
            other => Err(format!("there is no action {other}")),
        };
        Ok(match state {
            Ok(true) => "state=due\n".to_owned(),
            Ok(false) => "state=done\n".to_owned(),
            Err(why) => format!("state=moved\nwhy={}\n", one_line(&why)),
        })
    }

    /// Performs a call that is for this machine.
    ///
    /// # Errors
    /// Why it could not be done; then nothing was changed.
    pub async fn perform(&self, call: &Call) -> Result<(), String> {
        let file = call.args.first().map(PathBuf::from);
        let file = file.ok_or("the call names no file")?;
        let input = call.input.as_deref().unwrap_or_default();
        let input = String::from_utf8_lossy(input).into_owned();
        match call.function.as_str() {
            "here_edit_inventory" => {
                let host = self.listed.name.as_str();
                inventory::edit(&file, host, &input).await
            }
            "here_trust" => {
                let hashes = call.args.get(1).is_some_and(|word| word == "hashed");
                known_hosts::trust(&file, &input, hashes).await
            }
            "here_distrust" => known_hosts::distrust(&file, &input).await,
            other => Err(format!("there is no action {other}")),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
