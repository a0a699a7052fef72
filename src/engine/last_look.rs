//! The last look at a host that was changed: the same questions as at the beginning, and what the changes were made
//! from. The host keeps its answers, so that a later run can tell what was changed since.

use super::{Job, desk};
use crate::here::is_here;
use crate::inventory::Host;
use crate::probe::{Answers, Probe};
use crate::transport::{TransportError, WriteHost};

/// Who is looked at.
pub(super) struct LastLook<'a> {
    /// The host that we still hold.
    pub(super) link: &'a mut WriteHost,
    /// The questions that its changes were made from.
    pub(super) touched: &'a [Probe],
}

impl LastLook<'_> {
    /// Asks every probe where it belongs.
    ///
    /// # Errors
    /// When the host does not answer.
    pub(super) async fn ask(
        &mut self,
        job: &Job,
        host: &Host,
        probes: &[Probe],
    ) -> Result<Answers, TransportError> {
        let mut all = [probes, self.touched].concat();
        all.sort();
        all.dedup();
        let (here, there): (Vec<Probe>, Vec<Probe>) =
            all.into_iter().partition(|probe| is_here(&probe.function));
        let mut answers = self.link.ask_and_keep(&there).await?;
        answers.update(desk::ask_here(job, host, &here).await);
        Ok(answers)
    }
}
