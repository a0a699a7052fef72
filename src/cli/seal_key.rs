//! The key that an operator's plans are sealed with: `plan.key` in the state folder, 32 random bytes, never shown
//! and never sent anywhere.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::paths;
use crate::plan_file::envelope::Key;

fn path() -> PathBuf {
    paths::state().join("plan.key")
}

/// Our key, when we have one.
///
/// # Errors
/// When the one that is there cannot be read, or is not whole.
pub(super) fn ours() -> io::Result<Option<Key>> {
    match read(&path()) {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Our key; made now when there is none.
///
/// # Errors
/// When there is none and it cannot be kept, or the one that is there is not whole.
pub(super) fn ours_or_new() -> io::Result<Key> {
    of_file(&path())
}

fn of_file(path: &Path) -> io::Result<Key> {
    match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        other => other,
    }
}

fn read(path: &Path) -> io::Result<Key> {
    let bytes = std::fs::read(path)?;
    let key: Result<[u8; 32], _> = bytes.try_into();
    let short = |_| io::Error::new(ErrorKind::InvalidData, "plan.key does not hold 32 bytes");
    key.map(Key::new).map_err(short)
}

fn make(path: &Path) -> io::Result<Key> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // Whole or not at all: another plan may be made at the same time.
    let mut file = tempfile::Builder::new()
        .prefix(".plan-key-")
        .tempfile_in(folder)?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(Key::new(bytes)),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/plan.key");
        let first = of_file(&path).unwrap();
        assert_eq!(of_file(&path).unwrap().name(), first.name());
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "x").unwrap();
        assert!(of_file(&path).is_err(), "a damaged key is not replaced");
    }
}
