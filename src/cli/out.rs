//! Where a plan goes: a file that is there whole or not at all, readable by its owner alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::session::complain;
use super::{Exit, seal_key};
use crate::diagnostic::Diagnostic;
use crate::event::Event;
use crate::plan_file::PlanFile;

/// The events of a run, kept for its plan.
pub(super) type Kept = Arc<Mutex<Vec<Event>>>;

/// A file that a plan is going to be.
#[derive(Debug)]
pub(super) struct Out {
    path: PathBuf,
    /// Beside it, with the mode 0600; moved to its place at the end.
    file: tempfile::NamedTempFile,
    /// Put it in the place of what is there.
    force: bool,
    quiet: bool,
    /// What the run tells.
    pub(super) told: Kept,
}

impl Out {
    /// Makes sure that the file can be written, before any host is asked.
    ///
    /// # Errors
    /// Already told; the exit code.
    pub(super) fn prepare(path: &Path, force: bool, quiet: bool) -> Result<Self, Exit> {
        in_the_way(path, force).map_err(|mistake| complain(&mistake))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".holdfast-plan-")
            .tempfile_in(folder);
        let file =
            file.map_err(|error| complain(&format!("cannot write {}: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            force,
            quiet,
            told: Kept::default(),
        })
    }

    /// Writes the plan, with what was told.
    pub(super) fn save(self, mut plan: PlanFile, exit: Exit) -> Exit {
        let left = |why: &str| {
            complain(&format!("no plan was saved: {why}"));
            Exit::Done
        };
        if exit == Exit::Interrupted {
            return left("the dry run was interrupted");
        }
        if plan.hosts.is_empty() {
            return left("no host has one");
        }
        plan.told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        match self.write(&plan) {
            Ok(()) => Exit::Done,
            Err(why) => {
                complain(&format!("the plan was not saved: {why}"));
                Exit::Failed
            }
        }
    }

    fn write(self, plan: &PlanFile) -> Result<(), String> {
        // It may have come there while the hosts were asked.
        in_the_way(&self.path, self.force).map_err(|mistake| mistake.message)?;
        let key = seal_key::ours_or_new()
            .map_err(|error| {
                complain(&format!(
                    "warning: the plan is not sealed, because your key cannot be kept: {error}"
                ));
            })
            .ok();
        let bytes = plan.to_bytes(key.as_ref());
        let bytes = bytes.map_err(|error| error.to_string())?;
        let Self {
            path,
            mut file,
            force,
            quiet,
            ..
        } = self;
        let written = file
            .write_all(&bytes)
            .and_then(|()| file.as_file().sync_all());
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        let placed = if force {
            file.persist(&path)
        } else {
            file.persist_noclobber(&path)
        };
        placed.map_err(|error| format!("{}: {}", path.display(), error.error))?;
        if !quiet {
            tell(&path, plan, &bytes);
        }
        Ok(())
    }
}

/// What is in the place of the plan and must not be replaced. The plan is renamed there, so a link or a device would be
/// gone, and what a link points to would not be written: neither is what anybody means.
fn in_the_way(path: &Path, force: bool) -> Result<(), Diagnostic> {
    let Ok(there) = path.symlink_metadata() else {
        return Ok(());
    };
    let path = path.display();
    if there.is_symlink() {
        let mistake = Diagnostic::error(format!("{path} is a symbolic link"));
        return Err(mistake.hint("name the file that it points to, or remove the link"));
    }
    if !there.is_file() {
        let mistake = format!("{path} is no regular file, and nothing else is replaced by a plan");
        return Err(Diagnostic::error(mistake));
    }
    if force {
        return Ok(());
    }
    let mistake = Diagnostic::error(format!("{path} is there already"));
    Err(mistake.hint("--force puts the new plan in its place"))
}

fn tell(path: &Path, plan: &PlanFile, bytes: &[u8]) {
    let digest = PlanFile::open(bytes, None).map(|opened| opened.header.digest);
    let digest = digest.map_or(String::new(), |digest| format!(", sha256 {digest}"));
    let hosts = match plan.hosts.len() {
        1 => "1 host".to_owned(),
        many => format!("{many} hosts"),
    };
    let path = path.display();
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(
        std::io::stderr(),
        "Plan for {hosts} saved in {path}{digest}\n  see it: holdfast show {path}\n  do it:  holdfast apply {path}"
    );
}
