//! A subvolume that is rolled back while a program writes to it, by opening its file anew each
//! time.

use super::live;
use crate::conformance::{RESOURCE, card, take, write};
use crate::support::loopfs::subvolume;
use heptad::backend::RollbackOrder;
use heptad::domain::operation::Fault;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Appends a numbered line to the file `$1`, closes it, and says the number, again and again, each
/// after at most 50 ms, or now and then half a second.
const WRITER: &str = "exec 9<> <(:); for ((n = 0; ; n++)); do \
     { echo $n >> \"$1\"; } 2> /dev/null && echo $n; \
     printf -v pause 0.%03d $((RANDOM % 50 * (RANDOM % 6 ? 1 : 10))); \
     read -r -u 9 -t $pause; done";

/// Another process that writes until it is ended.
struct Writer(Child);

impl Writer {
    fn start(file: &Path) -> Self {
        let mut command = Command::new("bash");
        command.args(["-c", WRITER, "bash"]).arg(file).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// What it said was written.
    fn end(mut self) -> BTreeSet<String> {
        self.0.kill().unwrap();
        let said = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let said = said.map(Result::unwrap).collect();
        self.0.wait().unwrap();
        said
    }
}

fn lines(file: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn no_line_of_a_program_that_writes_on_is_lost() {
    for name in ["log", "nested/log"] {
        let (fs, backend) = live(400);
        let live = fs.path().join("live");
        subvolume(&live.join("nested"));
        let one = take(&*backend, &card(1));
        let writer = Writer::start(&live.join(name));
        let mut done = 0;
        for seq in 2..=30 {
            let safety = take(&*backend, &card(seq));
            let order = RollbackOrder { handle: &one, token: safety.id };
            match backend.rollback(&order, &()) {
                Ok(_) => done += 1,
                Err(error) => assert_eq!(error.fault, Fault::Busy, "{error}"),
            }
        }
        let said = writer.end();
        let mut kept = lines(&live.join(name));
        for seq in 1..=30 {
            let stored = fs.path().join(format!(".heptad/{RESOURCE}/{seq}"));
            kept.extend(lines(&stored.join("data").join(name)));
            kept.extend(lines(&stored.join("nested/0/log")));
        }
        let lost: Vec<_> = said.difference(&kept).collect();
        assert_eq!(lost, [""; 0], "{name}: of {} lines, with {done} rollbacks", said.len());
        write(&live, &[("since", b"it is open again"), ("nested/since", b"")]);
    }
}
