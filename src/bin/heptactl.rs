//! The client. Reads the environment and the terminal; the library does the rest.

#[path = "parts/client.rs"]
mod client;

use std::process::ExitCode;

fn main() -> ExitCode {
    client::main(std::env::args_os())
}
