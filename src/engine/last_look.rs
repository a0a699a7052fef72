//! The last look at a host: the same questions as at the beginning, and what the run touched. A host that we still
//! hold keeps its answers, so that a later run can tell what was changed since.

use super::{Job, desk};
use crate::here::is_here;
use crate::inventory::Host;
use crate::probe::{Answers, Probe};
use crate::transport::{ReadHost, TransportError, WriteHost};

/// Who is looked at.
pub(super) enum LastLook<'a> {
    /// The host that we hold, and the questions that its changes were made from.
    Holder(&'a mut WriteHost, &'a [Probe]),
    /// A new connection, which keeps nothing.
    Fresh(&'a mut ReadHost),
}

impl LastLook<'_> {
    /// For questions that are not about the steps.
    pub(super) fn reader(&mut self) -> &mut ReadHost {
        match self {
            Self::Holder(link, _) => link.reader(),
            Self::Fresh(link) => link,
        }
    }

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
        match self {
            Self::Fresh(link) => desk::ask(job, host, link, probes).await,
            Self::Holder(link, touched) => {
                let mut all = probes.to_vec();
                all.extend(touched.iter().cloned());
                all.sort();
                all.dedup();
                let (here, there): (Vec<Probe>, Vec<Probe>) =
                    all.into_iter().partition(|probe| is_here(&probe.function));
                let mut answers = link.ask_and_keep(&there).await?;
                answers.update(desk::ask_here(job, host, &here).await);
                Ok(answers)
            }
        }
    }
}
