//! The types of inputs and what each accepts.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::value::{AbsolutePath, Address, Cidr, Duration, HostName, Port, UserName};

/// The type of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputType {
    pub(super) list: bool,
    pub(super) scalar: Scalar,
}

/// The type of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Int,
    Bool,
    Port,
    Duration,
    Cidr,
    Address,
    HostName,
    UserName,
    Path,
    Url,
}

/// By their names.
pub(super) const SCALARS: [(&str, Scalar); 11] = [
    ("text", Scalar::Text),
    ("int", Scalar::Int),
    ("bool", Scalar::Bool),
    ("port", Scalar::Port),
    ("duration", Scalar::Duration),
    ("cidr", Scalar::Cidr),
    ("address", Scalar::Address),
    ("hostname", Scalar::HostName),
    ("user", Scalar::UserName),
    ("path", Scalar::Path),
    ("url", Scalar::Url),
];

impl FromStr for InputType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (list, word) = match text.strip_prefix("list of ") {
            Some(word) => (true, word.trim()),
            None => (false, text.trim()),
        };
        match SCALARS.iter().find(|(name, _)| *name == word) {
            Some((_, scalar)) => Ok(Self {
                list,
                scalar: *scalar,
            }),
            None => Err(format!("`{text}` is no type")),
        }
    }
}

impl fmt::Display for InputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SCALARS.iter().find(|(_, scalar)| *scalar == self.scalar);
        let name = name.map_or("text", |(name, _)| name);
        write!(f, "{}{name}", if self.list { "list of " } else { "" })
    }
}

impl Scalar {
    /// The value in the form that templates see, or what it must be.
    pub(super) fn accept(self, text: &str) -> Result<Value, String> {
        fn checked<T: FromStr>(text: &str, what: &str) -> Result<Value, String>
        where
            T::Err: fmt::Display,
        {
            match text.parse::<T>() {
                Ok(_) => Ok(Value::from(text)),
                Err(error) => Err(format!("{what} ({error})")),
            }
        }
        match self {
            Scalar::Text => Ok(Value::from(text)),
            Scalar::Int => text
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| "a whole number".to_owned()),
            Scalar::Bool => match text {
                "true" | "yes" => Ok(Value::from(true)),
                "false" | "no" => Ok(Value::from(false)),
                _ => Err("true or false".to_owned()),
            },
            Scalar::Port => match text.parse::<Port>() {
                Ok(port) => Ok(Value::from(port.get())),
                Err(_) => Err("a port, 1 to 65535".to_owned()),
            },
            Scalar::Duration => checked::<Duration>(text, "a time span"),
            Scalar::Cidr => match Cidr::lenient(text) {
                Ok(cidr) => Ok(Value::from(cidr.to_string())),
                Err(error) => Err(format!("a network ({error})")),
            },
            Scalar::Address => checked::<Address>(text, "an address"),
            Scalar::HostName => checked::<HostName>(text, "a host name"),
            Scalar::UserName => checked::<UserName>(text, "a user name"),
            Scalar::Path => checked::<AbsolutePath>(text, "an absolute path"),
            Scalar::Url => match text.split_once("://") {
                Some(("https" | "http", rest)) if !rest.is_empty() && !text.contains(' ') => {
                    Ok(Value::from(text))
                }
                _ if text.is_empty() => Ok(Value::from(text)),
                _ => Err("an http or https address".to_owned()),
            },
        }
    }
}
