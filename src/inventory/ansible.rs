//! Ansible's dynamic inventory JSON in our own structure.
//!
//! Its top level is `{"GROUP": {"hosts": [...], "vars": {...}, "children": [...]}, "_meta":
//! {"hostvars": {"HOST": {...}}}}`, where a group may also be a bare list of hosts (Ansible's
//! "Developing dynamic inventory"). Without `_meta` the variables of each host come from
//! `--host NAME`. Of Ansible's own variables those that say how to reach a host are understood.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::value::Name;

/// Variables that change how Ansible connects, and that we leave to `~/.ssh/config` and sudo.
const NOT_USED: [&str; 9] = [
    "ansible_ssh_private_key_file",
    "ansible_private_key_file",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_args",
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_become_user",
    "ansible_become_password",
];

/// Whether the JSON is Ansible's rather than our own (`hosts`, `groups` and `all`, each a mapping).
pub(super) fn speaks(listed: &Value) -> bool {
    let Some(top) = listed.as_object() else {
        return false;
    };
    let ours = |(key, value): (&String, &Value)| match key.as_str() {
        "hosts" | "groups" => value.is_object(),
        "all" => value
            .as_object()
            .is_some_and(|all| !all.contains_key("hosts") && !all.contains_key("children")),
        _ => false,
    };
    !top.iter().all(ours)
}

/// `_meta.hostvars`, when the program knows it.
pub(super) fn host_vars(listed: &Value) -> Option<BTreeMap<String, Value>> {
    let vars = listed.pointer("/_meta/hostvars")?.as_object()?;
    Some(
        vars.iter()
            .map(|(host, vars)| (host.clone(), vars.clone()))
            .collect(),
    )
}

/// Every host that some group names, in the order of the groups.
pub(super) fn hosts(listed: &Value) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let named = groups(listed).flat_map(|(_, group)| hosts_of(group));
    named.filter(|host| seen.insert(host.clone())).collect()
}

fn groups(listed: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let top = listed.as_object().into_iter().flatten();
    top.filter(|(name, _)| *name != "_meta")
}

/// The hosts of a group: a bare list, a list below `hosts`, or the keys of a mapping there.
fn hosts_of(group: &Value) -> Vec<String> {
    match group.get("hosts").unwrap_or(group) {
        Value::Array(_) => texts(group.get("hosts").or(Some(group))),
        Value::Object(hosts) if group.get("hosts").is_some() => hosts.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .map(|item| {
            item.as_str()
                .map_or_else(|| item.to_string(), str::to_owned)
        })
        .collect()
}

/// The same inventory in our own structure, and what of it could not be taken over.
pub(super) fn translate(listed: &Value, vars: &BTreeMap<String, Value>) -> (Value, Vec<String>) {
    let mut odd = BTreeSet::new();
    let mut own_hosts = Map::new();
    let unlisted = vars.keys().cloned();
    for host in hosts(listed).into_iter().chain(unlisted) {
        let own = settings(
            vars.get(&host),
            &format!("the host `{host}`"),
            true,
            &mut odd,
        );
        own_hosts.entry(host).or_insert(own);
    }
    let mut own_groups = Map::new();
    let mut all = json!({});
    for (name, group) in groups(listed) {
        let whose = format!("the group `{name}`");
        let mut own = settings(group.get("vars"), &whose, false, &mut odd);
        if name == "all" {
            all = own;
            continue;
        }
        if name.parse::<Name>().is_err() {
            odd.insert(format!("{whose} is left out: its name cannot be used here"));
            continue;
        }
        let children = children(group, &mut own_groups);
        if let Some(own) = own.as_object_mut() {
            own.insert("hosts".to_owned(), json!(hosts_of(group)));
            own.insert("groups".to_owned(), json!(children));
        }
        own_groups.insert(name.clone(), own);
    }
    (
        json!({ "hosts": own_hosts, "groups": own_groups, "all": all }),
        odd.into_iter().collect(),
    )
}

/// The groups inside; one that is written nowhere else is an empty group.
fn children(group: &Value, own_groups: &mut Map<String, Value>) -> Vec<String> {
    let mut children = texts(group.get("children"));
    children.retain(|child| child.parse::<Name>().is_ok());
    for child in &children {
        own_groups.entry(child.clone()).or_insert_with(|| json!({}));
    }
    children
}

/// Splits Ansible's variables into connection settings and the rest.
fn settings(vars: Option<&Value>, whose: &str, host: bool, odd: &mut BTreeSet<String>) -> Value {
    let mut own = Map::new();
    let mut rest = Map::new();
    for (name, value) in vars.and_then(Value::as_object).into_iter().flatten() {
        let key = match name.as_str() {
            "ansible_host" | "ansible_ssh_host" if host => "address",
            "ansible_port" | "ansible_ssh_port" => "port",
            "ansible_user" | "ansible_ssh_user" => "user",
            "ansible_connection" => "connection",
            _ => {
                if NOT_USED.contains(&name.as_str()) {
                    odd.insert(format!(
                        "`{name}` of {whose} is not used: write it in ~/.ssh/config"
                    ));
                }
                rest.insert(name.clone(), value.clone());
                continue;
            }
        };
        if !value.is_null() {
            own.insert(key.to_owned(), connection_word(key, value));
        }
    }
    own.insert("vars".to_owned(), Value::Object(rest));
    Value::Object(own)
}

/// Ansible's several ways to speak SSH are one to us.
fn connection_word(key: &str, value: &Value) -> Value {
    match (key, value.as_str()) {
        ("connection", Some("smart" | "openssh" | "paramiko" | "paramiko_ssh")) => json!("ssh"),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_structure_is_told_from_ansibles() {
        assert!(!speaks(
            &json!({ "hosts": { "a": null }, "all": { "user": "x" } })
        ));
        assert!(!speaks(&json!({})));
        assert!(speaks(&json!({ "web": ["a"] })));
        assert!(speaks(&json!({ "all": { "hosts": ["a"] } })));
        assert!(speaks(&json!({ "hosts": ["a"] })));
        assert!(speaks(&json!({ "_meta": { "hostvars": {} } })));
    }

    #[test]
    fn connection_settings_leave_the_variables() {
        let listed = json!({
            "_meta": { "hostvars": { "a": { "ansible_host": "192.0.2.1", "ansible_port": 2222,
                "ansible_connection": "paramiko", "site": "fra", "ansible_ssh_pass": "x" } } },
            "all": { "children": ["web"], "vars": { "ansible_user": "ops" } },
            "web": { "hosts": ["a"], "children": ["inner"] },
            "10.0.0.1": ["a"],
        });
        let (own, odd) = translate(&listed, &host_vars(&listed).unwrap());
        assert_eq!(own["hosts"]["a"]["address"], "192.0.2.1");
        assert_eq!(own["hosts"]["a"]["connection"], "ssh");
        assert_eq!(own["hosts"]["a"]["vars"]["site"], "fra");
        assert_eq!(own["all"]["user"], "ops");
        assert_eq!(own["groups"]["web"]["groups"], json!(["inner"]));
        assert_eq!(odd.len(), 2, "{odd:?}");
    }

    #[test]
    fn hosts_are_found_in_every_form_of_a_group() {
        let listed =
            json!({ "x": ["a"], "y": { "hosts": ["b", "a"] }, "z": { "hosts": { "c": {} } } });
        assert_eq!(hosts(&listed), ["a", "b", "c"]);
    }
}
