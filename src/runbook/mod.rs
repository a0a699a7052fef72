//! Runbooks: what an author wrote, checked as a whole before any host is asked.

mod check;
mod concrete;
mod fill;
mod include;
mod input;
mod interlude;
mod left;
mod library;
mod load;
mod other_ports;
mod parts;
mod reference;
mod render;
mod step;
mod step_shape;
mod supports;
mod trial;
mod written;

use crate::data;
use crate::diagnostic::Source;
use crate::risk::Risk;
use crate::template::{Templates, Text};
use crate::value::{Duration, Name};
use crate::yaml::Node;

pub use check::{Check, Expect, Reach, RenderedCheck, RenderedProbe};
pub use concrete::{concrete, concrete_of};
pub use include::Include;
pub use input::{InputSpec, InputType, Inputs};
pub use interlude::{Interlude, Manual};
pub use left::{Left, What, left};
pub use library::{Entry, Library, LibraryError, Origin, load_saved};
pub use load::load;
pub use other_ports::other_ports;
pub use parts::{Part, parts};
pub use reference::reference;
pub use render::{Rendered, RenderedGuard, RenderedStep, World, render, scope};
pub use supports::{Fit, Supported};
pub use trial::Ban;
pub use written::{Written, programs};

/// A checked runbook.
#[derive(Debug)]
pub struct Runbook {
    /// Its name, the one of its file.
    pub name: Name,
    /// One line: what it does.
    pub summary: String,
    /// Why one wants that.
    pub why: String,
    /// How much it can break.
    pub risk: Risk,
    /// Which systems it is made for; empty means any.
    pub supports: Vec<Supported>,
    /// What it can be told.
    pub inputs: Vec<InputSpec>,
    /// External data, fetched once per run.
    pub data: Vec<data::Spec>,
    /// Ports to try when a host does not answer on the one it should: those that this runbook itself
    /// moves SSH to or from.
    pub also_try_ports: Vec<Text>,
    /// Its steps in order.
    pub steps: Vec<Step>,
    /// Its checks in effect.
    pub verify: Vec<Check>,
    /// The file.
    pub source: Source,
    /// The template files it may use.
    pub templates: Templates,
}

/// One step as written.
#[derive(Debug)]
pub struct Step {
    /// For others to refer to.
    pub id: Option<Name>,
    /// The desired state, a template.
    pub name: Text,
    /// Why; shown with the step.
    pub why: Option<String>,
    /// Its own risk, at most the runbook's.
    pub risk: Risk,
    /// What it is.
    pub act: Act,
    /// Only when this holds.
    pub when: Option<Text>,
    /// Once for each of these, as `item`.
    pub for_each: Option<Vec<Text>>,
    /// Ids of earlier steps after whose changes this one is looked at again.
    pub after: Vec<String>,
    /// Ids of earlier steps whose changes ask this service to reload.
    pub reload_on: Vec<String>,
    /// Whether the host takes its changes back by itself unless a new login proves that we still get in;
    /// `None` when the step does not say: then the kind and the risk decide.
    pub guard: Option<Guard>,
    /// What to do when it fails.
    pub retry: Retry,
    /// How long its changes may take on the host.
    pub timeout: Duration,
    /// For `--tags`.
    pub tags: Vec<Name>,
}

/// What a step is.
#[derive(Debug)]
pub enum Act {
    /// A desired state of a resource.
    Resource {
        /// The kind of resource.
        kind: &'static crate::resource::Kind,
        /// What stands below the kind's key.
        body: Node,
    },
    /// The steps of another runbook.
    Include(Include),
    /// Something that a person must do.
    Manual(Manual),
    /// A time to wait.
    Pause(Text),
}

impl Step {
    /// What other steps call it by: its id; an include without one, the name of its runbook.
    pub fn label(&self) -> Option<String> {
        match (&self.id, &self.act) {
            (Some(id), _) => Some(id.to_string()),
            (None, Act::Include(include)) => Some(include.runbook.name.to_string()),
            (None, Act::Resource { .. } | Act::Manual(_) | Act::Pause(_)) => None,
        }
    }
}

impl Runbook {
    /// What has a name and does nothing, for runs that look at hosts without a runbook.
    pub fn nothing(name: Name, summary: &str) -> Self {
        Self {
            summary: summary.to_owned(),
            why: String::new(),
            risk: Risk::Low,
            supports: Vec::new(),
            inputs: Vec::new(),
            data: Vec::new(),
            also_try_ports: Vec::new(),
            steps: Vec::new(),
            verify: Vec::new(),
            source: Source::new(name.to_string(), ""),
            name,
            templates: Templates::default(),
        }
    }

    /// The includes among its steps.
    pub fn includes(&self) -> impl Iterator<Item = &Include> {
        self.steps.iter().filter_map(|step| match &step.act {
            Act::Include(include) => Some(include),
            Act::Resource { .. } | Act::Manual(_) | Act::Pause(_) => None,
        })
    }

    /// Whether it, or a runbook that it includes, has external data.
    pub fn fetches(&self) -> bool {
        !self.data.is_empty() || self.includes().any(|include| include.runbook.fetches())
    }

    /// The ids of its questions, as answers name them; those of included runbooks below theirs.
    pub fn questions(&self) -> Vec<String> {
        let of_step = |step: &Step| {
            let label = step.label().unwrap_or_default();
            match &step.act {
                Act::Manual(_) => vec![label],
                Act::Include(include) => {
                    let inner = include.runbook.questions();
                    inner.iter().map(|id| format!("{label}/{id}")).collect()
                }
                Act::Resource { .. } | Act::Pause(_) => Vec::new(),
            }
        };
        self.steps.iter().flat_map(of_step).collect()
    }

    /// It and all runbooks that it includes, in order.
    pub fn all(&self) -> Vec<&Runbook> {
        let mut all = vec![self];
        all.extend(self.includes().flat_map(|include| include.runbook.all()));
        all
    }
}

/// What a step says about its guard.
#[derive(Debug, Clone)]
pub enum Guard {
    /// Not guarded.
    Off,
    /// Guarded.
    On {
        /// The port of sshd that the new login must come through; the host's own when not said.
        port: Option<Text>,
    },
}

/// How often something is tried again, and how long is waited before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first.
    pub times: u32,
    /// Time before each.
    pub every: Duration,
}

impl Retry {
    /// One try only.
    pub const NONE: Retry = Retry {
        times: 0,
        every: Duration::seconds(0),
    };
}
