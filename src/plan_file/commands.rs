//! The commands that verify the hosts of a plan: no plan of a host shows them, and yet they run as root.

use super::{PlanFile, SavedHost};
use crate::event::{SavedCommand, WrittenCommand};
use crate::runbook::{self, RenderedProbe, Runbook, World};

/// Every program in the texts of a plan, as written: nothing that a plan says of its hosts can hide one.
pub fn written_in(runbook: &Runbook) -> Vec<WrittenCommand> {
    let all = runbook::programs(runbook).into_iter();
    let told = all.map(|program| WrittenCommand {
        runbook: program.runbook,
        name: program.name,
        key: program.key.to_owned(),
        argv: program.argv,
        items: program.items,
    });
    told.collect()
}

impl PlanFile {
    /// The commands that verify its hosts at the end, with the values of each; those that are alike once. What cannot
    /// be filled in here stands as it is written.
    pub fn commands(&self, runbook: &Runbook, file: &str) -> Vec<SavedCommand> {
        let mut commands: Vec<SavedCommand> = Vec::new();
        for host in &self.hosts {
            for (name, argv) in self.commands_of(host, runbook, file) {
                let known = commands
                    .iter_mut()
                    .find(|one| (&one.name, &one.argv) == (&name, &argv));
                match known {
                    Some(known) => known.hosts.push(host.name.clone()),
                    None => commands.push(SavedCommand {
                        name,
                        argv,
                        hosts: vec![host.name.clone()],
                    }),
                }
            }
        }
        commands
    }

    fn commands_of(
        &self,
        host: &SavedHost,
        runbook: &Runbook,
        file: &str,
    ) -> Vec<(String, Vec<String>)> {
        let Ok(unreached) = host.unreached(file) else {
            return written(runbook);
        };
        let world = World {
            host: &unreached,
            inputs: &host.inputs,
            facts: self.facts_of(&host.name),
            data: &self.data,
        };
        let Ok(rendered) = runbook::render(runbook, &world) else {
            return written(runbook);
        };
        let checks = rendered.checks.into_iter();
        let commands = checks.filter_map(|check| match check.probe {
            RenderedProbe::Command { argv, .. } => Some((check.name, argv)),
            RenderedProbe::Connect { .. }
            | RenderedProbe::Http { .. }
            | RenderedProbe::PasswordLogin
            | RenderedProbe::Ban(_) => None,
        });
        commands.collect()
    }
}

/// The commands of all checks as their author wrote them.
fn written(runbook: &Runbook) -> Vec<(String, Vec<String>)> {
    let all = runbook.all().into_iter();
    let commands = all
        .flat_map(|runbook| &runbook.verify)
        .filter_map(|check| Some((check.name.text.clone(), check.written()?)));
    commands.collect()
}
