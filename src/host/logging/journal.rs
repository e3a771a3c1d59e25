//! Records for the journal, by its own protocol: a sentence for whoever reads, and fields beside it
//! for whoever searches.

use super::MOST;
use super::text::{Escaped, bounded};
use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// # Errors
    /// The system's, where no journal listens.
    pub(super) fn connect() -> io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // Only a question: it stays unconnected, since a journal that starts anew is another one.
        UnixDatagram::unbound()?.connect(path)?;
        Ok(Self { socket, path: path.to_owned() })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // There is nobody to tell of a journal that does not take it.
        let _ = self.socket.send_to(record(event).as_bytes(), &self.path);
    }
}

fn record(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields { sentence, mut text } = fields;
    let priority = priority(*metadata.level());
    let said = Escaped(&sentence).to_string();
    let _ = write!(text, "MESSAGE={}\nPRIORITY={priority}\n", bounded(&said, MOST));
    let _ = write!(text, "SYSLOG_IDENTIFIER=heptad\nTARGET={}\n", metadata.target());
    if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
        let _ = write!(text, "CODE_FILE={file}\nCODE_LINE={line}\n");
    }
    text
}

/// As syslog(3) numbers them. What is told at info are changes that somebody will look for.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 5,
        Level::DEBUG => 6,
        Level::TRACE => 7,
    }
}

/// The sentence apart, and `HEPTAD_NAME=value` lines.
#[derive(Default)]
struct Fields {
    sentence: String,
    text: String,
}

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.sentence);
            return;
        }
        let name: String = field.name().chars().map(letter).collect();
        let value = Escaped(value).to_string();
        let _ = writeln!(self.text, "HEPTAD_{name}={}", bounded(&value, MOST));
    }
}

/// The journal takes capital letters, digits and underscores.
fn letter(c: char) -> char {
    if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tracing_subscriber::layer::SubscriberExt;

    /// What a journal reads of one record.
    fn read(log: impl FnOnce()) -> BTreeMap<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixDatagram::bind(&path).unwrap();
        let layer = Journal::at(&path).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let mut bytes = vec![0; 1 << 20];
        let length = listener.recv(&mut bytes).unwrap();
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        let pair = |line: &str| {
            let (key, value) = line.split_once('=').unwrap();
            (key.to_owned(), value.to_owned())
        };
        let pairs: Vec<_> = text.lines().map(pair).collect();
        let fields: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(pairs.len(), fields.len(), "each field is there once: {text}");
        fields
    }

    #[test]
    fn the_sentence_is_the_message_and_fields_stand_beside_it() {
        let fields = read(|| tracing::warn!(uid = 1000, slot = "2026-11-22", "www: {}", "full"));
        let check = |key: &str, want: &str| assert_eq!(fields[key], want, "{key}");
        check("MESSAGE", "www: full");
        check("PRIORITY", "4");
        check("SYSLOG_IDENTIFIER", "heptad");
        check("HEPTAD_UID", "1000");
        check("HEPTAD_SLOT", "2026-11-22");
        assert!(fields["CODE_FILE"].ends_with("journal.rs"));
    }

    #[test]
    fn no_text_of_others_forges_a_field_or_a_line_or_has_no_end() {
        let evil = "a\nPRIORITY=0\nMESSAGE=forged\u{1b}[2J\0";
        let long = "é\n".repeat(1 << 20);
        let fields =
            read(|| tracing::info!(name = evil, shown = ?long, said = long, "{evil}{long}"));
        assert_eq!(fields["PRIORITY"], "5");
        assert!(fields["MESSAGE"].starts_with("a\\nPRIORITY=0\\nMESSAGE=forged\\u{1b}[2J\\u{0}é"));
        assert_eq!(fields["HEPTAD_NAME"], "a\\nPRIORITY=0\\nMESSAGE=forged\\u{1b}[2J\\u{0}");
        for (key, value) in fields {
            assert!(value.chars().count() <= MOST + 10, "{key}");
        }
    }
}
