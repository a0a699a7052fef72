//! What several tests use: a sandbox around the program, and the lab.

pub mod lab;
pub mod pty;
pub mod sandbox;
