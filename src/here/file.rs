//! Files of the operator, changed whole: locked, read again, written beside, renamed into place.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// Several hosts of a run may change the same file: one after the other.
static TURN: Mutex<()> = Mutex::const_new(());

/// How long another program may hold the folder.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes another text of a file's text. The folder is locked meanwhile, so that two runs that change
/// the same file do it one after the other. A link is followed; mode and owner stay.
///
/// # Errors
/// Why it could not be done; then the file is as it was.
pub(super) async fn change(
    path: &Path,
    edit: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), String> {
    let _turn = TURN.lock().await;
    let path = path.canonicalize().map_err(|error| said(path, &error))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let _lock = lock(folder).await.map_err(|error| said(folder, &error))?;
    let text = fs::read_to_string(&path).map_err(|error| said(&path, &error))?;
    let edited = edit(&text)?;
    write(&path, folder, &edited).map_err(|error| said(&path, &error))?;
    match fs::read_to_string(&path) {
        Ok(now) if now == edited => Ok(()),
        Ok(_) => Err(format!("{}: somebody else wrote it too", path.display())),
        Err(error) => Err(said(&path, &error)),
    }
}

fn write(path: &Path, folder: &Path, text: &str) -> std::io::Result<()> {
    let old = fs::metadata(path)?;
    let mut new = tempfile::Builder::new()
        .prefix(".holdfast-")
        .tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    let made = new.as_file().metadata()?;
    if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::chown(new.path(), Some(old.uid()), Some(old.gid()))?;
    }
    let mode = old.permissions().mode() & 0o7777;
    new.as_file()
        .set_permissions(fs::Permissions::from_mode(mode))?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Adds lines to a file as `ssh` does it: at its end, in one go. The file may be missing.
///
/// # Errors
/// Why it could not be done.
pub(super) async fn append(path: &Path, lines: &str) -> Result<(), String> {
    let _turn = TURN.lock().await;
    add(path, lines).map_err(|error| said(path, &error))
}

fn add(path: &Path, lines: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder)?;
    }
    let mut options = File::options();
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = options.open(path)?;
    let whole = fs::read(path)?;
    let gap = if whole.last().is_none_or(|byte| *byte == b'\n') {
        ""
    } else {
        "\n"
    };
    file.write_all(format!("{gap}{lines}").as_bytes())?;
    file.sync_all()
}

async fn lock(folder: &Path) -> std::io::Result<File> {
    let file = File::open(folder)?;
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            // File systems without locks exist; there the compare and swap must do.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(std::io::Error::other("another program has it locked"));
            }
        }
    }
}

fn said(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_link_is_followed_and_the_mode_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "a\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        change(&link, |text| Ok(format!("{text}b\n")))
            .await
            .unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "a\nb\n");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn an_edit_that_refuses_leaves_everything_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "a\n").unwrap();
        let refused = change(&file, |_| Err("no".to_owned())).await;
        assert_eq!(refused, Err("no".to_owned()));
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\n");
    }

    #[tokio::test]
    async fn many_changes_at_a_time_are_all_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let file = file.clone();
            tasks.spawn(async move { change(&file, |text| Ok(format!("{text}{number}\n"))).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 20);
    }

    #[tokio::test]
    async fn lines_are_added_below_an_unfinished_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/known_hosts");
        append(&file, "a\n").await.unwrap();
        fs::write(&file, "a").unwrap();
        append(&file, "b\n").await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\nb\n");
    }
}
