//! The tests on real hosts: each shows a line of what the product promises. They need root and the images
//! of `tests/lab/lab prepare`; `tests/run` sees to both.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a program of tests: nobody is outside, and a test ends where something is not as it should be"
)]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod audit;
mod bare;
mod baseline;
mod by_hand;
mod cron;
mod cut_short;
mod drift;
mod exits;
mod fail2ban;
mod files;
mod fleet;
mod guard;
mod guard_kinds;
mod guided;
mod guided_hosts;
mod host_state;
mod hostile;
mod language;
mod listed;
mod live;
mod moved;
mod no_record;
mod operator;
mod other_port;
mod poisoned;
mod port_move;
mod port_move_cut;
mod recovery;
mod refresh;
mod rollback;
mod saved_plan;
mod sysctl;
mod there_and_back;
mod units;
mod ssh_hardening;
mod ufw_kind;
mod ufw_enable;
mod sshd_config;
mod unattended;
mod undoing;
