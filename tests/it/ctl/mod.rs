//! heptactl over a real socket, against a daemon that says what it was told to say.

mod answers;
mod changes;
mod daemon;
mod destroys;
mod facts;
mod failures;
mod help;
mod host;
mod looks;
mod program;
mod run;
mod together;

use daemon::{Daemon, Script};
use run::{Ran, Start, golden};
