//! Finds the files of an inventory, reads them and joins them.

use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Inventory, file, merge, script};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::yaml;

/// Loads the inventory at `path`: a YAML file, a program, or a folder of them.
///
/// Of a folder, every file that ends in `.yaml` or `.yml` is read and every other executable is
/// run with `--list`, in alphabetical order; names that start with a dot are left alone. Folders
/// inside are not entered.
///
/// # Errors
/// Everything that is wrong in all files, at once. A folder or a program that anybody may write to
/// is refused: whoever can change it decides what runs as root on the hosts.
pub fn load(path: &Path) -> Result<Inventory, Diagnostics> {
    let metadata = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
    let mut out = Diagnostics::new();
    if !metadata.is_dir() {
        // A file that was named outright is YAML, whatever its name.
        let source = source_of(path, &mut out)?.map_or_else(|| text_of(path), Ok)?;
        return read(vec![source], out);
    }
    refuse_world_writable(path, &metadata)?;
    let mut sources = Vec::new();
    for file in files_of(path, &mut out)? {
        match source_of(&file, &mut out) {
            Ok(Some(source)) => sources.push(source),
            Ok(None) => out.append(not_read(&file)),
            Err(error) => out.push(error),
        }
    }
    read(sources, out)
}

/// Reads and joins texts that were already fetched.
pub(super) fn read(sources: Vec<Source>, mut out: Diagnostics) -> Result<Inventory, Diagnostics> {
    let mut layers = Vec::new();
    for source in sources {
        match yaml::parse(&source) {
            Ok(node) => layers.push(file::read(&node, &mut out)),
            Err(error) => out.push(error),
        }
    }
    merge::merge(layers, out)
}

/// The files of a folder that may hold inventory, sorted by name.
fn files_of(folder: &Path, out: &mut Diagnostics) -> Result<Vec<PathBuf>, Diagnostic> {
    let entries = fs::read_dir(folder).map_err(|error| cannot_read(folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot_read(folder, &error))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() {
            out.append(not_entered(&path, &name));
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Ansible keeps variables in folders beside the inventory; whoever comes from there must be told.
fn not_entered(path: &Path, name: &str) -> Diagnostics {
    let ansible = matches!(name, "group_vars" | "host_vars");
    let message = format!("{} is not read", path.display());
    let hint = "write variables below `vars:` of the host or group";
    ansible
        .then(|| Diagnostic::warning(message).hint(hint))
        .into_iter()
        .collect()
}

/// The text of a YAML file, or what a program prints; `None` for a file that is neither.
fn source_of(path: &Path, out: &mut Diagnostics) -> Result<Option<Source>, Diagnostic> {
    let metadata = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    if matches!(extension, Some("yaml" | "yml")) {
        return text_of(path).map(Some);
    }
    if metadata.permissions().mode() & 0o111 != 0 {
        refuse_world_writable(path, &metadata)?;
        return script::run(path, out).map(Some);
    }
    Ok(None)
}

fn text_of(path: &Path) -> Result<Source, Diagnostic> {
    let text = fs::read_to_string(path).map_err(|error| cannot_read(path, &error))?;
    Ok(Source::new(path, text))
}

/// A file that looks as if somebody meant it.
fn not_read(path: &Path) -> Diagnostics {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let notes = matches!(extension, Some("md" | "txt"));
    let message = format!("{} is not read", path.display());
    let hint = "an inventory file ends in .yaml or .yml, or is a program (chmod +x)";
    (!notes)
        .then(|| Diagnostic::warning(message).hint(hint))
        .into_iter()
        .collect()
}

fn refuse_world_writable(path: &Path, metadata: &Metadata) -> Result<(), Diagnostic> {
    if metadata.permissions().mode() & 0o002 == 0 {
        return Ok(());
    }
    let message = format!(
        "{} can be changed by every user of this machine, so it is not used",
        path.display()
    );
    Err(Diagnostic::error(message).hint(format!("chmod o-w {}", path.display())))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Diagnostic {
    let message = format!("cannot read the inventory {}: {error}", path.display());
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Diagnostic::error(message).hint("-i names another file or folder")
        }
        std::io::ErrorKind::InvalidData => {
            Diagnostic::error(message).hint("the file must be UTF-8 text")
        }
        _ => Diagnostic::error(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Connection, Host};
    use proptest::prelude::*;
    use serde_json::json;

    fn inventory(texts: &[&str]) -> Result<Inventory, Diagnostics> {
        let named = texts.iter().enumerate();
        let sources = named.map(|(index, text)| Source::new(format!("{index}.yaml"), *text));
        read(sources.collect(), Diagnostics::new())
    }

    fn good(texts: &[&str]) -> Inventory {
        inventory(texts).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn mistakes(texts: &[&str]) -> Vec<String> {
        let said = |d: &Diagnostic| match &d.place {
            Some(place) => format!(
                "{place} {} ({})",
                d.message,
                d.hint.as_deref().unwrap_or("")
            ),
            None => d.message.clone(),
        };
        inventory(texts).unwrap_err().iter().map(said).collect()
    }

    fn warnings(inventory: &Inventory) -> Vec<String> {
        inventory
            .warnings()
            .iter()
            .map(|d| d.message.clone())
            .collect()
    }

    fn host<'a>(inventory: &'a Inventory, name: &str) -> &'a Host {
        inventory.host(name).unwrap()
    }

    #[test]
    fn a_host_needs_nothing_but_a_name() {
        let inventory = good(&["hosts:\n  web-1:\n  web-2: 192.0.2.2\ngroups:\nall:\n"]);
        let names: Vec<_> = inventory
            .hosts()
            .iter()
            .map(|h| h.name.to_string())
            .collect();
        assert_eq!(names, ["web-1", "web-2"]);
        assert_eq!(host(&inventory, "web-1").address.as_str(), "web-1");
        assert_eq!(host(&inventory, "web-2").address.as_str(), "192.0.2.2");
        assert_eq!(host(&inventory, "web-1").connection, Connection::Ssh);
        assert_eq!(host(&inventory, "web-1").place.to_string(), "0.yaml:2:3");
    }

    #[test]
    fn empty_files_are_empty() {
        assert!(
            good(&["", "# nothing\n", "---\n", "hosts:\n"])
                .hosts()
                .is_empty()
        );
    }

    #[test]
    fn hosts_win_over_groups_and_inner_groups_over_outer_ones() {
        let inventory = good(&["
all: { user: ops, port: 2200, vars: { a: all, b: all, c: all, d: all } }
hosts:
  web-1: { groups: [web], tags: own, vars: { d: host } }
groups:
  zone: { groups: [web], port: 2201, tags: [z], vars: { b: zone, c: zone, d: zone } }
  web: { user: www, tags: [w], vars: { c: web, d: web } }
"]);
        let host = host(&inventory, "web-1");
        assert_eq!(
            serde_json::Value::from(host.vars.clone()),
            json!({"a": "all", "b": "zone", "c": "web", "d": "host"})
        );
        assert_eq!(host.user.as_ref().unwrap().as_str(), "www");
        assert_eq!(host.port.unwrap().get(), 2201);
        let names = |set: &std::collections::BTreeSet<crate::value::Name>| {
            set.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&host.groups), ["web", "zone"]);
        assert_eq!(names(&host.tags), ["own", "w", "z"]);
        assert!(inventory.warnings().is_empty(), "{}", inventory.warnings());
    }

    #[test]
    fn groups_that_disagree_are_named_once_and_only_when_it_matters() {
        let file = "
hosts:
  a: { groups: [east, web] }
  b: { groups: [east, web] }
groups:
  east: { vars: { mtu: 1400, same: 1 } }
  web: { vars: { mtu: 1500, same: 1 } }
";
        let inventory = good(&[file]);
        assert_eq!(
            warnings(&inventory),
            [
                "`a` is in the groups `east` and `web`, which give the variable `mtu` different values; `web` wins"
            ]
        );
        assert_eq!(host(&inventory, "a").vars["mtu"], json!(1500));
        // Said at the host, or decided by one group being inside the other: no question is open.
        let said = file.replace("web] }", "web], vars: { mtu: 9000 } }");
        assert!(good(&[&said]).warnings().is_empty());
        let inside = file.replace("web: {", "web: { groups: [east],");
        assert!(good(&[&inside]).warnings().is_empty());
        assert_eq!(host(&good(&[&inside]), "a").vars["mtu"], json!(1400));
    }

    #[test]
    fn inputs_keep_their_place_for_the_runbook_loader() {
        let inventory = good(&["
hosts:
  a:
    inputs:
      ufw-cf-refresh: { ports: [443, 8443] }
all: { inputs: { ufw-cf-refresh: { ports: [443], allow_80: true } } }
"]);
        let inputs = &host(&inventory, "a").inputs["ufw-cf-refresh"];
        assert_eq!(inputs["ports"].0, json!([443, 8443]));
        assert_eq!(inputs["ports"].1.to_string(), "0.yaml:5:32");
        assert_eq!(inputs["allow_80"].0, json!(true));
    }

    #[test]
    fn every_mistake_is_said_at_its_place() {
        let said = mistakes(&["
hosts:
  web_1:
  web-1: { adress: x, port: 70000, connection: locla, user: Root }
  web-2: { address: -oProxyCommand=x, groups: [webb], tags: [1a] }
  all:
groups:
  web: { hosts: [web-1, wbe-2], groups: [web], vars: [] }
  3d: {}
grups: {}
"]);
        let expected = [
            "0.yaml:3:3 `web_1` is not valid: '_' is not allowed in a host name (letters, digits and hyphens; RFC 1123) ()",
            "0.yaml:4:12 unknown key `adress` in a host (did you mean `address`?)",
            "0.yaml:4:29 `port` must be a whole number from 1 to 65535, not `70000` ()",
            "0.yaml:4:48 `connection` must be one of ssh, local, not `locla` (did you mean `local`?)",
            "0.yaml:4:61 `Root` is not valid: a user name is 1 to 32 of a-z, 0-9, _ and -, and starts with a letter or _ ()",
            "0.yaml:5:21 `-oProxyCommand=x` is not valid: an address never starts with `-`: ssh would read it as an option ()",
            "0.yaml:5:48 there is no group `webb` (did you mean `web`?)",
            "0.yaml:5:62 `1a` is not valid: a name is 1 to 64 letters, digits, - and _, and starts with a letter ()",
            "0.yaml:6:3 `all` means every host and cannot be the name of one or of a group ()",
            "0.yaml:8:3 these groups contain each other in a ring: web in web ()",
            "0.yaml:8:25 there is no host `wbe-2` (did you mean `web-2`?)",
            "0.yaml:8:54 `vars` must be a mapping, not a list ()",
            "0.yaml:9:3 `3d` is not valid: a name is 1 to 64 letters, digits, - and _, and starts with a letter ()",
            "0.yaml:10:1 unknown key `grups` in an inventory file (did you mean `groups`?)",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn variables_that_do_not_mean_what_they_look_like_are_told() {
        let inventory = good(&["
hosts:
  a: { vars: { mode: 0644, list: [007, ok], zero: 0, on: no, quoted: '0644', t: '{{ x }}', f: 0.5 } }
"]);
        let said = warnings(&inventory);
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].contains("`mode`: 0644 is kept as a text"));
        assert!(said[1].contains("`list`: 007"));
        assert!(said[2].contains("`on`: no"));
        assert!(said[3].contains("`t`: braces"));
        assert_eq!(host(&inventory, "a").vars["mode"], json!("0644"));
    }

    #[test]
    fn files_add_up_and_contradictions_name_both_places() {
        let inventory = good(&[
            "hosts: { a: { port: 22 } }\ngroups: { web: { hosts: [a] } }",
            "hosts: { b: , a: }\ngroups: { web: { hosts: [b], vars: { x: 1 } } }",
            "hosts: { a: { port: 22 } }",
        ]);
        assert_eq!(inventory.hosts().len(), 2);
        assert_eq!(host(&inventory, "a").vars["x"], json!(1));
        let again = host(&inventory, "a")
            .again
            .as_ref()
            .map(ToString::to_string);
        assert_eq!(again.as_deref(), Some("2.yaml:1:10"));
        assert_eq!(host(&inventory, "b").again, None);
        let said = mistakes(&[
            "hosts: { a: { port: 22 } }\nall: { vars: { x: 1 } }\ngroups: { g: { user: x } }",
            "hosts: { a: { port: 23 } }\nall: { vars: { x: 2 } }\ngroups: { g: { user: y } }",
        ]);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(
            said[0].starts_with("1.yaml:1:10 the host `a` is defined twice"),
            "{said:?}"
        );
        assert!(said[0].contains("0.yaml:1:10"), "{said:?}");
        assert!(
            said[1].contains("the variable `x` of `all` has another value"),
            "{said:?}"
        );
        assert!(
            said[2].contains("`user` of the group `g` has another value"),
            "{said:?}"
        );
    }

    fn yaml_tree() -> impl Strategy<Value = serde_json::Value> {
        let words = prop::sample::select(vec![
            "hosts",
            "groups",
            "all",
            "vars",
            "inputs",
            "tags",
            "port",
            "user",
            "address",
            "connection",
            "local",
            "a",
            "b",
            "web",
            "-x",
            "0644",
            "{{ x }}",
            "no",
            "",
        ]);
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
            words.clone().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            let map = prop::collection::btree_map(words.clone(), inner.clone(), 0..6);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(serde_json::Value::from),
                map.prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,200}|(?s).{0,200}") {
            let _ = inventory(&[&text]).map_err(|errors| errors.to_string());
        }

        #[test]
        fn any_tree_is_read_without_panic(hosts in yaml_tree(), groups in yaml_tree(), all in yaml_tree()) {
            let file = json!({ "hosts": hosts, "groups": groups, "all": all }).to_string();
            let read = inventory(&[&file]).map_err(|errors| errors.to_string());
            if let Ok(inventory) = read {
                let _ = crate::inventory::select(&inventory, &["web,!a".to_owned()]);
            }
            let listed = json!({ "web": hosts, "all": groups, "_meta": all });
            let vars = crate::inventory::ansible::host_vars(&listed).unwrap_or_default();
            let own = crate::inventory::ansible::translate(&listed, &vars).0.to_string();
            let _ = inventory(&[&own]).map_err(|errors| errors.to_string());
        }
    }
}
