//! The program's own log, for its developers and for `-vv`: what hosts were asked and how long it
//! took. What an operator must know is an event and never only here.

use tracing_subscriber::EnvFilter;

use super::args::Output;

/// Turns the log on, to standard error, when `-vv` or `HOLDFAST_LOG` asks for it.
pub(super) fn start(output: &Output) {
    let wanted = std::env::var("HOLDFAST_LOG").ok();
    let filter = match wanted {
        Some(filter) => EnvFilter::new(filter),
        None if output.verbose > 1 => EnvFilter::new("holdfast=debug"),
        None => return,
    };
    // Only a second start could fail, and there is none.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::io::stderr)
        .try_init();
}
