//! The program as its users meet it: one file per verb.

mod history;
mod lint;
mod list;
mod plan;
mod render;
mod run;
mod usage;
mod variables;
