//! The lines of sshd's files in the order in which sshd reads them, each with its place.
//!
//! Read as sshd does it: a keyword in any case, then blanks or `=`, then arguments that may be quoted; `#`
//! begins a comment line. `Include` is followed where the host said what it stands for. After `Match`
//! everything up to the end of that file is for some only; an included file keeps its `Match` to itself.

use super::look::ConfigFile;

/// One line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    /// The file it stands in.
    pub(super) path: String,
    /// Its line there, 1-based.
    pub(super) line: usize,
    /// The keyword in lower case.
    pub(super) keyword: String,
    /// What stands behind it.
    pub(super) args: String,
    /// The condition of the `Match` block it stands in.
    pub(super) condition: Option<String>,
}

impl Directive {
    /// "/`etc/ssh/sshd_config` line 12".
    pub(super) fn place(&self) -> String {
        format!("{} line {}", self.path, self.line)
    }
}

/// sshd stops at sixteen levels, too.
const DEEPEST: usize = 16;

/// Our drop-in as it is to be read: its path, and its text when there is one.
pub(super) type Own<'a> = (&'a str, Option<&'a str>);

/// All lines in reading order, with `own` in the place of the drop-in that the host may have.
pub(super) fn directives(files: &[ConfigFile], main: &str, own: Own<'_>) -> Vec<Directive> {
    let mut all = Vec::new();
    read(files, main, own, DEEPEST, &mut all);
    all
}

fn read(files: &[ConfigFile], path: &str, own: Own<'_>, depth: usize, all: &mut Vec<Directive>) {
    if path == own.0 {
        lines(own.1.unwrap_or(""), path, all);
        return;
    }
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return;
    };
    let mut said = Vec::new();
    lines(&file.text, path, &mut said);
    for directive in said {
        if directive.keyword != "include" || directive.condition.is_some() {
            all.push(directive);
            continue;
        }
        if depth > 0 {
            for path in included(file, directive.line, own) {
                read(files, &path, own, depth - 1, all);
            }
        }
    }
}

/// What an Include stands for, with our drop-in in its place among its neighbours.
fn included(file: &ConfigFile, line: usize, own: Own<'_>) -> Vec<String> {
    let here = file.includes.iter().filter(|(at, _)| *at == line);
    let mut paths: Vec<String> = here.map(|(_, path)| path.clone()).collect();
    paths.retain(|path| path != own.0);
    if file.place == Some(line) {
        let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let ours = folder(own.0);
        let later = |path: &String| folder(path) == ours && path.as_str() > own.0;
        let last = paths.iter().rposition(|path| folder(path) == ours);
        let at = paths.iter().position(later);
        let at = at.or_else(|| last.map(|last| last + 1));
        paths.insert(at.unwrap_or(paths.len()), own.0.to_owned());
    }
    paths
}

fn lines(text: &str, path: &str, all: &mut Vec<Directive>) {
    let mut condition: Option<String> = None;
    for (index, line) in text.split('\n').enumerate() {
        let Some((keyword, args)) = words(line) else {
            continue;
        };
        if keyword == "match" {
            condition = Some(args);
            continue;
        }
        all.push(Directive {
            path: path.to_owned(),
            line: index + 1,
            keyword,
            args,
            condition: condition.clone(),
        });
    }
}

/// Keyword and arguments; `None` for a line that says nothing.
fn words(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find([' ', '\t', '=']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
    Some((keyword.to_ascii_lowercase(), rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(
        path: &str,
        text: &str,
        place: Option<usize>,
        includes: &[(usize, &str)],
    ) -> ConfigFile {
        let includes = includes
            .iter()
            .map(|(line, path)| (*line, (*path).to_owned()));
        ConfigFile {
            path: path.to_owned(),
            text: text.to_owned(),
            place,
            includes: includes.collect(),
        }
    }

    fn said(files: &[ConfigFile], own: Own<'_>) -> Vec<String> {
        let all = directives(files, "/m", own);
        let line = |one: &Directive| {
            let condition = one
                .condition
                .as_deref()
                .map_or(String::new(), |c| format!(" [{c}]"));
            format!(
                "{}:{} {} {}{condition}",
                one.path, one.line, one.keyword, one.args
            )
        };
        all.iter().map(line).collect()
    }

    #[test]
    fn lines_come_in_the_order_of_sshd_with_our_drop_in_among_its_neighbours() {
        let files = [
            file(
                "/m",
                "Include /d/*.conf\r\nPort=22\n# no\nMatch User x\n\tPort 1",
                Some(1),
                &[(1, "/d/00-a"), (1, "/d/50-b")],
            ),
            file("/d/00-a", "UsePAM \"yes\"\nMatch all\nBanner a", None, &[]),
            file("/d/50-b", "x11forwarding no\n", None, &[]),
        ];
        assert_eq!(
            said(&files, ("/d/20-o", Some("PORT 2222"))),
            [
                "/d/00-a:1 usepam \"yes\"",
                "/d/00-a:3 banner a [all]",
                "/d/20-o:1 port 2222",
                "/d/50-b:1 x11forwarding no",
                "/m:2 port 22",
                "/m:5 port 1 [User x]",
            ]
        );
        assert_eq!(
            said(&files, ("/d/99-o", Some("Port 1")))[3],
            "/d/99-o:1 port 1"
        );
        assert_eq!(said(&files, ("/d/20-o", None)).len(), 5);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let files = [file("/m", "Include /m\nPort 1", None, &[(1, "/m")])];
        assert_eq!(said(&files, ("/o", None)).len(), DEEPEST + 1);
    }
}
