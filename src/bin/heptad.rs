//! The daemon. Reads the environment and the command line; the library does the rest.

#[path = "parts/client.rs"]
mod client;

use heptad::daemon::cli::{self, Cli, Command, Environment};
use heptad::{ctl, demo};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let around = Environment {
        uid: nix::unistd::geteuid().as_raw(),
        env: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    let (out, err) = (&mut io::stdout(), &mut io::stderr());
    let code = match Cli::read().command {
        Command::Run(args) => cli::run(&args, &around, err),
        Command::Check(args) => cli::check(&args, &around, out, err),
        Command::Schema => cli::schema(out),
        Command::Rebuild(args) => cli::rebuild(&args, &around, out, err),
        Command::Simulate(args) => cli::simulate(&args, out, err),
        Command::Demo { stay } => demo::run(stay, out),
        Command::Ctl { args } => {
            return client::main(std::iter::once("heptactl".into()).chain(args));
        }
        Command::Helper { name, args } => {
            cli::helper(&name, &args, Box::new(io::stdin()), (out, err))
        }
        Command::LetGo => cli::let_go(&around, err),
        Command::Man { out: dir } => match ctl::write_pages(cli::command(), cli::manual(), &dir) {
            Ok(pages) => {
                pages.iter().for_each(|page| drop(writeln!(out, "{}", page.display())));
                0
            }
            Err(error) => {
                let _ = writeln!(err, "heptad: {error}");
                1
            }
        },
    };
    ExitCode::from(code)
}
