//! Restore points on a host are kept by count and age (`src/host/prune.write.sh`).

use std::time::Duration;

use super::{ReadHost, TransportError, script};
use crate::change::Call;

/// Time for removing records.
const LIMIT: Duration = Duration::from_mins(2);

/// What the host says when somebody else is at work.
const LOCKED: i32 = 73;

/// Which restore points stay: the newest so many, and beyond them those of so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// How many at least.
    pub runs: u32,
    /// How old the others may become.
    pub days: u32,
}

impl Default for Keep {
    /// What every run leaves of those before it.
    fn default() -> Self {
        Self { runs: 20, days: 90 }
    }
}

impl Keep {
    pub(super) fn call(self, function: &str) -> Call {
        Call::new(function, [self.runs.to_string(), self.days.to_string()])
    }
}

impl ReadHost {
    /// Removes restore points beyond those that are to be kept; their runs.
    ///
    /// # Errors
    /// `Locked` when somebody is at work, `Unusable` with the host's reason, or when it does not answer.
    pub async fn prune(&mut self, keep: Keep) -> Result<Vec<String>, TransportError> {
        let call = keep.call("hf_prune_alone");
        let request = |nonce: &str| script::call_alone(nonce, &call);
        let raw = self.wire().request(LIMIT, 1, &|_| {}, request).await?;
        let first = raw.into_iter().find(|(index, _, _)| *index == 0);
        let (status, text) = first.map_or((-1, String::new()), |(_, status, body)| {
            (status, String::from_utf8_lossy(&body).trim().to_owned())
        });
        match status {
            0 => Ok(text
                .lines()
                .filter_map(|line| line.strip_prefix("pruned="))
                .map(str::to_owned)
                .collect()),
            LOCKED => Err(TransportError::Locked { holder: text }),
            _ => Err(TransportError::Unusable { message: text }),
        }
    }
}
