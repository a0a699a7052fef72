//! Changes the port of one host in an inventory file by its text: comments, order, quoting and line
//! endings stay, and every other line too.
//!
//! YAML can be written in more ways than anybody can list, so nothing is trusted: whatever an edit
//! made of the text is read again, and counts only when nothing but that port is different.

use serde_json::{Map, Value};

use crate::diagnostic::Source;
use crate::value::Port;
use crate::yaml::{self, Kind, Node, Style};

/// Lines of a file that become other lines. They begin with the line that names the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// As they are.
    pub before: String,
    /// As they will be.
    pub after: String,
}

impl Hunk {
    /// The same the other way round.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            before: self.after.clone(),
            after: self.before.clone(),
        }
    }
}

/// The port that a host's own entry in a file says; `None` when the file has no such entry, or cannot
/// be read.
pub fn own_port(text: &str, host: &str) -> Option<Option<Port>> {
    let tree = read(text).ok()?;
    let (_, value) = entry(&tree, host)?;
    let port = value.get("port").and_then(Node::text);
    Some(port.and_then(|text| text.parse().ok()))
}

/// What must be different in `text` for the entry of `host` to say `port`.
///
/// # Errors
/// Why that cannot be done without guessing, as a clause.
pub fn with_port(text: &str, host: &str, port: Port) -> Result<Hunk, String> {
    let tree = read(text)?;
    let Some((key, value)) = entry(&tree, host) else {
        return Err("the file does not name it below `hosts:`".to_owned());
    };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for edit in edits(&lines, key, value, port) {
        let Some(hunk) = edit.hunk(&lines, key) else {
            continue;
        };
        if let Ok(edited) = replaced(text, host, &hunk)
            && own_port(&edited, host) == Some(Some(port))
        {
            return Ok(hunk);
        }
    }
    Err(
        "its entry is written in a way that is not edited here (an alias, a merge, several lines)"
            .to_owned(),
    )
}

/// The text with the lines of a hunk replaced, where the host's entry begins.
///
/// # Errors
/// When the lines are not those any more, or more than the port of that host would be different.
pub fn replaced(text: &str, host: &str, hunk: &Hunk) -> Result<String, String> {
    let moved = || format!("the entry of {host} is no longer as it was");
    let before = read(text)?;
    let (key, _) = entry(&before, host).ok_or_else(moved)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let start: usize = lines
        .iter()
        .take(key.place.line.saturating_sub(1))
        .map(|line| line.len())
        .sum();
    let (head, rest) = text.split_at(start);
    let tail = rest.strip_prefix(&hunk.before).ok_or_else(moved)?;
    let edited = format!("{head}{}{tail}", hunk.after);
    let after = read(&edited)?;
    if without_port(&before, host) == without_port(&after, host) {
        Ok(edited)
    } else {
        Err(format!(
            "more than the port of {host} would be different then"
        ))
    }
}

fn read(text: &str) -> Result<Node, String> {
    yaml::parse(&Source::new("inventory", text)).map_err(|error| error.message)
}

fn entry<'a>(tree: &'a Node, host: &str) -> Option<(&'a Node, &'a Node)> {
    let entries = tree.get("hosts")?.entries();
    let found = entries.iter().find(|(key, _)| key.text() == Some(host));
    found.map(|(key, value)| (key, value))
}

/// All that a file says, but for the port of one host. The short forms of a host stand for the long.
fn without_port(tree: &Node, host: &str) -> Value {
    let mut all = tree.to_value();
    if let Some(entry) = all.pointer_mut(&format!("/hosts/{host}")) {
        let mut fields = match entry.take() {
            Value::Object(fields) => fields,
            Value::String(address) => [("address".to_owned(), Value::String(address))]
                .into_iter()
                .collect(),
            _ => Map::new(),
        };
        fields.remove("port");
        *entry = Value::Object(fields);
    }
    all
}

/// One line that becomes another text.
struct Edit {
    /// Counted from 0.
    line: usize,
    text: String,
}

impl Edit {
    fn hunk(&self, lines: &[&str], key: &Node) -> Option<Hunk> {
        let first = key.place.line.checked_sub(1)?;
        let above = lines.get(first..self.line)?.concat();
        let line = lines.get(self.line)?;
        Some(Hunk {
            before: format!("{above}{line}"),
            after: format!("{above}{}", self.text),
        })
    }
}

/// The edits that may do it, the most natural first.
fn edits(lines: &[&str], key: &Node, value: &Node, port: Port) -> Vec<Edit> {
    let there = value.get("port");
    let replaces = there.and_then(|old| match &old.kind {
        Kind::Scalar { text, .. } => at(lines, old, text, &port.to_string()),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            let (name, _) = entry_key(value, "port")?;
            behind_colon(lines, name, &port.to_string())
        }
    });
    let adds = match &value.kind {
        Kind::Null => behind_colon(lines, key, &format!("{{ port: {port} }}")),
        Kind::Scalar { .. } if value.style == Style::Flow => around_address(lines, value, port),
        Kind::Map(entries) => match entries.first() {
            None => at(lines, value, "{}", &format!("{{ port: {port} }}")),
            Some((first, _)) if starts_with(lines, value, '{') => in_braces(lines, first, port),
            Some((first, _)) => own_line(lines, value, first, port),
        },
        Kind::Scalar { .. } | Kind::List(_) => None,
    };
    replaces.into_iter().chain(adds).collect()
}

fn entry_key<'a>(map: &'a Node, key: &str) -> Option<&'a (Node, Node)> {
    map.entries()
        .iter()
        .find(|(name, _)| name.text() == Some(key))
}

/// The line of a node, in two parts: before the node, and from it on.
fn split<'a>(lines: &[&'a str], node: &Node) -> Option<(usize, &'a str, &'a str)> {
    let number = node.place.line.checked_sub(1)?;
    let line: &str = lines.get(number)?;
    let column = node.place.column.checked_sub(1)?;
    let offset = line.char_indices().map(|(offset, _)| offset).nth(column)?;
    let (before, rest) = line.split_at_checked(offset)?;
    Some((number, before, rest))
}

fn starts_with(lines: &[&str], node: &Node, wanted: char) -> bool {
    split(lines, node).is_some_and(|(_, _, rest)| rest.starts_with(wanted))
}

/// Replaces `old`, which stands in the node, by `new`. Quotes around it stay.
fn at(lines: &[&str], node: &Node, old: &str, new: &str) -> Option<Edit> {
    let (line, before, rest) = split(lines, node)?;
    let (quote, rest) = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest.split_at_checked(quote.len_utf8())?,
        _ => ("", rest),
    };
    let after = rest.strip_prefix(old)?;
    let text = format!("{before}{quote}{new}{after}");
    Some(Edit { line, text })
}

/// Puts a value behind the colon of a key that has none, or `null`.
fn behind_colon(lines: &[&str], key: &Node, new: &str) -> Option<Edit> {
    let (line, before, rest) = split(lines, key)?;
    let name = rest.get(..rest.find(key.text()?)? + key.text()?.len())?;
    let rest = rest.strip_prefix(name)?;
    let (gap, rest) = rest.split_once(':')?;
    let value = rest.trim_start_matches(' ');
    let after = ["null", "~"]
        .iter()
        .find_map(|word| value.strip_prefix(word))
        .unwrap_or(rest);
    let text = format!("{before}{name}{gap}: {new}{after}");
    Some(Edit { line, text })
}

/// `web: 192.0.2.2` becomes a mapping on the same line.
fn around_address(lines: &[&str], address: &Node, port: Port) -> Option<Edit> {
    let (line, before, rest) = split(lines, address)?;
    let width = rest
        .char_indices()
        .map(|(offset, _)| offset)
        .nth(address.place.width)
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(width)?;
    let spare = word.len() - word.trim_end().len();
    let (word, spare) = word.split_at_checked(word.len() - spare)?;
    let text = format!("{before}{{ address: {word}, port: {port} }}{spare}{after}");
    Some(Edit { line, text })
}

/// `{ address: … }` gets one more key, written as its first is.
fn in_braces(lines: &[&str], first: &Node, port: Port) -> Option<Edit> {
    let (line, before, rest) = split(lines, first)?;
    let quote = if rest.starts_with('"') { "\"" } else { "" };
    let text = format!("{before}{quote}port{quote}: {port}, {rest}");
    Some(Edit { line, text })
}

/// A mapping over several lines gets one more line: behind that of the address, else as its first.
fn own_line(lines: &[&str], value: &Node, first: &Node, port: Port) -> Option<Edit> {
    let (number, indent, _) = split(lines, first)?;
    if !indent.chars().all(|c| c == ' ') {
        return None;
    }
    let end = if lines.iter().any(|line| line.ends_with("\r\n")) {
        "\r\n"
    } else {
        "\n"
    };
    let address = entry_key(value, "address")
        .filter(|(key, value)| value.style == Style::Flow && key.place.line == value.place.line);
    let Some((key, _)) = address else {
        let text = format!("{indent}port: {port}{end}{}", lines.get(number)?);
        return Some(Edit { line: number, text });
    };
    let line = key.place.line.checked_sub(1)?;
    let old = lines.get(line)?;
    let text = if old.ends_with('\n') {
        format!("{old}{indent}port: {port}{end}")
    } else {
        format!("{old}{end}{indent}port: {port}")
    };
    Some(Edit { line, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file with the port of `web` changed, and that undo gives the same bytes again.
    #[track_caller]
    fn edited(text: &str) -> Result<String, String> {
        let hunk = with_port(text, "web", "2222".parse().unwrap())?;
        let after = replaced(text, "web", &hunk)?;
        assert_eq!(own_port(&after, "web").flatten().unwrap().get(), 2222);
        assert_eq!(replaced(&after, "web", &hunk.reversed()).unwrap(), text);
        Ok(after)
    }

    #[test]
    fn a_port_is_replaced_where_it_stands_and_all_else_stays() {
        for (before, after) in [
            (
                "# mine\nhosts:\n  db: {port: 22}\n  web: # front\n    port: 22   # old\n    user: ops\n",
                "# mine\nhosts:\n  db: {port: 22}\n  web: # front\n    port: 2222   # old\n    user: ops\n",
            ),
            (
                "hosts:\n  web: { user: ops, port: '22' }",
                "hosts:\n  web: { user: ops, port: '2222' }",
            ),
            (
                r#"{"hosts": {"web": {"port": 22, "vars": {"a": "é"}}}}"#,
                r#"{"hosts": {"web": {"port": 2222, "vars": {"a": "é"}}}}"#,
            ),
            (
                "hosts:\r\n  web:\r\n    port: 22\r\n",
                "hosts:\r\n  web:\r\n    port: 2222\r\n",
            ),
            (
                "hosts:\n  web:\n    port:\n    user: ops\n",
                "hosts:\n  web:\n    port: 2222\n    user: ops\n",
            ),
        ] {
            assert_eq!(edited(before).as_deref(), Ok(after));
        }
    }

    #[test]
    fn a_port_that_is_missing_is_added_as_the_entry_is_written() {
        for (before, after) in [
            (
                "hosts:\n  web:\n  db:\n",
                "hosts:\n  web: { port: 2222 }\n  db:\n",
            ),
            (
                "hosts:\n  web: # x\n",
                "hosts:\n  web: { port: 2222 } # x\n",
            ),
            (
                "hosts:\n  \"web\": ~\n",
                "hosts:\n  \"web\": { port: 2222 }\n",
            ),
            ("hosts:\n  web: {}\n", "hosts:\n  web: { port: 2222 }\n"),
            ("hosts: {web: null}", "hosts: {web: { port: 2222 }}"),
            (
                "hosts:\n  web: 192.0.2.2  # nat\n",
                "hosts:\n  web: { address: 192.0.2.2, port: 2222 }  # nat\n",
            ),
            (
                "hosts:\n  web: \"fd77::1\"\n",
                "hosts:\n  web: { address: \"fd77::1\", port: 2222 }\n",
            ),
            (
                "hosts:\n  web: {user: ops}\n",
                "hosts:\n  web: {port: 2222, user: ops}\n",
            ),
            (
                r#"{"hosts": {"web": {"user": "ops"}}}"#,
                r#"{"hosts": {"web": {"port": 2222, "user": "ops"}}}"#,
            ),
            (
                "hosts:\n  web:\n    # where\n    address: 192.0.2.2 # nat\n    user: ops\n",
                "hosts:\n  web:\n    # where\n    address: 192.0.2.2 # nat\n    port: 2222\n    user: ops\n",
            ),
            (
                "hosts:\n  web:\n    user: ops",
                "hosts:\n  web:\n    port: 2222\n    user: ops",
            ),
            (
                "hosts:\n  web:\n    address: a",
                "hosts:\n  web:\n    address: a\n    port: 2222",
            ),
        ] {
            assert_eq!(edited(before).as_deref(), Ok(after));
        }
    }

    #[test]
    fn an_entry_that_shares_its_text_with_others_is_left_alone() {
        for text in [
            "hosts:\n  db: &a { port: 22 }\n  web: *a\n",
            "hosts:\n  web: &a { port: 22 }\n  db: *a\n",
            "hosts:\n  db:\n    port: 22\n",
            "groups:\n  web: {}\n",
            "hosts: [web]\n",
            "hosts:\n  web: |\n    192.0.2.2\n",
            "a: [",
        ] {
            let edited = edited(text);
            assert!(edited.is_err(), "{text}{edited:?}");
        }
    }

    #[test]
    fn an_own_port_beats_a_merged_one() {
        let text = "vars: &a { port: 22 }\nhosts:\n  web:\n    <<: *a\n    user: ops\n";
        if let Ok(edited) = edited(text) {
            assert!(edited.starts_with("vars: &a { port: 22 }\n"), "{edited}");
        }
    }

    #[test]
    fn lines_that_are_different_now_are_not_touched() {
        let text = "hosts:\n  web: { port: 22 }\n";
        let hunk = with_port(text, "web", "2222".parse().unwrap()).unwrap();
        let moved = "hosts:\n  web: { port: 23 }\n";
        assert!(replaced(moved, "web", &hunk).is_err());
        let further_down = format!("# more\n{text}");
        assert!(replaced(&further_down, "web", &hunk).is_ok());
    }
}
