//! The last good copy on the controller: what a new list is measured by, and the way out when the
//! publisher cannot be reached.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::lists::Lists;
use super::spec::{Asked, Spec};
use super::{Origin, guards};
use crate::value::Name;

/// How long a copy is as good as a fetched list when nobody watches.
pub(super) const FRESH: SignedDuration = SignedDuration::from_hours(35 * 24);
/// More is no copy of ours.
const LARGEST: u64 = 1024 * 1024;

/// What the file holds, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Copy {
    /// The address it was fetched from.
    pub(super) source: String,
    /// When.
    pub(super) time: Timestamp,
    /// [`Lists::digest`] of `lists`.
    pub(super) digest: String,
    /// Who accepted it, when it was beyond the bounds of a change.
    pub(super) accepted_by: Option<String>,
    /// The lists themselves.
    pub(super) lists: Lists,
}

/// Why a copy cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is there, but not what was written.
    #[error("the last good copy {path} is not used: {why}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file system says no.
    #[error("cannot keep the last good copy {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Copy {
    pub(super) fn new(
        source: &str,
        time: Timestamp,
        lists: Lists,
        accepted_by: Option<String>,
    ) -> Self {
        Self {
            source: source.to_owned(),
            time,
            digest: lists.digest(),
            accepted_by,
            lists,
        }
    }

    /// Whether it is young enough to be used unseen. A copy from the future has no known age.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        (-SignedDuration::from_hours(24)..=FRESH).contains(&now.duration_since(self.time))
    }

    pub(super) fn origin(&self, now: Timestamp) -> Origin {
        let days = now.duration_since(self.time).as_hours() / 24;
        Origin::LastGood {
            url: self.source.clone(),
            at: self.time,
            days: days.max(0),
        }
    }
}

fn path_of(folder: &Path, name: &Name) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// The copy, when there is one.
///
/// # Errors
/// A copy that is damaged, that others may write to, or that does not pass today's guards.
pub(super) fn read(
    folder: &Path,
    spec: &Spec,
    asked: &Asked<'_>,
) -> Result<Option<Copy>, StoreError> {
    let path = path_of(folder, &spec.name);
    match read_text(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
        Ok(text) => check(&text, spec, asked).map(Some),
    }
    .map_err(|why| StoreError::Damaged { path, why })
}

fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::other("other users may write to it (chmod go-w)"));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn check(text: &str, spec: &Spec, asked: &Asked<'_>) -> Result<Copy, String> {
    let mut copy: Copy =
        serde_json::from_str(text).map_err(|error| format!("it is damaged: {error}"))?;
    if copy.lists.digest() != copy.digest {
        return Err("it is damaged: its digest is not that of its lists".to_owned());
    }
    let texts = |list: &[crate::value::Cidr]| list.iter().map(ToString::to_string).collect();
    let texts: BTreeMap<String, Vec<String>> = copy
        .lists
        .iter()
        .map(|(name, list)| (name.to_owned(), texts(list)))
        .collect();
    if !texts.keys().eq(spec.lists.keys()) {
        return Err("it has other lists than the runbook".to_owned());
    }
    // The runbook may have become stricter since.
    copy.lists = guards::check(spec, &texts, &asked.allowed)?;
    Ok(copy)
}

/// Puts the copy in its place: whoever reads meanwhile sees the old or the new one, and a power cut
/// leaves one of them.
pub(super) fn write(folder: &Path, name: &Name, copy: &Copy) -> Result<(), StoreError> {
    let path = path_of(folder, name);
    write_at(folder, &path, copy).map_err(|source| StoreError::Write { path, source })
}

fn write_at(folder: &Path, path: &Path, copy: &Copy) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    let mut text = serde_json::to_string_pretty(copy)?;
    text.push('\n');
    // Created with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::testing::cloudflare;
    use super::*;

    fn copy(spec: &Spec) -> Copy {
        let time = "2025-11-01T12:00:00Z".parse().unwrap();
        Copy::new(
            "https://x.example/ips",
            time,
            spec.built_in.lists.clone(),
            Some("anna".to_owned()),
        )
    }

    fn asked() -> Asked<'static> {
        Asked {
            sources: Vec::new(),
            ca_file: None,
            timeout: std::time::Duration::ZERO,
            allowed: Vec::new(),
        }
    }

    /// A written copy whose text was changed, read again.
    fn changed(change: impl FnOnce(String) -> String) -> Result<Option<Copy>, String> {
        let spec = cloudflare();
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &spec.name, &copy(&spec)).unwrap();
        let path = folder.path().join("cloudflare.json");
        let text = change(fs::read_to_string(&path).unwrap());
        fs::write(&path, text).unwrap();
        read(folder.path(), &spec, &asked()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_kept_is_read_again_and_private() {
        let spec = cloudflare();
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("data/ufw-cf-refresh");
        assert_eq!(read(&deep, &spec, &asked()).unwrap(), None);
        write(&deep, &spec.name, &copy(&spec)).unwrap();
        write(&deep, &spec.name, &copy(&spec)).unwrap();
        assert_eq!(read(&deep, &spec, &asked()).unwrap(), Some(copy(&spec)));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&deep), mode(&deep.join("cloudflare.json"))),
            (0o700, 0o600)
        );
        assert_eq!(
            fs::read_dir(&deep).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn a_damaged_copy_is_said_to_be_so() {
        for (what, change) in [
            (
                "cut",
                (|text: String| text[..text.len() / 2].to_owned()) as fn(String) -> String,
            ),
            ("empty", |_| String::new()),
            ("another entry", |text| {
                text.replace("131.0.72.0/22", "131.0.76.0/22")
            }),
            ("no network", |text| text.replace("131.0.72.0/22", "x")),
            ("another list", |text| text.replace("\"ipv6\"", "\"ipv66\"")),
            ("not ours", |_| "{\"a\": 1}".to_owned()),
        ] {
            let error = changed(change).unwrap_err();
            assert!(
                error.starts_with("the last good copy ") && error.contains("is not used"),
                "{what}: {error}"
            );
        }
        assert!(changed(|text| text).unwrap().is_some());
    }

    #[test]
    fn a_copy_that_others_may_write_is_not_believed() {
        let spec = cloudflare();
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &spec.name, &copy(&spec)).unwrap();
        let path = folder.path().join("cloudflare.json");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let error = read(folder.path(), &spec, &asked())
            .unwrap_err()
            .to_string();
        assert!(error.contains("chmod go-w"), "{error}");
    }

    #[test]
    fn a_copy_is_fresh_for_35_days_and_not_from_the_future() {
        let spec = cloudflare();
        let copy = copy(&spec);
        let fresh = |now: &str| copy.is_fresh(now.parse().unwrap());
        assert!(
            fresh("2025-11-01T12:00:00Z")
                && fresh("2025-12-06T12:00:00Z")
                && fresh("2025-11-01T02:00:00Z")
        );
        assert!(!fresh("2025-12-06T12:00:01Z") && !fresh("2025-10-30T12:00:00Z"));
        let origin = copy.origin("2025-11-04T13:00:00Z".parse().unwrap());
        assert_eq!(
            origin.to_string(),
            "last good copy, fetched 3 days ago (2025-11-01) from https://x.example/ips"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_with_its_path() {
        let spec = cloudflare();
        let error = write(Path::new("/proc/nowhere"), &spec.name, &copy(&spec)).unwrap_err();
        assert!(
            error.to_string().contains("/proc/nowhere/cloudflare.json"),
            "{error}"
        );
    }
}
