//! Where log records go: the journal when standard error is the journal, else lines on standard
//! error. What others chose (names, messages of programs) cannot forge a line or drive a terminal.

mod journal;
mod text;

use super::clock::Clock;
use journal::Journal;
use std::fmt;
use std::io::{IsTerminal, stderr};
use std::os::fd::AsFd;
use std::sync::Arc;
use text::{Escaped, bounded};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// `info`, or by room: `info,heptad::daemon=debug`.
    pub filter: &'a str,
    /// The value of `JOURNAL_STREAM`, if there is one.
    pub journal_stream: Option<&'a str>,
    /// Whether colours are welcome where standard error is a terminal (`NO_COLOR` says no).
    pub colour: bool,
    /// Dates the lines on standard error; the journal dates its own.
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "log filter {filter:?}: {source}; write a level such as info, or info,heptad::api=debug"
    )]
    Filter { filter: String, source: ParseError },
    #[error("logging was set up before in this process")]
    Twice,
}

/// Changes the filter while the daemon runs.
#[derive(Clone, Debug)]
pub struct Logging(reload::Handle<EnvFilter, Registry>);

impl Logging {
    /// # Errors
    /// [`LogError::Filter`]; the old filter stays then.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        let filter = parse(filter)?;
        // Fails only once the subscriber is gone, and it is never dropped.
        let _ = self.0.reload(filter);
        Ok(())
    }
}

/// Sets up logging for the whole process.
pub fn init(setup: Setup<'_>) -> Result<Logging, LogError> {
    let (filter, handle) = reload::Layer::new(parse(setup.filter)?);
    let ours = setup.journal_stream.is_some_and(|stream| is_stream(stream, stderr()));
    let journal = if ours { Journal::connect().ok() } else { None };
    let colour = setup.colour && stderr().is_terminal();
    let lines = journal.is_none().then(|| lines(setup.clock, colour, stderr));
    let registry = tracing_subscriber::registry().with(filter).with(journal).with(lines);
    registry.try_init().map_err(|_| LogError::Twice)?;
    Ok(Logging(handle))
}

/// Checks a filter without setting it.
pub fn check_filter(filter: &str) -> Result<(), LogError> {
    parse(filter).map(drop)
}

/// Most characters of a sentence and of each field.
const MOST: usize = 2_000;

/// Told at info by a crate that ticks the housekeeping: of no use to anybody but its authors.
const CHATTY: &str = "tokio_cron_scheduler";

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    let quieter =
        if filter.contains(CHATTY) { filter.to_owned() } else { format!("{filter},{CHATTY}=warn") };
    EnvFilter::builder()
        .parse(quieter)
        .map_err(|source| LogError::Filter { filter: filter.into(), source })
}

/// Whether a descriptor is the stream that `DEVICE:INODE` names. A program whose standard error
/// was redirected still inherits the variable (systemd.exec(5), `$JOURNAL_STREAM`).
fn is_stream(stream: &str, fd: impl AsFd) -> bool {
    let Ok(stat) = rustix::fs::fstat(fd) else {
        return false;
    };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

fn lines<S, W>(clock: Arc<dyn Clock>, colour: bool, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let fields = debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", bounded(&Escaped(&text).to_string(), MOST)),
            name => write!(writer, "{name}={}", bounded(&Escaped(&text).to_string(), MOST)),
        }
    });
    tracing_subscriber::fmt::layer()
        .with_ansi(colour)
        .with_writer(writer)
        .fmt_fields(fields.delimited(" "))
        .event_format(Line { clock })
}

/// `2026-11-22T06:00:00.000Z  INFO web-1: message key=value`
struct Line {
    clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let style = if writer.has_ansi_escapes() { style(level) } else { anstyle::Style::new() };
        let now = self.clock.read().wall;
        write!(writer, "{now:.3} {style}{level:>5}{style:#} ")?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            write!(writer, "{}", span.name())?;
            let extensions = span.extensions();
            match extensions.get::<tracing_subscriber::fmt::FormattedFields<N>>() {
                Some(fields) if !fields.is_empty() => write!(writer, "{{{fields}}}: ")?,
                _ => writer.write_str(": ")?,
            }
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn style(level: Level) -> anstyle::Style {
    use anstyle::{AnsiColor, Style};
    match level {
        Level::ERROR => AnsiColor::Red.on_default().bold(),
        Level::WARN => AnsiColor::Yellow.on_default(),
        Level::INFO => Style::new(),
        _ => Style::new().dimmed(),
    }
}

#[cfg(test)]
mod tests {
    use super::text::is_harmful;
    use super::*;
    use crate::host::clock::{ClockError, Moment, Waiter};
    use std::io::Write;
    use std::sync::Mutex;

    #[derive(Debug)]
    struct Six;

    impl Clock for Six {
        fn read(&self) -> Moment {
            let wall = "2026-11-22T06:00:00Z".parse().unwrap();
            let zero = jiff::SignedDuration::ZERO;
            Moment { wall, boot: zero, asleep: zero, synchronised: true }
        }
        fn waiter(&self) -> Result<Waiter, ClockError> {
            crate::host::clock::System.waiter()
        }
    }

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(colour: bool, log: impl FnOnce()) -> String {
        let paper = Paper::default();
        let copy = paper.clone();
        let layer = lines(Arc::new(Six), colour, move || copy.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_record_is_one_line_with_the_time_of_our_clock() {
        let line = written(false, || {
            let _span = tracing::info_span!("operation", id = 7, resource = %"web-1").entered();
            tracing::info!(seq = 4, "snapshot complete");
        });
        let want = "2026-11-22T06:00:00.000Z  INFO operation{id=7 resource=web-1}: \
                    snapshot complete seq=4\n";
        assert_eq!(line, want);
    }

    #[test]
    fn no_text_of_others_breaks_the_line_or_drives_the_terminal() {
        let evil = "a\nb\r\u{1b}[2Jc\u{9b}d\u{202e}e\u{2028}f\0";
        for colour in [false, true] {
            let line = written(colour, || {
                let _span = tracing::info_span!("s", shown = %evil).entered();
                tracing::info!(shown = %evil, debugged = ?evil, plain = evil, "said: {evil}");
            });
            assert_eq!(line.matches(is_harmful).count(), 1, "{line:?}");
            assert!(line.ends_with('\n'), "{line:?}");
        }
    }

    #[test]
    fn colours_are_only_where_they_are_wanted() {
        let log = || tracing::warn!("watch out");
        assert!(written(true, log).contains("\u{1b}["));
        assert!(!written(false, log).contains('\u{1b}'));
    }

    #[test]
    fn a_wrong_filter_is_refused_with_a_way_out() {
        for filter in ["info", "info,heptad::daemon=debug", "off"] {
            check_filter(filter).unwrap();
        }
        let error = check_filter("info,heptad=chatty").unwrap_err().to_string();
        assert!(error.contains("chatty") && error.contains("such as info"), "{error}");
    }

    #[test]
    fn only_the_very_stream_that_the_journal_named_counts() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::tempfile().unwrap();
        let meta = file.metadata().unwrap();
        assert!(is_stream(&format!("{}:{}", meta.dev(), meta.ino()), &file));
        assert!(!is_stream(&format!("{}:{}", meta.dev(), meta.ino() + 1), &file));
        assert!(!is_stream("", &file));
    }
}
