//! The one integration binary: one build, one link.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking and drive real programs"
)]

mod allowed;
mod api;
mod browse;
mod btrfs;
mod catalogue;
mod check;
mod clock;
mod collisions;
mod config;
mod conformance;
mod ctl;
mod daemon;
mod enrolled;
mod exec;
mod facets;
mod fee;
mod files;
mod holders;
mod hooks;
mod hostile;
mod image;
mod keeper;
mod leftovers;
mod libvirt;
mod postgres;
mod process;
mod putback;
mod readme;
mod schema;
mod simulation;
mod sqlite;
mod support;
mod tarball;
mod tidy;
mod toy;
mod units;
mod verbs;
