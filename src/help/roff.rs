//! A text as a manual page.

use super::document::{Block, Line, Span};
use super::terminal;
use super::topics::Topic;
use std::fmt::Write;

/// Columns that a page of eighty has for what stands as it is.
const WIDTH: usize = 72;

/// Text that roff takes as it is, in letters that every roff reads.
pub(super) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\e"),
            '-' => safe.push_str("\\-"),
            c if c.is_ascii() => safe.push(c),
            c => {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    if safe.starts_with(['.', '\'']) { format!("\\&{safe}") } else { safe }
}

/// The page of a topic. No word is broken, as it may be one to be typed.
pub(super) fn page(topic: &Topic, blocks: &[Block]) -> String {
    let name = topic.page_name();
    let section = topic.section;
    let source = concat!("heptad ", env!("CARGO_PKG_VERSION"));
    let mut text = format!(
        ".TH \"{}\" \"{section}\" \"\" \"{source}\" \"heptad\"\n.nh\n.ad l\n.SH NAME\n{} \\- {}\n",
        plain(&name.to_uppercase()),
        plain(&name),
        plain(topic.title()),
    );
    text.push_str(".SH DESCRIPTION\n");
    blocks.iter().for_each(|part| block(part, &mut text));
    let _ = writeln!(text, ".SH \"SEE ALSO\"\n{}", plain("heptad(8), heptactl(1)"));
    text
}

fn block(block: &Block, text: &mut String) {
    let _ = match block {
        // It stands beside the name.
        Block::Heading(1, _) => Ok(()),
        Block::Heading(2, line) => writeln!(text, ".SH \"{}\"", spoken(line).to_uppercase()),
        Block::Heading(_, line) => writeln!(text, ".SS \"{}\"", spoken(line)),
        Block::Paragraph(line) => writeln!(text, ".PP\n{}", spoken(line)),
        Block::Code(code) => {
            as_it_is(&terminal::block_of(code, WIDTH), text);
            Ok(())
        }
        Block::List(items) => {
            items.iter().try_for_each(|item| writeln!(text, ".IP \\(bu 2\n{}", spoken(item)))
        }
        Block::Table(rows) => {
            table(rows, text);
            Ok(())
        }
    };
}

fn as_it_is(shown: &str, text: &mut String) {
    text.push_str(".PP\n.nf\n");
    shown.lines().for_each(|line| {
        let _ = writeln!(text, "{}", plain(line));
    });
    text.push_str(".fi\n");
}

/// Words and their meaning as such a list; more columns as a terminal shows them.
fn table(rows: &[Vec<Line>], text: &mut String) {
    if rows.iter().any(|row| row.len() != 2) {
        return as_it_is(&terminal::table(rows, WIDTH, &bare), text);
    }
    for (nth, row) in rows.iter().enumerate() {
        let [word, meaning] = &row[..] else { continue };
        let _ = match nth {
            0 => writeln!(text, ".TP\n\\fI{}\\fR\n\\fI{}\\fR", spoken(word), spoken(meaning)),
            _ => writeln!(text, ".TP\n\\fB{}\\fR\n{}", unstyled(word), spoken(meaning)),
        };
    }
}

fn unstyled(line: &Line) -> String {
    plain(&bare(line))
}

/// The words alone.
fn bare(line: &Line) -> String {
    let part = |span: &Span| match span {
        Span::Plain(part) | Span::Strong(part) | Span::Emphasis(part) | Span::Code(part) => {
            part.clone()
        }
        Span::Link { text, .. } => text.clone(),
    };
    line.iter().map(part).collect()
}

fn spoken(line: &Line) -> String {
    let mut text = String::new();
    for span in line {
        let part = match span {
            Span::Plain(part) => plain(part),
            Span::Code(part) | Span::Strong(part) => format!("\\fB{}\\fR", plain(part)),
            Span::Emphasis(part) => format!("\\fI{}\\fR", plain(part)),
            Span::Link { text, to } => match Topic::of_link(to) {
                Some(topic) => format!("\\fB{}\\fR({})", plain(&topic.page_name()), topic.section),
                None => format!("{} ({})", plain(text), plain(to)),
            },
        };
        // Only where a line begins has a dot to be guarded.
        text.push_str(if text.is_empty() { &part } else { part.trim_start_matches("\\&") });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::document::read;
    use super::*;

    #[test]
    fn a_block_is_what_a_manual_page_calls_it() {
        let check = |markdown: &str, want: &str| {
            let mut text = String::new();
            read(markdown).iter().for_each(|part| block(part, &mut text));
            assert_eq!(text, want, "{markdown}");
        };
        check("## A part\n", ".SH \"A PART\"\n");
        check(".conf is `--read`\n", ".PP\n\\&.conf is \\fB\\-\\-read\\fR\n");
        check("* one\n", ".IP \\(bu 2\none\n");
        check("```\n.x ●\n```\n", ".PP\n.nf\n    .x \\[u25CF]\n.fi\n");
        check(
            "| a | b |\n|---|---|\n| `x` | y |\n",
            ".TP\n\\fIa\\fR\n\\fIb\\fR\n.TP\n\\fBx\\fR\ny\n",
        );
        check("[fee](fee.md)\n", ".PP\n\\fBheptad\\-fee\\fR(7)\n");
    }
}
