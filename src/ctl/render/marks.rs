//! The strip: one mark for each of the last slots, distinct also without colour.

use super::page::{Span, Tone};
use crate::api::wire::{Mark, StripMark};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    Unicode,
    /// For terminals whose locale is not UTF-8.
    Ascii,
}

/// In the order of the legend.
const ALL: [Mark; 8] = [
    Mark::Complete,
    Mark::Kept,
    Mark::Suspect,
    Mark::Failed,
    Mark::Skipped,
    Mark::Missed,
    Mark::Running,
    Mark::None,
];

pub(super) fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Complete => "complete",
        Mark::Suspect => "suspect",
        Mark::Failed => "failed",
        Mark::Skipped => "skipped",
        Mark::Missed => "missed",
        Mark::Kept => "kept",
        Mark::Running => "running",
        Mark::None => "open",
    }
}

pub(super) fn tone(mark: Mark) -> Tone {
    match mark {
        Mark::Complete | Mark::Kept => Tone::Good,
        Mark::Suspect | Mark::Skipped | Mark::Missed => Tone::Warn,
        Mark::Failed => Tone::Bad,
        Mark::Running => Tone::Strong,
        Mark::None => Tone::Dim,
    }
}

impl Marks {
    pub fn mark(self, mark: Mark) -> &'static str {
        match (self, mark) {
            (Marks::Unicode, Mark::Complete) => "●",
            (Marks::Unicode, Mark::Kept) => "★",
            (Marks::Unicode, Mark::Failed) => "✗",
            (Marks::Unicode, Mark::Missed) => "○",
            (Marks::Unicode, Mark::Running) => "▶",
            (Marks::Unicode, Mark::None) => "·",
            (Marks::Ascii, Mark::Complete) => "C",
            (Marks::Ascii, Mark::Kept) => "K",
            (Marks::Ascii, Mark::Failed) => "F",
            (Marks::Ascii, Mark::Missed) => "M",
            (Marks::Ascii, Mark::Running) => ">",
            (Marks::Ascii, Mark::None) => ".",
            (_, Mark::Suspect) => "?",
            (_, Mark::Skipped) => "-",
        }
    }

    pub fn strip(self, strip: &[StripMark]) -> Vec<Span> {
        strip.iter().map(|slot| Span::new(tone(slot.mark), self.mark(slot.mark))).collect()
    }

    pub fn legend(self) -> String {
        ALL.map(|mark| format!("{} {}", self.mark(mark), word(mark))).join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::render::text;
    use std::collections::BTreeSet;

    #[test]
    fn marks_differ_without_colour_and_take_one_column() {
        for marks in [Marks::Unicode, Marks::Ascii] {
            let all: BTreeSet<&str> = ALL.iter().map(|mark| marks.mark(*mark)).collect();
            assert_eq!(all.len(), ALL.len());
            assert!(all.iter().all(|mark| text::width(mark) == 1));
            assert!(text::width(&marks.legend()) <= 80);
        }
        assert!(Marks::Ascii.legend().is_ascii());
    }
}
