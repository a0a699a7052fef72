//! How the checks of hosts came out, in numbers.

use crate::event::Proof;

/// How checks came out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CheckTally {
    /// It is so.
    pub(super) yes: usize,
    /// It is not.
    pub(super) no: usize,
    /// Could not tell.
    pub(super) unsure: usize,
}

impl CheckTally {
    /// Takes in another host's.
    pub(super) fn add(&mut self, other: Self) {
        self.yes += other.yes;
        self.no += other.no;
        self.unsure += other.unsure;
    }

    /// Takes in a check.
    pub(super) fn count(&mut self, proof: &Proof) {
        match proof {
            Proof::Yes { .. } => self.yes += 1,
            Proof::No { .. } => self.no += 1,
            Proof::CouldNotTell { .. } => self.unsure += 1,
        }
    }
}
