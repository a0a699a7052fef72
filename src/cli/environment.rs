//! Every flag is a variable as well, `HOLDFAST_<FLAG>`. A variable that is empty, or says no to a flag, counts as if
//! it were not there: `HOLDFAST_YES=0` is no contradiction to `--guided`.

use std::ffi::{OsStr, OsString};

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, ArgAction, Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;

/// What the command line and the environment say, as far as it is no mistake.
///
/// # Errors
/// What clap has to say, and the variables that it is about.
pub(super) fn parse() -> Result<Cli, (clap::Error, Vec<String>)> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let matches = prepared(Cli::command()).try_get_matches_from(&words);
    matches
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| {
            let named = blamed(&error, &words);
            (error, named)
        })
}

/// The command with the variables as they are meant.
fn prepared(command: Command) -> Command {
    command
        .mut_args(prepare)
        .mut_subcommands(|verb| verb.mut_args(prepare))
}

fn prepare(arg: Arg) -> Arg {
    let Some(value) = value(&arg) else {
        return arg;
    };
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    if value.is_empty() || (is_flag && is_no(&value)) {
        deaf(arg)
    } else if is_flag {
        arg.value_parser(BoolishValueParser::new())
    } else {
        arg
    }
}

/// What its variable says.
fn value(arg: &Arg) -> Option<OsString> {
    std::env::var_os(arg.get_env()?)
}

/// Without its variable.
fn deaf(arg: Arg) -> Arg {
    arg.env(Resettable::Reset)
}

fn is_no(value: &OsStr) -> bool {
    let words = ["0", "n", "no", "f", "false", "off"];
    value
        .to_str()
        .is_some_and(|value| words.contains(&value.to_lowercase().as_str()))
}

/// The variables that a mistake is about: it would not be there, or be another, without them, and names their flags.
fn blamed(error: &clap::Error, words: &[OsString]) -> Vec<String> {
    let deaf = Cli::command()
        .mut_args(deaf)
        .mut_subcommands(|verb| verb.mut_args(deaf));
    let said = error.to_string();
    if matches!(deaf.try_get_matches_from(words), Err(other) if other.to_string() == said) {
        return Vec::new();
    }
    let command = Cli::command();
    let verb = command
        .get_subcommands()
        .find(|verb| words.iter().any(|word| word == verb.get_name()));
    let all = command
        .get_arguments()
        .chain(verb.into_iter().flat_map(Command::get_arguments));
    let named = all.filter_map(|arg| {
        let flag = format!("--{}", arg.get_long()?);
        let is_named = said
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .any(|word| word == flag);
        let value = value(arg).filter(|value| is_named && !value.is_empty())?;
        Some(format!("{}={}", arg.get_env()?.display(), value.display()))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_a_variable_of_its_name() {
        let mut command = Cli::command();
        command.build();
        let mut flags = 0;
        let verbs = command.get_subcommands().chain([&command]);
        for verb in verbs {
            for arg in verb.get_arguments() {
                let Some(long) = arg
                    .get_long()
                    .filter(|long| !["help", "version"].contains(long))
                else {
                    continue;
                };
                let wanted = format!("HOLDFAST_{}", long.to_uppercase().replace('-', "_"));
                let variable = arg.get_env().and_then(OsStr::to_str);
                assert_eq!(
                    variable,
                    Some(wanted.as_str()),
                    "{} --{long}",
                    verb.get_name()
                );
                flags += 1;
            }
        }
        assert!(flags > 100, "{flags}");
    }
}
