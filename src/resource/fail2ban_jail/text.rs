//! The text of our file: lines of our keys are set, all other lines stay.

use super::Jail;
use super::look::{Look, OthersIgnore};
use super::setting::{ignored, shown};
use crate::value::Cidr;

/// What fail2ban never bans by our file, whatever a step says: the host itself.
pub(super) const OURSELVES: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// Stands for what the files before ours ignore.
const BEFORE: &str = "%(known/ignoreip)s";

/// Our file as it should be.
pub(super) fn wanted(jail: &Jail, look: &Look) -> String {
    let mut text = match &look.file {
        Some(text) => text.clone(),
        None => format!("{}[{}]\n", heading(jail), jail.name),
    };
    if !sections(&text).any(|section| section == jail.name.as_str()) {
        text = format!("{}\n[{}]\n", text.trim_end(), jail.name);
    }
    for setting in &jail.settings {
        text = set(&text, jail.name.as_str(), setting.key, &setting.text);
    }
    match ignore_line(jail, look, &text) {
        Some(line) => set(&text, jail.name.as_str(), "ignoreip", &line),
        None => text,
    }
}

fn heading(jail: &Jail) -> String {
    format!(
        "# Holdfast keeps the settings of the jail {} that its runbooks name. Settings of your own are safe in\n\
         # a file that sorts behind this one, such as zz-own.local. Where ignoreip begins with {BEFORE},\n\
         # another file says what is ignored too: take that word away here before you take it away there.\n",
        jail.name
    )
}

/// The value of `ignoreip`; `None` when the step says nothing about it.
fn ignore_line(jail: &Jail, look: &Look, text: &str) -> Option<String> {
    let wanted = jail.ignore.as_ref()?;
    let mut words: Vec<String> = Vec::new();
    match look.others_ignore {
        OthersIgnore::Yes => words.push(BEFORE.to_owned()),
        // As it is in effect before ours hides it.
        OthersIgnore::Chained if look.file.is_none() => {
            words.extend(look.files.ignore.iter().map(|word| spelled(word)));
        }
        OthersIgnore::No | OthersIgnore::Chained => {}
    }
    words.extend(OURSELVES.map(spelled));
    if !jail.forget_others {
        words.extend(own_ignored(jail, text).iter().map(|word| spelled(word)));
    }
    words.extend(wanted.iter().map(shown));
    let mut line: Vec<String> = Vec::new();
    for word in words {
        if !line.contains(&word) {
            line.push(word);
        }
    }
    Some(line.join(" "))
}

/// What our file ignores now, without what stands for other files.
pub(super) fn own_ignored(jail: &Jail, text: &str) -> Vec<String> {
    let value = get(text, jail.name.as_str(), "ignoreip").unwrap_or_default();
    let words = value.split(|c: char| c == ',' || c.is_whitespace());
    let words = words.filter(|word| !word.is_empty() && *word != BEFORE);
    words.map(str::to_owned).collect()
}

/// Whether our file goes on from what other files ignore.
pub(super) fn goes_on(jail: &Jail, text: &str) -> bool {
    get(text, jail.name.as_str(), "ignoreip").is_some_and(|value| value.contains(BEFORE))
}

/// The shortest spelling of a network, so that no two spellings stand side by side.
fn spelled(word: &str) -> String {
    ignored(word).map_or_else(|_| word.to_owned(), |network: Cidr| shown(&network))
}

fn section(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split(']').next()
}

fn sections(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(section)
}

/// The key of a line, as Python's configparser sees it: lower case, before `=` or `:`.
fn key(line: &str) -> Option<String> {
    if line.starts_with(['#', ';', '[', ' ', '\t']) {
        return None;
    }
    let (key, _) = line.split_once(['=', ':'])?;
    Some(key.trim().to_lowercase())
}

/// A line that goes on with the value before it.
fn continues(line: &str) -> bool {
    line.starts_with([' ', '\t']) && !line.trim().is_empty()
}

/// The value of a key in a section; the last one counts.
fn get(text: &str, name: &str, wanted: &str) -> Option<String> {
    let (mut within, mut open, mut value) = (false, false, None::<String>);
    for line in text.lines() {
        if let Some(section) = section(line) {
            (within, open) = (section == name, false);
        } else if continues(line) && open {
            let value = value.get_or_insert_default();
            value.push(' ');
            value.push_str(line.trim());
        } else if within {
            open = key(line).as_deref() == Some(wanted);
            if open {
                let (_, rest) = line.split_once(['=', ':']).unwrap_or_default();
                value = Some(rest.trim().to_owned());
            }
        }
    }
    value
}

/// The text with a key of a section set: in its place, or at the end of the section.
fn set(text: &str, name: &str, wanted: &str, value: &str) -> String {
    if get(text, name, wanted).as_deref() == Some(value) {
        return text.to_owned();
    }
    let new = format!("{wanted} = {value}");
    let mut lines: Vec<&str> = Vec::new();
    let (mut within, mut dropping, mut end, mut at) = (false, false, 0, None);
    for line in text.lines() {
        if let Some(section) = section(line) {
            (within, dropping) = (section == name, false);
        } else if dropping && continues(line) {
            continue;
        } else if within {
            dropping = key(line).as_deref() == Some(wanted);
            if dropping {
                at = at.or(Some(lines.len()));
                continue;
            }
        }
        lines.push(line);
        if within && !line.trim().is_empty() {
            end = lines.len();
        }
    }
    lines.insert(at.unwrap_or(end), &new);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[sshd]\nPort : 22\nignoreip = 192.0.2.1\n\t192.0.2.2\n# note\n\n[web]\nport = 80\n";

    #[test]
    fn a_key_is_set_in_its_place_and_everything_else_stays() {
        assert_eq!(
            set(FILE, "sshd", "port", "22,2222"),
            FILE.replace("Port : 22", "port = 22,2222")
        );
        assert_eq!(
            set(FILE, "sshd", "ignoreip", "192.0.2.3"),
            FILE.replace("192.0.2.1\n\t192.0.2.2", "192.0.2.3")
        );
        assert_eq!(
            set(FILE, "sshd", "maxretry", "5"),
            FILE.replace("# note\n", "# note\nmaxretry = 5\n")
        );
        assert_eq!(
            set("[sshd]", "sshd", "enabled", "true"),
            "[sshd]\nenabled = true\n"
        );
        assert_eq!(set(FILE, "web", "port", "80"), FILE);
    }

    #[test]
    fn values_over_several_lines_are_one() {
        let found = get(FILE, "sshd", "ignoreip");
        assert_eq!(found.as_deref(), Some("192.0.2.1 192.0.2.2"));
        assert_eq!(get(FILE, "web", "ignoreip"), None);
        assert_eq!(get(FILE, "sshd", "port").as_deref(), Some("22"));
    }
}
