//! The one integration binary: one build, one link.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking and drive real programs"
)]

mod btrfs;
mod conformance;
mod support;
