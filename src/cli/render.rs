//! `holdfast render`: a runbook's concrete steps for one host, as YAML.

use super::session::{self, complain, print};
use super::{Exit, args, concrete};
use crate::diagnostic::Diagnostic;

/// Flags of `render`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The runbook: a name from `holdfast list`, or a file
    #[arg(value_name = "RUNBOOK")]
    runbook: String,
    /// The host to render it for
    #[arg(long, env = "HOLDFAST_HOST", value_name = "HOST")]
    host: String,
    #[command(flatten)]
    inputs: args::Inputs,
    #[command(flatten)]
    files: args::Files,
    #[command(flatten)]
    connections: args::Connections,
}

pub(super) fn render(args: &Args, _: &args::Output) -> Exit {
    let host = std::slice::from_ref(&args.host);
    let loaded = match session::load(&args.files, host, &args.inputs, &args.runbook) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if loaded.hosts.len() != 1 {
        let names: Vec<&str> = loaded.hosts.iter().map(|host| host.name.as_str()).collect();
        let error = Diagnostic::error(format!(
            "--host must name exactly one host; `{}` names {}",
            args.host,
            names.len()
        ));
        return complain(&error.hint(format!("one of {}", names.join(", "))));
    }
    let steps = match concrete::concrete(loaded, &args.connections) {
        Ok(steps) => steps,
        Err(exit) => return exit,
    };
    match serde_yaml::to_string(&steps) {
        Ok(text) => print(&text),
        Err(error) => complain(&format!("cannot write the steps as YAML: {error}")),
    }
}
