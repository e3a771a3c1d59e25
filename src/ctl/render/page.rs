//! What is printed, as data: lines of spans. A span's text is made safe when the span is made, so
//! that no rendering can forget it; colour is added last, and only where it is wanted.

use super::text;
use crate::api::wire::{Part, parts};
use anstyle::{AnsiColor, Style};

/// What a span means; the colour follows from it and never says more than the words do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Tone::Plain => style,
            Tone::Strong => style.bold(),
            Tone::Dim => style.dimmed(),
            Tone::Good => style.fg_color(Some(AnsiColor::Green.into())),
            Tone::Warn => style.fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Bad => style.bold().fg_color(Some(AnsiColor::Red.into())),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    text: String,
    tone: Tone,
}

impl Span {
    pub fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: text::clean(text.as_ref()), tone }
    }

    pub fn plain(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Plain, text)
    }

    pub fn strong(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Strong, text)
    }

    pub fn dim(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Dim, text)
    }

    pub fn width(&self) -> usize {
        text::width(&self.text)
    }

    /// Within a sentence: a word stays whole even where it is too wide, so that a path can be
    /// copied, and a command that is longer than a line has one of its own.
    fn told(&self, limit: Option<usize>) -> Vec<Span> {
        let mut lines = Vec::new();
        for part in parts(&self.text, limit) {
            match part {
                Part::Prose(text) => lines.extend(text::wrap_whole(text, limit)),
                Part::Command(command) => lines.push(format!("  {command}")),
            }
        }
        lines.into_iter().map(|text| Span { text, tone: self.tone }).collect()
    }

    pub(super) fn wrapped(&self, limit: Option<usize>) -> Vec<Span> {
        let lines = text::wrap(&self.text, limit).into_iter();
        lines.map(|text| Span { text, tone: self.tone }).collect()
    }

    /// At most two lines, with an ellipsis where something was cut off.
    pub(super) fn in_short(&self, limit: usize) -> Vec<Span> {
        let mut lines = text::wrap(&self.text, Some(limit));
        if let [_, second, third, ..] = lines.as_slice() {
            let second = text::cut(&format!("{second} {third}"), limit);
            lines.truncate(1);
            lines.push(second);
        }
        lines.into_iter().map(|text| Span { text, tone: self.tone }).collect()
    }

    /// One line, with an ellipsis where something was cut off.
    pub(super) fn cut(&self, limit: usize) -> Span {
        Span { text: text::cut(&self.text, limit), tone: self.tone }
    }

    /// One span, which means what the last one does.
    pub(super) fn joined(spans: &[Span]) -> Span {
        let tone = spans.last().map(|span| span.tone).unwrap_or_default();
        Span { text: spans.iter().map(|span| span.text.as_str()).collect(), tone }
    }

    fn print(&self, colour: bool, line: &mut String) {
        if colour && self.tone != Tone::Plain && !self.text.is_empty() {
            let style = self.tone.style();
            line.push_str(&format!("{style}{}{style:#}", self.text));
        } else {
            line.push_str(&self.text);
        }
    }
}

/// The column at which the values of [`Page::field`] begin.
const FIELD: usize = 12;

/// The narrowest column that a value is wrapped into; a terminal narrower still wraps by itself.
const NARROW: usize = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    lines: Vec<Vec<Span>>,
    width: Option<usize>,
}

impl Page {
    /// For a terminal of so many columns; without a number nothing is wrapped.
    pub fn new(width: Option<usize>) -> Self {
        Self { lines: Vec::new(), width }
    }

    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// One line as it is.
    pub fn line(&mut self, spans: impl IntoIterator<Item = Span>) {
        self.lines.push(spans.into_iter().collect());
    }

    /// A name, and beside it what it is; below it where it does not fit there.
    pub fn title(&mut self, name: Span, what: Span) {
        let width = name.width() + 2 + what.width();
        if self.width.is_none_or(|limit| width <= limit) {
            return self.line([name, Span::plain("  "), what]);
        }
        self.prose(0, &name);
        self.prose(2, &what);
    }

    /// An empty line, but never at the top nor twice.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    /// A sentence, wrapped under itself.
    pub fn prose(&mut self, indent: usize, span: &Span) {
        self.hang(Span::plain(" ".repeat(indent)), span);
    }

    /// `  label   value`, the value wrapped in its own column.
    pub fn field(&mut self, label: &str, value: &Span) {
        let label = format!("  {label}");
        self.hang(Span::dim(format!("{label:FIELD$}")), value);
    }

    /// `lead`, and a text that is wrapped to the right of it.
    pub fn hang(&mut self, lead: Span, text: &Span) {
        let indent = lead.width();
        let limit = self.width.map(|width| width.saturating_sub(indent).max(NARROW));
        let mut lead = lead;
        for piece in text.told(limit) {
            let start = std::mem::replace(&mut lead, Span::plain(" ".repeat(indent)));
            self.lines.push(vec![start, piece]);
        }
    }

    pub fn print(&self, colour: bool) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let start = text.len();
            line.iter().for_each(|span| span.print(colour, &mut text));
            text.truncate(start + text[start..].trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_comes_only_when_asked_for_and_never_from_the_text() {
        let mut page = Page::new(None);
        page.line([Span::new(Tone::Bad, "no\u{1b}[0m!"), Span::plain(" ok")]);
        assert_eq!(page.print(false), "no\\u{1b}[0m! ok\n");
        assert_eq!(page.print(true), "\u{1b}[1m\u{1b}[31mno\\u{1b}[0m!\u{1b}[0m ok\n");
    }

    #[test]
    fn what_is_to_be_pasted_is_never_broken() {
        let command =
            "install -D -m 644 -t /etc/systemd/system/heptad.service.d /usr/share/heptad/x";
        let said = format!("who wants it: `{command}`, and `heptactl status` shows it");
        for width in [None, Some(20), Some(80), Some(200)] {
            let mut page = Page::new(width);
            page.prose(2, &Span::plain(&said));
            let text = page.print(false);
            assert!(text.lines().any(|line| line == format!("    {command}")), "{width:?}: {text}");
            assert!(text.contains("`heptactl status`"), "{width:?}: {text}");
        }
        let mut page = Page::new(Some(24));
        page.prose(2, &Span::plain("a long path: /var/lib/libvirt/images/web-1.qcow2 is there"));
        assert_eq!(
            page.print(false),
            "  a long path:\n  /var/lib/libvirt/images/web-1.qcow2\n  is there\n"
        );
    }

    #[test]
    fn a_value_is_wrapped_in_its_own_column() {
        let mut page = Page::new(Some(32));
        page.field("note", &Span::plain("a sentence of several words"));
        page.gap();
        page.gap();
        page.prose(2, &Span::plain("another sentence of several words"));
        let want = "  note      a sentence of\n            several words\n\n  \
                    another sentence of several\n  words\n";
        assert_eq!(page.print(false), want);
    }
}
