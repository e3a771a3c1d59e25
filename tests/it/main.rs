//! The one integration binary: one build, one link.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking and drive real programs"
)]

mod api;
mod btrfs;
mod catalogue;
mod clock;
mod config;
mod conformance;
mod ctl;
mod exec;
mod fee;
mod files;
mod hooks;
mod keeper;
mod process;
mod simulation;
mod support;
mod tarball;
mod tidy;
mod units;
