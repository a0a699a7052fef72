//! Where our own files are, after the XDG base directory specification.

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use crate::transport;

/// `$XDG_STATE_HOME/holdfast`: runs and their journals.
pub(super) fn state() -> PathBuf {
    base(
        |xdg| xdg.state_dir().unwrap_or_else(|| xdg.data_dir()),
        "state",
    )
}

/// `$XDG_CACHE_HOME/holdfast`: last good data.
pub(super) fn cache() -> PathBuf {
    base(etcetera::BaseStrategy::cache_dir, "cache")
}

fn base(pick: impl Fn(&etcetera::base_strategy::Xdg) -> PathBuf, fallback: &str) -> PathBuf {
    let xdg = etcetera::base_strategy::Xdg::new().ok();
    absolute(xdg.map(|xdg| pick(&xdg)), fallback)
}

/// Only absolute paths count: with a relative HOME, state would lie under whatever folder we are in.
fn absolute(found: Option<PathBuf>, fallback: &str) -> PathBuf {
    match found.filter(|path| path.is_absolute()) {
        Some(path) => path.join("holdfast"),
        // A service without HOME still needs a place; root's own is the convention there.
        None => Path::new("/var/lib/holdfast-controller").join(fallback),
    }
}

/// A private folder for a run's sockets. It goes with this.
#[derive(Debug)]
pub(super) struct Control {
    folder: tempfile::TempDir,
    /// Locked for as long as the run lives: whoever finds the folder can tell. It counts also where
    /// our process id means nothing, in another container.
    _alive: File,
}

impl Control {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes the folder for this run's sockets, and removes those of runs that were killed. Socket paths
/// are short, so it is made where paths are.
///
/// # Errors
/// When neither the runtime folder nor the temporary one can be written.
pub(super) fn control() -> std::io::Result<Control> {
    let runtime = etcetera::base_strategy::Xdg::new()
        .ok()
        .and_then(|xdg| xdg.runtime_dir());
    let short = runtime.filter(|path| path.is_dir() && path.as_os_str().len() <= 30);
    let made = short.map(|path| private(&path));
    match made {
        Some(Ok(folder)) => Ok(folder),
        Some(Err(_)) | None => private(Path::new("/tmp")),
    }
}

fn private(parent: &Path) -> std::io::Result<Control> {
    let folder = tempfile::Builder::new()
        // At most 18 bytes, of which 7 are the largest process id.
        .prefix(&format!("hf-{}-", std::process::id()))
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)?;
    let alive = File::open(folder.path())?;
    // Where folders cannot be locked, the process id alone must do.
    let _ = alive.try_lock();
    sweep(parent, folder.path().metadata()?.uid());
    Ok(Control {
        folder,
        _alive: alive,
    })
}

/// Removes folders of ours whose process is gone, and ends the connections in them.
fn sweep(parent: &Path, owner: u32) {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(process_of) else {
            continue;
        };
        let path = entry.path();
        if Path::new("/proc").join(process).exists() || !is_ours(&path, owner) {
            continue;
        }
        let Ok(folder) = File::open(&path) else {
            continue;
        };
        if folder.try_lock().is_ok() {
            transport::end_masters(&path);
            // Left for the next run when it cannot be removed.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

/// The process id in the name of a control folder.
fn process_of(name: &str) -> Option<&str> {
    let (process, random) = name.strip_prefix("hf-")?.split_once('-')?;
    let is_number = !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit());
    let is_random = random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_number && is_random).then_some(process)
}

/// A folder (and no link to one) that belongs to `owner` and that nobody else can write to. `/tmp`
/// is sticky, so nobody else can put another one in its place either.
fn is_ours(path: &Path, owner: u32) -> bool {
    path.symlink_metadata().is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == owner && meta.permissions().mode() & 0o7777 == 0o700
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions};

    #[test]
    fn names_of_control_folders() {
        assert_eq!(process_of("hf-4194304-aB3xYz"), Some("4194304"));
        for other in [
            "hf-aB3xYz",
            "hf--aB3xYz",
            "hf-1-aB3xY",
            "hf-1-../x/",
            "hf-1x-aB3xYz",
        ] {
            assert_eq!(process_of(other), None, "{other}");
        }
    }

    #[test]
    fn folders_of_killed_runs_are_swept_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: String, mode: u32| {
            let path = parent.path().join(name);
            create_dir(&path).unwrap();
            std::fs::write(path.join("ssh_config"), "").unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        // Larger than any process id can be.
        let dead = make("hf-4999999-aaaaaa".to_owned(), 0o700);
        let stays = [
            make(format!("hf-{}-aaaaaa", std::process::id()), 0o700),
            make("hf-4999999-bbbbbb".to_owned(), 0o755),
            make("hf-4999999-cccccc-d".to_owned(), 0o700),
            make("hf-4999999-locked".to_owned(), 0o700),
        ];
        let held = File::open(&stays[3]).unwrap();
        held.try_lock().unwrap();
        let link = parent.path().join("hf-4999999-dddddd");
        std::os::unix::fs::symlink(&stays[2], &link).unwrap();
        let control = private(parent.path()).unwrap();
        assert!(!dead.exists());
        assert!(stays.iter().all(|path| path.join("ssh_config").exists()));
        assert!(link.is_symlink());
        assert!(control.path().file_name().unwrap().len() <= 18);
        let gone = control.path().to_owned();
        drop(control);
        assert!(!gone.exists());
    }
}
