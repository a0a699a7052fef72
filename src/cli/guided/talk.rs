//! The talk about one step of one group of hosts, up to an answer that lets them go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Verdict;
use super::answer::{Answer, Scope, menu, parse};
use crate::cli::ask::Heard;
use crate::cli::asking::Panel;
use crate::cli::sinks::Teller;
use crate::engine::{Asked, Decision, Job, Question};
use crate::runbook::{InputSpec, Inputs};
use crate::transport;

/// What a talk came to.
#[derive(Default)]
pub(super) struct Talk {
    /// An answer that ends the asking, and for whom.
    pub(super) verdict: Option<(Verdict, Scope)>,
    /// Whether nobody is there any more.
    pub(super) gone: bool,
}

/// Asks the question of a manual step, as long as its host waits for the answer.
pub(super) async fn question(teller: &Teller, asked: Question) -> Talk {
    let Question { text, mut answer } = asked;
    let said = tokio::select! {
        biased;
        () = answer.closed() => return Talk::default(),
        said = teller.confirm(text) => said,
    };
    if let Some(said) = said {
        // Whoever asked may have been stopped meanwhile.
        let _ = answer.send(said);
    }
    Talk {
        gone: said.is_none(),
        ..Talk::default()
    }
}

/// Reads a line, as long as one of the hosts waits for what comes of it.
async fn heard(teller: &Teller, group: &mut [Asked], (panel, prompt): (Panel, String)) -> Heard {
    let all_ended = async {
        for asked in group {
            asked.answer.closed().await;
        }
    };
    tokio::select! {
        biased;
        () = all_ended => Heard::Moot,
        heard = teller.ask(panel, prompt) => heard,
    }
}

/// Talks until there is an answer, and gives it to the hosts.
pub(super) async fn talk(job: &Arc<Job>, teller: &Teller, mut group: Vec<Asked>) -> Talk {
    let Some(first) = group.first() else {
        return Talk::default();
    };
    let hosts: Vec<String> = group.iter().map(|asked| asked.host.clone()).collect();
    let question = first.question.clone();
    // A saved plan is performed as it is, and what is taken back is what was done.
    let is_free = job.promise.is_none() && job.undoes.is_none();
    let has_inputs = is_free && !job.runbook.inputs.is_empty();
    let menu = format!("{}\n>", menu(&question, has_inputs));
    let step = || Panel::Step(hosts.clone(), Box::new(question.clone()));
    let mut panel = step();
    loop {
        let line = match heard(teller, &mut group, (panel, menu.clone())).await {
            Heard::Line(line) => line,
            Heard::Stopped | Heard::Moot => return Talk::default(),
            Heard::Gone => {
                return Talk {
                    gone: true,
                    ..Talk::default()
                };
            }
        };
        panel = match parse(&line, &question, has_inputs) {
            Answer::None(words) => Panel::Words(words),
            Answer::Details => Panel::Details(hosts.clone(), Box::new(question.clone())),
            Answer::Edit(given) => match edit(job, teller, &mut group, given).await {
                Ok((input, value, inputs)) => {
                    give_each(group, |host| {
                        let inputs = inputs.get(host).cloned()?;
                        Some(Decision::Edit(
                            Box::new(inputs),
                            input.clone(),
                            value.clone(),
                        ))
                    });
                    return Talk::default();
                }
                Err(words) => Panel::Words(words),
            },
            Answer::Shell(name) => match shell(teller, &group, name.as_deref()).await {
                Ok(()) => return give(group, &Decision::Shell),
                Err(words) => Panel::Words(words),
            },
            Answer::Apply => return give(group, &Decision::Apply),
            Answer::Skip => return give(group, &Decision::Skip),
            Answer::Again => return give(group, &Decision::Again),
            Answer::Back => return give(group, &Decision::Back),
            Answer::Finish(scope) => return end(group, Verdict::Finish, scope),
            Answer::Undo(scope) => return end(group, Verdict::Undo, scope),
            Answer::Keep(scope) => return end(group, Verdict::Keep, scope),
        };
    }
}

fn give(group: Vec<Asked>, decision: &Decision) -> Talk {
    give_each(group, |_| Some(decision.clone()));
    Talk::default()
}

fn give_each(group: Vec<Asked>, decision: impl Fn(&str) -> Option<Decision>) {
    for asked in group {
        if let Some(decision) = decision(&asked.host) {
            super::answer(asked, decision);
        }
    }
}

fn end(group: Vec<Asked>, verdict: Verdict, scope: Scope) -> Talk {
    Talk {
        verdict: Some((verdict, scope)),
        ..give(group, &verdict.into())
    }
}

/// An input, its new value, and the inputs of every host with it.
type Edited = (String, Value, BTreeMap<String, Inputs>);

/// Another value for an input, checked as on the command line; asked for until it is one, or none is wanted.
async fn edit(
    job: &Job,
    teller: &Teller,
    group: &mut [Asked],
    given: Option<String>,
) -> Result<Edited, String> {
    let mut given = given;
    let mut words = inputs(job, group);
    loop {
        let line = match given.take() {
            Some(line) => line,
            None => match heard(teller, group, (Panel::Words(words), EDIT.to_owned())).await {
                Heard::Line(line) => line,
                Heard::Stopped | Heard::Gone | Heard::Moot => String::new(),
            },
        };
        if line.is_empty() {
            return Err("Nothing was edited.".to_owned());
        }
        let Some((name, value)) = line.split_once('=') else {
            words = format!("`{line}` must be NAME=VALUE");
            continue;
        };
        let value = Value::from(value.trim());
        match with(job, group, (name.trim(), &value)) {
            Ok(inputs) => return Ok((name.trim().to_owned(), value, inputs)),
            Err(mistakes) => words = mistakes,
        }
    }
}

const EDIT: &str = "NAME=VALUE, or Enter for none >";

fn with(
    job: &Job,
    group: &[Asked],
    (name, value): (&str, &Value),
) -> Result<BTreeMap<String, Inputs>, String> {
    let mut all = BTreeMap::new();
    for asked in group {
        let Some(now) = &asked.inputs else {
            continue;
        };
        let inputs = now.with(&job.runbook.inputs, name, value.clone());
        all.insert(asked.host.clone(), inputs.map_err(|said| said.to_string())?);
    }
    Ok(all)
}

/// The inputs as they are on the first host.
fn inputs(job: &Job, group: &[Asked]) -> String {
    let first = group.first().and_then(|asked| asked.inputs.as_ref());
    let values = first.map(Inputs::to_value).unwrap_or_default();
    let line = |input: &InputSpec| {
        let value = shown(&values[input.name.as_str()]);
        let help = if input.help.is_empty() {
            String::new()
        } else {
            format!(": {}", input.help)
        };
        format!("{}={value} ({}){help}", input.name, input.ty)
    };
    let lines: Vec<String> = job.runbook.inputs.iter().map(line).collect();
    lines.join("\n")
}

/// A value as it is written on the command line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Hands the terminal over to a shell on one of the hosts.
async fn shell(teller: &Teller, group: &[Asked], name: Option<&str>) -> Result<(), String> {
    let names = || {
        let names: Vec<&str> = group.iter().map(|asked| asked.host.as_str()).collect();
        names.join(", ")
    };
    let asked = match (name, group) {
        (None, [only]) => only,
        (None, _) => return Err(format!("On which host? h NAME, one of {}.", names())),
        (Some(name), _) => group
            .iter()
            .find(|asked| asked.host == name)
            .ok_or_else(|| format!("`{name}` is none of these hosts: {}.", names()))?,
    };
    let way = asked.shell.clone();
    let host = asked.host.clone();
    let away = move || match transport::hand_over(&way) {
        Ok(()) => None,
        Err(error) => Some(format!("No shell on {host}: {error}.")),
    };
    match teller.away(Box::new(away)).await {
        Some(words) => Err(words),
        None => Ok(()),
    }
}
