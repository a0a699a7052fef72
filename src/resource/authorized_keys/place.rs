//! Where a file of keys lies, and what of that place is ours to make.

use super::look::{Account, KeyFile};
use crate::resource::file::look::Parent;

/// The part of a path below the user's home.
pub(super) fn below_home<'p>(account: &Account, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(account.home.trim_end_matches('/'))
        .filter(|rest| rest.starts_with('/') && account.home != "/")
}

/// Where the file lies physically; `None` when links below the home lead somewhere else.
pub(super) fn real(account: &Account, file: &KeyFile) -> Option<String> {
    match below_home(account, &file.path) {
        Some(rest) => {
            let expected = format!("{}{rest}", account.real_home.trim_end_matches('/'));
            let real = file.look.real.as_ref().unwrap_or(&expected);
            (*real == expected).then_some(expected)
        }
        None => Some(file.look.real.clone().unwrap_or_else(|| file.path.clone())),
    }
}

pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A folder directly in the home, such as `.ssh`, is ours to make and to mend.
pub(super) fn is_direct(account: &Account, path: &str) -> bool {
    folder(folder(path)) == account.home.trim_end_matches('/')
}

pub(super) fn makes_folder(account: &Account, file: &KeyFile) -> bool {
    file.look.parent == Parent::Missing && is_direct(account, &file.path)
}

pub(super) fn mendable(account: &Account, file: &KeyFile, unsafe_folder: &str) -> bool {
    unsafe_folder == folder(&file.path) && is_direct(account, &file.path)
}
