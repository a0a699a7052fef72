//! The text of a unit file, as far as its settings go (systemd.syntax(7)).

/// A setting with the place where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) section: String,
    pub(super) key: String,
    /// 1-based.
    pub(super) line: usize,
}

impl Setting {
    /// As the host names it.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }
}

/// A mistake in the text itself, with its line.
pub(super) type Mistake = (usize, String);

/// The settings that systemd looks at, and what it could not read at all. Names with `X-` are the author's own.
pub(super) fn settings(text: &str) -> (Vec<Setting>, Vec<Mistake>) {
    let (mut settings, mut mistakes) = (Vec::new(), Vec::new());
    let mut section = String::new();
    let mut continued = false;
    for (number, raw) in text.lines().enumerate() {
        let line = raw.trim();
        // A comment within a continued line is skipped, and the line goes on.
        if line.is_empty() && !continued || line.starts_with(['#', ';']) {
            continue;
        }
        let goes_on = line.ends_with('\\');
        if std::mem::replace(&mut continued, goes_on) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.clone_into(&mut section);
            continue;
        }
        let Some((key, _)) = line.split_once('=') else {
            mistakes.push((
                number + 1,
                format!("`{}` is no setting: there is no `=`", short(line)),
            ));
            continue;
        };
        let key = key.trim();
        if section.is_empty() {
            mistakes.push((
                number + 1,
                format!("`{}` stands before any [Section]", short(key)),
            ));
        } else if !section.starts_with("X-") && !key.starts_with("X-") {
            settings.push(Setting {
                section: section.clone(),
                key: key.to_owned(),
                line: number + 1,
            });
        }
    }
    (settings, mistakes)
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_are_found_with_their_lines() {
        let text = "# c\n[Unit]\nAfter = a \\\n  b=c \\\n# between\n  d\n;\n[X-Ours]\nA=1\n[Service]\nX-B=2\nNice=3\n";
        let (settings, mistakes) = settings(text);
        let names: Vec<_> = settings.iter().map(|s| (s.full_name(), s.line)).collect();
        assert_eq!(
            names,
            [
                ("Unit.After".to_owned(), 3),
                ("Service.Nice".to_owned(), 12)
            ]
        );
        assert!(mistakes.is_empty());
    }

    #[test]
    fn what_is_no_setting_is_told() {
        let (_, mistakes) = settings("A=1\n[Unit]\nGarbage\n");
        let lines: Vec<usize> = mistakes.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([\\[\\]a=\\\\#\n ]|\\PC){0,60}") {
            let _ = settings(&text);
        }
    }
}
