//! What `hf_fail2ban` (src/host/fail2ban.read.sh) answers about a jail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Lines;
use crate::probe::ParseError;

/// fail2ban and one jail of it on a host.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether the program is there.
    pub(super) installed: bool,
    /// Whether it is not, but files of an earlier installation are.
    pub(super) leftover: bool,
    /// The first process.
    pub(super) init: String,
    /// `LoadState` of `fail2ban.service`.
    pub(super) unit: String,
    /// The version of the package; empty when it came otherwise.
    pub(super) package: String,
    /// Python modules that cannot be loaded, with the reason in brackets.
    pub(super) lacks: Vec<String>,
    /// Our file: `None` when there is none.
    pub(super) file: Option<String>,
    /// Something that is no plain file stands in its place: `link` or `other`.
    pub(super) odd_file: Option<String>,
    /// Whether the files as a whole can be read by fail2ban.
    pub(super) sound: bool,
    /// What fail2ban complains about when it reads them.
    pub(super) problems: Vec<String>,
    /// Settings of others for this jail that lose to our file: key, file, value.
    pub(super) earlier: Vec<Other>,
    /// Settings of others for this jail that win over our file.
    pub(super) later: Vec<Other>,
    /// Whether other files say what is ignored.
    pub(super) others_ignore: OthersIgnore,
    /// How long fail2ban remembers a ban that is over, in seconds.
    pub(super) purge_age: Option<u64>,
    /// Whether it has a database, from which bans come back.
    pub(super) database: bool,
    /// Jails that the files put in use.
    pub(super) static_jails: Vec<String>,
    /// What the files say.
    pub(super) files: Effect,
    /// Whether the server answers.
    pub(super) serves: bool,
    /// Jails that the server has.
    pub(super) live_jails: Vec<String>,
    /// What the server does.
    pub(super) live: Effect,
    /// Ports that the packet filter asks about and that the server does not know of.
    pub(super) stale_port: Option<String>,
}

/// The settings of a jail as they are in effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// Whether the jail is in use.
    pub(super) enabled: bool,
    values: Vec<(String, String)>,
    /// Networks that are ignored, in canonical text where they are networks.
    pub(super) ignore: Vec<String>,
    /// The actions of a ban.
    pub(super) actions: Vec<String>,
}

impl Effect {
    /// The value of a setting; empty when it has none.
    pub(super) fn get(&self, key: &str) -> &str {
        if key == "enabled" {
            return if self.enabled { "yes" } else { "no" };
        }
        let found = self.values.iter().find(|(name, _)| name == key);
        found.map_or("", |(_, value)| value)
    }

    fn parse(lines: &Lines<'_>, prefix: &str) -> Self {
        let all = |key: &str| -> Vec<String> {
            let key = format!("{prefix}.{key}");
            lines.all(&key).map(str::to_owned).collect()
        };
        let keys = super::SETTINGS.fields.iter().map(|field| field.name);
        let value = |key: &str| all(key).first().cloned().unwrap_or_default();
        Self {
            enabled: value("enabled") == "yes",
            values: keys.map(|key| (key.to_owned(), value(key))).collect(),
            ignore: all("ignore"),
            actions: all("action"),
        }
    }
}

/// A setting in a file of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) key: String,
    pub(super) file: String,
    pub(super) value: String,
}

/// Whether other files say what is ignored, so that ours can go on from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum OthersIgnore {
    /// They do not: naming `%(known/ignoreip)s` would make the whole configuration unreadable.
    #[default]
    No,
    /// They do.
    Yes,
    /// They do, and go on from earlier files themselves: a second time fail2ban never finds an end.
    Chained,
}

impl Look {
    pub(super) fn parse(lines: &Lines<'_>) -> Result<Self, ParseError> {
        let installed = match lines.get("installed") {
            "yes" => true,
            "no" => false,
            _ => return Err(lines.unreadable("it does not say whether fail2ban is installed")),
        };
        if installed && !lines.is("root") {
            return Err(lines.unreadable("needs root to ask fail2ban"));
        }
        let odd = Some(lines.get("file")).filter(|kind| ["link", "other"].contains(kind));
        let list = |key: &str| -> Vec<String> { lines.all(key).map(str::to_owned).collect() };
        Ok(Self {
            installed,
            leftover: lines.is("leftover"),
            init: lines.get("init").to_owned(),
            unit: lines.get("unit").to_owned(),
            package: lines.get("package").to_owned(),
            lacks: list("lacks"),
            file: file(lines)?,
            odd_file: odd.map(str::to_owned),
            sound: lines.get("config") == "ok",
            problems: list("problem"),
            earlier: lines.all("earlier").filter_map(other).collect(),
            later: lines.all("later").filter_map(other).collect(),
            others_ignore: match lines.get("others_ignore") {
                "yes" => OthersIgnore::Yes,
                "known" => OthersIgnore::Chained,
                _ => OthersIgnore::No,
            },
            purge_age: lines.get("dbpurgeage").parse().ok(),
            database: !["", "None", ":memory:"].contains(&lines.get("dbfile")),
            static_jails: list("static.jail"),
            files: Effect::parse(lines, "static"),
            serves: lines.is("server"),
            live_jails: list("live.jail"),
            live: Effect::parse(lines, "live"),
            stale_port: lines.all("stale_port").next().map(str::to_owned),
        })
    }

    /// Whether a Python module that fail2ban needs for this cannot be loaded, and why.
    pub(super) fn lacking(&self, module: &str) -> Option<&str> {
        let found = self.lacks.iter().find(|text| text.starts_with(module));
        found.map(String::as_str)
    }
}

fn file(lines: &Lines<'_>) -> Result<Option<String>, ParseError> {
    if lines.get("file") != "plain" {
        return Ok(None);
    }
    let bytes = BASE64.decode(lines.get("content"));
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some)
        .ok_or_else(|| lines.unreadable("our file in it is no text"))
}

/// `KEY FILE VALUE`; what has a blank in its name comes out wrong in a message, and nowhere else.
fn other(line: &str) -> Option<Other> {
    let mut words = line.splitn(3, ' ').map(str::to_owned);
    Some(Other {
        key: words.next()?,
        file: words.next()?,
        value: words.next().unwrap_or_default(),
    })
}
