//! The only room that sees all others.

pub mod hooks;
