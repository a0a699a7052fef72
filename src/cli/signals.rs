//! Interruption: the first signal stops after the running step, the second at once. A hang-up never means at once:
//! a terminal that is closed sends several, the kernel one and a shell around us another.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Exit;
use crate::event::{EventKind, Events};
use crate::transport;

/// Waits for signals until it is aborted. `control` is the folder of the run's control sockets.
pub(super) async fn listen(stop: watch::Sender<bool>, events: Events, control: PathBuf) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let Ok(mut signals) = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>() else {
        return;
    };
    let [interrupt, terminate, hangup] = signals.as_mut_slice() else {
        return;
    };
    let mut stopping = false;
    loop {
        let hung_up = tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => false,
            _ = hangup.recv() => true,
        };
        if stopping && !hung_up {
            end_now(&control);
        }
        if !stopping {
            stop.send_replace(true);
            events.tell(EventKind::Interrupting);
        }
        stopping = true;
    }
}

#[expect(
    clippy::exit,
    reason = "the second interrupt means now; hosts finish their running step by themselves"
)]
fn end_now(control: &Path) {
    // Nothing that would clean up is run by `exit`.
    transport::end_masters(control);
    let _ = std::fs::remove_dir_all(control);
    // The cursor may be hidden by the live view. A pipe that nobody reads must not keep us here.
    let cursor = std::thread::spawn(|| console::Term::stderr().show_cursor());
    let end = Instant::now() + Duration::from_millis(200);
    while !cursor.is_finished() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::process::exit(Exit::Interrupted.code().into());
}
