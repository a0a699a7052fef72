//! The answer of `hf_file`: what is at a path, and what stands in the way of changing it.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::probe::ParseError;
use crate::resource::Lines;
use crate::value::FileMode;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a finding of its own"
)]
pub(in crate::resource) struct Look {
    /// Where it lies physically; `None` when that cannot be said.
    pub(in crate::resource) real: Option<String>,
    pub(in crate::resource) parent: Parent,
    pub(in crate::resource) what: What,
    /// The path itself is a mount point.
    pub(in crate::resource) mount_point: bool,
    /// The file system is mounted read-only.
    pub(in crate::resource) read_only: bool,
    /// Names in the folder cannot change, not even by root.
    pub(in crate::resource) folder_locked: bool,
    /// The folder hands an access control list on to new files.
    pub(in crate::resource) folder_acl: bool,
    /// Folders above that others than root could exchange, as "/tmp (mode 1777, owner 0)".
    pub(in crate::resource) above: Vec<String>,
}

/// The folder that holds the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::resource) enum Parent {
    Folder,
    Missing,
    /// Something, but no folder.
    Other,
}

/// What stands at the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resource) enum What {
    Absent,
    /// A symbolic link whose target cannot be resolved, although it should be followed.
    Unresolved,
    Link {
        target: String,
    },
    Plain(Plain),
    /// A folder, a device: in words, with the article.
    Other(&'static str),
}

/// A plain file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resource) struct Plain {
    pub(in crate::resource) mode: FileMode,
    pub(in crate::resource) owner: Id,
    pub(in crate::resource) group: Id,
    /// How many hard links it has.
    pub(in crate::resource) names: u64,
    pub(in crate::resource) content: Content,
    /// `chattr +i` or `+a`, in words.
    pub(in crate::resource) locked: Option<&'static str>,
    /// It has an access control list beyond its mode.
    pub(in crate::resource) acl: bool,
}

/// What a file holds, as far as the host told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resource) enum Content {
    Bytes(Vec<u8>),
    /// Too large to be told.
    Digest {
        size: u64,
        sha256: String,
    },
    /// Too large to be read at each look.
    Unread {
        size: u64,
    },
}

/// An owner as the host knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resource) struct Id {
    pub(in crate::resource) number: u32,
    /// The name, or the number when there is none.
    pub(in crate::resource) name: String,
}

impl FromStr for Id {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, name) = text.split_once(' ').ok_or(())?;
        let id = number.parse().map_err(|_| ())?;
        let name = if name == "UNKNOWN" || name.is_empty() {
            number
        } else {
            name
        };
        Ok(Self {
            number: id,
            name: name.to_owned(),
        })
    }
}

impl Look {
    /// The text that it holds; `None`: no plain file, or none that is a text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.what {
            What::Plain(Plain {
                content: Content::Bytes(bytes),
                ..
            }) => std::str::from_utf8(bytes).ok(),
            What::Plain(_)
            | What::Absent
            | What::Unresolved
            | What::Link { .. }
            | What::Other(_) => None,
        }
    }

    pub(in crate::resource) fn parse(lines: &Lines<'_>) -> Result<Self, ParseError> {
        if lines.is("unreadable") {
            return Err(lines.unreadable("needs root to look at it"));
        }
        let parent = match lines.get("parent") {
            // An unresolved link says nothing about a folder.
            "folder" | "" => Parent::Folder,
            "missing" => Parent::Missing,
            "other" => Parent::Other,
            other => return Err(lines.unreadable(format!("parent is {other:?}"))),
        };
        // A name that is no UTF-8 came through with a mark in it: it would be another name.
        let real = lines.get("real");
        let real = (real.starts_with('/') && !real.contains('\u{fffd}')).then(|| real.to_owned());
        Ok(Self {
            real,
            parent,
            what: what(lines)?,
            mount_point: lines.is("mount_point"),
            read_only: lines.is("read_only"),
            folder_locked: lines.is("folder_immutable") || lines.is("folder_append_only"),
            folder_acl: !lines.get("folder_acl").is_empty(),
            above: lines.all("above").map(above).collect(),
        })
    }
}

fn what(lines: &Lines<'_>) -> Result<What, ParseError> {
    Ok(match lines.get("type") {
        "absent" => What::Absent,
        "unresolved" => What::Unresolved,
        "link" => What::Link {
            target: lines.get("target").to_owned(),
        },
        "file" => What::Plain(plain(lines)?),
        "folder" => What::Other("a folder"),
        "device" => What::Other("a device"),
        "fifo" => What::Other("a named pipe"),
        "socket" => What::Other("a socket"),
        other => return Err(lines.unreadable(format!("type is {other:?}"))),
    })
}

fn plain(lines: &Lines<'_>) -> Result<Plain, ParseError> {
    // stat prints 44 for 0044.
    let mode = format!("{:0>4}", lines.get("mode"));
    let locked = match (lines.is("immutable"), lines.is("append_only")) {
        (true, _) => Some("immutable (chattr +i)"),
        (false, true) => Some("append-only (chattr +a)"),
        (false, false) => None,
    };
    Ok(Plain {
        mode: mode
            .parse()
            .map_err(|_| lines.unreadable(format!("mode is {mode:?}")))?,
        owner: lines.need("owner")?,
        group: lines.need("group")?,
        names: lines.need("names")?,
        content: content(lines)?,
        locked,
        acl: !lines.get("acl").is_empty(),
    })
}

fn content(lines: &Lines<'_>) -> Result<Content, ParseError> {
    let size: u64 = lines.need("size")?;
    if let Some(encoded) = lines.all("content").next() {
        let bytes = BASE64
            .decode(encoded)
            .map_err(|_| lines.unreadable("content is no base64"))?;
        return Ok(Content::Bytes(bytes));
    }
    Ok(match lines.get("sha256") {
        "" => Content::Unread { size },
        sha256 => Content::Digest {
            size,
            sha256: sha256.to_owned(),
        },
    })
}

fn above(line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    let (owner, mode) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    format!(
        "{} (owner {owner}, mode {mode})",
        words.next().unwrap_or("")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Answer, Answers, Probe};
    use proptest::prelude::*;

    fn look(output: &str) -> Result<Look, ParseError> {
        let probe = Probe::new("hf_file", ["/x", "nofollow"]);
        let answer = Answer {
            status: 0,
            output: output.as_bytes().to_vec(),
        };
        let seen = Answers::from_iter([(probe.clone(), answer)]);
        Look::parse(&Lines::of(&seen, &probe)?)
    }

    #[test]
    fn odd_modes_and_unknown_owners_are_understood() {
        let answer = "parent=folder\nreal=/x\ntype=file\nmode=4\nowner=4711 UNKNOWN\ngroup=0 root\nnames=1\nsize=0\ncontent=\n";
        let What::Plain(plain) = look(answer).unwrap().what else {
            panic!("a file")
        };
        assert_eq!(plain.mode.to_string(), "0004");
        assert_eq!(plain.owner.name, "4711");
        assert_eq!(plain.content, Content::Bytes(Vec::new()));
    }

    #[test]
    fn a_name_with_a_line_break_or_foreign_bytes_is_no_path_to_write_to() {
        assert_eq!(look("odd_name=yes\ntype=absent\n").unwrap().real, None);
        assert_eq!(
            look("parent=folder\nreal=/a/\u{fffd}\ntype=absent\n")
                .unwrap()
                .real,
            None
        );
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in "((parent|real|type|mode|owner|group|names|size|content|sha256|above|acl)=(folder|file|link|absent|[0-9]{1,5}|[0-9]{1,3} \\PC{0,4}|\\PC{0,8})\n){0,12}") {
            let _ = look(&answer);
        }

        #[test]
        fn nor_do_arbitrary_bytes(answer in "\\PC*") {
            let _ = look(&answer);
        }
    }
}
