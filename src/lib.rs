//! Holdfast hardens Linux hosts over SSH from YAML runbooks.
//!
//! # The map
//!
//! The order of the `mod` lines is the architecture: a module imports only from modules above it,
//! and `tests/architecture.rs` fails naming the import that breaks this.
//!
//! ```text
//!  inventory ─┐                     ReadHost                     WriteHost
//!  runbook  ──┴─ load ─▶ render ─▶ survey ─▶ Plan ─┬─▶ shown (dry run)
//!  data ───────────────────▲         ▲             └─▶ apply ─▶ survey again = read back
//!                          └─ facts ─┘                      └─▶ verify from inside and outside
//!                     every arrow tells Events ─▶ journal/ and report/*
//! ```

// ── words: pure data, no input or output ────────────────────────────────────────────────────
pub mod diagnostic;
pub mod value;
pub mod yaml;
pub mod template;
pub mod shape;
pub mod probe;
pub mod facts;
pub mod risk;
pub mod access;
pub mod change;
pub mod resource;
// ── input: files and data, checked before any host is asked ───────────────────────────────────
pub mod inventory;
pub mod data;
pub mod runbook;
// ── what will happen, what happened: serialisable ────────────────────────────────────────────
pub mod plan;
pub mod event;
pub mod plan_file;
pub mod record;
// ── doing ────────────────────────────────────────────────────────────────────────────────────
pub mod transport;
pub mod here;
pub mod engine;
// ── telling ──────────────────────────────────────────────────────────────────────────────────
pub mod journal;
pub mod report;
// ── composition ──────────────────────────────────────────────────────────────────────────────
pub mod cli;
